//! Whether the region has the services that the functions use. The deployed stack proves it for each service of which
//! it has a resource; each other service is asked by a call that only looks.

use aws_config::SdkConfig;
use pullsafe_aws::Failure;
use pullsafe_aws::json::{APPLICATION_AUTOSCALING, Api, CODEBUILD, JsonApi, LOAD_BALANCING, SECRETS, SSM, TAGGING};
use serde_json::{Value, json};

use super::finding::Check;
use super::stack::Deployed;

/// A service, a call that only looks, and what is not done if the service is missing.
struct Asked {
    api: Api,
    call: &'static str,
    /// The target of the JSON protocols; without one, the call is a form of the query protocol.
    target: Option<&'static str>,
    body: Value,
    without: &'static str,
}

/// Asks every service that could be missing.
pub(super) async fn look(config: &SdkConfig, stack: &Deployed) -> Check {
    let about = format!("services in {}", stack.region);
    let (mut missing, mut unknown, mut there) = (Vec::new(), Vec::new(), 0);
    for asked in asked(stack) {
        let api = JsonApi::new(config, asked.api);
        let answer = match asked.target {
            Some(target) => api.call(asked.call, target, &asked.body).await.map(|_| ()),
            None => api.query(asked.call, "2015-12-01", &[("PageSize", "1")]).await.map(|_| ()),
        };
        let service = asked.call.split_once(':').map_or(asked.call, |(service, _)| service);
        match answer {
            Err(failure) if has_no_address(&failure) => missing.push(format!("{service} ({})", asked.without)),
            // A service that refuses is there.
            Err(failure) if failure.code.is_none() || failure.is_transient() => unknown.push(failure.to_string()),
            Ok(()) | Err(_) => there += 1,
        }
    }
    if !missing.is_empty() {
        return Check::wrong(
            about,
            format!("no address for {}", missing.join(", ")),
            "deploy in a region that has them, or do without",
        );
    }
    if !unknown.is_empty() {
        return Check::unknown(
            about,
            unknown.join("; "),
            "look again; a service that never answers may not be in the region",
        );
    }
    Check::right(about, format!("{there} answer that the stack has no resource of"))
}

fn asked(stack: &Deployed) -> Vec<Asked> {
    let row = |api, call, target, body, without| Asked { api, call, target: Some(target), body, without };
    let mut asked = vec![
        row(
            APPLICATION_AUTOSCALING,
            "application-autoscaling:DescribeScalableTargets",
            "AnyScaleFrontendService.DescribeScalableTargets",
            json!({ "ServiceNamespace": "ecs", "MaxResults": 1 }),
            "no service is paused",
        ),
        row(
            TAGGING,
            "tag:GetResources",
            "ResourceGroupsTaggingAPI_20170126.GetResources",
            json!({ "TagFilters": [{ "Key": "pullsafe:paused-count" }], "ResourceTypeFilters": ["ecs:service"], "ResourcesPerPage": 1 }),
            "a service that is paused and that the table does not know is not found",
        ),
        row(
            CODEBUILD,
            "codebuild:ListProjects",
            "CodeBuild_20161006.ListProjects",
            json!({}),
            "no failed build is heard of",
        ),
        Asked {
            api: LOAD_BALANCING,
            call: "elasticloadbalancing:DescribeTargetGroups",
            target: None,
            body: Value::Null,
            without: "no reason of a failed health check",
        },
    ];
    let (parameter, secret) = (stack.parameter("MirrorConfigParameter"), stack.parameter("DockerHubSecretArn"));
    if !parameter.is_empty() {
        let body = json!({ "Name": parameter });
        asked.push(row(SSM, "ssm:GetParameter", "AmazonSSM.GetParameter", body, "the mirror has no configuration"));
    }
    if !secret.is_empty() {
        let body = json!({ "SecretId": secret });
        asked.push(row(
            SECRETS,
            "secretsmanager:DescribeSecret",
            "secretsmanager.DescribeSecret",
            body,
            "the mirror pulls as anonymous",
        ));
    }
    asked
}

/// Whether a failure means that the region has no such service: then its host name does not resolve.
fn has_no_address(failure: &Failure) -> bool {
    failure.code.is_none() && failure.message.as_deref().is_some_and(|text| text.contains("dns error"))
}
