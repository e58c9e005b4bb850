//! A person's answer to a question of pullsafe's (mode `ask`).
//!
//! An answer counts only if it is the whole event of an invocation, because IAM decides who may invoke the function.
//! What comes by a queue, a rule or a failed invocation is no answer, whatever it says.

use pullsafe::proof::Proof;
use serde::Deserialize as _;
use serde_json::Value;

/// How many answers one invocation takes: each may lead to an act, and the function has a minute.
pub const MOST_CODES: usize = 20;
/// The longest text that is read as a code, with spaces and hyphens.
const LONGEST_CODE: usize = 16;
/// The longest time for which a no is remembered: as long as the memory of a service without an incident is kept.
pub const LONGEST_NO_SECONDS: i64 = 30 * 24 * 3600;

/// What a person answers, and to which questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub verdict: YesOrNo,
    /// The questions, by their codes.
    pub codes: Vec<String>,
    /// The signed proof of who answers, if there is one.
    pub proof: Option<Proof>,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YesOrNo {
    /// The plan is to be carried out.
    Yes,
    /// The plan is not to be carried out, and is not asked about again for this many seconds; without them, not in this
    /// incident.
    No(Option<i64>),
}

/// What a person says by invoking the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    Answer(Answer),
    /// A request to list the questions that wait: those like the one with this code, or all.
    List(Option<String>),
}

impl Answer {
    /// Returns the text that is signed with a proof, so that it proves this answer and no other.
    pub fn statement(&self) -> String {
        let verdict = match self.verdict {
            YesOrNo::Yes => "approve".to_owned(),
            YesOrNo::No(None) => "decline".to_owned(),
            YesOrNo::No(Some(seconds)) => format!("decline for {seconds}"),
        };
        format!("{verdict} {}", self.codes.join(" "))
    }

    /// Returns the event that gives this answer when the function is invoked with it.
    pub fn to_event(&self) -> Value {
        let (word, seconds) = match self.verdict {
            YesOrNo::Yes => ("approve", None),
            YesOrNo::No(seconds) => ("decline", seconds),
        };
        let mut event = serde_json::json!({ "pullsafe": word, "codes": self.codes });
        if let Some(seconds) = seconds {
            event["seconds"] = seconds.into();
        }
        if let Some(proof) = &self.proof {
            event["proof"] = serde_json::json!(proof);
        }
        event
    }
}

/// Reads the event of an invocation; `None` if it is neither an answer nor a request for a list.
///
/// # Errors
/// It is one of them but not well-formed; the error is a sentence for whoever sent it.
pub fn spoken(event: &Value) -> Option<Result<Spoken, String>> {
    let word = event.get("pullsafe")?.as_str()?;
    match word {
        "approve" | "decline" => Some(answer(word, event).map(Spoken::Answer)),
        "questions" => Some(match event.get("like") {
            None => Ok(Spoken::List(None)),
            Some(like) => like
                .as_str()
                .and_then(code)
                .map(|like| Spoken::List(Some(like)))
                .ok_or_else(|| "`like` is no code".to_owned()),
        }),
        _ => None,
    }
}

fn answer(word: &str, event: &Value) -> Result<Answer, String> {
    let codes = event.get("codes").and_then(Value::as_array).ok_or("`codes` has to be a list of codes")?;
    if codes.is_empty() || codes.len() > MOST_CODES {
        return Err(format!("`codes` has to name between 1 and {MOST_CODES} questions"));
    }
    let mut known: Vec<String> = Vec::new();
    for value in codes {
        let code = value
            .as_str()
            .and_then(code)
            .ok_or_else(|| format!("{value} is no code: a code is {CODE_LENGTH} letters and digits"))?;
        if !known.contains(&code) {
            known.push(code);
        }
    }
    let seconds = match event.get("seconds") {
        None | Some(Value::Null) => None,
        Some(seconds) => {
            let seconds = seconds.as_i64().filter(|seconds| (60..=LONGEST_NO_SECONDS).contains(seconds));
            Some(seconds.ok_or_else(|| format!("`seconds` has to be between 60 and {LONGEST_NO_SECONDS}"))?)
        }
    };
    let verdict = match (word, seconds) {
        ("approve", None) => YesOrNo::Yes,
        ("approve", Some(_)) => return Err("`seconds` is for `decline`".to_owned()),
        (_, seconds) => YesOrNo::No(seconds),
    };
    let proof = match event.get("proof") {
        None | Some(Value::Null) => None,
        Some(proof) => Some(self::proof(proof)?),
    };
    Ok(Answer { verdict, codes: known, proof })
}

fn proof(value: &Value) -> Result<Proof, String> {
    // The error repeats nothing of what the proof holds.
    let proof =
        Proof::deserialize(value).map_err(|_| "`proof` has to hold `authorization`, `date` and perhaps `token`")?;
    proof
        .is_sound()
        .then_some(proof)
        .ok_or_else(|| "`proof` holds something that is no header".to_owned())
}

/// How many letters and digits a code has.
pub const CODE_LENGTH: usize = 8;
/// Crockford's base32, in which no letter is mistaken for another and codes spell no words.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Turns a code as a person writes it into the form in which it is kept; `None` if it cannot be one.
pub fn code(text: &str) -> Option<String> {
    let plain: String = text.trim().chars().filter(|character| *character != '-').collect();
    let plain = plain.to_ascii_uppercase().replace('O', "0").replace(['I', 'L'], "1");
    let sound =
        text.len() <= LONGEST_CODE && plain.len() == CODE_LENGTH && plain.bytes().all(|byte| LETTERS.contains(&byte));
    sound.then_some(plain)
}

/// Returns the code for a name. A code identifies and is no secret: whoever may invoke the function may list those that
/// wait.
pub fn code_of(name: &str) -> String {
    // FNV-1a with a final mix, so that names which differ only at their end differ in every letter of their codes.
    let mut hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^= hash >> 32;
    let letter = |place: usize| {
        LETTERS
            .get(usize::try_from((hash >> (5 * place)) & 31).unwrap_or(0))
            .copied()
            .map_or('0', char::from)
    };
    (0..CODE_LENGTH).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_the_same_after_its_way_through_an_event() {
        let proof = Proof {
            authorization: "AWS4-HMAC-SHA256 x".to_owned(),
            date: "20260115T191700Z".to_owned(),
            token: Some("t".to_owned()),
        };
        for (verdict, proof) in [
            (YesOrNo::Yes, None),
            (YesOrNo::No(None), Some(proof.clone())),
            (YesOrNo::No(Some(3600)), Some(proof)),
        ] {
            let answer = Answer {
                verdict,
                codes: vec!["K7Q2M4XW".to_owned(), "00000001".to_owned()],
                proof,
            };
            assert_eq!(spoken(&answer.to_event()), Some(Ok(Spoken::Answer(answer.clone()))));
            assert!(!format!("{answer:?}").contains("HMAC"), "{answer:?}");
        }
        assert_eq!(spoken(&json!({ "pullsafe": "questions" })), Some(Ok(Spoken::List(None))));
    }

    #[test]
    fn what_is_no_answer_says_why() {
        let many: Vec<String> = (0..21).map(|number| format!("{number:08}")).collect();
        for (event, why) in [
            (json!({ "pullsafe": "approve" }), "list of codes"),
            (json!({ "pullsafe": "approve", "codes": [] }), "between 1 and 20"),
            (json!({ "pullsafe": "approve", "codes": many }), "between 1 and 20"),
            (json!({ "pullsafe": "approve", "codes": ["short"] }), "no code"),
            (json!({ "pullsafe": "approve", "codes": ["U0000000"] }), "no code"),
            (json!({ "pullsafe": "approve", "codes": ["00000000"], "seconds": 60 }), "for `decline`"),
            (json!({ "pullsafe": "decline", "codes": ["00000000"], "seconds": 59 }), "between 60"),
            (json!({ "pullsafe": "decline", "codes": ["00000000"], "seconds": "1d" }), "between 60"),
            (json!({ "pullsafe": "decline", "codes": ["00000000"], "proof": "x" }), "`proof`"),
            (
                json!({ "pullsafe": "decline", "codes": ["00000000"], "proof": {"authorization": "a\r\nHost: x", "date": "d"} }),
                "no header",
            ),
            (json!({ "pullsafe": "questions", "like": "x" }), "no code"),
        ] {
            let problem = spoken(&event).expect("it is for us").expect_err("it is not well-formed");
            assert!(problem.contains(why), "{event}: {problem}");
        }
        for event in [
            json!({}),
            json!({ "pullsafe": "look" }),
            json!({ "detail": { "pullsafe": "approve" } }),
            json!([1]),
            json!("approve"),
        ] {
            assert_eq!(spoken(&event), None, "{event}");
        }
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        for text in ["K7Q2M4XW", "k7q2-m4xw", " K7Q2-M4XW "] {
            assert_eq!(code(text).as_deref(), Some("K7Q2M4XW"), "{text}");
        }
        assert_eq!(code("oil00000").as_deref(), Some("01100000"));
        for text in ["", "K7Q2M4X", "K7Q2M4XWZ", "K7Q2M4X!", "K7Q2M4XÜ", "--------------------K7Q2M4XW"] {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn codes_differ() {
        let codes: std::collections::BTreeSet<String> =
            (0..20_000).map(|number| code_of(&format!("prod/web-{number}#1"))).collect();
        assert_eq!(codes.len(), 20_000);
        assert!(codes.iter().all(|made| code(made).as_ref() == Some(made)));
    }
}
