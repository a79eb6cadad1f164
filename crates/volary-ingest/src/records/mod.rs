//! CSV records out of bytes, in blocks, at the speed of one look at each byte.
//!
//! Two layers. [`Blocks`] cuts the input into blocks of whole records and finds where their fields end,
//! so that blocks can be read on several threads; [`Records`] walks the records of small files
//! one by one; [`Fields`] is a record taken apart.
//! The rules are RFC 4180's as the `csv` crate reads them: a quote opens a field only at its start,
//! doubled quotes stand for one, records end at a newline outside quotes, blank lines are skipped.
//! Beyond RFC 4180: a record longer than the limit is passed over without being held, and a file that
//! ends inside quotes is said to be cut off.
//!
//! Why not the `csv` crate: it reads on one thread, holds a record of any length, and takes a cut file
//! for a whole one. `bench/README.md` compares.

mod blocks;
mod fields;
mod header;
mod scan;
mod walk;

pub use blocks::{Block, Blocks, RecordOptions, Span};
pub use fields::Fields;
pub use header::{Header, require};
pub(crate) use walk::clean_text;
pub use walk::{Record, Records};
