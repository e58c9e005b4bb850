//! Checks our HTML in a real browser: headless Chromium on this machine.
//!
//! [`install`] finds or fetches the browser, [`session`] speaks the DevTools protocol with it, [`look`] has the checks,
//! [`pages`] the pages: the reports of the cases and the dashboard's widget. `cargo browser` is `src/bin/browser.rs`.

pub mod install;
pub mod look;
pub mod pages;
pub mod session;
