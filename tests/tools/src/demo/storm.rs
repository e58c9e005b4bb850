//! The storm: the quota belongs to an address, so that every service behind it fails at once.

use scenarios::storm::Storm;
use scenarios::world::Setup;

use super::stage::Paint;
use super::{CaseReport, DemoError, DemoStage};

const SERVICES: usize = 40;
/// How soon every service has to run on the mirror.
const IN_TIME: i64 = 15 * 60;

pub(super) async fn tell(stage: &mut DemoStage<'_>) -> CaseReport {
    stage.line("")?;
    let title = stage.paint(Paint::Bold, "pullsafe: a storm, replayed");
    stage.line(&format!(" {title}"))?;
    stage.line("")?;
    stage.say(&format!(
        "{SERVICES} services of two tasks each pull from Docker Hub behind one NAT address, whose quota is used up. \
         One virtual hour, with \
         pullsafe in act mode; its mirror is empty."
    ))?;
    stage.working("an hour of forty services");
    let storm = Box::pin(Storm::play(Setup::new(), SERVICES)).await;
    stage.done_working();
    stage.heading("What it took")?;
    let told = storm.world.told().len();
    let count = |call: &str| storm.calls.get(call).copied().unwrap_or_default();
    for (what, number) in [
        ("services moved to the mirror", count("ecs:UpdateService")),
        ("pulls that the mirror spent, from its own address", storm.world.hub.quota().used("lambda") as usize),
        ("messages", told),
        ("looks at services (DescribeServices)", count("ecs:DescribeServices")),
        ("questions to IAM (SimulatePrincipalPolicy)", count("iam:SimulatePrincipalPolicy")),
    ] {
        stage.line(&format!(" {number:>6}  {what}"))?;
        stage.beat(350);
    }
    stage.line("")?;
    match storm.moved_after {
        Some(seconds) if seconds <= IN_TIME => {
            stage.say(&format!(
                "Every service ran on the mirror {seconds} s after the first deployment, with the digest that it had \
                 asked for."
            ))?;
            Ok(None)
        }
        moved => Err(DemoError::Wrong(vec![format!(
            "every service should run on the mirror within {IN_TIME} s, and did after {moved:?}"
        )])),
    }
}
