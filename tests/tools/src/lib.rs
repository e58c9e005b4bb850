//! Tools that are started by hand or by CI: the demo, the end-to-end run, the look at reports in a browser, and the
//! figures.

pub mod browser;
pub mod demo;
pub mod e2e;
pub mod figures;
