//! The digest of an outbreak: how many services there are in which state, and what of it needs a person.
//!
//! Every service that needs a person is named. Where the needs get too long, further services are only named, and their
//! reports say what each needs: names tell more than advice that was given already. Where the names get too long as
//! well, the list ends with how many more there are and where to read them.

use std::collections::{BTreeMap, BTreeSet};

use super::need::Need;
use super::{Common, Member};
use crate::incident::{Act, ActState, Incident};
use crate::notice::{NoticeText, subject_line};
use crate::plan::Plan;
use crate::published::{OutbreakDigest, Published, Standings};
use crate::waiting::WaitingFor;
use pullsafe::digest::Digest;
use pullsafe::foreign;
use pullsafe::notice::{Notice, Severity, bounded};
use pullsafe::timestamp::Timestamp;

/// How many bytes a digest spends on what is needed, and on the names of the services that need it.
const NEEDS: usize = 15_000;
const NAMES: usize = 20_000;
/// How many bytes one need may take.
const NEED: usize = 900;

/// How an incident of an outbreak stands, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// AWS refused what was to be done.
    Refused,
    /// What was begun was given up.
    GivenUp,
    /// A person is asked first; what the service would be.
    Asked(String),
    /// The plan got no yes.
    NotApproved,
    /// Nothing is done about it.
    Open,
    /// Nothing was done, for the service is only observed; what it would be.
    Observed(String),
    /// It waits for something.
    Waiting(&'static str),
    /// Something is being done.
    Acting,
    /// Something was done, and it is watched.
    Cured(String),
    /// It fails of another cause by now, which is told by itself.
    Elsewhere,
    /// It is over.
    Recovered,
}

impl Standing {
    /// Returns how an incident stands.
    pub fn of(common: &Common, incident: &Incident) -> Self {
        if incident.resolved_at.is_some() {
            return Self::Recovered;
        }
        if !Self::is_hit(common, incident) {
            return Self::Elsewhere;
        }
        match (&incident.act, &incident.waiting) {
            (Some(Act { state: ActState::Refused, .. }), _) => Self::Refused,
            (Some(Act { state: ActState::Abandoned, .. }), _) => Self::GivenUp,
            (Some(Act { state: ActState::Acting, .. }), _) => Self::Acting,
            (Some(Act { state: ActState::Done, plan, .. }), _) => Self::Cured(plan.result.clone()),
            (Some(Act { state: ActState::Observed, plan, .. }), _) => Self::Observed(plan.result.clone()),
            (Some(Act { state: ActState::Asked, plan, .. }), _) => Self::Asked(plan.result.clone()),
            (Some(Act { state: ActState::Declined | ActState::Expired, .. }), _) => Self::NotApproved,
            (None, Some(waiting)) => Self::Waiting(waiting.cause.briefly()),
            (None, None) => Self::Open,
        }
    }

    /// Whether the outbreak's cause is the incident's current blocker.
    fn is_hit(common: &Common, incident: &Incident) -> bool {
        let found = incident.blocker().and_then(|blocker| Common::of(&blocker.diagnosis, incident.source.as_ref()));
        found.as_ref() == Some(common)
    }

    /// Whether an incident that stands like this makes the outbreak last.
    const fn is_open(&self) -> bool {
        match self {
            Self::Recovered | Self::Elsewhere => false,
            Self::Refused
            | Self::GivenUp
            | Self::Asked(_)
            | Self::NotApproved
            | Self::Open
            | Self::Observed(_)
            | Self::Waiting(_)
            | Self::Acting
            | Self::Cured(_) => true,
        }
    }

    /// Says how many services stand like this.
    fn words(&self, count: usize) -> String {
        let (is, has) = if count == 1 { ("is", "has") } else { ("are", "have") };
        let (was, waits) = if count == 1 { ("was", "waits") } else { ("were", "wait") };
        match self {
            Self::Refused => format!("{count} {was} to be cured, which AWS refused"),
            Self::GivenUp => format!("{count} {was} begun with and given up"),
            Self::Asked(result) => format!("{count} may be {result} once a person says yes"),
            Self::NotApproved => format!("{count} {was} not approved"),
            Self::Open => format!("{count} {is} not treated"),
            Self::Observed(result) => format!("{count} would be {result} (observing)"),
            Self::Waiting(what) => format!("{count} {waits} {what}"),
            Self::Acting => format!("{count} {is} being changed"),
            Self::Cured(result) => format!("{count} {was} {result}"),
            Self::Elsewhere => format!("{count} {has} another failure by now"),
            Self::Recovered => format!("{count} {has} recovered"),
        }
    }
}

/// Returns what a person has to do about an incident of an outbreak, if anything.
pub fn need(standing: &Standing, incident: &Incident) -> Option<String> {
    let plan = incident.act.as_ref().map(|act| &act.plan);
    let follow_up = |plan: &Plan| Some(plan.follow_up.clone()).filter(|text| !text.is_empty());
    let advice = || incident.blocker().map(|blocker| blocker.diagnosis.advice.clone());
    match standing {
        Standing::Refused => {
            let refusal = incident.refusal.as_ref()?;
            Some(format!("AWS refused {}: {}\nWhat is missing: {}", refusal.call, refusal.why, refusal.missing))
        }
        Standing::Asked(result) => {
            let question = format!("May it be {result}? Nothing is changed until somebody says yes.");
            Some(format!(
                "{question} `pullsafe approve` lists the questions, `pullsafe approve CODE --all` says yes to one and \
                 all like it."
            ))
        }
        Standing::GivenUp | Standing::NotApproved | Standing::Open => advice(),
        Standing::Observed(result) => {
            let after = plan.and_then(follow_up).map(|text| format!(" {text}")).unwrap_or_default();
            Some(format!("In observe mode nothing was changed; would be {result}.{after}"))
        }
        Standing::Cured(_) | Standing::Recovered | Standing::Elsewhere => {
            let done = incident.act.as_ref().filter(|act| act.state == ActState::Done);
            done.and_then(|act| follow_up(&act.plan))
        }
        Standing::Waiting(_) | Standing::Acting => None,
    }
}

/// An outbreak, summed up from how its incidents stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    common: Common,
    /// When its first task failed.
    since: Option<Timestamp>,
    /// How many services it has hit.
    services: usize,
    /// How many of them still make the outbreak last.
    pub open: usize,
    standings: BTreeMap<Standing, usize>,
    needs: Vec<Need>,
    needing: usize,
    severity: Severity,
    pulls: u64,
}

impl Story {
    /// Sums up these members. A member whose incident is not stored yet is told by the next digest.
    pub fn of(common: &Common, members: &[(Member, Option<Incident>)]) -> Self {
        let mut standings = BTreeMap::new();
        let mut needs: BTreeMap<(Standing, String), BTreeSet<String>> = BTreeMap::new();
        let (mut services, mut needing) = (BTreeSet::new(), BTreeSet::new());
        let (mut severity, mut since, mut pulls) = (Severity::Info, None::<Timestamp>, 0_u64);
        for (member, incident) in members {
            let Some(incident) = incident else { continue };
            let standing = Standing::of(common, incident);
            services.insert(&member.subject);
            since = Some(since.map_or(incident.opened_at, |since| since.min(incident.opened_at)));
            pulls += incident.launches.iter().map(|launch| u64::from(launch.pulls)).sum::<u64>();
            if standing.is_open() {
                severity = severity.min(incident.severity());
            }
            if let Some(what) = need(&standing, incident) {
                needing.insert(&member.subject);
                let what = what.replace(&member.subject.key(), "<the ARN of the service>");
                // A cured service may have recovered by now, but what is left to do is the same: it stays one need.
                let rank = if matches!(standing, Standing::Cured(_) | Standing::Elsewhere) {
                    Standing::Recovered
                } else {
                    standing.clone()
                };
                needs.entry((rank, what)).or_default().insert(member.subject.to_string());
            }
            *standings.entry(standing).or_default() += 1;
        }
        let open = standings.iter().filter(|(standing, _)| standing.is_open()).map(|(_, count)| count).sum();
        let needs = bounded_needs(needs.into_iter().map(|((_, what), names)| (what, names)));
        Self {
            common: common.clone(),
            since,
            services: services.len(),
            open,
            standings,
            needs,
            needing: needing.len(),
            severity,
            pulls,
        }
    }

    /// Says the numbers in words.
    fn numbers(&self) -> String {
        self.standings.iter().map(|(standing, count)| standing.words(*count)).collect::<Vec<_>>().join(", ")
    }

    /// Returns a digest of what it says, so that the same is not said twice.
    pub fn fingerprint(&self) -> Digest {
        let needs: Vec<String> =
            self.needs.iter().map(|need| format!("{}\n{}", need.what, need.services.join(","))).collect();
        Digest::of(format!("{}\n{}", self.numbers(), needs.join("\n")).as_bytes())
    }

    /// What a person has to do.
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Says how many of them need a person.
    fn person(&self) -> String {
        match self.needing {
            0 => "nothing is left to be done by a person".to_owned(),
            1 => "1 needs a person".to_owned(),
            needing => format!("{needing} need a person"),
        }
    }

    /// Says in a line what happened, to how many services, since when, and what is being done.
    pub fn in_a_line(&self, over_since: Option<Timestamp>) -> String {
        let since = self.since.map(|since| format!(" since {since}")).unwrap_or_default();
        let (common, services, numbers, person) = (&self.common, plural(self.services), self.numbers(), self.person());
        match over_since {
            Some(over) => {
                format!("Over: {common} hit {services}{since}, and none any more since {over}: {numbers}; {person}.")
            }
            None => format!("{common} stops the tasks of {services}{since}: {numbers}; {person}."),
        }
    }

    /// Writes the message: a digest, or with `over_since` the end of the outbreak.
    pub fn notice(&self, outbreak: &str, id: String, over_since: Option<Timestamp>) -> Notice {
        let Self { common, services, needing, .. } = self;
        let services = plural(*services);
        let mut text = NoticeText::default();
        text.line(&self.in_a_line(over_since));
        for need in &self.needs {
            text.section(&format!("Needs a person, {}", plural(need.count)), [need.names(), need.what.clone()]);
        }
        if self.pulls > 0 {
            let pulls = if self.pulls == 1 {
                "1 pull".to_owned()
            } else {
                format!("{} pulls", self.pulls)
            };
            text.section("Docker Hub's quota, an estimate", [format!("Their failed launches tried {pulls}.")]);
        }
        text.line(&format!(
            "\nEach of them is in `pullsafe report`; programs hear of each by itself.\nOutbreak {outbreak}"
        ));
        let stands =
            |(standing, count): (&Standing, &usize)| Standings { services: *count, says: standing.words(*count) };
        let detail = Published::Outbreak(OutbreakDigest {
            notice: id.clone(),
            outbreak: outbreak.to_owned(),
            cause: common.cause,
            kind: common.kind,
            registry: common.place.clone(),
            source: common.source.clone(),
            since: self.since,
            over: over_since.is_some(),
            services: self.services,
            open: self.open,
            numbers: self.standings.iter().map(stands).collect(),
            need_a_person: *needing,
            needs: self.needs.clone(),
            pulls: self.pulls,
        })
        .detail();
        let headline = match over_since {
            Some(_) => format!("over: {common}, {services}"),
            None => format!("outbreak: {common}, {services}, {}", self.person()),
        };
        Notice {
            id,
            detail_type: if over_since.is_some() { "Outbreak Over" } else { "Outbreak" }.to_owned(),
            subject: subject_line(&headline),
            text: text.finish(),
            evidence: None,
            severity: if over_since.is_some() { Severity::Info } else { self.severity },
            links: Vec::new(),
            detail,
        }
    }
}

/// Returns the needs with as many names as there is room for. Once there is no room for what is needed, the remaining
/// services are only named.
fn bounded_needs(all: impl Iterator<Item = (String, BTreeSet<String>)>) -> Vec<Need> {
    let (mut room, mut room_for_names) = (NEEDS, NAMES);
    let mut needs = Vec::new();
    let mut others = BTreeSet::new();
    for (what, names) in all {
        let what = bounded(&what, NEED);
        match room.checked_sub(what.len()) {
            Some(left) => {
                room = left;
                needs.push(named(what, &names, &mut room_for_names));
            }
            None => others.extend(names),
        }
    }
    if !others.is_empty() {
        needs.push(named("What each of these needs is in its report.".to_owned(), &others, &mut room_for_names));
    }
    needs
}

fn named(what: String, names: &BTreeSet<String>, room: &mut usize) -> Need {
    let mut services = Vec::new();
    for name in names {
        let name = foreign::line(name);
        let Some(left) = room.checked_sub(name.len() + 2) else {
            break;
        };
        *room = left;
        services.push(name);
    }
    Need { what, count: names.len(), services }
}

fn plural(services: usize) -> String {
    if services == 1 {
        "1 service".to_owned()
    } else {
        format!("{services} services")
    }
}

impl WaitingFor {
    /// Says what is waited for, in a few words.
    pub const fn briefly(&self) -> &'static str {
        match self {
            Self::Mirror(_) => "for the mirror",
            Self::Image(_) | Self::Push { .. } => "for a push",
            Self::Restored(_) => "for ECR's archive",
            Self::MoreFailures => "for another failing task",
        }
    }
}
