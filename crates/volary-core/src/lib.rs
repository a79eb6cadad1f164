//! Volary's vocabulary: what a classification says, what can be wrong with a file, where randomness
//! comes from.
//!
//! This crate does no I/O, reads no clock and draws no unseeded randomness; everything else stands on
//! it, so it stays small. File formats live in `volary-ingest`, statistics in `volary-crowd`.

pub mod caesar;
pub mod drawn;
pub mod draws;
pub mod extracts;
pub mod form;
pub mod hdbscan;
pub mod marks;
pub mod missing;
pub mod pixels;
pub mod problem;
pub mod schema;
pub mod seed;
pub mod spreadsheet;
pub mod symbol;
pub mod truth;
pub mod votes;

pub use drawn::{Drawn, DrawnRow};
pub use extracts::Extracts;
pub use form::{Form, ParameterKind};
pub use missing::is_missing;
pub use pixels::{PixelError, PixelShape, Pixels, PixelsInMemory};
pub use problem::{Problem, ProblemKind, Problems};
pub use symbol::{Pool, Symbol};
pub use votes::{QuestionKind, Votes};
