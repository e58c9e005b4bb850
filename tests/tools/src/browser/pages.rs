//! The pages that are looked at: the reports of the cases, of outbreaks, and the dashboard's widget, with the hardest
//! texts among them.

use pullsafe::timestamp::Timestamp;
use pullsafe_events::Subject;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::outbreak::OutbreakRules;
use pullsafe_incident::outlook::{NextLaunch, Outlook, OutlookCause, OutlookFinding};
use pullsafe_report::outbreak::{self, OutbreakReport};
use pullsafe_report::widget::{self, Theme, WidgetContent, WidgetView};
use pullsafe_report::{Report, html};

use super::look::ExpectedPage;
use crate::demo;
use scenarios::reported;

/// A page, and what must be on it.
#[derive(Debug)]
pub struct BrowserPage {
    /// A name for its file.
    pub name: &'static str,
    /// The file's content.
    pub html: String,
    /// What must be on it.
    pub expected: ExpectedPage,
}

/// What would break a page if it were not escaped, or has no place to be broken.
const HOSTILE: &str =
    "<script>document.title='broken'</script><img src=http://203.0.113.9/x onerror=alert(1)> \u{202e}gnp.exe ";

/// An image that is as it should be.
const APP: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";

/// Every page.
///
/// # Panics
/// If the demo has no incident.
pub async fn all() -> Vec<BrowserPage> {
    let demo = demo::case_a::replay::with_pullsafe().await.report().expect("the demo has an incident");
    let (subject, incident, now) = reported::case_c().await;
    let case_c = Report::of(&subject, &incident, now);
    let (subject, incident, now) = reported::case_d().await;
    let case_d = Report::of(&subject, &incident, now);
    let hostile = Report::of(&subject, &broken(incident), now);
    let (storm, later) = reported::outbreak().await;
    let ordinary = Shown::of(&storm, &[case_c.clone(), case_d.clone()], APP, None, later);
    let open = [case_c.clone(), case_d.clone(), hostile.clone()];
    let unreadable = Some("1 row of the table cannot be read.");
    let hard = Shown::of(&storm, &open, &format!("{HOSTILE}{APP}"), unreadable, later);
    vec![
        report(
            "case-a",
            &[demo],
            &["svg.quota", "h1", "h2", "table", "pre.edit", "del", "ins", ".over .stands"],
            &["resolved", "used elsewhere", "an estimate", "What happened"],
        ),
        report(
            "case-c",
            &[case_c],
            &["svg.quota"],
            &[
                "current blocker load-balancer-health-check-failed",
                "hidden by registry-rate-limited",
                "core.aws_service",
            ],
        ),
        report("case-d", &[case_d], &["h1"], &["Custom::PullsafeImage", "silence is not recovery"]),
        report(
            "hostile",
            &[hostile.clone(), hostile],
            &["h1", "h3"],
            &["<script>document.title='broken'</script>", "[U+202E]"],
        ),
        report("nothing", &[], &["h1"], &["There is nothing to report."]),
        outbreak(
            "outbreak",
            &storm,
            later,
            &[".open .stands", ".lines"],
            &["Needs a person", "May prod/", "pullsafe approve"],
        ),
        {
            let (storm, later) = reported::outbreak_over().await;
            outbreak("outbreak-over", &storm, later, &[".over .stands"], &["hit 5 services", "Services over time"])
        },
        widget("widget", Theme::Light, 1280, &ordinary),
        widget("widget-light", Theme::Light, 1280, &hard),
        widget("widget-dark", Theme::Dark, 1280, &hard),
        widget("widget-half-light", Theme::Light, 600, &hard),
        widget("widget-half-dark", Theme::Dark, 600, &hard),
    ]
}

fn report(name: &'static str, reports: &[Report], elements: &[&'static str], texts: &[&str]) -> BrowserPage {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    BrowserPage {
        name,
        html: html::page("Incidents", reports),
        expected: ExpectedPage { elements: elements.to_vec(), texts, follows_theme: true },
    }
}

/// Pages in which something is wrong, each with what it is: a look that finds nothing wrong with them finds nothing.
///
/// The first is as plain as they are, and right.
pub fn wrong() -> Vec<(&'static str, BrowserPage)> {
    let page = |head: &str, body: &str| {
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>t</title>{head}\
             <body class=\"pullsafe\" style=\"margin:0;background:#fff\"><h1>Title</h1>{body}</body></html>"
        );
        BrowserPage {
            name: "wrong",
            html,
            expected: ExpectedPage {
                elements: vec!["h1"],
                texts: vec!["Title".to_owned()],
                follows_theme: false,
            },
        }
    };
    let missing = BrowserPage {
        expected: ExpectedPage {
            elements: vec!["svg"],
            texts: Vec::new(),
            follows_theme: false,
        },
        ..page("", "")
    };
    vec![
        ("nothing", page("", "")),
        ("a line in the console", page("<script>console.log(1)</script>", "")),
        (
            "a request to somewhere else",
            page("<style>body{background:url(http://127.0.0.1:9/x.png)!important}</style>", ""),
        ),
        ("something wider than the window", page("", "<div style=\"width:2000px\">wide</div>")),
        (
            "something to be scrolled sideways",
            page("", "<div class=\"scroll\" style=\"overflow-x:auto\"><div style=\"width:2000px\">wide</div></div>"),
        ),
        ("pale text", page("", "<p style=\"color:#ccc\">pale</p>")),
        ("a heading out of order", page("", "<h4>too deep</h4>")),
        ("a table without heads", page("", "<table><tr><td>1</td></tr></table>")),
        ("a picture without a name", page("", "<svg aria-labelledby=\"nothing\"><path d=\"M0 0\"/></svg>")),
        ("an image", page("", "<img alt=\"\" src=\"data:,\">")),
        ("a missing picture", missing),
    ]
}

/// An outbreak with the reports of its incidents.
fn outbreak(
    name: &'static str,
    storm: &[(Subject, Incident)],
    now: Timestamp,
    elements: &[&'static str],
    texts: &[&str],
) -> BrowserPage {
    let reports: Vec<Report> = storm.iter().map(|(subject, incident)| Report::of(subject, incident, now)).collect();
    let outbreaks = outbreak::of(storm, OutbreakRules::USUAL, now);
    BrowserPage {
        html: html::page_with("Incidents", &outbreaks, &reports),
        ..report(name, &[], &[elements, &["svg.quota", "h1", "h2", "table"]].concat(), texts)
    }
}

/// What a widget shows.
struct Shown {
    reports: Vec<Report>,
    outbreaks: Vec<OutbreakReport>,
    outlook: Outlook,
    warning: Option<&'static str>,
    now: Timestamp,
}

impl Shown {
    /// What of an outbreak is open, these incidents, and an image that will not be pulled.
    fn of(
        storm: &[(Subject, Incident)],
        open: &[Report],
        image: &str,
        warning: Option<&'static str>,
        now: Timestamp,
    ) -> Self {
        let lasting: Vec<(Subject, Incident)> =
            storm.iter().filter(|(_, incident)| incident.resolved_at.is_none()).cloned().collect();
        let reports = lasting.iter().map(|(subject, incident)| Report::of(subject, incident, now));
        Self {
            reports: reports.chain(open.iter().cloned()).collect(),
            outbreaks: outbreak::of(&lasting, OutbreakRules::USUAL, now),
            outlook: outlook(image, now),
            warning,
            now,
        }
    }
}

/// The fragment, in a page as plain as can be, as wide as its dashboard makes it, which shows no action. Its theme is
/// the dashboard's and not the reader's.
fn widget(name: &'static str, theme: Theme, width: u32, shown: &Shown) -> BrowserPage {
    let board = WidgetContent {
        reports: &shown.reports,
        outbreaks: &shown.outbreaks,
        outlooks: std::slice::from_ref(&shown.outlook),
        warning: shown.warning,
        answers: Some("arn:aws:lambda:eu-west-1:123456789012:function:pullsafe-RemediatorFunction-1A2B3C4D5E6F"),
    };
    let fragment = widget::board(&board, WidgetView { theme, width: Some(width), now: shown.now });
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>w</title><style>cwdb-action{{display:none}}</style><body \
         style=\"margin:0\"><h1 style=\"display:none\">Dashboard</h1><h2 style=\"display:none\">Widget</h2><div \
         style=\"max-width:{width}px\">{fragment}</div></body></html>"
    );
    let mut texts = vec![
        format!("{} open incidents", shown.reports.len()),
        "4 questions wait for an answer".to_owned(),
        "Approve".to_owned(),
        "Outbreak: ".to_owned(),
        "Tomorrow's outage".to_owned(),
        "prod/web: open".to_owned(),
    ];
    texts.extend(shown.warning.map(|_| "[U+202E]".to_owned()));
    let elements = ["h3", ".asks", "table", "svg.quota"];
    // In half a dashboard there is no room for pictures.
    let elements = if width >= 700 { elements.to_vec() } else { elements[..3].to_vec() };
    BrowserPage {
        name,
        html,
        expected: ExpectedPage { elements, texts, follows_theme: false },
    }
}

/// What is known to fail.
fn outlook(image: &str, at: Timestamp) -> Outlook {
    let trouble = OutlookCause::MayNotPull { role: "arn:aws:iam::123456789012:role/pull".to_owned() };
    let finding = OutlookFinding {
        container: "app".to_owned(),
        image: image.to_owned(),
        trouble,
    };
    Outlook {
        subject: "prod/api".to_owned(),
        next: NextLaunch::OfService,
        at,
        findings: vec![finding],
        unknown: Vec::new(),
    }
}

/// An incident whose texts are somebody's attempt to break the page, and words of a length that no window has.
fn broken(mut incident: Incident) -> Incident {
    let long = "a-name-without-any-place-to-break-it".replace('-', "").repeat(12);
    for seen in &mut incident.causes {
        seen.diagnosis.image = Some(format!("{HOSTILE}{long}:1"));
        seen.diagnosis.advice = format!("{HOSTILE}{long}");
        seen.diagnosis.evidence.iter_mut().for_each(|evidence| evidence.text = format!("{HOSTILE}{long}"));
    }
    let at = incident.opened_at;
    incident.say(at, format!("{HOSTILE}{long}"));
    incident.id = format!("{}-{long}", incident.id);
    incident
}
