//! docs/events.md: what is sent over the bus, the mirror's queues and the widget, generated from the types that write
//! and read it.

use pullsafe::notice::OnBus;
use std::collections::BTreeSet;

use pullsafe::mirror_job::ImageMirrored;
use pullsafe_incident::published::OnTheBus;
use scenarios::reported;
use scenarios::world::Setup;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::documents::check;
use crate::messages::every_kind;
use crate::source_types::{Field, SourceType, TypeShape, Types};

/// The files that declare the types.
const SOURCES: &[&str] = &[
    "shared/incident/src/published.rs",
    "shared/common/src/notice.rs",
    "shared/incident/src/plan.rs",
    "shared/incident/src/refusal.rs",
    "shared/incident/src/door.rs",
    "shared/incident/src/outbreak/need.rs",
    "shared/incident/src/limit/mod.rs",
    "shared/incident/src/outlook/mod.rs",
    "shared/radar/src/history.rs",
    "shared/radar/src/forecast.rs",
    "shared/common/src/mirror_job.rs",
    "shared/signatures/src/cause.rs",
    "shared/signatures/src/build_facts.rs",
    "shared/events/src/author.rs",
    "functions/widget/src/answer.rs",
];

/// Types that are text on the wire, and what the text is.
const TEXTS: &[(&str, &str)] = &[
    ("String", "text"),
    ("Timestamp", "time (RFC 3339)"),
    ("Reference", "image reference"),
    ("Digest", "digest"),
    ("Platform", "platform (`os/architecture`)"),
    ("Source", "text: an address, a network or an account"),
    ("Cause", "[cause](diagnosis.md)"),
    ("Registry", "registry (`dockerhub`, `ecr-private`, ...)"),
];

#[test]
fn the_page_of_events_says_what_the_types_say() {
    let types = Types::read(SOURCES);
    let mut named = BTreeSet::new();
    let published = types.get("Published");
    let mut bus = "| Detail-type, and what it says | Its detail |\n|---|---|\n".to_owned();
    for variant in published.variants() {
        bus += &format!(
            "| {} | {} |\n",
            variant.doc,
            words(variant.of.as_deref().unwrap_or_default(), &types, &mut named)
        );
    }
    bus += &format!(
        "| `Image Mirrored`: the mirror has an image that was asked for, or that it copied by its plan. | {} |\n",
        words("ImageMirrored", &types, &mut named)
    );
    let TypeShape::Struct(fields) = &types.get("OnTheBus").shape else {
        panic!("an event's detail has fields")
    };
    let also: Vec<Field> = fields.iter().filter(|field| field.name != "of").cloned().collect();
    bus += &format!(
        "\nEach of them but `Image Mirrored` and `Message Undelivered` also has:\n\n{}",
        table(&also, &types, &mut named)
    );
    let mut jobs = String::new();
    for name in ["MirrorJob", "PlannedJobs"] {
        jobs += &section(types.get(name), &types, &mut named);
    }
    let mut widget = "| The answer | Its form |\n|---|---|\n".to_owned();
    for variant in types.get("WidgetAnswer").variants() {
        widget += &format!(
            "| {} | {} |\n",
            variant.doc,
            words(variant.of.as_deref().unwrap_or_default(), &types, &mut named)
        );
    }
    let mut details = String::new();
    let mut written: BTreeSet<String> = ["MirrorJob", "PlannedJobs"].map(str::to_owned).into();
    while let Some(name) = types.order().into_iter().find(|name| named.contains(name) && !written.contains(name)) {
        details += &section(types.get(&name), &types, &mut named);
        written.insert(name);
    }
    for (name, table) in
        [("events-bus", bus), ("events-jobs", jobs), ("events-widget", widget), ("events-details", details)]
    {
        check("docs/events.md", name, &table);
    }
}

/// What is sent matches the types: every field that is sent is read, and nothing else is.
#[tokio::test]
async fn every_event_of_a_service_that_is_moved_is_read_in_full_by_its_type() {
    let mut world = reported::limited(Setup::new());
    world.run_for(1200).await;
    let events: Vec<Value> = world.bus.events().into_iter().filter(|event| event["source"] == "pullsafe").collect();
    assert!(events.len() >= 2, "it is told that it was moved, and that it is steady: {events:#?}");
    for event in events {
        let (kind, sent) = (event["detail-type"].clone(), event["detail"].clone());
        match kind == ImageMirrored::DETAIL_TYPE {
            true => read_in_full(&kind, &sent, |mirrored: ImageMirrored| mirrored.detail()),
            false => read_in_full(&kind, &sent, |told: OnTheBus| json!(told)),
        }
    }
}

/// The same for every kind of message, however rare it is.
#[test]
fn every_kind_of_message_is_read_in_full_by_its_type() {
    for (name, notice) in every_kind() {
        read_in_full(&json!(name), &notice.for_programs(OnBus::Evidence), |told: OnTheBus| json!(told));
    }
}

fn read_in_full<T: DeserializeOwned>(kind: &Value, sent: &Value, again: impl Fn(T) -> Value) {
    let read = serde_json::from_value(sent.clone()).map(again).unwrap_or_else(|error| {
        panic!("no type of shared/incident/src/published.rs reads the event {kind}: {error}\n{sent:#}")
    });
    assert_eq!(
        lost(sent, &read),
        None,
        "the type of the event {kind} in shared/incident/src/published.rs lacks this of\n{sent:#}"
    );
}

/// The path to something that was sent but not read.
fn lost(sent: &Value, read: &Value) -> Option<String> {
    match (sent, read) {
        (Value::Object(sent), Value::Object(read)) => sent.iter().find_map(|(key, value)| match read.get(key) {
            Some(read) => lost(value, read).map(|path| format!("{key}.{path}")),
            None => Some(key.clone()),
        }),
        (Value::Array(sent), Value::Array(read)) if sent.len() == read.len() => {
            sent.iter().zip(read).find_map(|(sent, read)| lost(sent, read))
        }
        (sent, read) => (sent != read).then(|| format!("{sent}, which was read as {read}")),
    }
}

/// The section of the page about a type.
fn section(item: &SourceType, types: &Types, named: &mut BTreeSet<String>) -> String {
    let mut text = format!("\n### {}\n\n{}\n\n", item.name, item.doc);
    match &item.shape {
        TypeShape::Struct(fields) => text += &table(fields, types, named),
        TypeShape::Enum(variants) => {
            text += "| Value | Meaning |\n|---|---|\n";
            for variant in variants {
                let value = match (&item.tag, &variant.of, variant.fields.is_empty()) {
                    (Some(tag), _, _) => format!("an object with `{tag}`: `{}`", variant.wire),
                    (None, Some(of), _) => format!("an object with `{}`: {}", variant.wire, words(of, types, named)),
                    (None, None, _) => format!("`{}`", variant.wire),
                };
                let fields = variant
                    .fields
                    .iter()
                    .map(|field| format!("`{}` ({}): {}", field.name, kind(field, types, named), field.doc));
                let also = fields.collect::<Vec<_>>().join(" ");
                text +=
                    &format!("| {value} | {}{}{also} |\n", variant.doc, if also.is_empty() { "" } else { " Also " });
            }
        }
    }
    text
}

fn table(fields: &[Field], types: &Types, named: &mut BTreeSet<String>) -> String {
    let rows = fields
        .iter()
        .map(|field| format!("| `{}` | {} | {} |\n", field.name, kind(field, types, named), field.doc));
    format!("| Field | | |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// What a field holds, and whether it may be missing.
fn kind(field: &Field, types: &Types, named: &mut BTreeSet<String>) -> String {
    let inner = field.of.strip_prefix("Option<").and_then(|rest| rest.strip_suffix('>'));
    let (of, null) = (inner.unwrap_or(&field.of), inner.is_some());
    let words = words(of, types, named);
    match (field.may_be_missing, null) {
        (true, _) => format!("{words}; may be missing"),
        (false, true) => format!("{words}, or null"),
        (false, false) => words,
    }
}

/// A type in the words of people who read JSON.
fn words(of: &str, types: &Types, named: &mut BTreeSet<String>) -> String {
    if let Some(inner) = of.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>')) {
        return format!("list of {}", words(inner, types, named));
    }
    if let Some(inner) = of.strip_prefix("Box<").and_then(|rest| rest.strip_suffix('>')) {
        return words(inner, types, named);
    }
    let name = of.rsplit("::").next().unwrap_or(of);
    if let Some((_, words)) = TEXTS.iter().find(|(known, _)| *known == name) {
        return (*words).to_owned();
    }
    match name {
        "bool" => "true or false".to_owned(),
        "u32" | "u64" | "usize" => "number".to_owned(),
        _ => {
            let item = types.get(name);
            let short = |item: &SourceType| matches!(&item.shape, TypeShape::Enum(variants) if variants.len() <= SHORT && item.is_plain());
            if short(item) {
                let values: Vec<String> = item.variants().iter().map(|variant| format!("`{}`", variant.wire)).collect();
                return format!("one of {}", values.join(", "));
            }
            named.insert(name.to_owned());
            format!("[{name}](#{})", name.to_lowercase())
        }
    }
}

/// Lists with up to this many words are written where they are used.
const SHORT: usize = 10;
