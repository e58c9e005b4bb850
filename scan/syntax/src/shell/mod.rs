//! Shell commands, as far as they name images: `docker pull`, `run`, `create`, and what `docker build` is given.

mod arguments;
mod docker;
mod split;
mod tools;

use std::collections::{HashMap, HashSet};

use crate::embedded::Embedded;
use crate::instruction::{unquoted, word_ranges};
use crate::reference::shown;
use crate::traced::Traced;
use crate::variables::{Dialect, expand, name_length};
use split::{SimpleCommand, commands, substitutions};
use tools::TOOLS;

/// What a sequence of commands pulls and builds.
#[derive(Default)]
pub struct Shell {
    /// What variables are set to so far.
    pub variables: HashMap<String, Traced>,
    pulls: Vec<Pull>,
    builds: Vec<DockerBuild>,
    /// What the variables of `for` loops are in turn.
    loops: HashMap<String, Vec<Traced>>,
    /// Images that the commands so far have made.
    built: HashSet<String>,
    /// The same as they are written, and the names that builds give to contexts.
    names: Vec<(Traced, bool)>,
    /// Texts that the commands write or are given: manifests and scripts.
    texts: Vec<(Traced, Embedded)>,
    /// Whether images came from a file: any name may be one of them.
    loaded: bool,
    /// Whether another tool has built images, whose names it knows alone.
    built_elsewhere: bool,
    /// The function whose body this is, and for each function which of its arguments is an image, and of which kind.
    function: Option<String>,
    functions: HashMap<String, (usize, bool)>,
}

/// An image that a command names.
pub struct Pull {
    /// As it is written.
    pub written: Traced,
    /// With its variables' values in.
    pub value: Traced,
    /// Whether the command asks the registry whatever is there already.
    always: bool,
    /// Whether it may be there without a pull.
    pub likely: bool,
}

/// What the commands of a script come to.
pub struct ScriptResult {
    /// The images that are pulled.
    pub pulls: Vec<Pull>,
    /// The builds, each with what decides its base images.
    pub builds: Vec<DockerBuild>,
    /// The names of images that are built, and whether they are contexts of a build.
    pub names: Vec<(Traced, bool)>,
    /// Texts that the commands write or are given.
    pub texts: Vec<(Traced, Embedded)>,
}

/// One `docker build`.
pub struct DockerBuild {
    /// Path of the Dockerfile, as the command names it; `None` where it is not known.
    pub dockerfile: Option<String>,
    /// Values of `--build-arg`.
    pub arguments: HashMap<String, Traced>,
}

impl Shell {
    /// Follows the commands of a script.
    pub fn run(&mut self, script: &Traced) {
        self.run_within(script, 0);
    }

    /// Remembers the name of an image that something else than a command builds.
    pub fn made(&mut self, name: &Traced) {
        let name = self.fill(name);
        self.built.insert(named(&name));
        self.names.push((name, false));
    }

    /// Whether a name is that of an image that was made so far.
    pub fn has_made(&self, name: &Traced) -> bool {
        self.built.contains(&named(name))
    }

    /// What all of it comes to.
    pub fn finish(self) -> ScriptResult {
        let Self { mut pulls, builds, built, loaded, names, texts, .. } = self;
        // What is made is run from where it is; `pull` asks the registry all the same. What is loaded is somebody's
        // own: an official image is not worth a file.
        let here = |pull: &Pull| built.contains(&named(&pull.value)) || loaded && has_namespace(pull.value.as_str());
        pulls.retain(|pull| pull.always || !here(pull));
        pulls.iter_mut().for_each(|pull| pull.likely |= loaded && !pull.always);
        ScriptResult { pulls, builds, names, texts }
    }

    fn run_within(&mut self, script: &Traced, depth: usize) {
        for SimpleCommand { text: command, heredocs } in commands(script) {
            for inner in if depth < DEPTH { substitutions(&command) } else { Vec::new() } {
                self.run_within(&inner, depth + 1);
            }
            let words = words(&command);
            self.command(&words, depth);
            for body in heredocs {
                self.heredoc(&words, body, depth);
            }
        }
    }

    /// What a command is given as its input, or writes to a file.
    fn heredoc(&mut self, words: &[Traced], body: Traced, depth: usize) {
        let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
        let written = words.iter().any(|word| word.as_str().starts_with('>') || word.as_str() == "tee");
        if has(&["build", "buildx", "bud"]) {
            self.texts.push((body, Embedded::Dockerfile));
        } else if has(&[
            "cat",
            "tee",
            "kubectl",
            "oc",
            "docker",
            "docker-compose",
            "kustomize",
            "envsubst",
            "kind",
            "nomad",
            "printf",
        ]) {
            // What is only shown is no script; a manifest is one wherever it goes.
            let script = body.as_str().trim_start().starts_with("#!");
            if written || !script {
                let quoted = words
                    .iter()
                    .any(|word| word.as_str().starts_with("<<") && word.as_str().contains(['\'', '"', '\\']));
                // The shell puts its variables into what is written down, but for a script those that are to stay are
                // escaped.
                let body = if quoted || script { body } else { self.fill(&body) };
                self.texts.push((body, if script { Embedded::Script } else { Embedded::Document }));
            }
        } else if depth < DEPTH && (has(&["ssh", "sudo", "su"]) || has(&SHELLS)) {
            self.run_within(&body, depth + 1);
        }
    }

    fn command(&mut self, words: &[Traced], depth: usize) {
        let mut words = words;
        while let Some((first, rest)) = words.split_first() {
            let length = name_length(first.as_str());
            if length > 0 && first.as_str()[length..].starts_with('=') {
                let value = self.fill(&unquoted(&first.slice(length + 1..first.as_str().len())));
                self.variables.insert(first.as_str()[..length].to_owned(), value);
            } else if !is_before_a_command(first.as_str()) {
                break;
            }
            words = rest;
        }
        let Some((tool, mut rest)) = words.split_first() else {
            return;
        };
        // `pull() { docker pull "$1"; }`
        if let Some(name) = tool.as_str().strip_suffix("()") {
            self.function = Some(name.to_owned());
            return self.command(rest, depth);
        }
        if tool.as_str() == "}" {
            self.function = None;
            return;
        }
        // `$DOCKER run`, `"${ENGINE:-docker}" run`, `DOCKER="sudo docker"`
        if tool.as_str().contains('$') && depth < DEPTH {
            let filled = self.fill(&unquoted(tool));
            if let Some((_, unknown)) = filled.unknowns().next() {
                let name = unknown.name.to_ascii_lowercase();
                if filled.as_str() == crate::traced::HOLE && ENGINES.iter().any(|engine| name.contains(engine)) {
                    self.docker(rest);
                }
                return;
            }
            if !filled.as_str().contains('$') {
                let mut longer = self::words(&filled);
                longer.extend_from_slice(rest);
                self.command(&longer, depth + 1);
            }
            return;
        }
        let tool = tool.as_str().rsplit('/').next().unwrap_or_default().trim_start_matches(['(', '{', '@']);
        if tool == "for"
            && let [name, keyword, values @ ..] = rest
            && keyword.as_str() == "in"
        {
            let values = values.iter().take(LOOP).map(|value| self.fill(&unquoted(value)));
            let values = values.flat_map(|value| self::words(&value)).take(LOOP).collect();
            self.loops.insert(name.as_str().to_owned(), values);
            return;
        }
        // `timeout 60 docker run ...`: its options, how long, and a command.
        if matches!(tool, "timeout" | "retry") && depth < DEPTH {
            let command = rest.iter().position(|word| word.as_str().starts_with(|first: char| first.is_ascii_digit()));
            return self.command(command.and_then(|time| rest.get(time + 1..)).unwrap_or(rest), depth + 1);
        }
        if SHELLS.contains(&tool) && depth < DEPTH {
            let script = rest.iter().position(|word| word.as_str().starts_with('-') && word.as_str().ends_with('c'));
            if let Some(script) = script.and_then(|option| rest.get(option + 1)) {
                self.run_within(&unquoted(script), depth + 1);
            }
            return;
        }
        if RUNNERS.contains(&tool) && depth < DEPTH {
            for word in rest.iter().filter(|word| word.as_str().starts_with(['"', '\'']) && word.as_str().contains(' '))
            {
                self.run_within(&unquoted(word), depth + 1);
            }
            return;
        }
        if let Some(&(position, always)) = self.functions.get(tool) {
            if let Some(written) = rest.get(position).map(unquoted) {
                let value = self.fill(&written);
                self.pull(written, value, always);
            }
            return;
        }
        if BUILDERS.contains(&tool) && rest.iter().any(|word| builds_images(word.as_str())) {
            self.built_elsewhere = true;
            return;
        }
        if let Some(row) = TOOLS.iter().find(|row| row.tool.contains(&tool)) {
            let images = row.images(rest, &|word| self.fill(word));
            self.pulls.extend(images.into_iter().map(|(written, value)| Pull {
                written,
                value,
                always: row.always,
                likely: row.looks,
            }));
            return;
        }
        if matches!(tool, "docker" | "podman" | "nerdctl" | "finch" | "docker.exe" | "buildah") {
            if tool == "buildah" && rest.first().is_some_and(|verb| verb.as_str() == "from") {
                rest = rest.get(1..).unwrap_or_default();
                self.image("pull", rest);
                return;
            }
            self.docker(rest);
        }
    }

    fn fill(&self, text: &Traced) -> Traced {
        if !text.as_str().contains(['$', '\\']) {
            return text.clone();
        }
        expand(text, Dialect::Shell, &|name| self.variables.get(name).cloned())
    }
}

/// How deep commands in commands are followed.
const DEPTH: usize = 8;

/// How many values of a loop are followed.
const LOOP: usize = 64;

/// What runs a script that it is given with `-c`.
const SHELLS: [&str; 5] = ["ash", "bash", "dash", "sh", "zsh"];

/// What runs the commands that it is given as a text.
const RUNNERS: [&str; 8] = ["eval", "ssh", "su", "vagrant", "multipass", "watch", "run_cmd", "trap"];

/// Tools that build images without a command that names them.
const BUILDERS: [&str; 14] = [
    "gradle", "gradlew", "mvn", "mvnw", "sbt", "bazel", "bazelisk", "make", "npm", "yarn", "pnpm", "nix", "task",
    "just",
];

/// Whether the target of another tool sounds as if it built images.
fn builds_images(target: &str) -> bool {
    let target = target.to_ascii_lowercase();
    ["docker", "image", "jib", "container"].iter().any(|word| target.contains(word))
}

/// Whether a name is somebody's own on Docker Hub: neither official nor with a registry.
fn has_namespace(name: &str) -> bool {
    name.split_once('/').is_some_and(|(first, _)| !first.contains(['.', ':']))
}

/// What variables are called that hold `docker` or what takes its place.
const ENGINES: [&str; 6] = ["docker", "podman", "engine", "container_tool", "container_runtime", "container_cli"];

/// Words that may stand before a command.
const PREFIXES: [&str; 27] = [
    "!",
    "(",
    "{",
    "[[",
    "command",
    "do",
    "elif",
    "else",
    "env",
    "exec",
    "export",
    "if",
    "local",
    "nice",
    "nohup",
    "readonly",
    "sudo",
    "then",
    "time",
    "travis_retry",
    "until",
    "while",
    "winpty",
    "declare",
    "chronic",
    "return",
    "doas",
];

/// The name of an image as another command may write it: without a tag it is `latest`.
fn named(image: &Traced) -> String {
    let name = shown(image);
    let last = name.rsplit('/').next().unwrap_or(&name);
    if last.contains([':', '@']) { name } else { format!("{name}:latest") }
}

/// Whether a word may stand before a command: a keyword, or an option of `sudo` and the like.
fn is_before_a_command(word: &str) -> bool {
    PREFIXES.contains(&word) || word.starts_with('-') && !word.contains('=')
}

fn words(command: &Traced) -> Vec<Traced> {
    word_ranges(command.as_str()).into_iter().map(|(start, end)| command.slice(start..end)).collect()
}
