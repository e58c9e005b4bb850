//! Writes HTML: every element is closed where it is opened and every text is escaped, because nothing can be written in
//! another way.

use super::Moment;
use super::when::When;
use pullsafe::foreign::{html, visible};
use pullsafe::timestamp::Timestamp;

/// A page being written. It can only grow by whole elements and escaped texts.
pub(super) struct Html(pub(super) String);

impl Html {
    /// A page, after its document type.
    pub(super) fn document() -> Self {
        Self(String::from("<!doctype html>\n"))
    }

    /// Nothing yet.
    pub(super) fn fragment() -> Self {
        Self(String::new())
    }

    /// What was written.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// An element with its content. Names are this crate's own, values are escaped.
    pub(super) fn element(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        self.open(tag, attributes);
        self.0.push('>');
        content(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// An element without content.
    pub(super) fn void(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.open(tag, attributes);
        self.0.push_str("/>");
    }

    pub(super) fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push_str(&format!(" {name}=\"{}\"", html(value)));
        }
    }

    /// A text, escaped.
    pub(super) fn text(&mut self, text: &str) {
        self.0.push_str(&html(text));
    }

    /// A style sheet. It is this crate's own text: nothing from outside may come here.
    pub(super) fn style(&mut self, css: &str) {
        self.element("style", &[], |page| page.0.push_str(css));
    }

    /// A paragraph of text.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.element("p", &[], |page| page.text(text));
    }

    pub(super) fn block(&mut self, text: &str) {
        self.element("pre", &[("tabindex", "0")], |page| page.text(&visible(text)));
    }

    /// A cell under a head, which stands beside it where the page is too narrow for columns.
    pub(super) fn cell(&mut self, head: &str, text: &str) {
        self.element("td", &[("data-label", head)], |page| page.text(text));
    }

    pub(super) fn time(&mut self, at: Timestamp, when: &When) {
        self.element("time", &[("datetime", &at.to_string())], |page| page.text(&when.at(at)));
    }

    pub(super) fn moment(&mut self, moment: &Moment, when: &When) {
        self.time(moment.at, when);
        self.text(" ");
        self.text(&when.text(&moment.what));
    }

    pub(super) fn section(&mut self, level: usize, title: &str, content: impl FnOnce(&mut Self)) {
        self.element("section", &[], |page| {
            page.element(heading(level + 1), &[], |page| page.text(title));
            content(page);
        });
    }

    pub(super) fn details(&mut self, summary: &str, content: impl FnOnce(&mut Self)) {
        self.element("details", &[], |page| {
            page.element("summary", &[], |page| page.text(summary));
            content(page);
        });
    }

    /// A table with a caption and column heads; it scrolls by itself where the page is narrow.
    pub(super) fn table(&mut self, caption: &str, heads: &[&str], rows: impl FnOnce(&mut Self)) {
        self.element(
            "div",
            &[("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-label", caption)],
            |page| {
                page.element("table", &[], |page| {
                    page.element("caption", &[], |page| page.text(caption));
                    page.element("thead", &[], |page| {
                        page.element("tr", &[], |page| {
                            heads
                                .iter()
                                .for_each(|head| page.element("th", &[("scope", "col")], |page| page.text(head)));
                        });
                    });
                    page.element("tbody", &[], rows);
                });
            },
        );
    }
}

pub(super) const fn heading(level: usize) -> &'static str {
    match level {
        0 | 1 => "h1",
        2 => "h2",
        3 => "h3",
        _ => "h4",
    }
}
