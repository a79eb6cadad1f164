//! Zooniverse (Panoptes) exports.

mod annotation;
mod collect;
mod drawing;
mod export;
mod metadata;
mod resolve;
mod row;
pub mod version;

pub use collect::{Collected, ExtractSink, SubjectRow, Wordings};
pub use export::{ExportOptions, ExportReport, read_exports};
pub use row::RowFilter;
