//! The pause of a service, the way back, and the new deployment where a digest is gone.

use super::*;

#[test]
fn a_missing_image_pauses_a_service_of_which_nothing_runs() {
    check(
        missing,
        |_| {},
        "pullsafe:paused-scaling=in=true out=false scheduled=false | set the suspended state of autoscaling of \
         prod/web to in=true out=true scheduled=true | set the desired count of prod/web from 2 to 0",
    );
    check(missing, |case| case.seen.scaling = Lookup::Absent, "act: tag service prod/web");
    check(missing, |case| case.incident.causes[0].tasks = 1, "wait: MoreFailures");
}

#[test]
fn a_pause_gives_its_reasons_for_not_pausing() {
    let rows: Vec<Row<Case>> = vec![
        (Box::new(|case| case.settings.pause = false), "pausing services is switched off"),
        (Box::new(set_service(|service| service["runningCount"] = json!(1))), "1 task of the service runs"),
        (
            Box::new(set_service(|service| {
                service["deployments"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"id": "ecs-svc/0", "status": "ACTIVE", "runningCount": 2}))
            })),
            "2 tasks of the service run",
        ),
        (
            Box::new(set_service(|service| service["desiredCount"] = json!(0))),
            "the desired count is 0 already",
        ),
        (
            Box::new(|case| {
                case.seen.stack = Lookup::Found(Stack { name: "app".to_owned(), status: "CREATE_IN_PROGRESS".into() })
            }),
            "stack app is CREATE_IN_PROGRESS",
        ),
        (
            Box::new(|case| case.seen.stack = Lookup::Unknown(Doubt::lasting("denied"))),
            "whether the service's stack is being deployed could not be found out: denied",
        ),
        (
            Box::new(|case| case.seen.scaling = Lookup::Unknown(Doubt::lasting("denied"))),
            "whether autoscaling would raise the count again could not be found out: denied",
        ),
        (Box::new(|case| case.seen.wanted = resolved("x")), "exists now; ECS will find it at its next try"),
        (
            Box::new(|case| case.seen.wanted = Lookup::Unknown(Doubt::lasting("denied"))),
            "could not be confirmed: denied",
        ),
        (
            Box::new(|case| add_other_cause(case, at(1))),
            "tasks of this service also stopped for another cause (app-crashed)",
        ),
        (
            Box::new(|case| case.incident.causes[0].diagnosis.image = None),
            "the message does not name the image",
        ),
        (
            Box::new(set_service(|service| service["schedulingStrategy"] = json!("DAEMON"))),
            "it is a DAEMON service",
        ),
    ];
    for (change, expected) in rows {
        check(missing, change, expected);
    }
    check(missing, |case| add_other_cause(case, at(-120)), "act: tag service");
}

#[test]
fn a_paused_service_comes_back_with_its_image_unless_a_person_was_first() {
    let paused = |case: &mut Case, desired: i64| {
        case.incident.pause = decided(&missing()).plan;
        case.seen.service = Lookup::Found(service(|service| {
            service["desiredCount"] = json!(desired);
            service["tags"] = json!([
                {"key": "pullsafe:paused-count", "value": "2"}, {"key": "pullsafe:paused-for", "value": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"},
                {"key": "pullsafe:paused-scaling", "value": "in=true out=false scheduled=false"}, {"key": "pullsafe:cause", "value": "image-not-found"},
            ]);
        }));
    };
    let back = "set the suspended state of autoscaling of prod/web to in=true out=false scheduled=false | remove the \
        tags pullsafe:paused-count, pullsafe:paused-for, pullsafe:paused-scaling, pullsafe:cause from service prod/web";
    check(missing, |case| paused(case, 0), "wait: Image");
    check(
        missing,
        |case| {
            paused(case, 0);
            case.seen.wanted = resolved("app");
        },
        &format!("act: set the desired count of prod/web from 0 to 2 | {back}"),
    );
    check(missing, |case| paused(case, 5), &format!("act: {back}"));
    // RegisterScalableTarget would move a person's count into the bounds.
    check(
        missing,
        |case| paused(case, 12),
        "act: remove the tags pullsafe:paused-count, pullsafe:paused-for, pullsafe:paused-scaling, pullsafe:cause \
         from service prod/web",
    );
    // Whoever may tag the service could have written the tags.
    check(
        missing,
        |case| {
            paused(case, 0);
            case.incident.pause = None;
            case.seen.wanted = resolved("app");
        },
        "a pause that pullsafe does not remember, and tags alone restore nothing; to restore it: aws ecs \
         update-service --cluster prod --service web",
    );
}

#[test]
fn a_young_deployment_is_not_paused_and_a_push_wakes_it() {
    let young = |case: &mut Case| {
        case.settings.pause_after_minutes = 30;
        case.seen.service = Lookup::Found(service(|service| {
            service["deployments"][0]["createdAt"] = json!(at(0).seconds());
            service["pendingCount"] = json!(0);
        }));
        case.now = at(29);
    };
    let image: Reference = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1".parse().unwrap();
    let wait = WaitingFor::Push { image, pause_at: at(30) };
    check(missing, young, &format!("wait: {wait:?}"));
    let old = |case: &mut Case| {
        young(case);
        case.now = at(30);
    };
    check(missing, old, "set the desired count of prod/web from 2 to 0");
    let pushed = |case: &mut Case| {
        young(case);
        case.incident.waiting = Some(WaitingIncident { cause: wait.clone(), since: at(1), unseen_since: None });
        case.seen.wanted = resolved("app");
        let definition = json!({"taskDefinition": {"taskDefinitionArn": DEFINITION, "family": "web"}});
        case.seen.task_definition = Lookup::Found(TaskDefinition::from_json(&definition).unwrap());
    };
    check(missing, pushed, "act: register web:7 again as it is and move service prod/web to it");
    let starting = |case: &mut Case| {
        pushed(case);
        if let Lookup::Found(service) = &mut case.seen.service {
            service.pending = 1;
        }
    };
    check(missing, starting, &format!("wait: {wait:?}"));
}

#[test]
fn a_digest_that_is_gone_needs_a_new_deployment() {
    check(gone, |_| {}, "act: force a new deployment of prod/web");
    check(
        gone,
        set_service(|service| service["runningCount"] = json!(1)),
        "a new deployment would replace them with whatever the tag means now",
    );
    check(gone, |case| case.seen.wanted = Lookup::Absent, "set the desired count of prod/web from 2 to 0");
    check(
        gone,
        |case| case.seen.wanted = Lookup::Unknown(Doubt::lasting("denied")),
        "could not be confirmed: denied",
    );
    let by_digest = |case: &mut Case| {
        let image = format!("{MIRROR}/app@{}", digest("old"));
        let definition = json!({"taskDefinition": {"taskDefinitionArn": DEFINITION, "containerDefinitions": [{"name": "app", "image": image}]}});
        case.seen.task_definition = Lookup::Found(TaskDefinition::from_json(&definition).unwrap());
    };
    check(gone, by_digest, "the task definition itself names the digest");
}

#[test]
fn a_paused_pinned_service_is_restored_with_a_new_deployment() {
    check(
        gone,
        |case| {
            let mut absent = gone();
            absent.seen.wanted = Lookup::Absent;
            case.incident.pause = decided(&absent).plan;
            case.seen.service = Lookup::Found(service(|service| {
                service["desiredCount"] = json!(0);
                service["tags"] = json!([
                    {"key": "pullsafe:paused-count", "value": "4000"}, {"key": "pullsafe:paused-for", "value": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"},
                    {"key": "pullsafe:cause", "value": "image-digest-gone"},
                ]);
            }));
        },
        "act: set the desired count of prod/web from 0 to 2 and force a new deployment",
    );
}
