//! Tables that a trained model writes.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::table;

/// `predictions`: one row per subject and class.
#[must_use]
pub fn predictions() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("answer", DataType::Utf8, false),
        ("probability", DataType::Float64, false),
        ("probability_low", DataType::Float64, false),
        ("probability_high", DataType::Float64, false),
        // Null where the model never saw counts.
        ("fraction_low", DataType::Float64, true),
        ("fraction_high", DataType::Float64, true),
    ])
}

/// `predictions_subjects`: one row per subject.
#[must_use]
pub fn predictions_subjects() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("reconstruction_error", DataType::Float64, false),
    ])
}

/// `predictions_embeddings`: one row per subject, its latent numbers as `z0`, `z1`, …
#[must_use]
pub fn embeddings(n_latents: usize) -> Arc<Schema> {
    let mut fields = vec![Field::new("subject_id", DataType::Utf8, false)];
    fields.extend((0..n_latents).map(|i| Field::new(format!("z{i}"), DataType::Float32, false)));
    Arc::new(Schema::new(fields))
}
