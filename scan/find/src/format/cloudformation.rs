//! CloudFormation, SAM and CDK templates, as YAML with short tags or as JSON.
//!
//! Intrinsic functions are evaluated as far as the template itself decides: parameters' defaults, `Fn::Sub`,
//! `Fn::Join`, both sides of `Fn::If`, every row of a mapping that a parameter without a default selects.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use pullsafe_syntax::embedded::Embedded;
use pullsafe_syntax::template::{mark, mark_templates};
use pullsafe_syntax::traced::{Traced, Unknown, join};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _, read};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::format::buildspec;

pub(super) const FORMAT: Format = Format {
    name: "CloudFormation, SAM, CDK (`cdk.out`)",
    finds: "container images of ECS, Batch, App Runner, Lightsail, Lambda, SageMaker; CodeBuild's `Environment.Image` \
        and inline `BuildSpec`; \
            scripts of `UserData`; through `Ref`, `Sub`, `Join`, `If`, `FindInMap`, `Select`, short or long form",
    known_by: "`Resources` with types, `AWSTemplateFormatVersion`",
    order: "first of those by content: nothing else has its marks, and it may hold any of the others",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |_, tree| tree.documents().any(looks_like),
        scan: |tree, analysis| tree.documents().for_each(|root| scan(tree, root, analysis)),
    },
};

/// Resource types that run containers; the image is under `Image`, `ImageUri` or `ImageIdentifier` somewhere below.
const TYPES: [&str; 13] = [
    "AWS::AppRunner::Service",
    "AWS::Batch::JobDefinition",
    "AWS::BedrockAgentCore::Runtime",
    "AWS::CodeBuild::Fleet",
    "AWS::CodeBuild::Project",
    "AWS::ECS::ExpressGatewayService",
    "AWS::ECS::TaskDefinition",
    "AWS::ImageBuilder::ContainerRecipe",
    "AWS::Lambda::Function",
    "AWS::Lightsail::Container",
    "AWS::SageMaker::Model",
    "AWS::Serverless::Function",
    "AWS::GreengrassV2::ComponentVersion",
];

/// How many values one expression may have, and how deep functions may nest.
const LIMIT: usize = 32;
/// How many expressions are evaluated for one image: functions in functions name each other's values again and again.
const EXPRESSIONS: usize = 20_000;
/// How long a value may become.
const LENGTH: usize = 1 << 20;

const ECR_REPOSITORY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/repository";

/// Whether a document is a template.
fn looks_like(root: TracedNode<'_>) -> bool {
    root.get("AWSTemplateFormatVersion").is_some()
        || root.get("Resources").is_some_and(|resources| {
            resources.own_entries().any(|(_, resource)| {
                resource.get("Type").and_then(TracedNode::scalar).is_some_and(|kind| kind.contains("::"))
            })
        })
}

/// Records the images of a template's resources.
fn scan(tree: &TracedTree, root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    // An alias may lead back to where it stands.
    let mut seen = HashSet::new();
    let template = Template { root, left: Cell::new(EXPRESSIONS) };
    for resource in tree.mappings() {
        if let Some(script) = resource.get("UserData") {
            user_data(script, analysis);
        }
        let kind = resource.get("Type").and_then(TracedNode::scalar).unwrap_or_default();
        let Some(properties) = resource.get("Properties").filter(|_| TYPES.contains(&kind)) else {
            continue;
        };
        let codebuild = kind == "AWS::CodeBuild::Project";
        let mut waiting = vec![properties];
        while let Some(node) = waiting.pop() {
            if !seen.insert(node.id()) {
                continue;
            }
            for (key, value) in node.own_entries() {
                match key {
                    // Names and values of people's own.
                    "Variables" | "DockerLabels" | "Tags" => {}
                    "Image" | "ImageUri" | "ImageIdentifier" | "ParentImage" => {
                        template.left.set(EXPRESSIONS);
                        template.image(value, codebuild, 0, analysis);
                    }
                    "BuildSpec" => template.buildspec(value, analysis),
                    _ => waiting.push(value),
                }
            }
            waiting.extend(node.items());
        }
    }
}

struct Template<'t> {
    root: TracedNode<'t>,
    /// Expressions that may still be evaluated for the image at hand.
    left: Cell<usize>,
}

impl<'t> Template<'t> {
    fn image(&self, node: TracedNode<'t>, codebuild: bool, depth: usize, analysis: &mut Analysis<'_>) {
        let place = if codebuild {
            PlaceKind::CodeBuildEnvironment
        } else {
            PlaceKind::CloudFormation
        };
        let function = called(node);
        // Each side of a condition is an image of its own.
        if let Some(("If", sides)) = function {
            let left = self.left.get().checked_sub(1).filter(|_| depth < LIMIT);
            let sides = if let Some(left) = left {
                self.left.set(left);
                sides.items()
            } else {
                Vec::new()
            };
            sides.into_iter().skip(1).for_each(|side| self.image(side, codebuild, depth + 1, analysis));
            return;
        }
        let written = match function {
            Some(("Join", argument)) => argument.items().get(1).map(|list| scalars(*list)).unwrap_or_default(),
            _ => node.text().unwrap_or_else(|| scalars(node)),
        };
        for value in self.evaluate(node, 0) {
            // CodeBuild's own images have a name like a repository, but come from no registry.
            if value.is_empty() || codebuild && value.as_str().starts_with("aws/codebuild/") {
                continue;
            }
            analysis.found(place, &written, &value, Otherwise::Ignore);
        }
    }

    fn buildspec(&self, node: TracedNode<'t>, analysis: &mut Analysis<'_>) {
        self.left.set(EXPRESSIONS);
        for text in self.evaluate(node, 0) {
            let (tree, _) = read(text);
            for document in tree.documents().filter(|document| buildspec::looks_like(*document)) {
                buildspec::scan(document, analysis);
            }
        }
    }

    /// Every value that an expression can have.
    fn evaluate(&self, node: TracedNode<'t>, depth: usize) -> Vec<Traced> {
        let Some(left) = self.left.get().checked_sub(1).filter(|_| depth <= LIMIT) else {
            return Vec::new();
        };
        self.left.set(left);
        if let Some((name, argument)) = called(node) {
            return self.call(name, argument, depth);
        }
        node.text().map(|text| mark_templates(&text)).into_iter().collect()
    }

    fn call(&self, function: &str, argument: TracedNode<'t>, depth: usize) -> Vec<Traced> {
        let arguments = argument.items();
        let plain = || argument.scalar().unwrap_or_default();
        match function {
            "Ref" => self.reference(plain(), depth),
            "GetAtt" => {
                let parts: Vec<&str> = arguments.iter().filter_map(|part| part.scalar()).collect();
                let name = if parts.is_empty() { plain().to_owned() } else { parts.join(".") };
                vec![self.attribute(&name)]
            }
            "Sub" => {
                let (pattern, values) = match arguments.as_slice() {
                    [pattern, values, ..] => (*pattern, Some(*values)),
                    [pattern] => (*pattern, None),
                    [] => (argument, None),
                };
                pattern.text().map(|pattern| self.substitute(&pattern, values, depth)).unwrap_or_default()
            }
            "Join" => match arguments.as_slice() {
                [separator, list] => self.joined(separator.scalar().unwrap_or_default(), *list, depth),
                _ => Vec::new(),
            },
            "If" => arguments.iter().skip(1).flat_map(|side| self.evaluate(*side, depth + 1)).take(LIMIT).collect(),
            "FindInMap" => self.find_in_map(&arguments, depth),
            "Select" => match arguments.as_slice() {
                [index, list] => {
                    let index = index.scalar().and_then(|index| index.parse::<usize>().ok());
                    let chosen =
                        index.and_then(|index| list.items().get(index).copied().filter(|_| called(*list).is_none()));
                    match (chosen, index.and_then(|index| self.selected(index, *list, depth))) {
                        (Some(chosen), _) => self.evaluate(chosen, depth + 1),
                        (None, Some(values)) => values,
                        (None, None) => vec![unknown("Fn::Select", self.part_of_arn(index, *list))],
                    }
                }
                _ => Vec::new(),
            },
            "ImportValue" => {
                let name = argument.scalar().map_or_else(|| "Fn::ImportValue".to_owned(), str::to_owned);
                vec![unknown(&name, None)]
            }
            other => vec![unknown(&format!("Fn::{other}"), None)],
        }
    }

    fn reference(&self, name: &str, depth: usize) -> Vec<Traced> {
        if name == "AWS::NoValue" {
            return Vec::new();
        }
        if let Some(assumed) = pseudo_parameter(name) {
            return vec![unknown(name, Some(assumed))];
        }
        let parameter = self.root.at(&["Parameters", name]);
        let from_store = parameter
            .and_then(|parameter| parameter.get("Type")?.scalar())
            .is_some_and(|kind| kind.starts_with("AWS::SSM::Parameter::Value"));
        let kind = self.root.at(&["Resources", name, "Type"]).and_then(TracedNode::scalar);
        match parameter.and_then(|parameter| parameter.get("Default")) {
            None if kind == Some("AWS::ECR::Repository") => vec![unknown(name, Some("repository"))],
            Some(default) if !from_store => default.text().map(|text| mark_templates(&text)).into_iter().collect(),
            _ if depth > LIMIT => Vec::new(),
            _ => vec![unknown(name, None)],
        }
    }

    /// A part of a text that is split, or an item of a parameter that is a list.
    fn selected(&self, index: usize, list: TracedNode<'t>, depth: usize) -> Option<Vec<Traced>> {
        let (name, argument) = called(list)?;
        let (separator, text) = match (name, argument.items().as_slice()) {
            ("Split", [separator, text]) => (separator.scalar()?, *text),
            ("Ref", []) => (",", list),
            _ => return None,
        };
        let values = self.evaluate(text, depth + 1);
        let known =
            !values.is_empty() && !separator.is_empty() && values.iter().all(|value| value.unknowns().next().is_none());
        known.then(|| {
            values
                .iter()
                .filter_map(|value| value.split(separator).nth(index).map(|part| part.trimmed()))
                .collect()
        })
    }

    /// The region or the account, where they are taken from an ARN of this template as CDK does it.
    fn part_of_arn(&self, index: Option<usize>, list: TracedNode<'t>) -> Option<&'static str> {
        let Some(("Split", argument)) = called(list) else {
            return None;
        };
        let arguments = argument.items();
        let [separator, text] = arguments.as_slice() else {
            return None;
        };
        let is_arn = called(*text).is_some_and(|(name, argument)| {
            let attribute = argument
                .items()
                .get(1)
                .and_then(|part| part.scalar())
                .or_else(|| argument.scalar()?.rsplit('.').next());
            name == "GetAtt" && attribute == Some("Arn")
        });
        match (separator.scalar(), index) {
            (Some(":"), Some(3)) if is_arn => pseudo_parameter("AWS::Region"),
            (Some(":"), Some(4)) if is_arn => pseudo_parameter("AWS::AccountId"),
            _ => None,
        }
    }

    /// An attribute of a resource; that of a repository or of an image gate tells the registry.
    fn attribute(&self, name: &str) -> Traced {
        let (resource, attribute) = name.split_once('.').unwrap_or((name, ""));
        let kind = self.root.at(&["Resources", resource, "Type"]).and_then(TracedNode::scalar).unwrap_or_default();
        let assumed = match (kind, attribute) {
            ("AWS::ECR::Repository", "RepositoryUri") | ("Custom::PullsafeImage", "ImageUri" | "RepositoryUri") => {
                Some(ECR_REPOSITORY)
            }
            ("AWS::ECR::PublicRepository", "RepositoryUri") => Some("public.ecr.aws/alias/repository"),
            _ => None,
        };
        unknown(name, assumed)
    }

    fn substitute(&self, pattern: &Traced, values: Option<TracedNode<'t>>, depth: usize) -> Vec<Traced> {
        let text = pattern.as_str();
        let mut results = vec![Traced::default()];
        let mut copied = 0;
        while let Some(found) = text[copied..].find("${") {
            let start = copied + found;
            let Some(length) = text[start..].find('}') else { break };
            append(&mut results, &[dynamic(pattern.slice(copied..start))]);
            copied = start + length + 1;
            let name = &text[start + 2..start + length];
            if name.starts_with('!') {
                // `${!NAME}` is `${NAME}`, for whoever reads the text.
                append(&mut results, &[pattern.slice(start..start + 2)]);
                append(&mut results, &[pattern.slice(start + 3..copied)]);
                continue;
            }
            let local = values.and_then(|values| values.get(name.trim()));
            let alternatives = match local {
                Some(local) => self.evaluate(local, depth + 1),
                None if name.contains('.') => vec![self.attribute(name.trim())],
                None => self.reference(name.trim(), depth + 1),
            };
            let place = pattern.origin(start);
            append(&mut results, &alternatives.into_iter().map(|value| value.asked_at(place)).collect::<Vec<_>>());
        }
        append(&mut results, &[dynamic(pattern.slice(copied..text.len()))]);
        results
    }

    fn joined(&self, separator: &str, list: TracedNode<'t>, depth: usize) -> Vec<Traced> {
        let mut results: Option<Vec<Traced>> = None;
        for item in list.items() {
            let alternatives = self.evaluate(item, depth + 1);
            match &mut results {
                None => results = Some(alternatives),
                Some(results) => {
                    append(results, &[Traced::computed(separator)]);
                    append(results, &alternatives);
                }
            }
        }
        results.unwrap_or_default()
    }

    fn find_in_map(&self, arguments: &[TracedNode<'t>], depth: usize) -> Vec<Traced> {
        let [map, row, column, ..] = arguments else {
            return Vec::new();
        };
        let one = |node: &TracedNode<'t>| {
            self.evaluate(*node, depth + 1).into_iter().next().filter(|value| value.unknowns().next().is_none())
        };
        let Some(rows) = one(map).and_then(|map| self.root.at(&["Mappings", map.as_str()])) else {
            return vec![unknown("Fn::FindInMap", None)];
        };
        let (row, column) = (one(row), one(column));
        let matches = |wanted: &Option<Traced>, key: &str| wanted.as_ref().is_none_or(|wanted| wanted.as_str() == key);
        let mut values: HashMap<String, Traced> = HashMap::new();
        let mut ordered = Vec::new();
        for (_, columns) in rows.entries().into_iter().filter(|(key, _)| matches(&row, key)) {
            for (_, value) in columns.entries().into_iter().filter(|(key, _)| matches(&column, key)) {
                if let Some(value) = value.text()
                    && values.insert(value.as_str().to_owned(), value.clone()).is_none()
                    && ordered.len() < LIMIT
                {
                    ordered.push(value);
                }
            }
        }
        ordered
    }
}

/// The script that a machine runs when it starts: the longest text of the expression.
fn user_data(node: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    let mut waiting = vec![node];
    for _ in 0..LIMIT {
        let Some(node) = waiting.pop() else { break };
        if let Some(text) = node.text().filter(|text| text.as_str().contains('\n')) {
            let marked = mark_templates(&text);
            analysis.embed(marked, Embedded::Script);
        }
        waiting.extend(node.items());
        waiting.extend(node.own_entries().map(|(_, value)| value));
    }
}

/// The function that an expression calls, in its short or long form, and its argument.
fn called(node: TracedNode<'_>) -> Option<(&str, TracedNode<'_>)> {
    if let Some(name) = node.tag() {
        return Some((name, node));
    }
    let mut entries = node.own_entries();
    match (entries.next(), entries.next()) {
        (Some((name, argument)), None) if name == "Ref" || name.starts_with("Fn::") => {
            Some((name.strip_prefix("Fn::").unwrap_or(name), argument))
        }
        _ => None,
    }
}

/// The text with `{{resolve:...}}` in it as an unknown part.
fn dynamic(text: Traced) -> Traced {
    if text.as_str().contains("{{resolve:") {
        mark(&text, &[("{{", "}}")])
    } else {
        text
    }
}

/// Appends each alternative to each result.
fn append(results: &mut Vec<Traced>, alternatives: &[Traced]) {
    let fits = |result: &Traced, alternative: &Traced| result.as_str().len() + alternative.as_str().len() <= LENGTH;
    if let [only] = alternatives {
        results.iter_mut().filter(|result| fits(result, only)).for_each(|result| result.push(only));
        return;
    }
    let mut combined = Vec::new();
    for result in results.iter() {
        for alternative in alternatives {
            if combined.len() < LIMIT && fits(result, alternative) {
                let mut longer = result.clone();
                longer.push(alternative);
                combined.push(longer);
            }
        }
    }
    *results = combined;
}

fn unknown(name: &str, assumed: Option<&'static str>) -> Traced {
    Traced::unknown(Unknown {
        name: name.to_owned(),
        written: None,
        assumed,
        empty_if_unset: false,
    })
}

fn pseudo_parameter(name: &str) -> Option<&'static str> {
    match name {
        "AWS::AccountId" => Some("123456789012"),
        "AWS::Region" => Some("us-east-1"),
        "AWS::URLSuffix" => Some("amazonaws.com"),
        "AWS::Partition" => Some("aws"),
        "AWS::StackName" => Some("stack"),
        _ => None,
    }
}

/// The scalars of an expression side by side, to show what was written.
fn scalars(node: TracedNode<'_>) -> Traced {
    let mut parts = Vec::new();
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        parts.extend(node.text());
        let below: Vec<_> = node.items().into_iter().chain(node.own_entries().map(|(_, value)| value)).collect();
        waiting.extend(below.into_iter().rev());
        if parts.len() > LIMIT {
            break;
        }
    }
    join(&parts, " ")
}
