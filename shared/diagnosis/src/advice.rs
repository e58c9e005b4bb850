//! Fills an advice template with what was found.
//!
//! Names in braces: `image`, `host`, `repository`, `official` (the image at ECR Public, if it is there), `limit`,
//! `subject`, `who`, `spent`, `driver` (see `log_driver`), and the topics of `placed`. `{name|otherwise}` falls back to
//! the words after the bar; `{name? of $}` is left out if the name is not known. A value is filled in only if it has
//! the shape of such a name.

use super::log_driver::Driver;
use super::row::SignatureRow;
use super::setting::{LaunchedOn, NetworkMode};
use super::shape::NameShape;
use super::target::TextSubject;
use super::text::{self, redact};
use super::{log_driver, placed, registries};
use pullsafe::reference::{ECR_PUBLIC, Reference};

/// What an advice is about: the row's target, the text, and where it happened.
pub(super) struct About<'a> {
    pub(super) target: &'a TextSubject,
    pub(super) text: &'a str,
    pub(super) place: LaunchedOn,
    pub(super) mode: Option<NetworkMode>,
    /// The log driver of the task, if the text names none.
    pub(super) driver: Option<Driver>,
    pub(super) attempts: Option<u32>,
}

/// Renders the advice of a row.
pub(super) fn render(row: &SignatureRow, about: &About<'_>) -> String {
    let About { target, text, place, mode, driver, attempts } = *about;
    let reference = target.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
    let value = |name: &str| match name {
        "image" => reference.as_ref().and(target.image.clone()),
        "host" => reference.as_ref().map(|reference| reference.registry().to_owned()),
        "repository" => reference.as_ref().map(|reference| reference.repository().to_owned()),
        "official" => reference.as_ref().and_then(on_ecr_public),
        "limit" => target.registry.and_then(registries::of_registry).map(|row| row.limit.to_owned()),
        "subject" => subject(row, text),
        "who" => match row.anonymous {
            Some(true) => Some("this address (the pull was anonymous)".to_owned()),
            Some(false) => Some("the account that it logged in with".to_owned()),
            None => None,
        },
        "spent" => attempts.map(|attempts| format!(" ({attempts} requests for each start)")),
        "private" => private_address(text).map(str::to_owned),
        "driver" => Some(log_driver::advice(Driver::in_text(text).or(driver), row.why).to_owned()),
        topic => placed::words(topic, place, mode, target.registry),
    };
    fill(row.advice, value)
}

/// The private address that a text says was dialled, with its port.
fn private_address(text: &str) -> Option<&str> {
    text.match_indices("dial tcp ").find_map(|(at, before)| {
        let rest = text.get(at + before.len()..)?;
        let address = rest.split([' ', ',', '"', '\'']).next()?.trim_end_matches(':');
        let host: std::net::Ipv4Addr = address.split(':').next()?.parse().ok()?;
        (host.is_private() && NameShape::Host.fits(address)).then_some(address)
    })
}

/// The reference under which ECR Public publishes the same official image.
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
        rest = after;
        if let Some((name, otherwise)) = inside.split_once('|') {
            let Some(found) = value(name) else {
                // The fallback is words and not a name, so the quotes around it are removed.
                if let Some(behind) = after.strip_prefix('`').filter(|_| out.ends_with('`')) {
                    out.pop();
                    rest = behind;
                }
                out.push_str(otherwise);
                continue;
            };
            out.push_str(&found);
        } else if let Some((name, shown)) = inside.split_once('?') {
            // Shown only if the name is known, in these words.
            if let Some(found) = value(name) {
                out.push_str(&shown.replace('$', &found));
            }
        } else if let Some(found) = value(inside) {
            out.push_str(&found);
        } else {
            // Braces around anything else belong to the text (a JSON example).
            out.extend(["{", inside, "}"]);
        }
    }
    out.push_str(rest);
    out
}

/// Finds the row's subject in this text, if what stands there has its shape.
pub(super) fn subject(row: &SignatureRow, text: &str) -> Option<String> {
    let place = row.subject?;
    let lower = text.to_ascii_lowercase();
    let places = |before: &&'static str| {
        lower.match_indices(*before).map(|(at, before)| (at + before.len(), before)).collect::<Vec<_>>()
    };
    place.after.iter().flat_map(places).find_map(|(start, before)| {
        // Lower-casing ASCII keeps every index.
        let rest = text.get(start..)?;
        let quote = before.chars().last().filter(|last| matches!(last, '"' | '\'' | '`'));
        let ends = |character: char| match quote {
            Some(quote) => character == quote || character == '\\',
            None => place.until.contains(&character),
        };
        let end = rest.find(ends).unwrap_or(rest.len());
        let found = rest.get(..end)?.trim().trim_end_matches(['.', ':']);
        place.shape.fits(found).then(|| found.to_owned()).filter(|found| redact(found) == *found)
    })
}

/// The advice if no signature matched.
pub(super) fn unknown(image: Option<&str>, pull: bool, text: &str) -> String {
    let image = image.and_then(|image| image.parse::<Reference>().ok());
    let look = match (pull, image) {
        (true, Some(image)) => format!(
            "Ask the registry for the manifest (`docker buildx imagetools inspect {image}`), and look at what else \
             stopped at the same time."
        ),
        (true, None) => {
            "Ask the registry for the manifest of the image that is named there, and look at what else stopped at the \
             same time."
                .to_owned()
        }
        (false, _) => "Read the text in the evidence and the container's log, and look at what else stopped at the \
            same time."
            .to_owned(),
    };
    let what = if pull { "The pull failed" } else { "The stop is not explained" };
    if text::is_cut(text) {
        format!(
            "{what}, and the text ends before it says why (ECS cuts long messages); nothing is done on a guess. {look}"
        )
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
        assert_eq!(
            fill("Module `{subject|that it names}` of `{image|it}`.", value),
            "Module that it names of `redis:7`."
        );
        assert_eq!(
            fill("Pull {image|it} from {host|the registry}: {\"a\"}", value),
            "Pull redis:7 from the registry: {\"a\"}"
        );
    }

    #[test]
    fn official_images_have_a_twin() {
        let reference: Reference = "python:3.11-slim".parse().unwrap();
        assert_eq!(on_ecr_public(&reference).as_deref(), Some("public.ecr.aws/docker/library/python:3.11-slim"));
        assert_eq!(on_ecr_public(&"acme/api".parse().unwrap()), None);
    }
}
