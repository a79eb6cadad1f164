//! The tables' columns: names, types and meaning, in one place for writers, readers and the book.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

/// Milliseconds since 1970, UTC.
#[must_use]
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

fn table(columns: Vec<(&str, DataType, bool)>) -> Arc<Schema> {
    let field = |(name, kind, nullable)| Field::new(name, kind, nullable);
    Arc::new(Schema::new(columns.into_iter().map(field).collect::<Vec<_>>()))
}

fn said_by(rest: Vec<(&'static str, DataType, bool)>) -> Arc<Schema> {
    let mut columns = vec![
        ("classification_id", DataType::Utf8, false),
        ("workflow_id", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("volunteer", DataType::Utf8, false),
        ("created_at", timestamp(), true),
        ("repeat", DataType::Boolean, false),
        ("task", DataType::Utf8, false),
    ];
    columns.extend(rest);
    table(columns)
}

/// `classifications`: one row per classification.
#[must_use]
pub fn classifications() -> Arc<Schema> {
    table(vec![
        ("classification_id", DataType::Utf8, false),
        ("workflow_id", DataType::Utf8, false),
        ("workflow_version", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("volunteer", DataType::Utf8, false),
        ("logged_in", DataType::Boolean, false),
        ("created_at", timestamp(), true),
        ("started_at", timestamp(), true),
        ("finished_at", timestamp(), true),
        ("gold_standard", DataType::Boolean, false),
        ("expert", DataType::Utf8, true),
        ("seen_before", DataType::Boolean, false),
        ("live_project", DataType::Boolean, true),
        ("classifier", DataType::UInt8, false),
        ("repeat", DataType::Boolean, false),
        ("row", DataType::UInt64, false),
    ])
}

/// `votes`: one row per answer, and one with an empty answer per question seen and not answered.
#[must_use]
pub fn votes() -> Arc<Schema> {
    said_by(vec![("kind", DataType::Utf8, false), ("answer", DataType::Utf8, true)])
}

/// `marks`: one row per range on a light curve, and one with empty bounds for "nothing marked".
#[must_use]
pub fn marks() -> Arc<Schema> {
    said_by(vec![
        ("tool", DataType::UInt16, true),
        ("x_min_days", DataType::Float64, true),
        ("x_max_days", DataType::Float64, true),
    ])
}

/// `shapes`: one row per drawn mark, and one with an empty `shape` for "nothing drawn".
#[must_use]
pub fn shapes() -> Arc<Schema> {
    let mut columns = vec![
        ("mark", DataType::UInt32, true),
        ("frame", DataType::UInt16, true),
        ("tool", DataType::UInt16, true),
        ("tool_label", DataType::Utf8, true),
        ("shape", DataType::Utf8, true),
    ];
    for name in ["x_px", "y_px", "width_px", "height_px", "r_px", "rx_px", "ry_px", "angle_deg"] {
        columns.push((name, DataType::Float64, true));
    }
    for name in ["x1_px", "y1_px", "x2_px", "y2_px"] {
        columns.push((name, DataType::Float64, true));
    }
    // JSON `[[x,y],…]`: CSV has no lists, and a reader without nested columns can still use it.
    columns.push(("points_px", DataType::Utf8, true));
    columns.push(("closed", DataType::Boolean, true));
    columns.push(("other", DataType::Utf8, true));
    columns.push(("details", DataType::Utf8, true));
    said_by(columns)
}

/// `texts`: one row per typed text, and one with an empty text for "nothing typed".
#[must_use]
pub fn texts() -> Arc<Schema> {
    said_by(vec![("text", DataType::Utf8, true)])
}

/// `subjects`: retirement at the time of export, one row per subject and workflow.
#[must_use]
pub fn subjects() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("workflow_id", DataType::Utf8, false),
        ("n_classifications", DataType::UInt64, false),
        ("retired_at", timestamp(), true),
        ("retirement_reason", DataType::Utf8, true),
    ])
}

/// `consensus`: one row per workflow, task, subject and answer.
#[must_use]
pub fn consensus() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("answer", DataType::Utf8, false),
        ("n_seen", DataType::UInt32, false),
        ("n_answered", DataType::UInt32, false),
        ("n_votes", DataType::UInt32, false),
        ("weight", DataType::Float64, false),
        ("n_effective", DataType::Float64, false),
        ("fraction", DataType::Float64, true),
        ("fraction_low", DataType::Float64, false),
        ("fraction_high", DataType::Float64, false),
        ("fraction_shrunk", DataType::Float64, true),
    ])
}

/// `consensus_subjects`: one row per workflow, task and subject.
#[must_use]
pub fn consensus_subjects() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("kind", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        // `agreed`, `undetermined` (a tie) or `nobody` (seen, and nobody answered).
        ("outcome", DataType::Utf8, false),
        // The agreed answer; several, of a question with several, are joined by ` + `.
        ("answer", DataType::Utf8, true),
        ("n_seen", DataType::UInt32, false),
        ("n_answered", DataType::UInt32, false),
        ("n_effective", DataType::Float64, false),
        ("agreement", DataType::Float64, true),
        ("agreement_low", DataType::Float64, true),
        ("agreement_high", DataType::Float64, true),
        ("entropy_bits", DataType::Float64, true),
        ("entropy_sd_bits", DataType::Float64, true),
    ])
}

/// `volunteers`: one row per volunteer.
#[must_use]
pub fn volunteers() -> Arc<Schema> {
    table(vec![
        ("volunteer", DataType::Utf8, false),
        ("n_classifications", DataType::UInt64, false),
        ("n_repeats", DataType::UInt64, false),
        ("n_votes", DataType::UInt64, false),
        ("n_blank", DataType::UInt64, false),
        ("first_at", timestamp(), true),
        ("last_at", timestamp(), true),
        ("n_compared", DataType::UInt64, false),
        ("n_agree", DataType::UInt64, false),
        ("agreement", DataType::Float64, true),
        ("agreement_low", DataType::Float64, false),
        ("agreement_high", DataType::Float64, false),
        ("agreement_shrunk", DataType::Float64, true),
        ("weight_mean", DataType::Float64, true),
    ])
}

/// `consensus_surveys`: one row per subject of a survey task.
#[must_use]
pub fn consensus_surveys() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("n_seen", DataType::UInt32, false),
        ("n_blank", DataType::UInt32, false),
        ("fraction_blank", DataType::Float64, false),
        ("median_choices", DataType::UInt32, false),
        ("evenness", DataType::Float64, true),
        // The leading agreed choice by itself, for those who want one answer a subject.
        ("choice", DataType::Utf8, true),
        ("n_votes", DataType::UInt32, true),
        ("fraction", DataType::Float64, true),
        ("fraction_low", DataType::Float64, true),
        ("fraction_high", DataType::Float64, true),
        // All agreed choices with their votes, intervals and leading answers, as JSON.
        ("choices", DataType::Utf8, false),
        ("undetermined", DataType::Utf8, false),
    ])
}

/// `consensus_pairs`: one row per subject and combination of answers of a question with several.
#[must_use]
pub fn consensus_pairs() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("answers", DataType::Utf8, false),
        ("n_seen", DataType::UInt32, false),
        ("n_votes", DataType::UInt32, false),
        ("fraction", DataType::Float64, false),
        ("fraction_low", DataType::Float64, false),
        ("fraction_high", DataType::Float64, false),
    ])
}

/// `metafeatures`: one row per group of marks that mean the same thing.
#[must_use]
pub fn metafeatures() -> Arc<Schema> {
    table(vec![
        ("feature_id", DataType::UInt64, false),
        ("subject_id", DataType::Utf8, false),
        ("simulation", DataType::Utf8, true),
        ("x_min_days", DataType::Float64, false),
        ("x_max_days", DataType::Float64, false),
        ("duration_days", DataType::Float64, false),
        ("midpoint_days", DataType::Float64, false),
        ("n_marks", DataType::UInt32, false),
        ("n_voters", DataType::UInt32, false),
        ("n_yes", DataType::UInt32, false),
        ("n_effective", DataType::Float64, true),
        ("seed_score", DataType::Float64, true),
        ("score", DataType::Float64, true),
        ("score_low", DataType::Float64, true),
        ("score_high", DataType::Float64, true),
        // Of the model `bayes`.
        ("probability", DataType::Float64, true),
        ("probability_low", DataType::Float64, true),
        ("probability_high", DataType::Float64, true),
    ])
}

/// `members`: one row per mark that is part of a metafeature.
#[must_use]
pub fn mark_members() -> Arc<Schema> {
    table(vec![
        ("feature_id", DataType::UInt64, false),
        ("subject_id", DataType::Utf8, false),
        ("volunteer", DataType::Utf8, false),
        ("x_min_days", DataType::Float64, false),
        ("x_max_days", DataType::Float64, false),
    ])
}

/// `weights`: one row per volunteer of the mark pipeline.
#[must_use]
pub fn mark_weights() -> Arc<Schema> {
    table(vec![
        ("volunteer", DataType::Utf8, false),
        ("n_classifications", DataType::UInt64, false),
        ("n_marks", DataType::UInt64, false),
        ("n_signals", DataType::UInt32, false),
        ("n_hits", DataType::UInt32, false),
        ("upweight", DataType::Float64, false),
        ("downweight", DataType::Float64, false),
        ("seed_weight", DataType::Float64, false),
        ("weight", DataType::Float64, false),
        ("n_features", DataType::UInt32, false),
        // Of the model `bayes`.
        ("completeness", DataType::Float64, true),
        ("completeness_low", DataType::Float64, true),
        ("completeness_high", DataType::Float64, true),
        ("false_alarm", DataType::Float64, true),
        ("false_alarm_low", DataType::Float64, true),
        ("false_alarm_high", DataType::Float64, true),
    ])
}

/// `completeness`: one row per injected signal and group of viewers.
#[must_use]
pub fn mark_completeness() -> Arc<Schema> {
    table(vec![
        ("signal_id", DataType::Utf8, false),
        ("viewers", DataType::UInt32, false),
        ("n_shown", DataType::UInt32, false),
        ("n_hits", DataType::UInt32, false),
        ("completeness", DataType::Float64, false),
        ("completeness_low", DataType::Float64, false),
        ("completeness_high", DataType::Float64, false),
        ("raw_upweight", DataType::Float64, false),
    ])
}

/// `matches`: one row per view of a simulation and signal in it.
#[must_use]
pub fn mark_matches() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("volunteer", DataType::Utf8, false),
        ("signal_id", DataType::Utf8, false),
        ("x_min_days", DataType::Float64, true),
        ("x_max_days", DataType::Float64, true),
        ("cover", DataType::Float64, true),
        ("hit", DataType::Boolean, false),
    ])
}

/// `iterations`: one row per iteration of weights and scores.
#[must_use]
pub fn mark_iterations() -> Arc<Schema> {
    table(vec![
        ("iteration", DataType::UInt32, false),
        ("n_changing", DataType::UInt64, true),
        ("n_large", DataType::UInt64, true),
        ("mean_change", DataType::Float64, true),
        ("max_change", DataType::Float64, true),
        ("mean_weight", DataType::Float64, false),
        ("mean_score", DataType::Float64, false),
        ("damped", DataType::Boolean, false),
    ])
}

/// `weights_by_iteration`: one row per iteration and volunteer.
#[must_use]
pub fn mark_weight_history() -> Arc<Schema> {
    table(vec![
        ("iteration", DataType::UInt32, false),
        ("volunteer", DataType::Utf8, false),
        ("weight", DataType::Float64, false),
    ])
}

/// `scores_by_iteration`: one row per iteration and metafeature.
#[must_use]
pub fn mark_score_history() -> Arc<Schema> {
    table(vec![
        ("iteration", DataType::UInt32, false),
        ("feature_id", DataType::UInt64, false),
        ("score", DataType::Float64, false),
    ])
}

/// `subjects` of the mark pipeline: one row per subject, whether anybody marked anything or not.
#[must_use]
pub fn mark_subjects() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("simulation", DataType::Utf8, true),
        ("n_voters", DataType::UInt32, false),
        ("n_marks", DataType::UInt32, false),
        ("n_features", DataType::UInt32, false),
    ])
}

/// `recovery`: signals recovered by one quantity or two.
#[must_use]
pub fn mark_recovery() -> Arc<Schema> {
    table(vec![
        ("x", DataType::Utf8, false),
        ("x_low", DataType::Float64, false),
        ("x_high", DataType::Float64, false),
        ("y", DataType::Utf8, true),
        ("y_low", DataType::Float64, true),
        ("y_high", DataType::Float64, true),
        ("n_recovered", DataType::UInt64, false),
        ("n_signals", DataType::UInt64, false),
        ("recovered", DataType::Float64, true),
        ("recovered_low", DataType::Float64, false),
        ("recovered_high", DataType::Float64, false),
    ])
}

/// `sweep`: one row per tolerance, duration cutoff and score floor.
#[must_use]
pub fn mark_sweep() -> Arc<Schema> {
    table(vec![
        ("tolerance_days", DataType::Float64, false),
        ("cutoff_days", DataType::Float64, false),
        // Empty for no floor at all: every feature passes.
        ("score_floor", DataType::Float64, true),
        ("n_features", DataType::UInt64, false),
        ("recovered", DataType::Float64, true),
        ("recovered_low", DataType::Float64, false),
        ("recovered_high", DataType::Float64, false),
        ("precision", DataType::Float64, true),
        ("false_positive_rate", DataType::Float64, true),
        ("false_per_true", DataType::Float64, true),
        ("features_per_signal", DataType::Float64, true),
        ("roc_auc", DataType::Float64, true),
        ("average_precision", DataType::Float64, true),
        ("pr_auc", DataType::Float64, true),
    ])
}
