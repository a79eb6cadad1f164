//! Tables on disk: Parquet, CSV, JSON, Arrow, by the ending of the name.
//!
//! Written batch by batch beside their place and renamed when whole; read back as Arrow batches with
//! forgiving access to columns ([`Columns`]), since a table may have been through pandas or TOPCAT.

mod extracts;
mod read;
mod shapes;
mod votes;
mod whole;
mod write;

pub use extracts::{ExtractWriter, write_subject_export, write_subjects};
pub(crate) use read::CsvRow;
pub use read::{Cells, Columns, for_each_batch};
pub use shapes::{ShapeCollector, read_shapes, read_shapes_without};
pub use votes::{Both, VoteCollector, read_votes, read_votes_without};
pub use whole::{read_matrix, read_whole};
pub use write::{TableWriter, write_table};

use std::path::Path;

use crate::error::IngestError;

/// The formats of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableFormat {
    /// Parquet, snappy-compressed: pandas, polars, DuckDB and TOPCAT read it as it is.
    Parquet,
    /// CSV with a header, empty cells for missing values.
    Csv,
    /// A JSON list of objects, one row a line.
    Json,
    /// An Arrow IPC file.
    Arrow,
}

impl TableFormat {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Parquet, Self::Csv, Self::Json, Self::Arrow];

    /// The ending of its files.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Arrow => "arrow",
        }
    }

    /// The format that a file's name says.
    ///
    /// # Errors
    /// [`IngestError::UnknownTableFormat`].
    pub fn of(path: &Path) -> Result<Self, IngestError> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|f| f.extension() == ending)
            .ok_or_else(|| IngestError::UnknownTableFormat { path: path.to_owned() })
    }
}
