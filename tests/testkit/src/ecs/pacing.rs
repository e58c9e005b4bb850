//! How long things take, and how often they are tried: the settings of the model.

/// The times and counts of the scheduler. The defaults are plausible for Fargate: a launch whose pulls fail takes a
/// little over two minutes. [`Pacing::case_a`] has the rhythm of case A.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pacing {
    /// From PROVISIONING to PENDING, while the network interface is created.
    pub provisioning_seconds: i64,
    /// From PENDING to the first attempt to pull.
    pub before_pull_seconds: i64,
    /// Between two launches of one batch.
    pub launch_stagger_seconds: i64,
    /// How often one image is tried before the task fails.
    pub pull_attempts: u32,
    /// How long a failing attempt takes, including the wait before the next.
    pub failing_attempt_seconds: i64,
    /// How long pulling one image takes.
    pub pull_seconds: i64,
    /// From the last image to RUNNING.
    pub start_seconds: i64,
    /// From RUNNING to healthy, if nothing is wrong.
    pub healthy_seconds: i64,
    /// From the decision to stop a task to STOPPED.
    pub stopping_seconds: i64,
    /// How many failing rounds of launches are replaced at once, before the pauses begin.
    pub immediate_rounds: u32,
    /// The first pause of the start throttle. Each further pause is twice as long.
    pub first_pause_seconds: i64,
    /// The longest pause (27 minutes on AWS).
    pub longest_pause_seconds: i64,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            provisioning_seconds: 10,
            before_pull_seconds: 5,
            launch_stagger_seconds: 25,
            pull_attempts: 7,
            failing_attempt_seconds: 20,
            pull_seconds: 15,
            start_seconds: 3,
            healthy_seconds: 30,
            stopping_seconds: 10,
            immediate_rounds: 1,
            first_pause_seconds: 60,
            longest_pause_seconds: 27 * 60,
        }
    }
}

impl Pacing {
    /// A pacing with which, thirty minutes after a deployment of two tasks started, six tasks are over and the seventh
    /// has begun.
    pub fn case_a() -> Self {
        Self {
            immediate_rounds: 0,
            first_pause_seconds: 195,
            ..Self::default()
        }
    }

    /// The pause after this many rounds of launches in which no task reached RUNNING.
    pub fn pause_after(&self, failed_rounds: u32) -> i64 {
        let Some(doublings) = failed_rounds.checked_sub(self.immediate_rounds + 1) else {
            return 0;
        };
        let factor = 1_i64.checked_shl(doublings.min(32)).unwrap_or(i64::MAX);
        self.first_pause_seconds.saturating_mul(factor).min(self.longest_pause_seconds)
    }

    /// How often a pull that fails with this message is tried. A final answer (the registry knows the caller and
    /// refuses) is not tried again.
    pub fn attempts_for(&self, message: &str) -> u32 {
        const FINAL: [&str; 3] = ["403 Forbidden", "pull access denied", "401 Unauthorized"];
        if FINAL.iter().any(|answer| message.contains(answer)) {
            1
        } else {
            self.pull_attempts.max(1)
        }
    }
}
