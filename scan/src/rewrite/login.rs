//! The step that a CI system needs before it can pull from a private mirror.

use std::collections::BTreeSet;

use pullsafe_find::finding::{Finding, Place};

/// What to add, for each system whose files have images that move. Nothing is written into the files: only the reader
/// knows which role or secret to use.
pub fn logins<'f>(moved: impl Iterator<Item = &'f Finding>, registry: &str) -> Vec<String> {
    let kinds: BTreeSet<&str> = moved.filter_map(step).collect();
    kinds.into_iter().map(|step| step.replace("REGISTRY", registry)).collect()
}

fn step(finding: &Finding) -> Option<&'static str> {
    let file = finding.file.as_str();
    Some(match finding.place {
        Place::GithubContainer | Place::GithubService => {
            "GitHub Actions: give `container` and `services` their `credentials` (username AWS, password from a job \
             before them that runs \
             aws-actions/amazon-ecr-login with `mask-password: false`)"
        }
        Place::GithubAction => {
            "GitHub Actions: add a step with aws-actions/amazon-ecr-login before the first use; `uses: docker://` \
             cannot log in"
        }
        Place::CiCommand if file.contains(".github/") => {
            "GitHub Actions: add a step with aws-actions/amazon-ecr-login@v2 before the first pull"
        }
        Place::GitlabImage | Place::GitlabService => {
            "GitLab: set DOCKER_AUTH_CONFIG, \
             {\"credHelpers\": {\"REGISTRY\": \"ecr-login\"}}, with amazon-ecr-credential-helper on the runners"
        }
        Place::CiImage if file.contains(".circleci/") => {
            "CircleCI: give each image its `aws_auth` (a role by `oidc_auth`, or a context's keys)"
        }
        Place::CiImage if file.contains("bitbucket") => {
            "Bitbucket: write images as `name:` with `aws: {oidc-role: ...}`, with `oidc: true` on the step"
        }
        Place::CiImage if file.contains(".drone") => "Drone: add an `image_pull_secrets` with a login for REGISTRY",
        Place::CiImage if file.contains(".woodpecker") => "Woodpecker: add a registry with a login for REGISTRY",
        Place::CiImage if file.contains("azure") => {
            "Azure Pipelines: give containers an `endpoint`, a service connection to REGISTRY"
        }
        Place::CiImage if file.contains("buildkite") => {
            "Buildkite: add the plugin ecr#v2 with `login: true` before docker's"
        }
        Place::Jenkins => {
            "Jenkins: wrap the pulls in docker.withRegistry('https://REGISTRY', 'ecr:REGION:CREDENTIALS')"
        }
        Place::Concourse => "Concourse: give sources `aws_region` and `aws_role_arn`, or `username` and `password`",
        Place::Nomad => "Nomad: give the docker driver `auth { helper = \"ecr-login\" }` on the clients",
        Place::CloudBuild => "Cloud Build: log in to REGISTRY in the first step; a step's own image cannot",
        Place::Kubernetes | Place::HelmValues => {
            "Kubernetes: nodes need ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, or pods `imagePullSecrets` for \
             REGISTRY"
        }
        Place::BuildspecCommand => {
            "CodeBuild: run `aws ecr get-login-password | docker login --username AWS --password-stdin REGISTRY` in \
             `pre_build`"
        }
        Place::CodeBuildEnvironment => "CodeBuild: set `ImagePullCredentialsType: SERVICE_ROLE`, and let the role pull",
        Place::DockerfileFrom
        | Place::DockerfileCopyFrom
        | Place::DockerfileMount
        | Place::DockerfileSyntax
        | Place::ComposeImage
        | Place::ComposeVolume
        | Place::ComposeBuildContext
        | Place::Bake
        | Place::Earthfile
        | Place::ScriptCommand
        | Place::CloudInit
        | Place::Ansible
        | Place::Devcontainer
        | Place::Testcontainers => {
            "Docker, wherever these are built or run: aws ecr get-login-password | docker login --username AWS \
             --password-stdin REGISTRY"
        }
        Place::CiImage
        | Place::CiCommand
        | Place::EcsTaskDefinition
        | Place::CloudFormation
        | Place::Terraform
        | Place::InfrastructureCode
        | Place::Bazel
        | Place::Skaffold
        | Place::Embedded => return None,
    })
}
