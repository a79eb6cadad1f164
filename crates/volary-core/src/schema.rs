//! The tables' columns: names, types and meaning, in one place for writers, readers and the book.

mod gold;
mod light_curves;
mod models;
mod studies;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

pub use self::gold::*;
pub use self::light_curves::*;
pub use self::models::*;
pub use self::studies::*;

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

/// `subjects` out of a subject export: one row per subject, set and workflow.
#[must_use]
pub fn subject_export() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("workflow_id", DataType::Utf8, false),
        ("subject_set_id", DataType::Utf8, true),
        ("n_classifications", DataType::UInt64, true),
        ("retired_at", timestamp(), true),
        ("retirement_reason", DataType::Utf8, true),
        // A JSON list of addresses, frame by frame.
        ("locations", DataType::Utf8, false),
        // JSON, as the project wrote it.
        ("metadata", DataType::Utf8, false),
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
        // What a skill model says; empty for the method `fraction`.
        ("probability", DataType::Float64, true),
        ("probability_low", DataType::Float64, true),
        ("probability_high", DataType::Float64, true),
    ])
}

/// `consensus_skill`: one row per question and volunteer, of a skill model.
#[must_use]
pub fn consensus_skill() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        // Of a question with several answers: the answer whose yes or no this is about.
        ("about", DataType::Utf8, true),
        ("volunteer", DataType::Utf8, false),
        ("n_votes", DataType::UInt64, false),
        ("skill", DataType::Float64, true),
        ("skill_low", DataType::Float64, true),
        ("skill_high", DataType::Float64, true),
        ("skill_bits", DataType::Float64, true),
        ("skill_bits_low", DataType::Float64, true),
        ("skill_bits_high", DataType::Float64, true),
        ("contribution_bits", DataType::Float64, true),
    ])
}

/// `consensus_confusion`: one row per question, volunteer, true and given answer.
#[must_use]
pub fn consensus_confusion() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("about", DataType::Utf8, true),
        ("volunteer", DataType::Utf8, false),
        ("true_answer", DataType::Utf8, false),
        ("given_answer", DataType::Utf8, false),
        // Soft count: votes times the probability of the true answer.
        ("n_votes", DataType::Float64, false),
        ("probability", DataType::Float64, false),
        ("probability_low", DataType::Float64, false),
        ("probability_high", DataType::Float64, false),
    ])
}

/// `consensus_easiness`: one row per question and subject, of GLAD.
#[must_use]
pub fn consensus_easiness() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("about", DataType::Utf8, true),
        ("subject_id", DataType::Utf8, false),
        ("easiness", DataType::Float64, false),
        ("easiness_low", DataType::Float64, false),
        ("easiness_high", DataType::Float64, false),
    ])
}

/// `consensus_models`: one row per question and model that `auto` compared.
#[must_use]
pub fn consensus_models() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("about", DataType::Utf8, true),
        ("model", DataType::Utf8, false),
        ("chosen", DataType::Boolean, false),
        // `gold` or `held-out votes`.
        ("scored_on", DataType::Utf8, false),
        ("n_hidden", DataType::UInt64, false),
        ("mean_log_nats", DataType::Float64, true),
        ("mean_log_se_nats", DataType::Float64, true),
        ("accuracy", DataType::Float64, true),
        ("accuracy_low", DataType::Float64, true),
        ("accuracy_high", DataType::Float64, true),
    ])
}

/// `consensus_evaluation`: one row per question and method, against known answers.
#[must_use]
pub fn consensus_evaluation() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("method", DataType::Utf8, false),
        ("n", DataType::UInt64, false),
        ("n_correct", DataType::UInt64, false),
        ("n_ties", DataType::UInt64, false),
        ("accuracy", DataType::Float64, true),
        ("accuracy_low", DataType::Float64, false),
        ("accuracy_high", DataType::Float64, false),
        ("accuracy_random_ties", DataType::Float64, true),
        ("accuracy_first_label", DataType::Float64, true),
        ("log_loss_nats", DataType::Float64, true),
        ("brier", DataType::Float64, true),
        ("ece", DataType::Float64, true),
    ])
}

/// `consensus_classes`: one row per question, method and answer, against known answers.
#[must_use]
pub fn consensus_classes() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("method", DataType::Utf8, false),
        ("answer", DataType::Utf8, false),
        ("n_true", DataType::UInt64, false),
        ("n_agreed", DataType::UInt64, false),
        ("n_both", DataType::UInt64, false),
        ("recall", DataType::Float64, true),
        ("recall_low", DataType::Float64, false),
        ("recall_high", DataType::Float64, false),
        ("precision", DataType::Float64, true),
        ("precision_low", DataType::Float64, false),
        ("precision_high", DataType::Float64, false),
    ])
}

/// `consensus_reliability`: one row per question, method and bin of stated belief, against known answers.
#[must_use]
pub fn consensus_reliability() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("method", DataType::Utf8, false),
        ("bin_low", DataType::Float64, false),
        ("bin_high", DataType::Float64, false),
        ("n", DataType::UInt64, false),
        ("mean_belief", DataType::Float64, true),
        ("share_true", DataType::Float64, true),
        ("share_true_low", DataType::Float64, false),
        ("share_true_high", DataType::Float64, false),
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
