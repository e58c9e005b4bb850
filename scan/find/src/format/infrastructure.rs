//! Programs that describe infrastructure: AWS CDK, Pulumi, cdk8s, CDK for Terraform; and docker's own libraries.
//!
//! A known call (`fromRegistry`) or a known type (`RemoteImage`) is certain. An `image` of anything else is likely,
//! where it looks like one: virtual machines have images, too.

use pullsafe_syntax::reference::{is_plausible, looks_like_reference};
use pullsafe_syntax::source::{SourceTokens, language};
use pullsafe_syntax::traced::Traced;

use super::testcontainers::is_program;
use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "AWS CDK, Pulumi, cdk8s",
    finds: "`fromRegistry` and `fromDockerRegistry` in every language and spelling, `DockerImage`, `RemoteImage`; \
        `image` of \
            containers, pods and task definitions",
    known_by: "a program with the library's name in it",
    order: "before Testcontainers: see there",
    named: is_program,
    marks: &["aws-cdk", "aws_cdk", "awscdk", "Amazon.CDK", "pulumi", "Pulumi", "cdk8s", "cdktf"],
    read: ReadAs::Text { begins: never, scan },
};

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let path = analysis.path().to_owned();
    let Some(language) = language(Name::of(&path).extension()) else {
        return;
    };
    let source = SourceTokens::read(text, language);
    for index in 0..source.count() {
        let Some(word) = source.word(index) else {
            // `"image": "x"` of a text that is JSON in the program.
            if source.literal(index).is_some_and(|key| key.as_str() == "image") {
                keyed(&source, index, analysis);
            }
            continue;
        };
        match source.call(index) {
            Some(open) if is_registry_call(word) => certain(&source, source.arguments(open).first().copied(), analysis),
            Some(open) if matches!(word, "RemoteImage" | "NewRemoteImage" | "RemoteImageArgs") => {
                certain(&source, name_within(&source, open), analysis);
            }
            Some(open) if word == "image" && source.is_mark(index.wrapping_sub(1), b'.') => {
                likely(&source, source.arguments(open).first().copied(), index, analysis);
            }
            _ if word == "RemoteImageArgs" => certain(&source, name_within(&source, index + 1), analysis),
            _ => keyed(&source, index, analysis),
        }
    }
}

/// `ContainerImage.fromRegistry`, `LinuxBuildImage.from_docker_registry`, `awsecs.ContainerImage_FromRegistry`.
fn is_registry_call(word: &str) -> bool {
    let plain = word.replace('_', "").to_ascii_lowercase();
    plain.ends_with("fromregistry") || plain.ends_with("fromdockerregistry")
}

/// The `name` among the arguments of a remote image, in whatever bracket.
fn name_within(source: &SourceTokens, open: usize) -> Option<usize> {
    let close = source.close(open)?;
    (open + 1..close)
        .find_map(|at| source.named_at(at).filter(|(key, _)| matches!(*key, "name" | "Name")).map(|(_, value)| value))
}

fn certain(source: &SourceTokens, start: Option<usize>, analysis: &mut Analysis<'_>) {
    let Some(value) = start.and_then(|start| source.value(start)) else {
        return;
    };
    if value.origin(0).is_some()
        && value.as_str() != pullsafe_syntax::traced::HOLE
        && !value.as_str().starts_with("aws/codebuild/")
    {
        analysis.found(PlaceKind::InfrastructureCode, &value, &value, Otherwise::Ignore);
    }
}

fn keyed(source: &SourceTokens, index: usize, analysis: &mut Analysis<'_>) {
    if let Some(("image" | "Image" | "imageUri" | "image_uri" | "ImageUri", start)) = source.named_at(index) {
        likely(source, Some(start), index, analysis);
    }
}

/// An `image`: of a container whatever it is called, of anything else if it has a tag.
fn likely(source: &SourceTokens, start: Option<usize>, index: usize, analysis: &mut Analysis<'_>) {
    let Some(value) = start.and_then(|start| source.value(start)) else {
        return;
    };
    let text = value.as_str();
    let contained = source.around(index).take(8).any(|open| {
        let owner = source.owner(open).to_ascii_lowercase();
        ["container", "docker", "fargate", "taskdefinition", "sidecar", "pod"]
            .iter()
            .any(|word| owner.contains(word))
    });
    let is_image = if contained {
        is_plausible(text) || is_plain_name(text)
    } else {
        looks_like_reference(text)
    };
    let starts_unknown = value.unknowns().any(|(at, _)| at == 0);
    if is_image
        && !starts_unknown
        && !text.contains(char::is_whitespace)
        && !text.starts_with("ami-")
        && value.origin(0).is_some()
    {
        analysis.likely(|analysis| {
            analysis.found(PlaceKind::InfrastructureCode, &value, &value, Otherwise::Ignore).is_some()
        });
    }
}

fn is_plain_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') && text.len() > 2
}
