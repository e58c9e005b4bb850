//! Copies many images in one run: what they share is sent once, and one that fails stops no other.

use std::sync::Mutex;

use super::*;

const ELSEWHERE: &str = "registry.example";

fn requests(copier: &Copier, targets: &[&str]) -> Vec<CopyRequest> {
    let target = |target: &&str| {
        CopyRequest::new("redis:7".parse().unwrap(), target.parse().unwrap(), copier.client().endpoints())
    };
    targets.iter().map(target).collect()
}

#[tokio::test]
async fn what_images_share_is_sent_once_and_mounted_elsewhere() {
    for registry in [ECR, ELSEWHERE] {
        let (hub, ecr, plain) = (Server::good().await, Server::good().await, Server::good().await);
        publish(&hub, REPOSITORY, "7");
        let copier = copier(&hub, &ecr, Some((ELSEWHERE, &plain)));
        let names = ["a:7", "a:8", "b:7", "c:7"].map(|name| format!("{registry}/{name}"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let done = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&done);
        let progress: Progress = Arc::new(move |event| {
            if let CopyEvent::Done { image, result } = event {
                assert!(result.is_ok());
                heard.lock().unwrap().push(image);
            }
        });
        let options = CopyOptions { progress: Some(progress), ..CopyOptions::default() };
        let results = copier.copy_all(&requests(&copier, &names), &options).await;
        let reports: Vec<CopyReport> = results.into_iter().map(Result::unwrap).collect();
        let sum = |count: fn(&CopyReport) -> u64| reports.iter().map(count).sum::<u64>();
        assert_eq!(
            (sum(|report| report.blobs_copied), sum(|report| report.blobs_mounted)),
            (5, 10),
            "{registry}: {reports:?}"
        );
        assert_eq!(sum(|report| report.blobs_skipped), 5, "the second tag of a repository");
        // Three manifests, however many images need them.
        assert_eq!(hub.count("GET", "/manifests/"), 3);
        assert_eq!(done.lock().unwrap().len(), 4);
        let target = if registry == ECR { &ecr } else { &plain };
        for repository in ["a", "b", "c"] {
            assert_same(&hub, target, repository);
        }
        assert_eq!(target.count("PATCH", ""), 0);
    }
}

#[tokio::test]
async fn one_that_fails_stops_no_other_and_whoever_waits_for_it_sends_itself() {
    let refuse = |request: &Request, _| {
        (request.method == "PUT" && request.path.starts_with("/v2/a/")).then(|| Reply::new(403, "no"))
    };
    let (hub, ecr) = (Server::good().await, Server::start(refuse).await);
    publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    let names = ["a:7", "b:7", "c:7"].map(|name| format!("{ECR}/{name}"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let results = copier.copy_all(&requests(&copier, &names), &CopyOptions::default()).await;
    assert!(matches!(results[0], Err(RegistryError::Denied { .. })), "{results:?}");
    assert!(results[1].is_ok() && results[2].is_ok(), "{results:?}");
    assert_same(&hub, &ecr, "b");
    assert_same(&hub, &ecr, "c");
}

#[tokio::test]
async fn after_the_deadline_nothing_is_begun_and_what_is_done_stays() {
    let (hub, ecr) = (Server::good().await, Server::good().await);
    publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    let all = requests(&copier, &[&format!("{ECR}/a:7")]);
    let options = CopyOptions {
        deadline: Some(tokio::time::Instant::now()),
        ..CopyOptions::default()
    };
    let results = copier.copy_all(&all, &options).await;
    assert!(
        matches!(&results[0], Err(error @ RegistryError::OutOfTime { .. }) if error.is_transient()),
        "{results:?}"
    );
    assert!(ecr.requests().is_empty());
    let options = CopyOptions {
        deadline: Some(tokio::time::Instant::now() + Duration::from_secs(60)),
        ..CopyOptions::default()
    };
    assert!(copier.copy_all(&all, &options).await[0].is_ok());
}

#[tokio::test]
async fn platforms_are_chosen_and_the_next_run_knows_without_asking_the_source() {
    let (hub, ecr) = (Server::good().await, Server::good().await);
    let source = publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    let chosen = |platforms: &[&str]| CopyRequest {
        platforms: platforms.iter().map(|platform| platform.parse().unwrap()).collect(),
        ..request_to(&copier, "few")
    };
    let one = copier.copy(&chosen(&["linux/arm64"])).await.unwrap();
    let (_, child) = hub.store.lock().unwrap().manifests[&(REPOSITORY.to_owned(), "arm64".to_owned())].clone();
    assert_eq!(
        (one.digest, one.blobs_copied),
        (Digest::of(&child), 3),
        "the platform's own manifest, as its author made it"
    );
    let both = copier.copy(&chosen(&["linux/arm64", "linux/amd64"])).await.unwrap();
    assert_eq!((both.digest, both.blobs_copied), (source, 2));
    let error = copier.copy(&chosen(&["windows/amd64"])).await.unwrap_err().to_string();
    assert!(error.contains("only for linux/amd64, linux/arm64"), "{error}");
}

#[tokio::test]
async fn what_refers_to_an_image_comes_along_if_asked_for() {
    let (hub, ecr) = (Server::good().await, Server::good().await);
    let subject = publish(&hub, REPOSITORY, "7");
    let content = b"signature";
    let layer = json!({"mediaType": "x", "digest": hub.put_blob(REPOSITORY, content), "size": content.len()});
    let signature =
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": layer, "layers": [layer],
        "subject": {"digest": subject}})
        .to_string();
    let tag = subject.as_str().replace(':', "-");
    let digest = hub.put_manifest(
        REPOSITORY,
        &format!("{tag}.sig"),
        "application/vnd.oci.image.manifest.v1+json",
        signature.as_bytes(),
    );
    let list = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": signature.len(), "artifactType": "s"}]})
    .to_string();
    hub.put_manifest(REPOSITORY, &tag, "application/vnd.oci.image.index.v1+json", list.as_bytes());
    let copier = copier(&hub, &ecr, None);
    let request = CopyRequest {
        artifacts: Artifacts { referrers: true, cosign_tags: true },
        ..request_to(&copier, "signed")
    };
    let report = copier.copy(&request).await.unwrap();
    assert_eq!(report.artifacts_copied, 2, "{report:?}");
    assert_eq!(ecr.count("GET", "/referrers/"), 1, "that it has no such API is asked once");
    {
        let store = ecr.store.lock().unwrap();
        for name in [tag.clone(), format!("{tag}.sig"), digest.to_string()] {
            assert!(store.manifests.contains_key(&("signed".to_owned(), name.clone())), "{name}");
        }
    }
    let again = copier.copy(&request).await.unwrap();
    assert_eq!((again.up_to_date, again.artifacts_copied, again.bytes_copied), (true, 0, 0));
}
