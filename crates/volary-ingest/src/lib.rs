//! Bytes to typed tables and back: the only crate that knows a file format.
//!
//! Every reader answers with what it could read *and* a list of problems ([`volary_core::Problems`]);
//! it fails ([`IngestError`]) only where there is nothing to read. Every writer writes beside its target
//! and renames, so that no half-written file is ever seen. No statistics here.

pub mod bundle;
pub mod caesar;
pub mod class_table;
mod columns;
pub mod count_table;
mod error;
mod fits_header;
pub mod gap_table;
pub mod image_size;
pub mod images;
pub mod label_table;
pub mod light_curves;
pub mod manifest;
pub mod mark_events;
pub mod marks;
pub mod output;
pub mod panoptes;
mod pipeline;
pub mod planet_hunters;
pub mod records;
pub mod report;
pub mod signals;
pub mod source;
pub mod tables;
pub mod talk;
pub mod time;
pub mod volunteer;

pub use error::IngestError;
pub use source::{InputDigest, Progress};
