//! The registry answered and refused: permission, credentials, or a repository that is not there.

use super::prelude::*;

const ACTION: Option<SubjectPosition> = named(
    NameShape::Action,
    &["not authorized to perform: ", "no identity-based policy allows the "],
    &[' ', ','],
);
const ECR: &[Registry] = &[Registry::EcrPrivate, Registry::EcrPrivateApi];
/// Registries that take their credentials from repositoryCredentials rather than from IAM.
const OTHERS: &[Registry] = &[
    Registry::DockerHub,
    Registry::EcrPublic,
    Registry::Ghcr,
    Registry::Quay,
    Registry::Gitlab,
    Registry::Proxy,
    Registry::Other,
];
const FORBIDDEN: &[&str] =
    &["403 forbidden", "status code 403", "403: forbidden", "status: 403", "denied: forbidden", "http 403"];
const UNAUTHORIZED: &[&str] = &[
    "401 unauthorized",
    "server returned 401",
    "denied: denied",
    "denied: permission denied for",
    "status code 401",
    "http status: 401",
    "unauthorized:",
    "authentication required",
    "authentication is required",
    "registry auth data",
    "unable to fetch docker auth",
    "no basic auth",
    "incorrect username",
    "invalid username",
    "invalid user name",
    "access forbidden",
    "access to the resource is denied",
    "authorization token has expired",
    "authorization token is invalid",
    "insufficient_scope",
    "authorization failed",
    "no valid credentials",
    "invalid credentials",
    "bad credentials",
    "access token has insufficient scopes",
    "http basic: access denied",
    "your authorization token has",
    "error from registry: denied",
    "token is expired",
    "unable to retrieve private registry auth",
];
const NETWORK: &[&str] = &[
    "i/o timeout",
    "dial tcp",
    "no such host",
    "tls handshake",
    "connection refused",
    "deadline exceeded",
    "failed to do request",
    "x509:",
    "eof$",
    "429",
    "toomanyrequests",
];
const LOGIN: &str = "{host|The registry} does not accept the pull: no credentials were sent, or wrong ones. Give the \
    container `repositoryCredentials` with a secret (keys `username` and `password`) that is still valid, which \
    {reader} may read (`secretsmanager:GetSecretValue`); or look whether the image is public and its name is spelt \
    right.";

/// Rows for refusals of a registry.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "ecr-action-denied",
        cause: Cause::EcrPermissionDenied,
        registry: Some(Registry::EcrPrivate),
        why: Some(Why::Permission),
        all: &[&["not authorized to perform: ecr", "policy allows the ecr:", "does not grant ecr:"]],
        subject: ACTION,
        advice: "Amazon ECR does not let {puller} pull from {repository|this repository}. Add \
            `{subject|ecr:BatchGetImage}` to it, usually together with `ecr:BatchGetImage`, \
            `ecr:GetDownloadUrlForLayer`, `ecr:BatchCheckLayerAvailability` and `ecr:GetAuthorizationToken`. Across \
            accounts the repository policy must allow it as well.",
        example: seen(
            "CannotPullContainerError: The task can't pull the image. Check that the role has the permissions to pull \
             images from the registry. Error response from daemon: pull access denied for \
             123456789012.dkr.ecr.us-east-1.amazonaws.com/my_image, repository does not exist or may require 'docker \
             login': denied: User: arn:aws:sts::123456789012:assumed-role/MyBrokenRole/xyz is not authorized to \
             perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:123456789012:repository/test_image because \
             no identity-based policy allows the ecr:BatchGetImage action",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "check-the-role",
        cause: Cause::EcrPermissionDenied,
        why: Some(Why::Permission),
        all: &[&["check that the role has the permissions to pull images"]],
        advice: "Amazon ECR does not let {puller} pull. Give it `ecr:BatchGetImage`, `ecr:GetDownloadUrlForLayer`, \
            `ecr:BatchCheckLayerAvailability` and `ecr:GetAuthorizationToken` (AmazonECSTaskExecutionRolePolicy has \
            them).",
        example: seen(
            "CannotPullContainerError: The task can\u{2019}t pull the image. Check that the role has the permissions \
             to pull images from the registry.",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-layer-bucket-denied",
        cause: Cause::EcrPermissionDenied,
        registry: Some(Registry::EcrPrivate),
        phase: Some(Phase::Layer),
        why: Some(Why::Permission),
        all: &[&["starport-layer-bucket", "redacted ecr url"], FORBIDDEN],
        advice: "The manifest could be read and the layers could not: the policy of the S3 gateway endpoint (or a \
            proxy) blocks ECR's layer bucket. Allow `s3:GetObject` on \
            `arn:aws:s3:::prod-<region>-starport-layer-bucket/*` there.",
        example: seen(
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed \
             open: unexpected status code \
             https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/...: 403 Forbidden",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "repository-name-unknown",
        cause: Cause::RepositoryNotFound,
        all: &[&[
            "name unknown",
            "name_unknown",
            "repositorynotfoundexception",
            "cannot find repository",
            "does not exist in the registry",
            "repository name not known to registry",
            "project not found",
            "the repository with name",
        ]],
        settled_by: Some("DescribeRepositories with the registry's id; near names"),
        advice: "Repository `{repository|of the image}` does not exist in {host|the registry}. Look at account, \
            region and name; create it, or correct the image.{cache}",
        example: seen(
            "CannotPullContainerError: Error response from daemon: repository \
             123456789012.dkr.ecr.us-east-1.amazonaws.com/ecr-public/amazonlinux/amazonlinux not found: name unknown: \
             The repository with name 'ecr-public/amazonlinux/amazonlinux' does not exist in the registry with id \
             '123456789012'",
            "Amazon ECR User Guide",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "no-credentials-sent",
        cause: Cause::RegistryAuthDenied,
        all: &[&["no basic auth"]],
        none: NETWORK,
        advice: "No credentials were sent to {host|the registry}. {login}",
        example: seen_with(
            "CannotPullContainerError: Error response from daemon: Get \
             \"https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/1\": no basic auth credentials",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1",
            "Docker",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-access-denied",
        cause: Cause::EcrPermissionDenied,
        why: Some(Why::Permission),
        confidence: Confidence::Medium,
        all: &[&[
            "access denied",
            "requested access to the resource is denied",
            "insufficient_scope",
            "no basic auth",
            "401 unauthorized",
            "403 forbidden",
            "status code 403",
            "status code 401",
            "status: 403",
            "accessdenied",
            "denied: user",
            "unauthorized:",
            "authorization token",
        ]],
        none: NETWORK,
        hosts: ECR,
        settled_by: Some("the tail of the text; DescribeRepositories with the registry's id; the role by simulation"),
        advice: "Amazon ECR refuses the pull of `{image|the image}`. Look at `ecr:BatchGetImage`, \
            `ecr:GetDownloadUrlForLayer`, `ecr:BatchCheckLayerAvailability` and `ecr:GetAuthorizationToken` of \
            {puller}, at the repository policy (across accounts), the policy of the `ecr.dkr` endpoint, and at \
            account and region in the image's host. Through a pull-through cache of Docker Hub an official image \
            needs `library/` in its path.",
        example: seen_with(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
             123456789012.dkr.ecr.us-east-1.amazonaws.com/backend:latest: pulling from host \
             123456789012.dkr.ecr.us-east-1.amazonaws.com failed with status code [manifests latest]: 403 Forbidden",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/backend:latest",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "hub-official-image-missing",
        cause: Cause::RepositoryNotFound,
        registry: Some(Registry::DockerHub),
        official_image: true,
        all: &[&[
            "pull access denied",
            "insufficient_scope",
            "access to the resource is denied",
            "repository does not exist",
        ]],
        none: NETWORK,
        settled_by: Some("nothing: official images are public, so that a name under library/ can only be missing"),
        advice: "Docker Hub has no official image `{image|of this name}`. It is a misspelling, or the host of a \
            private registry was forgotten (`<account>.dkr.ecr.<region>.amazonaws.com/...`).",
        example: seen_with(
            "CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref \
             \"docker.io/library/ngin:latest\": pull access denied, repository does not exist or may require \
             authorization: server message: insufficient_scope: authorization failed",
            "ngin:latest",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "image-does-not-exist-or-denied",
        cause: Cause::RegistryAuthDenied,
        confidence: Confidence::Medium,
        // The host of a text that is cut after `pull access denied for` may be cut too.
        all: &[&["requested access to the resource is denied", "repository does not exist or may require"]],
        none: NETWORK,
        settled_by: Some(
            "an anonymous token and a manifest HEAD; Docker Hub answers alike for a missing and a private repository",
        ),
        advice: "`{image|The image}` does not exist, or it is private and no valid credentials were sent; \
            {host|the registry} answers alike for both. Check the spelling (was the host of a private registry \
                 forgotten?); for a private image give the container `repositoryCredentials`.",
        example: seen_with(
            "CannotPullContainerError: Error response from daemon: pull access denied for some/nonsense, repository \
             does not exist or may require 'docker login': denied: requested access to the resource is denied",
            "some/nonsense",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "login-refused",
        cause: Cause::RegistryAuthDenied,
        all: &[UNAUTHORIZED],
        none: NETWORK,
        settled_by: Some("a manifest HEAD with the credentials of the task definition"),
        advice: LOGIN,
        example: seen_with(
            "failed to resolve reference \"acme-docker-local.artifactory.example.com/db/server:11\": failed to fetch \
             oauth token: unexpected status: 401 Unauthorized",
            "acme-docker-local.artifactory.example.com/db/server:11",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "login-failed",
        cause: Cause::RegistryAuthDenied,
        confidence: Confidence::Low,
        // These words say what was tried; what came back follows them, unless the text is cut.
        yields: true,
        all: &[&[
            "failed to authorize",
            "failed to fetch anonymous token",
            "failed to fetch oauth token",
            "unable to retrieve auth token",
            ": denied$",
        ]],
        none: NETWORK,
        settled_by: Some(
            "a manifest HEAD with the credentials of the task definition; the text may be cut before a failure of the \
             network",
        ),
        advice: LOGIN,
        example: seen_with(
            "failed to resolve reference \"quay.io/acme/api:1\": failed to authorize: failed to fetch anonymous token",
            "quay.io/acme/api:1",
            "containerd, cut",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "forbidden-elsewhere",
        cause: Cause::RegistryAuthDenied,
        all: &[FORBIDDEN],
        none: NETWORK,
        hosts: OTHERS,
        confidence: Confidence::Medium,
        settled_by: Some("a manifest HEAD with the credentials of the task definition"),
        advice: LOGIN,
        example: seen_with(
            "failed to resolve ref ghcr.io/acme/api:1: unexpected status from HEAD request to \
             https://ghcr.io/v2/acme/api/manifests/1: 403 Forbidden",
            "ghcr.io/acme/api:1",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "refused-with-a-page",
        cause: Cause::RegistryAuthDenied,
        all: &[&["403", "401"], &["<html", "<!doctype html", "body: invalid character"]],
        // S3, behind a registry, answers in XML.
        cut_inside: &["body: invalid character '<' looking for beginning of value: \"<?xml"],
        none: &["<?xml"],
        hosts: OTHERS,
        or_unknown_host: true,
        confidence: Confidence::Medium,
        settled_by: Some("the same request by hand: which server writes that page"),
        advice: "What refused is a web server or proxy in front of {host|the registry} (it answers with an HTML page; \
            Amazon ECR never does). Look at its rules for this caller's address and path, and at the address of the \
            registry; then at the credentials.",
        example: seen(
            "docker: Error: Status 403 trying to pull repository app: \"<html>\\r\\n<head><title>403 \
             Forbidden</title></head>\"",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "forbidden-of-unknown-host",
        cause: Cause::EcrPermissionDenied,
        all: &[FORBIDDEN],
        none: NETWORK,
        confidence: Confidence::Low,
        settled_by: Some("the host of the image in the task definition; ECR is the usual one in ECS"),
        advice: "A registry answered 403 Forbidden. If the image is in Amazon ECR, look at `ecr:BatchGetImage`, \
            `ecr:GetDownloadUrlForLayer`, `ecr:BatchCheckLayerAvailability` and `ecr:GetAuthorizationToken` of \
            {puller}, the repository policy and the endpoint policy; else at its credentials \
            (`repositoryCredentials`).",
        example: seen(
            "CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref \"xxxxx.xxx\": \
             unexpected status code [manifests 6981141]: 403 Forbidden",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "execution-role-404",
        cause: Cause::RepositoryNotFound,
        confidence: Confidence::Medium,
        all: &[&["from amazon elastic container registry using the task execution role"]],
        settled_by: Some("DescribeRepositories with the registry's id"),
        advice: "Amazon ECR has no `{image|such image}`, or {puller} may not see it. Look at account, region and \
            repository of the image.",
        example: seen(
            "The task can\u{2019}t pull the image 'repo/image' from Amazon Elastic Container Registry using the task \
             execution role 'exec'. To fix this, verify that the image URI is correct. Status Code: 404. Response: \
             'not found'",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
];
