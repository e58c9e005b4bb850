//! Shows the progress of a copy to people: one changing line on a terminal, a line now and then elsewhere.
//!
//! The lines go to standard error, so that standard output has only the result.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pullsafe_registry::{CopyEvent, Progress};

const ON_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(10);

/// Follows a copy.
#[derive(Debug)]
pub(crate) struct Meter {
    state: Mutex<ProgressState>,
    terminal: bool,
    images: usize,
}

#[derive(Debug)]
struct ProgressState {
    started: Instant,
    shown_at: Instant,
    shown: usize,
    found: u64,
    done: u64,
    sent: u64,
    images_done: usize,
}

impl Meter {
    /// Makes a meter for this many images.
    pub(crate) fn new(images: usize) -> Arc<Self> {
        let now = Instant::now();
        let state = ProgressState {
            started: now,
            shown_at: now,
            shown: 0,
            found: 0,
            done: 0,
            sent: 0,
            images_done: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            terminal: io::stderr().is_terminal(),
            images,
        })
    }

    /// The callback to give to the copy.
    pub(crate) fn progress(self: &Arc<Self>) -> Progress {
        let meter = Arc::clone(self);
        Arc::new(move |event| meter.hear(event))
    }

    /// Removes the line.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.terminal && state.shown > 0 {
            // A failure is ignored: a terminal that is gone needs no line.
            let _ = write!(io::stderr(), "\r{:width$}\r", "", width = state.shown);
            state.shown = 0;
        }
    }

    fn hear(&self, event: CopyEvent<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            CopyEvent::Found { bytes, .. } => state.found += bytes,
            CopyEvent::Sent { bytes, .. } => {
                state.sent += bytes;
                state.done += bytes;
            }
            CopyEvent::Spared { bytes, .. } => state.done += bytes,
            CopyEvent::Done { .. } => state.images_done += 1,
        }
        let now = Instant::now();
        let every = if self.terminal { ON_TERMINAL } else { ELSEWHERE };
        if now.duration_since(state.shown_at) < every {
            return;
        }
        state.shown_at = now;
        let line = line(&state, self.images, now.duration_since(state.started));
        let shown = if self.terminal {
            write!(io::stderr(), "\r{line:width$}", width = state.shown)
        } else {
            writeln!(io::stderr(), "{line}")
        };
        if shown.is_ok() {
            state.shown = line.chars().count();
        }
    }
}

fn line(state: &ProgressState, images: usize, passed: Duration) -> String {
    let percent = (state.done.min(state.found) * 100).checked_div(state.found).unwrap_or(0);
    let speed = state.sent as f64 / passed.as_secs_f64().max(0.001);
    let of_images = if images > 1 {
        format!("{} of {images} images, ", state.images_done)
    } else {
        String::new()
    };
    format!(
        "{of_images}{} of {} ({percent} %), {}/s",
        size(state.done.min(state.found)),
        size(state.found),
        size(speed as u64)
    )
}

/// Formats a number of bytes for people, in powers of ten.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(1_000_000_000_u64, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let now = Instant::now();
        let mut state = ProgressState {
            started: now,
            shown_at: now,
            shown: 0,
            found: 91_000_000,
            done: 45_500_000,
            sent: 40_000_000,
            images_done: 0,
        };
        assert_eq!(line(&state, 1, Duration::from_secs(2)), "45.5 MB of 91.0 MB (50 %), 20.0 MB/s");
        state.images_done = 3;
        assert_eq!(line(&state, 60, Duration::from_secs(2)), "3 of 60 images, 45.5 MB of 91.0 MB (50 %), 20.0 MB/s");
        assert_eq!(
            (size(0), size(999), size(1000), size(1_250_000_000)),
            ("0 B".into(), "999 B".into(), "1.0 kB".into(), "1.2 GB".into())
        );
    }
}
