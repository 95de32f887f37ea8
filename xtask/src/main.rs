//! The verbs of the workspace, so that a checkout and a toolchain are enough: `cargo xtask VERB`.
#![expect(clippy::print_stdout, reason = "a command-line tool speaks on standard output")]

mod bench;
mod count;
mod e2e;
mod fuzz;
mod python;
mod run;
mod rust;
mod setup;
mod tidy;

use std::process::ExitCode;

use crate::run::Run;

const HELP: &str = "\
usage: cargo xtask VERB

  setup          install what a fresh machine lacks: cargo-nextest, cargo-deny, the Python environment
  test [--fast]  everything that must hold before a change lands; --fast leaves out documentation, deny and end-to-end
  lint           format, lints, documentation, licences and the house rules
  tidy           the house rules alone: floors, sizes, words
  e2e            end-to-end tests with foreign clients, kill -9 under load, and a full disk
  fuzz           every fuzz body for ten minutes, on the stable toolchain
  bench          benchmarks, in release mode
  proof          the long proofs with their full counts, and every fuzz body for ten minutes
";

/// Tests that `proof` runs once more with a count of their own: name, package, filter, cases.
const LONGER: [(&str, &str, &str, &str); 2] = [
    ("limiter against its model", "latchkey-admission", "limiter::tests::model", "1000000"),
    ("interleavings of threads", "latchkey-authority", "interleaved", "10000"),
];
/// Cases of a long property test under `proof`.
const PROOF_CASES: &str = "20000";
/// Kills of the crash test: under `proof`, and under `test`.
const PROOF_KILLS: &str = "50";
const TEST_KILLS: &str = "10";
/// Seconds of each fuzz body: under `fuzz`, and under `test`.
const FUZZ_SECONDS: &str = "600";
const TEST_FUZZ_SECONDS: &str = "20";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut run = Run::default();
    match words.as_slice() {
        ["setup"] => setup::steps(&mut run),
        ["test"] => test(&mut run),
        ["test", "--fast"] => fast(&mut run),
        ["lint"] => lint(&mut run),
        ["tidy"] => tidy::step(&mut run),
        ["e2e"] => e2e::steps(&mut run, TEST_KILLS),
        ["fuzz"] => fuzz::steps(&mut run, FUZZ_SECONDS),
        ["bench"] => bench::steps(&mut run),
        ["proof"] => proof(&mut run),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    }
    run.close()
}

fn test(run: &mut Run) {
    lint(run);
    rust::tests(run, None);
    rust::doc_tests(run);
    e2e::steps(run, TEST_KILLS);
    fuzz::steps(run, TEST_FUZZ_SECONDS);
}

fn fast(run: &mut Run) {
    rust::format(run);
    rust::clippy(run);
    tidy::step(run);
    rust::tests(run, None);
}

fn lint(run: &mut Run) {
    rust::format(run);
    tidy::step(run);
    rust::clippy(run);
    rust::documentation(run);
    rust::deny(run);
}

fn proof(run: &mut Run) {
    rust::tests(run, Some(PROOF_CASES));
    for (name, package, filter, cases) in LONGER {
        rust::some_tests(run, name, package, filter, cases);
    }
    e2e::steps(run, PROOF_KILLS);
    fuzz::steps(run, FUZZ_SECONDS);
}
