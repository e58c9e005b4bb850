//! What to do about a pull that failed in a build: it concerns the project's login, service role and network, never a
//! task's.

use crate::cause::{Cause, Diagnosis};
use pullsafe::reference::Registry;

/// Advice for builds, for some causes.
struct Advice {
    causes: &'static [Cause],
    /// The condition that the diagnosis has to meet.
    only: fn(&Diagnosis) -> bool,
    text: &'static str,
}

/// The specific before the general: the first that fits is taken.
const ALL: &[Advice] = &[
    Advice {
        causes: &[Cause::RegistryRateLimited],
        only: Diagnosis::docker_hub_quota,
        text: "Docker Hub's pull quota for this address or account is used up; builds of one NAT gateway or of \
            CodeBuild's own addresses share it. Log in before the build (`docker login` with a token from Secrets \
            Manager), or take the base image from ECR: `public.ecr.aws/docker/library/` has the official ones, a \
            pull-through cache rule the rest.",
    },
    Advice {
        causes: &[Cause::RegistryRateLimited],
        only: |_| true,
        text: "The registry limits its callers; this is not Docker Hub's pull quota. Log in before the build (`docker \
            login`), start fewer builds at once, and retry with growing pauses; take the base image from a private \
            ECR repository if it lasts.",
    },
    Advice {
        causes: &[Cause::RegistryDataLimit],
        only: |_| true,
        text: "ECR Public's data allowance of this address is used up. Log in to it in the build (`aws ecr-public \
            get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws`), or \
            use a pull-through cache rule for public.ecr.aws.",
    },
    Advice {
        causes: &[Cause::RegistryAuthDenied],
        only: is_ecr,
        text: "The build is not logged in to Amazon ECR. Put `aws ecr get-login-password | docker login --username \
            AWS --password-stdin <account>.dkr.ecr.<region>.amazonaws.com` before the build, for the registry of the \
            base image too, and give the project's service role `ecr:GetAuthorizationToken`.",
    },
    Advice {
        causes: &[Cause::RegistryAuthDenied],
        only: |_| true,
        text: "The registry does not accept the build's pull: the image is private and the build is not logged in \
            there, or its token has ended, or the name is misspelt. Put a `docker login` with a token from Secrets \
            Manager before the build; log out if an old token is in the way and the image is public.",
    },
    Advice {
        causes: &[Cause::EcrPermissionDenied],
        only: |_| true,
        text: "The project's service role may not pull, or the build is not logged in to this registry. Give the role \
            ecr:GetAuthorizationToken, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and \
            ecr:BatchCheckLayerAvailability, put a `docker login` for this registry before the build, and across \
            accounts allow it in the repository's policy.",
    },
    Advice {
        causes: &[Cause::RegistryUnreachable],
        only: |_| true,
        text: "The build does not reach the registry. A project with a VPC configuration needs private subnets with a \
            NAT gateway (or endpoints) and a security group that lets 443 out; a project without one needs nothing, \
            so look at the name of the host and at a proxy.",
    },
    Advice {
        causes: &[Cause::ImageNotFound, Cause::ImageDigestGone, Cause::RepositoryNotFound],
        only: |_| true,
        text: "The base image does not exist under this name. Correct the `FROM` line (tag, digest, registry), or \
            build and push the image first; a name without a host is looked up at Docker Hub, so that a stage's name \
            that is misspelt is looked up there too.",
    },
    Advice {
        causes: &[Cause::ImageArchived],
        only: |_| true,
        text: "The base image is in ECR's archive, and cannot be pulled from there. Restore it (`aws ecr \
            update-image-storage-class` with the storage class STANDARD, or push it again), and exclude it from the \
            lifecycle rule that archives it.",
    },
    Advice {
        causes: &[Cause::PlatformMismatch],
        only: |_| true,
        text: "The base image has no variant for the platform that is built. Build with `--platform`, choose a base \
            image that has it, or change the environment's type of the project (ARM_CONTAINER, LINUX_CONTAINER).",
    },
    Advice {
        causes: &[Cause::RegistryServerError],
        only: |_| true,
        text: "The registry failed while the build pulled its base image. Start the build again; if it lasts, look at \
            the registry's status page, and take the base image from a private ECR repository.",
    },
    Advice {
        causes: &[Cause::InvalidImageReference],
        only: |_| true,
        text: "The name of the base image is malformed. Look at the `FROM` line with its build arguments filled in: \
            an argument without a value leaves a hole in the name.",
    },
    Advice {
        causes: &[Cause::ImageCorrupt, Cause::ImageUnsupported],
        only: |_| true,
        text: "The base image cannot be unpacked or has a format that this builder does not know. Pull it once by \
            hand; if that fails too, push it anew at its source, else use a newer Docker or BuildKit in the build's \
            environment.",
    },
];

/// Advice for the project's own image, which CodeBuild pulls before any command of the build runs.
const OF_ENVIRONMENT: &[Advice] = &[
    Advice {
        causes: &[Cause::RegistryRateLimited, Cause::RegistryDataLimit],
        only: |_| true,
        text: "The registry limits its callers, and CodeBuild's own addresses are shared. Give the project's \
            environment a registry credential (a secret of Secrets Manager), or choose an image of CodeBuild or of a \
            private ECR repository.",
    },
    Advice {
        causes: &[Cause::RegistryAuthDenied, Cause::EcrPermissionDenied],
        only: |_| true,
        text: "The registry does not let CodeBuild pull the project's image. For Amazon ECR let the project pull with \
            its service role and give that the actions of a pull (across accounts the repository's policy too); for \
            any other registry set the environment's registry credential. Look at the name as well.",
    },
    Advice {
        causes: &[Cause::RegistryUnreachable, Cause::RegistryServerError],
        only: |_| true,
        text: "CodeBuild could not get the project's image from its registry. Start the build again; if it lasts, \
            look at the registry's status page and host name, and copy the image to a private ECR repository.",
    },
    Advice {
        causes: &[
            Cause::ImageNotFound,
            Cause::ImageArchived,
            Cause::ImageDigestGone,
            Cause::RepositoryNotFound,
            Cause::InvalidImageReference,
            Cause::PlatformMismatch,
            Cause::ImageCorrupt,
            Cause::ImageUnsupported,
        ],
        only: |_| true,
        text: "The project's image cannot be used: it does not exist under this name, or not for the environment's \
            type (LINUX_CONTAINER, ARM_CONTAINER, WINDOWS_SERVER_2022_CONTAINER). Correct the environment's image of \
            the project.",
    },
];

fn is_ecr(found: &Diagnosis) -> bool {
    matches!(found.registry, Some(Registry::EcrPrivate | Registry::EcrPrivateApi))
}

/// Returns the advice for a build, if it differs from that for a task: for the project's own image (`of_environment`),
/// or for the images that its commands pull.
pub(crate) fn of(found: &Diagnosis, of_environment: bool) -> Option<&'static str> {
    let table = if of_environment { OF_ENVIRONMENT } else { ALL };
    table
        .iter()
        .find(|advice| advice.causes.contains(&found.cause) && (advice.only)(found))
        .map(|advice| advice.text)
}
