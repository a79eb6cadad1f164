//! Scores so far, beside the table that they go into: scoring a million pictures takes hours, and whoever is
//! stopped in the middle goes on with the same command. The file is removed when the table is written.
//!
//! A header, then rows of a fixed number of bytes. A row that was cut off is made again.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Bytes of a key, in hexadecimal.
const KEY: usize = 64;

/// Scores of pictures, in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scored {
    /// Latent numbers of a picture.
    pub(super) n_latents: usize,
    /// One list a score, a number a picture.
    pub(super) scores: Vec<Vec<f64>>,
    /// The latent numbers, `[pictures, latents]`.
    pub(super) embedding: Vec<f32>,
}

impl Scored {
    fn none([n_scores, n_latents]: [usize; 2]) -> Self {
        Self { n_latents, scores: vec![Vec::new(); n_scores], embedding: Vec::new() }
    }

    /// Pictures.
    pub(super) fn n(&self) -> usize {
        self.scores.first().map_or(0, Vec::len)
    }

    /// Bytes of a picture in the journal.
    fn row_bytes(&self) -> usize {
        8 * self.scores.len() + 4 * self.n_latents
    }

    /// Adds those of more pictures.
    pub(super) fn extend(&mut self, more: Self) {
        self.scores.iter_mut().zip(more.scores).for_each(|(all, more)| all.extend(more));
        self.embedding.extend(more.embedding);
    }
}

/// Scores that were written down.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal of `output`, with so many scores and latent numbers a picture, and gives what it holds, if it
    /// is of the same model and pictures as `key` says; begins a new one otherwise.
    pub(super) fn open(output: &Path, key: &str, widths: [usize; 2]) -> Result<(Self, Scored)> {
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
        let mut scored = Scored::none(widths);
        let row = scored.row_bytes();
        let mut n_kept = KEY;
        if bytes.len() >= KEY && &bytes[..KEY] == key.as_bytes() {
            for row in bytes[KEY..].chunks_exact(row) {
                let (scores, latents) = row.split_at(8 * widths[0]);
                let (scores, _) = scores.as_chunks::<8>();
                for (all, score) in scored.scores.iter_mut().zip(scores) {
                    all.push(f64::from_le_bytes(*score));
                }
                let (latents, _) = latents.as_chunks::<4>();
                scored.embedding.extend(latents.iter().map(|z| f32::from_le_bytes(*z)));
            }
            n_kept += scored.n() * row;
        } else {
            file.seek(SeekFrom::Start(0)).with_context(failed)?;
            file.write_all(key.as_bytes()).with_context(failed)?;
        }
        file.set_len(n_kept as u64).with_context(failed)?;
        file.seek(SeekFrom::End(0)).with_context(failed)?;
        Ok((Self { path, file }, scored))
    }

    /// Writes more of them down.
    pub(super) fn add(&mut self, scored: &Scored) -> Result<()> {
        let mut bytes = Vec::with_capacity(scored.n() * scored.row_bytes());
        for (row, latents) in scored.embedding.chunks_exact(scored.n_latents).enumerate() {
            bytes.extend(scored.scores.iter().flat_map(|score| score[row].to_le_bytes()));
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
        let scores = Scored {
            n_latents: 2,
            scores: vec![vec![1.0, 2.0], vec![3.0, 4.0]],
            embedding: vec![0.1, 0.2, 0.3, 0.4],
        };
        let (mut journal, found) = Journal::open(&output, &key, [2, 2]).unwrap();
        assert_eq!(found.n(), 0);
        journal.add(&scores).unwrap();
        let path = journal.path.clone();
        drop(journal);
        assert_eq!(Journal::open(&output, &key, [2, 2]).unwrap().1, scores);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let (mut journal, found) = Journal::open(&output, &key, [2, 2]).unwrap();
        assert_eq!((found.n(), found.scores), (1, vec![vec![1.0], vec![3.0]]));
        journal.add(&scores).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&output, &key, [2, 2]).unwrap().1.scores[0], [1.0, 1.0, 2.0]);
        // Of another model, or other pictures: none of it.
        let (journal, found) = Journal::open(&output, &"b".repeat(KEY), [2, 2]).unwrap();
        assert_eq!(found.n(), 0);
        journal.remove().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
