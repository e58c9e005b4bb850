//! Every key of the configuration: read from one list, and documented from it.

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigKey {
    /// The mapping that it stands in, as a path; empty at the top.
    pub within: &'static str,
    /// The key.
    pub name: &'static str,
    /// What its value may be, in words.
    pub value: &'static str,
    /// The same for a program.
    pub kind: ValueKind,
    /// What holds where it is left out.
    pub default: &'static str,
    /// What it decides, in one sentence.
    pub meaning: &'static str,
}

/// What a value may be, as far as its form tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A registry's host, with its port.
    Host,
    /// The first part of repositories' names, or nothing.
    Prefix,
    /// A repository without tag and digest.
    Repository,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The list of what is mirrored.
    Images,
    /// What of one image.
    Selection,
    /// Platforms, at least one.
    Platforms,
    /// A range of versions.
    Range,
    /// A pattern, or a list of them.
    Patterns,
    /// True or false.
    Flag,
    /// A whole number, the least and the most.
    Number(u32, u32),
    /// A mapping with keys of its own, under this name.
    Mapping(&'static str),
    /// A mapping of names to texts.
    Texts,
}

const fn key(
    within: &'static str,
    name: &'static str,
    kind: ValueKind,
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> ConfigKey {
    ConfigKey { within, name, value, kind, default, meaning }
}

/// What is said of a key without a default.
pub(crate) const MUST_BE_SET: &str = "must be set";
/// The name of an entry of `images`.
pub(crate) const IMAGE: &str = "images[]";
/// The name of a rule for tags.
pub(crate) const TAGS: &str = "images[].tags";
pub(crate) const REPOSITORIES: &str = "repositories";
pub(crate) const LIFECYCLE: &str = "repositories.lifecycle";
pub(crate) const PRUNE: &str = "prune";
pub(crate) const KEEP: &str = "prune.keep";

/// Every key, in the order in which the documents show them.
pub const KEYS: &[ConfigKey] = &[
    key(
        "",
        "registry",
        ValueKind::Host,
        "host",
        MUST_BE_SET,
        "The registry that the copies go to: a private one of Amazon ECR, or any other OCI registry.",
    ),
    key(
        "",
        "prefix",
        ValueKind::Prefix,
        "name",
        "`docker-hub`",
        "First part of the repositories' names (`docker-hub/library/python`), as ECR's pull-through cache names them.",
    ),
    key(
        "",
        "discover",
        ValueKind::Choice(&["ecs"]),
        "`ecs`",
        "off",
        "Also every Docker Hub image of the task definitions that the ECS services of the account and region use.",
    ),
    key(
        "",
        "images",
        ValueKind::Images,
        "list",
        "empty",
        "What is mirrored. Each entry is `- repository: tags`, or a mapping with the keys below.",
    ),
    key(
        "",
        "referrers",
        ValueKind::Flag,
        "`true` or `false`",
        "`false`",
        "Whether what refers to an image (signatures, attestations, SBOMs by OCI 1.1) is copied with it, as `pullsafe \
         copy --referrers` does.",
    ),
    key(
        "",
        "repositories",
        ValueKind::Mapping(REPOSITORIES),
        "mapping",
        "ECR's own",
        "How repositories are created. Those that exist stay as they are.",
    ),
    key(
        "",
        "prune",
        ValueKind::Mapping(PRUNE),
        "mapping",
        "off",
        "Whether images that are no longer wanted are deleted from the mirror.",
    ),
    key(
        IMAGE,
        "source",
        ValueKind::Repository,
        "repository",
        MUST_BE_SET,
        "Where the image comes from (`python`, `bitnami/redis`, `docker.io/library/node`, `ghcr.io/owner/name`), \
         without a tag.",
    ),
    key(
        IMAGE,
        "tags",
        ValueKind::Selection,
        "list or mapping",
        MUST_BE_SET,
        "A list of tags, digests and `tag@digest` pins; or a mapping with the keys below that selects among the tags \
         there are.",
    ),
    key(
        IMAGE,
        "platforms",
        ValueKind::Platforms,
        "list",
        "all",
        "Only these platforms (`linux/amd64`, `linux/arm/v7`). The copy of an index is then another index, with \
         another digest.",
    ),
    key(
        TAGS,
        "semver",
        ValueKind::Range,
        "range",
        "any",
        "Tags whose version is in the range: `>=20 <23`, `^3.11`, `~1.2`, `1.2.x`, `1.2 - 1.4`, several with `||` \
         between them. The variant behind the version (`-slim`) does not matter.",
    ),
    key(
        TAGS,
        "include",
        ValueKind::Patterns,
        "pattern or list",
        "any",
        "Tags that match one of the patterns as a whole; `*` is any run of characters, `?` one.",
    ),
    key(
        TAGS,
        "exclude",
        ValueKind::Patterns,
        "pattern or list",
        "none",
        "Tags that match none of the patterns. It wins over everything else.",
    ),
    key(TAGS, "newest", ValueKind::Number(1, 1000), "number", "all", "Only so many of them, the newest."),
    key(
        TAGS,
        "by",
        ValueKind::Choice(&["version", "push_time"]),
        "`version` or `push_time`",
        "`version`",
        "What makes a tag newer. Times are known of Docker Hub alone.",
    ),
    key(
        TAGS,
        "max_age_days",
        ValueKind::Number(1, 36_500),
        "number",
        "any",
        "Only tags that were pushed within so many days. Times are known of Docker Hub alone.",
    ),
    key(
        TAGS,
        "prereleases",
        ValueKind::Flag,
        "`true` or `false`",
        "`false`",
        "Whether `semver` and `newest` by version count release candidates, betas and the like.",
    ),
    key(
        REPOSITORIES,
        "immutable",
        ValueKind::Flag,
        "`true` or `false`",
        "`false`",
        "Whether tags cannot be overwritten. A tag that moves at the source is then reported as blocked.",
    ),
    key(
        REPOSITORIES,
        "scan_on_push",
        ValueKind::Flag,
        "`true` or `false`",
        "`false`",
        "Whether ECR scans an image when it arrives.",
    ),
    key(
        REPOSITORIES,
        "lifecycle",
        ValueKind::Mapping(LIFECYCLE),
        "mapping",
        "none",
        "ECR's lifecycle policy.",
    ),
    key(REPOSITORIES, "tags", ValueKind::Texts, "mapping of texts", "none", "AWS tags of the repository."),
    key(
        LIFECYCLE,
        "keep",
        ValueKind::Number(1, 10_000),
        "number",
        "all",
        "ECR expires the oldest tagged images beyond so many, wanted or not.",
    ),
    key(
        PRUNE,
        "enabled",
        ValueKind::Flag,
        "`true` or `false`",
        "`false`",
        "Whether anything is deleted. Without it the plan only says what would be.",
    ),
    key(
        PRUNE,
        "grace_days",
        ValueKind::Number(1, 365),
        "number",
        "`7`",
        "For so many days, and at least two runs, an image has to be unwanted before it is deleted.",
    ),
    key(
        PRUNE,
        "keep",
        ValueKind::Mapping(KEEP),
        "mapping",
        "see below",
        "What is kept although nothing wants it.",
    ),
    key(
        KEEP,
        "tags",
        ValueKind::Patterns,
        "pattern or list",
        "none",
        "Images with a tag that matches one of the patterns.",
    ),
    key(
        KEEP,
        "newest",
        ValueKind::Number(0, 10_000),
        "number",
        "`0`",
        "So many images of each repository, those pushed last.",
    ),
    key(
        KEEP,
        "pulled_within_days",
        ValueKind::Number(0, 3650),
        "number",
        "`30`",
        "Images that were pulled from the mirror within so many days.",
    ),
];

/// The keys of one mapping.
pub(crate) fn names(within: &str) -> Vec<&'static str> {
    KEYS.iter().filter(|key| key.within == within).map(|key| key.name).collect()
}

/// What the value of a key may be.
pub(crate) fn kind(within: &str, name: &str) -> Option<ValueKind> {
    KEYS.iter().find(|key| key.within == within && key.name == name).map(|key| key.kind)
}

/// The table for the documents, in Markdown.
pub fn table() -> String {
    let mut table = "| Key | Value | Default | |\n|---|---|---|---|\n".to_owned();
    for key in KEYS {
        let path = if key.within.is_empty() {
            key.name.to_owned()
        } else {
            format!("{}.{}", key.within, key.name)
        };
        table += &format!("| `{path}` | {} | {} | {} |\n", key.value, key.default, key.meaning)
            .replace("||`", "\\|\\|`")
            .replace("`||", "`\\|\\|");
    }
    table
}
