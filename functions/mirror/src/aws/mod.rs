//! The services of AWS that only the mirror speaks to: thin, one file each.

pub mod grants;
pub mod hub_secret;
pub mod inventory;
pub mod parameter;
pub mod shared_allowance;
pub mod table;
