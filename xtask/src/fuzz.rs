//! The fuzz bodies on the stable toolchain: their corpus, then mutations of it.

use crate::run::{Outcome, Run, cargo, execute};
use crate::rust::{FEATURES, PROFILE};

/// Runs every body for `seconds` after its corpus.
pub(crate) fn steps(run: &mut Run, seconds: &str) {
    run.step("fuzz bodies", |_| {
        let runner =
            ["run", "-p", "latchkey-testkit", "--bin", "fuzz", "--features", FEATURES, "--profile", PROFILE, "--"];
        execute(cargo(&runner).args(["--seconds", seconds]))?;
        Ok(Outcome::Passed)
    });
}
