//! Makefiles and justfiles: the commands of recipes, with the file's variables.

use std::collections::HashMap;

use pullsafe_syntax::template::mark;
use pullsafe_syntax::traced::{Traced, Unknown};

use super::commands::Commands;
use super::{Format, ReadAs, never};
use crate::analysis::Analysis;
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Makefile, justfile",
    finds: "commands of recipes, as in scripts, with `NAME ?= value` and the like",
    known_by: "`Makefile*`, `GNUmakefile`, `*.mk`, `justfile`",
    order: "before scripts, whose commands it has between its own lines",
    named,
    marks: &["docker", "podman", "crane", "skopeo", "kubectl", "DOCKER", "nerdctl", "kind", "ctr"],
    read: ReadAs::Text { begins: never, scan },
};

/// How deep variables in variables are followed.
const DEPTH: usize = 12;
/// How long a line may become.
const LENGTH: usize = 1 << 16;

fn named(name: &Name<'_>) -> bool {
    let file = name.file.as_str();
    (file.starts_with("makefile") || file == "gnumakefile" || name.has_extension(&["mk", "mak", "make"]))
        && !name.has_extension(&["py", "md", "js", "ts", "go"])
        || is_just(file)
}

fn is_just(file: &str) -> bool {
    matches!(file, "justfile" | ".justfile") || file.ends_with(".just")
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let just = is_just(&Name::of(analysis.path()).file);
    let mut variables = MakeVariables { values: HashMap::new(), just };
    let mut commands = Commands::default();
    let mut recipe = Traced::default();
    let mut recipes: Vec<Traced> = Vec::new();
    let lines = logical_lines(text, just);
    for line in &lines {
        // Editors make spaces of tabs: no make takes that for a recipe, but it is meant as one.
        let spaces = line.as_str().starts_with("  ")
            && (just || !line.as_str().contains('=') || !recipe.is_empty() || runs(line.as_str()));
        let indented = line.as_str().starts_with('\t') || spaces;
        if indented {
            let body = line.trimmed();
            let skipped = body.as_str().len() - body.as_str().trim_start_matches(['@', '-', '+']).len();
            recipe.push(&body.slice(skipped..body.as_str().len()));
            recipe.push_computed("\n");
            continue;
        }
        if line.as_str().trim().is_empty() {
            continue;
        }
        recipes.push(std::mem::take(&mut recipe));
        variables.assign(line);
    }
    recipes.push(recipe);
    // A variable has its last value whenever a recipe runs.
    for recipe in recipes.iter().filter(|recipe| !recipe.is_empty()) {
        commands.job([]);
        for line in recipe.split("\n") {
            commands.run(&variables.expand(&line, 0));
        }
    }
    commands.finish_as(PlaceKind::ScriptCommand, analysis);
}

/// Whether a line is a command of an engine.
fn runs(line: &str) -> bool {
    ["docker ", "podman ", "@docker ", "@podman "]
        .iter()
        .any(|begin| line.trim_start().starts_with(begin))
}

/// Lines, with those that end in a backslash joined to the next.
fn logical_lines(text: &Traced, just: bool) -> Vec<Traced> {
    let mut lines = Vec::new();
    let mut current = Traced::default();
    let mut at = 0;
    for line in text.as_str().split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim_end_matches(['\n', '\r']);
        let is_comment =
            current.is_empty() && content.trim_start().starts_with('#') && !(just && content.starts_with(' '));
        match content.strip_suffix('\\').filter(|_| !is_comment) {
            Some(content) => {
                current.push(&text.slice(start..start + content.len()));
                current.push_computed(" ");
            }
            None if is_comment => {}
            None => {
                current.push(&text.slice(start..start + content.len()));
                lines.push(std::mem::take(&mut current));
            }
        }
    }
    lines.push(current);
    lines
}

struct MakeVariables {
    values: HashMap<String, Traced>,
    just: bool,
}

impl MakeVariables {
    /// `NAME = value`, with `:=`, `?=`, `+=`; `export` before it.
    fn assign(&mut self, line: &Traced) {
        let text = line.as_str();
        let Some(equals) = text.find('=') else { return };
        let before = text[..equals].trim_end_matches([':', '?', '+', '!', ' ', '\t']);
        let name = before.rsplit([' ', '\t']).next().unwrap_or_default();
        let words = before.split_whitespace().count();
        let is_plain = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !is_plain
            || words > 2
            || words == 2 && !before.trim_start().starts_with("export") && !before.trim_start().starts_with("override")
        {
            return;
        }
        let operator = &text[before.len()..equals];
        let value = line.slice(equals + 1..text.len());
        let end = value.as_str().find(" #").unwrap_or(value.as_str().len());
        let value = value.slice(0..end).trimmed();
        let quoted = value.as_str().len() > 1
            && value.as_str().starts_with(['"', '\''])
            && value.as_str().ends_with(['"', '\'']);
        let value = if self.just && quoted {
            value.slice(1..value.as_str().len() - 1)
        } else {
            value
        };
        if operator.contains('+') || operator.contains('?') && self.values.contains_key(name) {
            return;
        }
        self.values.insert(name.to_owned(), value);
    }

    /// The text with its `$(NAME)` and `${NAME}` in, and `$$` as the shell's `$`.
    fn expand(&self, text: &Traced, depth: usize) -> Traced {
        if self.just {
            let marked = mark(text, &[("{{", "}}")]);
            let value = |unknown: &Unknown| self.values.get(&unknown.name).cloned().into_iter().collect();
            return marked.substituted(1, value).pop().unwrap_or(marked);
        }
        let whole = text.as_str();
        let mut expanded = Traced::default();
        let mut copied = 0;
        while let Some(found) = whole[copied..].find('$') {
            let start = copied + found;
            expanded.push(&text.slice(copied..start));
            let rest = &whole[start..];
            let (inner, end) = match rest.as_bytes().get(1) {
                Some(b'$') => {
                    expanded.push(&text.slice(start..start + 1));
                    copied = start + 2;
                    continue;
                }
                Some(b'(') => (start + 2, closing(rest, b'(', b')').map(|end| start + end)),
                Some(b'{') => (start + 2, closing(rest, b'{', b'}').map(|end| start + end)),
                _ => (start + 1, whole[start + 1..].chars().next().map(|next| start + 1 + next.len_utf8())),
            };
            let Some(end) = end else { break };
            let name = &whole[inner..end];
            copied = if inner == start + 2 { end + 1 } else { end };
            let value = self.values.get(name.trim()).filter(|_| depth < DEPTH && expanded.as_str().len() < LENGTH);
            match value {
                Some(value) => expanded.push(&self.expand(value, depth + 1)),
                None => {
                    // `$(or $(IMAGE),default)` gives the last that is something.
                    let default = name.strip_prefix("or ").and_then(|_| name.rfind(',').map(|comma| inner + comma + 1));
                    match default {
                        Some(start) => expanded.push(&text.slice(start..end).trimmed()),
                        None => expanded.push(&Traced::unknown_at(unknown(name), text.origin(start))),
                    }
                }
            }
        }
        expanded.push(&text.slice(copied.min(whole.len())..whole.len()));
        expanded
    }
}

fn unknown(name: &str) -> Unknown {
    Unknown {
        name: name.to_owned(),
        written: None,
        assumed: None,
        empty_if_unset: false,
    }
}

/// Where the bracket closes that opens at the second byte.
fn closing(text: &str, open: u8, close: u8) -> Option<usize> {
    let mut depth = 0usize;
    for (index, byte) in text.bytes().enumerate().skip(1).take(LENGTH) {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}
