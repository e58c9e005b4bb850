//! Reads the log of a build. Only a few lines matter: those that name a base image, and those that report a pull. It
//! knows Docker (classic and BuildKit), kaniko, podman and buildah.

use std::collections::VecDeque;

use super::build_facts::BaseImage;
use super::logs::{Picker, cut};
use super::setting::StopSetting;
use super::target::image_in;
use super::{diagnose_text_at, text};
use crate::cause::{Cause, Diagnosis, Evidence};
use pullsafe::reference::Reference;

/// How many lines of a log are kept; a build with more of them repeats itself.
const KEPT: usize = 2_000;
/// The most lines that the body of an answer has.
const BODY: usize = 12;

/// The lines of a build's log that may matter, however long the log is.
#[derive(Debug, Clone, Default)]
pub struct BuildLog {
    lines: VecDeque<String>,
    picker: Picker,
}

impl BuildLog {
    /// Reads the lines of a log that is in memory.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut log = Self::default();
        for line in lines {
            log.picker.push(line);
            if let Some(line) = kept(line) {
                log.lines.push_back(line);
            }
            if log.lines.len() > KEPT {
                log.lines.pop_front();
            }
        }
        log
    }

    /// Reads a page that precedes everything that was read so far.
    pub fn before(&mut self, page: &[&str]) {
        self.picker.before(page.iter().copied());
        for line in page.iter().rev().filter_map(|line| kept(line)) {
            if self.lines.len() < KEPT {
                self.lines.push_front(line);
            }
        }
    }

    /// Whether the part that was read shows images being pulled.
    pub(super) fn shows_pulls(&self) -> bool {
        self.lines.iter().any(|line| base_image(line).is_some())
    }

    /// Whether no line was read.
    pub fn is_empty(&self) -> bool {
        self.picker.is_empty()
    }

    pub(super) fn picker(&self) -> &Picker {
        &self.picker
    }

    /// The last lines, for a log in which nothing is recognised.
    pub(super) fn tail(&self, name: &str) -> Vec<Evidence> {
        self.picker.tail(name)
    }

    /// Finds the failed pull in this log, with the base image that the lines before it name.
    pub(super) fn failed_pull(&self, name: &str) -> Option<Diagnosis> {
        let (mut base, mut cut, mut first) = (None, None, None::<Diagnosis>);
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(image) = base_image(line) {
                base = Some(image.image);
            }
            if !may_tell(line) {
                continue;
            }
            let own = image_in(line).filter(|image| is_reference(image)).map(str::to_owned);
            let image = own.or_else(|| image_of_url(line).map(|image| self.tagged(image))).or_else(|| base.clone());
            match diagnose_text_at(line, image.as_deref(), &format!("logs[{name}]"), &StopSetting::of_build()) {
                Some(found) if found.cause == Cause::Unknown => cut = cut.or(Some(found)),
                Some(found) if found.cause.is_about_image() || found.cause == Cause::DiskFull => match &first {
                    None => first = Some(self.in_more_words(found, at, image.as_deref(), name)),
                    // What failed before may have been tolerated; the builder's last word is why the build ended.
                    Some(before) if before.cause != found.cause && ends_the_build(line) => return Some(found),
                    Some(_) => {}
                },
                Some(_) | None => {}
            }
        }
        first.or(cut)
    }

    /// Finds which limit it was if the line itself does not name it: the body of the answer follows over several lines.
    fn in_more_words(&self, found: Diagnosis, at: usize, image: Option<&str>, name: &str) -> Diagnosis {
        if found.cause != Cause::RegistryRateLimited || found.kind.is_some() {
            return found;
        }
        let behind = self.lines.iter().skip(at + 1).take(BODY);
        let mut said =
            behind.filter_map(|line| diagnose_text_at(line, image, &format!("logs[{name}]"), &StopSetting::of_build()));
        said.find(|said| said.cause == Cause::RegistryDataLimit || said.cause == found.cause && said.kind.is_some())
            .unwrap_or(found)
    }

    /// Adds the tag to an image that a URL names only by repository and digest, if the log shows a base image from
    /// there.
    fn tagged(&self, image: String) -> String {
        let Ok(wanted) = image.parse::<Reference>() else {
            return image;
        };
        if wanted.tag().is_some() {
            return image;
        }
        let of_repository = |base: &BaseImage| {
            base.image
                .parse::<Reference>()
                .is_ok_and(|base| base.registry() == wanted.registry() && base.repository() == wanted.repository())
        };
        self.bases().into_iter().find(of_repository).map_or(image, |base| base.image)
    }

    /// The images that the build starts from, in the order of the log, without its own stages.
    pub fn bases(&self) -> Vec<BaseImage> {
        let all: Vec<BaseImage> = self.lines.iter().filter_map(|line| base_image(line)).collect();
        let is_stage = |image: &str| {
            all.iter().any(|base| {
                base.image != image && base.stage.as_deref().is_some_and(|stage| stage.eq_ignore_ascii_case(image))
            })
        };
        let mut bases: Vec<BaseImage> = Vec::new();
        for base in all.iter().filter(|base| !is_stage(&base.image)) {
            let same = |known: &BaseImage| {
                known == base
                    || same_image(&known.image, &base.image) && (known.stage.is_none() || base.stage.is_none())
            };
            match bases.iter().position(same).and_then(|at| bases.get_mut(at)) {
                // A later line can say more about the same image: BuildKit names the image first, and its stage in an
                // error.
                Some(known) => {
                    known.flags = known.flags.take().or_else(|| base.flags.clone());
                    known.stage = known.stage.take().or_else(|| base.stage.clone());
                }
                None => bases.push(base.clone()),
            }
        }
        bases
    }
}

fn same_image(one: &str, other: &str) -> bool {
    let parsed = |image: &str| image.parse::<Reference>().ok();
    one == other || parsed(one).is_some_and(|one| Some(one) == parsed(other))
}

/// Keeps a line that can matter, without colours. It is masked only when it is shown.
fn kept(line: &str) -> Option<String> {
    let line = text::normalise(line);
    (may_tell(&line) || base_image(&line).is_some()).then(|| cut(&line).to_owned())
}

/// Words of a line that has to do with a pull.
const OF_PULLS: &[&str] = &[
    "toomanyrequests",
    "too many requests",
    "pull",
    "manifest",
    "failed to solve",
    "failed to resolve",
    "failed to copy",
    "failed to fetch",
    "registry",
    "error response from daemon",
    "no space left",
    "load metadata",
    "unauthorized",
    "initializing source",
    "building image",
    "reading blob",
    "docker.io",
    ".dkr.ecr",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "pkg.dev",
    "azurecr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "short-name",
    "creating build container",
    "/v2/",
    "basic auth",
    "denied",
    "bake",
    "no match for platform",
    "invalid reference format",
    "could not parse reference",
    "missing signature key",
    "thin pool",
    "operating system",
];
/// Words of a line that reports a failure.
const OF_FAILURES: &[&str] = &[
    "error",
    "err[",
    "fail",
    "toomanyrequests",
    "too many requests",
    "denied",
    "unauthorized",
    "not found",
    "forbidden",
    "no matching",
    "no match for",
    "no space",
    "rate limit",
    "unknown",
    "unexpected",
    "status",
    "timeout",
    "refused",
    "no such host",
    "no basic auth",
    ": eof",
    "certificate",
    "reset by peer",
    "canceled",
    "unsupported",
    "invalid reference",
    "fatal",
    "unable to",
    "unreachable",
    "no route to host",
    "could not",
    "cannot",
    "can't",
    "missing",
    "invalid",
    "less than",
    "expired",
    "timed out",
    "did not resolve",
];

/// Words of a line about another transfer, such as a push, or a file that a Dockerfile adds.
const OF_DOWNLOADS: &[&str] = &[
    "/blobs/uploads/",
    "push permission",
    "error pushing",
    "failed to push",
    "checking push permission",
    "error writing manifest blob",
    "error writing layer blob",
    "add failed",
    "curl: (",
    "wget: ",
    "npm err",
    "pip._",
    "http source",
    "failed to load cache key: invalid response",
    "could not get resource",
];

/// Whether a line can be the report of a failed pull; most lines of a build cannot.
fn may_tell(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    OF_PULLS.iter().any(|word| lower.contains(word))
        && !OF_DOWNLOADS.iter().any(|word| lower.contains(word))
        && OF_FAILURES.iter().any(|word| lower.contains(word))
}

/// Whether a builder ends with this line.
fn ends_the_build(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    ["failed to solve", "error building image", "creating build container"]
        .iter()
        .any(|word| lower.contains(word))
}

/// What precedes the image in lines that name one.
const NAMES_IMAGE: &[&str] = &[
    "load metadata for ",
    "Retrieving image manifest ",
    "Retrieving image ",
    "Trying to pull ",
    "Unable to find image '",
    "Running command docker pull ",
    "docker pull ",
    "Pull down action image '",
    "Resolved base name ",
];

/// The image that a line of a build starts from.
pub(super) fn base_image(line: &str) -> Option<BaseImage> {
    if let Some(rest) = after_from(line) {
        let mut words = rest.split_whitespace().peekable();
        let mut flags = Vec::new();
        while let Some(flag) = words.next_if(|word| word.starts_with("--")) {
            flags.push(flag);
        }
        let image = words.next().and_then(clean)?;
        let stage = words.next().filter(|word| word.eq_ignore_ascii_case("as")).and_then(|_| words.next());
        let flags = (!flags.is_empty()).then(|| flags.join(" "));
        return Some(BaseImage { image, flags, stage: stage.map(str::to_owned) });
    }
    let rest = NAMES_IMAGE.iter().find_map(|before| line.split_once(before)).map(|(_, rest)| rest)?;
    let image = rest.split_whitespace().find(|word| !word.starts_with('-')).and_then(clean)?;
    Some(BaseImage { image, flags: None, stage: None })
}

/// Returns what follows `FROM`, if it is an instruction: at the start, after `Step 1/9 :` or `[builder 1/4]`, or in the
/// excerpt of a Dockerfile that BuildKit shows. A `FROM` in a database query is not one.
fn after_from(line: &str) -> Option<&str> {
    let trimmed = line.trim_start();
    let (before, rest) = match trimmed.strip_prefix("FROM ") {
        Some(rest) => ("", rest),
        None => trimmed.split_once(" FROM ")?,
    };
    let before = before.trim_end();
    (before.is_empty() || before.ends_with([':', ']', '|']) || before.ends_with(">>>")).then_some(rest)
}

/// Returns an image without the punctuation around it, and without the digest that BuildKit adds to a tag.
fn clean(word: &str) -> Option<String> {
    let word = word.trim_matches(['\'', '"', '`']).trim_end_matches([':', ',', '.', '\'']);
    let word = match word.split_once('@') {
        Some((tagged, _)) if tagged.rsplit('/').next().is_some_and(|name| name.contains(':')) => tagged,
        _ => word,
    };
    is_reference(word).then(|| word.to_owned())
}

fn is_reference(word: &str) -> bool {
    !word.eq_ignore_ascii_case("scratch") && word.parse::<Reference>().is_ok()
}

/// The image of a Docker Hub manifest URL.
fn image_of_url(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("registry-1.docker.io/v2/").or_else(|| line.split_once("index.docker.io/v2/"))?;
    let (repository, rest) = rest.split_once("/manifests/")?;
    let tag: String = rest
        .chars()
        .take_while(|next| next.is_ascii_alphanumeric() || matches!(next, '.' | '_' | '-' | ':'))
        .collect();
    let tag = tag.trim_end_matches([':', '.']);
    let image = if tag.starts_with("sha256:") || tag.is_empty() {
        repository.to_owned()
    } else {
        format!("{repository}:{tag}")
    };
    is_reference(&image).then_some(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(line: &str) -> Option<String> {
        base_image(line).map(|base| base.line(&base.image))
    }

    #[test]
    fn every_builder_names_its_base_image() {
        for (line, wanted) in [
            ("Step 1/9 : FROM python:3.11-slim AS builder", Some("FROM python:3.11-slim AS builder")),
            ("STEP 1/9: FROM docker.io/library/python:3.11-slim", Some("FROM docker.io/library/python:3.11-slim")),
            (
                "FROM --platform=linux/amd64 node:20-alpine as web",
                Some("FROM --platform=linux/amd64 node:20-alpine AS web"),
            ),
            (
                "#3 [internal] load metadata for docker.io/library/python:3.11-slim",
                Some("FROM docker.io/library/python:3.11-slim"),
            ),
            (
                "#5 [builder 1/4] FROM docker.io/library/node:20@sha256:0123",
                Some("FROM docker.io/library/node:20"),
            ),
            ("   1 | >>> FROM golang:1.23 AS build", Some("FROM golang:1.23 AS build")),
            ("INFO[0000] Retrieving image manifest python:3.11-slim", Some("FROM python:3.11-slim")),
            (
                "INFO[0001] Retrieving image python:3.11-slim from registry index.docker.io",
                Some("FROM python:3.11-slim"),
            ),
            ("Trying to pull docker.io/library/alpine:3.20...", Some("FROM docker.io/library/alpine:3.20")),
            ("Unable to find image 'redis:7' locally", Some("FROM redis:7")),
            (
                "[Container] 2026/01/12 16:13:20 Running command docker pull --quiet postgres:16",
                Some("FROM postgres:16"),
            ),
            ("SELECT * FROM users", None),
            ("FROM scratch", None),
            ("Step 2/9 : COPY --from=builder /app /app", None),
        ] {
            assert_eq!(named(line).as_deref(), wanted, "{line}");
        }
    }

    #[test]
    fn stages_of_the_build_are_no_base_images() {
        let log = BuildLog::of([
            "#2 [internal] load metadata for docker.io/library/node:20",
            "#3 [internal] load metadata for docker.io/library/python:3.11-slim",
            "   1 | >>> FROM node:20 AS web",
            "   5 |     FROM web AS test",
            "   8 |     FROM python:3.11-slim",
        ]);
        let lines: Vec<String> = log.bases().iter().map(|base| base.line(&base.image)).collect();
        assert_eq!(lines, ["FROM docker.io/library/node:20 AS web", "FROM docker.io/library/python:3.11-slim"]);
    }

    #[test]
    fn every_builder_reports_the_limit() {
        for lines in [
            vec![
                "Step 1/9 : FROM python:3.11-slim",
                "toomanyrequests: You have reached your unauthenticated pull rate limit. \
                 https://www.docker.com/increase-rate-limit",
            ],
            vec![
                "ERROR: failed to solve: python:3.11-slim: failed to resolve source metadata for \
                 docker.io/library/python:3.11-slim: failed to copy: httpReadSeeker: failed open: unexpected status \
                 code https://registry-1.docker.io/v2/library/python/manifests/sha256:1: 429 Too Many Requests - \
                 Server message: toomanyrequests: You have reached your pull rate limit.",
            ],
            vec![
                "error building image: GET https://index.docker.io/v2/library/python/manifests/3.11-slim: \
                 TOOMANYREQUESTS: You have reached your pull rate limit. You may increase the limit by authenticating \
                 and upgrading: https://www.docker.com/increase-rate-limit",
            ],
            vec![
                "Trying to pull docker.io/library/python:3.11-slim...",
                "Error: creating build container: initializing source docker://python:3.11-slim: reading manifest \
                 3.11-slim in docker.io/library/python: toomanyrequests: You have reached your pull rate limit. You \
                 may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
            ],
        ] {
            let found = BuildLog::of(lines.iter().copied()).failed_pull("build").unwrap();
            let image: Reference = found.image.as_deref().unwrap_or_default().parse().unwrap();
            assert!(found.docker_hub_quota() && image == "python:3.11-slim".parse().unwrap(), "{lines:?}: {found:?}");
        }
    }

    #[test]
    fn pages_backwards_say_the_same() {
        let mut lines = vec!["#9 12.3 Collecting flask".to_owned(); 500];
        lines[10] = "Step 1/9 : FROM python:3.11-slim".to_owned();
        lines[490] = "toomanyrequests: You have reached your unauthenticated pull rate limit.".to_owned();
        let mut log = BuildLog::default();
        for page in lines.rchunks(64) {
            log.before(&page.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let found = log.failed_pull("build").unwrap();
        assert_eq!(
            (found.docker_hub_quota(), found.image.as_deref(), log.bases().len()),
            (true, Some("python:3.11-slim"), 1)
        );
    }
}
