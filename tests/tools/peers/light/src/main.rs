//! A registry that does as little as it can, behind a line as slow as the arguments say, so that clients are measured
//! and not servers. Also the floor, a client that does as little as it can. See `peers.py`.
//!
//!     light registry PORT [--images FOLDER] [--token | --basic] [--tls CERTIFICATE KEY]
//!         [--round-trip MILLISECONDS] [--to-client BYTES_A_SECOND] [--from-client BYTES_A_SECOND]
//!     light floor SOURCE_PORT TARGET_PORT AUTHORITY REPOSITORY DIGEST...

mod floor;
mod http;
mod line;
mod log;
mod registry;
mod store;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use line::Quality;
use registry::{Access, Registry, Road};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = |n: usize| arguments.get(n).and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let value = |name: &str, n: usize| arguments.iter().position(|argument| argument == name).map(|at| &arguments[at + n]);
    let number = |name: &str| value(name, 1).map(|number| number.parse::<u64>().expect("a number"));
    match arguments.first().map(String::as_str) {
        Some("registry") => {
            let folder = value("--images", 1).map(PathBuf::from);
            let access = match (flag("--token"), flag("--basic")) {
                (true, _) => Access::Token,
                (false, true) => Access::Password,
                (false, false) => Access::Open,
            };
            let tls = value("--tls", 1).zip(value("--tls", 2));
            let round_trip = Duration::from_millis(number("--round-trip").unwrap_or(0));
            let quality = Quality { round_trip, to_client: number("--to-client"), from_client: number("--from-client") };
            let tls = tls.map(|(certificate, key)| wire::server_config(Path::new(certificate), Path::new(key)));
            registry::listen(port(1), Registry::new(folder, access, tls.is_some()), &Road { tls, quality });
        }
        Some("floor") => floor::copy(port(1), port(2), Path::new(&arguments[3]), &arguments[4], &arguments[5..]),
        _ => panic!("light registry PORT ..., or light floor SOURCE_PORT TARGET_PORT AUTHORITY REPOSITORY DIGEST..."),
    }
}
