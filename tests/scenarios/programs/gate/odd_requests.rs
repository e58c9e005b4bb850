//! Requests as templates, other tools and mistakes make them. The program gives each one clear answer that names what
//! is wrong, and understands what can be understood.

use scenarios::gate::GateStage;
use serde_json::{Value, json};

use support::Program;

mod support;

/// The outcome of a request.
#[derive(Debug, Clone, Copy)]
enum RequestFate {
    Succeeds,
    Parked,
    /// FAILED, with this text in the reason.
    Fails(&'static str),
}
use RequestFate::{Fails, Parked, Succeeds};

/// Properties, and the outcome of a request with them. The repository `web` has the tags `1`, `7` and `1.5`.
fn properties() -> Vec<(Value, RequestFate)> {
    let with = |more: Value| {
        let mut properties = json!({"ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:gate", "RepositoryName": "web", "ImageTag": "1"});
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        properties
    };
    let long = "x".repeat(129);
    vec![
        (with(json!({})), Succeeds),
        // Types: CloudFormation sends text, other tools send the types of the template.
        (with(json!({"ImageTag": 7})), Succeeds),
        (with(json!({"ImageTag": 1.5})), Succeeds),
        (with(json!({"ImageTag": " 1 "})), Succeeds),
        (with(json!({"ImageTag": true})), Parked),
        (with(json!({"ImageTag": 1.1})), Fails("in quotes")),
        (with(json!({"ImageTag": ["1"]})), Fails("ImageTag is not a text")),
        (with(json!({"ImageTag": ""})), Fails("ImageTag is missing")),
        (with(json!({"ImageTag": null})), Fails("ImageTag is missing")),
        (with(json!({"ImageTag": long})), Fails("a tag is at most 128 long")),
        (with(json!({"ImageTag": "web:1"})), Fails("ImageTag")),
        (with(json!({"ImageTag": "1\u{0}"})), Fails("ImageTag")),
        (with(json!({"ImageTag": "${Tag}"})), Fails("ImageTag")),
        (with(json!({"ImageTag": "", "ImageDigest": GateStage::digest(1)})), Succeeds),
        (with(json!({"ImageTag": "", "ImageDigest": format!(" {}\n", GateStage::digest(1))})), Succeeds),
        (
            with(json!({"ImageTag": "", "ImageDigest": GateStage::digest(1).to_uppercase()})),
            Fails("is in capitals"),
        ),
        (
            with(json!({"ImageTag": "", "ImageDigest": GateStage::digest(1).replace("sha256:", "")})),
            Fails("lacks its algorithm"),
        ),
        (with(json!({"ImageDigest": GateStage::digest(1)})), Fails("not both")),
        (with(json!({"ImageDigest": ""})), Succeeds),
        // Repositories.
        (with(json!({"RepositoryName": ""})), Fails("RepositoryName is missing")),
        (with(json!({"RepositoryName": "web:1"})), Fails("carries a tag")),
        (with(json!({"RepositoryName": "Web"})), Fails("RepositoryName")),
        (with(json!({"RepositoryName": "/web"})), Fails("RepositoryName")),
        (with(json!({"RepositoryName": "web/"})), Fails("RepositoryName")),
        (
            with(json!({"RepositoryName": "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/web"})),
            Fails("is a URL. Write RepositoryName: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/web"),
        ),
        (
            with(json!({"RepositoryName": "arn:aws:ecr:eu-west-1:123456789012:repository/web"})),
            Fails("is an ARN"),
        ),
        (with(json!({"RepositoryName": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web"})), Succeeds),
        (
            with(json!({"RepositoryName": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/"})),
            Fails("RepositoryName"),
        ),
        (
            with(json!({"RepositoryName": "123456789012.dkr.ecr.eu-west-1.amazonaws.com"})),
            Fails("RepositoryName"),
        ),
        (with(json!({"RepositoryName": "r".repeat(300)})), Fails("RepositoryName")),
        (with(json!({"RepositoryName": {"Ref": "Repo"}})), Fails("RepositoryName is not a text")),
        // Unknown properties.
        (with(json!({"Timeout": "60"})), Fails("Timeout is an unknown property. Write ServiceTimeout")),
        (with(json!({"imageTag": "1"})), Fails("imageTag is an unknown property. Write ImageTag")),
        (with(json!({"Extra": ""})), Fails("Extra is an unknown property")),
        (with(json!({"n".repeat(100_000): "x"})), Fails("is an unknown property")),
        // Times.
        (with(json!({"ServiceTimeout": "600"})), Succeeds),
        (with(json!({"ServiceTimeout": 600.0})), Succeeds),
        (with(json!({"ServiceTimeout": ""})), Succeeds),
        (with(json!({"ServiceTimeout": "99999999999999999999"})), Fails("out of CloudFormation's bounds")),
        (
            with(json!({"ServiceTimeout": "10m"})),
            Fails("is not a number of seconds. Write ServiceTimeout: 600"),
        ),
        (with(json!({"ServiceTimeout": "NaN"})), Fails("not a number of seconds")),
        (with(json!({"ServiceTimeout": "inf"})), Fails("not a number of seconds")),
        (with(json!({"ServiceTimeout": "-5"})), Fails("out of CloudFormation's bounds")),
        (with(json!({"ServiceTimeout": "0"})), Fails("out of CloudFormation's bounds")),
        (with(json!({"ServiceTimeout": [60]})), Fails("ServiceTimeout is not a text")),
        // Platforms.
        (with(json!({"Platforms": ""})), Succeeds),
        (with(json!({"Platforms": []})), Succeeds),
        (with(json!({"Platforms": null})), Succeeds),
        (with(json!({"Platforms": "linux/amd64 , linux/arm64"})), Succeeds),
        (with(json!({"Platforms": ["linux/arm64/v8"]})), Succeeds),
        (with(json!({"Platforms": vec!["linux/amd64"; 10_000]})), Succeeds),
        (with(json!({"Platforms": {"a": 1}})), Fails("Platforms is neither a text nor a list")),
        (with(json!({"Platforms": [["linux/amd64"]]})), Fails("Platforms")),
        (with(json!({"Platforms": [{}, "linux/amd64"]})), Fails("Platforms")),
        (with(json!({"Platforms": ["linux/amd64", 7]})), Fails("Platforms")),
        (with(json!({"Platforms": "amd64"})), Succeeds),
        (with(json!({"Platforms": "linux/x86_64"})), Succeeds),
        (with(json!({"Platforms": "linux/amd65"})), Fails("linux/amd64, if that is meant")),
        // The rest.
        (with(json!({"Source": ""})), Succeeds),
        (with(json!({"Source": "https://docker.io/library/redis:7"})), Fails("Source")),
        (with(json!({"Source": ["redis:7"]})), Fails("Source is not a text")),
        (with(json!({"Trigger": 20261121})), Succeeds),
        (with(json!({"Trigger": "t".repeat(100_000)})), Succeeds),
        (with(json!({"Trigger": {"at": 1}})), Fails("Trigger is not a text")),
        (json!("text"), Fails("not an object")),
        (json!([]), Fails("not an object")),
        (json!(null), Fails("RepositoryName is missing")),
    ]
}

fn check(program: &Program, name: &str, result: &Value, fate: RequestFate) -> Result<(), String> {
    let answered = |status: &str| {
        if !program.stage.is_answered("Create", name) {
            return Err(format!("not answered: {result}"));
        }
        let answer = program.stage.answer("Create", name);
        let whole =
            answer["StackId"].is_string() && answer["PhysicalResourceId"].as_str().is_some_and(|id| !id.is_empty());
        let as_expected = whole && answer["Status"] == status && answer.to_string().len() <= 4096;
        if as_expected { Ok(answer) } else { Err(format!("{answer}")) }
    };
    match fate {
        Parked if result["parked"] == true => Ok(()),
        Parked => Err(format!("not parked: {result}")),
        Succeeds => answered("SUCCESS").map(drop),
        Fails(why) => {
            let answer = answered("FAILED")?;
            let reason = answer["Reason"].as_str().unwrap_or_default();
            if reason.contains(why) { Ok(()) } else { Err(reason.to_owned()) }
        }
    }
}

#[tokio::test]
async fn every_odd_property_has_a_clear_answer() {
    let mut program = Program::start(&[]).await;
    for tag in ["1", "7", "1.5"] {
        program.stage.push("web", tag, 1);
    }
    let mut wrong = Vec::new();
    for (index, (properties, fate)) in properties().into_iter().enumerate() {
        let name = format!("odd-{index}");
        let request = program.stage.request_with("Create", &name, properties.clone());
        let result = program.handled(&request).await;
        if let Err(what) = check(&program, &name, &result, fate) {
            wrong.push(format!("{:.200} should be {fate:?}: {what:.400}", properties.to_string()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    program.end().await;
}

#[tokio::test]
async fn every_odd_envelope_has_a_clear_answer() {
    let mut program = Program::start(&[]).await;
    program.stage.push("web", "1", 1);
    let mut wrong = Vec::new();
    let cases: Vec<(&str, Value, RequestFate)> = vec![
        ("RequestType", json!(null), Fails("RequestType is none of")),
        ("RequestType", json!(""), Fails("RequestType is none of")),
        ("RequestType", json!("CREATE"), Fails("RequestType is none of")),
        ("RequestType", json!(["Create"]), Fails("RequestType is none of")),
        ("RequestType", json!("Read"), Fails("RequestType is none of")),
        ("ResourceType", json!("AWS::CloudFormation::CustomResource"), Succeeds),
        ("ResourceType", json!(7), Succeeds),
        ("NewField", json!({"deep": [1]}), Succeeds),
        ("ServiceTimeout", json!("600"), Succeeds),
        ("LogicalResourceId", json!("L".repeat(255)), Succeeds),
        ("LogicalResourceId", json!(""), Succeeds),
        (
            "StackId",
            json!("arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/app/0a1b"),
            Succeeds,
        ),
        ("StackId", json!("arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/app/0a1b"), Succeeds),
        ("StackId", json!("no arn"), Succeeds),
        ("RequestId", json!(""), Succeeds),
        ("OldResourceProperties", json!("nonsense"), Succeeds),
        ("PhysicalResourceId", json!("2026/11/21/[$LATEST]0123"), Succeeds),
    ];
    for (index, (key, value, fate)) in cases.into_iter().enumerate() {
        let name = format!("envelope-{index}");
        let mut request = program.stage.request("Create", &name, "1");
        request[key] = value.clone();
        let result = program.handled(&request).await;
        if let Err(what) = check(&program, &name, &result, fate) {
            wrong.push(format!("{key} {value} should be {fate:?}: {what:.400}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    program.end().await;
}

#[tokio::test]
async fn a_delete_is_a_success_whoever_made_the_resource() {
    let mut program = Program::start(&[]).await;
    let longest = "p".repeat(1024);
    for (index, id) in ["2026/11/21/[$LATEST]0123", "web@sha256:00", longest.as_str(), "ü ü", "{\"a\":1}"]
        .into_iter()
        .enumerate()
    {
        let name = format!("delete-{index}");
        let mut request = program.stage.request_with("Delete", &name, json!({"Nonsense": [1], "ImageTag": {}}));
        request["PhysicalResourceId"] = json!(id);
        program.handled(&request).await;
        let answer = program.stage.answer("Delete", &name);
        assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &json!(id)), "{name}");
    }
    for missing in [
        "PhysicalResourceId",
        "ResourceProperties",
        "StackId",
        "RequestId",
        "LogicalResourceId",
        "ResourceType",
    ] {
        let name = format!("without-{}", missing.to_lowercase());
        let mut request = program.stage.request("Delete", &name, "1");
        request.as_object_mut().unwrap().remove(missing);
        assert_eq!(program.handled(&request).await["answered"], true, "{missing}");
        assert_eq!(program.stage.answer("Delete", &name)["Status"], "SUCCESS", "{missing}");
    }
    program.end().await;
}

#[tokio::test]
async fn an_update_keeps_the_id_that_it_came_with() {
    let mut program = Program::start(&[]).await;
    program.stage.push("web", "1", 1);
    for (index, id) in ["2026/11/21/[$LATEST]0123".to_owned(), "p".repeat(1024)].into_iter().enumerate() {
        let name = format!("update-{index}");
        let mut request = program.stage.request("Update", &name, "1");
        request["PhysicalResourceId"] = json!(id);
        request["OldResourceProperties"] = request["ResourceProperties"].clone();
        program.handled(&request).await;
        program.handled(&request).await;
        let answer = program.stage.answer("Update", &name);
        assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &json!(id)));
    }
    program.end().await;
}

#[tokio::test]
async fn wrapped_repeated_and_unanswerable_requests_are_told_apart() {
    let mut program = Program::start(&[]).await;
    program.stage.push("web", "1", 1);
    let wrapped =
        |request: &Value| json!({"Sns": {"Message": request.to_string(), "Timestamp": "2026-01-15T19:17:00.000Z"}});
    let first = program.stage.request("Create", "first", "1");
    let second = program.stage.request("Create", "second", "1");
    program.handled(&json!({"Records": [wrapped(&first), wrapped(&second)]})).await;
    assert!(
        program.stage.is_answered("Create", "first") && program.stage.is_answered("Create", "second"),
        "every record counts"
    );
    // A request that comes through SNS and SQS.
    let queued = program.stage.request("Create", "queued", "1");
    let body = json!({"Type": "Notification", "Message": queued.to_string()}).to_string();
    program
        .handled(&json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": body}]}))
        .await;
    assert!(program.stage.is_answered("Create", "queued"), "a notification in a queue is a request too");
    // The same request again gets the same answer. The same id with another address is another request.
    for _ in 0..3 {
        program.handled(&first).await;
    }
    program.stage.answer("Create", "first");
    let mut reused = program.stage.request("Create", "reused", "1");
    reused["RequestId"] = first["RequestId"].clone();
    reused["StackId"] = first["StackId"].clone();
    program.handled(&reused).await;
    assert_eq!(program.stage.answer("Create", "reused")["Status"], "SUCCESS");
    // If there is nowhere to send an answer, nothing is tried again, and the log has the reason.
    for url in [
        "https://evil.example/x",
        "http://bucket.s3.amazonaws.com/x",
        "ftp://x",
        "",
        " ",
        "https://amazonaws.com.evil.example/",
    ] {
        for request_type in ["Create", "Delete"] {
            let mut request = program.stage.request(request_type, "nowhere", "1");
            request["ResponseURL"] = json!(url);
            let result = program.handled(&request).await;
            assert_eq!(result["answered"], false, "{request_type} {url}: {result}");
        }
    }
    for url in [json!(null), json!(7), json!(["https://x"])] {
        let mut request = program.stage.request("Create", "nowhere", "1");
        request["ResponseURL"] = url.clone();
        let result = program.handled(&request).await;
        assert!(result["reason"].as_str().is_some_and(|reason| reason.contains("ResponseURL")), "{url}: {result}");
    }
    program.end().await;
}
