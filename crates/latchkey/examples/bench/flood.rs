//! What forged calls from many addresses cost an honest client.
//!
//! An honest client sends HMAC queries from one address at a fixed rate. Beside it 64 other addresses send ten times as
//! much: calls with forged Ed25519 signatures, or as many pings. Request limits are out of the way, the budget of failed
//! verifications is as delivered. Both kinds of phase come within one minute, in changing order, and each forged one finds
//! its addresses' budgets unspent.

use std::net::Ipv4Addr;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::{JoinSet, yield_now};

use crate::case::{Call, Keys, micros, status};
use crate::child::{self, Child};
use crate::load::{Bytes, CONNECTIONS, Connection, From, Load};
use crate::processor;

/// Honest calls a second, and how many other calls come with each.
const HONEST_PER_S: u32 = 400;
const OTHERS_FOR_EACH: u32 = 10;
/// Connections of the honest client.
const HONEST_CONNECTIONS: usize = 8;
const REPETITIONS: usize = 5;
/// How long a phase lasts; two of them and what comes after fit into a minute.
const SPAN: Duration = Duration::from_secs(20);
/// Calls whose processor time is measured, of each kind.
const COUNTED: usize = 400 * CONNECTIONS;
const WARM_UP: usize = 2;
/// The most that forgeries may cost, as a multiple of pings: the honest callers' p99, and the processor's time.
const MOST: f64 = 1.2;

/// Runs the repetitions, then one with all callers behind one address, and prints the figures.
pub(crate) fn measure() -> Result<()> {
    let folder = child::folder()?;
    let keys = Keys::make()?;
    processor::pin(processor::SERVERS)?;
    let server = Child::latchkey(folder.path(), &keys.world("127.0.0.0/16", ""))?;
    processor::pin(processor::LOAD)?;
    let mut load = Load::new()?;
    let mut pairs = Vec::new();
    for repetition in 0..REPETITIONS {
        eprintln!("repetition {} of {REPETITIONS}", repetition + 1);
        wait_for_a_minute();
        let kinds = if repetition.is_multiple_of(2) { [Kind::Forged, Kind::Ping] } else { [Kind::Ping, Kind::Forged] };
        let mut phases = Vec::new();
        for kind in kinds {
            phases.push((kind, phase(&load, &server, &keys, kind, From::Each)?));
        }
        // The budgets are spent now.
        let forged_ns = cost(&mut load, &server, &keys, Kind::Forged)?;
        let ping_ns = cost(&mut load, &server, &keys, Kind::Ping)?;
        let of = |wanted| phases.iter().find(|(kind, _)| *kind == wanted).map(|found| found.1.clone());
        pairs.push(Pair {
            forged: of(Kind::Forged).context("a phase is missing")?,
            ping: of(Kind::Ping).context("a phase is missing")?,
            forged_ns,
            ping_ns,
        });
    }
    eprintln!("one shared address");
    wait_for_a_minute();
    let shared = phase(&load, &server, &keys, Kind::Forged, From::One)?;
    print(&pairs, &shared)
}

/// What the other addresses send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Forged,
    Ping,
}

impl Kind {
    /// `count` requests of this kind.
    fn requests(self, keys: &Keys, count: usize) -> Result<Vec<Bytes>> {
        let start = micros();
        // Of the right form: eight characters of a true signature are replaced, so that its second half stays in range.
        let signature = keys.ed25519.sign(&query(), start)?;
        let end = signature.get(8..).context("a signature is longer")?;
        let request = |(number, now)| match self {
            Self::Forged => keys.ed25519.request_with(&query(), now, &format!("{number:08x}{end}")),
            Self::Ping => ping(),
        };
        Ok((0..count).zip(start + 1..).map(request).collect())
    }
}

fn query() -> Call {
    status(0)
}

fn ping() -> Bytes {
    let text = "GET /api/v3/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
    Bytes::from(text.as_bytes())
}

/// What one phase showed.
#[derive(Clone)]
struct Phase {
    /// Times of the honest calls, in microseconds, ascending.
    times: Vec<f64>,
    honest_refused: usize,
    /// The others' calls, by the status of the answer.
    others: [(u16, usize); 3],
}

impl Phase {
    fn quantile(&self, part: f64) -> f64 {
        let last = self.times.len().saturating_sub(1);
        self.times.get((last as f64 * part) as usize).copied().unwrap_or(f64::NAN)
    }

    fn count(&self, status: u16) -> usize {
        self.others.iter().find(|(known, _)| *known == status).map_or(0, |found| found.1)
    }
}

struct Pair {
    forged: Phase,
    ping: Phase,
    forged_ns: f64,
    ping_ns: f64,
}

/// Honest calls and others side by side, each at its fixed rate.
fn phase(load: &Load, server: &Child, keys: &Keys, kind: Kind, from: From) -> Result<Phase> {
    let honest = SPAN.as_secs() as usize * HONEST_PER_S as usize;
    let others = kind.requests(keys, honest * OTHERS_FOR_EACH as usize)?;
    let start = micros();
    let calls: Result<Vec<Bytes>> = (0..honest).zip(start..).map(|(_, now)| keys.hmac.request(&query(), now)).collect();
    let calls = calls?;
    load.run(async {
        let mut connections = Vec::new();
        for _ in 0..HONEST_CONNECTIONS {
            connections.push(Connection::open(Ipv4Addr::LOCALHOST, server.address).await?);
        }
        let mut other = Vec::new();
        for number in 0..CONNECTIONS {
            other.push(Connection::open(from.address(number), server.address).await?);
        }
        let start = now();
        let interval = Duration::from_secs(1) / HONEST_PER_S;
        let (mut honest, mut crowd) = (JoinSet::new(), JoinSet::new());
        spawn(&mut honest, connections, &calls, start, interval);
        spawn(&mut crowd, other, &others, start, interval / OTHERS_FOR_EACH);
        let mut phase = Phase { times: Vec::new(), honest_refused: 0, others: [(200, 0), (400, 0), (429, 0)] };
        while let Some(answers) = honest.join_next().await {
            for (status, time) in answers?? {
                phase.times.push(time.as_secs_f64() * 1e6);
                phase.honest_refused += usize::from(status != 200);
            }
        }
        while let Some(answers) = crowd.join_next().await {
            for (status, _) in answers?? {
                let known = phase.others.iter_mut().find(|(known, _)| *known == status);
                known.with_context(|| format!("an answer with status {status}"))?.1 += 1;
            }
        }
        phase.times.sort_by(f64::total_cmp);
        Ok(phase)
    })
}

type Answers = Result<Vec<(u16, Duration)>>;

/// Deals the requests to the connections. Each goes out when it is due, however long the one before it took; a request
/// that must wait for its connection is timed from when it was due.
fn spawn(
    set: &mut JoinSet<Answers>,
    connections: Vec<Connection>,
    requests: &[Bytes],
    start: Instant,
    every: Duration,
) {
    let count = connections.len();
    for (place, mut connection) in connections.into_iter().enumerate() {
        let own: Vec<(usize, Bytes)> = requests.iter().cloned().enumerate().skip(place).step_by(count).collect();
        set.spawn(async move {
            let mut answers = Vec::with_capacity(own.len());
            for (number, request) in own {
                let due = start + every * number as u32;
                while now() < due {
                    yield_now().await;
                }
                let answer = connection.call(&request).await?;
                answers.push((answer.status, now().duration_since(due)));
            }
            Ok(answers)
        });
    }
}

/// The processor time of one call of this kind, from the 64 addresses.
fn cost(load: &mut Load, server: &Child, keys: &Keys, kind: Kind) -> Result<f64> {
    let requests = kind.requests(keys, COUNTED + WARM_UP * CONNECTIONS)?;
    let status = match kind {
        Kind::Forged => 429,
        Kind::Ping => 200,
    };
    load.ns_per_request(server, From::Each, &requests, WARM_UP, status).context("a phase has left the minute")
}

/// Waits until a minute begins, and with it a new budget for each address.
fn wait_for_a_minute() {
    const MINUTE: u64 = 60_000_000;
    let end = now() + Duration::from_micros(MINUTE - micros() % MINUTE);
    while now() < end {
        park_timeout(end.duration_since(now()));
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn print(pairs: &[Pair], shared: &Phase) -> Result<()> {
    println!(
        "{HONEST_PER_S} honest HMAC queries a second, {} others from {CONNECTIONS} addresses, {} s a phase.\n",
        HONEST_PER_S * OTHERS_FOR_EACH,
        SPAN.as_secs()
    );
    println!(
        "| repetition | honest p50 and p99 beside forgeries, µs | beside pings, µs | p99, ratio | honest refused | forged: verified, refused unverified | forged beyond the budget, µs | ping, µs | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (number, pair) in pairs.iter().enumerate() {
        let (forged, ping) = (&pair.forged, &pair.ping);
        println!(
            "| {} | {:.0}, {:.0} | {:.0}, {:.0} | {:.2} × | {} | {}, {} | {:.1} | {:.1} | {:.2} × |",
            number + 1,
            forged.quantile(0.5),
            forged.quantile(0.99),
            ping.quantile(0.5),
            ping.quantile(0.99),
            forged.quantile(0.99) / ping.quantile(0.99),
            forged.honest_refused + ping.honest_refused,
            forged.count(400),
            forged.count(429),
            pair.forged_ns * 1e-3,
            pair.ping_ns * 1e-3,
            pair.forged_ns / pair.ping_ns,
        );
    }
    let median = |of: &dyn Fn(&Pair) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let p99 = median(&|pair| pair.forged.quantile(0.99)) / median(&|pair| pair.ping.quantile(0.99));
    let cost = median(&|pair| pair.forged_ns / pair.ping_ns);
    println!(
        "\nMedian p99 beside forgeries ÷ beside pings: {p99:.2} ×. Forged call beyond the budget ÷ ping: {cost:.2} ×."
    );
    println!(
        "All behind one address: {} honest calls, {} refused; forged: {} verified, {} refused unverified.",
        shared.times.len(),
        shared.honest_refused,
        shared.count(400),
        shared.count(429)
    );
    let refused = |pair: &Pair| pair.forged.honest_refused + pair.ping.honest_refused;
    let refused = pairs.iter().map(refused).sum::<usize>() + shared.honest_refused;
    ensure!(refused == 0, "{refused} honest calls were refused");
    ensure!(p99 < MOST && cost <= MOST, "more than {MOST} x");
    Ok(())
}
