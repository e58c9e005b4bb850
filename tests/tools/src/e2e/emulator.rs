//! The emulated AWS: ministack, on a free port of this machine.

use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use http::Method;
use serde_json::Value;

use super::http::{EmulatorHttp, HttpAnswer};
use super::process::{ChildProcess, command, free_port};
use super::recorder::Recorder;
use super::scaling::{self, PlayedScaling};
use super::tools::folder;
use super::{Result, StepFailure, WhatWasTried as _};

/// The account of `events/`. The emulator takes an access key of twelve digits for the account.
pub const ACCOUNT: &str = "123456789012";
/// The region of `events/`.
pub const REGION: &str = "us-east-1";

/// How often another port is tried if somebody takes the one that was free.
const TRIES: usize = 3;

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    http: EmulatorHttp,
    process: ChildProcess,
    // Listens as long as the emulator does.
    _recorder: Option<Recorder>,
}

impl Emulator {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(program: &Path, scaling: &PlayedScaling) -> Result<Self> {
        let mut last = StepFailure("never tried".to_owned());
        for _ in 0..TRIES {
            match Self::try_start(program, scaling).await {
                Ok(emulator) => return Ok(emulator),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn try_start(program: &Path, scaling: &PlayedScaling) -> Result<Self> {
        let (port, http) = (free_port()?, EmulatorHttp::default());
        // It unpacks every function that it runs, and leaves it there.
        let scratch = folder().join("scratch");
        match std::fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("empty the emulator's scratch folder")
            }
            Ok(()) | Err(_) => std::fs::create_dir_all(&scratch).context("make the emulator's scratch folder"),
        }?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let recorder = Recorder::start(&endpoint).await?;
        let mut command = command(program);
        command.env("TMPDIR", &scratch);
        command.envs([
            ("BIND_HOST", "127.0.0.1"),
            ("MINISTACK_HOST", "127.0.0.1"),
            ("GATEWAY_PORT", &port.to_string()),
            // The emulator hands its environment on to the functions.
            ("AWS_ENDPOINT_URL", recorder.as_ref().map_or(endpoint.as_str(), Recorder::endpoint)),
            (scaling::VARIABLE, scaling.endpoint()),
            ("MINISTACK_REGION", REGION),
            ("MINISTACK_ACCOUNT_ID", ACCOUNT),
        ]);
        let mut process = ChildProcess::start("the emulator", &mut command, &folder().join("emulator.log"))?;
        process.until_it_answers(&http, &format!("{endpoint}/_ministack/health")).await?;
        Ok(Self { endpoint, http, process, _recorder: recorder })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where it writes what it does.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// What every SDK client is made from.
    pub fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new(ACCOUNT, "local", None, None, "local");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// Puts one object into S3, for which no SDK crate is linked. An object without a key is a bucket.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub async fn put(&self, path: &str, body: Vec<u8>) -> Result<()> {
        self.call("s3", Method::PUT, path, &[], body).await.map(drop)
    }

    /// Calls an operation of a service that speaks AWS's JSON protocol and for which no SDK crate is linked.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub async fn json(&self, service: &str, target: &str, request: &Value) -> Result<Value> {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.call(service, Method::POST, "", &headers, request.to_string().into_bytes()).await?;
        serde_json::from_slice(&answer.body).context(target)
    }

    /// Any call. The emulator reads account, region and service from the credential and does not check the signature.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub async fn call(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<HttpAnswer> {
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, \
             Signature=0"
        );
        let mut all = vec![("authorization", credential.as_str())];
        all.extend(headers);
        self.http.expect(method, &format!("{}/{path}", self.endpoint), &all, body).await
    }
}
