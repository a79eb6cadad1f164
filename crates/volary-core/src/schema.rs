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
