//! The deployed stack, as scenarios use it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, Parameter};
use http::Method;
use serde_json::{Value, json};

use super::emulator::Emulator;
use super::package::{Packed, template};
use super::tools::project;
use super::{Result, StepFailure, WhatWasTried as _, ensure};

/// The stack's name; the functions are named after it.
pub const NAME: &str = "pullsafe";
const BUCKET: &str = "artifacts";
/// How long anything may take that ought to come about by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a function answered.
#[derive(Debug)]
pub struct InvocationResult {
    /// `Handled` or `Unhandled` if the function failed.
    pub error: Option<String>,
    /// What it returned, or its error.
    pub payload: Value,
}

/// A deployed stack on a running emulator.
#[derive(Debug)]
pub struct EmulatedStack {
    emulator: Emulator,
    outputs: BTreeMap<String, String>,
    notifications: String,
    events: String,
    heard: Mutex<Vec<(String, String)>>,
    /// ECS, as a service's owner uses it.
    pub ecs: aws_sdk_ecs::Client,
    /// ECR's API.
    pub ecr: aws_sdk_ecr::Client,
    /// CloudFormation, as whoever deploys a stack uses it.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// The queues.
    pub sqs: aws_sdk_sqs::Client,
}

impl EmulatedStack {
    /// Uploads the functions, deploys the template by change set, and listens to the topic.
    ///
    /// # Errors
    /// If anything is refused, or the stack does not come up.
    pub async fn deploy(emulator: Emulator, packed: &[Packed], parameters: &[(&str, &str)]) -> Result<Self> {
        emulator.put(BUCKET, Vec::new()).await?;
        for function in packed {
            let zip = fs::read(&function.zip).context("read a zip")?;
            emulator.put(&format!("{BUCKET}/{}.zip", function.name), zip).await?;
        }
        let config = emulator.sdk_config();
        let cloudformation = aws_sdk_cloudformation::Client::new(&config);
        // From the bucket, as `sam deploy` does: it is longer than a request may carry.
        emulator.put(&format!("{BUCKET}/template.yaml"), template(packed, BUCKET)?.into_bytes()).await?;
        let url = format!("{}/{BUCKET}/template.yaml", emulator.endpoint());
        let outputs = deploy(&cloudformation, &url, parameters).await?;
        let mut stack = Self {
            ecs: aws_sdk_ecs::Client::new(&config),
            ecr: aws_sdk_ecr::Client::new(&config),
            cloudformation,
            iam: aws_sdk_iam::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            notifications: String::new(),
            events: String::new(),
            heard: Mutex::default(),
            emulator,
            outputs,
        };
        stack.notifications = stack.subscribe(&aws_sdk_sns::Client::new(&config)).await?;
        stack.events = stack.tap().await?;
        Ok(stack)
    }

    /// The emulator that it runs on.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// One of the template's outputs.
    ///
    /// # Errors
    /// If the template has no such output.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs.get(name).map(String::as_str).context(format!("the stack has no output {name}"))
    }

    /// Invokes a function, named as its package is, and waits for its answer.
    ///
    /// # Errors
    /// If the function cannot be invoked. That it failed is an answer.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<InvocationResult> {
        let answer = self.post(function, "RequestResponse", event).await?;
        let payload = serde_json::from_slice(&answer.body).context("read the function's answer")?;
        let error = Some(answer.header("x-amz-function-error").to_owned()).filter(|error| !error.is_empty());
        Ok(InvocationResult { error, payload })
    }

    /// Invokes a function as EventBridge does: it answers nobody, and is tried again if it fails.
    ///
    /// # Errors
    /// If the event is not taken.
    pub async fn send(&self, function: &str, event: &Value) -> Result<()> {
        self.post(function, "Event", event).await.map(drop)
    }

    async fn post(&self, function: &str, kind: &str, event: &Value) -> Result<super::http::HttpAnswer> {
        let path = format!("2015-03-31/functions/{}/invocations", self.function(function)?);
        self.emulator
            .call("lambda", Method::POST, &path, &[("x-amz-invocation-type", kind)], event.to_string().into_bytes())
            .await
    }

    /// What CloudFormation called a function, which is named here as its package is, or as the waker.
    ///
    /// # Errors
    /// If no output of the template says so.
    pub fn function(&self, name: &str) -> Result<&str> {
        let words = name.split('-').map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]));
        self.output(&format!("{}FunctionName", words.collect::<String>()))
    }

    /// Everything that a function has logged, in order.
    ///
    /// # Errors
    /// If the logs cannot be read.
    pub async fn logs(&self, function: &str) -> Result<Vec<String>> {
        let group = format!("/aws/lambda/{NAME}-{function}");
        let answer = self
            .emulator
            .json("logs", "Logs_20140328.FilterLogEvents", &json!({ "logGroupName": group }))
            .await?;
        let events = answer["events"].as_array().context("log events")?;
        Ok(events.iter().filter_map(|event| event["message"].as_str()).map(str::to_owned).collect())
    }

    /// Every item of the table, as DynamoDB's JSON has them (`{"pk": {"S": "..."}}`).
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn items(&self) -> Result<Vec<Value>> {
        let request = json!({ "TableName": self.output("TableName")? });
        let answer = self.emulator.json("dynamodb", "DynamoDB_20120810.Scan", &request).await?;
        Ok(answer["Items"].as_array().context("items")?.clone())
    }

    /// Takes the oldest notification with this in its subject, if it has come; returns its text. Others are kept.
    ///
    /// # Errors
    /// If the queue behind the topic cannot be read.
    pub async fn take_notification(&self, subject: &str) -> Result<Option<String>> {
        self.listen().await?;
        let mut heard = self.heard();
        let place = heard.iter().position(|(found, _)| found.contains(subject));
        Ok(place.map(|place| heard.remove(place).1))
    }

    /// Takes every notification that has come and was not taken: subject and text, the oldest first.
    ///
    /// # Errors
    /// If the queue behind the topic cannot be read.
    pub async fn take_notifications(&self) -> Result<Vec<(String, String)>> {
        self.listen().await?;
        Ok(std::mem::take(&mut *self.heard()))
    }

    /// Takes every event of pullsafe's that has passed the bus and was not taken, as other programs get it.
    ///
    /// # Errors
    /// If the queue behind the bus cannot be read.
    pub async fn take_events(&self) -> Result<Vec<Value>> {
        self.drain(&self.events).await
    }

    /// Moves what has come from the queue to where it is kept.
    async fn listen(&self) -> Result<()> {
        let text = |envelope: &Value, key: &str| envelope[key].as_str().unwrap_or_default().to_owned();
        let come = self.drain(&self.notifications).await?;
        self.heard()
            .extend(come.iter().map(|envelope| (text(envelope, "Subject"), text(envelope, "Message"))));
        Ok(())
    }

    /// Everything in a queue, which is empty then.
    async fn drain(&self, queue: &str) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        loop {
            let batch = self
                .sqs
                .receive_message()
                .queue_url(queue)
                .max_number_of_messages(10)
                .send()
                .await
                .context("receive")?;
            if batch.messages().is_empty() {
                return Ok(found);
            }
            for message in batch.messages() {
                found.push(serde_json::from_str(message.body().unwrap_or_default()).context("read a message")?);
                let receipt = message.receipt_handle().unwrap_or_default();
                self.sqs.delete_message().queue_url(queue).receipt_handle(receipt).send().await.context("delete")?;
            }
        }
    }

    fn heard(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        // A panic elsewhere cannot leave the list half changed.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again and again until something is there.
    ///
    /// # Errors
    /// If it is not there in time; the last failure of the look itself.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn(&Self) -> Result<Option<T>>) -> Result<T> {
        self.until_within(PATIENCE, what, look).await
    }

    /// [`Self::until`], for what is known to take its time.
    ///
    /// # Errors
    /// If it is not there in time; the last failure of the look itself.
    pub async fn until_within<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl AsyncFn(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let begin = Instant::now();
        loop {
            if let Some(found) = look(self).await? {
                return Ok(found);
            }
            ensure(
                begin.elapsed() < patience,
                format!("not within {patience:?}: {what}; see {}", self.emulator.log().display()),
            )?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn subscribe(&self, sns: &aws_sdk_sns::Client) -> Result<String> {
        let (url, arn) = self.queue("notifications").await?;
        sns.subscribe()
            .topic_arn(self.output("TopicArn")?)
            .protocol("sqs")
            .endpoint(arn)
            .send()
            .await
            .context("subscribe to the topic")?;
        Ok(url)
    }

    /// A rule of somebody else's, for every event of pullsafe's.
    async fn tap(&self) -> Result<String> {
        let (url, arn) = self.queue("events").await?;
        let rule = json!({"Name": "listener", "EventPattern": json!({"source": ["pullsafe"]}).to_string()});
        self.emulator.json("events", "AWSEvents.PutRule", &rule).await?;
        let targets = json!({"Rule": "listener", "Targets": [{"Id": "queue", "Arn": arn}]});
        self.emulator.json("events", "AWSEvents.PutTargets", &targets).await?;
        Ok(url)
    }

    /// A new queue: its URL and ARN.
    async fn queue(&self, name: &str) -> Result<(String, String)> {
        let queue = self.sqs.create_queue().queue_name(name).send().await.context("create a queue")?;
        let url = queue.queue_url().context("the queue has no URL")?.to_owned();
        Ok((url, format!("arn:aws:sqs:{}:{}:{name}", super::emulator::REGION, super::emulator::ACCOUNT)))
    }
}

/// An event of `events/`, by the file's name without `.json`.
///
/// # Errors
/// If there is no such event.
pub fn event(name: &str) -> Result<Value> {
    let path = project().join("events").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).context(format!("read {}", path.display()))?;
    serde_json::from_str(&text).context(format!("read {}", path.display()))
}

/// Deploys by change set and returns the outputs.
async fn deploy(
    cloudformation: &aws_sdk_cloudformation::Client,
    template_url: &str,
    parameters: &[(&str, &str)],
) -> Result<BTreeMap<String, String>> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| Parameter::builder().parameter_key(*name).parameter_value(*value).build())
        .collect();
    let change_set = cloudformation
        .create_change_set()
        .stack_name(NAME)
        .change_set_name("e2e")
        .change_set_type(ChangeSetType::Create)
        .set_capabilities(Some(vec![Capability::CapabilityIam, Capability::CapabilityAutoExpand]))
        .set_parameters(Some(parameters))
        .template_url(template_url);
    change_set.send().await.context("create the change set")?;
    let begin = Instant::now();
    let patient = |what: &str| ensure(begin.elapsed() < 2 * PATIENCE, format!("{what} takes too long"));
    loop {
        let set = cloudformation
            .describe_change_set()
            .stack_name(NAME)
            .change_set_name("e2e")
            .send()
            .await
            .context("describe the change set")?;
        match set.status() {
            Some(ChangeSetStatus::CreateComplete) => break,
            Some(ChangeSetStatus::Failed) => {
                return Err(StepFailure(format!("the change set failed: {}", set.status_reason().unwrap_or_default())));
            }
            _ => patient("the change set")?,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cloudformation
        .execute_change_set()
        .stack_name(NAME)
        .change_set_name("e2e")
        .send()
        .await
        .context("execute the change set")?;
    loop {
        let stacks = cloudformation.describe_stacks().stack_name(NAME).send().await.context("describe the stack")?;
        let stack = stacks.stacks().first().context("the stack is gone")?;
        let status = stack.stack_status().map_or("", |status| status.as_str()).to_owned();
        if status == "CREATE_COMPLETE" {
            let pair = |output: &aws_sdk_cloudformation::types::Output| {
                Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
            };
            return Ok(stack.outputs().iter().filter_map(pair).collect());
        }
        if !status.ends_with("_IN_PROGRESS") {
            return Err(StepFailure(format!("{status}: {}", why(cloudformation).await)));
        }
        patient("the stack")?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The first failures of the stack's events.
async fn why(cloudformation: &aws_sdk_cloudformation::Client) -> String {
    let Ok(events) = cloudformation.describe_stack_events().stack_name(NAME).send().await else {
        return String::new();
    };
    let failed = events
        .stack_events()
        .iter()
        .filter(|event| event.resource_status().is_some_and(|status| status.as_str().ends_with("FAILED")));
    let lines = failed.map(|event| {
        format!(
            "{}: {}",
            event.logical_resource_id().unwrap_or_default(),
            event.resource_status_reason().unwrap_or_default()
        )
    });
    lines.collect::<Vec<_>>().join("; ")
}
