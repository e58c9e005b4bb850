//! Where an image is expected.

use serde::{Deserialize, Serialize};

use super::properties::Properties;
use super::request::Requester;
use pullsafe::reference::ecr_host;

/// A repository of a private registry, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RepositoryPlace {
    /// The registry's account; `None` leaves it to the caller's own.
    pub account: Option<String>,
    /// The registry's region.
    pub region: String,
    /// The repository.
    pub repository: String,
    /// The registry's host, where account and region are known.
    pub registry: Option<String>,
}

impl RepositoryPlace {
    /// The registry that the template named, else the one of the stack's own account and region.
    pub fn of(properties: &Properties, requester: &Requester, own_region: Option<&str>) -> Self {
        let repository = properties.repository.clone();
        if let Some(registry) = &properties.registry
            && let Some(host) = ecr_host(registry)
        {
            let (account, region) = (Some(host.account.to_owned()), host.region.to_owned());
            return Self {
                account,
                region,
                repository,
                registry: Some(registry.clone()),
            };
        }
        let stack = requester.stack();
        let account = stack.map(|stack| stack.account);
        let region = own_region.or(stack.map(|stack| stack.region)).unwrap_or_default().to_owned();
        let registry = account.map(|account| registry_host(account, &region));
        Self {
            account: account.map(str::to_owned),
            region,
            repository,
            registry,
        }
    }

    /// The repository's address, or its name where the registry is not known.
    pub fn uri(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// The registry's host, with this account where no other is known.
    pub fn registry_or(&self, account: &str) -> String {
        self.registry.clone().unwrap_or_else(|| registry_host(account, &self.region))
    }
}

fn registry_host(account: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{account}.dkr.ecr.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(repository: &str, own_region: Option<&str>) -> RepositoryPlace {
        let properties = Properties::parse(&json!({"RepositoryName": repository, "ImageTag": "1.4.3"})).unwrap();
        let stack_id = "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b".to_owned();
        RepositoryPlace::of(&properties, &Requester { stack_id, ..Requester::default() }, own_region)
    }

    #[test]
    fn the_place_is_the_stacks_own_registry_unless_named() {
        assert_eq!(place("web", None).uri(), "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web");
        assert_eq!(place("web", Some("cn-north-1")).uri(), "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/web");
        let named = "444455556666.dkr.ecr.us-east-1.amazonaws.com/team/web";
        let place = place(named, Some("eu-west-1"));
        assert_eq!(
            (place.uri().as_str(), place.account.as_deref(), place.region.as_str()),
            (named, Some("444455556666"), "us-east-1")
        );
    }
}
