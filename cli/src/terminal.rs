//! What every command prints to a terminal in the same way.

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

/// A command's result, before it is printed.
#[cfg(any(feature = "report", feature = "verify"))]
pub(crate) struct CommandResult {
    /// The text for standard output.
    pub(crate) text: String,
    /// What could not be done, each in a sentence.
    pub(crate) faults: Vec<String>,
    /// The exit status: 0 or 1 if there is a text.
    pub(crate) code: u8,
}

#[cfg(any(feature = "report", feature = "verify"))]
impl CommandResult {
    /// A complete answer: exit status 0 if it is yes, 1 if it is no.
    #[cfg(feature = "verify")]
    pub(crate) fn whole(text: String, yes: bool) -> Self {
        Self { text, faults: Vec::new(), code: u8::from(!yes) }
    }

    /// No answer, with the reason.
    pub(crate) fn fault(message: impl Into<String>, code: u8) -> Self {
        Self { text: String::new(), faults: vec![message.into()], code }
    }

    /// Prints the result, and returns its exit status.
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

/// Prints an error, and returns this exit status.
pub(crate) fn stop(message: &str, code: u8) -> ExitCode {
    // The message can hold words of registries and files.
    eprintln!("error: {}", foreign::terminal(message));
    ExitCode::from(code)
}

/// Prints a result: exit status 0 if the answer is yes, 1 if it is no or incomplete.
#[cfg(feature = "aws")]
pub(crate) fn answer(text: &str, yes: bool) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // The reader of the output may have closed it, as `head` does.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => stop(&error.to_string(), 1),
        Ok(()) | Err(_) if yes => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::from(1),
    }
}
