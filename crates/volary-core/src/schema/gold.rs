//! Tables of gold-standard labels, the votes that they stand on, and training sets made of them.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};

use super::{table, timestamp};

/// `gold`: one row per subject; of a question with several answers one per true answer.
#[must_use]
pub fn gold() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        // The hard label; missing where there is none.
        ("answer", DataType::Utf8, true),
        ("is_hard", DataType::Boolean, false),
        ("n_seen", DataType::UInt32, false),
        ("n_effective", DataType::Float64, false),
        ("vote_set", DataType::Utf8, false),
    ])
}

/// `gold_soft`: one row per subject and answer.
#[must_use]
pub fn gold_soft() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("answer", DataType::Utf8, false),
        ("n_seen", DataType::UInt32, false),
        ("n_votes", DataType::UInt32, false),
        ("probability", DataType::Float64, false),
        ("probability_sd", DataType::Float64, true),
        ("probability_low", DataType::Float64, false),
        ("probability_high", DataType::Float64, false),
        ("is_true", DataType::Boolean, true),
    ])
}

/// `gold_votes`: the votes that a gold standard is made of, a votes table too.
#[must_use]
pub fn gold_votes() -> Arc<Schema> {
    table(vec![
        ("classification_id", DataType::Utf8, false),
        ("workflow_id", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("volunteer", DataType::Utf8, false),
        ("created_at", timestamp(), true),
        ("task", DataType::Utf8, false),
        ("kind", DataType::Utf8, false),
        ("answer", DataType::Utf8, true),
    ])
}

/// A training set of gold among other labels: one row per subject and answer.
#[must_use]
pub fn mixture() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("answer", DataType::Utf8, false),
        ("n_seen", DataType::UInt32, false),
        ("n_votes", DataType::UInt32, false),
        ("source", DataType::Utf8, false),
        ("weight", DataType::Float64, false),
    ])
}
