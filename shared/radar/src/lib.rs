//! When Docker Hub's pull limit of an address will be used up, and by whom.
//!
//! Docker Hub counts by address, and says with every answer how many pulls are left and whom it counts. [`Probed`] is
//! one such answer, given in the subnets that share the address. [`Source`] is whom Docker Hub counts, [`Readings`] is
//! what was read of one source over time, and [`Demand`] is what a service behind it is about to pull. [`forecast()`]
//! puts them together, and [`to_move`] says which services are enough to move. Everything is a function of its
//! arguments.
//!
//! A forecast is made to be right, not to be early: it foretells only what the readings and the launches under way bear
//! out.

#![warn(missing_docs)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod forecast;
mod history;
mod probed;
mod source;

pub use forecast::{Demand, Forecast, HORIZON_SECONDS, PendingPulls, forecast, to_move};
pub use history::{Reading, Readings};
pub use probed::Probed;
pub use source::Source;
