//! The registry answered, and the image is missing, malformed, broken or not for this platform.

use super::prelude::*;

/// The image is not for this platform. Before every row that looks for `not found`.
pub static PLATFORM: &[SignatureRow] = &[WINDOWS, OTHER];

/// The host is Windows: it runs only layers that were made for its build of Windows.
const WINDOWS: SignatureRow = SignatureRow {
    id: "platform-windows",
    cause: Cause::PlatformMismatch,
    all: &[&[
        "no matching manifest for windows/",
        "descriptor matching platform 'windows/",
        "no match for current platform windows/",
        "based image is incompatible with a ",
    ]],
    settled_by: Some("the image index: the platforms and Windows versions it offers"),
    advice: "The host is Windows, and `{image|the image}` has no variant for it, or none for its version: layers of \
        Windows need a host of the same build. For an image of Linux place the {task} on Linux hosts \
        (`runtimePlatform.operatingSystemFamily` LINUX); else use the tag for the host's version (`ltsc2019`, \
        `ltsc2022`, `ltsc2025`).",
    example: seen_with(
        "CannotPullContainerError: no matching manifest for windows/amd64 10.0.17763 in the manifest list entries",
        "nginx:1.27",
        "Docker Engine on Windows",
    ),
    ..SignatureRow::EMPTY
};

const OTHER: SignatureRow = SignatureRow {
    id: "platform",
    cause: Cause::PlatformMismatch,
    all: &[&[
        "no match for platform",
        "no match for current platform",
        "descriptor matching platform",
        "a descriptor for platform",
        "no supported platform",
        "does not match the specified platform",
        "platform mismatch",
        "does not match the detected host platform",
        "no image found in manifest list for architecture",
        "no image found in image index for architecture",
        "does not provide the specified platform",
        "image operating system",
        "no matching manifest",
    ]],
    subject: named(
        NameShape::Platform,
        &[
            "no matching manifest for ",
            "descriptor matching platform '",
            "no match for current platform ",
            "specified platform (",
            "host platform (",
        ],
        &[' ', '\'', ',', ')'],
    ),
    settled_by: Some("the image index: the platforms it offers"),
    advice: "`{image|The image}` has no variant for {subject|the platform of the host}. Build and push it for that \
        platform as well{subject? (`docker buildx build --platform $ --push`)}, or let the {definition} ask for a \
        platform that the image offers.",
    example: seen_with(
        "CannotPullContainerError: Error response from daemon: no matching manifest for linux/arm64/v8 in the \
         manifest list entries: no match for platform in manifest: not found",
        "konard/hive-mind:latest",
        "Docker Engine",
    ),
    ..SignatureRow::EMPTY
};

/// The pinned digest is gone. Before the rows of permission: across accounts, such a digest comes back as 403.
pub static DIGEST: &[SignatureRow] = &[
    SignatureRow {
        id: "digest-gone-as-403",
        cause: Cause::ImageDigestGone,
        confidence: Confidence::Medium,
        all: &[&["/blobs/sha256"], &["403 forbidden"], &["head request to", "failed to resolve ref"]],
        none: &["starport-layer-bucket"],
        settled_by: Some("BatchGetImage of the digest and of the tag"),
        advice: "The digest that the deployment pinned no longer exists in `{repository|the repository}` (the \
            registry answers 403 across accounts). Force a new deployment: it resolves the tag again. Pushing the tag \
                 alone does not help. Keep images that run: exempt them from the lifecycle policy.",
        example: seen_with(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
             123456789012.dkr.ecr.us-west-2.amazonaws.com/otel-collector:latest@sha256:863: unexpected status from \
             HEAD request to https://123456789012.dkr.ecr.us-west-2.amazonaws.com/v2/otel-collector/blobs/sha256:863: \
             403 Forbidden",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/otel-collector:latest",
            "containerd; aws/containers-roadmap#2493",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "digest-gone",
        cause: Cause::ImageDigestGone,
        confidence: Confidence::Medium,
        all: &[&["@sha256:"], &["not found", "manifest unknown"]],
        none: &["repository does not exist", "name unknown", "log group"],
        settled_by: Some("BatchGetImage of the digest and of the tag"),
        advice: "The digest that the deployment pinned no longer exists in `{repository|the repository}`. If the tag \
            still exists, force a new deployment: it resolves the tag again. Pushing the tag alone does not help. \
                 Keep images that run: exempt them from the lifecycle policy.",
        example: seen(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
             123456789012.dkr.ecr.eu-west-1.amazonaws.com/example-service:image-tag@sha256:5a1f: not found",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
];

/// The image, its tag or its repository does not exist, or its name cannot exist.
pub static MISSING: &[SignatureRow] = &[
    SignatureRow {
        id: "invalid-reference",
        cause: Cause::InvalidImageReference,
        all: &[&[
            "invalid reference format",
            "normalize image reference",
            "object required",
            "provide a valid source image",
            "did not resolve to an alias",
            "short-name resolution enforced",
            "invalid tag format",
            "is not a valid repository/tag",
            "must be lowercase",
            "invalid reference:",
            "invalid repository name",
            "could not parse reference",
            "error parsing reference",
            "failed to parse reference",
            "couldn't parse image reference",
            "invalid image reference",
            "invalidimagename",
        ]],
        advice: "The image reference is malformed. Correct `image` in the {definition}: `host/repository:tag`, lower \
            case, no scheme, no empty tag (an unset variable in the pipeline?).",
        example: seen(
            "CannotPullContainerError: Error parsing reference: \"nginx:\" is not a valid repository/tag: invalid \
             reference format",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "tag-missing",
        cause: Cause::ImageNotFound,
        confidence: Confidence::Medium,
        all: &[&[
            "manifest unknown",
            "requested image not found",
            "manifest_unknown",
            "manifest not found",
            "imagenotfoundexception",
            "not found in repository",
            "tag does not exist",
            "unknown manifest",
            "tag unknown",
            "manifest is unknown",
            "image does not exist or no pull access",
        ]],
        settled_by: Some(
            "BatchGetImage or a manifest HEAD; through a pull-through cache also the failure code of its event",
        ),
        advice: "`{image|The image}` does not exist in {host|its registry}. Push it, or correct the tag in the \
            {definition}.{cache}",
        example: seen_with(
            "CannotPullContainerError: Error response from daemon: manifest for \
             123456789012.dkr.ecr.us-east-1.amazonaws.com/api:latest not found: manifest unknown: Requested image not \
             found",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:latest",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ref-not-found",
        cause: Cause::ImageNotFound,
        confidence: Confidence::Medium,
        all: &[
            &[
                "failed to resolve ref",
                "manifest for ",
                "pull and unpack image",
                "no such image",
                "image not found",
                "pull image manifest",
                "ref pull has been retried",
            ],
            &[" not found", "no such image"],
        ],
        none: &["log group", "secret", "repository does not exist", "no such host"],
        settled_by: Some("BatchGetImage or a manifest HEAD"),
        advice: "`{image|The image}` does not exist in {host|its registry}. Push it, or correct the tag in the \
            {definition}; in a pipeline push the image before the service is deployed.",
        example: seen_with(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref \
             123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/rag-nginx:latest: not found.",
            "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/rag-nginx:latest",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "repository-missing",
        cause: Cause::RepositoryNotFound,
        confidence: Confidence::Medium,
        all: &[&["repository "], &[" not found", "does not exist"]],
        none: &["log group", "in repository", "secret", "no such host", "pull access denied"],
        settled_by: Some("DescribeRepositories with the registry's id; near names"),
        advice: "Repository `{repository|of the image}` does not exist in {host|its registry}. Look at account, \
            region and name; create it, or correct the image.",
        example: seen(
            "CannotPullContainerError: API error (404): repository \
             123456789012.dkr.ecr.us-east-1.amazonaws.com/team/api not found",
            "Amazon ECS Developer Guide",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "image-exists",
        cause: Cause::RegistryAuthDenied,
        confidence: Confidence::Low,
        all: &[&["check whether the image exists"]],
        settled_by: Some("a manifest HEAD; the agent writes this for a missing and for a private image"),
        advice: "`{image|The image}` does not exist, or it is private and no valid credentials were sent. Check the \
            spelling, then the credentials.",
        example: seen(
            "CannotPullContainerError: The task can\u{2019}t pull the image. Check whether the image exists.",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
];

/// The bytes are wrong, or of a kind that the runtime does not know.
pub static BROKEN: &[SignatureRow] = &[
    SignatureRow {
        id: "attestation-as-layer",
        cause: Cause::ImageCorrupt,
        all: &[&["in-toto", "no processor for media-type", "failed to get stream processor"]],
        none: &["unsupported media type"],
        advice: "The image's index is broken: an attestation stands where a layer is expected. Build and push again \
            with `--provenance=false --sbom=false`, or with a newer buildx.",
        example: seen(
            "CannotPullContainerError: ref pull has been retried 1 time(s): failed to unpack image on snapshotter \
             overlayfs: failed to extract layer sha256:c02342326b04: failed to get stream processor for \
             application/vnd.in-toto+json: no processor for media-type: unknown",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "media-type",
        cause: Cause::ImageUnsupported,
        all: &[&[
            "unsupported media type",
            "media type is no longer supported",
            "schema1 manifest",
            "schema 1 support",
            "docker image format v1",
            "manifest schema 1",
            "unsupported manifest",
            "unsupported image",
            "mediatype in manifest should be",
            "unknown media type",
            "encountered unknown type",
            "target media type",
            "config mediatype",
            "unsupported docker v1",
            "application/vnd.docker.distribution.manifest.v1",
            "missing signature key",
            "ctr: no signatures",
            "media type for the source image",
            "unsupportedimagelayer",
        ]],
        advice: "The runtime cannot run this kind of artifact (an old manifest schema, a Helm chart, a Windows image, \
            an attestation). Push an OCI or Docker schema 2 image.",
        example: seen(
            "CannotPullContainerError: media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no \
             longer supported since containerd v2.0, please rebuild the image as \
             \"application/vnd.oci.image.manifest.v1+json\"",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "lchown",
        cause: Cause::ImageCorrupt,
        all: &[&["lchown"], &["invalid argument"]],
        advice: "A file of the image has a user or group id outside of what the host maps. Build the image again with \
            small numeric ids (`COPY --chown`), or without files that were packed on a host with large ids.",
        example: seen(
            "CannotPullContainerError: failed to register layer: Error processing tar file(exit status 1): lchown \
             <FILE>: invalid argument",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "layer-broken",
        cause: Cause::ImageCorrupt,
        confidence: Confidence::Medium,
        all: &[&[
            "unexpected commit digest",
            "failed commit on ref",
            "unexpected commit size",
            "layer verification failed",
            "verification failed for digest",
            "digest did not match",
            "digest mismatch",
            "failed precondition: unexpected",
            "size validation failed",
            "gzip: invalid header",
            "invalid tar header",
            "invalid checksum",
            "layers from manifest don't match",
            "rootfs layers mismatch",
            "diffids don't match",
            "number of layers and diffids",
            "wrong diff id",
            "mismatched image rootfs",
            "manifest invalid",
            "manifest verification failed",
            "flate: corrupt input",
            "zstd: ",
            "unable to verify",
            "blob unknown",
        ]],
        settled_by: Some("a pull on another host: a full disk or a broken network look alike"),
        advice: "The bytes that arrived are not what the manifest says. Retry once on another host; if it fails \
            again, build and push `{image|the image}` again.",
        example: seen(
            "CannotPullContainerError: filesystem layer verification failed for digest sha256:2b96f",
            "Amazon ECS Developer Guide",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "layer-driver",
        cause: Cause::ImageCorrupt,
        confidence: Confidence::Medium,
        all: &[
            &["failed to register layer", "applylayer", "processing tar file"],
            &[
                "unexpected eof",
                "input/output error",
                "devicemapper",
                "devmapper",
                "error creating overlay mount",
                "invalid argument",
                "file exists",
                "operation not permitted",
                "not a directory",
                "re-exec error",
                "utilityvm",
                "importlayer",
            ],
        ],
        none: &["thin pool", "no space left"],
        settled_by: Some("a pull on another host"),
        advice: "A layer could not be unpacked by the host's storage driver. If the pull works on another host, \
            replace this one; else push `{image|the image}` again. {machine}",
        example: seen(
            "CannotPullContainerError: failed to register layer: devicemapper: Error running deviceResume dm_task_run \
             failed",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
];
