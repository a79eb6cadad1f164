//! Bytes to typed tables and back: the only crate that knows a file format.
//!
//! Every reader answers with what it could read *and* a list of problems ([`volary_core::Problems`]);
//! it fails ([`IngestError`]) only where there is nothing to read. Every writer writes beside its target
//! and renames, so that no half-written file is ever seen. No statistics here.

mod error;
pub mod output;
pub mod panoptes;
mod pipeline;
pub mod records;
pub mod source;
pub mod tables;
pub mod time;
pub mod volunteer;

pub use error::IngestError;
pub use source::{InputDigest, Progress};
