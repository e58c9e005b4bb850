//! The message that a limit ends.

use pullsafe::notice::{Notice, Severity};
use pullsafe::settings::Ahead;
use pullsafe_radar::Forecast;

use super::LimitAhead;
use crate::notice::{NoticeText, subject_line};
use crate::published::{Published, PullLimit};

impl LimitAhead {
    /// Writes the message that the limit ends; `None` where it lasts. `ahead` is what is done about it.
    pub fn notice(&self, ahead: Ahead) -> Option<Notice> {
        let Forecast::Exhausted { at, .. } = &self.forecast else {
            return None;
        };
        let mut text = NoticeText::default();
        text.line(&format!("{}.", self.says()));
        text.line(
            "Whatever leaves by this address pulls nothing without credentials then, until pulls of six hours \
            ago come back.",
        );
        let services = self.to_move.iter().map(|service| format!("  {service}"));
        match ahead {
            Ahead::Move => text.section(
                "Moved to verified copies before that, as far as there are any; it lasts without them",
                services,
            ),
            Ahead::Off | Ahead::Warn => text.section(
                "Enough to move to copies, for it to last (AheadOfFailure: move does it where the stack acts)",
                services,
            ),
        }
        // The id is made from the reading, so that a reading which comes twice is told once.
        let id = format!("limit-{}-{}", String::from(self.source.clone()), self.reading.at.seconds());
        let detail = Published::Limit(PullLimit { notice: id.clone(), limit: self.clone() }).detail();
        let headline = match self.reading.remaining {
            0 => format!("Docker Hub's pulls of {} are used up", self.source),
            _ => format!("Docker Hub's pulls of {} are used up at {at}", self.source),
        };
        Some(Notice {
            id,
            detail_type: "Pull Limit".to_owned(),
            subject: subject_line(&headline),
            text: text.finish(),
            evidence: None,
            severity: Severity::NextLaunch,
            links: Vec::new(),
            detail,
        })
    }
}
