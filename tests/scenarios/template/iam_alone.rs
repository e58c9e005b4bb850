//! IAM as the second line of defence: what a stack may change, whatever its code decides.

use std::collections::BTreeSet;

use pullsafe::permission;
use serde_json::Value;

use crate::conditions::ChosenParameters;
use crate::permissions::{render_all, roles};
use crate::template::{TemplateTree, strings};

/// Every action that changes something. `tests/judges` checks them against AWS's own access levels.
fn writing() -> BTreeSet<&'static str> {
    let lists = [
        permission::REMEDIATOR,
        permission::MIRROR,
        permission::GATE,
        permission::WAKER,
        permission::WIDGET,
        permission::PROBE,
    ];
    lists
        .into_iter()
        .flatten()
        .filter(|permission| permission.writes)
        .flat_map(|permission| permission.actions)
        .copied()
        .collect()
}

/// The writing actions that the roles of a stack may call, each with its resources.
fn granted(template: &TemplateTree, instead: &[(&str, &str)]) -> Vec<(String, String)> {
    let (chosen, writing) = (ChosenParameters::new(template, instead), writing());
    let mut found = Vec::new();
    for (role, properties) in roles(template) {
        let policies = chosen.resolve(&properties["Policies"]).expect("policies");
        let statements = policies
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array());
        for statement in statements.flatten() {
            for action in strings(&statement["Action"]).into_iter().filter(|action| writing.contains(action)) {
                found.push((format!("{role}: {action}"), render_all(statement).join(", ")));
            }
        }
    }
    found
}

/// `cargo test -p scenarios --test template observing -- --nocapture` prints how many writing actions are granted.
#[test]
fn an_observing_stack_can_change_nothing() {
    let template = TemplateTree::load();
    let found = granted(&template, &[]);
    println!("writing actions of an observing stack: {}", found.len());
    assert_eq!(found, []);
    // Everything else is turned on, but there is nothing to mirror and no permission to act.
    let everything = [
        ("MirrorMayDelete", "true"),
        ("AheadOfFailure", "move"),
        ("OrganizationId", "o-a1b2c3d4e5"),
        ("NotifyAllBuilds", "true"),
    ];
    assert_eq!(granted(&template, &everything), []);
}

/// A stack with a mirror configuration gets a mirror, also in observe mode. The mirror may write below its prefix and
/// nowhere else.
#[test]
fn an_observing_stack_with_a_mirror_changes_only_the_mirror() {
    let template = TemplateTree::load();
    let found = granted(&template, &[("MirrorConfigParameter", "/pullsafe/mirror"), ("MirrorMayDelete", "true")]);
    for (grant, resources) in &found {
        println!("{grant} on {resources}");
        assert_eq!(resources, "arn:${AWS::Partition}:ecr:*:${AWS::AccountId}:repository/${MirrorPrefix}/*", "{grant}");
    }
    assert!(found.iter().any(|(grant, _)| grant == "MirrorRole: ecr:PutImage"));
    assert!(found.iter().any(|(grant, _)| grant == "MirrorRole: ecr:BatchDeleteImage"));
}

#[test]
fn the_gate_asks_a_mirror_that_can_be_filled_and_no_other() {
    let template = TemplateTree::load();
    for function in ["ImageGateFunction", "GateWakerFunction"] {
        let queue = &template.resource(function)["Environment"]["Variables"]["PULLSAFE_MIRROR_QUEUE_URL"];
        assert_eq!(ChosenParameters::new(&template, &[]).resolve(queue), Some("".into()), "{function}");
        for instead in [("Mode", "act"), ("MirrorConfigParameter", "/p")] {
            assert_eq!(
                ChosenParameters::new(&template, &[instead]).resolve(queue).expect("a queue")["Ref"],
                "MirrorQueue",
                "{function}"
            );
        }
    }
}

/// A stack that acts, that asks first, or that a tag may let act has every permission that its steps declare.
#[test]
fn an_acting_stack_can_do_what_its_steps_declare() {
    let template = TemplateTree::load();
    for instead in [("Mode", "ask"), ("Mode", "act"), ("AllowTagToAct", "true")] {
        let found = granted(&template, &[instead]);
        let actions: BTreeSet<&str> = found.iter().filter_map(|(grant, _)| grant.split(": ").nth(1)).collect();
        let missing: Vec<_> = writing().into_iter().filter(|action| !actions.contains(action)).collect();
        assert_eq!(
            missing,
            ["ecr:BatchDeleteImage", "ecr:UpdateImageStorageClass", "ecs:ContinueServiceDeployment"],
            "{instead:?}: which have parameters of their own"
        );
    }
}

/// The permissions of the door come with its parameter, also in observe mode. There the door may only let deployments
/// go on.
#[test]
fn hooks_are_answered_only_where_the_parameter_says_so() {
    let template = TemplateTree::load();
    let answers = [("AnswerHooks", "true"), ("ServicePattern", "prod/*")];
    let found = granted(&template, &answers);
    let place = "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:service-deployment/${ServicePattern}/*";
    assert_eq!(found, [("RemediatorRole: ecs:ContinueServiceDeployment".to_owned(), place.to_owned())]);
    let own = permission::REMEDIATOR.iter().filter(|permission| permission.parameter == Some("AnswerHooks"));
    let own: Vec<&str> = own.flat_map(|permission| permission.actions).copied().collect();
    assert!(own.len() > 4, "{own:?}");
    for (instead, are) in [(&answers[..1], true), (&[("Mode", "act")], false)] {
        let policies = ChosenParameters::new(&template, instead)
            .resolve(&template.resource("RemediatorRole")["Policies"])
            .expect("policies")
            .to_string();
        for action in &own {
            assert_eq!(policies.contains(&format!("\"{action}\"")), are, "{action} with {instead:?}");
        }
    }
    let rule = &template.resource("RemediatorFunction")["Events"]["DeploymentWaits"]["Properties"]["State"];
    assert_eq!(ChosenParameters::new(&template, &[]).resolve(rule), Some("DISABLED".into()));
    assert_eq!(ChosenParameters::new(&template, &answers).resolve(rule), Some("ENABLED".into()));
}

#[test]
fn what_may_be_changed_can_be_narrowed_by_parameters() {
    let template = TemplateTree::load();
    let role = template.resource("RemediatorRole").to_string();
    for narrowed in [":service/${ServicePattern}", ":role/${TaskRolePattern}"] {
        assert!(role.contains(narrowed), "{narrowed}");
    }
    assert!(!role.contains(":role/*\"},\"Sid\":\"Keep"));
    let statement = |instead: &[(&str, &str)]| -> Value {
        let policies = ChosenParameters::new(&template, instead)
            .resolve(&template.resource("RemediatorRole")["Policies"])
            .expect("policies");
        let statements = policies
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array());
        statements
            .flatten()
            .find(|statement| statement["Sid"] == "ChangeServices")
            .expect("it acts")
            .clone()
    };
    assert_eq!(statement(&[("Mode", "act")]).get("Condition"), None);
    let tagged = statement(&[("Mode", "act"), ("OnlyTaggedServices", "true")]);
    assert_eq!(tagged["Condition"]["StringEquals"]["aws:ResourceTag/pullsafe-managed"], "true");
}

/// The topic accepts the whole organization, or these accounts of it.
#[test]
fn the_gates_topic_takes_a_list_of_accounts() {
    let template = TemplateTree::load();
    let document = &template.resource("ImageGateTopicPolicy")["PolicyDocument"]["Statement"][0]["Condition"];
    let condition = |accounts: &str| {
        let chosen =
            ChosenParameters::new(&template, &[("OrganizationId", "o-a1b2c3d4e5"), ("OrganizationAccounts", accounts)]);
        chosen.resolve(document).expect("a condition")["StringEquals"].clone()
    };
    assert_eq!(condition("").get("aws:PrincipalAccount"), None);
    assert_eq!(condition("111122223333")["aws:PrincipalAccount"]["Ref"], "OrganizationAccounts");
    assert_eq!(condition("")["aws:PrincipalOrgID"]["Ref"], "OrganizationId");
}

/// A new account has ten concurrent executions and cannot reserve any of them.
#[test]
fn nothing_is_reserved_unless_a_parameter_says_so() {
    let template = TemplateTree::load();
    for (id, function) in template.functions() {
        let reserved = &function["ReservedConcurrentExecutions"];
        assert_eq!(ChosenParameters::new(&template, &[]).resolve(reserved), None, "{id}");
        let parameter = format!("{}ReservedConcurrency", id.strip_suffix("Function").expect("a function"));
        let chosen = ChosenParameters::new(&template, &[(&parameter, "5")]);
        assert_eq!(chosen.resolve(reserved).expect("a number")["Ref"], parameter, "{id}");
    }
}

#[test]
fn one_key_of_the_customer_is_used_for_everything_that_is_kept() {
    let template = TemplateTree::load();
    let key = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d";
    let (without, with) = (
        ChosenParameters::new(&template, &[]),
        ChosenParameters::new(&template, &[("EncryptionKeyArn", key)]),
    );
    let kept = [("AWS::SQS::Queue", "KmsMasterKeyId"), ("AWS::Logs::LogGroup", "KmsKeyId")];
    for (kind, property) in kept {
        for (id, properties) in template.resources(kind) {
            assert_eq!(without.resolve(&properties[property]), None, "{id}");
            assert_eq!(with.resolve(&properties[property]).expect("a key")["Ref"], "EncryptionKeyArn", "{id}");
        }
    }
    for (id, queue) in template.resources("AWS::SQS::Queue") {
        assert_eq!(without.resolve(&queue["SqsManagedSseEnabled"]), Some(true.into()), "{id}");
        assert_eq!(with.resolve(&queue["SqsManagedSseEnabled"]), None, "{id}: SQS refuses both");
    }
    let table = &template.resource("Table")["SSESpecification"];
    assert_eq!(with.resolve(table).expect("encrypted")["KMSMasterKeyId"]["Ref"], "EncryptionKeyArn");
    assert_eq!(without.resolve(table).expect("encrypted").as_object().expect("an object").len(), 1);
    // The topic uses no key of AWS: with alias/aws/sns, no CloudWatch alarm could publish to it.
    assert_eq!(without.resolve(&template.resource("Topic")["KmsMasterKeyId"]), None);
}
