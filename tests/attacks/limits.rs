//! What is tried with readings of Docker Hub's limit: by whoever answers the probe's request, and by whoever can put
//! events on the bus.

use std::sync::Arc;

use probe::ScheduledProbe;
use pullsafe::reference::Digest;
use pullsafe_radar::Probed;
use pullsafe_registry::{Client, Config};
use scenarios::world::{Setup, TABLE};
use serde_json::{Value, json};
use testkit::registry::Sample;

use super::evil::{Evil, EvilReply};

const SUBNET: &str = "subnet-0a1b2c3d";

pub(crate) async fn headers() -> String {
    let mut tried = 0;
    for (name, value) in [
        ("docker-ratelimit-source", "evil <script>alert(1)</script>"),
        ("docker-ratelimit-source", "203.0.113.7, evil"),
        ("docker-ratelimit-source", "203.0.113.7 is used up, sign in at evil.example"),
        ("docker-ratelimit-source", "\u{1b}[2J"),
        ("docker-ratelimit-source", "' OR '1'='1"),
        ("docker-ratelimit-source", "read#~"),
        ("ratelimit-remaining", "999999999999999999999;w=21600"),
        ("ratelimit-remaining", "-1"),
        ("ratelimit-limit", "1e300;w=NaN"),
        ("ratelimit-limit", "0;w=0"),
        ("ratelimit-limit", "18446744073709551615;w=18446744073709551615"),
    ] {
        let evil = Evil::start(move |asked, own| {
            if asked.line.contains("/token") {
                return EvilReply::new(200, r#"{"token":"t"}"#);
            }
            if !asked.headers.contains_key("authorization") {
                return EvilReply::new(401, "")
                    .with("www-authenticate", format!("Bearer realm=\"http://{own}/token\",service=\"s\""));
            }
            let sent = [
                ("docker-ratelimit-source", "203.0.113.7"),
                ("ratelimit-limit", "100;w=21600"),
                ("ratelimit-remaining", "0;w=21600"),
            ];
            let reply = EvilReply::new(200, "").with("docker-content-digest", Digest::of(b"x").to_string());
            sent.iter()
                .fold(reply, |reply, (known, usual)| reply.with(known, if *known == name { value } else { usual }))
        });
        let clock: pullsafe::clock::Clock = Arc::new(|| pullsafe::timestamp::Timestamp::from_millis(1_768_506_420_000));
        let endpoints = format!("docker.io={}", evil.url()).parse().unwrap();
        let probe = ScheduledProbe::new(
            Client::new(Config { endpoints, attempts: 1, ..Config::new(clock.clone()) }),
            vec![SUBNET.to_owned()],
            clock,
        );
        // Either there is no answer, or it holds plain numbers and an address.
        if let Ok(answer) = probe.handle().await
            && !answer.is_null()
        {
            let read = Probed::parse(&answer).unwrap_or_else(|why| panic!("{name}: {value}: {why}: {answer}"));
            assert_eq!(read.source.to_string(), "203.0.113.7", "{value}");
        }
        tried += 1;
    }
    format!("{tried} answers: no reading, or one of numbers within bounds and an address")
}

pub(crate) async fn made_up_readings() -> String {
    let mut tried = 0;
    let usual = json!({
        "pullsafe": "quota", "source": "198.51.100.1", "subnets": [SUBNET], "remaining": 0, "limit": 100, "window_seconds": 21600,
    });
    let envelope = |answer: Value| {
        json!({
            "source": "lambda", "detail-type": "Lambda Function Invocation Result - Success", "account": "123456789012", "region": "eu-west-1",
            "detail": { "responsePayload": answer },
        })
    };
    let mut world = Setup::new().with("PULLSAFE_QUOTA_PROBE", "true").with("PULLSAFE_AHEAD", "move").build();
    for (field, value) in [
        ("source", json!("everybody, sign in at evil.example")),
        ("subnets", json!(["*"])),
        ("subnets", json!([{ "S": SUBNET }])),
        ("remaining", json!(1e300)),
        ("at", json!("9999-12-31T23:59:59Z")),
        ("at", json!("1970-01-01T00:00:00Z")),
        ("pullsafe", json!("sweep")),
    ] {
        let mut answer = usual.clone();
        answer["at"] = json!(world.clock.now());
        answer[field] = value;
        world.deliver(&envelope(answer)).await;
        tried += 1;
    }
    assert_eq!((world.tables.items(TABLE).len(), world.told().len()), (0, 0), "nothing of it is kept or told");
    // An event that looks like a real reading is believed. It causes at most a move to verified copies, which the
    // parameter allows, and a few messages.
    Sample::multi_arch(1).build().push(world.hub.store(), "acme/app", "1");
    let definition = world.define("app", &["acme/app:1"]);
    let network = json!({ "networkConfiguration": { "awsvpcConfiguration": { "subnets": [SUBNET] } } });
    world.create_service("web", &definition, 1, network);
    world.run_for(600).await;
    let told = world.told().len();
    for number in 1..=200 {
        let mut answer = usual.clone();
        (answer["at"], answer["source"]) = (json!(world.clock.now()), json!(format!("198.51.100.{number}")));
        world.deliver(&envelope(answer)).await;
        world.settle().await;
        tried += 1;
    }
    assert!(world.told().len() - told <= 5, "{} messages", world.told().len() - told);
    assert!(world.service("web")["runningCount"] == 1, "the service runs");
    format!(
        "{tried} readings: {} messages, and no service that launches nothing is touched",
        world.told().len() - told
    )
}
