//! Kinds of files that pull images and are not read, so that a scan can say what it passed over.

use crate::name::Name;

/// A kind: what it is called, the files, and words without which such a file pulls nothing.
struct UnreadFormat {
    kind: &'static str,
    named: fn(&Name<'_>) -> bool,
    marks: &'static [&'static str],
}

static KINDS: [UnreadFormat; 9] = [
    UnreadFormat {
        kind: "Jsonnet",
        named: |name| name.has_extension(&["jsonnet", "libsonnet"]),
        marks: &["image"],
    },
    UnreadFormat {
        kind: "CUE",
        named: |name| name.has_extension(&["cue"]),
        marks: &["image"],
    },
    UnreadFormat {
        kind: "Bicep",
        named: |name| name.has_extension(&["bicep"]),
        marks: &["image"],
    },
    UnreadFormat {
        kind: "Nix",
        named: |name| name.has_extension(&["nix"]),
        marks: &["pullImage"],
    },
    UnreadFormat {
        kind: "Puppet",
        named: |name| name.has_extension(&["pp"]),
        marks: &["docker::"],
    },
    UnreadFormat {
        kind: "Salt",
        named: |name| name.has_extension(&["sls"]),
        marks: &["docker_"],
    },
    UnreadFormat {
        kind: "Vagrant",
        named: |name| name.file == "vagrantfile",
        marks: &["docker"],
    },
    UnreadFormat {
        kind: "Tilt",
        named: |name| name.file == "tiltfile" || name.file.ends_with(".tiltfile"),
        marks: &["docker", "k8s_"],
    },
    UnreadFormat {
        kind: "Jib and build images of Maven and Gradle",
        named: |name| name.file == "pom.xml" || matches!(name.file.as_str(), "build.gradle" | "build.gradle.kts"),
        marks: &["jib", "docker-maven-plugin", "<builder>", "bootBuildImage"],
    },
];

/// Whether a file may be of one of these kinds, by its name.
pub(crate) fn is_named(name: &Name<'_>) -> bool {
    KINDS.iter().any(|kind| (kind.named)(name))
}

/// The kind that a file is of, if it pulls images.
pub(crate) fn unread(name: &Name<'_>, text: &str) -> Option<&'static str> {
    let kind = KINDS.iter().find(|kind| (kind.named)(name) && kind.marks.iter().any(|mark| text.contains(mark)))?;
    Some(kind.kind)
}
