//! What forged calls from many addresses cost an honest client.
//!
//! An honest client sends HMAC queries from one address at a fixed rate. Beside it 64 other addresses send ten times as
//! much: calls with forged Ed25519 signatures, or as many pings. Request limits are out of the way, the budget of failed
//! verifications is as delivered. A repetition takes one minute, in which the addresses' budgets begin unspent. Within it
//! the two kinds alternate every two seconds, so that what else happens on the machine meets both.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::park_timeout;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::task::{JoinSet, yield_now};

use crate::case::{Call, Keys, micros, status};
use crate::child::{self, Child};
use crate::clock::{Clock, instant};
use crate::load::{Bytes, CONNECTIONS, Connection, From, Load};
use crate::processor;

/// Honest calls a second, and how many other calls come with each.
const HONEST_PER_S: u32 = 400;
const OTHERS_FOR_EACH: u32 = 10;
/// Connections of the honest client.
const HONEST_CONNECTIONS: usize = 8;
const REPETITIONS: usize = 5;
/// How long one kind lasts before the other has its turn, and the turns of each kind. All of them and what comes after
/// fit into a minute.
const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 10;
/// From the making of a turn's tasks to its first call.
const LEAD: Duration = Duration::from_millis(20);
/// Calls whose processor time is measured, of each kind in each round.
const COUNTED: usize = 100 * CONNECTIONS;
const COST_ROUNDS: usize = 7;
const WARM_UP: usize = 2;
/// The most that forgeries may cost, as a multiple of pings: the honest callers' p99, and the processor's time.
const MOST: f64 = 1.2;

/// Runs the repetitions, then one with all callers behind one address, and prints the figures.
pub(crate) fn measure() -> Result<()> {
    let folder = child::folder()?;
    let keys = Keys::make()?;
    processor::pin(processor::SERVERS)?;
    let server = Child::latchkey(folder.path(), &keys.world("127.0.0.0/16", ""))?;
    let _awake = processor::Awake::start()?;
    processor::pin(processor::LOAD)?;
    let mut load = Load::new()?;
    let mut pairs = Vec::new();
    for repetition in 0..REPETITIONS {
        eprintln!("repetition {} of {REPETITIONS}", repetition + 1);
        let [mut forged, mut ping] = [Phase::default(), Phase::default()];
        wait_for_a_minute();
        let mut clients = Clients::open(&load, &server, From::Each)?;
        for turn in 0..TURNS {
            let mut kinds = [(Kind::Forged, &mut forged), (Kind::Ping, &mut ping)];
            if !turn.is_multiple_of(2) {
                kinds.reverse();
            }
            for (kind, phase) in kinds {
                clients.turn(&load, &keys, kind, phase)?;
            }
        }
        // The budgets are spent now.
        let (mut forged_ns, mut ping_ns) = (Vec::new(), Vec::new());
        for _ in 0..COST_ROUNDS {
            forged_ns.push(cost(&mut load, &server, &keys, Kind::Forged)?);
            ping_ns.push(cost(&mut load, &server, &keys, Kind::Ping)?);
        }
        let [forged_ns, ping_ns] = [median(forged_ns), median(ping_ns)];
        pairs.push(Pair { forged, ping, forged_ns, ping_ns });
    }
    eprintln!("one shared address");
    let mut shared = Phase::default();
    wait_for_a_minute();
    let mut clients = Clients::open(&load, &server, From::One)?;
    for _ in 0..TURNS {
        clients.turn(&load, &keys, Kind::Forged, &mut shared)?;
    }
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

/// What the turns of one kind showed.
#[derive(Default)]
struct Phase {
    /// Times of the honest calls, in microseconds.
    times: Vec<f64>,
    honest_refused: usize,
    /// The others' calls that were answered with 400 and with 429.
    verified: usize,
    unverified: usize,
    /// How long the system kept this program from running.
    held_up: Duration,
}

impl Phase {
    fn quantile(&self, part: f64) -> f64 {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        let last = times.len().saturating_sub(1);
        times.get((last as f64 * part) as usize).copied().unwrap_or(f64::NAN)
    }
}

struct Pair {
    forged: Phase,
    ping: Phase,
    forged_ns: f64,
    ping_ns: f64,
}

/// The connections of the honest client and of the others.
struct Clients {
    honest: Vec<Connection>,
    others: Vec<Connection>,
}

impl Clients {
    fn open(load: &Load, server: &Child, from: From) -> Result<Self> {
        load.run(async {
            let (mut honest, mut others) = (Vec::new(), Vec::new());
            for _ in 0..HONEST_CONNECTIONS {
                honest.push(Connection::open(Ipv4Addr::LOCALHOST, server.address).await?);
            }
            for number in 0..CONNECTIONS {
                others.push(Connection::open(from.address(number), server.address).await?);
            }
            Ok(Self { honest, others })
        })
    }

    /// Honest calls and others side by side, each at its fixed rate.
    fn turn(&mut self, load: &Load, keys: &Keys, kind: Kind, phase: &mut Phase) -> Result<()> {
        let honest = TURN.as_secs() as usize * HONEST_PER_S as usize;
        let others = kind.requests(keys, honest * OTHERS_FOR_EACH as usize)?;
        let calls: Result<Vec<Bytes>> =
            (0..honest).zip(micros()..).map(|(_, now)| keys.hmac.request(&query(), now)).collect();
        let interval = Duration::from_secs(1) / HONEST_PER_S;
        let honest = deal(&mut self.honest, &calls?, interval);
        let others = deal(&mut self.others, &others, interval / OTHERS_FOR_EACH);
        load.run(async {
            let clock = Arc::new(Clock::start());
            let (mut honest, mut others) = (spawn(honest, &clock), spawn(others, &clock));
            let awake = tokio::spawn({
                let clock = clock.clone();
                async move {
                    loop {
                        clock.now();
                        yield_now().await;
                    }
                }
            });
            while let Some(done) = honest.join_next().await {
                let (connection, answers) = done??;
                self.honest.push(connection);
                for (status, time) in answers {
                    phase.times.push(time.as_secs_f64() * 1e6);
                    phase.honest_refused += usize::from(status != 200);
                }
            }
            while let Some(done) = others.join_next().await {
                let (connection, answers) = done??;
                self.others.push(connection);
                for (status, _) in answers {
                    match status {
                        200 => ensure!(kind == Kind::Ping, "a forgery was accepted"),
                        400 => phase.verified += 1,
                        429 => phase.unverified += 1,
                        other => bail!("an answer with status {other}"),
                    }
                }
            }
            awake.abort();
            phase.held_up += clock.held_up();
            Ok(())
        })
    }
}

/// A connection and what it has to send, each request with its time.
type Share = (Connection, Vec<(Duration, Bytes)>);
/// A connection and its answers: the status, and how long it took.
type Done = Result<(Connection, Vec<(u16, Duration)>)>;

/// Deals the requests, one every so often, to the connections.
fn deal(connections: &mut Vec<Connection>, requests: &[Bytes], every: Duration) -> Vec<Share> {
    let mut shares: Vec<Share> = connections.drain(..).map(|connection| (connection, Vec::new())).collect();
    let count = shares.len();
    for (number, request) in requests.iter().enumerate() {
        if let Some((_, share)) = shares.get_mut(number % count) {
            share.push((LEAD + every * number as u32, request.clone()));
        }
    }
    shares
}

/// Each request goes out when it is due, however long the one before it took: one that finds its connection still busy is
/// timed from when it was due.
fn spawn(shares: Vec<Share>, clock: &Arc<Clock>) -> JoinSet<Done> {
    let mut set = JoinSet::new();
    for (mut connection, share) in shares {
        let clock = clock.clone();
        set.spawn(async move {
            let mut answers = Vec::with_capacity(share.len());
            for (due, request) in share {
                while clock.now() < due {
                    yield_now().await;
                }
                let answer = connection.call(&request).await?;
                answers.push((answer.status, clock.now() - due));
            }
            Ok((connection, answers))
        });
    }
    set
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Waits until a minute begins, and with it a new budget for each address.
fn wait_for_a_minute() {
    const MINUTE: u64 = 60_000_000;
    let end = instant() + Duration::from_micros(MINUTE - micros() % MINUTE);
    while instant() < end {
        park_timeout(end.duration_since(instant()));
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn print(pairs: &[Pair], shared: &Phase) -> Result<()> {
    println!(
        "{HONEST_PER_S} honest HMAC queries a second, {} others from {CONNECTIONS} addresses, {} s of each kind.\n",
        HONEST_PER_S * OTHERS_FOR_EACH,
        TURN.as_secs() * TURNS as u64
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
            forged.verified,
            forged.unverified,
            pair.forged_ns * 1e-3,
            pair.ping_ns * 1e-3,
            pair.forged_ns / pair.ping_ns,
        );
    }
    let of_pairs = |of: &dyn Fn(&Pair) -> f64| median(pairs.iter().map(of).collect());
    let [forged, ping] = [of_pairs(&|pair| pair.forged.quantile(0.99)), of_pairs(&|pair| pair.ping.quantile(0.99))];
    let p99 = forged / ping;
    let ratio = of_pairs(&|pair| pair.forged.quantile(0.99) / pair.ping.quantile(0.99));
    let cost = of_pairs(&|pair| pair.forged_ns / pair.ping_ns);
    let held_up: Duration = pairs.iter().map(|pair| pair.forged.held_up + pair.ping.held_up).sum();
    println!("\nThis program was held up for {:.1} s in all; that is not in the times.", held_up.as_secs_f64());
    println!(
        "Median p99 beside forgeries ÷ beside pings: {forged:.0} µs ÷ {ping:.0} µs = {p99:.2} ×; median of the ratios: {ratio:.2} ×."
    );
    println!("Forged call beyond the budget ÷ ping: {cost:.2} ×.");
    println!(
        "All behind one address: {} honest calls, {} refused; forged: {} verified, {} refused unverified.",
        shared.times.len(),
        shared.honest_refused,
        shared.verified,
        shared.unverified
    );
    let refused = |pair: &Pair| pair.forged.honest_refused + pair.ping.honest_refused;
    let refused = pairs.iter().map(refused).sum::<usize>() + shared.honest_refused;
    ensure!(refused == 0, "{refused} honest calls were refused");
    ensure!(p99 < MOST && cost <= MOST, "more than {MOST} x");
    Ok(())
}
