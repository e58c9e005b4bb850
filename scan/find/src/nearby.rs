//! What the files of one scan read beside themselves: each neighbour is read once, and what is made of it is kept for
//! the other files that ask.
//!
//! Thousands of Terraform files in one directory have the same neighbours, and thousands of compose files the same
//! `.env`. What is kept is bounded: files come in the order of their paths, so that what was kept for a directory is
//! seldom asked for again once the scan has left it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pullsafe_syntax::lines::LineStarts;
use pullsafe_syntax::traced::{ByteOrigin, Traced};

use crate::neighbours::Neighbours;

/// How many bytes of neighbours are kept, as texts; what is made of them takes several times that.
const KEPT: usize = 8 << 20;

/// The neighbours of one scan's files.
pub struct Nearby<'n> {
    files: &'n dyn Neighbours,
    kept: Mutex<ParsedFiles>,
    /// The number of the next source; 0 is the scanned file, whichever it is.
    next: AtomicUsize,
    read: AtomicUsize,
}

#[derive(Default)]
struct ParsedFiles {
    made: HashMap<(TypeId, String), Cell>,
    bytes: usize,
}

type Cell = Arc<OnceLock<Option<Arc<dyn Any + Send + Sync>>>>;

/// Sources with numbers one after the other.
pub(crate) struct Block {
    pub(crate) first: usize,
    pub(crate) sources: Vec<SourceFile>,
}

/// A file that findings may come from.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) lines: LineStarts,
}

impl SourceFile {
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), lines: LineStarts::of(text) }
    }
}

/// What was made of neighbours, and the sources that it names.
pub(crate) struct Made<T> {
    pub(crate) value: T,
    pub(crate) block: Arc<Block>,
    /// How long the texts are together.
    pub(crate) bytes: usize,
}

impl<'n> Nearby<'n> {
    /// The neighbours that these files have.
    pub fn of(files: &'n dyn Neighbours) -> Self {
        Self {
            files,
            kept: Mutex::default(),
            next: AtomicUsize::new(1),
            read: AtomicUsize::new(0),
        }
    }

    /// How many bytes of neighbours were read so far.
    pub fn read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    /// What is made of the paths of a directory's files, which come in order.
    pub(crate) fn made_of_list<T: Send + Sync + 'static>(
        &self,
        directory: &str,
        make: impl FnOnce(Vec<String>) -> T,
    ) -> Option<Arc<T>> {
        self.once(directory, || {
            let mut paths = self.files.list(directory);
            paths.sort();
            let bytes = paths.iter().map(String::len).sum();
            Some((make(paths), bytes))
        })
    }

    /// What is made of a file's text, or `None` where there is no such file.
    pub(crate) fn made_of<T: Send + Sync + 'static>(
        &self,
        path: &str,
        make: impl FnOnce(Traced) -> T,
    ) -> Option<Arc<Made<T>>> {
        self.once(path, || {
            let text = self.text(path)?;
            let (block, mut texts) = self.block(vec![(path.to_owned(), (*text).clone())]);
            Some((Made { value: make(texts.pop()?), block, bytes: text.len() }, text.len()))
        })
    }

    /// What is made of those of a directory's files that are wanted, up to so many bytes.
    pub(crate) fn made_of_directory<T: Send + Sync + 'static>(
        &self,
        directory: &str,
        most: usize,
        wanted: impl FnOnce(Vec<String>) -> Vec<String>,
        make: impl FnOnce(Vec<(String, Traced)>) -> T,
    ) -> Option<Arc<Made<T>>> {
        self.once(directory, || {
            let mut files = Vec::new();
            let mut bytes = 0;
            for path in wanted(self.files.list(directory)) {
                let Some(text) = self.text(&path) else { continue };
                bytes += text.len();
                if bytes > most {
                    break;
                }
                files.push((path, (*text).clone()));
            }
            let paths: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
            let (block, texts) = self.block(files);
            Some((
                Made {
                    value: make(paths.into_iter().zip(texts).collect()),
                    block,
                    bytes,
                },
                bytes,
            ))
        })
    }

    fn text(&self, path: &str) -> Option<Arc<String>> {
        self.once(path, || {
            let text = self.files.read(path)?;
            let bytes = text.len();
            self.read.fetch_add(bytes, Ordering::Relaxed);
            Some((text, bytes))
        })
    }

    /// Texts as sources of their own.
    fn block(&self, files: Vec<(String, String)>) -> (Arc<Block>, Vec<Traced>) {
        let first = self.next.fetch_add(files.len(), Ordering::Relaxed);
        let texts = files
            .iter()
            .enumerate()
            .map(|(at, (_, text))| Traced::written(text, ByteOrigin { source: first + at, offset: 0 }))
            .collect();
        let sources = files.iter().map(|(path, text)| SourceFile::of(path, text)).collect();
        (Arc::new(Block { first, sources }), texts)
    }

    /// Something that is made once, with how many bytes it holds. Whoever asks meanwhile waits for it.
    fn once<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> Option<(T, usize)>) -> Option<Arc<T>> {
        let cell = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.made.entry((TypeId::of::<T>(), key.to_owned())).or_default())
        };
        let made = cell.get_or_init(|| {
            let (made, bytes) = make()?;
            self.grow(bytes);
            Some(Arc::new(made))
        });
        made.as_ref().and_then(|made| Arc::clone(made).downcast().ok())
    }

    fn grow(&self, bytes: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += bytes;
        if kept.bytes > KEPT {
            *kept = ParsedFiles { bytes, ..ParsedFiles::default() };
        }
    }
}
