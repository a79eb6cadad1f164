//! Tables about votes and drawings beside the consensus: agreement, retirement, clusters of shapes.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::table;

/// `agreement`: one row per question, answer and measure.
#[must_use]
pub fn agreement() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("kind", DataType::Utf8, false),
        // Of a question with several answers, the one whose yes or no is measured; null for the whole.
        ("answer", DataType::Utf8, true),
        ("measure", DataType::Utf8, false),
        ("distance", DataType::Utf8, false),
        ("value", DataType::Float64, true),
        ("value_low", DataType::Float64, true),
        ("value_high", DataType::Float64, true),
        ("n_subjects", DataType::UInt64, false),
        ("n_votes", DataType::UInt64, false),
        // Why the value or its interval is null.
        ("note", DataType::Utf8, true),
    ])
}

/// `agreement_flags`: one row per question and volunteer, hints and what they stand on.
#[must_use]
pub fn agreement_flags() -> Arc<Schema> {
    let mut columns = vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("volunteer", DataType::Utf8, false),
        ("n_votes", DataType::UInt64, false),
        // Names of the hints with spaces between them; empty for none.
        ("flags", DataType::Utf8, false),
    ];
    for name in ["entropy_bits", "entropy_others_bits", "agreement", "agreement_dealt"] {
        columns.push((name, DataType::Float64, false));
    }
    columns.push(("relation_z", DataType::Float64, true));
    columns.push(("relation_z_typical", DataType::Float64, true));
    columns.push(("top_share", DataType::Float64, false));
    columns.push(("top_z", DataType::Float64, false));
    columns.push(("longest_run", DataType::UInt32, false));
    columns.push(("longest_run_p", DataType::Float64, false));
    columns.push(("seconds_per_vote", DataType::Float64, true));
    columns.push(("seconds_z", DataType::Float64, true));
    columns.push(("partner", DataType::Utf8, true));
    columns.push(("partner_n_shared", DataType::UInt64, false));
    for name in ["partner_agreement", "partner_expected", "partner_p"] {
        columns.push((name, DataType::Float64, true));
    }
    table(columns)
}

/// The figures of a retirement study; each has `_low` and `_high`, and over random orders `_sd`, `_min`
/// and `_max`.
pub const RETIREMENT_FIGURES: [&str; 8] =
    ["mean_votes", "median_votes", "retired", "capped", "saved", "changed", "changed_own", "accuracy"];

/// `retirement`: one row per question (or answer of several), rule and kind of order.
#[must_use]
pub fn retirement() -> Arc<Schema> {
    let mut columns = vec![
        Field::new("workflow_id", DataType::Utf8, false),
        Field::new("task", DataType::Utf8, false),
        // The answer that it is about, in a question with several.
        Field::new("about", DataType::Utf8, true),
        Field::new("rule", DataType::Utf8, false),
        // `time` or `random`.
        Field::new("order", DataType::Utf8, false),
        Field::new("n_orders", DataType::UInt32, false),
        Field::new("n_subjects", DataType::UInt64, false),
        Field::new("n_gold", DataType::UInt64, false),
        Field::new("n_truth", DataType::UInt64, false),
    ];
    for figure in RETIREMENT_FIGURES {
        for ending in ["", "_low", "_high", "_sd", "_min", "_max"] {
            columns.push(Field::new(format!("{figure}{ending}"), DataType::Float64, true));
        }
    }
    for last in ["accuracy_ties_wrong", "n_ties", "accuracy_all_votes"] {
        columns.push(Field::new(last, DataType::Float64, true));
    }
    Arc::new(Schema::new(columns))
}

/// `retirement_subjects`: one row per question, rule and subject, in the order of time.
#[must_use]
pub fn retirement_subjects() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("task", DataType::Utf8, false),
        ("about", DataType::Utf8, true),
        ("rule", DataType::Utf8, false),
        ("subject_id", DataType::Utf8, false),
        ("n_taken", DataType::UInt32, false),
        ("n_all", DataType::UInt32, false),
        // `rule`, `cap` or `votes` (there were no more).
        ("ended_by", DataType::Utf8, false),
        ("answer", DataType::Utf8, true),
        ("answer_all", DataType::Utf8, true),
        ("probability", DataType::Float64, true),
        ("probability_all", DataType::Float64, true),
    ])
}

/// `retirement_caesar`: one row per rule of a Caesar configuration.
#[must_use]
pub fn retirement_caesar() -> Arc<Schema> {
    table(vec![
        ("workflow_id", DataType::Utf8, false),
        ("rule", DataType::Utf8, false),
        ("effects", DataType::Utf8, false),
        ("n_subjects", DataType::UInt64, false),
        ("n_fired", DataType::UInt64, false),
        ("fired", DataType::Float64, false),
        ("fired_low", DataType::Float64, false),
        ("fired_high", DataType::Float64, false),
        ("n_first", DataType::UInt64, false),
        ("n_retired", DataType::UInt64, false),
        ("retired", DataType::Float64, false),
        ("retired_low", DataType::Float64, false),
        ("retired_high", DataType::Float64, false),
        ("median_at", DataType::Float64, true),
        ("n_errors", DataType::UInt64, false),
        ("first_error", DataType::Utf8, true),
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

/// `sample`: one row per drawn subject.
#[must_use]
pub fn sample() -> Arc<Schema> {
    table(vec![
        ("subject_id", DataType::Utf8, false),
        ("stream", DataType::Utf8, false),
        ("score", DataType::Float64, false),
        ("frame", DataType::Utf8, false),
        ("bin", DataType::UInt32, true),
        ("n_bin", DataType::UInt64, true),
        ("weight", DataType::Float64, false),
        ("probability", DataType::Float64, false),
        ("seed", DataType::UInt64, false),
        ("model", DataType::Utf8, false),
    ])
}

/// `sample_bins`: one row per bin of the score, what was to be expected and what came.
#[must_use]
pub fn sample_bins() -> Arc<Schema> {
    table(vec![
        ("bin", DataType::UInt32, false),
        ("low", DataType::Float64, false),
        ("high", DataType::Float64, false),
        ("n_candidates", DataType::UInt64, false),
        ("quota", DataType::UInt64, false),
        ("probability", DataType::Float64, false),
        ("expected", DataType::Float64, false),
        ("achieved", DataType::UInt64, false),
    ])
}

/// `bias`: one row per slice, error, and whose it is (crowd, single votes or model).
#[must_use]
pub fn bias() -> Arc<Schema> {
    table(vec![
        ("who", DataType::Utf8, false),
        ("error", DataType::Utf8, false),
        ("x", DataType::Utf8, true),
        ("x_low", DataType::Float64, true),
        ("x_high", DataType::Float64, true),
        ("x_label", DataType::Utf8, true),
        ("y", DataType::Utf8, true),
        ("y_low", DataType::Float64, true),
        ("y_high", DataType::Float64, true),
        ("y_label", DataType::Utf8, true),
        ("z", DataType::Utf8, true),
        ("z_low", DataType::Float64, true),
        ("z_high", DataType::Float64, true),
        ("z_label", DataType::Utf8, true),
        ("n_errors", DataType::UInt64, false),
        ("n", DataType::UInt64, false),
        ("n_errors_rest", DataType::UInt64, false),
        ("n_rest", DataType::UInt64, false),
        ("rate", DataType::Float64, false),
        ("rate_low", DataType::Float64, false),
        ("rate_high", DataType::Float64, false),
        ("rate_shrunk", DataType::Float64, false),
        ("difference", DataType::Float64, false),
        ("difference_low", DataType::Float64, false),
        ("difference_high", DataType::Float64, false),
        ("p", DataType::Float64, false),
        ("p_within", DataType::Float64, true),
        ("q", DataType::Float64, false),
        ("flagged", DataType::Boolean, false),
    ])
}

/// `practice`: one row per bin and per comparison.
#[must_use]
pub fn practice() -> Arc<Schema> {
    table(vec![
        ("what", DataType::Utf8, false),
        ("from", DataType::UInt32, true),
        ("to", DataType::UInt32, true),
        ("n", DataType::UInt64, false),
        ("share_right", DataType::Float64, true),
        ("share_right_low", DataType::Float64, true),
        ("share_right_high", DataType::Float64, true),
        ("n_strata", DataType::UInt64, true),
        ("difference", DataType::Float64, true),
        ("difference_low", DataType::Float64, true),
        ("difference_high", DataType::Float64, true),
        ("odds_ratio", DataType::Float64, true),
        ("odds_ratio_low", DataType::Float64, true),
        ("odds_ratio_high", DataType::Float64, true),
        ("p", DataType::Float64, true),
    ])
}
