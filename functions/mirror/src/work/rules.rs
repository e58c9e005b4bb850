//! What a job may do. A job is a text in a queue: whoever may write it chooses its words, and the mirror decides by
//! itself.
//!
//! A copy goes to the mirror's own registry, into the repository that the mirror's own naming gives the source, under
//! the source's own tag or digest. The source is at Docker Hub, or its repository is named in the configuration. Tags
//! that are pinned and platforms that are chosen are the configuration's business, so that only a planned job carries
//! them, and a tag that somebody asks for gets those of the configuration: to ask for it changes nothing of what a
//! scheduled run would store.

use std::collections::BTreeSet;

use pullsafe::foreign;
use pullsafe::mirror_job::MirrorJob;
use pullsafe::naming::mirrored_name;
use pullsafe::reference::{DOCKER_HUB, Reference, ecr_host};
use pullsafe::settings::MirrorSettings;

use crate::decide::{ImageRule, ImageSelection, MirrorConfig};
use crate::work::job::Job;
use pullsafe::manifest::Platform;

/// Who has written a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobAuthor {
    /// Somebody who may write to the queue of requests.
    Asker,
    /// A scheduled run of the mirror itself, from its configuration.
    Planner,
}

/// The rule that a job breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenRule {
    /// There is nothing to check a target against.
    #[error("the mirror has no registry of its own: neither its settings nor its configuration name one")]
    NoRegistry,
    /// The source is somewhere else.
    #[error("its source {0} is neither a repository of Docker Hub nor named in the mirror's configuration")]
    Source(Box<Reference>),
    /// The target is somewhere else.
    #[error("its target {target} is not where the mirror keeps {image}: that is {place}")]
    Place {
        /// The target.
        target: Box<Reference>,
        /// The source.
        image: Box<Reference>,
        /// The registry and repository for it.
        place: String,
    },
    /// The target has another name.
    #[error("its target {target} has not the tag or digest of its source {image}")]
    Name {
        /// The target.
        target: Box<Reference>,
        /// The source.
        image: Box<Reference>,
    },
    /// Platforms are chosen.
    #[error("it chooses platforms, which is for the mirror's configuration to do")]
    Platforms,
    /// Several images at once come from the planner alone.
    #[error("it names several images, and comes from the queue of single requests")]
    Several,
}

/// What the mirror's owner allows.
#[derive(Debug)]
pub(crate) struct OwnerRules {
    /// Registry and prefix: by the stack's settings, and by the configuration.
    places: Vec<(String, String)>,
    named: BTreeSet<(String, String)>,
    images: Vec<ImageRule>,
}

impl OwnerRules {
    pub(crate) fn of(settings: &MirrorSettings, config: Option<&MirrorConfig>) -> Self {
        let mut places = Vec::new();
        places.extend(config.map(|config| (config.registry.clone(), config.prefix.clone())));
        places.extend(settings.registry.clone().map(|registry| (registry, settings.prefix.clone())));
        let sources = config.into_iter().flat_map(|config| &config.images).map(|image| &image.source);
        let named = sources.map(|source| (source.registry().to_owned(), source.repository().to_owned())).collect();
        Self {
            places,
            named,
            images: config.map(|config| config.images.clone()).unwrap_or_default(),
        }
    }

    /// The repositories of Docker Hub that the configuration names.
    pub(crate) fn named_at_docker_hub(&self) -> BTreeSet<String> {
        self.named
            .iter()
            .filter(|(registry, _)| registry == DOCKER_HUB)
            .map(|(_, repository)| repository.clone())
            .collect()
    }

    /// The job as it may be done.
    pub(crate) fn judge(&self, asked: MirrorJob, author: JobAuthor) -> Result<Job, BrokenRule> {
        let MirrorJob { source, target, requested_by, platforms } = asked;
        // It is repeated where people and programs read it.
        let requested_by = foreign::line(&requested_by);
        if !self.may_come_from(&source) {
            return Err(BrokenRule::Source(Box::new(source)));
        }
        let place = |(registry, prefix): &(String, String)| (registry.clone(), mirrored_name(prefix, &source));
        let places: Vec<(String, String)> = self.places.iter().map(place).collect();
        let Some((registry, repository)) = places.first() else {
            return Err(BrokenRule::NoRegistry);
        };
        let own = places
            .iter()
            .any(|(registry, repository)| target.registry() == registry && target.repository() == repository);
        let Some(host) = ecr_host(target.registry()).filter(|_| own) else {
            return Err(BrokenRule::Place {
                place: format!("{registry}/{repository}"),
                target: Box::new(target),
                image: Box::new(source),
            });
        };
        let (account, region) = (host.account.to_owned(), host.region.to_owned());
        let tag = |reference: &Reference| {
            reference.tag().map(str::to_owned).or_else(|| reference.tag_or_latest().map(str::to_owned))
        };
        let same_digest = target.digest().is_none() || target.digest() == source.digest();
        let same_tag = target.tag().is_none() && target.digest().is_some() || tag(&target) == tag(&source);
        if !same_digest || !same_tag {
            return Err(BrokenRule::Name { target: Box::new(target), image: Box::new(source) });
        }
        let announced = target.clone();
        let (source, target) = match (author, source.digest().cloned()) {
            (JobAuthor::Asker, _) if !platforms.is_empty() => return Err(BrokenRule::Platforms),
            // What a tag of the mirror means is what it means at the source. A digest that somebody asks for gets no
            // tag by it.
            (JobAuthor::Asker, Some(digest)) => (source.at_digest(digest.clone()), target.at_digest(digest)),
            (JobAuthor::Asker, None) => {
                let (pinned, chosen) = self.configured(&source);
                return Ok(Job {
                    source: pinned,
                    asked: source,
                    target,
                    announced,
                    account,
                    region,
                    requested_by,
                    platforms: chosen,
                });
            }
            (JobAuthor::Planner, _) => (source, target),
        };
        Ok(Job {
            asked: source.clone(),
            source,
            target,
            announced,
            account,
            region,
            requested_by,
            platforms,
        })
    }

    /// A tag as the configuration would have it: pinned, where it lists it so, and in the platforms that it has chosen.
    fn configured(&self, source: &Reference) -> (Reference, Vec<Platform>) {
        let tag = source.tag_or_latest();
        let of_it = |rule: &&ImageRule| {
            rule.source.registry() == source.registry() && rule.source.repository() == source.repository()
        };
        let rules: Vec<&ImageRule> = self.images.iter().filter(of_it).collect();
        let listed = |rule: &&ImageRule| match &rule.tags {
            ImageSelection::Listed(images) => images.iter().any(|image| image.tag.as_deref() == tag),
            ImageSelection::Rule(_) => false,
        };
        let by_name: Vec<&ImageRule> = rules.iter().copied().filter(listed).collect();
        let pin = by_name.iter().find_map(|rule| match &rule.tags {
            ImageSelection::Listed(images) => images.iter().find(|image| image.tag.as_deref() == tag)?.digest.clone(),
            ImageSelection::Rule(_) => None,
        });
        // Which tags a rule selects is not known here: what no line lists is taken for one of them.
        let selecting = rules.iter().copied().filter(|rule| matches!(rule.tags, ImageSelection::Rule(_)));
        let holds: Vec<&ImageRule> = if by_name.is_empty() { selecting.collect() } else { by_name };
        let mut platforms: Vec<Platform> = Vec::new();
        // Of equals, whoever wants all platforms wins.
        if holds.iter().all(|rule| !rule.platforms.is_empty()) {
            for platform in holds.iter().flat_map(|rule| &rule.platforms) {
                if !platforms.contains(platform) {
                    platforms.push(platform.clone());
                }
            }
        }
        (pin.map_or_else(|| source.clone(), |digest| source.pinned_to(digest)), platforms)
    }

    fn may_come_from(&self, source: &Reference) -> bool {
        if self.named.contains(&(source.registry().to_owned(), source.repository().to_owned())) {
            return true;
        }
        // Docker Hub's names have two parts, and the first is no host: so no name stands for two sources.
        let parts: Vec<&str> = source.repository().split('/').collect();
        source.is_docker_hub()
            && parts.len() == 2
            && !parts[0].contains('.')
            && source.repository() != "library/scratch"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    fn rules() -> OwnerRules {
        let config = format!(
            "registry: {REGISTRY}\nprefix: docker-hub/team\nimages:\n- source: ghcr.io/acme/app\n  tags: [\"1\"]\n- \
             acme/private: [\"1\"]\n"
        );
        let settings = MirrorSettings {
            registry: Some(REGISTRY.to_owned()),
            ..MirrorSettings::default()
        };
        OwnerRules::of(&settings, Some(&MirrorConfig::parse(&config).unwrap()))
    }

    fn judged(author: JobAuthor, source: &str, target: &str, platforms: &[&str]) -> Result<String, String> {
        let target = target.strip_prefix('~').map_or_else(|| target.to_owned(), |rest| format!("{REGISTRY}/{rest}"));
        let platforms = platforms.iter().map(|platform| platform.parse().unwrap()).collect();
        let job = MirrorJob {
            source: source.parse().unwrap(),
            target: target.parse().unwrap(),
            requested_by: "me".to_owned(),
            platforms,
        };
        let job = rules().judge(job, author).map_err(|broken| broken.to_string())?;
        Ok(format!("{} -> {}", job.source, job.target.to_string().replace(REGISTRY, "~")))
    }

    #[test]
    fn a_copy_goes_where_the_mirrors_own_naming_says() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (source, target, done) in [
            (
                "python:3.12",
                "~docker-hub/library/python:3.12",
                "docker.io/library/python:3.12 -> ~/docker-hub/library/python:3.12".to_owned(),
            ),
            (
                "python:3.12",
                "~docker-hub/team/library/python:3.12",
                "docker.io/library/python:3.12 -> ~/docker-hub/team/library/python:3.12".to_owned(),
            ),
            (
                "python",
                "~docker-hub/library/python",
                "docker.io/library/python -> ~/docker-hub/library/python".to_owned(),
            ),
            (
                "python",
                "~docker-hub/library/python:latest",
                "docker.io/library/python -> ~/docker-hub/library/python:latest".to_owned(),
            ),
            (
                "ghcr.io/acme/app:1",
                "~docker-hub/ghcr.io/acme/app:1",
                "ghcr.io/acme/app:1 -> ~/docker-hub/ghcr.io/acme/app:1".to_owned(),
            ),
            (
                &format!("python:3@{digest}"),
                &format!("~docker-hub/library/python:3@{digest}"),
                format!("docker.io/library/python@{digest} -> ~/docker-hub/library/python@{digest}"),
            ),
            (
                &format!("python@{digest}"),
                &format!("~docker-hub/library/python@{digest}"),
                format!("docker.io/library/python@{digest} -> ~/docker-hub/library/python@{digest}"),
            ),
        ] {
            assert_eq!(judged(JobAuthor::Asker, source, target, &[]).as_ref(), Ok(&done), "{source} -> {target}");
        }
    }

    #[test]
    fn every_other_copy_breaks_a_rule() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let other = format!("sha256:{}", "1".repeat(64));
        for (source, target, why) in [
            ("evil/python:3.12", "~docker-hub/library/python:3.12", "is not where the mirror keeps"),
            ("ghcr.io/evil/python:3.12", "~docker-hub/library/python:3.12", "neither a repository of Docker Hub"),
            ("ghcr.io/acme/app2:1", "~docker-hub/ghcr.io/acme/app2:1", "neither a repository of Docker Hub"),
            (
                "docker.io/ghcr.io/acme/app:1",
                "~docker-hub/ghcr.io/acme/app:1",
                "neither a repository of Docker Hub",
            ),
            ("evil/a/b:1", "~docker-hub/evil/a/b:1", "neither a repository of Docker Hub"),
            (
                "127.0.0.1:9000/library/python:3",
                "~docker-hub/library/python:3",
                "neither a repository of Docker Hub",
            ),
            ("scratch", "~docker-hub/library/scratch", "neither a repository of Docker Hub"),
            ("python:3.11", "~docker-hub/library/python:3.12", "has not the tag or digest"),
            ("python:3.11", "~docker-hub/library/python", "has not the tag or digest"),
            ("python:3.12", "~library/python:3.12", "is not where the mirror keeps"),
            ("python:3.12", "~production/app:3.12", "is not where the mirror keeps"),
            (
                "python:3.12",
                "999999999999.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/python:3.12",
                "is not where the mirror keeps",
            ),
            (
                "python:3.12",
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/python:3.12",
                "is not where the mirror keeps",
            ),
            ("python:3.12", "attacker.example/docker-hub/library/python:3.12", "is not where the mirror keeps"),
            (
                &format!("python:3@{other}"),
                &format!("~docker-hub/library/python:3@{digest}"),
                "has not the tag or digest",
            ),
            ("python:3", &format!("~docker-hub/library/python@{digest}"), "has not the tag or digest"),
            (&format!("python@{digest}"), "~docker-hub/library/python:3", "has not the tag or digest"),
        ] {
            let broken = judged(JobAuthor::Asker, source, target, &[]).unwrap_err();
            assert!(broken.contains(why), "{source} -> {target}: {broken}");
        }
        let platforms =
            judged(JobAuthor::Asker, "python:3", "~docker-hub/library/python:3", &["linux/arm64"]).unwrap_err();
        assert!(platforms.contains("chooses platforms"));
    }

    #[test]
    fn a_pin_and_platforms_are_the_configurations_business() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let pinned =
            judged(JobAuthor::Planner, &format!("python:3@{digest}"), "~docker-hub/library/python:3", &["linux/arm64"])
                .unwrap();
        assert_eq!(pinned, format!("docker.io/library/python:3@{digest} -> ~/docker-hub/library/python:3"));
        let asked =
            judged(JobAuthor::Asker, &format!("python:3@{digest}"), "~docker-hub/library/python:3", &[]).unwrap();
        assert_eq!(
            asked,
            format!("docker.io/library/python@{digest} -> ~/docker-hub/library/python@{digest}"),
            "nobody moves a tag by a pin"
        );
        let evil = judged(JobAuthor::Planner, "evil/python:3", "~docker-hub/library/python:3", &[]).unwrap_err();
        assert!(evil.contains("is not where"), "the planner keeps to the same places");
    }

    /// Whoever asks for a tag would else undo what the configuration says of it, until the next scheduled run.
    #[test]
    fn a_tag_that_is_asked_for_is_stored_as_the_configuration_has_it() {
        let pin = format!("sha256:{}", "a".repeat(64));
        let config = format!(
            "registry: {REGISTRY}\nimages:\n- {{source: python, tags: ['3.12'], platforms: [linux/amd64]}}\n- redis: \
             ['7@{pin}', '8']\n\
             - {{source: node, tags: {{semver: '>=20'}}, platforms: [linux/arm64]}}\n- node: ['18']\n"
        );
        let rules = OwnerRules::of(&MirrorSettings::default(), Some(&MirrorConfig::parse(&config).unwrap()));
        for (asked, source, platforms) in [
            ("python:3.12", "docker.io/library/python:3.12".to_owned(), "linux/amd64"),
            ("python:3.11", "docker.io/library/python:3.11".to_owned(), ""),
            ("redis:7", format!("docker.io/library/redis:7@{pin}"), ""),
            ("redis:8", "docker.io/library/redis:8".to_owned(), ""),
            ("node:22", "docker.io/library/node:22".to_owned(), "linux/arm64"),
            ("node:18", "docker.io/library/node:18".to_owned(), ""),
            ("acme/other", "docker.io/acme/other".to_owned(), ""),
        ] {
            let image: Reference = asked.parse().unwrap();
            let target = image.moved_to(REGISTRY, &format!("docker-hub/{}", image.repository())).unwrap();
            let job = MirrorJob {
                source: image,
                target: target.clone(),
                requested_by: String::new(),
                platforms: Vec::new(),
            };
            let job = rules.judge(job, JobAuthor::Asker).unwrap();
            let chosen: Vec<String> = job.platforms.iter().map(ToString::to_string).collect();
            assert_eq!(
                (job.source.to_string(), chosen.join(" "), job.target),
                (source, platforms.to_owned(), target),
                "{asked}"
            );
        }
    }

    #[test]
    fn without_a_registry_of_its_own_nothing_is_copied() {
        let rules = OwnerRules::of(&MirrorSettings::default(), None);
        let job = MirrorJob {
            source: "python:3".parse().unwrap(),
            target: format!("{REGISTRY}/docker-hub/library/python:3").parse().unwrap(),
            requested_by: String::new(),
            platforms: Vec::new(),
        };
        assert_eq!(rules.judge(job, JobAuthor::Asker), Err(BrokenRule::NoRegistry));
    }
}
