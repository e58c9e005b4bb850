//! The wire protocols, in and out: awsJson (operation in `x-amz-target`), awsQuery (form in, XML out), and restJson,
//! where the method and the path name the operation: an invocation of Lambda, and the reads of EventBridge Scheduler.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};

use super::service::AwsError;
use super::{names, query};

/// What a service says: an answer, or an error with the further members of its body.
pub(super) type Said = Result<Value, ErrorAnswer>;

/// An error, and the members of its body besides code and message.
#[derive(Debug, Clone)]
pub(super) struct ErrorAnswer {
    pub(super) error: AwsError,
    /// Further members, such as `CancellationReasons`.
    pub(super) fields: Box<Map<String, Value>>,
}

impl From<AwsError> for ErrorAnswer {
    fn from(error: AwsError) -> Self {
        Self { error, fields: Box::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Query,
    Rest,
}

/// A request, read from the wire.
#[derive(Debug)]
pub(super) struct WireRequest {
    protocol: Protocol,
    /// The service's IAM prefix.
    pub(super) service: String,
    pub(super) operation: String,
    /// The operation's input.
    pub(super) request: Value,
}

impl WireRequest {
    /// Reads a request from its method, its path with query, its target and its body. The error says what has to be
    /// added to the testkit.
    pub(super) fn read(method: &str, address: &str, target: Option<&str>, body: &[u8]) -> Result<Self, String> {
        let (path, parameters) = address.split_once('?').unwrap_or((address, ""));
        if let Some((operation, name)) = names::of_schedules(method, path) {
            let members = query::parse_form(parameters).into_iter().map(|(name, value)| match name.as_str() {
                "ScheduleGroup" | "groupName" => ("GroupName".to_owned(), Value::from(value)),
                _ => (name, Value::from(value)),
            });
            let name = name.map(|name| ("Name".to_owned(), Value::from(query::decode(name))));
            return Ok(Self {
                protocol: Protocol::Rest,
                service: "scheduler".to_owned(),
                operation: operation.to_owned(),
                request: Value::Object(members.chain(name).collect()),
            });
        }
        if let Some(function) = names::invoked(path) {
            let request = json!({ "FunctionName": query::decode(function), "Payload": String::from_utf8_lossy(body) });
            return Ok(Self {
                protocol: Protocol::Rest,
                service: "lambda".to_owned(),
                operation: "Invoke".to_owned(),
                request,
            });
        }
        if let Some(target) = target {
            let (prefix, operation) =
                target.split_once('.').ok_or_else(|| format!("x-amz-target `{target}` names no operation"))?;
            let service = names::service_of_target(prefix)
                .ok_or_else(|| format!("no service is known by x-amz-target `{prefix}`"))?;
            let request = match body {
                [] => Value::Object(Map::new()),
                body => serde_json::from_slice(body)
                    .map_err(|error| format!("{operation} sent a body that is not JSON: {error}"))?,
            };
            return Ok(Self {
                protocol: Protocol::Json,
                service: service.to_owned(),
                operation: operation.to_owned(),
                request,
            });
        }
        let form =
            std::str::from_utf8(body).map_err(|_| "a request without x-amz-target that is no form".to_owned())?;
        let mut parameters = query::parse_form(form);
        let mut take = |name: &str| {
            let position = parameters.iter().position(|(key, _)| key == name)?;
            Some(parameters.remove(position).1)
        };
        let (Some(operation), Some(version)) = (take("Action"), take("Version")) else {
            return Err(
                "a request with neither x-amz-target nor Action and Version: its protocol is not known here".to_owned()
            );
        };
        let service = names::service_of_version(&version)
            .ok_or_else(|| format!("no service is known by the version {version}"))?;
        Ok(Self {
            protocol: Protocol::Query,
            service: service.to_owned(),
            operation,
            request: query::to_json(parameters),
        })
    }

    /// Renders what the service said.
    pub(super) fn render(&self, said: Said) -> Result<HttpResponse, ConnectorError> {
        let (status, body) = match (&said, self.protocol) {
            (Ok(answer), Protocol::Json | Protocol::Rest) => (200, answer.to_string()),
            (Ok(answer), Protocol::Query) => (200, query::answer_xml(&self.operation, answer)),
            (Err(failure), Protocol::Json) => (failure.error.status, error_json(failure)),
            (Err(failure), Protocol::Rest) => {
                (failure.error.status, json!({ "Message": failure.error.message }).to_string())
            }
            (Err(failure), Protocol::Query) => (failure.error.status, query::error_xml(&failure.error)),
        };
        let status = StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        let content_type = match self.protocol {
            Protocol::Json => "application/x-amz-json-1.1",
            Protocol::Query => "text/xml",
            Protocol::Rest => "application/json",
        };
        response.headers_mut().insert("content-type", content_type);
        response.headers_mut().insert("x-amzn-requestid", "00000000-0000-4000-8000-000000000000");
        if let (Err(failure), Protocol::Rest) = (&said, self.protocol) {
            response.headers_mut().insert("x-amzn-errortype", failure.error.code.clone());
        }
        if let (Ok(answer), "lambda") = (&said, self.service.as_str())
            && answer.get("errorMessage").is_some()
        {
            // The call succeeded, but the function failed.
            response.headers_mut().insert("x-amz-function-error", "Unhandled");
        }
        if let (Err(failure), "sqs") = (&said, self.service.as_str()) {
            // SQS moved from awsQuery to awsJson but still sends its old error codes, by which the SDK recognises the
            // errors.
            let fault = if failure.error.status < 500 { "Sender" } else { "Receiver" };
            response.headers_mut().insert("x-amzn-query-error", format!("{};{fault}", failure.error.code));
        }
        Ok(response)
    }
}

fn error_json(failure: &ErrorAnswer) -> String {
    let mut body = Map::new();
    body.insert("__type".to_owned(), Value::from(failure.error.code.as_str()));
    body.insert("message".to_owned(), Value::from(failure.error.message.as_str()));
    body.extend(failure.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(body).to_string()
}
