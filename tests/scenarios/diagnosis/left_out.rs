//! Leaves each source out in turn, over every labelled text: what the whole diagnosis says then, and how far its
//! confidence can be relied on.
//!
//! A source is a thread or a site. While it is left out, the index of known messages, which is made from the corpora,
//! has none of its texts. The signatures stay, and people wrote them after reading many of these texts. What the
//! signatures do not know shows only in a part that was tried before anything was changed for it (the column `at first
//! sight`).

use std::collections::{BTreeMap, BTreeSet};

use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis};
use pullsafe_diagnosis::nearest::nearest;

use crate::corpus::Stop;
use crate::field::FieldText;

/// What the diagnosis says of one labelled text while its source is left out.
pub(crate) struct LeftOutAnswer {
    part: String,
    group: String,
    id: String,
    confidence: Confidence,
    right: bool,
    unknown: bool,
    /// Whether it was wrongly called Docker Hub's quota.
    wrongly_quota: bool,
    /// Whether the most similar known message of another source has the right cause; `None` where the cause was found,
    /// or no message is similar.
    hint: Option<bool>,
}

impl LeftOutAnswer {
    /// Makes the answer from a diagnosis. `accepts` says whether a cause is right for this text.
    fn new(
        part: &str,
        group: &str,
        id: &str,
        found: &Diagnosis,
        quota: bool,
        text: Option<&str>,
        accepts: impl Fn(Cause) -> bool,
    ) -> Self {
        let unknown = found.cause == Cause::Unknown && !accepts(Cause::Unknown);
        let like = text.filter(|_| unknown).and_then(|text| nearest(text, |known| known.group != group));
        Self {
            part: part.to_owned(),
            group: group.to_owned(),
            id: id.to_owned(),
            confidence: found.confidence,
            right: accepts(found.cause),
            unknown,
            wrongly_quota: found.docker_hub_quota() && !quota,
            hint: like.map(|like| accepts(like.cause)),
        }
    }

    /// The answers for every labelled text.
    pub(crate) fn all() -> Vec<Self> {
        let of_stop = |part: &str, stop: &Stop| {
            let text = stop.event["detail"]["stoppedReason"].as_str();
            let quota = stop.expect.docker_hub_quota.unwrap_or_default();
            Self::new(part, &stop.group(), &stop.id, &stop.diagnosis(), quota, text, |cause| cause == stop.expect.cause)
        };
        let stops: Vec<Self> = Stop::all().iter().map(|stop| of_stop("stops", stop)).collect();
        let further: Vec<Self> = crate::further::stops().iter().map(|stop| of_stop("further", stop)).collect();
        let seen = FieldText::all().into_iter().map(|seen| {
            let part = format!("field, {}", seen.part);
            Self::new(
                &part,
                &seen.group,
                &seen.id,
                &seen.diagnosis(),
                seen.is_quota(),
                seen.reason.as_deref(),
                |cause| seen.accepts(cause),
            )
        });
        stops.into_iter().chain(further).chain(seen).collect()
    }
}

/// How many were right, of how many.
#[derive(Default, Clone, Copy)]
pub(crate) struct AnswerCount {
    pub(crate) right: usize,
    pub(crate) all: usize,
}

impl AnswerCount {
    fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.all += 1;
    }

    fn holds(self, percent: usize) -> bool {
        self.right * 100 >= percent * self.all
    }
}

/// The sums of some answers.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) groups: usize,
    pub(crate) causes: AnswerCount,
    pub(crate) unknown: usize,
    pub(crate) wrong_and_high: Vec<String>,
    pub(crate) wrongly_quota: Vec<String>,
    pub(crate) hints: AnswerCount,
    pub(crate) by_confidence: BTreeMap<Confidence, AnswerCount>,
}

impl Sums {
    fn of<'a>(answers: impl Iterator<Item = &'a LeftOutAnswer>) -> Self {
        let mut sums = Self::default();
        let mut groups = BTreeSet::new();
        for answer in answers {
            groups.insert(answer.group.as_str());
            sums.causes.add(answer.right);
            sums.unknown += usize::from(answer.unknown);
            if !answer.unknown {
                sums.by_confidence.entry(answer.confidence).or_default().add(answer.right);
                if !answer.right && answer.confidence == Confidence::High {
                    sums.wrong_and_high.push(answer.id.clone());
                }
            }
            if answer.wrongly_quota {
                sums.wrongly_quota.push(answer.id.clone());
            }
            if let Some(right) = answer.hint {
                sums.hints.add(right);
            }
        }
        sums.groups = groups.len();
        sums
    }

    /// The sums of each part, and of all parts.
    pub(crate) fn by_part() -> Vec<(String, Self)> {
        let answers = LeftOutAnswer::all();
        let parts: BTreeSet<String> = answers.iter().map(|answer| answer.part.clone()).collect();
        let of_part = |part: &String| (part.clone(), Self::of(answers.iter().filter(|answer| answer.part == *part)));
        parts.iter().map(of_part).chain([("all".to_owned(), Self::of(answers.iter()))]).collect()
    }
}

#[test]
fn each_source_left_out_the_causes_hold() {
    for (part, sums) in Sums::by_part() {
        let AnswerCount { right, all } = sums.causes;
        assert!(sums.causes.holds(93), "{part}: {right} of {all}");
        assert!(sums.unknown * 100 <= 6 * all, "{part}: {} of {all} unknown", sums.unknown);
        assert!(sums.wrong_and_high.is_empty(), "{part}: wrong with high confidence: {:?}", sums.wrong_and_high);
        assert!(sums.wrongly_quota.is_empty(), "{part}: wrongly Docker Hub's quota: {:?}", sums.wrongly_quota);
    }
}

#[test]
fn each_source_left_out_confidence_means_what_it_promises() {
    for (part, sums) in Sums::by_part() {
        for (confidence, count) in sums.by_confidence {
            let promised = match confidence {
                Confidence::High => 98,
                Confidence::Medium => 92,
                Confidence::Low => 70,
            };
            assert!(count.holds(promised), "{part}: {confidence}: {} of {}", count.right, count.all);
        }
    }
}
