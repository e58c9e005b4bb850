//! Holds `template.yaml` to its promises, without AWS: which event wakes what, how timeouts nest, that nothing is lost
//! when something fails, and who may do what.
//!
//! What the code needs from the template is in `declared.rs`; everything else is read from the template and from
//! `events/`.

mod alarms;
mod conditions;
mod declared;
mod delivery;
mod environment;
mod iam_alone;
mod pattern;
mod permissions;
mod rules;
mod template;
