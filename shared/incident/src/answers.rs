//! Asking and answering (mode `ask`): a plan waits for a person's yes, is approved, declined, or let go.
//!
//! A question has a code, which identifies it and is no secret: who may answer is IAM's matter. The plan stands in the
//! incident's act; the question beside it. What became of the last few questions is kept in the record, also when the
//! incident is over, so that whoever answers second hears of the first.

use super::happened::Happened;
use super::incident::{Act, ActState, Incident};
use super::plan::{Plan, Step};
use super::question::{Became, No, PastQuestion, Question, Who, Yes};
use super::record::Record;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::Cause;
use pullsafe_events::answer::code_of;

/// Questions that are asked by themselves in one incident. After them a look asks nothing more; whoever answers one of
/// them does.
pub const MOST_QUESTIONS: u32 = 5;
/// Questions whose end is remembered.
const PAST_KEPT: usize = 4;

impl Act {
    /// Whether a person has said yes to it.
    pub fn is_approved(&self) -> bool {
        self.question.as_ref().is_some_and(|question| question.yes.is_some())
    }

    /// The question that it is, while nobody has answered it.
    pub fn open_question(&self) -> Option<&Question> {
        self.question.as_ref().filter(|question| self.state == ActState::Asked && question.yes.is_none())
    }
}

impl Incident {
    /// The question that waits for an answer.
    pub fn open_question(&self) -> Option<&Question> {
        self.act.as_ref().and_then(Act::open_question)
    }
}

impl Record {
    /// Asks whether a plan may be carried out. A question that waits is overtaken by it.
    pub fn ask(&mut self, subject: &str, cause: Cause, plan: Plan, seconds: i64, now: Timestamp) -> Option<Question> {
        let number = self.open.as_ref()?.asked.saturating_add(1);
        let code = code_of(&format!("{subject} {} {number}", self.open.as_ref()?.id));
        self.end_question(now, Became::Overtaken(code.clone()));
        let incident = self.open.as_mut()?;
        let question = Question {
            code,
            asked_at: now,
            expires_at: now.plus_seconds(seconds),
            yes: None,
        };
        incident.asked = number;
        incident.log(
            now,
            Happened::Asked {
                code: question.code.clone(),
                summary: plan.summary.clone(),
                until: question.expires_at,
            },
        );
        incident.act = Some(Act {
            cause,
            plan,
            decided_at: now,
            state: ActState::Asked,
            question: Some(question.clone()),
        });
        Some(question)
    }

    /// Ends the question that waits, if one does, and remembers how.
    pub fn end_question(&mut self, now: Timestamp, became: Became) {
        let Some(incident) = &mut self.open else { return };
        let Some(code) = incident.open_question().map(|question| question.code.clone()) else {
            return;
        };
        if let Some(act) = &mut incident.act {
            act.state = match &became {
                Became::Declined(..) => ActState::Declined,
                Became::Expired | Became::Overtaken(_) | Became::NotNeeded | Became::Over(_) | Became::Approved(_) => {
                    ActState::Expired
                }
            };
        }
        let line = match &became {
            Became::Declined(by, until) => {
                Some(Happened::Declined { code: code.clone(), by: by.clone(), until: *until })
            }
            Became::Expired => Some(Happened::Expired(code.clone())),
            // Their own lines say so.
            Became::Approved(_) | Became::Overtaken(_) | Became::NotNeeded | Became::Over(_) => None,
        };
        if let Some(line) = line {
            incident.log(now, line);
        }
        self.remember_question(PastQuestion { code, at: now, became });
    }

    /// Takes the yes to the question that waits, for the look that follows.
    pub fn approve(&mut self, by: Who, now: Timestamp) {
        let Some(incident) = self.open.as_mut().filter(|incident| incident.open_question().is_some()) else {
            return;
        };
        if let Some(question) = incident.act.as_mut().and_then(|act| act.question.as_mut()) {
            question.yes = Some(Yes { by, at: now });
        }
    }

    /// Remembers a yes that is acted upon.
    pub fn remember_yes(&mut self, now: Timestamp) {
        let Some((code, by)) = self
            .answered_question()
            .and_then(|question| Some((question.code.clone(), question.yes.clone()?.by)))
        else {
            return;
        };
        if let Some(incident) = &mut self.open {
            incident.log(now, Happened::Approved { code: code.clone(), by: by.clone() });
        }
        self.remember_question(PastQuestion { code, at: now, became: Became::Approved(by) });
    }

    /// Takes a no: the question that waits is over, and the cause is not asked about again for that time.
    pub fn decline(&mut self, by: Who, seconds: Option<i64>, now: Timestamp) {
        let Some(incident) = &self.open else { return };
        let Some(cause) = incident.act.as_ref().filter(|act| act.open_question().is_some()).map(|act| act.cause) else {
            return;
        };
        let until = seconds.map(|seconds| now.plus_seconds(seconds));
        self.end_question(now, Became::Declined(by.clone(), until));
        self.noes.retain(|no| no.cause != cause && no.until.is_none_or(|until| now < until));
        self.noes.push(No { cause, by, at: now, until });
    }

    /// The question that somebody has said yes to, and that is not carried out yet.
    pub fn answered_question(&self) -> Option<&Question> {
        let act = self.open.as_ref()?.act.as_ref().filter(|act| act.state == ActState::Asked && act.is_approved())?;
        act.question.as_ref()
    }

    /// Gives a question back that could not be acted upon: it waits as before.
    pub fn take_back_yes(&mut self) {
        let act = self
            .open
            .as_mut()
            .and_then(|incident| incident.act.as_mut())
            .filter(|act| act.state == ActState::Asked);
        if let Some(question) = act.and_then(|act| act.question.as_mut()) {
            question.yes = None;
        }
    }

    /// The no that holds for what is in the way.
    pub fn no_to_blocker(&self, now: Timestamp) -> Option<&No> {
        self.no_to(self.open.as_ref()?.blocker()?.diagnosis.cause, now)
    }

    /// The no that holds for a cause.
    pub fn no_to(&self, cause: Cause, now: Timestamp) -> Option<&No> {
        self.noes.iter().find(|no| no.cause == cause && no.until.is_none_or(|until| now < until))
    }

    /// How a question ended, if that is remembered.
    pub fn past_question(&self, code: &str) -> Option<&PastQuestion> {
        self.questions.iter().find(|past| past.code == code)
    }

    fn remember_question(&mut self, past: PastQuestion) {
        self.questions.push(past);
        if self.questions.len() > PAST_KEPT {
            self.questions.remove(0);
        }
    }
}

impl Plan {
    /// Whether it does the same as another: what differs by moments alone is the same.
    pub fn does_as(&self, other: &Self) -> bool {
        let steps = |plan: &Self| plan.steps.iter().map(without_moments).collect::<Vec<_>>();
        self.remedy == other.remedy && self.then_wait_for == other.then_wait_for && steps(self) == steps(other)
    }

    /// Whether it only takes back what a pause of this incident did: whoever said yes to that said yes to this.
    pub fn is_way_back(&self) -> bool {
        let brings_back = |step: &Step| matches!(step, Step::UntagService { .. });
        self.steps.iter().any(brings_back) && !self.is_pause()
    }

    /// Writes onto the service who has approved it.
    pub fn mark(&mut self, key: &str, value: String) {
        let service = self.steps.iter().find_map(Step::service).cloned();
        let tagging = self
            .steps
            .iter_mut()
            .find_map(|step| if let Step::TagService { tags, .. } = step { Some(tags) } else { None });
        match (tagging, service) {
            (Some(tags), _) => drop(tags.insert(key.to_owned(), value)),
            (None, Some(service)) => {
                self.steps.push(Step::TagService { service, tags: [(key.to_owned(), value)].into() })
            }
            (None, None) => {}
        }
    }
}

fn without_moments(step: &Step) -> Step {
    let mut step = step.clone();
    if let Step::TagService { tags, .. } = &mut step {
        tags.retain(|_, value| Timestamp::parse(value).is_none());
    }
    step
}
