//! The quota's window as inline SVG: a curve of the tries in the window, the limit, the launches, and the moment of the
//! report.
//!
//! The picture takes its colours from the page's style by class names, has a title and a description for those who
//! cannot see it, and refers to nothing outside.

use maud::{Markup, html};

use super::when::When;
use pullsafe::count::count;
use pullsafe::timestamp::Timestamp;
use pullsafe_incident::quota::{CAVEAT, QuotaWindow};

// As wide as a phone, so that the labels can be read there.
const WIDTH: i64 = 400;
const HEIGHT: i64 = 240;
const LEFT: i64 = 40;
const RIGHT: i64 = 10;
const TOP: i64 = 32;
const BOTTOM: i64 = 46;
/// The height of a label, the width of the longest label about a refusal, and its distance from the line of the
/// refusal.
const LABEL: i64 = 16;
const WORDS: i64 = 130;
const GAP: i64 = 6;

/// Draws the picture; `id` makes its names unique on the page.
pub(super) fn draw(quota: &QuotaWindow, when: &When, id: &str) -> Markup {
    let span = quota.until.seconds_since(quota.from).max(1);
    // The scale leaves room at the top for the labels.
    let top = i64::from(quota.height()) * 9 / 8 + 1;
    let x = |at: Timestamp| LEFT + (WIDTH - LEFT - RIGHT) * at.seconds_since(quota.from).clamp(0, span) / span;
    let y = |pulls: u32| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * i64::from(pulls).min(top) / top;
    let (title, description) = (format!("{id}-title"), format!("{id}-description"));
    let (zero, limit, right) = (y(0), y(quota.limit), WIDTH - RIGHT);
    let now = (quota.at >= quota.from && quota.at <= quota.until).then(|| x(quota.at));
    let curve = curve(quota, x, y);
    let words = format!("{} {CAVEAT}", quota.sentences().join(" "));
    html! {
        svg.quota viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby={ (title) " " (description) }
            xmlns="http://www.w3.org/2000/svg" {
            title id=(title) { "Docker Hub pulls tried in a sliding window of six hours (estimate)" }
            desc id=(description) { (when.text(&words)) }
            path.area d={ (curve) " L" (right) " " (zero) " L" (LEFT) " " (zero) " Z" } {}
            path.curve d=(curve) {}
            (line("axis", (LEFT, zero), (right, zero)))
            (line("limit", (LEFT, limit), (right, limit)))
            (label((LEFT - 5, limit + 4), "end", &quota.limit.to_string()))
            // If the curve is far above the limit, the two labels would overlap.
            @if zero - limit >= LABEL { (label((LEFT - 5, zero + 4), "end", "0")) }
            @for used in &quota.launches {
                path.launch d={ "M" (x(used.at)) " " (zero + 4) " l4 8 h-8 Z" } {
                    title { (when.at(used.at)) ": a launch tried " (count(used.pulls, "pull")) }
                }
            }
            @if let Some(now) = now {
                (line("now", (now, TOP - 4), (now, zero)))
                (label((now, TOP - 10), if now > WIDTH / 2 { "end" } else { "start" }, &format!("as of {}", when.minute(quota.at))))
            }
            @if let Some((refused, others)) = quota.refusal().filter(|(refused, _)| *refused >= quota.from) {
                @let tried = y(quota.limit.saturating_sub(others));
                (refusal(x(refused), beside(x(refused), now), (tried, limit, zero), others, &when.minute(refused)))
            }
            (label((LEFT, HEIGHT - 14), "start", &when.minute(quota.from)))
            (label((right, HEIGHT - 14), "end", &when.minute(quota.until)))
        }
    }
}

/// Returns where the words about a refusal begin or end: on the side of its line where they do not cross the line of
/// now.
fn beside(refused: i64, now: Option<i64>) -> (i64, &'static str) {
    let crossed = now.filter(|now| *now > refused && *now < refused + GAP + WORDS);
    match crossed {
        _ if refused > WIDTH / 2 => (refused - GAP, "end"),
        Some(_) if refused - GAP - WORDS >= LEFT => (refused - GAP, "end"),
        Some(now) if now + GAP + WORDS <= WIDTH - RIGHT => (now + GAP, "start"),
        Some(_) | None => (refused + GAP, "start"),
    }
}

/// Draws when Docker Hub refused. The distance from what was tried here up to the limit is what was used elsewhere.
fn refusal(
    x: i64,
    (beside, anchor): (i64, &str),
    (tried, limit, zero): (i64, i64, i64),
    others: u32,
    at: &str,
) -> Markup {
    let middle = (tried + limit) / 2;
    let elsewhere = format!("{others} used elsewhere");
    html! {
        (line("refused", (x, if others > 0 { tried } else { zero }), (x, limit)))
        @if others == 0 {
            (label((beside, limit + LABEL + 4), anchor, &format!("refused {at}")))
        } @else if tried - limit < 2 * LABEL {
            (label((beside, tried + LABEL + 2), anchor, &elsewhere))
        } @else {
            (label((beside, middle - 3), anchor, &format!("refused {at}:")))
            (label((beside, middle + LABEL - 3), anchor, &elsewhere))
        }
    }
}

/// Draws the tries in the window over time, in steps: up at a launch, down six hours later.
fn curve(quota: &QuotaWindow, x: impl Fn(Timestamp) -> i64, y: impl Fn(u32) -> i64) -> String {
    let mut moments: Vec<Timestamp> = quota
        .launches
        .iter()
        .flat_map(|used| [used.at, used.at.plus_seconds(quota.window_seconds)])
        .filter(|at| *at >= quota.from && *at <= quota.until)
        .collect();
    moments.sort();
    moments.dedup();
    let mut path = format!("M{} {}", x(quota.from), y(0));
    for moment in moments {
        path.push_str(&format!(" H{} V{}", x(moment), y(quota.window_at(moment))));
    }
    path.push_str(&format!(" H{}", x(quota.until)));
    path
}

fn line(class: &str, from: (i64, i64), to: (i64, i64)) -> Markup {
    html! { path class=(class) d={ "M" (from.0) " " (from.1) " L" (to.0) " " (to.1) } {} }
}

fn label(at: (i64, i64), anchor: &str, text: &str) -> Markup {
    html! { text x=(at.0) y=(at.1) text-anchor=(anchor) { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_about_a_refusal_do_not_cross_the_line_of_now() {
        for refused in LEFT..WIDTH - RIGHT {
            for now in refused..WIDTH - RIGHT {
                let (at, anchor) = beside(refused, Some(now));
                let (from, to) = if anchor == "end" { (at - WORDS, at) } else { (at, at + WORDS) };
                let has_room = refused - GAP - WORDS >= LEFT || now + GAP + WORDS <= WIDTH - RIGHT;
                assert!(!has_room || now <= from || now >= to, "refused {refused}, now {now}: {from} to {to}");
            }
        }
    }
}
