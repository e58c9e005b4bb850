//! Reports at the edges: nothing is known, very much is known, times before 1970, texts that repeat the plan.

use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis};
use pullsafe_incident::incident::{CauseSeen, FailedLaunch, Incident};
use pullsafe_report::widget::{self, Theme, WidgetContent, WidgetView};
use pullsafe_report::{Report, html, markdown};
use scenarios::reported;

use crate::html::check;
use crate::properties::{START, incident};

/// Every form of a report, complete.
fn forms(incident: &Incident, now: Timestamp) -> [String; 3] {
    let report = Report::of(&reported::subject(), incident, now);
    let page = html::page("Incidents", std::slice::from_ref(&report));
    let board = WidgetContent {
        reports: std::slice::from_ref(&report),
        ..WidgetContent::default()
    };
    let fragment = widget::board(&board, WidgetView { theme: Theme::Light, width: None, now });
    check(&page);
    check(&fragment);
    [page, fragment, markdown::report(&report)]
}

#[test]
fn an_incident_without_causes_says_so_and_shows_no_empty_lists() {
    for form in forms(&Incident::open("prod/web", START), START) {
        assert!(form.contains("No cause is known yet."), "{form}");
        assert!(!form.contains("Evidence") && !form.contains("Timeline") && !form.contains("<tbody>"), "{form}");
    }
}

#[test]
fn what_is_left_out_is_said() {
    let mut many = Incident::open("prod/web", START);
    for minute in 0..300 {
        let at = START.plus_seconds(minute * 60);
        many.causes.push(CauseSeen {
            diagnosis: Diagnosis {
                container: Some(format!("c{minute}")),
                ..Diagnosis::of(Cause::Unknown, Confidence::Low)
            },
            task_definition: String::new(),
            image_digest: None,
            task: None,
            first_at: at,
            last_at: at,
            tasks: 1,
            hidden_by: None,
        });
    }
    for form in forms(&many, START.plus_seconds(86_400)) {
        assert!(form.contains("280 more in the middle are left out."), "{form}");
    }
}

#[test]
fn a_moment_before_1970_or_beyond_all_calendars_is_a_moment() {
    for start in [
        Timestamp::from_millis(-86_400_000),
        Timestamp::from_millis(i64::MIN),
        Timestamp::from_millis(i64::MAX),
    ] {
        let mut early = Incident::open("prod/web", start);
        early.say(start, "x");
        early.launches = (0..3).map(|launch| FailedLaunch::one(start.plus_seconds(launch * 60), 7)).collect();
        for now in [start, start.plus_seconds(600), START] {
            forms(&early, now);
        }
    }
    let mut early = Incident::open("prod/web", Timestamp::from_millis(-86_400_000));
    early.launches = vec![FailedLaunch::one(early.opened_at, 7)];
    let [page, ..] = forms(&early, early.opened_at);
    assert!(page.contains("1969-12-31, 00:00:00 UTC"), "{page}");
}

#[test]
fn a_line_that_repeats_the_plan_is_masked_and_cut_like_any_other() {
    let mut repeated = incident(&["x".to_owned()], &[]);
    repeated.timeline.clear();
    let summary = "Move it.";
    if let Some(act) = repeated.act.as_mut() {
        act.plan.summary = summary.to_owned();
    }
    repeated.say(START, format!("decided, password=hunter2hunter2 {}: {summary}", "long ".repeat(1_000)));
    let report = Report::of(&reported::subject(), &repeated, START);
    let what = &report.timeline[0].what;
    assert!(!what.contains("hunter2hunter2") && what.chars().count() < 500, "{what}");
}
