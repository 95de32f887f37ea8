//! Snapshots: a start from one is the same as a start from the whole log.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use latchkey_exchange::{Core, MarketSettings, OrderLimits};
use latchkey_protocol::{AccountId, Amount, Asset, TradingAccount, Wallet};
use latchkey_venue::sequencer::{End, Exchange, Parts, Sequencing, Snapshots};

use crate::harness::{HandClock, MemoryJournal, NOW, symbols};

#[derive(Default)]
struct Kept(Mutex<Vec<(u64, Vec<u8>)>>);

impl Snapshots for Kept {
    fn save(&self, sequence: u64, state: &[u8]) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let mut kept = self.0.lock().unwrap();
        kept.push((sequence, state.to_vec()));
        Ok(kept.iter().rev().nth(1).map_or(0, |(older, _)| *older))
    }
}

fn start(journal: MemoryJournal, kept: &Arc<Kept>, restored: Option<(Core, u64)>) -> (Exchange, Sequencing) {
    Exchange::start(Parts {
        settings: MarketSettings { symbols: symbols(), ..MarketSettings::builtin(7) },
        restored,
        limits: OrderLimits { per_10s: 5, per_day: 50 },
        journal: Box::new(journal),
        clock: HandClock::at(NOW),
        snapshots: Some((kept.clone(), 2)),
        queue: NonZeroUsize::new(8).unwrap(),
    })
    .unwrap()
}

async fn stop(sequencing: Sequencing) -> End {
    tokio::task::spawn_blocking(|| sequencing.stop()).await.unwrap()
}

#[tokio::test]
async fn the_log_after_a_snapshot_leads_to_the_same_state() {
    let kept = Arc::new(Kept::default());
    let journal = MemoryJournal::default();
    let gate = journal.gate();
    let (exchange, sequencing) = start(journal, &kept, None);
    for owner in 1..=5 {
        let account = TradingAccount { owner: AccountId(owner), wallet: Wallet::Spot };
        exchange.deposit(account, Asset::parse("USDT").unwrap(), Amount::from_scaled(7)).await.unwrap();
    }
    assert_eq!(exchange.read(|core, _| core.limits().per_10s).await.unwrap(), 5, "the limits of the policy");
    assert_eq!(stop(sequencing).await, End::Stopped);
    assert_eq!(exchange.ended().await, End::Stopped);

    let records = gate.records();
    let kept = kept.0.lock().unwrap().clone();
    assert!(kept.len() >= 2, "while it ran, and at the end");
    assert!(kept.is_sorted_by(|earlier, later| earlier.0 < later.0));
    assert_eq!(kept.last().unwrap().0, records.len() as u64);

    // Each start takes a step of the market, so states are compared after the same step.
    let mut hashes = Vec::new();
    for snapshot in [None, kept.first().cloned(), kept.last().cloned()] {
        let restored = snapshot.map(|(sequence, state)| (Core::restore(&state).unwrap(), sequence));
        let (exchange, sequencing) = start(MemoryJournal::holding(records.clone()), &Arc::default(), restored);
        hashes.push(exchange.state_hash().await.unwrap());
        assert_eq!(stop(sequencing).await, End::Stopped);
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[tokio::test]
async fn the_log_lets_go_of_what_snapshots_have_while_the_exchange_runs() {
    let kept = Arc::new(Kept::default());
    let journal = MemoryJournal::default();
    let gate = journal.gate();
    let (exchange, sequencing) = start(journal, &kept, None);
    let account = TradingAccount { owner: AccountId(1), wallet: Wallet::Spot };
    // Snapshots are written beside the thread: what they have is let go of with a later command.
    while gate.forgotten() == 0 {
        exchange.deposit(account, Asset::parse("USDT").unwrap(), Amount::from_scaled(7)).await.unwrap();
    }
    let saved: Vec<_> = kept.0.lock().unwrap().iter().map(|(sequence, _)| *sequence).collect();
    let forgotten = saved.iter().position(|sequence| *sequence == gate.forgotten());
    assert!(forgotten.is_some_and(|at| at + 1 < saved.len()), "the newest alone is not enough: {saved:?}");
    // A log that cannot let go goes on.
    exchange.deposit(account, Asset::parse("USDT").unwrap(), Amount::from_scaled(7)).await.unwrap();
    assert_eq!(stop(sequencing).await, End::Stopped);
}
