//! One look at ECR: whether the image is there, and what it is.

use std::time::Duration;

use pullsafe::aws::ecr::{Ecr, EcrErrorKind, EcrImage, ImageId};
use pullsafe::domain::manifest::{Contents, Platform, platform_of_config};
use pullsafe::domain::reference::{Reference, ecr_host};

use crate::Gate;
use crate::answer::Attributes;
use crate::request::{Envelope, Properties, Wanted};

const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

/// What a look showed.
#[derive(Debug)]
pub(crate) enum Look {
    Present(Box<Attributes>),
    /// It may come, and this is why it is not there.
    NotYet(String),
    /// The gate may not look. A permission that was granted a moment ago can still be on its way.
    Denied(String),
    /// Waiting cannot help.
    Never(String),
}

/// Where the image is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    account: Option<String>,
    region: String,
    repository: String,
    /// The registry's host, where account and region are known.
    registry: Option<String>,
}

impl Place {
    /// The registry that the template named, else the one of the stack's own account and region.
    pub(crate) fn of(properties: &Properties, envelope: &Envelope, own_region: Option<&str>) -> Self {
        let repository = properties.repository.clone();
        if let Some(registry) = &properties.registry
            && let Some(host) = ecr_host(registry)
        {
            let (account, region) = (Some(host.account.to_owned()), host.region.to_owned());
            return Self { account, region, repository, registry: Some(registry.clone()) };
        }
        // arn:aws:cloudformation:<region>:<account>:stack/...
        let mut parts = envelope.stack_id.split(':').skip(3);
        let (stack_region, account) = (parts.next(), parts.next().filter(|account| account.len() == 12));
        let region = own_region.or(stack_region).unwrap_or_default().to_owned();
        let registry = account.map(|account| registry_host(account, &region));
        Self { account: account.map(str::to_owned), region, repository, registry }
    }

    fn uri(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// Why the stack has to stop, for its owner: what, where, how long, what is there, what to do.
    pub(crate) fn reason(&self, properties: &Properties, why_not: &str, waited: Duration, ended_by: &str, newest: &[String]) -> String {
        let uri = self.uri();
        let (image, push) = match &properties.wanted {
            Wanted::Tag(tag) => (format!("{uri}:{tag}"), format!("docker push {uri}:{tag}")),
            Wanted::Digest(digest) => (format!("{uri}@{digest}"), format!("docker push {uri}:<tag>")),
        };
        let newest = if newest.is_empty() { String::new() } else { format!(" Newest tags there: {}.", newest.join(", ")) };
        let source = match &properties.source {
            Some(source) => format!(" Source {source} was not mirrored: this version of the gate only waits."),
            None => String::new(),
        };
        format!(
            "Image {image} did not appear in {} s, which {ended_by} limits: {why_not}.{newest}{source} Push it and deploy again: {push}",
            waited.as_secs()
        )
    }
}

impl Gate {
    pub(crate) async fn look(&self, place: &Place, properties: &Properties) -> Look {
        let ecr = self.ecr.get(&place.region);
        let id = match &properties.wanted {
            Wanted::Tag(tag) => ImageId::Tag(tag.clone()),
            Wanted::Digest(digest) => ImageId::Digest(digest.clone()),
        };
        let batch = match ecr.batch_get_image(place.account.as_deref(), &place.repository, &[id]).await {
            Ok(batch) => batch,
            Err(error) => {
                return match error.kind {
                    EcrErrorKind::RepositoryNotFound => Look::NotYet("the repository does not exist".to_owned()),
                    EcrErrorKind::AccessDenied => Look::Denied(format!("The gate may not look: {error}")),
                    EcrErrorKind::Other if !error.retryable() => Look::Never(format!("The gate cannot look: {error}")),
                    EcrErrorKind::ImageNotFound | EcrErrorKind::Throttled | EcrErrorKind::NoAnswer | EcrErrorKind::Other => {
                        Look::NotYet(error.to_string())
                    }
                };
            }
        };
        let Some(image) = batch.images.into_iter().next() else {
            return Look::NotYet(match batch.failures.first() {
                Some(failure) if !failure.is_absent() => format!("ECR answers {}: {}", failure.code, failure.reason),
                _ => "the repository has no such image".to_owned(),
            });
        };
        self.describe(&ecr, place, properties, image).await
    }

    /// The newest tags, for the reason of a failure; none where they cannot be had.
    pub(crate) async fn newest_tags(&self, place: &Place) -> Vec<String> {
        let ecr = self.ecr.get(&place.region);
        ecr.newest_tags(place.account.as_deref(), &place.repository, 5).await.unwrap_or_default()
    }

    async fn describe(&self, ecr: &Ecr, place: &Place, properties: &Properties, image: EcrImage) -> Look {
        let account = image.registry_id.clone().or_else(|| place.account.clone()).unwrap_or_default();
        let registry = place.registry.clone().unwrap_or_else(|| registry_host(&account, &place.region));
        let platforms = match self.platforms(&registry, place, properties, &image).await {
            Ok(platforms) => platforms,
            Err(reason) => return Look::NotYet(reason),
        };
        let missing: Vec<String> = properties
            .platforms
            .iter()
            .filter(|wanted| !platforms.iter().any(|platform| platform.satisfies(wanted)))
            .map(Platform::to_string)
            .collect();
        let offered = platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(",");
        if !missing.is_empty() {
            return Look::NotYet(format!("the image is there for {offered} and not for {}", missing.join(", ")));
        }
        // Beside the point if it may not be asked: the attributes stay empty.
        let ids = [ImageId::Digest(image.digest.clone())];
        let summary = ecr.describe_images(place.account.as_deref(), &place.repository, &ids).await.ok();
        let summary = summary.and_then(|images| images.into_iter().next());
        if summary.as_ref().is_some_and(|summary| summary.archived) {
            return Look::NotYet("the image lies in the archive, from where it cannot be pulled; restore it first".to_owned());
        }
        let tag = match &properties.wanted {
            Wanted::Tag(tag) => tag.clone(),
            Wanted::Digest(_) => String::new(),
        };
        let media_type = image.media_type.or_else(|| summary.as_ref().and_then(|summary| summary.media_type.clone()));
        Look::Present(Box::new(Attributes {
            digest: image.digest.to_string(),
            tag,
            repository_uri: format!("{registry}/{}", place.repository),
            media_type: media_type.unwrap_or_default(),
            platforms: offered,
            pushed_at: summary.as_ref().and_then(|summary| summary.pushed_at).map(|moment| moment.to_string()).unwrap_or_default(),
            size_bytes: summary.and_then(|summary| summary.size_bytes).map(|size| size.to_string()).unwrap_or_default(),
        }))
    }

    /// The platforms of an index are in its manifest. A single image has its own in its config, which is fetched only if the
    /// template asks for a platform.
    async fn platforms(&self, registry: &str, place: &Place, properties: &Properties, image: &EcrImage) -> Result<Vec<Platform>, String> {
        let contents = match Contents::parse(image.manifest.as_bytes()) {
            Ok(contents) => contents,
            Err(error) if properties.platforms.is_empty() => {
                tracing::warn!(digest = %image.digest, %error, "an image without readable platforms");
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.to_string()),
        };
        let Contents::Image { config: Some(config), .. } = &contents else { return Ok(contents.platforms()) };
        if properties.platforms.is_empty() {
            return Ok(Vec::new());
        }
        let unknown = |why: String| format!("the platform of the image cannot be read: {why}");
        let reference = Reference::new(registry, &place.repository, None, None).map_err(|error| unknown(error.to_string()))?;
        let config = self.registries().small_blob(&reference, config, LARGEST_CONFIG).await.map_err(|error| unknown(error.to_string()))?;
        Ok(platform_of_config(&config).into_iter().collect())
    }
}

fn registry_host(account: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{account}.dkr.ecr.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(repository: &str, own_region: Option<&str>) -> (Place, Properties) {
        let properties = Properties::parse(&json!({"RepositoryName": repository, "ImageTag": "1.4.3", "Source": "redis"})).unwrap();
        let request = json!({"ResponseURL": "https://x", "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b"});
        (Place::of(&properties, &Envelope::find(&request).unwrap(), own_region), properties)
    }

    #[test]
    fn the_place_is_the_stacks_own_registry_unless_named() {
        assert_eq!(place("web", None).0.uri(), "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web");
        assert_eq!(place("web", Some("cn-north-1")).0.uri(), "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/web");
        let named = "444455556666.dkr.ecr.us-east-1.amazonaws.com/team/web";
        assert_eq!(place(named, Some("eu-west-1")).0.uri(), named);
    }

    #[test]
    fn the_reason_says_what_where_how_long_and_what_to_do() {
        let (place, properties) = place("web", None);
        let newest = ["1.4.2".to_owned(), "1.4.1".to_owned()];
        let reason = place.reason(&properties, "the repository has no such image", Duration::from_secs(870), "ServiceTimeout", &newest);
        assert_eq!(
            reason,
            "Image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4.3 did not appear in 870 s, which ServiceTimeout limits: the repository has \
             no such image. Newest tags there: 1.4.2, 1.4.1. Source redis was not mirrored: this version of the gate only waits. Push it and \
             deploy again: docker push 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4.3"
        );
    }
}
