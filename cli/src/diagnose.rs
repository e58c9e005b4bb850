//! `pullsafe diagnose`: why a task stopped or a build failed, from its event and its log.

mod input;
mod output;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::diagnose::input::Lines;
use crate::terminal::{Output, stop};

/// Say why a task stopped or a build failed, with evidence and advice.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An EventBridge event, or JSON Lines of {"id"?, "event", "logs"?: {"<container>": ["line", ...]}}; `-` or nothing reads standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// For people, or one JSON object on each line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How many inputs could be read, and how many not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    read: usize,
    failed: usize,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let path = arguments.file.as_ref().filter(|path| path.as_os_str() != "-");
    let name = path.map_or("standard input".to_owned(), |path| path.display().to_string());
    let reader: Box<dyn BufRead> = match path {
        None => Box::new(io::stdin().lock()),
        Some(path) => match File::open(path) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => return stop(&format!("{name}: {error}"), 2),
        },
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match diagnose_all(reader, &name, arguments.output, &mut out).and_then(|tally| out.flush().map(|()| tally)) {
        Ok(Tally { read: 0, failed: 0 }) => stop(&format!("{name}: there is no event in it"), 2),
        Ok(Tally { read: 0, .. }) => ExitCode::from(2),
        Ok(Tally { failed: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        // Whoever read the output has had enough, such as `head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => stop(&format!("{name}: {error}"), 2),
    }
}

/// Diagnoses every input in order. A bad one is reported in its place, and the rest goes on.
fn diagnose_all(reader: Box<dyn BufRead>, name: &str, output: Output, out: &mut impl Write) -> io::Result<Tally> {
    let mut tally = Tally::default();
    for item in Lines::new(reader) {
        match item? {
            Ok(item) => {
                tally.read += 1;
                match output {
                    Output::Json => writeln!(out, "{}", output::json(&item))?,
                    Output::Text => out.write_all(output::text(&item, tally.read > 1).as_bytes())?,
                }
            }
            Err(fault) => {
                tally.failed += 1;
                let message = format!("{name}:{}: {}", fault.line, fault.problem);
                // A script reads the faults where the answers are, a person on the other stream.
                if output == Output::Json {
                    writeln!(out, "{}", output::json_error(fault.id.as_ref(), &message))?;
                }
                eprintln!("error: {message}");
            }
        }
    }
    Ok(tally)
}
