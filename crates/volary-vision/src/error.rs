//! What can go wrong in training and scoring, each in one sentence that ends with what to do.

use std::path::{Path, PathBuf};

use volary_core::PixelError;

/// Training or scoring could not go on.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// A setting has a value that no network can have.
    #[error("the setting {setting} is {value}; give {expected}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        expected: String,
    },
    /// The votes cannot be learned from.
    #[error("{0}")]
    Labels(String),
    /// Too few pictures to split.
    #[error(
        "{n} pictures in {n_groups} groups cannot be split into a part to learn from and a part to judge \
         by; give at least {needed} groups of pictures"
    )]
    TooFew {
        /// Pictures there are.
        n: usize,
        /// Groups they form.
        n_groups: usize,
        /// Groups that would be enough.
        needed: usize,
    },
    /// The loss or the weights stopped being numbers.
    #[error("the loss \"{term}\" became {value} in epoch {epoch}, batch {batch}; {kept}; {advice}")]
    NotFinite {
        /// The part of the loss.
        term: String,
        /// What it became.
        value: f64,
        /// Epoch, counted from 1.
        epoch: usize,
        /// Batch of the epoch, counted from 1.
        batch: usize,
        /// What is left of the training.
        kept: String,
        /// What to change.
        advice: String,
    },
    /// The device that was asked for is not there.
    #[error("{0}")]
    Device(String),
    /// A file of a model cannot be used.
    #[error("{}: {problem}; {advice}", path.display())]
    Model {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// A file could not be read or written.
    #[error("{what} failed: {}: {reason}; check the disk and the permissions", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Somebody asked for an end.
    #[error("stopped before the end; run it again for the whole")]
    Stopped,
    /// The pictures could not be read.
    #[error(transparent)]
    Pixels(#[from] PixelError),
}

impl VisionError {
    pub(crate) fn io(what: &'static str, path: &Path, reason: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), reason }
    }

    pub(crate) fn model(path: &Path, problem: impl Into<String>, advice: &'static str) -> Self {
        Self::Model { path: path.to_owned(), problem: problem.into(), advice }
    }

    pub(crate) fn setting(setting: &'static str, value: impl ToString, expected: &str) -> Self {
        Self::Setting { setting, value: value.to_string(), expected: expected.to_owned() }
    }
}
