//! Finds the known message that a text is most like, if no rule knows the text.
//!
//! Messages are compared by the groups of four characters that they share; a rarer group weighs more. The result is a
//! hint for a person: it names what was seen before and what that meant, never a remedy, and never Docker Hub's quota.

use crate::cause::Cause;

/// A message that was seen and explained before.
pub struct KnownMessage {
    /// What the message meant.
    pub cause: Cause,
    /// The thread or site that the message is from, so that a measurement can leave it out.
    pub group: &'static str,
    /// The message, as [`shape`] made it.
    pub text: &'static str,
}

mod index {
    //! Made by `build.rs` from `known.tsv`.
    use super::{Cause, KnownMessage};

    include!(concat!(env!("OUT_DIR"), "/known.rs"));
}

/// The known message that a text is most like.
#[derive(Debug, Clone, PartialEq)]
pub struct Like {
    /// What the most similar message meant.
    pub cause: Cause,
    /// The most similar message.
    pub text: &'static str,
    /// The distance, from 0 (the same) to 1 (nothing in common).
    pub distance: f32,
    /// How many of the compared neighbours meant the same.
    pub agree: usize,
    /// How many neighbours were compared.
    pub of: usize,
}

/// How many of the nearest messages are compared.
const NEIGHBOURS: usize = 4;
/// The greatest distance at which a message counts as alike.
const FAR: f32 = 0.72;
/// The length up to which a text is compared, in bytes.
const LONGEST: usize = 600;

/// Returns the nearest known message that `may_count` admits, if it is near enough.
pub fn nearest(text: &str, may_count: impl Fn(&KnownMessage) -> bool) -> Option<Like> {
    let grams = grams(&shape(text));
    if grams.len() < 8 {
        return None;
    }
    let holders = |gram: u32| {
        let at = index::GRAMS.binary_search_by_key(&gram, |(known, _)| *known).ok()?;
        let (from, to) = (index::GRAMS.get(at)?.1, index::GRAMS.get(at + 1)?.1);
        index::HOLDERS.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
    };
    let mut shared = vec![0f32; index::KNOWN.len()];
    let mut whole = 0f32;
    for gram in &grams {
        let Some(holders) = holders(*gram) else {
            whole += rarity(1);
            continue;
        };
        let rare = rarity(holders.len());
        whole += rare;
        for holder in holders {
            if let Some(sum) = shared.get_mut(usize::from(*holder)) {
                *sum += rare;
            }
        }
    }
    let mut ranked: Vec<(f32, usize)> = shared
        .iter()
        .enumerate()
        .filter(|(at, sum)| **sum > 0.0 && index::KNOWN.get(*at).is_some_and(&may_count))
        .map(|(at, sum)| (1.0 - 2.0 * sum / (whole + index::WEIGHTS.get(at).copied().unwrap_or(f32::MAX)), at))
        .collect();
    ranked.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let near: Vec<(f32, &KnownMessage)> = ranked
        .iter()
        .take(NEIGHBOURS)
        .filter_map(|(distance, at)| Some((*distance, index::KNOWN.get(*at)?)))
        .collect();
    let (distance, best) = near.first().filter(|(distance, _)| *distance <= FAR)?;
    // Neighbours that are much further away than the nearest do not count.
    let voters: Vec<&&KnownMessage> =
        near.iter().filter(|(other, _)| *other <= distance + 0.15).map(|(_, known)| known).collect();
    let agree = voters.iter().filter(|known| known.cause == best.cause).count();
    Some(Like {
        cause: best.cause,
        text: best.text,
        distance: *distance,
        agree,
        of: voters.len(),
    })
}

include!("grams.rs");

/// Brings a text into one shape: lower case, and one sign for what differs from case to case (numbers, identifiers).
pub fn shape(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    for word in text.split_whitespace() {
        if out.len() >= LONGEST {
            break;
        }
        let lower = word.to_ascii_lowercase();
        let digits = lower.bytes().filter(u8::is_ascii_digit).count();
        let hex = lower.len() >= 12
            && digits >= 3
            && lower.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b':' | b'.'));
        if !out.is_empty() {
            out.push(' ');
        }
        if hex {
            out.push('#');
            continue;
        }
        let mut in_number = false;
        for character in lower.chars() {
            // A letter between digits belongs to an identifier.
            let number = character.is_ascii_digit() || (in_number && matches!(character, 'a'..='f'));
            if !number {
                out.push(character);
            } else if !in_number {
                out.push('#');
            }
            in_number = number;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_message_is_nearest_to_itself_and_its_kin() {
        let known = index::KNOWN.first().expect("there are known messages");
        let found = nearest(known.text, |_| true).expect("it is alike");
        assert!(found.distance < 0.2, "{found:?}");
        assert_eq!(nearest("zzzz qqqq xxxx jjjj vvvv", |_| true), None);
        assert_eq!(nearest("", |_| true), None);
    }

    #[test]
    fn numbers_and_names_of_one_thing_do_not_tell_it_apart() {
        assert_eq!(
            shape("Task 1234 of i-0abc12345678 at 10.0.1.2:53"),
            shape("task 99 of i-0fff99999999 at 10.9.9.9:80")
        );
    }
}
