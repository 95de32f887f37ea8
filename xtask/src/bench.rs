//! Benchmarks, always in release mode: admission alone, the whole server beside its floors, attacks, many keys.

use crate::run::{Outcome, Run, cargo, execute, root};

/// Each benchmark by the file that holds it, and the command that runs it.
const BENCHMARKS: [(&str, &str, &[&str]); 5] = [
    ("admission alone", "crates/admission/benches", &["bench", "-p", "latchkey-admission"]),
    ("whole server", "crates/latchkey/examples/bench", &["run", "--release", "-p", "latchkey", "--example", "bench"]),
    (
        "forged calls beside honest ones",
        "crates/latchkey/examples/bench",
        &["run", "--release", "-p", "latchkey", "--example", "bench", "--", "flood"],
    ),
    (
        "what the time of a refusal tells",
        "crates/latchkey/examples/bench",
        &["run", "--release", "-p", "latchkey", "--example", "bench", "--", "timing"],
    ),
    ("a million keys", "crates/store/examples", &["run", "--release", "-p", "latchkey-store", "--example", "million"]),
];

pub(crate) fn steps(run: &mut Run) {
    for (name, place, command) in BENCHMARKS {
        run.step(name, |_| {
            if !root().join(place).exists() {
                return Ok(Outcome::LeftOut(format!("there is no {place}")));
            }
            execute(&mut cargo(command))?;
            Ok(Outcome::Passed)
        });
    }
}
