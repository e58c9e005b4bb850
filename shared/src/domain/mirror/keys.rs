//! Every key of the configuration: read from one list, and documented from it.

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The mapping that it stands in, as a path; empty at the top.
    pub within: &'static str,
    /// The key.
    pub name: &'static str,
    /// What its value may be.
    pub value: &'static str,
    /// What holds where it is left out.
    pub default: &'static str,
    /// What it decides, in one sentence.
    pub meaning: &'static str,
}

const fn key(within: &'static str, name: &'static str, value: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { within, name, value, default, meaning }
}

/// The name of an entry of `images`.
pub(super) const IMAGE: &str = "images[]";
/// The name of a rule for tags.
pub(super) const TAGS: &str = "images[].tags";
pub(super) const REPOSITORIES: &str = "repositories";
pub(super) const LIFECYCLE: &str = "repositories.lifecycle";
pub(super) const PRUNE: &str = "prune";
pub(super) const KEEP: &str = "prune.keep";

/// Every key, in the order in which the documents show them.
pub const KEYS: &[Key] = &[
    key(
        "",
        "registry",
        "host",
        "must be set",
        "The registry that the copies go to: a private one of Amazon ECR, or any other OCI registry.",
    ),
    key(
        "",
        "prefix",
        "name",
        "`docker-hub`",
        "First part of the repositories' names (`docker-hub/library/python`), as ECR's pull-through cache names them.",
    ),
    key(
        "",
        "discover",
        "`ecs`",
        "off",
        "Also every Docker Hub image of the task definitions that the ECS services of the account and region use.",
    ),
    key("", "images", "list", "empty", "What is mirrored. Each entry is `- repository: tags`, or a mapping with the keys below."),
    key("", "repositories", "mapping", "ECR's own", "How repositories are created. Those that exist stay as they are."),
    key("", "prune", "mapping", "off", "Whether images that are no longer wanted are deleted from the mirror."),
    key(
        IMAGE,
        "source",
        "repository",
        "must be set",
        "Where the image comes from (`python`, `bitnami/redis`, `docker.io/library/node`, `ghcr.io/owner/name`), without a tag.",
    ),
    key(
        IMAGE,
        "tags",
        "list or mapping",
        "must be set",
        "A list of tags, digests and `tag@digest` pins; or a mapping with the keys below that selects among the tags there are.",
    ),
    key(
        IMAGE,
        "platforms",
        "list",
        "all",
        "Only these platforms (`linux/amd64`, `linux/arm/v7`). The copy of an index is then another index, with another digest.",
    ),
    key(
        TAGS,
        "semver",
        "range",
        "any",
        "Tags whose version is in the range: `>=20 <23`, `^3.11`, `~1.2`, `1.2.x`, `1.2 - 1.4`, several with `||` between them. The variant behind the version (`-slim`) does not matter.",
    ),
    key(
        TAGS,
        "include",
        "pattern or list",
        "any",
        "Tags that match one of the patterns as a whole; `*` is any run of characters, `?` one.",
    ),
    key(TAGS, "exclude", "pattern or list", "none", "Tags that match none of the patterns. It wins over everything else."),
    key(TAGS, "newest", "number", "all", "Only so many of them, the newest."),
    key(TAGS, "by", "`version` or `push_time`", "`version`", "What makes a tag newer. Times are known of Docker Hub alone."),
    key(TAGS, "max_age_days", "number", "any", "Only tags that were pushed within so many days. Times are known of Docker Hub alone."),
    key(
        TAGS,
        "prereleases",
        "`true` or `false`",
        "`false`",
        "Whether `semver` and `newest` by version count release candidates, betas and the like.",
    ),
    key(
        REPOSITORIES,
        "immutable",
        "`true` or `false`",
        "`false`",
        "Whether tags cannot be overwritten. A tag that moves at the source is then reported as blocked.",
    ),
    key(REPOSITORIES, "scan_on_push", "`true` or `false`", "`false`", "Whether ECR scans an image when it arrives."),
    key(REPOSITORIES, "lifecycle", "mapping", "none", "ECR's lifecycle policy."),
    key(REPOSITORIES, "tags", "mapping of texts", "none", "AWS tags of the repository."),
    key(LIFECYCLE, "keep", "number", "all", "ECR expires the oldest tagged images beyond so many, wanted or not."),
    key(PRUNE, "enabled", "`true` or `false`", "`false`", "Whether anything is deleted. Without it the plan only says what would be."),
    key(PRUNE, "grace_days", "number", "`7`", "For so many days, and at least two runs, an image has to be unwanted before it is deleted."),
    key(PRUNE, "keep", "mapping", "see below", "What is kept although nothing wants it."),
    key(KEEP, "tags", "pattern or list", "none", "Images with a tag that matches one of the patterns."),
    key(KEEP, "newest", "number", "`0`", "So many images of each repository, those pushed last."),
    key(KEEP, "pulled_within_days", "number", "`30`", "Images that were pulled from the mirror within so many days."),
];

/// The keys of one mapping.
pub(super) fn names(within: &str) -> Vec<&'static str> {
    KEYS.iter().filter(|key| key.within == within).map(|key| key.name).collect()
}

/// The table for the documents, in Markdown.
pub fn table() -> String {
    let mut table = "| Key | Value | Default | |\n|---|---|---|---|\n".to_owned();
    for key in KEYS {
        let path = if key.within.is_empty() { key.name.to_owned() } else { format!("{}.{}", key.within, key.name) };
        table += &format!("| `{path}` | {} | {} | {} |\n", key.value, key.default, key.meaning)
            .replace("||`", "\\|\\|`")
            .replace("`||", "`\\|\\|");
    }
    table
}
