//! Slices that people saved: a name and a filter, in a file of the project's folder.
//!
//! A slice is a predicate and holds no ids. The file is written anew and put in its place when it is on disk, so that
//! there is always a whole one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Slices of a project at most.
pub(crate) const MOST: usize = 200;
/// Longest name, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 200;

/// Why slices cannot be kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SliceError {
    /// The operating system said no.
    #[error("{action} the slices failed ({reason}); what was saved before is there: {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        reason: Arc<std::io::Error>,
        /// The file.
        path: PathBuf,
    },
    /// The file is none of ours.
    #[error("the file holds no slices ({reason}); move it away: {path}", path = path.display())]
    File {
        /// Why not.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// Too many.
    #[error("{MOST} slices are saved already; remove one first")]
    Full,
}

/// A slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedSlice {
    pub(crate) name: String,
    /// The table that it is of.
    pub(crate) table: String,
    /// An expression of the slice language, in its canonical form.
    pub(crate) filter: String,
    /// Who saved it, by the id of their token.
    pub(crate) by: String,
    /// When, RFC 3339.
    pub(crate) at: String,
}

impl SavedSlice {
    /// Stands for the name in a path.
    pub(crate) fn id(&self) -> String {
        blake3::hash(self.name.as_bytes()).to_hex()[..12].to_owned()
    }
}

/// The slices. Clones are the same ones: a project that is read anew keeps them.
#[derive(Clone, Debug)]
pub struct Slices {
    path: PathBuf,
    held: Arc<Mutex<Vec<SavedSlice>>>,
}

impl Slices {
    /// Reads the file; without one there are no slices yet.
    ///
    /// # Errors
    /// [`SliceError`].
    pub fn open(path: &Path) -> Result<Self, SliceError> {
        let held = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| SliceError::File { reason: e.to_string(), path: path.to_owned() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let reason = Arc::new(error);
                return Err(SliceError::Io { action: "reading", reason, path: path.to_owned() });
            }
        };
        Ok(Self { path: path.to_owned(), held: Arc::new(Mutex::new(held)) })
    }

    /// All of them, in the order of their names.
    pub(crate) fn all(&self) -> Vec<SavedSlice> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Saves one; one of the same name goes. On disk when it comes back. `false`: it took another's place.
    pub(crate) fn save(&self, slice: SavedSlice) -> Result<bool, SliceError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new: Vec<SavedSlice> =
            held.iter().filter(|one| one.name != slice.name).cloned().collect();
        let is_new = new.len() == held.len();
        if new.len() >= MOST {
            return Err(SliceError::Full);
        }
        new.push(slice);
        new.sort_by(|a, b| a.name.cmp(&b.name));
        self.write(&new)?;
        *held = new;
        Ok(is_new)
    }

    /// Removes one; `false` if there is none of this id.
    pub(crate) fn remove(&self, id: &str) -> Result<bool, SliceError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<SavedSlice> = held.iter().filter(|one| one.id() != id).cloned().collect();
        if new.len() == held.len() {
            return Ok(false);
        }
        self.write(&new)?;
        *held = new;
        Ok(true)
    }

    fn write(&self, slices: &[SavedSlice]) -> Result<(), SliceError> {
        let io = |reason: std::io::Error| SliceError::Io {
            action: "writing",
            reason: Arc::new(reason),
            path: self.path.clone(),
        };
        let folder = self.path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        let mut text = serde_json::to_vec_pretty(slices).map_err(|e| io(e.into()))?;
        text.push(b'\n');
        file.write_all(&text).map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        file.persist(&self.path).map_err(|e| io(e.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(name: &str, filter: &str) -> SavedSlice {
        SavedSlice {
            name: name.to_owned(),
            table: "subjects".to_owned(),
            filter: filter.to_owned(),
            by: "me".to_owned(),
            at: "2027-01-15T08:00:00Z".to_owned(),
        }
    }

    #[test]
    fn what_was_saved_is_there_again_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slices.json");
        let slices = Slices::open(&path).unwrap();
        assert!(slices.save(slice("near bright", "x > 1")).unwrap());
        assert!(slices.save(slice("faint", "x < 1")).unwrap());
        assert!(!slices.save(slice("near bright", "x > 2")).unwrap());
        let again = Slices::open(&path).unwrap();
        let of = |s: &Slices| {
            s.all().iter().map(|one| format!("{}: {}", one.name, one.filter)).collect::<Vec<_>>()
        };
        assert_eq!(of(&again), ["faint: x < 1", "near bright: x > 2"]);
        assert!(!again.remove("nothing").unwrap());
        assert!(again.remove(&slice("faint", "").id()).unwrap());
        assert_eq!(of(&Slices::open(&path).unwrap()), ["near bright: x > 2"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        std::fs::write(&path, "no").unwrap();
        assert!(matches!(Slices::open(&path), Err(SliceError::File { .. })));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let slices = Slices::open(&folder.path().join("slices.json")).unwrap();
        for n in 0..MOST {
            slices.save(slice(&n.to_string(), "x > 1")).unwrap();
        }
        assert!(matches!(slices.save(slice("more", "x > 1")), Err(SliceError::Full)));
        assert!(!slices.save(slice("7", "x > 2")).unwrap(), "one that is there may change");
    }
}
