//! The numbers of `/metrics`: every name stands here, and labels are bounded: never a key, an address or a symbol.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_admission::limiter::{Limiter, TableFigures};
use latchkey_admission::replay::Replay;
use latchkey_admission::trail::{CallRecord, End};
use latchkey_gateway::edge::{Counters, Refused};
use latchkey_protocol::Timestamp;
use latchkey_store::records::{Class, Records};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct EndLabels {
    end: &'static str,
    stage: &'static str,
    reason: &'static str,
}

/// Takes the record of every call and counts it; refusals go to the log at level `debug`.
pub struct Metrics {
    registry: Registry,
    calls: Family<EndLabels, Counter>,
    proven: Counter,
    sources: Sources,
}

/// Who else counts.
pub struct Sources {
    /// The door.
    pub edge: Arc<Counters>,
    /// The call records.
    pub records: Arc<Records>,
    /// The limiter.
    pub limiter: Arc<Limiter>,
    /// The memory of signatures.
    pub replay: Arc<Replay>,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new(sources: Sources) -> Self {
        let mut registry = Registry::with_prefix("latchkey");
        let (calls, proven) = (Family::default(), Counter::default());
        registry.register("calls", "Calls by their end, with stage and reason of refusals", calls.clone());
        registry.register("proven_calls", "Calls whose signature held", proven.clone());
        Self { registry, calls, proven, sources }
    }

    /// The text for `/metrics`.
    pub fn text(&self, now: Timestamp) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "cannot encode metrics");
        }
        let end = text.rfind("# EOF").unwrap_or(text.len());
        text.truncate(end);
        let mut text = Text(text);
        self.door(&mut text);
        self.guard(&mut text, now);
        text.0.push_str("# EOF\n");
        text.0
    }

    fn door(&self, text: &mut Text) {
        let Sources { edge, records, .. } = &self.sources;
        let records = records.counts();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        text.counter("connections", "Connections accepted", read(&edge.connections));
        let refused = Refused::ALL.iter().map(|why| (Some(why.name()), edge.refused(*why)));
        let what = "Requests and connections refused before the line";
        text.family("edge_refused", what, Kind::Counter, "reason", refused);
        text.counter("records_kept", "Call records written and synced", read(&records.kept));
        let dropped = Class::ALL.iter().map(|class| (Some(class.name()), records.dropped(*class)));
        let what = "Call records dropped because their queue was full";
        text.family("records_dropped", what, Kind::Counter, "class", dropped);
        let failing = records.failing.load(Ordering::Relaxed);
        text.gauge("records_failing", "Whether call records cannot be written now", failing.into());
        let failed = "Call records lost because their files could not be written, or their writer has failed";
        text.counter("records_failed", failed, read(&records.failed));
        let ended = "1 when the writer of call records has failed and nothing is recorded";
        text.gauge("records_writer_failed", ended, read(&records.writer_failed));
        text.counter("records_summarised", "Unproven calls that were recorded together", read(&records.summarised));
    }

    fn guard(&self, text: &mut Text, now: Timestamp) {
        let figures = self.sources.limiter.figures(now);
        let of_tables =
            |value: fn(&TableFigures) -> u64| figures.tables.each_ref().map(|table| (table.name, value(table)));
        let subjects = "Subjects that a table of the limiter counts each by itself";
        text.tables("limiter_subjects", subjects, Kind::Gauge, of_tables(|table| table.kept as u64));
        let places = "Places for subjects in a table of the limiter";
        text.tables("limiter_places", places, Kind::Gauge, of_tables(|table| table.max as u64));
        let crowded = "Times that somebody found no place in a full table of the limiter";
        text.tables("limiter_crowded", crowded, Kind::Counter, of_tables(|table| table.crowded));
        text.gauge("bans_running", "Addresses that are banned", figures.bans_running as u64);
        text.counter("bans_begun", "Bans that began", figures.bans_begun);
        text.counter("failed_verifications", "Signatures that did not hold", figures.failed_verifications);
        let replay = &self.sources.replay;
        text.gauge("replay_signatures", "Signatures that are remembered", replay.kept() as u64);
        text.gauge("replay_keys", "Verifying keys whose signatures are remembered", replay.keys() as u64);
    }

    /// Counts one call.
    pub fn record(&self, record: &CallRecord) {
        let labels = match &record.end {
            End::Answered => EndLabels { end: "answered", stage: "", reason: "" },
            End::Unknown => EndLabels { end: "unknown", stage: "", reason: "" },
            End::ClientGone => EndLabels { end: "client-gone", stage: "", reason: "" },
            End::Rejected(rejection) => {
                let reason = rejection.name();
                tracing::debug!(id = %record.id, row = ?record.row, stage = rejection.stage.as_str(), reason, "refused");
                EndLabels { end: "rejected", stage: rejection.stage.as_str(), reason }
            }
        };
        self.calls.get_or_create(&labels).inc();
        if record.proven {
            self.proven.inc();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// The exposition format, for numbers that others count.
struct Text(String);

impl Text {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, help, Kind::Counter, "", [(None, value)]);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, help, Kind::Gauge, "", [(None, value)]);
    }

    fn tables<const N: usize>(&mut self, name: &str, help: &str, kind: Kind, values: [(&'static str, u64); N]) {
        self.family(name, help, kind, "table", values.map(|(table, value)| (Some(table), value)));
    }

    /// The values of one name, told apart by `label`.
    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: Kind,
        label: &str,
        values: impl IntoIterator<Item = (Option<&'static str>, u64)>,
    ) {
        let (kind, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        // Writing to a `String` does not fail.
        let _ = writeln!(self.0, "# HELP latchkey_{name} {help}.\n# TYPE latchkey_{name} {kind}");
        for (named, value) in values {
            let labels = named.map(|named| format!("{{{label}=\"{named}\"}}")).unwrap_or_default();
            let _ = writeln!(self.0, "latchkey_{name}{suffix}{labels} {value}");
        }
    }
}
