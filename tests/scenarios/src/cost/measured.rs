//! Counts what the functions do: in an hour in which nothing happens, for a deployment, and for an incident.

use serde_json::{Value, json};
use testkit::registry::Sample;

use super::{StandingCost, Usage};
use crate::gate::GateStage;
use crate::world::{NAT, Setup, World};

/// How many readings a probe makes in an hour, by default.
const READINGS: usize = 12;
/// How many metrics a probe has.
const METRICS_OF_A_PROBE: f64 = 2.0;
/// How many requests to Docker Hub a reading takes: one for a token, one for the limit.
const REQUESTS_OF_A_READING: f64 = 2.0;
/// How many metrics an incident has in an hour: its outcomes, and the remedy.
const METRICS_OF_AN_INCIDENT: f64 = 5.0;

/// The counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// An hour in which nothing happens, including the gate's part.
    pub idle_hour: Usage,
    /// One successful deployment of a service with two tasks.
    pub deployment: Usage,
    /// One service that meets Docker Hub's quota and is moved to the mirror, until its incident is closed.
    pub incident: Usage,
    /// What a probe adds to an hour in which nobody pulls.
    pub probe_hour: Usage,
    /// A stack with its defaults.
    pub observing: StandingCost,
    /// A stack that acts and has a mirror.
    pub acting: StandingCost,
    /// A stack that acts and has a mirror and a probe.
    pub probing: StandingCost,
}

impl Measured {
    /// Plays everything and counts. The template says what the stacks have.
    pub async fn count(template: &str) -> Self {
        let (hour, gate) = (idle_hour().await, gate_sweep().await.times(60.0));
        Self {
            idle_hour: hour + gate,
            deployment: deployment(hour).await,
            incident: incident(hour).await,
            probe_hour: probe_hour().await,
            observing: standing(template, |_| false),
            acting: standing(template, is_no_probes),
            probing: standing(template, |_| true),
        }
    }
}

/// Whether a condition is not the probe's. It is the mirror's then.
fn is_no_probes(line: &str) -> bool {
    line != "Condition: HasProbe"
}

/// What a stack of this template has if these conditions hold.
fn standing(template: &str, holds: fn(&str) -> bool) -> StandingCost {
    let of_kind = |kind: &str, condition: &str| {
        let lines: Vec<&str> = template.lines().map(str::trim).collect();
        let found = lines.iter().enumerate().filter(|(_, line)| **line == format!("Type: {kind}"));
        let block = |start: usize| lines.iter().skip(start + 1).take_while(|line| !line.starts_with("Type: ")).take(6);
        let counted =
            found.filter(|(start, _)| block(*start).filter(|line| line.starts_with(condition)).all(|line| holds(line)));
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    };
    StandingCost {
        alarms: of_kind("AWS::CloudWatch::Alarm", "Condition:"),
        mappings: of_kind("SQS", "Enabled:"),
        dashboards: of_kind("AWS::CloudWatch::Dashboard", "Condition:"),
    }
}

/// What the remediator uses in this many seconds.
async fn used(world: &mut World, seconds: i64) -> Usage {
    world.tables.take_units();
    world.aws.clear_log();
    let before = world.invocations();
    world.run_for(seconds).await;
    let units = world.tables.take_units();
    let calls = world.aws.calls();
    let of = |service: &str, operation: &str| {
        calls.iter().filter(|call| call.service == service && call.operation == operation).count()
    };
    let batches = calls.iter().filter(|call| call.operation == "SendMessageBatch");
    let batched: usize = batches.map(|call| call.request["Entries"].as_array().map_or(0, Vec::len)).sum();
    Usage {
        runs: (world.invocations() - before) as f64,
        calls: calls.len() as f64,
        write_units: units.write as f64,
        read_units: units.half_read as f64 / 2.0,
        messages: (of("sqs", "SendMessage") + batched) as f64,
        notices: of("sns", "Publish") as f64,
        events: of("events", "PutEvents") as f64,
        metric_hours: 0.0,
    }
}

async fn idle_hour() -> Usage {
    used(&mut Setup::new().build(), 3600).await
}

async fn gate_sweep() -> Usage {
    let stage = GateStage::new().await;
    let before = stage.aws.calls().len();
    stage.sweep().await;
    let calls = (stage.aws.calls().len() - before) as f64;
    // Each call is a query that finds nothing.
    Usage {
        runs: 1.0,
        calls,
        read_units: calls / 2.0,
        ..Usage::default()
    }
}

async fn deployment(hour: Usage) -> Usage {
    let mut world = Setup::new().with("PULLSAFE_AHEAD", "warn").build();
    Sample::new(1).build().push(world.images.store(), "app", "1");
    let definition = world.define("web", &[&format!("{}/app:1", world.images.host())]);
    world.create_service("web", &definition, 2, json!({}));
    world.run_for(1800).await;
    world.update_service("web", json!({ "forceNewDeployment": true }));
    used(&mut world, 3600).await + hour.times(-1.0)
}

/// What the remediator uses for the readings, and the probe's own runs.
async fn probe_hour() -> Usage {
    let mut world = Setup::new().with("PULLSAFE_QUOTA_PROBE", "true").build();
    world.tables.take_units();
    let mut sum = Usage::default();
    for _ in 0..READINGS {
        let mut event: Value = serde_json::from_str(include_str!("../../../../events/quota-read.json"))
            .expect("the example of a reading is JSON");
        event["time"] = json!(world.clock.now());
        event["detail"]["responsePayload"]["at"] = json!(world.clock.now());
        event["detail"]["responsePayload"]["remaining"] = json!(100);
        world.aws.clear_log();
        let before = world.invocations();
        world.deliver(&event).await;
        let units = world.tables.take_units();
        // The probe's own run, and the event that Lambda makes of its answer.
        sum = sum
            + Usage {
                runs: 1.0 + (world.invocations() - before) as f64,
                calls: REQUESTS_OF_A_READING + world.aws.calls().len() as f64,
                write_units: units.write as f64,
                read_units: units.half_read as f64 / 2.0,
                events: 1.0,
                ..Usage::default()
            };
        world.run_for(3600 / READINGS as i64).await;
        world.tables.take_units();
    }
    Usage { metric_hours: METRICS_OF_A_PROBE, ..sum }
}

async fn incident(hour: Usage) -> Usage {
    let mut world = Setup::new().build();
    Sample::new(1).build().push(world.hub.store(), "acme/app", "1");
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("web", &["acme/app:1"]);
    world.create_service("web", &definition, 2, json!({}));
    let used = used(&mut world, 2 * 3600).await + hour.times(-2.0);
    Usage { metric_hours: METRICS_OF_AN_INCIDENT, ..used }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_without_a_mirror_has_less() {
        let template = include_str!("../../../../template.yaml");
        let (observing, acting) = (standing(template, |_| false), standing(template, is_no_probes));
        assert_eq!((acting.mappings, observing.mappings, acting.dashboards), (4, 2, 1));
        let probing = standing(template, |_| true);
        assert_eq!((probing.alarms - acting.alarms, probing.mappings), (3, 4), "the probe's");
        assert!(observing.alarms + 8 == acting.alarms && observing.alarms >= 10, "{observing:?} {acting:?}");
    }
}
