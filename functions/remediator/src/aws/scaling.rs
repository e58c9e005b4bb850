//! Application Auto Scaling: looks whether it would raise a count again, and suspends it.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace, SuspendedState};

use pullsafe::arn::ServiceId;
use pullsafe_aws::failure::Failure;
use pullsafe_incident::plan::Suspended;
use remediator_decide::observation::ScalingTarget;

/// Application Auto Scaling.
#[derive(Debug, Clone)]
pub struct Scaling(Client);

impl Scaling {
    /// Makes a client with the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// The service's target; `None` if it is not scaled automatically.
    ///
    /// # Errors
    /// The call failed.
    pub async fn target(&self, id: &ServiceId) -> Result<Option<ScalingTarget>, Failure> {
        let operation = self
            .0
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_ids(id.scaling_resource_id())
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let answer = operation
            .send()
            .await
            .map_err(|error| Failure::of("application-autoscaling:DescribeScalableTargets", &error))?;
        Ok(answer.scalable_targets().first().map(|target| {
            let state = target.suspended_state();
            let flag = |read: fn(&SuspendedState) -> Option<bool>| state.and_then(read).unwrap_or_default();
            ScalingTarget {
                suspended: Suspended {
                    scale_in: flag(SuspendedState::dynamic_scaling_in_suspended),
                    scale_out: flag(SuspendedState::dynamic_scaling_out_suspended),
                    scheduled: flag(SuspendedState::scheduled_scaling_suspended),
                },
                bounds: (target.min_capacity().into(), target.max_capacity().into()),
            }
        }))
    }

    /// Sets what is suspended; the target's limits stay as they are. Repeating it changes nothing.
    ///
    /// # Errors
    /// The call failed.
    pub async fn suspend(&self, id: &ServiceId, suspended: Suspended) -> Result<(), Failure> {
        let state = SuspendedState::builder()
            .dynamic_scaling_in_suspended(suspended.scale_in)
            .dynamic_scaling_out_suspended(suspended.scale_out)
            .scheduled_scaling_suspended(suspended.scheduled)
            .build();
        let operation = self
            .0
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id(id.scaling_resource_id())
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .suspended_state(state);
        operation
            .send()
            .await
            .map_err(|error| Failure::of("application-autoscaling:RegisterScalableTarget", &error))?;
        Ok(())
    }
}
