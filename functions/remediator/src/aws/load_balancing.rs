//! Elastic Load Balancing: the health of the targets in a target group.

use pullsafe_aws::SdkConfig;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::json;
use pullsafe_aws::json::{JsonApi, element};
use remediator_decide::probe::target_health::TargetHealth;

/// Elastic Load Balancing: application and network load balancers.
#[derive(Debug, Clone)]
pub struct LoadBalancing(JsonApi);

impl LoadBalancing {
    /// Makes a client with the credentials, region and HTTP client of this configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self(JsonApi::new(config, json::LOAD_BALANCING))
    }

    /// The targets of a target group.
    ///
    /// # Errors
    /// The call failed.
    pub async fn target_health(&self, group: &str) -> Result<Vec<TargetHealth>, Failure> {
        let answer = self
            .0
            .query("elasticloadbalancing:DescribeTargetHealth", "2015-12-01", &[("TargetGroupArn", group)])
            .await?;
        Ok(targets(&answer))
    }
}

fn targets(answer: &str) -> Vec<TargetHealth> {
    let members = answer.split("<member>").skip(1);
    let text = |member: &str, name: &str| element(member, name).map(unescaped).filter(|text| !text.is_empty());
    members
        .filter_map(|member| {
            Some(TargetHealth {
                state: text(member, "State")?,
                reason: text(member, "Reason"),
                description: text(member, "Description"),
            })
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_answer_of_the_api_reference() {
        let answer = "<DescribeTargetHealthResponse \
            xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><DescribeTargetHealthResult>\
            <TargetHealthDescriptions><member><HealthCheckPort>80</HealthCheckPort><TargetHealth><State>unhealthy</State>\
            <Reason>Target.ResponseCodeMismatch</Reason><Description>Health checks failed with these codes: \
            [502]</Description></TargetHealth>\
            <Target><Port>80</Port><Id>10.0.0.1</Id></Target></member><member><TargetHealth><State>healthy</State></TargetHealth>\
            <Target><Port>80</Port><Id>10.0.0.2</Id></Target></member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>";
        let found = targets(answer);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].state.as_str(), found[0].reason.as_deref()),
            ("unhealthy", Some("Target.ResponseCodeMismatch"))
        );
        assert_eq!((found[1].state.as_str(), &found[1].reason), ("healthy", &None));
        assert_eq!(unescaped("a &amp;lt; b"), "a &lt; b");
    }
}
