//! What the mirror holds under the names that are wanted.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use crate::decide::Want;
use crate::decide::plan::AtTarget;
use pullsafe::reference::{Reference, ecr_host};
use pullsafe_aws::ecr::{Ecr, EcrRegions, ImageId};
use pullsafe_registry::Client;

/// How many repositories are asked about at a time.
const AT_ONCE: usize = 8;

/// What the mirror holds, in the order of `wants`.
pub(crate) async fn look(client: &Client, ecr: &EcrRegions, wants: &[Want]) -> Vec<AtTarget> {
    let mut found: Vec<Option<AtTarget>> = wants.iter().map(|_| None).collect();
    let mut by_repository: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, want) in wants.iter().enumerate() {
        by_repository.entry((want.target.registry(), want.target.repository())).or_default().push(place);
    }
    let looks = by_repository.into_values().map(|places| async move {
        let targets: Vec<&Reference> = places.iter().map(|place| &wants[*place].target).collect();
        let states = match targets.first().and_then(|target| ecr_host(target.registry())) {
            Some(host) => in_ecr(&ecr.get(host.region), host.account, &targets).await,
            None => by_head(client, &targets).await,
        };
        places.into_iter().zip(states).collect::<Vec<_>>()
    });
    let mut looks = stream::iter(looks.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    while let Some(states) = looks.next().await {
        for (place, state) in states {
            found[place] = Some(state);
        }
    }
    found
        .into_iter()
        .map(|state| state.unwrap_or_else(|| AtTarget::Unknown("it was not looked at".to_owned())))
        .collect()
}

async fn in_ecr(ecr: &Ecr, account: &str, targets: &[&Reference]) -> Vec<AtTarget> {
    let Some(repository) = targets.first().map(|target| target.repository()) else {
        return Vec::new();
    };
    let ids: Vec<ImageId> = targets.iter().map(|target| id(target)).collect();
    match ecr.find_images(Some(account), repository, &ids).await {
        Err(error) => ids.iter().map(|_| AtTarget::Unknown(error.to_string())).collect(),
        Ok(images) => ids
            .iter()
            .map(|id| {
                let image = images.iter().find(|image| match id {
                    ImageId::Tag(tag) => image.tags.contains(tag),
                    ImageId::Digest(digest) => image.digest == *digest,
                });
                match image {
                    None => AtTarget::Absent,
                    Some(image) if image.archived => AtTarget::Archived(image.digest.clone()),
                    Some(image) => AtTarget::Holds(image.digest.clone()),
                }
            })
            .collect(),
    }
}

fn id(target: &Reference) -> ImageId {
    match (target.tag(), target.digest()) {
        (None, Some(digest)) => ImageId::Digest(digest.clone()),
        (tag, _) => ImageId::Tag(tag.unwrap_or("latest").to_owned()),
    }
}

async fn by_head(client: &Client, targets: &[&Reference]) -> Vec<AtTarget> {
    let mut states = Vec::new();
    for target in targets {
        states.push(match client.resolve(target).await {
            Ok(resolved) => AtTarget::Holds(resolved.digest),
            Err(error) if error.is_not_found() => AtTarget::Absent,
            Err(error) => AtTarget::Unknown(error.to_string()),
        });
    }
    states
}
