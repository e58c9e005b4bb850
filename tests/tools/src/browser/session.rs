//! The DevTools protocol over a pipe: messages are JSON, and end with a zero byte.
//! Protocol: <https://chromedevtools.github.io/devtools-protocol/>

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::install::Chromium;
use crate::e2e::{Result, StepFailure, WhatWasTried as _};

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running browser with one page. It ends when this is dropped.
#[derive(Debug)]
pub struct BrowserSession {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    page: String,
    next: u64,
    events: Vec<Value>,
}

impl BrowserSession {
    /// Starts a browser with a profile of its own in a folder, and opens an empty page.
    ///
    /// # Errors
    /// If it does not start or does not answer.
    pub async fn start(chromium: &Chromium, profile: &Path) -> Result<Self> {
        // The browser reads from file 3 and writes to file 4; the shell puts our pipes there. What it says otherwise
        // goes to a log.
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >"$0" 2>&1"#])
            .arg(profile.join("browser.log"))
            .arg(&chromium.program);
        command.args([
            "--headless",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]);
        // A sandbox needs rights that a container has not; only our own pages are opened.
        command.args([
            "--no-sandbox",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
        ]);
        command.arg(format!("--user-data-dir={}", profile.display()));
        if !chromium.libraries.is_empty() {
            let paths = chromium.libraries.iter().cloned();
            command.env("LD_LIBRARY_PATH", std::env::join_paths(paths).context("name the libraries")?);
        }
        std::fs::create_dir_all(profile).context("make the browser's folder")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("start the browser")?;
        let to = child.stdin.take().context("the browser's input")?;
        let from = BufReader::new(child.stdout.take().context("the browser's output")?);
        let mut session = Self {
            child,
            to,
            from,
            page: String::new(),
            next: 0,
            events: Vec::new(),
        };
        let target = session.call("Target.createTarget", json!({ "url": "about:blank" })).await?["targetId"].clone();
        let attached = session.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await?;
        session.page = attached["sessionId"].as_str().context("no session")?.to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            session.call(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(session)
    }

    /// The browser's name and version.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn version(&mut self) -> Result<String> {
        Ok(self.call("Browser.getVersion", json!({})).await?["product"].as_str().unwrap_or_default().to_owned())
    }

    /// Calls a method and waits for its answer. What happens meanwhile is kept.
    ///
    /// # Errors
    /// If the browser refuses, ends, or does not answer in time.
    pub async fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if !self.page.is_empty() && !method.starts_with("Target.") && !method.starts_with("Browser.") {
            message["sessionId"] = json!(self.page);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).await.context(format!("send {method}"))?;
        loop {
            let mut answer = self.receive(method).await?;
            if answer["id"] != id {
                self.events.push(answer);
            } else if answer["error"].is_object() {
                return Err(StepFailure(format!("{method}: {}", answer["error"])));
            } else {
                return Ok(answer["result"].take());
            }
        }
    }

    /// Waits for an event.
    ///
    /// # Errors
    /// If the browser ends, or the event does not come in time.
    pub async fn until(&mut self, event: &str) -> Result<()> {
        while !self.events.iter().any(|seen| seen["method"] == event) {
            let message = self.receive(event).await?;
            self.events.push(message);
        }
        Ok(())
    }

    /// What has happened since the last call of this.
    pub fn take_events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let answer = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true })).await?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(StepFailure(format!("{expression}: {details}"))),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    async fn receive(&mut self, awaited: &str) -> Result<Value> {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.from.read_until(0, &mut bytes)).await;
        let read = read
            .context(format!("the browser says nothing about {awaited} for {PATIENCE:?}"))?
            .context("read from the browser")?;
        if read == 0 {
            let status = self.child.wait().await.context("watch the browser")?;
            return Err(StepFailure(format!(
                "the browser ended ({status}) before {awaited}; see browser.log in its folder"
            )));
        }
        serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap_or(&bytes)).context("the browser's message")
    }
}
