//! The values that loop variables have while a loop's body is read.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use hcl_edit::expr::Expression;

/// How many items the loops of one file may have together: nested loops multiply.
const ITEMS: usize = 2_000;

/// The current values of loop variables, and how many items may still be read.
pub(crate) struct LoopScope {
    pub(super) bound: RefCell<HashMap<String, (usize, Expression)>>,
    pub(super) left: Cell<usize>,
}

impl Default for LoopScope {
    fn default() -> Self {
        Self { bound: RefCell::default(), left: Cell::new(ITEMS) }
    }
}
