//! What may leave: the tiers of a release, and for each the list of tables and columns.
//!
//! It is a list of what is allowed. A column that is not on it does not leave, whatever it is called and
//! wherever it comes from: exact times, ids of classifications and sessions, free text, addresses, browsers
//! and metadata of subjects have no entry. `verify` holds a package against the same list.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

/// How much of the single volunteer a release shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tier {
    /// No volunteer at all: counts and consensus a subject. For the public.
    #[default]
    A,
    /// Votes with pseudonyms that differ from subject to subject, without times.
    B,
    /// Votes with one pseudonym a volunteer, coarse times, k-anonymous volunteers. With the attacks' report.
    C,
    /// As C, with days, for those who signed an agreement. Not for the public.
    D,
}

impl Tier {
    /// What it promises, in a sentence.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Self::A => "Tier A: no row is about a volunteer.",
            Self::B => {
                "Tier B: votes with pseudonyms that are different on every subject, so that nobody can be followed from one subject to the next; no times."
            }
            Self::C => {
                "Tier C: votes with one pseudonym a volunteer, except on subjects with public credit or Talk comments, and except for those who did little; coarse times; volunteers are k-anonymous in how much they did and since when."
            }
            Self::D => "Tier D: under agreement only, not for the public.",
        }
    }
}

/// A table of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Votes counted, of every subject and answer.
    Counts,
    /// The consensus that the team gave.
    Consensus,
    /// Shapes that several volunteers drew.
    Shapes,
    /// Known answers.
    Gold,
    /// Skill of volunteers, together.
    Skill,
    /// Votes, one by one.
    Votes,
    /// Volunteers, k-anonymous.
    Volunteers,
    /// Votes counted with noise.
    Histograms,
}

/// A column that may leave.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be missing.
    pub nullable: bool,
    /// What it says, for every metadata format.
    pub about: &'static str,
}

/// The types of released columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A count.
    Count,
    /// A whole number of either sign.
    Integer,
    /// A number.
    Number,
}

impl Kind {
    /// As Arrow has it.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Count => DataType::UInt64,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
        }
    }
}

const fn column(name: &'static str, kind: Kind, nullable: bool, about: &'static str) -> Column {
    Column { name, kind, nullable, about }
}

const WORKFLOW: Column =
    column("workflow_id", Kind::Text, false, "Workflow in which the question was asked");
const TASK: Column = column("task", Kind::Text, false, "Question");
const SUBJECT: Column = column("subject_id", Kind::Text, false, "Subject that was looked at");
const ANSWER: Column = column("answer", Kind::Text, false, "Answer");
const N_SEEN: Column =
    column("n_seen", Kind::Count, false, "Volunteers who saw the question on this subject");
const N_VOTES: Column = column("n_votes", Kind::Count, false, "Volunteers who gave this answer");

const COUNTS: &[Column] = &[
    WORKFLOW,
    TASK,
    SUBJECT,
    ANSWER,
    N_SEEN,
    N_VOTES,
    column("fraction", Kind::Number, false, "n_votes / n_seen"),
];
const CONSENSUS: &[Column] = &[
    WORKFLOW,
    TASK,
    SUBJECT,
    ANSWER,
    N_SEEN,
    column("n_answered", Kind::Count, false, "Volunteers who answered"),
    N_VOTES,
    column("n_effective", Kind::Number, true, "Effective number of votes under the weights"),
    column("fraction", Kind::Number, true, "Weighted share of those who gave this answer"),
    column("fraction_low", Kind::Number, true, "Lower end of the interval of fraction"),
    column("fraction_high", Kind::Number, true, "Upper end of the interval of fraction"),
    column("fraction_shrunk", Kind::Number, true, "Share, drawn towards the mean of all subjects"),
    column("probability", Kind::Number, true, "Probability of the answer by a model of skill"),
    column("probability_low", Kind::Number, true, "Lower end of the interval of probability"),
    column("probability_high", Kind::Number, true, "Upper end of the interval of probability"),
];
/// Each number of a shape with its spread and interval.
macro_rules! shape_columns {
    ($($name:literal: $about:literal),* $(,)?) => {
        &[
            WORKFLOW,
            TASK,
            SUBJECT,
            column("frame", Kind::Count, false, "Image of the subject"),
            column("tool", Kind::Count, true, "Tool"),
            column("tool_label", Kind::Text, true, "Label of the tool"),
            column("shape", Kind::Text, false, "Form that was drawn"),
            column("cluster", Kind::Count, false, "Number of the shape on this subject, frame and tool"),
            N_SEEN,
            column("n_volunteers", Kind::Count, false, "Volunteers who drew it"),
            column("fraction", Kind::Number, false, "n_volunteers / n_seen"),
            column("fraction_low", Kind::Number, false, "Lower end of the interval of fraction"),
            column("fraction_high", Kind::Number, false, "Upper end of the interval of fraction"),
            column("iou_mean", Kind::Number, true, "Mean overlap of two who drew it"),
            $(
                column($name, Kind::Number, true, $about),
                column(concat!($name, "_sd"), Kind::Number, true, "Its standard deviation between volunteers"),
                column(concat!($name, "_low"), Kind::Number, true, "Lower end of its interval"),
                column(concat!($name, "_high"), Kind::Number, true, "Upper end of its interval"),
            )*
            column("points_px", Kind::Text, true, "Median outline, JSON [[x, y], ...]"),
        ]
    };
}

// Not here: what any and what all drew (`union_px`, `intersection_px`), which show single strokes.
const SHAPES: &[Column] = shape_columns!(
    "x_px": "Mean x, pixels",
    "y_px": "Mean y, pixels",
    "width_px": "Mean width, pixels",
    "height_px": "Mean height, pixels",
    "r_px": "Mean radius, pixels",
    "rx_px": "Mean half axis, pixels",
    "ry_px": "Mean other half axis, pixels",
    "angle_deg": "Mean angle, degrees",
    "spread_deg": "Mean spread of a fan, degrees",
    "x1_px": "Mean x of the first end, pixels",
    "y1_px": "Mean y of the first end, pixels",
    "x2_px": "Mean x of the second end, pixels",
    "y2_px": "Mean y of the second end, pixels",
    "area_px2": "Mean area, square pixels",
);

const GOLD: &[Column] = &[
    column("workflow_id", Kind::Text, true, WORKFLOW.about),
    column("task", Kind::Text, true, TASK.about),
    SUBJECT,
    column("answer", Kind::Text, false, "Known answer"),
];
const SKILL: &[Column] = &[
    column("activity", Kind::Text, false, "Band of the number of classifications"),
    column("n_volunteers", Kind::Count, false, "Volunteers in the band with a measured agreement"),
    column(
        "agreement_mean",
        Kind::Number,
        false,
        "Mean share of votes that agree with the consensus, two digits",
    ),
    column("agreement_p25", Kind::Number, false, "First quartile of the share, two digits"),
    column("agreement_p50", Kind::Number, false, "Median of the share, two digits"),
    column("agreement_p75", Kind::Number, false, "Third quartile of the share, two digits"),
];
const PSEUDONYM: Column = column(
    "volunteer",
    Kind::Text,
    false,
    "Pseudonym: p and 16 characters of somebody with an account, q of one classification of somebody without",
);
const QUESTION_KIND: Column =
    column("kind", Kind::Text, false, "Kind of the question: single or multiple");
const ANSWER_GIVEN: Column = column(
    "answer",
    Kind::Text,
    true,
    "Answer; missing for seen and not answered, and for rare answers",
);
const VOTES_B: &[Column] = &[WORKFLOW, TASK, SUBJECT, PSEUDONYM, QUESTION_KIND, ANSWER_GIVEN];
const VOTES_C: &[Column] = &[
    WORKFLOW,
    TASK,
    SUBJECT,
    PSEUDONYM,
    QUESTION_KIND,
    ANSWER_GIVEN,
    column("time", Kind::Text, true, "When, coarse: Monday of the week, quarter or year"),
];
const VOLUNTEERS: &[Column] = &[
    PSEUDONYM,
    column(
        "activity",
        Kind::Text,
        true,
        "Band of the number of classifications; missing where it would identify",
    ),
    column("first", Kind::Text, true, "Since when, coarse; missing where it would identify"),
    column("country", Kind::Text, true, "Country where it was given; missing where it would identify"),
    column("group", Kind::Text, true, "Group where it was given; missing where it would identify"),
    column("skill_decile", Kind::Count, true, "Decile of the agreement with the consensus, 0 to 9"),
];

const HISTOGRAMS: &[Column] = &[
    column(
        "histogram",
        Kind::Text,
        false,
        "week: votes by week; answer: votes by answer; activity: volunteers by how much they did",
    ),
    column("workflow_id", Kind::Text, true, "Workflow, of the histogram answer"),
    column("task", Kind::Text, true, "Question, of the histogram answer"),
    column(
        "bin",
        Kind::Text,
        false,
        "Monday of the week, answer, or band of the number of classifications",
    ),
    column("n_noisy", Kind::Integer, false, "Count with noise; may be below zero"),
    column("half_width", Kind::Count, false, "The noise is within this with a chance of 95 %"),
];

/// The quasi-identifiers of the table of volunteers, and what is sensitive.
pub const QUASI_IDENTIFIERS: [&str; 4] = ["activity", "first", "country", "group"];
/// The sensitive column of the table of volunteers.
pub const SENSITIVE: &str = "skill_decile";

impl Table {
    /// All tables, in the order in which packages list them.
    pub const ALL: [Self; 8] = [
        Self::Counts,
        Self::Consensus,
        Self::Shapes,
        Self::Gold,
        Self::Skill,
        Self::Votes,
        Self::Volunteers,
        Self::Histograms,
    ];

    /// Its name, and that of its files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Consensus => "consensus",
            Self::Shapes => "shapes",
            Self::Gold => "gold",
            Self::Skill => "skill",
            Self::Votes => "votes",
            Self::Volunteers => "volunteers",
            Self::Histograms => "histograms",
        }
    }

    /// What it holds.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Counts => "Votes counted: one row per subject, question and answer that was given",
            Self::Consensus => "Consensus with intervals: one row per subject, question and answer",
            Self::Shapes => "Shapes that several volunteers drew: one row each",
            Self::Gold => "Subjects whose answer is known",
            Self::Skill => "How well volunteers agree with the consensus, by how much they did",
            Self::Votes => {
                "Votes: one row per answer of a volunteer, and one where a question was seen and not answered"
            }
            Self::Volunteers => {
                "Volunteers by pseudonym, k-anonymous in activity, first, country and group"
            }
            Self::Histograms => {
                "Votes and volunteers counted with noise (differential privacy): one row per bin"
            }
        }
    }

    /// The columns that leave in a tier; `None` where the table does not leave at all.
    #[must_use]
    pub fn columns(self, tier: Tier) -> Option<&'static [Column]> {
        match self {
            Self::Counts => Some(COUNTS),
            Self::Consensus => Some(CONSENSUS),
            Self::Shapes => Some(SHAPES),
            Self::Gold => Some(GOLD),
            Self::Skill => Some(SKILL),
            Self::Votes => match tier {
                Tier::A => None,
                Tier::B => Some(VOTES_B),
                Tier::C | Tier::D => Some(VOTES_C),
            },
            Self::Volunteers => (tier >= Tier::C).then_some(VOLUNTEERS),
            Self::Histograms => Some(HISTOGRAMS),
        }
    }

    /// The columns of which no two rows hold the same, where we write the table from votes. What a team gives as a
    /// file of its own (consensus, shapes, gold standard) is released as it is.
    #[must_use]
    pub fn key(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Counts => Some(&["workflow_id", "task", "subject_id", "answer"]),
            Self::Votes => Some(&["workflow_id", "task", "subject_id", "volunteer", "answer"]),
            Self::Volunteers => Some(&["volunteer"]),
            Self::Skill => Some(&["activity"]),
            Self::Consensus | Self::Shapes | Self::Gold | Self::Histograms => None,
        }
    }
}

/// Columns as an Arrow schema.
#[must_use]
pub fn schema(columns: &[Column]) -> Arc<Schema> {
    let field = |c: &Column| Field::new(c.name, c.kind.arrow(), c.nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_never_leave_is_in_no_table_of_any_tier() {
        let never = [
            "user_name",
            "user_id",
            "user_ip",
            "session",
            "user_agent",
            "viewport",
            "created_at",
            "started_at",
            "finished_at",
            "classification_id",
            "text",
            "metadata",
            "subject_data",
            "expert",
            "utc_offset",
            "user_language",
            "row",
            "seen_before",
            "details",
        ];
        for table in Table::ALL {
            for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
                for column in table.columns(tier).unwrap_or_default() {
                    assert!(!never.contains(&column.name), "{} in {}", column.name, table.name());
                }
            }
        }
    }

    #[test]
    fn tier_a_has_no_row_about_a_volunteer() {
        for table in Table::ALL {
            let columns = table.columns(Tier::A).unwrap_or_default();
            assert!(columns.iter().all(|c| c.name != "volunteer"), "{}", table.name());
        }
        assert!(Table::Votes.columns(Tier::B).unwrap().iter().all(|c| c.name != "time"));
    }
}
