//! A door before a house without keys, for tests of the door alone.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use latchkey_admission::call::RequestIds;
use latchkey_admission::limiter::{Limiter, Limits};
use latchkey_admission::live::LiveKey;
use latchkey_admission::ports::{Clock, Keys, OpenMaterial, Recorder, Venue};
use latchkey_admission::replay::{self, Replay};
use latchkey_admission::trail::End;
use latchkey_admission::{CallRecord, Outcome, Permit, Rejection, Rules, Stage as At, Ticket};
use latchkey_authority::key::Material;
use latchkey_authority::policy::Policy;
use latchkey_crypto::verify::Verifier;
use latchkey_gateway::edge::{Counters, Edge, Proxies, Settings};
use latchkey_gateway::line::{Line, Parts};
use latchkey_protocol::catalog::{Catalog, Route};
use latchkey_protocol::{AccountId, ApiKey, Hosts, KeyId, Timestamp, Value};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Longer than any bound under test, shorter than the bounds of production.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The short bound under test.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// A house without keys whose clock stands still; `time` is answered when the test lets it.
struct Stage {
    arrived: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
    records: Arc<Mutex<Vec<CallRecord>>>,
}

impl Keys for Stage {
    fn find(&self, _: &ApiKey) -> Option<Arc<LiveKey>> {
        None
    }
}

impl OpenMaterial for Stage {
    fn open(&self, _: AccountId, _: KeyId, _: &Material) -> Option<Verifier> {
        None
    }
}

impl Clock for Stage {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_732_000_000_000)
    }
}

impl Recorder for Stage {
    fn record(&self, record: CallRecord) {
        self.records.lock().unwrap().push(record);
    }
}

impl Venue for Stage {
    fn submit(&self, permit: Permit) -> Result<Ticket, Rejection> {
        let route = permit.call().row.route;
        let (arrived, let_go) = (Arc::clone(&self.arrived), Arc::clone(&self.let_go));
        Ok(Box::pin(async move {
            if route == Route::Time {
                arrived.add_permits(1);
                let_go.acquire().await.unwrap().forget();
            }
            Outcome::Answered(Value::empty().into())
        }))
    }
}

/// Whether a recorded request was one that could be read.
pub(crate) fn is_read(record: &CallRecord) -> bool {
    !matches!(&record.end, End::Rejected(rejection) if rejection.stage == At::Edge)
}

/// An open door.
pub(crate) struct Door {
    pub(crate) at: SocketAddr,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) ended: JoinHandle<()>,
    pub(crate) counters: Arc<Counters>,
    /// A permit for every call of `time` that is handed over.
    pub(crate) arrived: Arc<Semaphore>,
    /// Takes a permit for every one that may be answered.
    pub(crate) let_go: Arc<Semaphore>,
    /// Every call that reached the line.
    pub(crate) records: Arc<Mutex<Vec<CallRecord>>>,
}

/// A door that everyone reaches.
pub(crate) async fn open(change: impl FnOnce(&mut Settings)) -> Door {
    open_behind(None, change).await
}

/// A door behind proxies.
pub(crate) async fn open_behind(proxies: Option<Proxies>, change: impl FnOnce(&mut Settings)) -> Door {
    // Limits have tests of their own; none is met here.
    let policy = Policy {
        request_weight_per_minute: u32::MAX,
        raw_requests_per_5m: u32::MAX,
        connections_per_5m: u32::MAX,
        ..Policy::default()
    };
    open_limited(policy, proxies, change).await
}

/// A door whose callers have the limits of `policy`.
pub(crate) async fn open_limited(policy: Policy, proxies: Option<Proxies>, change: impl FnOnce(&mut Settings)) -> Door {
    let (arrived, let_go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let records = Arc::new(Mutex::default());
    let stage = || {
        let (arrived, let_go, records) = (Arc::clone(&arrived), Arc::clone(&let_go), Arc::clone(&records));
        Arc::new(Stage { arrived, let_go, records })
    };
    let line = Line::new(Parts {
        catalog: Catalog::builtin(),
        keys: stage(),
        opener: stage(),
        rules: Rules { recv_window_max_ms: 60_000 },
        limiter: Arc::new(Limiter::new(Limits::from(&policy))),
        replay: Arc::new(Replay::new(replay::Settings::default())),
        venue: stage(),
        recorder: stage(),
        clock: stage(),
        ids: RequestIds::new(1),
    });
    let mut settings = Settings::new(Hosts::new(["localhost"]));
    change(&mut settings);
    let counters = Arc::new(Counters::default());
    let edge = Edge::new(Arc::new(line), settings, None, Arc::clone(&counters));
    let edge = match proxies {
        None => edge,
        Some(proxies) => edge.behind(proxies),
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let ended = tokio::spawn(edge.run(listener, stopped));
    Door { at, stop, ended, counters, arrived, let_go, records }
}
