//! The chain's own properties: it keeps every byte, reads anything, and does not care where a text stood.

use proptest::prelude::*;
use pullsafe_diagnosis::chain::Chain;
use pullsafe_diagnosis::diagnose_text;
use serde_json::json;

use crate::corpus::{Logs, of_event};
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

/// The same words mean the same as the reason of the task and as that of its only container.
#[test]
fn where_a_text_stands_changes_nothing() {
    let mut wrong = Vec::new();
    for (_, group, text) in labelled() {
        let event = |task: &str, container: Option<&str>| {
            json!({"detail-type": "ECS Task State Change", "detail": {"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart",
                "stoppedReason": task, "containers": [{"name": "app", "reason": container}]}})
        };
        let of_task = of_event(&event(&text, None), &Logs::new());
        let of_container = of_event(&event("Task failed to start", Some(&text)), &Logs::new());
        if of_task.cause != of_container.cause {
            wrong.push(format!("{group}: {} as the task's, {} as the container's: {text}", of_task.cause, of_container.cause));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
