//! What a storm takes of an account, and what a month costs: played in this process, within the limits of a new
//! account.

use std::time::Instant;

use pullsafe_aws::telemetry;
use scenarios::cost::{Measured, PRICES, month, sums};
use scenarios::storm::Storm;
use scenarios::world::Setup;

use super::report::{FiguresDocument, Goal, thousands};
use crate::e2e::Result;

const SERVICES: usize = 1000;

/// Plays the storm, acting and observing.
///
/// # Errors
/// None so far.
pub async fn measure(report: &mut FiguresDocument) -> Result<()> {
    telemetry::send_metrics_to(|_| {});
    report.section("A storm");
    report.prose(&format!(
        "{} services of two tasks each meet a quota that is used up, in one virtual hour, within the limits of a new \
         account: ECS's request rates, IAM's, \
         1,000 write and 3,000 read units a second for a partition, ten executions of Lambda. They share a task \
         definition: with one each, ECS registers one \
         clone a second and no more.",
        thousands(SERVICES as u64)
    ));
    for (name, mode) in [("acting", "act"), ("observing", "observe")] {
        let begin = Instant::now();
        let storm = Storm::play(Setup::new().with("PULLSAFE_MODE", mode), SERVICES).await;
        if mode == "act" {
            let minutes = storm.moved_after.map(|seconds| seconds as f64 / 60.0);
            let goal = Goal {
                wanted: "at most 15".to_owned(),
                met: minutes.is_some_and(|minutes| minutes <= 15.0),
            };
            let figure = minutes.map_or("never".to_owned(), |minutes| format!("after {minutes:.1} minutes"));
            report.figure("acting: every service runs on the mirror", &figure, Some(goal));
        } else {
            report.figure(
                "observing: looks at a service after the first minute",
                &format!("{:.1}", storm.each("ecs:DescribeServices")),
                Goal::at_most(8.0, "", storm.each("ecs:DescribeServices")),
            );
        }
        let busiest = storm.units.busiest_partition().map_or(0, |(_, _, units)| units);
        let goal = Goal {
            wanted: "at most 500 of 1,000".to_owned(),
            met: busiest <= 500,
        };
        report.figure(
            &format!("{name}: write units of the busiest partition in a second"),
            &thousands(busiest),
            Some(goal),
        );
        let refused: Vec<String> = storm
            .refused
            .iter()
            .map(|(call, (count, last))| format!("{call} {count}, the last after {last} s"))
            .collect();
        let refused = if refused.is_empty() { "none".to_owned() } else { refused.join("; ") };
        report.figure(&format!("{name}: calls that came too fast"), &refused, None);
        let calls: usize = storm.calls.values().sum();
        report.figure(
            &format!("{name}: calls, write units, read units"),
            &format!(
                "{}, {}, {}",
                thousands(calls as u64),
                thousands(storm.units.write),
                thousands(storm.units.half_read / 2)
            ),
            None,
        );
        report.figure(&format!("{name}: played in"), &format!("{} s", begin.elapsed().as_secs()), None);
    }
    Ok(())
}

/// The bill of a month.
///
/// # Errors
/// None so far.
pub async fn cost(report: &mut FiguresDocument) -> Result<()> {
    telemetry::send_metrics_to(|_| {});
    let measured = Measured::count(include_str!("../../../../template.yaml")).await;
    report.section("What a month costs");
    report.prose(&format!(
        "The calls and units that the code uses, times the prices of {PRICES}; in brackets with what every account \
         has for nothing. README.md and \
         docs/deploy.md have the tables that are made of the same counts."
    ));
    for (what, standing, incidents) in [
        ("nothing happens, observing", measured.observing, 0.0),
        ("nothing happens, acting", measured.acting, 0.0),
        ("10 incidents, acting", measured.acting, 10.0),
        ("1,000 incidents, acting", measured.acting, 1000.0),
    ] {
        let bill = month(&measured, standing, 0.0, incidents);
        let (listed, allowed) = sums(&bill);
        let of =
            |name: &str| bill.iter().filter(|line| line.what.starts_with(name)).map(|line| line.quantity).sum::<f64>();
        report.figure(
            what,
            &format!(
                "${listed:.2} (${allowed:.2}); {} runs, {} write units, {} read units",
                thousands(of("Lambda, runs").round() as u64),
                thousands(of("DynamoDB, write").round() as u64),
                thousands(of("DynamoDB, read").round() as u64)
            ),
            None,
        );
    }
    Ok(())
}
