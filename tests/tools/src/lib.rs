//! What is started by hand or by the CI: the demonstration, the end-to-end run, the look at reports in a browser, the
//! figures.

pub mod browser;
pub mod demo;
pub mod e2e;
pub mod figures;
