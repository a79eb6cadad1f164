//! What became of the rows of one input: read, used, left out and why. Every reader hands one back, so
//! that no row is ever lost without a line that says so.

use std::collections::BTreeMap;

use volary_core::Problems;

use crate::error::IngestError;
use crate::records::Records;
use crate::source::InputDigest;

/// The account of one input: `rows_read` is `rows_used` plus all of `left_out`.
#[derive(Clone, Debug)]
pub struct ReadReport {
    /// Data rows in the file, whether usable or not.
    pub rows_read: u64,
    /// Rows that went into the result.
    pub rows_used: u64,
    /// Rows that did not, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// What was wrong, row by row.
    pub problems: Problems,
    /// The input itself, for `run.json`.
    pub digest: InputDigest,
}

impl ReadReport {
    /// Whether the account adds up; it does unless a reader has a bug.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.rows_read == self.rows_used + self.left_out.values().sum::<u64>()
    }
}

/// The account while it is being kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) used: u64,
    pub(crate) left_out: BTreeMap<String, u64>,
    pub(crate) problems: Problems,
}

impl Tally {
    pub(crate) fn leave_out(&mut self, reason: &str) {
        *self.left_out.entry(reason.to_owned()).or_default() += 1;
    }

    /// Closes the account of a table that was walked to its end.
    pub(crate) fn finish(mut self, records: Records) -> Result<ReadReport, IngestError> {
        let mut problems = records.problems.clone();
        problems.absorb(&self.problems);
        if records.n_left_out > 0 {
            *self.left_out.entry("malformed row".to_owned()).or_default() += records.n_left_out;
        }
        let rows_read = records.n_rows;
        let digest = records.digest()?;
        Ok(ReadReport { rows_read, rows_used: self.used, left_out: self.left_out, problems, digest })
    }
}
