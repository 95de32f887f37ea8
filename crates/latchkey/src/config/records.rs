//! `[records]`: how the records of calls are kept, and what is dropped when they come faster than they can be written.

use core::time::Duration;
use std::path::Path;

use latchkey_store::records::{Keep, RecordSettings, Shares};
use serde::Deserialize;
use toml::Spanned;

use super::source::{Problem, Source};

/// The table as it is written; what is absent keeps its default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecordsTable {
    queue: Field,
    flush_ms: Field,
    segment_mib: Field,
    proven_days: Field,
    proven_mib: Field,
    unproven_days: Field,
    unproven_mib: Field,
    unproven_per_minute: Field,
    changes_percent: Field,
    reads_percent: Field,
    unproven_percent: Field,
}

type Field = Option<Spanned<u64>>;

const DAY_S: u64 = 24 * 60 * 60;
/// The fewest closed files of the usual size that a class keeps.
const FILES_MIN: u64 = 4;

impl RecordsTable {
    /// The settings, for a data folder.
    ///
    /// # Errors
    /// [`Problem`] at the first field that is out of its bounds or contradicts another.
    pub(super) fn checked(self, source: &Source, data_dir: &Path) -> Result<RecordSettings, Problem> {
        let usual = RecordSettings::new(&data_dir.join("calls"));
        let number = |field: &Field, (min, max): (u64, u64), default: u64| match field {
            None => Ok(default),
            Some(given) if (min..=max).contains(given.get_ref()) => Ok(*given.get_ref()),
            Some(given) => Err(source.problem(&given.span(), format_args!("must be {min} to {max}"))),
        };
        let percent = |field: &Field, default: u8| {
            number(field, (1, 100), default.into()).map(|percent| u8::try_from(percent).unwrap_or(default))
        };
        let segment_bytes = number(&self.segment_mib, (1, 256), usual.segment_bytes >> 20)? << 20;
        let keep = |days: &Field, mib: &Field, usual: Keep| {
            let bytes = number(mib, (1, 1 << 24), usual.bytes >> 20)? << 20;
            if bytes < segment_bytes * FILES_MIN {
                let what =
                    format_args!("must be at least {FILES_MIN} times `segment_mib`, of which only whole files go");
                let span = mib.as_ref().or(self.segment_mib.as_ref()).map(Spanned::span);
                return Err(span.map_or_else(|| source.whole(what), |span| source.problem(&span, what)));
            }
            let days = number(days, (1, 3650), usual.age.as_secs() / DAY_S)?;
            Ok(Keep { age: Duration::from_secs(days * DAY_S), bytes })
        };
        let shares = Shares {
            changes: percent(&self.changes_percent, usual.shares.changes)?,
            reads: percent(&self.reads_percent, usual.shares.reads)?,
            unproven: percent(&self.unproven_percent, usual.shares.unproven)?,
        };
        if !(shares.unproven <= shares.reads && shares.reads <= shares.changes) {
            let given = [&self.unproven_percent, &self.reads_percent, &self.changes_percent];
            let span = given.into_iter().flatten().next().map(Spanned::span);
            let what = "`unproven_percent` is at most `reads_percent`, and that at most `changes_percent`: what matters \
                        least is dropped first";
            return Err(span.map_or_else(|| source.whole(what), |span| source.problem(&span, what)));
        }
        let queue = number(&self.queue, (1024, 1 << 22), usual.queue as u64)?;
        let per_minute = number(&self.unproven_per_minute, (0, 10_000), usual.unproven_per_key.into())?;
        Ok(RecordSettings {
            queue: usize::try_from(queue).unwrap_or(usual.queue),
            flush_every: Duration::from_millis(number(&self.flush_ms, (10, 10_000), 250)?),
            segment_bytes,
            proven: keep(&self.proven_days, &self.proven_mib, usual.proven)?,
            unproven: keep(&self.unproven_days, &self.unproven_mib, usual.unproven)?,
            unproven_per_key: u32::try_from(per_minute).unwrap_or(usual.unproven_per_key),
            shares,
            ..usual
        })
    }
}
