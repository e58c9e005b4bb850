//! Tests `pullsafe doctor` as a user runs it: the binary, over HTTP, on an account with a healthy stack, and with one
//! fault at a time.

use std::process::{Command, Output};
use std::sync::Arc;

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};
use testkit::aws::dynamodb::{DynamoDb, Projection, Schema, text};
use testkit::aws::service::{AwsError, FakeService};
use testkit::aws::{ACCOUNT, FakeAws, REGION};
use testkit::clock::VirtualClock;

/// An account's answers, by service and operation; a test changes those that it is about.
type Answer = Arc<dyn Fn(&str, &Value) -> Result<Value, AwsError> + Send + Sync>;

struct Scripted(&'static str, Answer);

impl FakeService for Scripted {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        (self.1)(&format!("{}:{operation}", self.0), request)
    }
}

const RESOURCES: &[(&str, &str, &str)] = &[
    ("Table", "AWS::DynamoDB::Table", "pullsafe-Table-1A"),
    ("Topic", "AWS::SNS::Topic", "arn:aws:sns:eu-west-1:123456789012:pullsafe-Topic-1A"),
    (
        "WorkQueue",
        "AWS::SQS::Queue",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/pullsafe-WorkQueue-1A",
    ),
    (
        "DeadLetterQueue",
        "AWS::SQS::Queue",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/pullsafe-DeadLetterQueue-1A",
    ),
    ("RemediatorLogGroup", "AWS::Logs::LogGroup", "/aws/lambda/pullsafe-remediator"),
    ("RemediatorFunctionTaskStopped", "AWS::Events::Rule", "pullsafe-RemediatorFunctionTaskStopped-1A"),
    ("MirrorFunctionPlan", "AWS::Events::Rule", "pullsafe-MirrorFunctionPlan-1A"),
    ("RemediatorRole", "AWS::IAM::Role", "pullsafe-RemediatorRole-1A"),
    ("MirrorRole", "AWS::IAM::Role", "pullsafe-MirrorRole-1A"),
    ("ImageGateRole", "AWS::IAM::Role", "pullsafe-ImageGateRole-1A"),
    ("GateWakerRole", "AWS::IAM::Role", "pullsafe-GateWakerRole-1A"),
    ("WidgetRole", "AWS::IAM::Role", "pullsafe-WidgetRole-1A"),
];

/// Actions that change something: the roles of an observing stack must be refused them.
const WRITING: &[&str] = &[
    "ecs:UpdateService",
    "ecs:ContinueServiceDeployment",
    "ecr:UpdateImageStorageClass",
    "ecs:TagResource",
    "ecs:UntagResource",
    "ecs:RegisterTaskDefinition",
    "ecs:DeregisterTaskDefinition",
    "iam:PassRole",
    "application-autoscaling:RegisterScalableTarget",
    "ecr:CreateRepository",
    "ecr:PutLifecyclePolicy",
    "ecr:TagResource",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchDeleteImage",
];

fn stack(name: &str) -> Value {
    json!({
        "StackName": name,
        "StackId": format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0a1b2c3d"),
        "StackStatus": "UPDATE_COMPLETE",
        "CreationTime": "2026-01-15T19:00:00Z",
        "Description": "pullsafe - keeps Amazon ECS deployments alive when a container image cannot be pulled.",
        "Parameters": [
            { "ParameterKey": "Outlook", "ParameterValue": "true" },
            {"ParameterKey": "Mode", "ParameterValue": "observe"},
            {"ParameterKey": "MirrorPrefix", "ParameterValue": "docker-hub"},
        ],
    })
}

/// A stack with other values of some parameters.
fn with(name: &str, parameters: &[(&str, &str)]) -> Value {
    let mut stack = stack(name);
    for (key, value) in parameters {
        let list = stack["Parameters"].as_array_mut().unwrap();
        list.retain(|parameter| parameter["ParameterKey"] != *key);
        list.push(json!({ "ParameterKey": key, "ParameterValue": value }));
    }
    stack
}

fn acting(name: &str) -> Value {
    with(name, &[("Mode", "act")])
}

fn pruning(name: &str) -> Value {
    with(name, &[("MirrorMayDelete", "true")])
}

/// An account without faults.
fn well(call: &str, request: &Value) -> Result<Value, AwsError> {
    let now = pullsafe::clock::system()().millis();
    Ok(match call {
        "cloudformation:DescribeStacks" => json!({ "Stacks": [stack("pullsafe")] }),
        "cloudformation:ListStackResources" => {
            let resource = |(logical, kind, physical): &(&str, &str, &str)| {
                json!({
                    "LogicalResourceId": logical, "ResourceType": kind, "PhysicalResourceId": physical,
                    "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": "2026-01-15T19:00:00Z",
                })
            };
            json!({ "StackResourceSummaries": RESOURCES.iter().map(resource).collect::<Vec<_>>() })
        }
        "events:DescribeRule" if request["Name"].as_str().unwrap().contains("Plan") => json!({ "State": "DISABLED" }),
        "events:DescribeRule" => json!({ "Name": request["Name"], "State": "ENABLED" }),
        "logs:DescribeLogStreams" => {
            json!({ "logStreams": [{ "logStreamName": "2026/01/15/[$LATEST]0a", "lastIngestionTime": now - 60_000 }] })
        }
        "logs:GetLogEvents" => {
            let line = json!({ "version": env!("CARGO_PKG_VERSION"), "message": "event handled: swept" }).to_string();
            json!({ "events": [{ "message": line }, { "message": "REPORT RequestId: 0a" }] })
        }
        "sqs:GetQueueAttributes" => json!({ "Attributes": { "ApproximateNumberOfMessages": "0" } }),
        "cloudwatch:GetMetricStatistics" => json!({ "Datapoints": [] }),
        "iam:SimulatePrincipalPolicy" => {
            let result = |action: &Value| {
                let writes = WRITING.contains(&action.as_str().unwrap());
                json!({ "EvalActionName": action, "EvalDecision": if writes { "implicitDeny" } else { "allowed" } })
            };
            let actions = request["ActionNames"].as_array().unwrap();
            json!({ "IsTruncated": false, "EvaluationResults": actions.iter().map(result).collect::<Vec<_>>() })
        }
        "ecs:ListClusters" => json!({ "clusterArns": ["arn:aws:ecs:eu-west-1:123456789012:cluster/production"] }),
        "ecs:ListServices" => json!({ "serviceArns": ["arn:aws:ecs:eu-west-1:123456789012:service/production/web"] }),
        "ecs:DescribeServices" => {
            json!({ "services": [{ "serviceName": "web", "taskDefinition": "web:1", "tags": [{ "key": "team", "value": "a" }] }] })
        }
        "ecs:ListTasks" => json!({ "taskArns": ["arn:aws:ecs:eu-west-1:123456789012:task/production/0a1b2c3d"] }),
        "ecs:DescribeTasks" => {
            json!({ "tasks": [{ "containers": [{ "image": "nginx:1.27", "imageDigest": "sha256:0a" }] }] })
        }
        "ecr:DescribePullThroughCacheRules" => json!({ "pullThroughCacheRules": [] }),
        "ecr:DescribeRepositories" => return Err(AwsError::client("RepositoryNotFoundException", "not there")),
        "ecs:DescribeTaskDefinition" => json!({ "taskDefinition": {
            "family": "web",
            "executionRoleArn": "arn:aws:iam::123456789012:role/pull",
            "containerDefinitions": [{ "name": "app", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hub/library/nginx:1.27" }],
        }}),
        "tag:GetResources" => json!({ "PaginationToken": "", "ResourceTagMappingList": [] }),
        "application-autoscaling:DescribeScalableTargets" => json!({ "ScalableTargets": [] }),
        "codebuild:ListProjects" => return Err(AwsError::client("AccessDeniedException", "whoever refuses is there")),
        "elasticloadbalancing:DescribeTargetGroups" => json!({ "TargetGroups": [] }),
        other => panic!("nobody expects {other}: {request}"),
    })
}

async fn doctor(answer: Answer, arguments: &[&str]) -> Output {
    doctor_with(answer, arguments, &[]).await
}

async fn doctor_with(answer: Answer, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let clock = VirtualClock::at(Timestamp::from_millis(0));
    let mut aws = FakeAws::new(clock.clone());
    for name in [
        "cloudformation",
        "events",
        "logs",
        "sqs",
        "cloudwatch",
        "iam",
        "ecs",
        "ecr",
        "tag",
        "application-autoscaling",
        "codebuild",
        "elasticloadbalancing",
    ] {
        aws = aws.with_service(name, Arc::new(Scripted(name, Arc::clone(&answer))));
    }
    let schema = Schema::new("pullsafe-Table-1A", text("pk")).sort(text("sk"));
    let table =
        DynamoDb::new(clock).with_table(schema.index("open-index", text("open"), Some(text("sk")), Projection::All));
    let aws = aws.with_dynamodb(table);
    let served = aws.serve().await.unwrap();
    Command::new(env!("CARGO_BIN_EXE_pullsafe"))
        .arg("doctor")
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", served.url())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_MAX_ATTEMPTS", "1")
        .envs(environment.iter().copied())
        .output()
        .inspect(|_| assert!(aws.writes().is_empty(), "a doctor only looks: {:?}", aws.writes()))
        .unwrap()
}

fn findings(output: &Output) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    document["findings"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_well_has_nothing_wrong() {
    let output = doctor(Arc::new(well), &["--output", "json"]).await;
    let findings = findings(&output);
    let other: Vec<_> = findings.iter().filter(|finding| finding["state"] != "ok").collect();
    assert!(other.is_empty(), "{other:?}");
    assert_eq!(output.status.code(), Some(0));
    let roles = findings.iter().filter(|finding| finding["about"].as_str().unwrap().starts_with("role of")).count();
    assert_eq!((findings.len(), roles), (19, 5));
    let text = String::from_utf8(doctor(Arc::new(well), &[]).await.stdout).unwrap();
    assert!(text.ends_with("0 wrong, 0 not known, 19 ok\n"), "{text}");
}

/// Each row: the call that shows the fault, its faulty answer, what the finding is about, and a word of the cure.
#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_found_with_its_mend() {
    let faults: &[(&'static str, Value, &str, &str)] = &[
        (
            "events:DescribeRule",
            json!({"Name": "x", "State": "DISABLED"}),
            "rule RemediatorFunctionTaskStopped",
            "enable-rule --name x",
        ),
        (
            "logs:DescribeLogStreams",
            json!({"logStreams": [{"lastIngestionTime": 1_768_504_620_000_u64}]}),
            "last sweep",
            "Throttles",
        ),
        ("logs:DescribeLogStreams", json!({"logStreams": []}), "last sweep", "runs at all"),
        (
            "logs:GetLogEvents",
            json!({"events": [{"message": "{\"version\":\"0.0.1\"}"}]}),
            "version in",
            "Upgrade",
        ),
        (
            "sqs:GetQueueAttributes",
            json!({"Attributes": {"ApproximateNumberOfMessages": "3"}}),
            "queue DeadLetterQueue",
            "redrive",
        ),
        (
            "cloudwatch:GetMetricStatistics",
            json!({"Datapoints": [{"Maximum": 4_000.0}]}),
            "queue WorkQueue",
            "log",
        ),
        (
            "iam:SimulatePrincipalPolicy",
            json!({"IsTruncated": false, "EvaluationResults": []}),
            "role of Widget",
            "boundary",
        ),
        (
            "cloudformation:DescribeStacks",
            json!({"Stacks": [acting("pullsafe"), acting("other")]}),
            "other stacks",
            "one stack in a region",
        ),
        (
            "cloudformation:DescribeStacks",
            json!({"Stacks": [stack("pullsafe"), pruning("other")]}),
            "other stacks",
            "a MirrorPrefix of its own",
        ),
        (
            "ecr:DescribePullThroughCacheRules",
            json!({"pullThroughCacheRules": [{"ecrRepositoryPrefix": "docker-hub"}]}),
            "the mirror's prefix",
            "another MirrorPrefix",
        ),
        (
            "ecs:DescribeTasks",
            json!({"tasks": [{"containers": [{"image": "nginx"}]}]}),
            "a task has the digest",
            "MirrorMayDelete",
        ),
    ];
    for (call, answer, about, mend) in faults {
        let (call, answer) = (*call, answer.clone());
        let account =
            move |asked: &str, request: &Value| if asked == call { Ok(answer.clone()) } else { well(asked, request) };
        let output = doctor(Arc::new(account), &["--output", "json"]).await;
        assert_eq!(output.status.code(), Some(1), "{call}: {output:?}");
        let found = findings(&output);
        let found = found
            .iter()
            .find(|finding| finding["state"] == "wrong" && finding["about"].as_str().unwrap().starts_with(about));
        let found = found.unwrap_or_else(|| panic!("{call}: {output:?}"));
        assert!(found["mend"].as_str().unwrap().contains(mend), "{call}: {found}");
    }
}

/// A look that is denied names the missing permission; it is not a fault of the stack.
#[tokio::test(flavor = "multi_thread")]
async fn a_denied_look_is_not_known() {
    for (call, about) in [
        ("events:DescribeRule", "rule RemediatorFunctionTaskStopped"),
        ("logs:DescribeLogStreams", "last sweep"),
        ("logs:GetLogEvents", "version in"),
        ("sqs:GetQueueAttributes", "queue WorkQueue"),
        ("cloudwatch:GetMetricStatistics", "queue WorkQueue"),
        ("iam:SimulatePrincipalPolicy", "role of Mirror"),
        ("ecs:ListClusters", "DescribeServices gives tags"),
        ("ecr:DescribePullThroughCacheRules", "BatchGetImage"),
    ] {
        let account = move |asked: &str, request: &Value| {
            if asked == call {
                Err(AwsError::client("AccessDeniedException", "not authorized"))
            } else {
                well(asked, request)
            }
        };
        let output = doctor(Arc::new(account), &["--output", "json"]).await;
        assert_eq!(output.status.code(), Some(0), "{call}: {output:?}");
        let found = findings(&output);
        let found = found
            .iter()
            .find(|finding| finding["about"].as_str().unwrap().starts_with(about) && finding["state"] == "not-known");
        assert!(found.is_some_and(|found| found["settle"].as_str().unwrap().contains(call)), "{call}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_not_there_is_an_error() {
    let account =
        |_: &str, _: &Value| Err(AwsError::client("ValidationError", "Stack with id elsewhere does not exist"));
    let output = doctor(Arc::new(account), &["--stack", "elsewhere"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("the stack elsewhere cannot be looked at") && said.contains("does not exist"),
        "{said}"
    );
}

/// A service that is not in the region has no address there.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_in_the_region_is_named_with_what_is_not_done() {
    let nowhere = [("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", "http://tagging.eu-west-1.nowhere.invalid")];
    let output = doctor_with(Arc::new(well), &["--output", "json"], &nowhere).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = findings(&output);
    let found = found.iter().find(|finding| finding["about"] == "services in eu-west-1").unwrap();
    assert_eq!(found["state"], "wrong", "{found}");
    assert!(
        found["seen"].as_str().unwrap().starts_with("no address for tag (a service that is paused"),
        "{found}"
    );
}

/// A service that pulls through a rule needs more than the right to pull: the first pull imports, and creates the
/// repository.
#[tokio::test(flavor = "multi_thread")]
async fn what_pulls_through_a_rule_may_import() {
    let rules = json!({ "pullThroughCacheRules": [{ "ecrRepositoryPrefix": "hub" }] });
    for (role_may, stack_may) in [(false, false), (true, false), (false, true)] {
        let rules = rules.clone();
        let account = move |asked: &str, request: &Value| {
            if asked == "ecr:DescribePullThroughCacheRules" {
                return Ok(rules.clone());
            }
            let actions = request["ActionNames"].as_array().cloned().unwrap_or_default();
            if asked == "iam:SimulatePrincipalPolicy" && actions.contains(&json!("ecr:BatchImportUpstreamImage")) {
                let of_service = request["PolicySourceArn"].as_str().unwrap().ends_with("role/pull");
                let decision = if if of_service { role_may } else { stack_may } {
                    "allowed"
                } else {
                    "implicitDeny"
                };
                let result = |action: &Value| json!({ "EvalActionName": action, "EvalDecision": decision });
                return Ok(
                    json!({ "IsTruncated": false, "EvaluationResults": actions.iter().map(result).collect::<Vec<_>>() }),
                );
            }
            well(asked, request)
        };
        let output = doctor(Arc::new(account), &["--output", "json"]).await;
        let found = findings(&output);
        let of = |about: &str| {
            found.iter().find(|finding| finding["about"].as_str().unwrap().starts_with(about)).unwrap().clone()
        };
        let imports = of("what pulls through the cache may import");
        assert_eq!(imports["state"], if role_may { "ok" } else { "wrong" }, "{imports}");
        if !role_may {
            let mend = imports["mend"].as_str().unwrap();
            for wanted in ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "repository/hub/library/nginx"] {
                assert!(mend.contains(wanted), "{mend}");
            }
        }
        let looks = of("BatchGetImage below a pull-through prefix");
        assert_eq!(looks["state"], if stack_may { "wrong" } else { "ok" }, "{looks}");
        assert_eq!(of("the mirror's prefix")["state"], "ok");
    }
}

/// What nobody would restore once the stack is gone stands in the way of its deletion. What goes on by itself is
/// mentioned, but does not.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_of_a_deletion_is_named_with_its_command() {
    const HOSTILE: &str = "$(reboot)";
    const PAUSED: &str = "arn:aws:ecs:eu-west-1:123456789012:service/production/web";
    let imports = |stacks: &'static [&'static str]| {
        move |asked: &str, request: &Value, paused: &[(&str, &str)]| match asked {
            "tag:GetResources" => {
                Ok(json!({ "PaginationToken": "", "ResourceTagMappingList": [{ "ResourceARN": PAUSED, "Tags": [] }] }))
            }
            "ecs:DescribeServices" => {
                let tags: Vec<Value> =
                    paused.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
                Ok(
                    json!({ "services": [{ "serviceName": "web", "status": "ACTIVE", "desiredCount": 0, "tags": tags }] }),
                )
            }
            "cloudformation:ListImports" if stacks.is_empty() => {
                Err(AwsError::client("ValidationError", "Export 'pullsafe-ImageGate' is not imported by any stack."))
            }
            "cloudformation:ListImports" => Ok(json!({ "Imports": stacks })),
            _ => well(asked, request),
        }
    };
    let nothing = imports(&[]);
    for (tags, about, state, wanted) in [
        (&[("team", "a")][..], "paused services", "ok", "none"),
        (
            &[("pullsafe:paused-count", "3")],
            "paused services",
            "wrong",
            "--service web --region eu-west-1 --desired-count 3",
        ),
        (
            &[("pullsafe:paused-count", HOSTILE)],
            "paused services",
            "wrong",
            "--desired-count THE-COUNT-BEFORE",
        ),
        (&[("pullsafe:paused-count", "3"), ("pullsafe:paused-by", "other")], "paused services", "ok", "none"),
        (
            &[("pullsafe:moved-from", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7")],
            "moved services",
            "ok",
            "before: web:7",
        ),
    ] {
        let answer: Answer = Arc::new(move |asked: &str, request: &Value| nothing(asked, request, tags));
        let output = doctor(answer, &["--before-delete", "--output", "json"]).await;
        let found = findings(&output);
        let finding = found.iter().find(|finding| finding["about"] == about).unwrap();
        assert_eq!(finding["state"], state, "{tags:?}: {finding}");
        assert!(
            finding.to_string().contains(wanted) && !finding.to_string().contains(HOSTILE),
            "{tags:?}: {finding}"
        );
        assert_eq!(output.status.code(), Some(i32::from(state == "wrong")));
    }
    let some = imports(&["shop", "cart"]);
    let output =
        doctor(Arc::new(move |asked: &str, request: &Value| some(asked, request, &[])), &["--before-delete"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("WRONG     stacks that import the gate: shop, cart"), "{text}");
    let refused = |asked: &str, request: &Value| match asked {
        "tag:GetResources" | "cloudformation:ListImports" => {
            Err(AwsError::client("AccessDeniedException", "not authorized"))
        }
        _ => well(asked, request),
    };
    let output = doctor(Arc::new(refused), &["--before-delete"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("allow tag:GetResources") && text.contains("allow cloudformation:ListImports"),
        "{text}"
    );
}
