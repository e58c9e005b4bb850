//! A drill: a made-up stop goes the way of a real one, up to the point where something would be done.
//!
//! A drill uses only [`Harmless`]: looks, and one message that says that it is a drill. Nothing there changes a
//! service, an incident or a queue, so that neither a mode nor a forged request makes a drill do more. All drills share
//! one allowance of messages; a drill beyond it is answered, but told to nobody.

mod harmless;

use std::time::Duration;

use pullsafe::arn::ServiceId;
use pullsafe::lookup::Lookup;
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::diagnose;
use pullsafe_events::Subject;
use pullsafe_incident::drill::{DrillResult, made_up_stop, message, milliseconds};
use pullsafe_incident::record::Record;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Tally;
use remediator_decide::remedy::{self, Situation};

pub(crate) use harmless::Harmless;
use harmless::Told;

/// Plays a drill for a service. It always ends with an answer, which also says what failed. `owner` identifies the
/// request, and is the same when that is tried again.
pub(crate) async fn play(world: &Harmless<'_>, id: &ServiceId, owner: &str, now: Timestamp) -> Tally {
    let begun = Instant::now();
    let subject = Subject::Service(id.clone()).to_string();
    let service = match world.service(id).await {
        Lookup::Found(service) => service,
        Lookup::Absent => return ended(format!("there is no service {subject}")),
        Lookup::Unknown(doubt) => return ended(format!("the service {subject} cannot be looked at: {doubt}")),
    };
    let mode = world.mode(id, &service).await;
    if mode == Mode::Off {
        return ended(format!("pullsafe is off for {subject}: a stop would be neither looked at nor told"));
    }
    let definition = match world.definition(&service).await {
        Lookup::Found(definition) => definition,
        Lookup::Absent => return ended(format!("there is no task definition {}", service.task_definition)),
        Lookup::Unknown(doubt) => {
            return ended(format!("the task definition {} cannot be looked at: {doubt}", service.task_definition));
        }
    };
    let task = made_up_stop(id, &definition, now);
    // The drill's own record, which is stored nowhere.
    let mut record = Record::default();
    record.add_failure(&subject, &task, diagnose(&task, &Default::default()), now);
    let Some(incident) = record.open else {
        return ended("the made-up stop is no failure".to_owned());
    };
    let Some(blocker) = incident.blocker() else {
        return ended("the made-up stop has no cause".to_owned());
    };
    let seen = world.observe(service, blocker).await;
    let decision = remedy::decide(Situation {
        now,
        settings: world.settings(),
        service: id,
        incident: &incident,
        blocker,
        seen: &seen,
    });
    let looked = begun.elapsed();
    let played = DrillResult {
        subject: &subject,
        mode,
        stop: task.stopped_reason.as_deref().unwrap_or_default(),
        blocker,
        plan: decision.plan.as_ref(),
        waiting: decision.waiting.as_ref(),
        declined: &decision.declined,
        took: looked,
    };
    let notice = message(&played, format!("{now}-drill-{}-{owner}", id.name));
    let told = world.tell(&notice, now).await;
    let remedy = decision.plan.as_ref().map(|plan| plan.remedy.as_str());
    let mut tally = Tally::worked("drill", "a made-up stop was played: nothing was changed", remedy);
    tally.shown = Some(shown(&notice.text, &notice.subject, &told, looked, begun.elapsed()));
    tally
}

fn ended(why: String) -> Tally {
    Tally::worked("drill", why, None)
}

/// What the person who asked for the drill is shown.
fn shown(text: &str, title: &str, told: &Told, looked: Duration, whole: Duration) -> Value {
    json!({
        "title": title, "text": text, "people": told.people, "programs": told.programs,
        "looked_milliseconds": milliseconds(looked), "told_milliseconds": milliseconds(whole.saturating_sub(looked)),
    })
}
