//! What a Dockerfile pulls.
//!
//! `FROM` (with global `ARG`s and their defaults in it), `COPY --from=` and `RUN --mount=...,from=` where they name no
//! stage, and the frontend of `# syntax=`. `FROM scratch` and earlier stages pull nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pullsafe_syntax::instruction::{Instruction, parse, unquoted, word_ranges};
use pullsafe_syntax::traced::{HOLE, Traced, Unknown};
use pullsafe_syntax::variables::{Dialect, expand};

use crate::analysis::{Analysis, Otherwise, beside};
use crate::finding::PlaceKind;
use crate::nearby::Made;

/// Values from outside: a compose file's `build.args`, and the names of its `additional_contexts`.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) arguments: HashMap<String, Traced>,
    pub(crate) contexts: Vec<String>,
}

/// Among how many stages one of an unknown name is looked for.
const STAGES: usize = 500;

const PLATFORM_ARGUMENTS: [&str; 8] = [
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Records what the Dockerfile pulls.
pub(crate) fn scan(text: &Traced, outside: &Outside, analysis: &mut Analysis<'_>) {
    let parsed = parse(text);
    for (offset, delimiter) in &parsed.unterminated {
        analysis.problem(text, *offset, format!("the heredoc `{delimiter}` has no end"));
    }
    if let Some(syntax) = &parsed.syntax {
        analysis.found(PlaceKind::DockerfileSyntax, syntax, syntax, Otherwise::Report);
    }
    let mut build = StageReader {
        outside,
        global: HashMap::new(),
        stage: HashMap::new(),
        stages: HashSet::new(),
        in_stage: false,
    };
    let names: HashSet<String> = parsed.instructions.iter().filter_map(stage_name).collect();
    for instruction in &parsed.instructions {
        match instruction.keyword.as_str() {
            "ARG" => build.argument(&instruction.arguments),
            "FROM" => build.from(text, instruction, analysis),
            "COPY" => build.copy(instruction, &names, analysis),
            "RUN" => build.run(instruction, &names, analysis),
            keyword if KEYWORDS.contains(&keyword) || keyword.contains(HOLE) || keyword.starts_with("{%") => {}
            keyword => {
                let keyword: String = keyword.chars().take(40).collect();
                analysis.problem(text, instruction.offset, format!("`{keyword}` is not a Dockerfile instruction"));
            }
        }
    }
    if !build.in_stage {
        analysis.problem(text, 0, "a Dockerfile without `FROM`");
    }
}

/// Whether a Dockerfile names an image by a bare word, which may be a context that its build is given.
pub(crate) fn names_a_word(text: &Traced) -> bool {
    let bare = |word: &str| !word.is_empty() && !word.contains(['/', ':', '@', '$', '.']);
    parse(text).instructions.iter().any(|instruction| {
        let line = instruction.arguments.as_str();
        match instruction.keyword.as_str() {
            "FROM" => word_ranges(line)
                .into_iter()
                .map(|(start, end)| &line[start..end])
                .find(|word| !word.starts_with("--"))
                .is_some_and(bare),
            "COPY" | "RUN" => line
                .split("from=")
                .skip(1)
                .any(|rest| bare(rest.split([' ', '\t', ',']).next().unwrap_or_default())),
            _ => false,
        }
    })
}

/// The instructions of a Dockerfile that decide its bases: `ARG` and `FROM`.
pub(crate) struct BaseInstructions(Vec<Instruction>);

impl BaseInstructions {
    pub(crate) fn of(text: Traced) -> Self {
        let mut instructions = parse(&text).instructions;
        instructions.retain(|instruction| matches!(instruction.keyword.as_str(), "ARG" | "FROM"));
        Self(instructions)
    }
}

/// The Dockerfile that `relative` names, seen from the scanned file's directory.
pub(crate) fn named(relative: &str, analysis: &mut Analysis<'_>) -> Option<Arc<Made<BaseInstructions>>> {
    let path = beside(analysis.path(), relative)?;
    analysis.made_of(&path, BaseInstructions::of)
}

/// Records what a neighbour's `FROM` lines pull because of arguments from outside; the rest is found in the Dockerfile
/// itself.
pub(crate) fn scan_arguments(
    dockerfile: &Made<BaseInstructions>,
    outside: &Outside,
    place: PlaceKind,
    analysis: &mut Analysis<'_>,
) {
    let mut build = StageReader {
        outside,
        global: HashMap::new(),
        stage: HashMap::new(),
        stages: HashSet::new(),
        in_stage: false,
    };
    for instruction in &dockerfile.value.0 {
        match instruction.keyword.as_str() {
            "ARG" if !build.in_stage => build.argument(&instruction.arguments),
            "FROM" => {
                if let Some((_, image)) = build.base(instruction)
                    && let Some(origin) = image.origin(0)
                    && origin.source != dockerfile.block.first
                {
                    analysis.found(place, &image, &image, Otherwise::Ignore);
                }
                build.enter(instruction);
            }
            _ => {}
        }
    }
}

/// Whether a text of unknown name is a Dockerfile: it begins as only a Dockerfile does, and has a `FROM`.
pub(crate) fn looks_like(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let first = lines.by_ref().find(|line| !line.is_empty() && (!line.starts_with('#') || is_syntax(line)));
    let word = |line: &str, keyword: &str| {
        line.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword))
            && line[keyword.len()..].starts_with([' ', '\t'])
    };
    let from = |line: &str| {
        // Small letters begin many a text: a file that has neither name nor capitals is none.
        line.starts_with("FROM") && word(line, "FROM") && {
            let mut words = line.split_whitespace().skip(1).skip_while(|word| word.starts_with("--"));
            let image = words.next().is_some_and(|image| {
                image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/:@._-${}+?\"'".contains(&byte))
            });
            image && words.next().is_none_or(|next| next.eq_ignore_ascii_case("as"))
        }
    };
    match first {
        Some(line) if is_syntax(line) => lines.take(400).any(from),
        Some(line) if word(line, "ARG") => lines.take(400).any(from),
        Some(line) => from(line) && !line.ends_with([';', ',']),
        None => false,
    }
}

fn is_syntax(line: &str) -> bool {
    let directive: String = line.chars().filter(|character| !character.is_whitespace()).take(8).collect();
    directive.eq_ignore_ascii_case("#syntax=")
}

fn stage_name(instruction: &Instruction) -> Option<String> {
    let text = instruction.arguments.as_str();
    let words = word_ranges(text);
    let [.., keyword, name] = words.as_slice() else {
        return None;
    };
    let named = instruction.keyword == "FROM" && text[keyword.0..keyword.1].eq_ignore_ascii_case("as");
    named.then(|| text[name.0..name.1].to_lowercase())
}

struct StageReader<'a> {
    outside: &'a Outside,
    /// `ARG`s before the first `FROM`. `None` has no default.
    global: HashMap<String, Option<Traced>>,
    /// `ARG`s of the stage at hand.
    stage: HashMap<String, Option<Traced>>,
    /// Names of the stages so far.
    stages: HashSet<String>,
    /// Whether there has been a `FROM`.
    in_stage: bool,
}

impl StageReader<'_> {
    fn argument(&mut self, arguments: &Traced) {
        for (start, end) in word_ranges(arguments.as_str()) {
            let word = arguments.slice(start..end);
            let (name, default) = match word.as_str().find('=') {
                Some(equals) => {
                    let value = unquoted(&word.slice(equals + 1..word.as_str().len()));
                    let value = if !self.in_stage {
                        self.expand_global(&value)
                    } else {
                        self.expand_stage(&value)
                    };
                    (word.as_str()[..equals].to_owned(), Some(value))
                }
                None => (word.as_str().to_owned(), None),
            };
            let value = self.outside.arguments.get(&name).cloned().or(default);
            if !self.in_stage {
                self.global.insert(name, value);
            } else {
                let value = value.or_else(|| self.global.get(&name).cloned().flatten());
                self.stage.insert(name, value);
            }
        }
    }

    fn expand_global(&self, text: &Traced) -> Traced {
        expand(text, Dialect::Docker, &|name| self.global.get(name).cloned().flatten().or_else(|| platform(name)))
    }

    fn expand_stage(&self, text: &Traced) -> Traced {
        expand(text, Dialect::Docker, &|name| self.stage.get(name).cloned().flatten().or_else(|| platform(name)))
    }

    fn from(&mut self, text: &Traced, instruction: &Instruction, analysis: &mut Analysis<'_>) {
        if word_ranges(instruction.arguments.as_str()).is_empty() {
            analysis.problem(text, instruction.offset, "`FROM` names no image");
        }
        if let Some((written, image)) = self.base(instruction) {
            analysis.found(PlaceKind::DockerfileFrom, &written, &image, Otherwise::Report);
        }
        self.enter(instruction);
    }

    fn enter(&mut self, instruction: &Instruction) {
        self.in_stage = true;
        self.stages.extend(stage_name(instruction));
        self.stage.clear();
    }

    /// The image that a `FROM` pulls, as written and with values in; `None` for a stage, a context and `scratch`.
    fn base(&self, instruction: &Instruction) -> Option<(Traced, Traced)> {
        let line = instruction.arguments.as_str();
        let (start, end) = word_ranges(line).into_iter().find(|&(start, end)| !line[start..end].starts_with("--"))?;
        let written = unquoted(&instruction.arguments.slice(start..end));
        let image = self.expand_global(&written);
        let pulls = image.as_str() != "scratch" && !self.is_stage(&image) && !self.is_context(&image);
        pulls.then_some((written, image))
    }

    fn copy(&self, instruction: &Instruction, names: &HashSet<String>, analysis: &mut Analysis<'_>) {
        for flag in flags(&instruction.arguments) {
            if flag.as_str().get(..7).is_some_and(|name| name.eq_ignore_ascii_case("--from=")) {
                let written = unquoted(&flag.slice(7..flag.as_str().len()));
                self.other_image(PlaceKind::DockerfileCopyFrom, &written, names, analysis);
            }
        }
    }

    fn run(&self, instruction: &Instruction, names: &HashSet<String>, analysis: &mut Analysis<'_>) {
        for flag in flags(&instruction.arguments) {
            let Some(options) = flag.as_str().strip_prefix("--mount=") else {
                continue;
            };
            let mut start = "--mount=".len();
            for option in options.split(',') {
                let option_start = start;
                start += option.len() + 1;
                let bare = option.trim_start_matches(['"', '\'']);
                if bare.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("from=")) {
                    let skipped = option.len() - bare.len() + 5;
                    let written = unquoted(&flag.slice(option_start + skipped..option_start + option.len()));
                    self.other_image(PlaceKind::DockerfileMount, &written, names, analysis);
                }
            }
        }
    }

    /// An image that another instruction than `FROM` names, unless it is a stage, by name or by number.
    fn other_image(&self, place: PlaceKind, written: &Traced, names: &HashSet<String>, analysis: &mut Analysis<'_>) {
        let image = self.expand_stage(written);
        let text = image.as_str();
        let is_stage = text.parse::<usize>().is_ok() || names.contains(&text.to_lowercase());
        if text.is_empty() || text == "scratch" || is_stage || self.is_context(&image) {
            return;
        }
        analysis.found(place, written, &image, Otherwise::Report);
    }

    fn is_context(&self, image: &Traced) -> bool {
        self.outside.contexts.iter().any(|name| name.eq_ignore_ascii_case(image.as_str()))
    }

    /// Whether an image is an earlier stage: by name, or for `FROM base-${TARGETARCH}` by the part of the name that is
    /// known.
    fn is_stage(&self, image: &Traced) -> bool {
        let image = image.as_str().to_lowercase();
        let parts: Vec<&str> = image.split(HOLE).collect();
        let known: usize = parts.iter().map(|part| part.len()).sum();
        let like = |name: &String| name.len() >= known && name.starts_with(parts[0]) && name.ends_with(parts[1]);
        self.stages.contains(&image) || parts.len() == 2 && known > 0 && self.stages.iter().take(STAGES).any(like)
    }
}

/// What the build sets itself, where no file says it.
fn platform(name: &str) -> Option<Traced> {
    PLATFORM_ARGUMENTS.contains(&name).then(|| {
        Traced::unknown(Unknown {
            name: name.to_owned(),
            written: None,
            assumed: None,
            empty_if_unset: false,
        })
    })
}

/// The flags before the first argument.
fn flags(arguments: &Traced) -> Vec<Traced> {
    word_ranges(arguments.as_str())
        .into_iter()
        .map(|(start, end)| arguments.slice(start..end))
        .take_while(|word| word.as_str().starts_with("--"))
        .collect()
}
