//! The diagnosis against real stops: every labelled row, mutations of every row, and the document that shows the
//! result.

mod corpus;
mod document;
mod field;
mod further;
mod grammar;
mod labels;
mod left_out;
mod mutations;
mod names;
