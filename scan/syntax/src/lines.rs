//! Line and column of a byte.

/// Where the lines of a text begin, and the characters that take more than one byte.
pub struct LineStarts {
    starts: Vec<usize>,
    /// Offsets of continuation bytes of UTF-8: subtracted from byte columns to get characters.
    continuations: Vec<usize>,
}

impl LineStarts {
    /// The lines of a text.
    pub fn of(text: &str) -> Self {
        let mut starts = vec![0];
        let mut continuations = Vec::new();
        for (offset, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                starts.push(offset + 1);
            } else if byte & 0xC0 == 0x80 {
                continuations.push(offset);
            }
        }
        Self { starts, continuations }
    }

    /// Line and column in characters, both from 1.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = |end: usize| self.continuations.partition_point(|&at| at < end);
        (line, offset - start - (before(offset) - before(start)) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = LineStarts::of("é: x\r\nb: é y\n");
        assert_eq!(lines.position(4), (1, 4));
        assert_eq!(lines.position(7), (2, 1));
        assert_eq!(lines.position(13), (2, 6));
        assert_eq!(lines.position(15), (3, 1));
    }
}
