//! The verbs of `docker` and what takes its place: which images they ask for, make, load and build from.

use std::collections::HashMap;

use super::arguments::positional;
use super::{DockerBuild, LOOP, Pull, Shell, named};
use crate::instruction::unquoted;
use crate::reference::shown;
use crate::traced::Traced;

impl Shell {
    /// What follows `docker`.
    pub(super) fn docker(&mut self, mut rest: &[Traced]) {
        let mut builder = false;
        while let Some((first, after)) = rest.split_first()
            && (first.as_str().starts_with('-')
                || matches!(first.as_str(), "image" | "container" | "buildx" | "builder" | "service" | "imagetools"))
        {
            builder |= first.as_str() == "buildx";
            let takes_value = GLOBAL_OPTIONS.contains(&first.as_str());
            rest = if takes_value { after.get(1..).unwrap_or_default() } else { after };
        }
        let Some((verb, arguments)) = rest.split_first() else {
            return;
        };
        match verb.as_str() {
            "create" if builder => self.builder(arguments),
            "pull" | "run" | "create" => self.image(verb.as_str(), arguments),
            "build" | "b" | "bud" => self.build(arguments),
            "load" | "import" => self.loaded = true,
            // What is pushed from here was made here.
            "push" => {
                if let Some(name) = positional(arguments, "push", &|word| self.fill(word)).map(unquoted) {
                    let name = self.fill(&name);
                    self.built.insert(named(&name));
                }
            }
            "tag" | "commit" => {
                if let Some(target) = arguments.get(1) {
                    self.made(&unquoted(target));
                }
            }
            _ => {}
        }
    }

    /// The image that `docker pull` or `docker run` names.
    pub(super) fn image(&mut self, verb: &str, arguments: &[Traced]) {
        let options = if verb == "pull" { "pull" } else { "run" };
        let Some(image) = positional(arguments, options, &|word| self.fill(word)) else {
            return;
        };
        let written = unquoted(image);
        let value = self.fill(&written);
        // `docker-daemon:`, `oci:` and the like are no registries.
        let scheme = if value.as_str().starts_with("docker://") { "docker://".len() } else { 0 };
        let value = value.slice(scheme..value.as_str().len());
        let never = arguments.iter().any(|word| word.as_str() == "--pull=never");
        let in_turn = value.substituted(LOOP, |unknown| self.loops.get(&unknown.name).cloned().unwrap_or_default());
        if !never {
            let always = verb == "pull";
            in_turn.into_iter().for_each(|value| self.pull(written.clone(), value, always));
        }
    }

    pub(super) fn pull(&mut self, written: Traced, value: Traced, always: bool) {
        if let (Some(function), Some(position)) = (&self.function, argument_of(&value)) {
            self.functions.insert(function.clone(), (position, always));
            return;
        }
        let likely = self.built_elsewhere && !always;
        self.pulls.push(Pull { written, value, always, likely });
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
                context = Some(shown(&self.fill(&unquoted(argument))));
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
            let Some(value) = value.map(|value| unquoted(&value)) else {
                continue;
            };
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
                    if let Some(equals) = filled.as_str().find('=') {
                        self.names.push((filled.slice(0..equals), true));
                    }
                    if let Some(at) = filled.as_str().find("=docker-image://") {
                        let image = filled.slice(at + "=docker-image://".len()..filled.as_str().len());
                        self.pulls.push(Pull {
                            written: image.clone(),
                            value: image,
                            always: true,
                            likely: false,
                        });
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
            self.builds.push(DockerBuild { dockerfile, arguments: given });
        }
    }

    /// `docker buildx create --driver-opt image=...` runs BuildKit from that image.
    fn builder(&mut self, arguments: &[Traced]) {
        for (index, argument) in arguments.iter().enumerate() {
            let options = match argument.as_str() {
                "--driver-opt" => arguments.get(index + 1).map(unquoted),
                text if text.starts_with("--driver-opt=") => {
                    Some(unquoted(&argument.slice("--driver-opt=".len()..text.len())))
                }
                _ => None,
            };
            let Some(options) = options else { continue };
            let mut start = 0;
            for option in options.as_str().split(',') {
                if option.starts_with("image=") {
                    let image = options.slice(start + "image=".len()..start + option.len());
                    let value = self.fill(&image);
                    self.pulls.push(Pull { written: image, value, always: true, likely: false });
                }
                start += option.len() + 1;
            }
        }
    }
}

/// Options of `docker` itself that take a value.
const GLOBAL_OPTIONS: [&str; 10] = [
    "--config",
    "--context",
    "-c",
    "--host",
    "-H",
    "--log-level",
    "-l",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
];

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

/// The number of the function's argument that a text is, from 0.
fn argument_of(value: &Traced) -> Option<usize> {
    let name = shown(value);
    let name = name.trim_matches('"').strip_prefix('$')?;
    let number: usize = name.strip_prefix('{').map_or(name, |rest| rest.trim_end_matches('}')).parse().ok()?;
    number.checked_sub(1)
}
