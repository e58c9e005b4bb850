//! A scheduled run: looks, plans, hands out the copies, and remembers.
//!
//! Nothing is copied here: the plan becomes messages, and the workers take those under a lease. If a run dies, the next
//! one repeats it; a worker that gets a copy a second time finds the image current.

use std::time::Duration;

use crate::aws::table::{MirrorTable, Taken};
use crate::decide::plan::{CopyDecision, Memory, MirrorPlan, PlannedImage, batches, plan};
use crate::decide::{MirrorConfig, Want};
use crate::look::{Pruner, survey};
use pullsafe::mirror_job::{MirrorJob, PlannedJobs};
use pullsafe::notice::{Notice, Severity};
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::outbox::Topic;
use pullsafe_aws::queue::Queues;
use pullsafe_aws::telemetry::{Metric, Unit, emf};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::MirrorFunction;
use crate::configuration::Unusable;
use crate::flow::TIME_TO_ANSWER;
use crate::work::rules::OwnerRules;

/// The most images in one message: what a function can copy in its time, unless they are very large.
const IMAGES_IN_A_MESSAGE: usize = 8;
/// How much longer the lease lasts than the function may run.
const LEASE_RESERVE: Duration = Duration::from_secs(5);

impl MirrorFunction {
    /// Does one run. What failed is in the answer; the next run tries again.
    pub(crate) async fn scheduled(&self, event: &Value, deadline: Instant) -> Value {
        if self.settings.config_parameter.is_none() {
            tracing::info!("the schedule ran; no selection of images is configured, so there is nothing to plan");
            return json!({"planned": 0, "reason": "no selection configured"});
        }
        // A retry by Lambda has the same event, so it takes the same lease and continues at once.
        let owner = event.get("id").and_then(Value::as_str).unwrap_or("by hand");
        let last_moment = deadline.checked_sub(TIME_TO_ANSWER).unwrap_or(deadline);
        match timeout_at(last_moment, self.run_under_lease(owner, deadline)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => failed(&failure.to_string(), self.now()),
            Err(_) => failed("the function's time ran out before the plan was made", self.now()),
        }
    }

    async fn run_under_lease(&self, owner: &str, deadline: Instant) -> Result<Value, Failure> {
        let table = self.settings.table.as_deref().map(|name| MirrorTable::new(&self.config, name));
        let Some(table) = table else {
            return Ok(self.run(&Taken::default(), None).await?.1);
        };
        let left = deadline.saturating_duration_since(Instant::now()) + LEASE_RESERVE;
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let Some(taken) = table.take_memory(owner, self.now(), seconds).await? else {
            tracing::info!("another run is planning; this one has nothing to do");
            return Ok(json!({"planned": 0, "reason": "another run is planning"}));
        };
        let outcome = self.run(&taken, Some(&table)).await;
        // Release it in any case, or the next run would have to wait for it.
        match outcome {
            Ok((memory, answer)) => {
                table.keep_memory(owner, &memory).await?;
                Ok(answer)
            }
            Err(failure) => {
                table.keep_memory(owner, &taken.memory).await?;
                Err(failure)
            }
        }
    }

    async fn run(&self, taken: &Taken, table: Option<&MirrorTable>) -> Result<(Memory, Value), Failure> {
        let memory = &taken.memory;
        let config = match self.configuration().await {
            Ok(Some(config)) => config,
            Ok(None) => return Ok((memory.clone(), json!({"planned": 0, "reason": "no selection configured"}))),
            Err(Unusable::Unread(failure)) => return Err(failure),
            Err(Unusable::Wrong(faults)) => {
                return Ok((self.tell_faults(&faults, memory).await, json!({"planned": 0, "faults": faults})));
            }
        };
        self.named.set(OwnerRules::of(&self.settings, Some(&config)).named_at_docker_hub());
        if let Some(table) = table {
            self.finish_repositories(&config, table, &taken.unfinished).await;
        }
        let now = self.now();
        let mut survey = survey(&config, self.around(), now).await;
        let mut plan = plan(std::mem::take(&mut survey.seen), survey.budget, memory, now);
        plan.warnings = std::mem::take(&mut survey.warnings);
        let copies: Vec<&PlannedImage> = plan.copies().collect();
        self.hand_out(&copies).await?;
        self.log(&config, &plan, now);
        let mut remembered = Memory { told: None, ..plan.remember(memory, &copies, now) };
        let wants: Vec<Want> = plan.items.iter().map(|item| item.want.clone()).collect();
        let pruned = match table {
            Some(table) if config.prune.is_some() => {
                let pruner = Pruner {
                    config: &config,
                    around: self.around(),
                    table,
                    wants: &wants,
                    survey: &survey,
                };
                let outcome = pruner.run(memory, now).await;
                remembered.unwanted = outcome.remembered;
                remembered.stuck = self.tell_obstacles(&outcome.obstacles, memory).await;
                emf(
                    now,
                    &[],
                    &[
                        ("ImagesUnwanted", Unit::Count, outcome.plan.unwanted.len() as u64),
                        ("ImagesPruned", Unit::Count, outcome.gone),
                    ],
                );
                outcome.gone
            }
            Some(_) | None => 0,
        };
        let answer = json!({
            "planned": copies.len(),
            "current": plan.count(&CopyDecision::Current),
            "asked": plan.count(&CopyDecision::Asked),
            "later": plan.count(&CopyDecision::Later),
            "blocked": plan.count(&CopyDecision::Blocked),
            "absent": plan.count(&CopyDecision::Absent),
            "unknown": plan.count(&CopyDecision::NOT_KNOWN),
            "pruned": pruned,
            "warnings": plan.warnings,
        });
        Ok((remembered, answer))
    }

    async fn hand_out(&self, copies: &[&PlannedImage]) -> Result<(), Failure> {
        let Some(queue) = self.settings.plan_queue_url.as_deref() else {
            return Ok(());
        };
        let messages: Vec<Value> = batches(copies.iter().copied(), IMAGES_IN_A_MESSAGE)
            .into_iter()
            .map(|batch| {
                let job = |want: &Want| MirrorJob {
                    source: want.source.clone(),
                    target: want.target.clone(),
                    requested_by: "schedule".to_owned(),
                    platforms: want.platforms.clone(),
                };
                PlannedJobs { images: batch.iter().map(|item| job(&item.want)).collect() }.message()
            })
            .collect();
        let queues = self.queues.get_or_init(|| Queues::new(&self.config));
        queues.send_all(queue, &messages, |_| 0).await
    }

    fn log(&self, config: &MirrorConfig, plan: &MirrorPlan, now: Timestamp) {
        for warning in &plan.warnings {
            tracing::warn!(registry = config.registry, "{warning}");
        }
        for item in plan.items.iter().filter(|item| item.action != CopyDecision::Current) {
            tracing::info!(
                source = %item.want.source, target = %item.want.target, action = item.action.as_str(), why = item.want.why.join("; "),
                expected_pulls = item.expected_pulls, worst_pulls = item.worst_pulls, "planned: {} {}", item.action.as_str(), item.want.target
            );
        }
        let oldest = plan.oldest_behind_seconds(now);
        tracing::info!(
            wanted = plan.items.len(),
            copies = plan.count(&CopyDecision::Copy),
            current = plan.count(&CopyDecision::Current),
            later = plan.count(&CopyDecision::Later),
            blocked = plan.count(&CopyDecision::Blocked),
            unknown = plan.count(&CopyDecision::NOT_KNOWN),
            absent = plan.count(&CopyDecision::Absent),
            oldest_unsynced_seconds = oldest,
            "the mirror's run is planned"
        );
        // A metric is billed for every hour in which it has a value, so zeros are only logged.
        let mut metrics: Vec<Metric<'_>> = vec![
            ("ImagesPlanned", Unit::Count, plan.count(&CopyDecision::Copy)),
            ("ImagesPostponed", Unit::Count, plan.count(&CopyDecision::Later)),
            ("ImagesBlocked", Unit::Count, plan.count(&CopyDecision::Blocked)),
            (
                "ImagesUnknown",
                Unit::Count,
                plan.count(&CopyDecision::NOT_KNOWN) + plan.count(&CopyDecision::Absent),
            ),
            ("OldestUnsyncedSeconds", Unit::Seconds, oldest),
        ];
        metrics.retain(|(_, _, value)| *value > 0);
        if !metrics.is_empty() {
            metrics.extend(plan.budget.map(|budget| ("PullQuotaRemaining", Unit::Count, budget.remaining)));
            emf(now, &[], &metrics);
        }
    }

    /// Logs the faults every time, but tells people only once, until the faults change or have been mended in between.
    async fn tell_faults(&self, faults: &[String], memory: &Memory) -> Memory {
        emf(self.now(), &[], &[("MirrorRunFailures", Unit::Count, 1)]);
        for fault in faults {
            tracing::error!(fault, "the mirror's configuration is wrong: {fault}");
        }
        let id = Digest::of(faults.join("\n").as_bytes()).to_string();
        if memory.told.as_ref() == Some(&id) {
            return memory.clone();
        }
        let text = format!(
            "The mirror's configuration is wrong, so that nothing is planned until it is mended. What was asked for \
             on its own is still mirrored.\n\n{}\n",
            faults.join("\n")
        );
        let notice = Notice {
            id: format!("mirror-configuration#{id}"),
            detail_type: "Diagnosis".to_owned(),
            subject: "pullsafe: the mirror's configuration is wrong".to_owned(),
            text,
            evidence: None,
            severity: Severity::Degraded,
            links: Vec::new(),
            detail: json!({"faults": faults}),
        };
        if self.tell(&notice).await {
            Memory { told: Some(id), ..memory.clone() }
        } else {
            memory.clone()
        }
    }

    /// Tells people once what keeps unwanted images from being deleted, and only if it lasts for two runs: a permission
    /// that was just granted does not take effect everywhere at once, and a service that is busy is not busy for long.
    async fn tell_obstacles(&self, obstacles: &[String], memory: &Memory) -> Option<(String, bool)> {
        if obstacles.is_empty() {
            return None;
        }
        let id = Digest::of(obstacles.join("\n").as_bytes()).to_string();
        match &memory.stuck {
            Some((known, true)) if *known == id => return memory.stuck.clone(),
            Some((known, false)) if *known == id => {}
            Some(_) | None => return Some((id, false)),
        }
        let notice = Notice {
            id: format!("mirror-prune#{id}"),
            detail_type: "Diagnosis".to_owned(),
            subject: "pullsafe: images that nothing wants stay in the mirror".to_owned(),
            text: format!(
                "The mirror's configuration lets images go that nothing wants, and they stay. What is in the \
                 way:\n\n{}\n",
                obstacles.join("\n")
            ),
            evidence: None,
            severity: Severity::Info,
            links: Vec::new(),
            detail: json!({"obstacles": obstacles}),
        };
        let told = self.tell(&notice).await;
        Some((id, told))
    }

    /// Tells people; returns whether that succeeded.
    async fn tell(&self, notice: &Notice) -> bool {
        let Some(topic) = &self.settings.topic_arn else {
            return false;
        };
        let told = Topic::new(&self.config, topic, self.settings.format).publish(notice).await;
        told.inspect_err(|failure| tracing::warn!(%failure, "people could not be told: {failure}")).is_ok()
    }
}

fn failed(why: &str, now: Timestamp) -> Value {
    emf(now, &[], &[("MirrorRunFailures", Unit::Count, 1)]);
    tracing::error!(why, "the mirror's run failed: {why}");
    json!({"planned": 0, "error": why})
}
