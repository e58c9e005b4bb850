//! The List operations: ARNs in pages.

use serde_json::{Value, json};

use super::arguments::{page, text, texts};
use super::state::EcsState;
use crate::aws::service::AwsError;

/// An answer with one page of ARNs.
pub(super) fn answer(member: &str, arns: &[String], request: &Value, most: usize) -> Value {
    let (arns, token) = page(arns, request, most);
    let mut answer = json!({member: arns});
    if let Some(token) = token {
        answer["nextToken"] = json!(token);
    }
    answer
}

impl EcsState {
    pub(super) fn list_definitions(&self, request: &Value) -> Result<Value, AwsError> {
        let family = text(request, "familyPrefix");
        let status = text(request, "status").unwrap_or("ACTIVE");
        let mut arns: Vec<String> = self
            .definitions
            .iter()
            .filter(|(name, _)| family.is_none_or(|family| family == name.as_str()))
            .flat_map(|(_, revisions)| revisions)
            .filter(|revision| revision["status"] == status)
            .filter_map(|revision| text(revision, "taskDefinitionArn").map(str::to_owned))
            .collect();
        if text(request, "sort") == Some("DESC") {
            arns.reverse();
        }
        Ok(answer("taskDefinitionArns", &arns, request, 100))
    }

    pub(super) fn list_services(&self, request: &Value) -> Result<Value, AwsError> {
        let cluster = self.cluster_arn(&self.cluster_name(request)?);
        let wanted = |key: &str, value: &str| text(request, key).is_none_or(|asked| asked == value);
        let arns: Vec<String> = self
            .services
            .values()
            .filter(|service| service.active && service.cluster_arn == cluster)
            .filter(|service| {
                wanted("launchType", service.launch_type()) && wanted("schedulingStrategy", service.strategy())
            })
            .map(|service| service.arn.clone())
            .collect();
        Ok(answer("serviceArns", &arns, request, 100))
    }

    pub(super) fn list_service_deployments(&self, request: &Value) -> Result<Value, AwsError> {
        let service = &self.services[&self.service_arn(request, "service")?];
        let wanted = texts(request, "status");
        let brief = service.all_deployments().map(|deployment| deployment.brief_json(service));
        let brief: Vec<Value> = brief
            .filter(|brief| {
                wanted.is_empty()
                    || brief["status"].as_str().is_some_and(|status| wanted.iter().any(|one| one == status))
            })
            .collect();
        Ok(json!({"serviceDeployments": brief}))
    }

    pub(super) fn list_tasks(&self, request: &Value) -> Result<Value, AwsError> {
        let cluster = self.cluster_arn(&self.cluster_name(request)?);
        let status = text(request, "desiredStatus").unwrap_or("RUNNING");
        let group = match text(request, "serviceName") {
            Some(_) => {
                let arn = self.service_arn(request, "serviceName")?;
                Some(format!("service:{}", self.services[&arn].name))
            }
            None => None,
        };
        let mut tasks: Vec<_> = self
            .tasks
            .values()
            .filter(|task| task.cluster_arn == cluster && task.desired_status() == status && self.is_visible(task))
            .filter(|task| group.as_deref().is_none_or(|group| task.group == group))
            .filter(|task| text(request, "startedBy").is_none_or(|starter| task.started_by == starter))
            .filter(|task| text(request, "family").is_none_or(|family| task.family() == family))
            .filter(|task| text(request, "launchType").is_none_or(|kind| task.launch_type == kind))
            .collect();
        tasks.sort_by_key(|task| task.number);
        let arns: Vec<String> = tasks.into_iter().map(|task| task.arn.clone()).collect();
        Ok(answer("taskArns", &arns, request, 100))
    }
}
