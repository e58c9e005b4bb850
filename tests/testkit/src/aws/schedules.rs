//! EventBridge Scheduler, as far as schedules start tasks: `ListSchedules`, page by page and without the parameters of
//! the target, and `GetSchedule`, which has them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};

/// The most schedules on a page, and the default.
const PAGE: usize = 100;
/// The group of a schedule that names none.
const DEFAULT: &str = "default";
/// What a token begins with. Real tokens also have characters that have to be escaped in a URL.
const TOKEN: &str = "+/=";

/// Schedules by group and name. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct FakeSchedules(Arc<Mutex<BTreeMap<(String, String), Value>>>);

impl FakeSchedules {
    /// Starts without schedules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a schedule that starts a task definition on a cluster once a day, by their ARNs.
    pub fn start(&self, name: &str, cluster_arn: &str, definition: &str) {
        let target =
            json!({ "Arn": cluster_arn, "EcsParameters": { "TaskDefinitionArn": definition, "TaskCount": 1 } });
        self.put(name, json!({ "Target": target }));
    }

    /// Makes or changes a schedule of the default group. `members` are those of `GetSchedule`.
    pub fn put(&self, name: &str, members: Value) {
        let mut schedule = json!({
            "Arn": format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{DEFAULT}/{name}"),
            "Name": name, "GroupName": DEFAULT, "State": "ENABLED",
            "ScheduleExpression": "rate(1 day)", "ScheduleExpressionTimezone": "UTC",
        });
        let mut schedules = self.lock();
        let key = (DEFAULT.to_owned(), name.to_owned());
        if let Some(known) = schedules.get(&key) {
            schedule = known.clone();
        }
        if let (Value::Object(schedule), Value::Object(members)) = (&mut schedule, members) {
            schedule.extend(members);
        }
        schedules.insert(key, schedule);
    }

    /// Deletes a schedule of the default group.
    pub fn delete(&self, name: &str) {
        self.lock().remove(&(DEFAULT.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, request: &Value) -> Result<Value, AwsError> {
        let wanted = request["State"].as_str();
        let number = |text: &Value| text.as_str().and_then(|text| text.parse::<usize>().ok());
        let size = number(&request["MaxResults"]).unwrap_or(PAGE);
        if !(1..=PAGE).contains(&size) {
            return Err(AwsError::client("ValidationException", "MaxResults is from 1 to 100"));
        }
        let from = match request["NextToken"].as_str() {
            None => 0,
            Some(token) => token
                .strip_prefix(TOKEN)
                .and_then(|place| place.parse().ok())
                .ok_or_else(|| AwsError::client("ValidationException", format!("`{token}` is no token")))?,
        };
        let schedules = self.lock();
        let mut fitting = schedules
            .values()
            .filter(|schedule| wanted.is_none_or(|state| schedule["State"] == state))
            .skip(from);
        let page: Vec<Value> = fitting.by_ref().take(size).map(summary).collect();
        let mut answer = json!({ "Schedules": page });
        if fitting.next().is_some() {
            answer["NextToken"] = json!(format!("{TOKEN}{}", from + size));
        }
        Ok(answer)
    }

    fn get(&self, request: &Value) -> Result<Value, AwsError> {
        let name = request["Name"].as_str().unwrap_or_default();
        let group = request["GroupName"].as_str().unwrap_or(DEFAULT);
        self.lock().get(&(group.to_owned(), name.to_owned())).cloned().ok_or_else(|| AwsError {
            status: 404,
            code: "ResourceNotFoundException".to_owned(),
            message: format!("Schedule {name} does not exist."),
        })
    }
}

/// What `ListSchedules` shows of a schedule.
fn summary(schedule: &Value) -> Value {
    let mut summary = json!({ "Target": { "Arn": schedule["Target"]["Arn"] } });
    for name in ["Arn", "Name", "GroupName", "State"] {
        summary[name] = schedule[name].clone();
    }
    summary
}

impl FakeService for FakeSchedules {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "ListSchedules" => self.list(request),
            "GetSchedule" => self.get(request),
            _ => {
                Err(AwsError::client("UnknownOperationException", format!("{operation} is not modelled by this fake")))
            }
        }
    }
}
