//! A line with a delay: every byte is held for half a round trip in each direction, and each connection has in each direction a
//! window in flight that grows as TCP's does, from 15 kB to 2.8 MB: one stream over 20 ms carries 139 MB/s.

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
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// When what was sent is acknowledged, and how much it is.
    unacknowledged: VecDeque<(Instant, usize)>,
    in_flight: usize,
    window: usize,
    ended: bool,
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
                thread::spawn(move || receiver(&writing, &mut to));
            }
        });
    }
}

fn sender(line: &Line, from: &mut TcpStream, opens: Instant, round_trip: Duration) {
    thread::sleep(opens.saturating_duration_since(Instant::now()));
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let room = {
            let mut state = line.state.lock().expect("the line");
            if state.window == 0 {
                state.window = FIRST_WINDOW;
            }
            loop {
                let now = Instant::now();
                while let Some((at, bytes)) = state.unacknowledged.front().copied().filter(|(at, _)| *at <= now) {
                    let _ = at;
                    state.unacknowledged.pop_front();
                    state.in_flight -= bytes;
                    state.window = (state.window + bytes).min(LARGEST_WINDOW);
                }
                if state.in_flight < state.window {
                    break state.window - state.in_flight;
                }
                let wait = state.unacknowledged.front().map_or(Duration::ZERO, |(at, _)| at.saturating_duration_since(now));
                drop(state);
                thread::sleep(wait);
                state = line.state.lock().expect("the line");
            }
        };
        let most = room.min(buffer.len());
        let read = from.read(&mut buffer[..most]).unwrap_or(0);
        let mut state = line.state.lock().expect("the line");
        if read == 0 {
            state.ended = true;
            line.changed.notify_all();
            return;
        }
        let now = Instant::now();
        state.chunks.push_back((now + round_trip / 2, buffer[..read].to_vec()));
        state.unacknowledged.push_back((now + round_trip, read));
        state.in_flight += read;
        line.changed.notify_all();
    }
}

fn receiver(line: &Line, to: &mut TcpStream) {
    loop {
        let chunk = {
            let mut state = line.state.lock().expect("the line");
            loop {
                if let Some(chunk) = state.chunks.pop_front() {
                    break Some(chunk);
                }
                if state.ended {
                    break None;
                }
                state = line.changed.wait(state).expect("the line");
            }
        };
        let Some((at, bytes)) = chunk else {
            let _ = to.shutdown(Shutdown::Write);
            return;
        };
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
