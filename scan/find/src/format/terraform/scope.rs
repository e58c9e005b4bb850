//! The values that the variables of loops have while a loop's body is looked at.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use hcl_edit::expr::Expression;

/// How many items the loops of one file may have, so that loops in loops end.
const ITEMS: usize = 2_000;

/// The values that loop variables have at the moment.
pub(crate) struct LoopScope {
    pub(super) bound: RefCell<HashMap<String, (usize, Expression)>>,
    pub(super) left: Cell<usize>,
}

impl Default for LoopScope {
    fn default() -> Self {
        Self { bound: RefCell::default(), left: Cell::new(ITEMS) }
    }
}
