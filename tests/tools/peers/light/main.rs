//! A registry that does as little as it can, and a line that is as slow as it is told: for measuring clients and not servers.
//!
//! Needs nothing but the standard library (`rustc -O main.rs`), see `peers.py`.
//!
//!     light registry PORT [--images FOLDER] [--token | --basic]
//!     light delay PORT TO_PORT MILLISECONDS

mod http;
mod line;
mod log;
mod registry;
mod sha256;
mod store;

use std::path::PathBuf;

use registry::{Access, Registry};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = |n: usize| arguments.get(n).and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    match arguments.first().map(String::as_str) {
        Some("registry") => {
            let folder = arguments.iter().position(|argument| argument == "--images").map(|at| PathBuf::from(&arguments[at + 1]));
            let access = match (flag("--token"), flag("--basic")) {
                (true, _) => Access::Token,
                (false, true) => Access::Password,
                (false, false) => Access::Open,
            };
            registry::listen(port(1), Registry::new(folder, access));
        }
        Some("delay") => line::listen(port(1), port(2), arguments[3].parse().expect("milliseconds")),
        _ => panic!("light registry PORT [--images FOLDER] [--token | --basic], or light delay PORT TO_PORT MILLISECONDS"),
    }
}
