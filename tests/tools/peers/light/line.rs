//! A line with a delay: every byte is held for half a round trip in each direction, and each connection has in each direction a
//! window in flight that grows as TCP's does, from 15 kB to 2.8 MB: one stream over 20 ms carries 139 MB/s. What the other end
//! does not take stays in flight, so a client that reads slowly slows its source.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const FIRST_WINDOW: usize = 15_000;
const LARGEST_WINDOW: usize = 2_800_000;

/// Everything that one direction of a connection has on its way.
#[derive(Default)]
struct Line {
    state: Mutex<LineState>,
    changed: Condvar,
}

#[derive(Default)]
struct LineState {
    /// What is on its way, and when it arrives.
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// When the sender hears that something has been taken, and how much it is.
    acknowledgements: VecDeque<(Instant, usize)>,
    in_flight: usize,
    window: usize,
    ended: bool,
    /// Nobody takes it any more.
    broken: bool,
}

pub fn listen(port: u16, to: u16, millis: u64) {
    let round_trip = Duration::from_millis(millis);
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    for client in listener.incoming().flatten() {
        thread::spawn(move || {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
            let opened = Instant::now();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let _ = from.set_nodelay(true);
                let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
                let line = Arc::new(Line::default());
                let writing = Arc::clone(&line);
                // A connection takes a round trip to open, before which nothing goes.
                thread::spawn(move || sender(&line, &mut from, opened + round_trip, round_trip));
                thread::spawn(move || receiver(&writing, &mut to, round_trip));
            }
        });
    }
}

fn sender(line: &Line, from: &mut TcpStream, opens: Instant, round_trip: Duration) {
    thread::sleep(opens.saturating_duration_since(Instant::now()));
    let mut buffer = vec![0; 128 * 1024];
    while let Some(room) = room(line) {
        let most = room.min(buffer.len());
        let read = from.read(&mut buffer[..most]).unwrap_or(0);
        let mut state = line.state.lock().expect("the line");
        if read == 0 {
            state.ended = true;
            line.changed.notify_all();
            return;
        }
        state.chunks.push_back((Instant::now() + round_trip / 2, buffer[..read].to_vec()));
        state.in_flight += read;
        line.changed.notify_all();
    }
    let _ = from.shutdown(Shutdown::Both);
}

/// Waits until the window has room, and tells how much; `None` where nobody takes anything any more.
fn room(line: &Line) -> Option<usize> {
    let mut state = line.state.lock().expect("the line");
    state.window = state.window.max(FIRST_WINDOW);
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
            Some(wait) => line.changed.wait_timeout(state, wait).expect("the line").0,
            None => line.changed.wait(state).expect("the line"),
        };
    }
}

fn receiver(line: &Line, to: &mut TcpStream, round_trip: Duration) {
    // When the one at this end had taken everything so far. A thread that wakes late does not make the line slower.
    let mut taken = Instant::now();
    while let Some((at, bytes)) = next(line) {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        let started = Instant::now();
        let written = to.write_all(&bytes);
        taken = taken.max(at) + started.elapsed();
        let mut state = line.state.lock().expect("the line");
        state.acknowledgements.push_back((taken + round_trip / 2, bytes.len()));
        state.broken = written.is_err();
        line.changed.notify_all();
        if state.broken {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn next(line: &Line) -> Option<(Instant, Vec<u8>)> {
    let mut state = line.state.lock().expect("the line");
    loop {
        if let Some(chunk) = state.chunks.pop_front() {
            return Some(chunk);
        }
        if state.ended {
            return None;
        }
        state = line.changed.wait(state).expect("the line");
    }
}
