//! The details of the events that tell programs what people are told: one type for each event, shared by its writers
//! and its readers.
//!
//! docs/events.md is made from these types. Fields may be added, and readers ignore those that they do not know; none
//! is taken away.

use pullsafe::notice::Severity;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::{Cause, Diagnosis, Kind, RemedyName};
use pullsafe_events::Author;
use pullsafe_radar::Source;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::door::DoorVerdict;
use super::limit::LimitAhead;
use super::outbreak::need::Need;
use super::outlook::Outlooks;
use super::plan::Declined;
use super::refusal::StepRefusal;

/// The detail of an event as it is on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnTheBus {
    /// What it says.
    #[serde(flatten)]
    pub of: Published,
    /// How bad it is, by what runs (docs/messages.md).
    pub severity: Severity,
    /// Its subject line for people: at most 100 characters, each of them printable ASCII.
    pub title: String,
    /// What belongs together: the incident or the outbreak, else the message alone. An id of at most 200 letters,
    /// digits and `-._:`.
    pub thread: String,
    /// Whether it is the first message of its thread that people are told by itself: what opens a ticket.
    pub opens: bool,
    /// Whether people are told by this message, and not by an outbreak's digest.
    pub to_people: bool,
    /// Pages of the console that show what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
}

/// What an event says, told apart by the fields that its detail has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Published {
    /// `Diagnosis`, `Remedy Applied` once the plan was carried out, or `Approval Requested` where a person is asked
    /// first: what a service fails at now, and what became of it.
    Blocker(Box<Blocker>),
    /// `Approval Expired`: nobody has answered a question in time.
    Unanswered(ApprovalExpired),
    /// `Incident Resolved`: a service is steady again.
    Resolved(IncidentResolved),
    /// `Diagnosis`, or `Remedy Applied` once something was changed: a deployment starts that pulls from Docker Hub.
    Starting(Box<Starting>),
    /// `Diagnosis`, or `Remedy Applied` where it was rolled back: a deployment waited at the door and was answered.
    Answered(Answered),
    /// `Diagnosis`: a service carries the marks of a pause that nobody remembers.
    Stray(StrayMarks),
    /// `Diagnosis`: how many messages of one author were not told one by one.
    HeldBack(HeldBackCount),
    /// `Outbreak`, or `Outbreak Over`: how services stand that fail of one cause.
    Outbreak(OutbreakDigest),
    /// `Pull Limit`: Docker Hub's limit of an address or account ends.
    Limit(PullLimit),
    /// `Outlook`: what will go wrong with the images of what runs.
    Outlook(Outlooks),
    /// `Drill`: what would be told and done about a stop that was made up.
    Drill(Box<Drilled>),
    /// `Message Undelivered`: what people could not be told.
    Undelivered(Undelivered),
}

impl Published {
    /// The event's detail.
    pub fn detail(&self) -> Value {
        // This cannot fail: the types hold nothing but texts, numbers and lists of them.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What a service fails at now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// The message's id: the same whenever the same message comes again.
    pub notice: String,
    /// The incident, the same from the first failure until `Incident Resolved`.
    pub incident: String,
    /// What it is about: a service, a family of tasks, or a build project.
    pub subject: String,
    /// The cause, with what supports it. Without `EvidenceOnBus` the lines of evidence have no text, and there is no
    /// advice where a log gave the signature.
    pub diagnosis: Diagnosis,
    /// Whether the cause is Docker Hub's pull quota.
    pub docker_hub_quota: bool,
    /// What was planned, if anything was.
    pub remedy: Option<RemedyName>,
    /// Whether the plan was carried out.
    pub applied: bool,
    /// The steps of the plan, a sentence each.
    pub steps: Option<Vec<String>>,
    /// What was considered and not planned, and why.
    pub declined: Vec<Declined>,
    /// How many tasks failed of this cause.
    pub tasks: u32,
    /// When the first of them did.
    pub since: Timestamp,
    /// The call that AWS refused, if it refused one.
    pub refused: Option<StepRefusal>,
    /// The outbreak by whose digests people are told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbreak: Option<String>,
    /// What a person is asked, in mode `ask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<ApprovalRequested>,
}

/// What a person is asked, and how to answer (docs/ask.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// What names the question in an answer. It is no secret: IAM decides who may answer.
    pub code: String,
    /// From then on a yes is too late.
    pub expires_at: Timestamp,
    /// The ARN of the function that takes the answer.
    pub function: String,
}

/// Nobody has answered a question in time, and nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalExpired {
    /// The message's id.
    pub notice: String,
    /// The incident.
    pub incident: String,
    /// The service.
    pub subject: String,
    /// What would have been done.
    pub remedy: RemedyName,
    /// The question. A yes to it is answered with another.
    pub question: ApprovalRequested,
    /// The outbreak by whose digests people are told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbreak: Option<String>,
}

/// Pages of the console that show what an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The task that stopped; ECS shows it for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Its log around that moment, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// A service is steady again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentResolved {
    /// The message's id.
    pub notice: String,
    /// The incident that is over.
    pub incident: String,
    /// What it was about.
    pub subject: String,
    /// How it ended, in words.
    pub how: String,
    /// When its first task failed.
    pub opened_at: Timestamp,
    /// What failed, oldest first.
    pub causes: Vec<Cause>,
    /// What pullsafe did, if it did something.
    pub remedy: Option<RemedyName>,
    /// The outbreak by whose digests people are told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbreak: Option<String>,
}

/// A deployment starts that pulls from Docker Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starting {
    /// The message's id.
    pub notice: String,
    /// The service.
    pub subject: String,
    /// What was planned.
    pub remedy: RemedyName,
    /// Whether the stack acts.
    pub applied: bool,
    /// The plan in a sentence.
    pub summary: String,
    /// The call that AWS refused, if it refused one.
    pub refused: Option<StepRefusal>,
}

/// A deployment waited at the door and was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The message's id.
    pub notice: String,
    /// The service.
    pub subject: String,
    /// What was found, and what became of the deployment.
    pub door: DoorVerdict,
    /// Whether it was rolled back.
    pub applied: bool,
}

/// A service carries the marks of a pause that nobody remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrayMarks {
    /// The message's id.
    pub notice: String,
    /// The service.
    pub subject: String,
    /// Always true: what tells this event from the others.
    pub stray: bool,
    /// Whether its desired count is 0; otherwise only the marks are left.
    pub paused: bool,
    /// What a person types to bring it back, in this order.
    pub commands: Vec<String>,
}

/// How many messages of one author were not told one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBackCount {
    /// The message's id.
    pub notice: String,
    /// Whose messages they are.
    pub author: Author,
    /// Since when they were held back.
    pub since: Timestamp,
    /// How many they are.
    pub held_back: usize,
}

/// What people could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The id of the message that did not go out.
    pub notice: String,
    /// What it is about.
    pub subject: String,
    /// Its subject line.
    pub title: String,
    /// Its text. Without `EvidenceOnBus`, what repeats evidence is left out.
    pub text: String,
    /// Why it did not go out.
    pub why: String,
}

/// How services stand that fail of one cause, told together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutbreakDigest {
    /// The message's id.
    pub notice: String,
    /// The outbreak, the same until it is over.
    pub outbreak: String,
    /// The cause that they have in common.
    pub cause: Cause,
    /// Which kind of the cause.
    pub kind: Option<Kind>,
    /// The registry, by its name or host, where the cause has to do with one.
    pub registry: String,
    /// Whom Docker Hub counts, where it is its quota and the address is known.
    pub source: Option<Source>,
    /// When the first of them failed; null where none is left that could tell.
    pub since: Option<Timestamp>,
    /// Whether it is over.
    pub over: bool,
    /// How many services it has reached.
    pub services: usize,
    /// How many of them still fail.
    pub open: usize,
    /// How the services stand: how many in each way.
    pub numbers: Vec<Standings>,
    /// How many need a person.
    pub need_a_person: usize,
    /// What a person has to do, and for which of them.
    pub needs: Vec<Need>,
    /// Pulls of Docker Hub that their failed launches tried, an estimate.
    pub pulls: u64,
}

/// How many services of an outbreak stand in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standings {
    /// How many.
    pub services: usize,
    /// How they stand, in words.
    pub says: String,
}

/// Docker Hub's limit of an address or account ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullLimit {
    /// The message's id.
    pub notice: String,
    /// The limit, and what becomes of it.
    pub limit: LimitAhead,
}

/// What would be told and done about a stop that was made up. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// The message's id.
    pub notice: String,
    /// Always true: what tells this event from the others.
    pub drill: bool,
    /// The service that it was played for.
    pub subject: String,
    /// What pullsafe may do there: `observe`, `ask` or `act`.
    pub mode: String,
    /// What the stop was diagnosed as.
    pub diagnosis: Diagnosis,
    /// Always false.
    pub applied: bool,
    /// What would be done, if anything would.
    pub remedy: Option<RemedyName>,
    /// The steps of the plan, a sentence each.
    pub steps: Option<Vec<String>>,
    /// What would be waited for.
    pub waiting: Option<String>,
    /// What was considered and not planned, and why.
    pub declined: Vec<Declined>,
    /// How long the looks and the decision took.
    pub milliseconds: u64,
}
