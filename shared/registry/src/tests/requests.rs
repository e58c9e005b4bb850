//! Counts the requests that a copy takes, so that a change cannot raise them unseen.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use super::*;
use pullsafe::manifest::OCI_MANIFEST;

const SOURCE: &str = "source.example";
const TARGET: &str = "target.example";

/// Publishes an image with this base and a layer of its own under a tag; returns its digest.
fn publish_one(server: &Server, repository: &str, tag: &str, base: &[u8]) -> Digest {
    let blob = |content: &[u8]| json!({"mediaType": "x", "digest": server.put_blob(repository, content), "size": content.len()});
    let config =
        json!({"os": "linux", "architecture": "amd64", "config": {"Labels": {"name": format!("{repository}:{tag}")}}})
            .to_string();
    let own = format!("the layer of {repository}:{tag}");
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blob(config.as_bytes()),
        "layers": [blob(base), blob(own.as_bytes())]});
    server.put_manifest(repository, tag, OCI_MANIFEST, manifest.to_string().as_bytes())
}

fn many_tags(server: &Server, repositories: usize, tags: usize) -> Vec<(String, String)> {
    let names = (0..repositories).flat_map(|n| (0..tags).map(move |tag| (format!("app/n{n}"), format!("{tag}"))));
    names
        .inspect(|(repository, tag)| drop(publish_one(server, repository, tag, &layer("base"))))
        .collect()
}

fn between(source: &Server, target: &Server, registry: &str) -> Copier {
    let endpoints = format!("{registry}=http://{},{TARGET}=http://{}", source.address, target.address);
    let defaults = Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)));
    Copier::new(Client::new(Config {
        endpoints: endpoints.parse().unwrap(),
        first_pause: Duration::from_millis(1),
        ..defaults
    }))
}

fn requests(registry: &str, names: &[(String, String)]) -> Vec<CopyRequest> {
    let request = |(repository, tag): &(String, String)| CopyRequest {
        source: format!("{registry}/{repository}:{tag}").parse().unwrap(),
        target: format!("{TARGET}/{repository}:{tag}").parse().unwrap(),
        alternates: Vec::new(),
        platforms: Vec::new(),
        artifacts: Artifacts::default(),
    };
    names.iter().map(request).collect()
}

async fn copy(copier: &Copier, registry: &str, names: &[(String, String)]) -> Vec<CopyReport> {
    let options = CopyOptions { describe: false, ..CopyOptions::default() };
    let results = copier.copy_all(&requests(registry, names), &options).await;
    results.into_iter().map(Result::unwrap).collect()
}

/// Counts the requests by their kind.
fn asked(server: &Server) -> Vec<(String, usize)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for request in server.requests() {
        let kind = ["/manifests/sha256:", "/manifests/", "/tags/list", "/blobs/uploads/", "/blobs/"].into_iter();
        let kind = kind.clone().find(|kind| request.path.contains(kind)).unwrap_or("other").trim_matches('/');
        let mount = if request.query.contains("mount=") { " (mount)" } else { "" };
        *counts.entry(format!("{} {kind}{mount}", request.method)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort();
    counts
}

fn expect(server: &Server, expected: &[(&str, usize)]) {
    let expected: Vec<(String, usize)> = expected.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
    assert_eq!(asked(server), expected);
}

/// 8 tags in a new repository: 1 base, 8 layers and 8 configs.
#[tokio::test]
async fn a_new_repository_is_found_out_by_one_list_and_its_images_are_fetched_by_their_tags() {
    let (source, target) = (Server::good().await, Server::good().await);
    let names = many_tags(&source, 1, 8);
    let reports = copy(&between(&source, &target, SOURCE), SOURCE, &names).await;
    assert_eq!(reports.iter().map(|report| report.source_manifest_gets).sum::<u64>(), 8);
    assert_same(&source, &target, "app/n0");
    expect(&source, &[("GET blobs", 17), ("GET manifests", 8)]);
    // One mount more than there are blobs: it shows how the target answers a mount from the repository itself.
    expect(
        &target,
        &[
            ("GET tags/list", 1),
            ("HEAD manifests", 1),
            ("POST blobs/uploads (mount)", 18),
            ("PUT blobs/uploads", 17),
            ("PUT manifests", 8),
        ],
    );
}

#[tokio::test]
async fn what_a_list_names_is_asked_for_and_a_list_that_goes_on_says_nothing() {
    for (link, heads) in [(None, 3), (Some("</v2/app/n0/tags/list?last=2&n=1000>; rel=\"next\""), 8)] {
        let list = move |request: &Request, _| {
            request.path.ends_with("/tags/list").then(|| {
                let reply = Reply::new(200, json!({"name": "app/n0", "tags": ["1", "2", "elsewhere"]}).to_string());
                link.iter().fold(reply, |reply, link| reply.with("link", *link))
            })
        };
        let (source, target) = (Server::good().await, Server::start(list).await);
        let names = many_tags(&source, 1, 8);
        copy(&between(&source, &target, SOURCE), SOURCE, &names).await;
        assert_eq!((target.count("GET", "/tags/list"), target.count("HEAD", "/manifests/")), (1, heads));
        assert_eq!(source.count("HEAD", "/manifests/"), heads - 1);
        assert_same(&source, &target, "app/n0");
    }
}

/// A registry that counts pulls is never asked for a manifest that the target may turn out to have.
#[tokio::test]
async fn a_registry_that_counts_is_asked_by_head_what_a_tag_means() {
    let (source, target) = (Server::good().await, Server::good().await);
    let names = many_tags(&source, 1, 8);
    let reports = copy(&between(&source, &target, "quay.io"), "quay.io", &names).await;
    assert_eq!((source.count("HEAD", "/manifests/"), source.count("GET", "/manifests/")), (8, 8));
    assert_eq!(reports.iter().map(|report| report.source_manifest_gets).sum::<u64>(), 8);
    // The test's target has no lists, which may mean anything: each tag is asked for, and then each digest.
    assert_eq!((target.count("GET", "/tags/list"), target.count("HEAD", "/manifests/")), (1, 16));
}

/// Answers for many tags at once, as ECR does.
struct InOneCall {
    target: Arc<std::sync::Mutex<server::Store>>,
    calls: AtomicU64,
}

impl Native for InOneCall {
    fn tags<'a>(
        &'a self,
        repository: &'a Reference,
        tags: &'a [String],
    ) -> BoxFuture<'a, Option<HashMap<String, Digest>>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let store = self.target.lock().unwrap();
        let of = |tag: &String| {
            Some((tag.clone(), Digest::of(&store.manifests.get(&(repository.repository().to_owned(), tag.clone()))?.1)))
        };
        let found = tags.iter().filter_map(of).collect();
        Box::pin(async move { Some(found) })
    }

    fn manifests<'a>(&'a self, _: &'a Reference, _: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>> {
        Box::pin(async { Some(Vec::new()) })
    }

    fn blobs<'a>(&'a self, _: &'a Reference, _: &'a [Digest]) -> BoxFuture<'a, Option<Vec<Digest>>> {
        Box::pin(async { Some(Vec::new()) })
    }
}

/// 60 tags in 3 repositories: at the source a HEAD for each tag, for no registry lists digests; at ECR one call for
/// each repository.
#[tokio::test]
async fn sixty_images_that_have_not_changed_take_63_requests_with_an_api_for_many() {
    let (source, target) = (Server::good().await, Server::good().await);
    let names = many_tags(&source, 3, 20);
    copy(&between(&source, &target, SOURCE), SOURCE, &names).await;
    for server in [&source, &target] {
        server.store.lock().unwrap().log.clear();
    }
    let native = Arc::new(InOneCall { target: Arc::clone(&target.store), calls: AtomicU64::new(0) });
    let copier = between(&source, &target, SOURCE).with_native(Arc::clone(&native) as Arc<dyn Native>);
    assert!(copy(&copier, SOURCE, &names).await.iter().all(|report| report.up_to_date));
    expect(&source, &[("HEAD manifests", 60)]);
    assert_eq!((target.requests().len(), native.calls.load(Ordering::Relaxed)), (0, 3));
    // Without that API: one HEAD for each tag on both sides, and no list.
    copy(&between(&source, &target, SOURCE), SOURCE, &names).await;
    expect(&source, &[("HEAD manifests", 120)]);
    expect(&target, &[("HEAD manifests", 60)]);
}

/// A target that has a large blob, but answers every mount by opening an upload, is still not sent the blob again.
#[tokio::test]
async fn a_large_blob_is_asked_for_where_a_refused_mount_says_nothing() {
    for (size, heads, sent) in [(2_000_000, 1, 2), (200_000, 0, 3)] {
        let no_mounts = |request: &Request, _| {
            let refused = request.method == "POST" && request.query.contains("mount=");
            refused.then(|| Reply::new(202, "").with("location", format!("{}1", request.path)))
        };
        let (source, target) = (Server::good().await, Server::start(no_mounts).await);
        let base = vec![7; size];
        publish_one(&source, "app/n0", "1", &base);
        target.put_blob("app/n0", &base);
        let reports = copy(&between(&source, &target, SOURCE), SOURCE, &[("app/n0".to_owned(), "1".to_owned())]).await;
        assert_eq!((reports[0].blobs_copied, target.count("HEAD", "/blobs/")), (sent, heads), "{size}");
    }
}
