//! The gate tells the truth: where a digest comes from, why an image is missing, and only to those who may know.

use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;
use scenarios::gate::GateStage;
use scenarios::gate::stage::{GATE_QUEUE, MIRROR_QUEUE};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::repository::ImageStatus;

/// The same request again, with another address for the answer.
fn again(stage: &GateStage, mut request: Value, name: &str) -> Value {
    request["ResponseURL"] = json!(stage.answers.url(name));
    request
}

pub(crate) fn reason(stage: &GateStage, stack: &str) -> String {
    stage.answer("Create", stack)["Reason"].as_str().unwrap_or_default().to_owned()
}

/// Deploys tag 1, then tag 2, and removes the first tag. Its image still has another tag.
async fn deployed_twice() -> GateStage {
    let stage = GateStage::new().await;
    stage.push("web", "1", 1);
    stage.push("web", "build-1", 1);
    stage.handle(&stage.request("Create", "app", "1")).await;
    stage.push("web", "2", 2);
    stage.set_stack("app", "UPDATE_IN_PROGRESS");
    stage.handle(&stage.request("Update", "app", "2")).await;
    stage.ecr.store().untag("web", "1");
    stage
}

#[tokio::test]
async fn a_forward_update_is_never_given_a_digest_that_no_look_found() {
    for status in ["UPDATE_IN_PROGRESS", "unknown"] {
        let stage = deployed_twice().await;
        let other = FaultKind::AccessDenied;
        if status == "unknown" {
            stage.aws.inject(AwsFault::on("cloudformation", "DescribeStacks", other).always());
        }
        let forward = again(&stage, stage.request("Update", "app", "1"), "Forward-app");
        assert_eq!(
            stage.handle(&forward).await,
            json!({"answered": false, "parked": true}),
            "{status}: it waits for the tag"
        );
        // The sweep does not remember it either.
        stage.clock.advance(60);
        stage.sweep().await;
        assert!(stage.answers.taken("Forward-app").is_empty(), "{status}");
        let pushed = stage.push("web", "1", 3);
        stage.handle(&pushed).await;
        assert_eq!(
            stage.answers.taken("Forward-app")[0].json()["Data"]["ImageDigest"],
            GateStage::digest(3),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_rollback_is_given_what_the_resource_had_and_says_so() {
    let stage = deployed_twice().await;
    stage.set_stack("app", "UPDATE_ROLLBACK_IN_PROGRESS");
    stage.handle(&again(&stage, stage.request("Update", "app", "1"), "Rollback-app")).await;
    let answer = stage.answers.taken("Rollback-app")[0].json();
    assert_eq!(
        (&answer["Status"], &answer["Data"]["ImageDigest"]),
        (&json!("SUCCESS"), &json!(GateStage::digest(1)))
    );
    let from = answer["Data"]["DigestFrom"].as_str().unwrap();
    assert!(
        from.contains("kept for its rollback; found in ECR at 2026-01-15T19:17:00Z"),
        "under another tag: {from}"
    );

    // The image itself is deleted: only the memory is left.
    stage.ecr.store().untag("web", "build-1");
    stage.handle(&again(&stage, stage.request("Update", "app", "1"), "Gone-app")).await;
    let answer = stage.answers.taken("Gone-app")[0].json();
    assert_eq!(answer["Data"]["ImageDigest"], GateStage::digest(1));
    assert!(answer["Data"]["DigestFrom"].as_str().unwrap().contains("NOT found in ECR"), "{answer}");

    // Another resource, or another Trigger, does not have this memory.
    assert_eq!(stage.handle(&stage.request("Create", "other", "1")).await["parked"], true);
    let touched =
        stage.request_with("Update", "app", json!({"RepositoryName": "web", "ImageTag": "1", "Trigger": "2"}));
    assert_eq!(stage.handle(&again(&stage, touched, "Touched-app")).await["answered"], false);
}

#[tokio::test]
async fn a_rollback_of_a_moving_tag_gets_the_digest_that_it_had() {
    let stage = GateStage::new().await;
    stage.push("web", "latest", 1);
    stage.handle(&stage.request("Create", "app", "latest")).await;
    stage.push("web", "latest", 2);
    stage.set_stack("app", "UPDATE_ROLLBACK_IN_PROGRESS");
    stage.handle(&stage.request("Update", "app", "latest")).await;
    let answer = stage.answer("Update", "app");
    assert_eq!(
        (&answer["Data"]["ImageDigest"], &answer["Data"]["ImageTag"]),
        (&json!(GateStage::digest(1)), &json!("latest"))
    );
}

#[tokio::test]
async fn an_answer_says_when_it_looked() {
    let stage = GateStage::new().await;
    stage.push("web", "1", 1);
    stage.clock.advance(60);
    stage.handle(&stage.request("Create", "app", "1")).await;
    assert_eq!(stage.answer("Create", "app")["Data"]["DigestFrom"], "found in ECR at 2026-01-15T19:18:00Z");
}

/// How long the gate waits for each timeout. A timeout that is one second longer never costs more than that second.
#[tokio::test]
async fn the_whole_time_is_waited_but_for_a_small_margin() {
    for (timeout, waited) in
        [(20, 17), (60, 55), (299, 283), (300, 283), (305, 288), (310, 293), (600, 570), (3600, 3570)]
    {
        let stage = GateStage::new().await;
        let properties = json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": timeout});
        assert_eq!(stage.handle(&stage.request_with("Create", "app", properties)).await["parked"], true, "{timeout}");
        for second in 1..=waited {
            assert!(!stage.is_answered("Create", "app"), "{timeout}: answered after {second} s");
            stage.pass(1).await;
            if second % 60 == 0 {
                stage.sweep().await;
            }
        }
        let reason = reason(&stage, "app");
        assert!(
            reason.contains(&format!("waited {waited} s of the {timeout} s that ServiceTimeout gives")),
            "{timeout}: {reason}"
        );
        assert_eq!(stage.answers.received().len(), 1);
    }
}

#[tokio::test]
async fn a_waker_that_dies_at_the_end_is_followed_by_another() {
    for call in 1..8 {
        let stage = GateStage::new().await;
        let properties = json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": 310});
        stage.handle(&stage.request_with("Create", "app", properties)).await;
        for _ in 0..4 {
            stage.pass(60).await;
            stage.sweep().await;
        }
        stage.pass(52).await;
        assert!(!stage.is_answered("Create", "app"));
        stage.aws.clear_log();
        stage.aws.die_after(call);
        stage.pass(1).await;
        stage.aws.clear_faults();
        stage.pass(16).await;
        assert_eq!(stage.answer("Create", "app")["Status"], "FAILED", "death at call {call}: 309 s are over");
    }
}

#[tokio::test]
async fn without_timers_the_last_sweep_in_time_answers() {
    let stage = GateStage::new().await;
    stage.aws.inject(AwsFault::on("sqs", "SendMessage", FaultKind::AccessDenied).always());
    let properties = json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": 310});
    stage.handle(&stage.request_with("Create", "app", properties)).await;
    for _ in 0..4 {
        stage.pass(60).await;
        stage.sweep().await;
    }
    assert!(reason(&stage, "app").contains("waited 240 s of the 310 s"), "the next sweep would be late");
}

#[tokio::test]
async fn the_reason_tells_what_the_last_look_showed() {
    let stage = GateStage::new().await;
    stage.push("web", "there", 1);
    stage.push("web", "old", 2);
    let archived: Digest = GateStage::digest(2).parse().unwrap();
    stage.ecr.store().set_status("web", &archived, ImageStatus::Archived);
    stage.push("web", "1.10", 3);
    stage.push("web", "unsigned", 4);
    for (stack, more, parts) in [
        (
            "platform",
            json!({"ImageTag": "there", "Platforms": "linux/s390x"}),
            vec!["is there for linux/amd64,linux/arm64/v8, and not for linux/s390x", "buildx"],
        ),
        ("archive", json!({"ImageTag": "old"}), vec!["ECR holds the image and cannot give it: restore it"]),
        (
            "fraction",
            json!({"ImageTag": "1.1"}),
            vec!["did not appear", "write ImageTag: \"1.10\", in quotes"],
        ),
        (
            "signed",
            json!({"ImageTag": "unsigned", "Signed": "true"}),
            vec!["is there, but not signed", "describe-image-signing-status"],
        ),
        (
            "absent",
            json!({"ImageTag": "never"}),
            vec!["did not appear: the repository has no such image", "Newest tags there", "docker push"],
        ),
        (
            "nowhere",
            json!({"RepositoryName": "nowhere", "ImageTag": "1"}),
            vec!["did not appear: the repository does not exist", "Create the repository nowhere in eu-west-1"],
        ),
    ] {
        let mut properties = json!({"RepositoryName": "web", "ServiceTimeout": 20});
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(stage.handle(&stage.request_with("Create", stack, properties)).await["parked"], true, "{stack}");
        stage.pass(18).await;
        let reason = reason(&stage, stack);
        for part in parts {
            assert!(reason.contains(part), "{stack}: {part}: {reason}");
        }
    }
}

#[tokio::test]
async fn a_source_that_the_mirror_would_not_put_there_is_refused() {
    let stage = GateStage::new().await;
    for (index, (repository, tag, source, part)) in [
        ("web", "7", "redis:7", "Write RepositoryName: docker-hub/library/redis"),
        ("docker-hub/library/python", "7", "redis:7", "Write RepositoryName: docker-hub/library/redis"),
        ("docker-hub/library/redis", "7", "redis:8", "Write Source: docker.io/library/redis:7"),
        (
            "docker-hub/library/redis",
            "7",
            "evil.example/library/redis:7",
            "Write RepositoryName: docker-hub/evil.example/library/redis",
        ),
        (
            "444455556666.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis",
            "7",
            "redis:7",
            "nowhere else",
        ),
        ("docker-hub/library/redis", "7", "localhost:5000/redis:7", "a registry of this machine"),
        ("docker-hub/library/redis", "7", "169.254.169.254/redis:7", "a registry of this machine"),
        (
            "docker-hub/library/redis",
            "7",
            "444455556666.dkr.ecr.eu-west-1.amazonaws.com/redis:7",
            "private registry",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let stack = format!("source-{index}");
        stage
            .handle(&stage.request_with(
                "Create",
                &stack,
                json!({"RepositoryName": repository, "ImageTag": tag, "Source": source}),
            ))
            .await;
        let reason = reason(&stage, &stack);
        assert!(reason.contains("Source `") && reason.contains(part), "{source}: {reason}");
    }
    assert!(stage.queues.bodies(MIRROR_QUEUE).is_empty(), "the mirror was asked for nothing");
    assert!(stage.rows().is_empty());
}

/// A stack in another account of the organization asks through the topic.
#[tokio::test]
async fn another_account_hears_only_of_what_it_may_pull() {
    let stage = GateStage::new().await;
    stage.push("web", "secret-tag", 1);
    let foreign = |stack: &str, tag: &str| {
        let name = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web";
        let mut request = stage.request_with(
            "Create",
            stack,
            json!({"RepositoryName": name, "ImageTag": tag, "ServiceTimeout": 200}),
        );
        request["StackId"] = json!(format!("arn:aws:cloudformation:eu-west-1:444455556666:stack/{stack}/0a1b"));
        request
    };
    for (stack, tag) in [("there", "secret-tag"), ("absent", "secret-ta")] {
        stage.handle(&foreign(stack, tag)).await;
        stage.pass(60).await;
        stage.sweep().await;
        stage.pass(60).await;
        stage.sweep().await;
        let reason = reason(&stage, stack);
        assert!(
            reason.contains("account 444455556666 cannot be seen to have the right") && !reason.contains("secret-tag"),
            "{reason}"
        );
    }
    let policy = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "ecr:BatchGetImage"}]});
    let admit = json!({"repositoryName": "web", "policyText": policy.to_string()});
    testkit::aws::service::FakeService::call(&stage.ecr, "SetRepositoryPolicy", &admit).expect("the fake takes it");
    stage.handle(&foreign("admitted", "secret-tag")).await;
    assert_eq!(stage.answer("Create", "admitted")["Status"], "SUCCESS");
    stage.handle(&foreign("waits", "nope")).await;
    for _ in 0..3 {
        stage.pass(60).await;
        stage.sweep().await;
    }
    stage.pass(10).await;
    let reason = reason(&stage, "waits");
    assert!(
        reason.contains("did not appear") && !reason.contains("secret-tag"),
        "tags are for the own account: {reason}"
    );
}

#[tokio::test]
async fn a_delete_that_cloudformation_did_not_send_cancels_nothing() {
    let stage = GateStage::new().await;
    stage.handle(&stage.request("Create", "app", "1")).await;
    for manner in [403, 404] {
        stage.answers.always(scenarios::gate::Manner::Refuse(manner));
        stage.handle(&stage.request("Delete", "app", "1")).await;
    }
    let mut elsewhere = stage.request("Delete", "app", "1");
    elsewhere["ResponseURL"] = json!("https://attacker.s3.eu-west-1.amazonaws.com/x");
    stage.handle(&elsewhere).await;
    stage.answers.next(&[]);
    let pushed = stage.push("web", "1", 1);
    stage.handle(&pushed).await;
    assert_eq!(stage.answer("Create", "app")["Status"], "SUCCESS", "it waits on");
}

#[tokio::test]
async fn what_a_stranger_writes_does_not_act_where_a_reason_is_read() {
    let stage = GateStage::new().await;
    let bad = "<!channel> \u{1b}[2J\r\n::error::x\u{202e}`";
    for (stack, properties) in [
        ("tag", json!({"RepositoryName": "web", "ImageTag": bad})),
        ("name", json!({"RepositoryName": bad, "ImageTag": "1"})),
        ("platform", json!({"RepositoryName": "web", "ImageTag": "1", "Platforms": bad})),
        ("source", json!({"RepositoryName": "web", "ImageTag": "1", "Source": bad})),
        ("unknown", json!({"RepositoryName": "web", "ImageTag": "1", bad: "1"})),
        ("timeout", json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": bad})),
    ] {
        stage.handle(&stage.request_with("Create", stack, properties)).await;
        let reason = reason(&stage, stack);
        assert!(!reason.contains(['<', '>', '\u{1b}', '\r', '\n', '\u{202e}']), "{stack}: {reason:?}");
    }
}

#[tokio::test]
async fn timers_lead_to_the_gates_own_rows_and_are_few() {
    let stage = GateStage::new().await;
    for number in 0..20 {
        let properties = json!({"RepositoryName": "web", "ImageTag": format!("{number}"), "ServiceTimeout": 300});
        stage.handle(&stage.request_with("Create", &format!("app-{number}"), properties)).await;
    }
    assert!(stage.queues.bodies(GATE_QUEUE).is_empty(), "the end is far");
    stage.clock.advance(240);
    stage.sweep().await;
    assert_eq!(stage.queues.bodies(GATE_QUEUE).len(), 2, "one for all, and another should it die");
    assert!(Timestamp::parse("2026-01-15T19:17:00Z").is_some());
}
