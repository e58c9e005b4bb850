//! YAML and JSON as a tree that knows where everything was written.
//!
//! The mirror's configuration reads with it strictly; the scan of repositories takes what it can get and rewrites in
//! place. Therefore the tree decides nothing for them: it has a repeated key twice, it has the documents before a
//! fault, and every node has its line, its column and its bytes.
//!
//! Nothing here panics, recurses or grows beyond the text. Depth costs no stack. An alias is a reference to its anchor
//! and never a copy. Merge keys (`<<`) are followed on look-up, each mapping at most once, up to a limit.

mod read;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;

pub use saphyr_parser::ScalarStyle as Style;

/// The most that a mapping takes from those it merges, counted in mappings and entries. Nobody writes that many, but
/// one large mapping that thousands of others merge would cost the square of the text.
const MOST_MERGED: usize = 1_000;

/// A place in a text. Line and column are counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Why a text is not YAML, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// The place, for a person to read.
    pub at: Position,
    /// The place as a byte offset.
    pub offset: usize,
    /// The parser's message.
    pub message: String,
}

/// All documents of a text, and the text in the form that its reader wants to keep.
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

    /// The documents. A document with nothing but comments is not among them.
    pub fn documents(&self) -> impl Iterator<Item = Node<'_, T>> {
        self.roots.iter().map(|&id| Node { tree: self, id })
    }

    /// Every mapping that is written in any document, at any depth, once.
    pub fn mappings(&self) -> impl Iterator<Item = Node<'_, T>> {
        (0..self.nodes.len())
            .filter(|&id| matches!(self.nodes[id].kind, StoredKind::Mapping(_)))
            .map(|id| Node { tree: self, id })
    }
}

/// A node of a tree. Every method but [`Node::position`] follows aliases.
pub struct Node<'t, T> {
    tree: &'t Tree<T>,
    id: usize,
}

/// What a node is.
pub enum Shape<'t, T> {
    /// Nothing, or `null`.
    Null,
    /// A scalar's text, and how it was quoted.
    Scalar(&'t str, Style),
    /// A list.
    Sequence(Vec<Node<'t, T>>),
    /// Keys with their values, in the order in which they were written. Repeated keys and merge keys are among them.
    Mapping(Vec<(Node<'t, T>, Node<'t, T>)>),
}

// Not derived: a derive would demand `T: Clone`, and a node is only a reference to the tree.
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

    /// Identifies the node within its tree; an alias has the id of the node that it stands for.
    pub fn id(self) -> usize {
        match self.tree.nodes[self.id].kind {
            // An anchor is never itself an alias.
            StoredKind::Alias(target) => target,
            StoredKind::Scalar { .. } | StoredKind::Sequence(_) | StoredKind::Mapping(_) => self.id,
        }
    }

    /// The text that this node is part of.
    pub fn source(self) -> &'t T {
        &self.tree.text
    }

    /// Where this node was written; for an alias, where the alias is.
    pub fn position(self) -> Position {
        self.tree.nodes[self.id].at
    }

    /// The byte range of the node. A scalar's range includes its quotes, and may begin with a tag and an anchor.
    pub fn span(self) -> Range<usize> {
        self.stored().span.clone()
    }

    /// What this node is.
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

    pub fn is_mapping(self) -> bool {
        matches!(self.stored().kind, StoredKind::Mapping(_))
    }

    pub fn is_sequence(self) -> bool {
        matches!(self.stored().kind, StoredKind::Sequence(_))
    }

    /// The items of a sequence; empty for any other node.
    pub fn items(self) -> Vec<Self> {
        match &self.stored().kind {
            StoredKind::Sequence(items) => items.iter().map(|&id| Self::of(self.tree, id)).collect(),
            StoredKind::Scalar { .. } | StoredKind::Mapping(_) | StoredKind::Alias(_) => Vec::new(),
        }
    }

    /// The value under a key of this mapping or of the mappings that it merges.
    pub fn get(self, key: &str) -> Option<Self> {
        self.own(key).or_else(|| self.merged().into_iter().skip(1).find_map(|mapping| mapping.own(key)))
    }

    /// The value at the end of a path of keys.
    pub fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a mapping, then those of the mappings it merges; a key that comes again is left out.
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

    /// The entries that are written in this mapping itself, repeated keys included.
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
        // The last of repeated keys counts.
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
                // At most `left` of the items can be looked at.
                StoredKind::Sequence(items) => {
                    waiting.extend(items.iter().take(left).rev().map(|&id| Self::of(self.tree, id)))
                }
                StoredKind::Scalar { .. } | StoredKind::Mapping(_) | StoredKind::Alias(_) => {}
            }
        }
        found
    }
}

/// Whether YAML 1.2's core schema reads the scalar as null.
fn is_null(value: &str, style: Style) -> bool {
    style == Style::Plain && matches!(value, "" | "~" | "null" | "Null" | "NULL")
}
