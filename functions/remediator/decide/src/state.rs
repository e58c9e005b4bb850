//! AWS's words for how things stand, as types. A word that did not exist when this was written is kept as it is.

use std::fmt;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of])* $variant,)+
            /// Another word.
            Other(String),
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                })
            }
        }
    };
}

words! {
    /// Whether a service is there to run tasks.
    ServiceStatus {
        /// It runs what it is asked to.
        Active = "ACTIVE",
        /// It is being deleted.
        Draining = "DRAINING",
        /// It is deleted.
        Inactive = "INACTIVE",
    }
}

words! {
    /// Who deploys a service.
    Controller {
        /// ECS itself.
        Ecs = "ECS",
        /// AWS CodeDeploy, which refuses a new task definition from anybody else.
        CodeDeploy = "CODE_DEPLOY",
        /// A third party, through task sets.
        External = "EXTERNAL",
    }
}

words! {
    /// How ECS replaces the tasks of a service.
    Strategy {
        /// A few at a time.
        Rolling = "ROLLING",
        /// All of them beside the old ones, and then the traffic at once.
        BlueGreen = "BLUE_GREEN",
        /// All of them beside the old ones, and then the traffic in equal parts.
        Linear = "LINEAR",
        /// All of them beside the old ones, and then a small part of the traffic first.
        Canary = "CANARY",
    }
}

words! {
    /// How far the deployment of a service is, as DescribeServices tells it.
    RolloutState {
        /// It starts and stops tasks.
        InProgress = "IN_PROGRESS",
        /// The service has reached a steady state with it.
        Completed = "COMPLETED",
        /// The circuit breaker has ended it.
        Failed = "FAILED",
    }
}

words! {
    /// How far a deployment is, as DescribeServiceDeployments tells it. What is over has many words, which nothing
    /// here tells apart.
    DeploymentStatus {
        /// It has not begun.
        Pending = "PENDING",
        /// It is under way.
        InProgress = "IN_PROGRESS",
    }
}

words! {
    /// How far a hook is. What ended well has several words, which nothing here tells apart.
    HookStatus {
        /// It waits for an answer.
        AwaitingAction = "AWAITING_ACTION",
        /// Its function runs.
        InProgress = "IN_PROGRESS",
        /// Its deployment was told to roll back.
        Failed = "FAILED",
    }
}

words! {
    /// What a hook does.
    HookKind {
        /// It waits for an answer.
        Pause = "PAUSE",
        /// It invokes a function. ECS leaves the kind out for these.
        Lambda = "AWS_LAMBDA",
    }
}

words! {
    /// What happens to a deployment when its hook's time is over.
    TimeoutAction {
        /// It goes on.
        Continue = "CONTINUE",
        /// It is rolled back. ECS does so where nothing else is configured.
        Rollback = "ROLLBACK",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_known_or_not() {
        for word in ["ACTIVE", "INACTIVE", "PAUSED_BY_ECS", ""] {
            assert_eq!(ServiceStatus::from(word).to_string(), word);
        }
        assert_eq!(Strategy::from("CANARY"), Strategy::Canary);
        assert_eq!(HookKind::from("AWS_STEP_FUNCTIONS"), HookKind::Other("AWS_STEP_FUNCTIONS".to_owned()));
    }
}
