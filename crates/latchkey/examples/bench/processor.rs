//! Which processor runs what, and what a process used of it.

use std::fs;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The processor of the servers.
pub(crate) const SERVERS: usize = 0;
/// The processor of this program.
pub(crate) const LOAD: usize = 1;

/// Moves this program to a processor. A process that is started from here on stays on it.
pub(crate) fn pin(processor: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).with_context(|| format!("cannot run on processor {processor}: two are needed"))
}

/// The time that all threads of a process have run, user and system, in nanoseconds.
pub(crate) fn used_ns(process: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).context("the process is not there")? {
        let text = fs::read_to_string(thread?.path().join("schedstat")).context("the kernel keeps no `schedstat`")?;
        let ran = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        sum += ran.context("`schedstat` is not readable")?;
    }
    Ok(sum)
}
