//! A boundary and the model that made its vectors in one file (`.tar`): all that a new survey needs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use volary_ingest::bundle::{read_bundle, write_bundle};

use super::saved::{Saved, model_name};

/// The boundary, as `--save` to a `.json` writes it; the model's configuration, weights and card.
const FILES: [&str; 4] =
    ["boundary.json", "model/config.json", "model/weights.safetensors", "model/card.md"];

/// A boundary that was read, with its model if it came with one.
pub(crate) struct Opened {
    pub(crate) saved: Saved,
    /// Unpacked for as long as it is used.
    folder: Option<TempDir>,
}

/// Whether a file of this name holds a model as well.
pub(crate) fn is_bundle(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"))
}

/// Writes a boundary with its model.
pub(super) fn write(saved: &Saved, model: &Path, path: &Path) -> Result<()> {
    let of_model = |name: &str| model.join(name.trim_start_matches("model/"));
    let read = |name: &str| {
        let path = of_model(name);
        std::fs::read(&path).with_context(|| {
            format!(
                "a file that ends in .tar holds the model as well, which wants the folder that `volary train` \
                 wrote as --model; it has no {}",
                path.display()
            )
        })
    };
    let text = saved.text()?;
    let [config, weights] = [read(FILES[1])?, read(FILES[2])?];
    let card = std::fs::read(of_model(FILES[3])).ok();
    let mut files = vec![(FILES[0], text.as_bytes()), (FILES[1], &config), (FILES[2], &weights)];
    if let Some(card) = &card {
        files.push((FILES[3], card));
    }
    write_bundle(path, &files)?;
    Ok(())
}

impl Opened {
    /// Reads a boundary, alone (`.json`) or with its model (`.tar`).
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !is_bundle(path) {
            return Ok(Self { saved: Saved::read(path)?, folder: None });
        }
        let mut files = read_bundle(path, &FILES)?;
        let text = files[0].take().and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.with_context(|| format!("no {} in it: {}", FILES[0], path.display()))?;
        let saved = Saved::of_text(&text, path)?;
        let folder = tempfile::tempdir().context("the model cannot be unpacked for use")?;
        for (name, bytes) in FILES.iter().zip(&files).skip(1) {
            if let Some(bytes) = bytes {
                let path = folder.path().join(name.trim_start_matches("model/"));
                std::fs::write(path, bytes).context("the model cannot be unpacked for use")?;
            }
        }
        let found = model_name(folder.path()).with_context(|| format!("{}", path.display()))?;
        if saved.model.as_ref().is_none_or(|own| own.blake3 != found.blake3) {
            bail!(
                "the model in it is not the one that the boundary was learned by; take it again from where it was \
                 made: {}",
                path.display()
            );
        }
        Ok(Self { saved, folder: Some(folder) })
    }

    /// The folder of the model, where there is one.
    pub(crate) fn model(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().to_owned())
    }
}
