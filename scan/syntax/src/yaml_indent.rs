//! Valid YAML that the parser refuses, made such that it does not: the lines of flow collections and quoted texts are
//! indented.
//!
//! YAML asks that they are indented more than their parent, and everybody writes the closing bracket at its column.
//! White space at the beginning of such a line means nothing, so that more of it changes nothing.

use crate::traced::Traced;

/// The text with its flow collections and quoted texts indented; `None` where it has none of several lines.
pub(crate) fn indented(text: &Traced) -> Option<Traced> {
    let mut reader = FlowReader::default();
    let mut result = Traced::default();
    let mut changed = false;
    let mut at = 0;
    for line in text.as_str().split_inclusive('\n') {
        let start = at;
        at += line.len();
        let goes_on = reader.is_open() && !line.trim().is_empty();
        let marks_document = line.starts_with("---") || line.starts_with("...");
        if goes_on && !marks_document {
            result.push_computed(&" ".repeat(reader.column + 1));
            changed = true;
        }
        result.push(&text.slice(start..at));
        reader.line(line);
    }
    changed.then_some(result)
}

#[derive(Default)]
struct FlowReader {
    /// The flow brackets that are open.
    depth: usize,
    /// The quote that is open.
    quote: Option<u8>,
    /// Where the outermost of them begins.
    column: usize,
    /// The indentation that ends a block scalar.
    block: Option<usize>,
}

impl FlowReader {
    fn is_open(&self) -> bool {
        self.depth > 0 || self.quote.is_some()
    }

    fn line(&mut self, line: &str) {
        let bytes = line.trim_end().as_bytes();
        let spaces = bytes.iter().take_while(|byte| **byte == b' ').count();
        if let Some(parent) = self.block {
            if bytes.is_empty() || spaces > parent {
                return;
            }
            self.block = None;
        }
        let mut at = 0;
        let mut begins = true;
        // Where the key of a block mapping begins, behind the dashes of sequences.
        let mut key = spaces;
        while at < bytes.len() {
            let byte = bytes[at];
            if let Some(quote) = self.quote {
                match byte {
                    b'\\' if quote == b'"' => at += 1,
                    b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 1,
                    _ if byte == quote => {
                        self.quote = None;
                        begins = false;
                    }
                    _ => {}
                }
                at += 1;
                continue;
            }
            let spaced = at == 0 || matches!(bytes[at - 1], b' ' | b'\t');
            let followed = bytes.get(at + 1).is_none_or(|next| matches!(next, b' ' | b'\t'));
            match byte {
                b'#' if spaced => return,
                b' ' | b'\t' => {}
                b'"' | b'\'' if begins => {
                    self.open(at);
                    self.quote = Some(byte);
                }
                b'[' | b'{' if begins || self.depth > 0 => {
                    self.open(at);
                    self.depth += 1;
                    begins = true;
                }
                b']' | b'}' if self.depth > 0 => {
                    self.depth -= 1;
                    begins = false;
                }
                b',' if self.depth > 0 => begins = true,
                b':' if followed || self.depth > 0 => begins = true,
                b'-' | b'?' if begins && followed && self.depth == 0 => {
                    key = at + 1 + bytes[at + 1..].iter().take_while(|byte| **byte == b' ').count();
                }
                // A tag or an anchor stands before the node.
                b'!' | b'&' if begins => {
                    while bytes.get(at + 1).is_some_and(|next| !matches!(next, b' ' | b'\t' | b',' | b']' | b'}')) {
                        at += 1;
                    }
                }
                b'|' | b'>' if begins && self.depth == 0 && is_block_header(&bytes[at + 1..]) => {
                    // The content of `- |` is indented more than the dash.
                    self.block = Some(if key == at { spaces } else { key });
                    return;
                }
                _ => begins = false,
            }
            at += 1;
        }
    }

    fn open(&mut self, at: usize) {
        if !self.is_open() {
            self.column = at;
        }
    }
}

fn is_block_header(rest: &[u8]) -> bool {
    let mut rest = rest.iter().copied().skip_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+'));
    matches!(rest.clone().next(), None | Some(b' ')) && rest.find(|byte| *byte != b' ').is_none_or(|byte| byte == b'#')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traced::ByteOrigin;
    use crate::yaml::{WrittenAt as _, read};

    #[test]
    fn brackets_and_quotes_may_close_at_their_keys_column() {
        for text in [
            "a:\n  command: [\n    \"x\", # note ]\n    y\n  ]\n  image: redis:7\n",
            "a:\n  args: {\n  x: 1,\n  }\n  image: redis:7\n",
            "a:\n  text: \"one\n  two [\n  \"\n  image: redis:7\n",
            "a:\n  text: 'it''s\n\n  two\n  '\n  image: redis:7\n",
            "a:\n  script: |\n    if [ x\n    \"\n  list: [\n  ]\n  image: redis:7\n",
        ] {
            let (tree, broken) = read(Traced::written(text, ByteOrigin { source: 0, offset: 0 }));
            assert!(broken.is_none(), "{broken:?} in {text}");
            let image = tree.documents().next().unwrap().at(&["a", "image"]).unwrap().text().unwrap();
            let at = text.find("redis").unwrap();
            assert_eq!(image.written_at(0..7), Some((0, at..at + 7)), "{text}");
        }
    }

    #[test]
    fn what_is_not_yaml_stays_refused() {
        for text in ["a: [\n", "a: \"x\n", "a: b\n c: d\n  e: [\n  ]\n", "a: [\n]]\n"] {
            assert!(read(Traced::written(text, ByteOrigin { source: 0, offset: 0 })).1.is_some(), "{text}");
        }
    }
}
