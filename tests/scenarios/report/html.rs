//! A strict check of HTML: every element is closed where it belongs, there are only our own elements and attributes,
//! and all text is escaped.

/// The elements that our pages consist of.
const ELEMENTS: &[&str] = &[
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "article",
    "section",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "dl",
    "dt",
    "dd",
    "ul",
    "ol",
    "li",
    "strong",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "figure",
    "figcaption",
    "pre",
    "del",
    "ins",
    "time",
    "details",
    "summary",
    "svg",
    "desc",
    "path",
    "text",
    "code",
    "a",
    "cwdb-action",
];
const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "name",
    "content",
    "http-equiv",
    "class",
    "id",
    "aria-labelledby",
    "aria-label",
    "role",
    "tabindex",
    "scope",
    "data-label",
    "datetime",
    "viewBox",
    "xmlns",
    "d",
    "x",
    "y",
    "text-anchor",
    "action",
    "confirmation",
    "display",
    "endpoint",
    "event",
];

/// Fails if the HTML is not what a page of ours may contain.
pub(crate) fn check(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").unwrap_or(html);
    while let Some(start) = rest.find('<') {
        text(&rest[..start], open.last() == Some(&"style"));
        let end = rest[start..].find('>').map(|end| start + end).expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed where it was opened");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(ELEMENTS.contains(&name), "<{name}> is none of ours");
        self::attributes(attributes);
        if name != "meta" {
            open.push(name);
        }
    }
    text(rest, false);
    assert!(open.is_empty(), "left open: {open:?}");
}

fn attributes(mut rest: &str) {
    while !rest.trim().is_empty() {
        let (name, after) = rest.trim_start().split_once("=\"").expect("an attribute has a value in quotes");
        assert!(ATTRIBUTES.contains(&name), "attribute {name} is none of ours");
        let (value, after) = after.split_once('"').expect("a value ends");
        text(value, false);
        rest = after;
    }
}

/// Checks that a text has no unescaped character with a meaning in HTML, and no invisible character.
fn text(text: &str, is_style: bool) {
    if is_style {
        assert!(!text.contains("url(") && !text.contains("@import"), "nothing is fetched");
        return;
    }
    assert!(!text.contains(['<', '>', '"', '\'']), "unescaped: {text}");
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|entity| text[at..].starts_with(entity));
        assert!(known, "a bare ampersand: {text}");
    }
    let unseen = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    assert!(!text.contains(unseen), "a character that cannot be seen: {text:?}");
}
