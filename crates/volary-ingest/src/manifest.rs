//! Subject manifests and workflow configurations, checked before they are uploaded.
//!
//! The platform ignores what it does not know without a word: a misspelt `#training_subject` makes a
//! training set that trains nobody. Every rule here is one that the platform's sources show
//! (`specs/zooniverse.md` 1.9). Nothing is changed and nothing is uploaded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use volary_core::ProblemKind;

use crate::error::IngestError;
use crate::records::{Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;

mod feedback;
mod typo;
mod workflow;

use feedback::FeedbackColumns;

pub use feedback::{FeedbackRules, feedback_rules};
pub use workflow::check_workflow_configuration;

/// What kind of file was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// A table with a row per subject.
    Subjects,
    /// The `configuration` of a workflow, as JSON.
    WorkflowConfiguration,
}

/// The outcome of a check: every problem names row, column and what to do.
#[derive(Clone, Debug)]
pub struct ManifestReport {
    /// What was checked.
    pub kind: ManifestKind,
    /// Columns whose cells name media (files or addresses).
    pub media_columns: Vec<String>,
    /// Columns that volunteers never see (`#…`, `//…`).
    pub hidden_columns: Vec<String>,
    /// Rows marked as training subjects in the platform's sense.
    pub n_training: u64,
    /// Rows with at least one complete feedback rule.
    pub n_with_feedback: u64,
    /// What became of the rows, and the problems.
    pub report: ReadReport,
}

impl ManifestReport {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.report.problems.total() == 0
    }
}

/// Checks a manifest (CSV or TSV), or a workflow configuration (`.json`).
///
/// # Errors
/// Where the file cannot be read, is empty, or is neither.
pub fn check_manifest(path: &Path, progress: &Progress) -> Result<ManifestReport, IngestError> {
    check_manifest_against(path, &FeedbackRules::new(), progress)
}

/// The same where the workflow's feedback rules are known ([`feedback_rules`]), so that each row's rules
/// are checked by their strategy.
///
/// # Errors
/// As [`check_manifest`].
pub fn check_manifest_against(
    path: &Path,
    rules: &FeedbackRules,
    progress: &Progress,
) -> Result<ManifestReport, IngestError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        return check_workflow_configuration(path, progress);
    }
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let mut checker = Checker::new(records.header().names.clone(), rules.clone());
    while let Some(record) = records.next_record()? {
        checker.row(&record);
    }
    checker.columns();
    let media = checker.media();
    Ok(ManifestReport {
        kind: ManifestKind::Subjects,
        hidden_columns: checker.names.iter().filter(|n| is_hidden(n)).cloned().collect(),
        media_columns: media,
        n_training: checker.n_training,
        n_with_feedback: checker.n_with_feedback,
        report: checker.tally.finish(records)?,
    })
}

const MEDIA_ENDINGS: [&str; 14] = [
    ".jpg", ".jpeg", ".png", ".gif", ".svg", ".mp4", ".m4v", ".mpeg", ".mpg", ".mp3", ".m4a", ".txt",
    ".json", ".webp",
];

fn is_media(cell: &str) -> bool {
    let bare = cell.trim().split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    MEDIA_ENDINGS.iter().any(|ending| bare.len() > ending.len() && bare.ends_with(ending))
}

fn is_number_or_empty(cell: &str) -> bool {
    cell.is_empty() || cell.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_json_list_or_empty(cell: &str) -> bool {
    cell.is_empty() || serde_json::from_str::<Vec<serde_json::Value>>(cell).is_ok()
}

/// Whether a column is hidden from volunteers while they classify.
fn is_hidden(name: &str) -> bool {
    name.starts_with('#') || name.starts_with("//")
}

/// The name without the prefixes that the platform knows.
fn bare_name(name: &str) -> &str {
    name.trim_start_matches("//").trim_start_matches(['#', '!', '%'])
}

/// What a column name probably meant, and what to do; `None` where it is fine.
fn misspelling(name: &str) -> Option<Cow<'static, str>> {
    let low = bare_name(name).to_ascii_lowercase().replace([' ', '-'], "_");
    let hint = match low.as_str() {
        "training_subject" if name == "#training_subject" => return None,
        "training_subject" | "training_subjects" | "trainingsubject" => {
            "only #training_subject marks training subjects; rename the column"
        }
        "training_chance"
        | "training_chances"
        | "training_default_chance"
        | "training_default_chances"
        | "training_set_ids" => {
            "how often training subjects are shown is workflow configuration (training_set_ids, \
             training_chances, training_default_chance), not subject metadata; delete the column"
        }
        "subject_set_id" | "subject_set" => {
            "the platform reads no set from metadata; choose the set when uploading, delete the column"
        }
        "priority" if name == "#priority" || name == "priority" => return None,
        "priority" | "priorities" => "only #priority (or priority) orders subjects; rename the column",
        _ => return feedback::misspelling(name).or_else(|| typing_error(name, &low)),
    };
    Some(Cow::Borrowed(hint))
}

/// Columns that the platform reads, and as what.
const KNOWN: [(&str, &str); 3] = [
    ("training_subject", "#training_subject"),
    ("previous_subject_ids", "previous_subject_ids"),
    ("priority", "#priority"),
];

/// A name that is one or two letters away from a column that the platform reads.
fn typing_error(name: &str, low: &str) -> Option<Cow<'static, str>> {
    // With the right letters only the prefix or the case can be wrong.
    let exact = KNOWN.iter().find(|(known, _)| *known == low).map(|&(known, _)| known);
    let near = exact.or_else(|| typo::nearest(low, KNOWN.map(|(known, _)| known)))?;
    let &(_, right) = KNOWN.iter().find(|(known, _)| *known == near)?;
    (name != right)
        .then(|| Cow::Owned(format!("the platform ignores it; if {right} is meant, rename the column")))
}

/// Walks the rows; problems of a column as a whole are found at the end.
struct Checker {
    names: Vec<String>,
    feedback: FeedbackColumns,
    // Per column: cells that name media, and rows in which the cell is empty.
    n_media: Vec<u64>,
    empty: Vec<Vec<u64>>,
    first_row: HashMap<[u8; 32], u64>,
    n_rows: u64,
    n_training: u64,
    n_with_feedback: u64,
    tally: Tally,
}

impl Checker {
    fn new(names: Vec<String>, rules: FeedbackRules) -> Self {
        let feedback = FeedbackColumns::find(&names, rules);
        Self {
            feedback,
            n_media: vec![0; names.len()],
            empty: vec![Vec::new(); names.len()],
            first_row: HashMap::new(),
            n_rows: 0,
            n_training: 0,
            n_with_feedback: 0,
            tally: Tally::default(),
            names,
        }
    }

    fn row(&mut self, record: &Record) {
        self.n_rows += 1;
        self.tally.used += 1;
        for (at, cell) in record.fields().iter().enumerate() {
            self.n_media[at] += u64::from(is_media(cell));
            if cell.trim().is_empty() {
                self.empty[at].push(record.row);
            }
            self.cell(record.row, at, cell);
        }
        let hash = *blake3::hash(record.fields().join("\u{1f}").as_bytes()).as_bytes();
        if let Some(first) = self.first_row.get(&hash) {
            let detail = format!("the same as row {first}; it would become a second subject");
            self.tally.problems.add(record.row, "", ProblemKind::DuplicateRow, detail);
        } else {
            self.first_row.insert(hash, record.row);
        }
        let complete = self.feedback.check(record, &mut self.tally.problems);
        self.n_with_feedback += u64::from(complete);
    }

    fn cell(&mut self, row: u64, at: usize, cell: &str) {
        let name = self.names[at].as_str();
        let problems = &mut self.tally.problems;
        match name {
            "#training_subject" if cell == "true" => self.n_training += 1,
            "#training_subject" if !matches!(cell, "" | "false") => {
                let detail = "only the text true (lower case) marks a training subject; write true";
                problems.add(row, name, ProblemKind::Suspicious, detail);
            }
            "#priority" | "priority" if !is_number_or_empty(cell) => {
                problems.add(row, name, ProblemKind::NotANumber, "write a number");
            }
            "previous_subject_ids" if !is_json_list_or_empty(cell) => {
                let detail = "write a JSON list of subject ids, such as [123,124]";
                problems.add(row, name, ProblemKind::BadJson, detail);
            }
            _ => {}
        }
    }

    /// Columns most of whose filled cells name media.
    fn media(&self) -> Vec<String> {
        let filled = |at: usize| self.n_rows - self.empty[at].len() as u64;
        (0..self.names.len())
            .filter(|&at| self.n_media[at] > 0 && 2 * self.n_media[at] >= filled(at))
            .map(|at| self.names[at].clone())
            .collect()
    }

    fn columns(&mut self) {
        let media = self.media();
        let problems = &mut self.tally.problems;
        if media.is_empty() && self.n_rows > 0 {
            let detail = "no column names media (files or addresses that end in .jpg, .png, .json, …)";
            problems.add(0, "", ProblemKind::Suspicious, detail);
        }
        for (at, name) in self.names.iter().enumerate() {
            if name.is_empty() {
                problems.add(0, "", ProblemKind::EmptyCell, format!("column {} has no name", at + 1));
            } else if self.names[..at].contains(name) {
                let detail = "the name stands twice in the header; the platform keeps the last column";
                problems.add(0, name, ProblemKind::DuplicateRow, detail);
            }
            if let Some(hint) = misspelling(name) {
                problems.add(0, name, ProblemKind::Misspelt, hint);
            }
            // With several frames per subject some subjects have fewer; with one column none may be empty.
            if media.contains(name) {
                for &row in &self.empty[at] {
                    let detail = "no file or address; the subject would lack this frame";
                    problems.add(row, name, ProblemKind::EmptyCell, detail);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn check(text: &str) -> ManifestReport {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        check_manifest(file.path(), &Progress::default()).unwrap()
    }

    fn details(report: &ManifestReport) -> Vec<(u64, String, ProblemKind)> {
        let examples = report.report.problems.examples();
        examples.map(|p| (p.row, p.column.clone(), p.kind)).collect()
    }

    #[test]
    fn a_good_manifest_is_clean() {
        let report = check(
            "image,!origin,#name,%size,//old,#priority,#training_subject,previous_subject_ids,\
             #feedback_1_id,#feedback_1_answer\n\
             a.jpg,x,1,2,3,1.5,true,\"[1,2]\",rule,0\nhttps://x.org/b.PNG?v=1,x,2,2,3,,,,,\n",
        );
        assert!(report.is_clean(), "{:?}", details(&report));
        assert_eq!(report.media_columns, ["image"]);
        assert_eq!(report.hidden_columns.len(), 6);
        assert_eq!((report.n_training, report.n_with_feedback), (1, 1));
    }

    #[test]
    fn what_the_platform_ignores_is_said() {
        let report = check(
            "image,training_subject,#training_chance,#subject_set_id,#feedback1_x,#Feedback_1_x,\
             #training_default_chances,#feedback_1_sucessMessage,#feedback_1_id,feedback_1_x\n\
             a.jpg,true,0.5,7,1,1,0.1,hi,r,2\n",
        );
        assert_eq!(report.report.problems.count(ProblemKind::Misspelt), 8, "{:?}", details(&report));
    }

    #[test]
    fn typing_errors_are_found_and_other_words_are_not() {
        for (name, right) in [
            ("#traning_subject", "#training_subject"),
            ("#training_subjct", "#training_subject"),
            ("#proirity", "#priority"),
            ("previous_subject_id", "previous_subject_ids"),
            ("#previous_subject_ids", "previous_subject_ids"),
            ("Previous Subject IDs", "previous_subject_ids"),
            ("#fedback_1_x", "#feedback_1_x"),
            ("#feedback_1_tolernace", "tolerance"),
            ("#feedback_1_succesMessage", "successMessage"),
        ] {
            let hint = misspelling(name).unwrap_or_default();
            assert!(hint.contains(right), "{name}: {hint}");
        }
        for name in [
            "image",
            "property",
            "majority",
            "#prior",
            "subject_ids",
            "#subject",
            "feed",
            "training",
            "#backlog_1_x",
            "setback_rate",
            "id",
            "x",
            "#tolerance",
        ] {
            assert_eq!(misspelling(name), None, "{name}");
        }
    }

    #[test]
    fn rows() {
        let report =
            check("image,#training_subject,#priority\na.jpg,True,first\n,false,1\nb.jpg,,\nb.jpg,,\n");
        let expected = [
            (2, "image".to_owned(), ProblemKind::EmptyCell),
            (1, "#priority".to_owned(), ProblemKind::NotANumber),
            (4, String::new(), ProblemKind::DuplicateRow),
            (1, "#training_subject".to_owned(), ProblemKind::Suspicious),
        ];
        assert_eq!(details(&report), expected);
        assert_eq!(check("name\nx\n").report.problems.count(ProblemKind::Suspicious), 1);
    }
}
