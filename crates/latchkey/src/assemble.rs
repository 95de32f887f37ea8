//! The one place that knows every answer: picks the adapters and ties the house together.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use latchkey_admission::call::RequestIds;
use latchkey_admission::limiter::Limits;
use latchkey_admission::ports::Clock;
use latchkey_admission::replay::{self, Replay};
use latchkey_admission::{AHEAD_MAX_US, Rules};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::Ports;
use latchkey_authority::service::Authority;
use latchkey_authority::tier::Tiers;
use latchkey_crypto::sign::Signer;
use latchkey_exchange::{Core, MarketSettings, OrderLimits};
use latchkey_gateway::edge::Counters;
use latchkey_gateway::line::{self, Line};
use latchkey_protocol::catalog::Catalog;
use latchkey_protocol::{AccountId, Amount, Asset, Timestamp, TradingAccount};
use latchkey_store::audit::key_file as audit_key;
use latchkey_store::folder::FolderLock;
use latchkey_store::guard_state::GuardState;
use latchkey_store::live::LiveMap;
use latchkey_store::random;
use latchkey_store::records::{RecordSettings, Records};
use latchkey_store::secrets::{Vault, key_file};
use latchkey_store::segments::{Durability, SegmentSettings, Segments};
use latchkey_store::snapshots::Snapshots;
use latchkey_store::sqlite::{SqliteSettings, SqliteStore};
use latchkey_venue::Venue;
use latchkey_venue::sequencer::{self, End, Exchange, Sequencing};
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::guard::Guard;
use crate::metrics::{Metrics, Sources};
use crate::outbox::Outbox;
use crate::recording::Recording;

/// The store's file in the data folder.
const DATABASE: &str = "latchkey.db";

/// What a house is made of.
pub struct Plan {
    /// Where everything rests.
    pub data_dir: PathBuf,
    /// The file with the key-encryption key.
    pub key_file: PathBuf,
    /// The file with the key that signs audit heads.
    pub audit_key_file: PathBuf,
    /// The public halves of the keys that signed them before.
    pub audit_former_keys: Vec<PathBuf>,
    /// Whether missing key files are made; only the demo may.
    pub create_key_files: bool,
    /// The numbers in force.
    pub policy: Policy,
    /// The limits of accounts by VIP level.
    pub tiers: Tiers,
    /// What an empty exchange starts from.
    pub market: MarketSettings,
    /// When an answer may leave.
    pub durability: Durability,
    /// How the records of calls are kept.
    pub records: RecordSettings,
}

/// The adapters behind the authority.
pub struct Wiring {
    store: Arc<SqliteStore>,
    vault: Arc<Vault>,
    live: Arc<LiveMap>,
    outbox: Arc<Outbox>,
}

impl Ports for Wiring {
    type Store = SqliteStore;
    type Secrets = Vault;
    type Live = LiveMap;
    type Outbox = Outbox;
    type Shelf = SqliteStore;

    fn store(&self) -> &SqliteStore {
        &self.store
    }

    fn secrets(&self) -> &Vault {
        &self.vault
    }

    fn live(&self) -> &LiveMap {
        &self.live
    }

    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn shelf(&self) -> &SqliteStore {
        &self.store
    }
}

/// A running house, without its listeners.
pub struct House {
    /// When it was built.
    pub started: Timestamp,
    /// The numbers in force.
    pub policy: Policy,
    /// The clock.
    pub clock: Arc<SystemClock>,
    /// The live keys.
    pub live: Arc<LiveMap>,
    /// Counts of calls.
    pub metrics: Arc<Metrics>,
    /// The door's own counts.
    pub door: Arc<Counters>,
    /// Who holds which key.
    pub authority: Arc<Authority<Wiring>>,
    /// The line of requests.
    pub line: Arc<Line>,
    /// What signs the heads of the audit chain.
    pub audit_key: Signer,
    /// The records of calls.
    pub records: Arc<Records>,
    replay: Arc<Replay>,
    /// Limits and bans.
    pub guard: Guard,
    store: Arc<SqliteStore>,
    exchange: Exchange,
    outbox: Arc<Outbox>,
    _lock: FolderLock,
}

/// Builds a house: unlocks its secrets, replays its exchange, finishes what was left in the outbox, and loads its
/// keys. When it returns, calls can be served.
///
/// # Errors
/// Whatever part cannot be opened, named.
pub async fn assemble(plan: Plan) -> anyhow::Result<(House, Sequencing)> {
    let clock = Arc::new(SystemClock::default());
    let lock = FolderLock::take(&plan.data_dir).context("the data folder cannot be used")?;
    let is_new = !plan.data_dir.join(DATABASE).exists();
    let wrapping = if plan.create_key_files {
        key_file::read_or_create(&plan.key_file, &mut random::fill)
    } else {
        key_file::read(&plan.key_file)
    }
    .context("the key-encryption key cannot be read")?;
    let settings = SqliteSettings::new(&plan.data_dir.join(DATABASE), &mut random::fill);
    let store = Arc::new(SqliteStore::open(&settings).await.context("the store cannot be opened")?);
    let vault = Arc::new(Vault::unlock(&store, &wrapping).await.context("the secrets cannot be unlocked")?);
    let audit_key = if plan.create_key_files {
        audit_key::read_or_create(&plan.audit_key_file, &mut random::fill)
    } else {
        audit_key::read(&plan.audit_key_file)
    }
    .context("the audit key cannot be read")?;
    let mut public = vec![audit_key.public_key().context("the audit key has no public half")?];
    for file in &plan.audit_former_keys {
        public.push(crate::cli::audit::public_key(file).context("a former audit key cannot be used")?);
    }
    store.verify_tail(&public).await.context("the audit chain does not hold")?;

    let (exchange, sequencing) = {
        let (folder, market, policy) = (plan.data_dir.join("journal"), plan.market, plan.policy);
        let (clock, durability) = (Arc::clone(&clock), plan.durability);
        tokio::task::spawn_blocking(move || open_exchange(&folder, market, &policy, clock, durability)).await??
    };

    let (limits, guard_state) = (Limits::new(&plan.policy, plan.tiers), GuardState::new(&plan.data_dir));
    let guard = Guard::open(limits, draw().0, guard_state, Arc::clone(&clock)).context("the bans cannot be read")?;
    let traded = exchange.read(|core, _| core.now()).await.context("the exchange does not tell its time")?;
    clock.not_before(traded);
    let since = remembered_since(is_new, clock.now());

    let (map_seed, boot) = draw();
    let (replay_seed, _) = draw();
    let live = Arc::new(LiveMap::new(plan.policy, Arc::clone(&clock) as Arc<dyn Clock>, map_seed));
    let outbox = Arc::new(Outbox::new(Arc::clone(&store), exchange.clone(), Arc::clone(&live)));
    outbox.drain().await.context("the exchange does not carry out what was left to do")?;
    store.load_live(&live).await.context("the keys cannot be loaded")?;

    let wiring = Wiring {
        store: Arc::clone(&store),
        vault: Arc::clone(&vault),
        live: Arc::clone(&live),
        outbox: Arc::clone(&outbox),
    };
    let authority = Arc::new(Authority::new(wiring, plan.policy));
    let door = Arc::new(Counters::default());
    let records = Records::open(plan.records, Arc::clone(&clock) as _).context("the call records cannot be opened")?;
    let records = Arc::new(records);
    let replay = Arc::new(Replay::new(replay::Settings { since, seed: replay_seed, ..replay::Settings::default() }));
    let metrics = Arc::new(Metrics::new(Sources {
        edge: Arc::clone(&door),
        records: Arc::clone(&records),
        limiter: Arc::clone(&guard.limiter),
        replay: Arc::clone(&replay),
    }));
    let venue = Venue::new(
        exchange.clone(),
        Arc::clone(&authority),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Arc::clone(&records) as _,
        tokio::runtime::Handle::current(),
    )
    .with_tiers(plan.tiers);
    let line = Arc::new(Line::new(line::Parts {
        catalog: Catalog::builtin(),
        keys: Arc::clone(&live) as _,
        opener: vault,
        rules: Rules::from(&plan.policy),
        replay: Arc::clone(&replay),
        limiter: Arc::clone(&guard.limiter),
        venue: Arc::new(venue),
        recorder: Arc::new(Recording { metrics: Arc::clone(&metrics), records: Arc::clone(&records) }),
        clock: Arc::clone(&clock) as _,
        ids: RequestIds::new(boot),
    }));
    let house = House {
        started: clock.now(),
        policy: plan.policy,
        clock,
        live,
        metrics,
        door,
        authority,
        line,
        audit_key,
        records,
        replay,
        guard,
        store,
        exchange,
        outbox,
        _lock: lock,
    };
    house.reached(since).await;
    Ok((house, sequencing))
}

/// From when on the signatures of a house are remembered that starts at `now`, which is no earlier than anything that an
/// earlier run recorded: a new folder never had any, and who called an earlier run may have had a clock as far ahead as
/// is allowed.
fn remembered_since(is_new: bool, now: Timestamp) -> Timestamp {
    if is_new { Timestamp::EARLIEST } else { now.plus_micros(AHEAD_MAX_US) }
}

/// Two random numbers.
fn draw() -> (u64, u64) {
    let mut seed = [0; 16];
    random::fill(&mut seed);
    let whole = u128::from_le_bytes(seed);
    ((whole >> 64) as u64, whole as u64)
}

fn open_exchange(
    folder: &Path,
    market: MarketSettings,
    policy: &Policy,
    clock: Arc<SystemClock>,
    durability: Durability,
) -> anyhow::Result<(Exchange, Sequencing)> {
    let mut journal = Segments::open(folder, SegmentSettings { durability, ..SegmentSettings::default() })
        .context("the exchange's journal cannot be opened")?;
    let snapshots = Snapshots::new(folder);
    let newest = snapshots.newest(journal.last_sequence()).context("the exchange's snapshots cannot be read")?;
    let restored = match newest {
        None => None,
        Some(snapshot) => {
            let core = Core::restore(&snapshot.state).context("a snapshot cannot be restored")?;
            // What a snapshot that can be restored covers is never replayed again.
            journal.drop_through(snapshot.sequence).context("old segments cannot be removed")?;
            Some((core, snapshot.sequence))
        }
    };
    sequencer::Exchange::start(sequencer::Parts {
        settings: market,
        restored,
        limits: OrderLimits { per_10s: policy.orders_per_10s, per_day: policy.orders_per_day },
        journal: Box::new(journal),
        clock,
        snapshots: Some((Arc::new(SnapshotFolder(snapshots)), sequencer::SNAPSHOT_EVERY)),
        queue: const { NonZeroUsize::new(sequencer::QUEUE).unwrap() },
    })
    .context("the exchange cannot be started")
}

/// Where the exchange's snapshots go.
struct SnapshotFolder(Snapshots);

impl sequencer::Snapshots for SnapshotFolder {
    fn save(&self, sequence: u64, state: &[u8]) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.save(sequence, state)?)
    }
}

impl House {
    /// Waits, at most a second, until a caller with a right clock stamps its calls `since` or later.
    async fn reached(&self, since: Timestamp) {
        let rest = since.micros_since(self.clock.now());
        if let Ok(rest) = u64::try_from(rest) {
            let wait = Duration::from_micros(rest);
            tokio::time::timeout(wait, std::future::pending::<()>()).await.ok();
        }
    }

    /// Where the authority's records rest.
    pub(crate) const fn store(&self) -> &Arc<SqliteStore> {
        &self.store
    }

    /// The exchange.
    pub(crate) const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Whether nothing was ever stored.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(self.store.revision().await? == 0)
    }

    /// Brings an amount into a wallet from outside (sandbox).
    ///
    /// # Errors
    /// The exchange's refusal.
    pub async fn deposit(&self, account: TradingAccount, asset: Asset, amount: Amount) -> anyhow::Result<()> {
        self.exchange.deposit(account, asset, amount).await.map_err(Into::into)
    }

    /// Makes an account owe the venue what a liquidation did not cover (sandbox).
    ///
    /// # Errors
    /// The exchange's refusal.
    pub async fn lend(&self, owner: AccountId, asset: Asset, amount: Amount) -> anyhow::Result<()> {
        self.exchange.lend(owner, asset, amount).await.map_err(Into::into)
    }

    /// The digest of the exchange's whole state.
    ///
    /// # Errors
    /// When the exchange does not answer.
    pub async fn state_hash(&self) -> anyhow::Result<[u8; 32]> {
        self.exchange.state_hash().await.map_err(Into::into)
    }

    /// Waits until the exchange has ended by itself: nothing can be served after that.
    pub async fn exchange_ended(&self) -> End {
        self.exchange.ended().await
    }

    /// Tries again what is left in the outbox and forgets signatures that are past, until `stop` turns true.
    pub async fn keep_settling(&self, mut stop: watch::Receiver<bool>) {
        const PAUSE: Duration = Duration::from_secs(1);
        loop {
            let stopped = tokio::time::timeout(PAUSE, async { drop(stop.wait_for(|stop| *stop).await) }).await;
            if stopped.is_ok() {
                return;
            }
            self.replay.sweep(self.clock.now());
            if let Err(error) = self.outbox.drain().await {
                tracing::warn!(error = format!("{error:#}"), "a change waits for the exchange");
            }
        }
    }
}
