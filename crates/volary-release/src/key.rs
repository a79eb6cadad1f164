//! The release key: 32 secret bytes in a file of its own, outside the package, for its owner alone.
//!
//! Whoever has the key can try every volunteer's name and undo the pseudonyms, so the file is made with
//! mode 0600, is refused where anybody else may read it, and is refused within the package; a new one is made in no
//! other package either. Where nothing was made with a new key, its file goes again. The key never prints, and is
//! wiped from memory when dropped. Keeping or destroying it after publication is the team's decision (destroyed:
//! nobody can take a person out of a later version of this release by pseudonym).

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::ReleaseError;
use crate::package::{DESCRIPTION, SUMS};

const MAGIC: &str = "volary-release-key-1 ";
const N_BYTES: usize = 32;

/// The secret of one release, or of a line of releases that are meant to be linked.
pub struct ReleaseKey(Zeroizing<[u8; N_BYTES]>);

impl fmt::Debug for ReleaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReleaseKey(not shown)")
    }
}

impl ReleaseKey {
    /// Draws a key from the operating system and writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`ReleaseError::Key`] where the file exists (an old key is never overwritten) or is within
    /// `package` or any other package; [`ReleaseError::Io`] where it cannot be written.
    pub fn create(path: &Path, package: &Path) -> Result<Self, ReleaseError> {
        refuse_within(path, package)?;
        refuse_within_others(path)?;
        let mut bytes = Zeroizing::new([0; N_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|e| {
            key_error(path, format!("the system gives no random bytes ({e}); no key was made"))
        })?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                key_error(path, "there is a key already; use it, or name another file".to_owned())
            }
            _ => ReleaseError::writing(path)(e),
        })?;
        let key = Self(bytes);
        if let Err(e) = file.write_all(key.text().as_bytes()).and_then(|()| file.sync_all()) {
            // Half a key is none, and would be in the way of the next; that it was not written is what is told.
            let _ = std::fs::remove_file(path);
            return Err(ReleaseError::writing(path)(e));
        }
        Ok(key)
    }

    /// Removes the file that [`ReleaseKey::create`] made, where nothing was made with it after all. A file that holds
    /// another key stays.
    ///
    /// # Errors
    /// [`ReleaseError::Io`] where it cannot be read or removed.
    pub fn take_back(&self, path: &Path) -> Result<(), ReleaseError> {
        let held = Zeroizing::new(std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?);
        if held.as_str() != self.text().as_str() {
            return Ok(());
        }
        std::fs::remove_file(path).map_err(ReleaseError::writing(path))
    }

    /// What the file holds.
    fn text(&self) -> Zeroizing<String> {
        let hex = Zeroizing::new(data_encoding::HEXLOWER.encode(self.0.as_slice()));
        Zeroizing::new(format!("{MAGIC}{}\n", hex.as_str()))
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`ReleaseError::Key`] where others may read the file, where it is within `package`, or holds no key.
    pub fn read(path: &Path, package: &Path) -> Result<Self, ReleaseError> {
        refuse_within(path, package)?;
        // Permissions are those of the file that was opened, so that nobody can swap it in between.
        let file = File::open(path).map_err(ReleaseError::reading(path))?;
        let metadata = file.metadata().map_err(ReleaseError::reading(path))?;
        if !metadata.is_file() {
            return Err(key_error(path, "the key must be a plain file".to_owned()));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                let what = format!("others can reach the key (mode {mode:03o}); run `chmod 600` on it");
                return Err(key_error(path, what));
            }
        }
        let mut text = Zeroizing::new(String::new());
        let most = (MAGIC.len() + 2 * N_BYTES + 2) as u64;
        file.take(most).read_to_string(&mut text).map_err(ReleaseError::reading(path))?;
        let no_key = || {
            key_error(
                path,
                "this is no release key; make one with `volary release --new-key`".to_owned(),
            )
        };
        let hex = text.trim_end().strip_prefix(MAGIC).ok_or_else(no_key)?;
        let decoded =
            Zeroizing::new(data_encoding::HEXLOWER.decode(hex.as_bytes()).map_err(|_| no_key())?);
        Self::of_bytes(&decoded).ok_or_else(no_key)
    }

    /// A key of known bytes, for tests and for attacks that try weak keys.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(crate) fn bytes(&self) -> &[u8; N_BYTES] {
        &self.0
    }
}

fn key_error(path: &Path, what: String) -> ReleaseError {
    ReleaseError::Key { what, path: path.to_owned() }
}

fn refuse_within(path: &Path, package: &Path) -> Result<(), ReleaseError> {
    let (key, package) = (resolved(path)?, resolved(package)?);
    if key.starts_with(&package) {
        let what = "the key is within the package that it protects; keep it elsewhere".to_owned();
        return Err(key_error(path, what));
    }
    Ok(())
}

/// Refuses a place within a package that is there already, the one of another version say: it is published, and the key
/// with it. Our packages have both files; of a folder with one of them it is not sure that it is a package.
fn refuse_within_others(path: &Path) -> Result<(), ReleaseError> {
    let is_package = |folder: &&Path| [DESCRIPTION, SUMS].iter().all(|name| folder.join(name).is_file());
    let whole = resolved(path)?;
    match whole.ancestors().skip(1).find(is_package) {
        None => Ok(()),
        Some(package) => {
            let package = package.display();
            let what = format!("a new key does not belong in a package ({package}); keep it elsewhere");
            Err(key_error(path, what))
        }
    }
}

/// The path without links and dots, also where its last parts do not exist yet.
fn resolved(path: &Path) -> Result<PathBuf, ReleaseError> {
    let absolute = std::path::absolute(path).map_err(ReleaseError::reading(path))?;
    let mut rest: Vec<Component<'_>> = Vec::new();
    let mut parts = absolute.components();
    loop {
        if let Ok(mut found) = parts.as_path().canonicalize() {
            for part in rest.iter().rev() {
                match part {
                    Component::ParentDir => {
                        found.pop();
                    }
                    part => found.push(part),
                }
            }
            return Ok(found);
        }
        match parts.next_back() {
            Some(part) => rest.push(part),
            None => return Ok(absolute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_never_printed_nor_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (path, package) = (folder.path().join("k.key"), folder.path().join("package"));
        let made = ReleaseKey::create(&path, &package).unwrap();
        assert_eq!(ReleaseKey::read(&path, &package).unwrap().bytes(), made.bytes());
        assert_ne!(made.bytes(), &[0; 32]);
        assert_eq!(format!("{made:?}"), "ReleaseKey(not shown)");
        let again = ReleaseKey::create(&path, &package).unwrap_err().to_string();
        assert!(again.starts_with("there is a key already"), "{again}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, package) = (folder.path().join("k.key"), folder.path().join("package"));
        ReleaseKey::create(&path, &package).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        for open in [0o604, 0o640, 0o660, 0o644, 0o601] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(open)).unwrap();
            let message = ReleaseKey::read(&path, &package).unwrap_err().to_string();
            assert!(message.contains("chmod 600"), "{message}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        ReleaseKey::read(&path, &package).unwrap();
    }

    #[test]
    fn a_key_within_the_package_is_refused_however_it_is_spelt() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("package");
        let spelt = ["package/k.key", "package/deep/k.key", "other/../package/k.key"];
        for name in spelt {
            let message =
                ReleaseKey::create(&folder.path().join(name), &package).unwrap_err().to_string();
            assert!(message.starts_with("the key is within the package"), "{name}: {message}");
        }
        std::fs::create_dir(&package).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&package, folder.path().join("link")).unwrap();
            let through = ReleaseKey::create(&folder.path().join("link/k.key"), &package);
            assert!(through.unwrap_err().to_string().starts_with("the key is within"));
        }
        ReleaseKey::create(&folder.path().join("package.key"), &package).unwrap();
    }

    #[test]
    fn a_new_key_is_made_in_no_other_package() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("cats-1.0"), folder.path().join("cats-2.0"));
        std::fs::create_dir_all(old.join("data")).unwrap();
        std::fs::write(old.join(SUMS), "").unwrap();
        std::fs::write(old.join(DESCRIPTION), "{}").unwrap();
        for name in ["cats-1.0/k.key", "cats-1.0/data/k.key", "cats-2.0/../cats-1.0/k.key"] {
            let path = folder.path().join(name);
            let message = ReleaseKey::create(&path, &new).unwrap_err().to_string();
            assert!(message.starts_with("a new key does not belong in a package"), "{name}: {message}");
            assert!(!path.exists(), "{name}");
        }
        // Checksums alone may be of anything.
        std::fs::write(folder.path().join(SUMS), "").unwrap();
        ReleaseKey::create(&folder.path().join("k.key"), &new).unwrap();
    }

    #[test]
    fn a_new_key_is_taken_back_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (path, package) = (folder.path().join("k.key"), folder.path().join("package"));
        let first = ReleaseKey::create(&path, &package).unwrap();
        first.take_back(&path).unwrap();
        assert!(!path.exists());
        let second = ReleaseKey::create(&path, &package).unwrap();
        first.take_back(&path).unwrap();
        assert_eq!(ReleaseKey::read(&path, &package).unwrap().bytes(), second.bytes());
    }

    #[test]
    fn a_file_without_a_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, package) = (folder.path().join("k.key"), folder.path().join("package"));
        ReleaseKey::create(&path, &package).unwrap();
        for text in ["", "secret", "volary-release-key-1 00ff\n", "volary-release-key-1 zz\n"] {
            std::fs::write(&path, text).unwrap();
            let message = ReleaseKey::read(&path, &package).unwrap_err().to_string();
            assert!(message.starts_with("this is no release key"), "{text}: {message}");
        }
        let message = ReleaseKey::read(&folder.path().join("none"), &package).unwrap_err().to_string();
        assert!(message.starts_with("reading failed"), "{message}");
    }
}
