//! Jenkins pipelines, declarative and scripted: agents, `docker.image`, pod templates, and the commands of `sh`.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use pullsafe_syntax::embedded::Embedded;
use pullsafe_syntax::reference::{assembled, shown};
use pullsafe_syntax::shell::{Pull, Shell};
use pullsafe_syntax::source::{Language, SourceTokens};
use pullsafe_syntax::traced::{HOLE, Traced};

use super::commands::Commands;
use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::{BuiltFor, PlaceKind};
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Jenkins",
    finds: "`agent { docker ... }`, `docker.image()`, `containerTemplate`, pods in `yaml`, commands of `sh`, images \
        that a function is given, in \
            declarative and scripted pipelines; an image of `withRegistry` is that registry's; what `docker.build` \
            names is no pull",
    known_by: "`Jenkinsfile*`, `*.jenkinsfile`; `*.groovy` with a pipeline",
    order: "before the programs, of which Groovy is one",
    named,
    marks: &["docker", "image", "podTemplate", "kubernetes"],
    read: ReadAs::Text { begins: never, scan },
};

fn named(name: &Name<'_>) -> bool {
    let pipeline = name.file.contains("jenkinsfile") && !name.is_other();
    // Below `src/main` and `src/test` are Groovy programs, except for their resources, which may be pipelines.
    let program = ["src/main", "src/test"].iter().any(|sources| name.is_below(sources)) && !name.is_below("resources");
    pipeline || name.has_extension(&["groovy"]) && !program
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let source = SourceTokens::read(text, Language::Script);
    let mut commands = Commands::default();
    let mut built = HashSet::new();
    for index in 0..source.count() {
        if source.word(index) == Some("build")
            && is_of(&source, index, "docker")
            && let Some(name) = source.call(index).and_then(|open| source.value(open + 1))
        {
            built.insert(shown(&name));
            analysis.built(&name, BuiltFor::Locally);
            commands.made(&name);
        }
    }
    let functions = Functions::of(&source);
    for index in 0..source.count() {
        let Some(word) = source.word(index) else { continue };
        match word {
            // `build("centos:7")`, a call of a function that runs the image it is given.
            name if functions.positions.contains_key(name) => {
                let arguments = source.call(index).map(|open| source.arguments(open)).unwrap_or_default();
                for at in functions.positions[name]
                    .iter()
                    .filter_map(|position| arguments.get(*position))
                    .filter(|at| source.literal(**at).is_some())
                {
                    record(&source, *at, source.value(*at), &built, analysis);
                }
            }
            "image" => {
                let value = match source.call(index) {
                    // An argument of a function is found where the function is called.
                    Some(open) if functions.is_given(&source, index, open) => None,
                    // `docker.image('x').inside { ... }`
                    Some(open) if is_of(&source, index, "docker") => source.value(open + 1),
                    Some(_) => None,
                    // `image 'x'` in an agent, `image: 'x'` in a template.
                    None if in_container(&source, index) => {
                        source.value(if source.is_mark(index + 1, b':') || source.is_mark(index + 1, b'=') {
                            index + 2
                        } else {
                            index + 1
                        })
                    }
                    None => None,
                };
                record(&source, index, value, &built, analysis);
            }
            // `agent { docker 'x' }`
            "docker" if source.literal(index + 1).is_some() => {
                record(&source, index, source.value(index + 1), &built, analysis)
            }
            "sh" | "bat" | "powershell" | "pwsh" => {
                for at in argument_texts(&source, index) {
                    if let Some(script) = source.value(at) {
                        commands.run(&script);
                    }
                }
            }
            "yaml" => {
                // `yaml '...'` in an agent, `yaml: '...'` in a template.
                let at = if source.is_mark(index + 1, b':') {
                    Some(index + 2)
                } else {
                    argument_texts(&source, index).first().copied()
                };
                if let Some(text) = at.and_then(|at| source.value(at)) {
                    analysis.embed(text, Embedded::Document);
                }
            }
            _ => {}
        }
    }
    commands.finish_as(PlaceKind::Jenkins, analysis);
}

/// The functions of a pipeline that run an image given as an argument.
#[derive(Default)]
struct Functions<'s> {
    /// For each function, which of its arguments are images.
    positions: HashMap<&'s str, Vec<usize>>,
    /// The range of each function's body, with the names of these arguments.
    bodies: Vec<(Range<usize>, Vec<&'s str>)>,
}

impl<'s> Functions<'s> {
    fn of(source: &'s SourceTokens) -> Self {
        let mut functions = Self::default();
        for index in 1..source.count() {
            let (Some(name), Some(before)) = (source.word(index), source.word(index - 1)) else {
                continue;
            };
            let Some(open) = source.call(index).filter(|_| !matches!(before, "else" | "new" | "return")) else {
                continue;
            };
            let Some(brace) = source.close(open).map(|close| close + 1).filter(|brace| source.is_mark(*brace, b'{'))
            else {
                continue;
            };
            let Some(end) = source.close(brace) else { continue };
            // `String image`, `def image = 'x'`, `image`
            let names = source
                .arguments(open)
                .into_iter()
                .map(|at| source.word(at + 1).or_else(|| source.word(at)).unwrap_or_default());
            let used: HashSet<String> = (brace..end).flat_map(|at| variables_run(source, at)).collect();
            let images: Vec<(usize, &str)> = names.enumerate().filter(|(_, name)| used.contains(*name)).collect();
            if !images.is_empty() {
                functions.positions.insert(name, images.iter().map(|(position, _)| *position).collect());
                functions.bodies.push((brace..end, images.iter().map(|(_, name)| *name).collect()));
            }
        }
        functions
    }

    /// Whether the call's only argument is such an argument of the function around it.
    fn is_given(&self, source: &SourceTokens, index: usize, open: usize) -> bool {
        let argument = source.word(open + 1).filter(|_| source.is_mark(open + 2, b')'));
        argument
            .is_some_and(|name| self.bodies.iter().any(|(body, names)| body.contains(&index) && names.contains(&name)))
    }
}

/// The variables that a step runs as images.
fn variables_run(source: &SourceTokens, index: usize) -> Vec<String> {
    match source.word(index) {
        Some("image") if is_of(source, index, "docker") => {
            let argument = source.call(index).map(|open| open + 1).filter(|at| source.is_mark(at + 1, b')'));
            argument.and_then(|at| source.word(at)).map(str::to_owned).into_iter().collect()
        }
        Some("sh" | "bat") => {
            let mut shell = Shell::default();
            argument_texts(source, index)
                .into_iter()
                .filter_map(|at| source.value(at))
                .for_each(|script| shell.run(&script));
            let alone = |pull: Pull| (pull.value.as_str() == HOLE).then(|| shown(&pull.value));
            shell
                .finish()
                .pulls
                .into_iter()
                .filter_map(alone)
                .map(|name| name.trim_matches(['$', '{', '}']).to_owned())
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_of(source: &SourceTokens, index: usize, owner: &str) -> bool {
    source.is_mark(index.wrapping_sub(1), b'.') && source.word(index.wrapping_sub(2)) == Some(owner)
}

/// Whether `image` belongs to a container: in an agent, a template, or a map of either.
fn in_container(source: &SourceTokens, index: usize) -> bool {
    let inner = source.around(index).next();
    let Some(open) = inner else { return false };
    let owner = source.owner(open).to_ascii_lowercase();
    ["docker", "container", "agent", "kubernetes", "pod"].iter().any(|word| owner.contains(word))
        || source.is_mark(index + 1, b':')
            && source.around(index).any(|open| source.owner(open).to_ascii_lowercase().contains("container"))
}

/// The indexes of the scripts that a step is given, without its label.
fn argument_texts(source: &SourceTokens, index: usize) -> Vec<usize> {
    let is_text = |at: usize| source.literal(at).is_some();
    if let Some(open) = source.call(index) {
        let script = source.named(open, "script");
        return script.or_else(|| source.arguments(open).first().copied()).into_iter().collect();
    }
    if is_text(index + 1) && !source.is_mark(index + 2, b':') {
        return vec![index + 1];
    }
    // `sh script: '...', returnStdout: true`
    let mut at = index + 1;
    let mut found = Vec::new();
    while let Some((key, value)) = source.named_at(at) {
        if key == "script" {
            found.push(value);
        }
        at = value + 1;
        while at < source.count() && !source.is_mark(at, b',') && !source.is_mark(at, b'\n') {
            at += 1;
        }
        at += 1;
    }
    found
}

fn record(
    source: &SourceTokens,
    index: usize,
    value: Option<Traced>,
    built: &HashSet<String>,
    analysis: &mut Analysis<'_>,
) {
    let Some(value) = value.filter(|value| !value.is_empty() && !built.contains(&shown(value))) else {
        return;
    };
    let value_text = value.as_str();
    let has_host = value_text.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']));
    let full = match registry(source, index).filter(|_| !has_host) {
        Some(registry) if registry.as_str().contains("docker.io") || registry.is_empty() => value.clone(),
        Some(registry) => assembled(Some(registry), value.clone(), None, None),
        None => value.clone(),
    };
    analysis.found(PlaceKind::Jenkins, &value, &full, Otherwise::Ignore);
}

/// The registry of the `docker.withRegistry(...) { }` around an index, or of a `registryUrl` in the same block.
fn registry(source: &SourceTokens, index: usize) -> Option<Traced> {
    for open in source.around(index) {
        let close = source.close(open)?;
        let beside = (open + 1..close.min(open + 60))
            .find(|&at| source.word(at) == Some("registryUrl") && source.around(at).next() == Some(open));
        let url = match beside {
            Some(at) => source.value(at + 1),
            // `docker.withRegistry(url, login) {` has its arguments before the brace.
            None => {
                let before = open.checked_sub(1).filter(|&before| source.is_mark(before, b')'));
                let call =
                    before.and_then(|before| source.open(before)).filter(|&call| source.owner(call) == "withRegistry");
                call.and_then(|call| {
                    source.value(call + 1).or_else(|| source.literal(call + 1).map(|_| Traced::default()))
                })
            }
        };
        if let Some(url) = url {
            let start = url.as_str().find("://").map_or(0, |at| at + "://".len());
            let end = url.as_str().trim_end_matches('/').len().max(start);
            return Some(url.slice(start..end));
        }
    }
    None
}
