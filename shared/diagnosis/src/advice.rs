//! Fills an advice template with what was found.
//!
//! Names in braces: `image`, `host`, `repository`, `official` (where ECR Public has the same image), `subject`, `who`
//! and `spent`. `{name|otherwise}` falls back to the words behind the bar.

use super::registries;
use super::row::Row;
use super::target::Target;
use super::text::{self, redact};
use pullsafe::reference::{ECR_PUBLIC, Reference};

/// What opens a name in a template.
pub(super) const OPEN: char = '{';

/// The advice of a row for this target and text.
pub(super) fn render(row: &Row, target: &Target, text: &str, attempts: Option<u32>, anonymous: Option<bool>) -> String {
    let reference = target.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
    let value = |name: &str| match name {
        "image" => target.image.clone(),
        "host" => reference.as_ref().map(|reference| reference.registry().to_owned()),
        "repository" => reference.as_ref().map(|reference| reference.repository().to_owned()),
        "official" => reference.as_ref().and_then(on_ecr_public),
        "limit" => target.registry.and_then(registries::of_registry).map(|row| row.limit.to_owned()),
        "subject" => subject(row, text),
        "who" => match anonymous {
            Some(true) => Some("this address (the pull was anonymous)".to_owned()),
            Some(false) => Some("the account that it logged in with".to_owned()),
            None => None,
        },
        "spent" => attempts.map(|attempts| format!(" ({attempts} requests for each task start)")),
        _ => None,
    };
    fill(row.advice, value)
}

/// Where ECR Public publishes the same official image.
fn on_ecr_public(reference: &Reference) -> Option<String> {
    reference.official_at(ECR_PUBLIC).map(|moved| moved.to_string())
}

fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        let Some((inside, after)) = behind.split_once('}') else {
            rest = behind;
            continue;
        };
        match inside.split_once('|') {
            Some((name, otherwise)) => match value(name) {
                Some(found) => out.push_str(&found),
                None => {
                    // Words are no name: the quotes around it go.
                    let behind = after.strip_prefix('`').filter(|_| out.ends_with('`'));
                    if behind.is_some() {
                        out.pop();
                    }
                    out.push_str(otherwise);
                    rest = behind.unwrap_or(after);
                    continue;
                }
            },
            // Braces that are no name belong to the text (a JSON example).
            None => {
                out.push('{');
                out.push_str(inside);
                out.push('}');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What the row's subject is in this text.
pub(super) fn subject(row: &Row, text: &str) -> Option<String> {
    let place = row.subject?;
    let lower = text.to_ascii_lowercase();
    let start = place.after.iter().find_map(|before| Some(lower.find(before.to_ascii_lowercase().as_str())? + before.len()))?;
    // Lower-casing ASCII keeps every index.
    let rest = text.get(start..)?;
    let end = rest.find(|character| place.until.contains(&character)).unwrap_or(rest.len());
    let found = rest.get(..end)?.trim().trim_end_matches(['.', ':']);
    (!found.is_empty() && found.len() <= 200).then(|| redact(found))
}

/// The advice where no signature matched.
pub(super) fn unknown(image: Option<&str>, pull: bool, text: &str) -> String {
    let look = match (pull, image) {
        (true, Some(image)) => format!("Ask the registry for the manifest (`docker buildx imagetools inspect {image}`), and look at other tasks of the service that stopped at the same time."),
        (true, None) => "Ask the registry for the manifest of the image in the task definition, and look at other tasks of the service that stopped at the same time.".to_owned(),
        (false, _) => "Read the text in the evidence and the container's log, and look at other tasks of the service that stopped at the same time.".to_owned(),
    };
    let what = if pull { "The pull failed" } else { "The stop is not explained" };
    if text::is_cut(text) {
        format!("{what}, and the text ends before it says why (ECS cuts long messages); nothing is done on a guess. {look}")
    } else if text.is_empty() {
        format!("{what}: there is no reason in words. {look}")
    } else {
        format!("{what}, and the text is not recognised; nothing is done on a guess. {look}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_names_and_falls_back() {
        let value = |name: &str| (name == "image").then(|| "redis:7".to_owned());
        assert_eq!(fill("Module `{subject|that it names}` of `{image|it}`.", value), "Module that it names of `redis:7`.");
        assert_eq!(fill("Pull {image|it} from {host|the registry}: {\"a\"}", value), "Pull redis:7 from the registry: {\"a\"}");
    }

    #[test]
    fn official_images_have_a_twin() {
        let reference: Reference = "python:3.11-slim".parse().unwrap();
        assert_eq!(on_ecr_public(&reference).as_deref(), Some("public.ecr.aws/docker/library/python:3.11-slim"));
        assert_eq!(on_ecr_public(&"acme/api".parse().unwrap()), None);
    }
}
