//! Formats the findings: for people, for programs, and as annotations at the lines of a pull request.

use pullsafe::count::count;
use pullsafe::foreign;
use pullsafe_inspect::{Certainty, InspectFinding};
use pullsafe_scan::report::annotation;
use serde_json::{Value, json};

use super::Verified;

fn word(finding: &InspectFinding) -> &'static str {
    match (&finding.certainty, finding.fault.blocks()) {
        (Certainty::Certain, true) => "FAILS",
        (Certainty::Certain, false) => "RISK",
        (Certainty::Unless(_), true) => "may fail",
        (Certainty::Unless(_), false) => "risk",
        (Certainty::Unknown(_), _) => "not known",
    }
}

/// Sorts the findings: first what is certain, then what is not, then what is unknown.
fn ordered(findings: &[InspectFinding]) -> Vec<&InspectFinding> {
    let mut ordered: Vec<&InspectFinding> = findings.iter().collect();
    ordered.sort_by_key(|finding| match finding.certainty {
        Certainty::Certain => 0,
        Certainty::Unless(_) => 1,
        Certainty::Unknown(_) => 2,
    });
    ordered
}

pub(super) fn text(verified: &[Verified], left_out: Option<&str>) -> String {
    let mut text = String::new();
    let mut failing = 0;
    for one in verified {
        let images = count(one.subject.needs.images.len(), "image");
        text += &format!("{}: {images}\n", one.subject.name);
        for finding in ordered(&one.findings) {
            failing += usize::from(finding.certainty == Certainty::Certain);
            text += &format!("  {:<10}{finding}{}\n", word(finding), at(one, finding));
            if finding.is_known() && !finding.advice.is_empty() {
                text += &format!("  {:<10}-> {}\n", "", finding.advice);
            }
        }
        for left in &one.subject.left_out {
            text += &format!("  {:<10}{left}\n", "left out");
        }
        if one.findings.is_empty() {
            text += &format!("  {:<10}nothing that would fail was found\n", "ok");
        }
    }
    if let Some(why) = left_out {
        text += &format!("left out: everything in AWS, for there are {why}\n");
    }
    text += &format!("{failing} certain\n");
    foreign::terminal(&text).into_owned()
}

fn at(one: &Verified, finding: &InspectFinding) -> String {
    let places = one.subject.places.get(&finding.about).map(Vec::as_slice).unwrap_or_default();
    let places: Vec<String> = places.iter().map(|(file, line, _)| format!("{file}:{line}")).collect();
    match (places.is_empty(), finding.containers.is_empty()) {
        (false, _) => format!(" ({})", places.join(", ")),
        (true, false) => format!(" (container {})", finding.containers.join(", ")),
        (true, true) => String::new(),
    }
}

pub(super) fn json(verified: &[Verified], left_out: Option<&str>) -> String {
    let subject = |one: &Verified| {
        let places = |finding: &InspectFinding| -> Vec<Value> {
            let known = one.subject.places.get(&finding.about).map(Vec::as_slice).unwrap_or_default();
            known
                .iter()
                .map(|(file, line, column)| json!({ "file": file, "line": line, "column": column }))
                .collect()
        };
        let finding = |finding: &&InspectFinding| {
            let mut value = json!(finding);
            value["blocks"] = json!(finding.fault.blocks());
            value["cause"] = json!(finding.fault.cause());
            value["places"] = json!(places(finding));
            value
        };
        json!({
            "subject": one.subject.name,
            "images": one.subject.needs.images.iter().map(|image| &image.written).collect::<Vec<_>>(),
            "findings": ordered(&one.findings).iter().map(finding).collect::<Vec<_>>(),
            "left_out": one.subject.left_out,
        })
    };
    let document =
        json!({ "subjects": verified.iter().map(subject).collect::<Vec<_>>(), "without_credentials": left_out });
    format!("{document:#}\n")
}

pub(super) fn github(verified: &[Verified]) -> String {
    let mut text = String::new();
    for one in verified {
        for finding in ordered(&one.findings) {
            let level = match finding.certainty {
                Certainty::Certain => "error",
                Certainty::Unless(_) => "warning",
                Certainty::Unknown(_) => "notice",
            };
            let file = [(one.subject.name.clone(), 1, 1)];
            let places = one.subject.places.get(&finding.about).map_or(&file[..], Vec::as_slice);
            for (file, line, column) in places {
                let message = format!("{finding}. {}", finding.advice);
                text +=
                    &format!("{}\n", annotation(level, file, (*line, *column), "pullsafe verify", message.trim_end()));
            }
        }
    }
    text
}
