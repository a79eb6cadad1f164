//! What a set of classifications says, as columns: one row per classification, and one row per thing
//! that a volunteer said in it (vote, mark, shape, text).
//!
//! Readers fill it chunk by chunk; table writers and the vote collector empty it. A volunteer who saw a
//! task and chose nothing keeps a row with an empty answer, since every denominator needs it. Volunteers
//! appear only under their key ([`Volunteer`]): names stay in the reader.

use crate::symbol::{Pool, Symbol};
use crate::votes::QuestionKind;

/// An id from outside. Zooniverse's are whole numbers, kept as such to save memory; anything else
/// (leading zeros, 25 digits, words) is text and comes back letter for letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExternalId {
    /// A canonical decimal number that fits 64 bits.
    Number(u64),
    /// Anything else.
    Text(Symbol),
}

impl ExternalId {
    /// Reads an id; only text that would be printed back unchanged becomes a number.
    pub fn parse(text: &str, pool: &mut Pool) -> Self {
        match text.parse::<u64>() {
            Ok(n) if text.len() == 1 || !(text.starts_with('0') || text.starts_with('+')) => {
                Self::Number(n)
            }
            _ => Self::Text(pool.intern(text)),
        }
    }

    /// The id as it was written.
    #[must_use]
    pub fn to_text(self, pool: &Pool) -> String {
        match self {
            Self::Number(n) => n.to_string(),
            Self::Text(symbol) => pool.text(symbol).to_owned(),
        }
    }
}

/// A volunteer, under a key that is not the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Volunteer {
    /// The key: `v…` for accounts, `a…` for people who were not logged in.
    pub key: Symbol,
    /// Whether the volunteer was logged in.
    pub logged_in: bool,
}

/// One classification: who, what, when.
#[derive(Clone, Debug)]
pub struct ClassificationRow {
    /// Data row in the input, 1 for the first.
    pub row: u64,
    /// The platform's id; increases with time.
    pub id: ExternalId,
    /// Workflow id.
    pub workflow: Symbol,
    /// Workflow version as text: `2.10` is not `2.1`.
    pub version: Symbol,
    /// Subject id; several ids of one grouped subject stay joined by `;`.
    pub subject: Symbol,
    /// Who.
    pub volunteer: Volunteer,
    /// Server time, milliseconds since 1970 UTC.
    pub created_ms: Option<i64>,
    /// Browser time at which the volunteer started.
    pub started_ms: Option<i64>,
    /// Browser time at which the volunteer finished.
    pub finished_ms: Option<i64>,
    /// Made in gold-standard mode.
    pub gold_standard: bool,
    /// `owner` or `expert`, where the platform says so.
    pub expert: Option<Symbol>,
    /// The platform's own mark that this volunteer saw the subject before.
    pub seen_before: bool,
    /// Whether the project was live; `None` where the export does not say.
    pub live: Option<bool>,
    /// Classifier generation, 1 or 2.
    pub classifier: u8,
    /// This volunteer has classified this subject in this workflow in an earlier row.
    pub repeat: bool,
    /// Fingerprint of the row's content, to tell a repeated id from a conflicting one.
    pub fingerprint: u64,
    /// What saves whoever gathers rows from looking up their texts; `None` where nobody has numbered them.
    pub numbers: Option<Numbers>,
}

/// Numbers that mean the same in all rows of an input, while a [`Symbol`] means something only beside its
/// pool: from 0 on, in order of first appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Of the subject within its workflow: a subject of two workflows has two.
    pub subject: u32,
    /// Of the volunteer.
    pub volunteer: u32,
}

/// One answer of one volunteer, or none.
#[derive(Clone, Copy, Debug)]
pub struct VoteRow {
    /// Index into [`Extracts::classifications`].
    pub classification: u32,
    /// Task path: `T0`, or `T0/GIRAFFE/HOWMANY` for what a survey asks below a choice.
    pub task: Symbol,
    /// What kind of question the annotation shows it to be.
    pub kind: QuestionKind,
    /// The answer's label; `None` for a volunteer who saw the question and chose nothing.
    pub answer: Option<Symbol>,
}

/// One marked range on a 1-D subject (light curve), or none.
#[derive(Clone, Copy, Debug)]
pub struct MarkRow {
    /// Index into [`Extracts::classifications`].
    pub classification: u32,
    /// Task key.
    pub task: Symbol,
    /// Tool index; `None` for a volunteer who marked nothing.
    pub tool: Option<u16>,
    /// Left and right end in the data's unit (days for Kepler and TESS).
    pub range: Option<(f64, f64)>,
}

/// The geometry of one drawn mark, in natural pixels, angles in degrees.
#[derive(Clone, Debug, PartialEq)]
pub enum Geometry {
    /// A point.
    Point {
        /// Column, px.
        x: f64,
        /// Row, px.
        y: f64,
    },
    /// A straight line between two ends.
    Line {
        /// First end.
        x1: f64,
        /// First end.
        y1: f64,
        /// Second end.
        x2: f64,
        /// Second end.
        y2: f64,
    },
    /// An axis-parallel or rotated rectangle, by its centre (both classifier generations).
    Rectangle {
        /// Centre.
        x: f64,
        /// Centre.
        y: f64,
        /// Full width, never negative.
        width: f64,
        /// Full height, never negative.
        height: f64,
        /// Rotation about the centre; 0 for axis-parallel.
        angle: f64,
    },
    /// A circle.
    Circle {
        /// Centre.
        x: f64,
        /// Centre.
        y: f64,
        /// Radius.
        r: f64,
    },
    /// An ellipse.
    Ellipse {
        /// Centre.
        x: f64,
        /// Centre.
        y: f64,
        /// First half-axis.
        rx: f64,
        /// Second half-axis.
        ry: f64,
        /// Rotation.
        angle: f64,
    },
    /// A polygon, a Bézier chain or a freehand line.
    Path {
        /// Corners or samples in order.
        points: Vec<(f64, f64)>,
        /// Whether the last point joins the first.
        closed: bool,
    },
    /// Any other tool (column, fan, full-width line…): its numbers stand in [`Shape::other`].
    Other,
}

/// One drawn mark, or none.
#[derive(Clone, Debug)]
pub struct ShapeRow {
    /// Index into [`Extracts::classifications`].
    pub classification: u32,
    /// Task key.
    pub task: Symbol,
    /// The mark itself; `None` for a volunteer who drew nothing.
    pub mark: Option<Shape>,
}

/// A drawn mark with its tool.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Position in the annotation's list of marks.
    pub index: u32,
    /// Tool index.
    pub tool: Option<u16>,
    /// Tool label, where the export gives one.
    pub tool_label: Option<Symbol>,
    /// Image of the subject, 0 for the first.
    pub frame: u16,
    /// The tool's name: `point`, `circle`, `freehandLine`…; inferred from the keys in the first
    /// generation, whose marks do not say.
    pub name: Symbol,
    /// Where it is.
    pub geometry: Geometry,
    /// Answers to the mark's own questions, as JSON.
    pub details: Option<Symbol>,
    /// What else the mark says (video times, tools without a geometry of ours), as JSON.
    pub other: Option<Symbol>,
}

/// One text typed by a volunteer (transcriptions, free text), or none.
#[derive(Clone, Copy, Debug)]
pub struct TextRow {
    /// Index into [`Extracts::classifications`].
    pub classification: u32,
    /// Task path.
    pub task: Symbol,
    /// What was typed; `None` for nothing.
    pub text: Option<Symbol>,
}

/// A task's wording in one workflow version, and how many annotations carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskText {
    /// Workflow id.
    pub workflow: Symbol,
    /// Workflow version.
    pub version: Symbol,
    /// Task path.
    pub task: Symbol,
    /// The question or instruction.
    pub text: Symbol,
    /// Annotations with this wording.
    pub n: u64,
}

/// What the export says about a subject at the time of export.
#[derive(Clone, Copy, Debug)]
pub struct SubjectStatus {
    /// Subject id.
    pub subject: Symbol,
    /// Workflow id.
    pub workflow: Symbol,
    /// When it was retired; `None` for still active.
    pub retired_ms: Option<i64>,
    /// Why, in the platform's word.
    pub reason: Option<Symbol>,
}

/// Classifications and everything said in them. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Extracts {
    /// All text.
    pub pool: Pool,
    /// Who, what, when.
    pub classifications: Vec<ClassificationRow>,
    /// Answers.
    pub votes: Vec<VoteRow>,
    /// 1-D ranges.
    pub marks: Vec<MarkRow>,
    /// Drawn marks.
    pub shapes: Vec<ShapeRow>,
    /// Typed texts.
    pub texts: Vec<TextRow>,
    /// Wordings of the tasks.
    pub task_texts: Vec<TaskText>,
    /// Retirement at the time of export.
    pub statuses: Vec<SubjectStatus>,
}

impl Extracts {
    /// Keeps the classifications for which `keep` is true, with all that they say.
    ///
    /// # Panics
    /// When `keep` has not one entry per classification.
    pub fn retain(&mut self, keep: &[bool]) {
        assert_eq!(keep.len(), self.classifications.len(), "one decision per classification");
        if keep.iter().all(|&k| k) {
            return;
        }
        let mut next = 0;
        let renumbered: Vec<u32> = keep
            .iter()
            .map(|&kept| {
                next += u32::from(kept);
                next.wrapping_sub(1)
            })
            .collect();
        let stays = |classification: &mut u32| {
            let old = *classification as usize;
            *classification = renumbered[old];
            keep[old]
        };
        let mut row = 0;
        self.classifications.retain(|_| {
            row += 1;
            keep[row - 1]
        });
        self.votes.retain_mut(|r| stays(&mut r.classification));
        self.marks.retain_mut(|r| stays(&mut r.classification));
        self.shapes.retain_mut(|r| stays(&mut r.classification));
        self.texts.retain_mut(|r| stays(&mut r.classification));
    }

    /// Text of a symbol.
    #[must_use]
    pub fn text(&self, symbol: Symbol) -> &str {
        self.pool.text(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_letter_for_letter() {
        let mut pool = Pool::default();
        for text in ["0", "7", "007", "+7", "", "18446744073709551615", "98765432109876543210", "1;2"] {
            assert_eq!(ExternalId::parse(text, &mut pool).to_text(&pool), text);
        }
        assert_eq!(ExternalId::parse("611591158", &mut pool), ExternalId::Number(611_591_158));
    }
}
