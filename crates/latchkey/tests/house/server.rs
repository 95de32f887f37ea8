//! A running `latchkey demo` on ports of its own choosing.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than any start takes, passwords and key pairs included.
const START: Duration = Duration::from_secs(60);
/// Longer than any stop takes: the drain time and a little.
const STOP: Duration = Duration::from_secs(20);

/// The wall clock in microseconds; a signed request must carry it.
#[expect(clippy::disallowed_methods, reason = "the server under test runs on the real clock")]
pub(crate) fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch");
    i64::try_from(since.as_micros()).expect("fits")
}

/// A point in time for deadlines.
#[expect(clippy::disallowed_methods, reason = "waits for another process are bounded by real time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// How a run of the binary ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    let folder = TempDir::new().expect("a folder");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(File::create(&out).expect("a file"))
        .stderr(File::create(&err).expect("a file"))
        .spawn()
        .expect("the binary starts");
    let status = wait(&mut child, START).unwrap_or_else(|| {
        child.kill().expect("own child");
        panic!("`latchkey {}` did not end", arguments.join(" "))
    });
    Ended {
        status,
        stdout: std::fs::read_to_string(out).expect("text"),
        stderr: std::fs::read_to_string(err).expect("text"),
    }
}

fn wait(child: &mut Child, longest: Duration) -> Option<ExitStatus> {
    let (tell, ended) = mpsc::channel::<()>();
    let deadline = instant() + longest;
    while instant() < deadline {
        if let Some(status) = child.try_wait().expect("own child") {
            return Some(status);
        }
        // A wait that nothing ends before its time.
        ended.recv_timeout(Duration::from_millis(10)).expect_err("nobody tells");
    }
    drop(tell);
    None
}

/// A server and the folders that it works in.
pub(crate) struct Server {
    child: Option<Child>,
    /// Where it keeps its data.
    pub(crate) data: PathBuf,
    /// Its standard error.
    pub(crate) log: PathBuf,
    /// The ready line.
    pub(crate) ready: String,
    /// The door for programs.
    pub(crate) api: SocketAddr,
    /// The door for people.
    pub(crate) console: SocketAddr,
    /// The door for operators.
    pub(crate) ops: SocketAddr,
}

impl Server {
    /// Starts on the world file `world`, keeping data in `folder/data`.
    pub(crate) fn start(folder: &Path, world: &Path) -> Self {
        Self::start_with(folder, world, &[])
    }

    /// As [`Self::start`], with values of the environment.
    pub(crate) fn start_with(folder: &Path, world: &Path, environment: &[(&str, &str)]) -> Self {
        let data = folder.join("data");
        let arguments = arguments(&data, world);
        Self::launch(folder, data, &arguments, environment)
    }

    /// Starts `latchkey serve` on a configuration that keeps its data in `folder/data`.
    pub(crate) fn serve(folder: &Path, config: &Path) -> Self {
        let arguments = ["serve", "--config", config.to_str().expect("UTF-8")].map(str::to_owned);
        Self::launch(folder, folder.join("data"), &arguments, &[])
    }

    fn launch(folder: &Path, data: PathBuf, arguments: &[String], environment: &[(&str, &str)]) -> Self {
        let log = folder.join("log");
        let written = File::options().create(true).append(true).open(&log).expect("a log file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(written)
            .spawn()
            .expect("the binary starts");
        let (tell, told) = mpsc::channel();
        let stdout = child.stdout.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let Ok(ready) = told.recv_timeout(START) else {
            child.kill().expect("own child");
            child.wait().expect("own child");
            panic!("no ready line; the log says:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
        };
        let port = |name: &str| {
            let field = ready.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
            let port = field.rsplit_once(':').and_then(|(_, port)| port.parse().ok())?;
            Some(SocketAddr::from(([127, 0, 0, 1], port)))
        };
        let (api, ops) = (port("api").expect("a port"), port("ops").expect("a port"));
        // Where the origin that people type is another, the console's own address is told too.
        let console = port("console-at").or_else(|| port("console")).expect("a port");
        Self { child: Some(child), data, log, ready, api, console, ops }
    }

    /// What its log says so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("the log")).into_owned()
    }

    /// Asks it to stop and waits until it did.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a server that runs");
        kill_process(Pid::from_child(&child), Signal::TERM).expect("own child");
        wait(&mut child, STOP).unwrap_or_else(|| {
            child.kill().expect("own child");
            panic!("the server does not stop; its log says:\n{}", self.log())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let ended = child.kill().and_then(|()| child.wait());
            if let Err(error) = ended {
                eprintln!("the server could not be ended: {error}");
            }
        }
    }
}

/// The arguments of a demo on free ports.
pub(crate) fn arguments(data: &Path, world: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let free = || "127.0.0.1:0".to_owned();
    let flag = |name: &str, value: String| [format!("--{name}"), value];
    let mut arguments = vec!["demo".to_owned()];
    arguments.extend(flag("world", text(world)));
    arguments.extend(flag("dir", text(data)));
    for listener in ["api", "console", "ops"] {
        arguments.extend(flag(listener, free()));
    }
    arguments
}
