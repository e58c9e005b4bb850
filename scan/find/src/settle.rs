//! Decides which images are pulled when all files are known: one file may build what another names, and a kustomization
//! may replace the images of its manifests.

use std::collections::{HashMap, HashSet};

use crate::finding::{Built, BuiltFor, FileScan, Finding, Kustomization, NotPulled, PlaceKind, WhyNotPulled};

/// How many kustomizations in a chain are followed.
const DEPTH: usize = 16;

/// Separates the images that are pulled from those that only look so within their own file.
pub(crate) fn settle(findings: Vec<Finding>, files: &[FileScan]) -> (Vec<Finding>, Vec<NotPulled>) {
    let names = BuiltNames::of(files.iter().flat_map(|file| &file.built));
    let kustomizations = Kustomizations::of(files.iter().filter_map(|file| file.kustomization.as_ref()));
    let mut pulled = Vec::new();
    let mut elsewhere = Vec::new();
    for finding in findings {
        let why = if names.have(&finding) {
            Some(WhyNotPulled::Built)
        } else if kustomizations.decide(&finding) {
            Some(WhyNotPulled::Overridden)
        } else {
            None
        };
        match why {
            Some(why) => elsewhere.push(NotPulled { finding, why }),
            None => pulled.push(finding),
        }
    }
    (pulled, elsewhere)
}

/// The names of the images that the files build, by who can use them.
struct BuiltNames<'f> {
    locally: HashSet<String>,
    everywhere: HashSet<&'f str>,
    contexts: HashSet<String>,
}

impl<'f> BuiltNames<'f> {
    fn of(built: impl Iterator<Item = &'f Built>) -> Self {
        let mut names = Self {
            locally: HashSet::new(),
            everywhere: HashSet::new(),
            contexts: HashSet::new(),
        };
        for built in built {
            match built.kept {
                BuiltFor::Locally => drop(names.locally.insert(with_tag(&built.name))),
                BuiltFor::Everywhere => drop(names.everywhere.insert(repository(&built.name))),
                BuiltFor::AsContext => drop(names.contexts.insert(built.name.to_lowercase())),
            }
        }
        names
    }

    fn have(&self, finding: &Finding) -> bool {
        let reference = finding.reference.strip_prefix("docker.io/").unwrap_or(&finding.reference);
        let short = reference.strip_prefix("library/").unwrap_or(reference);
        let is_dockerfile = matches!(
            finding.place,
            PlaceKind::DockerfileFrom | PlaceKind::DockerfileCopyFrom | PlaceKind::DockerfileMount
        );
        if self.everywhere.contains(repository(short))
            || is_dockerfile && self.contexts.contains(&finding.written.to_lowercase())
        {
            return true;
        }
        if matches!(finding.place, PlaceKind::DockerfileSyntax | PlaceKind::GithubAction) {
            return false;
        }
        // A deployed image comes from a registry, unless its name has no namespace: nobody but Docker can push such a
        // name.
        let is_local = !short.contains('/') || !finding.place.is_deployed();
        is_local && self.locally.contains(&with_tag(short))
    }
}

fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    name[last..].find(':').map_or(name, |colon| &name[..last + colon])
}

fn with_tag(name: &str) -> String {
    if name.contains('@') || repository(name).len() < name.len() {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

/// Which kustomizations include which files.
struct Kustomizations<'f> {
    by_path: HashMap<&'f str, &'f Kustomization>,
    /// For the path of a file or directory, the kustomizations that include it.
    includers: HashMap<&'f str, Vec<&'f Kustomization>>,
}

impl<'f> Kustomizations<'f> {
    fn of(all: impl Iterator<Item = &'f Kustomization>) -> Self {
        let mut kustomizations = Self { by_path: HashMap::new(), includers: HashMap::new() };
        for kustomization in all {
            kustomizations.by_path.insert(&kustomization.path, kustomization);
            for resource in &kustomization.resources {
                kustomizations.includers.entry(resource).or_default().push(kustomization);
            }
        }
        kustomizations
    }

    /// Whether every kustomization that deploys the manifest replaces this image.
    fn decide(&self, finding: &Finding) -> bool {
        if finding.place != PlaceKind::Kubernetes || finding.selects.is_some() || self.includers.is_empty() {
            return false;
        }
        let name = repository(&finding.written);
        self.all_replace(&finding.file, name, 0)
    }

    fn all_replace(&self, path: &str, name: &str, depth: usize) -> bool {
        let Some(includers) = self.includers.get(path).filter(|_| depth < DEPTH) else {
            return false;
        };
        includers.iter().take(DEPTH).all(|kustomization| {
            let directory = crate::neighbours::parent(&kustomization.path);
            kustomization.names.iter().any(|replaced| replaced == name)
                || self.all_replace(directory, name, depth + 1)
                || kustomization.path != path
                    && self.by_path.contains_key(path)
                    && self.all_replace(&kustomization.path, name, depth + 1)
        })
    }
}
