//! Tables of the mark pipeline: features on light curves, weights, iterations, evaluation.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};

use super::table;

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
        ("precision_low", DataType::Float64, false),
        ("precision_high", DataType::Float64, false),
        ("false_positive_rate", DataType::Float64, true),
        ("false_positive_rate_low", DataType::Float64, false),
        ("false_positive_rate_high", DataType::Float64, false),
        ("false_per_true", DataType::Float64, true),
        ("features_per_signal", DataType::Float64, true),
        ("roc_auc", DataType::Float64, true),
        ("average_precision", DataType::Float64, true),
        ("pr_auc", DataType::Float64, true),
    ])
}

/// `curves`: one row per distinct score and convention, from the highest score down.
#[must_use]
pub fn mark_curves() -> Arc<Schema> {
    table(vec![
        // "marked signals" or "all signals": whether signals that nobody marked are positives.
        ("positives", DataType::Utf8, false),
        // Empty for the signals that no feature matches.
        ("score", DataType::Float64, true),
        ("n_true", DataType::UInt64, false),
        ("n_false", DataType::UInt64, false),
        ("recall", DataType::Float64, true),
        ("recall_low", DataType::Float64, false),
        ("recall_high", DataType::Float64, false),
        ("false_positive_rate", DataType::Float64, true),
        ("false_positive_rate_low", DataType::Float64, false),
        ("false_positive_rate_high", DataType::Float64, false),
        ("precision", DataType::Float64, true),
        ("precision_low", DataType::Float64, false),
        ("precision_high", DataType::Float64, false),
    ])
}

/// `floors`: recovery and false positives at each score floor (the paper's appendix).
#[must_use]
pub fn mark_floors() -> Arc<Schema> {
    table(vec![
        // Empty for no floor at all: every feature passes.
        ("score_floor", DataType::Float64, true),
        ("n_recovered", DataType::UInt64, false),
        ("n_signals", DataType::UInt64, false),
        ("recovered", DataType::Float64, true),
        ("recovered_low", DataType::Float64, false),
        ("recovered_high", DataType::Float64, false),
        ("precision", DataType::Float64, true),
        ("precision_low", DataType::Float64, false),
        ("precision_high", DataType::Float64, false),
        ("false_positive_rate", DataType::Float64, true),
        ("false_positive_rate_low", DataType::Float64, false),
        ("false_positive_rate_high", DataType::Float64, false),
        ("false_per_true", DataType::Float64, true),
        ("features_per_signal", DataType::Float64, true),
    ])
}

/// `metafeatures` of `volary marks follow`: one row per feature, by subject and midpoint.
#[must_use]
pub fn mark_live_features() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("x_min_days", DataType::Float64, false),
        ("x_max_days", DataType::Float64, false),
        ("n_yes", DataType::UInt32, false),
        ("score", DataType::Float64, false),
        ("score_low", DataType::Float64, false),
        ("score_high", DataType::Float64, false),
    ])
}

/// `weights` of `volary marks follow`: one row per volunteer.
#[must_use]
pub fn mark_live_weights() -> Arc<Schema> {
    table(vec![("volunteer", DataType::Utf8, false), ("weight", DataType::Float64, false)])
}
