//! Pictures decoded once: one file of them, read by position, from any thread, in any order.
//!
//! A cache belongs to its settings and its list of subjects; both are in its name. Inside stands for every
//! image its size, its time and the BLAKE3 of its bytes: where size and time are as they were, the image
//! counts as unchanged; where not, its content decides. What did not change is never decoded again, also
//! when subjects were added. A cache that is cut off or damaged is noticed when it is opened, and made anew.
//! Folder and files can be deleted at any time.
//!
//! Why not a memory map: a mapped file that somebody shortens kills the process, which is why mapping is
//! `unsafe` in Rust, and this workspace has no unsafe code. Reading by position goes through the same page
//! cache of the system, for one copy of some kilobytes a picture.

mod build;
mod file;
mod list;

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use volary_core::{PixelError, PixelShape, Pixels, Problems};

use super::raster::Fault;
use super::settings::{Settings, SettingsError, Storage};
use super::subjects::ImageSubject;
use crate::source::Progress;
use file::{Index, PixelFile};

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The settings cannot be followed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The system said no.
    #[error("{action} the decoded images failed: {reason}: {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        reason: std::io::Error,
    },
    /// Not one image could be used.
    #[error("none of {n} images can be used; the first: {first}")]
    NoPicture {
        /// Images there are.
        n: usize,
        /// What is wrong with the first.
        first: String,
    },
    /// The work was stopped from outside (Ctrl-C).
    #[error("stopped while decoding images; the next run begins anew")]
    Stopped,
}

/// Pictures in a file, as numbers from 0 to 1.
#[derive(Debug)]
pub struct Cache {
    file: PixelFile,
    shape: PixelShape,
    storage: Storage,
    count: usize,
    hashes: Vec<String>,
}

/// A cache, and what came of every image.
#[derive(Debug)]
pub struct Built {
    /// The pictures.
    pub cache: Cache,
    /// For each picture its place among the subjects; increasing.
    pub subject_idx: Vec<usize>,
    /// Images that were decoded now; the others stood in a cache.
    pub n_decoded: usize,
    /// What was wrong; the column of a problem is the image's file name.
    pub problems: Problems,
}

impl Cache {
    /// Opens the cache of these subjects, or makes it in `folder`, on all threads of the pool; `on_image` is
    /// told how many images are done.
    ///
    /// Memory does not grow with the number of images, except for some hundred bytes of each.
    ///
    /// # Errors
    /// [`CacheError`] where the settings are not valid, the folder cannot be written, no image can be used
    /// or the work is stopped.
    pub fn open_or_build(
        folder: &Path,
        subjects: &[ImageSubject],
        settings: &Settings,
        progress: &Progress,
        on_image: &(dyn Fn(usize) + Sync),
    ) -> Result<Built, CacheError> {
        settings.check()?;
        let names = file::Names::new(folder, subjects, settings);
        if let Some((file, index)) = PixelFile::open(&names.cache, settings, true)
            && is_current(&index, subjects)
        {
            return Self::built(file, index, subjects, settings, 0);
        }
        let io =
            |path: &Path, reason| CacheError::Io { action: "writing", path: path.to_owned(), reason };
        std::fs::create_dir_all(folder).map_err(|e| io(folder, e))?;
        // One at a time: two runs would write the same pictures twice. The lock goes with the process.
        let lock = std::fs::File::create(&names.lock).map_err(|e| io(&names.lock, e))?;
        lock.lock().map_err(|e| io(&names.lock, e))?;
        if let Some((file, index)) = PixelFile::open(&names.cache, settings, true)
            && is_current(&index, subjects)
        {
            return Self::built(file, index, subjects, settings, 0);
        }
        let n_decoded = build::build(&names, subjects, settings, progress, on_image)?;
        let made = PixelFile::open(&names.cache, settings, false);
        let gone = || {
            let reason =
                std::io::Error::other("the file just written cannot be read back; check the disk");
            CacheError::Io { action: "reading", path: names.cache.clone(), reason }
        };
        let (file, index) = made.ok_or_else(gone)?;
        Self::built(file, index, subjects, settings, n_decoded)
    }

    fn built(
        file: PixelFile,
        index: Index,
        subjects: &[ImageSubject],
        settings: &Settings,
        n_decoded: usize,
    ) -> Result<Built, CacheError> {
        let used: Vec<usize> =
            (0..subjects.len()).filter(|&i| index.entries[i].picture.is_some()).collect();
        if used.is_empty() {
            let first = index.entries.first().and_then(|e| e.faults.first());
            let first = first.map_or_else(|| "there is no subject".to_owned(), Fault::to_string);
            return Err(CacheError::NoPicture { n: subjects.len(), first });
        }
        let problems = list::problems(&index.entries, subjects, settings);
        let hashes = used.iter().map(|&i| index.entries[i].hash.clone()).collect();
        let (shape, storage, count) = (settings.shape(), settings.storage, used.len());
        let cache = Self { file, shape, storage, count, hashes };
        Ok(Built { cache, subject_idx: used, n_decoded, problems })
    }

    /// Where the pictures stand.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// BLAKE3 of each picture's file, in hexadecimal: two pictures with one hash are copies, and must not
    /// stand on both sides of a split.
    #[must_use]
    pub fn hashes(&self) -> &[String] {
        &self.hashes
    }
}

/// Whether every image is what it was when the cache was made.
fn is_current(index: &Index, subjects: &[ImageSubject]) -> bool {
    index.entries.len() == subjects.len()
        && index.entries.par_iter().zip(subjects).all(|(entry, subject)| entry.is_of(&subject.path))
}

impl Pixels for Cache {
    fn shape(&self) -> PixelShape {
        self.shape
    }

    fn count(&self) -> usize {
        self.count
    }

    fn read(&self, row: usize, into: &mut [f32]) -> Result<(), PixelError> {
        if row >= self.count {
            return Err(PixelError::NoSuchRow { row, count: self.count });
        }
        let mut bytes = vec![0; self.shape.values() * self.storage.bytes()];
        self.file.read(row, &mut bytes).map_err(|error| PixelError::Io {
            what: self.path().display().to_string(),
            reason: error.into(),
        })?;
        match self.storage {
            Storage::U8 => {
                into.iter_mut().zip(&bytes).for_each(|(v, b)| *v = f32::from(*b) / 255.0);
            }
            Storage::U16 => {
                let values = bytes.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b));
                into.iter_mut().zip(values).for_each(|(v, b)| *v = f32::from(b) / 65535.0);
            }
            Storage::F32 => {
                let values = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
                into.iter_mut().zip(values).for_each(|(v, b)| *v = b);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
