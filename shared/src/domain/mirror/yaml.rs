//! YAML as a tree that knows where everything was written.
//!
//! Built from the parser's events without recursion. An alias refers to its anchor and is never copied, and whoever reads
//! the tree counts what it visits, so that a document made of aliases to aliases costs no more than it may.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// A place in a text, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Position {
    fn of(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// The only document of a text.
pub(super) struct Tree {
    nodes: Vec<Stored>,
    root: Option<usize>,
}

struct Stored {
    at: Position,
    kind: Kind,
}

enum Kind {
    Scalar { value: String, plain: bool },
    Sequence(Vec<usize>),
    Mapping(Vec<(usize, usize)>),
    Alias(usize),
}

/// Why a text is no YAML document, and where.
pub(super) struct Broken {
    pub(super) at: Position,
    pub(super) why: String,
}

impl Tree {
    /// Reads a text with at most one document.
    pub(super) fn read(text: &str) -> Result<Self, Broken> {
        let mut tree = Self { nodes: Vec::new(), root: None };
        let mut anchors: HashMap<usize, usize> = HashMap::new();
        // Containers that are open: the node, and for a mapping the key that waits for its value.
        let mut open: Vec<(usize, Option<usize>)> = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| Broken { at: Position::of(error.marker()), why: error.info().to_owned() })?;
            let at = Position::of(&span.start);
            let (anchor, kind) = match event {
                Event::Scalar(value, style, anchor, _) => {
                    (anchor, Kind::Scalar { value: value.into_owned(), plain: style == ScalarStyle::Plain })
                }
                Event::SequenceStart(anchor, _) => (anchor, Kind::Sequence(Vec::new())),
                Event::MappingStart(anchor, _) => (anchor, Kind::Mapping(Vec::new())),
                Event::Alias(anchor) => {
                    let Some(&target) = anchors.get(&anchor) else {
                        return Err(Broken { at, why: "an alias without an anchor".to_owned() });
                    };
                    (0, Kind::Alias(target))
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    continue;
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => continue,
            };
            let node = tree.nodes.len();
            let opens = matches!(kind, Kind::Sequence(_) | Kind::Mapping(_));
            tree.nodes.push(Stored { at, kind });
            if anchor != 0 {
                anchors.insert(anchor, node);
            }
            if open.is_empty() && tree.root.replace(node).is_some() {
                return Err(Broken { at, why: "a second document; one text is one configuration".to_owned() });
            }
            tree.attach(node, open.last_mut());
            if opens {
                open.push((node, None));
            }
        }
        Ok(tree)
    }

    fn attach(&mut self, node: usize, parent: Option<&mut (usize, Option<usize>)>) {
        let Some((parent, key)) = parent else { return };
        match &mut self.nodes[*parent].kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(entries) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }

    /// The document; `None` if the text has nothing but comments.
    pub(super) fn root(&self) -> Option<Node<'_>> {
        self.root.map(|id| Node { tree: self, id })
    }
}

/// A node of a tree. Aliases are followed by every method but [`Node::at`].
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    tree: &'t Tree,
    id: usize,
}

/// What a node is.
pub(super) enum Shape<'t> {
    /// Nothing was written, or `null`.
    Null,
    /// A scalar; whether it was written without quotes.
    Scalar(&'t str, bool),
    /// A list.
    Sequence(Vec<Node<'t>>),
    /// Keys with their values, in the order in which they were written.
    Mapping(Vec<(Node<'t>, Node<'t>)>),
}

impl<'t> Node<'t> {
    /// Where this was written.
    pub(super) fn at(self) -> Position {
        self.tree.nodes[self.id].at
    }

    /// What this is.
    pub(super) fn shape(self) -> Shape<'t> {
        let tree = self.tree;
        let node = |id: usize| Node { tree, id };
        let stored = &tree.nodes[self.id];
        let kind = match &stored.kind {
            // An anchor is never itself an alias.
            Kind::Alias(target) => &tree.nodes[*target].kind,
            own @ (Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_)) => own,
        };
        match kind {
            Kind::Scalar { value, plain: true } if matches!(value.as_str(), "" | "~" | "null" | "Null" | "NULL") => Shape::Null,
            Kind::Scalar { value, plain } => Shape::Scalar(value, *plain),
            Kind::Sequence(items) => Shape::Sequence(items.iter().copied().map(node).collect()),
            Kind::Mapping(entries) => Shape::Mapping(entries.iter().map(|&(key, value)| (node(key), node(value))).collect()),
            Kind::Alias(_) => Shape::Null,
        }
    }
}
