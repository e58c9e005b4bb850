//! The gate while its processes are killed again and again: every request gets its answer, and only one.
//!
//! The requests go past CloudFormation, as in the other parts that time or count, so that every answer is seen byte by
//! byte. They are sent as CloudFormation and EventBridge send them: nobody waits, and Lambda tries again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::gate::{REPOSITORY, TAG, pushed_event};
use super::push_index_to_ecr;
use crate::e2e::emulator::{ACCOUNT, REGION};
use crate::e2e::report::StepReport;
use crate::e2e::stack::EmulatedStack;
use crate::e2e::{Result, WhatWasTried as _, ensure};
use scenarios::gate::Answers;

/// How often the cases are played side by side.
const ROUNDS: usize = 6;
/// The pauses between two killings, in milliseconds, in turn: shorter than a start, longer than a whole answer, and
/// between.
const PAUSES: [u64; 8] = [90, 700, 160, 40, 450, 230, 1100, 300];
/// For how long processes are killed.
const KILLING: Duration = Duration::from_secs(25);
/// The longest wait after that: a claim of 30 s that nobody gives back, the next sweep, and its own work.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time that a request has whose image never comes. The killing is over before.
const SHORT: u32 = 60;

/// A case: how its requests are called, and what they have to be answered.
struct KilledCase {
    name: &'static str,
    tag: fn(usize) -> String,
    timeout_seconds: u32,
    /// What differs from a plain request.
    property: Option<(&'static str, &'static str)>,
    status: &'static str,
    /// Whether its image is pushed while processes are killed.
    is_pushed: bool,
}

const CASES: &[KilledCase] = &[
    KilledCase {
        name: "there",
        tag: |_| TAG.to_owned(),
        timeout_seconds: 3600,
        property: None,
        status: "SUCCESS",
        is_pushed: false,
    },
    KilledCase {
        name: "comes",
        tag: |round| format!("killed-{round}"),
        timeout_seconds: 3600,
        property: None,
        status: "SUCCESS",
        is_pushed: true,
    },
    KilledCase {
        name: "never",
        tag: |_| "killed-never".to_owned(),
        timeout_seconds: SHORT,
        property: None,
        status: "FAILED",
        is_pushed: false,
    },
    KilledCase {
        name: "wrong",
        tag: |_| TAG.to_owned(),
        timeout_seconds: 3600,
        property: Some(("Platforms", "linux/amd65")),
        status: "FAILED",
        is_pushed: false,
    },
];

/// Plays it.
///
/// # Errors
/// The first step that failed.
pub(super) async fn play(stack: &EmulatedStack, report: &mut StepReport) -> Result<()> {
    let answers = Answers::start().await.context("listen for answers")?;
    let killer =
        Killer::start(vec![stack.function("image-gate")?.to_owned(), stack.function("gate-waker")?.to_owned()]);
    let asked = ask_all(stack, &answers).await;
    let cancelled = cancel(stack, &answers).await;
    let pushed = push_all(stack).await;
    tokio::time::sleep(KILLING).await;
    let kills = killer.end().await;
    report.step("requests are sent while the gate's processes are killed", asked.and(cancelled).and(pushed))?;
    report.step("each is answered once, and truly", answered(&answers).await)?;
    report.note(&format!("{} requests and {ROUNDS} deletions; {kills} processes killed", CASES.len() * ROUNDS));
    ensure(kills >= 10, format!("only {kills} processes were killed"))
}

async fn ask_all(stack: &EmulatedStack, answers: &Answers) -> Result<()> {
    for round in 0..ROUNDS {
        for case in CASES {
            let mut properties = json!({"RepositoryName": REPOSITORY, "ImageTag": (case.tag)(round), "ServiceTimeout": case.timeout_seconds.to_string()});
            if let Some((name, value)) = case.property {
                properties[name] = json!(value);
            }
            stack.send("image-gate", &request(answers, "Create", &id(case, round), &properties)).await?;
        }
    }
    Ok(())
}

/// Requests that wait, and are taken back: the deletion is answered, and they themselves are not.
async fn cancel(stack: &EmulatedStack, answers: &Answers) -> Result<()> {
    for round in 0..ROUNDS {
        let properties = json!({"RepositoryName": REPOSITORY, "ImageTag": format!("killed-cancelled-{round}")});
        let mut delete = request(answers, "Delete", &format!("killed-cancelled-{round}"), &properties);
        delete["RequestId"] = json!(format!("killed-delete-{round}"));
        delete["ResponseURL"] = json!(answers.url(&format!("killed-delete-{round}")));
        stack.send("image-gate", &delete).await?;
    }
    Ok(())
}

async fn push_all(stack: &EmulatedStack) -> Result<()> {
    for case in CASES.iter().filter(|case| case.is_pushed) {
        for round in 0..ROUNDS {
            let tag = (case.tag)(round);
            push_index_to_ecr(stack, REPOSITORY, &tag).await?;
            stack.send("gate-waker", &pushed_event(REPOSITORY, &tag)?).await?;
        }
    }
    Ok(())
}

async fn answered(answers: &Answers) -> Result<()> {
    let begin = std::time::Instant::now();
    let open = || {
        let asked = CASES.iter().flat_map(|case| (0..ROUNDS).map(move |round| id(case, round)));
        let deleted = (0..ROUNDS).map(|round| format!("killed-delete-{round}"));
        asked.chain(deleted).filter(|name| answers.taken(name).is_empty()).collect::<Vec<_>>()
    };
    while !open().is_empty() && begin.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ensure(open().is_empty(), format!("not answered: {:?}", open()))?;
    for case in CASES {
        for round in 0..ROUNDS {
            let name = id(case, round);
            let taken = answers.taken(&name);
            let bodies: Vec<&str> = taken.iter().map(|answer| answer.body.as_str()).collect();
            // A process that died after sending sends the same again.
            ensure(
                bodies.windows(2).all(|two| two[0] == two[1]),
                format!("{name} was answered differently: {bodies:?}"),
            )?;
            let answer = taken[0].json();
            ensure(answer["Status"] == case.status, format!("{name}: {answer}"))?;
        }
    }
    Ok(())
}

fn id(case: &KilledCase, round: usize) -> String {
    format!("killed-{}-{round}", case.name)
}

fn request(answers: &Answers, kind: &str, name: &str, properties: &Value) -> Value {
    json!({
        "RequestType": kind, "RequestId": name, "LogicalResourceId": "Image", "ResourceType": "Custom::PullsafeImage",
        "ResponseURL": answers.url(name), "StackId": format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0a1b"),
        "ResourceProperties": properties,
    })
}

/// Kills the processes of some functions until it is told to end.
struct Killer {
    stop: Arc<AtomicBool>,
    kills: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Killer {
    fn start(functions: Vec<String>) -> Self {
        let (stop, kills) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&kills));
        let task = tokio::spawn(async move {
            for pause in PAUSES.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(*pause)).await;
                counted.fetch_add(kill(&functions), Ordering::Relaxed);
            }
        });
        Self { stop, kills, task }
    }

    /// Ends it; how many processes it has killed.
    async fn end(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.ok();
        self.kills.load(Ordering::Relaxed)
    }
}

/// Kills every process that runs one of these functions, by what Lambda's environment says of it.
fn kill(functions: &[String]) -> u32 {
    let wanted: Vec<String> = functions.iter().map(|name| format!("AWS_LAMBDA_FUNCTION_NAME={name}")).collect();
    let runs = |id: &str| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| wanted.iter().any(|wanted| wanted.as_bytes() == variable))
    };
    let ids: Vec<String> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && runs(name))
        .collect();
    if ids.is_empty() {
        return 0;
    }
    std::process::Command::new("kill")
        .arg("-KILL")
        .args(&ids)
        .stderr(std::process::Stdio::null())
        .status()
        .ok();
    u32::try_from(ids.len()).unwrap_or(u32::MAX)
}
