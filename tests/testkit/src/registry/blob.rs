//! The content of blobs, which may be large: held in the pieces in which it arrived, or generated when it is read.
//!
//! Only [`Blob::bytes`] joins the pieces of a blob.

use std::sync::Arc;

use bytes::Bytes;
use pullsafe::reference::Digest;
use sha2::{Digest as _, Sha256};

/// A generated blob consists of blocks of this many bytes.
const BLOCK: u64 = 256 * 1024;
/// How many bytes the number of a block takes. It stands at the block's start, so no two blocks of a blob are equal.
const BLOCK_NUMBER: u64 = 8;

/// The content behind one digest. Clones share the content.
#[derive(Debug, Clone)]
pub struct Blob {
    digest: Digest,
    size: u64,
    content: BlobContent,
}

#[derive(Debug, Clone)]
enum BlobContent {
    Held(Arc<[Bytes]>),
    /// Every block is its number, followed by the same pattern.
    Generated(Bytes),
    Discarded,
}

impl Blob {
    /// A blob of these bytes.
    pub fn of(content: impl Into<Bytes>) -> Self {
        let mut writer = BlobWriter::new(u64::MAX);
        writer.push(content.into());
        writer.finish()
    }

    /// A blob of `size` bytes that depends only on `seed` and `size`, and takes almost no memory.
    pub fn generated(seed: u64, size: u64) -> Self {
        let pattern = pattern(seed, BLOCK.min(size.max(BLOCK_NUMBER)));
        let nameless = Self {
            digest: Digest::of(b""),
            size,
            content: BlobContent::Generated(pattern),
        };
        let mut hash = Sha256::new();
        nameless.pieces(0, size).for_each(|piece| hash.update(&piece));
        Self {
            digest: Digest::from_sha256(hash.finalize().into()),
            ..nameless
        }
    }

    /// The digest of the content.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the content can be read. It cannot if only its digest and size were kept.
    pub fn is_readable(&self) -> bool {
        !matches!(self.content, BlobContent::Discarded)
    }

    /// The content from byte `start` up to, but not including, byte `end`, in pieces. Empty if the content was
    /// discarded.
    pub fn pieces(&self, start: u64, end: u64) -> Pieces {
        Pieces {
            content: self.content.clone(),
            position: start,
            end: end.min(self.size),
            index: 0,
            index_starts_at: 0,
        }
    }

    /// The whole content in one piece.
    pub fn bytes(&self) -> Bytes {
        let mut all = Vec::new();
        self.pieces(0, self.size).for_each(|piece| all.extend_from_slice(&piece));
        all.into()
    }
}

/// The pieces of a part of a blob, in order.
#[derive(Debug)]
pub struct Pieces {
    content: BlobContent,
    position: u64,
    end: u64,
    index: usize,
    index_starts_at: u64,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.position >= self.end {
            return None;
        }
        let piece = match &self.content {
            BlobContent::Discarded => return None,
            BlobContent::Generated(pattern) => {
                let (block, offset) = (self.position / BLOCK, self.position % BLOCK);
                if offset < BLOCK_NUMBER {
                    Bytes::copy_from_slice(&block.to_le_bytes()[offset as usize..])
                } else {
                    pattern.slice(offset as usize..)
                }
            }
            BlobContent::Held(held) => loop {
                let piece = held.get(self.index)?;
                let next_starts_at = self.index_starts_at + piece.len() as u64;
                if self.position < next_starts_at {
                    break piece.slice((self.position - self.index_starts_at) as usize..);
                }
                self.index += 1;
                self.index_starts_at = next_starts_at;
            },
        };
        let length = (piece.len() as u64).min(self.end - self.position);
        self.position += length;
        Some(piece.slice(..length as usize))
    }
}

/// A blob that is still arriving. Its digest is computed as the bytes come in.
#[derive(Debug)]
pub struct BlobWriter {
    pieces: Vec<Bytes>,
    hash: Sha256,
    size: u64,
    keep_up_to: u64,
}

impl BlobWriter {
    /// An empty blob. Once it has more than `keep_up_to` bytes, only its digest and size are kept.
    pub fn new(keep_up_to: u64) -> Self {
        Self { pieces: Vec::new(), hash: Sha256::new(), size: 0, keep_up_to }
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: Bytes) {
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        if self.size > self.keep_up_to {
            self.pieces = Vec::new();
        } else if !bytes.is_empty() {
            self.pieces.push(bytes);
        }
    }

    /// How many bytes have arrived.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Completes the blob.
    pub fn finish(self) -> Blob {
        let content = if self.size > self.keep_up_to {
            BlobContent::Discarded
        } else {
            BlobContent::Held(self.pieces.into())
        };
        Blob {
            digest: Digest::from_sha256(self.hash.finalize().into()),
            size: self.size,
            content,
        }
    }
}

/// Incompressible bytes that depend only on the seed (SplitMix64).
fn pattern(seed: u64, length: u64) -> Bytes {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length as usize + 8);
    while (bytes.len() as u64) < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length as usize);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_blob_is_the_same_however_it_is_read() {
        let blob = Blob::generated(7, BLOCK * 2 + 100);
        let all = blob.bytes();
        assert_eq!(all.len() as u64, blob.size());
        assert_eq!(&Digest::of(&all), blob.digest());
        for (start, end) in [(0, 3), (3, 20), (BLOCK - 1, BLOCK + 9), (BLOCK + 4, BLOCK * 2 + 100)] {
            let part: Vec<u8> = blob.pieces(start, end).flatten().collect();
            assert_eq!(part, &all[start as usize..end as usize], "{start}..{end}");
        }
        assert_ne!(all[..BLOCK as usize], all[BLOCK as usize..2 * BLOCK as usize]);
        assert_ne!(Blob::generated(8, 100).digest(), Blob::generated(7, 100).digest());
    }

    #[test]
    fn a_held_blob_reads_across_its_pieces() {
        let mut writer = BlobWriter::new(u64::MAX);
        for piece in ["ab", "", "cde", "f"] {
            writer.push(Bytes::from_static(piece.as_bytes()));
        }
        let blob = writer.finish();
        assert_eq!(blob.pieces(1, 5).flatten().collect::<Vec<u8>>(), b"bcde");
        assert_eq!(blob.digest(), &Digest::of(b"abcdef"));
        assert_eq!(blob.pieces(4, 99).flatten().collect::<Vec<u8>>(), b"ef");
    }

    #[test]
    fn content_beyond_the_limit_is_forgotten_but_not_its_digest() {
        let mut writer = BlobWriter::new(3);
        writer.push(Bytes::from_static(b"ab"));
        writer.push(Bytes::from_static(b"cd"));
        let blob = writer.finish();
        assert_eq!((blob.digest(), blob.size(), blob.is_readable()), (&Digest::of(b"abcd"), 4, false));
    }
}
