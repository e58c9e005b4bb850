//! A look at our HTML in a real browser: Chromium, headless, on this machine.
//!
//! [`install`] finds or fetches the browser, [`session`] speaks the DevTools protocol with it, [`look`] says what must
//! hold of a page, and `cargo browser` (`src/bin/browser.rs`) looks at the reports of the cases and at the dashboard's
//! widget.

pub mod install;
pub mod look;
pub mod pages;
pub mod session;
