//! Properties of the chain: it keeps every byte, reads any text, and does not depend on where the text was.

use std::collections::BTreeSet;

use proptest::prelude::*;
use pullsafe_diagnosis::cause::{Cause, Diagnosis};
use pullsafe_diagnosis::chain::Chain;
use pullsafe_diagnosis::diagnose_text;
use serde_json::json;

use crate::corpus::{TaskLogs, of_event};
use crate::field::labelled;

#[test]
fn parse_and_print_are_inverse() {
    for (_, _, text) in labelled() {
        let chain = Chain::parse(&text);
        assert_eq!(chain.to_string(), text);
        assert_eq!(Chain::parse(&chain.to_string()), chain);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_and_kept(text in "\\PC{0,400}", tail in "[a-z0-9:/\"'{}\\\\ .-]{0,200}") {
        let text = format!("{text}{tail}");
        prop_assert_eq!(Chain::parse(&text).to_string(), text.clone());
        let _ = diagnose_text(&text, None, "x");
    }
}

/// The same text means the same as the reason of the task and as the reason of its only container.
#[test]
fn where_a_text_stands_changes_nothing() {
    let mut wrong = Vec::new();
    for (_, group, text) in labelled() {
        let event = |task: &str, container: Option<&str>| {
            json!({"detail-type": "ECS Task State Change", "detail": {"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart",
                "stoppedReason": task, "containers": [{"name": "app", "reason": container}]}})
        };
        let of_task = of_event(&event(&text, None), &TaskLogs::new());
        let of_container = of_event(&event("Task failed to start", Some(&text)), &TaskLogs::new());
        if of_task.cause != of_container.cause {
            wrong.push(format!(
                "{group}: {} as the task's, {} as the container's: {text}",
                of_task.cause, of_container.cause
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The diagnosis of a task that failed to start with this reason.
fn of_reason(text: &str) -> Diagnosis {
    let event = json!({"detail": {"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": text,
        "containers": [{"name": "app"}]}});
    of_event(&event, &TaskLogs::new())
}

/// A text that is cut gives the same cause with no more confidence, or none, or another cause with less confidence:
/// half a sentence may look like a whole one (`no container instance met all of its requirements.`).
#[test]
fn a_cut_never_makes_a_cause_more_certain() {
    let mut wrong = BTreeSet::new();
    for (_, group, text) in labelled() {
        let whole = of_reason(&text);
        for (end, _) in text.match_indices([' ', ':', ',', '.', '"']) {
            let cut = of_reason(&text[..end]);
            // The order of confidence is descending: a greater value means less confidence.
            let less = if cut.cause == whole.cause {
                cut.confidence >= whole.confidence
            } else {
                cut.confidence > whole.confidence
            };
            if !less && cut.cause != Cause::Unknown {
                wrong.insert(format!(
                    "{group}: {} {} became {} {}: {}",
                    whole.cause,
                    whole.confidence,
                    cut.cause,
                    cut.confidence,
                    &text[..end]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// A text that a console or a terminal has wrapped means exactly the same.
#[test]
fn wrapping_changes_nothing() {
    for (_, group, text) in labelled() {
        let whole = of_reason(&text);
        for wrapped in [text.replace(' ', "\n    "), text.replace(": ", ":\r\n\t"), text.replace(", ", ",\n")] {
            let found = of_reason(&wrapped);
            assert_eq!((found.cause, found.confidence), (whole.cause, whole.confidence), "{group}: {text}");
        }
    }
}
