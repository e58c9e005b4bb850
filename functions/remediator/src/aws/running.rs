//! What launches tasks in the account and region: services, rules of EventBridge, and schedules of EventBridge
//! Scheduler. Lists only, page by page.

use aws_sdk_ecs::Client;
use pullsafe::arn::ServiceId;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::SdkConfig;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::json::{EVENTS, JsonApi};
use pullsafe_events::Subject;
use serde_json::{Value, json};

use super::schedules::{Schedules, launched};
use super::unread::UnreadResource;

/// How many pages are read of a list of rules, or of a rule's targets.
const PAGES: usize = 20;

/// Lists what launches tasks.
#[derive(Debug, Clone)]
pub struct Running {
    ecs: Client,
    events: JsonApi,
    schedules: Schedules,
}

/// Everything that launches tasks, as far as it could be listed.
#[derive(Debug, Default)]
pub struct Launchers {
    /// What launches tasks, each with its task definition; `None` for a service, which names its own.
    pub found: Vec<(Subject, Option<String>)>,
    /// What could not be listed or read.
    pub unread: Vec<UnreadResource>,
}

impl Running {
    /// Makes the clients with the credentials, region and HTTP client of this configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            ecs: Client::new(config),
            events: JsonApi::new(config, EVENTS),
            schedules: Schedules::new(config),
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

    /// Lists what launches tasks on these clusters. A list that fails leaves out only its own entries.
    pub async fn launchers(&self, cluster_arns: &[String], now: Timestamp) -> Launchers {
        let mut launchers = Launchers::default();
        for cluster in cluster_arns {
            match self.services(cluster).await {
                Ok(services) => {
                    launchers.found.extend(services.into_iter().map(|id| (Subject::Service(id), None)));
                }
                Err(failure) => {
                    launchers.unread.push(UnreadResource::failed(format!("the services of {cluster}"), failure))
                }
            }
            match self.ruled(cluster).await {
                Ok(rules) => launchers.found.extend(
                    rules.into_iter().map(|(rule, definition)| of_no_service(cluster.clone(), rule, definition)),
                ),
                Err(failure) => {
                    launchers
                        .unread
                        .push(UnreadResource::failed(format!("what rules of EventBridge start on {cluster}"), failure));
                }
            }
        }
        let (starts, unread) = self.schedules.starts(cluster_arns, now).await;
        let starts = starts.into_iter().map(|start| of_no_service(start.cluster_arn, start.schedule, start.definition));
        launchers.found.extend(starts);
        launchers.unread.extend(unread);
        launchers
    }

    async fn services(&self, cluster_arn: &str) -> Result<Vec<ServiceId>, Failure> {
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

    /// The rules of the default bus that start something on a cluster, each with the task definition that it starts.
    async fn ruled(&self, cluster_arn: &str) -> Result<Vec<(String, String)>, Failure> {
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
                .await;
            let targets = match targets {
                Ok(targets) => targets,
                // The rule was deleted since it was listed.
                Err(failure) if failure.kind == FailureKind::NotFound => continue,
                Err(failure) => return Err(failure),
            };
            let of_cluster = targets.iter().filter(|target| target["Arn"] == cluster_arn);
            let definitions = of_cluster.filter_map(|target| target["EcsParameters"]["TaskDefinitionArn"].as_str());
            found.extend(definitions.map(|definition| (rule.to_owned(), launched(definition))));
        }
        found.sort();
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

fn of_no_service(cluster_arn: String, family: String, definition: String) -> (Subject, Option<String>) {
    (Subject::Family { cluster_arn, family }, Some(definition))
}
