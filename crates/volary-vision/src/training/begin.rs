//! How a training begins in a folder, and what tells it from another: nothing that was trained is lost or mixed
//! up without a word.

use std::path::Path;

use serde_json::Value;
use volary_core::Pixels;

use crate::error::VisionError;
use crate::folder::CONFIG;

/// What to do with a training that was begun in the folder before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// There is none; if there is, that is an error.
    New,
    /// Go on from its checkpoint, where there is one.
    Resume,
    /// Forget it.
    Afresh,
}

/// Looks at the folder of a training with these checkpoints, and clears it where that was asked for.
///
/// # Errors
///
/// [`VisionError::Model`] where another training is in the way, [`VisionError::Io`] where a file stays.
pub(crate) fn begin(begin: Begin, folder: &Path, checkpoints: &[&Path]) -> Result<(), VisionError> {
    if begin == Begin::Resume || !checkpoints.iter().any(|path| path.exists()) {
        return Ok(());
    }
    if begin == Begin::New {
        return Err(VisionError::model(
            folder,
            "a training was begun here before",
            "go on with it with --resume, begin anew with --fresh, or give another folder",
        ));
    }
    // The old model goes first: a folder must not look finished while another is trained.
    let config = folder.join(CONFIG);
    for path in std::iter::once(config.as_path()).chain(checkpoints.iter().copied()) {
        if path.exists() {
            std::fs::remove_file(path).map_err(|e| VisionError::io("removing", path, e))?;
        }
    }
    Ok(())
}

/// A hash of all that the weights of an epoch depend on: `settings`, and the pictures.
///
/// # Errors
///
/// [`VisionError::Pixels`] where a picture cannot be read.
pub(crate) fn fingerprint(settings: &Value, pixels: &dyn Pixels) -> Result<String, VisionError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(settings.to_string().as_bytes());
    // All pictures would be many gigabytes; a few tell other pictures apart.
    let n = pixels.count();
    let mut picture = vec![0.0; pixels.shape().values()];
    for i in 0..n.min(16) {
        pixels.read(i * n / n.min(16), &mut picture)?;
        for value in &picture {
            hasher.update(&value.to_le_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}
