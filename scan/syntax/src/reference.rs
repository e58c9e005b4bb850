//! From the text of a reference to what it pulls: registry, official or not, and where to rewrite it.
//!
//! A reference with unknown parts still tells a lot: `python:${VERSION}` is Docker Hub's whatever the version is.
//! The rules are those of `docs/scan.md`.

use std::borrow::Cow;
use std::ops::Range;

use pullsafe::reference::{DOCKER_HUB, Reference, Registry};

use crate::traced::{HOLE, Traced, Unknown, join};

/// What a reference resolves to.
#[derive(Debug, Clone)]
pub struct ResolvedReference {
    /// In full; what has no value stays as `${NAME}`.
    pub reference: String,
    /// Whose registry it names; `None` where a variable decides.
    pub registry: Option<Registry>,
    /// Whether it is a Docker Official Image.
    pub official: bool,
    /// Whether a digest fixes what is pulled.
    pub pinned: bool,
    /// Whether every part is known.
    pub certain: bool,
    /// The variables without a value.
    pub variables: Vec<String>,
    /// As a value, where every part is known.
    pub parsed: Option<Reference>,
    /// What a move to another registry changes, for a reference of Docker Hub that can be moved.
    pub head: Option<RegistrySpan>,
}

/// Where the registry's part of a reference is in its text.
#[derive(Debug, Clone)]
pub struct RegistrySpan {
    /// The host; empty where none is written.
    pub host: Range<usize>,
    /// Where the repository begins.
    pub repository: usize,
    /// Whether the repository is written without its `library/`.
    pub bare: bool,
}

/// Reads the text of a reference. The error says why no value of its variables makes it one.
pub fn resolve(text: &Traced) -> Result<ResolvedReference, String> {
    let mut variables: Vec<String> = Vec::new();
    for (_, unknown) in text.unknowns() {
        if unknown.assumed.is_none() && !variables.contains(&unknown.name) {
            variables.push(unknown.name.clone());
        }
    }
    let certain = variables.is_empty();
    // A digest that is not known says nothing of the rest.
    let name_end = text
        .as_str()
        .find('@')
        .filter(|&at| text.as_str()[at..].contains(HOLE))
        .unwrap_or(text.as_str().len());
    let filled = text.slice(0..name_end).filled(|unknown| Cow::Borrowed(unknown.assumed.unwrap_or("0")));
    let shape = ReferenceShape::of(text);
    let known = shape.host_is_known(text);
    let parsed = match filled.parse::<Reference>() {
        Ok(parsed) => Some(parsed),
        Err(error) if certain => return Err(error.to_string()),
        Err(_) => None,
    };
    if parsed.is_none() && !could_be(text) {
        return Err(format!("`{}` cannot be an image reference", shown(text)));
    }
    let registry = if certain || known {
        parsed.as_ref().map(|parsed| registry_of(parsed, shape.host(text)))
    } else {
        without_unset(text).map(|parsed| parsed.kind())
    };
    let repository_known = !text.as_str()[shape.repository.clone()].contains(HOLE);
    let on_hub = registry == Some(Registry::DockerHub);
    let bare = !text.as_str()[shape.repository.clone()].contains('/');
    let official = on_hub
        && match (&parsed, certain || known) {
            (Some(parsed), true) => repository_known && parsed.is_official(),
            _ => without_unset(text).is_some_and(|parsed| parsed.is_official()),
        };
    // A bare name that is not known might have a namespace: where `library/` belongs is open.
    let head = (on_hub && (certain || known) && (repository_known || !bare)).then(|| RegistrySpan {
        host: shape.host.clone(),
        repository: shape.repository.start,
        bare,
    });
    let has_assumed = text.unknowns().next().is_some();
    Ok(ResolvedReference {
        reference: display(text, &shape, registry, certain || known),
        registry,
        official,
        pinned: text.as_str().contains('@'),
        certain,
        variables,
        parsed: if certain && !has_assumed { parsed } else { None },
        head,
    })
}

fn registry_of(parsed: &Reference, host: &str) -> Registry {
    if host.contains(".dkr.ecr") || host.contains(".dkr-ecr") {
        Registry::EcrPrivate
    } else {
        parsed.kind()
    }
}

/// What is pulled where an unset variable is the empty text (Docker and compose), if that is a reference at all.
fn without_unset(text: &Traced) -> Option<Reference> {
    if text.unknowns().any(|(_, unknown)| !unknown.empty_if_unset && unknown.assumed.is_none()) {
        return None;
    }
    text.filled(|unknown| Cow::Borrowed(unknown.assumed.unwrap_or_default())).parse().ok()
}

/// Whether some value of the unknown parts makes this a reference: no white space or other character that none has.
fn could_be(text: &Traced) -> bool {
    text.as_str().chars().all(|character| {
        character.is_ascii_alphanumeric()
            || matches!(character, '/' | ':' | '@' | '.' | '_' | '-')
            || HOLE.contains(character)
    })
}

/// The text for people: an unknown part as `${NAME}`.
pub fn shown(text: &Traced) -> String {
    text.filled(|unknown: &Unknown| Cow::Owned(format!("${{{}}}", unknown.name)))
}

fn display(text: &Traced, shape: &ReferenceShape, registry: Option<Registry>, known: bool) -> String {
    if registry != Some(Registry::DockerHub) || !known {
        return shown(text);
    }
    let repository = shown(&text.slice(shape.repository.clone()));
    let rest = shown(&text.slice(shape.repository.end..text.as_str().len()));
    let library = if repository.contains('/') || text.as_str()[shape.repository.clone()].contains(HOLE) {
        ""
    } else {
        "library/"
    };
    format!("{DOCKER_HUB}/{library}{repository}{rest}")
}

/// Where the parts of a reference are in its text.
struct ReferenceShape {
    host: Range<usize>,
    repository: Range<usize>,
}

impl ReferenceShape {
    fn of(text: &Traced) -> Self {
        let text = text.as_str();
        let name_end = text.find('@').unwrap_or(text.len());
        let host = match text[..name_end].split_once('/') {
            Some((first, _))
                if first == "localhost"
                    || first.contains(['.', ':'])
                    || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
            {
                0..first.len()
            }
            _ => 0..0,
        };
        let start = if host.is_empty() { 0 } else { host.end + 1 };
        let last_slash = text[start..name_end].rfind('/').map_or(start, |slash| start + slash);
        let end = text[last_slash..name_end].find(':').map_or(name_end, |colon| last_slash + colon);
        Self { host, repository: start..end }
    }

    fn host<'a>(&self, text: &'a Traced) -> &'a str {
        &text.as_str()[self.host.clone()]
    }

    /// Whether the unknown parts leave no doubt about the registry.
    fn host_is_known(&self, text: &Traced) -> bool {
        let whole = text.as_str();
        let assumed_only = |range: Range<usize>| {
            text.unknowns().filter(|(at, _)| range.contains(at)).all(|(_, unknown)| unknown.assumed.is_some())
        };
        // `${HOST:...}.example.com/app` is no Docker Hub host, whatever the variable holds.
        if !self.host.is_empty() {
            return assumed_only(self.host.clone())
                || self.host(text).contains('.') && !self.host(text).starts_with(HOLE)
                || self.host(text).contains(".dkr.ecr");
        }
        match whole[..self.repository.end].split_once('/') {
            // The first component is a namespace of Docker Hub.
            Some((first, _)) => assumed_only(0..first.len()),
            None => assumed_only(0..self.repository.end),
        }
    }
}

/// Whether a text is more likely an image than a word: it has a tag, a digest or a registry.
pub fn looks_like_reference(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or(text);
    last.contains(':') || text.contains('@') || text.split_once('/').is_some_and(|(host, _)| host.contains('.'))
}

/// Whether a text under a key `image` is more likely an image than a word or a picture, where images are to be
/// expected.
pub fn is_plausible(text: &str) -> bool {
    let picture = ["png", "jpg", "jpeg", "svg", "gif", "ico", "webp"]
        .iter()
        .any(|extension| text.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(extension)));
    !picture && !text.starts_with(['/', '.']) && (looks_like_reference(text) || text.contains('/'))
}

/// A reference from a repository and a tag that are written apart.
pub fn assembled(registry: Option<Traced>, repository: Traced, tag: Option<Traced>, digest: Option<Traced>) -> Traced {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traced::ByteOrigin;

    /// `<NAME>` is an unknown that is empty where unset, `<!NAME>` one that is not.
    fn text(pattern: &str) -> Traced {
        let mut built = Traced::default();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('<') {
            let (name, tail) = after.split_once('>').unwrap();
            built.push(&Traced::written(before, ByteOrigin { source: 0, offset: 0 }));
            built.push(&Traced::unknown(Unknown {
                name: name.trim_start_matches('!').to_owned(),
                written: None,
                assumed: (name == "AWS::AccountId").then_some("123456789012"),
                empty_if_unset: !name.starts_with('!'),
            }));
            rest = tail;
        }
        built.push(&Traced::written(rest, ByteOrigin { source: 0, offset: 0 }));
        built
    }

    #[test]
    fn tells_what_is_known_of_a_partly_unknown_reference() {
        use Registry::{DockerHub, EcrPrivate, Ghcr, Other};
        for (pattern, reference, registry, official, certain) in [
            ("python:3.11-slim", "docker.io/library/python:3.11-slim", Some(DockerHub), true, true),
            ("index.docker.io/acme/app", "docker.io/acme/app", Some(DockerHub), false, true),
            ("python:<V>-slim", "docker.io/library/python:${V}-slim", Some(DockerHub), true, false),
            ("bitnami/<NAME>:1", "docker.io/bitnami/${NAME}:1", Some(DockerHub), false, false),
            ("<IMAGE>", "${IMAGE}", None, false, false),
            ("<IMAGE>:7", "${IMAGE}:7", None, false, false),
            ("<REGISTRY>/redis:7", "${REGISTRY}/redis:7", None, false, false),
            ("<PREFIX>redis:7", "${PREFIX}redis:7", Some(DockerHub), true, false),
            ("<!PREFIX>redis:7", "${PREFIX}redis:7", None, false, false),
            ("ghcr.io/acme/<X>:1", "ghcr.io/acme/${X}:1", Some(Ghcr), false, false),
            (
                "<A>.dkr.ecr.<R>.amazonaws.com/app:1",
                "${A}.dkr.ecr.${R}.amazonaws.com/app:1",
                Some(EcrPrivate),
                false,
                false,
            ),
            (
                "<AWS::AccountId>.dkr.ecr.eu-west-1.amazonaws.com/app",
                "${AWS::AccountId}.dkr.ecr.eu-west-1.amazonaws.com/app",
                Some(EcrPrivate),
                false,
                true,
            ),
            ("registry.k8s.io/pause:<T>", "registry.k8s.io/pause:${T}", Some(Other), false, false),
            ("redis:7@<D>", "docker.io/library/redis:7@${D}", Some(DockerHub), true, false),
        ] {
            let resolved = resolve(&text(pattern)).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(
                (resolved.reference.as_str(), resolved.registry, resolved.official, resolved.certain),
                (reference, registry, official, certain),
                "{pattern}"
            );
        }
    }

    #[test]
    fn refuses_what_no_value_could_mend() {
        for pattern in ["a b", "echo <X>", "Python:3", "", "<A> <B>"] {
            assert!(resolve(&text(pattern)).is_err(), "{pattern}");
        }
    }
}
