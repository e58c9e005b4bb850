//! The step that a CI system needs before it can pull from a private mirror.

use std::collections::BTreeSet;

use pullsafe_find::finding::{Finding, PlaceKind};

/// What to add, for each system whose files have images that move. Which role or secret it is only the reader knows, so
/// that nothing is written by itself.
pub fn logins<'f>(moved: impl Iterator<Item = &'f Finding>, registry: &str) -> Vec<String> {
    let kinds: BTreeSet<&str> = moved.filter_map(step).collect();
    kinds.into_iter().map(|step| step.replace("REGISTRY", registry)).collect()
}

fn step(finding: &Finding) -> Option<&'static str> {
    let file = finding.file.as_str();
    Some(match finding.place {
        PlaceKind::GithubContainer | PlaceKind::GithubService => {
            "GitHub Actions: give `container` and `services` their `credentials` (username AWS, password from a job \
             before them that runs \
             aws-actions/amazon-ecr-login with `mask-password: false`)"
        }
        PlaceKind::GithubAction => {
            "GitHub Actions: add a step with aws-actions/amazon-ecr-login before the first use; `uses: docker://` \
             cannot log in"
        }
        PlaceKind::CiCommand if file.contains(".github/") => {
            "GitHub Actions: add a step with aws-actions/amazon-ecr-login@v2 before the first pull"
        }
        PlaceKind::GitlabImage | PlaceKind::GitlabService => {
            "GitLab: set DOCKER_AUTH_CONFIG, \
             {\"credHelpers\": {\"REGISTRY\": \"ecr-login\"}}, with amazon-ecr-credential-helper on the runners"
        }
        PlaceKind::CiImage if file.contains(".circleci/") => {
            "CircleCI: give each image its `aws_auth` (a role by `oidc_auth`, or a context's keys)"
        }
        PlaceKind::CiImage if file.contains("bitbucket") => {
            "Bitbucket: write images as `name:` with `aws: {oidc-role: ...}`, with `oidc: true` on the step"
        }
        PlaceKind::CiImage if file.contains(".drone") => "Drone: add an `image_pull_secrets` with a login for REGISTRY",
        PlaceKind::CiImage if file.contains(".woodpecker") => "Woodpecker: add a registry with a login for REGISTRY",
        PlaceKind::CiImage if file.contains("azure") => {
            "Azure Pipelines: give containers an `endpoint`, a service connection to REGISTRY"
        }
        PlaceKind::CiImage if file.contains("buildkite") => {
            "Buildkite: add the plugin ecr#v2 with `login: true` before docker's"
        }
        PlaceKind::Jenkins => {
            "Jenkins: wrap the pulls in docker.withRegistry('https://REGISTRY', 'ecr:REGION:CREDENTIALS')"
        }
        PlaceKind::Concourse => "Concourse: give sources `aws_region` and `aws_role_arn`, or `username` and `password`",
        PlaceKind::Nomad => "Nomad: give the docker driver `auth { helper = \"ecr-login\" }` on the clients",
        PlaceKind::CloudBuild => "Cloud Build: log in to REGISTRY in the first step; a step's own image cannot",
        PlaceKind::Kubernetes | PlaceKind::HelmValues => {
            "Kubernetes: nodes need ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, or pods `imagePullSecrets` for \
             REGISTRY"
        }
        PlaceKind::BuildspecCommand => {
            "CodeBuild: run `aws ecr get-login-password | docker login --username AWS --password-stdin REGISTRY` in \
             `pre_build`"
        }
        PlaceKind::CodeBuildEnvironment => {
            "CodeBuild: set `ImagePullCredentialsType: SERVICE_ROLE`, and let the role pull"
        }
        PlaceKind::DockerfileFrom
        | PlaceKind::DockerfileCopyFrom
        | PlaceKind::DockerfileMount
        | PlaceKind::DockerfileSyntax
        | PlaceKind::ComposeImage
        | PlaceKind::ComposeVolume
        | PlaceKind::ComposeBuildContext
        | PlaceKind::Bake
        | PlaceKind::Earthfile
        | PlaceKind::ScriptCommand
        | PlaceKind::CloudInit
        | PlaceKind::Ansible
        | PlaceKind::Devcontainer
        | PlaceKind::Testcontainers => {
            "Docker, wherever these are built or run: aws ecr get-login-password | docker login --username AWS \
             --password-stdin REGISTRY"
        }
        PlaceKind::CiImage
        | PlaceKind::CiCommand
        | PlaceKind::EcsTaskDefinition
        | PlaceKind::CloudFormation
        | PlaceKind::Terraform
        | PlaceKind::InfrastructureCode
        | PlaceKind::Bazel
        | PlaceKind::Skaffold
        | PlaceKind::Embedded => return None,
    })
}
