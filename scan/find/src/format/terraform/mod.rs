//! Terraform and OpenTofu: `container_definitions` (as `jsonencode`, heredoc or string), and `image` attributes of
//! resources that run containers.
//!
//! Values come from `variable` defaults, `locals` and `terraform.tfvars` of the same directory. A JSON file that
//! `file()` reads is found as a file of its own.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the expressions are those of hcl-edit, most of which can name no image"
)]

mod expression;
mod loops;
mod module;
mod scope;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use pullsafe_syntax::embedded::Embedded;
use pullsafe_syntax::reference::looks_like_reference;
use pullsafe_syntax::template::mark_templates;
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{TracedTree, WrittenAt as _, read};

use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::format::{buildspec, ecs};
use expression::{At, LIMIT, object_key};
use module::Module;

pub(super) const FORMAT: Format = Format {
    name: "Terraform, OpenTofu",
    finds: "`container_definitions` (`jsonencode`, heredoc, string), `image` of resources that run containers, \
        `docker_image`; through `var`, \
            `local`, `format`, `join`, `for_each` and `for`, `terraform.tfvars` of the same directory; scripts of \
            `user_data`; `.tf.json`",
    known_by: "`.tf`, `.tofu`",
    order: "by its extensions, which are its own",
    named: |name| name.has_extension(&["tf", "tofu"]),
    marks: &["image", "buildspec", "container_", "user_data", "docker"],
    read: ReadAs::Text { begins: never, scan },
};

pub(super) const JSON: Format = Format {
    name: "Terraform, OpenTofu",
    finds: "",
    known_by: "",
    order: "by its ending, before the formats that look at content",
    named: |name| name.file.ends_with(".tf.json"),
    marks: &[],
    read: ReadAs::Document {
        is: |name, _| name.file.ends_with(".tf.json"),
        scan: scan_json,
    },
};

/// Records the images of a Terraform file.
fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let start = if text.as_str().starts_with('\u{feff}') { 3 } else { 0 };
    let text = text.slice(start..text.as_str().len());
    match hcl_edit::parser::parse_body(text.as_str()) {
        Ok(body) => {
            let module = Module::load(text, body, analysis);
            let mut finder = Finder { module: &module, analysis, left: EXPRESSIONS };
            finder.body(module.body(), "", "");
        }
        Err(error) => {
            let line = error.location().line().saturating_sub(1);
            let offset = text.as_str().split_inclusive('\n').take(line).map(str::len).sum();
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            analysis.unreadable(&text, offset, format!("not readable as Terraform: {message}"));
        }
    }
}

/// Records the container definitions of a `.tf.json` file.
fn scan_json(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    for node in tree.mappings() {
        for (key, value) in node.own_entries() {
            match key {
                "container_definitions" | "container_properties" => {
                    for image in value.text().map(|text| embedded(&text)).unwrap_or_default() {
                        let value = mark_templates(&image);
                        analysis.found(PlaceKind::Terraform, &image, &value, Otherwise::Ignore);
                    }
                }
                "image" => {
                    if let Some(image) = value.text().filter(|image| looks_like_reference(image.as_str())) {
                        let value = mark_templates(&image);
                        analysis.found(PlaceKind::Terraform, &image, &value, Otherwise::Ignore);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The images of container definitions that are a JSON text.
fn embedded(text: &Traced) -> Vec<Traced> {
    let (tree, _) = read(text.clone());
    if ecs::looks_like(&tree) {
        ecs::images(&tree)
    } else {
        tree.documents().filter_map(|document| document.get("image")?.text()).collect()
    }
}

struct Finder<'f, 'a> {
    module: &'f Module,
    analysis: &'f mut Analysis<'a>,
    /// Expressions that may still be looked into for the attribute at hand: locals hold each other again and again.
    left: usize,
}

const EXPRESSIONS: usize = 20_000;

impl<'f> Finder<'f, '_> {
    fn body(&mut self, body: &'f Body, kind: &str, block: &str) {
        // An image that is built has its name for a push.
        let built = kind == "docker_image" && body.blocks().any(|inner| matches!(inner.ident.as_str(), "build"));
        for attribute in body.attributes() {
            let at = At { file: 0, expression: &attribute.value };
            self.left = EXPRESSIONS;
            self.attribute(attribute.key.as_str(), at, kind, block, built);
        }
        for inner in body.blocks() {
            let module = self.module;
            match kind {
                "" => {
                    let each = inner.body.get_attribute("for_each").map(|each| At { file: 0, expression: &each.value });
                    module.with_each(each, &mut || self.body(&inner.body, &kind_of(inner), inner.ident.as_str()));
                }
                _ => self.body(&inner.body, kind, inner.ident.as_str()),
            }
        }
    }

    fn attribute(&mut self, name: &str, at: At<'f>, kind: &str, block: &str, built: bool) {
        let definitions =
            name.contains("container_definition") || name == "container_properties" || name == "containers";
        match name {
            // What a local or a variable holds is found where it is used.
            _ if definitions && !matches!(kind, "output" | "variable" | "locals") => self.definitions(at),
            "vars" if kind == "template_file" => self.template_values(at),
            "manifest" if kind.starts_with("kubernetes_") => self.images_in(at, 0),
            "yaml_body" if kind.starts_with("kubectl_") => self.embedded(at, Embedded::Document),
            "user_data" | "user_data_base64" | "startup_script" | "metadata_startup_script" | "custom_data" => {
                self.embedded(at, Embedded::Script)
            }
            "buildspec" => self.buildspec(at),
            "image" | "image_uri" | "image_identifier" if runs_containers(kind) => self.image(at, true),
            "name" if kind == "docker_image" && block == "resource" && !built => self.image(at, true),
            "image" if !kind.is_empty() => self.image(at, false),
            _ if kind == "module" && (name.ends_with("container_image") || name.ends_with("docker_image")) => {
                self.image(at, true)
            }
            _ if kind == "module" && (name.ends_with("_image") || name.ends_with("image_uri")) => self.image(at, false),
            // A module's inputs hold container definitions under any name.
            _ if kind == "module" && block == "module" && !matches!(name, "source" | "version" | "providers") => {
                self.inputs(at)
            }
            _ => {}
        }
    }

    fn definitions(&mut self, at: At<'f>) {
        let at = self.module.follow(at);
        match at.expression {
            Expression::FuncCall(call)
                if matches!(call.name.name.as_str(), "jsonencode" | "concat" | "merge" | "flatten") =>
            {
                for argument in call.args.iter() {
                    self.definitions(At { expression: argument, ..at });
                }
            }
            Expression::FuncCall(call) if call.name.name.as_str() == "templatefile" => {
                if let Some(values) = call.args.iter().nth(1) {
                    self.template_values(At { expression: values, ..at });
                }
            }
            Expression::String(_) | Expression::StringTemplate(_) | Expression::HeredocTemplate(_) => {
                // Interpolations are filled in afterwards, so that an image is found where it is used.
                let (text, values) = self.module.with_interpolations(at);
                for written in embedded(&text) {
                    for value in
                        written.substituted(LIMIT, |unknown| values.get(&unknown.name).cloned().unwrap_or_default())
                    {
                        self.analysis.found(PlaceKind::Terraform, &written, &value, Otherwise::Ignore);
                    }
                }
            }
            _ => self.images_in(at, 0),
        }
    }

    /// The images among the values that a template of container definitions is given.
    fn template_values(&mut self, at: At<'f>) {
        let at = self.module.follow(at);
        let Expression::Object(values) = at.expression else {
            return;
        };
        for (key, value) in values.iter() {
            if object_key(key).is_some_and(|key| key == "image" || key.ends_with("_image") || key.ends_with("Image")) {
                self.image(At { expression: value.expr(), ..at }, true);
            }
        }
    }

    /// The images of the objects that a module is given, where they look like images.
    fn inputs(&mut self, at: At<'f>) {
        let at = self.module.follow(at);
        if matches!(at.expression, Expression::Object(_) | Expression::Array(_) | Expression::ForExpr(_)) {
            self.images_where(at, false, 0);
        }
    }

    /// The `image` of every object in an expression.
    fn images_in(&mut self, at: At<'f>, depth: usize) {
        self.images_where(at, true, depth);
    }

    fn images_where(&mut self, at: At<'f>, sure: bool, depth: usize) {
        let Some(left) = self.left.checked_sub(1).filter(|_| depth <= 64) else {
            return;
        };
        self.left = left;
        let at = self.module.follow(at);
        let inner = |expression| At { expression, ..at };
        match at.expression {
            Expression::Object(object) => {
                for (key, value) in object.iter() {
                    match object_key(key).as_deref() {
                        Some("image" | "Image") => self.image(inner(value.expr()), sure),
                        _ => self.images_where(inner(value.expr()), sure, depth + 1),
                    }
                }
            }
            Expression::Array(items) => items.iter().for_each(|item| self.images_where(inner(item), sure, depth + 1)),
            Expression::FuncCall(call) => {
                call.args.iter().for_each(|argument| self.images_where(inner(argument), sure, depth + 1))
            }
            Expression::Conditional(conditional) => {
                self.images_where(inner(&conditional.true_expr), sure, depth + 1);
                self.images_where(inner(&conditional.false_expr), sure, depth + 1);
            }
            Expression::ForExpr(each) => {
                let module = self.module;
                module.with_for(at.file, each, &mut || self.images_where(inner(&each.value_expr), sure, depth + 1));
            }
            Expression::Null(_)
            | Expression::Bool(_)
            | Expression::Number(_)
            | Expression::String(_)
            | Expression::StringTemplate(_)
            | Expression::HeredocTemplate(_)
            | Expression::Parenthesis(_)
            | Expression::Variable(_)
            | Expression::Traversal(_)
            | Expression::UnaryOp(_)
            | Expression::BinaryOp(_) => {}
        }
    }

    /// An image; where the resource is of no known kind, only what looks like one.
    fn image(&mut self, at: At<'f>, sure: bool) {
        let written = self.module.source(at.file, hcl_edit::Span::span(at.expression));
        for value in self.module.evaluate(at, 0) {
            let text = value.as_str();
            let known = value.unknowns().any(|(_, unknown)| unknown.assumed.is_some());
            if text.starts_with("aws/codebuild/") || !sure && !known && !looks_like_reference(text) {
                continue;
            }
            let unknown_altogether = !sure && value.unknowns().any(|(at, unknown)| at == 0 && unknown.assumed.is_none())
                // A `docker_image` is found for itself.
                || value.unknowns().any(|(_, unknown)| unknown.name.starts_with("docker_image."));
            if !unknown_altogether {
                let written = unquoted(&written);
                self.analysis.found(PlaceKind::Terraform, &written, &value, Otherwise::Ignore);
            }
        }
    }

    /// A script or a manifest that is written in the file.
    fn embedded(&mut self, at: At<'f>, kind: Embedded) {
        let mut at = self.module.follow(at);
        while let Expression::FuncCall(call) = at.expression {
            let Some(first) = call.args.iter().next() else { return };
            at = self.module.follow(At { expression: first, ..at });
            if matches!(call.name.name.as_str(), "templatefile" | "file") {
                return;
            }
        }
        for text in self.module.evaluate(at, 0) {
            self.analysis.embed(text, kind);
        }
    }

    fn buildspec(&mut self, at: At<'f>) {
        for text in self.module.evaluate(at, 0) {
            let (tree, _) = read(text);
            for document in tree.documents().filter(|document| buildspec::looks_like(*document)) {
                buildspec::scan(document, self.analysis);
            }
        }
    }
}

fn unquoted(text: &Traced) -> Traced {
    let text = text.trimmed();
    let inner = text.as_str().len() >= 2 && text.as_str().starts_with('"') && text.as_str().ends_with('"');
    if inner { text.slice(1..text.as_str().len() - 1) } else { text }
}

/// The type of a resource or data source; of any other block its own name.
fn kind_of(block: &Block) -> String {
    let label = block.labels.first().map(|label| label.as_str().to_owned());
    match block.ident.as_str() {
        "resource" | "data" => label.unwrap_or_default(),
        other => other.to_owned(),
    }
}

/// Resource types whose `image` is a container image and nothing else.
fn runs_containers(kind: &str) -> bool {
    [
        "kubernetes_",
        "google_cloud_run",
        "azurerm_container",
        "aws_lightsail_container",
        "aws_ecs_",
        "aws_batch_job",
    ]
    .iter()
    .any(|prefix| kind.starts_with(prefix))
        || matches!(
            kind,
            "docker_container"
                | "docker_service"
                | "aws_codebuild_project"
                | "aws_codebuild_fleet"
                | "aws_apprunner_service"
                | "aws_lambda_function"
                | "aws_sagemaker_model"
        )
}
