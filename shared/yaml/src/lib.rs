//! YAML and JSON as a tree that knows where everything was written.
//!
//! Read by the mirror's configuration, which is strict, and by the scan of repositories, which takes what it can get
//! and rewrites in place. Therefore the tree decides nothing for them: a repeated key is there twice, documents before
//! a fault are there, and every node has its line, its column and its bytes.
//!
//! Nothing here panics, recurses or grows beyond the text: depth costs no stack, an alias is a reference to its anchor
//! and never a copy, and merge keys (`<<`) are followed on look-up, each mapping at most once and not without end.

mod read;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;

pub use saphyr_parser::ScalarStyle as Style;

/// A mapping takes no more than so much from those it merges, counted in mappings and entries. Nobody writes as many,
/// but one large mapping that thousands of others merge would cost the square of the text.
const MOST_MERGED: usize = 1_000;

/// A place in a text, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Why a text is not YAML, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Where, for a person.
    pub at: Position,
    /// The same in bytes.
    pub offset: usize,
    /// The parser's words.
    pub message: String,
}

/// Every document of a text, and the text as its reader wants to keep it.
pub struct Tree<T> {
    text: T,
    nodes: Vec<StoredNode>,
    roots: Vec<usize>,
}

struct StoredNode {
    at: Position,
    span: Range<usize>,
    tag: Option<String>,
    kind: StoredKind,
}

enum StoredKind {
    Scalar { value: String, style: Style },
    Sequence(Vec<usize>),
    Mapping(Vec<(usize, usize)>),
    Alias(usize),
}

impl<T> Tree<T> {
    /// The text that was read.
    pub fn text(&self) -> &T {
        &self.text
    }

    /// The documents. One that is empty but for comments is not among them.
    pub fn documents(&self) -> impl Iterator<Item = Node<'_, T>> {
        self.roots.iter().map(|&id| Node { tree: self, id })
    }

    /// Every mapping that is written in a document, wherever it stands, once.
    pub fn mappings(&self) -> impl Iterator<Item = Node<'_, T>> {
        (0..self.nodes.len())
            .filter(|&id| matches!(self.nodes[id].kind, StoredKind::Mapping(_)))
            .map(|id| Node { tree: self, id })
    }
}

/// A node of a tree. Aliases are followed by every method but [`Node::position`].
pub struct Node<'t, T> {
    tree: &'t Tree<T>,
    id: usize,
}

/// What a node is.
pub enum Shape<'t, T> {
    /// Nothing was written, or `null`.
    Null,
    /// A scalar, and how it was written.
    Scalar(&'t str, Style),
    /// A list.
    Sequence(Vec<Node<'t, T>>),
    /// Keys with their values, in the order in which they were written. Repeated keys and merge keys are among them.
    Mapping(Vec<(Node<'t, T>, Node<'t, T>)>),
}

// Not derived: a node is a reference, whatever the text is kept as.
impl<T> Clone for Node<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Node<'_, T> {}

impl<'t, T> Node<'t, T> {
    fn of(tree: &'t Tree<T>, id: usize) -> Self {
        Self { tree, id }
    }

    fn stored(self) -> &'t StoredNode {
        &self.tree.nodes[self.id()]
    }

    /// What tells this node from others of its tree; an alias is the node that it stands for.
    pub fn id(self) -> usize {
        match self.tree.nodes[self.id].kind {
            // An anchor is never itself an alias.
            StoredKind::Alias(target) => target,
            StoredKind::Scalar { .. } | StoredKind::Sequence(_) | StoredKind::Mapping(_) => self.id,
        }
    }

    /// The text that this is a part of.
    pub fn source(self) -> &'t T {
        &self.tree.text
    }

    /// Where this was written; of an alias, where the alias was.
    pub fn position(self) -> Position {
        self.tree.nodes[self.id].at
    }

    /// The bytes of it. Those of a scalar may begin with a tag and an anchor, and have its quotes.
    pub fn span(self) -> Range<usize> {
        self.stored().span.clone()
    }

    /// What this is.
    pub fn shape(self) -> Shape<'t, T> {
        let node = |id: usize| Self::of(self.tree, id);
        match &self.stored().kind {
            StoredKind::Scalar { value, style } if is_null(value, *style) => Shape::Null,
            StoredKind::Scalar { value, style } => Shape::Scalar(value, *style),
            StoredKind::Sequence(items) => Shape::Sequence(items.iter().copied().map(node).collect()),
            StoredKind::Mapping(entries) => {
                Shape::Mapping(entries.iter().map(|&(key, value)| (node(key), node(value))).collect())
            }
            StoredKind::Alias(_) => Shape::Null,
        }
    }

    /// The local tag without its `!`: `Sub`, `Ref`, `reference`.
    pub fn tag(self) -> Option<&'t str> {
        self.stored().tag.as_deref()
    }

    /// The value of a scalar that is not null.
    pub fn scalar(self) -> Option<&'t str> {
        match &self.stored().kind {
            StoredKind::Scalar { value, style } if !is_null(value, *style) => Some(value),
            StoredKind::Scalar { .. } | StoredKind::Sequence(_) | StoredKind::Mapping(_) | StoredKind::Alias(_) => None,
        }
    }

    /// How a scalar was written.
    pub fn style(self) -> Option<Style> {
        match self.stored().kind {
            StoredKind::Scalar { style, .. } => Some(style),
            StoredKind::Sequence(_) | StoredKind::Mapping(_) | StoredKind::Alias(_) => None,
        }
    }

    /// Whether this is a mapping.
    pub fn is_mapping(self) -> bool {
        matches!(self.stored().kind, StoredKind::Mapping(_))
    }

    /// Whether this is a sequence.
    pub fn is_sequence(self) -> bool {
        matches!(self.stored().kind, StoredKind::Sequence(_))
    }

    /// The items of a sequence; of anything else none.
    pub fn items(self) -> Vec<Self> {
        match &self.stored().kind {
            StoredKind::Sequence(items) => items.iter().map(|&id| Self::of(self.tree, id)).collect(),
            StoredKind::Scalar { .. } | StoredKind::Mapping(_) | StoredKind::Alias(_) => Vec::new(),
        }
    }

    /// The value under a key of a mapping, its merged mappings included.
    pub fn get(self, key: &str) -> Option<Self> {
        self.own(key).or_else(|| self.merged().into_iter().skip(1).find_map(|mapping| mapping.own(key)))
    }

    /// The value at the end of a path of keys.
    pub fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a mapping, those of merged mappings after its own; a key that comes again is left out.
    pub fn entries(self) -> Vec<(&'t str, Self)> {
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
    pub fn own_entries(self) -> impl Iterator<Item = (&'t str, Self)> {
        let tree = self.tree;
        self.pairs()
            .iter()
            .filter_map(move |&(key, value)| Some((Self::of(tree, key).scalar()?, Self::of(tree, value))))
    }

    fn pairs(self) -> &'t [(usize, usize)] {
        match &self.stored().kind {
            StoredKind::Mapping(entries) => entries,
            StoredKind::Scalar { .. } | StoredKind::Sequence(_) | StoredKind::Alias(_) => &[],
        }
    }

    fn own(self, key: &str) -> Option<Self> {
        // Of a repeated key the last one counts.
        self.own_entries().filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }

    /// This mapping and those it merges, in order of precedence, each once.
    fn merged(self) -> Vec<Self> {
        let mut found = vec![self];
        let Some(first) = self.own("<<") else { return found };
        let mut seen = HashSet::from([self.id()]);
        let mut waiting = vec![first];
        let mut left = MOST_MERGED;
        while let Some(node) = waiting.pop() {
            if left == 0 {
                break;
            }
            left -= 1;
            if !seen.insert(node.id()) {
                continue;
            }
            match &node.stored().kind {
                StoredKind::Mapping(entries) if entries.len() <= left => {
                    left -= entries.len();
                    found.push(node);
                    waiting.extend(node.own("<<"));
                }
                // More of them could not be looked at.
                StoredKind::Sequence(items) => {
                    waiting.extend(items.iter().take(left).rev().map(|&id| Self::of(self.tree, id)))
                }
                StoredKind::Scalar { .. } | StoredKind::Mapping(_) | StoredKind::Alias(_) => {}
            }
        }
        found
    }
}

/// Null is what the core schema of YAML 1.2 takes for it.
fn is_null(value: &str, style: Style) -> bool {
    style == Style::Plain && matches!(value, "" | "~" | "null" | "Null" | "NULL")
}
