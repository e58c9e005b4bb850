//! Whether a tag of a repository may be moved to another image.

/// The tag mutability of a repository, with ECR's settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mutability {
    /// Every tag may be moved.
    #[default]
    Mutable,
    /// No tag may be moved.
    Immutable,
    /// Every tag may be moved, except those that match one of these patterns.
    MutableExcept(Vec<String>),
    /// No tag may be moved, except those that match one of these patterns.
    ImmutableExcept(Vec<String>),
}

impl Mutability {
    /// Whether a tag that exists must not be moved.
    pub fn locks(&self, tag: &str) -> bool {
        let matches = |patterns: &[String]| patterns.iter().any(|pattern| wildcard_matches(pattern, tag));
        match self {
            Self::Mutable => false,
            Self::Immutable => true,
            Self::MutableExcept(patterns) => matches(patterns),
            Self::ImmutableExcept(patterns) => !matches(patterns),
        }
    }

    /// ECR's name for the setting.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::MutableExcept(_) => "MUTABLE_WITH_EXCLUSION",
            Self::ImmutableExcept(_) => "IMMUTABLE_WITH_EXCLUSION",
        }
    }

    /// The setting with this ECR name and these exclusions; `None` if ECR has no such name.
    pub fn from_name(name: &str, exclusions: Vec<String>) -> Option<Self> {
        match name {
            "MUTABLE" => Some(Self::Mutable),
            "IMMUTABLE" => Some(Self::Immutable),
            "MUTABLE_WITH_EXCLUSION" => Some(Self::MutableExcept(exclusions)),
            "IMMUTABLE_WITH_EXCLUSION" => Some(Self::ImmutableExcept(exclusions)),
            _ => None,
        }
    }
}

/// Whether a text matches a pattern in which `*` stands for any run of characters.
fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let Some((start, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    while let Some((middle, after)) = rest.split_once('*') {
        let Some(found) = text.find(middle) else { return false };
        text = &text[found + middle.len()..];
        rest = after;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_turn_the_setting_round() {
        let except = |pattern: &str| vec![pattern.to_owned()];
        assert!(Mutability::Immutable.locks("1.0"));
        assert!(!Mutability::ImmutableExcept(except("latest*")).locks("latest-slim"));
        assert!(Mutability::ImmutableExcept(except("latest*")).locks("1.0-latest"));
        assert!(Mutability::MutableExcept(except("*-rel*-1")).locks("x-release-1"));
        assert!(!Mutability::MutableExcept(except("*-rel*-1")).locks("x-release-2"));
    }
}
