//! Why a stack has to stop, for its owner: what, where, how long, what is there, what to do.

use super::request::{Properties, Wanted};
use super::wait::Wait;
use pullsafe::similar::similar;
use pullsafe::timestamp::Timestamp;

/// So many of the newest tags are shown.
const NEWEST: usize = 5;

/// The reason. `tags` are those of the repository, the newest first, as far as they are known.
pub fn reason(wait: &Wait, why_not: &str, ended_by: &str, tags: &[String], now: Timestamp) -> String {
    let (uri, asked) = (wait.place.uri(), &wait.asked);
    let image = asked.image_at(&uri);
    let push = match &asked.wanted {
        Wanted::Tag(_) => format!("docker push {image}"),
        Wanted::Digest(_) => format!("docker push {uri}:<tag>"),
    };
    let waited = wait.patience.waited(now);
    format!(
        "Image {image} did not appear in {waited} s, which {ended_by} limits: {why_not}.{}{}{}{} Push it and deploy again: {push}",
        newest(tags),
        alike(asked, tags),
        mirror(wait),
        create(wait, why_not)
    )
}

fn newest(tags: &[String]) -> String {
    let newest: Vec<&str> = tags.iter().map(String::as_str).take(NEWEST).collect();
    if newest.is_empty() { String::new() } else { format!(" Newest tags there: {}.", newest.join(", ")) }
}

fn alike(asked: &Properties, tags: &[String]) -> String {
    let Wanted::Tag(tag) = &asked.wanted else { return String::new() };
    let alike = similar(tag, tags.iter().map(String::as_str));
    if alike.is_empty() { String::new() } else { format!(" Similar to {tag}: {}.", alike.join(", ")) }
}

fn mirror(wait: &Wait) -> String {
    match (&wait.asked.source, wait.mirror.times) {
        (None, _) => String::new(),
        (Some(source), 0) => format!(" The mirror could not be asked for {source}."),
        (Some(source), times) => {
            format!(" The mirror was asked for {source} {times} time(s) and has not delivered; its log and its dead-letter queue say why.")
        }
    }
}

fn create(wait: &Wait, why_not: &str) -> String {
    if why_not.contains("repository does not exist") {
        format!(" Create the repository {} in {} first.", wait.place.repository, wait.place.region)
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decide::place::Place;
    use crate::decide::request::Envelope;

    #[test]
    fn the_reason_says_what_where_how_long_and_what_to_do() {
        let request = json!({
            "ResponseURL": "https://x", "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b",
            "ResourceProperties": {"RepositoryName": "web", "ImageTag": "1.4.3", "Source": "redis"},
        });
        let envelope = Envelope::find(&request).pop().unwrap();
        let asked = Properties::parse(&envelope.properties).unwrap();
        let place = Place::of(&asked, &envelope.requester, None);
        let now = Timestamp::from_millis(1_768_504_620_000);
        let wait = Wait::new(&envelope, asked, place, now).asked_mirror(now);
        let tags = ["latest".to_owned(), "1.4.2".to_owned()];
        assert_eq!(
            reason(&wait, "the repository has no such image", "ServiceTimeout (3600 s)", &tags, now.plus_seconds(3455)),
            "Image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4.3 did not appear in 3455 s, which ServiceTimeout (3600 s) limits: the \
             repository has no such image. Newest tags there: latest, 1.4.2. Similar to 1.4.3: 1.4.2. The mirror was asked for docker.io/library/redis 1 time(s) and \
             has not delivered; its log and its dead-letter queue say why. Push it and deploy again: docker push \
             111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4.3"
        );
        let reason = reason(&wait, "the repository does not exist", "x", &[], now);
        assert!(reason.contains("Create the repository web in eu-west-1 first.") && !reason.contains("Newest"), "{reason}");
    }
}
