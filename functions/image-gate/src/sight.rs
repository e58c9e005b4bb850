//! Whether a stack of another account may hear of a repository.

use crate::decide::ecr_errors::{EcrErrorMeaning, meaning};
use crate::decide::look::{ImageLook, WhyNot};
use crate::decide::place::RepositoryPlace;
use crate::decide::sight::may_pull;

use crate::gate::ImageGate;

impl ImageGate {
    /// What stands in the way of looking for stacks of this account; nothing if the repository is its own.
    pub(crate) async fn hidden_from(&self, place: &RepositoryPlace, asking: Option<&str>) -> Option<ImageLook> {
        let owner = place.account.as_deref()?;
        let Some(account) = asking else {
            return Some(ImageLook::Never(
                "StackId is not the id of a stack, so that nobody knows who asks".to_owned(),
            ));
        };
        if account == owner {
            return None;
        }
        match self.ecr.get(&place.region).repository_policy(Some(owner), &place.repository).await {
            Ok(policy) if may_pull(&policy, account) => None,
            Err(error) if meaning(error.code.as_deref()) == EcrErrorMeaning::Passes => {
                Some(ImageLook::NotYet(WhyNot::NotKnown("ECR did not say who may see it".to_owned())))
            }
            // The same words whether the repository does not exist, has no policy, or has one that does not name the
            // account.
            Ok(_) | Err(_) => Some(ImageLook::Denied(format!(
                "RepositoryName names a repository of account {owner}, and the stack's account {account} cannot be \
                 seen to have the right to pull from it. \
                 Let its policy allow ecr:BatchGetImage to arn:aws:iam::{account}:root, and ecr:GetRepositoryPolicy \
                 to the gate's roles if it is not the gate's own."
            ))),
        }
    }
}
