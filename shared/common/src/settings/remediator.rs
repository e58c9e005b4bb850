//! The settings of the remediator.

use super::read::{SettingFault, SettingsReader};
use super::values::{MessageFormat, MirrorLocation};
use super::variables::*;
use crate::notice::OnBus;

/// What pullsafe may do, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing, not even look.
    Off,
    /// Everything but the calls that change something.
    Observe,
    /// Act where the guards allow it and a person has said yes.
    Ask,
    /// Act where the guards allow it.
    Act,
}

impl Mode {
    /// The mode with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "observe" => Some(Self::Observe),
            "ask" => Some(Self::Ask),
            "act" => Some(Self::Act),
            _ => None,
        }
    }

    /// The name used in the stack parameter and the tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Ask => "ask",
            Self::Act => "act",
        }
    }
}

/// What to do ahead of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing.
    Off,
    /// Ask the mirror for what it lacks, and say so.
    Warn,
    /// As `Warn`, and move the service once the mirror has everything.
    Move,
}

/// The remediator's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The mode where no tag says otherwise.
    pub mode: Mode,
    /// Whether a tag may raise the mode to ask or act.
    pub allow_tag_to_act: bool,
    /// For how many minutes a question waits for its answer.
    pub question_minutes: i64,
    /// The function's own name; empty where it runs outside Lambda.
    pub function: String,
    /// The stack's name; empty where there is none.
    pub stack: String,
    /// Name of the DynamoDB table with incidents and leases.
    pub table: String,
    /// ARN of the SNS topic for people.
    pub topic_arn: String,
    /// URL of the remediator's own work queue.
    pub queue_url: String,
    /// URL of the mirror's job queue, if there is one.
    pub mirror_queue_url: Option<String>,
    /// The event bus that pullsafe's events go to.
    pub event_bus: String,
    /// The mirror, if there is one.
    pub mirror: Option<MirrorLocation>,
    /// Whether official images may move to ECR Public.
    pub public_fallback: bool,
    /// What to do ahead of a failure.
    pub ahead: Ahead,
    /// Whether a probe reads Docker Hub's limit in the tasks' subnets.
    pub quota_probe: bool,
    /// Whether deployments that wait at pullsafe's hook are answered.
    pub answer_hooks: bool,
    /// Whether images are brought back from ECR's archive.
    pub restore_archived: bool,
    /// Whether services may be paused.
    pub pause: bool,
    /// How many failing tasks a pause needs.
    pub pause_after: u32,
    /// How many minutes old a deployment must be before its service is paused.
    pub pause_after_minutes: i64,
    /// Hours between two moves of one service.
    pub move_cooldown_hours: i64,
    /// The repositories in which a tag may keep an image that runs, as a pattern; empty for none.
    pub keep_repositories: String,
    /// The log groups that may be read, as patterns.
    pub log_groups: Vec<String>,
    /// Whether every failed build is told.
    pub notify_all_builds: bool,
    /// What an event on the bus shows.
    pub on_bus: OnBus,
    /// How many services with the same cause make an outbreak.
    pub outbreak_after: usize,
    /// Within how many minutes they must fail to make one.
    pub outbreak_minutes: i64,
    /// How messages are written.
    pub format: MessageFormat,
}

impl Settings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// Returns every fault, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingFault>> {
        let mut reader = SettingsReader { lookup, faults: Vec::new() };
        let choice = |value: &str| value.to_ascii_lowercase();
        let registry = reader.text(MIRROR_REGISTRY);
        let prefix = reader.text(MIRROR_PREFIX);
        let queue = reader.text(MIRROR_QUEUE);
        let settings = Self {
            mode: reader.parsed(MODE, Mode::Observe, "`observe`, `ask` or `act` (or `off`)", |value| {
                Mode::from_name(&choice(value))
            }),
            allow_tag_to_act: reader.flag(ALLOW_TAG_TO_ACT),
            question_minutes: reader.parsed(QUESTION_MINUTES, 60, "a whole number from 5 to 1440", |value| {
                value.parse().ok().filter(|minutes| (5..=1440).contains(minutes))
            }),
            function: reader.text(FUNCTION),
            stack: reader.text(STACK),
            table: reader.text(TABLE),
            topic_arn: reader.text(TOPIC),
            queue_url: reader.text(QUEUE),
            mirror_queue_url: (!queue.is_empty()).then_some(queue),
            event_bus: reader.text(EVENT_BUS),
            mirror: (!registry.is_empty())
                .then(|| MirrorLocation { registry, prefix: prefix.trim_matches('/').to_owned() }),
            public_fallback: reader.flag(PUBLIC_FALLBACK),
            ahead: reader.parsed(AHEAD, Ahead::Off, "`off`, `warn` or `move`", |value| match choice(value).as_str() {
                "off" => Some(Ahead::Off),
                "warn" => Some(Ahead::Warn),
                "move" => Some(Ahead::Move),
                _ => None,
            }),
            quota_probe: reader.flag(QUOTA_PROBE),
            answer_hooks: reader.flag(HOOKS),
            restore_archived: reader.flag(RESTORE_ARCHIVED),
            pause: reader.flag(PAUSE),
            pause_after: reader.parsed(PAUSE_AFTER, 2, "a whole number from 1 to 100", |value| {
                value.parse().ok().filter(|count| (1..=100).contains(count))
            }),
            pause_after_minutes: reader.parsed(PAUSE_AFTER_MINUTES, 30, "a whole number from 0 to 1440", |value| {
                value.parse().ok().filter(|minutes| (0..=1440).contains(minutes))
            }),
            move_cooldown_hours: reader.parsed(MOVE_COOLDOWN, 24, "a whole number from 0 to 720", |value| {
                value.parse().ok().filter(|hours| (0..=720).contains(hours))
            }),
            keep_repositories: reader.text(KEEP_REPOSITORIES),
            log_groups: reader
                .text(LOG_GROUPS)
                .split(',')
                .map(str::trim)
                .filter(|group| !group.is_empty())
                .map(str::to_owned)
                .collect(),
            notify_all_builds: reader.flag(NOTIFY_ALL_BUILDS),
            on_bus: if reader.flag(EVIDENCE_ON_BUS) { OnBus::Evidence } else { OnBus::CauseAlone },
            outbreak_after: reader.outbreak_after(),
            outbreak_minutes: reader.outbreak_minutes(),
            format: reader.format(),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}
