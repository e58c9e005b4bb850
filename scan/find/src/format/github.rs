//! GitHub Actions: `container:` and `services:` of jobs, `uses: docker://...` and the commands of steps, and Docker
//! actions.

use pullsafe_syntax::template::mark;
use pullsafe_syntax::traced::{Traced, Unknown};
use pullsafe_syntax::yaml::{TracedNode, TracedTree, WrittenAt as _};

use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::format::commands::Commands;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "GitHub Actions, Gitea, Forgejo",
    finds: "`container`, `services`, `uses: docker://`, Docker actions, what Docker's own actions are told to pull; \
        commands of `run`; a \
            matrix gives one image for each row; defaults of inputs, `format()`",
    known_by: "`.github/workflows/`, `action.yml`, content",
    order: "by its path, before the formats that look at content",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document { is: |name, _| is_workflow(name), scan: scan_all },
};

pub(super) const BY_CONTENT: Format = Format {
    name: "GitHub Actions, Gitea, Forgejo",
    finds: "",
    known_by: "",
    order: "a workflow elsewhere: `jobs` and `runs` are common words, so that it comes after all others",
    named: |name| name.is_document(),
    marks: &[],
    read: ReadAs::Document {
        is: |_, tree| tree.documents().any(looks_like),
        scan: scan_all,
    },
};

fn is_workflow(name: &Name<'_>) -> bool {
    [".github/workflows", ".gitea/workflows", ".forgejo/workflows"]
        .iter()
        .any(|directory| name.is_in(directory))
        || matches!(name.file.as_str(), "action.yml" | "action.yaml")
}

fn scan_all(tree: &TracedTree, analysis: &mut Analysis<'_>) {
    tree.documents().for_each(|root| scan(root, analysis));
}

/// How many values one expression may have.
const LIMIT: usize = 64;
/// For how many rows of a matrix a script is followed.
const ROWS: usize = 8;

/// Whether a document is a workflow or an action, by its content; the path is the surer sign.
fn looks_like(root: TracedNode<'_>) -> bool {
    let workflow = root.get("jobs").is_some_and(|jobs| {
        jobs.entries().iter().any(|(_, job)| job.get("runs-on").is_some() || job.get("uses").is_some())
    });
    workflow || root.at(&["runs", "using"]).is_some()
}

/// Records what a workflow or an action pulls.
fn scan(root: TracedNode<'_>, analysis: &mut Analysis<'_>) {
    let mut commands = Commands::default();
    for (_, job) in root.get("jobs").map(TracedNode::entries).unwrap_or_default() {
        let scope = WorkflowScope { root, job: Some(job) };
        if let Some(container) = job.get("container") {
            scope.image(PlaceKind::GithubContainer, container.get("image").unwrap_or(container), analysis);
        }
        for (_, service) in job.get("services").map(TracedNode::entries).unwrap_or_default() {
            if let Some(image) = service.get("image") {
                scope.image(PlaceKind::GithubService, image, analysis);
            }
        }
        scope.steps(job.get("steps"), &mut commands, analysis);
    }
    let scope = WorkflowScope { root, job: None };
    if let Some(runs) = root.get("runs") {
        scope.steps(runs.get("steps"), &mut commands, analysis);
        if let Some(image) = runs.get("image").and_then(TracedNode::text) {
            docker_scheme(&image, analysis);
        }
    }
    commands.finish(analysis);
}

struct WorkflowScope<'t> {
    root: TracedNode<'t>,
    job: Option<TracedNode<'t>>,
}

impl<'t> WorkflowScope<'t> {
    fn steps(&self, steps: Option<TracedNode<'t>>, commands: &mut Commands, analysis: &mut Analysis<'_>) {
        for step in steps.map(TracedNode::items).unwrap_or_default() {
            if let Some(uses) = step.get("uses").and_then(TracedNode::text) {
                docker_scheme(&uses, analysis);
                self.inputs(uses.as_str(), step, commands, analysis);
            }
            let Some(script) = step.get("run").and_then(TracedNode::text) else {
                continue;
            };
            let environments =
                [Some(self.root), self.job, Some(step)].into_iter().flatten().filter_map(|node| node.get("env"));
            let variables = environments
                .flat_map(TracedNode::entries)
                .filter_map(|(name, value)| Some((name.to_owned(), self.one(&value.text()?))));
            commands.job(variables.collect::<Vec<_>>());
            for script in self.expand(&script).into_iter().take(ROWS) {
                commands.run(&script);
            }
        }
    }

    /// What actions of Docker's own are told to pull, and the names that they build.
    fn inputs(&self, uses: &str, step: TracedNode<'t>, commands: &mut Commands, analysis: &mut Analysis<'_>) {
        let action = uses.split('@').next().unwrap_or_default();
        let Some(with) = step.get("with") else { return };
        match action {
            "docker/setup-qemu-action" => {
                if let Some(image) = with.get("image") {
                    self.image(PlaceKind::GithubAction, image, analysis);
                }
            }
            "docker/setup-buildx-action" => {
                let Some(options) = with.get("driver-opts").and_then(TracedNode::text) else {
                    return;
                };
                for option in options.split("\n").flat_map(|line| line.split(",").collect::<Vec<_>>()) {
                    let option = option.trimmed();
                    if option.as_str().starts_with("image=") {
                        let written = option.slice("image=".len()..option.as_str().len());
                        analysis.found(PlaceKind::GithubAction, &written, &self.one(&written), Otherwise::Ignore);
                    }
                }
            }
            "docker/build-push-action" => {
                let Some(tags) = with.get("tags").and_then(TracedNode::text) else {
                    return;
                };
                for tag in tags.split("\n").flat_map(|line| line.split(",").collect::<Vec<_>>()) {
                    for tag in self.expand(&tag.trimmed()).into_iter().filter(|tag| !tag.is_empty()) {
                        commands.made(&tag);
                    }
                }
            }
            _ => {}
        }
    }

    /// The text with the values of its `${{ }}` in, where these are decided; the others stay unknown.
    fn one(&self, text: &Traced) -> Traced {
        match self.expand(text).as_slice() {
            [only] => only.clone(),
            _ => mark(text, &[("${{", "}}")]),
        }
    }

    fn image(&self, place: PlaceKind, node: TracedNode<'t>, analysis: &mut Analysis<'_>) {
        let Some(written) = node.text() else { return };
        for value in self.expand(&written) {
            // An empty image is a job without a container.
            if !value.as_str().trim().is_empty() {
                analysis.found(place, &written, &value, Otherwise::Report);
            }
        }
    }

    /// The text with the values of its `${{ }}` in: one text for each row of a matrix.
    fn expand(&self, text: &Traced) -> Vec<Traced> {
        let whole = text.as_str();
        let mut results = vec![Traced::default()];
        let mut copied = 0;
        while let Some(found) = whole[copied..].find("${{") {
            let start = copied + found;
            let Some(length) = whole[start..].find("}}") else { break };
            let literal = text.slice(copied..start);
            let values = self.values(&text.slice(start + 3..start + length).trimmed());
            results = results
                .iter()
                .flat_map(|result| values.iter().map(move |value| (result, value)))
                .take(LIMIT)
                .map(|(result, value)| {
                    let mut longer = result.clone();
                    longer.push(&literal);
                    longer.push(value);
                    longer
                })
                .collect();
            copied = start + length + 2;
        }
        let rest = text.slice(copied..whole.len());
        results.iter_mut().for_each(|result| result.push(&rest));
        results
    }

    /// What an expression can be, where the workflow itself says it.
    fn values(&self, expression: &Traced) -> Vec<Traced> {
        let text = expression.as_str();
        let mut values = Vec::new();
        let mut start = 0;
        // Of `a || b` each side can be it; one without a value leaves it to the other.
        for side in text.split("||") {
            let end = start + side.len();
            // Of `condition && a` it is `a`.
            let condition = side.rfind("&&").map_or(0, |and| and + "&&".len());
            let side = expression.slice(start + condition..end).trimmed();
            start = end + "||".len();
            match side.as_str().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
                Some(literal) => values.push(side.slice(1..1 + literal.len())),
                None => match side.as_str().strip_prefix("format(").and_then(|rest| rest.strip_suffix(')')) {
                    Some(arguments) => {
                        values.extend(self.format(&side.slice("format(".len().."format(".len() + arguments.len())))
                    }
                    None => values.extend(self.context(side.as_str())),
                },
            }
        }
        if values.is_empty() || values.iter().any(|value| value.as_str().contains("${{")) {
            let unknown = Unknown {
                name: text.to_owned(),
                written: None,
                assumed: None,
                empty_if_unset: false,
            };
            return vec![Traced::unknown_at(unknown, expression.origin(0))];
        }
        values
    }

    /// What a path into the contexts can be.
    fn context(&self, expression: &str) -> Vec<Traced> {
        let path: Vec<&str> = expression.split('.').collect();
        match path.as_slice() {
            ["matrix", keys @ ..] => self.matrix(keys),
            ["env", name] => {
                let job = self.job.and_then(|job| job.at(&["env", name]));
                job.or_else(|| self.root.at(&["env", name])).and_then(TracedNode::text).into_iter().collect()
            }
            ["inputs", name] => ["workflow_call", "workflow_dispatch"]
                .iter()
                .filter_map(|event| self.root.at(&["on", event, "inputs", name, "default"]))
                .chain(self.root.at(&["inputs", name, "default"]))
                .filter_map(TracedNode::text)
                .take(1)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// `format('postgres:{0}', matrix.version)`: every combination of the values.
    fn format(&self, arguments: &Traced) -> Vec<Traced> {
        let text = arguments.as_str();
        let Some(length) = text.strip_prefix('\'').and_then(|rest| rest.find('\'')) else {
            return Vec::new();
        };
        let pattern = mark(&arguments.slice(1..1 + length), &[("{", "}")]);
        let mut values = Vec::new();
        for argument in text[length + 2..].split(',').skip(1) {
            let found = self.values(&Traced::computed(argument.trim()));
            if found.iter().any(|value| value.unknowns().next().is_some()) {
                return Vec::new();
            }
            values.push(found);
        }
        let value = |unknown: &Unknown| {
            unknown.name.parse::<usize>().ok().and_then(|index| values.get(index).cloned()).unwrap_or_default()
        };
        pattern.substituted(LIMIT, value)
    }

    fn matrix(&self, keys: &[&str]) -> Vec<Traced> {
        let Some(matrix) = self.job.and_then(|job| job.at(&["strategy", "matrix"])) else {
            return Vec::new();
        };
        let Some((first, rest)) = keys.split_first() else {
            return Vec::new();
        };
        let own = matrix.get(first).map(TracedNode::items).unwrap_or_default();
        // A row may be all that `container` takes.
        let text = |node: TracedNode<'_>| node.text().or_else(|| node.get("image")?.text());
        // A row that is left out for this key alone, whatever the others are.
        let excluded = matrix.get("exclude").map(TracedNode::items).unwrap_or_default();
        let is_left_out = |item: TracedNode<'_>| {
            item.scalar().is_some()
                && excluded.iter().any(|row| {
                    row.own_entries().count() == 1 && row.get(first).and_then(TracedNode::scalar) == item.scalar()
                })
        };
        let own = own.into_iter().filter(|item| !is_left_out(*item)).filter_map(|item| text(item.at(rest)?));
        let included = matrix.get("include").map(TracedNode::items).unwrap_or_default();
        let included = included.into_iter().filter_map(|item| text(item.at(keys)?));
        let mut values: Vec<Traced> = Vec::new();
        for value in own.chain(included) {
            if !values.iter().any(|seen| seen.as_str() == value.as_str()) {
                values.push(value);
            }
        }
        values
    }
}

fn docker_scheme(text: &Traced, analysis: &mut Analysis<'_>) {
    if text.as_str().starts_with("docker://") {
        let image = text.slice("docker://".len()..text.as_str().len());
        analysis.found(PlaceKind::GithubAction, &image, &image, Otherwise::Report);
    }
}
