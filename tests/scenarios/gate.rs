//! The image gate and its waker: what a stack asks for, and when it gets which answer.

use pullsafe::reference::Digest;
use scenarios::gate::answers::SIGNATURE;
use scenarios::gate::stage::MIRROR_QUEUE;
use scenarios::gate::{GateStage, Manner};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::repository::ImageStatus;

#[tokio::test]
async fn a_stack_waits_without_a_function_and_goes_on_with_the_push() {
    let stage = GateStage::new().await;
    let outcome = stage.handle(&stage.request("Create", "app", "1.4.3")).await;
    assert_eq!(outcome, json!({"answered": false, "parked": true}));
    let [row] = stage.rows().try_into().expect("one row");
    assert!(
        row["open"] == "gate" && row["response_url"].as_str().unwrap().contains(SIGNATURE),
        "the address is in its own attribute"
    );
    assert!(!row["doc"].as_str().unwrap().contains(SIGNATURE), "and nowhere else");
    stage.clock.advance(600);
    assert_eq!(stage.sweep().await["answered"], 0);
    assert!(!stage.is_answered("Create", "app"));

    let pushed = stage.push("web", "1.4.3", 1);
    let outcome = stage.handle(&pushed).await;
    assert_eq!((&outcome["outcome"], &outcome["answered"]), (&json!("woken"), &json!(1)));
    let answer = stage.answer("Create", "app");
    let uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web";
    let data = &answer["Data"];
    assert_eq!(data["ImageUri"], format!("{uri}@{}", GateStage::digest(1)));
    assert_eq!(
        (&data["WaitedSeconds"], &data["ImageTag"], &data["RepositoryUri"]),
        (&json!("600"), &json!("1.4.3"), &json!(uri))
    );
    assert_eq!(data["Platforms"], "linux/amd64,linux/arm64/v8");
    assert_eq!(
        (&answer["Status"], &answer["PhysicalResourceId"]),
        (&json!("SUCCESS"), &json!("pullsafe-image/app/0a1b/Image"))
    );

    let [row] = stage.rows().try_into().expect("one row");
    assert!(
        !row.contains_key("response_url") && !row.contains_key("open"),
        "the address goes with the answer: {row:?}"
    );
    // Later events change nothing.
    stage.handle(&pushed).await;
    stage.sweep().await;
    stage.handle(&stage.request("Create", "app", "1.4.3")).await;
    assert_eq!(stage.answers.received().len(), 1);
}

#[tokio::test]
async fn a_push_between_the_look_and_the_parking_is_not_missed() {
    let stage = GateStage::new().await;
    let store = stage.ecr.store().clone();
    stage.aws.before("dynamodb", "PutItem", move || {
        testkit::registry::sample::Sample::multi_arch(1).build().push(&store, "web", "1.4.3")
    });
    let outcome = stage.handle(&stage.request("Create", "app", "1.4.3")).await;
    assert_eq!(outcome["success"], true);
    assert_eq!(stage.answer("Create", "app")["Status"], "SUCCESS");
}

#[tokio::test]
async fn an_image_that_never_comes_fails_before_cloudformation_gives_up() {
    let stage = GateStage::new().await;
    stage.push("web", "1.4.2", 1);
    stage.push("web", "latest", 2);
    stage.handle(&stage.request("Create", "app", "1.4.3")).await;
    for _ in 0..59 {
        stage.pass(60).await;
        stage.sweep().await;
    }
    assert!(!stage.is_answered("Create", "app"), "a minute is left");
    stage.pass(30).await;
    let answer = stage.answer("Create", "app");
    let reason = answer["Reason"].as_str().unwrap();
    for part in [
        "web:1.4.3 did not appear",
        "waited 3570 s of the 3600 s that ServiceTimeout gives",
        "no such image",
        "latest, 1.4.2",
        "Similar to 1.4.3: 1.4.2",
        "docker push 123456789012.dkr",
    ] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!(
        (&answer["Status"], &answer["PhysicalResourceId"]),
        (&json!("FAILED"), &json!("pullsafe-image/app/0a1b/Image"))
    );
    assert_eq!(stage.answers.received().len(), 1);
}

#[tokio::test]
async fn a_delete_is_answered_without_any_permission_and_ends_the_wait() {
    let stage = GateStage::new().await;
    stage.handle(&stage.request("Create", "app", "1")).await;
    stage.aws.clear_log();
    stage.handle(&stage.request("Delete", "app", "1")).await;
    assert_eq!(stage.answer("Delete", "app")["Status"], "SUCCESS");
    let [row] = stage.rows().try_into().expect("one row");
    assert!(row["doc"].as_str().unwrap().contains("cancelled") && !row.contains_key("response_url"));
    let pushed = stage.push("web", "1", 1);
    stage.handle(&pushed).await;
    assert!(!stage.is_answered("Create", "app"), "nobody waits for this answer");

    let forbidden = GateStage::new().await;
    for service in ["ecr", "dynamodb", "sqs"] {
        forbidden.aws.inject(AwsFault {
            service: Some(service.to_owned()),
            operation: None,
            ..AwsFault::on(service, "", FaultKind::AccessDenied).always()
        });
    }
    forbidden.handle(&forbidden.request("Delete", "never-created", "1")).await;
    assert_eq!(forbidden.answer("Delete", "never-created")["Status"], "SUCCESS");
}

#[tokio::test]
async fn where_parking_is_impossible_the_function_waits_and_says_why_it_failed() {
    for kind in [FaultKind::AccessDenied, FaultKind::InternalError, FaultKind::ConnectionCut, FaultKind::Throttle] {
        let mut stage = GateStage::new().await;
        stage.life = std::time::Duration::from_millis(1200);
        stage.aws.inject(AwsFault {
            service: Some("dynamodb".to_owned()),
            operation: None,
            ..AwsFault::on("dynamodb", "", kind).always()
        });
        stage.handle(&stage.request("Create", "app", "1")).await;
        let reason = stage.answer("Create", "app")["Reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("could not be parked: dynamodb:PutItem"), "{kind:?}: {reason}");
        stage.push("web", "2", 1);
        stage.handle(&stage.request("Create", "present", "2")).await;
        assert_eq!(
            stage.answer("Create", "present")["Status"],
            "SUCCESS",
            "{kind:?}: an image that is there needs no table"
        );
    }
}

#[tokio::test]
async fn what_the_gate_failed_at_is_answered_by_the_waker_and_what_it_parked_is_not() {
    let stage = GateStage::new().await;
    let failed = |request: &Value| json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": request});
    let message =
        |body: &Value| json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": body.to_string()}]});
    let lost = stage.request("Create", "lost", "1");
    let outcome = stage.handle(&message(&failed(&lost))).await;
    assert_eq!(outcome, json!({"batchItemFailures": []}));
    assert!(!stage.is_answered("Create", "lost"), "it is parked, as the gate would have parked it");
    assert_eq!(stage.rows().len(), 1);
    stage.push("web", "there", 1);
    stage.handle(&message(&failed(&stage.request("Create", "there", "there")))).await;
    assert_eq!(stage.answer("Create", "there")["Status"], "SUCCESS", "a look comes first");

    let parked = stage.request("Create", "parked", "1");
    stage.handle(&parked).await;
    stage.handle(&message(&failed(&parked))).await;
    stage.handle(&failed(&parked)).await;
    assert!(!stage.is_answered("Create", "parked"), "the sweep has it");

    stage.handle(&message(&failed(&stage.request("Delete", "gone", "1")))).await;
    assert_eq!(stage.answer("Delete", "gone")["Status"], "SUCCESS");
    stage.handle(&message(&failed(&json!({"pullsafe": "sweep"})))).await;
    stage.handle(&message(&json!("no record"))).await;

    stage.answers.always(Manner::Refuse(500));
    let outcome = stage.handle(&message(&failed(&stage.request("Create", "later", "there")))).await;
    assert_eq!(outcome["batchItemFailures"][0]["itemIdentifier"], "m", "it comes again");
    stage.answers.next(&[]);
    stage.aws.inject(AwsFault::on("dynamodb", "PutItem", FaultKind::AccessDenied).always());
    stage.handle(&message(&failed(&stage.request("Create", "last", "9")))).await;
    let reason = stage.answer("Create", "last")["Reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("RetriesExhausted; its log group /aws/lambda/the gate function"), "{reason}");
}

#[tokio::test]
async fn a_source_is_asked_of_the_mirror_a_few_times_and_waited_for() {
    let stage = GateStage::new().await;
    stage.create_repository("docker-hub/library/redis");
    let properties = json!({"RepositoryName": "docker-hub/library/redis", "ImageTag": "7", "Source": "redis:7"});
    stage.handle(&stage.request_with("Create", "app", properties)).await;
    let target = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis:7";
    let [job] = stage.queues.bodies(MIRROR_QUEUE).try_into().expect("one job");
    assert_eq!((&job["source"], &job["target"]), (&json!("docker.io/library/redis:7"), &json!(target)));
    assert!(job["requested_by"].as_str().unwrap().contains("stack/app"));
    for _ in 0..59 {
        stage.pass(60).await;
        stage.sweep().await;
    }
    stage.pass(30).await;
    assert_eq!(stage.queues.bodies(MIRROR_QUEUE).len(), 4, "asked again, within reason");
    let reason = stage.answer("Create", "app")["Reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("asked for docker.io/library/redis:7 4 times")
            && reason.contains("/aws/lambda/pullsafe-mirror"),
        "{reason}"
    );

    let properties = json!({"RepositoryName": "docker-hub/library/redis", "ImageTag": "7", "Source": "redis:7"});
    stage.handle(&stage.request_with("Create", "second", properties)).await;
    stage.push("docker-hub/library/redis", "7", 7);
    let mirrored = json!({"source": "pullsafe", "detail-type": "Image Mirrored", "detail": {"source": "docker.io/library/redis:7", "target": target}});
    stage.handle(&mirrored).await;
    assert_eq!(stage.answer("Create", "second")["Status"], "SUCCESS");
    let present = stage.queues.bodies(MIRROR_QUEUE).len();
    let properties = json!({"RepositoryName": "docker-hub/library/redis", "ImageTag": "7", "Source": "redis:7"});
    stage.handle(&stage.request_with("Create", "third", properties)).await;
    assert_eq!(stage.queues.bodies(MIRROR_QUEUE).len(), present, "what is there is not asked for");
}

/// A queue that refuses is tried again with every sweep. If it never takes the message, the reason tells the stack's
/// owner which call was refused, and nothing else about the account.
#[tokio::test]
async fn a_mirror_that_may_not_be_asked_is_named_in_the_reason() {
    for late in [false, true] {
        let stage = GateStage::new().await;
        stage.create_repository("docker-hub/library/redis");
        stage.aws.inject(AwsFault::on("sqs", "SendMessage", FaultKind::AccessDenied).always());
        let properties = json!({"RepositoryName": "docker-hub/library/redis", "ImageTag": "7", "Source": "redis:7"});
        stage.handle(&stage.request_with("Create", "app", properties)).await;
        let versions = stage.rows().len();
        for minute in 0..60 {
            if late && minute == 5 {
                stage.aws.clear_faults();
            }
            stage.pass(60).await;
            stage.sweep().await;
        }
        stage.pass(30).await;
        assert_eq!(stage.rows().len(), versions);
        let reason = stage.answer("Create", "app")["Reason"].as_str().unwrap().to_owned();
        let refused =
            "The mirror could not be asked for docker.io/library/redis:7: sqs:SendMessage: AccessDeniedException.";
        assert_eq!(reason.contains(refused), !late, "{reason}");
        assert!(!reason.contains("assumed-role"), "{reason}");
        assert_eq!(reason.contains("The mirror was asked for"), late, "{reason}");
    }
}

#[tokio::test]
async fn a_tag_that_moves_right_after_its_push_is_taken_as_it_settles() {
    let stage = GateStage::new().await;
    stage.handle(&stage.request("Create", "app", "1")).await;
    let pushed = stage.push("web", "1", 1);
    // The build tool pushes the index right after the image, between the two looks.
    let store = stage.ecr.store().clone();
    let calls = stage.aws.count("DescribeImages");
    stage.aws.before("ecr", "DescribeImages", move || {
        testkit::registry::sample::Sample::multi_arch(2).build().push(&store, "web", "1")
    });
    stage.handle(&pushed).await;
    assert_eq!(stage.answer("Create", "app")["Data"]["ImageDigest"], GateStage::digest(2));
    assert!(stage.aws.count("DescribeImages") > calls + 1);
}

#[tokio::test]
async fn platforms_and_the_archive_are_waited_for() {
    let stage = GateStage::new().await;
    let wanted = json!({"RepositoryName": "web", "ImageTag": "1", "Platforms": ["linux/arm64", "linux/s390x"]});
    stage.handle(&stage.request_with("Create", "platform", wanted)).await;
    let single = testkit::registry::sample::Sample::multi_arch(3).platforms(&["linux/amd64", "linux/arm64"]).build();
    single.push(stage.ecr.store(), "web", "1");
    stage.clock.advance(60);
    stage.sweep().await;
    assert!(!stage.is_answered("Create", "platform"));
    testkit::registry::sample::Sample::multi_arch(4)
        .platforms(&["linux/arm64", "linux/s390x"])
        .build()
        .push(stage.ecr.store(), "web", "1");
    stage.clock.advance(60);
    stage.sweep().await;
    assert_eq!(stage.answer("Create", "platform")["Data"]["Platforms"], "linux/arm64,linux/s390x");

    stage.push("web", "old", 5);
    let digest: Digest = GateStage::digest(5).parse().unwrap();
    stage.ecr.store().set_status("web", &digest, ImageStatus::Archived);
    assert_eq!(stage.handle(&stage.request("Create", "archive", "old")).await["parked"], true);
    stage.ecr.store().set_status("web", &digest, ImageStatus::Active);
    stage.clock.advance(60);
    let mut restored: Value = serde_json::from_str(include_str!("../../events/ecr-image-restored.json")).unwrap();
    restored["account"] = json!("123456789012");
    restored["region"] = json!("eu-west-1");
    restored["detail"]["repository-name"] = json!("web");
    stage.handle(&restored).await;
    assert_eq!(stage.answer("Create", "archive")["Status"], "SUCCESS");
}

#[tokio::test]
async fn a_repository_may_come_later_and_lie_elsewhere() {
    let stage = GateStage::new().await;
    stage
        .handle(&stage.request_with("Create", "app", json!({"RepositoryName": "later", "ImageTag": 1})))
        .await;
    let pushed = stage.push("later", "1", 1);
    stage.handle(&pushed).await;
    assert_eq!(stage.answer("Create", "app")["Status"], "SUCCESS");

    let elsewhere = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web";
    stage
        .handle(&stage.request_with("Create", "far", json!({"RepositoryName": elsewhere, "ImageTag": "9"})))
        .await;
    let pushed = stage.push("web", "9", 9);
    assert_eq!(stage.handle(&pushed).await["waiting"], 0, "the event is of another region");
    stage.clock.advance(60);
    stage.sweep().await;
    assert!(stage.answer("Create", "far")["Data"]["ImageUri"].as_str().unwrap().starts_with(elsewhere));
}

#[tokio::test]
async fn a_refused_look_may_be_a_permission_on_its_way() {
    let stage = GateStage::new().await;
    stage.aws.inject(AwsFault::on("ecr", "BatchGetImage", FaultKind::AccessDenied).always());
    assert_eq!(stage.handle(&stage.request("Create", "app", "1")).await["parked"], true);
    stage.clock.advance(90);
    stage.sweep().await;
    assert!(!stage.is_answered("Create", "app"));
    // A look that succeeds starts the count anew: changing a policy may lock the gate out for a moment.
    stage.aws.clear_faults();
    stage.sweep().await;
    stage.aws.inject(AwsFault::on("ecr", "BatchGetImage", FaultKind::AccessDenied).always());
    stage.clock.advance(60);
    stage.sweep().await;
    stage.clock.advance(60);
    stage.sweep().await;
    assert!(!stage.is_answered("Create", "app"));
    stage.clock.advance(60);
    stage.sweep().await;
    assert!(stage.answer("Create", "app")["Reason"].as_str().unwrap().contains("may not look"));
}

#[tokio::test]
async fn requests_come_through_a_topic_and_request_ids_come_again() {
    let stage = GateStage::new().await;
    let request = stage.request("Create", "app", "1");
    let notification = json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": request.to_string(), "Timestamp": "2026-01-15T19:16:00Z"}}]});
    assert_eq!(stage.handle(&notification).await["parked"], true);
    let mut again = request.clone();
    again["ResponseURL"] = json!(stage.answers.url("Create-again"));
    assert_eq!(stage.handle(&again).await["parked"], true, "the same ids, another request");
    assert_eq!(stage.rows().len(), 2);
    let pushed = stage.push("web", "1", 1);
    assert_eq!(stage.handle(&pushed).await["answered"], 2);
    assert_eq!((stage.answers.taken("Create-app").len(), stage.answers.taken("Create-again").len()), (1, 1));
    assert_eq!(stage.answer("Create", "app")["Data"]["WaitedSeconds"], "60", "counted from the topic's own time");
}

#[tokio::test]
async fn an_answer_that_was_not_taken_is_sent_again_with_the_same_bytes() {
    let stage = GateStage::new().await;
    stage.handle(&stage.request("Create", "app", "1")).await;
    let pushed = stage.push("web", "1", 1);
    for manner in [Manner::Refuse(500), Manner::Hang, Manner::Reset] {
        stage.answers.always(manner);
        stage.handle(&pushed).await;
        stage.clock.advance(30);
    }
    // Meanwhile the tag has moved, but the decided answer stays.
    stage.push("web", "1", 2);
    stage.answers.next(&[]);
    stage.sweep().await;
    let received = stage.answers.received();
    assert!(received.len() > 3 && received.iter().all(|answer| answer.body == received[0].body));
    assert_eq!(stage.answer("Create", "app")["Data"]["ImageDigest"], GateStage::digest(1));

    stage.handle(&stage.request("Create", "expired", "never")).await;
    stage.answers.always(Manner::Refuse(403));
    stage.push("web", "never", 3);
    stage.clock.advance(60);
    let before = stage.answers.received().len();
    stage.sweep().await;
    stage.clock.advance(60);
    stage.sweep().await;
    assert_eq!(stage.answers.received().len(), before + 1, "an address that refuses for good is left alone");
    assert!(stage.rows().iter().all(|row| !row.contains_key("response_url")));
}

#[tokio::test]
async fn two_hundred_gates_on_fifty_repositories_cost_a_batch_each() {
    let stage = GateStage::new().await;
    for gate in 0..200 {
        let repository = format!("team/service-{}", gate % 50);
        stage.create_repository(&repository);
        let request = stage.request_with(
            "Create",
            &format!("stack-{gate}"),
            json!({"RepositoryName": repository, "ImageTag": format!("{gate}")}),
        );
        assert_eq!(stage.handle(&request).await["parked"], true);
    }
    stage.aws.clear_log();
    stage.clock.advance(60);
    assert_eq!(stage.sweep().await["waiting"], 200);
    let (calls, queries) =
        (stage.aws.count("BatchGetImage") + stage.aws.count("DescribeImages"), stage.aws.count("Query"));
    println!("200 gates on 50 repositories: {calls} calls to ECR and {queries} to the table a minute");
    assert_eq!((calls, stage.aws.calls().len() - calls - queries), (50, 0));
    assert!(queries <= 2);
    stage.push("team/service-7", "7", 7);
    stage.clock.advance(60);
    stage.aws.clear_log();
    assert_eq!(stage.sweep().await["answered"], 1);
    assert_eq!((stage.aws.count("BatchGetImage"), stage.aws.count("DescribeImages")), (50, 1));
}
