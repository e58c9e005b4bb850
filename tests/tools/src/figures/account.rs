//! An account in which services fail on demand: a [`World`] whose Docker Hub has no quota left, and events about it.
//!
//! The scheduler of the world is not used: an event comes when a measurement wants it. The world can be served over a
//! socket, so that the functions' binaries work against it.

use pullsafe::arn::ServiceId;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::events::Stopping;
use crate::e2e::{Result, WhatWasTried as _};
use scenarios::world::{CLUSTER, MIRROR_QUEUE, NAT, Setup, TABLE, TOPIC, WORK_QUEUE, World};
use testkit::aws::server::Served;
use testkit::aws::sns::Sns;
use testkit::aws::sqs::Sqs;
use testkit::aws::{ACCOUNT, REGION};
use testkit::registry::{Mutability, Sample};
use testkit::runtime_api::FunctionConfig;

/// The image of Docker Hub that the mirror has.
pub const MIRRORED: &str = "iseepatterns/court-case-backend:latest";
/// The image of Docker Hub that the mirror lacks.
pub const NOT_MIRRORED: &str = "iseepatterns/court-case-frontend:latest";
/// A repository of the account itself.
pub const OWN_REPOSITORY: &str = "app-mp";

/// The account.
pub struct PlayedAccount {
    /// Everything in it.
    pub world: World,
    services: u32,
    tasks: u64,
}

impl PlayedAccount {
    /// An account at this moment; pullsafe in it acts, and prepares deployments.
    ///
    /// # Panics
    /// If the fakes refuse what they are set up with.
    pub fn new(start: Timestamp) -> Self {
        let world = Setup { start, ..Setup::new() }.with("PULLSAFE_AHEAD", "warn").build();
        for (image, seed) in [(MIRRORED, 1), (NOT_MIRRORED, 2)] {
            Sample::multi_arch(seed).build().push(world.hub.store(), repository(image), "latest");
        }
        Sample::multi_arch(1).build().push(
            world.images.store(),
            &format!("docker-hub/{}", repository(MIRRORED)),
            "latest",
        );
        world.images.store().create_repository(OWN_REPOSITORY, Mutability::Mutable);
        world.hub.quota().spend(NAT, 100, start);
        Self { world, services: 0, tasks: 0 }
    }

    /// A new service with two tasks of this image, none of which runs.
    pub fn service(&mut self, image: &str) -> Stopping {
        self.services += 1;
        let name = format!("web-{}", self.services);
        let definition = self.world.define(&name, &[image]);
        self.world.create_service(&name, &definition, 2, json!({}));
        let cluster_arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{CLUSTER}");
        Stopping {
            service: ServiceId { cluster_arn, name },
            definition,
            image: image.to_owned(),
        }
    }

    /// One more task of a service stops as in this event.
    pub fn stop(&mut self, stopping: &Stopping, like: &str) -> Value {
        self.tasks += 1;
        stopping.event(like, self.tasks, self.world.clock.now())
    }

    /// An image of the account itself that has not been pushed, unless [`Self::push`] does.
    pub fn own_image(&self, tag: &str) -> String {
        format!("{}/{OWN_REPOSITORY}:{tag}", self.world.images.host())
    }

    /// Pushes an image of the account itself.
    pub fn push(&self, tag: &str) {
        Sample::multi_arch(3).build().push(self.world.images.store(), OWN_REPOSITORY, tag);
    }

    /// The mirror gets the image that it lacked.
    pub fn mirror(&self) {
        Sample::multi_arch(2).build().push(
            self.world.images.store(),
            &format!("docker-hub/{}", repository(NOT_MIRRORED)),
            "latest",
        );
    }

    /// Empties the logs, which would grow with every event.
    pub fn clear_logs(&self) {
        self.world.aws.clear_log();
        for server in [&self.world.hub, &self.world.ecr, &self.world.public] {
            server.clear_log();
        }
    }

    /// Serves the account, and says how the remediator's binary is run in it.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn serve(&self, bootstrap: &std::path::Path) -> Result<(Served, FunctionConfig)> {
        let served = self.world.aws.serve().await.context("serve the fake AWS")?;
        let World { hub, ecr, public, images, .. } = &self.world;
        let endpoints =
            format!("docker.io={},{}={},public.ecr.aws={}", hub.url(), images.host(), ecr.url(), public.url());
        let config = FunctionConfig::new(bootstrap)
            .with("AWS_REGION", REGION)
            .with("AWS_ENDPOINT_URL", served.url())
            .with("PULLSAFE_MODE", "act")
            .with("PULLSAFE_AHEAD", "warn")
            .with("PULLSAFE_PROBE_SUBNETS", "subnet-0123456789abcdef0")
            .with("PULLSAFE_TABLE", TABLE)
            .with("PULLSAFE_TOPIC_ARN", Sns::arn(TOPIC))
            .with("PULLSAFE_QUEUE_URL", Sqs::url(WORK_QUEUE))
            .with("PULLSAFE_MIRROR_QUEUE_URL", Sqs::url(MIRROR_QUEUE))
            .with("PULLSAFE_MIRROR_REGISTRY", images.host())
            .with("PULLSAFE_REGISTRY_ENDPOINTS", endpoints);
        Ok((served, config))
    }
}

fn repository(image: &str) -> &str {
    image.split(':').next().unwrap_or(image)
}
