//! The few things that pullsafe reads out of Amazon Resource Names.

use serde::{Deserialize, Serialize};

/// The six parts of an ARN: `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// The region, empty for global services.
    pub region: &'a str,
    /// The account's twelve digits.
    pub account: &'a str,
    /// What follows, such as `service/prod/web`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` if the text is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(_), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        Some(Self { partition, region, account, resource })
    }
}

/// A service of ECS, by what every call needs: its cluster and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceId {
    /// The cluster's ARN.
    pub cluster_arn: String,
    /// The service's name.
    pub name: String,
}

impl ServiceId {
    /// Reads the service's ARN in its long form (`...:service/cluster/name`). `None` for the short form, which does not
    /// name the cluster.
    pub fn from_arn(arn: &str) -> Option<Self> {
        let parsed = Arn::parse(arn)?;
        let (cluster, name) = parsed.resource.strip_prefix("service/")?.split_once('/')?;
        let Arn { partition, region, account, .. } = parsed;
        Some(Self {
            cluster_arn: format!("arn:{partition}:ecs:{region}:{account}:cluster/{cluster}"),
            name: name.to_owned(),
        })
    }

    /// The service's ARN.
    pub fn arn(&self) -> String {
        match Arn::parse(&self.cluster_arn) {
            Some(Arn { partition, region, account, .. }) => {
                format!("arn:{partition}:ecs:{region}:{account}:service/{}/{}", self.cluster(), self.name)
            }
            None => format!("{}/{}", self.cluster_arn, self.name),
        }
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        self.cluster_arn.rsplit('/').next().unwrap_or_default()
    }

    /// The resource id under which Application Auto Scaling knows the service.
    pub fn scaling_resource_id(&self) -> String {
        format!("service/{}/{}", self.cluster(), self.name)
    }
}

impl std::fmt::Display for ServiceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.cluster(), self.name)
    }
}

/// Family and revision of a task definition's ARN (`...:task-definition/web:7`).
pub fn family_and_revision(task_definition_arn: &str) -> Option<(&str, u64)> {
    let (family, revision) = task_definition_arn.rsplit('/').next()?.rsplit_once(':')?;
    revision.parse().ok().map(|revision| (family, revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_its_cluster_and_name() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:service/prod/web";
        let service = ServiceId::from_arn(arn).unwrap();
        assert_eq!(service.cluster_arn, "arn:aws:ecs:eu-west-1:123456789012:cluster/prod");
        assert_eq!((service.arn().as_str(), service.to_string().as_str()), (arn, "prod/web"));
        assert_eq!(ServiceId::from_arn("arn:aws:ecs:eu-west-1:123456789012:service/web"), None);
    }

    #[test]
    fn reads_family_and_revision() {
        assert_eq!(family_and_revision("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7"), Some(("web", 7)));
        assert_eq!(family_and_revision("web"), None);
    }
}
