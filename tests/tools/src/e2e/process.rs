//! A program that runs beside the run and never outlives it.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::http::EmulatorHttp;
use super::{Result, StepFailure, WhatWasTried as _};

/// How long a program may take until it answers.
const READY: Duration = Duration::from_secs(30);

/// A started program, in a process group of its own, so that what it starts ends with it.
#[derive(Debug)]
pub struct ChildProcess {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl ChildProcess {
    /// Starts it; what it writes goes to the log file.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::create(log).context(format!("write {}", log.display()))?;
        let errors = output.try_clone().context("share the log")?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .context(format!("start {name}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Waits until the program answers at an address.
    ///
    /// # Errors
    /// If it ends before, or does not answer in time.
    pub async fn until_it_answers(&mut self, http: &EmulatorHttp, url: &str) -> Result<()> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context(format!("watch {}", self.name))? {
                return Err(StepFailure(format!("{} ended: {status}; see {}", self.name, self.log.display())));
            }
            if http.get(url).await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if begin.elapsed() > READY {
                return Err(StepFailure(format!("{} does not answer at {url}; see {}", self.name, self.log.display())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The program's log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    fn signal(&self, signal: &str) {
        // The shell's own `kill` is everywhere; nothing is left to do if it fails.
        let group = format!("kill -{signal} -{} 2>/dev/null", self.child.id());
        Command::new("sh").args(["-c", &group]).status().ok();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // First politely, so that it can end what it started outside its group.
        self.signal("TERM");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.signal("KILL");
        self.child.wait().ok();
    }
}

/// A command that sees nothing of the caller's AWS configuration, and reaches this machine without a proxy.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AWS_") || name.starts_with("PULLSAFE_")) {
            command.env_remove(name);
        }
    }
    command.env("NO_PROXY", "127.0.0.1,localhost");
    command
}

/// A port that is free at this moment.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}
