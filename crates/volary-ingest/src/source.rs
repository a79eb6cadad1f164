//! Where bytes come from: a file, standard input, either of them gzipped.
//!
//! While the bytes go by they are counted (for progress) and hashed (BLAKE3, for `run.json`), so that no
//! file is read twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::MultiGzDecoder;
use volary_core::Problems;

use crate::error::IngestError;

/// How far a long piece of work is, whether it should stop, and which rows were passed over: shared with whoever
/// shows progress.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    bytes: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    passed_over: Arc<Mutex<BTreeMap<PathBuf, Problems>>>,
}

impl Progress {
    /// Bytes of input consumed so far, before decompression.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Asks readers to stop at the next block; they answer with [`IngestError::Stopped`].
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What was wrong with a table of which only the rows are handed on, so that nothing is lost in silence. A table
    /// that is read again is told of once.
    pub(crate) fn pass_over(&self, path: &Path, problems: &Problems) {
        if problems.total() > 0 {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let mut all = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(path.to_owned(), problems.of_file(&name));
        }
    }

    /// What was wrong with such tables since it was asked last.
    #[must_use]
    pub fn take_passed_over(&self) -> Problems {
        let mut all = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = Problems::default();
        std::mem::take(&mut *all).values().for_each(|one| problems.absorb(one));
        problems
    }
}

/// An input that was read: what goes into `run.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDigest {
    /// The path as given.
    pub path: PathBuf,
    /// Bytes on disk.
    pub n_bytes: u64,
    /// BLAKE3 of those bytes, in hexadecimal.
    pub blake3: String,
}

struct Tee<R> {
    inner: R,
    hasher: blake3::Hasher,
    n_bytes: u64,
    progress: Progress,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.n_bytes += n as u64;
        self.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

enum Stream {
    Plain(Box<Tee<Box<dyn Read + Send>>>),
    Gzip(Box<MultiGzDecoder<Tee<Box<dyn Read + Send>>>>),
}

/// An open input. Read it to the end, then ask for its [`Source::digest`].
pub struct Source {
    path: PathBuf,
    stream: Stream,
    pending: io::Cursor<Vec<u8>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a file, or standard input for `-`. Gzip is recognised by its content, not its name; a
    /// UTF-8 byte-order mark is taken off.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the file cannot be opened.
    pub fn open(path: &Path, progress: &Progress) -> Result<Self, IngestError> {
        let io_error = |e| IngestError::io("reading", path, e);
        let inner: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(io_error)?;
            if file.metadata().map_err(io_error)?.is_dir() {
                return Err(io_error(io::Error::from(io::ErrorKind::IsADirectory)));
            }
            Box::new(file)
        };
        Self::from_reader(path, inner, progress)
    }

    /// The same from any reader; `path` is used in messages.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the first bytes cannot be read.
    pub fn from_reader(
        path: &Path,
        inner: Box<dyn Read + Send>,
        progress: &Progress,
    ) -> Result<Self, IngestError> {
        let io_error = |e| IngestError::io("reading", path, e);
        let mut magic = Vec::new();
        let mut inner = inner;
        inner.by_ref().take(2).read_to_end(&mut magic).map_err(io_error)?;
        let is_gzip = magic == [0x1f, 0x8b];
        let whole: Box<dyn Read + Send> = Box::new(io::Cursor::new(magic).chain(inner));
        let tee =
            Tee { inner: whole, hasher: blake3::Hasher::new(), n_bytes: 0, progress: progress.clone() };
        let mut stream = if is_gzip {
            Stream::Gzip(Box::new(MultiGzDecoder::new(tee)))
        } else {
            Stream::Plain(Box::new(tee))
        };
        let mut start = Vec::new();
        stream.by_ref().take(3).read_to_end(&mut start).map_err(io_error)?;
        if start == [0xef, 0xbb, 0xbf] {
            start.clear();
        }
        Ok(Self { path: path.to_owned(), stream, pending: io::Cursor::new(start) })
    }

    /// The path it was opened with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is left and returns the checksum of the whole.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the rest cannot be read.
    pub fn digest(self) -> Result<InputDigest, IngestError> {
        let mut tee = match self.stream {
            Stream::Plain(tee) => *tee,
            Stream::Gzip(decoder) => decoder.into_inner(),
        };
        io::copy(&mut tee, &mut io::sink()).map_err(|e| IngestError::io("reading", &self.path, e))?;
        Ok(InputDigest {
            path: self.path,
            n_bytes: tee.n_bytes,
            blake3: tee.hasher.finalize().to_hex().to_string(),
        })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tee) => tee.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.pending.read(buffer)? {
            0 => self.stream.read(buffer),
            n => Ok(n),
        }
    }
}
