//! Parses values of arguments that several commands take.

use std::time::Duration;

use pullsafe::manifest::Platform;
use pullsafe::reference::Reference;

/// Longer than any wait or look back, and far from what overflows a clock.
const LONGEST: u64 = 36_525 * 24 * 3600;

/// Parses an image as a person writes it; a short name is one of Docker Hub.
pub(crate) fn reference(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Parses `os/arch` or `os/arch/variant`.
pub(crate) fn platform(text: &str) -> Result<Platform, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Parses numbers with units, one after the other (`90s`, `1h30m`, `7d`), or a number of seconds; at most a century.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse().ok().or_else(|| in_units(text.trim())).filter(|seconds| *seconds <= LONGEST);
    let problem =
        || format!("`{text}` is no duration: write seconds, or units such as 90s, 30m, 1h30m, 7d, up to a century");
    seconds.map(Duration::from_secs).ok_or_else(problem)
}

fn in_units(mut rest: &str) -> Option<u64> {
    let mut seconds = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|character: char| !character.is_ascii_digit())?);
        let (unit, next) =
            after.split_at(after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len()));
        let factor = match unit.trim() {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        seconds = number.parse::<u64>().ok()?.checked_mul(factor).and_then(|part| seconds.checked_add(part))?;
        rest = next;
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_people_write_it() {
        for (text, seconds) in [
            ("30m", 1800),
            ("90", 90),
            ("1h30m", 5400),
            (" 2min ", 120),
            ("45s", 45),
            ("0", 0),
            ("24h", 86_400),
            ("7d", 604_800),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "1w", "-1", "-1h", "1.5h", "é", "99999999999999999999", "9999999h", "30m5"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
