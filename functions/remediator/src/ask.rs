//! Mode `ask`: a plan is stored as a question. It is carried out once a person has said yes, if it still is what would
//! be done.

use pullsafe::arn::{Arn, ServiceId};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::Subject;
use pullsafe_incident::answers::MOST_QUESTIONS;
use pullsafe_incident::asking::{QuestionSubject, asked, expired};
use pullsafe_incident::incident::{Act, ActState, CauseSeen};
use pullsafe_incident::plan::{Declined, Plan};
use pullsafe_incident::question::Became;
use pullsafe_incident::record::Record;

use super::judge::Judgement;
use super::{Remediator, Tally};

/// How many seconds a stored yes counts before it is carried out: if the process dies, another one follows within
/// minutes.
const YES_SECONDS: i64 = 15 * 60;

impl Remediator {
    /// Finds what a look leads to where a person is asked first: the plan itself, if somebody has said yes to it;
    /// otherwise a question, unless the same is asked already. `shown` is what the message says of the look: what
    /// holds, and the counts (desired and running).
    #[expect(clippy::too_many_arguments, reason = "what it is about, what would be done and why, and when")]
    pub(crate) fn ask_first(
        &self,
        subject: &Subject,
        id: &ServiceId,
        record: &mut Record,
        blocker: &CauseSeen,
        plan: Plan,
        shown: (&[&str], Option<(i64, i64)>),
        now: Timestamp,
    ) -> Judgement {
        let cause = blocker.diagnosis.cause;
        let known = record.open.as_ref().and_then(|incident| incident.act.clone());
        let is_same = known.as_ref().is_some_and(|act| act.plan.does_the_same_as(&plan));
        let yes = record.answered_question().and_then(|question| question.yes.as_ref());
        let has_yes = yes.is_some_and(|yes| now.seconds_since(yes.at) < YES_SECONDS);
        let waits = record.open.as_ref().and_then(|incident| incident.open_question()).cloned();
        match (&waits, &known) {
            _ if has_yes && is_same => return Judgement::Act(id.clone(), cause, Box::new(plan)),
            (Some(question), _) if is_same && now < question.expires_at => {
                return rest("asked", "a question waits for its answer", &plan);
            }
            (Some(question), _) if is_same => {
                record.end_question(now, Became::Expired);
                let subject = subject.to_string();
                record.tell_together(&format!("expired:{}", question.code), |incident, id| {
                    expired(&subject, &plan, question, &self.function_arn(), incident, id)
                });
                return rest("expired", "nobody has answered the question in time", &plan);
            }
            (None, Some(Act { state: ActState::Expired, .. })) if is_same && !has_yes => {
                return rest("expired", "nobody has answered the question in time", &plan);
            }
            (Some(_) | None, _) => {}
        }
        record.take_back_yes();
        let asks_again = known.is_some_and(|act| act.question.is_some());
        if let Some(incident) = record.open.as_mut().filter(|incident| asks_again && incident.asked >= MOST_QUESTIONS) {
            let reason = format!(
                "it was asked {} times in this incident, each time for something else; no more is asked",
                incident.asked
            );
            incident.declined.push(Declined { remedy: plan.remedy, reasons: vec![reason] });
            return rest("asked", "enough was asked", &plan);
        }
        let overtakes = record
            .open
            .as_ref()
            .and_then(|incident| incident.open_question())
            .map(|question| question.code.clone());
        let subject = subject.to_string();
        let Some(question) = record.ask(&subject, cause, plan.clone(), self.settings.question_minutes * 60, now) else {
            return rest("told", "what was left to tell", &plan);
        };
        let function = self.function_arn();
        record.tell_together(&format!("asked:{}", question.code), |incident, id| {
            let asking = QuestionSubject {
                subject: &subject,
                blocker,
                plan: &plan,
                question: &question,
                holds: shown.0,
                counts: shown.1,
                overtakes: overtakes.as_deref(),
                function: &function,
            };
            asked(&asking, incident, id)
        });
        rest("asked", "a person is asked first", &plan)
    }

    /// The ARN of this function, which has the account and region of its topic; empty where it runs outside Lambda.
    fn function_arn(&self) -> String {
        let name = &self.settings.function;
        match Arn::parse(&self.settings.topic_arn).filter(|_| !name.is_empty()) {
            Some(Arn { partition, region, account, .. }) => {
                format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
            }
            None => String::new(),
        }
    }
}

fn rest(outcome: &'static str, why: &str, plan: &Plan) -> Judgement {
    Judgement::Rest(Tally::worked(outcome, why, Some(plan.remedy.as_str())))
}
