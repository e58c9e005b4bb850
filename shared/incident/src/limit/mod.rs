//! Docker Hub's pull limit that services share: who shares it, and how long it lasts.

mod message;

use pullsafe::arn::ServiceId;
use pullsafe::timestamp::Timestamp;
use pullsafe_radar::{Demand, Forecast, Reading, Readings, Source, forecast, to_move};
use serde::{Deserialize, Serialize};

/// A service that pulls from Docker Hub without credentials and from a shared address, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharer {
    pub service: ServiceId,
    /// The task definition that it was seen with.
    pub definition: String,
    /// How many images of Docker Hub each of its tasks pulls.
    pub images: u32,
    /// The subnets of its tasks.
    pub subnets: Vec<String>,
    /// Its desired count, or the most that autoscaling may make of it.
    pub most: u32,
    /// When it was seen.
    pub at: Timestamp,
}

impl Sharer {
    /// Returns how many pulls it takes if all its tasks are replaced while it is at its largest.
    pub const fn needs(&self) -> u32 {
        self.images.saturating_mul(self.most)
    }

    /// Whether its tasks are in one of these subnets.
    pub fn is_in(&self, subnets: &[String]) -> bool {
        self.subnets.iter().any(|subnet| subnets.contains(subnet))
    }
}

/// What becomes of the limit of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitAhead {
    /// Whom Docker Hub counts.
    pub source: Source,
    /// What it last said.
    pub reading: Reading,
    /// What becomes of it.
    pub forecast: Forecast,
    /// The services without whose pulls it lasts.
    pub to_move: Vec<String>,
}

impl LimitAhead {
    /// Forecasts the limit from what was read, with what the services behind it are about to pull; `None` where nothing
    /// was read.
    pub fn of(source: &Source, history: &Readings, demands: &[Demand]) -> Option<Self> {
        let reading = *history.last()?;
        Some(Self {
            source: source.clone(),
            reading,
            forecast: forecast(history, demands),
            to_move: to_move(history, demands),
        })
    }

    /// Whether this service is one of those without whose pulls the limit lasts.
    pub fn moves(&self, service: &ServiceId) -> bool {
        self.to_move.contains(&service.to_string())
    }

    /// Whether the limit lasts for the launches that go on.
    pub const fn lasts(&self) -> bool {
        match self.forecast {
            Forecast::Exhausted { .. } => false,
            // Launches that have just begun may need more than is left, although it is not known yet when it is used
            // up.
            Forecast::Tight { .. } | Forecast::Enough => self.to_move.is_empty(),
        }
    }

    /// Says in a sentence what becomes of the limit.
    pub fn says(&self) -> String {
        let Reading { remaining, limit, at, .. } = self.reading;
        let left = format!("Docker Hub grants {} {remaining} of {limit} pulls more (read at {at})", self.source);
        match &self.forecast {
            Forecast::Exhausted { by, .. } if remaining == 0 => format!("{left}: they are used up{}", by_whom(by)),
            Forecast::Exhausted { at, by } => format!("{left}: they are used up at {at}{}", by_whom(by)),
            Forecast::Tight { missing } => {
                format!(
                    "{left}: {missing} too few should all launch that may, by a deployment under way or by scaling out"
                )
            }
            Forecast::Enough => format!("{left}: enough for what goes on"),
        }
    }
}

fn by_whom(services: &[String]) -> String {
    match services {
        [] => ", by whom is not known".to_owned(),
        [one] => format!(", by launches of {one}"),
        [several @ .., last] => format!(", by launches of {} and {last}", several.join(", ")),
    }
}
