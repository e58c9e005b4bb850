//! `pullsafe wait`: waits until an image exists, for jobs that run without CloudFormation.
//!
//! It asks for the tag by requests that cost no pull: HEAD on a registry, the native API on ECR. It reads the manifest
//! only if a platform is required, and only once for each digest that the tag comes to mean.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pullsafe::foreign;
use pullsafe::lookup::{GRACE_SECONDS, Lookup, ResolvedImage};
use pullsafe::manifest::Platform;
use pullsafe::reference::{Digest, Reference, ecr_host};
use pullsafe::similar::similar;
use pullsafe_aws::ecr::EcrRegions;
use pullsafe_registry::{Client, RegistryError};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::account;
use crate::arguments::{duration, platform, reference};
use crate::registry;
use crate::terminal::{answer, stop};

/// The pause after the first look; it doubles, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The last look begins this long before the end, so that its answer still counts.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// For how long a denial may be due to a permission that is not in effect everywhere yet.
const DENIED_FOR: Duration = Duration::from_secs(GRACE_SECONDS.unsigned_abs());
/// How long listing the repository's tags may take; the list only helps a person.
const TIME_FOR_TAGS: Duration = Duration::from_secs(5);
const MOST_TAGS: usize = 1000;
const SHOWN_TAGS: usize = 5;

/// Wait until an image exists, and print its digest.
///
/// Exit status 1 if it has not come in time, with the reason on standard error. Credentials come from Docker's
/// configuration and its helpers; for an ECR registry from AWS.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The image to wait for; a short name is one of Docker Hub
    #[arg(value_name = "REFERENCE", value_parser = reference)]
    reference: Reference,
    /// How long: seconds, or with units, such as 90s, 30m, 1h30m, 1d
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    timeout: Duration,
    /// Also wait until it is for this platform, such as linux/arm64
    #[arg(long = "platform", value_name = "OS/ARCH[/VARIANT]", value_parser = platform)]
    platforms: Vec<Platform>,
}

/// The result of a look.
#[derive(Debug, PartialEq)]
enum WaitLook {
    Present(Digest),
    NotYet(String),
    /// A permission is missing, or too new to be in effect everywhere.
    Denied(String),
    Never(String),
}

/// Exits with 0 once the image exists, 1 if it did not come in time or cannot be asked for, 2 if the configuration
/// cannot be read.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let client = match registry::client() {
        Ok(client) => client,
        Err(message) => return stop(&message, 2),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return stop(&error.to_string(), 1),
    };
    let waiter = Waiter { client, ecr: OnceCell::new(), arguments };
    match runtime.block_on(waiter.wait()) {
        Ok(digest) => answer(&format!("{digest}\n"), true),
        Err(reason) => stop(&reason, 1),
    }
}

struct Waiter<'a> {
    client: Client,
    ecr: OnceCell<EcrRegions>,
    arguments: &'a Arguments,
}

impl Waiter<'_> {
    async fn wait(&self) -> Result<Digest, String> {
        let Arguments { reference, timeout, .. } = self.arguments;
        let deadline = Instant::now() + *timeout;
        let (mut pause, mut told) = (FIRST_PAUSE, String::new());
        let mut why_not = format!("{} did not answer in time", reference.registry());
        let (mut seen, mut denied_since) = (None, None);
        loop {
            let look = timeout_at(deadline, self.look(&mut seen)).await;
            match look {
                Ok(WaitLook::Denied(reason)) => {
                    let since = *denied_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= DENIED_FOR {
                        let next = format!(
                            "allow it, or sign in as somebody who may: it was denied for {} s",
                            DENIED_FOR.as_secs()
                        );
                        return Err(format!("{reason}: {next}"));
                    }
                    why_not = reason;
                }
                Ok(WaitLook::Present(digest)) => return Ok(digest),
                Ok(WaitLook::Never(reason)) => return Err(reason),
                Ok(WaitLook::NotYet(reason)) => (why_not, denied_since) = (reason, None),
                Err(_) => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if told != why_not {
                eprintln!("waiting for {reference}: {}", foreign::terminal(&why_not));
                told.clone_from(&why_not);
            }
            // The last look comes right before the end.
            sleep(if left > LAST_LOOK { pause.min(left - LAST_LOOK) } else { left }).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(format!("{reference} did not appear in {} s: {why_not}.{}", timeout.as_secs(), self.tags().await))
    }

    /// Looks once. `seen` is the last digest whose platforms did not suffice, so that its manifest is read only once.
    async fn look(&self, seen: &mut Option<(Digest, String)>) -> WaitLook {
        let digest = match self.digest().await {
            Ok(digest) => digest,
            Err(look) => return look,
        };
        if self.arguments.platforms.is_empty() {
            return WaitLook::Present(digest);
        }
        if let Some((_, reason)) = seen.as_ref().filter(|(known, _)| *known == digest) {
            return WaitLook::NotYet(reason.clone());
        }
        match self.missing(&digest).await {
            Ok(None) => WaitLook::Present(digest),
            Ok(Some(reason)) => {
                *seen = Some((digest, reason.clone()));
                WaitLook::NotYet(reason)
            }
            Err(error) => judge(&error),
        }
    }

    async fn digest(&self) -> Result<Digest, WaitLook> {
        let reference = &self.arguments.reference;
        if ecr_host(reference.registry()).is_some() && !self.client.endpoints().is_mapped(reference.registry()) {
            // Missing credentials are final: nobody signs in during the wait.
            let found = self.ecr().await.map_err(WaitLook::Never)?.resolve(reference).await;
            return judge_ecr(found);
        }
        self.client.resolve(reference).await.map(|resolved| resolved.digest).map_err(|error| judge(&error))
    }

    /// Says which of the required platforms an image lacks; `None` if it has all of them.
    async fn missing(&self, digest: &Digest) -> Result<Option<String>, RegistryError> {
        let reference = &self.arguments.reference;
        let manifest = self.client.manifest(reference, digest).await?;
        let offered = match manifest.contents() {
            Ok(contents) => self.client.platforms(reference, &contents).await?,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let lacks = |wanted: &&Platform| !offered.iter().any(|platform| platform.satisfies(wanted));
        let missing: Vec<String> = self.arguments.platforms.iter().filter(lacks).map(Platform::to_string).collect();
        let offered: Vec<String> = offered.iter().map(Platform::to_string).collect();
        Ok((!missing.is_empty())
            .then(|| format!("it is there for {} and not for {}", offered.join(", "), missing.join(", "))))
    }

    /// Says which tags an ECR repository has instead, to help a person.
    async fn tags(&self) -> String {
        let reference = &self.arguments.reference;
        let Some(host) =
            ecr_host(reference.registry()).filter(|_| !self.client.endpoints().is_mapped(reference.registry()))
        else {
            return String::new();
        };
        let Ok(regions) = self.ecr().await else {
            return String::new();
        };
        let ecr = regions.get(host.region);
        let tags = timeout(TIME_FOR_TAGS, ecr.newest_tags(Some(host.account), reference.repository(), MOST_TAGS)).await;
        let tags = tags.ok().and_then(Result::ok).unwrap_or_default();
        if tags.is_empty() {
            return String::new();
        }
        let newest = tags.iter().take(SHOWN_TAGS).map(String::as_str).collect::<Vec<_>>().join(", ");
        let alike = similar(reference.tag_or_digest(), tags.iter().map(String::as_str)).join(", ");
        let alike = if alike.is_empty() { alike } else { format!(" Similar: {alike}.") };
        format!(" Newest tags there: {newest}.{alike}")
    }

    /// Loads the AWS configuration at its first use: that can take requests to find the credentials.
    async fn ecr(&self) -> Result<&EcrRegions, String> {
        let loader = || aws_config::defaults(aws_config::BehaviorVersion::latest());
        self.ecr.get_or_try_init(|| async { account::signed_in(loader()).await.map(EcrRegions::new) }).await
    }
}

/// Decides what ECR's answer means for the wait.
fn judge_ecr(found: Lookup<ResolvedImage>) -> Result<Digest, WaitLook> {
    let patience = found.patience_seconds();
    match found {
        Lookup::Found(resolved) => Ok(resolved.digest),
        Lookup::Absent => Err(WaitLook::NotYet("ECR has no such image".to_owned())),
        Lookup::Unknown(doubt) => Err(match patience {
            0 => WaitLook::Never(doubt.to_string()),
            GRACE_SECONDS => WaitLook::Denied(doubt.to_string()),
            _ => WaitLook::NotYet(doubt.to_string()),
        }),
    }
}

/// Decides what an error means for the wait. Many registries give the same answer for what does not exist and for what
/// is not allowed, so a refusal is waited for too.
fn judge(error: &RegistryError) -> WaitLook {
    let no_credentials = matches!(error, RegistryError::Credentials { is_transient: false, .. });
    if no_credentials || matches!(error, RegistryError::Invalid(_)) {
        WaitLook::Never(error.to_string())
    } else {
        WaitLook::NotYet(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe::lookup::Doubt;

    #[test]
    fn what_ecr_refuses_is_not_waited_for_and_what_it_denies_for_a_while() {
        let judged = |doubt| judge_ecr(Lookup::Unknown(doubt));
        assert_eq!(judged(Doubt::lasting("invalid")), Err(WaitLook::Never("invalid".to_owned())));
        assert_eq!(judged(Doubt::denied("denied")), Err(WaitLook::Denied("denied".to_owned())));
        assert_eq!(judged(Doubt::passing("busy")), Err(WaitLook::NotYet("busy".to_owned())));
        assert!(matches!(judge_ecr(Lookup::Absent), Err(WaitLook::NotYet(_))), "a repository may come later");
    }
}
