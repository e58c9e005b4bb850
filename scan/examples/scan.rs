//! A scan without the command line: `cargo figures scan` measures it, because all of `pullsafe` takes long to build.

use std::path::PathBuf;
use std::process::ExitCode;

use pullsafe_find::walk::{Options, scan};
use pullsafe_scan::report::json;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(threads), Some(path)) = (arguments.next().and_then(|count| count.parse().ok()), arguments.next()) else {
        eprintln!("usage: scan THREADS PATH");
        return ExitCode::from(2);
    };
    match scan(&[PathBuf::from(path)], Options { threads, ..Options::default() }) {
        Ok(scanned) => {
            print!("{}", json(&scanned));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
