//! What holds for every Rust source: its size, its name, and words that have no place in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Lines of a file, tests included; a larger one holds two ideas.
const LINES_MAX: usize = 700;

/// Words of unfinished work, written apart so that this file may name them.
const UNFINISHED: [&str; 6] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
    concat!("dbg", "!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

/// Every broken rule, one line each.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask"] {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut findings = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        findings.extend(check_source(&name, &text));
    }
    Ok(findings)
}

fn check_source(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        findings.push(format!("{name} has {lines} lines; {LINES_MAX} is the most"));
    }
    if name.ends_with("/mod.rs") {
        findings.push(format!("{name}: a module is `foo.rs` beside `foo/`"));
    }
    for (number, line) in text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
            findings.push(format!("{name}:{}: `{word}` is unfinished work", number + 1));
        }
    }
    findings
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, UNFINISHED, check_source};

    #[test]
    fn a_clean_source_passes() {
        assert!(check_source("a.rs", "fn main() {}\n").is_empty());
        assert!(check_source("a.rs", &"\n".repeat(LINES_MAX)).is_empty());
    }

    #[test]
    fn a_long_source_is_caught() {
        assert_eq!(check_source("a.rs", &"\n".repeat(LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn unfinished_work_is_caught_with_its_line() {
        for word in UNFINISHED {
            let findings = check_source("a.rs", &format!("fn f() {{}}\n// {word}\n"));
            assert!(findings.iter().any(|f| f.starts_with("a.rs:2:")), "{findings:?}");
        }
    }

    #[test]
    fn a_mod_rs_is_caught() {
        assert_eq!(check_source("crates/x/src/y/mod.rs", "").len(), 1);
    }
}
