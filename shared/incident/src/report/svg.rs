//! The quota's window as inline SVG: a curve of the tries in the window, the limit, the launches, the moment.
//!
//! It takes its colours from the page's style by class names, has a title and a description for those who do not see
//! it, and refers to nothing outside.

use super::html::Html;
use super::quota::{CAVEAT, Quota};
use pullsafe::timestamp::Timestamp;

const WIDTH: i64 = 480;
const HEIGHT: i64 = 220;
const LEFT: i64 = 44;
const RIGHT: i64 = 12;
const TOP: i64 = 18;
const BOTTOM: i64 = 44;
/// The height of a label.
const LABEL: i64 = 14;

/// Draws it; `id` makes the names in it unique on the page.
pub(super) fn draw(page: &mut Html, quota: &Quota, id: &str) {
    let span = quota.until.seconds_since(quota.from).max(1);
    let top = i64::from(quota.height());
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
        page.element("title", &[("id", &title)], |page| page.text("Docker Hub pulls tried in a sliding window of six hours (estimate)"));
        page.element("desc", &[("id", &description)], |page| page.text(&format!("{} {CAVEAT}", quota.sentences().join(" "))));
        let (zero, right) = (y(0), WIDTH - RIGHT);
        page.void("path", &[("class", "area"), ("d", &format!("{} L{right} {zero} L{LEFT} {zero} Z", curve(quota, x, y)))]);
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
                page.element("title", &[], |page| page.text(&format!("{}: a launch tried {} pull(s)", used.at, used.pulls)));
            });
        }
        if let Some(refused) = quota.refused_at.filter(|refused| *refused >= quota.from) {
            line(page, "refused", (x(refused), y(quota.limit)), (x(refused), zero));
            let (side, anchor) = if x(refused) > WIDTH / 2 { (-5, "end") } else { (5, "start") };
            label(page, (x(refused) + side, y(quota.limit) + 16), anchor, "refused: nothing left");
        }
        if quota.at >= quota.from && quota.at <= quota.until {
            line(page, "now", (x(quota.at), TOP), (x(quota.at), zero));
            let anchor = if x(quota.at) > WIDTH / 2 { "end" } else { "start" };
            label(page, (x(quota.at), TOP - 5), anchor, &format!("as of {}", clock(quota.at)));
        }
        label(page, (LEFT, HEIGHT - 14), "start", &clock(quota.from));
        label(page, (right, HEIGHT - 14), "end", &clock(quota.until));
    });
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

/// A moment without its seconds: `2026-01-15 19:47`.
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) if text.ends_with('Z') => format!("{day} {time}Z"),
        _ => text,
    }
}
