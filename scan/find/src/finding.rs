//! What a scan finds: one place in a file that pulls an image.

use std::ops::Range;

use pullsafe::reference::{Reference, Registry};
use serde::Serialize;

/// What kind of place names the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// `FROM` of a Dockerfile.
    DockerfileFrom,
    /// `COPY --from=` of a Dockerfile.
    DockerfileCopyFrom,
    /// `RUN --mount=...,from=` of a Dockerfile.
    DockerfileMount,
    /// `# syntax=` of a Dockerfile: BuildKit pulls that frontend before anything else.
    DockerfileSyntax,
    /// `image:` of a compose service.
    ComposeImage,
    /// A volume of type `image` of a compose service.
    ComposeVolume,
    /// `docker-image://` of a build's `additional_contexts` in a compose file.
    ComposeBuildContext,
    /// `image` of a container definition of Amazon ECS, as JSON.
    EcsTaskDefinition,
    /// A container image of a CloudFormation, SAM or CDK template.
    CloudFormation,
    /// `Environment.Image` of a CodeBuild project in a CloudFormation template.
    CodeBuildEnvironment,
    /// A command of a CodeBuild build specification.
    BuildspecCommand,
    /// A command of another CI system's script: GitHub Actions, GitLab and so on.
    CiCommand,
    /// `container:` of a GitHub Actions job.
    GithubContainer,
    /// `services:` of a GitHub Actions job.
    GithubService,
    /// `docker://` in a GitHub Actions step or in an action.
    GithubAction,
    /// `image:` of GitLab CI.
    GitlabImage,
    /// `services:` of GitLab CI.
    GitlabService,
    /// `image` of a development container.
    Devcontainer,
    /// An image of another CI system's file.
    CiImage,
    /// An image of a Kubernetes manifest.
    Kubernetes,
    /// An image of a Helm chart's values.
    HelmValues,
    /// An image of a Terraform file.
    Terraform,
    /// `image` of a Nomad task.
    Nomad,
    /// An agent, a container or a command of a Jenkins pipeline.
    Jenkins,
    /// An image of an Ansible task or a Molecule platform.
    Ansible,
    /// A container that a test starts through Testcontainers or dockertest.
    Testcontainers,
    /// An image in a program of AWS CDK, Pulumi or the like.
    InfrastructureCode,
    /// An image that Bazel pulls.
    Bazel,
    /// A resource or a task's image of Concourse.
    Concourse,
    /// A command of a shell script, a makefile or the like.
    ScriptCommand,
    /// A command or a file of cloud-init's user data.
    CloudInit,
    /// `FROM` and the like of an Earthfile.
    Earthfile,
    /// A step of Google Cloud Build.
    CloudBuild,
    /// A builder or a base image of Skaffold.
    Skaffold,
    /// A context or an argument of a bake file.
    Bake,
    /// A text embedded in another file: a manifest in a ConfigMap, a script in a string.
    Embedded,
}

impl PlaceKind {
    /// Whether an image in such a place is deployed: it then comes from a registry, not from the machine that built it.
    pub const fn is_deployed(self) -> bool {
        match self {
            Self::Kubernetes
            | Self::HelmValues
            | Self::EcsTaskDefinition
            | Self::CloudFormation
            | Self::Terraform
            | Self::Nomad
            | Self::InfrastructureCode
            | Self::CodeBuildEnvironment => true,
            Self::DockerfileFrom
            | Self::DockerfileCopyFrom
            | Self::DockerfileMount
            | Self::DockerfileSyntax
            | Self::ComposeImage
            | Self::ComposeVolume
            | Self::ComposeBuildContext
            | Self::BuildspecCommand
            | Self::CiCommand
            | Self::GithubContainer
            | Self::GithubService
            | Self::GithubAction
            | Self::GitlabImage
            | Self::GitlabService
            | Self::Devcontainer
            | Self::CiImage
            | Self::Jenkins
            | Self::Ansible
            | Self::Testcontainers
            | Self::Bazel
            | Self::Concourse
            | Self::ScriptCommand
            | Self::CloudInit
            | Self::Earthfile
            | Self::CloudBuild
            | Self::Skaffold
            | Self::Bake
            | Self::Embedded => false,
        }
    }

    /// The name used in output, as `serde` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DockerfileFrom => "dockerfile-from",
            Self::DockerfileCopyFrom => "dockerfile-copy-from",
            Self::DockerfileMount => "dockerfile-mount",
            Self::DockerfileSyntax => "dockerfile-syntax",
            Self::ComposeImage => "compose-image",
            Self::ComposeVolume => "compose-volume",
            Self::ComposeBuildContext => "compose-build-context",
            Self::EcsTaskDefinition => "ecs-task-definition",
            Self::CloudFormation => "cloud-formation",
            Self::CodeBuildEnvironment => "code-build-environment",
            Self::BuildspecCommand => "buildspec-command",
            Self::CiCommand => "ci-command",
            Self::GithubContainer => "github-container",
            Self::GithubService => "github-service",
            Self::GithubAction => "github-action",
            Self::GitlabImage => "gitlab-image",
            Self::GitlabService => "gitlab-service",
            Self::Devcontainer => "devcontainer",
            Self::CiImage => "ci-image",
            Self::Kubernetes => "kubernetes",
            Self::HelmValues => "helm-values",
            Self::Terraform => "terraform",
            Self::Nomad => "nomad",
            Self::Jenkins => "jenkins",
            Self::Ansible => "ansible",
            Self::Testcontainers => "testcontainers",
            Self::InfrastructureCode => "infrastructure-code",
            Self::Bazel => "bazel",
            Self::Concourse => "concourse",
            Self::ScriptCommand => "script-command",
            Self::CloudInit => "cloud-init",
            Self::Earthfile => "earthfile",
            Self::CloudBuild => "cloud-build",
            Self::Skaffold => "skaffold",
            Self::Bake => "bake",
            Self::Embedded => "embedded",
        }
    }
}

/// One place in a file that pulls an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Path of the file, as it was given or found, with `/`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What kind of place this is.
    pub place: PlaceKind,
    /// The reference as its author wrote it.
    pub written: String,
    /// The full reference; a variable without a value stays as `${NAME}`.
    pub reference: String,
    /// The registry that it is pulled from; `None` where a variable decides.
    pub registry: Option<Registry>,
    /// Whether it is a Docker Official Image.
    pub official: bool,
    /// Whether a digest fixes what is pulled.
    pub pinned: bool,
    /// Whether every part of the reference is known, and the place can only be a pull.
    pub certain: bool,
    /// The variables without a value.
    pub variables: Vec<String>,
    /// The compose services that use the image: several may share an anchor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Where the registry's part of the reference is written, for a rewrite.
    #[serde(skip)]
    pub head: Option<RegistryPart>,
    /// What else has to change when the image moves, so that the file means the same; or why it must not move.
    #[serde(skip)]
    pub along: ChangesToo,
    /// In a kustomization: the name by which the entry selects its image in the manifests.
    #[serde(skip)]
    pub selects: Option<Selects>,
    /// The parsed reference, where everything is known.
    #[serde(skip)]
    pub(crate) parsed: Option<Reference>,
}

impl Finding {
    /// Whether a pull of this goes to Docker Hub, as far as the files tell.
    pub fn is_docker_hub(&self) -> bool {
        self.registry == Some(Registry::DockerHub)
    }

    /// The parsed reference, where every part of it is known.
    pub fn parsed(&self) -> Option<&Reference> {
        self.parsed.as_ref()
    }
}

/// What else has to change when an image moves to another registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ChangesToo {
    /// Nothing.
    #[default]
    Nothing,
    /// Texts to insert: for each its file, the byte offset, and the text.
    Texts(Vec<(String, usize, String)>),
    /// The image must stay, for this reason.
    Stays(&'static str),
}

/// How a kustomization's entry selects its image. The entry must use the manifests' name for it, before a move and
/// after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selects {
    /// The name, without tag and digest.
    pub name: String,
    /// Where the name's registry is written.
    pub head: RegistryPart,
    /// Whether the entry replaces the name with another one.
    pub replaced: bool,
}

/// Where the registry's part of a Docker Hub reference is written: the bytes that a move to another registry changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryPart {
    /// The file and the byte range of the host; `None` where no host is written.
    pub host: Option<(String, Range<usize>)>,
    /// The file and the byte offset where the repository begins; `None` where nothing has to go before it.
    pub repository: Option<(String, usize)>,
    /// Whether the repository is written without its `library/`.
    pub bare: bool,
}

/// What the scan of one file found.
#[derive(Debug, Default)]
pub struct FileScan {
    /// The images that the file pulls.
    pub findings: Vec<Finding>,
    /// What kept the file from being read in full.
    pub problems: Vec<Problem>,
    /// The names of the images that the file builds.
    pub built: Vec<Built>,
    /// What the file deploys, if it is a kustomization.
    pub kustomization: Option<Kustomization>,
    /// The name of the format that the file was read as.
    pub format: Option<&'static str>,
    /// The kind of file, if it pulls images but is of a kind that the scan cannot read.
    pub unread: Option<&'static str>,
}

/// A kustomization: what it deploys, and whose images it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kustomization {
    /// Path of the file.
    pub path: String,
    /// Paths of the files and directories that it includes.
    pub resources: Vec<String>,
    /// The names of the images to which it gives another name, tag or digest.
    pub names: Vec<String>,
}

/// An image that is named and not pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotPulled {
    /// The place that names the image.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why nothing is pulled there.
    pub why: WhyNotPulled,
}

/// Why an image that is named is not pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyNotPulled {
    /// Another file builds it.
    Built,
    /// A kustomization replaces it.
    Overridden,
}

impl WhyNotPulled {
    /// The reason in words, to follow `is not pulled: `.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Built => "another file builds it",
            Self::Overridden => "a kustomization puts another in its place",
        }
    }
}

/// The name of an image that a file builds: another file that uses it does not pull it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Built {
    /// The name as the file writes it.
    pub name: String,
    /// Who can use the image without a pull.
    pub kept: BuiltFor,
}

/// Who can use a built image without a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltFor {
    /// Builds and runs on the same machine, under this name and tag.
    Locally,
    /// Everything that the tool deploys, under any tag: Skaffold puts its own tag in.
    Everywhere,
    /// The Dockerfiles of a build, as a named context.
    AsContext,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The file is of a known format and could not be read: images may be missed.
    Unreadable,
    /// A part could not be understood; the rest was read.
    Warning,
}

/// Something that kept a file from being read in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Path of the file.
    pub file: String,
    /// Line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// How bad it is.
    pub level: Level,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.file, self.message),
            line => write!(formatter, "{}:{line}: {}", self.file, self.message),
        }
    }
}
