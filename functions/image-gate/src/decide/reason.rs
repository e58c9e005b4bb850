//! Why a stack has to stop, for its owner: what, where, how long, what is there, what to do.

use super::look::WhyNot;
use super::properties::Properties;
use super::wait::Wait;
use super::wanted::GateImage;
use pullsafe::similar::similar;
use pullsafe::timestamp::Timestamp;

/// How many of the newest tags are shown.
const NEWEST: usize = 5;

/// What ended the wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitEnding {
    /// CloudFormation's patience.
    Patience,
    /// The function that had to wait by itself, because the request could not be parked.
    Function {
        /// Why it could not.
        not_parked: String,
    },
}

/// What a reason can tell of the surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The repository's tags, the newest first, as far as they may be told; or why they are not known.
    pub tags: Result<&'a [String], &'a str>,
    /// Where the mirror logs.
    pub mirror_log: Option<&'a str>,
}

/// The reason.
pub fn reason(wait: &Wait, why_not: &WhyNot, ending: &WaitEnding, around: Surroundings<'_>, now: Timestamp) -> String {
    let image = wait.asked.image_at(&wait.place.uri());
    let parts = [
        format!("Image {image} {}", state(wait, why_not)),
        time(wait, ending, now),
        newest(around.tags),
        around.tags.map_or_else(|_| String::new(), |tags| alike(&wait.asked, tags)),
        mirror(wait, around.mirror_log),
        what_to_do(wait, why_not),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What the last look showed.
fn state(wait: &Wait, why_not: &WhyNot) -> String {
    match why_not {
        WhyNot::NoRepository => "did not appear: the repository does not exist.".to_owned(),
        WhyNot::NoImage => "did not appear: the repository has no such image.".to_owned(),
        WhyNot::OtherPlatforms { offered, missing } if offered.is_empty() => {
            format!("is there, but does not say for which platform it is; Platforms asks for {missing}.")
        }
        WhyNot::OtherPlatforms { offered, missing } => {
            format!("is there for {offered}, and not for {missing}, which Platforms asks for.")
        }
        WhyNot::Archived => "is there, but lies in the archive of ECR, from where it cannot be pulled.".to_owned(),
        WhyNot::NotSigned(state) => format!("is there, but not signed, as Signed asks for: {state}."),
        WhyNot::Unreadable(why) => format!("is there and cannot be used: {why}."),
        WhyNot::NotKnown(why) => format!("could not be looked up in {}: {why}.", wait.place.region),
    }
}

fn time(wait: &Wait, ending: &WaitEnding, now: Timestamp) -> String {
    let (waited, total) = (wait.patience.waited(now), wait.patience.total());
    match ending {
        WaitEnding::Patience => {
            format!("The gate waited {waited} s of the {total} s that ServiceTimeout gives, and looked last at {now}.")
        }
        WaitEnding::Function { not_parked } => {
            format!(
                "The gate waited {waited} s in its function, which may run no longer, because the request could not \
                 be parked: {not_parked}."
            )
        }
    }
}

fn newest(tags: Result<&[String], &str>) -> String {
    let tags = match tags {
        Ok(tags) => tags,
        Err(why) => return format!("The tags that are there could not be read: {why}."),
    };
    let newest: Vec<&str> = tags.iter().map(String::as_str).take(NEWEST).collect();
    if newest.is_empty() {
        String::new()
    } else {
        format!("Newest tags there: {}.", newest.join(", "))
    }
}

fn alike(asked: &Properties, tags: &[String]) -> String {
    let GateImage::Tag(tag) = &asked.wanted else {
        return String::new();
    };
    if let Some(whole) = tags.iter().find(|other| lost_zeros(tag, other)) {
        return format!(
            "There is {whole}: YAML reads {whole} without quotes as the number {tag}. If that is meant, write \
             ImageTag: \"{whole}\", in quotes."
        );
    }
    let alike = similar(tag, tags.iter().map(String::as_str));
    if alike.is_empty() {
        String::new()
    } else {
        format!("Similar to {tag}: {}.", alike.join(", "))
    }
}

/// Whether a tag is what is left of another when YAML has read that as a number: `1.10` becomes `1.1`.
fn lost_zeros(tag: &str, other: &str) -> bool {
    let is_number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.matches('.').count() == 1;
    let shortened = other.trim_end_matches('0').trim_end_matches('.');
    tag != other && is_number(other) && shortened == tag
}

/// A tag that arrived as a number with a fraction, and is not there.
pub fn quote_it(tag: &str) -> String {
    format!(
        "Custom::PullsafeImage: ImageTag `{tag}` arrived as a number, and there is no such tag. YAML drops the last \
         zeros of a number, so that {tag}0 arrives as {tag}. Write the tag in quotes, such as ImageTag: \"{tag}0\"."
    )
}

fn mirror(wait: &Wait, log: Option<&str>) -> String {
    let Some(source) = &wait.asked.source else {
        return String::new();
    };
    let log = log.map_or_else(String::new, |log| format!(" Its log group {log} and its dead-letter queue say why."));
    match wait.mirror.times {
        0 => match &wait.mirror.refused {
            Some(why) => format!("The mirror could not be asked for {source}: {why}."),
            None => format!("The mirror could not be asked for {source}."),
        },
        1 => format!("The mirror was asked for {source} and has not delivered.{log}"),
        times => format!("The mirror was asked for {source} {times} times and has not delivered.{log}"),
    }
}

fn what_to_do(wait: &Wait, why_not: &WhyNot) -> String {
    let (uri, asked, place) = (wait.place.uri(), &wait.asked, &wait.place);
    let image = asked.image_at(&uri);
    let push = || match &asked.wanted {
        GateImage::Tag(_) => format!("docker push {image}"),
        GateImage::Digest(_) => format!("docker push {uri}:<tag>"),
    };
    let identifier = || match &asked.wanted {
        GateImage::Tag(tag) => format!("imageTag={tag}"),
        GateImage::Digest(digest) => format!("imageDigest={digest}"),
    };
    match why_not {
        WhyNot::NoRepository => {
            format!(
                "Create the repository {} in {}, push the image and deploy again: {}",
                place.repository,
                place.region,
                push()
            )
        }
        WhyNot::NoImage | WhyNot::Unreadable(_) => format!("Push it and deploy again: {}", push()),
        WhyNot::OtherPlatforms { .. } => {
            let platforms: Vec<String> = asked.platforms.iter().map(ToString::to_string).collect();
            format!(
                "Build it for all of them and deploy again: docker buildx build --platform {} --push -t {image} .",
                platforms.join(",")
            )
        }
        WhyNot::Archived => format!(
            "Restore it and deploy again: aws ecr update-image-storage-class --region {} --repository-name {} \
             --image-id {} --target-storage-class STANDARD",
            place.region,
            place.repository,
            identifier()
        ),
        WhyNot::NotSigned(_) => format!(
            "See what ECR says of it and deploy again: aws ecr describe-image-signing-status --region {} \
             --repository-name {} --image-id {}",
            place.region,
            place.repository,
            identifier()
        ),
        WhyNot::NotKnown(_) => "See that ECR answers there, and deploy again.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decide::place::RepositoryPlace;
    use crate::decide::request::Envelope;

    fn wait() -> (Wait, Timestamp) {
        let request = json!({
            "ResponseURL": "https://x", "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b",
            "ResourceProperties": {"RepositoryName": "web", "ImageTag": "1.4.3", "Source": "redis", "Platforms": "linux/arm64"},
        });
        let envelope = Envelope::find(&request).pop().unwrap();
        let asked = Properties::parse(&envelope.properties).unwrap();
        let place = RepositoryPlace::of(&asked, &envelope.requester, None);
        let now = Timestamp::from_millis(1_768_504_620_000);
        (Wait::new(&envelope, asked, place, now).asked_mirror(now), now)
    }

    #[test]
    fn the_reason_says_what_where_how_long_and_what_to_do() {
        let (wait, now) = wait();
        let tags = ["latest".to_owned(), "1.4.2".to_owned()];
        let around = Surroundings {
            tags: Ok(&tags),
            mirror_log: Some("/aws/lambda/pullsafe-mirror"),
        };
        assert_eq!(
            reason(&wait, &WhyNot::NoImage, &WaitEnding::Patience, around, now.plus_seconds(3570)),
            "Image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4.3 did not appear: the repository has no such \
             image. The gate waited 3570 s of the 3600 s that \
             ServiceTimeout gives, and looked last at 2026-01-15T20:16:30Z. Newest tags there: latest, 1.4.2. Similar \
             to 1.4.3: 1.4.2. The mirror was asked for \
             docker.io/library/redis:1.4.3 and has not delivered. Its log group /aws/lambda/pullsafe-mirror and its \
             dead-letter queue say why. Push it and deploy again: \
             docker push 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4.3"
        );
    }

    #[test]
    fn what_is_there_did_not_fail_to_appear() {
        let (wait, now) = wait();
        let of = |why: WhyNot| {
            reason(&wait, &why, &WaitEnding::Patience, Surroundings { tags: Ok(&[]), mirror_log: None }, now)
        };
        let others = of(WhyNot::OtherPlatforms {
            offered: "linux/amd64".to_owned(),
            missing: "linux/arm64".to_owned(),
        });
        assert!(
            others.contains("is there for linux/amd64, and not for linux/arm64")
                && others.contains("--platform linux/arm64"),
            "{others}"
        );
        for why in [
            WhyNot::Archived,
            WhyNot::NotSigned("signing is under way".to_owned()),
            WhyNot::Unreadable("x".to_owned()),
        ] {
            assert!(!of(why.clone()).contains("did not appear"), "{why:?}");
        }
        assert!(of(WhyNot::NoRepository).contains("Create the repository web in eu-west-1"));
        assert!(of(WhyNot::NotKnown("timeout".to_owned())).contains("could not be looked up in eu-west-1: timeout."));
    }

    #[test]
    fn a_number_that_lost_its_zeros_is_recognised() {
        for (tag, other, lost) in [
            ("1.1", "1.10", true),
            ("1", "1.0", true),
            ("1.1", "1.1", false),
            ("1.1", "1.11", false),
            ("1", "10", false),
            ("3.1", "3.100", true),
        ] {
            assert_eq!(lost_zeros(tag, other), lost, "{tag} {other}");
        }
        let (wait, now) = wait();
        let asked = Properties {
            wanted: GateImage::Tag("1.1".to_owned()),
            ..wait.asked.clone()
        };
        let tags = ["1.10".to_owned()];
        let reason = reason(
            &Wait { asked, ..wait },
            &WhyNot::NoImage,
            &WaitEnding::Patience,
            Surroundings { tags: Ok(&tags), mirror_log: None },
            now,
        );
        assert!(reason.contains("write ImageTag: \"1.10\", in quotes"), "{reason}");
    }
}
