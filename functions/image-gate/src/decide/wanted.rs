//! Which image is asked for: `ImageTag` or `ImageDigest`.

use serde::{Deserialize, Serialize};

use super::foreign::shown;
use super::refusal::PropertyRefusal;
use pullsafe::reference::Digest;

const TAG: &str = "ImageTag";
const DIGEST: &str = "ImageDigest";
/// The longest tag of the OCI Distribution Specification.
const LONGEST_TAG: usize = 128;

/// Which image of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateImage {
    /// What a tag means.
    Tag(String),
    /// This very one.
    Digest(Digest),
}

impl GateImage {
    /// One of the two, and not both.
    ///
    /// # Errors
    /// What is wrong with the one, the other, or that both or neither are there.
    pub fn parse(tag: Option<&str>, digest: Option<&str>) -> Result<Self, PropertyRefusal> {
        match (tag, digest) {
            (Some(tag), None) => parse_tag(tag).map(Self::Tag),
            (None, Some(digest)) => parse_digest(digest).map(Self::Digest),
            (Some(tag), Some(_)) => Err(PropertyRefusal::new(
                TAG,
                tag,
                "stands beside an ImageDigest, and they may mean two images",
                "ImageTag or ImageDigest, not both",
            )),
            (None, None) => Err(PropertyRefusal::without_value(TAG, "is missing", "ImageTag, or ImageDigest")),
        }
    }

    /// The tag; empty where a digest is wanted.
    pub fn tag(&self) -> &str {
        match self {
            Self::Tag(tag) => tag,
            Self::Digest(_) => "",
        }
    }
}

fn parse_tag(text: &str) -> Result<String, PropertyRefusal> {
    let refuse = |why: String, write: String| Err(PropertyRefusal::new(TAG, text, why, write));
    if let Some((before, digest)) = text.split_once('@') {
        let tag = before.rsplit(['/', ':']).next().unwrap_or_default();
        return match digest.parse::<Digest>() {
            Ok(digest) if tag.is_empty() => {
                refuse("is a digest".to_owned(), format!("ImageDigest: {digest}, and no ImageTag"))
            }
            Ok(digest) => {
                let why = "is a tag with a digest, which no tag can be".to_owned();
                refuse(why, format!("ImageTag: {}, or ImageDigest: {digest}", shown(tag)))
            }
            Err(_) if tag.is_empty() => {
                refuse("has an `@`, which no tag can have".to_owned(), "the tag that is pushed".to_owned())
            }
            Err(_) => refuse("has an `@`, which no tag can have".to_owned(), format!("ImageTag: {}", shown(tag))),
        };
    }
    if text.starts_with("sha256:") {
        return match text.parse::<Digest>() {
            Ok(digest) => refuse("is a digest".to_owned(), format!("ImageDigest: {digest}, and no ImageTag")),
            Err(_) => {
                refuse("is a digest that is not whole".to_owned(), "ImageDigest: sha256: and its 64 digits".to_owned())
            }
        };
    }
    if is_unfilled(text) {
        return refuse(
            "is a placeholder that nothing has filled in".to_owned(),
            "the tag itself, or `!Sub` before the text".to_owned(),
        );
    }
    if text.chars().any(char::is_control) {
        return refuse("has a character that cannot be seen".to_owned(), "the tag that is pushed".to_owned());
    }
    if let Some((before, tag)) = text.rsplit_once(':') {
        let why = if before.is_empty() { "begins with a colon" } else { "names more than a tag" };
        return refuse(why.to_owned(), format!("ImageTag: {}", shown(tag)));
    }
    if text.chars().count() > LONGEST_TAG {
        return refuse(
            format!("has {} characters, and a tag is at most {LONGEST_TAG} long", text.chars().count()),
            "the tag that is pushed".to_owned(),
        );
    }
    if text.contains(['*', '?', '[', '^', '~', '|']) {
        return refuse("is a pattern, and the gate waits for one image".to_owned(), "one tag in full".to_owned());
    }
    let known = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-');
    if let Some(odd) = text.chars().find(|character| !known(*character)) {
        let why = format!("has a `{}`; a tag is letters, digits, `_`, `.` and `-`", shown(&odd.to_string()));
        // Branches and versions, as build tools turn them into tags.
        let write = match odd {
            '/' | '+' | ' ' => format!("the tag as it is pushed, such as ImageTag: {}", shown(&text.replace(odd, "-"))),
            _ => "the tag as it is pushed".to_owned(),
        };
        return refuse(why, write);
    }
    if text.starts_with(['.', '-']) {
        return refuse(
            "begins with what no tag can begin with".to_owned(),
            format!("ImageTag: {}", shown(text.trim_start_matches(['.', '-']))),
        );
    }
    Ok(text.to_owned())
}

fn parse_digest(text: &str) -> Result<Digest, PropertyRefusal> {
    let refuse = |why: String, write: String| Err(PropertyRefusal::new(DIGEST, text, why, write));
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Ok(digest) = text.parse() {
        return Ok(digest);
    }
    let lower = text.to_ascii_lowercase();
    if let Ok(digest) = lower.parse::<Digest>() {
        return refuse("is in capitals, and a digest is not".to_owned(), format!("ImageDigest: {digest}"));
    }
    if let Some(Ok(digest)) = text.rsplit_once('@').map(|(_, digest)| digest.parse::<Digest>()) {
        return refuse("names more than a digest".to_owned(), format!("ImageDigest: {digest}"));
    }
    if let Ok(digest) = format!("sha256:{lower}").parse::<Digest>() {
        return refuse("lacks its algorithm".to_owned(), format!("ImageDigest: {digest}"));
    }
    if let Some(digits) = lower.strip_prefix("sha256:")
        && is_hex(digits)
    {
        return refuse(format!("has {} digits, and a digest has 64", digits.len()), "the whole digest".to_owned());
    }
    if lower.starts_with("sha512:") || lower.starts_with("sha384:") {
        return refuse(
            "is of an algorithm that ECR does not use".to_owned(),
            "the sha256 digest that ECR shows".to_owned(),
        );
    }
    let write = if parse_tag(text).is_ok() {
        format!("ImageTag: {}", shown(text))
    } else {
        "sha256: and 64 hexadecimal digits".to_owned()
    };
    refuse("is not a digest".to_owned(), write)
}

/// A placeholder of a template language that stands there as text.
pub(super) fn is_unfilled(text: &str) -> bool {
    text.contains("${")
        || text.contains("{{")
        || text.contains("!Ref")
        || text.contains("!Sub")
        || text.contains("<none>")
}
