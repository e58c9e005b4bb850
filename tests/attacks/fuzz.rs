//! Every fuzz target as a property: a bounded number of inputs, made from its seeds by the changes that attackers make.

#[path = "../../fuzz/src/targets.rs"]
#[expect(unreachable_pub, reason = "the fuzz programs use them from outside")]
mod targets;

use self::targets::TARGETS;

/// How many inputs each target gets.
const INPUTS: u64 = 400;

/// Pieces of text that parsers stumble over.
const PIECES: [&str; 24] = [
    "\0",
    "\u{1b}[2J",
    "\r\n",
    "://",
    "@",
    "..",
    "%2e",
    "::",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "${",
    "18446744073709551616",
    "-1",
    "\u{202e}",
    "é",
    "<<: *a",
    "&a ",
    "\n\n",
    "sha256:",
    "'",
];

struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most.max(1)
    }
}

fn spoil(seed: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            2 => drop((at < bytes.len()).then(|| bytes.remove(at))),
            3 => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte = u8::try_from(random.below(256)).unwrap_or_default()),
            4 => {
                let copy: Vec<u8> = bytes[at..].iter().copied().take(64).collect();
                bytes.splice(at..at, copy);
            }
            _ => {
                let (piece, times) = (PIECES[random.below(PIECES.len())], random.below(200));
                bytes.splice(at..at, piece.repeat(times).into_bytes());
            }
        }
    }
    bytes
}

#[test]
fn no_parser_breaks_its_promise() {
    for target in TARGETS {
        let mut random = Random(42);
        for number in 0..INPUTS {
            let seed = target.seeds[random.below(target.seeds.len())];
            let input = if number < target.seeds.len() as u64 {
                seed.as_bytes().to_vec()
            } else {
                spoil(seed, &mut random)
            };
            let shown = String::from_utf8_lossy(&input).into_owned();
            let outcome = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(outcome.is_ok(), "{}: {shown:?}", target.name);
        }
    }
}

#[test]
fn every_target_has_a_program() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let mut programs: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    programs.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    assert_eq!(programs, names);
}
