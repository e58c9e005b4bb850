//! A line with a delay. Every byte is held for half a round trip in each direction. Each direction of a connection has
//! a window in flight that grows as TCP's does, from 15 kB to 2.8 MB: one stream over 20 ms carries 139 MB/s, or less
//! where the line is narrower. What the other end does not take stays in flight, so a client that reads slowly slows
//! its source.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const FIRST_WINDOW: usize = 15_000;
const LARGEST_WINDOW: usize = 2_800_000;
/// The most bytes that travel as one chunk.
const LARGEST_CHUNK: usize = 128 * 1024;

/// The quality of a line. Its rates are bytes a second, of one connection in one direction.
#[derive(Clone, Copy, Default)]
pub struct Quality {
    pub round_trip: Duration,
    pub to_client: Option<u64>,
    pub from_client: Option<u64>,
}

impl Quality {
    /// Whether there is no delay and no limit, so that no line has to be simulated.
    pub fn is_loopback(&self) -> bool {
        self.round_trip.is_zero() && self.to_client.is_none() && self.from_client.is_none()
    }
}

/// The server's end of a connection that comes over a line.
pub struct Far {
    arriving: Arc<Line>,
    leaving: Arc<Line>,
    /// The chunk that has arrived, and how many of its bytes were read.
    chunk: (Vec<u8>, usize),
}

impl Far {
    pub fn over(stream: TcpStream, quality: Quality) -> io::Result<Self> {
        let (arriving, leaving) = (Line::new(quality.round_trip, quality.from_client), Line::new(quality.round_trip, quality.to_client));
        // A connection takes one round trip to open; nothing is sent before.
        let opens = Instant::now() + quality.round_trip;
        let (mut from, mut to) = (stream.try_clone()?, stream);
        let (filling, emptying) = (Arc::clone(&arriving), Arc::clone(&leaving));
        thread::spawn(move || send(&filling, &mut from, opens));
        thread::spawn(move || receive(&emptying, &mut to));
        Ok(Self { arriving, leaving, chunk: (Vec::new(), 0) })
    }
}

impl Read for Far {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.1 == self.chunk.0.len() {
            let Some((at, bytes)) = self.arriving.next() else { return Ok(0) };
            thread::sleep(at.saturating_duration_since(Instant::now()));
            self.arriving.taken(Instant::now(), bytes.len());
            self.chunk = (bytes, 0);
        }
        let (bytes, read) = &mut self.chunk;
        let length = buffer.len().min(bytes.len() - *read);
        buffer[..length].copy_from_slice(&bytes[*read..*read + length]);
        *read += length;
        Ok(length)
    }
}

impl Write for Far {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(room) = self.leaving.room() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let length = bytes.len().min(room).min(LARGEST_CHUNK);
        self.leaving.put(bytes[..length].to_vec());
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.leaving.end();
        self.arriving.break_off();
    }
}

/// One direction of a connection, with everything that is on its way.
struct Line {
    half: Duration,
    rate: Option<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The chunks on their way, each with the time when it arrives.
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// When the sender hears that bytes have been taken, and how many.
    acknowledgements: VecDeque<(Instant, usize)>,
    in_flight: usize,
    window: usize,
    /// When the line's narrowest part will have passed on all that it was given.
    free: Instant,
    ended: bool,
    /// The other end takes nothing any more.
    broken: bool,
}

impl Line {
    fn new(round_trip: Duration, rate: Option<u64>) -> Arc<Self> {
        let (chunks, acknowledgements, free) = (VecDeque::new(), VecDeque::new(), Instant::now());
        let state = State { chunks, acknowledgements, in_flight: 0, window: FIRST_WINDOW, free, ended: false, broken: false };
        Arc::new(Self { half: round_trip / 2, rate, state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Waits until the window has room, and returns how many bytes; `None` where the other end takes nothing any more.
    fn room(&self) -> Option<usize> {
        let mut state = self.state.lock().expect("the line");
        loop {
            let now = Instant::now();
            while let Some((_, bytes)) = state.acknowledgements.pop_front_if(|(at, _)| *at <= now) {
                state.in_flight -= bytes;
                state.window = (state.window + bytes).min(LARGEST_WINDOW);
            }
            if state.broken {
                return None;
            }
            if state.in_flight < state.window {
                return Some(state.window - state.in_flight);
            }
            state = match state.acknowledgements.front().map(|(at, _)| at.saturating_duration_since(now)) {
                Some(wait) => self.changed.wait_timeout(state, wait).expect("the line").0,
                None => self.changed.wait(state).expect("the line"),
            };
        }
    }

    fn put(&self, bytes: Vec<u8>) {
        let mut state = self.state.lock().expect("the line");
        let now = Instant::now();
        if let Some(rate) = self.rate {
            state.free = state.free.max(now) + Duration::from_secs_f64(bytes.len() as f64 / rate as f64);
        }
        let at = state.free.max(now) + self.half;
        state.in_flight += bytes.len();
        state.chunks.push_back((at, bytes));
        self.changed.notify_all();
    }

    fn next(&self) -> Option<(Instant, Vec<u8>)> {
        let mut state = self.state.lock().expect("the line");
        loop {
            if let Some(chunk) = state.chunks.pop_front() {
                return Some(chunk);
            }
            if state.ended {
                return None;
            }
            state = self.changed.wait(state).expect("the line");
        }
    }

    fn taken(&self, at: Instant, bytes: usize) {
        let mut state = self.state.lock().expect("the line");
        state.acknowledgements.push_back((at + self.half, bytes));
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state.lock().expect("the line").ended = true;
        self.changed.notify_all();
    }

    fn break_off(&self) {
        self.state.lock().expect("the line").broken = true;
        self.changed.notify_all();
    }
}

/// Puts onto the line what the client sends.
fn send(line: &Line, from: &mut TcpStream, opens: Instant) {
    thread::sleep(opens.saturating_duration_since(Instant::now()));
    let mut buffer = vec![0; LARGEST_CHUNK];
    while let Some(room) = line.room() {
        let most = room.min(buffer.len());
        let read = from.read(&mut buffer[..most]).unwrap_or(0);
        if read == 0 {
            return line.end();
        }
        line.put(buffer[..read].to_vec());
    }
    // The last answer may still be on its way.
    let _ = from.shutdown(Shutdown::Read);
}

/// Passes what arrives to the client.
fn receive(line: &Line, to: &mut TcpStream) {
    // When the client had taken everything so far. It is kept apart from the clock, so that a thread that wakes late
    // does not make the line slower.
    let mut taken = Instant::now();
    while let Some((at, bytes)) = line.next() {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        let started = Instant::now();
        let written = to.write_all(&bytes);
        taken = taken.max(at) + started.elapsed();
        line.taken(taken, bytes.len());
        if written.is_err() {
            line.break_off();
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
