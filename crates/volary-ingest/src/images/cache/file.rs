//! The file of a cache: a head, the pictures one after the other, an index.
//!
//! | bytes | what |
//! |---|---|
//! | 0–7 | `VOLPIX01` |
//! | 8–15, 16–23 | where the index begins, and its length (little-endian) |
//! | 24–55 | BLAKE3 of the index |
//! | 4096– | pictures: values little-endian, channel by channel, row by row |
//! | at the end | the index, as JSON |

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::images::raster::Fault;
use crate::images::settings::Settings;
use crate::images::subjects::ImageSubject;

const MAGIC: &[u8; 8] = b"VOLPIX01";
/// Changes whenever the same image and the same settings would give other pictures than before.
const RECIPE: u32 = 1;
/// Where the pictures begin.
pub(super) const HEAD_BYTES: u64 = 4096;
const MAX_INDEX_BYTES: u64 = 4 << 30;

/// Where things stand.
pub(super) struct Names {
    pub(super) cache: PathBuf,
    pub(super) part: PathBuf,
    pub(super) lock: PathBuf,
    /// What the names of caches with the same settings begin with.
    pub(super) prefix: String,
}

impl Names {
    pub(super) fn new(folder: &Path, subjects: &[ImageSubject], settings: &Settings) -> Self {
        let prefix = &blake3::hash(recipe(settings).as_bytes()).to_hex()[..12];
        let mut list = blake3::Hasher::new();
        for subject in subjects {
            for text in [subject.subject_id.as_bytes(), subject.path.as_os_str().as_encoded_bytes()] {
                list.update(&(text.len() as u64).to_le_bytes()).update(text);
            }
        }
        let name = format!("{prefix}-{}.pixels", &list.finalize().to_hex()[..12]);
        Self {
            part: folder.join(format!("{name}.part")),
            cache: folder.join(name),
            lock: folder.join("decode.lock"),
            prefix: format!("{prefix}-"),
        }
    }
}

/// Everything that decides what a picture looks like.
fn recipe(settings: &Settings) -> String {
    let json = serde_json::to_string(settings).unwrap_or_default();
    format!("{RECIPE} {json}")
}

/// What became of one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    /// Size and time of the file; `None` where there was none.
    pub(super) stamp: Option<Stamp>,
    /// BLAKE3 of its bytes, in hexadecimal; empty where it could not be read.
    pub(super) hash: String,
    /// Its picture, where it has one.
    pub(super) picture: Option<Picture>,
    pub(super) faults: Vec<Fault>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Picture {
    /// Place among the pictures.
    pub(super) row: usize,
    /// The first eight bytes of the picture's BLAKE3.
    pub(super) check: u64,
    /// Width and height of the image, px.
    pub(super) size: (usize, usize),
    /// Channels of the image.
    pub(super) channels: usize,
}

/// Tells whether a file was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) n_bytes: u64,
    /// Nanoseconds since 1970; 0 where the system does not say.
    pub(super) changed_ns: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let about = std::fs::metadata(path).ok()?;
        let since = about.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let changed_ns = since.and_then(|d| u64::try_from(d.as_nanos()).ok()).unwrap_or(0);
        Some(Self { n_bytes: about.len(), changed_ns })
    }
}

impl Entry {
    /// Whether this is what the file at `path` would give today.
    pub(super) fn is_of(&self, path: &Path) -> bool {
        if self.path != path {
            return false;
        }
        let now = Stamp::of(path);
        if now == self.stamp {
            return true;
        }
        // Touched or copied again: the content decides.
        let same_size = now.map(|s| s.n_bytes) == self.stamp.map(|s| s.n_bytes);
        same_size && !self.hash.is_empty() && hash_of_file(path).as_ref() == Some(&self.hash)
    }
}

fn hash_of_file(path: &Path) -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path).ok()?, &mut hasher).ok()?;
    Some(hasher.finalize().to_hex().to_string())
}

pub(super) fn check_of(picture: &[u8]) -> u64 {
    let hash = blake3::hash(picture);
    hash.as_bytes()[..8].iter().fold(0, |sum, b| sum << 8 | u64::from(*b))
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) recipe: String,
    pub(super) entries: Vec<Entry>,
}

/// A cache's file, open for reading.
#[derive(Debug)]
pub(super) struct PixelFile {
    path: PathBuf,
    file: File,
    picture_bytes: usize,
}

impl PixelFile {
    /// Opens a file, `None` where it is missing, cut off, damaged or of other settings; with `check_all` every
    /// picture is compared with its checksum.
    pub(super) fn open(path: &Path, settings: &Settings, check_all: bool) -> Option<(Self, Index)> {
        let mut file = File::open(path).ok()?;
        let n_bytes = file.metadata().ok()?.len();
        let mut head = [0; 56];
        file.read_exact(&mut head).ok()?;
        let number = |at: usize| head[at..at + 8].try_into().ok().map(u64::from_le_bytes);
        let (begins, length) = (number(8)?, number(16)?);
        if &head[..8] != MAGIC || begins.checked_add(length)? != n_bytes || length > MAX_INDEX_BYTES {
            return None;
        }
        let mut json = Vec::new();
        file.seek(SeekFrom::Start(begins)).ok()?;
        file.by_ref().take(length).read_to_end(&mut json).ok()?;
        if blake3::hash(&json).as_bytes() != &head[24..] {
            return None;
        }
        let index: Index = serde_json::from_slice(&json).ok()?;
        let picture_bytes = settings.shape().values() * settings.storage.bytes();
        let pixels = Self { path: path.to_owned(), file, picture_bytes };
        let pictures: Vec<&Picture> = index.entries.iter().filter_map(|e| e.picture.as_ref()).collect();
        let is_whole = index.recipe == recipe(settings)
            && begins == HEAD_BYTES + (pictures.len() as u64).checked_mul(picture_bytes as u64)?
            && pictures.iter().enumerate().all(|(i, p)| p.row == i);
        let is_sound = |picture: &&Picture| {
            let mut bytes = vec![0; picture_bytes];
            pixels.read(picture.row, &mut bytes).is_ok() && check_of(&bytes) == picture.check
        };
        (is_whole && (!check_all || pictures.par_iter().all(is_sound))).then_some((pixels, index))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads picture `row`, which must be there.
    pub(super) fn read(&self, row: usize, into: &mut [u8]) -> io::Result<()> {
        let at = HEAD_BYTES + row as u64 * self.picture_bytes as u64;
        read_at(&self.file, into, at)
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, into, at)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into = &mut into[n..];
        at += n as u64;
    }
    Ok(())
}

/// The head and the index that make a file of pictures a cache.
pub(super) fn seal(settings: &Settings, entries: Vec<Entry>) -> io::Result<([u8; 56], Vec<u8>)> {
    let n_pictures = entries.iter().filter(|e| e.picture.is_some()).count() as u64;
    let picture_bytes = (settings.shape().values() * settings.storage.bytes()) as u64;
    let json = serde_json::to_vec(&Index { recipe: recipe(settings), entries })?;
    let mut head = [0; 56];
    head[..8].copy_from_slice(MAGIC);
    head[8..16].copy_from_slice(&(HEAD_BYTES + n_pictures * picture_bytes).to_le_bytes());
    head[16..24].copy_from_slice(&(json.len() as u64).to_le_bytes());
    head[24..].copy_from_slice(blake3::hash(&json).as_bytes());
    Ok((head, json))
}
