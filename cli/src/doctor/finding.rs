//! The state of one thing: it is right; it is wrong, with what cures it; or it could not be found out.

use serde_json::{Value, json};

/// The state of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is as it should be.
    Right,
    /// It is not as it should be.
    Wrong,
    /// It could not be found out.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) about: String,
    pub(super) state: State,
    pub(super) seen: String,
    /// What cures it, or what would settle the question.
    pub(super) next: Option<String>,
}

impl Finding {
    /// The thing is as it should be.
    pub(super) fn right(about: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: State::Right,
            seen: seen.into(),
            next: None,
        }
    }

    /// The thing is wrong, and `mend` cures it.
    pub(super) fn wrong(about: impl Into<String>, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: State::Wrong,
            seen: seen.into(),
            next: Some(mend.into()),
        }
    }

    /// The state could not be found out; `settle` would settle it.
    pub(super) fn unknown(about: impl Into<String>, seen: impl Into<String>, settle: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            state: State::Unknown,
            seen: seen.into(),
            next: Some(settle.into()),
        }
    }
}

/// Formats all findings for people: first what is wrong, then what is unknown, then the rest.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for (state, word) in [(State::Wrong, "WRONG"), (State::Unknown, "not known"), (State::Right, "ok")] {
        for finding in findings.iter().filter(|finding| finding.state == state) {
            text += &format!("{word:<10}{}: {}\n", finding.about, finding.seen);
            if let Some(next) = &finding.next {
                text += &format!("{:<10}-> {next}\n", "");
            }
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    text + &format!("{} wrong, {} not known, {} ok\n", count(State::Wrong), count(State::Unknown), count(State::Right))
}

/// Formats all findings for programs, in the order in which they were made.
pub(super) fn json(findings: &[Finding]) -> String {
    let finding = |finding: &Finding| {
        let (state, next) = match finding.state {
            State::Right => ("ok", "next"),
            State::Wrong => ("wrong", "mend"),
            State::Unknown => ("not-known", "settle"),
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
            Finding::right("a", "fine"),
            Finding::unknown("b", "denied", "ask for it"),
            Finding::wrong("c", "disabled", "enable it"),
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
