//! The variables: names, defaults and meaning.

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
    MODE = "PULLSAFE_MODE", Some("observe"), "`observe` says what it would do; `ask` does it once a person has said \
        yes; `act` does it. The tag `pullsafe:mode` (off, observe, ask) on a service or its cluster lowers it.";
    ALLOW_TAG_TO_ACT = "PULLSAFE_ALLOW_TAG_TO_ACT", Some("false"), "Whether the tag `pullsafe:mode` may raise the \
        mode to `ask` or `act`; it may always lower it.";
    QUESTION_MINUTES = "PULLSAFE_QUESTION_MINUTES", Some("60"), "For how many minutes a question waits for its answer \
        where the mode is `ask` (5 to 1440).";
    STACK = "PULLSAFE_STACK", Some(""), "Name of the stack, which every metric carries as a dimension and every \
        paused or moved service as a tag; empty means none.";
    TABLE = "PULLSAFE_TABLE", None, "Name of the DynamoDB table that holds incidents and leases.";
    TOPIC = "PULLSAFE_TOPIC_ARN", None, "ARN of the SNS topic for people.";
    QUEUE = "PULLSAFE_QUEUE_URL", None, "URL of the remediator's own work queue (deferred and failed events, the \
        sweep's fan-out).";
    MIRROR_QUEUE = "PULLSAFE_MIRROR_QUEUE_URL", Some(""), "URL of the mirror's job queue; empty means that no mirror \
        can be asked.";
    EVENT_BUS = "PULLSAFE_EVENT_BUS", Some("default"), "Event bus that the events of pullsafe go to.";
    MIRROR_REGISTRY = "PULLSAFE_MIRROR_REGISTRY", Some(""), "Host of the private ECR registry with the mirror; empty \
        means that there is none.";
    MIRROR_PREFIX = "PULLSAFE_MIRROR_PREFIX", Some("docker-hub"), "First part of the mirror's repository names \
        (`docker-hub/library/python`).";
    PUBLIC_FALLBACK = "PULLSAFE_PUBLIC_FALLBACK", Some("true"), "Whether official images may move to \
        `public.ecr.aws/docker/library` where the mirror cannot serve.";
    AHEAD = "PULLSAFE_AHEAD", Some("warn"), "What to do when a deployment with Docker Hub images starts: `off`, \
        `warn` (say so, and fill the mirror where the stack acts) or `move`.";
    QUOTA_PROBE = "PULLSAFE_QUOTA_PROBE", Some("false"), "Whether a probe reads in the tasks' subnets how many pulls \
        Docker Hub grants them, so that the end of its limit is foretold (docs/ahead.md).";
    HOOKS = "PULLSAFE_ANSWER_HOOKS", Some("false"), "Whether deployments that wait at pullsafe's hook are looked at \
        and answered (docs/door.md).";
    RESTORE_ARCHIVED = "PULLSAFE_RESTORE_ARCHIVED", Some("false"), "Whether an image that a service needs is brought \
        back from ECR's archive.";
    PAUSE = "PULLSAFE_PAUSE", Some("true"), "Whether a service whose image does not exist may be paused until it does.";
    PAUSE_AFTER = "PULLSAFE_PAUSE_AFTER", Some("2"), "How many tasks must fail for the same missing image before a \
        pause (1 to 100).";
    PAUSE_AFTER_MINUTES = "PULLSAFE_PAUSE_AFTER_MINUTES", Some("30"), "How old a deployment must be before its \
        service is paused, in minutes (0 to 1440): whatever waits for the deployment takes a paused service for a \
        stable one.";
    MOVE_COOLDOWN = "PULLSAFE_MOVE_COOLDOWN_HOURS", Some("24"), "For how many hours after a move the same service is \
        not moved again (0 to 720).";
    KEEP_REPOSITORIES = "PULLSAFE_KEEP_REPOSITORIES", Some(""), "The repositories of ECR, as a pattern with `*`, in \
        which an image that runs may be kept from its lifecycle policy by a tag; empty means none.";
    LOG_GROUPS = "PULLSAFE_LOG_GROUPS", Some("/ecs/*,/aws/ecs/*,/copilot/*,/aws/codebuild/*"), "The log groups that \
        may be read for evidence, as patterns with `*`, separated by commas.";
    NOTIFY_ALL_BUILDS = "PULLSAFE_NOTIFY_ALL_BUILDS", Some("false"), "Whether a failed build is told even where its \
        cause concerns neither an image nor a registry.";
    EVIDENCE_ON_BUS = "PULLSAFE_EVIDENCE_ON_BUS", Some("false"), "Whether the lines of evidence, lines of logs among \
        them, go to the event bus too; without them an event says the cause and where the evidence was read.";
    OUTBREAK_AFTER = "PULLSAFE_OUTBREAK_AFTER", Some("3"), "From how many services with the same cause at the same \
        registry on people are told by digests instead of one by one (2 to 100).";
    OUTBREAK_MINUTES = "PULLSAFE_OUTBREAK_MINUTES", Some("30"), "Within how many minutes they must fail for that (1 \
        to 1440).";
    FORMAT = "PULLSAFE_NOTIFICATION_FORMAT", Some("text"), "`text` for people, `chatbot` for Amazon Q in chat \
        applications.";
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
    meaning: "Name of the SSM parameter with the mirror's configuration; empty means that images are mirrored on \
        request only.",
};
/// Where Docker Hub's credentials are.
pub const HUB_SECRET: Setting = Setting {
    name: "PULLSAFE_DOCKER_HUB_SECRET",
    default: Some(""),
    meaning: "ARN of the secret with Docker Hub's credentials; empty means anonymous.",
};

/// The function's own name, which Lambda sets. Whoever answers a question invokes the function by this name.
pub const FUNCTION: Setting = Setting {
    name: "AWS_LAMBDA_FUNCTION_NAME",
    default: Some(""),
    meaning: "Name of the function itself; Lambda sets it.",
};

/// The mirror's log group.
pub const MIRROR_LOG: Setting = Setting {
    name: "PULLSAFE_MIRROR_LOG_GROUP",
    default: Some(""),
    meaning: "Name of the mirror's log group, which a stack is told that waits for a copy in vain.",
};
/// The gate's own queue.
pub const GATE_QUEUE: Setting = Setting {
    name: "PULLSAFE_GATE_QUEUE_URL",
    default: Some(""),
    meaning: "URL of the gate's own queue, whose delayed messages wake the waker before a stack gives up; without it \
        a stack is answered a minute earlier.",
};
/// Whether answers may go to this machine.
pub const ALLOW_LOCAL_RESPONSE_URL: Setting = Setting {
    name: "PULLSAFE_ALLOW_LOCAL_RESPONSE_URL",
    default: Some("false"),
    meaning: "Leave false. Lets the gate answer to addresses of this machine, in local runs.",
};

/// The settings that the mirror reads. Those that the remediator reads too mean the same to both; none of them is
/// required.
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

/// The subnets that the probe is in.
pub const PROBE_SUBNETS: Setting = Setting {
    name: "PULLSAFE_PROBE_SUBNETS",
    default: None,
    meaning: "Ids of the subnets whose limit at Docker Hub the probe reads, separated by commas: those that leave by \
        one NAT gateway.",
};

/// The settings that the probe reads.
pub const OF_PROBE: &[Setting] = &[STACK, PROBE_SUBNETS];
/// The function that receives the answers given in the widget.
pub const ANSWERS_FUNCTION: Setting = Setting {
    name: "PULLSAFE_ANSWERS_FUNCTION",
    default: Some(""),
    meaning: "ARN of the remediator, which the buttons of the widget call with the answer to a question; empty means \
        that there are none.",
};

/// The settings that the widget reads.
pub const OF_WIDGET: &[Setting] = &[STACK, TABLE, OUTBREAK_AFTER, OUTBREAK_MINUTES, ANSWERS_FUNCTION];
/// The settings that the image gate and its waker read. They mean the same to every function.
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
