//! The steps that are cargo's: format, lints, documentation, licences, tests.

use anyhow::{Result, bail};

use crate::count::Runner;
use crate::run::{Outcome, Run, capture, cargo, execute, execute_reading};
use crate::setup::{DENY, NEXTEST, installed};

/// The one profile of everything that is not a release: optimised dependencies, no debug information.
pub(crate) const PROFILE: &str = "ci";
/// What the checks build besides the default, in every step alike, so that nothing is built twice.
pub(crate) const FEATURES: &str = "latchkey/parquet";

pub(crate) fn format(run: &mut Run) {
    run.step("format", |_| {
        execute(&mut cargo(&["fmt", "--all", "--check"]))?;
        Ok(Outcome::Passed)
    });
}

pub(crate) fn clippy(run: &mut Run) {
    run.step("clippy", |_| {
        let lints = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            FEATURES,
            "--profile",
            PROFILE,
            "--",
            "-D",
            "warnings",
        ];
        execute(&mut cargo(&lints))?;
        Ok(Outcome::Passed)
    });
}

pub(crate) fn documentation(run: &mut Run) {
    run.step("documentation", |_| {
        let mut command = cargo(&["doc", "--workspace", "--no-deps", "--features", FEATURES, "--profile", PROFILE]);
        execute(command.env("RUSTDOCFLAGS", "-D warnings"))?;
        Ok(Outcome::Passed)
    });
}

/// Licences, bans and sources need no network; the advisories do, and are a step of their own.
pub(crate) fn deny(run: &mut Run) {
    if !installed(&DENY) {
        run.step("deny", |_| Ok(Outcome::LeftOut(DENY.missing())));
        return;
    }
    run.step("deny", |_| {
        execute(&mut cargo(&["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))?;
        Ok(Outcome::Passed)
    });
    run.step("advisories", |_| advisories());
}

fn advisories() -> Result<Outcome> {
    let (good, said) = capture(&mut cargo(&["deny", "--log-level", "error", "check", "advisories"]))?;
    if good {
        return Ok(Outcome::Passed);
    }
    if said.contains("failed to fetch advisory database") || said.contains("failed to load advisory database") {
        return Ok(Outcome::LeftOut("the advisory database cannot be fetched from here".to_owned()));
    }
    println!("{said}");
    bail!("an advisory applies to the tree");
}

/// The tests of a package whose names contain `filter`, with a count of cases of their own.
pub(crate) fn some_tests(run: &mut Run, name: &str, package: &str, filter: &str, cases: &str) {
    run.step(name, |count| {
        let mut command = cargo(&["test", "--package", package, "--profile", PROFILE, filter]);
        command.env("LATCHKEY_PROOF_CASES", cases);
        execute_reading(&mut command, |line| count.read(Runner::CargoTest, line))?;
        Ok(Outcome::Passed)
    });
}

/// Unit, property and integration tests; `cases` is the count of the long property tests.
pub(crate) fn tests(run: &mut Run, cases: Option<&str>) {
    run.step("tests", |count| {
        let (runner, mut command) = if installed(&NEXTEST) {
            let nextest =
                ["nextest", "run", "--workspace", "--features", FEATURES, "--cargo-profile", PROFILE, "--no-fail-fast"];
            (Runner::Nextest, cargo(&nextest))
        } else {
            println!("{}: `cargo test` runs the tests instead", NEXTEST.missing());
            let plain = [
                "test",
                "--workspace",
                "--features",
                FEATURES,
                "--profile",
                PROFILE,
                "--no-fail-fast",
                "--lib",
                "--bins",
                "--tests",
            ];
            (Runner::CargoTest, cargo(&plain))
        };
        if let Some(cases) = cases.filter(|_| std::env::var_os("LATCHKEY_PROOF_CASES").is_none()) {
            command.env("LATCHKEY_PROOF_CASES", cases);
        }
        execute_reading(&mut command, |line| count.read(runner, line))?;
        Ok(Outcome::Passed)
    });
}

pub(crate) fn doc_tests(run: &mut Run) {
    run.step("doc tests", |count| {
        let mut command =
            cargo(&["test", "--workspace", "--features", FEATURES, "--doc", "--profile", PROFILE, "--no-fail-fast"]);
        execute_reading(&mut command, |line| count.read(Runner::CargoTest, line))?;
        Ok(Outcome::Passed)
    });
}
