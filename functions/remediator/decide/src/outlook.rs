//! What will go wrong with an image that runs, from what was seen of it and of its repository.

use pullsafe::digest::Digest;
use pullsafe::lookup::{Lookup, ResolvedImage};
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;
use pullsafe_incident::outlook::{Keep, OutlookCause, OutlookFinding};
use pullsafe_lifecycle::keep::{self, Effect};
use pullsafe_lifecycle::{Action, Count, Fate, Image, Policy, Repository, StorageClass, fates};

/// An image that goes later than this many seconds from now is no finding.
const HORIZON_SECONDS: i64 = 30 * 86_400;
/// Where the pace of pushes is not known, an image that goes after this many pushes is a finding.
const FEW_PUSHES: u32 = 2;
/// How many of the newest pushes tell the pace.
const PACE_OF: usize = 20;

/// An image of a task definition.
#[derive(Debug, Clone, PartialEq)]
pub struct UsedImage {
    pub container: String,
    /// The image as the task definition has it.
    pub written: String,
    /// The same, parsed.
    pub reference: Reference,
    /// The digest that runs now, as the tasks show it.
    pub runs: Option<Digest>,
    /// What the tasks run on, as `os/architecture`.
    pub platform: String,
}

/// What was seen of an image.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageOutlook {
    /// It is in ECR.
    InEcr {
        /// The repository with its images.
        repository: Lookup<Repository>,
        /// What the tag means now, where that is another image than the one that runs; absent where it was not asked.
        offered: Lookup<ResolvedImage>,
        /// Whether the execution role may pull from it.
        may_pull: Lookup<bool>,
    },
    /// It is at Docker Hub.
    AtHub {
        /// What the tag means at Docker Hub.
        hub: Lookup<ResolvedImage>,
        /// What the tag means in the mirror, if there is one.
        copy: Option<Lookup<ResolvedImage>>,
    },
    /// It is elsewhere, and this is what its reference means there.
    Elsewhere(Lookup<ResolvedImage>),
}

/// What was found, and what could not be found out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutlookJudgement {
    /// What will go wrong.
    pub findings: Vec<OutlookFinding>,
    /// What is not known, and why.
    pub unknown: Vec<String>,
}

/// The tag that keeps an image. All services that run the image have the same one.
pub fn keep_tag(digest: &Digest) -> String {
    format!("{}{}", keep::PREFIX, digest.as_str().get(7..19).unwrap_or_default())
}

/// What will go wrong with an image. `role` is the execution role; `why_not` says why no tag is set.
pub fn judge(
    used: &UsedImage,
    seen: &ImageOutlook,
    role: Option<&str>,
    why_not: &str,
    now: Timestamp,
) -> OutlookJudgement {
    let mut judged = OutlookJudgement::default();
    let mut troubles = Vec::new();
    let mut doubt =
        |what: &str, why: &dyn std::fmt::Display| judged.unknown.push(format!("{}: {what}: {why}", used.written));
    match seen {
        ImageOutlook::InEcr { repository, offered, may_pull } => {
            match repository {
                Lookup::Found(repository) => match of_repository(used, repository, platforms(offered), why_not, now) {
                    Ok(found) => troubles.extend(found),
                    Err(why) => {
                        troubles.extend(of_image(used, repository));
                        doubt("its lifecycle policy cannot be judged", &why);
                    }
                },
                Lookup::Absent => troubles.push(OutlookCause::Gone { digest: used.runs.clone() }),
                Lookup::Unknown(why) => doubt("its repository could not be read", why),
            }
            if let Lookup::Unknown(why) = offered {
                doubt("for which platforms its tag is now is not known", why);
            }
            match (may_pull, role) {
                (Lookup::Found(false), Some(role)) => troubles.push(OutlookCause::MayNotPull { role: role.to_owned() }),
                (Lookup::Unknown(why), Some(_)) => doubt("whether its execution role may pull is not known", why),
                (Lookup::Found(_) | Lookup::Absent, _) | (Lookup::Unknown(_), None) => {}
            }
        }
        ImageOutlook::AtHub { hub, copy } => {
            match hub {
                Lookup::Absent => troubles.push(OutlookCause::Gone { digest: None }),
                Lookup::Unknown(why) => doubt("Docker Hub did not say what it means", why),
                Lookup::Found(found) => troubles.extend(moved(used, &found.digest)),
            }
            match (copy, hub) {
                (Some(Lookup::Absent), _) => troubles.push(OutlookCause::NoCopy),
                (Some(Lookup::Unknown(why)), _) => doubt("the mirror could not be asked", why),
                (Some(Lookup::Found(copy)), Lookup::Found(hub)) if copy.digest != hub.digest => {
                    troubles.push(OutlookCause::CopyBehind { copy: copy.digest.clone(), hub: hub.digest.clone() });
                }
                (Some(Lookup::Found(_)) | None, _) => {}
            }
        }
        ImageOutlook::Elsewhere(Lookup::Absent) => troubles.push(OutlookCause::Gone { digest: None }),
        ImageOutlook::Elsewhere(Lookup::Found(found)) => troubles.extend(moved(used, &found.digest)),
        ImageOutlook::Elsewhere(Lookup::Unknown(why)) => doubt("its registry did not say what it means", why),
    }
    let finding = |trouble| OutlookFinding {
        container: used.container.clone(),
        image: used.written.clone(),
        trouble,
    };
    judged.findings.extend(troubles.into_iter().map(finding));
    judged
}

/// The platforms that an image names; `None` for a single image, which names none.
fn platforms(offered: &Lookup<ResolvedImage>) -> Option<&[String]> {
    offered.found()?.platforms.as_deref()
}

fn moved(used: &UsedImage, now: &Digest) -> Option<OutlookCause> {
    let runs = used.runs.clone().filter(|runs| runs != now && used.reference.digest().is_none())?;
    Some(OutlookCause::Moved { runs, now: now.clone() })
}

/// What is wrong with the image itself, and what the lifecycle policy will do with it.
fn of_repository(
    used: &UsedImage,
    repository: &Repository,
    offered: Option<&[String]>,
    why_not: &str,
    now: Timestamp,
) -> Result<Vec<OutlookCause>, String> {
    let mut troubles: Vec<OutlookCause> = of_image(used, repository).into_iter().collect();
    let tagged = tag_of(&used.reference).and_then(|tag| repository.tagged(tag));
    // A tag of an index stands for the images that the index names.
    if let Some(now_tagged) =
        tagged.filter(|image| used.runs.as_ref().is_some_and(|runs| !image.members.contains(runs)))
        && let Some(trouble) = moved(used, &now_tagged.digest)
    {
        troubles.push(trouble);
        if let Some(offered) = offered.filter(|offered| {
            !offered.iter().any(|one| one == &used.platform || one.starts_with(&format!("{}/", used.platform)))
        }) {
            troubles.push(OutlookCause::NoPlatform { wanted: used.platform.clone(), offered: offered.to_vec() });
        }
    }
    if let (Some(image), Some(text)) = (target(used, repository), &repository.policy)
        && image.class == StorageClass::Standard
    {
        let policy = Policy::parse(text)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        troubles.extend(goes(image, repository, (text, &policy), why_not, now));
    }
    Ok(troubles)
}

fn of_image(used: &UsedImage, repository: &Repository) -> Option<OutlookCause> {
    match target(used, repository) {
        None => Some(OutlookCause::Gone {
            digest: used.runs.clone().or_else(|| used.reference.digest().cloned()),
        }),
        Some(image) if image.class == StorageClass::Archive => {
            Some(OutlookCause::Archived { digest: image.digest.clone() })
        }
        Some(_) => None,
    }
}

/// The image that the next task launches with: the one that runs, or else the one that the reference means. A
/// deployment keeps the digest that it began with.
fn target<'a>(used: &UsedImage, repository: &'a Repository) -> Option<&'a Image> {
    match used.runs.as_ref().or(used.reference.digest()) {
        Some(digest) => repository.image(digest),
        None => repository.tagged(tag_of(&used.reference)?),
    }
}

fn tag_of(reference: &Reference) -> Option<&str> {
    reference.digest().is_none().then(|| reference.tag_or_digest())
}

fn goes(
    image: &Image,
    repository: &Repository,
    (text, policy): (&str, &Policy),
    why_not: &str,
    now: Timestamp,
) -> Option<OutlookCause> {
    let place = repository.images.iter().position(|other| other.digest == image.digest)?;
    let Fate::Touched { rule, action, not_before, pushes } = *fates(policy, &repository.images, now).get(place)? else {
        return None;
    };
    let not_before = not_before.max(now);
    let expected = (pushes > 0).then(|| pace(policy, rule, &repository.images)).flatten();
    let expected = expected.map(|seconds| not_before.max(now.plus_seconds(seconds.saturating_mul(i64::from(pushes)))));
    let is_near = match expected {
        _ if pushes == 0 => not_before.seconds_since(now) <= HORIZON_SECONDS,
        Some(at) => at.seconds_since(now) <= HORIZON_SECONDS,
        None => pushes <= FEW_PUSHES,
    };
    let keep = || keeping(image, repository, (text, policy), why_not, now);
    let archived = action == Action::Archive;
    is_near.then(|| OutlookCause::Goes {
        digest: image.digest.clone(),
        rule,
        archived,
        not_before,
        pushes,
        expected,
        keep: keep(),
    })
}

/// How many seconds lie between two pushes of images that a rule selects, on average of the newest ones.
fn pace(policy: &Policy, priority: u32, images: &[Image]) -> Option<i64> {
    let rule = policy
        .rules()
        .iter()
        .find(|rule| rule.priority == priority && matches!(rule.count, Count::MoreThan(_)))?;
    let mut pushed: Vec<Timestamp> =
        images.iter().filter(|image| rule.selects(image)).map(|image| image.pushed_at).collect();
    pushed.sort();
    let young = pushed.split_off(pushed.len().saturating_sub(PACE_OF));
    let (first, last) = (young.first()?, young.last()?);
    let gaps = i64::try_from(young.len()).ok()?.checked_sub(1).filter(|gaps| *gaps > 0)?;
    Some((last.seconds_since(*first) / gaps).max(1))
}

fn keeping(
    image: &Image,
    repository: &Repository,
    (text, policy): (&str, &Policy),
    why_not: &str,
    now: Timestamp,
) -> Keep {
    let tag = keep_tag(&image.digest);
    let effect = |policy: &Policy| keep::effect(policy, &repository.images, &image.digest, &tag, now);
    match effect(policy) {
        Effect::Keeps { at_the_cost_of } if at_the_cost_of.is_empty() => {
            return Keep::Tag { tag, why_not: why_not.to_owned() };
        }
        Effect::Keeps { .. } | Effect::None => {}
    }
    let Some(changed) = keep::change(text) else {
        return Keep::Nothing;
    };
    match Policy::parse(&changed).map(|changed| effect(&changed)) {
        Ok(Effect::Keeps { at_the_cost_of }) => Keep::Policy { tag, policy: changed, others: at_the_cost_of.len() },
        Ok(Effect::None) | Err(_) => Keep::Nothing,
    }
}
