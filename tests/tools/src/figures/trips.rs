//! How many round trips each kind of event costs: counted from the logs of the fakes, with the remediator in this
//! process.

use std::time::{Duration, Instant};

use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;
use serde_json::Value;

use super::account::{MIRRORED, NOT_MIRRORED, OWN_REPOSITORY, PlayedAccount};
use super::events::{self, DIGEST_GONE, NOT_FOUND, QUOTA, SCALING};
use super::report::{FiguresDocument, Goal};
use crate::e2e::{Result, ensure};
use testkit::rounds::Rounds;

/// What one event cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trips {
    /// The event.
    pub what: &'static str,
    /// The calls to AWS in order, as `ecs:UpdateService`.
    pub calls: Vec<String>,
    /// The requests to registries in order, as `HEAD docker.io`.
    pub registry: Vec<String>,
}

/// Plays every kind of event, each in an account of its own.
///
/// # Errors
/// If an event did not lead to what it should.
pub async fn all() -> Result<Vec<Trips>> {
    let mut all = Vec::new();
    for (what, event) in [
        ("Ignored: a task that runs", events::running()),
        ("Sweep with nothing open", events::sweep()),
        ("Push that nothing waits for", events::pushed(OWN_REPOSITORY, "1")),
    ] {
        let mut account = account();
        let expected = if what.starts_with("Sweep") { "swept" } else { "ignored" };
        all.push(count(&mut account, what, &event, expected).await?);
    }
    all.push(benign().await?);
    all.extend(limited().await?);
    all.extend(asked().await?);
    all.extend(paused().await?);
    all.push(forced().await?);
    all.extend(prepared().await?);
    Ok(all)
}

/// Counts, and writes it down.
///
/// # Errors
/// If an event did not lead to what it should.
pub async fn measure(report: &mut FiguresDocument) -> Result<()> {
    report.section("Round trips of an event");
    report.prose(
        "Calls to AWS and requests to registries (token requests included), counted from the logs of the fakes; one \
         service, one \
         container. No request is a GET of a manifest at Docker Hub, so none spends pull quota.",
    );
    let (deep, took) = depth().await?;
    report.figure(
        "Case A, the mirror has the image, with 20 ms on every call",
        &format!("UpdateService in round trip {deep}, after {} ms", took.as_millis()),
        Goal { wanted: "at most 9".to_owned(), met: deep <= 9 }.into(),
    );
    for trips in all().await? {
        let registry = if trips.registry.is_empty() {
            String::new()
        } else {
            format!("; {}", run_lengths(&trips.registry))
        };
        let calls = if trips.calls.is_empty() {
            String::new()
        } else {
            format!(": {}", run_lengths(&trips.calls))
        };
        report.figure(trips.what, &format!("{} + {}{calls}{registry}", trips.calls.len(), trips.registry.len()), None);
    }
    Ok(())
}

/// In which round trip the service is moved, counted from the event, and after what time; the latency of a call is 20
/// ms.
///
/// # Errors
/// If the service was not moved.
pub async fn depth() -> Result<(usize, Duration)> {
    let mut account = account();
    let service = account.service(MIRRORED);
    let event = account.stop(&service, QUOTA);
    let rounds = Rounds::new(Duration::from_millis(20));
    account.world.aws.count_rounds(&rounds);
    for registry in [&account.world.hub, &account.world.ecr, &account.world.public] {
        registry.count_rounds(&rounds);
    }
    let begin = Instant::now();
    account.world.deliver(&event).await;
    let took = begin.elapsed();
    let calls = rounds.calls();
    let found = calls.iter().find(|(call, _)| call == "ecs:UpdateService");
    ensure(found.is_some(), format!("the service was not moved: {calls:?}"))?;
    Ok((found.map_or(0, |(_, depth)| *depth), took))
}

fn account() -> PlayedAccount {
    PlayedAccount::new(Timestamp::from_millis(1_768_504_620_000)) // 2026-01-15T19:17:00Z
}

async fn count(account: &mut PlayedAccount, what: &'static str, event: &Value, expected: &str) -> Result<Trips> {
    account.clear_logs();
    account.world.deliver(event).await;
    let answer = account.world.answers.last().cloned().unwrap_or_default();
    ensure(answer["outcome"] == expected, format!("{what}: expected `{expected}`, got {answer}"))?;
    let calls = account
        .world
        .aws
        .calls()
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    let mut registry = Vec::new();
    for (host, server) in [
        ("docker.io", &account.world.hub),
        ("ECR", &account.world.ecr),
        ("public.ecr.aws", &account.world.public),
    ] {
        for access in server.log() {
            let spends =
                host == "docker.io" && access.method == http::Method::GET && access.path.contains("/manifests/");
            ensure(!spends, format!("{what}: a GET of {} spends pull quota", access.path))?;
            let token = if access.path.starts_with("/v2/") { "" } else { " (token)" };
            registry.push(format!("{} {host}{token}", access.method));
        }
    }
    Ok(Trips { what, calls, registry })
}

async fn benign() -> Result<Trips> {
    let mut account = account();
    let service = account.service(MIRRORED);
    let event = account.stop(&service, SCALING);
    count(&mut account, "Stop in the normal course of events", &event, "ignored").await
}

async fn limited() -> Result<[Trips; 3]> {
    let mut account = account();
    let service = account.service(MIRRORED);
    let first = account.stop(&service, QUOTA);
    let cured = count(&mut account, "Case A, the mirror has the image: moved", &first, "acted").await?;
    let duplicate = count(&mut account, "The same event once more", &first, "ignored").await?;
    let second = account.stop(&service, QUOTA);
    let late = count(&mut account, "One more stop after the move", &second, "counted").await?;
    Ok([cured, duplicate, late])
}

async fn asked() -> Result<[Trips; 2]> {
    let mut account = account();
    let service = account.service(NOT_MIRRORED);
    let event = account.stop(&service, QUOTA);
    let asked = count(&mut account, "Case A, the mirror lacks the image: asked", &event, "acted").await?;
    account.mirror();
    let event = events::mirrored(&format!("docker.io/{NOT_MIRRORED}"));
    let moved = count(&mut account, "Case A, `Image Mirrored`: moved", &event, "acted").await?;
    Ok([asked, moved])
}

async fn paused() -> Result<[Trips; 3]> {
    let mut account = account();
    let service = account.service(&account.own_image("9f1c2d7e"));
    let first = account.stop(&service, NOT_FOUND);
    let told = count(&mut account, "Case D, first stop: told", &first, "advised").await?;
    let second = account.stop(&service, NOT_FOUND);
    let paused = count(&mut account, "Case D, second stop: paused", &second, "acted").await?;
    account.push("9f1c2d7e");
    let event = events::pushed(OWN_REPOSITORY, "9f1c2d7e");
    let restored = count(&mut account, "Case D, push: restored", &event, "acted").await?;
    Ok([told, paused, restored])
}

async fn forced() -> Result<Trips> {
    let mut account = account();
    account.push("release");
    let mut service = account.service(&account.own_image("release"));
    service.image = format!("{}@{}", service.image, Digest::of(b"what the deployment pinned"));
    let event = account.stop(&service, DIGEST_GONE);
    count(&mut account, "The pinned digest is gone: new deployment forced", &event, "acted").await
}

async fn prepared() -> Result<[Trips; 2]> {
    let mut account = account();
    let has = account.service(MIRRORED).deployment_started(account.world.clock.now());
    let has = count(&mut account, "Deployment started, the mirror has the image", &has, "prepared").await?;
    let lacks = account.service(NOT_MIRRORED).deployment_started(account.world.clock.now());
    let lacks = count(&mut account, "Deployment started, the mirror lacks the image", &lacks, "prepared").await?;
    Ok([has, lacks])
}

/// `a, a, b` as `a ×2, b`.
fn run_lengths(items: &[String]) -> String {
    let runs = items.chunk_by(|a, b| a == b).map(|run| match run {
        [one] => one.clone(),
        run => format!("{} ×{}", run[0], run.len()),
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scenarios play as they are named; a cure does not quietly become dearer.
    #[tokio::test]
    async fn a_cure_has_a_known_price() {
        let all = all().await.unwrap();
        let price = |trips: &Trips| format!("{}: {} + {}", trips.what, trips.calls.len(), trips.registry.len());
        insta::assert_snapshot!(all.iter().map(price).collect::<Vec<_>>().join("\n"));
    }

    /// What does not depend on each other is asked side by side.
    #[tokio::test]
    async fn a_service_is_moved_within_nine_round_trips() {
        let (depth, _) = depth().await.unwrap();
        assert!(depth <= 9, "UpdateService came in round trip {depth}");
    }

    #[test]
    fn repeated_calls_are_counted() {
        let items = ["a", "a", "b", "a"].map(str::to_owned);
        assert_eq!(run_lengths(&items), "a ×2, b, a");
    }
}
