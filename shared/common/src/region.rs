//! Regions and partitions of AWS, by their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a region, such as `eu-west-1` or `us-gov-east-1`.
///
/// A region becomes a part of host names that signed requests go to. So it cannot contain a dot, a slash or anything
/// else that would end that part: whoever writes a region into a task definition or an image's name can choose a
/// region, but never a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

/// Longer than any region's name.
const LONGEST: usize = 32;

/// A group of regions that has its own accounts and host names, and shares nothing with the other groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// `aws`.
    Standard,
    /// `aws-cn`.
    China,
    /// `aws-us-gov`.
    UsGov,
    /// The European sovereign cloud, and the isolated ones.
    Other,
}

/// A text that is not the name of a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a region of AWS, such as eu-west-1")]
pub struct InvalidRegion(String);

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text has the form of a region's name: words of lower-case letters with `-` between them, and a number
    /// at the end.
    pub fn is_valid(text: &str) -> bool {
        let mut parts = text.split('-');
        let letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        let number = parts
            .next_back()
            .is_some_and(|part| matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit()));
        let words: Vec<&str> = parts.collect();
        text.len() <= LONGEST && number && matches!(words.len(), 2..=4) && words.into_iter().all(letters)
    }

    /// The partition it belongs to.
    pub fn partition(&self) -> Partition {
        match self.0.split('-').collect::<Vec<_>>().as_slice() {
            ["cn", ..] => Partition::China,
            ["us", "gov", ..] => Partition::UsGov,
            ["eusc", ..] => Partition::Other,
            [_, word, ..] if word.starts_with("iso") => Partition::Other,
            _ => Partition::Standard,
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(text: &str) -> Result<Self, InvalidRegion> {
        if Self::is_valid(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRegion(text.escape_debug().take(LONGEST * 2).collect()))
        }
    }
}

impl TryFrom<String> for Region {
    type Error = InvalidRegion;

    fn try_from(text: String) -> Result<Self, InvalidRegion> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_name_and_nothing_more() {
        for (text, partition) in [
            ("eu-west-1", Partition::Standard),
            ("ap-southeast-12", Partition::Standard),
            ("us-gov-east-1", Partition::UsGov),
            ("cn-north-1", Partition::China),
            ("us-iso-east-1", Partition::Other),
            ("us-isob-west-1", Partition::Other),
            ("eusc-de-east-1", Partition::Other),
        ] {
            assert_eq!(text.parse::<Region>().unwrap().partition(), partition, "{text}");
        }
        for text in [
            "",
            "eu",
            "eu-west",
            "eu-west-",
            "eu-west-1.",
            "eu-west-1.attacker.example/",
            "x@attacker.example/-1",
            "eu-west-1#",
            "eu-west-1\n",
            "EU-WEST-1",
            "eu--1",
            "eu-west-123",
            "-west-1",
            "eu-west-1/../x",
            "eu-west-1%2e",
            "éu-west-1",
            "eu-west-１",
            "a-b-c-d-e-f-1",
            "eu-west-1:443",
            "eu west-1",
            "a-very-long-name-that-no-region-has-1",
        ] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
