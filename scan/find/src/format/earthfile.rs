//! Earthfiles: `FROM`, `WITH DOCKER --pull` and `DOCKER PULL`, with the `ARG`s of the file and of each target.

use std::collections::HashMap;

use pullsafe_syntax::instruction::{parse, unquoted, word_ranges};
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::variables::{Dialect, expand};

use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::{BuiltFor, PlaceKind};
use crate::format::commands::Commands;

pub(super) const FORMAT: Format = Format {
    name: "Earthfile",
    finds: "`FROM` that names no target, `WITH DOCKER --pull`, commands of `RUN`, with the defaults of `ARG`",
    known_by: "`Earthfile`, `*.earth`",
    order: "beside the Dockerfile, whose instructions it has",
    named: |name| name.file.starts_with("earthfile") && !name.is_other() || name.has_extension(&["earth"]),
    marks: &[],
    read: ReadAs::Text { begins: never, scan },
};

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let mut base: HashMap<String, Traced> = HashMap::new();
    let mut own: HashMap<String, Traced> = HashMap::new();
    let mut in_target = false;
    let mut commands = Commands::default();
    for instruction in parse(text).instructions {
        let words: Vec<Traced> = word_ranges(instruction.arguments.as_str())
            .into_iter()
            .map(|(start, end)| unquoted(&instruction.arguments.slice(start..end)))
            .collect();
        let fill =
            |text: &Traced| expand(text, Dialect::Docker, &|name| own.get(name).or_else(|| base.get(name)).cloned());
        let named = words.iter().find(|word| !word.as_str().starts_with("--"));
        match instruction.keyword.as_str() {
            "ARG" | "LET" | "SET" => {
                let Some(assigned) = words.iter().find(|word| !word.as_str().starts_with("--")) else {
                    continue;
                };
                let name = assigned.as_str().split('=').next().unwrap_or_default().trim().to_owned();
                let after = instruction.arguments.as_str().find('=').map(|equals| equals + 1);
                if let Some(after) = after {
                    let value = instruction.arguments.slice(after..instruction.arguments.as_str().len()).trimmed();
                    let value = fill(&unquoted(&value));
                    if in_target { &mut own } else { &mut base }.insert(name, value);
                }
            }
            "FROM" => image(named, &fill, analysis),
            "WITH" | "DOCKER" => {
                for (index, word) in words.iter().enumerate() {
                    match word.as_str() {
                        "--pull" => image(words.get(index + 1), &fill, analysis),
                        "PULL" => image(words.get(index + 1), &fill, analysis),
                        // `--load name=+target` gives what is built a name.
                        "--load" => {
                            let loaded =
                                words.get(index + 1).and_then(|word| Some(word.slice(0..word.as_str().find('=')?)));
                            if let Some(name) = loaded {
                                commands.made(&fill(&name));
                            }
                        }
                        text if text.starts_with("--pull=") => {
                            image(Some(&word.slice("--pull=".len()..text.len())), &fill, analysis);
                        }
                        _ => {}
                    }
                }
            }
            "RUN" => {
                commands.job(
                    base.iter().chain(&own).map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>(),
                );
                let options: usize = words.iter().take_while(|word| word.as_str().starts_with("--")).count();
                let start = word_ranges(instruction.arguments.as_str()).get(options).map_or(0, |(start, _)| *start);
                commands.run(&instruction.arguments.slice(start..instruction.arguments.as_str().len()));
            }
            "SAVE" => {
                for word in words.iter().skip(1).filter(|word| !word.as_str().starts_with("--")) {
                    analysis.built(&fill(word), BuiltFor::Locally);
                }
            }
            // `name:` begins a target.
            keyword if keyword.ends_with(':') => {
                in_target = true;
                own.clear();
            }
            _ => {}
        }
    }
    commands.finish_as(PlaceKind::Earthfile, analysis);
}

/// An image, where it is not a target of this file or another: `+build`, `./lib+base`.
fn image(word: Option<&Traced>, fill: &dyn Fn(&Traced) -> Traced, analysis: &mut Analysis<'_>) {
    let Some(written) = word else { return };
    let value = fill(written);
    if !value.as_str().contains('+') && !matches!(value.as_str(), "" | "scratch" | "DOCKERFILE") {
        analysis.found(PlaceKind::Earthfile, written, &value, Otherwise::Ignore);
    }
}
