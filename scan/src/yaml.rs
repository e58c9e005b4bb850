//! YAML and JSON as a tree that knows where everything was written.
//!
//! Built from the parser's events without recursion: depth costs no stack, and an alias is a reference to its anchor,
//! never a copy, so that a document made of aliases to aliases stays as small as its text. Merge keys (`<<`) are
//! followed on look-up, each mapping at most once.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::traced::{Origin, Quoting, Traced, align};

/// Every YAML document of a text.
pub(crate) struct Tree {
    text: Traced,
    nodes: Vec<Stored>,
    roots: Vec<usize>,
}

struct Stored {
    tag: Option<String>,
    span: Range<usize>,
    kind: Kind,
}

enum Kind {
    Scalar { value: String, style: ScalarStyle },
    Sequence(Vec<usize>),
    Mapping(Vec<(usize, usize)>),
    Alias(usize),
}

/// Why a text is not YAML, and where.
#[derive(Debug)]
pub(crate) struct Broken {
    /// Byte offset.
    pub(crate) offset: usize,
    /// The parser's words.
    pub(crate) message: String,
}

impl Tree {
    /// Reads a text. Documents before a fault are in the tree all the same.
    pub(crate) fn read(text: &Traced) -> (Self, Option<Broken>) {
        let bytes = Bytes::of(text.as_str());
        let mut tree = Self { text: text.clone(), nodes: Vec::new(), roots: Vec::new() };
        let mut anchors: HashMap<usize, usize> = HashMap::new();
        // Containers that are open: the node, and for a mapping the key that waits for its value.
        let mut open: Vec<(usize, Option<usize>)> = Vec::new();
        for event in Parser::new_from_str(text.as_str()) {
            let (event, span) = match event {
                Ok(next) => next,
                Err(error) => {
                    let offset = bytes.offset(error.marker().index());
                    return (tree, Some(Broken { offset, message: error.info().to_owned() }));
                }
            };
            let span = bytes.offset(span.start.index())..bytes.offset(span.end.index());
            let (anchor, tag, kind) = match event {
                Event::Scalar(value, style, anchor, tag) => (anchor, tag, Kind::Scalar { value: value.into_owned(), style }),
                Event::SequenceStart(anchor, tag) => (anchor, tag, Kind::Sequence(Vec::new())),
                Event::MappingStart(anchor, tag) => (anchor, tag, Kind::Mapping(Vec::new())),
                Event::Alias(anchor) => {
                    let Some(&target) = anchors.get(&anchor) else { continue };
                    (0, None, Kind::Alias(target))
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some((closed, _)) = open.pop() {
                        tree.nodes[closed].span.end = span.end;
                    }
                    continue;
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => continue,
            };
            let node = tree.nodes.len();
            let opens = matches!(kind, Kind::Sequence(_) | Kind::Mapping(_));
            let tag = tag.filter(|tag| !tag.is_yaml_core_schema()).map(|tag| tag.suffix.clone());
            tree.nodes.push(Stored { tag, span, kind });
            if anchor != 0 {
                anchors.insert(anchor, node);
            }
            tree.attach(node, open.last_mut());
            if opens {
                open.push((node, None));
            }
        }
        (tree, None)
    }

    fn attach(&mut self, node: usize, parent: Option<&mut (usize, Option<usize>)>) {
        let Some((parent, key)) = parent else {
            self.roots.push(node);
            return;
        };
        match &mut self.nodes[*parent].kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(entries) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }

    /// The documents.
    pub(crate) fn documents(&self) -> impl Iterator<Item = Node<'_>> {
        self.roots.iter().map(|&id| Node { tree: self, id })
    }

    /// Every mapping that is written in a document, wherever it stands, once.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.nodes.len()).filter(|&id| matches!(self.nodes[id].kind, Kind::Mapping(_))).map(|id| Node { tree: self, id })
    }
}

/// A node of a tree. Aliases are followed by every method.
#[derive(Clone, Copy)]
pub(crate) struct Node<'t> {
    tree: &'t Tree,
    id: usize,
}

impl<'t> Node<'t> {
    fn stored(self) -> &'t Stored {
        let stored = &self.tree.nodes[self.id];
        match stored.kind {
            // An anchor is never itself an alias.
            Kind::Alias(target) => &self.tree.nodes[target],
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_) => stored,
        }
    }

    /// What tells this node from others; an alias is the node that it stands for.
    pub(crate) fn id(self) -> usize {
        match self.tree.nodes[self.id].kind {
            Kind::Alias(target) => target,
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_) => self.id,
        }
    }

    /// The local tag without its `!`: `Sub`, `Ref`, `reference`.
    pub(crate) fn tag(self) -> Option<&'t str> {
        self.stored().tag.as_deref()
    }

    /// The value of a scalar that is not null.
    pub(crate) fn scalar(self) -> Option<&'t str> {
        match &self.stored().kind {
            Kind::Scalar { value, style } if *style != ScalarStyle::Plain || !matches!(value.as_str(), "" | "~" | "null") => Some(value),
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_) | Kind::Alias(_) => None,
        }
    }

    /// Whether this is a mapping.
    pub(crate) fn is_mapping(self) -> bool {
        matches!(self.stored().kind, Kind::Mapping(_))
    }

    /// Whether this is a sequence.
    pub(crate) fn is_sequence(self) -> bool {
        matches!(self.stored().kind, Kind::Sequence(_))
    }

    /// The items of a sequence; of anything else none.
    pub(crate) fn items(self) -> Vec<Node<'t>> {
        match &self.stored().kind {
            Kind::Sequence(items) => items.iter().map(|&id| Node { tree: self.tree, id }).collect(),
            Kind::Scalar { .. } | Kind::Mapping(_) | Kind::Alias(_) => Vec::new(),
        }
    }

    /// The value under a key of a mapping, its merged mappings included.
    pub(crate) fn get(self, key: &str) -> Option<Node<'t>> {
        self.merged().into_iter().find_map(|mapping| mapping.own(key))
    }

    /// The value at the end of a path of keys.
    pub(crate) fn at(self, path: &[&str]) -> Option<Node<'t>> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a mapping, those of merged mappings after its own; a key that comes again is left out.
    pub(crate) fn entries(self) -> Vec<(&'t str, Node<'t>)> {
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        for mapping in self.merged() {
            for (key, value) in mapping.own_entries() {
                if key != "<<" && seen.insert(key) {
                    entries.push((key, value));
                }
            }
        }
        entries
    }

    /// The entries that are written in this mapping itself, a repeated key included.
    pub(crate) fn own_entries(self) -> impl Iterator<Item = (&'t str, Node<'t>)> {
        let entries: &[(usize, usize)] = match &self.stored().kind {
            Kind::Mapping(entries) => entries,
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Alias(_) => &[],
        };
        let tree = self.tree;
        entries.iter().filter_map(move |&(key, value)| Some((Node { tree, id: key }.scalar()?, Node { tree, id: value })))
    }

    fn own(self, key: &str) -> Option<Node<'t>> {
        // Of a repeated key the last one counts.
        self.own_entries().filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }

    /// This mapping and those it merges, in order of precedence, each once.
    fn merged(self) -> Vec<Node<'t>> {
        let mut seen = HashSet::new();
        let mut waiting = vec![self];
        let mut found = Vec::new();
        while let Some(node) = waiting.pop() {
            if !seen.insert(std::ptr::from_ref(node.stored())) {
                continue;
            }
            match &node.stored().kind {
                Kind::Mapping(_) => {
                    found.push(node);
                    waiting.extend(node.own("<<"));
                }
                Kind::Sequence(_) => waiting.extend(node.items().into_iter().rev()),
                Kind::Scalar { .. } | Kind::Alias(_) => {}
            }
        }
        found
    }

    /// A scalar's value with its origin.
    pub(crate) fn text(self) -> Option<Traced> {
        let stored = self.stored();
        let Kind::Scalar { value, style } = &stored.kind else { return None };
        self.scalar()?;
        let source = self.tree.text.slice(stored.span.clone());
        let quoting = match style {
            ScalarStyle::SingleQuoted => Quoting::Single,
            ScalarStyle::DoubleQuoted => Quoting::Backslash,
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => Quoting::None,
        };
        let mut start = content_start(source.as_str(), quoting);
        // The span of a block scalar begins at its content, but at its tag or anchor where it has one.
        if start > 0 && matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            start += source.as_str()[start..].find('\n').map_or(0, |end| end + 1);
        }
        let end = source.as_str().len() - usize::from(quoting != Quoting::None && source.as_str().len() > start);
        Some(align(value, &source.slice(start..end), quoting))
    }

    /// Where this was written.
    pub(crate) fn origin(self) -> Option<Origin> {
        self.tree.text.origin(self.stored().span.start)
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

/// A name as a YAML key: plain where nothing else can be meant.
pub(crate) fn plain_or_quoted(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'.'))
        && !matches!(name.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// From the parser's character positions to byte offsets.
struct Bytes {
    /// Offsets of characters, kept only where the text is not ASCII.
    offsets: Option<Vec<u32>>,
    length: usize,
}

impl Bytes {
    fn of(text: &str) -> Self {
        let offsets = if text.is_ascii() {
            None
        } else {
            Some(text.char_indices().map(|(offset, _)| u32::try_from(offset).unwrap_or(u32::MAX)).collect())
        };
        Self { offsets, length: text.len() }
    }

    fn offset(&self, character: usize) -> usize {
        match &self.offsets {
            None => character.min(self.length),
            Some(offsets) => offsets.get(character).map_or(self.length, |&offset| offset as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tree {
        let (tree, broken) = Tree::read(&Traced::written(text, Origin { source: 0, offset: 0 }));
        assert!(broken.is_none(), "{broken:?}");
        tree
    }

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
            let tree = read(text);
            let node = tree.documents().next().unwrap().entries()[0].1;
            let traced = node.text().unwrap();
            assert_eq!(traced.as_str(), value);
            assert_eq!(traced.written_at(0..7), Some((0, at..at + 7)), "{text:?}");
        }
    }

    #[test]
    fn merges_are_followed_once_and_own_keys_win() {
        let tree = read("base: &b {image: a, x: 1}\nother: &o {<<: *b, image: b}\nuse: {<<: [*o, *b], x: 2}\n");
        let used = tree.documents().next().unwrap().get("use").unwrap();
        assert_eq!(used.get("image").and_then(Node::scalar), Some("b"));
        assert_eq!(used.entries().len(), 2);
        assert_eq!(used.get("x").and_then(Node::scalar), Some("2"));
    }

    #[test]
    fn a_bomb_of_aliases_stays_small() {
        let mut text = "a0: &a0 {image: x}\n".to_owned();
        for level in 1..40 {
            let before = level - 1;
            text.push_str(&format!("a{level}: &a{level} {{<<: [*a{before}, *a{before}, *a{before}, *a{before}]}}\n"));
        }
        let tree = read(&text);
        let last = tree.documents().next().unwrap().get("a39").unwrap();
        assert_eq!(last.get("image").and_then(Node::scalar), Some("x"));
        assert!(read("a: &a [*a, {<<: *a}]\n").mappings().count() == 2);
    }
}
