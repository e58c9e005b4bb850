//! `pullsafe drill`: sends a made-up stop of a service through the deployed stack, and shows what would be told and
//! done. It changes nothing.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudformation::Client;
use clap::Args;
use pullsafe::arn::ServiceId;
use pullsafe::foreign;
use pullsafe_aws::json::{FUNCTION_ERROR, JsonApi, LAMBDA};
use pullsafe_aws::{Failure, FailureKind};
use pullsafe_events::Subject;
use serde_json::{Value, json};

use crate::account::Session;
use crate::service::{EcsClient, named};
use crate::terminal::{Output, answer, stop};

/// The function's logical id in the template.
const FUNCTION: &str = "RemediatorFunction";
/// The function's own timeout, and a little more.
const LONGEST: Duration = Duration::from_secs(70);

/// Play a stop that nobody had through the deployed stack: what would be told and done, and how long it takes. Nothing
/// is changed.
///
/// People get one message that says DRILL (three in 15 minutes at most), programs an event of detail-type Drill.
/// Whoever drills needs `lambda:InvokeFunction` on the remediator. Exit status: 0 = played and told; 1 = not played, or
/// nobody was told; 2 = wrong usage.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The service: CLUSTER/SERVICE, or its ARN
    #[arg(long, value_name = "CLUSTER/SERVICE")]
    service: String,
    /// The stack's name
    #[arg(long, value_name = "NAME", default_value = "pullsafe")]
    stack: String,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Some((cluster, service)) = named(&arguments.service) else {
        return stop(&format!("{}: neither CLUSTER/SERVICE nor the ARN of a service", arguments.service), 2);
    };
    let session = match Session::begin() {
        Ok(session) => session,
        Err(code) => return code,
    };
    match session.wait(play(&session.config, &arguments.stack, &cluster, &service)) {
        Ok(played) => {
            let text = match arguments.output {
                Output::Text => text(&played),
                Output::Json => format!("{}\n", foreign::json(&format!("{:#}", json(&played)))),
            };
            answer(&text, played.is_told())
        }
        Err(message) => stop(&message, 1),
    }
}

/// The remediator's answer, and how long it took.
struct DrillAnswer {
    answer: Value,
    whole: Duration,
}

impl DrillAnswer {
    fn shown(&self) -> Option<&Value> {
        self.answer.get("shown").filter(|shown| shown.is_object())
    }

    fn is_told(&self) -> bool {
        self.shown().is_some_and(|shown| shown["people"] == "told" && shown["programs"] == "told")
    }
}

async fn play(config: &SdkConfig, stack: &str, cluster: &str, service: &str) -> Result<DrillAnswer, String> {
    let described = EcsClient::new(config).service(cluster, service).await?;
    let word = |key: &str| described[key].as_str().unwrap_or_default().to_owned();
    let subject = Subject::Service(ServiceId { cluster_arn: word("clusterArn"), name: word("serviceName") });
    let function = function(config, stack).await.map_err(|failure| match failure.kind {
        FailureKind::NotFound | FailureKind::Refused => {
            format!("the stack {stack} has no remediator that could be asked: {failure}")
        }
        FailureKind::Denied | FailureKind::Throttled | FailureKind::Unavailable | FailureKind::ConditionFailed => {
            failure.to_string()
        }
    })?;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(LONGEST).build();
    let lambda = JsonApi::new(&config.to_builder().timeout_config(timeouts).build(), LAMBDA);
    let begun = Instant::now();
    let asked = lambda.invoke(&function, &json!({ "pullsafe": "drill", "subject": subject })).await;
    let answer = asked.map_err(|failure| match &failure.message {
        Some(said) if failure.code.as_deref() == Some(FUNCTION_ERROR) => format!("the remediator failed: {said}"),
        Some(_) | None => failure.to_string(),
    })?;
    match answer["outcome"].as_str() {
        Some("drill") => Ok(DrillAnswer { answer, whole: begun.elapsed() }),
        Some(_) | None => {
            let why = answer["why"].as_str().unwrap_or_default();
            Err(format!("the deployed remediator plays no drills; deploy this release first ({why})"))
        }
    }
}

async fn function(config: &SdkConfig, stack: &str) -> Result<String, Failure> {
    const CALL: &str = "cloudformation:DescribeStackResource";
    let asked = Client::new(config)
        .describe_stack_resource()
        .stack_name(stack)
        .logical_resource_id(FUNCTION)
        .send()
        .await;
    let answer = asked.map_err(|error| Failure::of(CALL, &error))?;
    let name = answer.stack_resource_detail().and_then(|detail| detail.physical_resource_id()).unwrap_or_default();
    let is_name =
        !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || "-_".contains(character));
    if is_name {
        Ok(name.to_owned())
    } else {
        Err(Failure::unexpected(CALL, "the function has no name"))
    }
}

fn text(played: &DrillAnswer) -> String {
    let why = played.answer["why"].as_str().unwrap_or_default();
    let Some(shown) = played.shown() else {
        return foreign::terminal(&format!("DRILL, not played: {why}\n")).into_owned();
    };
    let word = |key: &str| shown[key].as_str().unwrap_or_default();
    let lines = [
        word("text").to_owned(),
        format!("People:    {}", word("people")),
        format!("Programs:  {}", word("programs")),
        format!(
            "Took:      {} ms to look and decide, {} ms to tell, {} ms from here and back",
            shown["looked_milliseconds"],
            shown["told_milliseconds"],
            played.whole.as_millis()
        ),
    ];
    foreign::terminal(&(lines.join("\n") + "\n")).into_owned()
}

fn json(played: &DrillAnswer) -> Value {
    let mut document = played.answer.clone();
    document["whole_milliseconds"] = json!(u64::try_from(played.whole.as_millis()).unwrap_or(u64::MAX));
    document
}
