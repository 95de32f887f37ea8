//! Replays the corpus of every body, then mutates it for a while. An input that breaks a property is kept and named.
#![expect(clippy::print_stdout, reason = "a command-line tool speaks on standard output")]

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use latchkey_testkit::fuzz::mutate::{Random, mutate};
use latchkey_testkit::fuzz::{BODIES, Body};

/// Run the fuzz bodies on a stable toolchain
#[derive(Parser)]
struct Args {
    /// Seconds of mutation for each body; 0 replays the corpus alone
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Where mutations start
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder with one folder of inputs for each body
    #[arg(long, default_value = "fuzz/corpus")]
    corpus: PathBuf,
    /// Where inputs go that break a property
    #[arg(long, default_value = "target/fuzz-artifacts")]
    artifacts: PathBuf,
    /// These bodies alone
    #[arg(value_name = "BODY")]
    bodies: Vec<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut broken = 0;
    for (name, body) in
        BODIES.iter().filter(|(name, _)| args.bodies.is_empty() || args.bodies.iter().any(|b| b == name))
    {
        let corpus = read_corpus(&args.corpus.join(name))?;
        let runs = match run(&args, *body, &corpus) {
            Ok(runs) => runs,
            Err(input) => {
                broken += 1;
                let kept = keep(&args.artifacts, name, &input)?;
                println!("{name}: BROKEN by {}", kept.display());
                continue;
            }
        };
        println!("{name}: {} inputs replayed, {runs} mutated, all properties hold", corpus.len());
    }
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_corpus(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("there is no corpus in `{}`", folder.display()))? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths.iter().map(fs::read).collect::<Result<_, _>>()?)
}

/// How many inputs were tried, or the first that breaks a property.
#[expect(clippy::disallowed_methods, reason = "the time that a run takes is its argument")]
fn run(args: &Args, body: Body, corpus: &[Vec<u8>]) -> Result<u64, Vec<u8>> {
    for input in corpus {
        try_one(body, input)?;
    }
    let (mut random, mut runs) = (Random::new(args.seed), 0);
    let (start, long) = (Instant::now(), Duration::from_secs(args.seconds));
    let mut pool = corpus.to_vec();
    while start.elapsed() < long {
        for _ in 0..256 {
            let pick = |random: &mut Random| pool.get(random.below(pool.len())).map_or(&[][..], Vec::as_slice);
            let (input, other) = (pick(&mut random), pick(&mut random));
            let made = mutate(&mut random, input, other);
            try_one(body, &made)?;
            runs += 1;
            // Without feedback, a few of what was made serve as new starting points.
            if runs % 64 == 0 && pool.len() < corpus.len() + 512 {
                pool.push(made);
            }
        }
    }
    Ok(runs)
}

fn try_one(body: Body, input: &[u8]) -> Result<(), Vec<u8>> {
    catch_unwind(|| body(input)).map_err(|_| input.to_vec())
}

fn keep(artifacts: &Path, name: &str, input: &[u8]) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(artifacts)?;
    let digest = latchkey_crypto::digest::to_hex(&latchkey_crypto::digest::sha256(input));
    let path = artifacts.join(format!("{name}-{}", digest.get(..16).unwrap_or_default()));
    fs::write(&path, input)?;
    Ok(path)
}
