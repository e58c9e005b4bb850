//! Which tags of a repository look like the one that is missing: a typo, a forgotten prefix, the build before.

/// How many similar tags are returned.
const SHOWN: usize = 3;
/// Tags longer than this are not compared.
const LONGEST: usize = 128;

/// Returns the tags that are most like the wanted one, the most similar first. Equally similar ones keep the order of
/// `tags`, which can be any.
pub fn similar<'a>(wanted: &str, tags: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<(usize, &str)> = tags
        .into_iter()
        .filter(|tag| *tag != wanted)
        .filter_map(|tag| Some((distance(wanted, tag)?, tag)))
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, tag)| tag).take(SHOWN).collect()
}

/// How far apart two tags are; `None` if nobody would take one for the other.
fn distance(wanted: &str, tag: &str) -> Option<usize> {
    if wanted.len() > LONGEST || tag.len() > LONGEST {
        return None;
    }
    let (a, b) = (wanted.to_ascii_lowercase(), tag.to_ascii_lowercase());
    // `v1.4.3` for `1.4.3`, `main-1a2b3c` for `1a2b3c`, a short commit for a long one.
    if a.len().min(b.len()) >= 3 && (a.contains(&b) || b.contains(&a)) {
        return Some(1);
    }
    let edits = edits(a.as_bytes(), b.as_bytes());
    let shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let (near, begins_alike) = (edits <= (a.len() / 4).max(1), shared * 2 >= a.len().max(4));
    (near || begins_alike).then_some(edits + 1)
}

/// The Levenshtein distance, computed in one row of its table.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_may_have_meant_comes_first() {
        for (wanted, tags, expected) in [
            ("1.4.3", vec!["1.4.2", "2.0.0", "v1.4.3", "1.4.30", "latest"], vec!["v1.4.3", "1.4.30", "1.4.2"]),
            ("9f1c2d7e", vec!["9f1c2d7", "0a0b0c0d", "9f1c2d7f"], vec!["9f1c2d7", "9f1c2d7f"]),
            ("release-2026-01-15", vec!["release-2026-01-14", "latest"], vec!["release-2026-01-14"]),
            ("Main", vec!["main", "prod"], vec!["main"]),
            ("latest", vec!["stable", "1", ""], vec![]),
            ("1.4.3", vec!["1.4.3"], vec![]),
        ] {
            assert_eq!(similar(wanted, tags), expected, "{wanted}");
        }
        assert_eq!((edits(b"kitten", b"sitting"), edits(b"", b"ab"), edits(b"ab", b"")), (3, 2, 2));
    }
}
