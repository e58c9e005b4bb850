//! What was found out about one thing: it is right, it is wrong and this mends it, or it could not be told.

use serde_json::{Value, json};

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckState {
    /// It is as it should be.
    Right,
    /// It is not.
    Wrong,
    /// It could not be told.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) about: String,
    /// How it stands.
    pub(super) state: CheckState,
    /// What was seen.
    pub(super) seen: String,
    /// What mends it, or what would tell.
    pub(super) next: Option<String>,
}

impl Check {
    /// It is as it should be.
    pub(super) fn right(about: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: CheckState::Right,
            seen: seen.into(),
            next: None,
        }
    }

    /// It is wrong, and this mends it.
    pub(super) fn wrong(about: impl Into<String>, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: CheckState::Wrong,
            seen: seen.into(),
            next: Some(mend.into()),
        }
    }

    /// It could not be told; this would tell.
    pub(super) fn unknown(about: impl Into<String>, seen: impl Into<String>, settle: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: CheckState::Unknown,
            seen: seen.into(),
            next: Some(settle.into()),
        }
    }
}

/// All findings for people: what is wrong first, then what could not be told, then the rest.
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

/// All findings for programs, in the order in which they were looked at.
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
