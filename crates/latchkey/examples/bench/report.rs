//! The table.

use crate::case::Case;
use crate::load::CONNECTIONS;

/// One round of one case, in nanoseconds a request.
pub(crate) struct Sample {
    pub(crate) floor_ns: f64,
    pub(crate) verify_ns: f64,
    pub(crate) server_ns: f64,
}

impl Sample {
    fn ratio(&self) -> f64 {
        self.server_ns / (self.floor_ns + self.verify_ns)
    }
}

/// A case and its rounds.
pub(crate) struct Row {
    pub(crate) case: &'static Case,
    pub(crate) samples: Vec<Sample>,
    body_len: usize,
}

impl Row {
    pub(crate) fn new(case: &'static Case, body_len: usize) -> Self {
        Self { case, samples: Vec::new(), body_len }
    }

    fn spread(&self, of: impl Fn(&Sample) -> f64) -> Spread {
        let mut values: Vec<f64> = self.samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Spread { low: at(0), median: at(values.len() / 2), high: at(values.len().saturating_sub(1)) }
    }

    fn print(&self) -> String {
        const MICROS: f64 = 1e-3;
        let floor = self.spread(|sample| sample.floor_ns * MICROS);
        let verify = self.spread(|sample| sample.verify_ns * MICROS);
        let server = self.spread(|sample| sample.server_ns * MICROS);
        let ratio = self.spread(Sample::ratio);
        let (target, verdict) = match self.case.target {
            None => ("–".into(), "–".into()),
            Some(target) if ratio.median <= target => (format!("≤ {target} ×"), "met".into()),
            Some(target) => {
                let over = (ratio.median - target) * (floor.median + verify.median);
                (format!("≤ {target} ×"), format!("missed by {over:.1} µs"))
            }
        };
        format!(
            "| {} | {} | {} | {} | {:.2} | {} | {:.2} × ({:.2}–{:.2}) | {target} | {verdict} |",
            self.case.name,
            self.body_len,
            self.case.floor.name(),
            floor.print(),
            verify.median,
            server.print(),
            ratio.median,
            ratio.low,
            ratio.high
        )
    }
}

struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn print(&self) -> String {
        format!("{:.1} ({:.1}–{:.1})", self.median, self.low, self.high)
    }
}

/// Prints the table as Markdown; `requests` is how many each round of a case counted.
#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
pub(crate) fn print<'a>(rows: impl Iterator<Item = &'a Row>, requests: usize, idle: f64) {
    println!(
        "Processor time of the server per request in µs, median (lowest–highest) of {} rounds of {requests} requests \
         over {CONNECTIONS} connections; idle, the server takes {:.2} % of a processor.\n",
        crate::ROUNDS,
        idle * 100.0
    );
    println!(
        "| case | answer, bytes | floor | floor, µs | verification, µs | server, µs | server ÷ (floor + verification) | target | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!("{}", row.print());
    }
}

/// Says how far it is, on standard error.
pub(crate) fn progress(round: usize, rounds: usize) {
    eprintln!("round {} of {rounds}", round + 1);
}
