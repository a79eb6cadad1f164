//! A folder of subjects' images: their sizes, and themselves as text for a picture.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use volary_ingest::image_size::{ImageHead, image_head};

use crate::report::clusters::Backdrop;

/// A bigger image does not go into a picture.
const MAX_BYTES: u64 = 16 << 20;

/// The size of an image stands within its first bytes.
const HEAD_BYTES: u64 = 256 << 10;

/// A folder of images, by subject: `SUBJECT.png`, or `SUBJECT_FRAME.png` for one frame of several.
pub(crate) struct Images {
    folder: PathBuf,
}

impl Images {
    /// The images of a folder.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            bail!("no such folder of images: {}", folder.display());
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The file of a subject's frame.
    fn find(&self, subject: &str, frame: u16) -> Option<PathBuf> {
        // A subject id is text from a file: it must not lead out of the folder.
        if subject.is_empty() || subject.contains(['/', '\\', '\0']) || subject.starts_with('.') {
            return None;
        }
        let plain = (frame == 0).then(|| subject.to_owned());
        let stems = [Some(format!("{subject}_{frame}")), plain];
        let endings = ["png", "jpg", "jpeg", "gif"];
        let mut files = stems
            .into_iter()
            .flatten()
            .flat_map(|stem| endings.map(|ending| self.folder.join(format!("{stem}.{ending}"))));
        files.find(|path| path.is_file())
    }

    /// Width and height of a subject's image, px.
    pub(crate) fn size(&self, subject: &str, frame: u16) -> Option<(f64, f64)> {
        let path = self.find(subject, frame)?;
        let mut start = Vec::new();
        std::fs::File::open(path).ok()?.take(HEAD_BYTES).read_to_end(&mut start).ok()?;
        let head = image_head(&start)?;
        Some((f64::from(head.width), f64::from(head.height)))
    }

    /// A subject's image as text.
    pub(crate) fn backdrop(&self, subject: &str, frame: u16) -> Option<Backdrop> {
        let (head, bytes) = self.read(subject, frame)?;
        let uri = format!("data:{};base64,{}", head.media_type, base64(&bytes));
        Some(Backdrop { uri, width: f64::from(head.width), height: f64::from(head.height) })
    }

    fn read(&self, subject: &str, frame: u16) -> Option<(ImageHead, Vec<u8>)> {
        let path = self.find(subject, frame)?;
        let is_small = std::fs::metadata(&path).ok()?.len() <= MAX_BYTES;
        let bytes = is_small.then(|| std::fs::read(&path).ok())??;
        Some((image_head(&bytes)?, bytes))
    }
}

/// RFC 4648, with padding. Sixteen lines, where a crate would be one more dependency.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for i in 0..4 {
            let letter = LETTERS[((bits >> (18 - 6 * i)) & 63) as usize];
            text.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648, section 10.
    #[test]
    fn base64_as_in_its_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_subject_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("7.gif"), b"GIF89a\x0a\0\x14\0").unwrap();
        std::fs::write(folder.path().join("7_1.gif"), b"GIF89a\x05\0\x05\0").unwrap();
        std::fs::write(folder.path().join("8.png"), b"no image").unwrap();
        let images = Images::open(folder.path()).unwrap();
        assert_eq!(images.size("7", 0), Some((10.0, 20.0)));
        assert_eq!(images.size("7", 1), Some((5.0, 5.0)));
        for subject in ["8", "9", "", "../7", ".", "a/b"] {
            assert_eq!(images.size(subject, 0), None, "{subject}");
        }
        assert!(images.backdrop("7", 0).unwrap().uri.starts_with("data:image/gif;base64,R0lG"));
        assert!(Images::open(&folder.path().join("7.gif")).is_err());
    }
}
