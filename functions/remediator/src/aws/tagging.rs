//! The Resource Groups Tagging API: which services carry a tag, without listing every cluster.

use pullsafe::arn::ServiceId;
use pullsafe_aws::SdkConfig;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::json::{JsonApi, TAGGING};
use serde_json::json;

const CALL: &str = "tag:GetResources";
/// How many pages of a hundred services one search reads. A later search finds the rest, once these are mended.
const PAGES: usize = 10;

/// The Resource Groups Tagging API.
#[derive(Debug, Clone)]
pub struct Tagging(JsonApi);

impl Tagging {
    /// Makes a client with the credentials, region and HTTP client of this configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self(JsonApi::new(config, TAGGING))
    }

    /// The services of ECS in this region that carry a tag, or did a moment ago.
    ///
    /// # Errors
    /// A call failed.
    pub async fn services_with(&self, key: &str) -> Result<Vec<ServiceId>, Failure> {
        let (mut found, mut page) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let mut request = json!({ "TagFilters": [{ "Key": key }], "ResourceTypeFilters": ["ecs:service"], "ResourcesPerPage": 100 });
            if !page.is_empty() {
                request["PaginationToken"] = json!(page);
            }
            let answer = self.0.call(CALL, "ResourceGroupsTaggingAPI_20170126.GetResources", &request).await?;
            let resources = answer["ResourceTagMappingList"].as_array().into_iter().flatten();
            found.extend(resources.filter_map(|resource| ServiceId::from_arn(resource["ResourceARN"].as_str()?)));
            page = answer["PaginationToken"].as_str().map(str::to_owned).unwrap_or_default();
            if page.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}
