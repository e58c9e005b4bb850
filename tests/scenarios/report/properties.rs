//! Whatever an image name, a reason or a log line contains, the report stays whole and of bounded size.

use proptest::prelude::*;
use pullsafe::reference::{Digest, Registry};
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis, Evidence, Kind, RemedyName};
use pullsafe_events::Subject;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::brief;
use pullsafe_incident::incident::{Act, ActState, FailedLaunch, Incident};
use pullsafe_incident::plan::{Declined, ImageMove, Plan, Step};
use pullsafe_incident::record::Record;
use pullsafe_report::widget::{self, Theme, WidgetContent, WidgetView};
use pullsafe_report::{Report, html, markdown};
use scenarios::reported;
use serde_json::json;

use crate::html::check;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_768_504_620_000);
/// Smaller than any limit that a report has to fit: Lambda's limit on an answer is 6 MB.
const LARGEST: usize = 1024 * 1024;

/// What somebody may put into a name or a line to break out of its place in the report.
pub(crate) const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</pre></figure></main><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "```\n# heading\n```",
    "`` ` ``",
    "a | b |\n|---|---|",
    "[click](javascript:alert(1)) ![x](http://203.0.113.9/x.png)",
    "acme/app\u{202e}gpj.tset:1",
    "\u{200b}\u{0}\u{7}\u{1b}[31m",
    "</style><style>*{display:none}</style>",
    "&lt;b&gt; &amp; &#x3c;",
    "\r\n\r\nHTTP/1.1 200 OK",
    "{{constructor}} ${x} <%= y %>",
    "password=hunter2hunter2 AKIAIOSFODNN7EXAMPLE",
];

pub(crate) fn incident(texts: &[String], launches: &[(i64, u32)]) -> Incident {
    let text = |index: usize| texts.get(index % texts.len().max(1)).cloned().unwrap_or_default();
    let diagnosis = Diagnosis {
        registry: Some(Registry::DockerHub),
        kind: Some(Kind::Quota),
        explanation: Some(Cause::AppDegraded),
        image: Some(text(0)),
        container: Some(text(1)),
        attempts: Some(7),
        evidence: texts.iter().map(|text| Evidence { source: text.clone(), text: text.clone() }).collect(),
        settled_by: Some(text(2)),
        advice: text(3),
        ..Diagnosis::of(Cause::RegistryRateLimited, Confidence::High)
    };
    let mut record = Record::default();
    let task = StoppedTask {
        task_arn: text(4),
        version: 1,
        stopped_at: Some(START),
        ..StoppedTask::default()
    };
    record.add_failure("prod/web", &task, diagnosis, START);
    let mut incident = record.open.expect("an incident");
    texts.iter().for_each(|text| incident.say(START, text.clone()));
    incident.launches = launches
        .iter()
        .map(|(seconds, pulls)| FailedLaunch::one(START.plus_seconds(*seconds), *pulls))
        .collect();
    incident.declined = vec![Declined { remedy: RemedyName::PauseAndRestore, reasons: texts.to_vec() }];
    let moves = vec![ImageMove { from: text(6), to: text(7), digest: Digest::of(b"x") }];
    let request = json!({ "containerDefinitions": [{ "name": text(8), "image": text(7) }] });
    let Subject::Service(service) = reported::subject() else {
        panic!("a service")
    };
    incident.act = Some(Act {
        cause: Cause::RegistryRateLimited,
        plan: Plan {
            remedy: RemedyName::MoveToMirror,
            result: text(9),
            summary: text(10),
            steps: vec![Step::MoveService { service, from: text(11), request, moves }],
            then_wait_for: None,
            follow_up: text(12),
        },
        decided_at: START,
        state: ActState::Done,
        question: None,
    });
    incident
}

/// Checks what must hold for every form of a report.
fn holds(subject: &Subject, incident: &Incident, now: Timestamp) {
    let report = Report::of(subject, incident, now);
    let page = html::page("Incidents", &[report.clone(), report.clone()]);
    check(&page);
    let board = WidgetContent {
        reports: std::slice::from_ref(&report),
        ..WidgetContent::default()
    };
    let fragment = widget::board(&board, WidgetView { theme: Theme::Dark, width: Some(900), now });
    check(&fragment);
    let text = markdown::report(&report);
    let json = serde_json::to_string(&report).expect("JSON");
    for form in [&page, &fragment, &text, &json] {
        assert!(form.len() < LARGEST, "{} bytes", form.len());
        assert!(!form.contains("hunter2hunter2") && !form.contains("AKIAIOSFODNN7EXAMPLE"), "a secret is masked");
    }
    // Only our own headings are headings, and a fence is closed only by its own closing fence.
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|character| *character == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line.len() == ticks.len() => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                assert!(!line.starts_with("# ") || line.contains("prod/web"), "{line}");
                let bare = without_code(line);
                assert!(!bare.contains("<script") && !bare.contains("<img") && !bare.contains("]("), "{line}");
            }
        }
    }
    assert_eq!(fence, None, "a block is left open");
    assert!(brief::timeline(incident).iter().all(|line| !line.contains('\n') && line.len() < 1_000));
}

/// A line of Markdown without its code (from a run of backticks to the next run of that length) and without its escaped
/// characters. What is left has a meaning in Markdown.
fn without_code(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(start) = rest.find('`') {
        // An escaped backtick begins no code.
        if rest[..start].ends_with('\\') {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        }
        let ticks = rest[start..].chars().take_while(|character| *character == '`').count();
        let inside = &rest[start + ticks..];
        let mut end = 0;
        let closed = loop {
            let Some(next) = inside[end..].find('`').map(|next| end + next) else {
                break None;
            };
            let run = inside[next..].chars().take_while(|character| *character == '`').count();
            if run == ticks {
                break Some(next + run);
            }
            end = next + run;
        };
        out.push_str(&rest[..start]);
        rest = closed.map_or("", |closed| &inside[closed..]);
        assert!(closed.is_some(), "code is left open: {line}");
    }
    out.push_str(rest);
    let mut plain = String::new();
    let mut characters = out.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else {
            plain.push(character);
        }
    }
    plain
}

#[test]
fn hostile_texts_stay_texts() {
    let texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    for turn in 0..texts.len() {
        let mut turned = texts.clone();
        turned.rotate_left(turn);
        holds(&reported::subject(), &incident(&turned, &[(0, 7)]), START.plus_seconds(60));
    }
}

#[test]
fn the_largest_incident_has_a_bounded_report() {
    let long = vec!["<&\"'> \u{202e} é".repeat(2_000); 300];
    let launches: Vec<(i64, u32)> = (0..200).map(|launch| (launch * 1_620, u32::MAX)).collect();
    holds(&reported::subject(), &incident(&long, &launches), START.plus_seconds(400_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_the_report(
        texts in prop::collection::vec(prop_oneof![any::<String>(), prop::sample::select(HOSTILE).prop_map(str::to_owned)], 1..14),
        launches in prop::collection::vec((-100_000_i64..100_000, any::<u32>()), 0..40),
        limit in any::<Option<u32>>(),
        seconds in -1_000_000_i64..1_000_000,
    ) {
        let mut incident = incident(&texts, &launches);
        incident.quota_limit = limit;
        holds(&reported::subject(), &incident, START.plus_seconds(seconds));
    }
}
