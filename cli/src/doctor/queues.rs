//! The queues: no message may stay in one that nobody processes, nor grow old in one that is processed.

use aws_config::SdkConfig;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::json::{JsonApi, MONITORING, SQS};
use serde_json::{Value, json};

use super::finding::Check;
use super::stack::Deployed;

/// How old a message may become, by queue; the template's alarms have the same thresholds.
const OLDEST_SECONDS: &[(&str, i64)] = &[
    ("WorkQueue", 1_800),
    ("MirrorQueue", 7_200),
    ("MirrorPlanQueue", 21_600),
    ("ImageGateFailureQueue", 300),
];

/// Looks at every queue of the stack.
pub(super) async fn look(config: &SdkConfig, stack: &Deployed, now: Timestamp) -> Vec<Check> {
    let (queues, metrics) = (JsonApi::new(config, SQS), JsonApi::new(config, MONITORING));
    let mut findings = Vec::new();
    for (logical, url) in stack.of_type("AWS::SQS::Queue") {
        let request = json!({ "QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"] });
        let depth = queues.call("sqs:GetQueueAttributes", "AmazonSQS.GetQueueAttributes", &request).await;
        findings.push(match OLDEST_SECONDS.iter().find(|(name, _)| *name == logical) {
            None => kept(logical, depth),
            Some((_, oldest)) => {
                let request = json!({
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{ "Name": "QueueName", "Value": url.rsplit('/').next().unwrap_or(url) }],
                    "StartTime": now.seconds() - 900,
                    "EndTime": now.seconds(),
                    "Period": 300,
                    "Statistics": ["Maximum"],
                });
                let target = "GraniteServiceVersion20100801.GetMetricStatistics";
                let age = metrics.call("cloudwatch:GetMetricStatistics", target, &request).await;
                worked_off(logical, *oldest, depth, age)
            }
        });
    }
    findings
}

fn messages(answer: &Value) -> Option<u64> {
    answer["Attributes"]["ApproximateNumberOfMessages"].as_str()?.parse().ok()
}

fn kept(logical: &str, depth: Result<Value, Failure>) -> Check {
    let about = format!("queue {logical}");
    match depth.as_ref().map(messages) {
        Ok(Some(0)) => Check::right(about, "empty"),
        Ok(Some(count)) => {
            let mend = "read one message, mend what it failed at, then start a redrive of the queue";
            Check::wrong(about, format!("{count} messages that failed for good"), mend)
        }
        Ok(None) => Check::unknown(about, "the answer has no number", "look at the queue in the console"),
        Err(failure) => Check::unknown(about, failure.to_string(), "allow sqs:GetQueueAttributes"),
    }
}

fn worked_off(logical: &str, oldest: i64, depth: Result<Value, Failure>, age: Result<Value, Failure>) -> Check {
    let about = format!("queue {logical}");
    let depth = match depth {
        Ok(depth) => messages(&depth).map_or_else(|| "an unknown number of".to_owned(), |count| count.to_string()),
        Err(failure) => return Check::unknown(about, failure.to_string(), "allow sqs:GetQueueAttributes"),
    };
    let age = match age {
        Ok(age) => age,
        Err(failure) => {
            return Check::unknown(
                about,
                format!("{depth} messages; {failure}"),
                "allow cloudwatch:GetMetricStatistics",
            );
        }
    };
    let points = age["Datapoints"].as_array().into_iter().flatten();
    // A queue without messages has no data points.
    let seconds = points.filter_map(|point| point["Maximum"].as_f64()).fold(0.0, f64::max) as i64;
    if seconds <= oldest {
        Check::right(about, format!("{depth} messages, the oldest {seconds} s old"))
    } else {
        let mend = "read the log of the function that works it off, and its metrics Errors and Throttles";
        Check::wrong(about, format!("{depth} messages, the oldest {seconds} s old, at most {oldest} s are usual"), mend)
    }
}
