//! ECR's credentials, which Fargate fetches in the same step as the secrets and reports under the same head.

use super::prelude::*;
use super::secrets::{ACTION, DENIED, NETWORK};

/// Whether the text is not cut inside the name of the throttling error: a part of it (`Throttli`) is not a network
/// failure.
fn is_whole(text: &str) -> bool {
    let error = text.rsplit("time(s)").next().unwrap_or_default().trim_matches([':', '.', ' ']);
    !"throttlingexception".starts_with(&error.to_ascii_lowercase()) || error.is_empty()
}

/// Rows for failures to get ECR's credentials.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "ecr-auth-denied",
        cause: Cause::EcrPermissionDenied,
        registry: Some(Registry::EcrPrivateApi),
        phase: Some(Phase::Auth),
        why: Some(Why::Permission),
        all: &[
            &[
                "ecr registry auth",
                "registry auth from amazon ecr",
                "ecr:getauthorizationtoken",
                "registry authentication from amazon ecr",
            ],
            DENIED,
        ],
        subject: ACTION,
        advice: "Amazon ECR does not let {puller} log in. Add `{subject|ecr:GetAuthorizationToken}` on resource `*` \
            to it (AmazonECSTaskExecutionRolePolicy has it).",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
             failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): \
             AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/1 is not authorized to perform: \
             ecr:GetAuthorizationToken on resource: *",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-auth-throttled",
        cause: Cause::RegistryRateLimited,
        registry: Some(Registry::EcrPrivateApi),
        kind: Some(Kind::ApiThrottle),
        all: &[
            &["ecr registry auth", "registry auth from amazon ecr", "ecr: getauthorizationtoken"],
            &["throttling", "rate exceeded", "toomanyrequests"],
        ],
        advice: "Amazon ECR throttles GetAuthorizationToken in this account and region. Start fewer tasks at once and \
            retry.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve ecr registry \
             auth: service call has been retried 3 time(s): ThrottlingException: Rate exceeded",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-auth-dns",
        cause: Cause::RegistryUnreachable,
        registry: Some(Registry::EcrPrivateApi),
        phase: Some(Phase::Auth),
        why: Some(Why::Dns),
        all: &[
            &[
                "ecr registry auth",
                "registry auth from amazon ecr",
                "registry authentication from amazon ecr",
                "ecr: getauthorizationtoken",
            ],
            &["no such host", "server misbehaving", "temporary failure in name resolution"],
        ],
        advice: "The name of ECR's API does not resolve. Turn on DNS support and DNS host names of the VPC, and \
            private DNS of the interface endpoint `ecr.api` if there is one.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve ecr registry \
             auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post \
             \"https://api.ecr.eu-west-1.amazonaws.com/\": dial tcp: lookup api.ecr.eu-west-1.amazonaws.com: no such \
             host",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-auth-unreachable",
        cause: Cause::RegistryUnreachable,
        registry: Some(Registry::EcrPrivateApi),
        phase: Some(Phase::Auth),
        why: Some(Why::Timeout),
        all: &[
            &[
                "ecr registry auth",
                "registry auth from amazon ecr",
                "registry authentication from amazon ecr",
                "ecr: getauthorizationtoken",
                "api.ecr.",
                "task and amazon ecr",
            ],
            NETWORK,
        ],
        none: &["can't pull the image", "cannot pull '", "cannotpullcontainererror"],
        advice: "ECR's API is not reached. {route} A missing `ecr:GetAuthorizationToken` may show up afterwards.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth \
             from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network \
             configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https \
             response error StatusCode: 0, RequestID: , request send failed, Post \
             \"https://api.ecr.us-east-1.amazonaws.com/\": dial tcp 44.213.79.104:443: i/o timeout",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "ecr-auth-cut-network",
        cause: Cause::RegistryUnreachable,
        registry: Some(Registry::EcrPrivateApi),
        phase: Some(Phase::Auth),
        confidence: Confidence::Low,
        all: &[&["unable to retrieve ecr registry auth: service call has been retried 3 time(s)"]],
        also: Some(is_whole),
        settled_by: Some(
            "minutes between pullStartedAt and stoppingAt (long = network); the execution role by simulation",
        ),
        advice: "Probably the network: GetAuthorizationToken is tried three times only then. {route} If it is open, \
            look at `ecr:GetAuthorizationToken` of {puller}.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
             failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s)",
            "Fargate, cut",
        ),
        ..SignatureRow::EMPTY
    },
];
