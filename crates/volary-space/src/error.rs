//! What geometry and evaluation refuse to do.

/// Why something cannot be computed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// No rows.
    #[error(
        "{what} has no rows; check that the table is not empty and that the filter lets something through"
    )]
    NoRows {
        /// What was empty.
        what: &'static str,
    },
    /// Values that do not fill whole rows.
    #[error(
        "{n_values} values do not fill rows of {n_columns} columns; check the length of the vectors"
    )]
    Ragged {
        /// How many values there are.
        n_values: usize,
        /// Columns of a row.
        n_columns: usize,
    },
    /// A value that is not a finite number.
    #[error(
        "row {row}, column {column} is {value}, not a finite number; leave the row out or fill the value"
    )]
    NotFinite {
        /// The row, counted from 0.
        row: usize,
        /// The column, counted from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// Columns of one table that differ in length.
    #[error("{what} has {actual} entries where {expected} are needed; give one for every row")]
    Length {
        /// Which column.
        what: &'static str,
        /// Its length.
        actual: usize,
        /// The number of rows.
        expected: usize,
    },
    /// Vectors of another length than those that a model was made of.
    #[error(
        "these vectors have {actual} numbers, the model was made of {expected}; use vectors of the same network"
    )]
    Width {
        /// Numbers of a vector.
        actual: usize,
        /// Numbers that the model wants.
        expected: usize,
    },
    /// A value out of its range.
    #[error("{what} is {value} in row {row}, it must lie between {low} and {high}; check the column")]
    Range {
        /// Which column.
        what: &'static str,
        /// The row, counted from 0.
        row: usize,
        /// The value.
        value: f64,
        /// Lowest allowed.
        low: f64,
        /// Highest allowed.
        high: f64,
    },
    /// A setting out of its range.
    #[error("{name} is {value}, it must be {must}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// Only one class where two are needed.
    #[error(
        "all {n} labels are on one side, so there is nothing to tell apart; choose a threshold that leaves \
         labels on both sides"
    )]
    OneClass {
        /// How many labels.
        n: usize,
    },
    /// A decomposition that did not come to an end.
    #[error("the {what} did not converge; look for columns with huge values and rescale them")]
    NotConverged {
        /// Which computation.
        what: &'static str,
    },
    /// Pictures that could not be read.
    #[error(transparent)]
    Pixels(#[from] volary_core::PixelError),
}
