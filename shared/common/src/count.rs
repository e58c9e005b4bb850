//! Numbers of things, as people say them.

use std::fmt::Display;

/// A number with its noun: `1 task`, `7 tasks`.
pub fn count(number: impl TryInto<i128>, thing: &str) -> String {
    let number = number.try_into().unwrap_or(i128::MAX);
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{end}")
}

/// A count followed by its verb: `1 task runs`, `7 tasks run`.
pub fn counted(number: impl TryInto<i128>, thing: &str, one: impl Display, many: impl Display) -> String {
    let number = number.try_into().unwrap_or(i128::MAX);
    let what = count(number, thing);
    if number == 1 { format!("{what} {one}") } else { format!("{what} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one() {
        assert_eq!(
            (count(0_u32, "pull"), count(1_u32, "pull"), count(7_i64, "pull")),
            ("0 pulls".into(), "1 pull".into(), "7 pulls".into())
        );
        assert_eq!(
            (counted(1_u32, "task", "runs", "run"), counted(2_u32, "task", "runs", "run")),
            ("1 task runs".into(), "2 tasks run".into())
        );
    }
}
