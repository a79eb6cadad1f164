//! Several files as one, to be handed on: a plain tar, the same bytes from the same files.
//!
//! Reading takes files of known names into memory; nothing is unpacked by a name that the archive says, and
//! whatever else it holds is an error, since it was not made here.

use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::error::IngestError;
use crate::output::AtomicFile;

/// Bytes of one file at most.
const MOST: u64 = 8 << 30;

/// Writes files by name; the bundle appears whole or not at all.
///
/// # Errors
/// [`IngestError::Io`] where it cannot be written.
pub fn write_bundle(path: &Path, files: &[(&str, &[u8])]) -> Result<(), IngestError> {
    let failed = |e| IngestError::io("writing", path, e);
    let mut archive = tar::Builder::new(AtomicFile::create(path)?);
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, name, *bytes).map_err(failed)?;
    }
    let mut file = archive.into_inner().map_err(failed)?;
    file.flush().map_err(failed)?;
    file.commit()
}

/// Reads the files of these names, in this order; `None` for one that is not there.
///
/// # Errors
/// [`IngestError::Io`]; [`IngestError::Format`] for what is no bundle, holds other files, or is cut off.
pub fn read_bundle(path: &Path, names: &[&str]) -> Result<Vec<Option<Vec<u8>>>, IngestError> {
    let format = |what: String| IngestError::Format { what, path: path.to_owned() };
    let broken = |e: std::io::Error| {
        format(format!("not a whole bundle ({e}); take it again from where it was made"))
    };
    let file = std::fs::File::open(path).map_err(|e| IngestError::io("reading", path, e))?;
    let mut archive = tar::Archive::new(std::io::BufReader::new(file));
    let mut found: Vec<Option<Vec<u8>>> = vec![None; names.len()];
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let at = names.iter().position(|known| *known == name);
        let Some(slot) = at.filter(|_| entry.header().entry_type().is_file()) else {
            return Err(format(format!("it holds {name:?}, which no bundle of this kind has")));
        };
        let size = entry.size();
        if size > MOST || found[slot].is_some() {
            return Err(format(format!("{name:?} stands in it twice, or is too large")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        if bytes.len() as u64 != size {
            return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
        }
        found[slot] = Some(bytes);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_and_the_same_files_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files: [(&str, &[u8]); 2] = [("a.json", b"{}"), ("model/w", &[7; 5000])];
        write_bundle(&path("a.tar"), &files).unwrap();
        write_bundle(&path("b.tar"), &files).unwrap();
        let bytes = std::fs::read(path("a.tar")).unwrap();
        assert_eq!(bytes, std::fs::read(path("b.tar")).unwrap());
        let found = read_bundle(&path("a.tar"), &["model/w", "none", "a.json"]).unwrap();
        assert_eq!(found, [Some(vec![7; 5000]), None, Some(b"{}".to_vec())]);
        // Other files, cut off anywhere, no bundle at all: one clear error.
        assert!(read_bundle(&path("a.tar"), &["a.json"]).unwrap_err().to_string().contains("model/w"));
        for n in [1, 511, 513, 600, 1500, 4000] {
            std::fs::write(path("cut.tar"), &bytes[..n]).unwrap();
            assert!(read_bundle(&path("cut.tar"), &["a.json", "model/w"]).is_err(), "{n}");
        }
        std::fs::write(path("text.tar"), "no bundle").unwrap();
        assert!(read_bundle(&path("text.tar"), &["a.json"]).is_err());
        assert!(read_bundle(&path("missing.tar"), &["a.json"]).is_err());
    }

    #[test]
    fn names_that_lead_out_and_links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evil.tar");
        let mut archive = tar::Builder::new(std::fs::File::create(&path).unwrap());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, "a.json", "/etc/passwd").unwrap();
        archive.into_inner().unwrap();
        assert!(read_bundle(&path, &["a.json"]).is_err());
    }
}
