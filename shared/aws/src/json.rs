//! Calls to services of AWS that have no SDK crate here: JSON in, JSON out, or a form in, XML out.
//!
//! An SDK crate costs every build a minute and every function a quarter of a megabyte, for one or two read-only calls.
//! The parts that an SDK crate is made of are used as they are: the orchestrator with its retries and timeouts, SigV4,
//! the error codes that are worth a retry, and the configuration with its endpoints (docs/adr/0011).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::{Operation, OperationBuilder};
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use pullsafe::reference::Region;
use serde_json::Value;

use super::failure::Failure;
use super::{SdkConfig, endpoints};

/// A service, and how it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// The name that requests are signed for, and that hosts begin with.
    name: &'static str,
    /// The name in `AWS_ENDPOINT_URL_<ID>`, as the SDKs spell it.
    id: &'static str,
    content_type: &'static str,
}

/// Amazon ECS, for answers that are wanted as they came.
pub const ECS: Api = Api { name: "ecs", id: "ECS", content_type: JSON };
/// Amazon CloudWatch Logs.
pub const LOGS: Api = Api { name: "logs", id: "CloudWatch Logs", content_type: JSON };
/// AWS Systems Manager.
pub const SSM: Api = Api { name: "ssm", id: "SSM", content_type: JSON };
/// AWS Secrets Manager.
pub const SECRETS: Api = Api {
    name: "secretsmanager",
    id: "Secrets Manager",
    content_type: JSON,
};
/// Amazon EventBridge.
pub const EVENTS: Api = Api { name: "events", id: "EventBridge", content_type: JSON };
/// Amazon DynamoDB.
pub const DYNAMODB: Api = Api { name: "dynamodb", id: "DynamoDB", content_type: JSON_1_0 };
/// Amazon SQS.
pub const SQS: Api = Api { name: "sqs", id: "SQS", content_type: JSON_1_0 };
/// AWS Security Token Service.
pub const STS: Api = Api { name: "sts", id: "STS", content_type: FORM };
/// Amazon CloudWatch, whose name in IAM is not that of its host.
pub const MONITORING: Api = Api { name: "monitoring", id: "CloudWatch", content_type: JSON_1_0 };
/// The Resource Groups Tagging API, which IAM calls `tag`.
pub const TAGGING: Api = Api {
    name: "tagging",
    id: "Resource Groups Tagging API",
    content_type: JSON,
};
/// Application Auto Scaling.
pub const APPLICATION_AUTOSCALING: Api = Api {
    name: "application-autoscaling",
    id: "Application Auto Scaling",
    content_type: JSON,
};
/// AWS CodeBuild.
pub const CODEBUILD: Api = Api { name: "codebuild", id: "CodeBuild", content_type: JSON };
/// AWS Lambda, which is called by paths.
pub const LAMBDA: Api = Api {
    name: "lambda",
    id: "Lambda",
    content_type: "application/json",
};
/// Amazon EventBridge Scheduler, which is called by paths.
pub const SCHEDULER: Api = Api {
    name: "scheduler",
    id: "Scheduler",
    content_type: "application/json",
};
/// Elastic Load Balancing: application and network load balancers.
pub const LOAD_BALANCING: Api = Api {
    name: "elasticloadbalancing",
    id: "Elastic Load Balancing v2",
    content_type: FORM,
};

/// The code of a failure that a Lambda function itself reports in its answer.
pub const FUNCTION_ERROR: &str = "FunctionError";

const JSON: &str = "application/x-amz-json-1.1";
const JSON_1_0: &str = "application/x-amz-json-1.0";
const FORM: &str = "application/x-www-form-urlencoded";

/// A service's API, with the credentials, region and HTTP client of a configuration.
#[derive(Debug, Clone)]
pub struct JsonApi {
    api: Api,
    /// `Err` says why there is no address for the service.
    operation: Result<Operation<Request, String, ErrorMetadata>, String>,
}

/// A request. `target` is the header in which some protocols name the operation.
#[derive(Debug)]
struct Request {
    method: &'static str,
    path: String,
    target: Option<&'static str>,
    body: String,
}

impl JsonApi {
    /// Creates a client. It connects to nothing yet.
    pub fn new(config: &SdkConfig, api: Api) -> Self {
        let region = config.region().cloned();
        let endpoint = match endpoint(config, api) {
            Ok(endpoint) => endpoint,
            Err(why) => return Self { api, operation: Err(why) },
        };
        let mut layer = Layer::new("signing");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: region.map(SigningRegion::from),
            region_set: None,
            name: Some(SigningName::from_static(api.name)),
            signing_options: SigningOptions::default(),
        });
        let mut components = RuntimeComponentsBuilder::new("signing");
        components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
            StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
        )));
        components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
        components.set_identity_cache(Some(config.identity_cache().unwrap_or_else(|| IdentityCache::lazy().build())));
        if let Some(credentials) = config.credentials_provider() {
            components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        }
        let builder = reaching(Operation::builder().service_name(api.id), config, &endpoint)
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .runtime_plugin(StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components));
        let content_type = api.content_type;
        let operation = builder
            .serializer(move |request: Request| serialize(request, content_type))
            .deserializer(deserialize)
            .build();
        Self { api, operation: Ok(operation) }
    }

    /// Calls an operation: `call("ssm:GetParameter", "AmazonSSM.GetParameter", ..)`. An answer without a body is
    /// `null`.
    ///
    /// # Errors
    /// The call failed, after the retries that the configuration allows.
    pub async fn call(&self, call: &'static str, target: &'static str, body: &Value) -> Result<Value, Failure> {
        let answer = self
            .send(
                call,
                Request {
                    method: "POST",
                    path: "/".to_owned(),
                    target: Some(target),
                    body: body.to_string(),
                },
            )
            .await?;
        parsed(call, &answer)
    }

    /// Calls an operation of the query protocol and returns the XML of its answer.
    ///
    /// # Errors
    /// The call failed, after the retries that the configuration allows.
    pub async fn query(
        &self,
        call: &'static str,
        version: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, Failure> {
        let action = call.rsplit(':').next().unwrap_or(call);
        let mut body = format!("Action={action}&Version={version}");
        for (name, value) in parameters {
            body.extend(["&", name, "=", &form_encoded(value)]);
        }
        let request = Request { method: "POST", path: "/".to_owned(), target: None, body };
        self.send(call, request).await
    }

    /// Reads from a path: `read("scheduler:GetSchedule", &["schedules", name], &[("groupName", group)])`. The parts of
    /// the path and the values may be any text.
    ///
    /// # Errors
    /// The call failed, after the retries that the configuration allows.
    pub async fn read(&self, call: &'static str, path: &[&str], parameters: &[(&str, &str)]) -> Result<Value, Failure> {
        let request = Request {
            method: "GET",
            path: address(path, parameters),
            target: None,
            body: String::new(),
        };
        parsed(call, &self.send(call, request).await?)
    }

    /// Invokes a Lambda function, by its name or ARN, and waits for its answer.
    ///
    /// # Errors
    /// The call failed, or the function failed: then the code is [`FUNCTION_ERROR`].
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Failure> {
        const CALL: &str = "lambda:InvokeFunction";
        let path = format!("/2015-03-31/functions/{}/invocations", form_encoded(function));
        let request = Request { method: "POST", path, target: None, body: event.to_string() };
        parsed(CALL, &self.send(CALL, request).await?)
    }

    async fn send(&self, call: &'static str, request: Request) -> Result<String, Failure> {
        debug_assert!(
            call.starts_with(self.api.name) || [MONITORING, TAGGING].contains(&self.api),
            "the call is named as IAM names it"
        );
        let operation = self
            .operation
            .as_ref()
            .map_err(|why| Failure::unexpected(call, format!("there is no address for it: {why}")))?;
        operation.invoke(request).await.map_err(|error| Failure::of(call, &error))
    }
}

/// A service's API in any region: one client for each, created when it is first needed. Clones share them.
#[derive(Clone)]
pub struct InRegions {
    config: SdkConfig,
    api: Api,
    regions: Arc<Mutex<HashMap<String, JsonApi>>>,
}

impl InRegions {
    pub fn new(config: &SdkConfig, api: Api) -> Self {
        Self { config: config.clone(), api, regions: Arc::default() }
    }

    /// The API in a region; `None` means the configuration's own.
    ///
    /// # Errors
    /// The region is in another partition: credentials are valid in one partition only, and are sent to no other.
    pub fn get(&self, region: Option<&Region>) -> Result<JsonApi, String> {
        let own = self.config.region().and_then(|own| own.as_ref().parse::<Region>().ok());
        if let (Some(own), Some(region)) = (own, region)
            && own.partition() != region.partition()
        {
            return Err(format!("{region} is in another partition of AWS than {own}"));
        }
        // A panic elsewhere cannot leave the map half changed.
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || match region {
            Some(region) => {
                let config =
                    self.config.clone().into_builder().region(aws_config::Region::new(region.to_string())).build();
                JsonApi::new(&config, self.api)
            }
            None => JsonApi::new(&self.config, self.api),
        };
        Ok(regions.entry(region.map(ToString::to_string).unwrap_or_default()).or_insert_with(make).clone())
    }
}

impl std::fmt::Debug for InRegions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "InRegions({})", self.api.id)
    }
}

/// An operation at this address, with a configuration's client, clock, timeouts and retries.
pub(crate) fn reaching(builder: OperationBuilder, config: &SdkConfig, endpoint: &str) -> OperationBuilder {
    let mut builder = builder
        .operation_name("call")
        .behavior_version(config.behavior_version().unwrap_or_else(BehaviorVersion::latest))
        .endpoint_url(endpoint)
        .standard_retry(config.retry_config().unwrap_or(&RetryConfig::standard()))
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new());
    if let Some(client) = config.http_client() {
        builder = builder.http_client(client);
    }
    if let Some(sleep) = config.sleep_impl() {
        builder = builder.sleep_impl(sleep);
    }
    if let Some(time) = config.time_source() {
        builder = builder.time_source(time);
    }
    if let Some(timeouts) = config.timeout_config() {
        builder = builder.timeout_config(timeouts.clone());
    }
    builder
}

/// The endpoint of a service: the one that is configured for this service, or the general one, or else the service's
/// own.
pub(crate) fn endpoint(config: &SdkConfig, api: Api) -> Result<String, String> {
    let variable = "AWS_ENDPOINT_URL";
    let key = ServiceConfigKey::builder().service_id(api.id).env(variable).profile("endpoint_url").build();
    let own = config.service_config().zip(key.ok()).and_then(|(settings, key)| settings.load_config(key));
    match own.or_else(|| config.endpoint_url().map(str::to_owned)) {
        Some(endpoint) => Ok(endpoint),
        None => endpoints::of(api.name, config),
    }
}

fn parsed(call: &'static str, answer: &str) -> Result<Value, Failure> {
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(answer).map_err(|error| Failure::unexpected(call, format!("the answer is not JSON: {error}")))
}

fn serialize(
    request: Request,
    content_type: &'static str,
) -> Result<HttpRequest, aws_smithy_runtime_api::box_error::BoxError> {
    let mut http = HttpRequest::new(SdkBody::from(request.body));
    http.set_method(request.method)?;
    http.set_uri(request.path)?;
    if request.method == "POST" {
        http.headers_mut().insert("content-type", content_type);
    }
    if let Some(target) = request.target {
        http.headers_mut().insert("x-amz-target", target);
    }
    Ok(http)
}

pub(crate) fn deserialize(response: &HttpResponse) -> Result<String, OrchestratorError<ErrorMetadata>> {
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if response.headers().get("x-amz-function-error").is_some() {
        // The answer of a function that failed is `{"errorType": ..., "errorMessage": ...}`.
        let said: Value = serde_json::from_str(&body).unwrap_or_default();
        let message = said["errorMessage"].as_str().unwrap_or("it gave no reason").to_owned();
        return Err(OrchestratorError::operation(
            ErrorMetadata::builder().code(FUNCTION_ERROR).message(message).build(),
        ));
    }
    if response.status().is_success() {
        return Ok(body.into_owned());
    }
    let header = response.headers().get("x-amzn-errortype");
    Err(OrchestratorError::operation(error(header, &body)))
}

/// Reads an error's code and message: `{"__type": "com.amazonaws#Code", "message": ...}`, or `<Code>` and `<Message>`.
fn error(header: Option<&str>, body: &str) -> ErrorMetadata {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |names: [&str; 2]| names.iter().find_map(|name| json[*name].as_str()).map(str::to_owned);
    let code = header
        .map(str::to_owned)
        .or_else(|| text(["__type", "code"]))
        .or_else(|| element(body, "Code").map(str::to_owned));
    let message = text(["message", "Message"]).or_else(|| element(body, "Message").map(str::to_owned));
    let mut builder = ErrorMetadata::builder();
    // A namespace before the code and an address after it are not part of it.
    let code = code.as_deref().and_then(|code| code.rsplit('#').next()).and_then(|code| code.split(':').next());
    builder = builder.code(code.filter(|code| !code.is_empty()).unwrap_or("UnknownError"));
    if let Some(message) = message {
        builder = builder.message(message);
    }
    builder.build()
}

/// The text of the first element of this name; enough for answers whose texts hold no markup.
pub fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let after = xml.split_once(&format!("<{name}>"))?.1;
    after.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// A path of these parts, with the parameters after a question mark.
fn address(path: &[&str], parameters: &[(&str, &str)]) -> String {
    let mut address: String = path.iter().flat_map(|part| ["/".to_owned(), form_encoded(part)]).collect();
    for (place, (name, value)) in parameters.iter().enumerate() {
        address.extend([if place == 0 { "?" } else { "&" }, name, "=", &form_encoded(value)]);
    }
    address
}

/// Encodes a text as `application/x-www-form-urlencoded`; what needs no escape anywhere stays.
fn form_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_in_both_protocols() {
        for (header, body, code, message) in [
            (
                None,
                r#"{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"gone"}"#,
                "ParameterNotFound",
                Some("gone"),
            ),
            (
                Some("AccessDeniedException:http://internal"),
                r#"{"Message":"no"}"#,
                "AccessDeniedException",
                Some("no"),
            ),
            (
                None,
                "<ErrorResponse><Error><Code>Throttling</Code><Message>slow</Message></Error></ErrorResponse>",
                "Throttling",
                Some("slow"),
            ),
            (None, "<html>Bad gateway</html>", "UnknownError", None),
        ] {
            let error = error(header, body);
            assert_eq!((error.code(), error.message()), (Some(code), message), "{body}");
        }
    }

    #[test]
    fn an_address_holds_any_text() {
        for (path, parameters, wanted) in [
            (["schedules"].as_slice(), [].as_slice(), "/schedules"),
            (&["schedules", "a/../b?c"], &[("groupName", "d&e")], "/schedules/a%2F..%2Fb%3Fc?groupName=d%26e"),
            (
                &["schedules"],
                &[("State", "ENABLED"), ("NextToken", "x+/=")],
                "/schedules?State=ENABLED&NextToken=x%2B%2F%3D",
            ),
        ] {
            assert_eq!(address(path, parameters), wanted);
        }
    }

    #[test]
    fn a_form_holds_any_text() {
        assert_eq!(form_encoded("arn:aws:x/é y"), "arn%3Aaws%3Ax%2F%C3%A9%20y");
    }
}
