//! Scores so far, beside the table that they go into: scoring a million pictures takes hours, and whoever is
//! stopped in the middle goes on with the same command. The file is removed when the table is written.
//!
//! A header, then rows of a fixed number of bytes. A row that was cut off is made again.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use volary_vision::anomaly::Scores;

/// Bytes of a key, in hexadecimal.
const KEY: usize = 64;

/// Scores that were written down.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    n_latents: usize,
}

impl Journal {
    /// Opens the journal of `output` and gives what it holds, if it is of the same model and pictures as `key` says;
    /// begins a new one otherwise.
    pub(super) fn open(output: &Path, key: &str, n_latents: usize) -> Result<(Self, Scores)> {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let path = output.with_file_name(format!(".{name}.scored"));
        let failed = || format!("the journal of scores {} cannot be used; remove it", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(failed)?;
        let mut scores =
            Scores { n_latents, image: Vec::new(), feature: Vec::new(), embedding: Vec::new() };
        let row = 16 + 4 * n_latents;
        let mut n_kept = KEY;
        if bytes.len() >= KEY && &bytes[..KEY] == key.as_bytes() {
            for row in bytes[KEY..].chunks_exact(row) {
                let number = |at: usize| row[at..at + 8].try_into().map_or(f64::NAN, f64::from_le_bytes);
                scores.image.push(number(0));
                scores.feature.push(number(8));
                let (latents, _) = row[16..].as_chunks::<4>();
                scores.embedding.extend(latents.iter().map(|z| f32::from_le_bytes(*z)));
            }
            n_kept += scores.n() * row;
        } else {
            file.seek(SeekFrom::Start(0)).with_context(failed)?;
            file.write_all(key.as_bytes()).with_context(failed)?;
        }
        file.set_len(n_kept as u64).with_context(failed)?;
        file.seek(SeekFrom::End(0)).with_context(failed)?;
        Ok((Self { path, file, n_latents }, scores))
    }

    /// Writes more of them down.
    pub(super) fn add(&mut self, scores: &Scores) -> Result<()> {
        let mut bytes = Vec::with_capacity(scores.n() * (16 + 4 * self.n_latents));
        let rows = scores.image.iter().zip(&scores.feature);
        for ((image, feature), latents) in rows.zip(scores.embedding.chunks_exact(self.n_latents)) {
            bytes.extend(image.to_le_bytes());
            bytes.extend(feature.to_le_bytes());
            bytes.extend(latents.iter().flat_map(|z| z.to_le_bytes()));
        }
        self.file.write_all(&bytes).with_context(|| {
            format!("the scores so far cannot be written to {}; check the disk", self.path.display())
        })
    }

    /// Forgets them.
    pub(super) fn remove(self) -> Result<()> {
        drop(self.file);
        std::fs::remove_file(&self.path).with_context(|| format!("{} is left", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_scored_is_not_scored_again_and_half_a_row_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("scores.csv");
        let key = "a".repeat(KEY);
        let scores = Scores {
            n_latents: 2,
            image: vec![1.0, 2.0],
            feature: vec![3.0, 4.0],
            embedding: vec![0.1, 0.2, 0.3, 0.4],
        };
        let (mut journal, found) = Journal::open(&output, &key, 2).unwrap();
        assert_eq!(found.n(), 0);
        journal.add(&scores).unwrap();
        let path = journal.path.clone();
        drop(journal);
        assert_eq!(Journal::open(&output, &key, 2).unwrap().1, scores);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let (mut journal, found) = Journal::open(&output, &key, 2).unwrap();
        assert_eq!((found.n(), found.image), (1, vec![1.0]));
        journal.add(&scores).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&output, &key, 2).unwrap().1.image, [1.0, 1.0, 2.0]);
        // Of another model, or other pictures: none of it.
        let (journal, found) = Journal::open(&output, &"b".repeat(KEY), 2).unwrap();
        assert_eq!(found.n(), 0);
        journal.remove().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
