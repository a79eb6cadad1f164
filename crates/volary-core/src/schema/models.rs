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

/// `predictions` of a classifier: one row per subject and class.
#[must_use]
pub fn classifier_scores() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("answer", DataType::Utf8, false),
        ("probability", DataType::Float64, false),
        ("probability_low", DataType::Float64, false),
        ("probability_high", DataType::Float64, false),
        ("probability_sd", DataType::Float64, false),
        ("mutual_information_bits", DataType::Float64, false),
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

/// `anomaly_scores`: one row per subject.
#[must_use]
pub fn anomaly_scores() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("image_score", DataType::Float64, false),
        ("feature_score", DataType::Float64, false),
        ("anomaly_score", DataType::Float64, false),
        // Share of the anomaly scores of the table below this one, in percent.
        ("percentile", DataType::Float64, false),
        // Null in the middle.
        ("flag", DataType::Utf8, true),
    ])
}

/// `autoencoder_scores`: one row per subject.
#[must_use]
pub fn autoencoder_scores() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        // The distance of a picture from what is rebuilt of it.
        ("autoencoder_score", DataType::Float64, false),
        // Share of the scores of the table below this one, in percent.
        ("percentile", DataType::Float64, false),
        // Null in the middle.
        ("flag", DataType::Utf8, true),
    ])
}

/// `predictions_embeddings`, `anomaly_scores_embeddings`: one row per subject, its latent numbers as `z0`, `z1`, …
#[must_use]
pub fn embeddings(n_latents: usize) -> Arc<Schema> {
    let mut fields = vec![Field::new("subject_id", DataType::Utf8, false)];
    fields.extend((0..n_latents).map(|i| Field::new(format!("z{i}"), DataType::Float32, false)));
    Arc::new(Schema::new(fields))
}

/// `attention`: one row per subject and class; the last seven are null unless they were asked for, or where
/// there is no map.
#[must_use]
pub fn attention() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("answer", DataType::Utf8, false),
        ("logit", DataType::Float64, false),
        ("has_map", DataType::Boolean, false),
        ("confidence", DataType::Float64, true),
        ("drop", DataType::Float64, true),
        ("rose", DataType::Boolean, true),
        ("deletion", DataType::Float64, true),
        ("insertion", DataType::Float64, true),
        ("deletion_random", DataType::Float64, true),
        ("insertion_random", DataType::Float64, true),
    ])
}

/// `overlaps`: one row per subject and pair of classes; of each measure its value and its z against chance,
/// null where a map is missing.
#[must_use]
pub fn overlaps(measures: &[&str]) -> Arc<Schema> {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let mut fields = vec![text("subject_id"), text("answer"), text("other_answer")];
    for measure in measures {
        fields.push(Field::new(*measure, DataType::Float64, true));
        fields.push(Field::new(format!("{measure}_z"), DataType::Float64, true));
    }
    Arc::new(Schema::new(fields))
}
