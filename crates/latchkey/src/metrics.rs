//! Counts of every call, for `/metrics`. Labels are bounded: never a key, an address or a symbol.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use latchkey_admission::trail::{CallRecord, End};
use latchkey_gateway::edge::Counters;
use latchkey_store::records::Records;
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
    edge: Arc<Counters>,
    records: Arc<Records>,
}

impl Metrics {
    /// Nothing counted yet; `edge` are the door's own counters, `records` those of the call records.
    pub fn new(edge: Arc<Counters>, records: Arc<Records>) -> Self {
        let mut registry = Registry::with_prefix("latchkey");
        let (calls, proven) = (Family::default(), Counter::default());
        registry.register("calls", "Calls by their end, with stage and reason of refusals", calls.clone());
        registry.register("proven_calls", "Calls whose signature held", proven.clone());
        Self { registry, calls, proven, edge, records }
    }

    /// The text for `/metrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "cannot encode metrics");
        }
        let end = text.rfind("# EOF").unwrap_or(text.len());
        text.truncate(end);
        let records = self.records.counts();
        for (name, help, value) in [
            ("connections", "Connections accepted", &self.edge.connections),
            ("edge_refused", "Requests refused before the line", &self.edge.refused),
            ("edge_protocol_errors", "Connections that broke the protocol", &self.edge.protocol_errors),
            ("records_kept", "Call records written and synced", &records.kept),
            ("records_dropped", "Call records dropped because their queue was full", &records.dropped),
            ("records_failed", "Call records lost because their files could not be written", &records.failed),
            ("records_summarised", "Unproven calls that were recorded together", &records.summarised),
        ] {
            let value = value.load(Ordering::Relaxed);
            text.push_str(&format!(
                "# HELP latchkey_{name} {help}.\n# TYPE latchkey_{name} counter\nlatchkey_{name}_total {value}\n"
            ));
        }
        text.push_str("# EOF\n");
        text
    }
}

impl Metrics {
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
