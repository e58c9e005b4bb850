//! The outlook: what will go wrong with the images of what runs now, and at which next step.
//!
//! A finding holds facts only; its text for people is written at the end ([`message`]). Findings are ranked by how soon
//! they matter: first what the next launch already fails at, then what has a known date, then what takes further bad
//! luck.

pub mod message;

use std::collections::BTreeSet;

use pullsafe::count::counted;
use pullsafe::digest::Digest;
use pullsafe::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// A finding is severe if it happens within this time.
const SOON_SECONDS: i64 = 7 * 86_400;

/// The outlook of one service, of one task that is started on a schedule, or of one file that is built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// What it is about, such as `prod/web`.
    pub subject: String,
    /// What launches its next task.
    pub next: NextLaunch,
    /// When it was looked at.
    pub at: Timestamp,
    /// What will go wrong, the first to happen first.
    pub findings: Vec<OutlookFinding>,
    /// What could not be looked up, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// The detail of the event `Outlook`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlooks {
    /// The message's id.
    pub notice: String,
    /// One for each service or scheduled task.
    pub outlooks: Vec<Outlook>,
    /// What could not be listed, and so was not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// What launches the next task, or pulls next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextLaunch {
    /// A service scales out, or a task of it is replaced.
    OfService,
    /// A schedule starts a task.
    OnSchedule,
    /// Nothing: somebody builds or starts what a file names.
    OfFile,
}

/// One thing that will go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlookFinding {
    /// The container, or containers, that it is about.
    pub container: String,
    /// The image as the task definition has it.
    pub image: String,
    /// What it is.
    pub trouble: OutlookCause,
}

/// What can go wrong with an image that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum OutlookCause {
    /// The registry does not have it any more, or yet.
    Gone {
        /// What runs; `None` where nothing runs and the tag is absent.
        digest: Option<Digest>,
    },
    /// It lies in ECR's archive, from where nothing can be pulled.
    Archived {
        /// The image.
        digest: Digest,
    },
    /// The lifecycle policy of its repository will delete or archive it.
    Goes {
        /// The image.
        digest: Digest,
        /// The rule's priority.
        rule: u32,
        /// Whether it is archived; deleted otherwise.
        archived: bool,
        /// Not before this moment, and within a day after it.
        not_before: Timestamp,
        /// After so many more pushes.
        pushes: u32,
        /// When that is, at the pace of the last pushes; `None` if there is no pace to go by.
        expected: Option<Timestamp>,
        /// What keeps it.
        keep: Keep,
    },
    /// What the tag means now does not run on the platform of the tasks.
    NoPlatform {
        /// What the tasks run on.
        wanted: String,
        /// What the image offers.
        offered: Vec<String>,
    },
    /// The execution role may not pull it.
    MayNotPull {
        /// The role's ARN.
        role: String,
    },
    /// An image of Docker Hub without a copy in the mirror.
    NoCopy,
    /// The copy in the mirror is not what the tag means at Docker Hub.
    CopyBehind {
        /// The copy.
        copy: Digest,
        /// What the tag means.
        hub: Digest,
    },
    /// Docker Hub's limit is too small for all who share it.
    SharedLimit {
        /// Whom Docker Hub counts.
        source: String,
        /// Its limit.
        limit: u32,
        /// What they pull when all their tasks are replaced.
        needs: u32,
        /// The other services.
        with: Vec<String>,
    },
    /// The tag means something else than what runs.
    Moved {
        /// What runs.
        runs: Digest,
        /// What the tag means.
        now: Digest,
    },
}

/// What keeps an image from its repository's lifecycle policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Keep {
    /// This tag has been set, and keeps it.
    Tagged {
        /// The tag.
        tag: String,
    },
    /// This tag would keep it, and no other image would pay for that.
    Tag {
        /// The tag.
        tag: String,
        /// Why it was not set.
        why_not: String,
    },
    /// Only another policy would; with this one in place the tag does.
    Policy {
        /// The tag.
        tag: String,
        /// The whole new policy.
        policy: String,
        /// How many other images would go sooner for the tag.
        others: usize,
    },
    /// Nothing that is known.
    Nothing,
}

/// How soon something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The next launch fails.
    Next,
    /// It fails within a week.
    Soon,
    /// It fails some day, or under bad circumstances.
    Later,
}

impl OutlookFinding {
    /// Returns how soon it happens, seen from `now`.
    pub fn severity(&self, now: Timestamp) -> Urgency {
        match &self.trouble {
            OutlookCause::Gone { .. } | OutlookCause::Archived { .. } | OutlookCause::MayNotPull { .. } => {
                Urgency::Next
            }
            OutlookCause::Goes { keep: Keep::Tagged { .. }, .. } => Urgency::Later,
            OutlookCause::Goes { .. } => match self.expected() {
                Some(at) if at.seconds_since(now) <= SOON_SECONDS => Urgency::Soon,
                Some(_) | None => Urgency::Later,
            },
            // The tasks that run keep the image that they have: only the next deployment fails.
            OutlookCause::NoPlatform { .. } => Urgency::Soon,
            OutlookCause::NoCopy
            | OutlookCause::CopyBehind { .. }
            | OutlookCause::SharedLimit { .. }
            | OutlookCause::Moved { .. } => Urgency::Later,
        }
    }

    /// Returns when it happens, if that is known.
    pub fn expected(&self) -> Option<Timestamp> {
        match &self.trouble {
            OutlookCause::Goes { pushes: 0, not_before, .. } => Some(*not_before),
            OutlookCause::Goes { expected, .. } => *expected,
            OutlookCause::Gone { .. }
            | OutlookCause::Archived { .. }
            | OutlookCause::NoPlatform { .. }
            | OutlookCause::MayNotPull { .. }
            | OutlookCause::NoCopy
            | OutlookCause::CopyBehind { .. }
            | OutlookCause::SharedLimit { .. }
            | OutlookCause::Moved { .. } => None,
        }
    }

    /// Returns what tells it from other findings of the same subject, so that nothing is told twice.
    pub fn key(&self) -> String {
        let what = match &self.trouble {
            OutlookCause::Gone { digest } => format!("gone {}", digest.as_ref().map_or("tag", Digest::as_str)),
            OutlookCause::Archived { digest } => format!("archived {digest}"),
            OutlookCause::Goes { digest, rule, .. } => format!("goes {digest} {rule}"),
            OutlookCause::NoPlatform { offered, .. } => format!("platform {}", offered.join(",")),
            OutlookCause::MayNotPull { role } => format!("role {role}"),
            OutlookCause::NoCopy => "no copy".to_owned(),
            OutlookCause::CopyBehind { hub, .. } => format!("behind {hub}"),
            OutlookCause::SharedLimit { source, .. } => format!("limit {source}"),
            OutlookCause::Moved { now, .. } => format!("moved {now}"),
        };
        format!("{} {} {what}", self.container, self.image)
    }

    /// Says what it is, in a sentence without its subject.
    pub fn says(&self) -> String {
        let Self { container, image, trouble } = self;
        let of = format!("{container}: {image}");
        match trouble {
            OutlookCause::Gone { digest: Some(digest) } => {
                format!("{of}: what runs ({digest}) is not in the registry any more")
            }
            OutlookCause::Gone { digest: None } => format!("{of}: the registry does not have it"),
            OutlookCause::Archived { digest } => {
                format!("{of}: what runs ({digest}) is in the archive, from where nothing can be pulled")
            }
            OutlookCause::Goes { digest, rule, archived, not_before, pushes, expected, keep } => {
                let done = if *archived { "archived" } else { "deleted" };
                let when = match (pushes, expected) {
                    (0, _) => format!("within a day after {not_before}"),
                    (pushes, Some(at)) => format!("after {pushes} more push(es), at their pace about {at}"),
                    (pushes, None) => format!("after {pushes} more push(es)"),
                };
                let kept = match keep {
                    Keep::Tagged { tag } => format!("; the tag {tag} keeps it from that"),
                    Keep::Tag { .. } | Keep::Policy { .. } | Keep::Nothing => String::new(),
                };
                format!(
                    "{of}: what runs ({digest}) is {done} by rule {rule} of its repository's lifecycle policy \
                     {when}{kept}"
                )
            }
            OutlookCause::NoPlatform { wanted, offered } => {
                format!("{of}: what the tag means now is for {}, and the tasks run on {wanted}", offered.join(", "))
            }
            OutlookCause::MayNotPull { role } => format!("{of}: its execution role may not pull it any more ({role})"),
            OutlookCause::NoCopy => {
                format!("{of}: there is no copy in the mirror for the day when Docker Hub's limit is reached")
            }
            OutlookCause::CopyBehind { copy, hub } => format!("{of}: the mirror has {copy}, and the tag means {hub}"),
            OutlookCause::SharedLimit { source, limit, needs, with } => {
                let with = match with.len() {
                    0 => String::new(),
                    1..=5 => format!(" with {}", with.join(", ")),
                    count => format!(" with {} and {} others", with[..5].join(", "), count - 5),
                };
                format!(
                    "{of}: Docker Hub grants {source} {limit} pulls in six hours, which it shares{with}: all tasks \
                     replaced at once, at their most, take {needs}"
                )
            }
            OutlookCause::Moved { runs, now } => {
                format!("{of}: what runs is {runs}, and the tag means {now}: the next deployment runs that")
            }
        }
    }

    /// Says what a person can do about it; `None` where there is nothing to do but look.
    pub fn advice(&self) -> Option<String> {
        match &self.trouble {
            OutlookCause::Gone { .. } => Some("push the image again, or deploy one that exists".to_owned()),
            OutlookCause::Archived { digest } => Some(format!(
                "restore it: aws ecr update-image-storage-class --image-id imageDigest={digest} \
                 --target-storage-class STANDARD --repository-name ..."
            )),
            OutlookCause::Goes { keep, digest, .. } => match keep {
                Keep::Tagged { .. } | Keep::Nothing => None,
                Keep::Tag { tag, why_not } => {
                    Some(format!("set the tag {tag} on {digest}, which keeps it ({why_not})"))
                }
                Keep::Policy { tag, policy, others } => {
                    let paid = if *others > 0 {
                        format!("; {} sooner", counted(*others, "other image", "then goes", "then go"))
                    } else {
                        String::new()
                    };
                    Some(format!("make this the lifecycle policy, and set the tag {tag} on {digest}{paid}:\n{policy}"))
                }
            },
            OutlookCause::NoPlatform { wanted, .. } => Some(format!("push an image for {wanted} under the tag")),
            OutlookCause::MayNotPull { role } => Some(format!(
                "let {role} pull: ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:GetAuthorizationToken"
            )),
            OutlookCause::NoCopy => Some("add it to the mirror's configuration".to_owned()),
            OutlookCause::SharedLimit { .. } => Some(
                "have the mirror hold their images, and AheadOfFailure move what its end is foretold for".to_owned(),
            ),
            OutlookCause::CopyBehind { .. } | OutlookCause::Moved { .. } => None,
        }
    }
}

impl Outlook {
    /// Sorts the findings, the first to happen first.
    pub fn rank(&mut self) {
        let at = self.at;
        self.findings.sort_by_key(|finding| (finding.severity(at), finding.expected(), finding.key()));
    }

    /// Says what happens next because of a finding of this severity.
    pub fn consequence(&self, severity: Urgency) -> String {
        let subject = &self.subject;
        let launch = match self.next {
            NextLaunch::OfService => "the next scale-out or Fargate retirement of",
            NextLaunch::OnSchedule => "the next scheduled start of",
            NextLaunch::OfFile => {
                return match severity {
                    Urgency::Next => format!("whoever builds or starts from {subject} fails"),
                    Urgency::Soon => format!("whoever builds or starts from {subject} fails a week from now"),
                    Urgency::Later => {
                        format!("whoever builds or starts from {subject} may fail one day, or get an old image")
                    }
                };
            }
        };
        match severity {
            Urgency::Next => format!("{launch} {subject} fails"),
            Urgency::Soon => format!("{subject} cannot launch a task a week from now"),
            Urgency::Later => format!("{subject} may not be able to launch a task one day"),
        }
    }

    pub fn keys(&self) -> BTreeSet<String> {
        self.findings.iter().map(OutlookFinding::key).collect()
    }
}
