//! Benchmarks, always in release mode: admission alone, then the whole server beside its floors.

use crate::run::{Outcome, Run, cargo, execute, root};

/// Each benchmark by the file that holds it, and the command that runs it.
const BENCHMARKS: [(&str, &str, &[&str]); 2] = [
    ("admission alone", "crates/admission/benches", &["bench", "-p", "latchkey-admission"]),
    ("whole server", "crates/latchkey/examples/bench", &["run", "--release", "-p", "latchkey", "--example", "bench"]),
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
