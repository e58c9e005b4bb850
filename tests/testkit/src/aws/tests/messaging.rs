//! SNS, SQS and EventBridge.

use std::sync::Arc;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::{Value, json};

use super::clock;
use crate::aws::eventbridge::EventBridge;
use crate::aws::sns::Sns;
use crate::aws::sqs::Sqs;
use crate::aws::{CallOutcome, FakeAws};

#[tokio::test]
async fn a_topic_keeps_subject_message_and_attributes() {
    let sns = Sns::new(clock()).with_topic("people");
    let fake = FakeAws::new(clock()).with_service("sns", Arc::new(sns.clone()));
    let client = aws_sdk_sns::Client::new(&fake.sdk_config());
    let attribute = aws_sdk_sns::types::MessageAttributeValue::builder()
        .data_type("String")
        .string_value("docker-hub-quota")
        .build()
        .unwrap();
    let message = "Moved 2 images\r\n<worker> & \"sidecar\"\nünïcode + 100 %";

    let answer = client
        .publish()
        .topic_arn(Sns::arn("people"))
        .subject("pullsafe: worker moved")
        .message(message)
        .message_attributes("cause", attribute)
        .send()
        .await
        .unwrap();

    let published = sns.published();
    assert_eq!(published.len(), 1);
    assert_eq!(answer.message_id(), Some(published[0].id.as_str()));
    assert_eq!(published[0].message, message);
    assert_eq!(published[0].subject.as_deref(), Some("pullsafe: worker moved"));
    assert_eq!(published[0].attributes["cause"], "docker-hub-quota");
    assert_eq!(published[0].at.to_string(), "2026-01-15T19:47:01Z");
}

#[tokio::test]
async fn a_topic_refuses_as_the_real_one_does() {
    let fake = FakeAws::new(clock()).with_service("sns", Arc::new(Sns::new(clock()).with_topic("people")));
    let client = aws_sdk_sns::Client::new(&fake.sdk_config());
    let publish = |topic: &str, subject: String, message: &str| {
        client.publish().topic_arn(Sns::arn(topic)).subject(subject).message(message).send()
    };

    assert!(publish("people", "x".repeat(100), "text").await.is_ok());
    for subject in ["x".repeat(101), "zwei\nZeilen".to_owned(), "grün".to_owned()] {
        let error = publish("people", subject, "text").await.unwrap_err().into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{error:?}");
        assert_eq!(error.message(), Some("Invalid parameter: Subject"));
    }
    assert!(
        publish("nobody", "s".to_owned(), "text")
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_found_exception()
    );
    let long = "x".repeat(256 * 1024 + 1);
    assert!(
        publish("people", "s".to_owned(), &long)
            .await
            .unwrap_err()
            .into_service_error()
            .is_invalid_parameter_exception()
    );
}

#[tokio::test]
async fn a_queue_delays_hides_and_redrives() {
    let clock = clock();
    let sqs = Sqs::new(clock.clone())
        .with_queue("work", 30)
        .with_queue("dead", 30)
        .with_redrive("work", "dead", 2);
    let fake = FakeAws::new(clock.clone()).with_service("sqs", Arc::new(sqs.clone()));
    let client = aws_sdk_sqs::Client::new(&fake.sdk_config());
    let receive = || async {
        client
            .receive_message()
            .queue_url(Sqs::url("work"))
            .send()
            .await
            .unwrap()
            .messages
            .unwrap_or_default()
    };

    client
        .send_message()
        .queue_url(Sqs::url("work"))
        .message_body("{\"n\":1}")
        .delay_seconds(60)
        .send()
        .await
        .unwrap();
    assert_eq!(receive().await.len(), 0, "delayed");
    clock.advance(60);
    let first = receive().await;
    assert_eq!(first.len(), 1);
    assert_eq!(receive().await.len(), 0, "in flight");

    let handle = first[0].receipt_handle().unwrap();
    client
        .change_message_visibility()
        .queue_url(Sqs::url("work"))
        .receipt_handle(handle)
        .visibility_timeout(5)
        .send()
        .await
        .unwrap();
    clock.advance(5);
    assert_eq!(receive().await.len(), 1, "second receive");
    clock.advance(30);
    assert_eq!(receive().await.len(), 0, "moved to the dead letters");
    assert_eq!(sqs.bodies("work").len(), 0);
    assert_eq!(sqs.bodies("dead"), [json!({"n": 1})]);

    let missing = client.send_message().queue_url(Sqs::url("none")).message_body("x").send().await;
    assert!(missing.unwrap_err().into_service_error().is_queue_does_not_exist());
}

#[tokio::test]
async fn a_queue_delivers_to_lambda() {
    let clock = clock();
    let sqs = Sqs::new(clock.clone()).with_queue("work", 30);
    let fake = FakeAws::new(clock.clone()).with_service("sqs", Arc::new(sqs.clone()));
    let client = aws_sdk_sqs::Client::new(&fake.sdk_config());
    let entry = |id: usize| {
        SendMessageBatchRequestEntry::builder()
            .id(id.to_string())
            .message_body(format!("{id}"))
            .build()
            .unwrap()
    };
    let sent = client
        .send_message_batch()
        .queue_url(Sqs::url("work"))
        .set_entries(Some((0..10).map(entry).collect()))
        .send()
        .await
        .unwrap();
    assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
    let too_many = client
        .send_message_batch()
        .queue_url(Sqs::url("work"))
        .set_entries(Some((0..11).map(entry).collect()))
        .send()
        .await;
    assert!(too_many.unwrap_err().into_service_error().is_too_many_entries_in_batch_request());
    sqs.send("work", &json!({"n": 11}));

    let event = sqs.deliver("work", 10).unwrap();
    let parsed: lambda_sqs::DeliveredEvent = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(parsed.records.len(), 10);
    let failed = parsed.records[3].message_id.clone();
    sqs.settle("work", &event, &[failed]);
    assert_eq!(sqs.bodies("work"), [json!(3), json!({"n": 11})]);

    let bodies = |events: Vec<serde_json::Value>| -> Vec<String> {
        events.iter().filter_map(|event| event["Records"][0]["body"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(bodies(sqs.drain("work")), [r#"{"n":11}"#], "the failed message is in flight");
    clock.advance(30);
    assert_eq!(bodies(sqs.drain("work")), ["3"]);
    assert!(sqs.bodies("work").is_empty());
}

/// The part of Lambda's SQS event that a handler reads.
mod lambda_sqs {
    #[derive(serde::Deserialize)]
    pub(super) struct DeliveredEvent {
        #[serde(rename = "Records")]
        pub(super) records: Vec<DeliveredRecord>,
    }

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct DeliveredRecord {
        pub(super) message_id: String,
    }
}

#[tokio::test]
async fn a_bus_delivers_envelopes_and_refuses_foreign_sources() {
    let bus = EventBridge::new(clock());
    let fake = FakeAws::new(clock()).with_service("events", Arc::new(bus.clone()));
    let client = aws_sdk_eventbridge::Client::new(&fake.sdk_config());
    let entry = |source: &str, detail: &str| {
        PutEventsRequestEntry::builder()
            .source(source)
            .detail_type("Remedy Applied")
            .detail(detail)
            .resources("arn:x")
            .build()
    };
    let answer = client
        .put_events()
        .entries(entry("pullsafe", r#"{"cause":"docker-hub-quota"}"#))
        .entries(entry("aws.ecs", "{}"))
        .entries(entry("pullsafe", "[1]"))
        .send()
        .await
        .unwrap();

    assert_eq!(answer.failed_entry_count(), 2);
    let codes: Vec<_> = answer.entries().iter().map(|entry| entry.error_code()).collect();
    assert_eq!(codes, [None, Some("NotAuthorizedForSourceException"), Some("MalformedDetail")]);
    assert_eq!(
        bus.events_of("Remedy Applied"),
        [json!({
            "version": "0", "id": answer.entries()[0].event_id(), "detail-type": "Remedy Applied", "source": "pullsafe",
            "account": "123456789012", "time": "2026-01-15T19:47:01Z", "region": "eu-west-1", "resources": ["arn:x"],
            "detail": {"cause": "docker-hub-quota"}
        })]
    );
    assert!(matches!(fake.calls()[0].outcome, CallOutcome::Answered(_)));
}

#[tokio::test]
async fn a_queue_gives_nothing_out_while_too_much_of_it_is_in_flight() {
    let clock = clock();
    let queues = Sqs::new(clock.clone()).with_queue("work", 30).with_in_flight("work", 15);
    (0..20).for_each(|number| queues.send("work", &json!(number)));
    let records = |event: Option<Value>| event.map_or(0, |event| event["Records"].as_array().map_or(0, Vec::len));
    let first = queues.deliver("work", 10);
    assert_eq!(records(queues.deliver("work", 10)), 5);
    assert_eq!(records(queues.deliver("work", 10)), 0);
    queues.settle("work", &first.unwrap(), &[]);
    assert_eq!(records(queues.deliver("work", 10)), 5, "what is deleted makes room");
    assert_eq!(queues.next_visible("work"), Some(clock.now().plus_seconds(30)));
}
