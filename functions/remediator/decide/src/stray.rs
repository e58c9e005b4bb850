//! A service that carries the tags of a pause which the table does not know: the table or the stack was created anew.
//!
//! Tags alone restore nothing, because whoever may tag a service could write them (`remedy/restore.rs`): people are
//! told what the tags say and what to type. Whatever the tags say is parsed before it is shown.

use pullsafe::lookup::{Lookup, ResolvedImage};
use pullsafe::reference::{Reference, Registry};
use pullsafe::timestamp::Timestamp;
use pullsafe_incident::command;
use pullsafe_incident::notice::Stray;
use pullsafe_incident::plan::Suspended;

use super::service::{Service, marks};

/// What tells this pause from another one of the same service; `None` where the service carries no mark of a pause.
pub fn mark(service: &Service) -> Option<String> {
    let marked = marks::OF_A_PAUSE.iter().any(|key| *key != marks::CAUSE && service.tags.contains_key(*key));
    let at = || service.tags.get(marks::PAUSED_AT).and_then(|at| Timestamp::parse(at));
    marked.then(|| at().map_or_else(|| "at a time that is not said".to_owned(), |at| at.to_string()))
}

/// The image that a service was paused for, as its tag says; `None` for a registry that only the tag knows, which is
/// not asked.
pub fn image(service: &Service) -> Option<Reference> {
    let image: Reference = service.tags.get(marks::PAUSED_FOR)?.parse().ok()?;
    matches!(image.kind(), Registry::DockerHub | Registry::EcrPrivate | Registry::EcrPublic).then_some(image)
}

/// What people are told of the pause.
pub fn told(service: &Service, wanted: Option<(&Reference, &Lookup<ResolvedImage>)>) -> Stray {
    let tag = |key: &str| service.tags.get(key).map(String::as_str);
    let count = service.paused_count().filter(|count| (1..=10_000).contains(count));
    let scaling = tag(marks::PAUSED_SCALING).and_then(Suspended::parse);
    let is_paused = service.desired == 0;
    let mut says = vec![match (is_paused, count) {
        (true, Some(count)) => format!("its desired count is 0, and was {count} before"),
        (true, None) => "its desired count is 0, and the tags do not say what it was".to_owned(),
        (false, _) => format!(
            "its desired count is {}: it is not paused any more, and the tags are only left over",
            service.desired
        ),
    }];
    says.extend(tag(marks::PAUSED_AT).and_then(Timestamp::parse).map(|at| format!("paused at {at}")));
    says.extend(tag(marks::PAUSED_BY).filter(|by| is_stack_name(by)).map(|by| format!("by the stack {by}")));
    says.extend(wanted.map(|(image, found)| match found {
        Lookup::Found(resolved) => format!("until {image} exists, which it does now ({})", resolved.digest),
        Lookup::Absent => format!("until {image} exists, which it does not"),
        Lookup::Unknown(why) => format!("until {image} exists, which could not be looked up: {why}"),
    }));
    let mut commands = Vec::new();
    if is_paused {
        let restore = command::count(&service.id, count.unwrap_or(1));
        commands.push(if count.is_some() {
            restore
        } else {
            restore.replace("--desired-count 1", "--desired-count COUNT")
        });
    }
    commands.extend(scaling.map(|state| command::scaling(&service.id, state)));
    let keys: Vec<String> = marks::OF_A_PAUSE
        .iter()
        .filter(|key| service.tags.contains_key(**key))
        .map(|key| (*key).to_owned())
        .collect();
    commands.push(command::untag(&service.id, &keys));
    Stray { is_paused, says, commands }
}

fn is_stack_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(desired: i64, tags: &[(&str, &str)]) -> Service {
        let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";
        Service::from_json(
            &json!({ "serviceName": "web", "clusterArn": cluster, "status": "ACTIVE", "desiredCount": desired, "tags": tags }),
        )
        .unwrap()
    }

    #[test]
    fn what_somebody_else_wrote_into_the_tags_is_not_shown() {
        let nonsense = "`rm -rf /`\nnow";
        let found = service(
            0,
            &[
                (marks::PAUSED_COUNT, "99999999"),
                (marks::PAUSED_AT, nonsense),
                (marks::PAUSED_BY, nonsense),
                (marks::PAUSED_FOR, nonsense),
                (marks::PAUSED_SCALING, nonsense),
            ],
        );
        let stray = told(&found, None);
        assert_eq!(mark(&found).as_deref(), Some("at a time that is not said"));
        assert_eq!(image(&found), None);
        assert_eq!(stray.says, ["its desired count is 0, and the tags do not say what it was"]);
        assert!(stray.commands[0].ends_with("--desired-count COUNT"), "{stray:?}");
        assert!(!format!("{stray:?}").contains("rm -rf"), "{stray:?}");
    }

    #[test]
    fn a_service_without_marks_is_no_stray() {
        assert_eq!(mark(&service(0, &[])), None);
        assert_eq!(
            mark(&service(0, &[(marks::CAUSE, "registry-rate-limited"), (marks::MOVED_FROM, "app:1")])),
            None,
            "it was moved"
        );
    }
}
