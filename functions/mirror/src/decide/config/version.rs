//! Versions as tags write them, and ranges over them.
//!
//! A tag is a version and a variant: `3.11-slim` is 3.11 in the variant `slim`, `22.1.0-alpine3.20` is 22.1.0 in the
//! variant `alpine3.20`. A range looks at the version alone; which variants are wanted is for `include` and `exclude`
//! to say. A part that a tag leaves out counts as zero, so that `22` is 22.0.0. What says that it is not the finished
//! version (`3.14.0rc1`, `8.0-beta2`) is a prerelease, and no range holds it unless it is asked for.

use std::cmp::Ordering;
use std::fmt;

/// Numbers that a version may have; a tag with more is a date or a build number.
const MOST_PARTS: usize = 4;

/// What a tag says of its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    parts: Vec<u64>,
    prerelease: Option<(String, u64)>,
    variant: String,
}

impl Version {
    /// Reads a tag; `None` if it does not begin with a version, such as `latest` or `bookworm-slim`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let text = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
        let (parts, rest) = numbers(text).filter(|_| tag.is_ascii())?;
        let (attached, variant) = match rest.split_once(['-', '_']) {
            Some((attached, variant)) => (attached, variant),
            None => (rest, ""),
        };
        let attached_word = attached.trim_start_matches('.');
        if !attached_word.is_empty() {
            // 3.14.0rc1; anything else right behind the number is no version that can be compared, such as `18b` or
            // `2xlarge`.
            let prerelease = prerelease(attached_word)?;
            return Some(Self {
                parts,
                prerelease: Some(prerelease),
                variant: variant.to_owned(),
            });
        }
        let (first, others) = variant.split_once(['-', '_']).unwrap_or((variant, ""));
        match prerelease(first) {
            Some(prerelease) => Some(Self {
                parts,
                prerelease: Some(prerelease),
                variant: others.to_owned(),
            }),
            None => Some(Self { parts, prerelease: None, variant: variant.to_owned() }),
        }
    }

    /// Whether this is not the finished version.
    pub const fn is_prerelease(&self) -> bool {
        self.prerelease.is_some()
    }

    /// What follows the version: `slim`, `alpine3.20`.
    pub fn variant(&self) -> &str {
        &self.variant
    }

    fn part(&self, index: usize) -> u64 {
        self.parts.get(index).copied().unwrap_or_default()
    }

    fn numbers(&self) -> [u64; MOST_PARTS] {
        std::array::from_fn(|index| self.part(index))
    }

    /// Older before newer. Of the same version the one with more parts is the newer, for it moves less; a variant
    /// decides last, its numbers by value (`alpine3.9` before `alpine3.20`).
    pub fn compare(&self, other: &Self) -> Ordering {
        let finished = match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(other)) => own.cmp(other),
        };
        self.numbers()
            .cmp(&other.numbers())
            .then(finished)
            .then(self.parts.len().cmp(&other.parts.len()))
            .then_with(|| natural(&self.variant, &other.variant))
    }
}

/// `1.2.3` at the beginning of a text, and what follows.
fn numbers(text: &str) -> Option<(Vec<u64>, &str)> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|first: char| first.is_ascii_digit()).len();
        parts.push(rest[..digits].parse().ok()?);
        rest = &rest[digits..];
        match rest.strip_prefix('.') {
            Some(after) if after.starts_with(|first: char| first.is_ascii_digit()) && parts.len() < MOST_PARTS => {
                rest = after
            }
            Some(_) | None => return Some((parts, rest)),
        }
    }
}

/// `rc1`, `beta.2`, `a1`, `preview`: a word for what is not finished, and its number.
fn prerelease(word: &str) -> Option<(String, u64)> {
    let letters = word.len() - word.trim_start_matches(|first: char| first.is_ascii_alphabetic()).len();
    let (name, rest) = word.split_at(letters);
    let number = rest.trim_start_matches('.');
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let name = name.to_ascii_lowercase();
    let known = match name.as_str() {
        "alpha" | "beta" | "rc" | "cr" | "pre" | "preview" | "prerelease" | "dev" | "snapshot" | "nightly"
        | "canary" | "next" | "milestone" | "ea" | "insiders" | "unstable" | "experimental" | "edge" => {
            rest.is_empty() || numbered
        }
        "a" | "b" | "c" | "m" => numbered,
        _ => false,
    };
    let first = number.split('.').next().unwrap_or_default();
    known.then(|| (name, first.parse().unwrap_or_default()))
}

/// Text order, but runs of digits by their value.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        match (one.bytes().next(), other.bytes().next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (a, after_a) = digits(one);
                let (b, after_b) = digits(other);
                let order = (a.len(), a).cmp(&(b.len(), b));
                if order != Ordering::Equal {
                    return order;
                }
                (one, other) = (after_a, after_b);
            }
            (Some(a), Some(b)) if a == b => (one, other) = (&one[1..], &other[1..]),
            (Some(a), Some(b)) => return a.cmp(&b),
        }
    }
}

/// The digits that a text begins with, without leading zeros, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let rest = text.trim_start_matches(|first: char| first.is_ascii_digit());
    (text[..text.len() - rest.len()].trim_start_matches('0'), rest)
}

/// Conditions on a version: any of the alternatives, of which each is all of its comparisons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    text: String,
    alternatives: Vec<Vec<Comparison>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    bound: [u64; MOST_PARTS],
    prerelease: Option<(String, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    AtLeast,
    Greater,
}

/// What a range may look like, for messages.
pub(crate) const RANGE_FORMS: &str = "write comparisons such as `>=20 <23`, `^3.11` (below 4), `~1.2` (below 1.3), \
    `1.2.x`, `=1.2.3`, `1.2 - 1.4`, or several with `||` between them";

impl Range {
    /// Reads a range.
    ///
    /// # Errors
    /// What cannot be read, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the range is empty".to_owned());
        }
        let alternatives = text.split("||").map(conjunction).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text: text.trim().to_owned(), alternatives })
    }

    /// Whether the range holds a version. It holds a prerelease only where an end of it is a prerelease of the same
    /// version.
    pub fn holds(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|all| all.iter().all(|one| one.holds(version)) && (!version.is_prerelease() || asks_for(all, version)))
    }

    /// As [`Self::holds`], but every prerelease counts like a finished version.
    pub fn holds_with_prereleases(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| all.iter().all(|one| one.holds(version)))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn asks_for(all: &[Comparison], version: &Version) -> bool {
    all.iter().any(|one| one.prerelease.is_some() && one.bound == version.numbers())
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let order = version.numbers().cmp(&self.bound).then_with(|| match (&version.prerelease, &self.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(bound)) => own.cmp(bound),
        });
        match self.operator {
            Operator::Less => order == Ordering::Less,
            Operator::AtMost => order != Ordering::Greater,
            Operator::AtLeast => order != Ordering::Less,
            Operator::Greater => order == Ordering::Greater,
        }
    }
}

/// A version in a range, whose parts may end in `x` or `*`.
struct RangePart {
    parts: Vec<u64>,
    prerelease: Option<(String, u64)>,
}

impl RangePart {
    fn parse(text: &str) -> Result<Self, String> {
        let unreadable = || format!("`{text}` is no version; {RANGE_FORMS}");
        let plain = text.strip_prefix(['v', 'V']).unwrap_or(text);
        if matches!(plain, "x" | "X" | "*") {
            return Ok(Self { parts: Vec::new(), prerelease: None });
        }
        let (parts, mut rest) =
            numbers(plain).filter(|(parts, _)| parts.len() < MOST_PARTS + 1).ok_or_else(unreadable)?;
        let mut open = false;
        while let Some(after) = [".x", ".X", ".*"].iter().find_map(|wildcard| rest.strip_prefix(wildcard)) {
            (rest, open) = (after, true);
        }
        if rest.is_empty() {
            return Ok(Self { parts, prerelease: None });
        }
        let word = rest.trim_start_matches(['-', '.']);
        match prerelease(word) {
            Some(prerelease) if !open => Ok(Self { parts, prerelease: Some(prerelease) }),
            Some(_) | None => Err(format!(
                "`{text}` is no version: a variant such as `{word}` is chosen by `include`, not by the range"
            )),
        }
    }

    fn bound(&self) -> [u64; MOST_PARTS] {
        std::array::from_fn(|index| self.parts.get(index).copied().unwrap_or_default())
    }

    fn low(&self, operator: Operator) -> Comparison {
        Comparison {
            operator,
            bound: self.bound(),
            prerelease: self.prerelease.clone(),
        }
    }

    /// The first version that no longer agrees with the first `parts` parts of this one; `None` if there is none.
    fn end(&self, parts: usize) -> Option<Comparison> {
        let last = parts.min(self.parts.len()).checked_sub(1)?;
        let mut bound = [0; MOST_PARTS];
        for (index, part) in self.parts.iter().take(last + 1).enumerate() {
            bound[index] = *part;
        }
        bound[last] = bound[last].saturating_add(1);
        // The prereleases of the end belong to the end.
        Some(Comparison {
            operator: Operator::Less,
            bound,
            prerelease: Some((String::new(), 0)),
        })
    }

    /// Everything that begins like this.
    fn same(&self) -> Vec<Comparison> {
        if self.prerelease.is_some() {
            return vec![self.low(Operator::AtLeast), self.low(Operator::AtMost)];
        }
        std::iter::once(self.low(Operator::AtLeast)).chain(self.end(self.parts.len())).collect()
    }

    /// Compatible: the first part that is not zero stays.
    fn caret(&self) -> Vec<Comparison> {
        let first = self.parts.iter().position(|part| *part != 0).unwrap_or(self.parts.len().saturating_sub(1));
        std::iter::once(self.low(Operator::AtLeast)).chain(self.end(first + 1)).collect()
    }

    /// About: the second part stays if there is one, else the first.
    fn tilde(&self) -> Vec<Comparison> {
        std::iter::once(self.low(Operator::AtLeast)).chain(self.end(2)).collect()
    }
}

fn conjunction(text: &str) -> Result<Vec<Comparison>, String> {
    let text = text.replace(',', " ");
    if let Some((from, to)) = text.split_once(" - ") {
        let (from, to) = (RangePart::parse(from.trim())?, RangePart::parse(to.trim())?);
        return Ok(std::iter::once(from.low(Operator::AtLeast)).chain(at_most(&to)).collect());
    }
    let mut all = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let version = word.trim_start_matches(['>', '<', '=', '^', '~']);
        let operator = &word[..word.len() - version.len()];
        let version = match (version, operator) {
            // `>= 20` is `>=20`.
            ("", "") => continue,
            ("", _) => words.next().unwrap_or_default(),
            (version, _) => version,
        };
        let written = RangePart::parse(version)?;
        match operator {
            "" | "=" | "==" => all.extend(written.same()),
            "^" => all.extend(written.caret()),
            "~" | "~>" => all.extend(written.tilde()),
            ">=" => all.push(written.low(Operator::AtLeast)),
            "<" => all.push(before(&written)),
            "<=" => all.extend(at_most(&written)),
            ">" => all.push(beyond(&written)),
            _ => return Err(format!("`{operator}` is no comparison; {RANGE_FORMS}")),
        }
    }
    if all.is_empty() {
        Err(format!("a side of `||` is empty; {RANGE_FORMS}"))
    } else {
        Ok(all)
    }
}

/// Below a version, and below its prereleases too, unless the bound is itself one.
fn before(written: &RangePart) -> Comparison {
    let prerelease = written.prerelease.clone().or(Some((String::new(), 0)));
    Comparison { operator: Operator::Less, bound: written.bound(), prerelease }
}

/// `<=1.2` holds every 1.2.
fn at_most(written: &RangePart) -> Option<Comparison> {
    if written.prerelease.is_some() || written.parts.len() >= MOST_PARTS - 1 {
        return Some(written.low(Operator::AtMost));
    }
    written.end(written.parts.len())
}

/// `>1.2` holds no 1.2.
fn beyond(written: &RangePart) -> Comparison {
    if written.prerelease.is_none()
        && written.parts.len() < MOST_PARTS - 1
        && let Some(end) = written.end(written.parts.len())
    {
        return Comparison { operator: Operator::AtLeast, prerelease: None, ..end };
    }
    written.low(Operator::Greater)
}

#[cfg(test)]
mod tests;
