//! The cases as scenarios, and what must hold whatever happens.

mod case_a;
