//! What is missing where AWS refuses a call: the statement to add, or the change to make.

use pullsafe::arn::{Arn, ServiceId};
use serde_json::json;

/// The resource on which IAM authorises a call that is made for a service. A statement that names another one grants
/// nothing.
pub fn resource(call: &str, service: &ServiceId) -> String {
    let of = |name: &str, rest: &str| {
        let arn = Arn::parse(&service.cluster_arn);
        arn.map_or_else(
            || "*".to_owned(),
            |arn| format!("arn:{}:{name}:{}:{}:{rest}", arn.partition, arn.region, arn.account),
        )
    };
    match call {
        "ecs:DescribeTaskDefinition"
        | "ecs:ListTaskDefinitions"
        | "ecs:DeregisterTaskDefinition"
        | "ecs:ListTasks"
        | "ecs:ListClusters"
        | "ecs:ListServices"
        | "cloudformation:ListStacks"
        | "application-autoscaling:DescribeScalableTargets" => "*".to_owned(),
        "ecs:DescribeServiceDeployments" | "ecs:ContinueServiceDeployment" => {
            of("ecs", &format!("service-deployment/{}/{}/*", service.cluster(), service.name))
        }
        "ecs:DescribeServiceRevisions" => {
            of("ecs", &format!("service-revision/{}/{}/*", service.cluster(), service.name))
        }
        "ecs:DescribeTasks" => of("ecs", "task/*"),
        "cloudformation:DescribeStacks" => of("cloudformation", "stack/*"),
        "ecs:RegisterTaskDefinition" => of("ecs", "task-definition/*"),
        "ecs:DescribeClusters" => service.cluster_arn.clone(),
        "application-autoscaling:RegisterScalableTarget" => of("application-autoscaling", "scalable-target/*"),
        _ => service.arn(),
    }
}

/// What a refused call lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// A permission.
    Permission,
    /// Something else that is in the way of the request.
    Other,
}

/// What a person has to change so that a call is not refused again. `resource` is what the call was about.
pub fn missing(call: &str, code: &str, message: &str, lacks: Lacks, resource: &str) -> String {
    if code.to_ascii_lowercase().starts_with("kms") {
        return key(lacks, resource);
    }
    if lacks == Lacks::Other {
        return change(call).to_owned();
    }
    let (action, resource) = named(message).unwrap_or((call, resource));
    let mut statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
    if action == "iam:PassRole" {
        statement["Condition"] = json!({ "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } });
    }
    let role = "This statement in the policy of the remediator's role";
    let deny = "an explicit deny (in a service control policy, a permissions boundary, or a policy of the role) \
        stands before every allow";
    match message.contains("explicit deny") {
        true => format!("{role}, and {deny}: {statement}"),
        false => format!("{role}: {statement}"),
    }
}

/// The action and the resource that a denial names: a call can be denied because of another action (`iam:PassRole`).
fn named(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let (action, rest) = rest.split_once(' ')?;
    let resource = rest.strip_prefix("on resource: ")?.split_whitespace().next()?;
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == ':';
    (action.contains(':') && action.chars().all(plain) && (resource.starts_with("arn:") || resource == "*"))
        .then_some((action, resource))
}

/// What to change where the key of a topic or of a queue cannot be used: a permission on it, or its own state.
fn key(lacks: Lacks, resource: &str) -> String {
    let statement =
        json!({ "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "the key's ARN" });
    match lacks {
        Lacks::Permission => format!(
            "This statement for the key of {resource}, in the policy of the remediator's role and in the key's own \
             (docs/permissions.md): {statement}"
        ),
        Lacks::Other => format!("The key of {resource} has to exist and to be enabled."),
    }
}

/// What to change where no permission is missing.
fn change(call: &str) -> &'static str {
    match call {
        "ecs:TagResource" | "ecs:UntagResource" => {
            "A service takes tags only if it has an ARN in the long form (with its cluster; older services have to be \
             created anew) and fewer than 50 tags."
        }
        "ecs:RegisterTaskDefinition" => {
            "The clone is the task definition with other images: what ECS refuses in it (a role that is gone, a value \
             that is no longer allowed) has to be changed in the definition itself."
        }
        "ecs:UpdateService" => {
            "What the words above name (a role, a task definition, a limit, the service's state) has to be changed on \
             the service itself."
        }
        "sns:Publish" => "The topic is gone or does not take the message: an update of the stack creates it again.",
        "events:PutEvents" => "The bus is gone or does not take the event as it is.",
        "sqs:SendMessage" => "The queue is gone or does not take the message: an update of the stack creates it again.",
        "application-autoscaling:RegisterScalableTarget" => {
            "The words above say what is wrong with the scalable target."
        }
        _ => "The words above say what has to be changed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_names_the_statement_that_is_missing() {
        let service = "arn:aws:ecs:eu-west-1:123456789012:service/prod/web";
        let rows = [
            (
                "ecs:UpdateService",
                "User: x is not authorized to perform: ecs:UpdateService",
                r#""Action":"ecs:UpdateService""#,
                service,
            ),
            (
                "ecs:RegisterTaskDefinition",
                "User: x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/app because no \
                 identity-based policy allows the iam:PassRole action",
                r#""Action":"iam:PassRole""#,
                "arn:aws:iam::1:role/app",
            ),
            ("ecs:TagResource", "no", r#""Action":"ecs:TagResource""#, service),
            (
                "ecs:TagResource",
                "not authorized to perform: \"x:y, *\" on resource: all",
                r#""Action":"ecs:TagResource""#,
                service,
            ),
        ];
        for (call, message, action, resource) in rows {
            let text = missing(call, "AccessDeniedException", message, Lacks::Permission, service);
            assert_eq!(
                text.contains("\"iam:PassedToService\":\"ecs-tasks.amazonaws.com\""),
                action.contains("PassRole"),
                "{text}"
            );
            assert!(text.contains(action) && text.contains(&format!(r#""Resource":"{resource}""#)), "{text}");
        }
        assert!(
            missing(
                "ecs:TagResource",
                "",
                "with an explicit deny in a service control policy",
                Lacks::Permission,
                service
            )
            .contains("stands before every allow")
        );
    }

    #[test]
    fn a_statement_names_the_resource_that_iam_authorises_on() {
        let service = ServiceId {
            cluster_arn: "arn:aws-cn:ecs:cn-north-1:1:cluster/prod".to_owned(),
            name: "web".to_owned(),
        };
        for (call, expected) in [
            ("ecs:UpdateService", "arn:aws-cn:ecs:cn-north-1:1:service/prod/web"),
            ("ecs:ListTaskDefinitions", "*"),
            ("ecs:RegisterTaskDefinition", "arn:aws-cn:ecs:cn-north-1:1:task-definition/*"),
            ("ecs:DescribeClusters", "arn:aws-cn:ecs:cn-north-1:1:cluster/prod"),
            (
                "application-autoscaling:RegisterScalableTarget",
                "arn:aws-cn:application-autoscaling:cn-north-1:1:scalable-target/*",
            ),
        ] {
            assert_eq!(resource(call, &service), expected, "{call}");
        }
    }

    #[test]
    fn what_no_permission_mends_is_said_by_call() {
        assert!(missing("ecs:TagResource", "", "", Lacks::Other, "").contains("fewer than 50 tags"));
        assert!(missing("sns:Publish", "KMSDisabled", "", Lacks::Other, "t").contains("key of t has to exist"));
        assert!(missing("sns:Publish", "KMSAccessDenied", "", Lacks::Permission, "t").contains("kms:GenerateDataKey"));
    }
}
