//! Kinds of files that pull images but cannot be read here, so that a scan can say what it passed over.

use crate::name::Name;

/// One kind: its name, which files it has, and words of which a file has at least one if it pulls images.
struct Unread {
    kind: &'static str,
    named: fn(&Name<'_>) -> bool,
    marks: &'static [&'static str],
}

static KINDS: [Unread; 9] = [
    Unread {
        kind: "Jsonnet",
        named: |name| name.has_extension(&["jsonnet", "libsonnet"]),
        marks: &["image"],
    },
    Unread {
        kind: "CUE",
        named: |name| name.has_extension(&["cue"]),
        marks: &["image"],
    },
    Unread {
        kind: "Bicep",
        named: |name| name.has_extension(&["bicep"]),
        marks: &["image"],
    },
    Unread {
        kind: "Nix",
        named: |name| name.has_extension(&["nix"]),
        marks: &["pullImage"],
    },
    Unread {
        kind: "Puppet",
        named: |name| name.has_extension(&["pp"]),
        marks: &["docker::"],
    },
    Unread {
        kind: "Salt",
        named: |name| name.has_extension(&["sls"]),
        marks: &["docker_"],
    },
    Unread {
        kind: "Vagrant",
        named: |name| name.file == "vagrantfile",
        marks: &["docker"],
    },
    Unread {
        kind: "Tilt",
        named: |name| name.file == "tiltfile" || name.file.ends_with(".tiltfile"),
        marks: &["docker", "k8s_"],
    },
    Unread {
        kind: "Jib and build images of Maven and Gradle",
        named: |name| name.file == "pom.xml" || matches!(name.file.as_str(), "build.gradle" | "build.gradle.kts"),
        marks: &["jib", "docker-maven-plugin", "<builder>", "bootBuildImage"],
    },
];

/// Whether a file may be of one of these kinds, by its name.
pub(crate) fn is_named(name: &Name<'_>) -> bool {
    KINDS.iter().any(|kind| (kind.named)(name))
}

/// The kind of a file, if it is one of these and pulls images.
pub(crate) fn unread(name: &Name<'_>, text: &str) -> Option<&'static str> {
    let kind = KINDS.iter().find(|kind| (kind.named)(name) && kind.marks.iter().any(|mark| text.contains(mark)))?;
    Some(kind.kind)
}
