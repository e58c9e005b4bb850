//! What an advice repeats of a text always has the shape of a name, whatever the text says. No output contains a token
//! or an account's name.

use std::collections::BTreeSet;

use pullsafe::reference::Reference;
use pullsafe_diagnosis::build::diagnose_build;
use pullsafe_diagnosis::cause::Diagnosis;
use pullsafe_diagnosis::diagnose;
use pullsafe_diagnosis::shape::NameShape;
use pullsafe_diagnosis::tables;
use pullsafe_events::stopped_task::StoppedTask;
use serde_json::json;

use crate::corpus::{Stop, TaskLogs};
use crate::field::{FieldText, labelled};

/// Every shape that a name can have.
const SHAPES: &[NameShape] = &[
    NameShape::Variable,
    NameShape::Module,
    NameShape::Path,
    NameShape::Command,
    NameShape::Action,
    NameShape::Host,
    NameShape::Name,
    NameShape::Arn,
    NameShape::Platform,
    NameShape::Option,
];

/// What an advice has between backticks.
fn quoted(advice: &str) -> Vec<&str> {
    advice.split('`').skip(1).step_by(2).collect()
}

/// The texts of logs, as `(source, lines)`.
fn logs() -> Vec<(String, Vec<String>)> {
    let stops = Stop::all().into_iter().chain(crate::further::stops());
    let of_stops = stops.flat_map(|stop| stop.logs.into_values().map(move |lines| (stop.id.clone(), lines)));
    of_stops
        .chain(FieldText::all().into_iter().map(|seen| (seen.id, seen.log)))
        .filter(|(_, lines)| !lines.is_empty())
        .collect()
}

fn of_reason(text: &str) -> Diagnosis {
    let detail = json!({"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": text, "containers": [{"name": "app"}]});
    diagnose(&StoppedTask::from_json(&detail), &TaskLogs::new())
}

fn of_log(lines: &[String]) -> Diagnosis {
    let detail = json!({"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "containers": [{"name": "app", "exitCode": 1}]});
    diagnose(&StoppedTask::from_json(&detail), &TaskLogs::from([("app".to_owned(), lines.to_vec())]))
}

#[test]
fn what_is_repeated_of_a_text_has_the_shape_of_a_name() {
    let reasons = labelled().into_iter().map(|(_, group, text)| (group, of_reason(&text), text));
    let all = reasons.chain(logs().into_iter().map(|(id, lines)| (id, of_log(&lines), lines.join("\n"))));
    let templates = tables::REASONS.iter().chain(tables::ANSWERS).chain(tables::LOGS).flat_map(|table| table.iter());
    let own: BTreeSet<&str> = templates.flat_map(|row| quoted(row.advice)).collect();
    let mut wrong = BTreeSet::new();
    for (from, found, text) in all {
        for name in quoted(&found.advice).into_iter().filter(|name| text.contains(name) && !own.contains(name)) {
            if !SHAPES.iter().any(|shape| shape.fits(name)) && name.parse::<Reference>().is_err() {
                wrong.insert(format!("{from}: `{name}` in: {}", found.advice));
            }
        }
        assert!(!found.advice.contains("``"), "{from}: {}", found.advice);
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Texts that look like no name. Each word of each text is replaced by one of them in turn.
const HOSTILE: &[&str] = &[
    "x`;reboot;`",
    "$(reboot)",
    "<b>reboot</b>",
    "{subject}reboot|x}",
    "reboot\u{202e}\u{1b}[2J",
    "r\"eboot reboot\"",
];

#[test]
fn nothing_hostile_gets_into_an_advice_or_a_command() {
    for (at, (_, group, text)) in labelled().into_iter().enumerate() {
        let words: Vec<&str> = text.split(' ').take(60).collect();
        for place in 0..words.len() {
            let hostile = HOSTILE[(at + place) % HOSTILE.len()];
            let mut changed = words.clone();
            changed[place] = hostile;
            // A word in quotes is replaced inside its quotes.
            let kept = words[place].trim_matches(|character: char| !matches!(character, '"' | '\'' | ':' | '[' | ']'));
            let quoted = format!(
                "{}{hostile}{}",
                kept.get(..1).unwrap_or_default(),
                kept.get(kept.len().saturating_sub(1)..).unwrap_or_default()
            );
            for said in [changed.join(" "), {
                changed[place] = &quoted;
                changed.join(" ")
            }] {
                let found = of_reason(&said);
                let shown = format!("{} {}", found.advice, found.check.unwrap_or_default());
                assert!(!shown.contains("reboot"), "{group}: {said}\n{shown}");
            }
        }
    }
    for (id, lines) in logs() {
        for (at, line) in lines.iter().enumerate() {
            for (place, word) in line.split(' ').enumerate().take(20) {
                let mut changed = lines.clone();
                changed[at] = line.replacen(word, HOSTILE[(at + place) % HOSTILE.len()], 1);
                let found = of_log(&changed);
                assert!(
                    !format!("{} {:?}", found.advice, found.check).contains("reboot"),
                    "{id}: {}\n{}",
                    changed[at],
                    found.advice
                );
            }
        }
    }
}

/// Tokens and accounts as tools write them: in the text of a limit, in a login, beside a name.
const SECRET: &[&str] = &[
    "toomanyrequests: You have reached your pull rate limit as 'acmecorp': dckr_jti_Zm9vYmFyYmF6. You may increase \
     the limit",
    "denied: token dckr_pat_AbCdEfGhIjKlMnOpQrStUvWxYz0 is not valid: logged in as acmecorp",
    "docker login -u acmecorp -p dckr_oat_AbCdEfGhIjKlMnOpQrStUvWxYz0",
    "docker login --username=acmecorp --password dckr_oat_AbCdEfGhIjKlMnOpQrStUvWxYz0",
    "{\"auths\":{\"https://index.docker.io/v1/\":{\"username\":\"acmecorp\",\"password\":\"dckr_pat_AbCdEfGhIjKlMnOpQrStUvWxYz0\"}}}",
    "DOCKER_PASSWORD=dckr_pat_AbCdEfGhIjKlMnOpQrStUvWxYz0 DOCKER_USERNAME=acmecorp",
];

#[test]
fn no_output_has_a_docker_token_or_the_name_of_an_account() {
    let check = |found: &Diagnosis, from: &str| {
        let shown = serde_json::to_string(found).expect("a diagnosis is JSON");
        for secret in ["Zm9vYmFy", "AbCdEfGh"] {
            assert!(!shown.contains(secret), "{from}: {shown}");
        }
        assert!(!shown.contains("acmecorp"), "{from}: {shown}");
    };
    for secret in SECRET {
        for (_, group, text) in labelled() {
            for said in [
                format!("{text} {secret}"),
                format!("{secret}: {text}"),
                text.replacen(": ", &format!(": {secret}: "), 1),
            ] {
                check(&of_reason(&said), &group);
            }
        }
        for (id, mut lines) in logs() {
            lines.insert(lines.len() / 2, (*secret).to_owned());
            check(&of_log(&lines), &id);
            let detail = json!({"build-status": "FAILED", "current-phase": "BUILD", "current-phase-context": secret});
            check(&diagnose_build(&detail, &TaskLogs::from([("build".to_owned(), lines)])).diagnosis, &id);
        }
    }
}
