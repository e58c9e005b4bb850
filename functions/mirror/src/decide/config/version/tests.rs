use super::*;

fn holds(range: &str, tag: &str) -> bool {
    Range::parse(range).unwrap().holds(&Version::of_tag(tag).unwrap())
}

#[test]
fn a_tag_is_a_version_and_a_variant() {
    for (tag, expected) in [
        ("3.11-slim", Some((vec![3, 11], false, "slim"))),
        ("22.1.0-alpine3.20", Some((vec![22, 1, 0], false, "alpine3.20"))),
        ("v1.0.1", Some((vec![1, 0, 1], false, ""))),
        ("16-3.4", Some((vec![16], false, "3.4"))),
        ("17-jdk-slim", Some((vec![17], false, "jdk-slim"))),
        ("3.14.0rc1-slim", Some((vec![3, 14, 0], true, "slim"))),
        ("8.0-beta.2-alpine", Some((vec![8, 0], true, "alpine"))),
        ("1.27.0-rc1", Some((vec![1, 27, 0], true, ""))),
        ("3.13.0a1", Some((vec![3, 13, 0], true, ""))),
        ("8.0.36-debian", Some((vec![8, 0, 36], false, "debian"))),
        ("latest", None),
        ("bookworm-slim", None),
        ("18b", None),
        ("99999999999999999999", None),
    ] {
        let found = Version::of_tag(tag);
        let found = found.as_ref().map(|version| (version.parts.clone(), version.is_prerelease(), version.variant()));
        assert_eq!(found, expected, "{tag}");
    }
}

#[test]
fn ranges_hold_what_their_readers_expect() {
    for (range, inside, outside) in [
        (">=20 <23", vec!["20-alpine", "22.99.1", "21"], vec!["19.9", "23", "23.0.0", "23.0.0-rc1"]),
        (">= 20, < 23", vec!["20"], vec!["23"]),
        ("^3.11", vec!["3.11-slim", "3.99.0"], vec!["3.10", "4.0", "3", "4.0.0rc1"]),
        ("^0.3", vec!["0.3.9"], vec!["0.4.0"]),
        ("~1.2", vec!["1.2", "1.2.9-x"], vec!["1.3", "1.1"]),
        ("~1", vec!["1.9"], vec!["2"]),
        ("~1.2.3", vec!["1.2.3", "1.2.9"], vec!["1.2.2", "1.3"]),
        ("1.2.x", vec!["1.2", "1.2.7-alpine"], vec!["1.3", "1.1.9"]),
        ("1.x", vec!["1.2", "1"], vec!["2"]),
        ("*", vec!["0", "99.1"], vec!["1.0-rc1"]),
        ("1.2.3", vec!["1.2.3", "1.2.3-slim"], vec!["1.2.4"]),
        ("=1.2", vec!["1.2", "1.2.9"], vec!["1.3"]),
        ("<=1.2", vec!["1.2.9", "1"], vec!["1.3"]),
        (">1.2", vec!["1.3", "2"], vec!["1.2.9", "1.2"]),
        ("1.2 - 1.4", vec!["1.2", "1.4.9"], vec!["1.5", "1.1"]),
        ("18 || >=22 <23", vec!["18.1", "22"], vec!["20", "23"]),
        (">=1.0.0-rc1", vec!["1.0.0-rc2", "1.0.0", "1.1"], vec!["1.0.0-beta1", "1.1.0-rc1"]),
    ] {
        for tag in inside {
            assert!(holds(range, tag), "{range} holds {tag}");
        }
        for tag in outside {
            assert!(!holds(range, tag), "{range} does not hold {tag}");
        }
    }
}

#[test]
fn a_bad_range_says_what_is_bad() {
    for (range, why) in [
        ("", "empty"),
        (">=20 ||", "a side of `||` is empty"),
        (">>20", "`>>` is no comparison"),
        ("latest", "`latest` is no version"),
        ("3.11-slim", "chosen by `include`"),
        (">=", "`` is no version"),
    ] {
        assert!(Range::parse(range).unwrap_err().contains(why), "{range}: {:?}", Range::parse(range));
    }
}

#[test]
fn newer_is_newer() {
    let order = [
        "3.9",
        "3.14.0a2",
        "3.14.0rc1",
        "3.14",
        "3.14.0",
        "3.14.0-alpine3.9",
        "3.14.0-alpine3.20",
        "22",
        "22.1",
    ];
    for (older, newer) in order.iter().zip(&order[1..]) {
        let (older, newer) = (Version::of_tag(older).unwrap(), Version::of_tag(newer).unwrap());
        assert_eq!(older.compare(&newer), Ordering::Less, "{older:?} {newer:?}");
    }
}
