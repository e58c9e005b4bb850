//! Asking and answering (mode `ask`): a plan waits for a person's yes, and is approved, declined or dropped.
//!
//! A question has a code, which identifies it and is no secret: IAM decides who may answer. The incident's act holds
//! the plan and its question. The record keeps how the last few questions ended, even after the incident, so that
//! whoever answers second hears of the first answer.

use super::happened::Happened;
use super::incident::{Act, ActState, Incident};
use super::plan::{Plan, Step};
use super::question::{Became, No, PastQuestion, Question, Who, Yes};
use super::record::Record;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::Cause;
use pullsafe_events::answer::code_of;

/// How many questions the looks may ask in one incident. After that, pullsafe asks again only when somebody answers one
/// of them.
pub const MOST_QUESTIONS: u32 = 5;
/// How many ended questions are remembered.
const PAST_KEPT: usize = 4;

impl Act {
    /// Whether a person has said yes to it.
    pub fn is_approved(&self) -> bool {
        self.question.as_ref().is_some_and(|question| question.yes.is_some())
    }

    /// Returns its question, while nobody has answered it.
    pub fn open_question(&self) -> Option<&Question> {
        self.question.as_ref().filter(|question| self.state == ActState::Asked && question.yes.is_none())
    }
}

impl Incident {
    /// Returns the question that waits for an answer.
    pub fn open_question(&self) -> Option<&Question> {
        self.act.as_ref().and_then(Act::open_question)
    }
}

impl Record {
    /// Asks whether a plan may be carried out, for `seconds`. It takes the place of a question that is still open.
    /// Returns `None` where no incident is open.
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

    /// Ends the open question, if there is one, and remembers how it ended.
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
            // Each of these writes a line of its own elsewhere.
            Became::Approved(_) | Became::Overtaken(_) | Became::NotNeeded | Became::Over(_) => None,
        };
        if let Some(line) = line {
            incident.log(now, line);
        }
        self.remember_question(PastQuestion { code, at: now, became });
    }

    /// Stores a yes to the open question; the look that follows acts upon it.
    pub fn approve(&mut self, by: Who, now: Timestamp) {
        let Some(incident) = self.open.as_mut().filter(|incident| incident.open_question().is_some()) else {
            return;
        };
        if let Some(question) = incident.act.as_mut().and_then(|act| act.question.as_mut()) {
            question.yes = Some(Yes { by, at: now });
        }
    }

    /// Remembers that a yes is acted upon, in the timeline and among the ended questions.
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

    /// Takes a no: ends the open question. Its cause is not asked about again for `seconds`, or in this incident if
    /// there are none.
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

    /// Returns the question that somebody has said yes to and whose plan is not carried out yet.
    pub fn answered_question(&self) -> Option<&Question> {
        let act = self.open.as_ref()?.act.as_ref().filter(|act| act.state == ActState::Asked && act.is_approved())?;
        act.question.as_ref()
    }

    /// Takes back a yes that could not be acted upon: the question is open as before.
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

    /// Returns the no that holds for the current blocker's cause.
    pub fn no_to_blocker(&self, now: Timestamp) -> Option<&No> {
        self.no_to(self.open.as_ref()?.blocker()?.diagnosis.cause, now)
    }

    /// Returns the no that holds for a cause.
    pub fn no_to(&self, cause: Cause, now: Timestamp) -> Option<&No> {
        self.noes.iter().find(|no| no.cause == cause && no.until.is_none_or(|until| now < until))
    }

    /// Returns how a question ended, if that is remembered.
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
    /// Whether it does the same as another. Tags that differ only in a moment count as the same.
    pub fn does_the_same_as(&self, other: &Self) -> bool {
        let steps = |plan: &Self| plan.steps.iter().map(without_moments).collect::<Vec<_>>();
        self.remedy == other.remedy && self.then_wait_for == other.then_wait_for && steps(self) == steps(other)
    }

    /// Whether it only undoes a pause of this incident. The yes to the pause counts for it too.
    pub fn is_way_back(&self) -> bool {
        let brings_back = |step: &Step| matches!(step, Step::UntagService { .. });
        self.steps.iter().any(brings_back) && !self.is_pause()
    }

    /// Adds a tag to the plan that says on the service who has approved it.
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
