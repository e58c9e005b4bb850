//! Texts that may be image references: by their looks, and put together from parts.

use crate::traced::{Traced, join};

/// Whether a text is more likely an image than a word: it has a tag, a digest or a registry.
pub(crate) fn looks_like_reference(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or(text);
    last.contains(':') || text.contains('@') || text.split_once('/').is_some_and(|(host, _)| host.contains('.'))
}

/// Whether a text under a key `image` is more likely an image than a word or a picture, where images are to be expected.
pub(crate) fn is_plausible(text: &str) -> bool {
    let picture = ["png", "jpg", "jpeg", "svg", "gif", "ico", "webp"]
        .iter()
        .any(|extension| text.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(extension)));
    !picture && !text.starts_with(['/', '.']) && (looks_like_reference(text) || text.contains('/'))
}

/// A reference from a repository and a tag that are written apart.
pub(crate) fn assembled(registry: Option<Traced>, repository: Traced, tag: Option<Traced>, digest: Option<Traced>) -> Traced {
    let mut value = match registry {
        Some(registry) => join(&[registry, repository], "/"),
        None => repository,
    };
    if let Some(tag) = tag {
        value = join(&[value, tag], ":");
    }
    if let Some(digest) = digest {
        value = join(&[value, digest], "@");
    }
    value
}
