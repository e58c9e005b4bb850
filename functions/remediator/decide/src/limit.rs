//! Who shares Docker Hub's limit, and what each is about to pull.

use std::collections::BTreeSet;

use crate::state::RolloutState;
use pullsafe::arn::ServiceId;
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::limit::{LimitAhead, Sharer};
use pullsafe_incident::record::Record;
use pullsafe_radar::{Demand, PendingPulls, Probed, Source};

use super::service::Service;

/// Nothing is foretold from a reading that is older than this many seconds: several later ones must have been lost.
pub const FRESH_SECONDS: i64 = 20 * 60;
/// Launches that began within this many seconds show a rhythm.
const LATELY_SECONDS: i64 = 30 * 60;
/// This many tasks that stopped soon after their launch are a loop.
const LOOP: usize = 2;

/// A launch of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLaunch {
    /// When it began.
    pub began: Timestamp,
    /// Whether it has begun to pull.
    pub has_pulled: bool,
    /// Whether the task has stopped, or is to.
    pub is_over: bool,
}

/// Whether a reading is fresh. The clock that dated it may be up to a minute ahead.
pub fn is_fresh(read: Timestamp, now: Timestamp) -> bool {
    (-60..=FRESH_SECONDS).contains(&now.seconds_since(read))
}

/// Describes a service that shares a limit; `None` where its tasks pull nothing from Docker Hub without credentials, or
/// pull by addresses that are their own or not known. `most` is the highest count that autoscaling may set.
pub fn sharer(service: &Service, definition: &TaskDefinition, most: Option<i64>, now: Timestamp) -> Option<Sharer> {
    let images: BTreeSet<String> = definition
        .images()
        .into_iter()
        .filter(|image| image.reference.as_ref().is_some_and(Reference::is_docker_hub))
        // A pull with credentials counts for their account.
        .filter(|image| {
            definition
                .container(&image.container)
                .is_none_or(|container| container.get("repositoryCredentials").is_none())
        })
        .map(|image| image.written)
        .collect();
    (!images.is_empty() && !service.subnets.is_empty() && !service.public_ip).then(|| Sharer {
        service: service.id.clone(),
        definition: definition.arn().to_owned(),
        images: count(images.len()),
        subnets: service.subnets.clone(),
        most: count(most.unwrap_or_default().max(service.desired)),
        at: now,
    })
}

/// Whether something is done about a service's incident already, or waited for. The service is then left to its
/// incident.
pub fn is_being_treated(record: &Record) -> bool {
    record
        .open
        .as_ref()
        .is_some_and(|incident| incident.acted().is_some() || incident.waiting.is_some())
}

/// Whether a service launches tasks now.
pub fn is_launching(service: &Service) -> bool {
    let rolls = service.primary().is_some_and(|primary| primary.rollout_state == Some(RolloutState::InProgress));
    rolls || service.pending > 0 || service.desired > service.running
}

/// What a service is about to pull.
pub fn demand(sharer: &Sharer, service: &Service, launches: &[TaskLaunch], now: Timestamp) -> Demand {
    let mut made: Vec<_> = launches
        .iter()
        .filter(|launch| now.seconds_since(launch.began) <= LATELY_SECONDS)
        .map(|launch| (launch.began, sharer.images))
        .collect();
    made.sort();
    let lately = |launch: &&TaskLaunch| launch.is_over && now.seconds_since(launch.began) <= LATELY_SECONDS;
    let primary = service.primary();
    // Tasks of earlier deployments are replaced, whether they have pulled or not.
    let began = primary.and_then(|primary| primary.created_at);
    let of_primary = launches.iter().filter(|launch| began.is_none_or(|began| launch.began >= began));
    let pulled = of_primary.filter(|launch| !launch.is_over && launch.has_pulled).count();
    let (desired, running) =
        primary.map_or((service.desired, service.running), |primary| (primary.desired, primary.running));
    let missing = count(desired).saturating_sub(count(pulled).max(count(running)));
    let fails = launches.iter().filter(lately).count() >= LOOP || primary.is_some_and(|primary| primary.failed >= 2);
    let due = match fails && service.desired > service.running {
        true => PendingPulls::WithoutEnd,
        false => PendingPulls::Pulls(missing.saturating_mul(sharer.images)),
    };
    let spare = sharer.most.saturating_sub(count(service.desired)).saturating_mul(sharer.images);
    Demand { service: service.id.to_string(), due, made, spare }
}

/// The newest reading of the address by which this service pulls, if it is fresh.
pub fn reading_for<'a>(sharer: &Sharer, readings: &'a [Probed], now: Timestamp) -> Option<&'a Probed> {
    let theirs = readings.iter().filter(|probed| sharer.is_in(&probed.subnets) && probed.source.is_shared());
    theirs.max_by_key(|probed| probed.reading.at).filter(|probed| is_fresh(probed.reading.at, now))
}

/// The address by which the tasks of a service pull, if fresh readings name only one for all its subnets. Behind
/// several addresses a task pulls by any of them.
pub fn address_of(service: &Service, readings: &[Probed], now: Timestamp) -> Option<Source> {
    let mut found = BTreeSet::new();
    for subnet in &service.subnets {
        let of_it =
            readings.iter().filter(|probed| probed.subnets.contains(subnet) && is_fresh(probed.reading.at, now));
        let sources: BTreeSet<&Source> = of_it.map(|probed| &probed.source).collect();
        if sources.is_empty() {
            return None;
        }
        found.extend(sources);
    }
    let one = found.pop_first().filter(|source| found.is_empty() && source.is_shared() && !service.public_ip);
    one.cloned()
}

/// The subnets that share the source of a reading.
pub fn subnets_of(source: &Source, readings: &[Probed]) -> Vec<String> {
    if !source.is_shared() {
        return Vec::new();
    }
    readings
        .iter()
        .filter(|probed| probed.source == *source)
        .flat_map(|probed| probed.subnets.clone())
        .collect()
}

/// Whether a service is to be moved before its deployment pulls: where a probe reads the limit, only if the limit does
/// not last with the service.
pub fn is_to_move(limit: Option<&LimitAhead>, service: &ServiceId) -> bool {
    limit.is_none_or(|limit| limit.moves(service))
}

fn count(number: impl TryInto<i64>) -> u32 {
    u32::try_from(number.try_into().unwrap_or(i64::MAX).max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_768_504_620_000).plus_seconds(second)
    }

    fn service(network: Value, desired: i64, running: i64, pending: i64) -> Service {
        let deployment = json!({
            "id": "ecs-svc/1", "status": "PRIMARY", "desiredCount": desired, "runningCount": running, "pendingCount": pending,
            "rolloutState": "IN_PROGRESS", "taskDefinition": "app:1",
        });
        Service::from_json(&json!({
            "serviceName": "web", "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "status": "ACTIVE", "desiredCount": desired,
            "runningCount": running, "pendingCount": pending, "networkConfiguration": { "awsvpcConfiguration": network }, "deployments": [deployment],
        }))
        .unwrap()
    }

    fn definition() -> TaskDefinition {
        TaskDefinition::from_json(&json!({ "taskDefinition": { "taskDefinitionArn": "app:1", "containerDefinitions": [
            { "name": "app", "image": "nginx:1" },
            { "name": "again", "image": "nginx:1" },
            { "name": "side", "image": "redis:7" },
            { "name": "paid", "image": "acme/private:1", "repositoryCredentials": { "credentialsParameter": "arn" } },
            { "name": "own", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1" },
        ] } }))
        .unwrap()
    }

    #[test]
    fn who_shares_a_limit_pulls_without_credentials_and_by_the_nat() {
        let private = json!({ "subnets": ["subnet-0a1b2c3d"], "assignPublicIp": "DISABLED" });
        let found = sharer(&service(private.clone(), 4, 4, 0), &definition(), Some(10), at(0)).unwrap();
        assert_eq!(
            (found.images, found.most, found.needs()),
            (2, 10, 20),
            "each image once, and none that an account pays for"
        );
        let public = json!({ "subnets": ["subnet-0a1b2c3d"], "assignPublicIp": "ENABLED" });
        assert_eq!(sharer(&service(public, 4, 4, 0), &definition(), None, at(0)), None, "it has an address of its own");
        assert_eq!(
            sharer(&service(Value::Null, 4, 4, 0), &definition(), None, at(0)),
            None,
            "by which address is not known"
        );
        let own = TaskDefinition::from_json(
            &json!({ "taskDefinition": { "containerDefinitions": [{ "name": "app", "image": "public.ecr.aws/x:1" }] } }),
        );
        assert_eq!(sharer(&service(private, 4, 4, 0), &own.unwrap(), None, at(0)), None);
    }

    #[test]
    fn what_is_due_is_what_has_not_been_pulled_yet_and_a_loop_has_no_end() {
        let private = json!({ "subnets": ["subnet-0a1b2c3d"] });
        let rolling = service(private, 10, 3, 2);
        let known = sharer(&rolling, &definition(), None, at(0)).unwrap();
        let launch = |second, has_pulled, is_over| TaskLaunch { began: at(second), has_pulled, is_over };
        let pulled = launch(-60, true, false);
        let under_way = [pulled, pulled, pulled, pulled, launch(-10, false, false)];
        let found = demand(&known, &rolling, &under_way, at(0));
        assert_eq!(
            (found.due, found.spare, found.made.len()),
            (PendingPulls::Pulls(12), 0, 5),
            "three run, and one more has pulled"
        );
        let failing = [launch(-900, true, true), launch(-600, true, true), launch(-20, true, false)];
        assert_eq!(demand(&known, &rolling, &failing, at(0)).due, PendingPulls::WithoutEnd);
        // What ran for hours and was replaced has not failed.
        let replaced = [launch(-90_000, true, true), launch(-80_000, true, true)];
        assert_eq!(demand(&known, &rolling, &replaced, at(0)).due, PendingPulls::Pulls(14));
    }

    #[test]
    fn an_address_is_known_where_readings_of_now_name_one_alone() {
        let read = |source: &str, subnets: &[&str], second: i64| Probed {
            source: Source::parse(source).unwrap(),
            subnets: subnets.iter().map(|subnet| (*subnet).to_owned()).collect(),
            reading: pullsafe_radar::Reading {
                remaining: 0,
                limit: 100,
                window_seconds: 21_600,
                at: at(second),
            },
        };
        let behind = |subnets: &[&str]| service(json!({ "subnets": subnets, "assignPublicIp": "DISABLED" }), 2, 2, 0);
        let address = |service: &Service, readings: &[Probed]| {
            address_of(service, readings, at(1800)).map(|source| source.to_string())
        };
        let (one, other) = (behind(&["subnet-a"]), behind(&["subnet-a", "subnet-b"]));
        let of_a = read("203.0.113.7", &["subnet-a"], 1700);
        let known = Some("203.0.113.7".to_owned());
        assert_eq!(address(&one, std::slice::from_ref(&of_a)), known);
        assert_eq!(address(&other, std::slice::from_ref(&of_a)), None, "nothing is known of the other subnet");
        let both = [of_a.clone(), read("203.0.113.7", &["subnet-b"], 1650)];
        assert_eq!(address(&other, &both), known);
        let apart = [of_a.clone(), read("203.0.113.8", &["subnet-b"], 1650)];
        assert_eq!((address(&one, &apart), address(&other, &apart)), (known.clone(), None));
        // A probe behind several addresses reads one after the other.
        let in_turn = [of_a.clone(), read("203.0.113.8", &["subnet-a"], 1650)];
        assert_eq!(address(&one, &in_turn), None);
        assert_eq!(address(&one, &[read("203.0.113.7", &["subnet-a"], 0)]), None, "that was long ago");
        assert_eq!(address(&one, &[read("some-account", &["subnet-a"], 1700)]), None);
        let public = service(json!({ "subnets": ["subnet-a"], "assignPublicIp": "ENABLED" }), 2, 2, 0);
        assert_eq!(address(&public, &[of_a]), None, "its tasks have addresses of their own");
        assert_eq!(address(&behind(&[]), &both), None);
    }
}
