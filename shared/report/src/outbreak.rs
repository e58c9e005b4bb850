//! The outbreaks among incidents: services that failed of the same cause at the same registry, as one story.
//!
//! Made from the incidents alone, so that it tells of those of a table, of one service's and of the past alike.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::page::Html;
use super::when::When;
use super::{plot, svg};
use pullsafe::foreign::{block, markdown};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::Subject;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::outbreak::digest::Story;
use pullsafe_incident::outbreak::need::Need;
use pullsafe_incident::outbreak::{Common, Member, Rules};
use pullsafe_incident::quota::Quota;

/// Rows of what was done, and names in one.
const DONE: usize = 40;
const NAMES: usize = 8;
/// Rows of how many services were hit over time.
const MOMENTS: i64 = 12;

/// An outbreak, as its incidents tell it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutbreakReport {
    /// One line: what, at which registry, how many services.
    pub title: String,
    /// What its incidents have in common.
    pub common: Common,
    /// When its first task failed.
    pub since: Timestamp,
    /// When its last incident was over, if all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many services it has hit.
    pub services: usize,
    /// The first line of its digest, as of now.
    pub stands: String,
    /// How many services were failing over time, and how many had failed.
    pub over_time: Vec<Failing>,
    /// The pulls of all of them against Docker Hub's quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// What was done, in its order.
    pub done: Vec<Done>,
    /// How many rows of that are left out.
    pub done_left_out: usize,
    /// What a person has to do.
    pub needs: Vec<Need>,
}

/// How many services were failing at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// When.
    pub at: Timestamp,
    /// How many were.
    pub open: usize,
    /// How many had failed by then.
    pub hit: usize,
}

/// The same thing, done to services one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// When it was decided for the first of them.
    pub from: Timestamp,
    /// When it was for the last.
    pub until: Timestamp,
    /// What.
    pub what: String,
    /// To how many services.
    pub services: usize,
    /// The first of them.
    pub first: Vec<String>,
}

/// The outbreaks among these incidents, the newest first.
pub fn of(incidents: &[(Subject, Incident)], rules: Rules, now: Timestamp) -> Vec<OutbreakReport> {
    let mut hit: BTreeMap<Common, Vec<Hit<'_>>> = BTreeMap::new();
    for (subject, incident) in incidents.iter().filter(|(subject, _)| matches!(subject, Subject::Service(_))) {
        for seen in &incident.causes {
            let Some(common) = Common::of(&seen.diagnosis) else {
                continue;
            };
            hit.entry(common).or_default().push(Hit { subject, incident, at: seen.first_at });
        }
    }
    let mut reports: Vec<OutbreakReport> = Vec::new();
    for (common, mut hits) in hit {
        hits.sort_by_key(|hit| hit.at);
        let near = |one: &Hit<'_>, next: &Hit<'_>| next.at.seconds_since(one.at) < rules.window_seconds;
        let storms = hits.chunk_by(near).filter(|hits| subjects(hits).len() >= rules.after);
        reports.extend(storms.map(|hits| report(&common, hits, now)));
    }
    reports.sort_by_key(|report| std::cmp::Reverse(report.since));
    reports
}

/// An incident with the cause of an outbreak, and when it came to light.
struct Hit<'a> {
    subject: &'a Subject,
    incident: &'a Incident,
    at: Timestamp,
}

fn subjects<'a>(hits: &[Hit<'a>]) -> BTreeSet<&'a Subject> {
    hits.iter().map(|hit| hit.subject).collect()
}

fn report(common: &Common, hits: &[Hit<'_>], now: Timestamp) -> OutbreakReport {
    let member = |hit: &Hit<'_>| {
        (
            Member {
                subject: hit.subject.clone(),
                incident: hit.incident.id.clone(),
                at: hit.at,
            },
            Some(hit.incident.clone()),
        )
    };
    let members: Vec<_> = hits.iter().map(member).collect();
    let story = Story::of(common, &members);
    let since = hits.first().map_or(now, |hit| hit.at);
    let ends: Option<Vec<Timestamp>> = hits.iter().map(|hit| hit.incident.resolved_at).collect();
    let until = ends.and_then(|ends| ends.into_iter().max());
    let services = subjects(hits).len();
    let (done, done_left_out) = done(hits);
    OutbreakReport {
        title: format!("Outbreak: {common}, {services} services{}", if until.is_some() { ", over" } else { "" }),
        common: common.clone(),
        since,
        until,
        services,
        stands: story.in_a_line(until),
        over_time: over_time(hits, since, until.unwrap_or(now)),
        quota: Quota::of(&together(hits), until.unwrap_or(now)),
        done,
        done_left_out,
        needs: story.needs().to_vec(),
    }
}

/// All launches and causes in one incident, of which the quota's picture is made.
fn together(hits: &[Hit<'_>]) -> Incident {
    let mut all = Incident::open("outbreak", hits.first().map_or(Timestamp::from_millis(0), |hit| hit.at));
    for hit in hits {
        hit.incident.launches.iter().for_each(|launch| all.add_launch(*launch));
        all.quota_limit = all.quota_limit.or(hit.incident.quota_limit);
        all.causes
            .extend(hit.incident.causes.iter().filter(|seen| seen.diagnosis.docker_hub_quota()).cloned());
    }
    all
}

fn over_time(hits: &[Hit<'_>], since: Timestamp, until: Timestamp) -> Vec<Failing> {
    let span = until.seconds_since(since).max(1);
    let step = (span + MOMENTS - 1) / MOMENTS;
    let failing = |at: Timestamp| {
        let hit = hits.iter().filter(|hit| hit.at <= at);
        let open = hit.clone().filter(|hit| hit.incident.resolved_at.is_none_or(|resolved| resolved > at));
        let count =
            |hits: &mut dyn Iterator<Item = &Hit<'_>>| hits.map(|hit| hit.subject).collect::<BTreeSet<_>>().len();
        Failing {
            at,
            open: count(&mut open.into_iter()),
            hit: count(&mut hit.into_iter()),
        }
    };
    (0..=MOMENTS).map(|number| since.plus_seconds((number * step).min(span))).map(failing).collect()
}

/// What was done, by neighbours in time for which it was the same.
fn done(hits: &[Hit<'_>]) -> (Vec<Done>, usize) {
    let mut acts: Vec<(Timestamp, String, String)> = hits
        .iter()
        .filter_map(|hit| {
            let act = hit.incident.act.as_ref()?;
            let what = format!("{}: {}", act.plan.result, super::act_line(act).words());
            Some((act.decided_at, what, hit.subject.to_string()))
        })
        .collect();
    acts.sort();
    acts.dedup();
    let rows = acts.chunk_by(|one, next| one.1 == next.1).filter_map(|same| {
        let ((from, what, _), (until, ..)) = (same.first()?, same.last()?);
        let first = same.iter().take(NAMES).map(|(_, _, name)| name.clone()).collect();
        Some(Done {
            from: *from,
            until: *until,
            what: what.clone(),
            services: same.len(),
            first,
        })
    });
    let mut rows: Vec<Done> = rows.collect();
    let left_out = rows.len().saturating_sub(DONE);
    rows.truncate(DONE);
    (rows, left_out)
}

impl Done {
    fn line(&self) -> String {
        let span = if self.from == self.until {
            self.from.to_string()
        } else {
            format!("{} to {}", self.from, self.until)
        };
        let more = self.services - self.first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{span} {} ({}{more})", self.what, self.first.join(", "))
    }
}

impl OutbreakReport {
    fn done_lines(&self) -> Vec<String> {
        let more =
            (self.done_left_out > 0).then(|| format!("{} more are in the incidents' own reports", self.done_left_out));
        self.done.iter().map(Done::line).chain(more).collect()
    }
}

/// Outbreaks as Markdown, each a section that goes before the incidents; nothing where there is none.
pub fn in_markdown(reports: &[OutbreakReport]) -> String {
    let mut out = String::new();
    for report in reports {
        let mut line = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        line(&format!("# {}\n\n{}\n", markdown(&report.title), markdown(&report.stands)));
        line("## Services over time\n\n| At | Failing | Failed so far |\n|---|---|---|");
        for moment in &report.over_time {
            line(&format!("| {} | {} | {} |", moment.at, moment.open, moment.hit));
        }
        if let Some(quota) = &report.quota {
            line(&format!(
                "\n## Pulls of all of them against Docker Hub's quota (an estimate)\n\n{}",
                block("text", &plot::draw(quota, &When::of(report.since)))
            ));
            quota.sentences().iter().for_each(|sentence| line(&format!("- {}", markdown(sentence))));
        }
        if !report.done.is_empty() {
            line("\n## What was done, in this order\n");
            report.done_lines().iter().for_each(|done| line(&format!("- {}", markdown(done))));
        }
        if !report.needs.is_empty() {
            line("\n## Needs a person\n");
            for need in &report.needs {
                line(&format!("- {}: {}", markdown(&need.names()), markdown(&need.what)));
            }
        }
        line("\n---\n");
    }
    out
}

/// An outbreak on a page of HTML.
pub(super) fn in_html(page: &mut Html, report: &OutbreakReport, id: &str) {
    page.element("article", &[("aria-labelledby", id)], |page| {
        page.element("h2", &[("id", id)], |page| page.text(&report.title));
        page.paragraph(&report.stands);
        page.section(2, "Services over time", |page| {
            page.table("Services over time", &["At", "Failing", "Failed so far"], |page| {
                for moment in &report.over_time {
                    page.element("tr", &[], |page| {
                        page.element("td", &[], |page| page.text(&moment.at.to_string()));
                        page.element("td", &[], |page| page.text(&moment.open.to_string()));
                        page.element("td", &[], |page| page.text(&moment.hit.to_string()));
                    });
                }
            });
        });
        if let Some(quota) = &report.quota {
            page.section(2, "Pulls of all of them against Docker Hub's quota (an estimate)", |page| {
                svg::draw(page, quota, &When::of(report.since), &format!("{id}-quota"));
                list(page, &quota.sentences());
            });
        }
        if !report.done.is_empty() {
            page.section(2, "What was done, in this order", |page| list(page, &report.done_lines()));
        }
        if !report.needs.is_empty() {
            let needs: Vec<String> =
                report.needs.iter().map(|need| format!("{}: {}", need.names(), need.what)).collect();
            page.section(2, "Needs a person", |page| list(page, &needs));
        }
    });
}

fn list(page: &mut Html, lines: &[String]) {
    page.element("ul", &[], |page| lines.iter().for_each(|line| page.element("li", &[], |page| page.text(line))));
}
