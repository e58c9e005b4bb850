//! The vocabulary of diagnosis: why a task stopped or a pull failed.
//!
//! The names are a contract (`pullsafe diagnose`, events, tags on services): kebab-case, never renamed.

use serde::{Deserialize, Serialize};

use crate::build_facts::BuildFacts;
use pullsafe::reference::Registry;

/// Declares a closed set whose members have a contract name, with conversions in both directions.
macro_rules! names {
    ($(#[$meta:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $type { $($(#[$doc])* #[serde(rename = $name)] $variant,)+ }

        impl $type {
            /// Every member, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The contract name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The member with this contract name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

/// Declares the causes, one line each: the contract name and the nature of the cause.
macro_rules! causes {
    ($(#[$meta:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal: $nature:ident,)+ }) => {
        names! { $(#[$meta])* $type { $($(#[$doc])* $variant = $name,)+ } }

        impl $type {
            const fn nature(self) -> Nature {
                match self { $(Self::$variant => Nature::$nature,)+ }
            }
        }
    };
}

/// What kind of thing a cause concerns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// One image.
    AboutImage,
    /// A registry or the way to it, and so every image there.
    AtRegistry,
    /// The normal course of events, about which nobody is told.
    Benign,
    /// None of these.
    Other,
}

causes! {
    /// What stopped a task, or keeps it from starting.
    Cause {
        /// A registry refuses because of a quota, a burst limit or an API throttle.
        RegistryRateLimited = "registry-rate-limited": AtRegistry,
        /// ECR Public's data allowance of an address is used up.
        RegistryDataLimit = "registry-data-limit": AtRegistry,
        /// The tag does not exist in its repository (or the digest never did).
        ImageNotFound = "image-not-found": AboutImage,
        /// The digest that the deployment pinned no longer exists, while its tag may.
        ImageDigestGone = "image-digest-gone": AboutImage,
        /// The image lies in ECR's archive, from where it cannot be pulled.
        ImageArchived = "image-archived": AboutImage,
        /// The repository does not exist under this name.
        RepositoryNotFound = "repository-not-found": AboutImage,
        /// The registry does not accept the credentials, or none were sent.
        RegistryAuthDenied = "registry-auth-denied": AtRegistry,
        /// An IAM or repository policy of ECR does not allow the pull.
        EcrPermissionDenied = "ecr-permission-denied": AtRegistry,
        /// The registry could not be reached over the network.
        RegistryUnreachable = "registry-unreachable": AtRegistry,
        /// The registry answered with a server error.
        RegistryServerError = "registry-server-error": AtRegistry,
        /// The image has no variant for the task's platform.
        PlatformMismatch = "platform-mismatch": AboutImage,
        /// The image reference is malformed.
        InvalidImageReference = "invalid-image-reference": AboutImage,
        /// The bytes of the image are not what its digests say, or cannot be unpacked.
        ImageCorrupt = "image-corrupt": AboutImage,
        /// The image has a media type that the runtime cannot run.
        ImageUnsupported = "image-unsupported": AboutImage,
        /// The disk of the task or host is full.
        DiskFull = "disk-full": Other,
        /// A secret, parameter or environment file could not be read.
        SecretUnavailable = "secret-unavailable": Other,
        /// ECS may not assume the task's or the execution role.
        RoleAssumeFailed = "role-assume-failed": Other,
        /// The log driver could not start.
        LogDriverFailed = "log-driver-failed": Other,
        /// A volume could not be mounted.
        VolumeMountFailed = "volume-mount-failed": Other,
        /// The task's network interface could not be set up.
        NetworkSetupFailed = "network-setup-failed": Other,
        /// There is no capacity to place the task on.
        CapacityUnavailable = "capacity-unavailable": Other,
        /// The runtime rejects the container's configuration.
        InvalidConfiguration = "invalid-configuration": Other,
        /// The host port is taken.
        HostPortConflict = "host-port-conflict": Other,
        /// The command or entry point is missing or not executable.
        CommandNotFound = "command-not-found": Other,
        /// The program is for another processor architecture.
        ExecFormat = "exec-format": Other,
        /// The container or its heap ran out of memory.
        OutOfMemory = "out-of-memory": Other,
        /// The application ran and exited by itself.
        AppCrashed = "app-crashed": Other,
        /// The application runs and logs errors; it explains failed health checks.
        AppDegraded = "app-degraded": Other,
        /// The container's own health check failed.
        ContainerHealthCheckFailed = "container-health-check-failed": Other,
        /// The load balancer's health check failed.
        LoadBalancerHealthCheckFailed = "load-balancer-health-check-failed": Other,
        /// The container instance went away.
        HostTerminated = "host-terminated": Benign,
        /// Fargate Spot or EC2 Spot took the capacity back.
        SpotInterrupted = "spot-interrupted": Benign,
        /// A person or a program asked for the stop.
        UserStopped = "user-stopped": Benign,
        /// The service scheduler stopped the task to scale in or to replace it.
        ScalingOrDeployment = "scaling-or-deployment": Benign,
        /// The task did its work and ended well.
        TaskCompleted = "task-completed": Benign,
        /// The container agent or the container runtime failed.
        AgentError = "agent-error": Other,
        /// The text does not say, or is cut before it would.
        Unknown = "unknown": Other,
    }
}

impl Cause {
    /// Whether the stop is in the normal course of events, so that nobody is told about it.
    pub const fn is_benign(self) -> bool {
        matches!(self.nature(), Nature::Benign)
    }

    /// Whether the cause concerns an image or its registry.
    pub const fn is_about_image(self) -> bool {
        matches!(self.nature(), Nature::AboutImage | Nature::AtRegistry)
    }

    /// Whether everybody who pulls from the same registry meets the cause too.
    pub const fn is_at_registry(self) -> bool {
        matches!(self.nature(), Nature::AtRegistry)
    }
}

names! {
    /// Which kind of a cause it is, where a cause has kinds.
    Kind {
        /// The number of pulls in a window is used up.
        Quota = "quota",
        /// Too many requests in a short time.
        Burst = "burst",
        /// An AWS API throttles its callers.
        ApiThrottle = "api-throttle",
        /// The kernel killed the container at its memory limit.
        Cgroup = "cgroup",
        /// A language runtime's own heap limit.
        Heap = "heap",
        /// A secret in Secrets Manager.
        SecretsManager = "sm",
        /// A parameter in Systems Manager Parameter Store.
        ParameterStore = "ssm",
        /// An environment file in S3.
        EnvironmentFile = "env-file",
        /// A credential specification (gMSA).
        CredentialSpec = "credentialspec",
    }
}

names! {
    /// Why it failed, where the text tells.
    Why {
        /// The name does not resolve.
        Dns = "dns",
        /// No answer in time.
        Timeout = "timeout",
        /// The TLS handshake or the certificate failed.
        Tls = "tls",
        /// The connection was refused.
        Refused = "refused",
        /// The connection was reset or ended early.
        Reset = "reset",
        /// Permission is missing.
        Permission = "permission",
        /// The thing does not exist.
        Missing = "missing",
        /// It exists and has no value.
        NoValue = "no-value",
        /// Its value is not the JSON, or lacks the key, that was asked for.
        JsonKey = "json-key",
        /// The key that encrypts it may not be used.
        Kms = "kms",
        /// The service cannot be reached.
        Network = "network",
        /// A health check got another status code than it wants.
        ResponseCodeMismatch = "response-code-mismatch",
        /// A health check failed without an answer that says more.
        FailedHealthChecks = "failed-health-checks",
        /// The configuration is wrong.
        Configuration = "configuration",
    }
}

names! {
    /// In which phase of a pull a registry could not be reached.
    Phase {
        /// Getting credentials or a token.
        Auth = "auth",
        /// Reading the manifest.
        Manifest = "manifest",
        /// Reading a layer.
        Layer = "layer",
    }
}

names! {
    /// What a crashed application's log looks like.
    Signature {
        /// A module or package is not installed or not on the path.
        ModuleMissing = "module-missing",
        /// A module is there and fails while it is imported.
        ImportError = "import-error",
        /// A required environment variable is not set.
        EnvMissing = "env-missing",
        /// A configuration file or key is missing or wrong.
        ConfigMissing = "config-missing",
        /// The source does not parse.
        SyntaxError = "syntax-error",
        /// Something the application depends on cannot be reached.
        DependencyUnreachable = "dependency-unreachable",
        /// The name of something the application depends on does not resolve.
        DependencyDns = "dependency-dns",
        /// Something the application depends on does not accept its credentials.
        DependencyAuth = "dependency-auth",
        /// Refused on localhost: the address of a dependency was never configured.
        DependencyLocalhostDefault = "dependency-localhost-default",
        /// No credentials were found.
        CredentialsMissing = "credentials-missing",
        /// The port is taken.
        PortInUse = "port-in-use",
        /// The file system or the kernel refuses access.
        PermissionDenied = "permission-denied",
        /// The root file system is read-only.
        ReadOnlyFs = "read-only-fs",
        /// The language runtime has the wrong version.
        RuntimeVersion = "runtime-version",
        /// The program does not accept its arguments.
        BadArguments = "bad-arguments",
        /// The script or program of the entry point is missing.
        EntrypointMissing = "entrypoint-missing",
        /// An exception or panic that nothing above explains.
        UncaughtException = "uncaught-exception",
        /// A segmentation fault.
        Segfault = "segfault",
        /// The process aborted.
        Abort = "abort",
        /// The process aborted and logged nothing.
        AbortNoLog = "abort-no-log",
    }
}

names! {
    /// How much a diagnosis can be relied on.
    Confidence {
        /// The text alone suffices.
        High = "high",
        /// A second look is needed before anything acts on it.
        Medium = "medium",
        /// Say so, and do not act.
        Low = "low",
    }
}

names! {
    /// What pullsafe can do about a cause.
    RemedyName {
        /// Move every Docker Hub image of the service to a verified mirror.
        MoveToMirror = "move-to-mirror",
        /// Set the desired count to 0 until the image exists, then restore it.
        PauseAndRestore = "pause-and-restore",
        /// Force a new deployment, which resolves the tag again.
        ForceNewDeployment = "force-new-deployment",
        /// Bring an image back from ECR's archive, then deploy anew where nothing else does.
        RestoreImage = "restore-image",
        /// Make sure that the mirror has what a starting deployment will pull.
        PrepareMirror = "prepare-mirror",
        /// Say what is wrong and the exact change to make.
        Advise = "advise",
        /// Nothing: the stop is in the normal course of events.
        None = "none",
    }
}

impl RemedyName {
    /// Whether the remedy changes nothing but the mirror, which belongs to the stack.
    pub const fn fills_the_mirror(self) -> bool {
        match self {
            Self::PrepareMirror => true,
            Self::RestoreImage
            | Self::MoveToMirror
            | Self::PauseAndRestore
            | Self::ForceNewDeployment
            | Self::Advise
            | Self::None => false,
        }
    }

    /// Whether the remedy only prepares what another remedy, or ECS itself, does next; then it does not count as an act
    /// upon the service.
    pub const fn only_prepares(self) -> bool {
        match self {
            Self::PrepareMirror | Self::RestoreImage => true,
            Self::MoveToMirror | Self::PauseAndRestore | Self::ForceNewDeployment | Self::Advise | Self::None => false,
        }
    }
}

/// A line that supports a diagnosis, and where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where the text stood: `stoppedReason`, `containers[app].reason`, `logs[app]`, an AWS call.
    pub source: String,
    /// The text, with signed URLs and secrets masked. It is missing where only the place may be told.
    #[serde(default)]
    pub text: String,
}

/// A stream of CloudWatch Logs that was read for evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRead {
    /// The region, where it is not the task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The log group.
    pub group: String,
    /// The stream.
    pub stream: String,
}

/// The cause of one stop, with what supports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// What stopped the task.
    pub cause: Cause,
    /// The registry that is meant, for causes that have to do with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// Which kind of the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Why, where the text tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// In which phase of the pull.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What the log of a crashed or degraded application looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What probably lies behind the cause: [`Cause::AppDegraded`] where health checks failed and the log has errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Cause>,
    /// The image that could not be pulled, as the text or the task has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The build that failed, where it was one and a pull failed in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildFacts>,
    /// The container that failed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// How many times the pull was tried in this one task start, where the text tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Whether the pull was anonymous, where the text tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<bool>,
    /// How far to rely on this.
    pub confidence: Confidence,
    /// The lines that support it, the most telling first.
    pub evidence: Vec<Evidence>,
    /// The log among them, where one was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogRead>,
    /// What would settle an ambiguous text, for a person or a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<String>,
    /// What to do, for a person: the exact change where the text allows one.
    #[serde(default)]
    pub advice: String,
    /// What shows whether it is so: a command to paste, or a page of the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

impl Diagnosis {
    /// A diagnosis of this cause, with nothing more known.
    pub const fn of(cause: Cause, confidence: Confidence) -> Self {
        Self {
            cause,
            registry: None,
            kind: None,
            why: None,
            phase: None,
            signature: None,
            explanation: None,
            image: None,
            build: None,
            container: None,
            attempts: None,
            anonymous: None,
            confidence,
            evidence: Vec::new(),
            log: None,
            settled_by: None,
            advice: String::new(),
            check: None,
        }
    }

    /// Whether this is Docker Hub's pull quota, the only limit for which a service is moved without anybody's asking.
    pub fn docker_hub_quota(&self) -> bool {
        self.cause == Cause::RegistryRateLimited
            && self.registry == Some(Registry::DockerHub)
            && self.kind == Some(Kind::Quota)
    }
}
