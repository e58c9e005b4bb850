//! The registry could not be reached, or answered with a server error.

use super::prelude::*;

const ROUTE: &str = "{host|The registry} could not be reached. \
    {private?Its name leads to the private address `$`: what has it (an interface endpoint, a private registry) must let the caller in on that port. }{route}";

const fn row(id: &'static str, why: Why, all: &'static [&'static [&'static str]]) -> SignatureRow {
    SignatureRow {
        id,
        cause: Cause::RegistryUnreachable,
        why: Some(why),
        all,
        none: &[
            "failed to initialize logging driver",
            "log group",
            "mount.nfs",
            "error while mounting volume",
            "failed to mount local volume",
            "containerruntimeerror:",
            "could not transition to running",
            "could not transition to started",
            "could not transition to created",
            "could not transition to stopped",
        ],
        advice: ROUTE,
        ..SignatureRow::EMPTY
    }
}

/// Rows for failures to reach a registry.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "server-error",
        cause: Cause::RegistryServerError,
        all: &[&[
            "500 internal server error",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway time",
            "unexpected http status: 50",
            "received unexpected http status: 5",
            "status code 500",
            "status code 502",
            "status code 503",
            "status code 504",
            "503 service temporarily unavailable",
            "503 backend fetch failed",
            "service unavailable$",
            "internal server error$",
            "status code 520",
            "status code 522",
            "status code 524",
            "error from registry: unknown",
            "parsing http 5",
            "parsing http 408",
            "status code 408",
            "upstream connect error",
            "origin error",
        ]],
        // A client of Docker's own API, which is not a registry.
        none: &["failed to initialize logging driver", "http+docker"],
        settled_by: Some("the registry's status page"),
        advice: "{host|The registry} answered with an error of its own. Wait and retry; look at its status page. A \
            copy in a private ECR repository makes the service independent of it.",
        example: seen_with(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
             quay.io/foo/bar:1: unexpected status from HEAD request to https://quay.io/v2/foo/bar/manifests/1: 502 \
             Bad Gateway",
            "quay.io/foo/bar:1",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        advice: "{host|The registry}'s name does not resolve. Usually it is misspelt: check the host of \
            `{image|the image}` letter by letter. If it is right: DNS support of the VPC, its resolver, private DNS \
            of the endpoint.",
        example: seen_with(
            "CannotPullContainerError: Error response from daemon: Get \
             \"https://123456789012.dkr.ecr.us-west-2.amazonaws.commmmm/v2/\": dial tcp: lookup \
             123456789012.dkr.ecr.us-west-2.amazonaws.commmmm on 10.0.0.2:53: no such host",
            "123456789012.dkr.ecr.us-west-2.amazonaws.commmmm/app",
            "Docker Engine",
        ),
        ..row(
            "no-such-host",
            Why::Dns,
            &[&[
                "no such host",
                "server misbehaving",
                "temporary failure in name resolution",
                "could not resolve host",
                "name or service not known",
            ]],
        )
    },
    SignatureRow {
        advice: "The TLS connection to {host|the registry} failed. By the text: a certificate that the host does not \
            trust ({certificate}), an expired one, a registry that speaks plain HTTP, or a proxy in between.",
        example: seen_with(
            "CannotPullContainerError: Error response from daemon: Get \
             https://registry-1.docker.io/v2/library/ubuntu/manifests/latest: net/http: TLS handshake timeout.",
            "ubuntu:latest",
            "Docker Engine",
        ),
        ..row(
            "tls",
            Why::Tls,
            &[&[
                "x509:",
                "tls handshake",
                "tls: ",
                "certificate signed by unknown authority",
                "certificate has expired",
                "server gave http response to https client",
                "certificate is valid for",
                "remote error: tls",
            ]],
        )
    },
    SignatureRow {
        advice: "{host|The registry} refused the connection: nothing listens at that address and port, or a proxy \
            does not. Look at the registry's port and state, and at a proxy between.",
        example: seen_with(
            "CannotPullContainerError: Error response from daemon: Get https://registry.example.com:5000/v2/: dial \
             tcp 10.0.1.9:5000: connect: connection refused",
            "registry.example.com:5000/app",
            "Docker Engine",
        ),
        ..row("refused", Why::Refused, &[&["connection refused"]])
    },
    SignatureRow {
        advice: "The connection to {host|the registry} broke in the middle. Retry; if it lasts, look for a firewall, \
            a proxy, or a NAT gateway out of ports.",
        example: seen_with(
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: read tcp \
             10.0.0.5:44444->104.18.1.1:443: read: connection reset by peer",
            "redis:7",
            "containerd",
        ),
        ..row(
            "reset",
            Why::Reset,
            &[&[
                "connection reset",
                "unexpected eof",
                ": eof$",
                ": eof.$",
                " eof$",
                "broken pipe",
                "http2: server sent goaway",
                "use of closed network connection",
                "stream error:",
                "connection closed",
                "short read",
                "http: server closed idle connection",
            ]],
        )
    },
    SignatureRow {
        phase: Some(Phase::Layer),
        advice: "The manifest could be read and the layers could not: they come from S3. {route-s3} Let the \
            endpoint's policy allow `s3:GetObject` on `arn:aws:s3:::prod-<region>-starport-layer-bucket/*`.",
        example: seen(
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed \
             open: failed to do request: Get \
             \"https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/d1d1d1?X-Amz-Security-Token=REDACTED\"",
            "containerd",
        ),
        ..row(
            "ecr-layers",
            Why::Timeout,
            &[
                &["starport-layer-bucket", "redacted ecr url"],
                &[
                    "failed to do request",
                    "dial tcp",
                    "request canceled",
                    "deadline exceeded",
                    "timeout",
                    "timed out",
                    "no route to host",
                ],
            ],
        )
    },
    SignatureRow {
        example: seen_with(
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref \
             docker.io/library/mysql:8.0: failed to do request: Head \
             'https://registry-1.docker.io/v2/library/mysql/manifests/8.0': dial tcp 34.226.69.105:443: i/o timeout.",
            "mysql:8.0",
            "containerd",
        ),
        ..row(
            "timeout",
            Why::Timeout,
            &[&[
                "i/o timeout",
                "request canceled",
                "request cancelled",
                "client.timeout exceeded",
                "context deadline exceeded",
                "connection timed out",
                "operation timed out",
                "inactivity time exceeded",
                "network is unreachable",
                "no route to host",
                "awaiting headers",
                "timeout awaiting response",
                "net/http: timeout",
                "could not reach any registry endpoint",
                "context canceled",
                "context cancelled",
            ]],
        )
    },
    SignatureRow {
        confidence: Confidence::Medium,
        settled_by: Some("whether the image is very large or the host's disk slow, else the route to the registry"),
        advice: "The pull did not end in time. Look at the way to {host|the registry}; for a very large image make it \
            smaller. {route}",
        example: seen(
            "DockerTimeoutError: Could not transition to MANIFEST_PULLED; timed out after waiting 1m0s",
            "ECS agent",
        ),
        ..row(
            "pull-timeout",
            Why::Timeout,
            &[&[
                "transition to manifest_pulled",
                "transition to pulled",
                "timed out pulling",
                "pull timed out",
                "image pull timeout",
            ]],
        )
    },
    SignatureRow {
        confidence: Confidence::Medium,
        example: seen(
            "CannotPullContainerError: The task cannot pull 'app:1' from the Amazon ECR repository \
             '123456789012.dkr.ecr.eu-west-1.amazonaws.com/app'. There is a connection issue between the task and \
             Amazon ECR. Check your task network configuration.",
            "Fargate",
        ),
        ..SignatureRow {
            why: None,
            yields: true,
            ..row(
                "connection-issue",
                Why::Timeout,
                &[&[
                    "connection issue between the task and amazon ecr",
                    "the image. check your network configuration",
                    "failed to do request",
                    "dial tcp",
                    "request send failed",
                    "send request failed",
                    "there is a connection issue between the task and",
                    "error pinging docker registry",
                    "error pinging v2 registry",
                ]],
            )
        }
    },
    SignatureRow {
        confidence: Confidence::Medium,
        phase: Some(Phase::Layer),
        settled_by: Some("the route to S3"),
        advice: "The puller broke off, which it does when it cannot reach Amazon S3 for the layers. {route-s3}",
        example: seen(
            "CannotPullContainerError: pull command failed: panic: runtime error: invalid memory address or nil \
             pointer dereference",
            "Amazon ECS Developer Guide",
        ),
        ..SignatureRow {
            why: None,
            ..row(
                "puller-panic",
                Why::Timeout,
                &[&[
                    "pull command failed: panic",
                    "pull command failed: : panic",
                    "pull command failed: signal: killed",
                    "pull command failed: : signal: killed",
                ]],
            )
        }
    },
];
