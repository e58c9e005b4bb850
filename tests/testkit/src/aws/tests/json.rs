//! Services without an SDK crate, through [`JsonApi`].

use std::sync::Arc;

use pullsafe_aws::FailureKind;
use pullsafe_aws::json::{JsonApi, LOGS, SECRETS, SSM};
use serde_json::json;

use super::clock;
use crate::aws::logs::FakeLogs;
use crate::aws::parameters::Parameters;
use crate::aws::secrets::Secrets;
use crate::aws::{AwsFault, FakeAws, FaultKind};

fn fake() -> FakeAws {
    let logs = FakeLogs::new(clock());
    logs.write("/build", "one", &["a line"]);
    FakeAws::new(clock())
        .with_service("logs", Arc::new(logs))
        .with_service("ssm", Arc::new(Parameters::new(clock()).with_parameter("/mirror", "a: 1")))
        .with_service("secretsmanager", Arc::new(Secrets::new().with_secret("hub", "s")))
}

#[tokio::test]
async fn a_call_without_an_sdk_crate_is_answered() {
    let config = fake().sdk_config();
    let request = json!({"logGroupName": "/build", "logStreamName": "one"});
    let lines = JsonApi::new(&config, LOGS)
        .call("logs:GetLogEvents", "Logs_20140328.GetLogEvents", &request)
        .await
        .unwrap();
    assert_eq!(lines["events"][0]["message"], "a line");
    let secrets = JsonApi::new(&config, SECRETS);
    let secret = secrets
        .call("secretsmanager:GetSecretValue", "secretsmanager.GetSecretValue", &json!({"SecretId": "hub"}))
        .await
        .unwrap();
    assert_eq!(secret["SecretString"], "s");
}

#[tokio::test]
async fn what_does_not_exist_is_told_from_what_failed() {
    let parameters = JsonApi::new(&fake().sdk_config(), SSM);
    let failure = parameters
        .call("ssm:GetParameter", "AmazonSSM.GetParameter", &json!({"Name": "/none"}))
        .await
        .unwrap_err();
    assert_eq!((failure.kind, failure.code.as_deref()), (FailureKind::NotFound, Some("ParameterNotFound")));
}

#[tokio::test]
async fn passing_faults_are_retried_as_by_an_sdk_crate() {
    for kind in FaultKind::ALL {
        let fake = fake();
        fake.inject(AwsFault::on("ssm", "GetParameter", kind));
        let parameters = JsonApi::new(&fake.sdk_config(), SSM);
        let answer = parameters.call("ssm:GetParameter", "AmazonSSM.GetParameter", &json!({"Name": "/mirror"})).await;
        if kind == FaultKind::AccessDenied {
            assert_eq!(answer.unwrap_err().kind, FailureKind::Denied);
        } else {
            assert_eq!(answer.unwrap()["Parameter"]["Value"], "a: 1", "{kind:?}");
            assert_eq!(fake.calls().len(), 2, "{kind:?}");
        }
    }
}
