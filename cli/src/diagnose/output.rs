//! Formats an answer: as a JSON object with the contract's keys in order, or as text for people.

use std::fmt::Write as _;

use pullsafe_diagnosis::cause::{Cause, Diagnosis};
use pullsafe_diagnosis::check::check;
use pullsafe_diagnosis::event::EventDiagnosis;
use pullsafe_diagnosis::explain::explain;
use pullsafe_diagnosis::setting::StopSetting;
use remediator_decide::remedy;
use serde_json::{Value, json};

use super::item::DiagnosedInput;

/// Formats one answer as a JSON object. `cause` is null if nothing stopped.
pub(super) fn json(item: &DiagnosedInput) -> Value {
    let (diagnosis, advice) = match &item.verdict {
        EventDiagnosis::Diagnosed(diagnosis) => {
            (diagnosis.as_ref(), with_check(diagnosis, &diagnosis.advice, &item.setting))
        }
        EventDiagnosis::Build(build) => {
            let advice = build_advice(&build.diagnosis, build.replacement_from.as_deref());
            (&build.diagnosis, with_check(&build.diagnosis, &advice, &item.setting))
        }
        EventDiagnosis::NotAStop(why) => {
            return json!({
                "id": item.id, "cause": null, "docker_hub_quota": false, "signature": null, "registry": null, "image": null,
                "confidence": null, "evidence": [], "remedy": "none", "advice": why,
            });
        }
    };
    let evidence: Vec<Value> =
        diagnosis.evidence.iter().map(|line| json!({"source": line.source, "text": line.text})).collect();
    json!({
        "id": item.id,
        "cause": diagnosis.cause.as_str(),
        "docker_hub_quota": diagnosis.docker_hub_quota(),
        "signature": diagnosis.signature.map(|signature| signature.as_str()),
        "registry": diagnosis.registry.map(|registry| registry.as_str()),
        "image": diagnosis.image,
        "confidence": diagnosis.confidence.as_str(),
        "evidence": evidence,
        "remedy": remedy::name_for(diagnosis).as_str(),
        "advice": advice,
    })
}

/// Formats the JSON object that replaces an answer that could not be given.
pub(super) fn json_error(id: Option<&Value>, message: &str) -> Value {
    json!({"id": id, "error": message})
}

/// Formats the answer for people; `separated` puts a blank line before it.
pub(super) fn text(item: &DiagnosedInput, separated: bool) -> String {
    let mut out = String::new();
    if separated {
        out.push('\n');
    }
    line(&mut out, &heading(item));
    if let Some(took) = item.took {
        line(&mut out, &format!("  taken for   {took}"));
    }
    match &item.verdict {
        EventDiagnosis::NotAStop(why) => line(&mut out, &format!("  {why}")),
        EventDiagnosis::Diagnosed(diagnosis) => describe(&mut out, diagnosis, &diagnosis.advice, &item.setting),
        EventDiagnosis::Build(build) => {
            if let Some(phase) = &build.phase {
                line(&mut out, &format!("  phase       {phase}"));
            }
            describe(
                &mut out,
                &build.diagnosis,
                &build_advice(&build.diagnosis, build.replacement_from.as_deref()),
                &item.setting,
            );
        }
    }
    out
}

fn describe(out: &mut String, diagnosis: &Diagnosis, advice: &str, setting: &StopSetting) {
    let mut cause = diagnosis.cause.to_string();
    let fields = [
        diagnosis.kind.map(|kind| kind.as_str()),
        diagnosis.why.map(|why| why.as_str()),
        diagnosis.phase.map(|phase| phase.as_str()),
        diagnosis.signature.map(|signature| signature.as_str()),
    ];
    let fields: Vec<&str> = fields.into_iter().flatten().collect();
    if !fields.is_empty() {
        let _ = write!(cause, " ({})", fields.join(", "));
    }
    let sure = if diagnosis.cause == Cause::Unknown {
        String::new()
    } else {
        format!(", confidence {}", diagnosis.confidence)
    };
    line(out, &format!("  cause       {cause}{sure}"));
    if let Some(container) = &diagnosis.container {
        line(out, &format!("  container   {container}"));
    }
    if let Some(image) = &diagnosis.image {
        let registry = diagnosis.registry.map(|registry| format!(" ({})", registry.as_str())).unwrap_or_default();
        let attempts = diagnosis.attempts.map(|attempts| format!(", pull tried {attempts} times")).unwrap_or_default();
        line(out, &format!("  image       {image}{registry}{attempts}"));
    } else if let Some(registry) = diagnosis.registry {
        line(out, &format!("  registry    {}", registry.as_str()));
    }
    for evidence in &diagnosis.evidence {
        line(out, &format!("  evidence    {}: {}", evidence.source, evidence.text));
    }
    line(out, &format!("  remedy      {}", remedy::name_for(diagnosis)));
    line(out, &format!("  advice      {advice}"));
    line(out, &format!("  check       {}", check(diagnosis, setting)));
    if let Some(settled_by) = &diagnosis.settled_by {
        line(out, &format!("  settled by  {settled_by}"));
    }
}

/// Returns the heading of an answer: service and task rather than the identifier of an event.
fn heading(item: &DiagnosedInput) -> String {
    let id = match &item.id {
        Value::String(id) => id.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    let task = item
        .setting
        .task
        .as_deref()
        .and_then(|arn| arn.rsplit('/').next())
        .map(|task| format!("task {task}"));
    let service = item.setting.service.as_ref().map(|service| format!("service {service}"));
    let cluster = item
        .setting
        .cluster
        .as_ref()
        .filter(|_| service.is_some())
        .map(|cluster| format!("cluster {cluster}"));
    let named: Vec<String> = [service, cluster, task].into_iter().flatten().collect();
    match (named.is_empty(), id.is_empty()) {
        (true, true) => "diagnosis".to_owned(),
        (true, false) => id,
        (false, true) => named.join(", "),
        (false, false) if named.iter().any(|name| name.ends_with(&id)) => named.join(", "),
        (false, false) => format!("{} ({id})", named.join(", ")),
    }
}

/// Explains how the first text of the evidence was read, and what decided.
pub(super) fn explanation(item: &DiagnosedInput) -> String {
    let diagnosis = match &item.verdict {
        EventDiagnosis::Diagnosed(diagnosis) => diagnosis.as_ref(),
        EventDiagnosis::Build(build) => &build.diagnosis,
        EventDiagnosis::NotAStop(_) => return String::new(),
    };
    let Some(evidence) = diagnosis.evidence.first() else {
        return String::new();
    };
    let read = explain(&evidence.text, diagnosis.image.as_deref());
    let mut out = format!("  read as     {} ({} links)\n", evidence.source, read.links.len());
    for (text, says) in &read.links {
        let _ = writeln!(out, "    {says:<40} {text}");
    }
    match read.decided {
        Some((row, cause)) if read.by_answer => {
            let _ =
                writeln!(out, "  decided by  {row}: no sentence is known; the last answer in the chain means {cause}");
        }
        Some((row, cause)) => {
            let _ = writeln!(
                out,
                "  decided by  {row}: its words are in the text, and it stands before what else matches ({cause})"
            );
        }
        None => out.push_str("  decided by  no row of reasons: the log, the exit code or who stopped it\n"),
    }
    for (row, cause) in read.after.iter().take(3) {
        let _ =
            writeln!(out, "  not         {row} ({cause}): it matches too, and is less particular or of a later phase");
    }
    out
}

/// The advice, and how to check the diagnosis.
fn with_check(diagnosis: &Diagnosis, advice: &str, setting: &StopSetting) -> String {
    format!("{advice} Check: {}", check(diagnosis, setting))
}

/// The advice, with the line for the Dockerfile if there is one.
fn build_advice(diagnosis: &Diagnosis, from: Option<&str>) -> String {
    from.map_or_else(|| diagnosis.advice.clone(), |from| format!("{} In the Dockerfile: `{from}`.", diagnosis.advice))
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
