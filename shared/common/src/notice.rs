//! A message for people and for programs, and its form for chat.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::foreign;

/// How bad it is, by what runs of the thing that a message is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing runs.
    Critical,
    /// Less runs than should, or it is not known what runs.
    #[default]
    Degraded,
    /// Everything runs, and the next launch fails.
    NextLaunch,
    /// Nothing is wrong, or not any more.
    Info,
}

impl Severity {
    /// The name in an attribute and in an event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Degraded => "degraded",
            Self::NextLaunch => "next-launch",
            Self::Info => "info",
        }
    }

    // Takes a reference because serde passes one.
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// A page of the console that shows what a message is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLink {
    /// What is there: `service`, `task`, `log`.
    pub name: String,
    /// Its address, in which everything that somebody else has named is escaped.
    pub url: String,
}

/// A message that is to go out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Always the same for the same message.
    pub id: String,
    /// `Diagnosis`, `Remedy Applied` or `Incident Resolved`: the detail-type of the event.
    pub detail_type: String,
    /// One line for people.
    pub subject: String,
    /// The message for people.
    pub text: String,
    /// Where in it begins and ends, in bytes, what repeats evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<(usize, usize)>,
    /// How bad it is.
    #[serde(default, skip_serializing_if = "Severity::is_usual")]
    pub severity: Severity,
    /// Where to look at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<ConsoleLink>,
    /// The event's detail.
    pub detail: Value,
}

/// What an event on the bus shows (the parameter `EvidenceOnBus`). Everybody in the account may listen to the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBus {
    /// The lines of evidence, too.
    Evidence,
    /// The cause, and where its evidence was read.
    CauseAlone,
}

impl Notice {
    /// The event's detail for programs. With [`OnBus::CauseAlone`] it says the cause and where the evidence was read,
    /// without the lines, because everybody in the account may listen to the bus. Advice about an application is left
    /// out as well, because it repeats what a line of the log names.
    pub fn for_programs(&self, shows: OnBus) -> Value {
        let mut detail = self.detail.clone();
        if let Some(detail) = detail.as_object_mut() {
            detail.insert("severity".to_owned(), json!(self.severity));
            detail.insert("title".to_owned(), json!(self.subject));
            detail.insert("thread".to_owned(), json!(plain_id(self.thread().unwrap_or(&self.id))));
            // A message that belongs to no thread opens its own.
            detail.entry("opens").or_insert_with(|| json!(self.thread().is_none()));
            detail.entry("to_people").or_insert(json!(true));
            if !self.links.is_empty() {
                let links = self.links.iter().map(|link| (link.name.clone(), json!(link.url)));
                detail.insert("links".to_owned(), Value::Object(links.collect()));
            }
        }
        let diagnosis =
            detail.get_mut("diagnosis").and_then(Value::as_object_mut).filter(|_| shows == OnBus::CauseAlone);
        if let Some(diagnosis) = diagnosis {
            let lines = diagnosis.get_mut("evidence").and_then(Value::as_array_mut).into_iter().flatten();
            lines.filter_map(Value::as_object_mut).for_each(|line| line.retain(|key, _| key == "source"));
            if diagnosis.contains_key("signature") {
                diagnosis.remove("advice");
            }
        }
        detail
    }

    /// The incident or the outbreak that the message belongs to; `None` where it stands alone.
    fn thread(&self) -> Option<&str> {
        let of = |name: &str| self.detail.get(name).and_then(Value::as_str);
        of("incident").or_else(|| of("outbreak"))
    }

    /// The text for people as it may go over the bus, for a message that did not reach people.
    pub fn text_for_programs(&self, shows: OnBus) -> String {
        let cut = self
            .evidence
            .filter(|_| shows == OnBus::CauseAlone)
            .and_then(|(from, to)| Some((self.text.get(..from)?, self.text.get(to..)?)));
        cut.map_or_else(|| self.text.clone(), |(before, after)| format!("{before}{after}"))
    }
}

impl Notice {
    /// The message for people as plain text.
    pub fn for_people(&self) -> String {
        let links = self.links_in_words();
        format!("{}{links}", foreign::terminal(&self.text))
    }

    /// The links, a line each. They are ours, and are added after the text of others was made harmless.
    fn links_in_words(&self) -> String {
        if self.links.is_empty() {
            return String::new();
        }
        let lines = self.links.iter().map(|link| format!("  {}: {}\n", link.name, link.url));
        format!("\nLook at it:\n{}", lines.collect::<String>())
    }
}

/// The longest id of a thread in bytes, well below what trackers and pagers take.
const LONGEST_ID: usize = 200;

/// Makes an id that may stand in the path of an address: letters, digits and `-._:`. A long one is cut, and ends with a
/// part of its digest.
fn plain_id(id: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._:".contains(character);
    let plain: String = id.chars().map(|character| if is_plain(character) { character } else { '-' }).collect();
    if plain.len() <= LONGEST_ID {
        return plain;
    }
    let digest = Digest::of(id.as_bytes()).to_string();
    let digest = digest.rsplit(':').next().and_then(|hex| hex.get(..16)).unwrap_or_default();
    format!("{}-{digest}", plain.get(..LONGEST_ID - 17).unwrap_or_default())
}

/// A message in the custom-notification schema of Amazon Q in chat applications (version 1.0).
pub fn chatbot(notice: &Notice) -> Value {
    let links = notice.links_in_words();
    let text = bounded(&notice.text, LONGEST_DESCRIPTION.saturating_sub(links.len()));
    let (title, description) = (foreign::chat(&notice.subject), format!("{}{links}", foreign::chat(&text)));
    // The code of a question, which a button in the channel can fill in.
    let code = notice.detail.pointer("/question/code");
    let mut context = json!({ "severity": notice.severity });
    if let Some(code) = code {
        context["code"] = code.clone();
    }
    json!({
        "version": "1.0", "source": "custom", "id": notice.id,
        "content": { "textType": "client-markdown", "title": title, "description": description, "keywords": [notice.severity] },
        "metadata": {
            "threadId": notice.thread(), "summary": title, "eventType": notice.detail_type, "additionalContext": context,
        },
    })
}

/// The longest description in bytes. A chat channel shows a longer one in part, or not at all.
const LONGEST_DESCRIPTION: usize = 8_000;

/// Cuts off the end of a text that is longer than this many bytes, and says so.
pub fn bounded(text: &str, bytes: usize) -> String {
    const CUT: &str = "\n[cut; `pullsafe report` has the rest]\n";
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes.saturating_sub(CUT.len()))
        .rev()
        .find(|index| text.is_char_boundary(*index))
        .unwrap_or_default();
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_thread_may_stand_in_an_address() {
        assert_eq!(plain_id("2026-01-15T19:17:00Z-prod-web"), "2026-01-15T19:17:00Z-prod-web");
        assert_eq!(plain_id("a/b@c d?é"), "a-b-c-d--");
        let long = |last: char| plain_id(&format!("{}{last}", "x".repeat(500)));
        assert_eq!(long('a').len(), LONGEST_ID);
        assert_ne!(long('a'), long('b'), "two long ones stay apart");
    }

    #[test]
    fn a_description_fits_a_chat_channel() {
        let text = "nothing but naïve evidence".repeat(1_000);
        let notice = Notice {
            id: String::new(),
            detail_type: String::new(),
            subject: String::new(),
            text,
            evidence: None,
            severity: Severity::Degraded,
            links: vec![ConsoleLink {
                name: "service".to_owned(),
                url: "https://eu-west-1.console.aws.amazon.com/ecs/".to_owned(),
            }],
            detail: Value::Null,
        };
        assert!(
            chatbot(&notice)["content"]["description"]
                .as_str()
                .unwrap()
                .ends_with("service: https://eu-west-1.console.aws.amazon.com/ecs/\n")
        );
        let description = chatbot(&notice)["content"]["description"].as_str().unwrap().len();
        assert!(description <= LONGEST_DESCRIPTION, "{description}");
    }
}
