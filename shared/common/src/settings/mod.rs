//! The configuration of the functions: names, meaning, defaults, and how each value is read.
//!
//! Everything is read before anything is reported, so that one look shows every fault. A bad value is never
//! replaced by a default in silence.

mod gate;
mod mirror;
mod probe;
mod read;
mod remediator;
#[cfg(test)]
mod tests;
mod values;
mod variables;
mod widget;

pub use gate::GateSettings;
pub use mirror::MirrorSettings;
pub use probe::ProbeSettings;
pub use read::SettingFault;
pub use remediator::{Ahead, Mode, Settings};
pub use values::{MessageFormat, MirrorLocation};
pub use variables::*;
pub use widget::WidgetSettings;
