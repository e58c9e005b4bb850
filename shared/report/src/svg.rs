//! The quota's window as inline SVG: a curve of the tries in the window, the limit, the launches, the moment.
//!
//! It takes its colours from the page's style by class names, has a title and a description for those who do not see
//! it, and refers to nothing outside.

use super::page::Html;
use super::when::When;
use pullsafe::count::count;
use pullsafe::timestamp::Timestamp;
use pullsafe_incident::quota::{CAVEAT, Quota};

// As wide as a phone, so that the labels can be read there.
const WIDTH: i64 = 400;
const HEIGHT: i64 = 240;
const LEFT: i64 = 40;
const RIGHT: i64 = 10;
const TOP: i64 = 32;
const BOTTOM: i64 = 46;
/// The height of a label.
const LABEL: i64 = 16;

/// Draws it; `id` makes the names in it unique on the page.
pub(super) fn draw(page: &mut Html, quota: &Quota, when: &When, id: &str) {
    let span = quota.until.seconds_since(quota.from).max(1);
    // Nothing reaches up to where the labels are.
    let top = i64::from(quota.height()) * 9 / 8 + 1;
    let x = |at: Timestamp| LEFT + (WIDTH - LEFT - RIGHT) * at.seconds_since(quota.from).clamp(0, span) / span;
    let y = |pulls: u32| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * i64::from(pulls).min(top) / top;
    let (title, description) = (format!("{id}-title"), format!("{id}-description"));
    let labels = format!("{title} {description}");
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    let attributes = [
        ("class", "quota"),
        ("viewBox", view.as_str()),
        ("role", "img"),
        ("aria-labelledby", labels.as_str()),
        ("xmlns", "http://www.w3.org/2000/svg"),
    ];
    page.element("svg", &attributes, |page| {
        page.element("title", &[("id", &title)], |page| {
            page.text("Docker Hub pulls tried in a sliding window of six hours (estimate)")
        });
        let words = format!("{} {CAVEAT}", quota.sentences().join(" "));
        page.element("desc", &[("id", &description)], |page| page.text(&when.text(&words)));
        let (zero, right) = (y(0), WIDTH - RIGHT);
        page.void(
            "path",
            &[("class", "area"), ("d", &format!("{} L{right} {zero} L{LEFT} {zero} Z", curve(quota, x, y)))],
        );
        page.void("path", &[("class", "curve"), ("d", &curve(quota, x, y))]);
        line(page, "axis", (LEFT, zero), (right, zero));
        line(page, "limit", (LEFT, y(quota.limit)), (right, y(quota.limit)));
        label(page, (LEFT - 5, y(quota.limit) + 4), "end", &quota.limit.to_string());
        // Far above the limit, the two labels would stand on each other.
        if zero - y(quota.limit) >= LABEL {
            label(page, (LEFT - 5, zero + 4), "end", "0");
        }
        for used in &quota.launches {
            let at = x(used.at);
            page.element("path", &[("class", "launch"), ("d", &format!("M{at} {} l4 8 h-8 Z", zero + 4))], |page| {
                let tried = format!("{}: a launch tried {}", when.at(used.at), count(used.pulls, "pull"));
                page.element("title", &[], |page| page.text(&tried));
            });
        }
        if quota.at >= quota.from && quota.at <= quota.until {
            line(page, "now", (x(quota.at), TOP - 4), (x(quota.at), zero));
            let anchor = if x(quota.at) > WIDTH / 2 { "end" } else { "start" };
            label(page, (x(quota.at), TOP - 10), anchor, &format!("as of {}", when.minute(quota.at)));
        }
        if let Some((refused, others)) = quota.refusal().filter(|(refused, _)| *refused >= quota.from) {
            let (from, to) = (y(quota.limit.saturating_sub(others)), y(quota.limit));
            let (side, anchor) = if x(refused) > WIDTH / 2 { (-6, "end") } else { (6, "start") };
            // What was used elsewhere is the way from what was tried here up to the limit.
            line(page, "refused", (x(refused), if others > 0 { from } else { zero }), (x(refused), to));
            let place = |row: i64| (x(refused) + side, (from + to) / 2 + row);
            match others {
                0 => label(
                    page,
                    (x(refused) + side, to + LABEL + 4),
                    anchor,
                    &format!("refused {}", when.minute(refused)),
                ),
                _ if from - to < 2 * LABEL => {
                    label(page, (x(refused) + side, from + LABEL + 2), anchor, &elsewhere(others))
                }
                _ => {
                    label(page, place(-3), anchor, &format!("refused {}:", when.minute(refused)));
                    label(page, place(LABEL - 3), anchor, &elsewhere(others));
                }
            }
        }
        label(page, (LEFT, HEIGHT - 14), "start", &when.minute(quota.from));
        label(page, (right, HEIGHT - 14), "end", &when.minute(quota.until));
    });
}

/// What others have used, as far as the limit says it.
fn elsewhere(others: u32) -> String {
    format!("{others} used elsewhere")
}

/// The tries in the window over time, in steps: up at a launch, down six hours later.
fn curve(quota: &Quota, x: impl Fn(Timestamp) -> i64, y: impl Fn(u32) -> i64) -> String {
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

fn line(page: &mut Html, class: &str, from: (i64, i64), to: (i64, i64)) {
    page.void("path", &[("class", class), ("d", &format!("M{} {} L{} {}", from.0, from.1, to.0, to.1))]);
}

fn label(page: &mut Html, at: (i64, i64), anchor: &str, text: &str) {
    let (x, y) = (at.0.to_string(), at.1.to_string());
    page.element("text", &[("x", &x), ("y", &y), ("text-anchor", anchor)], |page| page.text(text));
}
