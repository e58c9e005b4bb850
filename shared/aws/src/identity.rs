//! Proves who somebody is, by a request to STS that they have signed and that somebody else sends.
//!
//! The prover signs `sts:GetCallerIdentity`, with a statement in a header that the signature covers, and hands over the
//! headers. The verifier sends that request and learns from STS who signed it. Nothing else of the request comes from
//! outside: address, body and statement are made here. So a proof leads to no other host, does nothing else, and holds
//! for no other statement. STS accepts a signature for some minutes.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use pullsafe::arn::Arn;
use pullsafe::proof::Proof;

use super::SdkConfig;
use super::failure::{Failure, chain};
use super::json::{STS, deserialize, element, endpoint, reaching};

/// The header with the statement.
pub const STATEMENT: &str = "x-pullsafe-answer";

const CALL: &str = "sts:GetCallerIdentity";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// Asks STS who signed a statement.
#[derive(Debug)]
pub struct Signatures(Result<Operation<(Proof, String), String, ErrorMetadata>, String>);

/// Why a proof does not tell who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproven {
    /// The proof does not hold for this statement, or is too old: the code that STS gave, or what is wrong with the
    /// proof.
    Refused(String),
    /// STS could not be asked.
    Unknown(String),
}

impl Signatures {
    /// Creates the client. It connects to nothing yet.
    pub fn new(config: &SdkConfig) -> Self {
        Self(endpoint(&plain(config), STS).map(|endpoint| {
            let builder = reaching(Operation::builder().service_name("STS"), config, &endpoint).no_auth();
            builder.serializer(request).deserializer(deserialize).build()
        }))
    }

    /// The ARN of whoever signed this statement.
    ///
    /// # Errors
    /// Nobody did, or it could not be found out. The error has nothing of the proof: in its message, STS repeats what
    /// was signed, including a session's token, so only its code is given.
    pub async fn signer(&self, proof: &Proof, statement: &str) -> Result<String, Unproven> {
        let with_token = proof.token.as_ref().map(|_| "x-amz-security-token");
        let covered: Vec<&str> = ["host", "x-amz-date", STATEMENT].into_iter().chain(with_token).collect();
        if !proof.is_sound() || !proof.covers(&covered) {
            return Err(Unproven::Refused("its signature does not cover this answer".to_owned()));
        }
        let operation = self.0.as_ref().map_err(|why| Unproven::Unknown(why.clone()))?;
        let answer = operation.invoke((proof.clone(), statement.to_owned())).await.map_err(|error| {
            let failure = Failure::of(CALL, &error);
            let code = failure.code.clone().unwrap_or_else(|| "no answer".to_owned());
            if failure.is_transient() {
                Unproven::Unknown(code)
            } else {
                Unproven::Refused(code)
            }
        })?;
        let arn = element(&answer, "Arn").filter(|arn| Arn::parse(arn).is_some()).map(str::to_owned);
        arn.ok_or_else(|| Unproven::Unknown("the answer names nobody".to_owned()))
    }
}

/// Signs a statement with the caller's own credentials.
///
/// # Errors
/// There are no credentials, no region, or the credentials cannot sign.
pub async fn prove(config: &SdkConfig, statement: &str) -> Result<Proof, String> {
    let config = plain(config);
    let provider = config.credentials_provider().ok_or("there are no credentials")?;
    let credentials = provider.provide_credentials().await.map_err(|error| chain(&error))?;
    let region = config.region().ok_or("no region is set")?.to_string();
    let endpoint = endpoint(&config, STS)?;
    let time = config.time_source().map_or_else(SystemTime::now, |source| source.now());
    signed(&credentials.into(), &region, &format!("{endpoint}/"), time, statement)
}

fn signed(
    identity: &aws_smithy_runtime_api::client::identity::Identity,
    region: &str,
    uri: &str,
    time: SystemTime,
    statement: &str,
) -> Result<Proof, String> {
    let params = v4::SigningParams::builder().identity(identity).region(region).name("sts").time(time);
    let params = params.settings(SigningSettings::default()).build().map_err(|error| error.to_string())?.into();
    let headers = [(STATEMENT, statement)];
    let request = SignableRequest::new("POST", uri, headers.into_iter(), SignableBody::Bytes(BODY.as_bytes()));
    let request = request.map_err(|error| chain(&error))?;
    let (instructions, _) = sign(request, &params).map_err(|error| chain(&error))?.into_parts();
    let header = |name: &str| {
        instructions
            .headers()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    match (header("authorization"), header("x-amz-date")) {
        (Some(authorization), Some(date)) => Ok(Proof { authorization, date, token: header("x-amz-security-token") }),
        _ => Err("the signature has no headers".to_owned()),
    }
}

/// The configuration without FIPS and dual stack: signer and sender have to mean the same host, which is part of what
/// is signed.
fn plain(config: &SdkConfig) -> SdkConfig {
    config.clone().into_builder().use_fips(false).use_dual_stack(false).build()
}

fn request((proof, statement): (Proof, String)) -> Result<HttpRequest, aws_smithy_runtime_api::box_error::BoxError> {
    let mut http = HttpRequest::new(SdkBody::from(BODY));
    http.set_method("POST")?;
    http.set_uri("/")?;
    let headers = http.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded");
    headers.insert(STATEMENT, statement);
    headers.insert("authorization", proof.authorization);
    headers.insert("x-amz-date", proof.date);
    if let Some(token) = proof.token {
        headers.insert("x-amz-security-token", token);
    }
    Ok(http)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;

    #[test]
    fn a_proof_is_signed_over_the_statement_the_host_and_the_token() {
        for token in [None, Some("session".to_owned())] {
            let identity = Credentials::new("AKIDEXAMPLE", "example-secret", token.clone(), None, "test").into();
            let sign = |statement: &str| {
                signed(
                    &identity,
                    "eu-west-1",
                    "https://sts.eu-west-1.amazonaws.com/",
                    SystemTime::UNIX_EPOCH,
                    statement,
                )
                .unwrap()
            };
            let proof = sign("approve 00000000");
            assert!(proof.is_sound() && proof.covers(&["host", "x-amz-date", STATEMENT]), "{}", proof.authorization);
            assert_eq!((proof.covers(&["x-amz-security-token"]), &proof.token), (token.is_some(), &token));
            assert!(proof.authorization.contains("/eu-west-1/sts/aws4_request"), "{}", proof.authorization);
            assert_ne!(proof, sign("approve 00000001"), "another statement, another signature");
        }
    }
}
