//! The syntaxes in which files name images, read so that every byte keeps the place where it was written.
//!
//! A value is seldom in one piece: a variable's default, a quoted scalar, a word of a shell command. Everything here
//! takes and gives [`traced::Traced`] text, so that what comes out of a parser can be traced to the bytes that somebody
//! typed, in whichever file. Nothing here knows a file format, reads a file or asks for the time.

#![warn(missing_docs)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod embedded;
pub mod instruction;
pub mod lines;
pub mod reference;
pub mod shell;
pub mod source;
pub mod template;
pub mod traced;
pub mod variables;
pub mod yaml;

mod yaml_indent;
