//! YAML and JSON of a file, each scalar with the bytes that its author typed.
//!
//! The tree is that of [`pullsafe_yaml`]; what is added here is the way from one of its scalars to
//! [`Traced`] text, through quotes, tags and blocks.

use pullsafe_yaml as yaml;
use pullsafe_yaml::Style;

use crate::traced::{ByteOrigin, Quoting, Traced, align};
use crate::yaml_indent::indented;

/// Every YAML document of a text.
pub type TracedTree = yaml::Tree<Traced>;
/// A node of such a tree.
pub type TracedNode<'t> = yaml::Node<'t, Traced>;

/// Reads a text; where it is broken, once more with its flow collections and quoted texts indented.
///
/// `command: [` with its `]` on a line of its own at the column of the key is YAML for everybody but the parser.
pub fn read(text: Traced) -> (TracedTree, Option<yaml::YamlError>) {
    let (tree, broken) = TracedTree::read(text);
    let Some(first) = broken else { return (tree, None) };
    let Some(indented) = indented(tree.text()) else {
        return (tree, Some(first));
    };
    match TracedTree::read(indented) {
        (indented, None) => (indented, None),
        (_, Some(_)) => (tree, Some(first)),
    }
}

/// Where a node's content was written.
pub trait WrittenAt {
    /// A scalar's value with its origin; of anything else, null included, none.
    fn text(self) -> Option<Traced>;

    /// Where it begins.
    fn origin(self) -> Option<ByteOrigin>;
}

impl WrittenAt for TracedNode<'_> {
    fn text(self) -> Option<Traced> {
        let (value, style) = (self.scalar()?, self.style()?);
        let source = self.source().slice(self.span());
        let quoting = match style {
            Style::SingleQuoted => Quoting::Single,
            Style::DoubleQuoted => Quoting::Backslash,
            Style::Plain | Style::Literal | Style::Folded => Quoting::None,
        };
        let mut start = content_start(source.as_str(), quoting);
        // The span of a block scalar begins at its content, but at its tag or anchor where it has one.
        if start > 0 && matches!(style, Style::Literal | Style::Folded) {
            start += source.as_str()[start..].find('\n').map_or(0, |end| end + 1);
        }
        let end = source.as_str().len() - usize::from(quoting != Quoting::None && source.as_str().len() > start);
        Some(align(value, &source.slice(start..end), quoting))
    }

    fn origin(self) -> Option<ByteOrigin> {
        self.source().origin(self.span().start)
    }
}

/// Where the content begins in a span that may begin with a tag, an anchor and a quote.
fn content_start(span: &str, quoting: Quoting) -> usize {
    let mut start = 0;
    while span[start..].starts_with(['!', '&']) {
        let rest = &span[start..];
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        start += word + (rest[word..].len() - rest[word..].trim_start().len());
    }
    start + usize::from(quoting != Quoting::None && span[start..].starts_with(['\'', '"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_of_scalar_knows_where_it_was_written() {
        for (text, value, at) in [
            ("a: redis:7\n", "redis:7", 3),
            ("a: 'redis:7'\n", "redis:7", 4),
            ("a: &x !Sub \"redis:7\"\n", "redis:7", 12),
            ("a: |\n  redis:7\n", "redis:7\n", 7),
            ("a: !Sub |\n  redis:7\n", "redis:7\n", 12),
            ("é: >-\n  redis:7\n", "redis:7", 9),
            ("{\"a\": \"redis:7\"}", "redis:7", 7),
            ("\u{feff}a: redis:7\r\n", "redis:7", 6),
        ] {
            let (tree, broken) = TracedTree::read(Traced::written(text, ByteOrigin { source: 0, offset: 0 }));
            assert!(broken.is_none(), "{broken:?}");
            let node = tree.documents().next().unwrap().entries()[0].1;
            let traced = node.text().unwrap();
            assert_eq!(traced.as_str(), value);
            assert_eq!(traced.written_at(0..7), Some((0, at..at + 7)), "{text:?}");
        }
    }
}
