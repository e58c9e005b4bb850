//! Which format a file has, by its name and by its content.

use crate::analysis::{Analysis, Neighbours};
use crate::dockerfile::{self, Outside};
use crate::finding::{Finding, Problem};
use crate::format::{buildspec, ci, cloudformation, compose, ecs, github, gitlab, helm, kubernetes, template, terraform};
use crate::traced::Traced;
use crate::yaml::{Node, Tree};

/// What a file's name says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Candidate {
    /// A Dockerfile by its name.
    Dockerfile,
    /// YAML or JSON, which its content tells apart.
    Document,
    /// Terraform.
    Terraform,
    /// No known name: a Dockerfile if it begins like one.
    Unnamed,
    /// A name that no format here has.
    No,
}

/// Extensions of files that are none of the formats: they are not opened.
const OTHER: &[&str] = &[
    "7z",
    "a",
    "adoc",
    "avi",
    "bash",
    "bat",
    "bin",
    "bmp",
    "bz2",
    "c",
    "cc",
    "class",
    "cmake",
    "cpp",
    "crt",
    "cs",
    "css",
    "csv",
    "dart",
    "db",
    "diff",
    "dll",
    "dockerignore",
    "doc",
    "docx",
    "dylib",
    "eot",
    "erl",
    "ex",
    "exe",
    "exs",
    "fish",
    "gif",
    "go",
    "gradle",
    "graphql",
    "groovy",
    "gz",
    "h",
    "hpp",
    "hs",
    "htm",
    "html",
    "ico",
    "ini",
    "ipynb",
    "jar",
    "java",
    "jpeg",
    "jpg",
    "js",
    "jsx",
    "key",
    "kt",
    "kts",
    "less",
    "lock",
    "log",
    "lua",
    "m",
    "map",
    "md",
    "mdx",
    "mjs",
    "mk",
    "mod",
    "mov",
    "mp3",
    "mp4",
    "o",
    "ogg",
    "otf",
    "out",
    "patch",
    "pb",
    "pdf",
    "pem",
    "php",
    "pl",
    "png",
    "po",
    "properties",
    "proto",
    "ps1",
    "pyc",
    "py",
    "pyi",
    "r",
    "rb",
    "rlib",
    "rs",
    "rst",
    "s",
    "sass",
    "scala",
    "scss",
    "sh",
    "so",
    "sql",
    "sum",
    "svg",
    "svelte",
    "swift",
    "tar",
    "tgz",
    "tif",
    "tiff",
    "toml",
    "ts",
    "tsx",
    "ttf",
    "txt",
    "vue",
    "wasm",
    "wav",
    "webm",
    "webp",
    "woff",
    "woff2",
    "xls",
    "xlsx",
    "xml",
    "xz",
    "zip",
    "zig",
    "zst",
];

/// What a path's name says.
pub fn candidate(path: &str) -> Candidate {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let name = name.strip_suffix(".j2").or_else(|| name.strip_suffix(".jinja")).or_else(|| name.strip_suffix(".erb")).unwrap_or(&name);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    for word in ["dockerfile", "containerfile"] {
        if name == word || extension == Some(word) {
            return Candidate::Dockerfile;
        }
        if let Some(rest) = name.strip_prefix(word)
            && (rest.starts_with(['.', '-', '_']))
            && !(matches!(extension, Some("dockerignore")) || extension.is_some_and(|extension| OTHER.contains(&extension)))
            && !rest.ends_with(".yml")
            && !rest.ends_with(".yaml")
            && !rest.ends_with(".json")
        {
            return Candidate::Dockerfile;
        }
    }
    match extension {
        Some("yml" | "yaml" | "json" | "template" | "tpl" | "tftpl" | "tmpl" | "jsonc") => Candidate::Document,
        Some("tf" | "tofu") => Candidate::Terraform,
        Some(extension) if OTHER.contains(&extension) => Candidate::No,
        _ => Candidate::Unnamed,
    }
}

/// Finds what one file pulls. The name of the file, its content and its neighbours decide; nothing else is looked at.
pub fn scan_text(path: &str, text: &str, neighbours: &dyn Neighbours) -> (Vec<Finding>, Vec<Problem>) {
    let (mut analysis, traced) = Analysis::new(path, text, neighbours);
    match candidate(path) {
        Candidate::Dockerfile => {
            let traced = if text.contains("{{") || text.contains("{%") { template::without_steering(&traced) } else { traced };
            dockerfile(&traced, &mut analysis);
        }
        Candidate::Terraform if text.contains("image") || text.contains("buildspec") || text.contains("container_") => {
            terraform::scan(&traced, &mut analysis);
        }
        Candidate::Terraform => {}
        Candidate::Document => document(path, &traced, &mut analysis),
        Candidate::Unnamed | Candidate::No => {
            if dockerfile::looks_like(text) {
                dockerfile(&traced, &mut analysis);
            } else if is_document(text) {
                document(path, &traced, &mut analysis);
            }
        }
    }
    analysis.finish()
}

fn dockerfile(text: &Traced, analysis: &mut Analysis<'_>) {
    let contexts = if dockerfile::names_a_word(text) { compose::contexts_of_dockerfile(analysis) } else { Vec::new() };
    dockerfile::scan(text, &Outside { contexts, ..Outside::default() }, analysis);
}

/// Whether the beginning of a file without a known name is that of a Dockerfile, or of YAML or JSON with images.
pub fn sniff(begin: &str) -> bool {
    dockerfile::looks_like(begin) || is_document(begin)
}

fn is_document(begin: &str) -> bool {
    let mark = |word: &str| begin.starts_with(word) || begin.contains(&format!("\n{word}"));
    ["services:", "apiVersion:", "AWSTemplateFormatVersion:", "Resources:"].iter().any(|word| mark(word))
        || begin.trim_start().starts_with(['{', '['])
            && ["ontainerDefinitions", "AWSTemplateFormatVersion"].iter().any(|word| begin.contains(word))
}

/// Words without one of which no document here names an image.
fn may_name_images(text: &str) -> bool {
    ["image", "Image", "docker", "build", "repository", "FROM", "container"].iter().any(|word| text.contains(word))
}

fn document(path: &str, text: &Traced, analysis: &mut Analysis<'_>) {
    if !may_name_images(text.as_str()) {
        return;
    }
    if is_devcontainer(path) {
        let plain = text.origin(0).map(|origin| Traced::written(&template::without_comments(text.as_str()), origin)).unwrap_or_default();
        let (tree, broken) = Tree::read(plain);
        tree.documents().for_each(|root| ci::scan_devcontainer(root, analysis));
        if let Some(broken) = broken {
            analysis.problem(text, broken.offset, format!("not readable as JSON: {}", broken.message));
        }
        return;
    }
    let (tree, broken) = Tree::read(text.clone());
    let Some(broken) = broken else {
        documents(path, &tree, analysis);
        return;
    };
    // A chart's template is YAML only once it is rendered; so is a task definition with `${cpu}` in it.
    if ["{{", "{%", "${", "%{"].iter().any(|mark| text.as_str().contains(mark)) {
        let (tree, still_broken) = Tree::read(template::without_steering(text));
        documents(path, &tree, analysis);
        if still_broken.is_none() || path.contains("/templates/") || path.starts_with("templates/") {
            return;
        }
    } else {
        documents(path, &tree, analysis);
    }
    if is_ours(path, text.as_str()) {
        analysis.problem(text, broken.offset, format!("not readable as YAML or JSON: {}", broken.message));
    }
}

/// Whether a file that cannot be read would have been of a format that is looked for: only then is it worth a word.
fn is_ours(path: &str, text: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    is_workflow(path)
        || is_gitlab(path)
        || ci::is_path(path)
        || helm::is_path(path)
        || ["compose", "buildspec", "task", "template", "deployment"].iter().any(|word| name.contains(word))
        || ["containerDefinitions", "ContainerDefinitions", "AWSTemplateFormatVersion", "apiVersion:", "services:"]
            .iter()
            .any(|word| text.contains(word))
}

fn is_devcontainer(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("devcontainer.json" | ".devcontainer.json"))
}

fn is_workflow(path: &str) -> bool {
    path.starts_with(".github/workflows/") || path.contains("/.github/workflows/")
}

fn is_gitlab(path: &str) -> bool {
    path.ends_with(".gitlab-ci.yml") || path.ends_with(".gitlab-ci.yaml") || path.contains(".gitlab/ci/") || path.starts_with("gitlab-ci")
}

fn documents(path: &str, tree: &Tree, analysis: &mut Analysis<'_>) {
    let name = path.rsplit('/').next().unwrap_or(path);
    let any = |test: fn(Node<'_>) -> bool| tree.documents().any(test);
    if ci::is_path(path) {
        tree.documents().for_each(|root| ci::scan(root, analysis));
    } else if is_workflow(path) || matches!(name, "action.yml" | "action.yaml") {
        tree.documents().for_each(|root| github::scan(root, analysis));
    } else if is_gitlab(path) {
        gitlab::scan(tree, analysis);
    } else if path.ends_with(".tf.json") {
        terraform::scan_json(tree, analysis);
    } else if any(cloudformation::looks_like) {
        tree.documents().for_each(|root| cloudformation::scan(tree, root, analysis));
    } else if any(compose::looks_like) {
        tree.documents().for_each(|root| compose::scan(root, analysis));
    } else if name.contains("compose") && any(compose::is_version_1) {
        tree.documents().for_each(|root| compose::scan(root, analysis));
    } else if any(kubernetes::looks_like) {
        kubernetes::scan(tree, analysis);
    } else if ecs::looks_like(tree) {
        ecs::scan(tree, analysis);
    } else if any(ecs::is_copilot) {
        tree.documents().for_each(|root| ecs::scan_copilot(root, analysis));
    } else if any(buildspec::looks_like) {
        tree.documents().for_each(|root| buildspec::scan(root, analysis));
    } else if helm::is_path(path) {
        helm::scan(tree, true, analysis);
    } else if any(github::looks_like) {
        tree.documents().for_each(|root| github::scan(root, analysis));
    } else if any(gitlab::looks_like) {
        gitlab::scan(tree, analysis);
    } else if helm::looks_like(tree) {
        helm::scan(tree, false, analysis);
    }
}
