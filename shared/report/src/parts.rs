//! The parts that pages of HTML are made of, and the one function that writes a page out.
//!
//! maud closes every element where it is opened and escapes every text. [`written`] does the rest for the whole page at
//! once, so that no text can be forgotten.

use maud::{Markup, Render, html};

use super::Moment;
use super::when::When;
use pullsafe::foreign::visible;
use pullsafe::timestamp::Timestamp;

/// Writes a page as text. Characters that are invisible, or that change the direction of others, are shown by their
/// number, since HTML itself needs none of them. Apostrophes, which maud leaves as they are, are escaped; the style
/// sheets have none.
pub(super) fn written(page: Markup) -> String {
    visible(&page.into_string()).replace('\'', "&#39;")
}

/// Draws a heading of a level; other elements refer to it by `id`.
pub(super) fn heading(level: usize, id: Option<&str>, text: &str) -> Markup {
    match level {
        0 | 1 => html! { h1 id=[id] { (text) } },
        2 => html! { h2 id=[id] { (text) } },
        3 => html! { h3 id=[id] { (text) } },
        _ => html! { h4 id=[id] { (text) } },
    }
}

/// Draws a part of an article whose own heading has this level.
pub(super) fn section(level: usize, title: &str, content: impl Render) -> Markup {
    html! { section { (heading(level + 1, None, title)) (content) } }
}

/// Draws a summary whose content is shown when a reader opens it.
pub(super) fn details(summary: &str, content: impl Render) -> Markup {
    html! { details { summary { (summary) } (content) } }
}

/// Draws a list without an order.
pub(super) fn list<T: Render>(items: impl IntoIterator<Item = T>) -> Markup {
    html! { ul { @for item in items { li { (item) } } } }
}

/// Draws a text whose lines stay as they are.
pub(super) fn block(text: &str) -> Markup {
    html! { pre tabindex="0" { (text) } }
}

/// Draws a text in which backticks stand around code, as in advice.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    html! {
        @if parts.len().is_multiple_of(2) {
            (text)
        } @else {
            @for (index, part) in parts.iter().enumerate() { @if index % 2 == 1 { code { (part) } } @else { (part) } }
        }
    }
}

/// Draws a moment, for programs and for people.
pub(super) fn time(at: Timestamp, when: &When) -> Markup {
    html! { time datetime=(at) { (when.at(at)) } }
}

/// Draws a line of a timeline.
pub(super) fn moment(moment: &Moment, when: &When) -> Markup {
    html! { (time(moment.at, when)) " " (when.text(&moment.what)) }
}

/// Draws a table with a caption and column heads; the first cell of each row is the head of the row. The table scrolls
/// by itself where the page is narrow. Where there is no room for columns, each cell shows its column's head beside it.
pub(super) fn table<const N: usize>(
    caption: &str,
    heads: [&str; N],
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, (head, cell)) in heads.iter().zip(row).enumerate() {
                                @if index == 0 { th scope="row" { (cell) } } @else { td data-label=(head) { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Draws a text as the cell of a table.
pub(super) fn cell(text: impl std::fmt::Display) -> Markup {
    html! { (text) }
}
