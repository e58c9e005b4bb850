//! An estimate of Docker Hub's quota, counted from what this subject's launches tried.
//!
//! The estimate does not know of other pulls from the same address or account, or whether Docker Hub counts a try that
//! it refuses. A refusal is certain and kept apart: nothing was left at that moment, whoever had used it up.

use serde::Serialize;

use crate::incident::{FailedLaunch, Incident};
use pullsafe::count::count;
use pullsafe::reference::pull_quota;
use pullsafe::timestamp::Timestamp;

/// Docker's documented window for anonymous pulls and for Personal accounts.
pub const WINDOW_SECONDS: i64 = pull_quota::WINDOW_SECONDS.cast_signed();
/// Docker's documented limit for anonymous pulls; a limit that its headers named is used instead.
pub const ANONYMOUS_LIMIT: u32 = pull_quota::ANONYMOUS;
/// The longest time that the picture spans.
const SPAN_SECONDS: i64 = 24 * 3600;
/// How many entries the list of what the window gives back may have.
const GIVEN_BACK: usize = 12;

/// The quota's window at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuotaWindow {
    /// How many pulls a window allows.
    pub limit: u32,
    /// Whether Docker Hub's headers named the limit; otherwise it is assumed.
    pub limit_known: bool,
    /// The window's length.
    pub window_seconds: i64,
    /// The moment of the estimate.
    pub at: Timestamp,
    /// Pulls that launches of this subject tried in the window before that moment.
    pub tried: u32,
    /// About how many pulls were left then, at most.
    pub left_at_most: u32,
    /// When Docker Hub last refused because of the quota: then nothing was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// How much of the limit had not been tried here by then, and so was used elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_elsewhere: Option<u32>,
    /// The most pulls that one launch tried.
    pub per_launch: u32,
    /// How many such launches empty an untouched window.
    pub launches_to_empty: u32,
    /// When the window gives this subject's tries back, oldest first.
    pub gives_back: Vec<GivenBack>,
    /// When the window has given all of them back, if nothing tries again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_back_at: Option<Timestamp>,
    /// Where the picture begins.
    pub from: Timestamp,
    /// Where the picture ends.
    pub until: Timestamp,
    /// The launches in the picture, each with the tries in its window.
    pub launches: Vec<LaunchUse>,
}

/// Pulls that leave the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GivenBack {
    pub at: Timestamp,
    pub pulls: u32,
}

/// A launch, and the window right after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LaunchUse {
    /// When its task stopped.
    pub at: Timestamp,
    /// Pulls that it tried.
    pub pulls: u32,
    /// Tries in the window that ends then.
    pub window: u32,
}

impl QuotaWindow {
    /// Estimates the quota at a moment; `None` where no launch tried to pull from Docker Hub.
    pub fn of(incident: &Incident, at: Timestamp) -> Option<Self> {
        let mut launches: Vec<FailedLaunch> =
            incident.launches.iter().filter(|launch| launch.pulls > 0 && launch.at <= at).copied().collect();
        launches.sort_by_key(|launch| launch.at);
        let last = launches.last()?.at;
        let per_launch = launches.iter().map(FailedLaunch::each).max().unwrap_or(1).max(1);
        let named = incident.quota_limit.filter(|limit| *limit > 0);
        let limit = named.unwrap_or(ANONYMOUS_LIMIT);
        let refusals = incident.causes.iter().filter(|seen| seen.diagnosis.docker_hub_quota()).map(|seen| seen.last_at);
        let refused_at = refusals.filter(|refused| *refused <= at).max();
        let tried = within(&launches, at);
        let left_at_most = match refused_at.filter(|refused| at.seconds_since(*refused) < WINDOW_SECONDS) {
            // Nothing was left at the refusal, so that only tries which have left the window since are available again.
            Some(refused) => within(&launches, refused).saturating_sub(still(&launches, refused, at)).min(limit),
            None => limit.saturating_sub(tried),
        };
        let mut gives_back: Vec<GivenBack> = Vec::new();
        for launch in launches.iter().filter(|launch| is_within(launch, at)) {
            let back = launch.at.plus_seconds(WINDOW_SECONDS);
            let full = gives_back.len() == GIVEN_BACK;
            match gives_back.last_mut() {
                Some(same) if same.at == back || full => {
                    (same.at, same.pulls) = (back, same.pulls.saturating_add(launch.pulls));
                }
                Some(_) | None => gives_back.push(GivenBack { at: back, pulls: launch.pulls }),
            }
        }
        let until = last.plus_seconds(WINDOW_SECONDS).max(at).min(last.plus_seconds(SPAN_SECONDS / 2));
        let from = launches.first()?.at.max(until.plus_seconds(-SPAN_SECONDS));
        let shown = launches.iter().filter(|launch| launch.at >= from);
        Some(Self {
            limit,
            limit_known: named.is_some(),
            window_seconds: WINDOW_SECONDS,
            at,
            tried,
            left_at_most,
            refused_at,
            used_elsewhere: refused_at.map(|refused| limit.saturating_sub(within(&launches, refused))),
            per_launch,
            // A launch that tries more than the limit empties the window alone.
            launches_to_empty: (limit / per_launch).max(1),
            all_back_at: gives_back.last().map(|back| back.at),
            gives_back,
            from,
            until,
            launches: shown
                .map(|launch| LaunchUse {
                    at: launch.at,
                    pulls: launch.pulls,
                    window: within(&launches, launch.at),
                })
                .collect(),
        })
    }

    /// Counts the tries in the window at a moment, of the launches in the picture.
    pub fn window_at(&self, moment: Timestamp) -> u32 {
        let is_in = |used: &&LaunchUse| used.at <= moment && moment.seconds_since(used.at) < WINDOW_SECONDS;
        self.launches.iter().filter(is_in).fold(0, |sum, used| sum.saturating_add(used.pulls))
    }

    /// Returns when Docker Hub last refused, and how much of the limit had not been tried here by then.
    pub fn refusal(&self) -> Option<(Timestamp, u32)> {
        self.refused_at.zip(self.used_elsewhere)
    }

    /// Returns the highest number of pulls that the picture has to show.
    pub fn height(&self) -> u32 {
        self.launches.iter().map(|used| used.window).max().unwrap_or(0).max(self.limit).max(1)
    }

    /// Writes the estimate in sentences, without its picture.
    pub fn sentences(&self) -> Vec<String> {
        let limit = if self.limit_known {
            "as Docker Hub's headers said"
        } else {
            "assumed: Docker's documented limit for anonymous pulls"
        };
        let mut sentences = vec![format!(
            "Failed launches tried {} in the six hours before {}; the limit is {} ({limit}).",
            count(self.tried, "pull"),
            self.at,
            self.limit
        )];
        match self.refusal() {
            Some((refused, others)) => {
                let since = if self.left_at_most == 0 {
                    "none".to_owned()
                } else {
                    format!("about {}", self.left_at_most)
                };
                let others = match others {
                    0 => String::new(),
                    _ => format!(
                        " Of the limit, {others} were not tried here: others behind the same address used them."
                    ),
                };
                sentences.push(format!(
                    "Docker Hub refused at {refused}: nothing was left then.{others} Of the tries here, {since} had \
                     left the window since."
                ));
            }
            None => sentences.push(format!(
                "At most about {} were left: others behind the same address use the same quota.",
                count(self.left_at_most, "pull")
            )),
        }
        sentences.push(match self.launches_to_empty {
            1 => format!(
                "One launch tries up to {}, which empties a quota of {}.",
                count(self.per_launch, "pull"),
                self.limit
            ),
            launches => {
                format!(
                    "One launch tries up to {}; {launches} of them empty a quota of {}.",
                    count(self.per_launch, "pull"),
                    self.limit
                )
            }
        });
        if let (Some(first), Some(all)) = (self.gives_back.first(), self.all_back_at) {
            sentences.push(if first.at == all {
                format!("The window gives them back at {all}, if nothing tries again.")
            } else {
                let pulls = count(first.pulls, "pull");
                format!(
                    "The window gives them back from {} on ({pulls}) until {all}, if nothing tries again.",
                    first.at
                )
            });
        }
        sentences
    }
}

/// What the picture and the text can tell; it is said wherever they are shown.
pub const CAVEAT: &str = "An estimate, counted from what the failed launches (or builds) of this incident tried. \
    Docker Hub's own count is not known here: others may \
                                 pull from the same address, and a refused try may not count.";

fn is_within(launch: &FailedLaunch, moment: Timestamp) -> bool {
    launch.at <= moment && moment.seconds_since(launch.at) < WINDOW_SECONDS
}

/// Counts the tries in the window that ends at a moment.
fn within(launches: &[FailedLaunch], moment: Timestamp) -> u32 {
    launches
        .iter()
        .filter(|launch| is_within(launch, moment))
        .fold(0, |sum, launch| sum.saturating_add(launch.pulls))
}

/// Counts the tries that are in the window at one moment and still in it at a later one.
fn still(launches: &[FailedLaunch], then: Timestamp, now: Timestamp) -> u32 {
    let both = launches.iter().filter(|launch| is_within(launch, then) && is_within(launch, now));
    both.fold(0, |sum, launch| sum.saturating_add(launch.pulls))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(1_768_482_000_000).plus_seconds(minute * 60)
    }

    fn incident(launches: &[(i64, u32)], limit: Option<u32>) -> Incident {
        let mut incident = Incident::open("prod/web", at(0));
        incident.launches = launches.iter().map(|(minute, pulls)| FailedLaunch::one(at(*minute), *pulls)).collect();
        incident.quota_limit = limit;
        incident
    }

    /// 42 pulls at 13:00 and 14 at 14:00: of 100, 44 are left at 14:03, and 86 at 19:11, when the first 42 have left
    /// the window.
    #[test]
    fn the_window_slides() {
        let early: Vec<(i64, u32)> = (0..6).map(|launch| (launch * 2, 7)).chain([(60, 7), (62, 7)]).collect();
        let quota = QuotaWindow::of(&incident(&early, Some(100)), at(63)).unwrap();
        assert_eq!((quota.tried, quota.left_at_most, quota.launches_to_empty), (56, 44, 14));
        let later = QuotaWindow::of(&incident(&early, Some(100)), at(6 * 60 + 11)).unwrap();
        assert_eq!(
            (later.tried, later.left_at_most),
            (14, 86),
            "what was tried in the first eleven minutes has left the window"
        );
        assert_eq!(later.gives_back, [GivenBack { at: at(420), pulls: 7 }, GivenBack { at: at(422), pulls: 7 }]);
        assert_eq!(later.all_back_at, Some(at(422)));
        assert_eq!(quota.window_at(at(1)), 7);
        assert_eq!(quota.window_at(at(6 * 60)), 49, "the first launch left after exactly six hours");
    }

    #[test]
    fn an_unknown_limit_is_assumed_and_said_to_be() {
        let quota = QuotaWindow::of(&incident(&[(0, 7)], None), at(1)).unwrap();
        assert!(quota.limit == 100 && !quota.limit_known && quota.sentences()[0].contains("assumed"));
        assert_eq!(QuotaWindow::of(&incident(&[(0, 0)], None), at(1)), None, "no pull of Docker Hub, no picture");
        let none = QuotaWindow::of(&incident(&[(0, 7)], Some(0)), at(1)).unwrap();
        assert_eq!((none.limit, none.limit_known), (100, false), "a limit of nothing is no limit that headers name");
    }

    #[test]
    fn a_launch_that_tries_more_than_the_limit_empties_it_alone() {
        let quota = QuotaWindow::of(&incident(&[(0, 70)], Some(10)), at(1)).unwrap();
        assert_eq!((quota.launches_to_empty, quota.left_at_most), (1, 0));
    }

    #[test]
    fn a_long_incident_has_a_bounded_picture() {
        let many: Vec<(i64, u32)> = (0..200).map(|launch| (launch * 27, 7)).collect();
        let quota = QuotaWindow::of(&incident(&many, Some(u32::MAX)), at(200 * 27)).unwrap();
        assert!(quota.until.seconds_since(quota.from) <= SPAN_SECONDS && quota.gives_back.len() <= GIVEN_BACK);
        assert_eq!(quota.gives_back.iter().map(|back| back.pulls).sum::<u32>(), quota.tried);
    }
}
