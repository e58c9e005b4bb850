//! Other commands than `docker` that ask a registry for an image: which of their words names it.

use super::arguments::positional;
use crate::instruction::unquoted;
use crate::traced::Traced;

/// One tool's commands.
pub(super) struct ToolCommands {
    pub(super) tool: &'static [&'static str],
    /// The words between the tool and the image, one of which has to be there. None: the tool itself takes an image.
    verbs: &'static [&'static str],
    takes: ImageArgument,
    /// Whether the registry is asked whatever is there already.
    pub(super) always: bool,
    /// Whether it only looks into images, which are built on the spot more often than not.
    pub(super) looks: bool,
}

enum ImageArgument {
    /// The first word that is no option.
    First,
    /// The first word with `docker://` before its image.
    Url,
    /// The value of an option.
    Option(&'static [&'static str]),
}

pub(super) static TOOLS: [ToolCommands; 16] = [
    ToolCommands {
        tool: &["crane", "gcrane", "krane"],
        verbs: &["append", "mutate", "rebase"],
        takes: ImageArgument::Option(&["-b", "--base", "--old_base"]),
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["crane", "gcrane", "krane"],
        verbs: &["pull", "copy", "cp", "digest", "manifest", "export", "config", "validate"],
        takes: ImageArgument::First,
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["skopeo"],
        verbs: &["copy", "inspect"],
        takes: ImageArgument::Url,
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["regctl"],
        verbs: &["copy", "cp", "digest", "get", "inspect", "mod", "export"],
        takes: ImageArgument::First,
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["ctr", "crictl"],
        verbs: &["pull"],
        takes: ImageArgument::First,
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["singularity", "apptainer"],
        verbs: &["pull", "build", "exec", "run", "shell"],
        takes: ImageArgument::Url,
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["kubectl", "oc", "k", "microk8s.kubectl"],
        verbs: &["run", "create", "debug"],
        takes: ImageArgument::Option(&["--image"]),
        always: false,
        looks: false,
    },
    ToolCommands {
        tool: &["kind", "k3d", "minikube"],
        verbs: &["create", "start"],
        takes: ImageArgument::Option(&["--image", "-i", "--base-image"]),
        always: false,
        looks: false,
    },
    ToolCommands {
        tool: &["gcloud", "az", "flyctl", "fly", "doctl"],
        verbs: &["deploy", "create", "update", "launch", "run"],
        takes: ImageArgument::Option(&["--image", "-i"]),
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["cf"],
        verbs: &["push"],
        takes: ImageArgument::Option(&["--docker-image", "-o"]),
        always: true,
        looks: false,
    },
    ToolCommands {
        tool: &["pack"],
        verbs: &["build", "builder"],
        takes: ImageArgument::Option(&["--builder", "-B", "--run-image"]),
        always: false,
        looks: false,
    },
    ToolCommands {
        tool: &["trivy"],
        verbs: &["image", "i"],
        takes: ImageArgument::First,
        always: false,
        looks: true,
    },
    ToolCommands {
        tool: &["grype", "syft", "dive", "dockle", "slim"],
        verbs: &[],
        takes: ImageArgument::First,
        always: false,
        looks: true,
    },
    ToolCommands {
        tool: &["distrobox", "distrobox-create", "toolbox"],
        verbs: &["create", "enter"],
        takes: ImageArgument::Option(&["--image", "-i"]),
        always: false,
        looks: false,
    },
    ToolCommands {
        tool: &["earthly"],
        verbs: &["bootstrap"],
        takes: ImageArgument::Option(&["--buildkit-image"]),
        always: false,
        looks: false,
    },
    ToolCommands {
        tool: &["act"],
        verbs: &[],
        takes: ImageArgument::Option(&["-P", "--platform"]),
        always: false,
        looks: false,
    },
];

impl ToolCommands {
    /// The images that a command's words name, each as written and with values in.
    pub(super) fn images(&self, words: &[Traced], fill: &dyn Fn(&Traced) -> Traced) -> Vec<(Traced, Traced)> {
        let rows = TOOLS.iter().filter(|row| row.tool == self.tool);
        rows.flat_map(|row| row.own_images(words, fill)).collect()
    }

    fn own_images(&self, words: &[Traced], fill: &dyn Fn(&Traced) -> Traced) -> Vec<(Traced, Traced)> {
        let verb = words.iter().take(VERBS).position(|word| self.verbs.contains(&word.as_str()));
        let arguments = match verb {
            Some(verb) => &words[verb + 1..],
            None if self.verbs.is_empty() => words,
            None => return Vec::new(),
        };
        let written: Vec<Traced> = match self.takes {
            ImageArgument::First => positional(arguments, "pull", fill).map(unquoted).into_iter().collect(),
            ImageArgument::Url => {
                let url = arguments.iter().map(unquoted).find(|word| fill(word).as_str().contains("://"));
                url.filter(|url| url.as_str().starts_with("docker://"))
                    .map(|url| url.slice("docker://".len()..url.as_str().len()))
                    .into_iter()
                    .collect()
            }
            ImageArgument::Option(names) => options(arguments, names),
        };
        // `act -P ubuntu-latest=image`, `regctl image mod ocidir://...`
        let written = written.into_iter().map(|word| match word.as_str().find('=').filter(|_| self.tool == ["act"]) {
            Some(equals) => word.slice(equals + 1..word.as_str().len()),
            None => word,
        });
        written
            .filter(|word| !word.as_str().contains("://"))
            .map(|word| (word.clone(), fill(&word)))
            .collect()
    }
}

/// Among how many words the verb is looked for: `gcloud run jobs deploy`, `ctr -n k8s.io images pull`.
const VERBS: usize = 6;

/// The values of options, as `--image=x` or as `--image x`.
fn options(arguments: &[Traced], names: &[&str]) -> Vec<Traced> {
    let mut values = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let text = argument.as_str();
        for name in names {
            if text == *name {
                values.extend(arguments.get(index + 1).map(unquoted));
            } else if text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
                values.push(unquoted(&argument.slice(name.len() + 1..text.len())));
            }
        }
    }
    values
}
