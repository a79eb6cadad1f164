//! Zooniverse (Panoptes) exports.

mod annotation;
mod collect;
mod columns;
pub mod compat;
pub mod config;
pub mod dedup;
mod depth;
mod drawing;
mod export;
pub mod flatten;
mod metadata;
mod offers;
mod resolve;
mod row;
mod seen;
pub mod subjects;
pub mod version;
pub mod workflows;

pub use collect::{Collected, ExtractSink, SubjectRow, Wordings};
pub use export::{ExportOptions, ExportReport, read_exports};
pub use offers::{Offer, offers};
pub use row::RowFilter;
