//! The state of one thing: it is right; it is wrong, with what cures it; or it could not be found out.

use serde_json::{Value, json};

/// The state of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckState {
    /// It is as it should be.
    Right,
    /// It is not as it should be.
    Wrong,
    /// It could not be found out.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) about: String,
    pub(super) state: CheckState,
    pub(super) seen: String,
    /// What cures it, or what would settle the question.
    pub(super) next: Option<String>,
}

impl Check {
    /// The thing is as it should be.
    pub(super) fn right(about: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: CheckState::Right,
            seen: seen.into(),
            next: None,
        }
    }

    /// The thing is wrong, and `mend` cures it.
    pub(super) fn wrong(about: impl Into<String>, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: CheckState::Wrong,
            seen: seen.into(),
            next: Some(mend.into()),
        }
    }

    /// The state could not be found out; `settle` would settle it.
    pub(super) fn unknown(about: impl Into<String>, seen: impl Into<String>, settle: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: CheckState::Unknown,
            seen: seen.into(),
            next: Some(settle.into()),
        }
    }
}

/// Formats all findings for people: first what is wrong, then what is unknown, then the rest.
pub(super) fn text(findings: &[Check]) -> String {
    let mut text = String::new();
    for (state, word) in [(CheckState::Wrong, "WRONG"), (CheckState::Unknown, "not known"), (CheckState::Right, "ok")] {
        for finding in findings.iter().filter(|finding| finding.state == state) {
            text += &format!("{word:<10}{}: {}\n", finding.about, finding.seen);
            if let Some(next) = &finding.next {
                text += &format!("{:<10}-> {next}\n", "");
            }
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    text + &format!(
        "{} wrong, {} not known, {} ok\n",
        count(CheckState::Wrong),
        count(CheckState::Unknown),
        count(CheckState::Right)
    )
}

/// Formats all findings for programs, in the order in which they were made.
pub(super) fn json(findings: &[Check]) -> String {
    let finding = |finding: &Check| {
        let (state, next) = match finding.state {
            CheckState::Right => ("ok", "next"),
            CheckState::Wrong => ("wrong", "mend"),
            CheckState::Unknown => ("not-known", "settle"),
        };
        let mut value = json!({ "about": finding.about, "state": state, "seen": finding.seen });
        if let Some(text) = &finding.next {
            value[next] = json!(text);
        }
        value
    };
    let findings: Vec<Value> = findings.iter().map(finding).collect();
    format!("{}\n", json!({ "findings": findings }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_first_with_its_mend() {
        let findings = [
            Check::right("a", "fine"),
            Check::unknown("b", "denied", "ask for it"),
            Check::wrong("c", "disabled", "enable it"),
        ];
        let expected = concat!(
            "WRONG     c: disabled\n",
            "          -> enable it\n",
            "not known b: denied\n",
            "          -> ask for it\n",
            "ok        a: fine\n",
            "1 wrong, 1 not known, 1 ok\n"
        );
        assert_eq!(text(&findings), expected);
        let document: Value = serde_json::from_str(&json(&findings)).unwrap();
        assert_eq!(
            document["findings"][2],
            json!({"about": "c", "state": "wrong", "seen": "disabled", "mend": "enable it"})
        );
        assert_eq!(document["findings"][0], json!({"about": "a", "state": "ok", "seen": "fine"}));
    }
}
