//! Lambda's Runtime API on this machine: runs a `bootstrap` binary as Lambda does, as a process that asks for events
//! over HTTP.
//!
//! A [`Runtime`] is one execution environment: one process that takes one event at a time, in the order of the calls.
//! The process sees nothing of the caller's environment and ends when the runtime is dropped. If it ends instead of
//! answering, the caller gets an error and never waits for ever.
//! Protocol: AWS Lambda Developer Guide, "Using the Lambda runtime API".

mod server;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use server::RuntimeApiServer;

/// How a function answered an event.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionOutcome {
    /// What the handler returned.
    Response(Value),
    /// The error that the handler returned, or the panic that the runtime caught, as `errorType` and `errorMessage`.
    Error(Value),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The process could not be started, or the server could not listen.
    #[error("cannot run {}", bootstrap.display())]
    Start {
        bootstrap: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The process reported that it cannot initialise.
    #[error("the function cannot start: {0}")]
    Init(Value),
    /// The process ended before it answered.
    #[error("the function ended before it answered: {status}; its last lines: {last_lines:?}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote.
        last_lines: Vec<String>,
    },
    /// The process ran longer than the function's timeout.
    #[error("the function did not answer within {0:?}")]
    TimedOut(Duration),
    /// The operating system failed to report on the process.
    #[error("cannot watch the function's process")]
    Watch(#[source] std::io::Error),
}

/// How to run a function.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    pub bootstrap: PathBuf,
    /// Its environment, apart from what Lambda sets.
    pub environment: Vec<(String, String)>,
    /// How long the start and each event may take.
    pub timeout: Duration,
}

impl FunctionConfig {
    /// A function with an empty environment and a timeout of 60 seconds.
    pub fn new(bootstrap: impl Into<PathBuf>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            environment: Vec::new(),
            timeout: Duration::from_secs(60),
        }
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }
}

/// A started function.
#[derive(Debug)]
pub struct Runtime {
    process: Child,
    server: RuntimeApiServer,
    lines: Arc<Mutex<Vec<String>>>,
    timeout: Duration,
    time_to_first_next: Duration,
}

impl Runtime {
    /// Starts the function and waits until it asks for its first event.
    ///
    /// # Errors
    /// If it cannot be started, reports an error of its initialisation, ends, or takes longer than the timeout.
    pub async fn start(config: &FunctionConfig) -> Result<Self, RuntimeError> {
        let start_error = |source| RuntimeError::Start { bootstrap: config.bootstrap.clone(), source };
        let (server, ready) = RuntimeApiServer::start(config.timeout).await.map_err(start_error)?;
        let mut command = command(&config.bootstrap, &server.address());
        command.envs(config.environment.iter().map(|(name, value)| (name, value)));
        let begin = Instant::now();
        let mut process = command.spawn().map_err(start_error)?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(process.stdout.take(), &lines);
        collect(process.stderr.take(), &lines);
        let mut runtime = Self {
            process,
            server,
            lines,
            timeout: config.timeout,
            time_to_first_next: Duration::ZERO,
        };
        runtime.time_to_first_next = runtime.answer(ready).await?.map_err(RuntimeError::Init)?.duration_since(begin);
        Ok(runtime)
    }

    /// The time from the start of the process to its first request for an event.
    pub fn time_to_first_next(&self) -> Duration {
        self.time_to_first_next
    }

    /// Sends one event and waits for the answer.
    ///
    /// # Errors
    /// If the process ends, or takes longer than the timeout.
    pub async fn invoke(&mut self, event: &Value) -> Result<FunctionOutcome, RuntimeError> {
        let answer = self.server.send(event.to_string().into());
        self.answer(answer).await
    }

    /// Sends bytes that need not be JSON, as only a broken caller does.
    ///
    /// # Errors
    /// If the process ends, or takes longer than the timeout.
    pub async fn invoke_bytes(&mut self, event: Vec<u8>) -> Result<FunctionOutcome, RuntimeError> {
        let answer = self.server.send(event.into());
        self.answer(answer).await
    }

    /// The id of the process; `None` once it has ended.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The most resident memory that the process has used so far, in bytes. Known on Linux only.
    pub fn peak_resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }

    /// Every line that the process has written so far to standard output and standard error.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Ends the process and waits for its end. Dropping the runtime ends it too, but does not wait.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub async fn stop(mut self) -> Result<(), RuntimeError> {
        self.process.kill().await.map_err(RuntimeError::Watch)
    }

    /// Waits for the answer, the end of the process, or the timeout, whichever comes first.
    async fn answer<T>(&mut self, answer: oneshot::Receiver<T>) -> Result<T, RuntimeError> {
        let mut answer = answer;
        tokio::select! {
            biased;
            Ok(answer) = &mut answer => Ok(answer),
            status = self.process.wait() => {
                let status = status.map_err(RuntimeError::Watch)?;
                // An answer that the process sent just before it ended still counts.
                match answer.try_recv() {
                    Ok(answer) => Ok(answer),
                    Err(_) => Err(RuntimeError::Ended { status, last_lines: self.lines().into_iter().rev().take(5).rev().collect() }),
                }
            }
            () = tokio::time::sleep(self.timeout) => Err(RuntimeError::TimedOut(self.timeout)),
        }
    }
}

/// The process, with the environment that Lambda gives it. The credentials are made up: a function on this machine
/// never talks to AWS.
fn command(bootstrap: &Path, api: &str) -> Command {
    let mut command = Command::new(bootstrap);
    command
        .env_clear()
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.envs([
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "local"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/local"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "123456789012"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ]);
    command
}

fn collect(output: Option<impl AsyncRead + Unpin + Send + 'static>, lines: &Arc<Mutex<Vec<String>>>) {
    let Some(output) = output else { return };
    let lines = Arc::clone(lines);
    tokio::spawn(async move {
        let mut output = BufReader::new(output).lines();
        while let Ok(Some(line)) = output.next_line().await {
            lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line);
        }
    });
}
