//! What a probe read. The probe answers with this type, and the remediator reads the answer into it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::history::Reading;
use crate::source::Source;

/// The most subnets that a Lambda function can be in.
const MOST_SUBNETS: usize = 16;
/// The largest limit and the longest window that are believed: Docker Hub counts in six hours, and nobody in more than
/// a month.
const LARGEST_LIMIT: u32 = 1_000_000_000;
const LONGEST_WINDOW_SECONDS: u32 = 31 * 86_400;

/// What Docker Hub said in some subnets at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Whom it counts there.
    pub source: Source,
    /// The subnets: whatever runs in them without an address of its own shares the source.
    pub subnets: Vec<String>,
    /// What is left.
    #[serde(flatten)]
    pub reading: Reading,
}

impl Probed {
    /// The mark by which the rule knows the answer of a probe: `{"pullsafe": "quota", ...}`.
    const KIND: &str = "quota";

    /// Returns it as the answer of a probe.
    pub fn message(&self) -> Value {
        let mut message = serde_json::to_value(self).unwrap_or_default();
        message["pullsafe"] = Self::KIND.into();
        message
    }

    /// Reads the answer of a probe, which others can put on the bus too.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(message: &Value) -> Result<Self, String> {
        if message["pullsafe"] != Self::KIND {
            return Err("it is no answer of a probe".to_owned());
        }
        let probed = Self::deserialize(message).map_err(|error| error.to_string())?;
        let Reading { remaining, limit, window_seconds, .. } = probed.reading;
        if !(1..=MOST_SUBNETS).contains(&probed.subnets.len()) || !probed.subnets.iter().all(|subnet| is_subnet(subnet))
        {
            return Err("`subnets` are no ids of subnets".to_owned());
        }
        if limit > LARGEST_LIMIT || remaining > limit || !(1..=LONGEST_WINDOW_SECONDS).contains(&window_seconds) {
            return Err("`remaining`, `limit` and `window_seconds` are no limit".to_owned());
        }
        Ok(probed)
    }
}

fn is_subnet(text: &str) -> bool {
    text.strip_prefix("subnet-")
        .is_some_and(|id| (8..=17).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_read_as_it_was_written_and_no_other() {
        let answer = json!({
            "source": "203.0.113.7", "subnets": ["subnet-0a1b2c3d", "subnet-0123456789abcdef0"], "at": "2026-01-15T19:30:00Z", "remaining": 42, "limit": 100,
            "window_seconds": 21600, "pullsafe": "quota",
        });
        let probed = Probed::parse(&answer).unwrap();
        assert_eq!(Probed::parse(&probed.message()), Ok(probed.clone()));
        assert_eq!((probed.reading.remaining, probed.source.to_string().as_str()), (42, "203.0.113.7"));
        for (field, value) in [
            ("pullsafe", json!("sweep")),
            ("source", json!("evil\nINFO all is well")),
            ("source", Value::Null),
            ("subnets", json!([])),
            ("subnets", json!(["subnet-0a1b2c3d\n"])),
            ("subnets", json!(vec!["subnet-0a1b2c3d"; 17])),
            ("at", json!("soon")),
            ("remaining", json!(101)),
            ("remaining", json!(-1)),
            ("limit", json!(1e300)),
            ("window_seconds", json!(0)),
            ("window_seconds", json!(u32::MAX)),
        ] {
            let mut wrong = answer.clone();
            wrong[field] = value.clone();
            assert!(Probed::parse(&wrong).is_err(), "{field}: {value}");
        }
    }
}
