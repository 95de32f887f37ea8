//! End-to-end tests: the server's binary, spoken to by clients that were written elsewhere, and killed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::count::{Count, Runner};
use crate::python;
use crate::run::{Outcome, Run, cargo, execute, execute_reading, root, target};
use crate::rust::{FEATURES, PROFILE};

/// Builds the binary and runs the suites; `kills` is the count of the crash test.
pub(crate) fn steps(run: &mut Run, kills: &str) {
    let built = run.step("server binary", |_| {
        // With the tests' targets, so that the features and with them the artifacts are those of the unit tests.
        execute(&mut cargo(&[
            "build",
            "--workspace",
            "--bins",
            "--tests",
            "--features",
            FEATURES,
            "--profile",
            PROFILE,
        ]))?;
        Ok(Outcome::Passed)
    });
    for (name, folder) in [("foreign clients", "foreign"), ("management API", "schema"), ("kill -9", "crash")] {
        run.step(name, |count| match python::environment()? {
            // An older binary may lie there, and would be tested in its place.
            _ if !built => Ok(Outcome::LeftOut("the server was not built".to_owned())),
            Ok(python) => pytest(&python, folder, kills, count),
            Err(reason) => Ok(Outcome::LeftOut(reason)),
        });
    }
}

fn pytest(python: &Path, folder: &str, kills: &str, count: &mut Count) -> Result<Outcome> {
    let binary = target()?.join(PROFILE).join("latchkey");
    let binary = binary.canonicalize().with_context(|| format!("no server at {}", binary.display()))?;
    let mut command = Command::new(python);
    command.args(["-m", "pytest", folder]).current_dir(root().join("tests"));
    command.env("LATCHKEY_BIN", binary).env("PYTHONDONTWRITEBYTECODE", "1");
    if std::env::var_os("LATCHKEY_PROOF_KILLS").is_none() {
        command.env("LATCHKEY_PROOF_KILLS", kills);
    }
    execute_reading(&mut command, |line| count.read(Runner::Pytest, line))?;
    Ok(Outcome::Passed)
}
