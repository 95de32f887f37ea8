//! The servers under measurement: processes of their own, ended by their own handle.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::park_timeout;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::floor::Floor;
use crate::processor::used_ns;

/// A running server. Dropping it ends it.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
}

/// A folder for worlds and journals, beside this program: on a disk like that of a real server, not in memory.
pub(crate) fn folder() -> Result<TempDir> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("this program lies nowhere")?;
    Ok(tempfile::Builder::new().prefix("latchkey-bench-").tempdir_in(beside)?)
}

impl Child {
    /// `latchkey demo`, built as it is released, over a world file of this text.
    pub(crate) fn latchkey(folder: &Path, text: &str) -> Result<Self> {
        let built = Command::new("cargo")
            .args(["build", "--quiet", "--release", "--package", "latchkey", "--bin", "latchkey"])
            .status()
            .context("cannot run cargo")?;
        ensure!(built.success(), "the server does not build");
        let program = std::env::current_exe()?;
        let binary = program.parent().and_then(Path::parent).context("this program lies nowhere")?.join("latchkey");
        let world = folder.join("world.toml");
        fs::write(&world, text)?;
        let mut command = Command::new(binary);
        command.arg("demo").arg("--world").arg(world).arg("--dir").arg(folder.join("demo"));
        command.args(["--api", "127.0.0.1:0", "--console", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
        command.env("LATCHKEY_LOG", "warn").stderr(Stdio::null());
        Self::start(command)
    }

    /// A floor that answers with `size` bytes.
    pub(crate) fn floor(floor: Floor, size: usize, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor", floor.name(), &size.to_string()]).arg(folder);
        Self::start(command)
    }

    /// Waits for the line `ready api=http://ADDRESS …`.
    fn start(mut command: Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("api=http://")?.parse().ok());
        let mut child = Self { process, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        child.address = address.context("the server did not start")?;
        Ok(child)
    }

    /// The processor time that it has used, in nanoseconds.
    pub(crate) fn used_ns(&self) -> Result<u64> {
        used_ns(self.process.id())
    }

    /// The share of a processor that it takes when nobody asks anything, over half a second.
    pub(crate) fn idle_share(&self) -> Result<f64> {
        const SPAN: Duration = Duration::from_millis(500);
        let before = self.used_ns()?;
        park_timeout(SPAN);
        Ok((self.used_ns()? - before) as f64 / SPAN.as_nanos() as f64)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails only for a process that has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
