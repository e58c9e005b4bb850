//! Reading a policy, with every fault at its place.
//!
//! A key that is not known is a fault as well: what is not understood cannot be foretold.

use std::collections::BTreeMap;
use std::fmt;

use pullsafe::glob::Glob;
use serde_json::{Map, Value};

use crate::image::StorageClass;
use crate::policy::{Action, Count, Policy, Rule, TagSelection};

/// How many `*` may be in one pattern.
const MOST_WILDCARDS: usize = 4;
/// Nothing is deleted from the archive sooner.
const LEAST_DAYS_IN_ARCHIVE: u32 = 90;

/// Something wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFault {
    /// The place, such as `rules[1].selection.countUnit`; empty for the document as a whole.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => write!(formatter, "the policy {}", self.what),
            place => write!(formatter, "{place} {}", self.what),
        }
    }
}

impl std::error::Error for PolicyFault {}

impl Policy {
    /// Reads the text of a policy.
    ///
    /// # Errors
    /// Every fault that it has.
    pub fn parse(text: &str) -> Result<Self, Vec<PolicyFault>> {
        let document: Value =
            serde_json::from_str(text).map_err(|error| vec![fault("", format!("is not JSON: {error}"))])?;
        let mut faults = Faults::default();
        let Some(root) = faults.object("", Some(&document), &["rules"]) else {
            return Err(faults.0);
        };
        let Some(list) = root.get("rules").and_then(Value::as_array) else {
            return Err(vec![fault("rules", "must be a list")]);
        };
        if list.is_empty() {
            faults.add("rules", "must have at least one rule");
        }
        let read = list
            .iter()
            .enumerate()
            .filter_map(|(index, rule)| faults.rule(&format!("rules[{index}]"), rule).map(|rule| (index, rule)));
        let mut rules: Vec<(usize, Rule)> = read.collect();
        faults.among(&rules);
        rules.sort_by_key(|(_, rule)| rule.priority);
        if faults.0.is_empty() {
            Ok(Self { rules: rules.into_iter().map(|(_, rule)| rule).collect() })
        } else {
            Err(faults.0)
        }
    }
}

fn fault(place: &str, what: impl Into<String>) -> PolicyFault {
    PolicyFault { place: place.to_owned(), what: what.into() }
}

#[derive(Default)]
struct Faults(Vec<PolicyFault>);

impl Faults {
    fn add(&mut self, place: &str, what: impl Into<String>) {
        self.0.push(fault(place, what));
    }

    /// An object that has no other keys than these.
    fn object<'a>(&mut self, place: &str, value: Option<&'a Value>, keys: &[&str]) -> Option<&'a Map<String, Value>> {
        let Some(object) = value.and_then(Value::as_object) else {
            self.add(place, if value.is_some() { "must be an object" } else { "is missing" });
            return None;
        };
        for key in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            self.add(&place, format!("is not known; known are {}", keys.join(", ")));
        }
        Some(object)
    }

    fn rule(&mut self, place: &str, value: &Value) -> Option<Rule> {
        let object = self.object(place, Some(value), &["rulePriority", "description", "selection", "action"])?;
        let priority = self.positive(&format!("{place}.rulePriority"), object.get("rulePriority"));
        let description = match object.get("description") {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.add(&format!("{place}.description"), "must be a text");
                None
            }
        };
        let at = format!("{place}.selection");
        let keys = [
            "tagStatus",
            "tagPatternList",
            "tagPrefixList",
            "storageClass",
            "countType",
            "countUnit",
            "countNumber",
        ];
        let selection = self.object(&at, object.get("selection"), &keys);
        let tags = selection.and_then(|selection| self.tags(&at, selection));
        let class = selection.and_then(|selection| {
            let default = Value::from("standard");
            let given = Some(selection.get("storageClass").unwrap_or(&default));
            self.one_of(
                &format!("{at}.storageClass"),
                given,
                &[("standard", StorageClass::Standard), ("archive", StorageClass::Archive)],
            )
        });
        let count = selection.and_then(|selection| self.count(&at, selection));
        let action = self.action(&format!("{place}.action"), object.get("action"));
        let rule = Rule {
            priority: priority?,
            description,
            tags: tags?,
            class: class?,
            count: count?,
            action: action?,
        };
        self.within(place, &rule);
        Some(rule)
    }

    fn tags(&mut self, at: &str, selection: &Map<String, Value>) -> Option<TagSelection> {
        let status = self.one_of(
            &format!("{at}.tagStatus"),
            selection.get("tagStatus"),
            &[("tagged", 0), ("untagged", 1), ("any", 2)],
        )?;
        let prefixes = selection.get("tagPrefixList").map(|list| (format!("{at}.tagPrefixList"), list));
        let patterns = selection.get("tagPatternList").map(|list| (format!("{at}.tagPatternList"), list));
        match (status, prefixes, patterns) {
            (0, Some((place, list)), None) => self.texts(&place, list).map(TagSelection::Prefixes),
            (0, None, Some((place, list))) => self.patterns(&place, list).map(TagSelection::Patterns),
            (0, None, None) => {
                self.add(at, "needs a tagPrefixList or a tagPatternList, as its tagStatus is `tagged`");
                None
            }
            (0, Some(_), Some(_)) => {
                self.add(at, "must not have both a tagPrefixList and a tagPatternList");
                None
            }
            (_, None, None) => Some(if status == 1 { TagSelection::Untagged } else { TagSelection::Any }),
            (_, prefixes, patterns) => {
                for (place, _) in prefixes.into_iter().chain(patterns) {
                    self.add(&place, "must be left out unless tagStatus is `tagged`");
                }
                None
            }
        }
    }

    fn texts(&mut self, place: &str, list: &Value) -> Option<Vec<String>> {
        let texts: Option<Vec<String>> =
            list.as_array().map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        let whole = texts
            .as_ref()
            .is_some_and(|texts| Some(texts.len()) == list.as_array().map(Vec::len) && !texts.is_empty());
        if !whole || texts.as_ref().is_some_and(|texts| texts.iter().any(String::is_empty)) {
            self.add(place, "must be a list of one or more texts, none of them empty");
            return None;
        }
        texts
    }

    fn patterns(&mut self, place: &str, list: &Value) -> Option<Vec<Glob>> {
        let mut patterns = Vec::new();
        let before = self.0.len();
        for (index, text) in self.texts(place, list)?.iter().enumerate() {
            let at = format!("{place}[{index}]");
            match Glob::parse(text) {
                Ok(_) if text.contains('?') => self.add(&at, "is no pattern: the only wildcard is `*`"),
                Ok(_) if text.matches('*').count() > MOST_WILDCARDS => self.add(&at, "has more than four wildcards"),
                Ok(pattern) => patterns.push(pattern),
                Err(_) => self.add(&at, "is no pattern: it is at most 128 letters, digits, `_`, `.`, `-` and `*`"),
            }
        }
        (self.0.len() == before).then_some(patterns)
    }

    fn count(&mut self, at: &str, selection: &Map<String, Value>) -> Option<Count> {
        type Of = fn(u32) -> Count;
        let kinds: [(&str, Of); 4] = [
            ("imageCountMoreThan", Count::MoreThan),
            ("sinceImagePushed", Count::DaysSincePushed),
            ("sinceImagePulled", Count::DaysSincePulled),
            ("sinceImageTransitioned", Count::DaysSinceTransitioned),
        ];
        let kind = self.one_of(&format!("{at}.countType"), selection.get("countType"), &kinds);
        let number = self.positive(&format!("{at}.countNumber"), selection.get("countNumber"));
        let count = kind?(number.unwrap_or(1));
        let unit = format!("{at}.countUnit");
        match (count, selection.get("countUnit")) {
            (Count::MoreThan(_), Some(_)) => {
                self.add(&unit, "must be left out where countType is `imageCountMoreThan`")
            }
            (Count::MoreThan(_), None) => {}
            (_, given) => {
                self.one_of(&unit, given, &[("days", ())])?;
            }
        }
        number.map(|_| count)
    }

    fn action(&mut self, at: &str, value: Option<&Value>) -> Option<Action> {
        let action = self.object(at, value, &["type", "targetStorageClass"])?;
        let kind = self.one_of(
            &format!("{at}.type"),
            action.get("type"),
            &[("expire", Action::Expire), ("transition", Action::Archive)],
        )?;
        let target = format!("{at}.targetStorageClass");
        match (kind, action.get("targetStorageClass")) {
            (Action::Expire, Some(_)) => {
                self.add(&target, "must be left out where the type is `expire`");
                return None;
            }
            (Action::Expire, None) => {}
            (Action::Archive, given) => self.one_of(&target, given, &[("archive", ())])?,
        }
        Some(kind)
    }

    fn one_of<T: Copy>(&mut self, place: &str, value: Option<&Value>, known: &[(&str, T)]) -> Option<T> {
        let names = || known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let found = value.and_then(Value::as_str).and_then(|text| known.iter().find(|(name, _)| *name == text));
        if found.is_none() {
            self.add(
                place,
                if value.is_some() {
                    format!("must be one of {}", names())
                } else {
                    format!("is missing: {}", names())
                },
            );
        }
        found.map(|(_, value)| *value)
    }

    fn positive(&mut self, place: &str, value: Option<&Value>) -> Option<u32> {
        let number = value
            .and_then(Value::as_u64)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number > 0);
        if number.is_none() {
            self.add(place, if value.is_some() { "must be a whole number from 1" } else { "is missing" });
        }
        number
    }

    /// What holds between the parts of one rule.
    fn within(&mut self, place: &str, rule: &Rule) {
        let at = |key: &str| format!("{place}.{key}");
        match rule.count {
            Count::DaysSincePulled(_) if rule.action == Action::Expire => {
                self.add(&at("action.type"), "must be `transition` where countType is `sinceImagePulled`");
            }
            Count::DaysSinceTransitioned(days) if days < LEAST_DAYS_IN_ARCHIVE => {
                self.add(
                    &at("selection.countNumber"),
                    format!("must be {LEAST_DAYS_IN_ARCHIVE} or more: the least time in the archive"),
                );
            }
            Count::MoreThan(_)
            | Count::DaysSincePushed(_)
            | Count::DaysSincePulled(_)
            | Count::DaysSinceTransitioned(_) => {}
        }
        let archived = matches!(rule.count, Count::DaysSinceTransitioned(_));
        if archived != (rule.class == StorageClass::Archive) {
            self.add(
                &at("selection.storageClass"),
                "must be `archive` with countType `sinceImageTransitioned`, and `standard` with any other",
            );
        }
        if rule.class == StorageClass::Archive && rule.action == Action::Archive {
            self.add(&at("action.type"), "must be `expire` for what is in the archive already");
        }
    }

    /// What holds between rules.
    fn among(&mut self, rules: &[(usize, Rule)]) {
        let mut priorities = BTreeMap::new();
        let mut selections = BTreeMap::new();
        for (index, rule) in rules {
            if let Some(first) = priorities.insert(rule.priority, index) {
                self.add(
                    &format!("rules[{index}].rulePriority"),
                    format!("is {} as that of rules[{first}] is", rule.priority),
                );
            }
            if let Some(first) = selections.insert((rule.class, key(&rule.tags)), index) {
                self.add(&format!("rules[{index}].selection"), format!("selects the same tags as rules[{first}] does"));
            }
            let later = |(_, other): &&(usize, Rule)| other.class == rule.class && other.priority > rule.priority;
            if rule.tags == TagSelection::Any
                && let Some((other, _)) = rules.iter().find(later)
            {
                self.add(
                    &format!("rules[{index}].rulePriority"),
                    format!("must be the highest, as tagStatus is `any`; rules[{other}] comes after it"),
                );
            }
        }
    }
}

/// What two rules of one storage class may not share.
fn key(tags: &TagSelection) -> (u8, Vec<String>) {
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts.dedup();
        texts
    };
    match tags {
        TagSelection::Any => (0, Vec::new()),
        TagSelection::Untagged => (1, Vec::new()),
        TagSelection::Prefixes(prefixes) => (2, sorted(prefixes.clone())),
        TagSelection::Patterns(patterns) => (3, sorted(patterns.iter().map(ToString::to_string).collect())),
    }
}
