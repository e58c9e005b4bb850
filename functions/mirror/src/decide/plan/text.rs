//! A plan as text for a person, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::prune::{PrunePlan, Unwanted};
use super::{CopyDecision, MirrorPlan, PlannedImage};
use pullsafe::timestamp::Timestamp;

/// The plan as text, in lines that make sense on their own.
pub fn text(plan: &MirrorPlan, prune: Option<&PrunePlan>, now: Timestamp) -> String {
    let mut text = PlanText(String::new());
    text.line(&headline(plan));
    text.line(&quota(plan));
    for warning in &plan.warnings {
        text.line(&format!("Note: {warning}."));
    }
    for (title, action) in [
        ("To copy, in this order", CopyDecision::Copy),
        ("Asked for already, and not done yet", CopyDecision::Asked),
        ("Next time, because the quota does not suffice", CopyDecision::Later),
        (
            "Blocked: the tag has moved at the source and cannot be changed in the mirror",
            CopyDecision::Blocked,
        ),
        ("Not at the source", CopyDecision::Absent),
        ("Not known", CopyDecision::NOT_KNOWN),
        ("Current", CopyDecision::Current),
    ] {
        let items: Vec<&PlannedImage> = plan.items.iter().filter(|item| item.action.is_like(&action)).collect();
        if items.is_empty() {
            continue;
        }
        text.line("");
        text.line(&format!("{title} ({}):", items.len()));
        for item in items {
            describe(&mut text, item, now);
        }
    }
    if let Some(prune) = prune {
        pruning(&mut text, prune);
    }
    text.0
}

struct PlanText(String);

impl PlanText {
    fn line(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

fn headline(plan: &MirrorPlan) -> String {
    let count = |action: CopyDecision, words: &str| {
        let count = plan.count(&action);
        (count > 0).then(|| format!("{count} {words}"))
    };
    let parts = [
        count(CopyDecision::Copy, "to copy"),
        count(CopyDecision::Asked, "asked for already"),
        count(CopyDecision::Later, "next time"),
        count(CopyDecision::Blocked, "blocked"),
        count(CopyDecision::Absent, "not at the source"),
        count(CopyDecision::NOT_KNOWN, "not known"),
        count(CopyDecision::Current, "current"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "Nothing is wanted in the mirror.".to_owned()
    } else {
        format!("{} images: {}.", plan.items.len(), parts.join(", "))
    }
}

fn quota(plan: &MirrorPlan) -> String {
    let (expected, worst) = plan.pulls();
    let cost = if expected == worst {
        format!("{worst}")
    } else {
        format!("{expected}, or {worst} if every other source fails")
    };
    match &plan.budget {
        Some(budget) => format!(
            "Docker Hub has {} of {} pulls left ({} kept back); this costs {cost}.",
            budget.remaining,
            budget.limit,
            budget.kept_back().min(budget.remaining)
        ),
        None => format!("Docker Hub states no quota; this would cost {cost} pulls."),
    }
}

fn describe(text: &mut PlanText, item: &PlannedImage, now: Timestamp) {
    let (source, target) = (&item.want.source, &item.want.target);
    if item.action == CopyDecision::Current {
        text.line(&format!("  {target}"));
        return;
    }
    text.line(&format!("  {source}"));
    text.line(&format!("    -> {target}"));
    let short = |digest: &pullsafe::reference::Digest| digest.as_str().get(..19).unwrap_or_default().to_owned();
    let what = match (&item.action, &item.digest, &item.holds) {
        (CopyDecision::Unknown(why), _, _) => Some(why.clone()),
        (CopyDecision::Absent, _, Some(holds)) => Some(format!("the mirror keeps {}", short(holds))),
        (CopyDecision::Absent, _, None) | (_, None, _) => None,
        (_, Some(digest), Some(holds)) if digest == holds => Some(format!("{} lies in the archive", short(digest))),
        (_, Some(digest), Some(holds)) => Some(format!("moved from {} to {}", short(holds), short(digest))),
        (_, Some(digest), None) => Some(format!("{} is not there", short(digest))),
    };
    let behind = item.behind_since.map(|since| format!("behind for {}", duration(now.seconds_since(since))));
    let pulls = (item.worst_pulls > 0).then(|| {
        if item.expected_pulls == item.worst_pulls {
            if item.worst_pulls == 1 {
                "1 pull".to_owned()
            } else {
                format!("{} pulls", item.worst_pulls)
            }
        } else {
            format!("{} to {} pulls", item.expected_pulls, item.worst_pulls)
        }
    });
    let facts: Vec<String> = [what, behind, pulls].into_iter().flatten().collect();
    if !facts.is_empty() {
        text.line(&format!("    {}", facts.join("; ")));
    }
    for why in &item.want.why {
        text.line(&format!("    why: {why}"));
    }
    if !item.want.platforms.is_empty() {
        let platforms: Vec<String> = item.want.platforms.iter().map(ToString::to_string).collect();
        text.line(&format!("    only {}", platforms.join(", ")));
    }
}

fn pruning(text: &mut PlanText, prune: &PrunePlan) {
    text.line("");
    text.line(&format!("No longer wanted ({}), {} kept:", prune.unwanted.len(), prune.kept));
    for image in &prune.unwanted {
        let tags = if image.tags.is_empty() {
            "without a tag".to_owned()
        } else {
            image.tags.join(", ")
        };
        let when = if image.due { "goes now" } else { "stays for now" };
        text.line(&format!("  {}@{} ({tags}): {when}, unwanted since {}", image.repository, image.digest, image.since));
    }
    for doubt in &prune.doubts {
        text.line(&format!("  {}.", doubt.why));
    }
}

/// `3 d`, `5 h`, `10 min`.
fn duration(seconds: i64) -> String {
    match seconds {
        86_400.. => format!("{} d", seconds / 86_400),
        3_600.. => format!("{} h", seconds / 3_600),
        60.. => format!("{} min", seconds / 60),
        _ => "less than a minute".to_owned(),
    }
}

/// The plan as one JSON document.
pub fn json(plan: &MirrorPlan, prune: Option<&PrunePlan>) -> Value {
    let (expected, worst) = plan.pulls();
    json!({
        "images": plan.items.iter().map(item_json).collect::<Vec<_>>(),
        "pulls": {"expected": expected, "worst": worst},
        "quota": plan.budget,
        "warnings": plan.warnings,
        "prune": prune.map(|prune| json!({
            "kept": prune.kept,
            "unwanted": prune.unwanted.iter().map(unwanted_json).collect::<Vec<_>>(),
            "doubts": prune.doubts.iter().map(|doubt| &doubt.why).collect::<Vec<_>>(),
        })),
    })
}

fn item_json(item: &PlannedImage) -> Value {
    let reason = if let CopyDecision::Unknown(why) = &item.action { Some(why) } else { None };
    json!({
        "source": item.want.source,
        "target": item.want.target,
        "action": item.action.as_str(),
        "digest": item.digest,
        "holds": item.holds,
        "reason": reason,
        "why": item.want.why,
        "used_by": item.want.used_by,
        "platforms": item.want.platforms,
        "pulls": {"expected": item.expected_pulls, "worst": item.worst_pulls},
        "behind_since": item.behind_since,
    })
}

fn unwanted_json(image: &Unwanted) -> Value {
    json!({
        "repository": image.repository, "digest": image.digest, "tags": image.tags, "size_bytes": image.size_bytes,
        "unwanted_since": image.since, "due": image.due,
    })
}
