//! Files that appear whole or not at all: written beside their place, then renamed. Which they were is kept, so
//! that the record of a run can name each of them, whatever wrote it. What a run reads is not written over by it, and
//! a file that is read, changed and written again is [`Held`] meanwhile.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::error::IngestError;

/// What this process has put in place so far.
static PLACED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What this process must not write over, and what it has written itself; whole paths.
static READ: Mutex<Read> =
    Mutex::new(Read { protected: BTreeSet::new(), own: BTreeSet::new(), asked: BTreeSet::new() });

struct Read {
    protected: BTreeSet<PathBuf>,
    own: BTreeSet<PathBuf>,
    /// What is to be written and is there already.
    asked: BTreeSet<PathBuf>,
}

/// Notes a file that is to be written, so that [`protect`] can refuse it before anything is.
pub fn will_write(path: &Path) {
    if let Ok(whole) = std::fs::canonicalize(path) {
        READ.lock().unwrap_or_else(PoisonError::into_inner).asked.insert(whole);
    }
}

/// Notes a file that is read: no [`AtomicFile`] takes its place, unless this process has written it itself.
///
/// # Errors
/// [`IngestError::Format`] where it is to be written ([`will_write`]).
pub fn protect(path: &Path) -> Result<(), IngestError> {
    let Ok(whole) = std::fs::canonicalize(path) else { return Ok(()) };
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if read.own.contains(&whole) {
        return Ok(());
    }
    let is_asked = read.asked.contains(&whole);
    read.protected.insert(whole);
    if is_asked { Err(would_be_lost(path)) } else { Ok(()) }
}

/// Refuses a file that is to be written ([`will_write`]) though something that is read needs it. Unlike one that is
/// [protected](protect) it may be written by a run that was not asked to: a command may add to the folder that it reads.
///
/// # Errors
/// [`IngestError::Format`] where it is to be written.
pub fn keep(path: &Path) -> Result<(), IngestError> {
    let Ok(whole) = std::fs::canonicalize(path) else { return Ok(()) };
    let is_asked = READ.lock().unwrap_or_else(PoisonError::into_inner).asked.contains(&whole);
    if is_asked { Err(would_be_lost(path)) } else { Ok(()) }
}

fn would_be_lost(path: &Path) -> IngestError {
    let what = "it is read by this run and would be written over; name another file to write".to_owned();
    IngestError::Format { what, path: path.to_owned() }
}

fn is_protected(path: &Path) -> bool {
    let read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    !read.protected.is_empty()
        && std::fs::canonicalize(path).is_ok_and(|whole| read.protected.contains(&whole))
}

/// A file that is read, changed and written again, and that no other run of ours changes meanwhile: whoever comes
/// second waits until this is dropped, and reads what the first has written. A link is followed, so that what it
/// leads to is changed and not the link.
///
/// The lock is on a file beside it (`FILE.lock`), which stays: it goes with the process, however that ends.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    _lock: File,
}

impl Held {
    /// Waits for its turn.
    ///
    /// # Errors
    /// [`IngestError::Io`] where no file can be written there.
    pub fn new(path: &Path) -> Result<Self, IngestError> {
        // A link may lead to a file that is not there yet.
        let led = || Some(path.parent()?.join(std::fs::read_link(path).ok()?));
        let whole = std::fs::canonicalize(path).ok().or_else(led).unwrap_or_else(|| path.to_owned());
        let mut name = whole.clone().into_os_string();
        name.push(".lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(name);
        let lock = open.map_err(|e| IngestError::io("writing", path, e))?;
        lock.lock().map_err(|e| IngestError::io("locking", path, e))?;
        Ok(Self { path: whole, _lock: lock })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Notes a file that was put in its place by other means.
pub fn placed(path: &Path) {
    if let Ok(whole) = std::fs::canonicalize(path) {
        READ.lock().unwrap_or_else(PoisonError::into_inner).own.insert(whole);
    }
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
    /// [`IngestError::Io`] where the folder cannot be written; [`IngestError::Format`] where the file is one of
    /// those that are read ([`protect`]).
    pub fn create(path: &Path) -> Result<Self, IngestError> {
        if is_protected(path) {
            return Err(would_be_lost(path));
        }
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
    fn what_is_read_stays_and_what_was_made_here_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let [input, own] = ["input.csv", "own.csv"].map(|name| folder.path().join(name));
        std::fs::write(&input, b"votes").unwrap();
        write_whole(&own, b"1").unwrap();
        will_write(&own);
        protect(&input).unwrap();
        protect(&own).unwrap();
        let again = folder.path().join("..").join(folder.path().file_name().unwrap()).join("input.csv");
        for path in [&input, &again] {
            let error = write_whole(path, b"2").unwrap_err().to_string();
            assert!(error.contains("name another file"), "{error}");
        }
        assert_eq!(std::fs::read(&input).unwrap(), b"votes");
        will_write(&input);
        assert!(protect(&input).unwrap_err().to_string().contains("name another file"));
        write_whole(&own, b"2").unwrap();
    }

    #[test]
    fn what_a_folder_holds_is_written_over_only_where_nobody_asked_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let [asked, by_itself] = ["split.csv", "lineage.json"].map(|name| folder.path().join(name));
        std::fs::write(&asked, b"1").unwrap();
        std::fs::write(&by_itself, b"1").unwrap();
        will_write(&asked);
        assert!(keep(&asked).unwrap_err().to_string().contains("name another file"));
        keep(&by_itself).unwrap();
        keep(&folder.path().join("none")).unwrap();
        write_whole(&by_itself, b"2").unwrap();
    }

    #[test]
    fn whoever_changes_a_file_waits_for_whoever_began_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sum");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let held = Held::new(&path).unwrap();
                    let before: u32 =
                        std::fs::read_to_string(held.path()).map_or(0, |text| text.parse().unwrap());
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    std::fs::write(held.path(), (before + 1).to_string()).unwrap();
                });
            }
        });
        assert_eq!(std::fs::read(&path).unwrap(), b"8");
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
