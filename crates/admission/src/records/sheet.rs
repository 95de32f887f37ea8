//! What an export is written by: entries go in, the bytes of one file come out, piece by piece.

use std::fmt;

use super::CallEntry;

/// A format of exports.
pub trait Format: Send + Sync {
    /// Its name, as queries spell it; also the extension of its files.
    fn name(&self) -> &'static str;

    /// The media type of its files.
    fn media_type(&self) -> &'static str;

    /// Starts a file.
    ///
    /// # Errors
    /// [`SheetError`].
    fn begin(&self) -> Result<Box<dyn Sheet>, SheetError>;
}

/// A file that is being written. It holds what one call of [`Sheet::add`] brought at most.
pub trait Sheet: Send {
    /// Takes further entries, and gives what can be sent on now.
    ///
    /// # Errors
    /// [`SheetError`]; the file is of no use then.
    fn add(&mut self, entries: &[CallEntry]) -> Result<Vec<u8>, SheetError>;

    /// The end of the file.
    ///
    /// # Errors
    /// [`SheetError`]; the file is of no use then.
    fn end(self: Box<Self>) -> Result<Vec<u8>, SheetError>;
}

/// A file could not be written.
#[derive(Debug)]
pub struct SheetError(pub Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for SheetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the export cannot be written")
    }
}

impl std::error::Error for SheetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use latchkey_protocol::{AccountId, KeyId, Timestamp};

    use crate::call::RequestIds;
    use crate::records::{CallEntry, EntryEnd, RefusalEntry, UsedEntry};

    /// A refused call whose every text wants to be more than text.
    pub(in crate::records) fn hostile() -> CallEntry {
        let formula = "=cmd|' /C calc'!A0,\"x\"\r\n\u{1b}[2J";
        CallEntry {
            id: RequestIds::new(7).next(),
            at: Timestamp::from_micros(1_700_000_000_000_123),
            took_us: 12,
            account: AccountId(1),
            key: KeyId(9),
            method: "POST".into(),
            path: formula.into(),
            source: "192.0.2.7".parse().unwrap(),
            found_by: "+socket".into(),
            ip_entry: Some("192.0.2.0/24".into()),
            proven: true,
            changes_state: false,
            clock_us: Some(-3000),
            used: Some(UsedEntry { budget: "@ip".into(), weight: 1, used: 5, allowed: Some(1200) }),
            end: EntryEnd::Rejected(Box::new(RefusalEntry {
                stage: "-1+1".into(),
                reason: "\tip-not-allowed".into(),
                code: -2015,
                told: "\u{ff1d}1+1".into(),
                explanation: formula.into(),
                payload: None,
            })),
            count: 1,
        }
    }
}
