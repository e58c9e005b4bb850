//! UpdateService: what starts a deployment and what is refused.

use serde_json::{Value, json};

use super::world::{ECR, EcsWorld, digest, of_type, with_service};

fn primary(service: &Value) -> &str {
    service["deployments"][0]["id"].as_str().unwrap()
}

#[tokio::test]
async fn only_a_new_definition_or_force_starts_a_deployment() {
    let world = EcsWorld::even();
    world.steady(ECR, 2, json!({})).await;
    let before = world.service();
    let same = before["taskDefinition"].clone();

    let counted = world.update(json!({"desiredCount": 3}));
    assert_eq!((primary(&counted), counted["deployments"].as_array().unwrap().len()), (primary(&before), 1));
    assert_eq!(counted["desiredCount"], 3);
    assert_eq!(primary(&world.update(json!({"taskDefinition": same}))), primary(&before));
    assert_eq!(primary(&world.update(json!({"enableExecuteCommand": true}))), primary(&before));
    let events = world.pass(600).await;
    assert!(of_type(&events, "ECS Deployment State Change").is_empty());

    let forced = world.update(json!({"forceNewDeployment": true}));
    assert_ne!(primary(&forced), primary(&before));
    assert_eq!(forced["deployments"][1]["status"], "ACTIVE");
    let events = world.pass(600).await;
    let changes = of_type(&events, "ECS Deployment State Change");
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0]["detail"]["eventName"], "SERVICE_DEPLOYMENT_IN_PROGRESS");
    assert_eq!(changes[1]["detail"]["eventName"], "SERVICE_DEPLOYMENT_COMPLETED");
    assert_eq!(changes[1]["resources"], json!(["arn:aws:ecs:eu-west-1:123456789012:service/prod/web"]));

    world.puller.push("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:next", &digest(2));
    let next = world.register("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app-mp:next");
    assert_ne!(primary(&world.update(json!({"taskDefinition": "web"}))), primary(&forced));
    world.pass(600).await;
    assert_eq!(
        (world.service()["taskDefinition"].as_str(), world.service()["runningCount"].as_u64()),
        (Some(next.as_str()), Some(3))
    );
}

#[test]
fn code_deploy_and_external_refuse_deployments_but_not_counts() {
    for (controller, ending) in [
        (
            "CODE_DEPLOY",
            "a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.",
        ),
        ("EXTERNAL", "an EXTERNAL deployment controller."),
    ] {
        let world = EcsWorld::even();
        let definition = world.register(ECR);
        world.create(&definition, 1, json!({"deploymentController": {"type": controller}}));
        let refused = world.refused("UpdateService", &with_service(json!({"taskDefinition": definition})));
        assert_eq!(refused.code, "InvalidParameterException");
        assert_eq!(refused.message, format!("Unable to update task definition on services with {ending}"));
        let refused = world.refused("UpdateService", &with_service(json!({"forceNewDeployment": true})));
        assert_eq!(refused.message, format!("Cannot force a new deployment on services with {ending}"));
        assert_eq!(world.update(json!({"desiredCount": 0}))["desiredCount"], 0);
        assert_eq!(world.service()["deployments"], json!([]));
    }
}

#[tokio::test]
async fn a_daemon_has_no_count_of_its_own() {
    let world = EcsWorld::even();
    world.puller.push(ECR, &digest(1));
    let definition = world.register(ECR);
    world.create(&definition, 0, json!({"schedulingStrategy": "DAEMON", "launchType": "EC2"}));
    world.pass(600).await;
    assert_eq!(world.service()["runningCount"], 1);
    let refused = world.refused("UpdateService", &with_service(json!({"desiredCount": 0})));
    assert!(
        refused
            .message
            .starts_with("The daemon scheduling strategy does not support a desired count for services.")
    );
}

#[tokio::test]
async fn a_deleted_service_is_not_active() {
    let world = EcsWorld::even();
    world.steady(ECR, 1, json!({})).await;
    assert_eq!(world.refused("DeleteService", &with_service(json!({}))).code, "InvalidParameterException");
    world.ok("DeleteService", &with_service(json!({"force": true})));
    world.pass(60).await;
    assert_eq!((&world.service()["status"], &world.service()["runningCount"]), (&json!("INACTIVE"), &json!(0)));
    let refused = world.refused("UpdateService", &with_service(json!({"desiredCount": 1})));
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        ("ServiceNotActiveException", "Service was not ACTIVE.")
    );
}

#[test]
fn members_that_the_model_does_not_know_survive() {
    let world = EcsWorld::even();
    let definition = world.register(ECR);
    world.create(&definition, 1, json!({"resourceManagementType": "ECS", "newThing": {"x": 1}}));
    world.update(json!({"healthCheckGracePeriodSeconds": 300}));
    let service = world.service();
    assert_eq!(service["resourceManagementType"], "ECS");
    assert_eq!(service["newThing"], json!({"x": 1}));
    assert_eq!(service["healthCheckGracePeriodSeconds"], 300);
    assert_eq!(service["deploymentConfiguration"]["minimumHealthyPercent"], 100);
    assert_eq!(
        world
            .refused("CreateService", &json!({"cluster": "prod", "serviceName": "web", "taskDefinition": "web"}))
            .code,
        "InvalidParameterException"
    );
}
