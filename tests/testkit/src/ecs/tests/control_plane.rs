//! Task definitions, tags, clusters, tasks: what is stored and what is refused.

use serde_json::{Value, json};

use super::world::{ECR, EcsWorld, definition, with_service};

#[test]
fn a_definition_keeps_every_member_and_gains_what_ecs_adds() {
    let world = EcsWorld::even();
    let mut request = definition(ECR);
    request["trustedExecutionConfiguration"] = json!({"enclave": [1, {"deep": null}]});
    request["containerDefinitions"][0]["notInAnySdk"] = json!({"a": [true]});
    request["containerDefinitions"][0]["command"] = json!([]);
    request["tags"] = json!([{"key": "team", "value": "courts"}]);
    let answer = world.ok("RegisterTaskDefinition", &request);
    let stored = &answer["taskDefinition"];
    assert_eq!(stored["trustedExecutionConfiguration"], request["trustedExecutionConfiguration"]);
    assert_eq!(stored["containerDefinitions"][0]["notInAnySdk"], json!({"a": [true]}));
    assert_eq!(stored["containerDefinitions"][0]["command"], json!([]));
    assert_eq!(stored["containerDefinitions"][0]["environment"], json!([]));
    assert_eq!(
        stored["containerDefinitions"][0]["portMappings"][0],
        json!({"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"})
    );
    assert_eq!(stored["revision"], 1);
    assert_eq!(stored["compatibilities"], json!(["EC2", "FARGATE"]));
    assert_eq!(stored["registeredAt"], json!(1_768_478_400.0));
    assert!(stored.get("tags").is_none());
    assert_eq!(answer["tags"], request["tags"]);
}

#[test]
fn what_is_described_registers_again_to_the_same() {
    let world = EcsWorld::even();
    let first = world.ok("RegisterTaskDefinition", &definition(ECR))["taskDefinition"].clone();
    let strip = |mut value: Value| {
        for member in [
            "taskDefinitionArn",
            "revision",
            "status",
            "requiresAttributes",
            "compatibilities",
            "registeredAt",
            "registeredBy",
        ] {
            value.as_object_mut().unwrap().remove(member);
        }
        value
    };
    let second = world.ok("RegisterTaskDefinition", &strip(first.clone()))["taskDefinition"].clone();
    assert_eq!(second["revision"], 2);
    assert_eq!(strip(first).to_string(), strip(second).to_string());
}

#[test]
fn a_family_means_its_latest_active_revision() {
    let world = EcsWorld::even();
    let (first, second) = (world.register(ECR), world.register(ECR));
    let described = |name: &str| {
        world.ok("DescribeTaskDefinition", &json!({"taskDefinition": name}))["taskDefinition"]["taskDefinitionArn"]
            .clone()
    };
    assert_eq!(described("web"), second.as_str());
    assert_eq!(described("web:1"), first.as_str());
    world.ok("DeregisterTaskDefinition", &json!({"taskDefinition": second}));
    assert_eq!(described("web"), first.as_str());
    // An inactive revision can be described, but nothing can be started from it.
    assert_eq!(described(&second), second.as_str());
    let refused =
        world.refused("CreateService", &json!({"cluster": "prod", "serviceName": "web", "taskDefinition": second}));
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ClientException", "TaskDefinition is inactive"));
    let listed = world.ok("ListTaskDefinitions", &json!({"familyPrefix": "web"}));
    assert_eq!(listed["taskDefinitionArns"], json!([first]));
    assert_eq!(
        world.refused("DescribeTaskDefinition", &json!({"taskDefinition": "web:9"})).message,
        "Unable to describe task definition."
    );
}

#[test]
fn lists_come_in_pages() {
    let world = EcsWorld::even();
    let arns: Vec<String> = (0..5).map(|_| world.register(ECR)).collect();
    let mut found = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = world.ok(
            "ListTaskDefinitions",
            &json!({"familyPrefix": "web", "sort": "DESC", "maxResults": 2, "nextToken": token}),
        );
        found.extend(page["taskDefinitionArns"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert!(found.iter().rev().eq(&arns));
}

#[test]
fn a_request_over_64_kib_is_refused() {
    let world = EcsWorld::even();
    let mut request = definition(ECR);
    request["containerDefinitions"][0]["environment"] = json!([{"name": "BIG", "value": "x".repeat(65 * 1024)}]);
    let refused = world.refused("RegisterTaskDefinition", &request);
    assert_eq!(refused.code, "ClientException");
    assert!(refused.message.contains("Max allowed length is '65536' bytes."), "{}", refused.message);
}

#[test]
fn tags_have_limits_and_come_only_when_asked_for() {
    let world = EcsWorld::even();
    let definition = world.register(ECR);
    let arn = world.create(&definition, 1, json!({"tags": [{"key": "team", "value": "courts"}]}))["serviceArn"].clone();
    let tag = |key: &str, value: &str| json!({"resourceArn": arn, "tags": [{"key": key, "value": value}]});
    world.ok("TagResource", &tag("pullsafe:paused-count", "2"));
    world.ok("TagResource", &tag("pullsafe:paused-count", "3"));
    let tags = json!([{"key": "team", "value": "courts"}, {"key": "pullsafe:paused-count", "value": "3"}]);
    assert_eq!(world.ok("ListTagsForResource", &json!({"resourceArn": arn}))["tags"], tags);
    assert_eq!(world.service()["tags"], tags);
    let bare = world.ok("DescribeServices", &json!({"cluster": "prod", "services": ["web"]}));
    assert!(bare["services"][0].get("tags").is_none());

    for (key, value) in [("aws:x", "1"), ("AWS:x", "1"), ("", "1"), ("k", "bad\u{7}"), ("bracket[", "1")] {
        assert_eq!(world.refused("TagResource", &tag(key, value)).code, "InvalidParameterException", "{key}={value}");
    }
    world.ok("TagResource", &tag(&"k".repeat(128), &"v".repeat(256)));
    assert!(world.api_refuses(&tag(&"k".repeat(129), "")) && world.api_refuses(&tag("k", &"v".repeat(257))));
    world.ok(
        "UntagResource",
        &json!({"resourceArn": arn, "tagKeys": ["k".repeat(128), "team", "pullsafe:paused-count"]}),
    );

    let many: Vec<Value> = (0..50).map(|number| json!({"key": format!("k{number}"), "value": ""})).collect();
    world.ok("TagResource", &json!({"resourceArn": arn, "tags": many}));
    assert!(world.api_refuses(&tag("one-more", "")));
    // Tags that AWS sets do not count against the limit, and only AWS can set them.
    world.api.set_aws_tag(arn.as_str().unwrap(), "aws:cloudformation:stack-name", "app");
    assert!(
        world.service()["tags"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tag| tag["key"] == "aws:cloudformation:stack-name")
    );
}

#[test]
fn what_does_not_exist_has_its_own_error_or_failure() {
    let world = EcsWorld::even();
    let code = |operation: &str, request: Value| world.refused(operation, &request).code;
    assert_eq!(code("UpdateService", json!({"cluster": "none", "service": "web"})), "ClusterNotFoundException");
    assert_eq!(code("UpdateService", with_service(json!({}))), "ServiceNotFoundException");
    assert_eq!(code("ListTasks", json!({"cluster": "prod", "serviceName": "web"})), "ServiceNotFoundException");
    let missing = world.ok("DescribeServices", &json!({"cluster": "prod", "services": ["web"]}));
    assert_eq!(
        missing["failures"],
        json!([{"arn": "arn:aws:ecs:eu-west-1:123456789012:service/prod/web", "reason": "MISSING"}])
    );
    assert_eq!(world.ok("DescribeClusters", &json!({"clusters": ["none"]}))["failures"][0]["reason"], "MISSING");
    assert_eq!(
        world.ok("DescribeTasks", &json!({"cluster": "prod", "tasks": ["x"]}))["failures"][0]["reason"],
        "MISSING"
    );
    let eleven: Vec<String> = (0..11).map(|number| format!("s{number}")).collect();
    assert_eq!(
        code("DescribeServices", json!({"cluster": "prod", "services": eleven})),
        "InvalidParameterException"
    );
    assert_eq!(code("FlyToTheMoon", json!({})), "UnknownOperationException");
}

#[tokio::test]
async fn tasks_are_listed_described_and_stopped() {
    let world = EcsWorld::even();
    world.steady(ECR, 2, json!({})).await;
    let listed = world.ok("ListTasks", &json!({"cluster": "prod", "serviceName": "web"}));
    let arns = listed["taskArns"].as_array().unwrap().clone();
    assert_eq!(arns.len(), 2);
    let described = world.ok("DescribeTasks", &json!({"cluster": "prod", "tasks": arns}));
    let task = &described["tasks"][0];
    assert_eq!(task["lastStatus"], "RUNNING");
    assert!(task["startedAt"].is_number() && task["healthStatus"] == "UNKNOWN");
    assert_eq!(task["containers"][0]["imageDigest"], super::world::digest(1));

    world.ok("StopTask", &json!({"cluster": "prod", "task": arns[0], "reason": "looking"}));
    let events = world.pass(60).await;
    let stopped = super::world::tasks(&events, "STOPPED");
    assert_eq!(
        (&stopped[0]["stopCode"], &stopped[0]["stoppedReason"]),
        (&json!("UserInitiated"), &json!("looking"))
    );
    // The task is replaced, and forgotten after an hour.
    world.pass(600).await;
    assert_eq!(world.service()["runningCount"], 2);
    assert_eq!(
        world.ok("ListTasks", &json!({"cluster": "prod", "desiredStatus": "STOPPED"}))["taskArns"],
        json!([arns[0]])
    );
    world.pass(3700).await;
    assert_eq!(
        world.ok("DescribeTasks", &json!({"cluster": "prod", "tasks": [arns[0]]}))["failures"][0]["reason"],
        "MISSING"
    );
}

#[tokio::test]
async fn a_task_without_service_is_not_replaced() {
    let world = EcsWorld::even();
    world.register(ECR);
    let answer = world.ok("RunTask", &json!({"cluster": "prod", "taskDefinition": "web", "startedBy": "cron"}));
    assert_eq!(answer["tasks"][0]["group"], "family:web");
    let events = world.pass(3600).await;
    let stopped = super::world::tasks(&events, "STOPPED");
    assert_eq!(stopped.len(), 1);
    assert_eq!((&stopped[0]["group"], &stopped[0]["startedBy"]), (&json!("family:web"), &json!("cron")));
}

impl EcsWorld {
    fn api_refuses(&self, request: &Value) -> bool {
        self.refused("TagResource", request).code == "InvalidParameterException"
    }
}
