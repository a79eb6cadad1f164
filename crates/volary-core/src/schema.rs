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

/// The parameters of consensus shapes, in the order of their columns; each has `_sd`, `_low` and `_high` too.
pub const SHAPE_PARAMETERS: [&str; 14] = [
    "x_px",
    "y_px",
    "width_px",
    "height_px",
    "r_px",
    "rx_px",
    "ry_px",
    "angle_deg",
    "spread_deg",
    "x1_px",
    "y1_px",
    "x2_px",
    "y2_px",
    "time",
];

const SPREADS: [&str; 4] = ["", "_sd", "_low", "_high"];

/// `consensus_shapes`: one row per shape that several volunteers drew.
#[must_use]
pub fn consensus_shapes() -> Arc<Schema> {
    let mut fields: Vec<Field> = table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("frame", DataType::UInt16, false),
        ("tool", DataType::UInt16, true),
        ("tool_label", DataType::Utf8, true),
        ("shape", DataType::Utf8, false),
        ("cluster", DataType::UInt32, false),
        ("n_seen", DataType::UInt32, false),
        ("n_volunteers", DataType::UInt32, false),
        ("n_marks", DataType::UInt32, false),
        ("fraction", DataType::Float64, false),
        ("fraction_low", DataType::Float64, false),
        ("fraction_high", DataType::Float64, false),
        ("iou_mean", DataType::Float64, true),
    ])
    .fields()
    .iter()
    .map(|f| f.as_ref().clone())
    .collect();
    for parameter in SHAPE_PARAMETERS.into_iter().chain(["area_px2"]) {
        let column = |spread| Field::new(format!("{parameter}{spread}"), DataType::Float64, true);
        fields.extend(SPREADS.into_iter().map(column));
    }
    // JSON `[[x,y],…]`, of outlines.
    for outline in ["points_px", "union_px", "intersection_px"] {
        fields.push(Field::new(outline, DataType::Utf8, true));
    }
    Arc::new(Schema::new(fields))
}

/// `consensus_shapes_members`: one row per drawn mark that counts.
#[must_use]
pub fn consensus_shapes_members() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("frame", DataType::UInt16, false),
        ("tool", DataType::UInt16, true),
        ("shape", DataType::Utf8, false),
        ("classification_id", DataType::Utf8, false),
        ("volunteer", DataType::Utf8, false),
        ("mark", DataType::UInt32, false),
        // `member`, `noise`, `copy` or `unusable`.
        ("fate", DataType::Utf8, false),
        ("cluster", DataType::UInt32, true),
    ])
}
