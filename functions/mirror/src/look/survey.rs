//! A look at everything that the plan needs: the tags there are, what they mean now, what the mirror holds, what runs
//! in ECS.
//!
//! What could not be found out is part of the answer, never a reason to give up the rest.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::target;
use crate::aws::inventory::{EcsInventory, InventoryScope};
use crate::decide::plan::select::select;
use crate::decide::plan::{AtSource, AtTarget, HubBudget, ImageSides, SourceImage};
use crate::decide::{By, Chosen, ImageRule, ImageSelection, InUse, MirrorConfig, TagRule, Want, Wants};
use pullsafe::manifest::{Contents, Platform};
use pullsafe::platforms::taken_from;
use pullsafe::reference::{Digest, Reference, ecr_host};
use pullsafe::tags::TagFacts;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::ecr::EcrRegions;
use pullsafe_registry::{Client, CopyRequest, RegistryError, StatedQuota};

/// Repositories whose tags are listed at a time.
const LISTS_AT_ONCE: usize = 4;
/// Images that are resolved at a time.
const HEADS_AT_ONCE: usize = 8;
/// How many tags are asked for one by one at Docker Hub's web API, which allows 180 requests a minute; the rest is
/// estimated.
const MOST_DETAILS: usize = 60;

/// Who can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Registries.
    pub client: &'a Client,
    /// ECR's own API.
    pub ecr: &'a EcrRegions,
    /// ECS.
    pub ecs: &'a EcsInventory,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Every image that is wanted, at both ends.
    pub seen: Vec<ImageSides>,
    /// Docker Hub's quota, where it states one.
    pub budget: Option<HubBudget>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What ECS uses, if that was asked.
    pub used: Vec<InUse>,
    /// What of ECS could not be looked at.
    pub unknown_use: Vec<String>,
    /// Repositories of the mirror of which it is not known what is wanted there, and why.
    pub unsure: BTreeMap<String, String>,
}

/// Looks.
pub async fn survey(config: &MirrorConfig, around: Around<'_>, now: Timestamp) -> Survey {
    let mut survey = Survey::default();
    let prunes = config.prune.is_some();
    if config.discover_ecs || prunes {
        let images =
            around.ecs.images(if prunes { InventoryScope::Everything } else { InventoryScope::Services }).await;
        survey.used = images.used;
        survey.unknown_use = images.unknown;
        if config.discover_ecs {
            survey.warnings.extend(survey.unknown_use.iter().map(|unknown| format!("not looked at: {unknown}")));
        }
    }
    let mut wants = Wants::default();
    for (rule, chosen) in config.images.iter().zip(chosen(config, around.client, now).await) {
        match chosen {
            Ok((chosen, warning)) => {
                if let Some(warning) = warning {
                    survey.warnings.push(format!("line {}: {} {warning}", rule.line, rule.source));
                    survey.unsure.insert(
                        config.repository_for(&rule.source),
                        format!("the rule in line {} {warning}", rule.line),
                    );
                }
                wants.add_rule(config, rule, &chosen);
            }
            Err(error) => {
                survey
                    .warnings
                    .push(format!("line {}: the tags of {} could not be listed: {error}", rule.line, rule.source));
                survey
                    .unsure
                    .insert(config.repository_for(&rule.source), format!("its tags could not be listed: {error}"));
            }
        }
    }
    if config.discover_ecs {
        wants.add_in_use(config, &survey.used);
    }
    survey.warnings.append(&mut wants.warnings);
    let wants = wants.into_list();
    let targets = target::look(around.client, around.ecr, &wants).await;
    let (sources, budget) = sources(around.client, &wants, &targets).await;
    survey.budget = budget;
    survey.seen = wants
        .into_iter()
        .zip(sources)
        .zip(targets)
        .map(|((want, source), target)| ImageSides { want, source, target, frozen: false })
        .collect();
    made(around.client, &mut survey.seen).await;
    details(around.client, &mut survey.seen).await;
    elsewhere(around.client, &mut survey.seen).await;
    frozen(around.ecr, &mut survey.seen).await;
    survey
}

type Selection = Result<(Vec<Chosen>, Option<String>), RegistryError>;

/// What each rule selects, in order.
async fn chosen(config: &MirrorConfig, client: &Client, now: Timestamp) -> Vec<Selection> {
    let selections: Vec<_> = config.images.iter().map(|rule| select_for(rule, client, now)).collect();
    stream::iter(selections).buffered(LISTS_AT_ONCE).collect().await
}

async fn select_for(image: &ImageRule, client: &Client, now: Timestamp) -> Selection {
    match &image.tags {
        ImageSelection::Listed(_) => Ok((Vec::new(), None)),
        ImageSelection::Rule(rule) => {
            let tags = list(image, rule, client, now).await?;
            let selected = select(rule, &tags, now);
            Ok((selected.chosen, selected.warning))
        }
    }
}

/// The tags that a rule may choose from. Times are known of Docker Hub's web API alone, a hundred tags to a request and
/// the newest first; whoever does not need them gets all names from the registry in a request or two.
async fn list(
    image: &ImageRule,
    rule: &TagRule,
    client: &Client,
    now: Timestamp,
) -> Result<Vec<TagFacts>, RegistryError> {
    let by_time = rule.newest.filter(|_| rule.by == By::PushTime);
    if (by_time.is_some() || rule.max_age_days.is_some()) && client.has_hub_api(&image.source) {
        let oldest = rule.max_age_days.map(|days| now.plus_seconds(-i64::from(days) * 86_400));
        let enough = |tags: &[TagFacts]| {
            let too_old =
                oldest.is_some_and(|oldest| tags.last().and_then(|tag| tag.pushed_at).is_some_and(|at| at < oldest));
            let filled = by_time.is_some_and(|newest| {
                select(rule, tags, now).chosen.len() >= usize::try_from(newest).unwrap_or(usize::MAX)
            });
            too_old || filled
        };
        return client.hub_tags(&image.source, enough).await;
    }
    match client.tags(&image.source).await {
        Err(error) if client.has_hub_api(&image.source) => {
            tracing::info!(source = %image.source, %error, "the registry does not list its tags; Docker Hub's web API \
                is asked");
            client.hub_tags(&image.source, |_| false).await
        }
        answer => answer,
    }
}

/// What every source says, and what Docker Hub says of its quota meanwhile.
async fn sources(client: &Client, wants: &[Want], targets: &[AtTarget]) -> (Vec<AtSource>, Option<HubBudget>) {
    // One token then serves many repositories.
    let references: Vec<Reference> = wants.iter().map(|want| want.source.clone()).collect();
    client.expect_pulls(&references).await;
    let looks: Vec<_> = wants.iter().zip(targets).map(|(want, target)| source(client, want, target)).collect();
    let mut budget: Option<HubBudget> = None;
    let mut sources = Vec::new();
    let mut looks = stream::iter(looks).buffered(HEADS_AT_ONCE);
    while let Some((source, quota)) = looks.next().await {
        if let Some(quota) = quota {
            let stated = HubBudget {
                limit: quota.limit,
                remaining: quota.remaining,
                window_seconds: quota.window_seconds,
            };
            budget = Some(budget.filter(|known| known.remaining <= stated.remaining).unwrap_or(stated));
        }
        sources.push(source);
    }
    (sources, budget)
}

async fn source(client: &Client, want: &Want, target: &AtTarget) -> (AtSource, Option<StatedQuota>) {
    let image = |digest, media_type, manifest_size| {
        AtSource::Is(SourceImage {
            digest,
            media_type,
            manifest_size,
            children: None,
            pushed_at: None,
            elsewhere: false,
            made: None,
        })
    };
    // What a digest means never changes: who holds it is current, whatever became of the source.
    if let (Some(digest), AtTarget::Holds(held)) = (want.source.digest(), target)
        && digest == held
    {
        return (image(held.clone(), String::new(), None), None);
    }
    match client.resolve(&want.source).await {
        Ok(resolved) => {
            let quota = resolved.quota.filter(|_| want.source.is_docker_hub());
            (image(resolved.digest, resolved.media_type, resolved.size), quota)
        }
        Err(error) if error.is_not_found() => (AtSource::Absent, None),
        Err(error) => (AtSource::Unknown(error.to_string()), None),
    }
}

/// The images that would be copied.
fn moving(seen: &mut [ImageSides]) -> impl Iterator<Item = (&Want, &mut SourceImage)> {
    seen.iter_mut().filter_map(|seen| {
        let AtSource::Is(image) = &mut seen.source else {
            return None;
        };
        let current =
            matches!(&seen.target, AtTarget::Holds(held) if *held == image.digest || image.made.as_ref() == Some(held));
        (!current && !matches!(seen.target, AtTarget::Unknown(_))).then_some((&seen.want, image))
    })
}

/// Where only some platforms are wanted the target's digest is another than the source's: whether it was made of what
/// the source has now.
async fn made(client: &Client, seen: &mut [ImageSides]) {
    let reduced = seen.iter_mut().filter_map(|seen| {
        let (AtSource::Is(image), AtTarget::Holds(held)) = (&mut seen.source, &seen.target) else {
            return None;
        };
        (!seen.want.platforms.is_empty() && *held != image.digest).then_some((&seen.want, image, held))
    });
    let looks = reduced.map(|(want, image, held)| async move {
        let fits = match want.platforms.as_slice() {
            [only] => is_image_of(client, want, only, image, held).await,
            several => match client.manifest(&want.target, held).await {
                Ok(index) => {
                    let held = index.contents().map(|contents| contents.platforms()).unwrap_or_default();
                    let all = several.iter().all(|wanted| held.iter().any(|held| held.satisfies(wanted)));
                    let no_other = held.iter().all(|held| several.iter().any(|wanted| held.satisfies(wanted)));
                    taken_from(&index.bytes).as_ref() == Some(&image.digest) && all && no_other
                }
                Err(_) => false,
            },
        };
        if fits {
            image.made = Some(held.clone());
        }
    });
    stream::iter(looks.collect::<Vec<_>>()).buffer_unordered(LISTS_AT_ONCE).collect::<()>().await;
}

/// Whether a digest is the image of one platform: by what Docker Hub's web API says, or else by the index itself where
/// a source without a quota has it.
async fn is_image_of(client: &Client, want: &Want, platform: &Platform, image: &SourceImage, held: &Digest) -> bool {
    if let Some(tag) = want.source.tag_or_latest().filter(|_| client.has_hub_api(&want.source))
        && let Ok(facts) = client.hub_tag(&want.source, tag).await
        && facts.digest.as_ref() == Some(&image.digest)
    {
        return facts.images.iter().any(|(own, digest)| own.satisfies(platform) && digest == held);
    }
    let request = CopyRequest::new(want.source.clone(), want.target.clone(), client.endpoints());
    let mut sources = request.alternates;
    if !want.source.is_docker_hub() {
        sources.push(want.source.clone());
    }
    for source in sources {
        if let Ok(index) = client.manifest(&source, &image.digest).await
            && let Ok(Contents::Index { children }) = index.contents()
        {
            return children.iter().any(|child| {
                child.digest == *held && child.platform.as_ref().is_some_and(|own| own.satisfies(platform))
            });
        }
    }
    false
}

/// When what moves was pushed, and how many manifests it has.
async fn details(client: &Client, seen: &mut [ImageSides]) {
    let asked = moving(seen).filter_map(|(want, image)| {
        Some((want, want.source.tag_or_latest().filter(|_| client.has_hub_api(&want.source))?, image))
    });
    let looks = asked.take(MOST_DETAILS).map(|(want, tag, image)| async move {
        // Without it the plan is less exact, and no less right.
        if let Ok(facts) = client.hub_tag(&want.source, tag).await
            && facts.digest.as_ref().is_none_or(|digest| *digest == image.digest)
        {
            image.pushed_at = facts.pushed_at;
            image.children = children(want, &facts);
        }
    });
    stream::iter(looks.collect::<Vec<_>>()).buffer_unordered(LISTS_AT_ONCE).collect::<()>().await;
}

/// How many manifests below the index are copied: all of them, or those of the wanted platforms, each with its
/// attestation where there are some. One platform alone is copied without.
fn children(want: &Want, facts: &TagFacts) -> Option<u32> {
    let all = facts.children?;
    if want.platforms.is_empty() || all == 0 {
        return Some(all);
    }
    let wanted = facts
        .images
        .iter()
        .filter(|(own, _)| want.platforms.iter().any(|wanted| own.satisfies(wanted)))
        .count();
    // An attestation has a platform that is called unknown.
    let known = facts.images.iter().filter(|(own, _)| own.os != "unknown").count();
    let (wanted, known) = (u32::try_from(wanted).ok()?, u32::try_from(known).ok()?);
    let attestations = if want.platforms.len() > 1 { all.saturating_sub(known).min(wanted) } else { 0 };
    Some(wanted + attestations)
}

/// Which of it another source holds, so that it costs no pull.
async fn elsewhere(client: &Client, seen: &mut [ImageSides]) {
    let looks = moving(seen).map(|(want, image)| async move {
        let request = CopyRequest::new(want.source.clone(), want.target.clone(), client.endpoints());
        for alternate in &request.alternates {
            if client.resolve(&alternate.at_digest(image.digest.clone())).await.is_ok() {
                image.elsewhere = true;
                return;
            }
        }
    });
    stream::iter(looks.collect::<Vec<_>>()).buffer_unordered(HEADS_AT_ONCE).collect::<()>().await;
}

/// Which tags of the mirror cannot be changed, where that matters.
async fn frozen(ecr: &EcrRegions, seen: &mut [ImageSides]) {
    let mut known = BTreeMap::new();
    for seen in seen {
        let AtSource::Is(image) = &seen.source else { continue };
        let moved = matches!(&seen.target, AtTarget::Holds(held) | AtTarget::Archived(held) if *held != image.digest);
        let (Some(host), Some(tag)) = (ecr_host(seen.want.target.registry()), seen.want.target.tag()) else {
            continue;
        };
        if !moved {
            continue;
        }
        let repository = seen.want.target.repository().to_owned();
        if !known.contains_key(&repository) {
            // If it cannot be asked, the copy will find out.
            let mutability = ecr.get(host.region).tag_mutability(Some(host.account), &repository).await.ok().flatten();
            known.insert(repository.clone(), mutability);
        }
        seen.frozen = known.get(&repository).and_then(Option::as_ref).is_some_and(|mutability| mutability.freezes(tag));
    }
}
