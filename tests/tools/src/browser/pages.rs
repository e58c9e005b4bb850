//! The pages that are looked at: the reports of the cases, and the dashboard's widget, with the hardest texts among
//! them.

use pullsafe::timestamp::Timestamp;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::outlook::{Finding, NextLaunch, Outlook, Trouble};
use pullsafe_report::widget;
use pullsafe_report::widget::Theme;
use pullsafe_report::{Report, html};

use super::look::Expected;
use crate::demo;
use scenarios::reported;

/// A page, and what must be on it.
#[derive(Debug)]
pub struct Page {
    /// A name for its file.
    pub name: &'static str,
    /// The file's content.
    pub html: String,
    /// What must be on it.
    pub expected: Expected,
}

/// What would break a page if it were not escaped, or has no place to be broken.
const HOSTILE: &str =
    "<script>document.title='broken'</script><img src=http://203.0.113.9/x onerror=alert(1)> \u{202e}gnp.exe ";

/// Every page.
///
/// # Panics
/// If the demo has no incident.
pub async fn all() -> Vec<Page> {
    let demo = demo::case_a::replay::with_pullsafe().await.report().expect("the demo has an incident");
    let (subject, incident, now) = reported::case_c().await;
    let case_c = Report::of(&subject, &incident, now);
    let (subject, incident, now) = reported::case_d().await;
    let case_d = Report::of(&subject, &incident, now);
    let hostile = Report::of(&subject, &broken(incident), now);
    let open = [case_c.clone(), case_d.clone(), hostile.clone()];
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
        widget("widget-light", Theme::Light, &open),
        widget("widget-dark", Theme::Dark, &open),
    ]
}

fn report(name: &'static str, reports: &[Report], elements: &[&'static str], texts: &[&str]) -> Page {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Page {
        name,
        html: html::page("Incidents", reports),
        expected: Expected { elements: elements.to_vec(), texts, follows_theme: true },
    }
}

/// Pages in which something is wrong, each with what it is: a look that finds nothing wrong with them finds nothing.
///
/// The first is as plain as they are, and right.
pub fn wrong() -> Vec<(&'static str, Page)> {
    let page = |head: &str, body: &str| {
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>t</title>{head}\
             <body class=\"pullsafe\" style=\"margin:0;background:#fff\"><h1>Title</h1>{body}</body></html>"
        );
        Page {
            name: "wrong",
            html,
            expected: Expected {
                elements: vec!["h1"],
                texts: vec!["Title".to_owned()],
                follows_theme: false,
            },
        }
    };
    let missing = Page {
        expected: Expected {
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
        ("pale text", page("", "<p style=\"color:#ccc\">pale</p>")),
        ("a heading out of order", page("", "<h4>too deep</h4>")),
        ("a table without heads", page("", "<table><tr><td>1</td></tr></table>")),
        ("a picture without a name", page("", "<svg aria-labelledby=\"nothing\"><path d=\"M0 0\"/></svg>")),
        ("an image", page("", "<img alt=\"\" src=\"data:,\">")),
        ("a missing picture", missing),
    ]
}

/// The fragment, in a page as plain as can be. Its theme is the dashboard's and not the reader's.
fn widget(name: &'static str, theme: Theme, open: &[Report]) -> Page {
    let fragment = widget::incidents(
        open,
        &[outlook()],
        Some("1 row of the table cannot be read."),
        theme,
        Some(1200),
        Timestamp::from_millis(1_768_504_620_000),
    );
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>w</title><body style=\"margin:0\"><h1 style=\"display:none\">Dashboard</h1><h2 style=\"display:none\">Widget</h2>{fragment}</body></html>"
    );
    let texts = vec![
        "3 open incidents".to_owned(),
        "Tomorrow's outage".to_owned(),
        "prod/web: open".to_owned(),
        "[U+202E]".to_owned(),
    ];
    Page {
        name,
        html,
        expected: Expected {
            elements: vec!["svg.quota", "h3"],
            texts,
            follows_theme: false,
        },
    }
}

/// What is known to fail, with a name that wants to be more than a name.
fn outlook() -> Outlook {
    let image = format!("{HOSTILE}123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1");
    let trouble = Trouble::MayNotPull { role: "arn:aws:iam::123456789012:role/pull".to_owned() };
    let finding = Finding { container: "app".to_owned(), image, trouble };
    let at = Timestamp::from_millis(1_768_504_620_000);
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
