//! Recognises Dockerfiles by name, and files without a known name that begin like one. [`crate::dockerfile`] finds what
//! they pull.

use pullsafe_syntax::template;
use pullsafe_syntax::traced::Traced;

use super::{Format, ReadAs, compose};
use crate::analysis::Analysis;
use crate::dockerfile::{self, Outside};
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Dockerfile, Containerfile",
    finds: "`FROM` with global `ARG`s, their defaults and every form of `${X:-y}`, `${X#y}` and `${X/y/z}`; `COPY \
        --from=`; \
            `RUN --mount=...,from=`; the same after `ONBUILD`; `# syntax=`",
    known_by: "`Dockerfile*`, `Containerfile*`, `*.dockerfile`, templates of them (`*.j2`, `*.erb`, `*.eex`); or a \
        file of no known name that begins like one",
    order: "first: by far the most files are of it, and nothing else has its names",
    named,
    marks: &[],
    read: ReadAs::Text { begins: dockerfile::looks_like, scan },
};

fn named(name: &Name<'_>) -> bool {
    let file = name.file.as_str();
    ["dockerfile", "containerfile"].iter().any(|word| {
        file == *word
            || name.extension() == *word
            || file.strip_prefix(word).is_some_and(|rest| {
                let is_document = rest.ends_with(".yml") || rest.ends_with(".yaml") || rest.ends_with(".json");
                rest.starts_with(['.', '-', '_']) && !is_document && !name.is_other() && !name.has_extension(PROGRAMS)
            })
    })
}

/// Extensions of programs: a program about Dockerfiles is not a Dockerfile.
const PROGRAMS: &[&str] =
    &["go", "java", "js", "kt", "py", "sh", "bash", "ts", "tsx", "cs", "rs", "groovy", "ps1", "bat", "mk"];

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let is_template = ["{{", "{%", "<%"].iter().any(|mark| text.as_str().contains(mark));
    let text = if is_template { &template::without_control_of(text) } else { text };
    let contexts = if dockerfile::names_a_word(text) {
        compose::contexts_of_dockerfile(analysis)
    } else {
        Vec::new()
    };
    dockerfile::scan(text, &Outside { contexts, ..Outside::default() }, analysis);
}
