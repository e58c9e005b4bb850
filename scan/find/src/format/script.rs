//! Shell scripts, and units of systemd that run containers.

use pullsafe_syntax::traced::Traced;

use super::commands::Commands;
use super::{Format, ReadAs};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Shell scripts, systemd units",
    finds: "`docker pull`, `run`, `create` (also podman, nerdctl, finch, and a variable that is called like them); \
        `crane`, `skopeo copy`, \
            `ctr images pull`, `kubectl run --image` and the like; the arguments of functions that pull them; \
            manifests and scripts in heredocs; `ExecStart` of units, `Image` of Quadlet",
    known_by: "`*.sh`, `*.bash`, `*.zsh`, `*.bats`, `*.ps1`, `*.bat`, `*.service`, `*.container`, a `#!` line with a \
        shell",
    order: "after makefiles and user data, which begin like scripts or hold them",
    named,
    marks: &[
        "docker",
        "podman",
        "nerdctl",
        "crane",
        "skopeo",
        "ctr",
        "kubectl",
        "DOCKER",
        "image",
        "Image",
        "buildah",
        "singularity",
        "apptainer",
        "grype",
        "syft",
        "dockle",
        "dive",
        "builder",
    ],
    read: ReadAs::Text { begins, scan },
};

fn named(name: &Name<'_>) -> bool {
    name.has_extension(&[
        "sh",
        "bash",
        "zsh",
        "ksh",
        "bats",
        "ps1",
        "psm1",
        "bat",
        "cmd",
        "service",
        "container",
        "envrc",
    ]) || matches!(name.file.as_str(), ".envrc" | ".bashrc" | ".zshrc" | "procfile")
}

fn begins(text: &str) -> bool {
    text.starts_with("#!")
        && text
            .lines()
            .next()
            .is_some_and(|line| line.trim_end().ends_with("sh") || line.contains("sh -") || line.ends_with("bats"))
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let path = analysis.path().to_owned();
    let name = Name::of(&path);
    if is_unit(text.as_str()) {
        return unit(text, analysis);
    }
    let mut commands = Commands::default();
    let joined = if name.has_extension(&["ps1", "psm1"]) {
        &continued(text, "`")
    } else if name.has_extension(&["bat", "cmd"]) {
        &continued(text, "^")
    } else {
        text
    };
    commands.run(joined);
    commands.finish_as(PlaceKind::ScriptCommand, analysis);
}

/// Whether a text is a unit of systemd, by its first section.
pub(super) fn is_unit(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with(['#', ';']))
        .unwrap_or_default();
    matches!(first, "[Unit]" | "[Service]" | "[Container]" | "[Install]" | "[Pod]" | "[Kube]" | "[Build]")
}

/// The text of another shell with its continuation lines joined.
fn continued(text: &Traced, sign: &str) -> Traced {
    let mut joined = Traced::default();
    let mut at = 0;
    for line in text.as_str().split_inclusive('\n') {
        let start = at;
        at += line.len();
        match line.trim_end().strip_suffix(sign) {
            Some(content) => {
                joined.push(&text.slice(start..start + content.len()));
                joined.push_computed(" ");
            }
            None => joined.push(&text.slice(start..at)),
        }
    }
    joined
}

/// `ExecStart=/usr/bin/docker run ...` of a unit, `Image=...` of Quadlet.
fn unit(text: &Traced, analysis: &mut Analysis<'_>) {
    let mut commands = Commands::default();
    for line in continued(text, "\\").split("\n") {
        let Some(equals) = line.as_str().find('=') else {
            continue;
        };
        let value = line.slice(equals + 1..line.as_str().len()).trimmed();
        let key = line.as_str()[..equals].trim();
        if key.starts_with("Exec") {
            let skipped = value.as_str().len() - value.as_str().trim_start_matches(['-', '@', '+', '!', ':']).len();
            commands.run(&value.slice(skipped..value.as_str().len()));
        } else if key == "Environment" {
            commands.run(&pullsafe_syntax::instruction::unquoted(&value));
        } else if key == "Image" && !value.as_str().ends_with(".image") && !value.as_str().ends_with(".build") {
            analysis.found(PlaceKind::ScriptCommand, &value, &value, Otherwise::Ignore);
        }
    }
    commands.finish_as(PlaceKind::ScriptCommand, analysis);
}
