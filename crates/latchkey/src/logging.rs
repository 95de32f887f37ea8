//! The log of the servers, on standard error.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// The variable that overrides which events are told.
const VARIABLE: &str = "LATCHKEY_LOG";

/// Starts the log: events of `filter`, unless the environment's `LATCHKEY_LOG` says otherwise.
///
/// # Errors
/// A filter that is none.
pub fn start(filter: &str) -> anyhow::Result<()> {
    let asked = std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned());
    let filter = asked.as_deref().unwrap_or(filter);
    let events = EnvFilter::try_new(filter).with_context(|| format!("`{filter}` is not a log filter"))?;
    let colors = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(events).with_ansi(colors).with_writer(std::io::stderr).init();
    Ok(())
}
