//! The parts that pages are made of, and the one way by which a page leaves.
//!
//! maud closes every element where it is opened and escapes every text. What it leaves is done in [`written`] for the
//! whole page at once, so that no text can be forgotten.

use maud::{Markup, Render, html};

use super::Moment;
use super::when::When;
use pullsafe::foreign::visible;
use pullsafe::timestamp::Timestamp;

/// A page as text. Characters that cannot be seen, or that turn others around, are shown by their number: nothing of
/// HTML is written with one. Neither are the style sheets with an apostrophe, which maud leaves as it is.
pub(super) fn written(page: Markup) -> String {
    visible(&page.into_string()).replace('\'', "&#39;")
}

/// A heading of a level; `id` is by what others refer to it.
pub(super) fn heading(level: usize, id: Option<&str>, text: &str) -> Markup {
    match level {
        0 | 1 => html! { h1 id=[id] { (text) } },
        2 => html! { h2 id=[id] { (text) } },
        3 => html! { h3 id=[id] { (text) } },
        _ => html! { h4 id=[id] { (text) } },
    }
}

/// A part of an article whose own heading has this level.
pub(super) fn section(level: usize, title: &str, content: impl Render) -> Markup {
    html! { section { (heading(level + 1, None, title)) (content) } }
}

/// What is shown when it is asked for.
pub(super) fn details(summary: &str, content: impl Render) -> Markup {
    html! { details { summary { (summary) } (content) } }
}

/// A list without an order.
pub(super) fn list<T: Render>(items: impl IntoIterator<Item = T>) -> Markup {
    html! { ul { @for item in items { li { (item) } } } }
}

/// A text whose lines stay as they are.
pub(super) fn block(text: &str) -> Markup {
    html! { pre tabindex="0" { (text) } }
}

/// A text in which backticks stand around code, as in advice.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    html! {
        @if parts.len().is_multiple_of(2) {
            (text)
        } @else {
            @for (index, part) in parts.iter().enumerate() { @if !index.is_multiple_of(2) { code { (part) } } @else { (part) } }
        }
    }
}

/// A moment, as programs and as people read it.
pub(super) fn time(at: Timestamp, when: &When) -> Markup {
    html! { time datetime=(at) { (when.at(at)) } }
}

/// A line of a timeline.
pub(super) fn moment(moment: &Moment, when: &When) -> Markup {
    html! { (time(moment.at, when)) " " (when.text(&moment.what)) }
}

/// A table with a caption and column heads, of which the first cell of a row is its head. It scrolls by itself where
/// the page is narrow, and each cell has its head beside it where there is no room for columns.
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

/// A text as the cell of a table.
pub(super) fn cell(text: impl std::fmt::Display) -> Markup {
    html! { (text) }
}
