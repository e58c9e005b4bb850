//! Build specifications of CodeBuild: `docker pull`, `docker run` and `docker create` in their commands, and the images
//! of a batch build's environments.

use std::collections::{HashMap, HashSet};

use crate::analysis::{Analysis, Otherwise};
use crate::dockerfile::{shell_words, without_quotes};
use crate::finding::Place;
use crate::traced::{HOLE, Traced};
use crate::variables::{Dialect, expand, name_length};
use crate::yaml::Node;

/// Whether a document is a build specification.
pub(crate) fn looks_like(root: Node<'_>) -> bool {
    let phases = ["install", "pre_build", "build", "post_build"];
    root.get("version").is_some()
        && (root.get("phases").is_some_and(|node| phases.iter().any(|phase| node.get(phase).is_some())) || root.get("batch").is_some())
}

/// Records what the commands pull.
pub(crate) fn scan(root: Node<'_>, analysis: &mut Analysis<'_>) {
    let mut shell = Shell::default();
    for (name, value) in root.at(&["env", "variables"]).map(Node::entries).unwrap_or_default() {
        if let Some(value) = value.text() {
            shell.variables.insert(name.to_owned(), value);
        }
    }
    let phases = root.get("phases");
    for phase in ["install", "pre_build", "build", "post_build"] {
        for list in ["commands", "finally"] {
            let commands = phases.and_then(|phases| phases.at(&[phase, list]));
            let Some(commands) = commands else { continue };
            for command in commands.items().into_iter().chain([commands]).filter_map(Node::text) {
                shell.run(&command);
            }
        }
    }
    for (written, value) in shell.pulls {
        analysis.found(Place::BuildspecCommand, &written, &value, Otherwise::Ignore);
    }
    for kind in ["build-list", "build-graph"] {
        for image in root.at(&["batch", kind]).map(Node::items).unwrap_or_default() {
            if let Some(image) = image.at(&["env", "image"]).and_then(Node::text)
                && !image.as_str().starts_with("aws/codebuild/")
            {
                analysis.found(Place::CodeBuildEnvironment, &image, &image, Otherwise::Ignore);
            }
        }
    }
}

/// What a sequence of commands pulls and builds.
#[derive(Default)]
struct Shell {
    variables: HashMap<String, Traced>,
    /// As written, and with values in.
    pulls: Vec<(Traced, Traced)>,
    /// Images that the commands so far have made.
    built: HashSet<String>,
}

impl Shell {
    fn run(&mut self, script: &Traced) {
        for command in commands(script) {
            let text = command.as_str();
            let words: Vec<Traced> = shell_words(text).into_iter().map(|(start, end)| command.slice(start..end)).collect();
            self.command(&words);
        }
    }

    fn command(&mut self, words: &[Traced]) {
        let mut words = words;
        while let Some((first, rest)) = words.split_first() {
            let length = name_length(first.as_str());
            if length > 0 && first.as_str()[length..].starts_with('=') {
                let value = self.fill(&without_quotes(&first.slice(length + 1..first.as_str().len())));
                self.variables.insert(first.as_str()[..length].to_owned(), value);
            } else if !matches!(first.as_str(), "export" | "sudo" | "time" | "then" | "do" | "else" | "if" | "!" | "exec" | "retry") {
                break;
            }
            words = rest;
        }
        let Some((tool, mut rest)) = words.split_first() else { return };
        let tool = tool.as_str().rsplit('/').next().unwrap_or_default();
        if !matches!(tool, "docker" | "podman" | "nerdctl" | "finch") {
            return;
        }
        while let Some((first, after)) = rest.split_first()
            && (first.as_str().starts_with('-') || matches!(first.as_str(), "image" | "container" | "buildx"))
        {
            rest = after;
        }
        let Some((verb, arguments)) = rest.split_first() else { return };
        match verb.as_str() {
            "pull" | "run" | "create" => {
                if let Some(image) = positional(arguments, verb.as_str()) {
                    let written = without_quotes(image);
                    let value = self.fill(&written);
                    // What an earlier command made is run from where it is; `pull` asks the registry all the same.
                    if verb.as_str() == "pull" || !self.built.contains(value.as_str()) {
                        self.pulls.push((written, value));
                    }
                }
            }
            "build" => self.tags(arguments),
            "tag" => {
                if let Some(target) = arguments.get(1) {
                    let target = self.fill(&without_quotes(target));
                    self.built.insert(target.as_str().to_owned());
                }
            }
            _ => {}
        }
    }

    /// The names that `docker build` gives its result.
    fn tags(&mut self, arguments: &[Traced]) {
        for (index, argument) in arguments.iter().enumerate() {
            let name = match argument.as_str() {
                "-t" | "--tag" => arguments.get(index + 1).cloned(),
                text if text.starts_with("--tag=") => Some(argument.slice("--tag=".len()..text.len())),
                _ => None,
            };
            if let Some(name) = name {
                let name = self.fill(&without_quotes(&name));
                self.built.insert(name.as_str().to_owned());
            }
        }
    }

    fn fill(&self, text: &Traced) -> Traced {
        expand(text, Dialect::Shell, &|name| self.variables.get(name).cloned())
    }
}

/// The first argument that is neither an option nor an option's value.
fn positional<'w>(arguments: &'w [Traced], verb: &str) -> Option<&'w Traced> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.as_str();
        if !text.starts_with('-') {
            return Some(argument).filter(|_| !text.contains(HOLE));
        }
        if takes_value(text, verb) {
            arguments.next();
        }
    }
    None
}

/// Whether an option's value is the next word. Of `docker run` most do; of `docker pull` one.
fn takes_value(option: &str, verb: &str) -> bool {
    if option.contains('=') {
        return false;
    }
    if verb == "pull" {
        return option == "--platform";
    }
    let alone = [
        "--detach",
        "--disable-content-trust",
        "--help",
        "--init",
        "--interactive",
        "--no-healthcheck",
        "--oom-kill-disable",
        "--privileged",
        "--publish-all",
        "--quiet",
        "--read-only",
        "--rm",
        "--sig-proxy",
        "--tty",
        "--use-api-socket",
    ];
    match option.strip_prefix('-') {
        Some(long) if long.starts_with('-') => !alone.contains(&option),
        // `-it` and the like; `-v` and `-e` take a value, unless it is stuck to them.
        Some(short) => {
            short.len() == 1 && !matches!(short, "d" | "i" | "t" | "P" | "q")
                || short.len() > 1
                    && short.ends_with(['e', 'v', 'p', 'w', 'u'])
                    && short[..short.len() - 1].bytes().all(|flag| b"ditPq".contains(&flag))
        }
        None => false,
    }
}

/// The simple commands of a script, continuation lines joined.
fn commands(script: &Traced) -> Vec<Traced> {
    let text = script.as_str();
    let bytes = text.as_bytes();
    let mut commands = Vec::new();
    let mut current = Traced::default();
    let mut start = 0;
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let mut length = 1;
        let mut ends = false;
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(b'\''), _) => {}
            (_, b'\\') if bytes.get(at + 1) == Some(&b'\n') => {
                current.push(&script.slice(start..at));
                current.push_computed(" ");
                at += 2;
                start = at;
                continue;
            }
            (_, b'\\') => length = 2,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'#') if at == 0 || bytes[at - 1].is_ascii_whitespace() => {
                current.push(&script.slice(start..at));
                commands.push(std::mem::take(&mut current));
                at = text[at..].find('\n').map_or(bytes.len(), |end| at + end);
                start = at;
                continue;
            }
            (None, b'\n' | b';' | b'|' | b'&') => ends = true,
            (None, _) => {}
        }
        if ends {
            current.push(&script.slice(start..at));
            commands.push(std::mem::take(&mut current));
            start = at + 1;
        }
        at += length;
    }
    if start < bytes.len() {
        current.push(&script.slice(start..bytes.len()));
    }
    commands.push(current);
    commands.retain(|command| !command.as_str().trim().is_empty());
    commands
}
