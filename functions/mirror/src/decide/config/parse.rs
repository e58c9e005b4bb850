//! Reading the configuration's tree: key by key, each into its type.

use std::collections::{BTreeMap, HashSet};

use super::keys::{IMAGE, KEEP, LIFECYCLE, PRUNE, REPOSITORIES, TAGS};
use super::read::{ConfigFault, ConfigReader, ConfigShape, Value, listed, short};
use super::version::{RANGE_FORMS, Range};
use super::{
    By, DEFAULT_PREFIX, ImageRule, ImageSelection, LARGEST_CONFIG, ListedImage, MirrorConfig, PruneRule, TagRule,
};
use pullsafe::glob::Glob;
use pullsafe::manifest::Platform;
use pullsafe::reference::{DOCKER_HUB, Reference};
use pullsafe::repository::RepositorySettings;
use pullsafe_yaml::{Position, Style, Tree};

/// Everything that a text says, or every fault in it.
pub(crate) fn parse(text: &str) -> Result<MirrorConfig, Vec<ConfigFault>> {
    let whole = |at, problem: String| vec![ConfigFault { at, key: String::new(), problem }];
    let start = Position { line: 1, column: 1 };
    if text.len() > LARGEST_CONFIG {
        return Err(whole(start, format!("the configuration has {} bytes, more than {LARGEST_CONFIG}", text.len())));
    }
    let (tree, broken) = Tree::read(text.trim_start_matches('\u{feff}'));
    let mut documents = tree.documents();
    let (root, second) = (documents.next(), documents.next());
    if let Some(second) = second {
        return Err(whole(second.position(), "this is a second document; one text is one configuration".to_owned()));
    }
    if let Some(broken) = broken {
        return Err(whole(broken.at, format!("this is no YAML: {}", broken.message)));
    }
    let Some(root) = root else {
        return Err(whole(
            start,
            "the configuration is empty; it needs at least `registry`, and `images` or `discover`".to_owned(),
        ));
    };
    let mut reader = ConfigReader::default();
    let config = document(&mut reader, &Value { node: root, path: String::new() });
    let mut faults = reader.faults;
    faults.sort_by_key(|fault| fault.at);
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        Some(_) | None => Err(faults),
    }
}

fn document(reader: &mut ConfigReader, value: &Value<'_>) -> Option<MirrorConfig> {
    let entries = reader.mapping(value, "")?;
    let wanted = "a registry's host, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let registry = entries.required(reader, "registry", wanted).and_then(|value| registry(reader, &value, wanted));
    let prefix = match entries.get("prefix") {
        None => Some(DEFAULT_PREFIX.to_owned()),
        Some(value) => prefix(reader, value),
    };
    let discover_ecs = match entries.get("discover") {
        None => Some(false),
        Some(value) => discover(reader, value),
    };
    let images = match entries.get("images") {
        None => Some(Vec::new()),
        Some(list) => images(reader, list),
    };
    let referrers = entries.get("referrers").map_or(Some(false), |value| reader.flag(value));
    let selects_nothing = images.as_ref().is_some_and(Vec::is_empty) && discover_ecs == Some(false);
    if selects_nothing {
        let at = entries.get("images").unwrap_or(value).node.position();
        reader.fault(at, "images", "selects nothing; list images, or write `discover: ecs`");
    }
    let repositories = entries
        .get("repositories")
        .map_or_else(|| Some(RepositorySettings::default()), |value| repositories(reader, value));
    let prune = match entries.get("prune") {
        None => Some(None),
        Some(value) => prune(reader, value).map(Some),
    };
    Some(MirrorConfig {
        registry: registry?,
        prefix: prefix?,
        discover_ecs: discover_ecs?,
        images: images?,
        referrers: referrers?,
        repositories: repositories?,
        prune: prune?,
    })
}

fn registry(reader: &mut ConfigReader, value: &Value<'_>, wanted: &str) -> Option<String> {
    let text = reader.text(value, wanted)?;
    let valid = Reference::new(text, "a", None, None)
        .ok()
        .filter(|reference| !text.contains('/') && reference.registry() == text.to_ascii_lowercase());
    if text == DOCKER_HUB || valid.is_none() {
        reader.wrong(value, format!("is `{}`; write {wanted}, without scheme and path", short(text)));
        return None;
    }
    Some(text.to_ascii_lowercase())
}

fn prefix(reader: &mut ConfigReader, value: &Value<'_>) -> Option<String> {
    // A registry for the mirror alone needs no prefix, and `""` says so.
    if matches!(value.node.shape(), ConfigShape::Scalar("", style) if style != Style::Plain) {
        return Some(String::new());
    }
    let wanted = "a repository's first part, such as docker-hub";
    let text = reader.text(value, wanted)?.trim_matches('/');
    if text.is_empty() || Reference::new("registry.example", text, None, None).is_err() || text.contains([':', '@']) {
        reader.wrong(value, format!("is `{}`; write {wanted}", short(text)));
        return None;
    }
    Some(text.to_owned())
}

fn discover(reader: &mut ConfigReader, value: &Value<'_>) -> Option<bool> {
    match reader.text(value, "ecs, or leave it out")? {
        "ecs" => Some(true),
        other => {
            reader.wrong(value, format!("is `{}`; write ecs, or leave it out", short(other)));
            None
        }
    }
}

const IMAGES_WANTED: &str = "a list such as `- python: [\"3.11-slim\"]`";

fn images(reader: &mut ConfigReader, list: &Value<'_>) -> Option<Vec<ImageRule>> {
    // `images: []` may stand beside `discover`; the caller says whether anything is left to do.
    let items = reader.list(list, IMAGES_WANTED)?;
    let rules: Vec<Option<ImageRule>> = items.iter().map(|item| image(reader, item)).collect();
    rules.into_iter().collect()
}

fn image(reader: &mut ConfigReader, item: &Value<'_>) -> Option<ImageRule> {
    let wanted = "`repository: [tags]`, or a mapping with `source` and `tags`";
    let line = item.node.position().line;
    let pairs = reader.pairs(item, wanted)?;
    let long_form = pairs.iter().any(|(name, _)| *name == "source" || *name == "tags" || *name == "platforms");
    if long_form {
        return long(reader, item, line);
    }
    let mut pairs = pairs.into_iter();
    match (pairs.next(), pairs.next()) {
        (Some((name, tags)), None) => {
            let source = source(reader, item, name);
            let tags = selection(reader, &tags);
            Some(ImageRule { source: source?, tags: tags?, platforms: Vec::new(), line })
        }
        (Some(_), Some((second, value))) => {
            let problem = format!(
                "is a second repository in one entry; begin another entry, `- {}: [...]`, or write {wanted}",
                short(second)
            );
            reader.wrong(&value, problem);
            None
        }
        (None, _) => {
            reader.wrong(item, format!("is empty; write {wanted}"));
            None
        }
    }
}

fn long(reader: &mut ConfigReader, item: &Value<'_>, line: usize) -> Option<ImageRule> {
    let entries = reader.mapping(item, IMAGE)?;
    let wanted = "a repository, such as docker.io/library/node";
    let source = entries.required(reader, "source", wanted).and_then(|value| {
        let text = reader.text(&value, wanted)?;
        source(reader, &value, text)
    });
    let tags = entries.required(reader, "tags", TAGS_WANTED).and_then(|value| selection(reader, &value));
    let platforms = match entries.get("platforms") {
        None => Some(Vec::new()),
        Some(value) => platforms(reader, value),
    };
    Some(ImageRule { source: source?, tags: tags?, platforms: platforms?, line })
}

fn source(reader: &mut ConfigReader, value: &Value<'_>, text: &str) -> Option<Reference> {
    let problem = match text.parse::<Reference>() {
        Ok(reference) if reference.tag().is_some() || reference.digest().is_some() => {
            format!(
                "names the image `{}`; here goes the repository alone, and what follows it into `tags`",
                short(text)
            )
        }
        Ok(reference) if reference.is_docker_hub() && reference.repository() == "library/scratch" => {
            "`scratch` is not an image".to_owned()
        }
        Ok(reference) => return Some(reference),
        Err(error) => error.to_string(),
    };
    reader.wrong(value, problem);
    None
}

const TAGS_WANTED: &str = "a list of tags or digests, or a mapping with `semver`, `include`, `exclude`, `newest`";

fn selection(reader: &mut ConfigReader, value: &Value<'_>) -> Option<ImageSelection> {
    match value.node.shape() {
        ConfigShape::Mapping(_) => rule(reader, value).map(ImageSelection::Rule),
        ConfigShape::Sequence(_) => {
            let items = reader.list(value, TAGS_WANTED)?;
            if items.is_empty() {
                reader.wrong(value, format!("is an empty list and selects nothing; write {TAGS_WANTED}"));
            }
            let images: Vec<Option<ListedImage>> = items.iter().map(|item| listed_image(reader, item)).collect();
            let mut images = images.into_iter().collect::<Option<Vec<_>>>().filter(|images| !images.is_empty())?;
            let mut seen = HashSet::new();
            images.retain(|image| seen.insert(image.clone()));
            Some(ImageSelection::Listed(images))
        }
        ConfigShape::Scalar(..) | ConfigShape::Null => {
            let _ = reader.list(value, TAGS_WANTED);
            None
        }
    }
}

fn listed_image(reader: &mut ConfigReader, item: &Value<'_>) -> Option<ListedImage> {
    let wanted = "a tag, a digest (sha256:...), or tag@digest";
    let text = reader.text(item, wanted)?;
    let suffix = if text.starts_with("sha256:") {
        format!("@{text}")
    } else {
        format!(":{text}")
    };
    match format!("a{suffix}").parse::<Reference>() {
        Ok(reference) => Some(ListedImage {
            tag: reference.tag().map(str::to_owned),
            digest: reference.digest().cloned(),
        }),
        Err(_) if text.contains(['*', '?']) => {
            reader.wrong(
                item,
                format!(
                    "is the pattern `{}`; patterns go into a mapping: `tags: {{include: \"{}\"}}`",
                    short(text),
                    short(text)
                ),
            );
            None
        }
        Err(_) => {
            reader.wrong(item, format!("is `{}`; write {wanted}", short(text)));
            None
        }
    }
}

fn rule(reader: &mut ConfigReader, value: &Value<'_>) -> Option<TagRule> {
    let entries = reader.mapping(value, TAGS)?;
    let faults = reader.faults.len();
    let semver = entries.get("semver").and_then(|value| {
        let text = reader.text(value, RANGE_FORMS)?;
        Range::parse(text).map_err(|why| reader.wrong(value, format!("is `{}`: {why}", short(text)))).ok()
    });
    let include = entries.get("include").map(|value| globs(reader, value)).unwrap_or_default();
    let exclude = entries.get("exclude").map(|value| globs(reader, value)).unwrap_or_default();
    let newest = entries.number(reader, "newest");
    let max_age_days = entries.number(reader, "max_age_days");
    let prereleases = entries.get("prereleases").and_then(|value| reader.flag(value)).unwrap_or_default();
    let by = entries.get("by").and_then(|value| match reader.text(value, "version or push_time")? {
        "version" => Some(By::Version),
        "push_time" => Some(By::PushTime),
        other => {
            reader.wrong(value, format!("is `{}`; write version or push_time", short(other)));
            None
        }
    });
    let selects = ["semver", "include", "newest", "max_age_days"];
    if selects.iter().all(|name| entries.get(name).is_none()) {
        // Every tag of a repository is thousands of images; whoever means it writes `include: "*"`.
        reader.wrong(
            value,
            format!("selects nothing; it needs one of {} (`include: \"*\"` is every tag)", listed(&selects)),
        );
    }
    let rule = TagRule {
        semver,
        include,
        exclude,
        newest,
        by: by.unwrap_or(By::Version),
        max_age_days,
        prereleases,
    };
    (reader.faults.len() == faults).then_some(rule)
}

fn globs(reader: &mut ConfigReader, value: &Value<'_>) -> Vec<Glob> {
    let wanted = "a pattern such as \"*-alpine\", or a list of them";
    let Some(items) = reader.one_or_more(value, wanted) else {
        return Vec::new();
    };
    if items.is_empty() {
        reader.wrong(value, format!("is an empty list; write {wanted}"));
    }
    let mut globs = Vec::new();
    for item in items {
        let Some(text) = reader.text(&item, wanted) else {
            continue;
        };
        match Glob::parse(text) {
            Ok(glob) => globs.push(glob),
            Err(why) => reader.wrong(&item, format!("is `{}`; {why}", short(text))),
        }
    }
    globs
}

fn platforms(reader: &mut ConfigReader, value: &Value<'_>) -> Option<Vec<Platform>> {
    let wanted = "a list such as [linux/amd64, linux/arm64], or leave it out for all";
    let items = reader.list(value, wanted)?;
    if items.is_empty() {
        reader.wrong(value, format!("is an empty list and selects nothing; write {wanted}"));
        return None;
    }
    let platforms: Vec<Option<Platform>> = items
        .iter()
        .map(|item| {
            let text = reader.text(item, "os/architecture, such as linux/amd64")?;
            text.parse().map_err(|error| reader.wrong(item, format!("is wrong: {error}"))).ok()
        })
        .collect();
    platforms.into_iter().collect()
}

fn repositories(reader: &mut ConfigReader, value: &Value<'_>) -> Option<RepositorySettings> {
    let entries = reader.mapping(value, REPOSITORIES)?;
    let faults = reader.faults.len();
    let immutable = entries.get("immutable").and_then(|value| reader.flag(value)).unwrap_or_default();
    let scan_on_push = entries.get("scan_on_push").and_then(|value| reader.flag(value)).unwrap_or_default();
    let lifecycle_keep = entries.get("lifecycle").and_then(|value| {
        let lifecycle = reader.mapping(value, LIFECYCLE)?;
        lifecycle.required(reader, "keep", "how many images to keep")?;
        lifecycle.number(reader, "keep")
    });
    let mut tags = BTreeMap::new();
    if let Some(value) = entries.get("tags") {
        for (name, text) in reader.pairs(value, "a mapping such as {team: platform}").unwrap_or_default() {
            if name.is_empty() || name.len() > 128 || name.starts_with("aws:") {
                reader.wrong(&text, "is no key that AWS takes: 1 to 128 characters that do not begin with `aws:`");
            }
            if let Some(text) = reader.text(&text, "a text") {
                tags.insert(name.to_owned(), text.to_owned());
            }
        }
    }
    (reader.faults.len() == faults).then_some(RepositorySettings { immutable, scan_on_push, lifecycle_keep, tags })
}

fn prune(reader: &mut ConfigReader, value: &Value<'_>) -> Option<PruneRule> {
    let entries = reader.mapping(value, PRUNE)?;
    let faults = reader.faults.len();
    let mut rule = PruneRule::default();
    if let Some(enabled) = entries.get("enabled").and_then(|value| reader.flag(value)) {
        rule.enabled = enabled;
    }
    if let Some(days) = entries.number(reader, "grace_days") {
        rule.grace_days = days;
    }
    if let Some(keep) = entries.get("keep").and_then(|value| reader.mapping(value, KEEP)) {
        rule.keep_tags = keep.get("tags").map(|value| globs(reader, value)).unwrap_or_default();
        if let Some(newest) = keep.number(reader, "newest") {
            rule.keep_newest = newest;
        }
        if let Some(days) = keep.number(reader, "pulled_within_days") {
            rule.keep_pulled_within_days = days;
        }
    }
    (reader.faults.len() == faults).then_some(rule)
}
