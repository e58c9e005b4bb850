//! Parsers for the syntaxes in which files name images. Every byte keeps the place where it was written.
//!
//! A value is often put together from pieces: a variable's default, a quoted scalar, a word of a shell command.
//! Everything here takes and returns [`traced::Traced`] text, so that a parser's result can be traced to the bytes that
//! somebody typed, in whichever file. Nothing here knows a file format, reads a file or a clock.

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
