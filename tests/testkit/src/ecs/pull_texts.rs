//! The texts of containerd and Fargate for a failed pull, as found in real stop reasons.

/// The address in every message about Docker Hub's quota.
const INCREASE: &str = "https://www.docker.com/increase-rate-limit";

/// Docker Hub's quota is used up.
pub(super) fn quota_spent() -> String {
    too_many_requests(&format!("toomanyrequests: You have reached your unauthenticated pull rate limit. {INCREASE}"))
}

/// A 429 with the registry's own message.
pub(super) fn too_many_requests(server_message: &str) -> String {
    format!("429 Too Many Requests - Server message: {server_message}")
}

/// The tag or digest does not exist. `image` is the full reference.
pub(super) fn not_found(image: &str) -> String {
    format!("failed to resolve ref {image}: {image}: not found")
}

/// The registry refuses the manifest.
pub(super) fn forbidden(image: &str, host: &str, tag_or_digest: &str) -> String {
    format!(
        "failed to resolve ref {image}: pulling from host {host} failed with status code [manifests {tag_or_digest}]: \
         403 Forbidden"
    )
}

/// The registry wants other credentials, or hides a private repository.
pub(super) fn denied(image: &str) -> String {
    format!(
        "failed to resolve ref {image}: pull access denied, repository does not exist or may require authorization: \
         server message: insufficient_scope: authorization failed"
    )
}

/// The registry's token service gives no token.
pub(super) fn no_token(image: &str, status: &str) -> String {
    format!(
        "failed to resolve ref {image}: failed to authorize: failed to fetch anonymous token: unexpected status: \
         {status}"
    )
}

/// The index has no manifest for this platform.
pub(super) fn no_platform(platform: &str) -> String {
    format!("image Manifest does not contain descriptor matching platform '{platform}'")
}

/// The registry answers any other status for a manifest.
pub(super) fn manifest_status(image: &str, url: &str, status: &str) -> String {
    format!("failed to resolve ref {image}: unexpected status from HEAD request to {url}: {status}")
}

/// The registry does not answer for a manifest.
pub(super) fn manifest_unreachable(image: &str, url: &str, why: &str) -> String {
    format!("failed to resolve ref {image}: failed to do request: Head \"{url}\": {why}")
}

/// The registry answers a bad status for a blob.
pub(super) fn blob_status(url: &str, status: &str) -> String {
    format!("failed to copy: httpReadSeeker: failed open: unexpected status code {url}: {status}")
}

/// The answer for a blob is missing or broken off.
pub(super) fn blob_unreachable(url: &str, why: &str) -> String {
    format!("failed to copy: httpReadSeeker: failed open: failed to do request: Get \"{url}\": {why}")
}

/// The content of a blob does not have its digest.
pub(super) fn blob_digest(expected: &str, found: &str) -> String {
    format!(
        "failed commit on ref \"config-{expected}\": unexpected commit digest {found}, expected {expected}: failed \
         precondition"
    )
}

/// The stop reason that ECS makes of the last attempt's message.
pub(super) fn cannot_pull(attempts: u32, message: &str) -> String {
    // The text for a failing blob differs from that for a failing manifest.
    let phase = if message.starts_with("failed to copy") || message.starts_with("failed commit") {
        "ref pull has been retried"
    } else {
        "pull image manifest has been retried"
    };
    // The agent cuts reasons off at 1024 characters.
    format!("CannotPullContainerError: {phase} {attempts} time(s): {message}")
        .chars()
        .take(1024)
        .collect()
}
