//! Answers to questions: somebody who may invoke the function says yes or no.
//!
//! 1. **Who?** STS says, where the answer is signed; otherwise it is somebody who may invoke the function.
//! 2. **Which question?** A row leads from its code to its subject, and there the question is looked up under the
//!    lease.
//! 3. **Look again.** A yes is a reason to look, as an event is: every guard is asked anew. The plan that this leads to
//!    is carried out only if it does the same as the one that was shown; otherwise a new question takes its place.
//! 4. **Store, act, tell**, as always: a yes is in the table before the first step, so that another invocation carries
//!    on if this one dies.
//!
//! One yes is one act at most. It ends the question, and whoever answers later is told how it ended.

use futures_util::stream::{self, StreamExt as _};
use pullsafe_aws::Failure;
use pullsafe_aws::identity::Unproven;
use pullsafe_events::Subject;
use pullsafe_events::answer::{Answer, Spoken, YesOrNo};
use pullsafe_incident::asking::listed;
use pullsafe_incident::incident::{Act, ActState};
use pullsafe_incident::kept::CachedAnswers;
use pullsafe_incident::question::{Became, Question, Who, name_of};
use pullsafe_incident::record::Record;
use pullsafe_incident::store::Next;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Remediator;
use super::flow::LOOKS;
use super::judge::Judgement;
use super::lease::Invocation;
use super::recent::Recent;

/// How many answers are handled side by side: as many looks that move a service as ECS's rate limits allow.
const AT_ONCE: usize = 4;
/// How many rows are read side by side for a list.
const READS: usize = 16;

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Heard {
    code: String,
    /// In one word: `done`, `declined`, `asked-anew`, `not-now`, `over`, `answered-before`, `unknown`, `busy`,
    /// `refused`, `failed`.
    outcome: &'static str,
    /// In a sentence.
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The code of the question that is to be answered instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<String>,
}

impl Remediator {
    /// Handles what somebody who invokes the function says, and answers.
    pub(crate) async fn hear(&self, said: Result<Spoken, String>, owner: &str) -> Value {
        match said {
            Err(problem) => json!({ "error": problem }),
            Ok(Spoken::List(like)) => match self.list(like.as_deref(), owner).await {
                Ok(questions) => json!({ "questions": questions }),
                Err(failure) => json!({ "error": failure.to_string() }),
            },
            Ok(Spoken::Answer(answer)) => self.take(&answer, owner).await,
        }
    }

    async fn take(&self, answer: &Answer, owner: &str) -> Value {
        let who = match &answer.proof {
            None => Ok(Who::Invoker),
            Some(proof) => self.signatures.signer(proof, &answer.statement()).await.map(|arn| Who::with_arn(&arn)),
        };
        let who = match who {
            Ok(who) => who,
            Err(Unproven::Refused(code)) => {
                return json!({ "error": format!("who you are is not proven, and nothing was done: STS did not take \
                    the signature ({code})") });
            }
            Err(Unproven::Unknown(why)) => {
                return json!({ "error": format!("who you are could not be found out, and nothing was done: STS could \
                    not be asked ({why})") });
            }
        };
        // Nothing here uses what was read for somebody else a moment ago.
        let within = Self {
            looks_end: Some(Instant::now() + LOOKS),
            clusters: Recent::default(),
            definitions: Recent::default(),
            leaves: Recent::default(),
            ..self.clone()
        };
        let heard = answer.codes.iter().map(async |code| {
            // On the heap, as every flow.
            let id = format!("{owner}/{code}");
            let by = Invocation { id: &id, now: (self.clock)() };
            let heard = Box::pin(within.hear_one(answer.verdict, code, &who, by)).await;
            let heard = heard.unwrap_or_else(|failure| {
                let said = format!("{failure}. What was begun is carried on with by itself; otherwise answer once \
                    more.");
                Heard { code: code.clone(), outcome: "failed", said, subject: None, question: None }
            });
            tracing::info!(code, outcome = heard.outcome, by = %who, "question {code} was answered by {who}: {}", heard.outcome);
            heard
        });
        let heard: Vec<Heard> = stream::iter(heard).buffered(AT_ONCE).collect().await;
        json!({ "answers": heard, "by": who.to_string() })
    }

    async fn hear_one(&self, verdict: YesOrNo, code: &str, who: &Who, by: Invocation<'_>) -> Result<Heard, Failure> {
        let now = by.now;
        let heard = |outcome: &'static str, said: String, subject: Option<&Subject>| Heard {
            code: code.to_owned(),
            outcome,
            said,
            subject: subject.map(ToString::to_string),
            question: None,
        };
        // A code that never existed and one that is forgotten get the same words.
        let unknown = || heard("unknown", "there is no question with this code, or it is long over".to_owned(), None);
        let subjects = self.table.waiters(&[name_of(code)]).await?;
        let [subject] = subjects.as_slice() else {
            return Ok(unknown());
        };
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(heard(
                "busy",
                "pullsafe is looking at this service just now: answer again in a moment".to_owned(),
                Some(subject),
            ));
        };
        let before = lease.record.clone();
        let act = before.open.as_ref().and_then(|incident| incident.act.as_ref());
        let is_of_this = |question: &&Question| question.code == code;
        let waits = act.and_then(Act::open_question).filter(is_of_this).cloned();
        // The look that ends an expired question may have come before the answer.
        let expired = act
            .filter(|act| act.state == ActState::Expired && verdict == YesOrNo::Yes)
            .and_then(|act| act.question.as_ref());
        let expired = expired.filter(is_of_this).cloned();
        let Some(question) = waits.or(expired) else {
            lease.give_back(&self.table, "nothing is asked by this code any more").await?;
            return Ok(
                how_it_ended(&before, code).map_or_else(unknown, |said| heard("answered-before", said, Some(subject)))
            );
        };
        if let YesOrNo::No(seconds) = verdict {
            lease.record.decline(who.clone(), seconds, now);
            lease.save(&self.table, Next::Soon).await?;
            let became = Became::Declined(who.clone(), seconds.map(|seconds| now.plus_seconds(seconds)));
            return Ok(heard("declined", became.to_string(), Some(subject)));
        }
        let is_late = now >= question.expires_at;
        if is_late {
            lease.record.end_question(now, Became::Expired);
            // The look below asks anew if something is still to be asked.
            if let Some(incident) = &mut lease.record.open {
                incident.act = None;
            }
        } else {
            lease.record.approve(who.clone(), now);
        }
        // What was kept of earlier looks is looked up anew.
        if let Some(incident) = &mut lease.record.open {
            incident.kept = CachedAnswers::default();
        }
        let judged = Box::pin(self.judge(subject, &mut lease.record, &mut None, now)).await;
        match &judged {
            Judgement::Act(..) => lease.record.remember_yes(now),
            Judgement::Rest(_) | Judgement::Over(..) => lease.record.take_back_yes(),
        }
        let acts = matches!(judged, Judgement::Act(..));
        let tally = Box::pin(self.finish(lease, &before, judged)).await?;
        let record = self.table.read(subject, by.id, now).await?.record;
        let open = record.open.as_ref().and_then(|incident| incident.open_question());
        let anew = open.filter(|open| open.code != code).map(|open| open.code.clone());
        let late = if is_late {
            format!("It was open until {}. ", question.expires_at)
        } else {
            String::new()
        };
        let (outcome, said) = match (&anew, tally.outcome) {
            (_, "acted") if acts && !is_late => ("done", format!("{who} approved it, and it was done")),
            (_, "refused" | "abandoned") if acts => {
                ("not-now", format!("it was approved, begun and not done: {}", tally.why))
            }
            (Some(anew), _) if is_late => {
                ("asked-anew", format!("{late}Nothing was done. If it is still to be done, answer question {anew}"))
            }
            (Some(anew), _) => (
                "asked-anew",
                format!(
                    "What would be done has changed since it was asked, so that nothing was done. Question {anew} \
                     shows what would be done now"
                ),
            ),
            (None, "resolved") => ("over", format!("{late}The incident is over, and nothing was done: {}", tally.why)),
            (None, _) => ("not-now", format!("{late}Nothing was done: {}", why_not(&record, &tally.why))),
        };
        Ok(Heard { question: anew, ..heard(outcome, said, Some(subject)) })
    }

    /// The questions that wait for an answer; with a code in `like`, only those of the same cause at the same registry.
    async fn list(&self, like: Option<&str>, owner: &str) -> Result<Vec<Value>, Failure> {
        let now = (self.clock)();
        let subjects = self.table.open_subjects().await?;
        let reads = stream::iter(&subjects)
            .map(async |subject| Ok((subject, self.table.read(subject, owner, now).await?.record)));
        let read: Vec<Result<(&Subject, Record), Failure>> = reads.buffered(READS).collect().await;
        let mut questions = Vec::new();
        for found in read {
            let (subject, record) = found?;
            let open = record
                .open
                .as_ref()
                .filter(|incident| incident.open_question().is_some_and(|question| now < question.expires_at));
            questions.extend(open.and_then(|incident| listed(&subject.to_string(), incident)));
        }
        let about = |question: &Value| (question["cause"].clone(), question["registry"].clone());
        if let Some(like) = like {
            let wanted = questions.iter().find(|question| question["code"] == like).map(about);
            questions.retain(|question| Some(about(question)) == wanted);
        }
        questions.sort_by_key(|question| question["subject"].to_string());
        Ok(questions)
    }
}

/// How a question ended; `None` where it is not remembered.
fn how_it_ended(record: &Record, code: &str) -> Option<String> {
    let past = record.past_question(code)?;
    let act = record.open.as_ref().and_then(|incident| incident.act.as_ref());
    let of_this = act.filter(|act| act.question.as_ref().is_some_and(|Question { code: known, .. }| known == code));
    let state = match (&past.became, of_this.map(|act| act.state)) {
        (Became::Approved(_), Some(ActState::Done)) => "; it is done",
        (Became::Approved(_), Some(ActState::Acting | ActState::Asked)) => "; it is being done",
        (Became::Approved(_), Some(ActState::Abandoned)) => "; it was given up, for the world had moved on",
        (Became::Approved(_), Some(ActState::Refused)) => "; AWS refused it",
        (Became::Approved(_), Some(ActState::Observed | ActState::Declined | ActState::Expired) | None)
        | (Became::Declined(..) | Became::Expired | Became::Overtaken(_) | Became::NotNeeded | Became::Over(_), _) => {
            ""
        }
    };
    Some(format!("It was answered before, at {}: {}{state}", past.at, past.became))
}

/// Why nothing was done: the remedies that this look declined, or else what the look came to.
fn why_not(record: &Record, why: &str) -> String {
    let declined = record.open.iter().flat_map(|incident| &incident.declined);
    let reasons: Vec<String> =
        declined.map(|declined| format!("{}: {}", declined.remedy, declined.reasons.join("; "))).collect();
    if reasons.is_empty() { why.to_owned() } else { reasons.join(". ") }
}
