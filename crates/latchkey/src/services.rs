//! What the console is given: the house's parts behind the console's ports.

use std::sync::Arc;

use latchkey_admission::records::csv::Csv;
use latchkey_admission::records::sheet::Format;
use latchkey_authority::ports::ExchangeFacts;
use latchkey_console::Services;
use latchkey_console::ports::{self, Answer, AuditLog, Unavailable};
use latchkey_protocol::{AccountId, Symbol};
use latchkey_store::audit::export;
use latchkey_store::sqlite::SqliteStore;
use latchkey_venue::sequencer::Exchange;
use serde_json::Value;

use crate::assemble::{House, Wiring};
use crate::mail::Channels;

impl House {
    /// Who answers for the console.
    pub fn console(&self, channels: &Channels) -> Services<Wiring> {
        Services {
            authority: Arc::clone(&self.authority),
            clock: Arc::clone(&self.clock) as _,
            keys: Arc::clone(&self.live) as _,
            audit: Arc::new(Audit(Arc::clone(self.store()))),
            exchange: Arc::new(Facts(self.exchange().clone())),
            calls: Arc::clone(&self.records) as _,
            formats: formats(),
            mail: channels.mail.clone(),
            sms: channels.sms.clone(),
        }
    }
}

/// The formats of exports that this program was built with.
fn formats() -> Vec<Arc<dyn Format>> {
    vec![
        Arc::new(Csv),
        #[cfg(feature = "parquet")]
        Arc::new(latchkey_export_parquet::Parquet),
    ]
}

/// The audit chain, as its owners read it.
struct Audit(Arc<SqliteStore>);

impl AuditLog for Audit {
    fn of(&self, account: AccountId, after: u64, limit: u32) -> Answer<'_, Vec<Value>> {
        Box::pin(async move {
            let records = self.0.audit(Some(account), after, limit).await.map_err(unavailable)?;
            let lines = records.iter().map(|record| serde_json::from_slice(&export::line(record)));
            lines.collect::<Result<_, _>>().map_err(unavailable)
        })
    }
}

/// The exchange, as decisions about special keys ask it.
struct Facts(Exchange);

impl ports::Exchange for Facts {
    fn facts(&self, owner: AccountId, symbol: Option<Symbol>) -> Answer<'_, ExchangeFacts> {
        Box::pin(async move { self.0.facts(owner, symbol).await.map_err(unavailable) })
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Unavailable {
    Unavailable(Box::new(error))
}
