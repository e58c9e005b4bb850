//! Systems Manager: a parameter by its name.

use serde_json::json;

use pullsafe_aws::failure::Failure;
use pullsafe_aws::json::{JsonApi, SSM};

/// Reads the value of a parameter, decrypted if it is a `SecureString`.
///
/// # Errors
/// The call failed, or its answer has no value.
pub async fn value(config: &aws_config::SdkConfig, name: &str) -> Result<String, Failure> {
    const CALL: &str = "ssm:GetParameter";
    let answer = JsonApi::new(config, SSM)
        .call(CALL, "AmazonSSM.GetParameter", &json!({"Name": name, "WithDecryption": true}))
        .await?;
    let value = answer.pointer("/Parameter/Value").and_then(serde_json::Value::as_str).map(str::to_owned);
    value.ok_or_else(|| Failure::unexpected(CALL, "the answer has no value"))
}
