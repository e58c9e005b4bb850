//! Task definitions of Amazon ECS as JSON, and what has the same container definitions: Elastic Beanstalk's
//! `Dockerrun.aws.json`, `file("containers.json")` of Terraform, `imagedefinitions.json` of CodePipeline.

use crate::analysis::{Analysis, Otherwise};
use crate::finding::Place;
use crate::format::template::mark_templates;
use crate::traced::Traced;
use crate::yaml::Node;

/// Whether a document is a task definition, or a list of container definitions.
pub(crate) fn looks_like(root: Node<'_>) -> bool {
    !containers(root).is_empty() || root.at(&["Image", "Name"]).is_some() && root.get("AWSEBDockerrunVersion").is_some()
}

/// Records the images of the container definitions.
pub(crate) fn scan(root: Node<'_>, analysis: &mut Analysis<'_>) {
    for written in images(root) {
        let value = mark_templates(&written);
        // CodePipeline's blue/green deployment puts `<IMAGE1_NAME>` in.
        if !value.as_str().starts_with('<') {
            analysis.found(Place::EcsTaskDefinition, &written, &value, Otherwise::Report);
        }
    }
}

/// The images of the container definitions, as written.
pub(crate) fn images(root: Node<'_>) -> Vec<Traced> {
    let beanstalk = root.get("AWSEBDockerrunVersion").and_then(|_| root.at(&["Image", "Name"]));
    let images = containers(root).into_iter().filter_map(|container| key(container, "image").or_else(|| container.get("imageUri")));
    images.chain(beanstalk).filter_map(Node::text).collect()
}

fn containers(root: Node<'_>) -> Vec<Node<'_>> {
    let definition = root.get("taskDefinition").filter(|inner| inner.is_mapping()).unwrap_or(root);
    if let Some(containers) = key(definition, "containerDefinitions") {
        return containers.items();
    }
    let listed = root.items();
    let all_named = !listed.is_empty()
        && listed.iter().all(|item| {
            item.get("name").is_some_and(|name| name.scalar().is_some())
                && ["image", "imageUri"].iter().any(|key| item.get(key).is_some_and(|image| image.scalar().is_some()))
        });
    if all_named { listed } else { Vec::new() }
}

/// A key as the AWS CLI writes it (`image`), or as CloudFormation does (`Image`).
fn key<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    let mut capital = name.to_owned();
    capital[..1].make_ascii_uppercase();
    node.get(name).or_else(|| node.get(&capital))
}
