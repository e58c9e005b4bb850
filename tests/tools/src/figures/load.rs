//! The remediator's binary at work: its memory over a thousand events, and how many it handles in a second.
//!
//! It talks to the fakes over real sockets. The fakes are of the dev build and share the machine, so that the time on
//! the wall is theirs as much as the function's; the function's own time on the processor is told beside it.

use std::path::Path;
use std::time::{Duration, Instant};

use pullsafe::clock;
use serde_json::Value;

use super::account::{MIRRORED, OWN_REPOSITORY, PlayedAccount};
use super::events::{self, NOT_FOUND, QUOTA, SCALING, Stopping};
use super::machine::{processor_seconds, resident_bytes};
use super::report::{FiguresDocument, Goal, megabytes, rounded};
use super::start::median;
use crate::e2e::{Result, WhatWasTried as _, ensure};
use scenarios::world::WORK_QUEUE;
use testkit::runtime_api::{FunctionOutcome, Runtime};

/// How many events the memory is watched over.
const EVENTS: usize = 1000;
/// The most memory that may ever be resident, in megabytes.
const MOST_MEMORY: f64 = 30.0;
/// How many services are cured where only cures are measured.
const CURES: usize = 200;
/// How many fresh processes are given a first event.
const FRESH: usize = 10;

/// Gives one process a thousand events of many kinds, and watches its memory.
///
/// # Errors
/// If an event is not answered.
pub async fn memory(bootstrap: &Path, report: &mut FiguresDocument) -> Result<()> {
    report.section("Memory of the remediator");
    report.prose(&format!(
        "One process, {EVENTS} events: in every ten, a service meets Docker Hub's quota and is moved, the same event \
         again, a second \
         stop of it, a stop in the normal course of events, two stops for a missing image (the second pauses the \
         service), a push of \
         another image, the push that restores it, a task that runs, and a sweep or a batch of ten looks from the \
         queue. Resident, as \
         Linux counts it."
    ));
    let mut account = PlayedAccount::new(clock::system()());
    let (_served, config) = account.serve(bootstrap).await?;
    let mut runtime = Runtime::start(&config).await.context("start the remediator")?;
    let resident = |runtime: &Runtime| runtime.process_id().and_then(resident_bytes).unwrap_or_default();
    report.figure("before the first event", &format!("{} MB", megabytes(resident(&runtime))), None);
    let mut handled = 0;
    let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
    for cycle in 0..EVENTS / 10 {
        for event in ten_events(&mut account, cycle) {
            let answer = invoke(&mut runtime, &event).await?;
            if event.get("Records").is_some() {
                account.world.queues.settle(WORK_QUEUE, &event, &[]);
            }
            *outcomes.entry(answer["outcome"].as_str().unwrap_or("batch").to_owned()).or_default() += 1;
            handled += 1;
            if [1, 10, 100, EVENTS / 2, EVENTS].contains(&handled) {
                report.figure(
                    &format!("after {}", pullsafe::count::count(handled, "event")),
                    &format!("{} MB", megabytes(resident(&runtime))),
                    None,
                );
            }
        }
        account.clear_logs();
    }
    let peak = runtime.peak_resident_bytes().context("read the peak of the process")?;
    report.figure(
        "peak",
        &format!("{} MB", megabytes(peak)),
        Goal::at_most(MOST_MEMORY, "MB", peak as f64 / 1_000_000.0),
    );
    // What grows with the number of open incidents, which a sweep reads, is one thing; what grew with every event would
    // be a leak.
    let service = account.service(MIRRORED);
    let stop = account.stop(&service, QUOTA);
    for _ in 0..=EVENTS {
        invoke(&mut runtime, &stop).await?;
        account.clear_logs();
    }
    report.figure(
        &format!("then, after {EVENTS} duplicates of one event"),
        &format!("{} MB", megabytes(resident(&runtime))),
        None,
    );
    for _ in 0..CURES {
        let stop = stop_of_new_service(&mut account);
        expect(&mut runtime, &stop, "acted").await?;
        account.clear_logs();
    }
    report.figure(&format!("then, after {CURES} cures more"), &format!("{} MB", megabytes(resident(&runtime))), None);
    let outcomes: Vec<String> = outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    report.prose(&format!("Outcomes: {}.", outcomes.join(", ")));
    runtime.stop().await.context("stop the remediator")
}

/// One turn of the mix.
fn ten_events(account: &mut PlayedAccount, cycle: usize) -> [Value; 10] {
    let limited = account.service(MIRRORED);
    let tag = format!("v{cycle}");
    let image = account.own_image(&tag);
    let missing = account.service(&image);
    let first = account.stop(&limited, QUOTA);
    let [second, scaling] = [QUOTA, SCALING].map(|like| account.stop(&limited, like));
    let [not_found, again] = [NOT_FOUND, NOT_FOUND].map(|like| account.stop(&missing, like));
    // It is pushed before its service stops the second time in every other turn: then there is no pause.
    if cycle % 2 == 1 {
        account.push(&tag);
    }
    let housekeeping = account.world.queues.deliver(WORK_QUEUE, 10).unwrap_or_else(events::sweep);
    [
        first.clone(),
        first,
        second,
        scaling,
        not_found,
        again,
        events::pushed(OWN_REPOSITORY, "another"),
        events::pushed(OWN_REPOSITORY, &tag),
        events::running(),
        housekeeping,
    ]
}

/// Measures how long the first event takes, and how many of each kind are handled in a second after it.
///
/// # Errors
/// If an event is not answered as it should be.
pub async fn throughput(bootstrap: &Path, report: &mut FiguresDocument) -> Result<()> {
    report.section("Events of the remediator");
    report.prose(
        "Through a local Runtime API, one after the other, with every call to AWS and every request to a registry \
         over a loopback \
         socket. The fakes behind it are of the dev build and run on the same machine: the rate is a floor; \"own\" \
         is the function's \
         own time on the processor, in the program and in the kernel.",
    );
    let mut account = PlayedAccount::new(clock::system()());
    let (served, config) = account.serve(bootstrap).await?;

    for (what, is_cure) in
        [("first event of a process, ignored", false), ("first event of a process, a full cure", true)]
    {
        let (mut wall, mut own) = (Vec::new(), 0.0);
        for _ in 0..FRESH {
            let (event, outcome) = if is_cure {
                (stop_of_new_service(&mut account), "acted")
            } else {
                (events::running(), "ignored")
            };
            let mut runtime = Runtime::start(&config).await.context("start the remediator")?;
            let used = processor(&runtime);
            let begin = Instant::now();
            expect(&mut runtime, &event, outcome).await?;
            wall.push(begin.elapsed());
            own += processor(&runtime) - used;
            runtime.stop().await.context("stop the remediator")?;
        }
        let wall = median(&mut wall).as_secs_f64() * 1000.0;
        report.figure(
            what,
            &format!("{wall:.1} ms (median of {FRESH}; own {:.1} ms)", own * 1000.0 / FRESH as f64),
            None,
        );
    }

    let mut runtime = Runtime::start(&config).await.context("start the remediator")?;
    let known = stop_of_new_service(&mut account);
    expect(&mut runtime, &known, "acted").await?;
    let cures: Vec<Value> = (0..CURES).map(|_| stop_of_new_service(&mut account)).collect();
    for (what, events, outcome) in [
        ("ignored event (a task that runs)", vec![events::running(); 1000], "ignored"),
        ("duplicate (lease taken and given back)", vec![known; 500], "ignored"),
        ("full cure (case A, the mirror has the image)", cures, "acted"),
    ] {
        let (used, connections) = (processor(&runtime), served.connections());
        let mut wall = Duration::ZERO;
        let count = events.len() as f64;
        for event in events {
            let begin = Instant::now();
            expect(&mut runtime, &event, outcome).await?;
            wall += begin.elapsed();
            account.clear_logs();
        }
        let own = (processor(&runtime) - used) * 1000.0 / count;
        let opened = (served.connections() - connections) as f64 / count;
        let figure = format!(
            "{} a second ({:.2} ms each; own {own:.2} ms; {opened:.2} new connections to AWS)",
            rounded(count / wall.as_secs_f64()),
            wall.as_secs_f64() * 1000.0 / count
        );
        report.figure(what, &figure, None);
    }
    runtime.stop().await.context("stop the remediator")
}

fn stop_of_new_service(account: &mut PlayedAccount) -> Value {
    let service: Stopping = account.service(MIRRORED);
    account.stop(&service, QUOTA)
}

fn processor(runtime: &Runtime) -> f64 {
    runtime.process_id().and_then(processor_seconds).unwrap_or_default()
}

async fn expect(runtime: &mut Runtime, event: &Value, outcome: &str) -> Result<()> {
    let answer = invoke(runtime, event).await?;
    ensure(answer["outcome"] == outcome, format!("expected `{outcome}`, got {answer}"))
}

async fn invoke(runtime: &mut Runtime, event: &Value) -> Result<Value> {
    match runtime.invoke(event).await.context("invoke the remediator")? {
        FunctionOutcome::Response(answer) => Ok(answer),
        FunctionOutcome::Error(error) => {
            ensure(false, format!("the remediator failed: {error}; {:?}", runtime.lines().last()))?;
            Ok(error)
        }
    }
}
