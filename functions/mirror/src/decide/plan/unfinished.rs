//! Repositories whose creation was under way when the process died. A repository is marked before it is created, and
//! unmarked when everything is set on it.
//!
//! ECR takes the lifecycle policy in a call of its own, after the repository exists. A mark that is left tells the next
//! scheduled run that the policy may be missing. A repository belongs to the mirror only if it was created when the
//! mark was made; any other stays as it is.

use std::fmt;
use std::str::FromStr;

use pullsafe::timestamp::Timestamp;

/// As long as a function may run: a repository that was created later was created by somebody else.
const LONGEST_WORK_SECONDS: i64 = 900;
/// How far two clocks may differ.
const CLOCKS_DIFFER_SECONDS: i64 = 60;
/// After this time, an unfinished repository is left to a person.
const GIVEN_UP_SECONDS: i64 = 7 * 24 * 3600;

/// A mark: this repository was about to be created.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unfinished {
    /// The registry's host.
    pub registry: String,
    pub repository: String,
    /// When the mark was made.
    pub since: Timestamp,
}

impl Unfinished {
    /// Whether a repository that was created at this moment was created by the process that left the mark.
    pub const fn made(&self, created_at: Timestamp) -> bool {
        let after = created_at.seconds_since(self.since);
        after >= -CLOCKS_DIFFER_SECONDS && after <= LONGEST_WORK_SECONDS + CLOCKS_DIFFER_SECONDS
    }

    /// Whether finishing the repository has been tried for long enough.
    pub const fn is_given_up(&self, now: Timestamp) -> bool {
        now.seconds_since(self.since) > GIVEN_UP_SECONDS
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{} {}", self.registry, self.repository, self.since.seconds())
    }
}

impl FromStr for Unfinished {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, since) = text.split_once(' ').ok_or(())?;
        let (registry, repository) = name.split_once('/').ok_or(())?;
        let seconds: i64 = since.parse().map_err(|_| ())?;
        let since = Timestamp::from_millis(seconds.checked_mul(1000).ok_or(())?);
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            since,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Unfinished {
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/acme/app 1768504620".parse().unwrap()
    }

    #[test]
    fn it_reads_what_it_writes() {
        let mark = mark();
        assert_eq!((mark.repository.as_str(), mark.to_string().parse()), ("docker-hub/acme/app", Ok(mark.clone())));
        for wrong in ["", "a/b", "a 1", "a/b c", "a/b 9223372036854775807"] {
            assert_eq!(wrong.parse::<Unfinished>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn only_what_was_made_then_is_its_own() {
        let mark = mark();
        let made = |after| mark.made(mark.since.plus_seconds(after));
        assert_eq!([-61, -60, 0, 2, 960, 961, 86_400].map(made), [false, true, true, true, true, false, false]);
        assert!(
            !mark.is_given_up(mark.since.plus_seconds(86_400)) && mark.is_given_up(mark.since.plus_seconds(8 * 86_400))
        );
    }
}
