//! Runs steps one after another, keeps their times and sums what the test runners counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::count::Count;

/// How a step ended.
pub(crate) enum Outcome {
    Passed,
    /// It could not be run here; the reason is for the reader.
    LeftOut(String),
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Run {
    steps: Vec<Step>,
    count: Count,
}

struct Step {
    name: String,
    time: Duration,
    result: Result<Outcome>,
}

impl Run {
    /// Runs `work` as a step and says whether it passed; a failure is kept, so that the next step can run all the same.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce(&mut Count) -> Result<Outcome>) -> bool {
        println!("\n== {name}");
        let start = now();
        let result = work(&mut self.count);
        match &result {
            Ok(Outcome::Passed) => {}
            Ok(Outcome::LeftOut(reason)) => println!("left out: {reason}"),
            Err(error) => println!("failed: {error:#}"),
        }
        let passed = matches!(result, Ok(Outcome::Passed));
        self.steps.push(Step { name: name.to_owned(), time: start.elapsed(), result });
        passed
    }

    /// Prints the summary; the last line is the sum of the test runners' own counts.
    pub(crate) fn close(self) -> ExitCode {
        println!("\n== summary");
        let mut failed = false;
        for step in &self.steps {
            let said = match &step.result {
                Ok(Outcome::Passed) => "ok".to_owned(),
                Ok(Outcome::LeftOut(reason)) => format!("LEFT OUT: {reason}"),
                Err(_) => "FAILED".to_owned(),
            };
            failed |= step.result.is_err();
            println!("{:>7.1} s  {:<24} {said}", step.time.as_secs_f64(), step.name);
        }
        let all: Duration = self.steps.iter().map(|step| step.time).sum();
        println!("{:>7.1} s  in all", all.as_secs_f64());
        if self.count.any() {
            println!("{}", self.count);
        }
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Runs `command` with its output passed through; any status but zero is an error.
pub(crate) fn execute(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// As [`execute`], with each line also given to `read`; both streams are passed through as they come.
pub(crate) fn execute_reading(command: &mut Command, read: impl FnMut(&str) + Send) -> Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    let read = Mutex::new(read);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| pass(stderr, &read, |line| eprintln!("{line}")));
        pass(stdout, &read, |line| println!("{line}"));
    });
    let status = child.wait()?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

fn pass(stream: Option<impl Read>, read: &Mutex<impl FnMut(&str)>, print: fn(&str)) {
    let Some(stream) = stream else { return };
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        print(&line);
        if let Ok(mut read) = read.lock() {
            read(&line);
        }
    }
    // Whoever reads a pipe of ours may be gone; that is no reason to fail.
    let _ = std::io::stdout().flush();
}

/// Runs `command` quietly and returns status and all that it said.
pub(crate) fn capture(command: &mut Command) -> Result<(bool, String)> {
    let output = command.output().with_context(|| format!("cannot run {}", shown(command)))?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// `cargo`, the same one that runs this tool, at the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// The target folder that this tool was built into.
///
/// # Errors
/// When the tool does not lie in one.
pub(crate) fn target() -> Result<PathBuf> {
    let tool = std::env::current_exe().context("cannot tell where this tool lies")?;
    let target = tool.parent().and_then(|profile| profile.parent()).context("this tool is in no target folder")?;
    Ok(target.to_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}

#[expect(clippy::disallowed_methods, reason = "a build tool times its own steps; nothing is decided by it")]
fn now() -> Instant {
    Instant::now()
}
