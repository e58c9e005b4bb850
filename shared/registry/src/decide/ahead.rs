//! When a blob is read ahead, in pieces over connections of their own.
//!
//! One connection brings at most a window of bytes each round trip, whatever the line could carry. Several help where
//! that is what a copy waits for; where the target or the processor is the limit they would only hold memory.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// How far ahead is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAhead {
    /// Bytes of a piece. Each costs a request, and a redirect where the registry sends one.
    pub piece: u64,
    /// Pieces of one blob that are on their way or wait at a time.
    pub of_one: usize,
    /// The same for all blobs of a process, which with `piece` bounds the memory.
    pub of_all: usize,
    /// Bytes after which a stream shows its speed.
    pub after: u64,
    /// Bytes in a second from which on a stream is fast enough.
    pub fast: u64,
    /// Of a stream's time, in percent, that must have gone into waiting for the source.
    pub waited_percent: u32,
    /// How long a source took to answer from which on it is far.
    pub far: Duration,
    /// Bytes left of a blob from which on it is large.
    pub large: u64,
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self {
            piece: 8 * MIB,
            of_one: 4,
            of_all: 8,
            after: 8 * MIB,
            fast: 256 * MIB,
            waited_percent: 70,
            far: Duration::from_millis(8),
            large: 256 * MIB,
        }
    }
}

/// What a stream has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How long the source took to answer.
    pub answered: Duration,
    /// Bytes that it brought.
    pub bytes: u64,
    /// Since when it brings them.
    pub elapsed: Duration,
    /// For how long of this somebody waited for the next bytes.
    pub waited: Duration,
}

impl ReadAhead {
    /// Whether pieces beside the stream would bring a blob sooner, of which so many bytes are left.
    pub fn pays(&self, progress: &Progress, left: u64) -> bool {
        let slow = || progress.bytes.saturating_mul(1_000_000) < self.fast.saturating_mul(micros(progress.elapsed));
        let worth = left >= self.large.max(self.lead().saturating_add(self.piece));
        worth && progress.answered >= self.far && progress.bytes >= self.after && slow() && self.idle(progress)
    }

    /// Whether the source was waited for most of the time, and not the target.
    pub fn idle(&self, progress: &Progress) -> bool {
        progress.waited.saturating_mul(100) >= progress.elapsed.saturating_mul(self.waited_percent)
    }

    /// How far before the first piece a stream goes on, until the piece is here.
    pub const fn lead(&self) -> u64 {
        self.piece.saturating_mul(2)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn stream(answered: u64, mib: u64, elapsed: u64, waited: u64) -> Progress {
        let answered = Duration::from_millis(answered);
        Progress { answered, bytes: mib * MIB, elapsed: Duration::from_millis(elapsed), waited: Duration::from_millis(waited) }
    }

    #[test]
    fn it_pays_where_a_slow_source_is_waited_for() {
        let ahead = ReadAhead::default();
        for (why, expected, progress, left) in [
            ("a far source", true, stream(20, 16, 200, 190), 500),
            ("a near source, and others that are busy", false, stream(1, 16, 200, 190), 500),
            ("the target takes no more", false, stream(20, 16, 640, 40), 500),
            ("a fast line", false, stream(20, 16, 20, 19), 500),
            ("too early to tell", false, stream(20, 7, 200, 190), 500),
            ("not much is left", false, stream(20, 16, 200, 190), 200),
            ("no time has passed", false, stream(20, 16, 0, 0), 500),
        ] {
            assert_eq!(ahead.pays(&progress, left * MIB), expected, "{why}");
        }
    }
}
