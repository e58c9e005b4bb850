//! The commands of a CI system's scripts: what `docker pull` and `docker run` in them ask a registry for.
//!
//! A name that any script of the file builds, tags or loads is no pull: jobs hand images to each other. Where a
//! variable decides the registry, it is the pipeline's own image far more often than not, and is left out.

use pullsafe_syntax::reference::{resolve, shown};
use pullsafe_syntax::shell::{ScriptResult, Shell};
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{TracedNode, WrittenAt as _};

use crate::analysis::Analysis;
use crate::finding::{BuiltFor, PlaceKind};
use crate::format::buildspec::scan_build;

/// The scripts of one file.
#[derive(Default)]
pub(crate) struct Commands {
    shell: Shell,
}

impl Commands {
    /// Begins a job, with the variables that are set for it.
    pub(crate) fn job(&mut self, variables: impl IntoIterator<Item = (String, Traced)>) {
        self.shell.variables = variables.into_iter().collect();
    }

    /// Follows the commands of a script.
    pub(crate) fn run(&mut self, script: &Traced) {
        self.shell.run(script);
    }

    /// Follows the commands of a node: a script, or a list of them, or a list of lists.
    pub(crate) fn run_all(&mut self, node: TracedNode<'_>) {
        let mut waiting = vec![(node, 0)];
        while let Some((node, depth)) = waiting.pop() {
            // `!reference [.job, script]` repeats what another job says.
            if node.tag().is_some() || depth > DEPTH {
                continue;
            }
            if let Some(script) = node.text() {
                self.run(&script);
            }
            waiting.extend(node.items().into_iter().rev().map(|item| (item, depth + 1)));
        }
    }

    /// Remembers the name of an image that something else than a command builds.
    pub(crate) fn made(&mut self, name: &Traced) {
        self.shell.made(name);
    }

    /// Whether a name is that of an image that was made so far.
    pub(crate) fn has_made(&self, name: &Traced) -> bool {
        self.shell.has_made(name)
    }

    /// Records what the scripts pull.
    pub(crate) fn finish(self, analysis: &mut Analysis<'_>) {
        self.finish_as(PlaceKind::CiCommand, analysis);
    }

    /// Records what the scripts pull, as a place of another kind.
    pub(crate) fn finish_as(self, place: PlaceKind, analysis: &mut Analysis<'_>) {
        let ScriptResult { pulls, builds, names, texts } = self.shell.finish();
        for pull in pulls {
            let decided = resolve(&pull.value.trimmed()).is_ok_and(|resolved| resolved.registry.is_some());
            if decided && !is_placeholder(&shown(&pull.value)) {
                analysis.found_where(pull.likely, place, &pull.written, &pull.value);
            }
        }
        for build in builds {
            scan_build(build, place, analysis);
        }
        for (name, is_context) in names {
            analysis.built(&name, if is_context { BuiltFor::AsContext } else { BuiltFor::Locally });
        }
        for (text, kind) in texts {
            analysis.embed(text, kind);
        }
    }
}

/// How deep lists of commands are followed: GitLab allows ten levels.
const DEPTH: usize = 10;

/// What a comment or a message has in the place of an image.
fn is_placeholder(text: &str) -> bool {
    text.is_empty() || text.starts_with(['.', '<', '>', '&'])
}
