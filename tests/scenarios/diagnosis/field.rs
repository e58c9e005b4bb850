//! `tests/corpus/field.jsonl`: texts from threads and sites of the field, each labelled before it was tried. They come
//! in parts: the first was used for development, the second was held back and tried once, the others were collected
//! later and tried once.

use std::collections::BTreeSet;

use pullsafe_diagnosis::build::diagnose_build;
use pullsafe_diagnosis::cause::{Cause, Diagnosis, Signature};
use pullsafe_diagnosis::diagnose;
use pullsafe_diagnosis::nearest::{nearest, shape};
use pullsafe_events::stopped_task::StoppedTask;
use serde::Deserialize;
use serde_json::json;

use crate::corpus::{Stop, TaskLogs};

/// A text from the field, and what it means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldText {
    pub(crate) id: String,
    /// The part of the corpus that it belongs to.
    pub(crate) part: String,
    /// The thread or site that the text is from.
    pub(crate) group: String,
    pub(crate) cause: Cause,
    /// Causes that are accepted too, because the text does not tell them apart.
    #[serde(default, rename = "or")]
    accepted: Vec<Cause>,
    pub(crate) signature: Option<Signature>,
    docker_hub_quota: Option<bool>,
    pub(crate) reason: Option<String>,
    image: Option<String>,
    exit_code: Option<i64>,
    #[serde(default)]
    pub(crate) log: Vec<String>,
    #[serde(default)]
    build: Vec<String>,
}

impl FieldText {
    pub(crate) fn all() -> Vec<Self> {
        let lines = include_str!("../../corpus/field.jsonl").lines();
        lines.map(|line| serde_json::from_str(line).expect("a row is a text of the field")).collect()
    }

    pub(crate) fn diagnosis(&self) -> Diagnosis {
        if !self.build.is_empty() {
            let detail = json!({"build-status": "FAILED", "current-phase": "BUILD", "current-phase-context": "COMMAND_EXECUTION_ERROR: exit status 1"});
            return diagnose_build(&detail, &TaskLogs::from([("build".to_owned(), self.build.clone())])).diagnosis;
        }
        let ran = self.exit_code.is_some();
        let detail = json!({
            "lastStatus": "STOPPED", "stopCode": if ran { "EssentialContainerExited" } else { "TaskFailedToStart" },
            "stoppedReason": self.reason.as_deref().unwrap_or("Essential container in task exited"),
            "containers": [{"name": "app", "image": self.image, "exitCode": self.exit_code}],
        });
        let logs = if self.log.is_empty() {
            TaskLogs::new()
        } else {
            TaskLogs::from([("app".to_owned(), self.log.clone())])
        };
        diagnose(&StoppedTask::from_json(&detail), &logs)
    }

    pub(crate) fn is_right(&self, found: &Diagnosis) -> bool {
        self.accepts(found.cause)
    }

    /// Whether this cause is right for the text.
    pub(crate) fn accepts(&self, cause: Cause) -> bool {
        cause == self.cause || self.accepted.contains(&cause)
    }

    /// Whether the text is about Docker Hub's quota.
    pub(crate) fn is_quota(&self) -> bool {
        self.docker_hub_quota.unwrap_or_default()
    }
}

#[test]
fn every_text_of_the_field_means_what_it_says() {
    let mut wrong = Vec::new();
    for seen in FieldText::all() {
        let found = seen.diagnosis();
        if !seen.is_right(&found) {
            wrong.push(format!("{}: {} rather than {}", seen.id, found.cause, seen.cause));
        }
        if seen.signature.is_some() && found.signature != seen.signature {
            wrong.push(format!("{}: signature {:?} rather than {:?}", seen.id, found.signature, seen.signature));
        }
        if found.docker_hub_quota() != seen.docker_hub_quota.unwrap_or_default() {
            wrong.push(format!("{}: docker_hub_quota is {}", seen.id, found.docker_hub_quota()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All labelled texts with a reason, as `(cause, group, text)`.
pub(crate) fn labelled() -> Vec<(Cause, String, String)> {
    let of_stop = |stop: &Stop| {
        let containers = stop.event["detail"]["containers"].as_array().cloned().unwrap_or_default();
        let texts = containers
            .iter()
            .map(|container| &container["reason"])
            .chain([&stop.event["detail"]["stoppedReason"]]);
        let longest = texts.filter_map(|text| text.as_str()).max_by_key(|text| text.len())?.to_owned();
        stop.logs.is_empty().then(|| (stop.expect.cause, stop.group(), longest))
    };
    let further = crate::further::reasons();
    let field = FieldText::all().into_iter().filter_map(|seen| Some((seen.cause, seen.group, seen.reason?)));
    Stop::all().iter().filter_map(of_stop).chain(further).chain(field).collect()
}

/// The known messages are the labelled texts without duplicates. To rewrite them: `UPDATE_DOCS=1`.
#[test]
fn the_known_messages_are_those_of_the_corpora() {
    let mut seen = BTreeSet::new();
    let mut wanted = String::new();
    for (cause, group, text) in labelled() {
        let text = shape(&text);
        if cause != Cause::Unknown && text.len() >= 30 && seen.insert((cause, text.clone())) {
            let group = group.split_whitespace().collect::<Vec<_>>().join(" ");
            wanted.push_str(&format!("{cause}\t{group}\t{text}\n"));
        }
    }
    let path = crate::document::known_messages();
    if std::fs::read_to_string(&path).unwrap_or_default() != wanted {
        assert!(
            std::env::var_os("UPDATE_DOCS").is_some(),
            "known.tsv is stale: UPDATE_DOCS=1 cargo test -p scenarios --test diagnosis known"
        );
        std::fs::write(&path, wanted).expect("the messages are written");
    }
}

/// What the nearest known message alone would say, with each source left out in turn: how many right, wrong, silent.
pub(crate) fn leave_one_out() -> (usize, usize, usize) {
    let (mut right, mut wrong, mut silent) = (0, 0, 0);
    for (cause, group, text) in labelled() {
        match nearest(&text, |known| known.group != group) {
            Some(like) if like.cause == cause => right += 1,
            Some(_) => wrong += 1,
            None => silent += 1,
        }
    }
    (right, wrong, silent)
}

#[test]
fn the_nearest_message_is_a_hint_and_is_not_worse_than_it_was() {
    let (right, wrong, silent) = leave_one_out();
    assert!(right * 100 >= 60 * (right + wrong + silent), "{right} right, {wrong} wrong, {silent} silent");
}
