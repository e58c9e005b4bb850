//! The crash matrix: every call that a cure makes fails in every way, or is the last act of its process; the event comes again; and
//! the end is the same as without the fault.
