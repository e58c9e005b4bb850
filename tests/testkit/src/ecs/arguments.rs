//! Reads the JSON of requests, and makes the errors that many operations share.

use serde_json::Value;

use crate::aws::service::AwsError;

/// A text member of a request.
pub(super) fn text<'a>(request: &'a Value, key: &str) -> Option<&'a str> {
    request.get(key).and_then(Value::as_str)
}

/// A text member that is required.
pub(super) fn required<'a>(request: &'a Value, key: &str) -> Result<&'a str, AwsError> {
    text(request, key)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| invalid(format!("{key} can not be blank.")))
}

/// The texts of a list member; empty if it is absent.
pub(super) fn texts(request: &Value, key: &str) -> Vec<String> {
    list(request, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The values of a list member; empty if it is absent.
pub(super) fn list<'a>(request: &'a Value, key: &str) -> &'a [Value] {
    request.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether `include` asks for tags.
pub(super) fn wants_tags(request: &Value) -> bool {
    list(request, "include").iter().any(|wanted| wanted == "TAGS")
}

/// A moment as the AWS JSON protocol writes it: seconds, with a fraction.
pub(super) fn epoch(moment: pullsafe::timestamp::Timestamp) -> Value {
    // Milliseconds of this century are exact in a double.
    Value::from(moment.millis() as f64 / 1000.0)
}

/// `InvalidParameterException`.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidParameterException", message)
}

/// `ClientException`.
pub(super) fn client(message: impl Into<String>) -> AwsError {
    AwsError::client("ClientException", message)
}

/// One page of a list: the items from `nextToken` on, at most `maxResults`, and the token of the next page.
pub(super) fn page(items: &[String], request: &Value, most: usize) -> (Vec<String>, Option<String>) {
    let from = text(request, "nextToken").and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
    let asked = request
        .get("maxResults")
        .and_then(Value::as_u64)
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(most);
    let size = asked.clamp(1, most);
    let taken: Vec<String> = items.iter().skip(from).take(size).cloned().collect();
    let next = from + taken.len();
    let token = (next < items.len()).then(|| next.to_string());
    (taken, token)
}
