//! A registry limits its callers. Only the `hub-pull-quota*` rows mean Docker Hub's pull quota.

use super::prelude::*;

const QUOTA_ADVICE: &str = "Docker Hub's pull quota for {who|this address or account} is used up; it comes back with \
    time only. Take the image from somewhere else: {official?`$`, where ECR Public has the same official image, or }a \
    copy in a private ECR repository. Or log in to Docker Hub (`repositoryCredentials`) to have a quota of your own. \
    Every task that fails now spends more of it{spent|}.";

const OTHER_LIMIT: &str = "{host|The registry} limits its callers. Wait and retry with growing pauses; start fewer \
    tasks at once; pull with credentials; \
    copy the image to a private ECR repository if it lasts. This is not Docker Hub's pull quota.";

/// Whether a text says which limit it means. ECR Public refuses a layer for two reasons, and only the registry's own
/// words after the status tell which.
pub(super) fn says_which_limit(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    !(lower.contains("public.ecr.aws") && lower.contains("/blobs/")) || lower.contains("toomanyrequests:")
}

/// Rows for limits of registries.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "hub-pull-quota",
        cause: Cause::RegistryRateLimited,
        registry: Some(Registry::DockerHub),
        kind: Some(Kind::Quota),
        anonymous: Some(true),
        all: &[&["reached your unauthenticated pull rate limit"]],
        hosts: &[Registry::DockerHub],
        or_unknown_host: true,
        advice: QUOTA_ADVICE,
        example: seen_with(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): 429 Too Many Requests - Server \
             message: toomanyrequests: You have reached your unauthenticated pull rate limit",
            "acme/court-case-backend:latest",
            "Docker Hub through Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "hub-pull-quota-account",
        cause: Cause::RegistryRateLimited,
        registry: Some(Registry::DockerHub),
        kind: Some(Kind::Quota),
        anonymous: Some(false),
        all: &[&["reached your pull rate limit as", "reached your authenticated pull rate limit"]],
        hosts: &[Registry::DockerHub],
        or_unknown_host: true,
        advice: QUOTA_ADVICE,
        example: seen_with(
            "toomanyrequests: You have reached your pull rate limit as 'acme': dckr_jti_x",
            "acme/api",
            "Docker Hub",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "hub-pull-quota-older",
        cause: Cause::RegistryRateLimited,
        registry: Some(Registry::DockerHub),
        kind: Some(Kind::Quota),
        all: &[&["reached your pull rate limit"]],
        hosts: &[Registry::DockerHub],
        or_unknown_host: true,
        advice: QUOTA_ADVICE,
        example: seen(
            "CannotPullContainerError: You have reached your pull rate limit. You may increase the limit by \
             authenticating and upgrading: https://www.docker.com/increase-rate-limits.",
            "Amazon ECS Developer Guide, CannotPullContainer task errors",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "hub-pull-quota-behind-proxy",
        cause: Cause::RegistryRateLimited,
        kind: Some(Kind::Quota),
        all: &[&["pull rate limit"], &["you have reached your"]],
        settled_by: Some("the proxy's own log: whose limit it repeats"),
        advice: "The image comes from {host|a proxy}, which repeats Docker Hub's words: the proxy's own address or \
            account is over the quota. Give the proxy \
                 Docker Hub credentials, or copy the image to a private ECR repository; moving the service's Docker \
                 Hub images would not help.",
        example: seen_with(
            "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and \
             upgrading",
            "acme.jfrog.io/docker-remote/library/redis:7",
            "JFrog Artifactory, repeating Docker Hub",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-public-data-limit",
        cause: Cause::RegistryDataLimit,
        registry: Some(Registry::EcrPublic),
        all: &[&["data limit exceeded"]],
        advice: "ECR Public's data allowance of this address is used up. Log in to ECR Public with an AWS account \
            (`aws ecr-public get-login-password`), or use an ECR \
                 pull-through cache rule for public.ecr.aws; waiting within one job does not help.",
        example: seen("Error response from daemon: toomanyrequests: Data limit exceeded", "ECR Public"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ghcr-limit",
        cause: Cause::RegistryRateLimited,
        registry: Some(Registry::Ghcr),
        kind: Some(Kind::Burst),
        all: &[&["retry-after:"], &["allowed:"]],
        none: &["pull rate limit"],
        advice: OTHER_LIMIT,
        example: seen("toomanyrequests: retry-after: 985.86µs, allowed: 44000/minute", "GitHub Container Registry"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-api-throttle",
        cause: Cause::RegistryRateLimited,
        registry: Some(Registry::EcrPrivateApi),
        kind: Some(Kind::ApiThrottle),
        all: &[
            &["throttlingexception", "requestlimitexceeded", "throttling: rate exceeded"],
            &["ecr:", ".ecr.", " ecr ", "cannotpullecr", "ecr/"],
        ],
        none: &["unable to retrieve secret", "secretsmanager", "ssm:", "network interface"],
        advice: "Amazon ECR throttles its API in this account and region. Start fewer tasks at once and retry; the \
            quota of GetAuthorizationToken can be raised.",
        example: seen("CannotPullECRContainerError: ThrottlingException: Rate exceeded status code: 400", "ECS agent"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-public-limit",
        cause: Cause::RegistryRateLimited,
        kind: Some(Kind::Burst),
        all: &[&["rate exceeded"], &["toomanyrequests", "too many requests", "429"]],
        hosts: &[Registry::EcrPublic],
        advice: "ECR Public limits anonymous callers to one pull a second for each address, authenticated ones to \
            ten. Log in, start fewer tasks at once, or use an \
                 ECR pull-through cache rule for public.ecr.aws. This is not Docker Hub's pull quota.",
        example: seen_with(
            "Error response from daemon: toomanyrequests: Rate exceeded",
            "public.ecr.aws/zebrunner/appium:2.0.2",
            "ECR Public",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-limit",
        cause: Cause::RegistryRateLimited,
        kind: Some(Kind::ApiThrottle),
        all: &[&[
            "toomanyrequests:",
            "429 too many requests",
            "throttlingexception",
            "rate exceeded",
            "429: too many requests",
            "status code 429",
            "http status: 429",
        ]],
        hosts: &[Registry::EcrPrivate, Registry::EcrPrivateApi],
        cut_inside: &["toomanyrequests: data limit exceeded"],
        advice: "Amazon ECR throttles pulls in this account and region. Start fewer tasks at once and retry; ECR's \
            image-pull rates are quotas that can be raised.",
        example: seen_with(
            "toomanyrequests: Rate exceeded",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1",
            "Amazon ECR",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "rate-exceeded-somewhere",
        cause: Cause::RegistryRateLimited,
        confidence: Confidence::Medium,
        all: &[&["toomanyrequests: rate exceeded"]],
        settled_by: Some("the host of the image: ECR Public and Amazon ECR use the same words"),
        advice: OTHER_LIMIT,
        example: seen("Error response from daemon: toomanyrequests: Rate exceeded", "ECR Public or Amazon ECR"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "hub-burst",
        cause: Cause::RegistryRateLimited,
        registry: Some(Registry::DockerHub),
        kind: Some(Kind::Burst),
        confidence: Confidence::Medium,
        all: &[&["hap429", "abuse rate limit", "toomanyrequests: too many requests"]],
        none: &["pull rate limit"],
        hosts: &[Registry::DockerHub],
        or_unknown_host: true,
        settled_by: Some("a manifest HEAD at Docker Hub: if `ratelimit-remaining` is 0 the quota is used up as well"),
        advice: "Docker Hub's abuse limit: too many requests from one address in a short time, whatever the quota. \
            Start fewer tasks at once and retry after a \
                 minute; a copy of the image in a private ECR repository ends it for good.",
        example: seen(
            "CannotPullContainerError: ERROR: toomanyrequests: Too Many Requests.",
            "Amazon ECS Developer Guide, CannotPullContainer task errors",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "hub-429-without-words",
        cause: Cause::RegistryRateLimited,
        confidence: Confidence::Medium,
        all: &[&[
            "429 too many requests",
            "429: too many requests",
            "status code 429",
            "http status: 429",
            "toomanyrequests:",
        ]],
        hosts: &[Registry::DockerHub],
        cut_inside: &["toomanyrequests: data limit exceeded"],
        settled_by: Some(
            "a manifest HEAD at Docker Hub: `ratelimit-remaining: 0` means the quota, anything else the abuse limit",
        ),
        advice: "Docker Hub answered 429 and the text does not say which limit. If it is the pull quota, take the \
            image from elsewhere ({official?`$`, or }a copy in a private ECR repository) or log in; if it is the \
            abuse limit, waiting a minute is enough.",
        example: seen_with(
            "pulling from host registry-1.docker.io failed with status code [manifests 20.10]: 429 Too Many Requests",
            "docker:20.10",
            "containerd, BuildKit",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "other-429",
        cause: Cause::RegistryRateLimited,
        kind: Some(Kind::Burst),
        all: &[&[
            "429 too many requests",
            "429: too many requests",
            "status code 429",
            "http status: 429",
            "toomanyrequests:",
            "too many requests to registry",
            "quota exceeded for quota metric",
            "429 (too many requests)",
            "http 429",
        ]],
        hosts: &[
            Registry::EcrPublic,
            Registry::Ghcr,
            Registry::Quay,
            Registry::Gitlab,
            Registry::Proxy,
            Registry::Other,
        ],
        cut_inside: &["toomanyrequests: data limit exceeded"],
        also: Some(says_which_limit),
        advice: OTHER_LIMIT,
        example: seen_with(
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref \
             registry.gitlab.com/g/p:1: unexpected status from HEAD request to \
             https://registry.gitlab.com/v2/g/p/manifests/1: 429 Too Many Requests",
            "registry.gitlab.com/g/p:1",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "429-of-unknown-registry",
        cause: Cause::RegistryRateLimited,
        confidence: Confidence::Medium,
        all: &[&[
            "429 too many requests",
            "429: too many requests",
            "status code 429",
            "http status: 429",
            "toomanyrequests:",
            "too many requests to registry",
            "429 (too many requests)",
            "http 429",
        ]],
        cut_inside: &["toomanyrequests: data limit exceeded"],
        settled_by: Some("the host of the image"),
        also: Some(says_which_limit),
        advice: "A registry answered 429, and neither the text nor the {task} says which one or which limit. Look at \
            the image in the {definition}.",
        example: seen(
            "CannotPullContainerError: ref pull has been retried 5 time(s): unexpected status: 429 Too Many Requests",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
];
