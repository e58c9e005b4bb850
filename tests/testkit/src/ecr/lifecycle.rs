//! What ECR does once a day: it carries out every repository's lifecycle policy.

use pullsafe::reference::Digest;
use pullsafe_lifecycle::{Action, Image, Policy, StorageClass, evaluate};

use super::EcrApi;
use crate::registry::repository::{ImageStatus, StoredRepository};

impl EcrApi {
    /// Carries out the lifecycle policies of all repositories until nothing more is due. Returns what was deleted or
    /// archived, by repository.
    ///
    /// # Panics
    /// If a policy is invalid: ECR would not have accepted it.
    pub fn run_lifecycle_policies(&self) -> Vec<(String, Digest)> {
        let mut done = Vec::new();
        for name in self.store.repositories() {
            let settings = self.settings(&name);
            let Some(text) = settings["lifecyclePolicyText"].as_str() else {
                continue;
            };
            let policy = Policy::parse(text).unwrap_or_else(|faults| panic!("the policy of {name}: {faults:?}"));
            loop {
                let images = self.store.read(&name, images).unwrap_or_default();
                let verdicts = evaluate(&policy, &images, self.store.clock().now());
                let due: Vec<(&Image, Action)> = images
                    .iter()
                    .zip(&verdicts)
                    .filter_map(|(image, verdict)| Some((image, verdict.action()?)))
                    .collect();
                if due.is_empty() {
                    break;
                }
                for (image, action) in due {
                    match action {
                        Action::Expire => self.store.remove_image(&name, &image.digest),
                        Action::Archive => {
                            self.store.set_status(&name, &image.digest, ImageStatus::Archived);
                        }
                    }
                    done.push((name.clone(), image.digest.clone()));
                }
            }
        }
        done
    }
}

fn images(repository: &StoredRepository) -> Vec<Image> {
    let image = |image: &crate::registry::repository::StoredManifest| Image {
        digest: image.digest.clone(),
        tags: repository.tags_of(&image.digest),
        pushed_at: image.pushed_at,
        pulled_at: image.last_pull,
        activated_at: None,
        archived_at: None,
        class: if image.status == ImageStatus::Archived {
            StorageClass::Archive
        } else {
            StorageClass::Standard
        },
        members: image.links.children.iter().map(|child| child.digest.clone()).collect(),
        subject: image.links.subject.clone(),
    };
    repository.images().map(image).collect()
}
