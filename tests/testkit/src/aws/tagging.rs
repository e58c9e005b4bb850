//! The Resource Groups Tagging API: finds ECS services by a tag, page by page.

use serde_json::{Value, json};

use super::service::{AwsError, FakeService};
use crate::ecs::EcsApi;

/// A search over the services of an ECS.
#[derive(Clone)]
pub struct FakeTagging(EcsApi);

impl FakeTagging {
    /// Searches this ECS.
    pub fn new(ecs: EcsApi) -> Self {
        Self(ecs)
    }

    /// Every service that carries a tag of this key.
    fn services(&self, key: &str) -> Result<Vec<Value>, AwsError> {
        let mut found = Vec::new();
        let clusters = self.0.call("ListClusters", &json!({}))?;
        for cluster in clusters["clusterArns"].as_array().into_iter().flatten() {
            let services = self.0.call("ListServices", &json!({ "cluster": cluster }))?;
            for arn in services["serviceArns"].as_array().into_iter().flatten() {
                let request = json!({ "cluster": cluster, "services": [arn], "include": ["TAGS"] });
                let described = self.0.call("DescribeServices", &request)?;
                let tags: Vec<Value> =
                    described["services"][0]["tags"].as_array().into_iter().flatten().cloned().collect();
                if tags.iter().any(|tag| tag["key"] == key) {
                    let tags: Vec<Value> =
                        tags.iter().map(|tag| json!({ "Key": tag["key"], "Value": tag["value"] })).collect();
                    found.push(json!({ "ResourceARN": arn, "Tags": tags }));
                }
            }
        }
        Ok(found)
    }
}

impl FakeService for FakeTagging {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let (filters, types) = (&request["TagFilters"], &request["ResourceTypeFilters"]);
        if operation != "GetResources"
            || *types != json!(["ecs:service"])
            || filters.as_array().map(Vec::len) != Some(1)
        {
            return Err(AwsError::client(
                "InvalidParameterException",
                format!("{operation} of {request} is not modelled by this fake"),
            ));
        }
        let found = self.services(filters[0]["Key"].as_str().unwrap_or_default())?;
        let size = request["ResourcesPerPage"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(50);
        let from: usize = request["PaginationToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
        let page: Vec<Value> = found.iter().skip(from).take(size).cloned().collect();
        let next = if from + size < found.len() {
            (from + size).to_string()
        } else {
            String::new()
        };
        Ok(json!({ "PaginationToken": next, "ResourceTagMappingList": page }))
    }
}
