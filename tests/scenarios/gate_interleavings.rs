//! One effective answer before the deadline, whatever the interleaving.
//!
//! The first test walks every interleaving of a request, its duplicate, a push (whose event may be lost), the sweeps, a
//! Delete and a process that dies. It goes step by step: what a function does between two points at which others can
//! see a change is one step. The decisions are the real ones (`Wait`, `verdict`, `WaitWindow`); the model's table
//! replaces a row only if its version is the one before. A state that was reached before is not walked again, but the
//! paths through it are counted. The histories run the real functions through random events.

mod histories;
mod model;

use std::collections::HashMap;

use self::model::{Model, at, fresh};

#[test]
fn every_interleaving_gives_one_answer_in_time() {
    assert!(fresh().patience.last_moment() == at(model::END - 2), "the margin is two ticks");
    let mut total = 0_u128;
    let mut states = 0;
    let walks = [
        ("a push, a duplicate and one death", true, false, 1),
        ("a push, a late Delete and one death", false, true, 1),
        ("a push, a duplicate and a late Delete", true, true, 0),
    ];
    for (what, duplicate, delete, deaths) in walks {
        let mut seen = HashMap::new();
        let ways = Model::new(duplicate, delete, deaths).walk(&mut seen);
        println!("{what}: {ways} interleavings through {} states", seen.len());
        total += ways;
        states += seen.len();
    }
    println!("{total} interleavings, {states} states: one answer each, in time");
    assert!(total > 1_000_000);
}
