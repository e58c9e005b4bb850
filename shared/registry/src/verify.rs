//! Counts and hashes a blob's content as it passes, and never calls it whole unless it matches its digest.
//!
//! It can go back: it keeps the state of the hash every few megabytes, so that content which a target lost is read
//! again from there, and not from the start.

use std::collections::VecDeque;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::error::RegistryError;
use pullsafe::reference::Digest;

/// The bytes between two marks. A target loses what was in flight, a few megabytes, and at most this much more is read
/// again.
const MARK_EVERY: u64 = 4 * 1024 * 1024;
const MOST_MARKS: usize = 16;
/// Blobs up to this size are kept in memory while they are sent.
const KEPT: u64 = 1024 * 1024;

/// How much of a blob's content has been read.
#[derive(Debug)]
pub(crate) struct Content {
    digest: Digest,
    size: u64,
    /// Bytes hashed.
    hashed: u64,
    /// Bytes from the mark to where reading goes on: they are hashed once more, but not handed on again.
    not_again: u64,
    hash: Sha256,
    marks: VecDeque<(u64, Sha256)>,
    /// All of a small blob so far.
    kept: Option<Vec<Bytes>>,
    /// The kept bytes that are to be handed on again.
    again: VecDeque<Bytes>,
}

impl Content {
    pub(crate) fn new(digest: Digest, size: u64) -> Self {
        let kept = (size <= KEPT).then(Vec::new);
        Self {
            digest,
            size,
            hashed: 0,
            not_again: 0,
            hash: Sha256::new(),
            marks: VecDeque::new(),
            kept,
            again: VecDeque::new(),
        }
    }

    pub(crate) const fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The offset of the next byte that a source has to send.
    pub(crate) const fn offset(&self) -> u64 {
        self.hashed
    }

    /// Returns the next kept chunk that is to be handed on again; it needs no source.
    pub(crate) fn take_kept(&mut self) -> Option<Bytes> {
        self.again.pop_front()
    }

    /// Takes the next bytes from a host, and returns the part that is to be handed on.
    ///
    /// # Errors
    /// [`RegistryError::Content`] in place of the last bytes if the whole is not what was asked for.
    pub(crate) fn accept(&mut self, chunk: Bytes, from: &str) -> Result<Option<Bytes>, RegistryError> {
        let length = length(&chunk);
        if self.hashed.saturating_add(length) > self.size {
            return Err(self.wrong(from, format!("it is longer than its {} bytes", self.size)));
        }
        self.hash.update(&chunk);
        self.hashed += length;
        if self.hashed == self.size {
            self.verify(from)?;
        } else if self.kept.is_none() && self.hashed >= self.marks.back().map_or(0, |(at, _)| *at) + MARK_EVERY {
            if self.marks.len() == MOST_MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back((self.hashed, self.hash.clone()));
        }
        if let Some(kept) = &mut self.kept {
            kept.push(chunk.clone());
        }
        let dropped = self.not_again.min(length);
        self.not_again -= dropped;
        let rest = chunk.slice(usize::try_from(dropped).unwrap_or(chunk.len()).min(chunk.len())..);
        Ok((!rest.is_empty()).then_some(rest))
    }

    /// Goes back, so that the next byte handed on is this one.
    pub(crate) fn rewind(&mut self, to: u64) {
        let to = to.min(self.hashed);
        if let Some(kept) = &self.kept {
            let mut skip = usize::try_from(to).unwrap_or(usize::MAX);
            self.again = kept
                .iter()
                .filter_map(|chunk| {
                    let from = skip.min(chunk.len());
                    skip -= from;
                    (from < chunk.len()).then(|| chunk.slice(from..))
                })
                .collect();
            return;
        }
        while self.marks.back().is_some_and(|(at, _)| *at > to) {
            self.marks.pop_back();
        }
        (self.hashed, self.hash) =
            self.marks.back().map_or_else(|| (0, Sha256::new()), |(at, hash)| (*at, hash.clone()));
        self.not_again = to - self.hashed;
    }

    /// Forgets everything: another source has to give all of it.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.digest.clone(), self.size);
    }

    /// Checks that the content so far is the whole blob.
    ///
    /// # Errors
    /// [`RegistryError::Content`].
    pub(crate) fn verify(&self, from: &str) -> Result<(), RegistryError> {
        let actual = Digest::from_sha256(self.hash.clone().finalize().into());
        if actual == self.digest {
            Ok(())
        } else {
            Err(self.wrong(from, format!("it is {actual}")))
        }
    }

    pub(crate) fn wrong(&self, from: &str, why: String) -> RegistryError {
        RegistryError::Content { from: from.to_owned(), digest: self.digest.clone(), why }
    }
}

fn length(chunk: &Bytes) -> u64 {
    u64::try_from(chunk.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(content: &mut Content, bytes: &[u8], chunk: usize, until: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(bytes) = content.take_kept() {
            out.extend_from_slice(&bytes);
        }
        while usize::try_from(content.offset()).unwrap() < until {
            let offset = usize::try_from(content.offset()).unwrap();
            let next = Bytes::copy_from_slice(&bytes[offset..(offset + chunk).min(until)]);
            out.extend(content.accept(next, "host").unwrap().unwrap_or_default());
        }
        out
    }

    #[test]
    fn it_goes_back_to_any_byte_and_is_verified_all_the_same() {
        for size in [10, 1000, 13 * 1024 * 1024_usize] {
            let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
            for (broke, back) in
                [(size / 2, size / 3), (size - 1, 0), (size, size - 2), (size / 2, size / 2), (size, size)]
            {
                let mut content = Content::new(Digest::of(&bytes), size as u64);
                let mut sent = through(&mut content, &bytes, 65_536, broke);
                assert_eq!(sent.len(), broke);
                content.rewind(back as u64);
                sent.truncate(back);
                sent.extend(through(&mut content, &bytes, 65_536, size));
                assert!(sent == bytes, "{size}: broke at {broke}, back to {back}");
            }
        }
    }

    #[test]
    fn the_last_bytes_of_a_wrong_blob_are_never_handed_on() {
        let mut content = Content::new(Digest::of(b"abcdef"), 6);
        assert_eq!(content.accept(Bytes::from_static(b"abX"), "host").unwrap().unwrap(), "abX");
        let error = content.accept(Bytes::from_static(b"def"), "host").unwrap_err();
        assert!(matches!(&error, RegistryError::Content { from, .. } if from == "host"), "{error}");
        content.restart();
        assert!(content.accept(Bytes::from_static(b"abcdefg"), "host").is_err(), "too long");
    }
}
