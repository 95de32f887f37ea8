//! How many files and sockets this process may open, held against the connections that it would take.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything else: the store, the journal, records, the other doors.
const OTHERS: u64 = 512;

/// Fewest connections that a server is of use with.
const CONNECTIONS_MIN: u64 = 64;

/// Raises the soft limit as far as needed and allowed; gives the connections that fit, `wanted` at most.
///
/// # Errors
/// When the hard limit leaves next to none.
pub fn connections(wanted: usize) -> anyhow::Result<usize> {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let soft = limit.current.unwrap_or(u64::MAX);
    let needed = (wanted as u64).saturating_add(OTHERS).min(hard);
    let mut allowed = soft;
    if soft < needed {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum }) {
            Ok(()) => allowed = needed,
            Err(error) => tracing::warn!(%error, "the limit on open files cannot be raised"),
        }
    }
    let fitting = fitting(wanted, allowed);
    ensure!(
        fitting as u64 >= CONNECTIONS_MIN.min(wanted as u64),
        "this process may open {allowed} files, which leaves {fitting} connections: raise the limit (ulimit -n, \
         LimitNOFILE=) to {} or more",
        wanted as u64 + OTHERS
    );
    if fitting < wanted {
        tracing::warn!(
            "this process may open {allowed} files: {fitting} connections are taken at one time instead of {wanted}"
        );
    }
    Ok(fitting)
}

/// The connections that `allowed` descriptors leave room for.
fn fitting(wanted: usize, allowed: u64) -> usize {
    usize::try_from(allowed.saturating_sub(OTHERS)).unwrap_or(usize::MAX).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_what_is_left() {
        for (wanted, allowed, expected) in
            [(10_000, u64::MAX, 10_000), (10_000, 10_512, 10_000), (10_000, 1024, 512), (10_000, 512, 0), (10, 0, 0)]
        {
            assert_eq!(fitting(wanted, allowed), expected, "{wanted} of {allowed}");
        }
    }
}
