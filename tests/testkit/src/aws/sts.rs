//! AWS STS: says who signed a request. It computes no signatures: one is valid if it covers what it should cover and
//! was made by [`Sts::signs`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::ACCOUNT;
use super::service::{AwsError, FakeService};

/// STS. Clones share one state.
#[derive(Clone, Default)]
pub struct Sts(Arc<Mutex<BTreeMap<(String, String), String>>>);

impl Sts {
    /// Signs a statement as the owner of this ARN. Returns the `Authorization` header of the request.
    pub fn signs(&self, arn: &str, statement: &str) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = format!("{:064x}", known.len() + 1);
        known.insert((signature.clone(), statement.to_owned()), arn.to_owned());
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260115/eu-west-1/sts/aws4_request, \
             SignedHeaders=host;x-amz-date;x-pullsafe-answer, Signature={signature}"
        )
    }
}

impl FakeService for Sts {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        if operation != "GetCallerIdentity" {
            return Err(AwsError::client("InvalidAction", format!("{operation} is not modelled by this fake")));
        }
        let header = |name: &str| request["headers"][name].as_str().unwrap_or_default().to_owned();
        let signature = header("authorization").rsplit("Signature=").next().unwrap_or_default().to_owned();
        if header("x-pullsafe-answer").is_empty() {
            // A client that asks who it is itself, with the SDK's signature. That signature is not checked here.
            return Ok(
                json!({ "Arn": format!("arn:aws:iam::{ACCOUNT}:user/me"), "UserId": "AIDAME", "Account": ACCOUNT }),
            );
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&(signature, header("x-pullsafe-answer"))) {
            Some(arn) => Ok(json!({ "Arn": arn, "UserId": "AIDAEXAMPLE", "Account": "123456789012" })),
            // STS repeats in this error what was signed, and so does the fake.
            None => Err(AwsError {
                status: 403,
                code: "SignatureDoesNotMatch".to_owned(),
                message: format!(
                    "The Canonical String for this request should have been 'POST\n/\nx-amz-security-token:{}'",
                    header("x-amz-security-token")
                ),
            }),
        }
    }
}
