//! The stacks of this template that share a region: all of them receive the same events, and one acts.

use crate::arn::ServiceId;
use crate::glob;
use crate::timestamp::Timestamp;

/// How the description of every stack of this template begins.
pub const DESCRIPTION: &str = "pullsafe - ";

/// In these states a stack has no functions that could act, or none yet.
const WITHOUT_FUNCTIONS: &[&str] = &["REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"];

/// Whether a stack in this state may have functions.
pub fn has_functions(status: &str) -> bool {
    !WITHOUT_FUNCTIONS.contains(&status)
}

/// How far a stack is, each with CloudFormation's word for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackStatus {
    /// Something is under way that is no rollback.
    Changing(String),
    /// It is being rolled back.
    RollingBack(String),
    /// It is gone.
    Deleted,
    /// Nothing is under way.
    AtRest(String),
}

impl StackStatus {
    /// CloudFormation's word, while something is under way.
    pub fn under_way(&self) -> Option<&str> {
        match self {
            Self::Changing(word) | Self::RollingBack(word) => Some(word),
            Self::Deleted | Self::AtRest(_) => None,
        }
    }
}

impl From<&str> for StackStatus {
    fn from(word: &str) -> Self {
        match (word, word.ends_with("_IN_PROGRESS"), word.contains("ROLLBACK")) {
            ("DELETE_COMPLETE", ..) => Self::Deleted,
            (_, true, true) => Self::RollingBack(word.to_owned()),
            (_, true, false) => Self::Changing(word.to_owned()),
            (_, false, _) => Self::AtRest(word.to_owned()),
        }
    }
}

/// Whether a stack with this description is one of this template.
pub fn is_pullsafe(description: Option<&str>) -> bool {
    description.is_some_and(|text| text.starts_with(DESCRIPTION))
}

/// What the other stacks of a region need to know about a stack of this template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Its name, which no other stack of the region has.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether its mode lets it change services, or a tag may raise the mode so far.
    pub may_act: bool,
    /// The services that it may change, as `cluster/service` with `*` and `?`.
    pub service_pattern: String,
}

impl Sibling {
    /// Describes a stack by its parameters.
    pub fn of<'a>(name: &str, created: Timestamp, parameter: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self {
            name: name.to_owned(),
            created,
            may_act: may_act(&parameter),
            service_pattern: parameter("ServicePattern").unwrap_or("*").to_owned(),
        }
    }

    fn acts_on(&self, service: &ServiceId) -> bool {
        self.may_act && glob::matches(&self.service_pattern, &service.to_string())
    }
}

/// Whether the mode in a stack's parameters lets it change services, or a tag may raise the mode so far.
pub fn may_act<'a>(parameter: impl Fn(&str) -> Option<&'a str>) -> bool {
    !matches!(parameter("Mode").unwrap_or_default(), "" | "observe") || parameter("AllowTagToAct") == Some("true")
}

/// The stack that acts on a service instead of the stack called `own`: the oldest of those that may. If CloudFormation
/// does not know `own`, every other stack comes before it.
pub fn before<'a>(own: &str, stacks: &'a [Sibling], service: &ServiceId) -> Option<&'a Sibling> {
    let age = |stack: &Sibling| (stack.created, stack.name.clone());
    let mine = stacks.iter().find(|stack| stack.name == own).map(age);
    let others = stacks.iter().filter(|stack| stack.name != own && stack.acts_on(service));
    others
        .filter(|other| mine.as_ref().is_none_or(|mine| age(other) < *mine))
        .min_by_key(|other| age(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(name: &str, created: i64, mode: &str, pattern: &str) -> Sibling {
        let parameters = [("Mode", mode), ("ServicePattern", pattern)];
        let read = |wanted: &str| parameters.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        Sibling::of(name, Timestamp::from_millis(created), read)
    }

    #[test]
    fn a_stack_changes_rolls_back_is_gone_or_rests() {
        for (word, status) in [
            ("UPDATE_ROLLBACK_IN_PROGRESS", StackStatus::RollingBack("UPDATE_ROLLBACK_IN_PROGRESS".to_owned())),
            (
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                StackStatus::Changing("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS".to_owned()),
            ),
            ("ROLLBACK_FAILED", StackStatus::AtRest("ROLLBACK_FAILED".to_owned())),
            ("DELETE_COMPLETE", StackStatus::Deleted),
        ] {
            assert_eq!(StackStatus::from(word), status);
        }
    }

    #[test]
    fn the_oldest_that_may_act_on_a_service_comes_first() {
        let web = ServiceId {
            cluster_arn: "arn:aws:ecs:eu-west-1:123456789012:cluster/prod".to_owned(),
            name: "web".to_owned(),
        };
        let named = |own: &str, stacks: &[Sibling]| before(own, stacks, &web).map(|stack| stack.name.clone());
        let (old, young) = (stack("b", 1, "act", "*"), stack("a", 2, "act", "*"));
        let both = [young.clone(), old.clone()];
        assert_eq!(named("a", &both).as_deref(), Some("b"));
        assert_eq!(named("b", &both), None, "the oldest has nobody before it");
        assert_eq!(named("unknown", &both).as_deref(), Some("b"), "what is not known comes last");
        assert_eq!(named("a", std::slice::from_ref(&young)), None);
        for harmless in
            [stack("b", 1, "observe", "*"), stack("b", 1, "act", "staging/*"), stack("b", 1, "act", "prod/we")]
        {
            assert_eq!(named("a", &[young.clone(), harmless.clone()]), None, "{harmless:?}");
        }
        for other in [stack("b", 1, "act", "prod/*"), stack("b", 1, "act", "prod/we?")] {
            assert_eq!(named("a", &[young.clone(), other]).as_deref(), Some("b"));
        }
        // Of two stacks made in the same moment one acts, and both agree on which.
        let twins = [stack("a", 1, "act", "*"), stack("b", 1, "act", "*")];
        assert_eq!((named("a", &twins), named("b", &twins).as_deref()), (None, Some("a")));
    }

    #[test]
    fn a_tag_that_may_raise_the_mode_counts_as_acting() {
        let allow = |key: &str| (key == "AllowTagToAct").then_some("true");
        let found = Sibling::of("a", Timestamp::from_millis(0), allow);
        assert!(found.may_act);
        assert_eq!(found.service_pattern, "*");
    }

    #[test]
    fn a_stack_counts_by_its_description_and_while_it_has_functions() {
        assert!(is_pullsafe(Some("pullsafe - x")) && !is_pullsafe(Some("another")) && !is_pullsafe(None));
        assert!(
            has_functions("DELETE_FAILED")
                && has_functions("UPDATE_ROLLBACK_COMPLETE")
                && !has_functions("ROLLBACK_COMPLETE")
        );
    }
}
