//! DynamoDB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, ReturnValue, TransactWriteItem,
};
use serde_json::{Value, json};

use super::clock;
use crate::aws::dynamodb::{DynamoDb, Projection, Schema, numeric, text};
use crate::aws::{AwsFault, FakeAws, FaultKind};

fn tables() -> DynamoDb {
    let schema = Schema::new("state", text("pk"))
        .sort(text("sk"))
        .index("open", text("open_key"), Some(numeric("opened_at")), Projection::All)
        .index("keys", text("open_key"), None, Projection::KeysOnly);
    DynamoDb::new(clock()).with_table(schema)
}

fn setup() -> (DynamoDb, FakeAws, Client) {
    let tables = tables();
    let fake = FakeAws::new(clock()).with_dynamodb(tables.clone());
    let client = Client::new(&fake.sdk_config());
    (tables, fake, client)
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn update(client: &Client, expression: &str) -> UpdateItemFluentBuilder {
    client
        .update_item()
        .table_name("state")
        .key("pk", s("a"))
        .key("sk", s("1"))
        .update_expression(expression)
}

#[tokio::test]
async fn a_lease_is_taken_once() {
    let (_, _, client) = setup();
    let take = |owner: &str, now: i64| {
        client
            .put_item()
            .table_name("state")
            .item("pk", s("lease"))
            .item("sk", s("service"))
            .item("owner_id", s(owner))
            .item("expires", n(now + 60))
            .condition_expression("attribute_not_exists(pk) OR expires < :now OR owner_id = :owner")
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":owner", s(owner))
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            )
            .send()
    };
    take("first", 100).await.unwrap();
    let error = take("second", 110).await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) = error else {
        panic!("another error: {error:?}")
    };
    assert_eq!(failed.item().unwrap()["owner_id"], s("first"), "the item as it is comes with the error");
    take("first", 120).await.unwrap();
    take("second", 181).await.unwrap();
}

#[tokio::test]
async fn updates_compute_from_the_item_as_it_was() {
    let (tables, _, client) = setup();
    let values = |request: UpdateItemFluentBuilder| {
        request
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":new", AttributeValue::L(vec![s("x")]))
            .expression_attribute_names("#count", "count")
            .return_values(ReturnValue::UpdatedNew)
    };
    let expression =
        "SET #count = if_not_exists(#count, :zero) + :one, events = list_append(if_not_exists(events, :none), :new)";
    values(update(&client, expression)).send().await.unwrap();
    let answer = values(update(&client, expression)).send().await.unwrap();
    let attributes = answer.attributes().unwrap();
    assert_eq!(attributes["count"], n(2));
    assert_eq!(attributes["events"], AttributeValue::L(vec![s("x"), s("x")]));
    assert_eq!(attributes.len(), 2);

    update(&client, "REMOVE events[0] ADD hits :five, causes :set SET details = :map")
        .expression_attribute_values(":five", n(5))
        .expression_attribute_values(":set", AttributeValue::Ss(vec!["b".to_owned(), "a".to_owned()]))
        .expression_attribute_values(":map", AttributeValue::M([("x".to_owned(), n(1))].into()))
        .send()
        .await
        .unwrap();
    update(&client, "SET details.y = :two DELETE causes :gone")
        .expression_attribute_values(":two", n(2))
        .expression_attribute_values(":gone", AttributeValue::Ss(vec!["a".to_owned()]))
        .send()
        .await
        .unwrap();
    assert_eq!(
        Value::Object(tables.items("state").remove(0)),
        json!({"pk": "a", "sk": "1", "count": 2, "events": ["x"], "hits": 5, "causes": ["b"], "details": {"x": 1, "y": 2}})
    );
}

#[tokio::test]
async fn refuses_what_the_real_one_refuses() {
    let (tables, _, client) = setup();
    tables.put("state", json!({"pk": {"S": "a"}, "sk": {"S": "1"}}));
    let one = || n(1);
    let cases: [(UpdateItemFluentBuilder, &str); 9] = [
        (
            update(&client, "SET status = :v").expression_attribute_values(":v", one()),
            "reserved keyword: status",
        ),
        (update(&client, "SET a = :v"), "attribute value: :v"),
        (update(&client, "SET #a = :v").expression_attribute_values(":v", one()), "attribute name: #a"),
        (
            update(&client, "REMOVE a").expression_attribute_values(":v", one()),
            "unused in expressions: keys: {:v}",
        ),
        (update(&client, "SET sk = :v").expression_attribute_values(":v", s("2")), "part of the key"),
        (update(&client, "SET a = :v, a.b = :v").expression_attribute_values(":v", one()), "overlap"),
        (update(&client, "SET a.b = :v").expression_attribute_values(":v", one()), "invalid for update"),
        (update(&client, "SET a = b"), "does not exist in the item"),
        (
            update(&client, "SET open_key = :v").expression_attribute_values(":v", one()),
            "Type mismatch for Index Key open_key",
        ),
    ];
    for (request, expected) in cases {
        let error: UpdateItemError = request.send().await.unwrap_err().into_service_error();
        assert_eq!(error.code(), Some("ValidationException"));
        let message = error.message().unwrap_or_default();
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let large = client
        .put_item()
        .table_name("state")
        .item("pk", s("b"))
        .item("sk", s("1"))
        .item("x", s(&"x".repeat(400 * 1024)));
    assert!(large.send().await.unwrap_err().message().unwrap_or_default().contains("Item size has exceeded"));
    let no_table = client
        .get_item()
        .table_name("other")
        .key("pk", s("a"))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(no_table.is_resource_not_found_exception());
    let half_key = client.get_item().table_name("state").key("pk", s("a")).send().await.unwrap_err();
    assert_eq!(half_key.message(), Some("The provided key element does not match the schema"));
}

#[tokio::test]
async fn queries_page_filter_and_follow_sparse_indexes() {
    let (tables, _, client) = setup();
    for number in 0..7 {
        let mut item =
            json!({"pk": {"S": "service"}, "sk": {"S": format!("event-{number}")}, "n": {"N": number.to_string()}});
        if number % 2 == 0 {
            item["open_key"] = json!({"S": "open"});
            item["opened_at"] = json!({"N": (100 - number).to_string()});
        }
        tables.put("state", item);
    }
    let query = || client.query().table_name("state").expression_attribute_values(":p", s("service"));

    let pages = query()
        .key_condition_expression("pk = :p AND begins_with(sk, :e)")
        .filter_expression("n <> :two")
        .expression_attribute_values(":e", s("event-"))
        .expression_attribute_values(":two", n(2))
        .projection_expression("sk")
        .limit(3)
        .into_paginator()
        .send();
    let pages: Vec<_> = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(
        pages.iter().map(|page| (page.count(), page.scanned_count())).collect::<Vec<_>>(),
        [(2, 3), (3, 3), (1, 1)]
    );
    assert_eq!(pages[1].items()[0], [("sk".to_owned(), s("event-3"))].into());

    let newest = query().key_condition_expression("pk = :p").scan_index_forward(false).limit(1).send().await.unwrap();
    assert_eq!(newest.items()[0]["sk"], s("event-6"));

    let open = client
        .query()
        .table_name("state")
        .index_name("open")
        .key_condition_expression("open_key = :open AND opened_at BETWEEN :low AND :high")
        .expression_attribute_values(":open", s("open"))
        .expression_attribute_values(":low", n(95))
        .expression_attribute_values(":high", n(100));
    let found: Vec<_> = open
        .clone()
        .send()
        .await
        .unwrap()
        .items()
        .iter()
        .map(|item| item["n"].as_n().unwrap().clone())
        .collect();
    assert_eq!(found, ["4", "2", "0"]);
    let first = open.clone().limit(2).send().await.unwrap();
    let rest = open.clone().set_exclusive_start_key(first.last_evaluated_key().cloned()).send().await.unwrap();
    assert_eq!((first.count(), rest.count()), (2, 1));
    assert!(open.consistent_read(true).send().await.is_err());

    let keys = client.query().table_name("state").index_name("keys").key_condition_expression("open_key = :open");
    let keys = keys.expression_attribute_values(":open", s("open")).send().await.unwrap();
    assert_eq!(keys.items()[0].len(), 3);

    let no_partition = query().key_condition_expression("sk = :p").send().await.unwrap_err();
    assert_eq!(no_partition.message(), Some("Query condition missed key schema element: pk"));
    let scanned = client
        .scan()
        .table_name("state")
        .filter_expression("attribute_exists(open_key)")
        .send()
        .await
        .unwrap();
    assert_eq!((scanned.count(), scanned.scanned_count()), (4, 7));
}

#[tokio::test]
async fn conditions_know_all_their_forms() {
    let (tables, _, client) = setup();
    let item = json!({"pk": {"S": "a"}, "sk": {"S": "1"}, "word": {"S": "pull"}, "n": {"N": "5"}, "l": {"L": [{"S": "x"}]}, "b": {"BOOL": true}});
    tables.put("state", item);
    for (condition, holds) in [
        ("word IN (:word, :n)", true),
        ("NOT word = :word", false),
        ("contains(l, :x) AND size(l) = :one", true),
        ("attribute_type(b, :type)", true),
        ("n BETWEEN :one AND :n AND (word = :x OR begins_with(word, :word))", true),
        ("nothing = :x", false),
        ("nothing <> :x", true),
        ("nothing < :n", false),
        ("l[0] = :x", true),
    ] {
        let mut request = update(&client, "SET touched = :one")
            .condition_expression(condition)
            .expression_attribute_values(":one", n(1));
        for (name, value) in [(":word", s("pull")), (":n", n(5)), (":x", s("x")), (":type", s("BOOL"))] {
            if condition.contains(name) {
                request = request.expression_attribute_values(name, value);
            }
        }
        let result = request.send().await;
        assert_eq!(result.is_ok(), holds, "{condition}: {result:?}");
    }
}

#[tokio::test]
async fn transactions_are_all_or_nothing_and_once() {
    let (tables, fake, client) = setup();
    let put = |sk: &str| {
        let put = Put::builder()
            .table_name("state")
            .item("pk", s("t"))
            .item("sk", s(sk))
            .condition_expression("attribute_not_exists(pk)");
        TransactWriteItem::builder().put(put.build().unwrap()).build()
    };
    // The connection breaks after the effect. The SDK repeats the request with the same token, so nothing is made
    // twice.
    fake.inject(AwsFault::on("dynamodb", "TransactWriteItems", FaultKind::ConnectionCutAfter));
    client
        .transact_write_items()
        .transact_items(put("1"))
        .transact_items(put("2"))
        .send()
        .await
        .unwrap();
    assert_eq!(fake.count("TransactWriteItems"), 2);
    assert_eq!(tables.items("state").len(), 2);
    assert_eq!(fake.actions().into_iter().collect::<Vec<_>>(), ["dynamodb:PutItem"]);

    let error = client
        .transact_write_items()
        .transact_items(put("3"))
        .transact_items(put("2"))
        .send()
        .await
        .unwrap_err();
    let error = error.into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = error
    else {
        panic!("another error: {error:?}")
    };
    let codes: Vec<_> = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(tables.items("state").len(), 2);

    let delete = Delete::builder().table_name("state").key("pk", s("t")).key("sk", s("1")).build().unwrap();
    let check = ConditionCheck::builder()
        .table_name("state")
        .key("pk", s("t"))
        .key("sk", s("2"))
        .condition_expression("attribute_exists(pk)");
    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().delete(delete).build())
        .transact_items(TransactWriteItem::builder().condition_check(check.build().unwrap()).build())
        .send()
        .await
        .unwrap();
    assert_eq!(tables.items("state").len(), 1);
}

#[tokio::test]
async fn batches_and_deletes() {
    let (tables, _, client) = setup();
    for sk in ["1", "2"] {
        tables.put("state", json!({"pk": {"S": "a"}, "sk": {"S": sk}}));
    }
    let key = |sk: &str| [("pk".to_owned(), s("a")), ("sk".to_owned(), s(sk))].into();
    let keys = KeysAndAttributes::builder()
        .keys(key("1"))
        .keys(key("2"))
        .keys(key("3"))
        .consistent_read(true)
        .build()
        .unwrap();
    let found = client.batch_get_item().request_items("state", keys).send().await.unwrap();
    assert_eq!(found.responses().unwrap()["state"].len(), 2);

    let delete = || {
        client
            .delete_item()
            .table_name("state")
            .set_key(Some(key("1")))
            .return_values(ReturnValue::AllOld)
            .send()
    };
    assert!(delete().await.unwrap().attributes().is_some());
    assert!(delete().await.unwrap().attributes().is_none(), "deleting again is no error");
    let got = client
        .get_item()
        .table_name("state")
        .set_key(Some(key("1")))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    assert!(got.item().is_none());
}

#[tokio::test]
async fn indexes_may_be_behind() {
    let (tables, _, client) = setup();
    let put = |sk: &str| tables.put("state", json!({"pk": {"S": "a"}, "sk": {"S": sk}, "open_key": {"S": "open"}}));
    let open = || async {
        let query = client.query().table_name("state").index_name("keys").key_condition_expression("open_key = :open");
        query.expression_attribute_values(":open", s("open")).send().await.unwrap().count()
    };
    put("1");
    tables.hold_indexes(true);
    put("2");
    assert_eq!((open().await, tables.items("state").len()), (1, 2));
    tables.hold_indexes(false);
    assert_eq!(open().await, 2);
}

/// A partition accepts a limited amount in a second, and a table refuses a write that one of its indexes cannot accept.
#[tokio::test]
async fn a_partition_that_is_asked_for_too_much_refuses_until_the_next_second() {
    let tables = tables();
    let fake = FakeAws::new(clock()).with_dynamodb(tables.clone());
    let client = Client::new(&fake.sdk_config_with_attempts(1));
    fake.limit();
    let put = |number: usize| {
        let item = client.put_item().table_name("state").item("pk", s(&number.to_string())).item("sk", s("1"));
        item.item("open_key", s("open")).item("opened_at", n(1)).item("text", s(&"x".repeat(99 * 1024)))
    };
    for number in 0..10 {
        put(number).send().await.unwrap();
    }
    let refused = put(10).send().await.unwrap_err().into_service_error();
    assert_eq!(
        refused.code(),
        Some("ThrottlingException"),
        "ten rows of 100 KB fill the one partition of the index"
    );
    assert_eq!((tables.items("state").len(), fake.refused().len()), (10, 1), "nothing of it was done");
    client.put_item().table_name("state").item("pk", s("10")).item("sk", s("1")).send().await.unwrap();
    let read = || client.query().table_name("state").index_name("open").key_condition_expression("open_key = :open");
    let read = || read().expression_attribute_values(":open", s("open")).send();
    let answers = futures_util::future::join_all((0..60).map(|_| read())).await;
    assert!(
        answers.iter().any(Result::is_err) && answers.iter().any(Result::is_ok),
        "125 units each, 3,000 in a second"
    );
}
