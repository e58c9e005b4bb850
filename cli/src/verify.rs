//! `pullsafe verify`: what would fail, before anything is deployed.
//!
//! The looks are those of the door (`pullsafe-inspect`). A name that depends on a variable, and whatever needs missing
//! credentials, is left out and reported as left out.

mod output;
mod pseudo;
mod subject;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pullsafe::settings::MirrorLocation;
use pullsafe_aws::ecr::EcrRegions;
use pullsafe_inspect::looks::{Account, Looker};
use pullsafe_inspect::{Certainty, InspectFinding, findings};
use pullsafe_registry::Client;
use tokio::time::{Instant, sleep};

use crate::account;
use crate::arguments::{duration, platform};
use crate::registry;
use crate::terminal::CommandResult;
use subject::VerifiedThing;

/// The pause between two looks while waiting for an image.
const PAUSE: Duration = Duration::from_secs(5);

/// Say what would fail before anything is deployed: images that are absent, archived or for another platform, roles
/// that may not pull or read, log groups that are missing, pulls that Docker Hub would not grant.
///
/// Exit status: 0 = nothing certain was found; 1 = something would fail; 2 = wrong usage or input. Without AWS
/// credentials it looks at public registries alone, and says what it left out.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files and directories (task definitions, templates, compose files, Dockerfiles), registered task definitions
    /// (family, family:revision, ARN), or services (CLUSTER/SERVICE)
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    /// For people, for programs, or as annotations of GitHub Actions
    #[arg(long, value_enum, default_value_t = VerifyOutput::Text)]
    output: VerifyOutput,
    /// Wait so long for images that a build is still pushing: seconds, or with units, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    /// Also say which images of Docker Hub this mirror has no copy of, such as
    /// 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub
    #[arg(long, value_name = "REGISTRY/PREFIX")]
    mirror: Option<String>,
    /// How many tasks will start; a service knows that itself
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    tasks: u64,
    /// What the images of files have to be for, where a file does not say, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = platform)]
    platform: Option<pullsafe::manifest::Platform>,
    /// Fail also for what is not certain, or not known
    #[arg(long)]
    strict: bool,
}

#[cfg(feature = "mcp")]
impl Arguments {
    /// The targets, as they were written.
    pub(crate) fn targets(&self) -> &[String] {
        &self.targets
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerifyOutput {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// Workflow commands of GitHub Actions
    Github,
}

/// What was found about one target.
struct Verified {
    subject: VerifiedThing,
    findings: Vec<InspectFinding>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    said(arguments).end()
}

/// Verifies without printing.
pub(crate) fn said(arguments: &Arguments) -> CommandResult {
    let client = match registry::client() {
        Ok(client) => client,
        Err(message) => return CommandResult::fault(message, 2),
    };
    let mirror = match arguments.mirror.as_deref().map(subject::mirror).transpose() {
        Ok(mirror) => mirror,
        Err(message) => return CommandResult::fault(message, 2),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return CommandResult::fault(error.to_string(), 1),
    };
    runtime.block_on(async {
        let (config, left_out) = match account::config().await {
            Ok(config) => (Some(config), None),
            Err(why) => (None, Some(why)),
        };
        let account = config.as_ref().map(|config| Account::new(config, EcrRegions::new(config.clone())));
        let subjects = match subject::all(arguments, config.as_ref(), left_out.as_deref()).await {
            Ok(subjects) => subjects,
            Err(message) => return CommandResult::fault(message, 2),
        };
        let verifier = Verifier { account, client, mirror };
        let verified = verifier.verify(subjects, arguments).await;
        let fails = verified
            .iter()
            .flat_map(|one| &one.findings)
            .any(|finding| arguments.strict || finding.certainty == Certainty::Certain);
        let text = match arguments.output {
            VerifyOutput::Text => output::text(&verified, left_out.as_deref()),
            VerifyOutput::Json => output::json(&verified, left_out.as_deref()),
            VerifyOutput::Github => output::github(&verified),
        };
        CommandResult::whole(text, !fails)
    })
}

struct Verifier {
    account: Option<Account>,
    client: Client,
    mirror: Option<MirrorLocation>,
}

impl Verifier {
    /// Looks at each subject, and looks again as long as it only lacks images that somebody may still push.
    async fn verify(&self, subjects: Vec<VerifiedThing>, arguments: &Arguments) -> Vec<Verified> {
        let end = Instant::now() + arguments.wait.unwrap_or_default();
        let mut verified = Vec::new();
        for subject in subjects {
            loop {
                let found = self.look(&subject, arguments.tasks).await;
                let mut failing = found.iter().filter(|finding| finding.is_certain_failure()).peekable();
                let may_pass = failing.peek().is_some() && failing.all(|finding| finding.fault.may_pass());
                if !may_pass || Instant::now() + PAUSE > end {
                    verified.push(Verified { subject, findings: found });
                    break;
                }
                sleep(PAUSE).await;
            }
        }
        verified
    }

    async fn look(&self, subject: &VerifiedThing, tasks: u64) -> Vec<InspectFinding> {
        let (account, mirror) = (self.account.as_ref(), self.mirror.as_ref());
        let looker = Looker {
            account,
            registry: &self.client,
            anywhere: true,
            mirror,
            end: None,
        };
        let seen = looker.look(&subject.needs, BTreeMap::new()).await;
        findings(&subject.needs, &seen, subject.tasks.unwrap_or(tasks))
    }
}
