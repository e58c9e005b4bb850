//! A Terraform module: the files of one directory, and the values that its variables and locals have.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the expressions are those of hcl-edit, most of which can name no image"
)]

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use hcl_edit::template::Element;
use pullsafe_syntax::traced::{Quoting, Traced, Unknown, align, join};

use super::expression::{At, LIMIT, key_of, member};
use super::scope::LoopScope;
use crate::analysis::Analysis;
use crate::nearby::Made;

/// How many expressions are evaluated for one image: locals name each other again and again.
const EXPRESSIONS: usize = 20_000;
/// How long a text with values in may become.
const LENGTH: usize = 1 << 20;
/// How many bytes of a directory's files are read.
const BYTES: usize = 16 << 20;

/// A module: the scanned file, and the directory that it stands in.
pub(crate) struct Module {
    own: TerraformFile,
    directory: Option<Arc<Made<Directory>>>,
    /// What the variables of loops are at the moment.
    pub(super) scope: LoopScope,
    /// Expressions that may still be evaluated for the image at hand.
    left: Cell<usize>,
}

/// The files of a directory, which are the same for each of them.
#[derive(Default)]
struct Directory {
    files: Vec<TerraformFile>,
    /// What `.tfvars` files give names, which wins over all else: the file and the expression.
    given: HashMap<String, (usize, Expression)>,
    /// Which file gives a name a value.
    values: HashMap<String, usize>,
}

/// One file: its text, its blocks, and what it gives names.
struct TerraformFile {
    text: Traced,
    body: Body,
    values: HashMap<String, Expression>,
}

impl Module {
    /// The scanned file, and, where it refers to anything, the files beside it.
    pub(crate) fn load(text: Traced, body: Body, analysis: &mut Analysis<'_>) -> Self {
        let refers = ["var.", "local.", "data.docker_registry_image."].iter().any(|mark| text.as_str().contains(mark));
        let directory = if refers {
            analysis.made_of_directory(BYTES, Directory::wanted, Directory::of)
        } else {
            None
        };
        Self {
            own: TerraformFile::of(text, body),
            directory,
            scope: LoopScope::default(),
            left: Cell::new(0),
        }
    }

    /// The scanned file.
    pub(crate) fn body(&self) -> &Body {
        &self.own.body
    }

    /// Source text of a range of a file.
    pub(crate) fn source(&self, file: usize, span: Option<Range<usize>>) -> Traced {
        span.map(|span| self.file(file).text.slice(span)).unwrap_or_default()
    }

    /// The scanned file is 0, those of its directory follow.
    fn file(&self, number: usize) -> &TerraformFile {
        let beside = number.checked_sub(1).and_then(|at| self.directory.as_ref()?.value.files.get(at));
        beside.unwrap_or(&self.own)
    }

    /// What a name stands for.
    fn value(&self, name: &str) -> Option<At<'_>> {
        let directory = self.directory.as_ref().map(|made| &made.value);
        let given = || {
            directory
                .and_then(|directory| directory.given.get(name))
                .map(|(file, expression)| At { file: file + 1, expression })
        };
        let own = || self.own.values.get(name).map(|expression| At { file: 0, expression });
        let beside = || {
            let file = *directory?.values.get(name)?;
            Some(At {
                file: file + 1,
                expression: directory?.files[file].values.get(name)?,
            })
        };
        given().or_else(own).or_else(beside)
    }

    /// The expression that a reference stands for, if the module gives it.
    pub(crate) fn follow<'m>(&'m self, at: At<'m>) -> At<'m> {
        let mut at = at;
        for _ in 0..LIMIT {
            at = match at.expression {
                Expression::Parenthesis(inner) => At { expression: inner.inner(), ..at },
                Expression::Traversal(_) => match self.target(at) {
                    Some(target) => target,
                    None => return at,
                },
                _ => return at,
            };
        }
        at
    }

    /// `var.a`, `local.a.b`, `local.a["b"]`.
    fn target<'m>(&'m self, at: At<'m>) -> Option<At<'m>> {
        let Expression::Traversal(traversal) = at.expression else {
            return None;
        };
        let Expression::Variable(root) = &traversal.expr else {
            return None;
        };
        let mut operators = traversal.operators.iter().map(|operator| operator.value());
        if root.as_str() == "data" {
            let keys: Option<Vec<String>> = operators.map(key_of).collect();
            return self.value(&format!("data.{}", keys?.join(".")));
        }
        let first = key_of(operators.next()?)?;
        let mut at = self.value(&format!("{}.{first}", root.as_str()))?;
        for operator in operators {
            at = self.follow_once(at);
            at = At { expression: member(at.expression, &key_of(operator)?)?, ..at };
        }
        Some(at)
    }

    /// A local that is itself only a reference, once: chains are followed by the caller, within its limit.
    fn follow_once<'m>(&'m self, at: At<'m>) -> At<'m> {
        match at.expression {
            Expression::Traversal(traversal) if traversal.operators.len() == 1 => {
                let Expression::Variable(root) = &traversal.expr else {
                    return at;
                };
                let Some(key) = key_of(traversal.operators[0].value()) else {
                    return at;
                };
                self.value(&format!("{}.{key}", root.as_str())).unwrap_or(at)
            }
            _ => at,
        }
    }

    /// Every text that an expression can be.
    pub(crate) fn evaluate(&self, at: At<'_>, depth: usize) -> Vec<Traced> {
        let left = if depth == 0 { EXPRESSIONS } else { self.left.get() };
        if depth > LIMIT || left == 0 {
            return vec![self.unknown(at)];
        }
        self.left.set(left - 1);
        let deeper = |expression| self.evaluate(At { file: at.file, expression }, depth + 1);
        match at.expression {
            Expression::Null(_) => Vec::new(),
            Expression::String(value) => vec![self.literal(at.file, value.as_str(), value.span(), Quoting::Backslash)],
            Expression::StringTemplate(template) => self.template(at.file, template.iter(), Quoting::Backslash, depth),
            Expression::HeredocTemplate(heredoc) => {
                self.template(at.file, heredoc.template.iter(), Quoting::None, depth)
            }
            Expression::Number(number) => vec![Traced::computed(&number.value().to_string())],
            Expression::Bool(value) => vec![Traced::computed(&value.value().to_string())],
            Expression::Parenthesis(inner) => deeper(inner.inner()),
            Expression::Conditional(conditional) => {
                let mut values = deeper(&conditional.true_expr);
                values.extend(deeper(&conditional.false_expr));
                values.truncate(LIMIT);
                values
            }
            Expression::Traversal(traversal) => match (self.evaluate_bound(traversal, depth), self.target(at)) {
                (Some(values), _) => values,
                (None, Some(target)) => self.evaluate(target, depth + 1),
                (None, None) => vec![self.unknown(at)],
            },
            Expression::Variable(name) => {
                self.evaluate_variable(name.as_str(), depth).unwrap_or_else(|| vec![self.unknown(at)])
            }
            Expression::FuncCall(call) => {
                let arguments: Vec<&Expression> = call.args.iter().collect();
                self.call(call.name.name.as_str(), &arguments, at, depth)
            }
            Expression::Array(_)
            | Expression::Object(_)
            | Expression::UnaryOp(_)
            | Expression::BinaryOp(_)
            | Expression::ForExpr(_) => {
                vec![self.unknown(at)]
            }
        }
    }

    /// A template's text with its interpolations as unknown parts, and the values that these can have.
    pub(crate) fn with_interpolations(&self, at: At<'_>) -> (Traced, HashMap<String, Vec<Traced>>) {
        let (elements, quoting): (Vec<&Element>, _) = match at.expression {
            Expression::StringTemplate(template) => (template.iter().collect(), Quoting::Backslash),
            Expression::HeredocTemplate(heredoc) => (heredoc.template.iter().collect(), Quoting::None),
            _ => return (self.evaluate(at, 0).into_iter().next().unwrap_or_default(), HashMap::new()),
        };
        let mut text = Traced::default();
        let mut values = HashMap::new();
        for element in elements {
            match element {
                Element::Literal(literal) => {
                    text.push(&self.literal(at.file, literal.as_str(), literal.span(), quoting))
                }
                Element::Interpolation(interpolation) => {
                    let source = self.source(at.file, interpolation.span());
                    let name = source
                        .as_str()
                        .trim_start_matches("${")
                        .trim_end_matches('}')
                        .trim_matches(['~', ' '])
                        .to_owned();
                    values
                        .insert(name.clone(), self.evaluate(At { file: at.file, expression: &interpolation.expr }, 0));
                    text.push(&Traced::unknown_at(
                        Unknown { name, written: None, assumed: None, empty_if_unset: false },
                        source.origin(0),
                    ));
                }
                Element::Directive(_) => text.push(&self.directive(at.file, element)),
            }
        }
        (text, values)
    }

    fn call(&self, name: &str, arguments: &[&Expression], at: At<'_>, depth: usize) -> Vec<Traced> {
        let one =
            |expression: &Expression| self.evaluate(At { file: at.file, expression }, depth + 1).into_iter().next();
        match (name, arguments) {
            ("format", [pattern, values @ ..]) => {
                let Some(pattern) = one(pattern) else { return Vec::new() };
                let mut result = Traced::default();
                let mut copied = 0;
                let mut values = values.iter();
                while let Some(index) = pattern.as_str()[copied..].find('%').map(|found| copied + found) {
                    result.push(&pattern.slice(copied..index));
                    match pattern.as_str()[index + 1..].chars().next() {
                        Some('s' | 'd' | 'v') => {
                            result
                                .push(&values.next().and_then(|value| one(value)).unwrap_or_else(|| self.unknown(at)));
                        }
                        Some('%') => result.push_computed("%"),
                        // A width or another kind of value: no image is written like that.
                        _ => return vec![self.unknown(at)],
                    }
                    copied = index + 2;
                }
                result.push(&pattern.slice(copied..pattern.as_str().len()));
                vec![result]
            }
            ("join", [separator, Expression::Array(items)]) => {
                let separator = one(separator).unwrap_or_default();
                let parts: Option<Vec<Traced>> = items.iter().map(one).collect();
                parts.map(|parts| join(&parts, separator.as_str())).into_iter().collect()
            }
            ("coalesce" | "try", arguments) => {
                let values: Vec<Traced> =
                    arguments.iter().filter_map(|argument| one(argument)).filter(|value| !value.is_empty()).collect();
                let known = values.iter().find(|value| value.unknowns().next().is_none());
                known.or(values.first()).cloned().into_iter().collect()
            }
            ("trimspace" | "lower" | "tostring" | "nonsensitive", [argument]) => one(argument).into_iter().collect(),
            ("lookup", [map, key, default @ ..]) => {
                let map = self.follow(At { file: at.file, expression: map });
                let found = one(key).and_then(|key| member(map.expression, key.as_str()));
                match (found, default) {
                    (Some(found), _) => self.evaluate(At { expression: found, ..map }, depth + 1),
                    (None, [default]) => one(default).into_iter().collect(),
                    (None, _) => vec![self.unknown(at)],
                }
            }
            _ => vec![self.unknown(at)],
        }
    }

    fn template<'e>(
        &self,
        file: usize,
        elements: impl Iterator<Item = &'e Element>,
        quoting: Quoting,
        depth: usize,
    ) -> Vec<Traced> {
        let mut results = vec![Traced::default()];
        for element in elements {
            let alternatives = match element {
                Element::Literal(text) => vec![self.literal(file, text.as_str(), text.span(), quoting)],
                Element::Interpolation(interpolation) => {
                    self.evaluate(At { file, expression: &interpolation.expr }, depth + 1)
                }
                Element::Directive(_) => vec![self.directive(file, element)],
            };
            results = results
                .iter()
                .flat_map(|result| alternatives.iter().map(move |alternative| (result, alternative)))
                .filter(|(result, alternative)| result.as_str().len() + alternative.as_str().len() <= LENGTH)
                .take(LIMIT)
                .map(|(result, alternative)| join(&[result.clone(), alternative.clone()], ""))
                .collect();
        }
        results
    }

    /// `%{ if ... }` and `%{ for ... }` are not followed.
    fn directive(&self, file: usize, element: &Element) -> Traced {
        let origin = self.source(file, element.span()).origin(0);
        Traced::unknown_at(
            Unknown {
                name: "%{...}".to_owned(),
                written: None,
                assumed: None,
                empty_if_unset: false,
            },
            origin,
        )
    }

    fn literal(&self, file: usize, value: &str, span: Option<Range<usize>>, quoting: Quoting) -> Traced {
        let source = self.source(file, span);
        let text = source.as_str();
        let quoted = quoting == Quoting::Backslash
            && text.len() >= 2
            && text.starts_with('"')
            && text.ends_with('"')
            && text != value;
        if quoted {
            align(value, &source.slice(1..text.len() - 1), quoting)
        } else {
            align(value, &source, quoting)
        }
    }

    /// A value that the module does not give, under its name; some names tell the registry.
    fn unknown(&self, at: At<'_>) -> Traced {
        let name = self.source(at.file, at.expression.span());
        let name = name.as_str().trim();
        let name = if name.is_empty() || name.len() > 80 { "an expression" } else { name };
        let assumed = if name.starts_with("aws_ecr_repository.") || name.starts_with("data.aws_ecr_repository.") {
            name.ends_with(".repository_url")
                .then_some("123456789012.dkr.ecr.us-east-1.amazonaws.com/repository")
        } else if name.starts_with("data.aws_caller_identity.") {
            Some("123456789012")
        } else if name.starts_with("data.aws_region.") {
            Some("us-east-1")
        } else {
            None
        };
        unknown(name, assumed)
    }
}

fn unknown(name: &str, assumed: Option<&'static str>) -> Traced {
    Traced::unknown(Unknown {
        name: name.to_owned(),
        written: None,
        assumed,
        empty_if_unset: false,
    })
}

impl Directory {
    /// Terraform's files; first those whose values win, so that no limit leaves them out, the last to win last.
    fn wanted(mut paths: Vec<String>) -> Vec<String> {
        paths.retain(|path| path.ends_with(".tf") || path.ends_with(".tofu") || is_variables(path));
        paths.sort_by_cached_key(|path| (!is_variables(path), path.ends_with(".auto.tfvars"), path.clone()));
        paths
    }

    fn of(files: Vec<(String, Traced)>) -> Self {
        let mut directory = Self::default();
        for (path, text) in files {
            let Ok(body) = hcl_edit::parser::parse_body(text.as_str()) else {
                continue;
            };
            let number = directory.files.len();
            if is_variables(&path) {
                let given = body
                    .attributes()
                    .map(|value| (format!("var.{}", value.key.as_str()), (number, value.value.clone())));
                directory.given.extend(given);
            }
            let file = TerraformFile::of(text, body);
            for name in file.values.keys() {
                directory.values.entry(name.clone()).or_insert(number);
            }
            directory.files.push(file);
        }
        directory
    }
}

impl TerraformFile {
    fn of(text: Traced, body: Body) -> Self {
        let mut values = HashMap::new();
        for block in body.blocks() {
            match block.ident.as_str() {
                "variable" => {
                    if let (Some(label), Some(default)) = (block.labels.first(), block.body.get_attribute("default")) {
                        values.entry(format!("var.{}", label.as_str())).or_insert_with(|| default.value.clone());
                    }
                }
                // Its name is an image's, for a resource that pulls it.
                "data" if block.labels.first().is_some_and(|kind| kind.as_str() == "docker_registry_image") => {
                    if let (Some(label), Some(name)) = (block.labels.get(1), block.body.get_attribute("name")) {
                        let key = format!("data.docker_registry_image.{}.name", label.as_str());
                        values.entry(key).or_insert_with(|| name.value.clone());
                    }
                }
                "locals" => {
                    for local in block.body.attributes() {
                        values.entry(format!("local.{}", local.key.as_str())).or_insert_with(|| local.value.clone());
                    }
                }
                _ => {}
            }
        }
        Self { text, body, values }
    }
}

fn is_variables(path: &str) -> bool {
    path.ends_with("terraform.tfvars") || path.ends_with(".auto.tfvars")
}
