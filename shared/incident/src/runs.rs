//! How much of a service runs, which decides how bad its incident is.

use serde::{Deserialize, Serialize};

/// How much of a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runs {
    /// No task runs.
    Nothing,
    /// Fewer tasks run than are wanted.
    Some,
    /// As many run as are wanted; only the next launch fails.
    All,
}

impl Runs {
    /// Compares the running count with the desired count.
    pub const fn of(running: i64, desired: i64) -> Self {
        match running {
            ..=0 => Self::Nothing,
            _ if running < desired => Self::Some,
            _ => Self::All,
        }
    }

    /// Says it in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing runs",
            Self::Some => "fewer tasks run than should",
            Self::All => "all tasks run, the next launch fails",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_measured_by_what_should() {
        for (running, desired, runs) in [
            (0, 2, Runs::Nothing),
            (0, 0, Runs::Nothing),
            (1, 2, Runs::Some),
            (2, 2, Runs::All),
            (3, 2, Runs::All),
        ] {
            assert_eq!(Runs::of(running, desired), runs, "{running} of {desired}");
        }
    }
}
