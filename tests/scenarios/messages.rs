//! Every kind of message as people read it, as a chat gets it, and as programs hear it.

use std::collections::BTreeSet;
use std::time::Duration;

use pullsafe::arn::ServiceId;
use pullsafe::notice::{Notice, OnBus, chatbot};
use pullsafe::reference::Registry;
use pullsafe::settings::{Ahead, Mode};
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis, Evidence, Kind, LogRead, RemedyName};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::{Author, Subject};
use pullsafe_incident::asking::{Asking, asked};
use pullsafe_incident::door::{DoorOutcome, DoorVerdict};
use pullsafe_incident::drill::{self, Played};
use pullsafe_incident::held::HeldBack;
use pullsafe_incident::incident::{Act, ActState, Incident};
use pullsafe_incident::limit::LimitAhead;
use pullsafe_incident::notice::{self, Outcome, Prepared, Stray};
use pullsafe_incident::outbreak::digest::Story;
use pullsafe_incident::outbreak::{Common, Member};
use pullsafe_incident::outlook::{Finding, NextLaunch, Outlook, Trouble};
use pullsafe_incident::plan::{Declined, Plan};
use pullsafe_incident::question::Question;
use pullsafe_incident::record::Record;
use pullsafe_incident::refusal::Refusal;
use pullsafe_incident::runs::Runs;
use pullsafe_incident::sight::{Sight, links};
use pullsafe_incident::waiting::WaitingFor;
use pullsafe_radar::{Forecast, Reading, Source};

const BEGIN: Timestamp = Timestamp::from_millis(1_768_504_620_000);
const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";

fn subject(name: &str) -> Subject {
    Subject::Service(ServiceId { cluster_arn: CLUSTER.to_owned(), name: name.to_owned() })
}

/// An incident of a service whose image Docker Hub does not give.
fn incident(name: &str, runs: Runs) -> Incident {
    let task = StoppedTask {
        task_arn: "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef".to_owned(),
        version: 7,
        stopped_at: Some(BEGIN),
        ..StoppedTask::default()
    };
    let diagnosis = Diagnosis {
        registry: Some(Registry::DockerHub),
        kind: Some(Kind::Quota),
        image: Some("acme/app:1".to_owned()),
        attempts: Some(7),
        evidence: vec![Evidence {
            source: "stoppedReason".to_owned(),
            text: "toomanyrequests: You have reached your pull rate limit.".to_owned(),
        }],
        advice: "Pull from a mirror, or sign in.".to_owned(),
        ..Diagnosis::of(Cause::RegistryRateLimited, Confidence::High)
    };
    let mut record = Record::default();
    record.add_failure(&subject(name).to_string(), &task, diagnosis, BEGIN);
    let mut incident = record.open.expect("a failure opens an incident");
    incident.runs = Some(runs);
    incident
}

fn plan() -> Plan {
    Plan {
        remedy: RemedyName::MoveToMirror,
        result: "moved to the mirror".to_owned(),
        summary: "prod/web is moved to copies with the same digests.".to_owned(),
        steps: Vec::new(),
        then_wait_for: None,
        follow_up: "Change the image in the template: acme/app:1 -> the mirror's copy.".to_owned(),
    }
}

fn acted(mut incident: Incident, state: ActState) -> Incident {
    incident.act = Some(Act {
        cause: Cause::RegistryRateLimited,
        plan: plan(),
        decided_at: BEGIN,
        state,
        question: None,
    });
    incident
}

fn refusal() -> Refusal {
    Refusal {
        at: BEGIN,
        call: "ecs:UpdateService".to_owned(),
        why: "AccessDeniedException: not authorized".to_owned(),
        missing: "ecs:UpdateService on the service".to_owned(),
        denied: true,
        tries: 1,
        done: Vec::new(),
        left: Vec::new(),
        seen: String::new(),
    }
}

/// A message about a service, with what its sender adds.
fn about(name: &str, runs: Runs, outcome: &Outcome<'_>) -> Notice {
    let mut incident = incident(name, runs);
    incident.declined = vec![Declined {
        remedy: RemedyName::PauseAndRestore,
        reasons: vec!["the image exists".to_owned()],
    }];
    let blocker = incident.blocker().cloned().expect("it has a cause");
    let mut notice = notice::about(&subject(name).to_string(), &incident, &blocker, outcome, "id".to_owned());
    let log = Some(LogRead {
        region: None,
        group: "/ecs/web".to_owned(),
        stream: "ecs/app/0123".to_owned(),
    });
    notice.links = links(&subject(name), Some(&Sight { log, ..Sight::of(&blocker) }));
    notice
}

fn outbreak(over: Option<Timestamp>) -> Notice {
    let common = Common::of(&incident("web", Runs::Nothing).blocker().expect("it has a cause").diagnosis)
        .expect("it is a registry's");
    let with = |name: &str, incident: Incident| {
        (
            Member {
                subject: subject(name),
                incident: incident.id.clone(),
                at: BEGIN,
            },
            Some(incident),
        )
    };
    let resolved = |mut incident: Incident| {
        incident.resolved_at = Some(BEGIN.plus_seconds(900));
        incident
    };
    let mut members = vec![
        with("web-1", resolved(acted(incident("web-1", Runs::Nothing), ActState::Done))),
        with("web-2", resolved(acted(incident("web-2", Runs::Nothing), ActState::Done))),
    ];
    if over.is_none() {
        members.push(with("web-3", incident("web-3", Runs::Some)));
        let mut refused = acted(incident("web-4", Runs::Nothing), ActState::Refused);
        refused.refusal = Some(refusal());
        members.push(with("web-4", refused));
    }
    Story::of(&common, &members).notice(
        "2026-01-15T19:17:00Z-registry-rate-limited/quota@dockerhub",
        "id".to_owned(),
        over,
    )
}

/// A question whether a service may be moved.
fn question() -> Notice {
    let incident = incident("web", Runs::Some);
    let plan = plan();
    let asking = Asking {
        subject: "prod/web",
        blocker: incident.blocker().expect("it has a cause"),
        plan: &plan,
        question: &Question {
            code: "k3m9x2".to_owned(),
            asked_at: BEGIN,
            expires_at: BEGIN.plus_seconds(3600),
            yes: None,
        },
        holds: &["the copies have the same digests"],
        counts: Some((2, 1)),
        overtakes: None,
        function: "arn:aws:lambda:eu-west-1:123456789012:function:pullsafe-remediator",
    };
    asked(&asking, &incident, "id".to_owned())
}

/// What would be done about a stop that was made up.
fn drill() -> Notice {
    let (incident, plan) = (incident("web", Runs::All), plan());
    let played = Played {
        subject: "prod/web",
        mode: Mode::Observe,
        stop: "CannotPullContainerError: 429 Too Many Requests",
        blocker: incident.blocker().expect("it has a cause"),
        plan: Some(&plan),
        waiting: None,
        declined: &[],
        took: Duration::from_millis(412),
    };
    drill::message(&played, "id".to_owned())
}

/// Docker Hub's limit of an address, which a deployment uses up.
fn limit() -> Notice {
    let reading = Reading { at: BEGIN, remaining: 12, limit: 100, window_seconds: 21_600 };
    let ahead = LimitAhead {
        source: Source::parse("203.0.113.7").expect("it is an address"),
        reading,
        forecast: Forecast::Exhausted {
            at: BEGIN.plus_seconds(1_740),
            by: vec!["prod/web".to_owned(), "prod/jobs".to_owned()],
        },
        to_move: vec!["prod/web".to_owned()],
    };
    ahead.notice(Ahead::Move).expect("it ends")
}

/// An image that the next launch will not find.
fn outlook() -> Notice {
    let finding = Finding {
        container: "app".to_owned(),
        image: "acme/app:1".to_owned(),
        trouble: Trouble::Gone { digest: None },
    };
    let outlook = Outlook {
        subject: "prod/web".to_owned(),
        next: NextLaunch::OfService,
        at: BEGIN,
        findings: vec![finding],
        unknown: Vec::new(),
    };
    outlook.news(&BTreeSet::new()).expect("it is severe")
}

pub(crate) fn every_kind() -> Vec<(&'static str, Notice)> {
    let (plan, refusal, id) = (plan(), refusal(), || "id".to_owned());
    let verdict = |outcome| DoorVerdict {
        outcome,
        task_definition: "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:8".to_owned(),
        found: vec!["app: acme/app:2 does not exist".to_owned()],
        advice: vec!["Push it, then deploy again.".to_owned()],
    };
    let door = |outcome| notice::door("prod/web", &verdict(outcome), id());
    let waits = WaitingFor::MoreFailures;
    let stray = Stray {
        is_paused: true,
        says: vec!["its count was 2".to_owned()],
        commands: vec!["aws ecs update-service ...".to_owned()],
    };
    let held = HeldBack {
        count: 12,
        first: vec!["pullsafe: prod/batch (no service): out-of-memory".to_owned()],
    };
    vec![
        ("advice", about("web", Runs::Nothing, &Outcome::Advised(None))),
        ("advice, and a wait", about("web", Runs::Some, &Outcome::Advised(Some(&waits)))),
        ("a remedy", about("web", Runs::All, &Outcome::Applied(&plan))),
        ("a remedy, observed", about("web", Runs::Nothing, &Outcome::WouldApply(&plan))),
        (
            "a remedy that was given up",
            about("web", Runs::Nothing, &Outcome::Abandoned(&plan, "web:8 was deployed meanwhile")),
        ),
        (
            "a remedy that was refused",
            about("web", Runs::Nothing, &Outcome::Refused(&plan, &refusal, "aws sqs send-message ...")),
        ),
        (
            "the end",
            notice::resolved(
                "prod/web",
                &acted(incident("web", Runs::All), ActState::Done),
                "2 of 2 task(s) run",
                id(),
            ),
        ),
        ("ahead of a failure", notice::ahead("prod/web", &plan, Prepared::Done, id())),
        ("a rollback at the door", door(DoorOutcome::RolledBack)),
        (
            "a deployment that goes on",
            door(DoorOutcome::GoesOn("the service has nothing that runs".to_owned())),
        ),
        ("an answer that was refused", door(DoorOutcome::NotAnswered("AccessDeniedException".to_owned()))),
        ("an answer that was too late", door(DoorOutcome::TooLate("SUCCEEDED".to_owned()))),
        ("a forgotten pause", notice::stray("prod/web", &stray, id())),
        ("what was held back", notice::held_back(&Author::Tasks(CLUSTER.to_owned()), &held, BEGIN.seconds())),
        ("an outbreak", outbreak(None)),
        ("the end of an outbreak", outbreak(Some(BEGIN.plus_seconds(900)))),
        ("a question", question()),
        ("a limit that ends", limit()),
        ("an outlook", outlook()),
        ("a drill", drill()),
    ]
}

#[test]
fn every_message_reads_alone() {
    let shown = |(name, notice): (&str, Notice)| {
        let (chat, event) = (chatbot(&notice), notice.for_programs(OnBus::CauseAlone));
        format!(
            "## {name}\nsubject: {}\ndetail-type: {}\nseverity: {}\n\n{}\nchat: {chat:#}\nevent: {event:#}\n",
            notice.subject,
            notice.detail_type,
            notice.severity.as_str(),
            notice.for_people(),
        )
    };
    insta::assert_snapshot!("messages", every_kind().into_iter().map(shown).collect::<Vec<_>>().join("\n"));
}

/// Whoever is woken reads one line.
#[test]
fn the_first_line_says_what_to_what_since_when_and_what_is_done() {
    for (name, notice) in every_kind().into_iter().take(6) {
        let first = notice.text.lines().next().unwrap_or_default();
        for wanted in ["prod/web: ", "registry-rate-limited", " since 2026-01-15T19:17:00Z: ", "run", "; "] {
            assert!(first.contains(wanted), "{name}: {wanted}: {first}");
        }
    }
}
