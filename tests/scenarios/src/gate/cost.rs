//! What a thousand gates that wait for an hour cost: the calls that the functions really make, times the prices.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::GateStage;

/// How many gates are played. The table is for a thousand.
const GATES: u64 = 20;
/// How many repositories the gates wait for.
const REPOSITORIES: u64 = 4;
/// How many gates the table is for.
const SHOWN: u64 = 1000;

/// Prices in US dollars, on demand, without any free tier.
pub const PRICES: &str = "eu-west-1, November 2026";
const LAMBDA_REQUEST: f64 = 0.20 / 1e6;
const LAMBDA_GIGABYTE_SECOND: f64 = 0.000_013_333_4;
const TABLE_WRITE: f64 = 0.7068 / 1e6;
const TABLE_READ: f64 = 0.1415 / 1e6;
const LOG_GIGABYTE: f64 = 0.57;

/// Assumed, not counted, and on the high side: how long a run at 256 MB takes, and how much it logs.
const GATE_SECONDS: f64 = 0.5;
const WAKE_SECONDS: f64 = 1.5;
const SWEEP_SECONDS: f64 = 5.0;
const LOG_BYTES: f64 = 2000.0;
const MEMORY_GIGABYTES: f64 = 0.25;

/// Plays gates that wait for 57 minutes, with a sweep every minute, and are then answered by a push. Counts every call.
/// Returns the table for the documents.
///
/// # Panics
/// If a gate is not answered.
pub async fn table() -> String {
    let stage = GateStage::new().await;
    for number in 0..GATES {
        let repository = format!("service-{}", number % REPOSITORIES);
        stage.create_repository(&repository);
        let request = stage.request_with(
            "Create",
            &format!("stack-{number}"),
            json!({"RepositoryName": repository, "ImageTag": format!("{number}")}),
        );
        stage.handle(&request).await;
    }
    let sweeps = 57;
    for _ in 0..sweeps {
        stage.clock.advance(60);
        stage.sweep().await;
    }
    let before_end = stage.aws.calls().len();
    for number in 0..GATES {
        let pushed = stage.push(&format!("service-{}", number % REPOSITORIES), &format!("{number}"), number);
        stage.handle(&pushed).await;
        assert!(stage.is_answered("Create", &format!("stack-{number}")), "stack-{number}");
    }
    let calls = stage.aws.calls();
    let (mut writes, mut reads, mut ecr) = (0.0, 0.0, BTreeMap::<String, u64>::new());
    for (index, call) in calls.iter().enumerate() {
        match call.operation.as_str() {
            "PutItem" => writes += write_units(&call.request),
            // A sweep reads all waiting rows, at the price of an eventually consistent read. A push reads the rows of
            // its repository, consistently.
            "Query" if index < before_end => reads += units(GATES * row_bytes(&calls), 4096) / 2.0,
            "Query" => reads += units(GATES / REPOSITORIES * row_bytes(&calls), 4096),
            "GetItem" => reads += 1.0,
            "BatchGetImage" | "DescribeImages" => *ecr.entry(call.operation.clone()).or_default() += 1,
            _ => {}
        }
    }
    let scale = SHOWN as f64 / GATES as f64;
    let (gates, wakes) = (SHOWN as f64, SHOWN as f64);
    let runs = gates + wakes + f64::from(sweeps);
    let seconds = gates * GATE_SECONDS + wakes * WAKE_SECONDS + f64::from(sweeps) * SWEEP_SECONDS;
    let rows = [
        (
            "Lambda, invocations",
            format!("{gates:.0} requests, {wakes:.0} pushes, {sweeps} sweeps"),
            runs,
            LAMBDA_REQUEST,
        ),
        (
            "Lambda, GB-seconds",
            "256 MB; 0.5 s a request, 1.5 s a push, 5 s a sweep (assumed)".to_owned(),
            seconds * MEMORY_GIGABYTES,
            LAMBDA_GIGABYTE_SECOND,
        ),
        ("DynamoDB, write units", "counted, with the index".to_owned(), writes * scale, TABLE_WRITE),
        ("DynamoDB, read units", "counted".to_owned(), reads * scale, TABLE_READ),
        ("CloudWatch Logs, GB", "2 kB a run (assumed)".to_owned(), runs * LOG_BYTES / 1e9, LOG_GIGABYTE),
        (
            "ECR and EventBridge",
            format!("{} calls to ECR a gate and hour at most; no charge", ecr.values().sum::<u64>() / GATES),
            0.0,
            0.0,
        ),
    ];
    let mut text = format!("| For {SHOWN} gates of an hour | | Number | $ |\n|---|---|---|---|\n");
    let mut sum = 0.0;
    for (what, how, number, price) in rows {
        sum += number * price;
        let number = if number == 0.0 {
            String::new()
        } else if number < 1.0 {
            format!("{number:.4}")
        } else {
            format!("{number:.0}")
        };
        writeln!(text, "| {what} | {how} | {number} | {:.4} |", sum_of(price, &number)).ok();
    }
    let waiting = SHOWN as f64 * 3600.0 * MEMORY_GIGABYTES * LAMBDA_GIGABYTE_SECOND;
    writeln!(text, "| **Together** ({PRICES}) | | | **{sum:.2}** |").ok();
    writeln!(
        text,
        "| for comparison: functions that wait | {SHOWN} × 3,600 s × 256 MB, and {SHOWN} concurrent executions | | \
         {waiting:.2} |"
    )
    .ok();
    text
}

fn sum_of(price: f64, number: &str) -> f64 {
    number.parse::<f64>().unwrap_or_default() * price
}

/// A write costs a unit for each kilobyte, and as much again if the row is in the index before or after it.
fn write_units(request: &Value) -> f64 {
    let item = &request["Item"];
    let base = units(bytes(item), 1024);
    if item.get("version").is_some() { 2.0 * base } else { base }
}

fn units(bytes: u64, unit: u64) -> f64 {
    bytes.div_ceil(unit) as f64
}

/// The size of names and values, as DynamoDB counts it.
fn bytes(item: &Value) -> u64 {
    let value = |value: &Value| value.as_object().and_then(|value| value.values().next()?.as_str()).map_or(0, str::len);
    let sizes = item.as_object().into_iter().flatten().map(|(name, attribute)| name.len() + value(attribute));
    sizes.sum::<usize>() as u64
}

/// The size of a waiting row.
fn row_bytes(calls: &[testkit::aws::Call]) -> u64 {
    calls
        .iter()
        .filter(|call| call.operation == "PutItem")
        .map(|call| bytes(&call.request["Item"]))
        .max()
        .unwrap_or_default()
}
