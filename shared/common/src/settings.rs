//! The configuration of the remediator, and of the mirror: names, meaning, defaults, and how each value is read.
//!
//! Everything is read before anything is reported, so that one look shows every fault. A bad value is never
//! replaced by a default in silence.

use super::notice::OnBus;
use std::fmt;

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// The value it has when it is not set; `None` if it must be set.
    pub default: Option<&'static str>,
    /// What it decides, in one sentence.
    pub meaning: &'static str,
}

macro_rules! settings {
    ($($constant:ident = $name:literal, $default:expr, $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $constant: Setting = Setting { name: $name, default: $default, meaning: $meaning };)+
        /// Every setting of the remediator, in the order in which the documents show them.
        pub const ALL: &[Setting] = &[$($constant,)+];
    };
}

settings! {
    MODE = "PULLSAFE_MODE", Some("observe"), "`observe` says what it would do; `ask` does it once a person has said yes; `act` does it. The tag `pullsafe:mode` (off, observe, ask) on a service or its cluster lowers it.";
    ALLOW_TAG_TO_ACT = "PULLSAFE_ALLOW_TAG_TO_ACT", Some("false"), "Whether the tag `pullsafe:mode` may raise the mode to `ask` or `act`; it may always lower it.";
    QUESTION_MINUTES = "PULLSAFE_QUESTION_MINUTES", Some("60"), "For how many minutes a question waits for its answer where the mode is `ask` (5 to 1440).";
    STACK = "PULLSAFE_STACK", Some(""), "Name of the stack, which every metric carries as a dimension and every paused or moved service as a tag; empty means none.";
    TABLE = "PULLSAFE_TABLE", None, "Name of the DynamoDB table that holds incidents and leases.";
    TOPIC = "PULLSAFE_TOPIC_ARN", None, "ARN of the SNS topic for people.";
    QUEUE = "PULLSAFE_QUEUE_URL", None, "URL of the remediator's own work queue (deferred and failed events, the sweep's fan-out).";
    MIRROR_QUEUE = "PULLSAFE_MIRROR_QUEUE_URL", Some(""), "URL of the mirror's job queue; empty means that no mirror can be asked.";
    EVENT_BUS = "PULLSAFE_EVENT_BUS", Some("default"), "Event bus that the events of pullsafe go to.";
    MIRROR_REGISTRY = "PULLSAFE_MIRROR_REGISTRY", Some(""), "Host of the private ECR registry with the mirror; empty means that there is none.";
    MIRROR_PREFIX = "PULLSAFE_MIRROR_PREFIX", Some("docker-hub"), "First part of the mirror's repository names (`docker-hub/library/python`).";
    PUBLIC_FALLBACK = "PULLSAFE_PUBLIC_FALLBACK", Some("true"), "Whether official images may move to `public.ecr.aws/docker/library` where the mirror cannot serve.";
    AHEAD = "PULLSAFE_AHEAD", Some("warn"), "What to do when a deployment with Docker Hub images starts: `off`, `warn` (say so, and fill the mirror where the stack acts) or `move`.";
    QUOTA_PROBE = "PULLSAFE_QUOTA_PROBE", Some("false"), "Whether a probe reads in the tasks' subnets how many pulls Docker Hub grants them, so that the end of its limit is foretold (docs/ahead.md).";
    HOOKS = "PULLSAFE_ANSWER_HOOKS", Some("false"), "Whether deployments that wait at pullsafe's hook are looked at and answered (docs/door.md).";
    RESTORE_ARCHIVED = "PULLSAFE_RESTORE_ARCHIVED", Some("false"), "Whether an image that a service needs is brought back from ECR's archive.";
    PAUSE = "PULLSAFE_PAUSE", Some("true"), "Whether a service whose image does not exist may be paused until it does.";
    PAUSE_AFTER = "PULLSAFE_PAUSE_AFTER", Some("2"), "How many tasks must fail for the same missing image before a pause (1 to 100).";
    PAUSE_AFTER_MINUTES = "PULLSAFE_PAUSE_AFTER_MINUTES", Some("30"), "How old a deployment must be before its service is paused, in minutes (0 to 1440): whatever waits for the deployment takes a paused service for a stable one.";
    MOVE_COOLDOWN = "PULLSAFE_MOVE_COOLDOWN_HOURS", Some("24"), "For how many hours after a move the same service is not moved again (0 to 720).";
    KEEP_REPOSITORIES = "PULLSAFE_KEEP_REPOSITORIES", Some(""), "The repositories of ECR, as a pattern with `*`, in which an image that runs may be kept from its lifecycle policy by a tag; empty means none.";
    LOG_GROUPS = "PULLSAFE_LOG_GROUPS", Some("/ecs/*,/aws/ecs/*,/copilot/*,/aws/codebuild/*"), "The log groups that may be read for evidence, as patterns with `*`, separated by commas.";
    NOTIFY_ALL_BUILDS = "PULLSAFE_NOTIFY_ALL_BUILDS", Some("false"), "Whether a failed build is told even where its cause concerns neither an image nor a registry.";
    EVIDENCE_ON_BUS = "PULLSAFE_EVIDENCE_ON_BUS", Some("false"), "Whether the lines of evidence, lines of logs among them, go to the event bus too; without them an event says the cause and where the evidence was read.";
    OUTBREAK_AFTER = "PULLSAFE_OUTBREAK_AFTER", Some("3"), "From how many services with the same cause at the same registry on people are told by digests instead of one by one (2 to 100).";
    OUTBREAK_MINUTES = "PULLSAFE_OUTBREAK_MINUTES", Some("30"), "Within how many minutes they must fail for that (1 to 1440).";
    FORMAT = "PULLSAFE_NOTIFICATION_FORMAT", Some("text"), "`text` for people, `chatbot` for Amazon Q in chat applications.";
}

/// The mirror's queue for planned copies.
pub const MIRROR_PLAN_QUEUE: Setting = Setting {
    name: "PULLSAFE_MIRROR_PLAN_QUEUE_URL",
    default: Some(""),
    meaning: "URL of the queue for the copies that a scheduled run plans; empty means that nothing is planned.",
};
/// Where the mirror's configuration is.
pub const MIRROR_CONFIG: Setting = Setting {
    name: "PULLSAFE_MIRROR_CONFIG",
    default: Some(""),
    meaning: "Name of the SSM parameter with the mirror's configuration; empty means that images are mirrored on request only.",
};
/// Where Docker Hub's credentials are.
pub const HUB_SECRET: Setting = Setting {
    name: "PULLSAFE_DOCKER_HUB_SECRET",
    default: Some(""),
    meaning: "ARN of the secret with Docker Hub's credentials; empty means anonymous.",
};

/// The function's own name, which Lambda sets: whoever says yes to a question invokes it.
pub const FUNCTION: Setting = Setting {
    name: "AWS_LAMBDA_FUNCTION_NAME",
    default: Some(""),
    meaning: "Name of the function itself; Lambda sets it.",
};

/// The mirror's log.
pub const MIRROR_LOG: Setting = Setting {
    name: "PULLSAFE_MIRROR_LOG_GROUP",
    default: Some(""),
    meaning: "Name of the mirror's log group, which a stack is told that waits for a copy in vain.",
};
/// The gate's own queue.
pub const GATE_QUEUE: Setting = Setting {
    name: "PULLSAFE_GATE_QUEUE_URL",
    default: Some(""),
    meaning: "URL of the gate's own queue, whose delayed messages wake the waker before a stack gives up; without it a stack is answered a minute earlier.",
};
/// Whether answers may go to this machine.
pub const ALLOW_LOCAL_RESPONSE_URL: Setting = Setting {
    name: "PULLSAFE_ALLOW_LOCAL_RESPONSE_URL",
    default: Some("false"),
    meaning: "Leave false. Lets the gate answer to addresses of this machine, in local runs.",
};

/// The settings that the mirror reads; those that the remediator has too mean the same to both, and none of them must
/// be set.
pub const OF_MIRROR: &[Setting] = &[
    STACK,
    TABLE,
    TOPIC,
    MIRROR_QUEUE,
    MIRROR_PLAN_QUEUE,
    EVENT_BUS,
    MIRROR_REGISTRY,
    MIRROR_PREFIX,
    MIRROR_CONFIG,
    HUB_SECRET,
    FORMAT,
];

/// Where the probe is.
pub const PROBE_SUBNETS: Setting = Setting {
    name: "PULLSAFE_PROBE_SUBNETS",
    default: None,
    meaning: "Ids of the subnets whose limit at Docker Hub the probe reads, separated by commas: those that leave by one NAT gateway.",
};

/// The settings that the probe reads.
pub const OF_PROBE: &[Setting] = &[STACK, PROBE_SUBNETS];
/// The settings that the widget reads.
pub const OF_WIDGET: &[Setting] = &[STACK, TABLE];
/// The settings that the image gate and its waker read; they mean the same to all.
pub const OF_GATE: &[Setting] = &[
    STACK,
    TABLE,
    MIRROR_QUEUE,
    MIRROR_REGISTRY,
    MIRROR_PREFIX,
    MIRROR_LOG,
    GATE_QUEUE,
    ALLOW_LOCAL_RESPONSE_URL,
];

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

/// How messages for people are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text that reads alone.
    Text,
    /// The custom-notification schema of Amazon Q in chat applications.
    Chatbot,
}

/// Where the mirror is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Host of the registry.
    pub registry: String,
    /// First part of the repository names.
    pub prefix: String,
}

/// The remediator's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The mode where no tag says otherwise.
    pub mode: Mode,
    /// Whether a tag may raise it to ask or act.
    pub allow_tag_to_act: bool,
    /// For how many minutes a question waits for its answer.
    pub question_minutes: i64,
    /// The function's own name; empty where it runs outside Lambda.
    pub function: String,
    /// The stack's name; empty where there is none.
    pub stack: String,
    /// DynamoDB table.
    pub table: String,
    /// SNS topic.
    pub topic_arn: String,
    /// Own work queue.
    pub queue_url: String,
    /// The mirror's job queue, if there is one.
    pub mirror_queue_url: Option<String>,
    /// Event bus.
    pub event_bus: String,
    /// The mirror, if there is one.
    pub mirror: Option<Mirror>,
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
    /// From how many services on one cause is an outbreak.
    pub outbreak_after: usize,
    /// Within how many minutes.
    pub outbreak_minutes: i64,
    /// How messages are written.
    pub format: Format,
}

/// A setting that is missing or has a bad value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.problem)
    }
}

impl Settings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// All faults, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { lookup, faults: Vec::new() };
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
            mirror: (!registry.is_empty()).then(|| Mirror { registry, prefix: prefix.trim_matches('/').to_owned() }),
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
            outbreak_after: reader.parsed(OUTBREAK_AFTER, 3, "a whole number from 2 to 100", |value| {
                value.parse().ok().filter(|count| (2..=100).contains(count))
            }),
            outbreak_minutes: reader.parsed(OUTBREAK_MINUTES, 30, "a whole number from 1 to 1440", |value| {
                value.parse().ok().filter(|minutes| (1..=1440).contains(minutes))
            }),
            format: reader.format(),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}

/// The mirror's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorSettings {
    /// The table with its memory and leases.
    pub table: Option<String>,
    /// The topic for people.
    pub topic_arn: Option<String>,
    /// The own queue of copies that were asked for, if its messages can be had again sooner than it shows them.
    pub queue_url: Option<String>,
    /// The own queue of copies that were planned.
    pub plan_queue_url: Option<String>,
    /// Event bus.
    pub event_bus: String,
    /// The registry that the function may write to.
    pub registry: Option<String>,
    /// First part of the repository names that the function may write to.
    pub prefix: String,
    /// The parameter with the configuration.
    pub config_parameter: Option<String>,
    /// The secret with Docker Hub's credentials.
    pub hub_secret: Option<String>,
    /// How messages for people are written.
    pub format: Format,
}

impl Default for MirrorSettings {
    /// Copies on request only, as a user without a name.
    fn default() -> Self {
        Self {
            table: None,
            topic_arn: None,
            queue_url: None,
            plan_queue_url: None,
            event_bus: "default".to_owned(),
            registry: None,
            prefix: "docker-hub".to_owned(),
            config_parameter: None,
            hub_secret: None,
            format: Format::Text,
        }
    }
}

impl MirrorSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// All faults, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let settings = Self {
            table: reader.optional(TABLE),
            topic_arn: reader.optional(TOPIC),
            queue_url: reader.optional(MIRROR_QUEUE),
            plan_queue_url: reader.optional(MIRROR_PLAN_QUEUE),
            event_bus: reader.text(EVENT_BUS),
            registry: reader.optional(MIRROR_REGISTRY),
            prefix: reader.text(MIRROR_PREFIX).trim_matches('/').to_owned(),
            config_parameter: reader.optional(MIRROR_CONFIG),
            hub_secret: reader.optional(HUB_SECRET),
            format: reader.format(),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}

/// The configuration of the image gate and its waker, read and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateSettings {
    /// The table in which requests are parked.
    pub table: String,
    /// The queue of the mirror's jobs; without one no `Source` is asked for.
    pub mirror_queue_url: Option<String>,
    /// Where the mirror puts its copies.
    pub mirror: Option<Mirror>,
    /// The mirror's log group.
    pub mirror_log_group: Option<String>,
    /// The own queue.
    pub queue_url: Option<String>,
    /// Whether answers may go to this machine.
    pub allow_local_response_url: bool,
}

impl GateSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// All faults, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let prefix = reader.text(MIRROR_PREFIX).trim_matches('/').to_owned();
        let settings = Self {
            table: reader.text(TABLE),
            mirror_queue_url: reader.queue(MIRROR_QUEUE),
            mirror: reader.optional(MIRROR_REGISTRY).map(|registry| Mirror { registry, prefix }),
            mirror_log_group: reader.optional(MIRROR_LOG),
            queue_url: reader.queue(GATE_QUEUE),
            allow_local_response_url: reader.flag(ALLOW_LOCAL_RESPONSE_URL),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}

/// The probe's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Ids of subnets.
    pub subnets: Vec<String>,
}

impl ProbeSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// All faults, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let subnets = reader.text(PROBE_SUBNETS);
        let subnets =
            subnets.split(',').map(str::trim).filter(|subnet| !subnet.is_empty()).map(str::to_owned).collect();
        if reader.faults.is_empty() { Ok(Self { subnets }) } else { Err(reader.faults) }
    }
}

/// The widget's configuration, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidgetSettings {
    /// DynamoDB table.
    pub table: String,
}

impl WidgetSettings {
    /// Reads every setting through `lookup`.
    ///
    /// # Errors
    /// All faults, not only the first.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let settings = Self { table: reader.text(TABLE) };
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }
}

struct Reader<L> {
    lookup: L,
    faults: Vec<Fault>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn text(&mut self, setting: Setting) -> String {
        match ((self.lookup)(setting.name).map(|value| value.trim().to_owned()), setting.default) {
            (Some(value), None) if value.is_empty() => self.missing(setting),
            (Some(value), _) => value,
            (None, Some(default)) => default.to_owned(),
            (None, None) => self.missing(setting),
        }
    }

    fn missing(&mut self, setting: Setting) -> String {
        self.faults.push(Fault {
            name: setting.name,
            problem: format!("must be set. {}", setting.meaning),
        });
        String::new()
    }

    fn parsed<T>(&mut self, setting: Setting, otherwise: T, expected: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let value = self.text(setting);
        parse(&value).unwrap_or_else(|| {
            self.faults.push(Fault {
                name: setting.name,
                problem: format!("is `{value}`, expected {expected}"),
            });
            otherwise
        })
    }

    /// A text that need not be set.
    fn optional(&mut self, setting: Setting) -> Option<String> {
        (self.lookup)(setting.name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The URL of a queue that need not be set.
    fn queue(&mut self, setting: Setting) -> Option<String> {
        let url = self.optional(setting)?;
        let has_host = url.split_once("://").is_some_and(|(scheme, rest)| {
            matches!(scheme, "https" | "http") && rest.split('/').filter(|part| !part.is_empty()).count() >= 2
        });
        if !has_host {
            self.faults.push(Fault {
                name: setting.name,
                problem: format!("is `{url}`, expected the URL of a queue"),
            });
        }
        Some(url)
    }

    fn format(&mut self) -> Format {
        self.parsed(FORMAT, Format::Text, "`text` or `chatbot`", |value| match value.to_ascii_lowercase().as_str() {
            "text" => Some(Format::Text),
            "chatbot" => Some(Format::Chatbot),
            _ => None,
        })
    }

    fn flag(&mut self, setting: Setting) -> bool {
        self.parsed(setting, false, "`true` or `false`", |value| match value.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Fault>> {
        Settings::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const REQUIRED: [(&str, &str); 3] =
        [("PULLSAFE_TABLE", "t"), ("PULLSAFE_TOPIC_ARN", "a"), ("PULLSAFE_QUEUE_URL", "q")];

    #[test]
    fn observes_by_default_and_has_no_mirror_until_told() {
        let settings = read(&REQUIRED).unwrap();
        assert_eq!((settings.mode, settings.ahead, settings.pause_after), (Mode::Observe, Ahead::Warn, 2));
        assert_eq!((settings.mirror, settings.mirror_queue_url), (None, None));
        assert!(!settings.allow_tag_to_act && !settings.notify_all_builds);
        assert_eq!(settings.log_groups, ["/ecs/*", "/aws/ecs/*", "/copilot/*", "/aws/codebuild/*"]);
    }

    #[test]
    fn the_mirror_runs_without_any_setting() {
        assert_eq!(MirrorSettings::read(|_| None).unwrap(), MirrorSettings::default());
        let value = |name: &str| if name == FORMAT.name { "chatbot".to_owned() } else { name.to_owned() };
        let set =
            MirrorSettings::read(|name| OF_MIRROR.iter().any(|setting| setting.name == name).then(|| value(name)))
                .unwrap();
        assert_eq!(set.queue_url.as_deref(), Some("PULLSAFE_MIRROR_QUEUE_URL"));
        assert_eq!(set.plan_queue_url.as_deref(), Some("PULLSAFE_MIRROR_PLAN_QUEUE_URL"));
        assert_eq!(set.config_parameter.as_deref(), Some("PULLSAFE_MIRROR_CONFIG"));
        assert_eq!(set.hub_secret.as_deref(), Some("PULLSAFE_DOCKER_HUB_SECRET"));
        assert_eq!((set.event_bus.as_str(), set.format), ("PULLSAFE_EVENT_BUS", Format::Chatbot));
        assert!(MirrorSettings::read(|name| (name == FORMAT.name).then(|| "xml".to_owned())).is_err());
    }

    #[test]
    fn the_gate_starts_with_no_bad_value() {
        let read = |pairs: &[(&str, &str)]| {
            GateSettings::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        let set = read(&[
            ("PULLSAFE_TABLE", "t"),
            ("PULLSAFE_MIRROR_REGISTRY", "r"),
            ("PULLSAFE_GATE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/q"),
        ])
        .unwrap();
        assert_eq!(set.mirror, Some(Mirror { registry: "r".to_owned(), prefix: "docker-hub".to_owned() }));
        assert!(!set.allow_local_response_url && set.mirror_queue_url.is_none());
        let faults =
            read(&[("PULLSAFE_ALLOW_LOCAL_RESPONSE_URL", "yes"), ("PULLSAFE_MIRROR_QUEUE_URL", "queue")]).unwrap_err();
        let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
        assert_eq!(names, ["PULLSAFE_TABLE", "PULLSAFE_MIRROR_QUEUE_URL", "PULLSAFE_ALLOW_LOCAL_RESPONSE_URL"]);
    }

    #[test]
    fn reports_every_fault_with_its_name() {
        let faults =
            read(&[("PULLSAFE_MODE", "yes"), ("PULLSAFE_PAUSE_AFTER", "0"), ("PULLSAFE_TABLE", "t")]).unwrap_err();
        let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
        assert_eq!(names, ["PULLSAFE_MODE", "PULLSAFE_TOPIC_ARN", "PULLSAFE_QUEUE_URL", "PULLSAFE_PAUSE_AFTER"]);
        assert_eq!(faults[0].to_string(), "PULLSAFE_MODE: is `yes`, expected `observe`, `ask` or `act` (or `off`)");
    }
}
