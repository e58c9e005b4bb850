//! `pullsafe approve` and `pullsafe decline`: answer the questions of a stack in mode `ask`.
//!
//! They invoke the stack's remediator, which IAM allows or not, with a request to STS that is signed here. So AWS tells
//! the function who answers, whatever the caller claims.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use clap::Args;
use pullsafe::arn::Arn;
use pullsafe_aws::identity::prove;
use pullsafe_aws::json::{JsonApi, LAMBDA};
use pullsafe_aws::{Failure, FailureKind};
use pullsafe_events::answer::{Answer, LONGEST_NO_SECONDS, MOST_CODES, YesOrNo, code};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::account::Session;
use crate::arguments::duration;
use crate::terminal::{Output, answer, stop};

/// The environment variable that names the function if no option does.
const VARIABLE: &str = "PULLSAFE_FUNCTION";
/// Longer than the function may run.
const PATIENCE: Duration = Duration::from_secs(75);
/// How many times an answer is sent while the remediator is busy with its service, and the pause between two attempts.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(3);

/// Say yes to what a stack in ask mode wants to do; without a code, list the questions that wait.
///
/// Everything is looked at again first: what has changed since becomes a new question. Exit status: 0 = done, or
/// listed; 1 = a question was not acted upon, and why; 2 = wrong usage, no such function, or no leave to invoke it.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The questions, by the codes in their messages
    #[arg(value_name = "CODE", value_parser = a_code)]
    codes: Vec<String>,
    /// Also every other question of the same cause at the same registry as the one that is named
    #[arg(long, requires = "codes")]
    all: bool,
    /// List what would be approved, and approve nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    to: To,
}

/// Say no to what a stack in ask mode wants to do.
///
/// Exit status: 0 = declined; 1 = a question was over already; 2 = wrong usage, no such function, or no leave to invoke
/// it.
#[derive(Debug, Args)]
pub(crate) struct Decline {
    /// The questions, by the codes in their messages
    #[arg(value_name = "CODE", value_parser = a_code, required = true)]
    codes: Vec<String>,
    /// Do not ask again about this service for this cause before this time is over: 12h, 7d, 30d at most; without it,
    /// not in this incident
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<Duration>,
    #[command(flatten)]
    to: To,
}

/// To whom it is said, and how that is answered.
#[derive(Debug, Args)]
struct To {
    /// The stack's remediator, by name or ARN (its output RemediatorFunctionName); PULLSAFE_FUNCTION without it
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

struct RemediatorOfStack {
    api: JsonApi,
    config: SdkConfig,
    function: String,
}

/// The outcome of one answer, and whether it is what was wanted.
type AnswerResult = (Value, bool);

fn a_code(text: &str) -> Result<String, String> {
    code(text).ok_or_else(|| format!("`{text}` is no code: a code is eight letters and digits, as a message names it"))
}

pub(crate) fn approve(arguments: &Approve) -> ExitCode {
    with_remediator(&arguments.to, async |remediator| {
        let mut codes = arguments.codes.clone();
        if arguments.all || codes.is_empty() || arguments.dry_run {
            let like = codes.first().filter(|_| arguments.all);
            let questions = remediator.questions(like.map(String::as_str)).await?;
            let is_meant = |question: &&Value| {
                arguments.all || codes.is_empty() || codes.iter().any(|code| question["code"] == *code)
            };
            let meant: Vec<Value> = questions.iter().filter(is_meant).cloned().collect();
            if codes.is_empty() || arguments.dry_run {
                return Ok(meant.into_iter().map(|question| (question, true)).collect());
            }
            for question in meant {
                let known = question["code"].as_str().unwrap_or_default().to_owned();
                if !codes.contains(&known) {
                    codes.push(known);
                }
            }
        }
        remediator.answer(YesOrNo::Yes, codes).await
    })
}

pub(crate) fn decline(arguments: &Decline) -> ExitCode {
    let seconds = arguments.time.map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    if seconds.is_some_and(|seconds| !(60..=LONGEST_NO_SECONDS).contains(&seconds)) {
        return stop("a no is remembered for a minute to 30 days: give --for between 1m and 30d", 2);
    }
    with_remediator(&arguments.to, async |remediator| {
        remediator.answer(YesOrNo::No(seconds), arguments.codes.clone()).await
    })
}

/// Finds the function, talks to it, and prints the result.
fn with_remediator(
    to: &To,
    speak: impl AsyncFn(&RemediatorOfStack) -> Result<Vec<AnswerResult>, (String, u8)>,
) -> ExitCode {
    let named = to.function.clone().or_else(|| std::env::var(VARIABLE).ok()).filter(|name| !name.trim().is_empty());
    let Some(function) = named else {
        return stop(
            &format!(
                "which function? Give --function, or set {VARIABLE}: it is the stack's output RemediatorFunctionName"
            ),
            2,
        );
    };
    let session = match Session::begin() {
        Ok(session) => session,
        Err(code) => return code,
    };
    let remediator = RemediatorOfStack::new(&session.config, function);
    match session.wait(speak(&remediator)) {
        Err((message, code)) => stop(&message, code),
        Ok(said) => {
            let text = match to.output {
                Output::Json => said.iter().map(|(value, _)| format!("{value}\n")).collect(),
                Output::Text if said.is_empty() => "No question waits for an answer.\n".to_owned(),
                Output::Text => said.iter().map(|(value, _)| line(value)).collect::<String>(),
            };
            answer(&text, said.iter().all(|(_, is_so)| *is_so))
        }
    }
}

impl RemediatorOfStack {
    fn new(config: &SdkConfig, function: String) -> Self {
        // No automatic retries: whoever answers sees the outcome and decides.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        let mut builder = config.clone().into_builder().timeout_config(timeouts).retry_config(RetryConfig::disabled());
        // An ARN names its region.
        if let Some(region) = Arn::parse(&function).map(|arn| arn.region.to_owned()).filter(|region| !region.is_empty())
        {
            builder = builder.region(aws_config::Region::new(region));
        }
        let config = builder.build();
        Self { api: JsonApi::new(&config, LAMBDA), config, function }
    }

    async fn questions(&self, like: Option<&str>) -> Result<Vec<Value>, (String, u8)> {
        let event = match like {
            Some(like) => json!({ "pullsafe": "questions", "like": like }),
            None => json!({ "pullsafe": "questions" }),
        };
        let answer = self.invoke(&event).await?;
        Ok(answer["questions"].as_array().cloned().unwrap_or_default())
    }

    async fn answer(&self, verdict: YesOrNo, codes: Vec<String>) -> Result<Vec<AnswerResult>, (String, u8)> {
        let mut said = Vec::new();
        for some in codes.chunks(MOST_CODES) {
            let mut left = some.to_vec();
            for tried in 1..=TRIES {
                let answer = Answer { verdict, codes: left.clone(), proof: None };
                let proof = prove(&self.config, &answer.statement())
                    .await
                    .map_err(|why| (format!("the answer cannot be signed: {why}"), 2))?;
                let answered = self.invoke(&Answer { proof: Some(proof), ..answer }.to_event()).await?;
                let answered = answered["answers"].as_array().cloned().unwrap_or_default();
                left.clear();
                for one in answered {
                    if one["outcome"] == "busy" && tried < TRIES {
                        left.extend(one["code"].as_str().map(str::to_owned));
                    } else {
                        let is_so = one["outcome"] == "done" || one["outcome"] == "declined";
                        said.push((one, is_so));
                    }
                }
                if left.is_empty() {
                    break;
                }
                sleep(PAUSE).await;
            }
        }
        Ok(said)
    }

    async fn invoke(&self, event: &Value) -> Result<Value, (String, u8)> {
        let answer = self.api.invoke(&self.function, event).await.map_err(|failure| self.refused(&failure))?;
        match answer["error"].as_str() {
            Some(error) => Err((error.to_owned(), 1)),
            None => Ok(answer),
        }
    }

    fn refused(&self, failure: &Failure) -> (String, u8) {
        let function = &self.function;
        if failure.code.as_deref() == Some("ResourceNotFoundException") {
            return (format!("there is no function {function} in this account and region"), 2);
        }
        if failure.kind == FailureKind::Denied {
            return (format!("whoever answers needs lambda:InvokeFunction on {function}: {failure}"), 2);
        }
        (failure.to_string(), 1)
    }
}

/// Formats one question, or the outcome of one answer, as a line.
fn line(value: &Value) -> String {
    let text = |name: &str| pullsafe::foreign::visible(value[name].as_str().unwrap_or_default());
    match value["outcome"].as_str() {
        Some(_) => format!("{}  {}: {}\n", text("code"), text("subject"), text("said")),
        None => {
            format!("{}  {}: {} (open until {})\n", text("code"), text("subject"), text("summary"), text("expires_at"))
        }
    }
}
