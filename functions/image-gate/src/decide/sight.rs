//! What a stack may be told about a repository of another account.
//!
//! The gate looks with its own permissions, which reach further than those of a stack that asks through a topic. So it
//! looks at another account's repository only if the repository's policy names the stack's account, or everybody.

use serde_json::Value;

/// The action that the stack's account has to be allowed.
const ACTION: &str = "ecr:BatchGetImage";

/// Whether a repository's policy lets an account pull. Conditions are not evaluated: a statement that allows or denies
/// the account under a condition is taken to do so always.
pub fn may_pull(policy: &str, account: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return false;
    };
    let statements = each(&policy["Statement"]);
    let effect = |wanted: &str| {
        let mut concerned =
            statements.iter().filter(|statement| names_account(statement, account) && names_action(statement));
        concerned.any(|statement| statement["Effect"] == wanted)
    };
    effect("Allow") && !effect("Deny")
}

/// The items of a value that a policy may write as one or as several.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
    }
}

fn names_account(statement: &Value, account: &str) -> bool {
    let principal = &statement["Principal"];
    let named = if principal.is_object() { each(&principal["AWS"]) } else { each(principal) };
    // `*`, `111122223333`, `arn:aws:iam::111122223333:root`, or a role of the account.
    named
        .into_iter()
        .filter_map(Value::as_str)
        .any(|name| name == "*" || name == account || name.split(':').nth(4) == Some(account))
}

fn names_action(statement: &Value) -> bool {
    each(&statement["Action"]).into_iter().filter_map(Value::as_str).any(|pattern| {
        let pattern = pattern.to_ascii_lowercase();
        let action = ACTION.to_ascii_lowercase();
        pattern.strip_suffix('*').map_or(pattern == action, |begin| action.starts_with(begin))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_admits_whom_it_names() {
        let policy = |principal: &str, action: &str, effect: &str| {
            format!(r#"{{"Statement": [{{"Effect": "{effect}", "Principal": {principal}, "Action": {action}}}]}}"#)
        };
        for (principal, action, expected) in [
            (
                r#"{"AWS": "arn:aws:iam::444455556666:root"}"#,
                r#"["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]"#,
                true,
            ),
            (r#"{"AWS": ["444455556666"]}"#, r#""ecr:*""#, true),
            (r#"{"AWS": "arn:aws:iam::444455556666:role/task"}"#, r#""ecr:Batch*""#, true),
            (r#""*""#, r#""*""#, true),
            (r#"{"AWS": "arn:aws:iam::111122223333:root"}"#, r#""ecr:*""#, false),
            (r#"{"Service": "lambda.amazonaws.com"}"#, r#""ecr:*""#, false),
            (r#"{"AWS": "444455556666"}"#, r#""ecr:DescribeImages""#, false),
            (r#"{"AWS": "arn:aws:iam::1444455556666:root"}"#, r#""ecr:*""#, false),
        ] {
            assert_eq!(may_pull(&policy(principal, action, "Allow"), "444455556666"), expected, "{principal} {action}");
            assert!(!may_pull(&policy(principal, action, "Deny"), "444455556666"));
        }
        assert!(!may_pull("no policy", "444455556666") && !may_pull("{}", "444455556666"));
        let denied = r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}, {"Effect": "Deny", "Principal": "*", "Action": "ecr:*"}]}"#;
        assert!(!may_pull(denied, "444455556666"));
    }
}
