//! Each function may do what its code calls and nothing else, on resources as narrow as AWS allows.

use std::collections::{BTreeMap, BTreeSet};

use pullsafe::arn::ServiceId;
use pullsafe::glob;
use remediator_decide::refusal;
use remediator_decide::service::marks;
use serde_json::Value;

use crate::declared::FUNCTIONS;
use crate::template::{TemplateTree, events, refers_to, strings};

/// The only actions that are granted on `*`, and why. The Service Authorization Reference of each service says that AWS
/// authorises them on no narrower resource.
const ON_EVERYTHING: &[(&str, &str)] = &[
    ("application-autoscaling:DescribeScalableTargets", "reads; has no resource type"),
    ("cloudformation:ListStacks", "reads; has no resource type"),
    ("ec2:AssignPrivateIpAddresses", INTERFACES),
    ("ec2:CreateNetworkInterface", INTERFACES),
    ("ec2:DeleteNetworkInterface", INTERFACES),
    ("ec2:DescribeNetworkInterfaces", "reads; has no resource type"),
    ("ec2:DescribeSubnets", "reads; has no resource type"),
    ("ec2:UnassignPrivateIpAddresses", INTERFACES),
    ("ecr:DescribePullThroughCacheRules", "reads; has no resource type"),
    (
        "ecr:GetAuthorizationToken",
        "a token is good for whatever the role may do otherwise; has no resource type",
    ),
    ("ecs:DeregisterTaskDefinition", "has no resource type"),
    ("ecs:DescribeTaskDefinition", "reads; has no resource type"),
    ("ecs:ListClusters", "reads; has no resource type"),
    ("ecs:ListServices", "reads; has no resource type"),
    ("ecs:ListTaskDefinitions", "reads; has no resource type"),
    ("ecs:ListTasks", "reads; without a container instance it is authorised on no resource"),
    ("elasticloadbalancing:DescribeTargetHealth", "reads; has no resource type"),
    ("logs:DescribeLogGroups", "reads names of groups; a group that is looked for need not be there"),
    ("events:ListRuleNamesByTarget", "reads; names a target, and no rule"),
    ("scheduler:ListSchedules", "reads; lists whatever schedules there are"),
    ("tag:GetResources", "reads; has no resource type"),
];

/// The interface is not known in advance, and the condition keeps the function's own code from using the permission.
const INTERFACES: &str = "Lambda's own calls alone, as AWS asks for them";

/// Actions that are granted only under a condition, with the condition's keys.
const CONDITIONED: &[(&str, &[&str])] = &[
    ("application-autoscaling:RegisterScalableTarget", &["application-autoscaling:service-namespace"]),
    ("ec2:CreateNetworkInterface", &["lambda:SourceFunctionArn"]),
    ("ec2:DeleteNetworkInterface", &["lambda:SourceFunctionArn"]),
    ("ecs:ListTasks", &["ecs:cluster"]),
    ("ecs:TagResource", &["aws:TagKeys", "ecs:CreateAction"]),
    ("ecs:UntagResource", &["aws:TagKeys"]),
    ("events:PutEvents", &["events:source"]),
    ("iam:PassRole", &["iam:PassedToService"]),
    ("logs:GetLogEvents", &["aws:ResourceAccount"]),
];

/// Every role of the template: logical id and properties.
pub(crate) fn roles(template: &TemplateTree) -> Vec<(&str, &Value)> {
    template.resources("AWS::IAM::Role")
}

/// The statements of a function's role, including those that a condition adds: the most that the role can have.
fn statements<'a>(template: &'a TemplateTree, function: &Value) -> Vec<&'a Value> {
    let role = template.resource(refers_to(&function["Role"]));
    assert!(role.get("ManagedPolicyArns").is_none(), "managed policies grant more than we name");
    let policies = role["Policies"].as_array().expect("policies");
    let statements: Vec<&Value> = policies
        .iter()
        .map(granted)
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().expect("statements"))
        .map(granted)
        .collect();
    assert!(statements.iter().all(|statement| statement["Effect"] == "Allow" && statement["Sid"].is_string()));
    statements
}

/// A policy or a statement that a condition adds counts as granted.
fn granted(statement: &Value) -> &Value {
    match statement["Fn::If"].as_array() {
        Some(choice) => {
            assert_eq!(choice[2]["Ref"], "AWS::NoValue", "a condition adds a statement or does not");
            &choice[1]
        }
        None => statement,
    }
}

/// The actions that Lambda itself calls under the function's role, because of how the template connects the function.
fn called_by_lambda(function: &Value) -> BTreeSet<&'static str> {
    let mut actions = BTreeSet::from(["logs:CreateLogStream", "logs:PutLogEvents"]);
    if events(function).iter().any(|(_, kind, _)| *kind == "SQS") {
        actions.extend(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]);
    }
    let destinations = &function["EventInvokeConfig"]["DestinationConfig"];
    if !destinations["OnFailure"].is_null() {
        actions.insert("sqs:SendMessage");
    }
    if destinations["OnSuccess"]["Type"] == "EventBridge" {
        actions.insert("events:PutEvents");
    }
    if !function["VpcConfig"].is_null() {
        actions.extend([
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
        ]);
    }
    actions
}

/// A resource of a statement in one line: the text of a `Sub`, or `Resource.Attribute`.
fn render(resource: &Value) -> String {
    if let Some(text) = resource.as_str().or_else(|| resource["Fn::Sub"].as_str()) {
        return text.to_owned();
    }
    if let Some(text) = resource["Fn::Split"][1]["Fn::Sub"][0].as_str() {
        return text.to_owned();
    }
    resource["Fn::GetAtt"][1]
        .as_str()
        .map_or_else(|| refers_to(resource).to_owned(), |attribute| format!("{}.{attribute}", refers_to(resource)))
}

/// The resources of a statement, each in one line.
pub(crate) fn render_all(statement: &Value) -> Vec<String> {
    statement["Resource"]
        .as_array()
        .map_or_else(|| vec![render(&statement["Resource"])], |list| list.iter().map(render).collect())
}

#[test]
fn granted_actions_are_declared_actions_both_ways() {
    let template = TemplateTree::load();
    for declared in FUNCTIONS {
        let function = template.resource(declared.function);
        let granted: BTreeSet<&str> = statements(&template, function)
            .into_iter()
            .flat_map(|statement| strings(&statement["Action"]))
            .collect();
        let needed = declared.actions();
        let by_lambda = called_by_lambda(function);
        assert!(by_lambda.is_subset(&needed), "{}: {by_lambda:?}, because of how it is wired", declared.function);
        let superfluous: Vec<_> = granted.difference(&needed).collect();
        let missing: Vec<_> = needed.difference(&granted).collect();
        assert!(
            superfluous.is_empty() && missing.is_empty(),
            "{}: granted, not needed {superfluous:?}; needed, not granted {missing:?}",
            declared.function
        );
    }
}

/// The statement that a message asks for after a denied call would help: the template grants the same action on the
/// same kind of resource.
#[test]
fn the_statement_that_a_denied_act_calls_for_would_help() {
    let template = TemplateTree::load();
    let service = ServiceId {
        cluster_arn: "arn:aws:ecs:eu-west-1:123456789012:cluster/prod".to_owned(),
        name: "web".to_owned(),
    };
    let known = [
        ("${AWS::Partition}", "aws"),
        ("${AWS::Region}", "eu-west-1"),
        ("${AWS::AccountId}", "123456789012"),
        ("${ServicePattern}", "*"),
    ];
    let mut granted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for statement in statements(&template, template.resource("RemediatorFunction")) {
        for action in strings(&statement["Action"]) {
            granted.entry(action).or_default().extend(render_all(statement));
        }
    }
    let mut held = 0;
    for (action, resources) in granted {
        if !["ecs:", "application-autoscaling:", "cloudformation:"]
            .iter()
            .any(|service| action.starts_with(service))
        {
            continue;
        }
        let named = refusal::resource(action, &service);
        let fits = |resource: &String| {
            let pattern = known.iter().fold(resource.clone(), |text, (name, value)| text.replace(name, value));
            pattern == named || named != "*" && pattern != "*" && glob::matches(&pattern, &named.replace('*', "x"))
        };
        assert!(resources.iter().any(fits), "{action} is granted on {resources:?}, and a message would say {named}");
        held += 1;
    }
    assert!(held > 12, "{held}");
}

#[test]
fn nothing_is_granted_by_wildcard_beyond_the_list() {
    let template = TemplateTree::load();
    let mut on_everything = BTreeSet::new();
    for (id, function) in template.functions() {
        for statement in statements(&template, function) {
            let actions = strings(&statement["Action"]);
            assert!(actions.iter().all(|action| !action.contains('*')), "{id}: {actions:?}");
            for resource in render_all(statement) {
                if resource == "*" {
                    on_everything.extend(actions.iter().copied());
                    continue;
                }
                // In `arn:partition:service:...` the service is always named, so no resource is a wildcard in disguise.
                let service =
                    resource.split(':').nth(if resource.starts_with("arn:${AWS::Partition}") { 4 } else { 2 });
                assert!(
                    !resource.starts_with("arn:")
                        || service.is_some_and(|service| !service.is_empty() && service != "*"),
                    "{id}: {resource}"
                );
                let of_one_type = resource.ends_with(":log-stream:*");
                assert!(of_one_type || !resource.ends_with(":*"), "{id}: {resource} names every type of resource");
            }
        }
    }
    assert_eq!(
        on_everything,
        ON_EVERYTHING.iter().map(|(action, _)| *action).collect(),
        "granted on *, and allowed to be"
    );
}

#[test]
fn what_can_reach_further_is_held_by_a_condition() {
    let template = TemplateTree::load();
    let mut seen = BTreeSet::new();
    for (id, function) in template.functions() {
        for statement in statements(&template, function) {
            for action in strings(&statement["Action"]) {
                let Some((_, keys)) = CONDITIONED.iter().find(|(name, _)| *name == action) else {
                    continue;
                };
                seen.insert(action);
                let conditions =
                    statement["Condition"].as_object().unwrap_or_else(|| panic!("{id}: {action} needs a condition"));
                let held = conditions.values().flat_map(|condition| condition.as_object().expect("keys").keys());
                assert!(
                    held.into_iter().any(|key| keys.contains(&key.as_str())),
                    "{id}: {action} under {conditions:?}"
                );
            }
        }
    }
    assert_eq!(seen, CONDITIONED.iter().map(|(action, _)| *action).collect());
}

/// `ForAllValues` also holds for a request without tag keys, so the condition has to require one.
#[test]
fn services_get_only_our_own_tags() {
    let template = TemplateTree::load();
    let function = template.resource("RemediatorFunction");
    let tagging = statements(&template, function).into_iter().filter(|statement| {
        strings(&statement["Action"]).iter().any(|action| action.ends_with("agResource"))
            && render_all(statement).iter().any(|resource| resource.ends_with(":service/${ServicePattern}"))
    });
    let tagging: Vec<&Value> = tagging.collect();
    assert_eq!(tagging.len(), 1);
    let allowed = strings(&tagging[0]["Condition"]["ForAllValues:StringLike"]["aws:TagKeys"]);
    let may = |tag: &str| {
        allowed
            .iter()
            .any(|pattern| pattern.strip_suffix('*').map_or(*pattern == tag, |begin| tag.starts_with(begin)))
    };
    for mark in
        marks::OF_A_PAUSE
            .iter()
            .chain(&[marks::MOVED_FROM, marks::MOVED_AT, marks::MOVED_BY, marks::APPROVED_BY])
    {
        assert!(may(mark), "{mark}");
    }
    // A person decides with these tags, so the role cannot set them.
    assert!(!may(marks::MODE) && !may("pullsafe-managed") && !may("pullsafe:managed"));
    assert_eq!(tagging[0]["Condition"]["Null"]["aws:TagKeys"], "false");
}

#[test]
fn the_mirror_deletes_and_reads_secrets_only_where_a_parameter_says_so() {
    let template = TemplateTree::load();
    let role = template.resource("MirrorRole");
    let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().expect("statements");
    let conditions = |action: &str| {
        let under = statements.iter().filter(|statement| strings(&granted(statement)["Action"]).contains(&action));
        under.map(|statement| statement["Fn::If"][0].as_str()).collect::<Vec<_>>()
    };
    assert_eq!(conditions("ecr:BatchDeleteImage"), [Some("MirrorMayDeleteImages")]);
    assert_eq!(conditions("secretsmanager:GetSecretValue"), [Some("HasDockerHubSecret")]);
    assert_eq!(conditions("ssm:GetParameter"), [Some("HasMirrorConfig")]);
    let parameters = template.section("Parameters");
    assert_eq!(
        (&parameters["MirrorMayDelete"]["Default"], &parameters["DockerHubSecretArn"]["Default"]),
        (&"false".into(), &"".into())
    );
}

/// The remediator may use the whole table; the others may use only their own rows. The gate's rows contain the signed
/// addresses of answers.
#[test]
fn each_function_sees_only_its_own_rows() {
    let template = TemplateTree::load();
    let gate = ["gate", "gate#*", "gate-memory#*"].as_slice();
    for (function, keys) in [
        ("MirrorFunction", ["mirror", "mirror-copy#*"].as_slice()),
        ("ImageGateFunction", gate),
        ("GateWakerFunction", gate),
        ("WidgetFunction", &["incident#*", "outlook", "arn:*"]),
    ] {
        let statements = statements(&template, template.resource(function));
        let rows = statements
            .iter()
            .filter(|statement| strings(&statement["Action"]).iter().any(|action| action.starts_with("dynamodb:")));
        let rows: Vec<_> = rows.collect();
        let allowed = rows
            .iter()
            .flat_map(|row| strings(&row["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]));
        assert_eq!(allowed.collect::<Vec<_>>(), keys, "{function}");
        assert!(rows.iter().all(|row| row["Condition"]["Null"]["dynamodb:LeadingKeys"] == "false"), "{function}");
    }
}

#[test]
fn what_looks_ahead_is_granted_by_its_parameters() {
    let template = TemplateTree::load();
    let role = template.resource("RemediatorRole");
    let conditions = |action: &str| {
        let policies = role["Policies"].as_array().expect("policies").iter();
        let under = policies.filter(|policy| {
            let mut statements = granted(policy)["PolicyDocument"]["Statement"].as_array().expect("statements").iter();
            statements.any(|statement| strings(&granted(statement)["Action"]).contains(&action))
        });
        under.map(|policy| policy["Fn::If"][0].as_str()).collect::<Vec<_>>()
    };
    for action in [
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecr:GetLifecyclePolicy",
        "events:ListRuleNamesByTarget",
        "events:ListTargetsByRule",
        "scheduler:ListSchedules",
        "scheduler:GetSchedule",
    ] {
        assert_eq!(conditions(action), [Some("LooksAhead")], "{action}");
    }
    assert_eq!(conditions("ecr:PutImage"), [Some("MayKeepImages")]);
    let parameters = template.section("Parameters");
    assert_eq!(parameters["KeepRepositories"]["Default"], "");
    let conditions = template.section("Conditions");
    assert!(
        conditions["MayKeepImages"].to_string().contains("ActingAllowed"),
        "nothing is tagged where the stack observes"
    );
    for schedule in ["FindOutlooks", "TellOutlooks"] {
        let (_, _, properties) = events(template.resource("RemediatorFunction"))
            .into_iter()
            .find(|(name, _, _)| *name == schedule)
            .expect("a schedule");
        assert_eq!(properties["State"]["Fn::If"][0], "LooksAhead");
    }
}

/// The condition of a policy or a statement, if it has one.
fn condition(of: &Value) -> Option<&str> {
    of["Fn::If"][0].as_str()
}

/// A part that is not switched on gets no permission: what the code declares for a parameter is granted under a
/// condition on that parameter.
#[test]
fn what_comes_with_a_parameter_is_granted_by_it() {
    let template = TemplateTree::load();
    let meaning = template.section("Conditions");
    let mut held = 0;
    for declared in FUNCTIONS {
        let function = template.resource(declared.function);
        let role = template.resource(refers_to(&function["Role"]));
        for permission in declared.permissions.iter().filter(|permission| permission.parameter.is_some()) {
            let parameter = permission.parameter.unwrap_or_default();
            for action in permission.actions {
                for policy in role["Policies"].as_array().expect("policies") {
                    let statements = granted(policy)["PolicyDocument"]["Statement"].as_array().expect("statements");
                    for statement in statements {
                        if !strings(&granted(statement)["Action"]).contains(action) {
                            continue;
                        }
                        let under = [condition(policy), condition(statement)];
                        let asks = |name: &str| meaning[name].to_string().contains(&format!("\"{parameter}\""));
                        assert!(
                            under.iter().flatten().any(|name| asks(name)),
                            "{action} comes with {parameter}, and is granted under {under:?}"
                        );
                        held += 1;
                    }
                }
            }
        }
    }
    assert!(held >= 7, "{held}");
}

/// Without subnets for the probe, nothing of it is created.
#[test]
fn everything_of_the_probe_stands_under_its_condition() {
    let template = TemplateTree::load();
    let resources = template.section("Resources");
    let of_probe: Vec<_> = resources.iter().filter(|(id, _)| id.starts_with("Probe")).collect();
    assert!(of_probe.len() >= 5, "{}", of_probe.len());
    for (id, resource) in of_probe {
        assert_eq!(resource["Condition"], "HasProbe", "{id}");
    }
}

#[test]
fn the_mirror_writes_only_below_its_prefix_and_only_in_this_account() {
    let template = TemplateTree::load();
    for (id, function) in template.functions() {
        for statement in statements(&template, function) {
            let writes = strings(&statement["Action"])
                .iter()
                .any(|action| ["ecr:PutImage", "ecr:CreateRepository", "ecr:BatchDeleteImage"].contains(action));
            if writes {
                let allowed = match id {
                    "MirrorFunction" => "arn:${AWS::Partition}:ecr:*:${AWS::AccountId}:repository/${MirrorPrefix}/*",
                    // The remediator may add a tag to existing images, in the repositories that a parameter names.
                    "RemediatorFunction" if strings(&statement["Action"]) == ["ecr:PutImage"] => {
                        "arn:${AWS::Partition}:ecr:*:${AWS::AccountId}:repository/${KeepRepositories}"
                    }
                    other => panic!("{other} writes to repositories"),
                };
                assert_eq!(render_all(statement), [allowed]);
            }
        }
    }
}
