//! `pullsafe protect`: sets the pause hook at which pullsafe looks at a service's deployments before their first task.
//!
//! The service's deployment configuration is taken as ECS gives it, and only its hooks are changed, so a field that
//! this version does not know stays. Hooks of others stay as they are.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::account::Session;
use crate::service::{EcsClient, named};
use crate::terminal::{answer, stop};

const STAGE: &str = "PRE_SCALE_UP";
/// The most pause hooks that ECS takes for a service.
const MOST_PAUSES: usize = 10;

/// Have each deployment of a service wait before its first task until pullsafe has looked at it; nobody's deployment
/// waits longer than the hook says.
///
/// It takes effect with the next deployment, and needs a stack with AnswerHooks=true. Exit status: 0 = done, or as it
/// should be already; 1 = ECS refused it, or the service cannot have hooks; 2 = wrong usage.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The service: CLUSTER/SERVICE or its ARN
    #[arg(value_name = "CLUSTER/SERVICE")]
    service: String,
    /// How long a deployment waits at most, in minutes; then it goes on
    #[arg(long, value_name = "MINUTES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20160))]
    minutes: u32,
    /// Take the hook away again
    #[arg(long, alias = "remove")]
    undo: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Some((cluster, service)) = named(&arguments.service) else {
        return stop(&format!("`{}` is no service: write CLUSTER/SERVICE, or its ARN", arguments.service), 2);
    };
    let session = match Session::begin() {
        Ok(session) => session,
        Err(code) => return code,
    };
    match session.wait(protect(&EcsClient::new(&session.config), &cluster, &service, arguments)) {
        Ok(text) => answer(&format!("{text}\n"), true),
        Err(message) => stop(&message, 1),
    }
}

async fn protect(ecs: &EcsClient, cluster: &str, name: &str, arguments: &Arguments) -> Result<String, String> {
    let service = ecs.service(cluster, name).await?;
    let wanted = if arguments.undo { None } else { Some(arguments.minutes) };
    let Some(configuration) = changed(&service, wanted)? else {
        let state = if arguments.undo {
            "has no hook of pullsafe's"
        } else {
            "has the hook already"
        };
        return Ok(format!("{cluster}/{name} {state}: nothing to do"));
    };
    let request = json!({ "cluster": cluster, "service": name, "deploymentConfiguration": configuration });
    if arguments.dry_run {
        return Ok(format!("would change {cluster}/{name}:\n{request:#}"));
    }
    ecs.update(&request).await.map_err(|failure| failure.to_string())?;
    Ok(match wanted {
        Some(minutes) => format!(
            "{cluster}/{name}: each deployment waits before its first task, {minutes} minutes at most. The stack of \
             pullsafe has to have AnswerHooks=true; to undo: pullsafe protect {cluster}/{name} --undo"
        ),
        None => format!("{cluster}/{name}: deployments no longer wait for pullsafe"),
    })
}

/// Returns the service's deployment configuration with the hook, or without it; `None` if it is that way already.
///
/// # Errors
/// The service cannot have the hook.
fn changed(service: &Value, minutes: Option<u32>) -> Result<Option<Value>, String> {
    let controller = service["deploymentController"]["type"].as_str().unwrap_or("ECS");
    if controller != "ECS" {
        return Err(format!(
            "only deployments that ECS itself controls have hooks, and this service's controller is {controller}"
        ));
    }
    let mut configuration = service["deploymentConfiguration"].clone();
    if !configuration.is_object() {
        configuration = json!({});
    }
    let hooks = configuration["lifecycleHooks"].as_array().cloned().unwrap_or_default();
    let (ours, mut others): (Vec<Value>, Vec<Value>) = hooks.into_iter().partition(is_ours);
    if let Some(minutes) = minutes {
        if ours.len() == 1 && ours.iter().all(|hook| hook["timeoutConfiguration"]["timeoutInMinutes"] == minutes) {
            return Ok(None);
        }
        if others.iter().filter(|hook| hook["targetType"] == "PAUSE").count() >= MOST_PAUSES {
            return Err(format!("the service has {MOST_PAUSES} pause hooks already, and ECS takes no more"));
        }
        let timeout = json!({ "timeoutInMinutes": minutes, "action": "CONTINUE" });
        others.push(json!({ "targetType": "PAUSE", "lifecycleStages": [STAGE], "timeoutConfiguration": timeout }));
    } else if ours.is_empty() {
        return Ok(None);
    }
    configuration["lifecycleHooks"] = Value::Array(others);
    Ok(Some(configuration))
}

/// Whether a hook is the one that pullsafe answers: before the first task only, and continuing when nobody answers.
fn is_ours(hook: &Value) -> bool {
    hook["targetType"] == "PAUSE"
        && hook["lifecycleStages"] == json!([STAGE])
        && hook["timeoutConfiguration"]["action"] == "CONTINUE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hook_is_changed_and_whoever_repeats_it_changes_nothing() {
        let theirs =
            json!({ "targetType": "AWS_LAMBDA", "hookTargetArn": "arn", "lifecycleStages": ["POST_SCALE_UP"] });
        let mut service = json!({ "deploymentConfiguration": { "maximumPercent": 200, "notInventedYet": { "a": 1 }, "lifecycleHooks": [theirs] } });
        let protected = changed(&service, Some(5)).unwrap().unwrap();
        assert_eq!(protected["lifecycleHooks"][0], theirs);
        assert!(is_ours(&protected["lifecycleHooks"][1]));
        assert_eq!((&protected["maximumPercent"], &protected["notInventedYet"]["a"]), (&json!(200), &json!(1)));

        service["deploymentConfiguration"] = protected;
        assert_eq!(changed(&service, Some(5)).unwrap(), None);
        assert_eq!(changed(&service, Some(7)).unwrap().unwrap()["lifecycleHooks"].as_array().unwrap().len(), 2);
        let undone = changed(&service, None).unwrap().unwrap();
        assert_eq!(undone["lifecycleHooks"], json!([theirs]));
        service["deploymentConfiguration"] = undone;
        assert_eq!(changed(&service, None).unwrap(), None);
    }

    #[test]
    fn a_service_without_hooks_of_its_own_and_one_that_cannot_have_any() {
        assert!(changed(&json!({}), Some(5)).unwrap().is_some());
        let codedeploy = json!({ "deploymentController": { "type": "CODE_DEPLOY" } });
        assert!(changed(&codedeploy, Some(5)).unwrap_err().contains("CODE_DEPLOY"));
    }
}
