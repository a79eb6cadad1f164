//! What stops a reader or writer altogether. Anything less is a [`volary_core::Problem`].

use std::path::PathBuf;

/// Why an input could not be read or an output not be written; each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
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
    /// There is not a single byte, or not a single line.
    #[error("the file is empty; download the export again: {path}", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The header lacks columns that the format needs.
    #[error(
        "no column {missing} in the header, which has: {found}. Is this {expected}? {path}",
        path = path.display()
    )]
    MissingColumns {
        /// What is missing.
        missing: String,
        /// What is there.
        found: String,
        /// The format that was asked for.
        expected: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The header line is longer than any header is: probably not a table at all.
    #[error("the first line is longer than {limit} bytes, so this is not a table with a header: {path}", path = path.display())]
    HeaderTooLong {
        /// The limit.
        limit: usize,
        /// The file.
        path: PathBuf,
    },
    /// Lines end in a lone carriage return.
    #[error("lines end in a lone carriage return (old Mac); convert them with `tr '\\r' '\\n'`: {path}", path = path.display())]
    OldMacLineEnds {
        /// The file.
        path: PathBuf,
    },
    /// The content is not of the format that the reader reads.
    #[error("{what}: {path}", path = path.display())]
    Format {
        /// What is wrong and what to do.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// The file's name does not say a table format.
    #[error("the name must end in .parquet, .csv, .json or .arrow: {path}", path = path.display())]
    UnknownTableFormat {
        /// The file.
        path: PathBuf,
    },
    /// An Arrow or Parquet error.
    #[error("{what}: {path}", path = path.display())]
    Table {
        /// The library's message.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// The work was stopped from outside (Ctrl-C).
    #[error("stopped; nothing was written")]
    Stopped,
}

impl IngestError {
    pub(crate) fn io(action: &'static str, path: &std::path::Path, reason: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), reason }
    }
}
