//! What the time of an answer tells a stranger: pairs of refusals whose answers are the same, byte for byte.
//!
//! Requests of both kinds come in random order over one connection and are timed one by one. Welch's t compares the means,
//! once over all times and once without those above the common 95th percentile, which are mostly the system's own.

use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::case::{Keys, account, micros};
use crate::child::{self, Child};
use crate::load::{Bytes, Connection, Load};
use crate::processor;

/// Requests of each kind.
const EACH: usize = 100_000;
/// Requests that are signed together, so that none grows old.
const STRETCH: usize = 2_000;
/// The keys may be used from here; this program calls from elsewhere or from here.
const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// Two means that differ by more than this are told apart.
const T_MAX: f64 = 4.5;
/// The share of times, from the quickest, that the second figure counts.
const KEPT: f64 = 0.95;

/// Times the pairs and prints the figures.
pub(crate) fn measure() -> Result<()> {
    let folder = child::folder()?;
    let keys = Keys::make()?;
    processor::pin(processor::SERVERS)?;
    let raised = "failed_verifications_per_minute = 1000000000\n";
    let server = Child::latchkey(folder.path(), &keys.world(&LISTED.to_string(), raised))?;
    processor::pin(processor::LOAD)?;
    let load = Load::new()?;
    let mut unknown = Keys::make()?.hmac;
    unknown.api_key = format!("{:0<64}", "none");
    let call = account(0);
    let address = "an unknown key, and a known one from an unlisted address";
    let address = pair(&load, &server, Ipv4Addr::LOCALHOST, address, |second, now| {
        if second { &keys.hmac } else { &unknown }.request(&call, now)
    })?;
    let wrong = pair(&load, &server, LISTED, "HMAC wrong in its first byte, and in its last", |second, now| {
        let signature = keys.hmac.sign(&call, now)?;
        Ok(keys.hmac.request_with(&call, now, &spoiled(&signature, second)))
    })?;
    ensure!(address && wrong, "the time of an answer tells more than the answer");
    Ok(())
}

/// A signature in hex with its first or its last byte changed.
fn spoiled(signature: &str, last: bool) -> String {
    let flip = |byte: &str| if byte == "00" { "ff" } else { "00" };
    let split = |at: usize| signature.split_at(at.min(signature.len()));
    if last {
        let (kept, byte) = split(signature.len().saturating_sub(2));
        format!("{kept}{}", flip(byte))
    } else {
        let (byte, kept) = split(2);
        format!("{}{kept}", flip(byte))
    }
}

/// Times both kinds of request and prints what tells them apart; says whether they stay alike.
fn pair(
    load: &Load,
    server: &Child,
    from: Ipv4Addr,
    name: &str,
    request: impl Fn(bool, u64) -> Result<Bytes>,
) -> Result<bool> {
    let mut order = Order(0x9e37_79b9_7f4a_7c15);
    let (mut first, mut second) = (Vec::with_capacity(EACH), Vec::with_capacity(EACH));
    let mut answer = None;
    let mut connection = load.run(Connection::open(from, server.address))?;
    while first.len() < EACH || second.len() < EACH {
        let start = micros();
        let stretch: Result<Vec<(bool, Bytes)>> = (start..)
            .take(STRETCH)
            .map(|now| {
                let kind = order.next();
                Ok((kind, request(kind, now)?))
            })
            .collect();
        for (kind, bytes) in stretch? {
            let (time, reply) = load.run(async {
                let start = now();
                let reply = connection.call(&bytes).await?;
                anyhow::Ok((start.elapsed(), reply))
            })?;
            ensure!(*answer.get_or_insert(reply) == reply, "the answers differ: {answer:?} and {reply:?}");
            let times = if kind { &mut second } else { &mut first };
            if times.len() < EACH {
                times.push(time.as_nanos() as f64);
            }
        }
    }
    let answer = answer.context("nothing was answered")?;
    Ok(print(name, answer.status, &first, &second))
}

/// A fixed order that looks like chance (xorshift).
struct Order(u64);

impl Order {
    fn next(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 63 == 1
    }
}

/// Mean and variance.
fn moments(times: &[f64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

/// Welch's t of two samples.
fn welch(first: &[f64], second: &[f64]) -> f64 {
    let ((mean_1, variance_1), (mean_2, variance_2)) = (moments(first), moments(second));
    (mean_2 - mean_1) / (variance_1 / first.len() as f64 + variance_2 / second.len() as f64).sqrt()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn print(name: &str, status: u16, first: &[f64], second: &[f64]) -> bool {
    let mut all: Vec<f64> = first.iter().chain(second).copied().collect();
    all.sort_by(f64::total_cmp);
    let bound = all.get((all.len() as f64 * KEPT) as usize).copied().unwrap_or(f64::INFINITY);
    let kept = |times: &[f64]| times.iter().copied().filter(|time| *time <= bound).collect::<Vec<_>>();
    println!("{name}: {} of each, all answered {status} with as many bytes", first.len());
    let mut alike = true;
    for (which, first, second) in
        [("all times", first.to_vec(), second.to_vec()), ("quickest 95 %", kept(first), kept(second))]
    {
        let t = welch(&first, &second);
        alike &= t.abs() < T_MAX;
        let verdict = if t.abs() < T_MAX { "not told apart" } else { "TOLD APART" };
        let ((mean_1, _), (mean_2, _)) = (moments(&first), moments(&second));
        println!("  {which}: means {:.3} and {:.3} us, t = {t:.2}: {verdict}", mean_1 * 1e-3, mean_2 * 1e-3);
    }
    alike
}
