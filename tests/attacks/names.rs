//! What somebody who may choose names tries: names of images and of regions.

use std::sync::Arc;

use pullsafe::reference::{Reference, ecr_host};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_registry::{Client, Config, RegistryError};
use remediator::aws::logs::Logs;
use remediator_decide::log::place::{LogPlace, of_container};
use serde_json::json;

use super::evil::{Evil, EvilReply};

/// A client configured as in the functions, with a single attempt.
fn client() -> Client {
    Client::new(Config {
        attempts: 1,
        ..Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)))
    })
}

pub(crate) async fn this_machine() -> String {
    let evil = Evil::start(|_, _| EvilReply::new(200, "{}"));
    let port = evil.host.rsplit(':').next().unwrap();
    let mut tried = 0;
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "127.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "169.254.170.2",
        "10.0.0.1",
        "registry.local",
        "metadata.google.internal",
        "localhost.localdomain",
        "x.localhost",
    ] {
        // A text that the grammar of references does not accept is not the name of an image at all.
        let Ok(image) = format!("{host}:{port}/team/app:1").parse::<Reference>() else {
            continue;
        };
        let error = client().resolve(&image).await.unwrap_err();
        assert!(
            matches!(&error, RegistryError::Invalid(why) if why.contains("not on the internet")),
            "{host}: {error}"
        );
        tried += 1;
    }
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
    format!("{tried} names refused, no connection was made")
}

pub(crate) async fn region_of_ecr() -> String {
    for host in [
        "123456789012.dkr.ecr.attacker.example.amazonaws.com",
        "123456789012.dkr.ecr.x.attacker.example",
        "123456789012.dkr.ecr.eu-west-1.attacker.example",
        "123456789012.dkr.ecr.eu_west_1.amazonaws.com",
        "123456789012.dkr.ecr.-.amazonaws.com",
    ] {
        assert_eq!(ecr_host(host), None, "{host}");
    }
    "no host of ECR, so no signed request".to_owned()
}

pub(crate) async fn region_of_logs() -> String {
    let task = StoppedTask::from_json(
        &json!({"taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/prod/abc", "containers": [{"name": "app"}]}),
    );
    for region in [
        "x@attacker.example/",
        "attacker.example#",
        "eu-west-1.attacker.example/",
        "eu-west-1/..",
        "a b",
        "eu-west-1\r\nHost: x",
        "127.0.0.1:1/",
    ] {
        let options = json!({"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "ecs", "awslogs-region": region});
        let definition = TaskDefinition::from_json(&json!({"taskDefinition": {"containerDefinitions": [
            {"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}}
        ]}}));
        let place = of_container(&definition.unwrap(), &task, "app");
        assert!(matches!(&place, LogPlace::Nowhere(why) if why.contains("awslogs-region")), "{region}: {place:?}");
    }
    // A region of another partition is valid, but gets no credentials of this partition.
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .build();
    let stream = remediator_decide::log::place::LogStream {
        region: Some("cn-north-1".parse().unwrap()),
        group: "g".to_owned(),
        stream: "s".to_owned(),
    };
    let window = remediator_decide::log::place::Window::around(None, Timestamp::from_millis(0));
    let mut budget = pullsafe_incident::spent::LogBudget { calls: 3, bytes: 1000 };
    let failure = Logs::new(&config).read(&stream, window, &mut budget, |_| {}).await.unwrap_err();
    assert!(failure.to_string().contains("another partition"), "{failure}");
    "no log evidence: the region cannot be used".to_owned()
}
