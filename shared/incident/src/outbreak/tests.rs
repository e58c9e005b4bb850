use super::*;
use crate::incident::{Act, ActState};
use crate::plan::Plan;
use crate::refusal::StepRefusal;
use pullsafe::arn::ServiceId;
use pullsafe::reference::Registry;
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis, Kind, RemedyName};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_radar::Source;

const BEGIN: Timestamp = Timestamp::from_millis(1_768_504_620_000);
const RULES: OutbreakRules = OutbreakRules { after: 3, window_seconds: 1800 };

fn subject(number: i64) -> Subject {
    Subject::Service(ServiceId {
        cluster_arn: "arn:aws:ecs:eu-west-1:123456789012:cluster/prod".to_owned(),
        name: format!("web-{number}"),
    })
}

fn member(number: i64, seconds: i64) -> Member {
    Member {
        subject: subject(number),
        incident: format!("incident-{number}"),
        at: BEGIN.plus_seconds(seconds),
    }
}

fn diagnosis(cause: Cause) -> Diagnosis {
    Diagnosis {
        registry: Some(Registry::DockerHub),
        kind: (cause == Cause::RegistryRateLimited).then_some(Kind::Quota),
        advice: "Wait, or pull from elsewhere.".to_owned(),
        ..Diagnosis::of(cause, Confidence::High)
    }
}

fn quota() -> Common {
    Common::of(&diagnosis(Cause::RegistryRateLimited), None).unwrap()
}

fn incident(number: i64, cause: Cause) -> Incident {
    let mut incident = Incident::open(&subject(number).to_string(), BEGIN);
    incident.id = format!("incident-{number}");
    incident.add_failure(&StoppedTask::default(), diagnosis(cause), BEGIN);
    incident
}

fn acted(mut incident: Incident, state: ActState) -> Incident {
    let plan = Plan {
        remedy: RemedyName::MoveToMirror,
        result: "moved to the mirror".to_owned(),
        summary: String::new(),
        steps: Vec::new(),
        then_wait_for: None,
        follow_up: "Change the image in the template.".to_owned(),
    };
    incident.act = Some(Act {
        cause: Cause::RegistryRateLimited,
        plan,
        decided_at: BEGIN,
        state,
        question: None,
    });
    incident
}

/// Lets members join one after the other, each a number of seconds after the beginning. Returns the outbreak, and how
/// many were told one by one.
fn join(joins: &[(i64, i64)]) -> (Option<Outbreak>, usize) {
    let (mut known, mut alone) = (None, 0);
    for (number, seconds) in joins {
        let change = match Outbreak::admit(known.as_ref(), &quota(), &member(*number, *seconds), RULES) {
            Telling::Alone(change) => {
                alone += 1;
                change
            }
            Telling::Together(_, change) => change,
        };
        known = change.or(known);
    }
    (known, alone)
}

#[test]
fn what_is_in_common_is_the_cause_and_the_registry() {
    let ecr = |host: &str| {
        let image = Some(format!("{host}/app:1"));
        let found = Diagnosis {
            registry: Some(Registry::EcrPrivate),
            image,
            ..Diagnosis::of(Cause::EcrPermissionDenied, Confidence::High)
        };
        Common::of(&found, None).unwrap().key()
    };
    let (one, other) = ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com");
    assert_eq!(ecr(one), format!("ecr-permission-denied@{one}"));
    assert_ne!(ecr(one), ecr(other), "two registries of one kind are two places");
    assert_eq!(quota().key(), "registry-rate-limited/quota@dockerhub");
    // A fault of one image does not lie with a registry, and without a registry there is no place.
    assert_eq!(Common::of(&diagnosis(Cause::ImageNotFound), None), None);
    assert_eq!(Common::of(&Diagnosis::of(Cause::RegistryUnreachable, Confidence::High), None), None);
}

#[test]
fn the_first_are_told_one_by_one() {
    let (known, alone) = join(&[(1, 0), (2, 10), (3, 20), (4, 30), (1, 40)]);
    assert_eq!(alone, 2);
    assert_eq!(known.unwrap().began, Some(BEGIN.plus_seconds(20)));
}

#[test]
fn one_service_is_no_outbreak_however_often_it_fails() {
    let mut known = None;
    for round in 0..10 {
        let again = Member { incident: format!("incident-{round}"), ..member(1, round) };
        let Telling::Alone(change) = Outbreak::admit(known.as_ref(), &quota(), &again, RULES) else {
            panic!("round {round}")
        };
        known = change.or(known);
    }
}

#[test]
fn what_lies_too_far_apart_is_no_outbreak() {
    let (known, alone) = join(&[(1, 0), (2, 1700), (3, 1900), (4, 3700)]);
    assert_eq!((alone, known.unwrap().began), (4, None));
}

#[test]
fn digests_come_at_growing_distance_and_only_with_news() {
    let (known, _) = join(&[(1, 0), (2, 0), (3, 0)]);
    let mut outbreak = known.unwrap();
    let mut told = Vec::new();
    for minute in 1..=300 {
        let now = BEGIN.plus_seconds(minute * 60);
        // One more is hit each minute.
        let members: Vec<_> = (0..minute)
            .map(|number| (member(number, 0), Some(incident(number, Cause::RegistryRateLimited))))
            .collect();
        outbreak.look(&members, now);
        told.extend(outbreak.outbox.drain(..).map(|_| minute));
        assert!(outbreak.due(now).is_some_and(|due| due > now));
    }
    assert_eq!(told, [5, 15, 60, 120, 180, 240, 300]);
    let members = vec![(member(1, 0), Some(incident(1, Cause::RegistryRateLimited)))];
    for minute in 301..=600 {
        outbreak.look(&members, BEGIN.plus_seconds(minute * 60));
    }
    assert_eq!(outbreak.outbox.len(), 1, "what says the same is not told again");
}

#[test]
fn the_end_is_told_once_and_after_a_calm() {
    let (known, _) = join(&[(1, 0), (2, 0), (3, 0)]);
    let mut outbreak = known.unwrap();
    let over = Incident {
        resolved_at: Some(BEGIN.plus_seconds(200)),
        ..acted(incident(1, Cause::RegistryRateLimited), ActState::Done)
    };
    let members = vec![(member(1, 0), Some(over)), (member(2, 0), None)];
    let at = |seconds| BEGIN.plus_seconds(seconds);
    outbreak.look(&members, at(300));
    assert_eq!((outbreak.outbox.len(), outbreak.due(at(300))), (0, Some(at(420))));
    // A member joins meanwhile, so that this is not the end.
    let Telling::Together(_, Some(revived)) = Outbreak::admit(Some(&outbreak), &quota(), &member(4, 310), RULES) else {
        panic!()
    };
    assert_eq!(revived.calm_since, None);
    outbreak.look(&members, at(420));
    let [end] = outbreak.outbox.as_slice() else {
        panic!("{:?}", outbreak.outbox)
    };
    assert!(end.notice.text.contains("Change the image in the template."), "{}", end.notice.text);
    assert_eq!((end.notice.severity, outbreak.ended_at), (pullsafe::notice::Severity::Info, Some(at(420))));
    outbreak.look(&members, at(900));
    assert_eq!(outbreak.outbox.len(), 1);
    // The next outbreak begins anew, and the message about the last end is not lost.
    let Telling::Alone(Some(next)) = Outbreak::admit(Some(&outbreak), &quota(), &member(5, 1000), RULES) else {
        panic!()
    };
    assert_eq!((next.outbox.len(), next.alone.len(), next.began), (1, 1, None));
}

#[test]
fn whoever_needs_a_person_is_named() {
    let advised = |number| (member(number, 0), Some(incident(number, Cause::RegistryRateLimited)));
    let moved = |number| (member(number, 0), Some(acted(incident(number, Cause::RegistryRateLimited), ActState::Done)));
    let members: Vec<_> = (0..500).map(advised).chain((500..1000).map(moved)).collect();
    let text = digest::Story::of(&quota(), &members).notice("o", "id".to_owned(), None).text;
    let first = text.lines().next().unwrap();
    assert!(
        first.contains(
            "registry-rate-limited (quota) at dockerhub stops the tasks of 1000 services since 2026-01-15T19:17:00Z"
        ),
        "{first}"
    );
    assert!(first.contains("500 are not treated, 500 were moved to the mirror; 1000 need a person"), "{first}");
    for number in 0..1000 {
        assert!(text.contains(&format!("prod/web-{number}")), "{number}");
    }
    assert!(text.contains("Wait, or pull from elsewhere.") && text.contains("Change the image in the template."));
}

#[test]
fn a_list_that_is_too_long_says_how_many_more() {
    let with_name = |number: i64| {
        let mut long = member(number, 0);
        long.subject = Subject::Service(ServiceId {
            name: format!("{}{number}", "x".repeat(250)),
            cluster_arn: "arn:aws:ecs:eu-west-1:1:cluster/prod".to_owned(),
        });
        let mut incident = incident(number, Cause::RegistryRateLimited);
        // Each needs something of its own.
        incident.causes[0].diagnosis.advice = format!("{number} {}", "advice ".repeat(50));
        (long, Some(incident))
    };
    let members: Vec<_> = (0..1000).map(with_name).collect();
    let notice = digest::Story::of(&quota(), &members).notice("o", "id".to_owned(), None);
    assert!(
        notice.text.contains(" more, which `pullsafe report` names") && notice.text.len() < 60_000,
        "{}",
        notice.text.len()
    );
    assert!(notice.detail.to_string().len() < 100_000);
    let counted: u64 =
        notice.detail["needs"].as_array().unwrap().iter().filter_map(|need| need["count"].as_u64()).sum();
    assert_eq!(counted, 1000);
}

#[test]
fn a_quota_is_an_address_s_own() {
    let at = |address: &str| Source::parse(address);
    let quota = diagnosis(Cause::RegistryRateLimited);
    let key = |diagnosis: &Diagnosis, source: Option<Source>| Common::of(diagnosis, source.as_ref()).unwrap().key();
    assert_eq!(key(&quota, at("203.0.113.7")), "registry-rate-limited/quota@dockerhub/203.0.113.7");
    assert_ne!(key(&quota, at("203.0.113.7")), key(&quota, at("203.0.113.8")));
    assert_eq!(key(&quota, None), "registry-rate-limited/quota@dockerhub");
    // With credentials the quota is an account's, and no other cause has to do with the address.
    let signed_in = Diagnosis { anonymous: Some(false), ..quota.clone() };
    let unreachable = diagnosis(Cause::RegistryUnreachable);
    for other in [&signed_in, &unreachable] {
        assert_eq!(key(other, at("203.0.113.7")), key(other, None));
    }
    let common = Common::of(&quota, at("203.0.113.7").as_ref()).unwrap();
    assert_eq!(common.to_string(), "registry-rate-limited (quota) at dockerhub for 203.0.113.7");
    // An incident behind another address is no part of the story.
    let mut other = incident(1, Cause::RegistryRateLimited);
    other.source = at("203.0.113.8");
    assert_eq!(digest::Standing::of(&common, &other), digest::Standing::Elsewhere);
    other.source = common.source.clone();
    assert_eq!(digest::Standing::of(&common, &other), digest::Standing::Open);
}

/// How the incident of a service stands, a number of seconds after its failure.
type Course = fn(Incident, i64) -> Incident;

fn over(incident: Incident) -> Incident {
    Incident { resolved_at: Some(BEGIN), ..incident }
}

fn refused(incident: Incident) -> Incident {
    let refusal = StepRefusal {
        at: BEGIN,
        call: "ecs:UpdateService".to_owned(),
        why: "AccessDeniedException".to_owned(),
        missing: "ecs:UpdateService on the service".to_owned(),
        denied: true,
        tries: 1,
        done: Vec::new(),
        left: Vec::new(),
        seen: String::new(),
    };
    Incident { refusal: Some(refusal), ..acted(incident, ActState::Refused) }
}

/// A storm of 1,000 services that lasts an hour and a half, whatever becomes of them: there are at most five messages
/// in the first hour, and whatever an incident asks of a person is in a digest, with the name of the service.
#[test]
fn a_thousand_services_are_five_messages_and_nothing_is_missing() {
    const SERVICES: i64 = 1000;
    let courses: [(&str, Course); 4] = [
        ("moved", |incident, age| match age {
            ..120 => incident,
            120..600 => acted(incident, ActState::Done),
            600.. => over(acted(incident, ActState::Done)),
        }),
        ("observed", |incident, _| acted(incident, ActState::Observed)),
        ("asked", |incident, age| {
            acted(incident, if age < 3600 { ActState::Asked } else { ActState::Expired })
        }),
        ("all sorts", |incident, age| {
            match (incident.id.len() + incident.id.bytes().map(usize::from).sum::<usize>()) % 4 {
                0 => over(incident),
                1 if age >= 300 => refused(incident),
                2 if age >= 300 => acted(incident, ActState::Abandoned),
                _ => incident,
            }
        }),
    ];
    for (name, course) in courses {
        let (mut known, mut members, mut alone, mut told) = (None::<Outbreak>, Vec::new(), 0, Vec::new());
        for second in 0..5400 {
            let now = BEGIN.plus_seconds(second);
            // They fail within a quarter of an hour.
            for number in (0..SERVICES).filter(|number| number * 890 / SERVICES == second) {
                let joining = member(number, second);
                let change = match Outbreak::admit(known.as_ref(), &quota(), &joining, RULES) {
                    Telling::Alone(change) => {
                        alone += 1;
                        change
                    }
                    Telling::Together(_, change) => change,
                };
                known = change.or(known);
                members.push((joining, second));
            }
            let Some(outbreak) = known.as_mut().filter(|outbreak| outbreak.began.is_some() && second % 60 == 0) else {
                continue;
            };
            let stands = |(member, began): &(Member, i64)| {
                let number = member.incident.trim_start_matches("incident-").parse().unwrap();
                (member.clone(), Some(course(incident(number, Cause::RegistryRateLimited), second - began)))
            };
            let members: Vec<_> = members.iter().map(stands).collect();
            outbreak.look(&members, now);
            told.extend(outbreak.outbox.drain(..).map(|outgoing| (second, outgoing.notice)));
            if second != 5340 {
                continue;
            }
            for (member, incident) in members {
                let incident = incident.unwrap();
                let Some(need) = digest::need(&digest::Standing::of(&quota(), &incident), &incident) else {
                    continue;
                };
                let (service, need) = (member.subject.to_string(), need.lines().next().unwrap().to_owned());
                let names = |text: &str| text.split([',', ' ', '\n']).any(|word| word == service);
                let said = told.iter().any(|(_, notice)| names(&notice.text) && notice.text.contains(&need));
                assert!(said, "{name}: {service} needs a person, and no digest says so: {need}");
            }
        }
        let first_hour = alone + told.iter().filter(|(second, _)| *second <= 3600).count();
        assert!(
            (3..=5).contains(&first_hour),
            "{name}: {alone} one by one, digests at {:?}",
            told.iter().map(|(second, notice)| (*second, &notice.subject)).collect::<Vec<_>>()
        );
        assert!(told.iter().all(|(_, notice)| notice.text.len() < 60_000), "{name}: SNS takes no more");
        let opens = told.iter().filter(|(_, notice)| notice.detail["opens"] == true).count();
        assert_eq!(opens, 1, "{name}: one ticket for one storm");
    }
}
