//! What a signed request costs the server, beside what the same request would cost at least.
//!
//! `cargo run --release -p latchkey --example bench`, with `-- TEXT` for the cases whose names contain it alone, with
//! `-- flood` for what forged calls cost the honest ones, with `-- timing` for what the time of an answer tells.
//!
//! For each case this measures the processor time (user and system) that one request takes
//!
//! - in `latchkey demo`, the release binary, over a world without background trading,
//! - in its floor: the same HTTP stack with the same settings, answering a constant; for orders behind one thread that
//!   writes 64 bytes a request to a file, as the exchange's journal does,
//! - and in the bare verification of the same payload.
//!
//! Servers run on the first processor, this program on the second. Requests are signed before the clock starts, floor
//! and case get the same bytes in turn, and every figure is the median of its rounds. `LATCHKEY_BENCH_REQUESTS` sets
//! the requests of each case (20000), for a quick look.

mod case;
mod child;
mod clock;
mod flood;
mod floor;
mod load;
mod processor;
mod report;
mod timing;

use anyhow::{Context, Result, ensure};

use case::{CASES, Case, Keys};
use child::Child;
use load::{CONNECTIONS, From, Load};
use report::{Row, Sample};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Floor and case take turns this often.
const ROUNDS: usize = 7;
/// Requests that each connection sends before the clock starts, in each round.
const WARM_UP: usize = 8;
/// The status of every answer that is measured here.
const OK: u16 = 200;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["floor", rest @ ..] => floor::serve(rest),
        ["awake"] => processor::stay_awake(),
        ["flood"] => flood::measure(),
        ["timing"] => timing::measure(),
        [] => measure(""),
        [part] => measure(part),
        _ => anyhow::bail!("at most one argument: `flood`, `timing`, or a part of the names of the cases to measure"),
    }
}

fn measure(part: &str) -> Result<()> {
    let requests = requests()?;
    // Even, because an order and its cancel go over one connection.
    let each = (requests / ROUNDS / CONNECTIONS).next_multiple_of(2).max(2);
    let folder = child::folder()?;
    let keys = Keys::make()?;

    processor::pin(processor::SERVERS)?;
    let server = Child::latchkey(folder.path(), &keys.world("127.0.0.1", ""))?;
    processor::pin(processor::LOAD)?;
    let idle = server.idle_share()?;
    let mut load = Load::new()?;
    load.body_len(&server, &[keys.standing_order()?])?;
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(part)) {
        let size = load.body_len(&server, &case.requests(&keys, 0..1)?)?;
        processor::pin(processor::SERVERS)?;
        let floor = Child::floor(case.floor, size, folder.path())?;
        processor::pin(processor::LOAD)?;
        rows.push((Row::new(case, size), floor));
    }
    for round in 0..ROUNDS {
        report::progress(round, ROUNDS);
        for (row, floor) in &mut rows {
            row.samples.push(sample(row.case, round, each, &keys, &mut load, &server, floor)?);
        }
    }
    ensure!(server.idle_share()? < 0.05, "the server works without being asked: its figures mean nothing");
    report::print(rows.iter().map(|(row, _)| row), each * CONNECTIONS, idle);
    Ok(())
}

/// One round of one case.
fn sample(
    case: &Case,
    round: usize,
    each: usize,
    keys: &Keys,
    load: &mut Load,
    server: &Child,
    floor: &Child,
) -> Result<Sample> {
    let count = (WARM_UP + each) * CONNECTIONS;
    // The first two went ahead to measure the answer.
    let first = 2 + round * count;
    let requests = case.requests(keys, first..first + count)?;
    let verify_ns = case.verification_ns(keys)?;
    let floor_ns = load.ns_per_request(floor, From::One, &requests, WARM_UP, OK).context("the floor")?;
    let server_ns = load.ns_per_request(server, From::One, &requests, WARM_UP, OK).context(case.name)?;
    Ok(Sample { floor_ns, verify_ns, server_ns })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark takes its size from the environment")]
fn requests() -> Result<usize> {
    match std::env::var("LATCHKEY_BENCH_REQUESTS") {
        Err(_) => Ok(20_000),
        Ok(text) => text.parse().context("`LATCHKEY_BENCH_REQUESTS` is not a number"),
    }
}
