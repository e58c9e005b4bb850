//! Rows for texts that no sentence matches. They decide on the fields of a [`Chain`](crate::chain::Chain): the last
//! answer, the registry that gave it, and the image. None of them can mean Docker Hub's pull quota.

use super::limits::says_which_limit;
use super::prelude::*;
use crate::registries::ErrorMeaning;
use crate::row::Reads;

const ECR: &[Registry] = &[Registry::EcrPrivate, Registry::EcrPrivateApi];
const SETTLED: Option<&str> = Some("a manifest HEAD with the credentials of the task definition");

/// The rows, in the order in which they are tried.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "answer-limit-ecr",
        cause: Cause::RegistryRateLimited,
        kind: Some(Kind::ApiThrottle),
        reads: &[Reads::Status(429, 429), Reads::Code(ErrorMeaning::TooManyRequests)],
        cut_inside: &["toomanyrequests: data limit exceeded"],
        also: Some(says_which_limit),
        hosts: ECR,
        advice: "Amazon ECR throttles pulls in this account and region. Start fewer tasks at once and retry; ECR's \
            image-pull rates are quotas that can be raised.",
        example: seen_with(
            "Error: initializing source docker://123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1: pinging \
             container registry 123456789012.dkr.ecr.eu-west-1.amazonaws.com: StatusCode: 429, \"\"",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1",
            "podman",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-limit",
        cause: Cause::RegistryRateLimited,
        confidence: Confidence::Medium,
        reads: &[Reads::Status(429, 429), Reads::Code(ErrorMeaning::TooManyRequests)],
        cut_inside: &["toomanyrequests: data limit exceeded"],
        also: Some(says_which_limit),
        settled_by: Some("the registry's own words: which of its limits it is"),
        advice: "{host|The registry} limits its callers{limit? ($)}. Wait and retry with growing pauses; start fewer \
            tasks at once; pull with credentials; copy the image to a private ECR repository if it lasts.",
        example: seen_with(
            "Error: initializing source docker://registry.example.com/api:1: pinging container registry \
             registry.example.com: StatusCode: 429, \"slow down\"",
            "registry.example.com/api:1",
            "podman",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-archived",
        cause: Cause::ImageArchived,
        confidence: Confidence::Medium,
        reads: &[Reads::Code(ErrorMeaning::Archived)],
        settled_by: Some("DescribeImages: the image's storage class"),
        advice: "`{image|The image}` is in ECR's archive storage class, and an archived image cannot be pulled (the \
            registry answers as if it did not exist). Restore it (`aws ecr update-image-storage-class \
            --target-storage-class STANDARD` with its repository and `--image-id`), wait until it is active (up to 20 \
            minutes), and exempt what runs from the lifecycle rule that archives.",
        example: seen_with(
            "CannotPullContainerError: failed to resolve ref 123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1: \
             ImageArchivedException: the image is in the archive",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1",
            "Amazon ECR",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-blocked",
        cause: Cause::RegistryAuthDenied,
        why: Some(Why::Permission),
        confidence: Confidence::Medium,
        reads: &[Reads::Code(ErrorMeaning::Blocked)],
        settled_by: Some(
            "the policy that refused: the registry's, or the host's (vulnerabilities, signature, firewall)",
        ),
        advice: "`{image|The image}` may be there, and a policy of {host|the registry} or of this host keeps it from \
            being pulled: a vulnerability above its threshold, a missing or wrong signature, or a firewall's rule. \
            Look at the image's scan and signatures; push (or sign) an image that passes, or have the rule's owner \
            make an exception.",
        example: seen_with(
            "CannotPullContainerError: unexpected status from HEAD request to \
             https://harbor.example.com/v2/team/api/manifests/1: 412 Precondition Failed: current image with 2 \
             vulnerabilities cannot be pulled due to configured policy in 'Prevent images with vulnerability severity \
             of \"High\" or higher from running.'",
            "harbor.example.com/team/api:1",
            "Harbor",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-name-unknown",
        cause: Cause::RepositoryNotFound,
        confidence: Confidence::Medium,
        reads: &[Reads::Code(ErrorMeaning::NameUnknown)],
        settled_by: Some("DescribeRepositories with the registry's id, or the registry's own list; near names"),
        advice: "Repository `{repository|of the image}` does not exist in {host|the registry}. Check account, region \
            and name; create it, or correct the image.",
        example: seen_with(
            "Error: reading manifest 1 in acme.jfrog.io/docker/api: Unable to find Docker repository for path \
             'docker/api'",
            "acme.jfrog.io/docker/api:1",
            "JFrog Artifactory",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-refused-ecr",
        cause: Cause::EcrPermissionDenied,
        why: Some(Why::Permission),
        confidence: Confidence::Medium,
        reads: &[
            Reads::Status(401, 401),
            Reads::Status(403, 403),
            Reads::Code(ErrorMeaning::Denied),
            Reads::Code(ErrorMeaning::Unauthorized),
        ],
        hosts: ECR,
        settled_by: Some("the tail of the text; DescribeRepositories with the registry's id; the role by simulation"),
        advice: "Amazon ECR refuses the pull of `{image|the image}`. Look at `ecr:BatchGetImage`, \
            `ecr:GetDownloadUrlForLayer`, `ecr:BatchCheckLayerAvailability` and `ecr:GetAuthorizationToken` of \
            {puller}, at the repository policy (across accounts), the policy of the `ecr.dkr` endpoint, and at \
            account and region in the image's host.",
        example: seen_with(
            "Error: initializing source docker://123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1: pinging \
             container registry 123456789012.dkr.ecr.eu-west-1.amazonaws.com: StatusCode: 403, \"\"",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1",
            "podman",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-refused",
        cause: Cause::RegistryAuthDenied,
        confidence: Confidence::Medium,
        reads: &[
            Reads::Status(401, 401),
            Reads::Status(403, 403),
            Reads::Status(407, 407),
            Reads::Code(ErrorMeaning::Denied),
            Reads::Code(ErrorMeaning::Unauthorized),
        ],
        settled_by: SETTLED,
        advice: "{host|The registry} does not accept the pull: no credentials were sent, or wrong ones, or they may \
            not read this repository. Check that the name is spelt right and the image public, or renew the \
            credentials.",
        example: seen_with(
            "Error response from daemon: Head \"https://quay.io/v2/acme/api/manifests/1\": unauthorized",
            "quay.io/acme/api:1",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-digest-gone",
        cause: Cause::ImageDigestGone,
        confidence: Confidence::Medium,
        pinned: true,
        reads: &[Reads::Status(404, 404), Reads::Code(ErrorMeaning::ManifestUnknown), Reads::NotFound],
        settled_by: Some("BatchGetImage of the digest and of the tag"),
        advice: "The digest that the deployment pinned no longer exists in `{repository|the repository}`. If the tag \
            still exists, force a new deployment: it resolves the tag again. Pushing the tag alone does not help.",
        example: seen_with(
            "failed to do request: Head \"https://quay.io/v2/acme/api/manifests/sha256:ab\": \
             quay.io/acme/api:1@sha256:ab does not exist",
            "quay.io/acme/api:1@sha256:ab",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-blob-unknown",
        cause: Cause::ImageCorrupt,
        confidence: Confidence::Medium,
        reads: &[Reads::Code(ErrorMeaning::BlobUnknown), Reads::Code(ErrorMeaning::Invalid)],
        settled_by: Some("a pull on another host, and the registry's own check of the image"),
        advice: "The manifest of `{image|the image}` is there, and what it names is not, or is not what its digest \
            says. Push the image again; if it comes through a cache, remove it there first.",
        example: seen_with(
            "Error: fetching blob from 123456789012.dkr.ecr.eu-west-1.amazonaws.com/api: LayersNotFoundException",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1",
            "Amazon ECR",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-unsupported",
        cause: Cause::ImageUnsupported,
        confidence: Confidence::Medium,
        reads: &[Reads::Code(ErrorMeaning::Unsupported)],
        settled_by: Some("the media type of the manifest"),
        advice: "The registry or the runtime does not support this kind of artifact. Push an OCI or Docker schema 2 \
            image.",
        example: seen_with(
            "Error: reading manifest 1 in quay.io/acme/api: unsupported: the operation is unsupported",
            "quay.io/acme/api:1",
            "podman",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-not-found",
        cause: Cause::ImageNotFound,
        confidence: Confidence::Medium,
        reads: &[Reads::Status(404, 404), Reads::Code(ErrorMeaning::ManifestUnknown), Reads::NotFound],
        settled_by: Some("BatchGetImage or a manifest HEAD"),
        advice: "`{image|The image}` does not exist in {host|its registry}. Push it, or correct the tag; in a \
            pipeline push the image before the service is deployed.",
        example: seen_with(
            "failed to copy: httpReadSeeker: failed open: content at \
             https://ghcr.io/v2/acme/api/manifests/sha256:34ae not found: not found",
            "ghcr.io/acme/api:1",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-server-error",
        cause: Cause::RegistryServerError,
        reads: &[Reads::Status(500, 599), Reads::Code(ErrorMeaning::ServerError)],
        settled_by: Some("the registry's status page"),
        advice: "{host|The registry} failed by itself. Wait and retry; look at its status page; for images that must \
            always start, keep a copy in a private ECR repository.",
        example: seen_with(
            "Error: initializing source docker://quay.io/acme/api:1: Requesting bearer token: invalid status code \
             from registry 502 (Bad Gateway)",
            "quay.io/acme/api:1",
            "podman",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "answer-network",
        cause: Cause::RegistryUnreachable,
        reads: &[Reads::Transport],
        settled_by: Some("a request to the same address from the same subnet"),
        advice: "{host|The registry} could not be reached. Look at the name of the host first. {route} A registry can \
            send layers from another host than its own, which must be reached as well.",
        example: seen_with(
            "failed to copy: httpReadSeeker: failed open: failed to do request: connecting to \
             docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com:443: connectex: the \
             connected party did not properly respond after a period of time",
            "ubuntu",
            "Docker Desktop",
        ),
        ..SignatureRow::EMPTY
    },
];
