//! Where the record of a call goes: it is counted, and kept for its owner.

use std::sync::Arc;

use latchkey_admission::CallRecord;
use latchkey_admission::ports::Recorder;
use latchkey_store::records::Records;

use crate::metrics::Metrics;

/// Counts every call and keeps those on a key.
pub struct Recording {
    /// The counts.
    pub metrics: Arc<Metrics>,
    /// What owners read.
    pub records: Arc<Records>,
}

impl Recorder for Recording {
    fn record(&self, record: CallRecord) {
        self.metrics.record(&record);
        self.records.record(record);
    }
}
