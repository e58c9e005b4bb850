//! How much a partition accepts: 1,000 write units and 3,000 read units a second for each partition key. A table also
//! refuses a write if a partition of one of its indexes cannot accept its share.

use std::collections::BTreeMap;

use pullsafe::timestamp::Timestamp;
use serde_json::{Map, json};

use super::meter::Charge;
use crate::aws::service::AwsError;
use crate::aws::wire::ErrorAnswer;
use crate::aws::{ACCOUNT, REGION};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Direction {
    /// Half units a second. Only reads are charged in halves.
    const fn limit(self) -> u64 {
        match self {
            Self::Read => 2 * 3_000,
            Self::Write => 2 * 1_000,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
        }
    }
}

/// What the partitions took in the current second.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    second: i64,
    taken: BTreeMap<(Direction, String, String), u64>,
}

impl Throughput {
    /// Takes all that a call is charged, or none of it.
    pub(super) fn take(&mut self, direction: Direction, charges: &[Charge], now: Timestamp) -> Result<(), ErrorAnswer> {
        if self.second != now.seconds() {
            (self.second, self.taken) = (now.seconds(), BTreeMap::new());
        }
        let key = |charge: &Charge| (direction, charge.place.to_string(), charge.partition.clone());
        // A call that begins below the limit is carried out, however much it takes.
        if let Some(charge) = charges
            .iter()
            .find(|charge| self.taken.get(&key(charge)).is_some_and(|taken| *taken >= direction.limit()))
        {
            return Err(refused(direction, charge));
        }
        for charge in charges {
            *self.taken.entry(key(charge)).or_default() += charge.half_units;
        }
        Ok(())
    }
}

/// The error of a table in on-demand mode. Source: "DynamoDB throttling resolution guide" in the developer guide.
fn refused(direction: Direction, charge: &Charge) -> ErrorAnswer {
    let kind = if charge.place.index.is_some() { "Index" } else { "Table" };
    let reason = format!("{kind}{}KeyRangeThroughputExceeded", direction.word());
    let table = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", charge.place.table);
    let resource = charge.place.index.as_ref().map_or(table.clone(), |index| format!("{table}/index/{index}"));
    let message = "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling \
        your table or index so \
        please try again shortly.";
    let fields = Map::from_iter([("ThrottlingReasons".to_owned(), json!([{"reason": reason, "resource": resource}]))]);
    ErrorAnswer {
        error: AwsError::client("ThrottlingException", message),
        fields: Box::new(fields),
    }
}
