//! Which processor runs what, and what a process used of it.

use std::fs;
use std::hint::spin_loop;
use std::io::{Read as _, stdin};
use std::process::{Command, Stdio};
use std::thread::spawn;

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

/// Keeps a processor from sleeping for as long as it lives, with a process that runs when nothing else does there.
///
/// A virtual processor that sleeps is lent to others, and comes back when they are done with it: after milliseconds, on a
/// shared machine.
pub(crate) struct Awake(std::process::Child);

impl Awake {
    /// On the processor that this program runs on.
    pub(crate) fn start() -> Result<Self> {
        let mut command = Command::new("chrt");
        command.args(["--idle", "0"]).arg(std::env::current_exe()?).arg("awake").stdin(Stdio::piped());
        Ok(Self(command.spawn().context("cannot run `chrt`, of util-linux")?))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        // Fails only for a process that has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// That process: ends when the one that started it has ended.
pub(crate) fn stay_awake() -> Result<()> {
    let parent = spawn(|| stdin().read_to_end(&mut Vec::new()));
    while !parent.is_finished() {
        spin_loop();
    }
    Ok(())
}
