//! What runs in the account and region: services, and tasks that a rule of EventBridge starts. Lists only, page by
//! page.

use aws_sdk_ecs::Client;
use pullsafe::arn::ServiceId;
use pullsafe_aws::SdkConfig;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::json::{EVENTS, JsonApi};
use serde_json::{Value, json};

/// How many pages of a list of rules are read for one cluster.
const PAGES: usize = 20;

/// What runs.
#[derive(Debug, Clone)]
pub struct Running {
    ecs: Client,
    events: JsonApi,
}

/// A task definition that a rule starts on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scheduled {
    /// The rule.
    pub rule: String,
    /// The task definition, by ARN.
    pub definition: String,
}

impl Running {
    /// With the credentials, region and HTTP client of this configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            ecs: Client::new(config),
            events: JsonApi::new(config, EVENTS),
        }
    }

    /// The ARNs of all clusters.
    ///
    /// # Errors
    /// A call failed.
    pub async fn clusters(&self) -> Result<Vec<String>, Failure> {
        let pages = self.ecs.list_clusters().into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| Failure::of("ecs:ListClusters", &error))
    }

    /// The services of a cluster.
    ///
    /// # Errors
    /// A call failed.
    pub async fn services(&self, cluster_arn: &str) -> Result<Vec<ServiceId>, Failure> {
        let pages = self.ecs.list_services().cluster(cluster_arn).max_results(100).into_paginator().items().send();
        let arns = pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| Failure::of("ecs:ListServices", &error))?;
        // The old form of a service's ARN does not name the cluster.
        let named = |arn: &String| {
            arn.rsplit('/')
                .next()
                .map(|name| ServiceId { cluster_arn: cluster_arn.to_owned(), name: name.to_owned() })
        };
        Ok(arns.iter().filter_map(named).collect())
    }

    /// What the rules of the default bus start on a cluster.
    ///
    /// # Errors
    /// A call failed.
    pub async fn scheduled(&self, cluster_arn: &str) -> Result<Vec<Scheduled>, Failure> {
        let rules = self.all(
            "events:ListRuleNamesByTarget",
            "AWSEvents.ListRuleNamesByTarget",
            json!({ "TargetArn": cluster_arn }),
            "RuleNames",
        );
        let mut found = Vec::new();
        for rule in rules.await? {
            let Some(rule) = rule.as_str() else { continue };
            let targets = self
                .all("events:ListTargetsByRule", "AWSEvents.ListTargetsByRule", json!({ "Rule": rule }), "Targets")
                .await?;
            let of_cluster = targets.iter().filter(|target| target["Arn"] == cluster_arn);
            let definitions = of_cluster.filter_map(|target| target["EcsParameters"]["TaskDefinitionArn"].as_str());
            found.extend(
                definitions.map(|definition| Scheduled { rule: rule.to_owned(), definition: definition.to_owned() }),
            );
        }
        Ok(found)
    }

    async fn all(
        &self,
        call: &'static str,
        target: &'static str,
        mut request: Value,
        list: &str,
    ) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let answer = self.events.call(call, target, &request).await?;
            found.extend(answer[list].as_array().into_iter().flatten().cloned());
            match answer["NextToken"].as_str() {
                Some(next) => request["NextToken"] = json!(next),
                None => break,
            }
        }
        Ok(found)
    }
}
