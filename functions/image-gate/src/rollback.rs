//! What a resource is given when its stack rolls back: the digest that it had.
//!
//! CloudFormation sends the same request for a rollback as for a person who deploys what was there before; only the
//! state of the stack tells them apart. Only a rollback is served from memory. The remembered digest is looked up in
//! ECR, and one that is gone is given out only because nothing else is left.

use crate::decide::answer::{Attributes, CustomResourceResponse, DigestOrigin};
use crate::decide::look::ImageLook;
use crate::decide::properties::Properties;
use crate::decide::wait::Wait;
use crate::decide::wanted::GateImage;
use pullsafe::reference::Digest;
use pullsafe::stack::StackStatus;

use crate::gate::{GateInvocation, ImageGate};

impl ImageGate {
    /// The answer to a rollback, if this is one and the resource had an image before.
    pub(crate) async fn rolled_back(&self, wait: &Wait, call: &GateInvocation) -> Option<CustomResourceResponse> {
        let table = self.table.as_ref()?;
        let (image, given_at) = match self.stored(call, table.recall(&wait.requester, &wait.asked.identity())).await {
            Ok(remembered) => remembered?,
            Err(failure) => {
                tracing::warn!(%failure, "what the resource had before is not known: {failure}");
                return None;
            }
        };
        if !self.is_rollback(&wait.requester.stack_id).await {
            return None;
        }
        let (found, origin) = match self.look_for_digest(wait, &image).await {
            ImageLook::Present(found) => {
                let attributes = Attributes { tag: image.tag.clone(), ..*found };
                (attributes, DigestOrigin::Remembered { given_at, looked_at: self.now() })
            }
            ImageLook::NotYet(_) | ImageLook::Denied(_) | ImageLook::Never(_) => {
                (image, DigestOrigin::OnlyRemembered { given_at, looked_at: self.now() })
            }
        };
        tracing::info!(
            stack = wait.requester.stack_id,
            digest = found.digest,
            "a rollback is given what the resource had: {origin}"
        );
        Some(CustomResourceResponse::present(found, &origin, wait.patience.waited(self.now())))
    }

    /// Whether the stack rolls back, by its state. If the state cannot be seen, as in another account, it does not
    /// count as one.
    async fn is_rollback(&self, stack_id: &str) -> bool {
        match self.stacks.status(stack_id).await {
            Ok(status) => matches!(status, StackStatus::RollingBack(_)),
            Err(failure) => {
                tracing::warn!(stack = stack_id, %failure, "whether the stack rolls back cannot be seen; it counts as \
                    no rollback: {failure}");
                false
            }
        }
    }

    async fn look_for_digest(&self, wait: &Wait, image: &Attributes) -> ImageLook {
        let Ok(digest) = image.digest.parse::<Digest>() else {
            return ImageLook::Never("the memory holds no digest".to_owned());
        };
        // Everything else that is asked for held when the digest was given.
        let asked = Properties {
            wanted: GateImage::Digest(digest),
            platforms: Vec::new(),
            signed: false,
            ..wait.asked.clone()
        };
        self.look_settled(&Wait { asked, ..wait.clone() }).await
    }
}
