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

/// What a command has found out, before it is written anywhere.
#[cfg(any(feature = "report", feature = "verify"))]
pub(crate) struct CommandResult {
    /// For standard output.
    pub(crate) text: String,
    /// What could not be done, each in a sentence.
    pub(crate) faults: Vec<String>,
    /// The exit status: 0 or 1 where there is a text.
    pub(crate) code: u8,
}

#[cfg(any(feature = "report", feature = "verify"))]
impl CommandResult {
    /// The whole answer: 0 if it is yes, 1 if it is no.
    #[cfg(feature = "verify")]
    pub(crate) fn whole(text: String, yes: bool) -> Self {
        Self { text, faults: Vec::new(), code: u8::from(!yes) }
    }

    /// No answer, and why.
    pub(crate) fn fault(message: impl Into<String>, code: u8) -> Self {
        Self { text: String::new(), faults: vec![message.into()], code }
    }

    /// Writes it, and ends with its exit status.
    pub(crate) fn end(&self) -> ExitCode {
        for fault in &self.faults {
            stop(fault, self.code);
        }
        if self.text.is_empty() {
            ExitCode::from(self.code)
        } else {
            answer(&self.text, self.code == 0)
        }
    }
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
