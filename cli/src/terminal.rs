//! What every command says to a terminal in the same way.

#[cfg(feature = "aws")]
use std::io::{self, Write as _};
use std::process::ExitCode;

use pullsafe::foreign;

/// For whom the output is.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Ends with an error, and this exit status.
pub(crate) fn stop(message: &str, code: u8) -> ExitCode {
    // The words of registries and files are in it.
    eprintln!("error: {}", foreign::terminal(message));
    ExitCode::from(code)
}

/// Writes what was found out: 0 if the answer is yes, 1 if it is no or not whole.
#[cfg(feature = "aws")]
pub(crate) fn answer(text: &str, yes: bool) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever read the output has had enough, such as `head`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => stop(&error.to_string(), 1),
        Ok(()) | Err(_) if yes => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::from(1),
    }
}
