//! Looks at registries, at what ECR keeps, at roles by simulation, and at log groups. The looks only read, run side by
//! side, and have a time limit: what does not answer in time is unknown.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, timeout};

use pullsafe::arn::Arn;
use pullsafe::lookup::{Doubt, Lookup, PolicyVerdict, ResolvedImage, Storage};
use pullsafe::naming::mirrored_name;
use pullsafe::reference::{Reference, Registry, ecr_host};
use pullsafe::settings::MirrorLocation;
use pullsafe_aws::ecr::EcrRegions;
use pullsafe_aws::json::{InRegions, LOGS};
use pullsafe_aws::role::Roles;
use pullsafe_aws::{Failure, SdkConfig};
use pullsafe_registry::Client;

use crate::need::{LogGroup, Needs, StartSecret, WantedImage};
use crate::seen::{ImageSeen, Seen};

/// How long one look waits for its answer.
pub const LOOK: Duration = Duration::from_secs(8);

/// What a pull of an image would find, and what Docker Hub said of the limit on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullLook {
    /// What the pull would find.
    pub resolved: Lookup<ResolvedImage>,
    /// How many pulls Docker Hub grants the asking address in a window.
    pub limit: Option<u32>,
    /// How many pulls are left, and out of how many.
    pub left: Option<(u64, u64)>,
}

impl PullLook {
    /// An answer that says nothing of a limit.
    pub const fn of(resolved: Lookup<ResolvedImage>) -> Self {
        Self { resolved, limit: None, left: None }
    }
}

/// The clients for the AWS services that are asked.
#[derive(Clone)]
pub struct Account {
    ecr: EcrRegions,
    roles: Roles,
    logs: InRegions,
    /// The rules of the pull-through cache, by account and region. They hardly ever change, so they are kept.
    rules: Arc<Mutex<HashMap<String, Lookup<Vec<String>>>>>,
}

impl Account {
    /// Makes the clients from this configuration. Nothing connects before the first call.
    pub fn new(config: &SdkConfig, ecr: EcrRegions) -> Self {
        Self {
            ecr,
            roles: Roles::new(config),
            logs: InRegions::new(config, LOGS),
            rules: Arc::default(),
        }
    }
}

impl Account {
    /// ECR in every region.
    pub const fn ecr(&self) -> &EcrRegions {
        &self.ecr
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Account")
    }
}

/// What a look asks, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Looker<'a> {
    /// The AWS account; without one, only registries are asked.
    pub account: Option<&'a Account>,
    /// The client for registries other than ECR, and for the configs of ECR's single images if it can sign in there.
    pub registry: &'a Client,
    /// Whether hosts that only a definition names are asked too, or only a few well-known registries.
    pub anywhere: bool,
    /// The mirror, if copies of Docker Hub's images are to be looked for.
    pub mirror: Option<&'a MirrorLocation>,
    /// When the looks have to end.
    pub end: Option<Instant>,
}

impl Looker<'_> {
    /// Waits for a look within its time limit.
    ///
    /// # Errors
    /// The look failed, or did not end in time.
    pub async fn in_time<T>(
        &self,
        call: &'static str,
        look: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let left = self.end.map_or(LOOK, |end| LOOK.min(end.saturating_duration_since(Instant::now())));
        timeout(left, look).await.unwrap_or_else(|_| Err(Failure::late(call, left)))
    }

    async fn lookup<T>(&self, call: &'static str, look: impl Future<Output = Lookup<T>>) -> Lookup<T> {
        self.in_time(call, async { Ok(look.await) }).await.unwrap_or_else(|failure| failure.doubt())
    }

    /// Looks at everything that these needs name. Images in `known` are not asked for again.
    pub async fn look(&self, needs: &Needs, known: BTreeMap<String, ImageSeen>) -> Seen {
        let images = needs.images.iter().filter(|image| !known.contains_key(&image.written));
        let images = join_all(images.map(async |image| Some((image.written.clone(), self.image(needs, image).await?))));
        let secrets =
            join_all(needs.secrets.iter().map(async |secret| (secret.clone(), self.secret(needs, secret).await)));
        let groups = join_all(needs.log_groups.iter().map(async |group| (group.clone(), self.log_group(group).await)));
        let (images, secrets, groups) = tokio::join!(images, secrets, groups);
        let mut seen = Seen {
            images: known,
            secrets: secrets.into_iter().collect(),
            log_groups: groups.into_iter().collect(),
        };
        seen.images.extend(images.into_iter().flatten());
        seen
    }

    async fn image(&self, needs: &Needs, image: &WantedImage) -> Option<ImageSeen> {
        let reference = image.pulled()?;
        let unknown = |why: String| Some(ImageSeen::only(Lookup::Unknown(Doubt::lasting(why))));
        match reference.kind() {
            Registry::EcrPrivate => match self.account {
                Some(account) => Some(Box::pin(self.of_ecr(account, needs, &reference)).await),
                None => unknown("there are no AWS credentials to ask ECR with".to_owned()),
            },
            Registry::DockerHub | Registry::EcrPublic => Some(self.elsewhere(&reference).await),
            Registry::EcrPrivateApi
            | Registry::Ghcr
            | Registry::Quay
            | Registry::Gitlab
            | Registry::Proxy
            | Registry::Other => match self.anywhere {
                true => Some(self.elsewhere(&reference).await),
                false => unknown(format!("{} is not asked, for only the definition names it", reference.registry())),
            },
        }
    }

    async fn elsewhere(&self, reference: &Reference) -> ImageSeen {
        let copy = async {
            let mirror = self.mirror.filter(|_| reference.is_docker_hub())?;
            let place = reference.moved_to(&mirror.registry, &mirrored_name(&mirror.prefix, reference)).ok()?;
            Some((place.clone(), self.resolve(&place).await.resolved))
        };
        let (answer, mirror) = tokio::join!(self.resolve(reference), copy);
        ImageSeen {
            pulls_left: answer.left,
            mirror,
            ..ImageSeen::only(answer.resolved)
        }
    }

    async fn of_ecr(&self, account: &Account, needs: &Needs, reference: &Reference) -> ImageSeen {
        let leave = async {
            match (&needs.execution_role, repository_arn(reference, needs.execution_role.as_deref())) {
                (Some(role), Some(repository)) => {
                    self.lookup("iam:SimulatePrincipalPolicy", account.roles.may_pull_from(role, &repository)).await
                }
                _ => Lookup::Absent,
            }
        };
        let (kept, leave) = tokio::join!(self.lookup("ecr:DescribeImages", account.ecr.kept(reference)), leave);
        let mut seen = ImageSeen { leave, ..ImageSeen::only(Lookup::Absent) };
        match kept {
            Lookup::Found(mut kept) => {
                if let (None, Storage::Standard, Some(contents)) =
                    (&kept.resolved.platforms, kept.storage, &kept.contents)
                {
                    let read = self.in_time("ecr:GetDownloadUrlForLayer", async {
                        Ok(self.registry.platforms(reference, contents).await)
                    });
                    match read.await {
                        Ok(Ok(platforms)) => {
                            kept.resolved.platforms =
                                (!platforms.is_empty()).then(|| platforms.iter().map(ToString::to_string).collect());
                        }
                        Ok(Err(error)) => seen.unread = Some(error.doubt()),
                        Err(late) => seen.unread = Some(Doubt::passing(late.to_string())),
                    }
                }
                ImageSeen {
                    found: Lookup::Found(kept.resolved),
                    storage: kept.storage,
                    ..seen
                }
            }
            Lookup::Absent => ImageSeen {
                comes_by_a_pull: self.comes_by_a_pull(account, reference).await,
                ..seen
            },
            Lookup::Unknown(doubt) => ImageSeen { found: Lookup::Unknown(doubt), ..seen },
        }
    }

    /// Whether a rule of the pull-through cache covers an image's repository.
    async fn comes_by_a_pull(&self, account: &Account, reference: &Reference) -> Lookup<bool> {
        let Some(host) = ecr_host(reference.registry()) else {
            return Lookup::Absent;
        };
        let known = account.rules.lock().unwrap_or_else(PoisonError::into_inner).get(reference.registry()).cloned();
        let rules = match known {
            Some(rules) => rules,
            None => {
                let ecr = account.ecr.get(host.region);
                let asked = self.lookup("ecr:DescribePullThroughCacheRules", async {
                    match ecr.pull_through_prefixes(Some(host.account)).await {
                        Ok(prefixes) => Lookup::Found(prefixes),
                        Err(error) => Lookup::Unknown(error.doubt()),
                    }
                });
                let rules = asked.await;
                if rules.found().is_some() {
                    let mut all = account.rules.lock().unwrap_or_else(PoisonError::into_inner);
                    all.insert(reference.registry().to_owned(), rules.clone());
                }
                rules
            }
        };
        let covers = |prefix: &String| {
            let below = reference.repository().strip_prefix(prefix.as_str());
            prefix == "ROOT" || below.is_some_and(|below| below.starts_with('/'))
        };
        match rules {
            Lookup::Found(prefixes) => Lookup::Found(prefixes.iter().any(covers)),
            Lookup::Absent => Lookup::Found(false),
            Lookup::Unknown(doubt) => Lookup::Unknown(doubt),
        }
    }

    async fn secret(&self, needs: &Needs, secret: &StartSecret) -> Lookup<PolicyVerdict> {
        match (self.account, &needs.execution_role, &secret.arn) {
            (Some(account), Some(role), Some(arn)) => {
                self.lookup("iam:SimulatePrincipalPolicy", account.roles.may(role, &[secret.action], arn)).await
            }
            (None, ..) => Lookup::Unknown(Doubt::lasting("there are no AWS credentials to ask with")),
            (Some(_), None, _) => Lookup::Absent,
            (Some(_), Some(_), None) => Lookup::Unknown(Doubt::lasting("its account and region are not said")),
        }
    }

    async fn log_group(&self, group: &LogGroup) -> Lookup<()> {
        const CALL: &str = "logs:DescribeLogGroups";
        let Some(account) = self.account else {
            return Lookup::Unknown(Doubt::lasting("there are no AWS credentials to ask with"));
        };
        let api = match account.logs.get(group.region.as_ref()) {
            Ok(api) => api,
            Err(why) => return Lookup::Unknown(Doubt::lasting(why)),
        };
        // CloudWatch Logs lists names in order, so the group itself is the first that begins with its name.
        let request = json!({ "logGroupNamePrefix": group.name, "limit": 1 });
        match self.in_time(CALL, api.call(CALL, "Logs_20140328.DescribeLogGroups", &request)).await {
            Ok(answer) if answer["logGroups"][0]["logGroupName"] == group.name.as_str() => Lookup::Found(()),
            // An empty page with a token is not the end of the list.
            Ok(answer) if answer["logGroups"][0].is_null() && answer["nextToken"].is_string() => {
                Lookup::Unknown(Doubt::passing("CloudWatch Logs listed an empty page"))
            }
            Ok(_) => Lookup::Absent,
            Err(failure) => failure.doubt(),
        }
    }

    /// Resolves a reference as of now. It never uses a GET at Docker Hub: a HEAD spends no quota.
    pub async fn resolve(&self, reference: &Reference) -> PullLook {
        if let (Registry::EcrPrivate, Some(account)) = (reference.kind(), self.account) {
            return PullLook::of(self.lookup("ecr:BatchGetImage", account.ecr.resolve(reference)).await);
        }
        let answer = self.in_time("the registry", async { Ok(self.registry.resolve(reference).await) }).await;
        match answer {
            Err(late) => PullLook::of(Lookup::Unknown(Doubt::passing(format!("{}: {late}", reference.registry())))),
            Ok(Ok(found)) => PullLook {
                limit: found.quota.as_ref().and_then(|quota| u32::try_from(quota.limit).ok()),
                left: found.quota.map(|quota| (quota.remaining, quota.limit)),
                resolved: Lookup::Found(ResolvedImage { digest: found.digest, platforms: None }),
            },
            Ok(Err(error)) if error.is_not_found() => PullLook::of(Lookup::Absent),
            Ok(Err(error)) => PullLook::of(Lookup::Unknown(error.doubt())),
        }
    }
}

/// The ARN of an image's repository, in the partition of the role that pulls.
fn repository_arn(image: &Reference, role: Option<&str>) -> Option<String> {
    let host = ecr_host(image.registry())?;
    let partition = role.and_then(Arn::parse).map_or("aws", |arn| arn.partition);
    Some(format!("arn:{partition}:ecr:{}:{}:repository/{}", host.region, host.account, image.repository()))
}
