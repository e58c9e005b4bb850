//! What the author of a stack tries, in this account or in another: with the properties, the request, and the address
//! for its answer.

use scenarios::gate::stage::MIRROR_QUEUE;
use scenarios::gate::{GateStage, Manner};
use serde_json::{Value, json};

use super::evil::{Evil, EvilReply};

const STACK: &str = "arn:aws:cloudformation:eu-west-1:666666666666:stack/evil/0a1b";
const HOST: &str = "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com";

fn reason(stage: &GateStage, stack: &str) -> String {
    stage.answer("Create", stack)["Reason"].as_str().unwrap_or_default().to_owned()
}

pub(crate) async fn answers_elsewhere() -> String {
    let evil = Evil::start(|_, _| EvilReply::new(200, ""));
    let (port, own, other) = (
        evil.host.rsplit(':').next().unwrap().to_owned(),
        STACK.replace('/', "%2F"),
        "arn:aws:cloudformation:x",
    );
    let mut tried = 0;
    for url in [
        format!("http://{}/{own}%7CImage%7Cx?X-Amz-Signature=1", evil.host),
        format!("https://{}/{own}%7CImage%7Cx", evil.host),
        format!("https://localhost:{port}/{own}%7CImage%7Cx"),
        format!("https://[::ffff:127.0.0.1]:{port}/{own}%7CImage%7Cx"),
        format!("{HOST}@{}/{own}%7CImage%7Cx", evil.host),
        format!("{HOST}.attacker.example/{own}%7CImage%7Cx"),
        format!("{HOST}:{port}/{own}%7CImage%7Cx"),
        format!("{HOST}/{other}%7CImage%7Cx"),
        format!("{HOST}/{own}"),
        format!("{HOST}/../{own}%7CImage"),
        format!("{}/{own}%7CImage%7Cx", HOST.replace("https", "http")),
        format!("{}/{own}%7CImage%7Cx", HOST.replace("euwest1", "useast1")),
        "https://attacker.s3.eu-west-1.amazonaws.com/x".to_owned(),
        "https://cloudformation-custom-resource-response-euwest1-evil.s3-eu-west-1.amazonaws.com/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        for request_type in ["Create", "Update", "Delete"] {
            let stage = GateStage::as_deployed().await;
            stage.push("web", "1", 1);
            let mut request = stage.request(request_type, "evil", "1");
            (request["StackId"], request["ResponseURL"]) = (json!(STACK), json!(url));
            let outcome = stage.invoke(&request).await;
            let said = format!("{outcome:?}");
            assert!(!said.contains("X-Amz-Signature"), "{said}");
            assert!(stage.rows().is_empty() && stage.answers.received().is_empty(), "{url}: {said}");
            tried += 1;
        }
    }
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
    format!("{tried} requests: no connection, no row, no answer")
}

pub(crate) async fn forged_delete() -> String {
    let stage = GateStage::new().await;
    stage.handle(&stage.request("Create", "app", "1")).await;
    let mut tried = 0;
    for (manner, url, request_id) in [
        (Some(Manner::Refuse(403)), None, None),
        (Some(Manner::Refuse(404)), None, Some("Create-app")),
        (None, Some("https://attacker.s3.eu-west-1.amazonaws.com/x"), None),
        (None, Some("https://attacker.example/x"), Some("Create-app")),
    ] {
        let mut request = stage.request("Delete", "app", "1");
        if let Some(manner) = manner {
            stage.answers.always(manner);
        }
        if let Some(url) = url {
            request["ResponseURL"] = json!(url);
        }
        if let Some(id) = request_id {
            request["RequestId"] = json!(id);
        }
        drop(stage.invoke(&request).await);
        stage.answers.next(&[]);
        tried += 1;
    }
    let pushed = stage.push("web", "1", 1);
    stage.handle(&pushed).await;
    assert_eq!(stage.answer("Create", "app")["Status"], "SUCCESS");
    format!("{tried} forged Deletes: the wait goes on and is answered")
}

pub(crate) async fn what_the_registry_holds() -> String {
    let stage = GateStage::new().await;
    stage.push("web", "secret-tag", 1);
    let mut heard = Vec::new();
    for (stack, tag) in [("there", "secret-tag"), ("near", "secret-ta"), ("none", "x")] {
        let name = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web";
        let mut request = stage.request_with(
            "Create",
            stack,
            json!({"RepositoryName": name, "ImageTag": tag, "ServiceTimeout": 200}),
        );
        request["StackId"] = json!(format!("arn:aws:cloudformation:eu-west-1:666666666666:stack/{stack}/0a1b"));
        stage.handle(&request).await;
        for _ in 0..3 {
            stage.pass(60).await;
            stage.sweep().await;
        }
        stage.pass(10).await;
        let reason = reason(&stage, stack);
        assert!(!reason.contains("secret-tag") && !reason.contains(&GateStage::digest(1)), "{reason}");
        heard.push(reason.replace(tag, "TAG").replace(stack, "STACK"));
    }
    assert!(
        heard[0] == heard[1] && heard[1] == heard[2],
        "what is there and what is not sound alike: {heard:#?}"
    );
    "what is there and what is not get the same words".to_owned()
}

pub(crate) async fn sources() -> String {
    let stage = GateStage::new().await;
    let mut tried = 0;
    for (repository, source) in [
        ("docker-hub/library/python", "evil/python:3.12"),
        ("docker-hub/library/python", "ghcr.io/evil/python:3.12"),
        ("docker-hub/library/python", "127.0.0.1:1/library/python:3.12"),
        ("docker-hub/library/python", "169.254.169.254/library/python:3.12"),
        ("docker-hub/library/python", "python:3.11"),
        ("docker-hub/library/../library/python", "python:3.12"),
        ("666666666666.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/python", "python:3.12"),
        ("web", "python:3.12"),
    ] {
        let stack = format!("source-{tried}");
        let properties =
            json!({"RepositoryName": repository, "ImageTag": "3.12", "Source": source, "Platforms": ["linux/s390x"]});
        stage.handle(&stage.request_with("Create", &stack, properties)).await;
        assert_eq!(stage.answer("Create", &stack)["Status"], "FAILED", "{repository} {source}");
        tried += 1;
    }
    assert!(stage.queues.bodies(MIRROR_QUEUE).is_empty(), "{:?}", stage.queues.bodies(MIRROR_QUEUE));
    // An image that may be asked for is asked for in all platforms, whatever platforms the stack names.
    let properties = json!({"RepositoryName": "docker-hub/library/python", "ImageTag": "3.12", "Source": "python:3.12", "Platforms": ["linux/s390x"]});
    stage.handle(&stage.request_with("Create", "allowed", properties)).await;
    let asked = stage.queues.bodies(MIRROR_QUEUE);
    assert!(!asked.is_empty() && asked.iter().all(|job| job.get("platforms").is_none()), "{asked:?}");
    format!("{tried} sources: FAILED at once, the mirror is asked for nothing")
}

pub(crate) async fn words() -> String {
    let stage = GateStage::new().await;
    let bad = "<!channel> \u{1b}[2J\r\n::error::x\u{202e} <https://evil.example|here> `x` <script>";
    let mut tried = 0;
    for properties in [
        json!({"RepositoryName": "web", "ImageTag": bad}),
        json!({"RepositoryName": bad, "ImageTag": "1"}),
        json!({"RepositoryName": "web", "ImageTag": "1", "Platforms": [bad]}),
        json!({"RepositoryName": "web", "ImageTag": "1", "Source": bad}),
        json!({"RepositoryName": "web", "ImageTag": "1", bad: "1"}),
        json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": bad}),
        json!({"RepositoryName": "web", "ImageDigest": bad}),
        Value::String(bad.to_owned()),
    ] {
        let stack = format!("words-{tried}");
        stage.handle(&stage.request_with("Create", &stack, properties)).await;
        let reason = reason(&stage, &stack);
        assert!(!reason.contains(['<', '>', '\u{1b}', '\r', '\n', '\u{202e}']), "{reason:?}");
        tried += 1;
    }
    format!("{tried} reasons read as what they are")
}
