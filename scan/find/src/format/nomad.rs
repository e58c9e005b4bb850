//! Jobs of Nomad: `image` in the `config` of a task.

use pullsafe_syntax::source::{Language, SourceTokens};
use pullsafe_syntax::template::mark;
use pullsafe_syntax::traced::Traced;

use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Nomad",
    finds: "`image` of a task's `config`, with the defaults of `variable` and `locals`",
    known_by: "`*.nomad`, `*.hcl`, and templates of them, with a `job`",
    order: "after bake files and Terraform, which are HCL with names of their own",
    named,
    marks: &["job \"", "job '", "task \"", "config {"],
    read: ReadAs::Text { begins: never, scan },
};

fn named(name: &Name<'_>) -> bool {
    let file = name.file.as_str();
    let stem = [".tpl", ".tmpl", ".tftpl", ".template", ".levant", ".ctmpl"]
        .iter()
        .find_map(|end| file.strip_suffix(end))
        .unwrap_or(file);
    [".nomad", ".hcl", ".nomad.hcl"].iter().any(|end| stem.ends_with(end))
        && !file.contains("packer")
        && !file.contains(".pkr")
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let whole = text.as_str();
    let has_templates = whole.contains("[[") || whole.contains("{{");
    let marked = if has_templates { &mark(text, &[("[[", "]]"), ("{{", "}}")]) } else { text };
    let source = SourceTokens::read(marked, Language::Hcl);
    for index in 0..source.count() {
        let Some(("image", value)) = source.named_at(index) else {
            continue;
        };
        let inside = source.around(index).next();
        if inside.is_none_or(|open| source.owner(open) != "config") {
            continue;
        }
        if let Some(value) = source.value(value) {
            let scheme = if value.as_str().starts_with("docker://") { "docker://".len() } else { 0 };
            let image = value.slice(scheme..value.as_str().len());
            analysis.found(PlaceKind::Nomad, &image, &image, Otherwise::Ignore);
        }
    }
}
