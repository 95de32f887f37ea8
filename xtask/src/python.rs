//! The Python environment of the end-to-end tests: a venv in the target folder with pinned packages.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{capture, root, target};

const REQUIREMENTS: [&str; 2] = ["tests/foreign/requirements.txt", "tests/schema/requirements.txt"];

/// The environment's interpreter, made and filled when it is not there yet; or why it cannot be had here.
pub(crate) fn environment() -> Result<Result<PathBuf, String>> {
    let folder = target()?.join("foreign-venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.installed");
    let mut wanted = String::new();
    for file in REQUIREMENTS {
        wanted += &fs::read_to_string(root().join(file)).context(file)?;
    }
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Ok(python));
    }

    let version = "import sys; sys.exit(sys.version_info < (3, 11))";
    match capture(Command::new("python3").args(["-c", version])) {
        Ok((true, _)) => {}
        Ok((false, _)) => return Ok(Err("python3 is older than 3.11".to_owned())),
        Err(_) => return Ok(Err("there is no python3".to_owned())),
    }
    println!("filling {}", folder.display());
    let (good, said) = capture(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    if !good {
        return Ok(Err(format!("`python3 -m venv` failed: {}", last_line(&said))));
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).current_dir(root());
    for file in REQUIREMENTS {
        install.args(["-r", file]);
    }
    let (good, said) = capture(&mut install)?;
    if !good {
        return Ok(Err(format!("pip cannot get the pinned packages: {}", last_line(&said))));
    }
    fs::write(&stamp, wanted)?;
    Ok(Ok(python))
}

fn last_line(text: &str) -> &str {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}
