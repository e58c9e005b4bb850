//! The gate and ECR: what each answer and each error means, also where ECR answers late, in part or not at all.

use scenarios::gate::GateStage;
use serde_json::json;
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::sample::Sample;

use crate::gate_truth::reason;

#[tokio::test]
async fn a_sweep_takes_a_tag_that_is_a_second_old() {
    let stage = GateStage::new().await;
    stage.handle(&stage.request("Create", "app", "1")).await;
    stage.clock.advance(59);
    stage.push("web", "1", 1);
    stage.clock.advance(1);
    assert_eq!(stage.sweep().await["answered"], 1);
}

#[tokio::test]
async fn an_index_that_follows_its_image_wins() {
    let stage = GateStage::new().await;
    stage.handle(&stage.request("Create", "app", "1")).await;
    let single = Sample::new(3).build();
    single.push(stage.ecr.store(), "web", "1");
    let store = stage.ecr.store().clone();
    stage
        .aws
        .before("ecr", "DescribeImages", move || Sample::multi_arch(2).build().push(&store, "web", "1"));
    let pushed = testkit::ecr::ecr_push_event("web", Some("1"), single.digest(), stage.clock.now());
    stage.handle(&pushed).await;
    assert_eq!(stage.answer("Create", "app")["Data"]["ImageDigest"], GateStage::digest(2));
    assert!(image_gate::GateContext::default().settle_image > std::time::Duration::from_millis(1500));
}

#[tokio::test]
async fn a_signed_image_is_waited_for() {
    let stage = GateStage::new().await;
    stage.push("web", "1", 1);
    let profile = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/release";
    let signed = |stack: &str| {
        stage.request_with("Create", stack, json!({"RepositoryName": "web", "ImageTag": "1", "Signed": true}))
    };
    stage.ecr.set_signing("web", json!([{"signingProfileArn": profile, "status": "IN_PROGRESS"}]));
    assert_eq!(stage.handle(&signed("app")).await["parked"], true);
    stage.ecr.set_signing("web", json!([{"signingProfileArn": profile, "status": "COMPLETE"}]));
    stage.clock.advance(60);
    stage.sweep().await;
    assert_eq!(stage.answer("Create", "app")["Status"], "SUCCESS");
    stage.ecr.set_signing("web", json!([{"signingProfileArn": profile, "status": "FAILED", "failureCode": "AccessDenied", "failureReason": "the profile is not ours"}]));
    stage.handle(&signed("failed")).await;
    let reason = reason(&stage, "failed");
    assert!(reason.contains(profile) && reason.contains("AccessDenied: the profile is not ours"), "{reason}");
}

/// Each error of ECR, in the look of a request and in the look of a sweep.
#[tokio::test]
async fn every_error_of_ecr_is_taken_for_what_it_means() {
    use image_gate::decide::ecr_errors::{EcrErrorMeaning, ROWS};
    let whole_calls = ROWS.iter().filter(|(code, _)| code.ends_with("Exception"));
    for ((code, meaning), operation) in
        whole_calls.flat_map(|row| ["BatchGetImage", "DescribeImages"].map(|operation| (row, operation)))
    {
        let stage = GateStage::new().await;
        stage.push("web", "1", 1);
        stage.aws.inject(AwsFault::on("ecr", operation, FaultKind::Code(code)).always());
        let outcome = stage.handle(&stage.request("Create", "app", "1")).await;
        assert_eq!(outcome["parked"] == true, *meaning != EcrErrorMeaning::Final, "{operation}: {code}: {outcome}");
        for _ in 0..4 {
            stage.pass(60).await;
            stage.sweep().await;
        }
        let failed = stage.is_answered("Create", "app");
        assert_eq!(
            failed,
            matches!(meaning, EcrErrorMeaning::Final | EcrErrorMeaning::Permission),
            "{operation}: {code}"
        );
        if failed {
            assert_eq!(stage.answer("Create", "app")["Status"], "FAILED", "{operation}: {code}");
            let reason = reason(&stage, "app");
            assert!(reason.contains(code) && reason.contains(&format!("ecr:{operation}")), "{code}: {reason}");
        }
    }
}

/// Only DescribeImages tells whether an image is in the archive. Without its answer the gate does not answer either.
#[tokio::test]
async fn an_image_is_not_taken_before_ecr_has_said_that_it_is_not_archived() {
    let stage = GateStage::new().await;
    stage.push("web", "1", 1);
    stage.aws.inject(AwsFault::on("ecr", "DescribeImages", FaultKind::AccessDenied).times(2));
    assert_eq!(stage.handle(&stage.request("Create", "app", "1")).await["parked"], true);
    stage.pass(60).await;
    assert!(!stage.is_answered("Create", "app"));
    // The permission arrived within the grace.
    stage.sweep().await;
    assert_eq!(stage.answer("Create", "app")["Status"], "SUCCESS");
}

#[tokio::test]
async fn an_image_that_goes_between_two_calls_does_not_hold_up_the_others() {
    let stage = GateStage::new().await;
    for stack in ["one", "two"] {
        stage.handle(&stage.request("Create", stack, stack)).await;
    }
    stage.push("web", "one", 1);
    stage.push("web", "two", 2);
    let store = stage.ecr.store().clone();
    stage.aws.before("ecr", "DescribeImages", move || {
        store.untag("web", "one");
    });
    stage.clock.advance(60);
    stage.sweep().await;
    assert!(!stage.is_answered("Create", "one"));
    assert_eq!(stage.answer("Create", "two")["Status"], "SUCCESS");
}

#[tokio::test]
async fn tags_that_cannot_be_read_are_not_called_none() {
    let stage = GateStage::new().await;
    stage.push("web", "2", 1);
    stage
        .handle(&stage.request_with(
            "Create",
            "app",
            json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": 20}),
        ))
        .await;
    stage.aws.inject(AwsFault::on("ecr", "DescribeImages", FaultKind::AccessDenied).always());
    stage.pass(18).await;
    let reason = reason(&stage, "app");
    assert!(
        reason.contains("The tags that are there could not be read: ecr:DescribeImages failed: AccessDenied"),
        "{reason}"
    );
}

#[tokio::test]
async fn one_bad_id_does_not_fail_the_others_of_its_repository() {
    let stage = GateStage::new().await;
    for stack in ["one", "two"] {
        stage.handle(&stage.request("Create", stack, stack)).await;
    }
    stage.push("web", "one", 1);
    stage.push("web", "two", 2);
    // ECR refuses the batch, and then the first of the two images when it is asked for alone.
    stage
        .aws
        .inject(AwsFault::on("ecr", "BatchGetImage", FaultKind::Code("InvalidParameterException")).times(2));
    stage.clock.advance(60);
    stage.sweep().await;
    let mut statuses =
        ["one", "two"].map(|stack| stage.answer("Create", stack)["Status"].as_str().unwrap_or_default().to_owned());
    statuses.sort();
    assert_eq!(statuses, ["FAILED", "SUCCESS"]);
}
