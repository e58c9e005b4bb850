// Shared by `build.rs`, which makes the index, and `nearest.rs`, which searches it: both must cut a text in the same
// way.

/// The groups of four characters of a shaped text, each once, sorted.
fn grams(shaped: &str) -> Vec<u32> {
    let bytes = shaped.as_bytes();
    let mut all: Vec<u32> = bytes.windows(4).filter_map(|window| window.try_into().ok()).map(u32::from_le_bytes).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// How much a group weighs that this many messages have.
fn rarity(holders: usize) -> f32 {
    1.0 / (1.0 + holders as f32).ln().max(0.6)
}
