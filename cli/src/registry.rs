//! A client for registries with everything that this machine knows about them: Docker's configuration and its helpers, the
//! AWS credentials of the environment for ECR, and `PULLSAFE_REGISTRY_ENDPOINTS`.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use pullsafe::aws::ecr::{EcrCredentials, EcrRegions};
use pullsafe::clock;
use pullsafe::domain::reference::ecr_host;
use pullsafe::registry::credentials::CredentialsError;
use pullsafe::registry::docker_config::DockerConfig;
use pullsafe::registry::endpoints::{Endpoints, VARIABLE};
use pullsafe::registry::{Basic, Client, Config, CredentialsProvider};
use tokio::sync::OnceCell;

/// A client, or what is wrong with the configuration of this machine.
pub(crate) fn client() -> Result<Client, String> {
    let endpoints: Endpoints = env::var(VARIABLE).unwrap_or_default().parse().map_err(|error| format!("{error}"))?;
    let docker = match docker_config_path() {
        Some(path) => DockerConfig::load(&path).map_err(|error| error.to_string())?,
        None => DockerConfig::default(),
    };
    let credentials = Arc::new(Credentials { docker, ecr: OnceCell::new() });
    Ok(Client::new(Config { endpoints, credentials, ..Config::new(clock::system()) }))
}

fn docker_config_path() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker"))).map(|folder| folder.join("config.json"))
}

/// What Docker knows comes first; an ECR registry that it does not know is signed in to as AWS does.
struct Credentials {
    docker: DockerConfig,
    ecr: OnceCell<EcrCredentials>,
}

impl Credentials {
    /// Loaded when the first ECR registry needs it: it can mean asking the network who we are.
    async fn ecr(&self) -> &EcrCredentials {
        let load = || async { EcrCredentials::new(EcrRegions::new(aws_config::load_from_env().await), clock::system()) };
        self.ecr.get_or_init(load).await
    }
}

impl CredentialsProvider for Credentials {
    fn credentials<'a>(
        &'a self,
        registry: &'a str,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Option<Basic>, CredentialsError>> + Send + 'a>> {
        Box::pin(async move {
            if self.docker.knows(registry) {
                let found = self.docker.credentials(registry).await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            if ecr_host(registry).is_some() { self.ecr().await.credentials(registry).await } else { Ok(None) }
        })
    }

    fn refused(&self, registry: &str) {
        if let Some(ecr) = self.ecr.get() {
            ecr.refused(registry);
        }
    }
}
