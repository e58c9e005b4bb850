//! The property `RepositoryName`: a repository of a private ECR registry, by its name or its whole address.

use super::foreign::shown;
use super::refusal::PropertyRefusal;
use super::wanted::is_unfilled;
use pullsafe::naming::{DEFAULT_PREFIX, mirrored_name};
use pullsafe::reference::{Reference, ecr_host};

const PROPERTY: &str = "RepositoryName";
/// ECR's bounds for a name.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=256;

/// Reads it: the registry's host, where the template gave the whole address, and the repository.
///
/// # Errors
/// It cannot be a repository of ECR.
pub(super) fn parse(text: &str) -> Result<(Option<String>, String), PropertyRefusal> {
    let refuse = |why: &str, write: String| Err(PropertyRefusal::new(PROPERTY, text, why, write));
    if is_unfilled(text) {
        return refuse(
            "is a placeholder that nothing has filled in",
            "the name itself, or `!Sub` before the text".to_owned(),
        );
    }
    if let Some((_, rest)) = text.split_once("://") {
        let name = rest.trim_end_matches('/');
        let write = if parse(name).is_ok() {
            format!("RepositoryName: {}", shown(name))
        } else {
            "the name of a repository in ECR".to_owned()
        };
        return refuse("is a URL", write);
    }
    if text.starts_with("arn:") {
        return refuse("is an ARN", address_of(text));
    }
    let (host, rest) = text.split_once('/').unwrap_or(("", text));
    if ecr_host(text).is_some() || (ecr_host(host).is_some() && rest.is_empty()) {
        return refuse(
            "names a registry and no repository",
            format!("RepositoryName: {}/web", text.trim_end_matches('/')),
        );
    }
    let registry = ecr_host(host).is_some().then(|| host.to_owned());
    let name = if registry.is_some() { rest } else { text };
    if registry.is_none() && names_another_registry(host) {
        return Err(elsewhere(text, host));
    }
    let write = |name: &str| match &registry {
        Some(registry) => format!("RepositoryName: {registry}/{}", shown(name)),
        None => format!("RepositoryName: {}", shown(name)),
    };
    if let Some((name, digest)) = name.split_once('@') {
        let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
        return refuse("carries a digest", format!("{} and ImageDigest: {}", write(name), shown(digest)));
    }
    if let Some((name, tag)) = name.rsplit_once(':') {
        return refuse("carries a tag", format!("{} and ImageTag: {}", write(name), shown(tag)));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return refuse("has capitals, and a repository is in lower case", write(&name.to_ascii_lowercase()));
    }
    let components: Vec<&str> = name.split('/').filter(|component| !component.is_empty()).collect();
    if components.len() != name.split('/').count() {
        return refuse("has a `/` too many", write(&components.join("/")));
    }
    if !LENGTHS.contains(&name.len()) {
        return refuse(
            "has a length that ECR does not take: 2 to 256 characters",
            "the name of the repository in ECR".to_owned(),
        );
    }
    if !components.iter().all(|component| is_component(component)) {
        let why = "is no name of ECR: lower-case letters and digits, with single `.`, `_` or `-` between them, in \
            parts joined by `/`";
        return refuse(why, "the name of the repository in ECR".to_owned());
    }
    Ok((registry, name.to_owned()))
}

/// `[a-z0-9]+([._-][a-z0-9]+)*`, as ECR has it.
fn is_component(component: &str) -> bool {
    component
        .split(['.', '_', '-'])
        .all(|run| !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

/// As Docker reads it: a first part with a dot or a port is a host. A repository of ECR with such a name can be given
/// by its address.
fn names_another_registry(host: &str) -> bool {
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    host == "localhost" || (host.contains(['.', ':']) && host.split(['.', ':']).all(label))
}

fn elsewhere(text: &str, host: &str) -> PropertyRefusal {
    if host.contains(".dkr.ecr") || host.contains(".dkr-ecr") {
        let write = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web with the account's twelve digits and the region";
        return PropertyRefusal::new(PROPERTY, text, "is no address of a private ECR registry", write);
    }
    let why = format!("is in the registry {}, and the gate looks in private ECR registries only", shown(host));
    let write = match text.parse::<Reference>() {
        _ if host == "localhost" || host.starts_with("localhost:") => "the name of a repository in ECR".to_owned(),
        Ok(source) => format!(
            "the repository that the mirror copies it to, such as RepositoryName: {}, with Source: {}/{} and the tag \
             (or the whole address, if it is a repository of ECR with such a name)",
            mirrored_name(DEFAULT_PREFIX, &source),
            source.registry(),
            source.repository()
        ),
        Err(_) => "the name of a repository in ECR".to_owned(),
    };
    PropertyRefusal::new(PROPERTY, text, why, write)
}

/// The address of the repository that an ARN of ECR names.
fn address_of(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        [_, "aws", "ecr", region, account, resource] if resource.starts_with("repository/") => {
            let name = resource.trim_start_matches("repository/");
            shown(&format!("RepositoryName: {account}.dkr.ecr.{region}.amazonaws.com/{name}"))
        }
        _ => "the repository's name, or its address as ECR shows it".to_owned(),
    }
}
