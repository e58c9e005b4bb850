//! The outbreaks among incidents: services that failed of the same cause at the same registry, as one story.
//!
//! They are found from the incidents alone, whether these are all of a table, those of one service, or past ones.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde::Serialize;

use super::parts::{cell, heading, list, prose, section, table};
use super::story::span;
use super::when::When;
use super::{plot, svg};
use pullsafe::count::count;
use pullsafe::foreign::{block, markdown};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::Subject;
use pullsafe_incident::incident::{ActState, Incident};
use pullsafe_incident::line::line;
use pullsafe_incident::outbreak::digest::Story;
use pullsafe_incident::outbreak::need::Need;
use pullsafe_incident::outbreak::{Common, Member, OutbreakRules};
use pullsafe_incident::quota::QuotaWindow;

/// How many rows of what was done are shown, and how many names in each.
const DONE: usize = 40;
const NAMES: usize = 8;
/// How many steps in time the table of failing services has.
const MOMENTS: i64 = 12;
/// The titles of the parts, and the heads of the table.
const OVER_TIME: &str = "Services over time";
const HEADS: [&str; 3] = ["At", "Failing", "Failed so far"];
const PULLS: &str = "Pulls of all of them against Docker Hub's quota (an estimate)";
const DONE_TITLE: &str = "What was done, in this order";
const NEEDS: &str = "Needs a person";

/// An outbreak, as its incidents show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutbreakReport {
    /// One line: the cause, the registry, and how many services.
    pub title: String,
    /// What its incidents have in common.
    pub common: Common,
    /// When its first task failed.
    pub since: Timestamp,
    /// When its last incident ended, if all have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many services it has hit.
    pub services: usize,
    /// The ids of its incidents, each of which has a report of its own.
    pub incidents: BTreeSet<String>,
    /// The moment that the report is of.
    pub as_of: Timestamp,
    /// The first line that its digest would have now.
    pub stands: String,
    /// How many services were failing over time, and how many had failed.
    pub over_time: Vec<Failing>,
    /// The pulls of all its services against Docker Hub's quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaWindow>,
    /// What was done, oldest first.
    pub done: Vec<RepeatedStep>,
    /// How many rows of what was done are left out.
    pub done_left_out: usize,
    /// What a person has to do.
    pub needs: Vec<Need>,
}

/// How many services were failing at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Failing {
    pub at: Timestamp,
    /// How many were failing.
    pub open: usize,
    /// How many had failed by then.
    pub hit: usize,
}

/// The same act, done to services one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepeatedStep {
    /// When it was decided for the first of them.
    pub from: Timestamp,
    /// When it was decided for the last of them.
    pub until: Timestamp,
    /// What was done, in one line.
    pub what: String,
    /// How many services it was done to.
    pub services: usize,
    /// The names of the first of them.
    pub first: Vec<String>,
}

/// Finds the outbreaks among these incidents, the newest first.
pub fn of(incidents: &[(Subject, Incident)], rules: OutbreakRules, now: Timestamp) -> Vec<OutbreakReport> {
    let mut hit: BTreeMap<Common, Vec<Hit<'_>>> = BTreeMap::new();
    for (subject, incident) in incidents.iter().filter(|(subject, _)| matches!(subject, Subject::Service(_))) {
        for seen in &incident.causes {
            let Some(common) = Common::of(&seen.diagnosis, incident.source.as_ref()) else {
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

/// An incident with the cause of an outbreak, and when that cause was first seen.
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
        title: line(&format!("Outbreak: {common}, {services} services{}", if until.is_some() { ", over" } else { "" })),
        common: common.clone(),
        since,
        until,
        services,
        as_of: now,
        incidents: hits.iter().map(|hit| line(&hit.incident.id)).collect(),
        stands: line(&story.in_a_line(until)),
        over_time: over_time(hits, since, until.unwrap_or(now)),
        quota: QuotaWindow::of(&together(hits), until.unwrap_or(now)),
        done,
        done_left_out,
        needs: story.needs().iter().map(masked).collect(),
    }
}

/// Masks a need for a report, because its advice may hold a text from outside.
fn masked(need: &Need) -> Need {
    Need {
        what: super::masked(&need.what),
        count: need.count,
        services: need.services.iter().map(|name| line(name)).collect(),
    }
}

/// Puts all launches and quota causes into one incident, from which the quota's picture is made.
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
    let all = (0..=MOMENTS).map(|number| since.plus_seconds((number * step).min(span))).map(failing);
    let mut moments: Vec<Failing> = all.collect();
    // Of moments with the same numbers only the first is kept. The last of all is always kept, to show where the time
    // ends.
    let last = moments.pop();
    moments.dedup_by_key(|moment| (moment.open, moment.hit));
    moments.extend(last);
    moments
}

/// Returns what was done, with neighbours in time for which it was the same put together, and how many rows are left
/// out.
fn done(hits: &[Hit<'_>]) -> (Vec<RepeatedStep>, usize) {
    let mut acts: Vec<(Timestamp, String, String)> = hits
        .iter()
        .filter_map(|hit| {
            let act = hit.incident.act.as_ref().filter(|act| act.state != ActState::Asked)?;
            let what = line(&format!("{}: {}", act.plan.result, super::act_line(act).words()));
            Some((act.decided_at, what, line(&hit.subject.to_string())))
        })
        .collect();
    acts.sort();
    acts.dedup();
    let rows = acts.chunk_by(|one, next| one.1 == next.1).filter_map(|same| {
        let ((from, what, _), (until, ..)) = (same.first()?, same.last()?);
        let first = same.iter().take(NAMES).map(|(_, _, name)| name.clone()).collect();
        Some(RepeatedStep {
            from: *from,
            until: *until,
            what: what.clone(),
            services: same.len(),
            first,
        })
    });
    let mut rows: Vec<RepeatedStep> = rows.collect();
    let left_out = rows.len().saturating_sub(DONE);
    rows.truncate(DONE);
    (rows, left_out)
}

impl RepeatedStep {
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
    const fn state(&self) -> &'static str {
        if self.until.is_some() { "over" } else { "open" }
    }

    fn done_lines(&self, when: &When) -> Vec<String> {
        let more =
            (self.done_left_out > 0).then(|| format!("{} more are in the incidents' own reports", self.done_left_out));
        self.done.iter().map(|done| when.text(&done.line())).chain(more).collect()
    }
}

/// Writes outbreaks as Markdown, each as a section that goes before the incidents; empty where there is none. What
/// needs a person and what was done come first.
pub fn in_markdown(reports: &[OutbreakReport]) -> String {
    let mut out = String::new();
    for report in reports {
        let when = &When::of(report.since);
        let mut line = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        line(&format!("# {}\n", markdown(&report.title)));
        line(&format!("**{}** {}\n", report.state(), span(report.since, report.until, report.as_of, when)));
        line(&markdown(&when.text(&report.stands)));
        if !report.needs.is_empty() {
            line(&format!("\n## {NEEDS}\n"));
            for need in &report.needs {
                line(&format!("**{}**: {}\n", count(need.count, "service"), markdown(&need.names())));
                line(&block("text", &when.text(&need.what)));
            }
        }
        if !report.done.is_empty() {
            line(&format!("\n## {DONE_TITLE}\n"));
            report.done_lines(when).iter().for_each(|done| line(&format!("- {}", markdown(done))));
        }
        if let Some(quota) = &report.quota {
            line(&format!("\n## {PULLS}\n\n{}", block("text", &plot::draw(quota, when))));
            quota.sentences().iter().for_each(|sentence| line(&format!("- {}", markdown(&when.text(sentence)))));
        }
        line(&format!("\n## {OVER_TIME}\n\n| {} |\n|---|---|---|", HEADS.join(" | ")));
        for moment in &report.over_time {
            line(&format!("| {} | {} | {} |", when.at(moment.at), moment.open, moment.hit));
        }
        line("\n---\n");
    }
    out
}

/// Draws an outbreak on a page of HTML.
pub(super) fn in_html(report: &OutbreakReport, id: &str) -> Markup {
    let when = &When::of(report.since);
    let moments = report
        .over_time
        .iter()
        .map(|moment| [cell(when.at(moment.at)), cell(moment.open), cell(moment.hit)]);
    html! {
        article class=(if report.until.is_some() { "over" } else { "open" }) aria-labelledby=(id) {
            (heading(2, Some(id), &report.title))
            p.stands {
                strong.tag { (report.state()) } " " (span(report.since, report.until, report.as_of, when))
            }
            p { (when.text(&report.stands)) }
            @if !report.needs.is_empty() {
                (section(2, NEEDS, html! {
                    @for need in &report.needs {
                        p { strong { (count(need.count, "service")) } ": " (need.names()) }
                        p.lines { (prose(&when.text(&need.what))) }
                    }
                }))
            }
            @if !report.done.is_empty() { (section(2, DONE_TITLE, list(report.done_lines(when)))) }
            @if let Some(quota) = &report.quota {
                (section(2, PULLS, html! {
                    (svg::draw(quota, when, &format!("{id}-quota")))
                    (list(quota.sentences().iter().map(|sentence| when.text(sentence))))
                }))
            }
            (section(2, OVER_TIME, table(OVER_TIME, HEADS, moments)))
        }
    }
}
