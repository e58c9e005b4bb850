//! Whether the execution role's own policies allow the pull, by IAM's simulation.

use super::{Probe, ProbeName};
use pullsafe::arn::Arn;
use pullsafe::lookup::Lookup;
use pullsafe::reference::ecr_host;
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::spent::Settled;

pub const PROBE: Probe = Probe {
    name: ProbeName::ExecutionRole,
    looks_at: "the execution role, by simulation",
    settles: "whether a refused pull from ECR is the role's own policy, or the repository's, an endpoint's, the \
        organisation's",
    needs: &["ecs:DescribeTaskDefinition", "iam:SimulatePrincipalPolicy"],
    is_worth,
};

/// What would settle the question where the container instance's role pulls, which pullsafe does not look at.
const INSTANCE_ROLE: &str = "the role of the container instance that ran the task: it needs ecr:GetAuthorizationToken, \
    ecr:BatchGetImage and ecr:GetDownloadUrlForLayer (AmazonEC2ContainerServiceforEC2Role has them); or the task \
    definition gets an execution role that may";

fn is_worth(_: &StoppedTask, diagnosis: &Diagnosis) -> bool {
    diagnosis.cause == Cause::EcrPermissionDenied
        && super::image_lookup::image(diagnosis).is_some_and(|image| ecr_host(image.registry()).is_some())
}

/// The ARN of the image's repository, in the partition of the role.
pub fn repository(diagnosis: &Diagnosis, role: &str) -> Option<String> {
    let image = super::image_lookup::image(diagnosis)?;
    let host = ecr_host(image.registry())?;
    let partition = Arn::parse(role).map_or("aws", |arn| arn.partition);
    Some(format!("arn:{partition}:ecr:{}:{}:repository/{}", host.region, host.account, image.repository()))
}

/// What the simulation says. `role` is the definition's execution role, if it has one; `launch_type` tells who pulls
/// where it has none.
pub fn settle(role: Option<&str>, launch_type: Option<&str>, may_pull: &Lookup<bool>) -> Settled {
    const SOURCE: &str = "execution role";
    let Some(role) = role else {
        // On EC2 the agent then pulls as the instance, whose role is not looked at: that would take permissions on
        // every instance.
        if launch_type.is_some_and(|kind| kind == "EC2") {
            return Settled {
                settles: false,
                instead: Some(INSTANCE_ROLE.to_owned()),
                ..Settled::saying(
                    SOURCE,
                    "the task definition has none, so that on EC2 the container instance's role pulls",
                )
            };
        }
        let text = "the task definition has no execution role, which a pull from ECR on Fargate needs";
        return Settled {
            confidence: Some(Confidence::High),
            settles: true,
            ..Settled::saying(SOURCE, text)
        };
    };
    match may_pull {
        Lookup::Found(true) => Settled {
            settles: false,
            instead: Some(
                "the repository's policy, the policies of VPC endpoints, and those of the organisation".to_owned(),
            ),
            ..Settled::saying(SOURCE, format!("by its own policies {role} may pull from this repository"))
        },
        Lookup::Found(false) => Settled {
            confidence: Some(Confidence::High),
            settles: true,
            ..Settled::saying(
                SOURCE,
                format!(
                    "by its own policies {role} may not pull from this repository (ecr:GetAuthorizationToken, \
                     ecr:BatchGetImage, ecr:GetDownloadUrlForLayer)"
                ),
            )
        },
        Lookup::Unknown(doubt) => {
            Settled::failed(SOURCE, doubt, format!("whether {role} may pull from this repository"))
        }
        Lookup::Absent => Settled::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe_diagnosis::diagnose_text;

    #[test]
    fn a_role_that_may_not_is_certain_and_one_that_may_points_elsewhere() {
        let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/api:1";
        let found = diagnose_text("CannotPullContainerError: 403 Forbidden", Some(image), "x").unwrap();
        assert!(is_worth(&StoppedTask::default(), &found));
        let role = "arn:aws-cn:iam::123456789012:role/pull";
        assert_eq!(
            repository(&found, role).as_deref(),
            Some("arn:aws-cn:ecr:eu-west-1:123456789012:repository/team/api")
        );
        assert!(settle(Some(role), Some("FARGATE"), &Lookup::Found(false)).settles);
        assert!(
            settle(Some(role), Some("FARGATE"), &Lookup::Found(true))
                .instead
                .unwrap()
                .contains("repository's policy")
        );
        assert!(settle(None, Some("FARGATE"), &Lookup::Absent).settles && settle(None, None, &Lookup::Absent).settles);
        let on_ec2 = settle(None, Some("EC2"), &Lookup::Absent);
        assert!(!on_ec2.settles && on_ec2.confidence.is_none(), "an instance's role may well pull");
        assert!(on_ec2.instead.unwrap().contains("container instance"));
    }
}
