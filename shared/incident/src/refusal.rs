//! A refusal: AWS does not carry out a step, and would refuse the same call again.
//!
//! It ends the attempt as a result, not as an error: what was done is reported, and the marks of what was not done are
//! taken back. The step is tried again only when somebody changes something or says so; a denial is also tried once
//! more by itself.

use serde::{Deserialize, Serialize};

use pullsafe::timestamp::Timestamp;

/// After how long a denial is tried once more by itself.
pub use pullsafe::lookup::GRACE_SECONDS;

/// Why an act ended before its last step, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRefusal {
    /// When.
    pub at: Timestamp,
    /// The call that was refused, as IAM names it.
    pub call: String,
    /// The service's own words.
    pub why: String,
    /// What has to change: the statement that is missing, or what the request ran into.
    pub missing: String,
    /// Whether a permission is missing, which may only be too new to be known everywhere.
    pub denied: bool,
    /// How often the act was tried.
    pub tries: u32,
    /// The steps that had been done, and stay.
    pub done: Vec<String>,
    /// What could not be taken back or is left to do, as commands for a person.
    pub left: Vec<String>,
    /// What the service looked like afterwards; empty where that is not known yet. Once it looks different, somebody
    /// has changed it, and the act may be tried again.
    pub seen: String,
}

impl StepRefusal {
    /// Returns when the act may be tried again by itself, if ever.
    pub fn due_at(&self) -> Option<Timestamp> {
        (self.denied && self.tries < 2).then(|| self.at.plus_seconds(GRACE_SECONDS))
    }

    /// Whether the act may be tried again by itself by now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at().is_some_and(|at| now >= at)
    }

    /// Returns a key for the refusal: people are told once of refusals with the same key.
    pub fn key(&self) -> String {
        format!("{}/{}", self.call, if self.denied { "denied" } else { "refused" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_denial_is_tried_once_more_by_itself() {
        let at = Timestamp::from_millis(1_768_504_620_000);
        let refusal = StepRefusal {
            at,
            call: "ecs:UpdateService".to_owned(),
            why: String::new(),
            missing: String::new(),
            denied: true,
            tries: 1,
            done: Vec::new(),
            left: Vec::new(),
            seen: String::new(),
        };
        assert!(refusal.is_due(at.plus_seconds(GRACE_SECONDS)) && !refusal.is_due(at.plus_seconds(GRACE_SECONDS - 1)));
        assert!(!StepRefusal { tries: 2, ..refusal.clone() }.is_due(at.plus_seconds(3600)));
        assert!(!StepRefusal { denied: false, ..refusal }.is_due(at.plus_seconds(3600)));
    }
}
