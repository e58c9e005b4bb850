//! What an answer looks like: a JSON object with the keys of the contract in its order, or text for people.

use std::fmt::Write as _;

use pullsafe_diagnosis::cause::{Cause, Diagnosis};
use pullsafe_diagnosis::event::Verdict;
use pullsafe_diagnosis::remedy_for;
use serde_json::{Value, json};

use super::input::Item;

/// The object of one answer. `cause` is null where nothing stopped.
pub(super) fn json(item: &Item) -> Value {
    let (diagnosis, advice) = match &item.verdict {
        Verdict::Diagnosed(diagnosis) => (diagnosis.as_ref(), diagnosis.advice.clone()),
        Verdict::Build(build) => (&build.diagnosis, build_advice(&build.diagnosis, build.replacement_from.as_deref())),
        Verdict::NotAStop(why) => {
            return json!({
                "id": item.id, "cause": null, "docker_hub_quota": false, "signature": null, "registry": null, "image": null,
                "confidence": null, "evidence": [], "remedy": "none", "advice": why,
            });
        }
    };
    let evidence: Vec<Value> = diagnosis.evidence.iter().map(|line| json!({"source": line.source, "text": line.text})).collect();
    json!({
        "id": item.id,
        "cause": diagnosis.cause.as_str(),
        "docker_hub_quota": diagnosis.docker_hub_quota(),
        "signature": diagnosis.signature.map(|signature| signature.as_str()),
        "registry": diagnosis.registry.map(|registry| registry.as_str()),
        "image": diagnosis.image,
        "confidence": diagnosis.confidence.as_str(),
        "evidence": evidence,
        "remedy": remedy_for(diagnosis).as_str(),
        "advice": advice,
    })
}

/// The object in the place of an answer that could not be given.
pub(super) fn json_error(id: Option<&Value>, message: &str) -> Value {
    json!({"id": id, "error": message})
}

/// The answer for people; a blank line before all but the first.
pub(super) fn text(item: &Item, separated: bool) -> String {
    let mut out = String::new();
    if separated {
        out.push('\n');
    }
    if let Value::String(id) = &item.id {
        line(&mut out, id);
    } else if item.id.is_number() {
        line(&mut out, &item.id.to_string());
    }
    match &item.verdict {
        Verdict::NotAStop(why) => line(&mut out, &format!("  {why}")),
        Verdict::Diagnosed(diagnosis) => describe(&mut out, diagnosis, &diagnosis.advice),
        Verdict::Build(build) => {
            if let Some(phase) = &build.phase {
                line(&mut out, &format!("  phase       {phase}"));
            }
            describe(&mut out, &build.diagnosis, &build_advice(&build.diagnosis, build.replacement_from.as_deref()));
        }
    }
    out
}

fn describe(out: &mut String, diagnosis: &Diagnosis, advice: &str) {
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
    let sure = if diagnosis.cause == Cause::Unknown { String::new() } else { format!(", confidence {}", diagnosis.confidence) };
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
    line(out, &format!("  remedy      {}", remedy_for(diagnosis)));
    line(out, &format!("  advice      {advice}"));
    if let Some(settled_by) = &diagnosis.settled_by {
        line(out, &format!("  settled by  {settled_by}"));
    }
}

/// The advice with the line to put into the Dockerfile, where there is one.
fn build_advice(diagnosis: &Diagnosis, from: Option<&str>) -> String {
    from.map_or_else(|| diagnosis.advice.clone(), |from| format!("{} In the Dockerfile: `{from}`.", diagnosis.advice))
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
