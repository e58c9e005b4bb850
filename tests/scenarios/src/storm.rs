//! A storm: the quota belongs to an address, so every service behind that address fails at once.

use std::collections::BTreeMap;

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};
use testkit::aws::dynamodb::Units;
use testkit::registry::Sample;

use crate::world::{NAT, Setup, World};

const REPOSITORY: &str = "iseepatterns/court-case-backend";

/// What happened in an hour of a storm.
pub struct Storm {
    /// The world after that hour.
    pub world: World,
    /// How many services there are.
    pub services: usize,
    /// Seconds from the first failure until every service ran from the mirror; `None` if one did not.
    pub moved_after: Option<i64>,
    /// The number of calls in the whole hour, by IAM name.
    pub calls: BTreeMap<String, usize>,
    /// The number of calls after the first minute, by IAM name.
    pub calls_later: BTreeMap<String, usize>,
    /// What the table was charged for.
    pub units: Units,
    /// Calls that were refused because they came too fast: how many, and the last of them in seconds since the
    /// beginning.
    pub refused: BTreeMap<String, (usize, i64)>,
}

impl Storm {
    /// Plays an hour in which this many services, with two tasks each, meet a used-up quota within the limits of a new
    /// account.
    pub async fn play(setup: Setup, services: usize) -> Self {
        let mut world = setup.build();
        world.limit();
        Sample::new(1).build().push(world.hub.store(), REPOSITORY, "latest");
        world.hub.quota().spend(NAT, 100, world.clock.now());
        let definition = world.define("court", &[&format!("{REPOSITORY}:latest")]);
        for number in 0..services {
            world.create_service(&format!("web-{number}"), &definition, 2, json!({}));
        }
        world.tables.take_units();
        let start = world.clock.now();
        let mut moved_after = None;
        let mut minute = BTreeMap::new();
        for second in (30..=3600).step_by(30) {
            world.run_until(start.plus_seconds(second)).await;
            if minute.is_empty() && world.aws.actions().iter().any(|action| action == "ecs:DescribeServices") {
                minute = counted(&world);
            }
            let on_mirror = |number| world.service(&format!("web-{number}"))["taskDefinition"] != json!(definition);
            if moved_after.is_none() && (0..services).all(on_mirror) {
                moved_after = Some(second);
            }
        }
        let calls = counted(&world);
        let calls_later =
            calls.iter().map(|(name, count)| (name.clone(), count - minute.get(name).unwrap_or(&0))).collect();
        let units = world.tables.take_units();
        let mut refused: BTreeMap<String, (usize, i64)> = BTreeMap::new();
        for refusal in world.aws.refused() {
            let known = refused.entry(refusal.call).or_default();
            *known = (known.0 + 1, refusal.at.seconds_since(start));
        }
        Self {
            world,
            services,
            moved_after,
            calls,
            calls_later,
            units,
            refused,
        }
    }

    /// How many of these calls were made per service after the first minute.
    pub fn each(&self, call: &str) -> f64 {
        self.calls_later.get(call).map_or(0.0, |count| *count as f64 / self.services as f64)
    }
}

/// The event of a stopped task without a service, with this reason for its container.
pub fn stop_of_a_family(number: i64, at: Timestamp, reason: &str) -> Value {
    let task = format!("arn:aws:ecs:eu-west-1:123456789012:task/prod/{number:032x}");
    let detail = json!({
        "taskArn": task, "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "group": "family:batch", "version": 7,
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/batch:7", "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in \
            task exited",
        "stoppedAt": at, "containers": [{ "name": "app", "exitCode": 137, "lastStatus": "STOPPED", "reason": reason }],
    });
    json!({
        "version": "0", "id": format!("{number}"), "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "123456789012",
        "time": at, "region": "eu-west-1", "resources": [task], "detail": detail,
    })
}

fn counted(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in world.aws.calls() {
        *counts.entry(format!("{}:{}", call.service, call.operation)).or_default() += 1;
    }
    counts
}
