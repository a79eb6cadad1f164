//! What stops a release, a verification or an attack. A finding about a package is no error: it is a
//! [`crate::verify::Finding`].

use std::path::{Path, PathBuf};

use volary_ingest::IngestError;

/// Why a release could not be made or read; each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The operating system said no.
    #[error("{action} failed: {reason}: {path}", path = path.display())]
    Io {
        /// What was tried ("reading", "writing").
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        reason: std::io::Error,
    },
    /// A table could not be read or written.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A key file that must not be used as it is.
    #[error("{what}: {path}", path = path.display())]
    Key {
        /// What is wrong and what to do.
        what: String,
        /// The key file.
        path: PathBuf,
    },
    /// A file of settings (`release.toml`, `optouts.toml`, `biases.toml`, `policy.toml`) that says no sense.
    #[error("{what}: {path}", path = path.display())]
    Settings {
        /// What is wrong and what to do.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// The inputs do not go together, or would let out what must stay.
    #[error("{0}")]
    Refused(String),
    /// A folder that is no package.
    #[error("{what}: {path}", path = path.display())]
    Package {
        /// What is wrong and what to do.
        what: String,
        /// The file or folder.
        path: PathBuf,
    },
}

impl ReleaseError {
    pub(crate) fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self::Io { action: "reading", path, reason }
    }

    pub(crate) fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self::Io { action: "writing", path, reason }
    }

    pub(crate) fn settings(path: &Path, what: impl Into<String>) -> Self {
        Self::Settings { what: what.into(), path: path.to_owned() }
    }

    pub(crate) fn package(path: &Path, what: impl Into<String>) -> Self {
        Self::Package { what: what.into(), path: path.to_owned() }
    }
}
