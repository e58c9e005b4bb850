//! The move to a copy, and why it is not made.

use super::*;

#[test]
fn a_quota_moves_every_docker_hub_image() {
    check(
        limited,
        |_| {},
        "act: clone web:7 with acme/app:1 -> \
         123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/acme/app:1@sha256:e5b64e036a824541aba96b8cf05cf4e4f4b7f8bba99078880c35140b07977841, redis:7 -> 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis:7@sha256:00ed341fa17da659b63730e405322fbaa9be1e0edc43f9a46d6c173037feabce and move service prod/web to it | tag service prod/web with pullsafe:cause=",
    );
    check(limited, set_service(|service| service["runningCount"] = json!(2)), "act: clone");
    check(limited, |case| case.incident.causes[0].tasks = 1, "act: clone");
}

#[test]
fn a_move_gives_its_reasons_for_not_moving() {
    let rows: Vec<Row<Case>> = vec![
        (Box::new(|case| case.incident.causes[0].diagnosis.kind = Some(Kind::Burst)), "declined: "),
        (Box::new(|case| case.incident.causes[0].diagnosis.registry = Some(Registry::Ghcr)), "declined: "),
        (Box::new(|case| case.seen.service = Lookup::Absent), "declined: the service no longer exists"),
        (
            Box::new(|case| case.seen.service = Lookup::Unknown(Doubt::lasting("denied"))),
            "could not be looked up: denied",
        ),
        (Box::new(set_service(|service| service["status"] = json!("DRAINING"))), "the service is DRAINING"),
        (
            Box::new(set_service(|service| service["deploymentController"] = json!({"type": "CODE_DEPLOY"}))),
            "CodeDeploy deploys this service",
        ),
        (
            Box::new(set_service(|service| service["deploymentController"] = json!({"type": "EXTERNAL"}))),
            "an external controller",
        ),
        (
            Box::new(set_service(|service| service["deploymentController"] = json!({"type": "NEW"}))),
            "the deployment controller NEW is not known",
        ),
        (
            Box::new(set_service(|service| service["schedulingStrategy"] = json!("DAEMON"))),
            "it is a DAEMON service",
        ),
        (Box::new(set_service(|service| service["resourceManagementType"] = json!("ECS"))), "Express service"),
        (
            Box::new(set_service(|service| service["deploymentConfiguration"] = json!({"strategy": "BLUE_GREEN"}))),
            "its deployments are BLUE_GREEN",
        ),
        (
            Box::new(set_service(|service| service["deployments"][0]["rolloutState"] = json!("FAILED"))),
            "the deployment circuit breaker",
        ),
        (
            Box::new(set_service(|service| {
                service["deployments"][0]["rolloutStateReason"] =
                    json!("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0")
            })),
            "the deployment circuit breaker",
        ),
        (
            Box::new(set_service(|service| {
                service["taskDefinition"] = json!("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:8")
            })),
            "the service has moved on to web:8",
        ),
        (
            Box::new(set_service(|service| {
                service["tags"] = json!([{"key": "pullsafe:moved-at", "value": "2026-01-15T01:00:00Z"}])
            })),
            "less than 24 hours ago",
        ),
        (
            Box::new(|case| (case.incident.causes[0].tasks, case.incident.causes[0].diagnosis.attempts) = (1, None)),
            "met once, on one task",
        ),
        (Box::new(|case| case.seen.hub_images.clear()), "names no image of Docker Hub"),
        (
            Box::new(|case| case.seen.task_definition = Lookup::Unknown(Doubt::lasting("throttled"))),
            "the task definition could not be read: throttled",
        ),
        (
            Box::new(|case| {
                let plan = decided(&limited()).plan.unwrap();
                case.incident.act = Some(Act {
                    cause: Cause::RegistryRateLimited,
                    plan,
                    decided_at: at(1),
                    state: ActState::Done,
                    question: None,
                });
            }),
            "this incident has had its one act (move-to-mirror)",
        ),
    ];
    for (change, expected) in rows {
        check(limited, change, expected);
    }
}

#[test]
fn an_image_goes_only_where_it_is_certainly_the_same() {
    let rows: Vec<Row<DockerHubImage>> = vec![
        // The mirror lacks it or is behind: it can be asked.
        (
            Box::new(|image| image.mirror.as_mut().unwrap().1 = Lookup::Absent),
            "act: ask the mirror to copy docker.io/acme/app:1",
        ),
        (
            Box::new(|image| image.mirror.as_mut().unwrap().1 = resolved("older")),
            "act: ask the mirror to copy docker.io/acme/app:1",
        ),
        // What the service last ran is as good as what the tag means now.
        (
            Box::new(|image| {
                image.mirror.as_mut().unwrap().1 = resolved("older");
                image.last_run = Lookup::Found(digest("older"));
            }),
            "act: clone",
        ),
        (
            Box::new(|image| image.hub = Lookup::Unknown(Doubt::lasting("timeout"))),
            "Docker Hub could not be asked whether that is the same (timeout)",
        ),
        // A look that was refused is not one that found nothing.
        (
            Box::new(|image| {
                image.hub = Lookup::Unknown(Doubt::lasting("timeout"));
                image.last_run = Lookup::Unknown(Doubt::lasting("ecs:ListTasks: AccessDeniedException"));
            }),
            "what the service runs could not be found out either: ecs:ListTasks: AccessDeniedException",
        ),
        (
            Box::new(|image| image.mirror.as_mut().unwrap().1 = Lookup::Unknown(Doubt::lasting("denied"))),
            "could not be looked up: denied",
        ),
        (
            Box::new(|image| image.mirror = None),
            "acme/app:1 has nowhere to go: no mirror is configured; it is not an official image",
        ),
        (
            Box::new(|image| {
                let same = Lookup::Found(ResolvedImage {
                    digest: digest("acme/app:1"),
                    platforms: Some(vec!["linux/arm64/v8".to_owned()]),
                });
                image.mirror.as_mut().unwrap().1 = same;
            }),
            "offers linux/arm64/v8 and the task needs linux/amd64",
        ),
    ];
    for (change, expected) in rows {
        check(limited, |case| change(&mut case.seen.hub_images[0]), expected);
    }
}

#[test]
fn an_official_image_may_go_to_ecr_public() {
    let no_role = |case: &mut Case| {
        case.seen.hub_images.remove(0);
        case.seen.role_may_pull.insert("docker-hub/library/redis".to_owned(), Lookup::Found(false));
    };
    check(limited, no_role, "the execution role may not pull from docker-hub/library/redis");
    let with_public = |case: &mut Case| {
        no_role(case);
        case.seen.hub_images[0].public.as_mut().unwrap().1 = resolved("redis:7");
    };
    check(limited, with_public, "redis:7 -> public.ecr.aws/docker/library/redis:7");
    let switched_off = |case: &mut Case| {
        with_public(case);
        case.settings.public_fallback = false;
    };
    check(limited, switched_off, "moving official images to ECR Public is switched off");
}

#[test]
fn the_mirror_is_asked_once_and_waited_for_with_patience() {
    let waiting = |minute: i64| {
        move |case: &mut Case| {
            case.seen.hub_images[0].mirror.as_mut().unwrap().1 = Lookup::Absent;
            let images = vec!["acme/app:1".parse().unwrap()];
            case.incident.waiting = Some(WaitingIncident {
                cause: WaitingFor::Mirror(images),
                since: at(2),
                unseen_since: None,
            });
            case.now = at(minute);
        }
    };
    check(limited, waiting(10), "wait: Mirror");
    check(limited, waiting(30), "the mirror was asked at 2026-01-15T19:02:00Z and has not delivered");
}
