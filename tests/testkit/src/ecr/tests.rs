//! The API as a client sees it.

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::{EcrApi, ecr_pull_through_event, ecr_push_event, ecr_replication_event};
use crate::aws::service::{AwsError, FakeService as _};
use crate::clock::VirtualClock;
use crate::registry::repository::ImageStatus;
use crate::registry::{ImageStore, RegistryServer, Sample, SampleImage};

fn now() -> Timestamp {
    Timestamp::parse("2026-01-15T19:00:00.500Z").expect("a time")
}

/// An API with the repository `app`, which holds a multi-arch image as `1`.
fn with_image() -> (EcrApi, SampleImage) {
    let api = EcrApi::new(&ImageStore::new(VirtualClock::at(now())));
    let image = Sample::multi_arch(1).layers(&[100, 200]).build();
    image.push(api.store(), "app", "1");
    (api, image)
}

fn call(api: &EcrApi, operation: &str, mut request: Value) -> Result<Value, AwsError> {
    if request["repositoryName"].is_null() {
        request["repositoryName"] = "app".into();
    }
    api.call(operation, &request)
}

fn refused(api: &EcrApi, operation: &str, request: Value) -> String {
    call(api, operation, request).expect_err("a refusal").code
}

#[test]
fn repositories() {
    let api = EcrApi::new(&ImageStore::new(VirtualClock::at(now()))).located("111122223333", "us-east-1");
    let request = json!({
        "repositoryName": "docker-hub/library/python",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": true, "fieldOfTomorrow": 1},
        "tags": [{"Key": "owner", "Value": "pullsafe"}],
    });
    let created = api.call("CreateRepository", &request).expect("a repository")["repository"].clone();
    assert_eq!(created["repositoryUri"], "111122223333.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/python");
    assert_eq!(
        (&created["imageTagMutability"], &created["createdAt"]),
        (&json!("IMMUTABLE"), &json!(1_768_503_600.5))
    );
    assert_eq!(created["imageScanningConfiguration"]["fieldOfTomorrow"], 1, "kept as it came");
    assert_eq!(refused(&api, "CreateRepository", request.clone()), "RepositoryAlreadyExistsException");
    assert_eq!(refused(&api, "CreateRepository", json!({"repositoryName": "Upper"})), "InvalidParameterException");
    assert_eq!(
        refused(&api, "CreateRepository", json!({"repositoryName": "a1", "imageTagMutability": "X"})),
        "InvalidParameterException"
    );
    assert_eq!(
        refused(&api, "DescribeRepositories", json!({"repositoryNames": ["absent"]})),
        "RepositoryNotFoundException"
    );
    let tags = json!({"resourceArn": created["repositoryArn"]});
    assert_eq!(api.call("ListTagsForResource", &tags).expect("tags")["tags"], request["tags"]);

    let name = json!({"repositoryName": "docker-hub/library/python"});
    assert_eq!(refused(&api, "GetLifecyclePolicy", name.clone()), "LifecyclePolicyNotFoundException");
    let policy = json!({"repositoryName": "docker-hub/library/python", "lifecyclePolicyText": "{\"rules\":[]}"});
    api.call("PutLifecyclePolicy", &policy).expect("a policy");
    assert_eq!(api.call("GetLifecyclePolicy", &name).expect("the policy")["lifecyclePolicyText"], "{\"rules\":[]}");

    for number in 10..15 {
        api.call("CreateRepository", &json!({"repositoryName": format!("app{number}")}))
            .expect("a repository");
    }
    let first = api.call("DescribeRepositories", &json!({"maxResults": 4})).expect("a page");
    let second = api
        .call("DescribeRepositories", &json!({"maxResults": 4, "nextToken": first["nextToken"]}))
        .expect("a page");
    assert_eq!(
        (first["repositories"].as_array().map(Vec::len), second["repositories"].as_array().map(Vec::len)),
        (Some(4), Some(2))
    );
    assert!(second.get("nextToken").is_none());
    assert_eq!(refused(&api, "NoSuchThing", json!({})), "UnknownOperationException");
}

#[test]
fn describing_images() {
    let (api, image) = with_image();
    let described = call(&api, "DescribeImages", json!({"imageIds": [{"imageTag": "1"}]})).expect("the image");
    let detail = &described["imageDetails"][0];
    assert_eq!((&detail["imageDigest"], &detail["imageTags"]), (&json!(image.digest()), &json!(["1"])));
    assert_eq!((&detail["imagePushedAt"], &detail["imageStatus"]), (&json!(1_768_503_600.5), &json!("ACTIVE")));
    let config: u64 = image
        .images()
        .map(|child| api.store().blob("app", &child.blobs[0]).expect("a configuration").size())
        .max()
        .unwrap_or(0);
    assert_eq!(detail["imageSizeInBytes"], config + 300, "the largest manifest's");
    assert!(detail.get("artifactMediaType").is_none());

    let error = call(&api, "DescribeImages", json!({"imageIds": [{"imageTag": "1"}, {"imageTag": "2"}]}))
        .expect_err("one is missing");
    assert_eq!(error.code, "ImageNotFoundException");
    assert_eq!(
        error.message,
        "The image with imageId {imageDigest:'null', imageTag:'2'} does not exist within the repository with name \
         'app' in the registry with id '123456789012'"
    );
    assert_eq!(refused(&api, "DescribeImages", json!({"repositoryName": "absent"})), "RepositoryNotFoundException");
    assert_eq!(
        refused(&api, "DescribeImages", json!({"registryId": "999999999999"})),
        "RepositoryNotFoundException"
    );
    assert_eq!(
        refused(&api, "DescribeImages", json!({"imageIds": vec![json!({"imageTag": "1"}); 101]})),
        "InvalidParameterException"
    );

    let mut request = json!({"maxResults": 2});
    let mut digests = Vec::new();
    loop {
        let page = call(&api, "DescribeImages", request.clone()).expect("a page");
        digests.extend(
            page["imageDetails"].as_array().expect("details").iter().map(|detail| detail["imageDigest"].clone()),
        );
        if page["nextToken"].is_null() {
            break;
        }
        request["nextToken"] = page["nextToken"].clone();
    }
    assert_eq!(digests.len(), 5);
    let tagged = call(&api, "DescribeImages", json!({"filter": {"tagStatus": "TAGGED"}})).expect("a page");
    assert_eq!(tagged["imageDetails"].as_array().map(Vec::len), Some(1));
    let listed = call(&api, "ListImages", json!({"filter": {"tagStatus": "UNTAGGED"}})).expect("a page");
    assert_eq!(listed["imageIds"].as_array().map(Vec::len), Some(4));
}

#[test]
fn images_in_the_archive() {
    let (api, image) = with_image();
    api.store().set_status("app", image.digest(), ImageStatus::Archived);
    assert_eq!(refused(&api, "DescribeImages", json!({"imageIds": [{"imageTag": "1"}]})), "ImageNotFoundException");
    let any = json!({"imageIds": [{"imageTag": "1"}], "filter": {"imageStatus": "ANY"}});
    assert_eq!(call(&api, "DescribeImages", any).expect("the image")["imageDetails"][0]["imageStatus"], "ARCHIVED");
    let got = call(&api, "BatchGetImage", json!({"imageIds": [{"imageTag": "1"}]})).expect("an answer");
    assert_eq!(got["failures"][0]["failureCode"], "ImageInaccessible");
}

#[test]
fn getting_images() {
    let (api, image) = with_image();
    let other = image.children[0].digest.as_str();
    let ids = json!([
        {"imageTag": "1"}, {"imageDigest": other}, {"imageTag": "2"}, {"imageTag": "1", "imageDigest": other}, {"imageDigest": "sha256:1"}, {},
    ]);
    let got = call(&api, "BatchGetImage", json!({"imageIds": ids, "acceptedMediaTypes": ["read by nobody"]}))
        .expect("an answer");
    assert_eq!(got["images"][0]["imageManifest"].as_str().map(str::as_bytes), Some(&image.top.bytes[..]));
    assert_eq!(got["images"][0]["imageId"], json!({"imageDigest": image.digest(), "imageTag": "1"}));
    assert_eq!(got["images"][1]["imageId"], json!({"imageDigest": other}));
    let codes: Vec<_> = got["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|failure| &failure["failureCode"])
        .collect();
    assert_eq!(codes, ["ImageNotFound", "ImageTagDoesNotMatchDigest", "InvalidImageDigest", "MissingDigestAndTag"]);
    let described = call(&api, "DescribeImages", json!({"imageIds": [{"imageTag": "1"}]})).expect("the image");
    assert_eq!(described["imageDetails"][0]["lastRecordedPullTime"], 1_768_503_600.5, "it counts as a pull");
}

#[test]
fn putting_images() {
    let (api, image) = with_image();
    let manifest = String::from_utf8_lossy(&image.top.bytes).into_owned();
    let put = |tag: &str, manifest: &str| json!({"imageManifest": manifest, "imageTag": tag, "imageManifestMediaType": image.top.media_type});
    assert_eq!(refused(&api, "PutImage", put("1", &manifest)), "ImageAlreadyExistsException");
    let done = call(&api, "PutImage", put("2", &manifest)).expect("another tag for the same image");
    assert_eq!(done["image"]["imageId"], json!({"imageDigest": image.digest(), "imageTag": "2"}));
    assert_eq!(api.store().pushes().last().and_then(|push| push.tag.clone()).as_deref(), Some("2"));

    let mut wrong = put("3", &manifest);
    wrong["imageDigest"] = json!(image.children[0].digest);
    assert_eq!(refused(&api, "PutImage", wrong), "ImageDigestDoesNotMatchException");
    let other = Sample::multi_arch(2).build();
    let index = String::from_utf8_lossy(&other.top.bytes).into_owned();
    assert_eq!(refused(&api, "PutImage", put("3", &index)), "ReferencedImagesNotFoundException");
    let child = String::from_utf8_lossy(&other.children[0].bytes).into_owned();
    assert_eq!(refused(&api, "PutImage", json!({"imageManifest": child})), "LayersNotFoundException");
    assert_eq!(refused(&api, "PutImage", put("3", "{}")), "InvalidParameterException");

    call(&api, "PutImageTagMutability", json!({"imageTagMutability": "IMMUTABLE"})).expect("a setting");
    let child = String::from_utf8_lossy(&image.children[0].bytes).into_owned();
    assert_eq!(
        refused(&api, "PutImage", json!({"imageManifest": child, "imageTag": "1"})),
        "ImageTagAlreadyExistsException"
    );
    assert_eq!(refused(&api, "PutImage", put("1", &manifest)), "ImageAlreadyExistsException");
}

#[test]
fn deleting_images() {
    let (api, image) = with_image();
    let child = json!({"imageDigest": image.children[0].digest});
    let answer = call(&api, "BatchDeleteImage", json!({"imageIds": [child, {"imageTag": "2"}]})).expect("an answer");
    assert_eq!(answer["failures"][0]["failureCode"], "ImageReferencedByManifestList");
    assert_eq!(answer["failures"][1]["failureCode"], "ImageNotFound");
    let answer = call(&api, "BatchDeleteImage", json!({"imageIds": [{"imageTag": "1"}]})).expect("an answer");
    assert_eq!(answer["imageIds"], json!([{"imageDigest": image.digest(), "imageTag": "1"}]));
    assert!(api.store().image("app", image.digest().as_str()).is_none(), "the last tag takes the image with it");
    let answer = call(&api, "BatchDeleteImage", json!({"imageIds": [child]})).expect("an answer");
    assert_eq!(answer["imageIds"], json!([child]));
}

#[test]
fn layers() {
    let (api, image) = with_image();
    let server = RegistryServer::ecr(api.store(), Default::default());
    let layer = image.children[0].blobs[1].clone();
    let absent = pullsafe::reference::Digest::of(b"absent");
    let answer = call(&api, "BatchCheckLayerAvailability", json!({"layerDigests": [layer, absent, "sha256:1"]}))
        .expect("an answer");
    assert_eq!(answer["layers"][0]["layerAvailability"], "AVAILABLE");
    assert_eq!(
        (&answer["layers"][0]["layerSize"], &answer["layers"][1]["layerAvailability"]),
        (&json!(100), &json!("UNAVAILABLE"))
    );
    assert_eq!(answer["failures"][0]["failureCode"], "InvalidLayerDigest");
    assert_eq!(
        refused(&api, "BatchCheckLayerAvailability", json!({"layerDigests": []})),
        "InvalidParameterException"
    );

    assert_eq!(refused(&api, "GetDownloadUrlForLayer", json!({"layerDigest": absent})), "LayersNotFoundException");
    let link = call(&api.clone().downloads_from(&server), "GetDownloadUrlForLayer", json!({"layerDigest": layer}))
        .expect("a link");
    assert!(link["downloadUrl"].as_str().is_some_and(|url| url.starts_with(server.cdn_url())));

    for child in &image.children {
        api.store().set_status("app", &child.digest, ImageStatus::Archived);
    }
    let answer = call(&api, "BatchCheckLayerAvailability", json!({"layerDigests": [layer]})).expect("an answer");
    assert_eq!(answer["layers"][0]["layerAvailability"], "ARCHIVED");
}

#[test]
fn account_settings_and_tokens() {
    let (api, _) = with_image();
    let setting = json!({"name": "BLOB_MOUNTING"});
    assert_eq!(api.call("GetAccountSetting", &setting).expect("a setting")["value"], "DISABLED");
    api.call("PutAccountSetting", &json!({"name": "BLOB_MOUNTING", "value": "ENABLED"}))
        .expect("a setting");
    assert_eq!(api.call("GetAccountSetting", &setting).expect("a setting")["value"], "ENABLED");
    assert!(api.store().blob_mounting());
    let token = api.call("GetAuthorizationToken", &json!({})).expect("a token")["authorizationData"][0].clone();
    assert_eq!(token["expiresAt"], 1_768_503_600.5 + 43_200.0);
    assert_eq!(token["proxyEndpoint"], "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com");
}

#[test]
fn events_have_the_shape_of_eventbridge() {
    let digest = pullsafe::reference::Digest::of(b"1");
    let push = ecr_push_event("web", Some("1.4.3"), &digest, now());
    assert_eq!(
        (&push["source"], &push["detail-type"], &push["time"]),
        (&json!("aws.ecr"), &json!("ECR Image Action"), &json!("2026-01-15T19:00:00Z"))
    );
    assert_eq!((&push["detail"]["action-type"], &push["detail"]["image-tag"]), (&json!("PUSH"), &json!("1.4.3")));
    assert_eq!(push, ecr_push_event("web", Some("1.4.3"), &digest, now()), "the same happening has the same id");
    assert!(ecr_push_event("web", None, &digest, now())["detail"].get("image-tag").is_none());
    assert_eq!(ecr_replication_event("web", Some("1"), &digest, now())["detail"]["action-type"], "REPLICATE");
    let cached = ecr_pull_through_event("docker-hub/library/python", Some("3.11"), &digest, now());
    assert_eq!(
        (&cached["detail"]["sync-status"], &cached["detail"]["ecr-repository-prefix"]),
        (&json!("SUCCESS"), &json!("docker-hub"))
    );
}
