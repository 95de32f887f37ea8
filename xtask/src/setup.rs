//! Installs what a fresh machine lacks; what is there in the right version stays as it is.

use crate::python;
use crate::run::{Outcome, Run, capture, cargo, execute};

/// A cargo subcommand from the registry, pinned.
pub(crate) struct Tool {
    name: &'static str,
    verb: &'static str,
    version: &'static str,
}

pub(crate) const NEXTEST: Tool = Tool { name: "cargo-nextest", verb: "nextest", version: "0.9.143" };
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", verb: "deny", version: "0.20.2" };

impl Tool {
    /// What to say when it is not there.
    pub(crate) fn missing(&self) -> String {
        format!("{} is not installed (`cargo xtask setup` does)", self.name)
    }

    /// The version that is installed, as it says of itself: `cargo-deny 0.20.2`.
    fn found(&self) -> Option<String> {
        let (good, said) = capture(&mut cargo(&[self.verb, "--version"])).ok()?;
        let version = said.lines().next()?.split_whitespace().nth(1)?.to_owned();
        good.then_some(version)
    }
}

/// Whether any version of `tool` is there; only `setup` insists on the pinned one.
pub(crate) fn installed(tool: &Tool) -> bool {
    tool.found().is_some()
}

pub(crate) fn steps(run: &mut Run) {
    for tool in [&NEXTEST, &DENY] {
        run.step(tool.name, |_| {
            if tool.found().as_deref() == Some(tool.version) {
                println!("{} {} is there", tool.name, tool.version);
                return Ok(Outcome::Passed);
            }
            execute(&mut cargo(&["install", "--locked", "--version", tool.version, tool.name]))?;
            Ok(Outcome::Passed)
        });
    }
    run.step("python environment", |_| match python::environment()? {
        Ok(python) => {
            println!("{}", python.display());
            Ok(Outcome::Passed)
        }
        Err(reason) => Ok(Outcome::LeftOut(reason)),
    });
}
