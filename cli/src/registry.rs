//! A client for registries with everything that this machine knows about them: Docker's configuration and its helpers,
//! the environment's AWS credentials for ECR, and `PULLSAFE_REGISTRY_ENDPOINTS`.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use pullsafe::clock;
use pullsafe::reference::{Digest, Reference, ecr_host};
use pullsafe_aws::ecr::{EcrCredentials, EcrNative, EcrRegions};
use pullsafe_registry as registry;
use pullsafe_registry::endpoints::{Endpoints, VARIABLE};
use pullsafe_registry::sign_in::credentials::CredentialsError;
use pullsafe_registry::sign_in::docker_config::DockerConfig;
use pullsafe_registry::{AllowedHosts, Client, Config, Copier, CredentialsProvider, Native};
use tokio::sync::OnceCell;

/// Makes a copier, or returns what is wrong with this machine's configuration. If all targets are in ECR and AWS
/// provides their credentials, the copier asks ECR about many images at once.
pub(crate) fn copier(targets: &[&Reference]) -> Result<Copier, String> {
    let (client, credentials) = connect()?;
    let by_aws =
        |target: &&Reference| ecr_host(target.registry()).is_some() && !credentials.docker.knows(target.registry());
    let native = targets.iter().all(by_aws);
    let copier = Copier::new(client);
    Ok(if native { copier.with_native(credentials) } else { copier })
}

/// Makes a client, or returns what is wrong with this machine's configuration.
pub(crate) fn client() -> Result<Client, String> {
    Ok(connect()?.0)
}

fn connect() -> Result<(Client, Arc<DockerThenEcr>), String> {
    let endpoints: Endpoints = env::var(VARIABLE).unwrap_or_default().parse().map_err(|error| format!("{error}"))?;
    let docker = match docker_config_path() {
        Some(path) => DockerConfig::load(&path).map_err(|error| error.to_string())?,
        None => DockerConfig::default(),
    };
    let credentials = Arc::new(DockerThenEcr { docker, regions: OnceCell::new(), ecr: OnceCell::new() });
    let shared: Arc<dyn CredentialsProvider> = Arc::<DockerThenEcr>::clone(&credentials);
    Ok((
        Client::new(Config {
            endpoints,
            credentials: shared,
            reach: AllowedHosts::Anywhere,
            ..Config::new(clock::system())
        }),
        credentials,
    ))
}

/// The runtime for copies: this thread hashes, and the others transfer bytes. With one core, or a part of one, more
/// threads would only take turns.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    use tokio::runtime::Builder;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = if cores > 1 {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    builder.worker_threads(2).enable_all().build()
}

fn docker_config_path() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DOCKER_CONFIG")
        .or_else(|| Some(set("HOME")?.join(".docker")))
        .map(|folder| folder.join("config.json"))
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Credentials from Docker's configuration; for an ECR registry that Docker does not know, from AWS.
struct DockerThenEcr {
    docker: DockerConfig,
    regions: OnceCell<EcrRegions>,
    ecr: OnceCell<EcrCredentials>,
}

impl DockerThenEcr {
    /// Loads the AWS configuration when the first ECR registry needs it: that can take requests to find the
    /// credentials.
    async fn regions(&self) -> &EcrRegions {
        self.regions.get_or_init(|| async { EcrRegions::new(aws_config::load_from_env().await) }).await
    }

    async fn ecr(&self) -> &EcrCredentials {
        self.ecr
            .get_or_init(|| async { EcrCredentials::new(self.regions().await.clone(), clock::system()) })
            .await
    }

    async fn native(&self) -> EcrNative {
        EcrNative::new(self.regions().await.clone())
    }
}

impl Native for DockerThenEcr {
    fn tags<'a>(&'a self, repository: &'a Reference, tags: &'a [String]) -> Boxed<'a, Option<HashMap<String, Digest>>> {
        Box::pin(async move { self.native().await.tags(repository, tags).await })
    }

    fn manifests<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> Boxed<'a, Option<Vec<Digest>>> {
        Box::pin(async move { self.native().await.manifests(repository, digests).await })
    }

    fn blobs<'a>(&'a self, repository: &'a Reference, digests: &'a [Digest]) -> Boxed<'a, Option<Vec<Digest>>> {
        Box::pin(async move { self.native().await.blobs(repository, digests).await })
    }
}

impl CredentialsProvider for DockerThenEcr {
    fn credentials<'a>(
        &'a self,
        registry: &'a str,
    ) -> Boxed<'a, Result<Option<registry::Credentials>, CredentialsError>> {
        Box::pin(async move {
            if self.docker.knows(registry) {
                let found = self.docker.credentials(registry).await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            if ecr_host(registry).is_some() {
                self.ecr().await.credentials(registry).await
            } else {
                Ok(None)
            }
        })
    }

    fn refused(&self, registry: &str) {
        if let Some(ecr) = self.ecr.get() {
            ecr.refused(registry);
        }
    }
}
