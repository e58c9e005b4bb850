//! `pullsafe diagnose`: why a task stopped or a build failed, from any of these: the message, a log, the output of the
//! AWS CLI, the task itself, or its event.

mod fetch;
mod input;
mod item;
mod output;
mod taken;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use self::input::InputLines;
use self::taken::{InputSource, source_of};
#[cfg(feature = "mcp")]
use crate::terminal::CommandResult;
use crate::terminal::{Output, stop};

/// Say why a task stopped or a build failed, with evidence and advice.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A message; a task's ARN or CLUSTER/SERVICE; or a file (`-` or nothing reads standard input) with a message, a
    /// log, the output of `aws ecs describe-tasks` or `describe-services`, an EventBridge event, or JSON Lines of
    /// {"id"?, "event", "logs"?: {"<container>": ["line", ...]}}
    #[arg(value_name = "WHAT")]
    what: Vec<String>,
    /// The message itself
    #[arg(long, value_name = "TEXT", conflicts_with = "what")]
    text: Option<String>,
    /// Show how the message was read, and why it means this cause and not the next
    #[arg(long)]
    explain: bool,
    /// For people, or one JSON object on each line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How many inputs could be read, and how many could not.
#[derive(Debug, Default, PartialEq, Eq)]
struct InputTally {
    read: usize,
    failed: usize,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let what = arguments.what.join(" ");
    let source = match &arguments.text {
        Some(text) => Ok(InputSource::Text(text.clone())),
        None => source_of(&what, |path| Path::new(path).exists()),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match source.and_then(|source| tell(source, arguments, &mut out, |fault| eprintln!("error: {fault}"))) {
        Ok(code) => ExitCode::from(code),
        Err(message) => stop(&message, 2),
    }
}

/// Diagnoses a text, a task or a service without reading a file or standard input. Returns the output instead of
/// printing it.
#[cfg(feature = "mcp")]
pub(crate) fn said(arguments: &Arguments) -> CommandResult {
    let what = arguments.what.join(" ");
    let source = match &arguments.text {
        Some(text) => Ok(InputSource::Text(text.clone())),
        None => source_of(&what, |_| false),
    };
    let (mut out, mut faults) = (Vec::new(), Vec::new());
    let told = match source {
        Ok(InputSource::Input | InputSource::File(_)) => Err("nothing to diagnose was given".to_owned()),
        Ok(source @ (InputSource::Text(_) | InputSource::Aws(_))) => {
            tell(source, arguments, &mut out, |fault| faults.push(fault.to_owned()))
        }
        Err(message) => Err(message),
    };
    match told {
        Ok(code) => CommandResult {
            text: String::from_utf8_lossy(&out).into_owned(),
            faults,
            code,
        },
        Err(message) => CommandResult::fault(message, 2),
    }
}

/// Writes the answers, and returns the exit status.
fn tell(
    source: InputSource,
    arguments: &Arguments,
    out: &mut impl Write,
    fault: impl FnMut(&str),
) -> Result<u8, String> {
    let (name, reader): (String, Box<dyn BufRead>) = match source {
        InputSource::Input => ("standard input".to_owned(), Box::new(io::stdin().lock())),
        InputSource::File(path) => match File::open(&path) {
            Ok(file) => (path, Box::new(BufReader::new(file))),
            Err(error) => return Err(format!("{path}: {error}")),
        },
        InputSource::Text(text) => ("the message".to_owned(), Box::new(io::Cursor::new(text.into_bytes()))),
        InputSource::Aws(asked) => match fetch::fetch(&asked) {
            Ok(json) => (asked.to_string(), Box::new(io::Cursor::new(json.into_bytes()))),
            Err(message) => return Err(format!("{asked}: {message}")),
        },
    };
    match diagnose_all(reader, &name, arguments, out, fault).and_then(|tally| out.flush().map(|()| tally)) {
        Ok(InputTally { read: 0, failed: 0 }) => Err(format!("{name}: there is no event, message or log in it")),
        Ok(InputTally { read: 0, .. }) => Ok(2),
        Ok(InputTally { failed, .. }) => Ok(u8::from(failed > 0)),
        // The reader of the output has closed it, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Diagnoses every input in order. A bad input is reported in its place, and the rest goes on.
fn diagnose_all(
    reader: Box<dyn BufRead>,
    name: &str,
    arguments: &Arguments,
    out: &mut impl Write,
    mut report: impl FnMut(&str),
) -> io::Result<InputTally> {
    let mut tally = InputTally::default();
    for item in InputLines::new(reader) {
        match item? {
            Ok(item) => {
                tally.read += 1;
                match arguments.output {
                    Output::Json => writeln!(out, "{}", output::json(&item))?,
                    Output::Text => {
                        out.write_all(output::text(&item, tally.read > 1).as_bytes())?;
                        if arguments.explain {
                            out.write_all(output::explanation(&item).as_bytes())?;
                        }
                    }
                }
            }
            Err(fault) => {
                tally.failed += 1;
                let message = format!("{name}:{}: {}", fault.line, fault.problem);
                // A script reads faults among the answers, a person on standard error.
                if arguments.output == Output::Json {
                    writeln!(out, "{}", output::json_error(fault.id.as_ref(), &message))?;
                }
                report(&message);
            }
        }
    }
    Ok(tally)
}
