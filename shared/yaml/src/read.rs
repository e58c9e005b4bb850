//! Builds the tree from the parser's events, without recursion.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, Span};

use super::{Position, StoredKind, StoredNode, Tree, YamlError};

/// A container that is still open: its node, and for a mapping the key that waits for its value.
type Open = (usize, Option<usize>);

impl<T: AsRef<str>> Tree<T> {
    /// Reads a text. What comes before a fault is in the tree all the same.
    pub fn read(text: T) -> (Self, Option<YamlError>) {
        let mut nodes = Nodes::default();
        let broken = nodes.read(text.as_ref()).err();
        (Self { text, nodes: nodes.stored, roots: nodes.roots }, broken)
    }
}

#[derive(Default)]
struct Nodes {
    stored: Vec<StoredNode>,
    roots: Vec<usize>,
    anchors: HashMap<usize, usize>,
    open: Vec<Open>,
}

impl Nodes {
    fn read(&mut self, text: &str) -> Result<(), YamlError> {
        let bytes = Bytes::of(text);
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| bytes.broken(error.marker(), error.info()))?;
            self.take(event, span, &bytes)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, span: Span, bytes: &Bytes) -> Result<(), YamlError> {
        let (anchor, tag, kind) = match event {
            Event::Scalar(value, style, anchor, tag) => {
                (anchor, tag, StoredKind::Scalar { value: value.into_owned(), style })
            }
            Event::SequenceStart(anchor, tag) => (anchor, tag, StoredKind::Sequence(Vec::new())),
            Event::MappingStart(anchor, tag) => (anchor, tag, StoredKind::Mapping(Vec::new())),
            Event::Alias(anchor) => {
                let target =
                    self.anchors.get(&anchor).ok_or_else(|| bytes.broken(&span.start, "an alias without an anchor"))?;
                (0, None, StoredKind::Alias(*target))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((closed, _)) = self.open.pop() {
                    self.stored[closed].span.end = bytes.offset(span.end.index());
                }
                return Ok(());
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                return Ok(());
            }
        };
        let node = self.stored.len();
        let opens = matches!(kind, StoredKind::Sequence(_) | StoredKind::Mapping(_));
        let tag = tag.filter(|tag| !tag.is_yaml_core_schema()).map(|tag| tag.suffix.clone());
        self.stored.push(StoredNode {
            at: Position::of(&span.start),
            span: bytes.range(&span),
            tag,
            kind,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, node);
        }
        self.attach(node);
        if opens {
            self.open.push((node, None));
        }
        Ok(())
    }

    fn attach(&mut self, node: usize) {
        let Some((parent, key)) = self.open.last_mut() else {
            self.roots.push(node);
            return;
        };
        match &mut self.stored[*parent].kind {
            StoredKind::Sequence(items) => items.push(node),
            StoredKind::Mapping(entries) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
            StoredKind::Scalar { .. } | StoredKind::Alias(_) => {}
        }
    }
}

impl Position {
    fn of(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// Translates the parser's character positions to byte offsets.
struct Bytes {
    /// The byte offsets of the characters, kept only where the text is not ASCII.
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

    fn range(&self, span: &Span) -> Range<usize> {
        self.offset(span.start.index())..self.offset(span.end.index())
    }

    fn broken(&self, at: &Marker, message: &str) -> YamlError {
        YamlError {
            at: Position::of(at),
            offset: self.offset(at.index()),
            message: message.to_owned(),
        }
    }
}
