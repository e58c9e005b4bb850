//! An account in which services fail on demand: a [`World`] with no quota left at Docker Hub, and the events of its
//! services.
//!
//! The world's scheduler is not used: a measurement makes an event when it wants one. The world can be served over
//! sockets, so that the functions' binaries run against it.

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

/// An image on Docker Hub of which the mirror has a copy.
pub const MIRRORED: &str = "iseepatterns/court-case-backend:latest";
/// An image on Docker Hub of which the mirror has no copy.
pub const NOT_MIRRORED: &str = "iseepatterns/court-case-frontend:latest";
/// A repository in the account's own ECR.
pub const OWN_REPOSITORY: &str = "app-mp";

/// An account for measurements.
pub struct PlayedAccount {
    /// Everything in it.
    pub world: World,
    services: u32,
    tasks: u64,
}

impl PlayedAccount {
    /// An account whose clock starts at `start`. In it, pullsafe is in act mode, and prepares deployments.
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

    /// Creates a service with two tasks of this image; none of them runs.
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

    /// The event of one more stopped task of a service, like this event of `events/`.
    pub fn stop(&mut self, stopping: &Stopping, like: &str) -> Value {
        self.tasks += 1;
        stopping.event(like, self.tasks, self.world.clock.now())
    }

    /// The reference of an image in the account's own ECR. It does not exist until [`Self::push`] pushes it.
    pub fn own_image(&self, tag: &str) -> String {
        format!("{}/{OWN_REPOSITORY}:{tag}", self.world.images.host())
    }

    /// Pushes an image to the account's own ECR.
    pub fn push(&self, tag: &str) {
        Sample::multi_arch(3).build().push(self.world.images.store(), OWN_REPOSITORY, tag);
    }

    /// Gives the mirror the copy that it lacked.
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

    /// Serves the account over sockets, and returns the configuration with which the remediator's binary runs in it.
    ///
    /// # Errors
    /// If no port is free.
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
