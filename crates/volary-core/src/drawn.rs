//! Drawn marks as statistics want them: who saw which subject, and what each of them drew on it.
//!
//! Filled from an export or from a `shapes` table; emptied by the clustering. A volunteer who saw a
//! drawing task and drew nothing keeps a row without a mark, since every share needs it.

use crate::form::Form;
use crate::symbol::{Pool, Symbol};

/// One mark, or one "saw it, drew nothing".
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnRow {
    /// Workflow id.
    pub workflow: Symbol,
    /// Task key.
    pub task: Symbol,
    /// Subject id.
    pub subject: Symbol,
    /// The volunteer's key.
    pub volunteer: Symbol,
    /// Classification id.
    pub classification: Symbol,
    /// Server time, milliseconds since 1970 UTC.
    pub created_ms: Option<i64>,
    /// The row in the table it came from, 1 for the first.
    pub row: u64,
    /// The mark; `None` where nothing was drawn.
    pub mark: Option<DrawnMark>,
}

/// A mark.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnMark {
    /// Position in the annotation's list.
    pub index: u32,
    /// Image of the subject.
    pub frame: u16,
    /// Tool index.
    pub tool: Option<u16>,
    /// Tool label.
    pub tool_label: Option<Symbol>,
    /// What it is.
    pub form: Form,
    /// Its parameters, in the order of [`Form::parameters`]; empty for outlines.
    pub numbers: Vec<f64>,
    /// The corners of an outline.
    pub points: Vec<(f64, f64)>,
}

/// All rows, with their text.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// All text.
    pub pool: Pool,
    /// Marks and blanks.
    pub rows: Vec<DrawnRow>,
}
