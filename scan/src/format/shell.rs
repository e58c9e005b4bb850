//! Shell commands, as far as they name images: `docker pull`, `run`, `create`, and what `docker build` is given.

use std::collections::{HashMap, HashSet};

use crate::dockerfile::{shell_words, substitution_end, without_quotes};
use crate::resolve::shown;
use crate::traced::Traced;
use crate::variables::{Dialect, expand, name_length};

/// What a sequence of commands pulls and builds.
#[derive(Default)]
pub(crate) struct Shell {
    pub(crate) variables: HashMap<String, Traced>,
    pulls: Vec<Pull>,
    builds: Vec<Build>,
    /// What the variables of `for` loops are in turn.
    loops: HashMap<String, Vec<Traced>>,
    /// Images that the commands so far have made.
    built: HashSet<String>,
    /// Whether images came from a file: any name may be one of them.
    loaded: bool,
}

/// An image that a command names.
struct Pull {
    written: Traced,
    value: Traced,
    /// Whether the command asks the registry whatever is there already.
    always: bool,
}

/// One `docker build`.
pub(crate) struct Build {
    /// Path of the Dockerfile, as the command names it; `None` where it is not known.
    pub(crate) dockerfile: Option<String>,
    /// Values of `--build-arg`.
    pub(crate) arguments: HashMap<String, Traced>,
}

impl Shell {
    /// Follows the commands of a script.
    pub(crate) fn run(&mut self, script: &Traced) {
        self.run_within(script, 0);
    }

    /// Remembers the name of an image that something else than a command builds.
    pub(crate) fn made(&mut self, name: &Traced) {
        let name = self.fill(name);
        self.built.insert(named(&name));
    }

    /// The images that are pulled, each as written and with values in; and the builds, each with what decides its base images.
    pub(crate) fn finish(self) -> (Vec<(Traced, Traced)>, Vec<Build>) {
        let Self { pulls, builds, built, loaded, .. } = self;
        // What is made is run from where it is; `pull` asks the registry all the same.
        let pulled = |pull: &Pull| pull.always || !loaded && !built.contains(&named(&pull.value));
        (pulls.into_iter().filter(pulled).map(|pull| (pull.written, pull.value)).collect(), builds)
    }

    fn run_within(&mut self, script: &Traced, depth: usize) {
        for command in commands(script) {
            for inner in if depth < DEPTH { substitutions(&command) } else { Vec::new() } {
                self.run_within(&inner, depth + 1);
            }
            let text = command.as_str();
            let words: Vec<Traced> = shell_words(text).into_iter().map(|(start, end)| command.slice(start..end)).collect();
            self.command(&words, depth);
        }
    }

    fn command(&mut self, words: &[Traced], depth: usize) {
        let mut words = words;
        while let Some((first, rest)) = words.split_first() {
            let length = name_length(first.as_str());
            if length > 0 && first.as_str()[length..].starts_with('=') {
                let value = self.fill(&without_quotes(&first.slice(length + 1..first.as_str().len())));
                self.variables.insert(first.as_str()[..length].to_owned(), value);
            } else if !PREFIXES.contains(&first.as_str()) {
                break;
            }
            words = rest;
        }
        let Some((tool, mut rest)) = words.split_first() else { return };
        let tool = tool.as_str().rsplit('/').next().unwrap_or_default();
        if tool == "for"
            && let [name, keyword, values @ ..] = rest
            && keyword.as_str() == "in"
        {
            let values = values.iter().take(LOOP).map(|value| self.fill(&without_quotes(value))).collect();
            self.loops.insert(name.as_str().to_owned(), values);
            return;
        }
        // `timeout 60 docker run ...`: its options, how long, and a command.
        if tool == "timeout" && depth < DEPTH {
            let command = rest.iter().position(|word| word.as_str().starts_with(|first: char| first.is_ascii_digit()));
            return self.command(command.and_then(|time| rest.get(time + 1..)).unwrap_or_default(), depth + 1);
        }
        if SHELLS.contains(&tool) && depth < DEPTH {
            let script = rest.iter().position(|word| word.as_str() == "-c").and_then(|option| rest.get(option + 1));
            if let Some(script) = script {
                self.run_within(&without_quotes(script), depth + 1);
            }
            return;
        }
        if !matches!(tool, "docker" | "podman" | "nerdctl" | "finch") {
            return;
        }
        let mut builder = false;
        while let Some((first, after)) = rest.split_first()
            && (first.as_str().starts_with('-') || matches!(first.as_str(), "image" | "container" | "buildx" | "builder"))
        {
            builder |= first.as_str() == "buildx";
            let takes_value = GLOBAL_OPTIONS.contains(&first.as_str());
            rest = if takes_value { after.get(1..).unwrap_or_default() } else { after };
        }
        let Some((verb, arguments)) = rest.split_first() else { return };
        match verb.as_str() {
            "create" if builder => self.builder(arguments),
            "pull" | "run" | "create" => {
                if let Some(image) = positional(arguments, verb.as_str()) {
                    let written = without_quotes(image);
                    let value = self.fill(&written);
                    let always = verb.as_str() == "pull";
                    let in_turn = value.substituted(LOOP, |unknown| self.loops.get(&unknown.name).cloned().unwrap_or_default());
                    self.pulls.extend(in_turn.into_iter().map(|value| Pull { written: written.clone(), value, always }));
                }
            }
            "build" | "b" => self.build(arguments),
            "load" | "import" => self.loaded = true,
            "tag" => {
                if let Some(target) = arguments.get(1) {
                    self.made(&without_quotes(target));
                }
            }
            _ => {}
        }
    }

    /// The names that `docker build` gives its result, and what it is given.
    fn build(&mut self, arguments: &[Traced]) {
        let mut given = HashMap::new();
        let mut dockerfile = None;
        let mut context = None;
        let mut index = 0;
        while let Some(argument) = arguments.get(index) {
            index += 1;
            let text = argument.as_str();
            if !text.starts_with('-') {
                context = Some(shown(&self.fill(&without_quotes(argument))));
                continue;
            }
            let (name, value) = match text.find('=') {
                Some(equals) => (&text[..equals], Some(argument.slice(equals + 1..text.len()))),
                None if BUILD_FLAGS.contains(&text) => continue,
                None => {
                    index += 1;
                    (text, arguments.get(index - 1).cloned())
                }
            };
            let Some(value) = value.map(|value| without_quotes(&value)) else { continue };
            match name {
                "-t" | "--tag" => {
                    self.made(&value);
                }
                "-f" | "--file" => dockerfile = Some(shown(&self.fill(&value))),
                "--build-arg" => {
                    if let Some(equals) = value.as_str().find('=') {
                        let filled = self.fill(&value.slice(equals + 1..value.as_str().len()));
                        given.insert(value.as_str()[..equals].to_owned(), filled);
                    }
                }
                "--build-context" => {
                    let filled = self.fill(&value);
                    if let Some(at) = filled.as_str().find("=docker-image://") {
                        let image = filled.slice(at + "=docker-image://".len()..filled.as_str().len());
                        self.pulls.push(Pull { written: image.clone(), value: image, always: true });
                    }
                }
                _ => {}
            }
        }
        let remote = context.as_deref().is_none_or(|context| context == "-" || context.contains("://"));
        let dockerfile = match dockerfile {
            Some(path) => Some(path).filter(|path| path != "-"),
            None => context.filter(|_| !remote).map(|context| format!("{context}/Dockerfile")),
        };
        if !given.is_empty() {
            self.builds.push(Build { dockerfile, arguments: given });
        }
    }

    /// `docker buildx create --driver-opt image=...` runs BuildKit from that image.
    fn builder(&mut self, arguments: &[Traced]) {
        for (index, argument) in arguments.iter().enumerate() {
            let options = match argument.as_str() {
                "--driver-opt" => arguments.get(index + 1).map(without_quotes),
                text if text.starts_with("--driver-opt=") => Some(without_quotes(&argument.slice("--driver-opt=".len()..text.len()))),
                _ => None,
            };
            let Some(options) = options else { continue };
            let mut start = 0;
            for option in options.as_str().split(',') {
                if option.starts_with("image=") {
                    let image = options.slice(start + "image=".len()..start + option.len());
                    let value = self.fill(&image);
                    self.pulls.push(Pull { written: image, value, always: true });
                }
                start += option.len() + 1;
            }
        }
    }

    fn fill(&self, text: &Traced) -> Traced {
        expand(text, Dialect::Shell, &|name| self.variables.get(name).cloned())
    }
}

/// How deep commands in commands are followed.
const DEPTH: usize = 8;

/// How many values of a loop are followed.
const LOOP: usize = 64;

/// What runs a script that it is given with `-c`.
const SHELLS: [&str; 5] = ["ash", "bash", "dash", "sh", "zsh"];

/// Words that may stand before a command.
const PREFIXES: [&str; 17] =
    ["!", "(", "{", "command", "do", "elif", "else", "env", "exec", "export", "if", "nohup", "retry", "sudo", "then", "time", "until"];

/// Options of `docker` itself that take a value.
const GLOBAL_OPTIONS: [&str; 10] =
    ["--config", "--context", "-c", "--host", "-H", "--log-level", "-l", "--tlscacert", "--tlscert", "--tlskey"];

/// Options of `docker build` that take none.
const BUILD_FLAGS: [&str; 16] = [
    "--check",
    "--compress",
    "--debug",
    "-D",
    "--disable-content-trust",
    "--force-rm",
    "--help",
    "--load",
    "--no-cache",
    "--pull",
    "--push",
    "-q",
    "--quiet",
    "--rm",
    "--squash",
    "--use",
];

/// The name of an image as another command may write it: without a tag it is `latest`.
fn named(image: &Traced) -> String {
    let name = shown(image);
    let last = name.rsplit('/').next().unwrap_or(&name);
    if last.contains([':', '@']) { name } else { format!("{name}:latest") }
}

/// The first argument that is neither an option nor an option's value.
fn positional<'w>(arguments: &'w [Traced], verb: &str) -> Option<&'w Traced> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.as_str();
        if !text.starts_with('-') {
            return Some(argument);
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
                    && short.ends_with(['a', 'c', 'e', 'h', 'l', 'm', 'p', 'u', 'v', 'w'])
                    && short[..short.len() - 1].bytes().all(|flag| b"ditPq".contains(&flag))
        }
        None => false,
    }
}

/// The scripts in the `$(...)` and the backquotes of a command, which the shell runs, too.
fn substitutions(command: &Traced) -> Vec<Traced> {
    let text = command.as_str();
    let mut inner = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['$', '`']).map(|found| at + found) {
        let (start, end) = match &text[found..] {
            rest if rest.starts_with("$(") => (found + 2, substitution_end(text, found).map(|end| end - 1)),
            rest if rest.starts_with('`') => (found + 1, rest[1..].find('`').map(|length| found + 1 + length)),
            _ => {
                at = found + 1;
                continue;
            }
        };
        let Some(end) = end else { break };
        inner.push(command.slice(start..end));
        at = end + 1;
    }
    inner
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
    let mut closed = true;
    while at < bytes.len() {
        let byte = bytes[at];
        let mut length = 1;
        // What `$(...)` runs is a part of this command.
        if closed && byte == b'$' && quote != Some(b'\'') && bytes.get(at + 1) == Some(&b'(') {
            match substitution_end(text, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => closed = false,
            }
        }
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
