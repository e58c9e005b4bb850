//! Second looks: what could settle a text that leaves something open.
//!
//! A probe is one file and one line in [`PROBES`]: when it is worth it, what it needs, what it settles. All of them
//! only read. What a probe finds becomes evidence, makes a diagnosis more or less certain, or says why a health check
//! fails. It never changes the cause, and never to Docker Hub's quota. A probe that fails leaves the diagnosis as it
//! was and says so.

pub mod container_log;
pub mod execution_role;
pub mod image_lookup;
pub mod service_events;
pub mod target_health;

use pullsafe_diagnosis::cause::Diagnosis;
use pullsafe_events::stopped_task::StoppedTask;

/// The probes, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeName {
    /// The logs of the task's containers.
    ContainerLog,
    /// The service's events and deployments.
    ServiceEvents,
    /// The health of the targets in a target group.
    TargetHealth,
    /// What the image's tag or digest means now.
    ImageLookup,
    /// Whether the execution role may pull.
    ExecutionRole,
}

/// A second look: when it is worth it, what it needs, what it settles.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    pub name: ProbeName,
    /// What it looks at, for people.
    pub looks_at: &'static str,
    /// What it settles.
    pub settles: &'static str,
    /// The IAM actions that it takes; none for what needs no permission.
    pub needs: &'static [&'static str],
    /// Whether it is worth it for this stop.
    pub is_worth: fn(&StoppedTask, &Diagnosis) -> bool,
}

/// Every probe, in the order in which they are asked.
pub const PROBES: &[Probe] = &[
    container_log::PROBE,
    service_events::PROBE,
    target_health::PROBE,
    image_lookup::PROBE,
    execution_role::PROBE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe::permission;
    use pullsafe_diagnosis::cause::Confidence;
    use pullsafe_incident::spent::Settled;

    #[test]
    fn every_probe_declares_permissions_that_the_remediator_has() {
        let declared = permission::remediator_actions();
        for probe in PROBES {
            assert!(
                probe.needs.iter().all(|action| declared.contains(action)),
                "{:?} needs {:?}",
                probe.name,
                probe.needs
            );
            assert!(!probe.settles.is_empty() && !probe.looks_at.is_empty());
        }
    }

    #[test]
    fn docker_hubs_quota_is_beyond_every_second_look() {
        let text = "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit";
        let found = pullsafe_diagnosis::diagnose_text(text, Some("redis:7"), "stoppedReason").unwrap();
        let asked: Vec<_> = PROBES.iter().filter(|probe| (probe.is_worth)(&StoppedTask::default(), &found)).collect();
        assert!(found.docker_hub_quota() && asked.is_empty(), "{asked:?}");
    }

    #[test]
    fn what_a_probe_finds_never_changes_the_cause() {
        let found = pullsafe_diagnosis::diagnose_text(
            "pull access denied for acme/app, repository does not exist or may require 'docker login'",
            Some("acme/app"),
            "x",
        )
        .unwrap();
        let mut after = found.clone();
        let settled = Settled {
            confidence: Some(Confidence::High),
            settles: true,
            ..Settled::saying("x", "password=hunter22")
        };
        settled.apply(&mut after);
        assert_eq!((after.cause, after.confidence, after.settled_by.as_deref()), (found.cause, Confidence::High, None));
        assert!(!format!("{after:?}").contains("hunter22"));
    }
}
