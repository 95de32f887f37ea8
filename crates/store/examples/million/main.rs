//! Many keys: how much memory they take, how long a start takes, and what a key costs to admit among them.
//!
//! `cargo run --release -p latchkey-store --example million [KEYS [FOLDER]]`
//!
//! A child process fills a store, then others load it: one of 1,000 keys and the whole.

mod fill;
mod load;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever fails ends the measurement.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The store that the large one is held against.
const FEW: u64 = 1_000;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("fill") => run(fill::fill(&path(arguments.next())?, number(arguments.next())?)),
        Some("load") => run(load::load(&path(arguments.next())?)),
        keys => {
            let keys = keys.map_or(Ok(1_000_000), str::parse)?;
            let scratch = std::env::temp_dir().join(format!("latchkey-million-{}", std::process::id()));
            let folder = arguments.next().map_or(scratch, PathBuf::from);
            for count in [FEW, keys] {
                let part = folder.join(count.to_string());
                if !part.exists() {
                    child("fill", &part, Some(count))?;
                }
                for _ in 0..3 {
                    child("load", &part, None)?;
                }
            }
            show(&format!("the stores are left in {}", folder.display()));
            Ok(())
        }
    }
}

fn path(argument: Option<String>) -> Outcome<PathBuf> {
    argument.map(PathBuf::from).ok_or_else(|| "a folder is missing".into())
}

fn number(argument: Option<String>) -> Outcome<u64> {
    Ok(argument.ok_or("a number is missing")?.parse()?)
}

fn run(work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn child(verb: &str, folder: &Path, count: Option<u64>) -> Outcome<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(verb).arg(folder).args(count.map(|count| count.to_string()));
    if command.status()?.success() { Ok(()) } else { Err(format!("`{verb}` failed").into()) }
}

/// Memory of this process that lies in main memory, in MiB.
fn resident_mib() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the kernel says nothing")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

/// Processor time of this process so far, user and system, in hundredths of a second, as the kernel counts it.
fn used_ticks() -> Outcome<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("the kernel says nothing")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
}

#[expect(clippy::print_stdout, reason = "an example prints what it measured")]
fn show(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "an example measures time")]
fn now() -> Instant {
    Instant::now()
}
