//! Every kind of message as people read it, as a chat gets it, and as programs receive it.

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
use pullsafe_incident::asking::{QuestionSubject, asked, expired};
use pullsafe_incident::door::{DoorOutcome, DoorVerdict};
use pullsafe_incident::drill::{self, DrillResult};
use pullsafe_incident::held::HeldBack;
use pullsafe_incident::incident::{Act, ActState, Incident};
use pullsafe_incident::limit::LimitAhead;
use pullsafe_incident::notice::{self, PlanOutcome, Prepared, Stray};
use pullsafe_incident::outbreak::digest::Story;
use pullsafe_incident::outbreak::{Common, Member};
use pullsafe_incident::outgoing::Outgoing;
use pullsafe_incident::outlook::{NextLaunch, Outlook, OutlookCause, OutlookFinding};
use pullsafe_incident::plan::{Declined, Plan};
use pullsafe_incident::question::Question;
use pullsafe_incident::record::Record;
use pullsafe_incident::refusal::StepRefusal;
use pullsafe_incident::runs::Runs;
use pullsafe_incident::sight::{Sight, links};
use pullsafe_incident::waiting::WaitingFor;
use pullsafe_radar::{Forecast, Reading, Source};
use serde_json::json;

const BEGIN: Timestamp = Timestamp::from_millis(1_768_504_620_000);
const OUTBREAK: &str = "2026-01-15T19:17:00Z-registry-rate-limited/quota@dockerhub";
const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";

fn subject(name: &str) -> Subject {
    Subject::Service(ServiceId { cluster_arn: CLUSTER.to_owned(), name: name.to_owned() })
}

/// An incident of a service whose image Docker Hub refuses to serve.
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

fn refusal() -> StepRefusal {
    StepRefusal {
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

/// A message about a service, with the outcome that its sender adds.
fn about(name: &str, runs: Runs, outcome: &PlanOutcome<'_>) -> Notice {
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
    let mut outgoing = Outgoing::from(notice);
    outgoing.opens(&mut incident);
    outgoing.notice
}

/// The message that asks a question, or the one that says that nobody has answered it.
fn question(is_expired: bool) -> Notice {
    let incident = acted(incident("web", Runs::Nothing), ActState::Asked);
    let blocker = incident.blocker().cloned().expect("it has a cause");
    let question = Question {
        code: "K7Q2M4XW".to_owned(),
        asked_at: BEGIN,
        expires_at: BEGIN.plus_seconds(3600),
        yes: None,
    };
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:pullsafe-RemediatorFunction-0";
    if is_expired {
        return expired("prod/web", &plan(), &question, function, &incident, "id".to_owned());
    }
    let asking = QuestionSubject {
        subject: "prod/web",
        blocker: &blocker,
        plan: &plan(),
        question: &question,
        holds: &["the copy has the same digest"],
        counts: Some((2, 0)),
        overtakes: None,
        function,
    };
    asked(&asking, &incident, "id".to_owned())
}

/// A message that people get only in the digests of an outbreak.
fn together() -> Notice {
    let mut outgoing = Outgoing::from(about("web", Runs::Nothing, &PlanOutcome::Applied(&plan())));
    outgoing.goes_with(OUTBREAK);
    outgoing.notice
}

fn outbreak(over: Option<Timestamp>) -> Notice {
    let common = Common::of(&incident("web", Runs::Nothing).blocker().expect("it has a cause").diagnosis, None)
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
    let mut notice = Story::of(&common, &members).notice(OUTBREAK, "id".to_owned(), over);
    // Only the first digest opens the outbreak.
    if over.is_none() {
        notice.detail["opens"] = json!(true);
    }
    notice
}

/// The message of a drill: what would be done about a made-up stop.
fn drill() -> Notice {
    let (incident, plan) = (incident("web", Runs::All), plan());
    let played = DrillResult {
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

/// The message about Docker Hub's limit of an address, which a deployment will use up.
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

/// The message about an image that the next launch will not find.
fn outlook() -> Notice {
    let finding = OutlookFinding {
        container: "app".to_owned(),
        image: "acme/app:1".to_owned(),
        trouble: OutlookCause::Gone { digest: None },
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
        ("advice", about("web", Runs::Nothing, &PlanOutcome::Advised(None))),
        ("advice, and a wait", about("web", Runs::Some, &PlanOutcome::Advised(Some(&waits)))),
        ("a remedy", about("web", Runs::All, &PlanOutcome::Applied(&plan))),
        ("a remedy, observed", about("web", Runs::Nothing, &PlanOutcome::WouldApply(&plan))),
        (
            "a remedy that was given up",
            about("web", Runs::Nothing, &PlanOutcome::Abandoned(&plan, "web:8 was deployed meanwhile")),
        ),
        (
            "a remedy that was refused",
            about("web", Runs::Nothing, &PlanOutcome::Refused(&plan, &refusal, "aws sqs send-message ...")),
        ),
        (
            "the end",
            notice::resolved("prod/web", &acted(incident("web", Runs::All), ActState::Done), "2 of 2 tasks run", id()),
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
        ("a question", question(false)),
        ("a question that nobody answered", question(true)),
        ("a remedy, told with others", together()),
        ("an outbreak", outbreak(None)),
        ("the end of an outbreak", outbreak(Some(BEGIN.plus_seconds(900)))),
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

/// A person who is woken up reads one line.
#[test]
fn the_first_line_says_what_to_what_since_when_and_what_is_done() {
    let of_a_failure = every_kind().into_iter().take(6).chain([("a question", question(false))]);
    for (name, notice) in of_a_failure {
        let first = notice.text.lines().next().unwrap_or_default();
        for wanted in ["prod/web: ", "registry-rate-limited", " since 2026-01-15T19:17:00Z: ", "run", "; "] {
            assert!(first.contains(wanted), "{name}: {wanted}: {first}");
        }
    }
}

/// events/told.jsonl: each kind of message as it goes over the bus, for people who test a rule. `UPDATE_DOCS=1`
/// rewrites it.
#[test]
fn the_events_of_every_kind_are_those_on_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/told.jsonl");
    let event = |what: &str, notice: &Notice| {
        json!({ "what": what, "event": {
            "version": "0", "id": "37e7702e-5ce4-49c1-a25f-a1b3b3ed8e2d", "detail-type": notice.detail_type, "source": "pullsafe",
            "account": "123456789012", "time": BEGIN, "region": "eu-west-1", "resources": [], "detail": notice.for_programs(OnBus::CauseAlone),
        } })
    };
    let lines: String = every_kind().iter().map(|(what, notice)| format!("{}\n", event(what, notice))).collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &lines).expect("it can be written");
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        known == lines,
        "events/told.jsonl is stale: UPDATE_DOCS=1 cargo test -p scenarios --test scenarios messages"
    );
}

/// Every link of a message leads to the console of its partition. There is no link where the partition's console is not
/// known.
#[test]
fn links_are_right_for_every_partition() {
    for (partition, region, console) in [
        ("aws", "eu-west-1", Some("https://eu-west-1.console.aws.amazon.com/")),
        ("aws-cn", "cn-north-1", Some("https://cn-north-1.console.amazonaws.cn/")),
        ("aws-us-gov", "us-gov-west-1", Some("https://us-gov-west-1.console.amazonaws-us-gov.com/")),
        ("aws-eusc", "eusc-de-east-1", Some("https://eusc-de-east-1.console.amazonaws-eusc.eu/")),
        ("aws-iso", "us-iso-east-1", None),
    ] {
        let cluster_arn = format!("arn:{partition}:ecs:{region}:123456789012:cluster/prod");
        let subject = Subject::Service(ServiceId { cluster_arn, name: "web".to_owned() });
        let log = LogRead {
            region: None,
            group: "/ecs/web".to_owned(),
            stream: "ecs/app/0123".to_owned(),
        };
        let incident = incident("web", Runs::Nothing);
        let sight = Sight {
            log: Some(log),
            ..Sight::of(incident.blocker().expect("it has a cause"))
        };
        let found = links(&subject, Some(&sight));
        let names: Vec<&str> = found.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, if console.is_some() { vec!["service", "task", "log"] } else { Vec::new() }, "{partition}");
        for link in &found {
            assert!(console.is_some_and(|console| link.url.starts_with(console)), "{partition}: {}", link.url);
            assert!(link.url.contains(region), "{partition}: {}", link.url);
        }
    }
}

/// Every message says what it belongs to, how severe it is and what it is called, in a form that any tracker accepts.
#[test]
fn every_event_can_be_passed_on() {
    for (name, notice) in every_kind() {
        let event = notice.for_programs(OnBus::CauseAlone);
        let text = |field: &str| event[field].as_str().unwrap_or_else(|| panic!("{name}: no {field}")).to_owned();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
        assert!(!text("thread").is_empty() && text("thread").len() <= 200 && plain(&text("thread")), "{name}");
        assert!(
            (1..=100).contains(&text("title").len()) && text("title").bytes().all(|byte| (b' '..=b'~').contains(&byte))
        );
        assert!(["critical", "degraded", "next-launch", "info"].contains(&text("severity").as_str()), "{name}");
        assert!(event["opens"].is_boolean() && event["to_people"].is_boolean(), "{name}: {event}");
    }
    let event = together().for_programs(OnBus::CauseAlone);
    assert_eq!((&event["to_people"], &event["outbreak"]), (&json!(false), &json!(OUTBREAK)));
}
