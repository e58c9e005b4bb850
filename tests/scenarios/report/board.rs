//! The page of an outbreak, and the widget with everything that it can show.

use pullsafe::timestamp::Timestamp;
use pullsafe_events::Subject;
use pullsafe_events::answer::{Spoken, YesOrNo, spoken};
use pullsafe_incident::incident::{ActState, Incident};
use pullsafe_incident::outbreak::OutbreakRules;
use pullsafe_incident::question::Question;
use pullsafe_report::outbreak::{self, OutbreakReport};
use pullsafe_report::widget::{self, Theme, WidgetContent, WidgetView};
use pullsafe_report::{Report, html, markdown};
use scenarios::reported;
use serde_json::Value;

use crate::html::check;
use crate::properties::{HOSTILE, START, incident};

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:pullsafe-RemediatorFunction-1A2B3C4D5E6F";

fn told(incidents: &[(Subject, Incident)], now: Timestamp) -> (Vec<OutbreakReport>, Vec<Report>) {
    let reports = incidents.iter().map(|(subject, incident)| Report::of(subject, incident, now)).collect();
    (outbreak::of(incidents, OutbreakRules::USUAL, now), reports)
}

/// The widget without its style sheet, with a line for each element.
fn shown(board: &WidgetContent<'_>, now: Timestamp, width: u32) -> String {
    let fragment = widget::board(board, WidgetView { theme: Theme::Light, width: Some(width), now });
    check(&fragment);
    let (_, body) = fragment.split_once("</style>").expect("a style");
    body.replace("><", ">\n<")
}

/// What the widget is given: an outbreak in which no incident is closed.
async fn open() -> (Vec<(Subject, Incident)>, Timestamp) {
    let (mut incidents, now) = reported::outbreak().await;
    incidents.retain(|(_, incident)| incident.resolved_at.is_none());
    (incidents, now)
}

#[tokio::test]
async fn an_outbreak_has_a_page() {
    let (incidents, now) = reported::outbreak().await;
    let (outbreaks, reports) = told(&incidents, now);
    assert_eq!((outbreaks.len(), outbreaks[0].services, reports.len()), (1, 5, 5));
    let page = html::page_with("Incidents", &outbreaks, &reports);
    check(&page);
    let (_, body) = page.split_once("<main").expect("a page");
    let (body, _) = body.split_once(" aria-labelledby=\"i1\"").expect("the incidents follow");
    insta::assert_snapshot!("outbreak_html", body.replace("><", ">\n<"));
    insta::assert_snapshot!("outbreak_markdown", outbreak::in_markdown(&outbreaks));
}

#[tokio::test]
async fn an_outbreak_that_is_over_looks_over() {
    let (incidents, now) = reported::outbreak_over().await;
    let (outbreaks, reports) = told(&incidents, now);
    assert!(outbreaks[0].until.is_some(), "{outbreaks:?}");
    let page = html::page_with("Incidents", &outbreaks, &reports);
    check(&page);
    assert!(page.contains("<article class=\"over\" aria-labelledby=\"o1\">"), "{page}");
}

#[tokio::test]
async fn the_widget_shows_what_waits_for_a_person_first() {
    let (incidents, now) = open().await;
    let (outbreaks, reports) = told(&incidents, now);
    let board = WidgetContent {
        reports: &reports,
        outbreaks: &outbreaks,
        ..WidgetContent::default()
    };
    let plain = shown(&board, now, 1200);
    insta::assert_snapshot!("widget", plain);
    let places = ["questions wait for an answer", "Outbreak: ", "4 open incidents"].map(|part| plain.find(part));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
    assert!(!plain.contains("cwdb-action") && !plain.contains("<a "), "no button unless the stack says so");
    assert!(!shown(&board, now, 580).contains("<svg"), "no picture where there is no room");
    insta::assert_snapshot!(
        "widget_with_buttons",
        shown(&WidgetContent { answers: Some(FUNCTION), ..board }, now, 580)
    );
    // A question that is over is not shown.
    let later = now.plus_seconds(7200);
    let (outbreaks, reports) = told(&incidents, later);
    let board = WidgetContent {
        reports: &reports,
        outbreaks: &outbreaks,
        ..WidgetContent::default()
    };
    assert!(!shown(&board, later, 1200).contains("wait for an answer"));
}

/// The remediator accepts what the dashboard sends for a click, including what a dashboard adds to every call.
#[tokio::test]
async fn a_button_says_what_the_function_hears() {
    let (incidents, now) = open().await;
    let (outbreaks, reports) = told(&incidents, now);
    let board = WidgetContent {
        reports: &reports,
        outbreaks: &outbreaks,
        answers: Some(FUNCTION),
        ..WidgetContent::default()
    };
    let widget = shown(&board, now, 1200);
    let actions: Vec<&str> = widget.split("<cwdb-action ").skip(1).collect();
    let codes: Vec<&str> =
        reports.iter().filter_map(|report| report.asked.as_ref()).map(|asked| asked.code.as_str()).collect();
    assert_eq!((actions.len(), codes.len()), (8, 4));
    for action in actions {
        let (attributes, rest) = action.split_once('>').expect("an element");
        assert!(attributes.contains("confirmation=\"") && attributes.contains(FUNCTION), "{attributes}");
        let payload = rest.split_once("</cwdb-action>").expect("an end").0.replace("&quot;", "\"");
        let mut event: Value = serde_json::from_str(&payload).expect("JSON");
        event["widgetContext"] = serde_json::json!({ "dashboardName": "pullsafe", "theme": "light", "width": 588 });
        let Some(Ok(Spoken::Answer(answer))) = spoken(&event) else {
            panic!("{event}")
        };
        assert!(codes.contains(&answer.codes[0].as_str()) && answer.proof.is_none(), "{answer:?}");
        assert!(matches!(answer.verdict, YesOrNo::Yes | YesOrNo::No(Some(604_800))), "{answer:?}");
    }
}

#[test]
fn what_is_not_drawn_has_a_row_and_what_has_none_is_counted() {
    let reports: Vec<Report> = (0..300)
        .map(|number| {
            let mut one = incident(&["x".to_owned()], &[(0, 7)]);
            one.id = format!("incident-{number:03}");
            Report::of(&reported::subject(), &one, START)
        })
        .collect();
    let shown = shown(&WidgetContent { reports: &reports, ..WidgetContent::default() }, START, 1200);
    assert!(shown.contains("300 open incidents") && shown.contains("180 more: pullsafe report"), "{shown}");
    assert_eq!(shown.matches("<article").count(), 20);
    assert_eq!(shown.matches("<th scope=\"row\">").count(), 100);
}

#[test]
fn hostile_texts_stay_texts_in_questions_and_outbreaks() {
    let texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    let incidents: Vec<(Subject, Incident)> = (0..40)
        .map(|number| {
            let mut turned = texts.clone();
            turned.rotate_left(number % texts.len());
            let mut one = incident(&turned, &[(0, 7)]);
            one.id = format!("incident-{number}");
            if let Some(act) = one.act.as_mut() {
                act.state = ActState::Asked;
                act.question = Some(Question {
                    code: format!("{number:08}"),
                    asked_at: START,
                    expires_at: START.plus_seconds(3600),
                    yes: None,
                });
            }
            let Subject::Service(mut service) = reported::subject() else {
                panic!("a service")
            };
            service.name = format!("web-{number}");
            (Subject::Service(service), one)
        })
        .collect();
    let (outbreaks, reports) = told(&incidents, START.plus_seconds(60));
    let board = WidgetContent {
        reports: &reports,
        outbreaks: &outbreaks,
        warning: Some(HOSTILE[0]),
        answers: Some(HOSTILE[2]),
        ..WidgetContent::default()
    };
    let page = html::page_with(HOSTILE[1], &outbreaks, &reports);
    check(&page);
    let fragment = shown(&board, START.plus_seconds(60), 1200);
    assert!(fragment.contains("20 more: "), "{fragment}");
    for form in [&page, &fragment, &outbreak::in_markdown(&outbreaks), &markdown::page(&reports)] {
        assert!(!form.contains("hunter2hunter2") && form.len() < 4 * 1024 * 1024, "{} bytes", form.len());
    }
}
