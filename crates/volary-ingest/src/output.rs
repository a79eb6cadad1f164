//! Files that appear whole or not at all: written beside their place, then renamed. Which they were is kept, so
//! that the record of a run can name each of them, whatever wrote it.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::error::IngestError;

/// What this process has put in place so far.
static PLACED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Notes a file that was put in its place by other means.
pub fn placed(path: &Path) {
    PLACED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
}

/// Every file that this process has put in place so far, by the path that was given, in order of paths. Some may be
/// gone again.
#[must_use]
pub fn all_placed() -> BTreeSet<PathBuf> {
    PLACED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The same, and begins anew.
#[must_use]
pub fn take_placed() -> BTreeSet<PathBuf> {
    std::mem::take(&mut *PLACED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A file under construction. Dropped without [`AtomicFile::commit`] (an error, Ctrl-C, a full disk) it
/// leaves nothing behind, and what stood at its place before still stands.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl AtomicFile {
    /// Starts a file that will be at `path`; missing folders are made.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self, IngestError> {
        let io_error = |e| IngestError::io("writing", path, e);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(io_error)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".volary-").suffix(".part");
        // A temporary file is private by default; a result should be as readable as any other file.
        #[cfg(unix)]
        let builder = {
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(std::fs::Permissions::from_mode(0o666))
        };
        let file = builder.tempfile_in(folder).map_err(io_error)?;
        Ok(Self { path: path.to_owned(), file: BufWriter::with_capacity(1 << 18, file) })
    }

    /// The path at which the file will stand.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the last bytes do not fit or the rename fails.
    pub fn commit(self) -> Result<(), IngestError> {
        let path = self.path;
        let file =
            self.file.into_inner().map_err(|e| IngestError::io("writing", &path, e.into_error()))?;
        file.as_file().sync_all().map_err(|e| IngestError::io("writing", &path, e))?;
        file.persist(&path).map_err(|e| IngestError::io("writing", &path, e.error))?;
        placed(&path);
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a whole file at once.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), IngestError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| IngestError::io("writing", path, e))?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_committed_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/table.csv");
        write_whole(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_put_in_place_is_known_and_what_was_not_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [whole, half, by_hand] = ["whole", "half", "hand"].map(|name| folder.path().join(name));
        write_whole(&whole, b"1").unwrap();
        drop(AtomicFile::create(&half).unwrap());
        placed(&by_hand);
        let all = all_placed();
        assert!(all.contains(&whole) && all.contains(&by_hand) && !all.contains(&half));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_leaves_nothing() {
        // /dev/full answers every write with "no space left"; a tempfile cannot stand there, so the
        // writer is put over it directly.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut writer = BufWriter::new(full);
        writer.write_all(&[0; 100]).unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
