//! Plain tables of labels, truths and weights: what crowdsourcing benchmarks and teams' own scripts use.
//!
//! Columns are found by name, under any of several names. Volunteers in a column `worker`, `volunteer`
//! or `annotator` are ids and stay as they are; those in `user_name` or `user` are names and are hashed
//! ([`crate::volunteer`]). No JSON and no exports here: see [`crate::panoptes`].

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use volary_core::truth::Truth;
use volary_core::votes::{QuestionKind, VotesBuilder};
use volary_core::{ProblemKind, Votes};

use crate::columns::{VolunteerColumn, find, need};
use crate::error::IngestError;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;
use crate::time::parse_ms;
use crate::volunteer::Without;

/// The task of a label table that names none.
pub const LABEL_TASK: &str = "label";

const SUBJECT: [&str; 3] = ["subject_id", "subject", "item"];
const VOLUNTEER: [&str; 5] = ["worker", "volunteer", "annotator", "user_name", "user"];
const LABEL: [&str; 4] = ["label", "answer", "gold", "value"];

/// A label table as votes.
#[derive(Clone, Debug)]
pub struct LabelTable {
    /// The votes.
    pub votes: Votes,
    /// What became of the rows.
    pub report: ReadReport,
}

/// Reads `task,worker,label` (or any of the synonyms); an empty label is somebody who saw the item and
/// gave no answer.
///
/// `task` is the item. Where the table has a `subject_id` (or `subject`, `item`) too, that is the item
/// and `task` the question. A row that stands twice is used twice, since some designs ask the same
/// person again; it is listed as a problem.
///
/// # Errors
/// Where the file cannot be read or one of the three columns is missing.
pub fn read_label_table(path: &Path, progress: &Progress) -> Result<LabelTable, IngestError> {
    read_label_table_without(path, &Without::default(), progress)
}

/// The same without the rows of some volunteers.
///
/// # Errors
/// As [`read_label_table`].
pub fn read_label_table_without(
    path: &Path,
    without: &Without,
    progress: &Progress,
) -> Result<LabelTable, IngestError> {
    const EXPECTED: &str = "a label table (task,worker,label)";
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let columns = LabelColumns::find(records.header(), EXPECTED, path)?;
    let (mut builder, mut tally, mut seen) = (VotesBuilder::default(), Tally::default(), HashSet::new());
    while let Some(record) = records.next_record()? {
        if let Some(reason) = columns.unusable(&record) {
            tally.problems.add(record.row, "", ProblemKind::EmptyCell, reason);
            tally.leave_out(reason);
            continue;
        }
        if without.has(&columns.volunteer.key(record.get(Some(columns.volunteer.at)))) {
            tally.leave_out("opted out");
            continue;
        }
        if !seen.insert(blake3::hash(record.fields().join("\u{1f}").as_bytes())) {
            tally.problems.add(record.row, "", ProblemKind::DuplicateRow, "used again");
        }
        columns.vote(&record, &mut builder, &mut tally);
        tally.used += 1;
    }
    Ok(LabelTable { votes: builder.finish(), report: tally.finish(records)? })
}

struct LabelColumns {
    subject: usize,
    task: Option<usize>,
    volunteer: VolunteerColumn,
    label: usize,
    created_at: Option<usize>,
    workflow: Option<usize>,
}

impl LabelColumns {
    fn find(header: &Header, expected: &'static str, path: &Path) -> Result<Self, IngestError> {
        let task = find(header, &["task"]);
        let (subject, task) = match find(header, &SUBJECT) {
            Some(subject) => (subject, task),
            None => (need(header, &["task", "subject_id"], expected, path)?, None),
        };
        Ok(Self {
            subject,
            task,
            volunteer: VolunteerColumn::need(header, &VOLUNTEER, expected, path)?,
            label: need(header, &LABEL, expected, path)?,
            created_at: find(header, &["created_at"]),
            workflow: find(header, &["workflow_id"]),
        })
    }

    fn unusable(&self, record: &Record) -> Option<&'static str> {
        if record.get(Some(self.subject)).is_empty() {
            return Some("no subject");
        }
        record.get(Some(self.volunteer.at)).is_empty().then_some("no volunteer")
    }

    fn vote(&self, record: &Record, builder: &mut VotesBuilder, tally: &mut Tally) {
        let created = record.get(self.created_at);
        let created_ms = parse_ms(created);
        if created_ms.is_none() && !created.is_empty() {
            tally.problems.add(record.row, "created_at", ProblemKind::BadTime, created);
        }
        let classification = builder.classification(
            record.get(self.workflow),
            record.get(Some(self.subject)),
            &self.volunteer.key(record.get(Some(self.volunteer.at))),
            created_ms,
            &record.row.to_string(),
        );
        let task = Some(record.get(self.task)).filter(|t| !t.is_empty()).unwrap_or(LABEL_TASK);
        let label = Some(record.get(Some(self.label))).filter(|l| !l.is_empty());
        builder.vote(classification, task, QuestionKind::Single, label);
    }
}

/// Reads known answers: `task,label`, `subject,gold`, `subject_id,gold`, `subject_id,answer[,task]`, or
/// one column per task (`subject_id,T0,T1`, several true answers joined by `|`).
///
/// An empty cell says nothing about its subject, except in the form with a column per task, where it says
/// that no answer is true (for a question with several answers).
///
/// # Errors
/// Where the file cannot be read, or has no column of subjects or none of answers.
pub fn read_truth(path: &Path, progress: &Progress) -> Result<(Truth, ReadReport), IngestError> {
    const EXPECTED: &str = "a table of true answers (subject_id,answer)";
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let header = records.header().clone();
    let subject = need(&header, &["subject_id", "subject", "item", "task"], EXPECTED, path)?;
    let columns = truth_columns(&header, subject).ok_or_else(|| IngestError::MissingColumns {
        missing: "gold or answer or label or T0".to_owned(),
        found: header.names.join(", "),
        expected: EXPECTED,
        path: path.to_owned(),
    })?;
    let (mut truth, mut tally) = (Truth::default(), Tally::default());
    while let Some(record) = records.next_record()? {
        let id = record.get(Some(subject));
        let answers = columns.answers(&record);
        if !id.is_empty() {
            columns.tasks().for_each(|task| truth.know(task, id));
        }
        if id.is_empty() || (answers.is_empty() && !columns.joined()) {
            let reason = if id.is_empty() { "no subject" } else { "no answer" };
            tally.problems.add(record.row, "", ProblemKind::EmptyCell, reason);
            tally.leave_out(reason);
            continue;
        }
        for (task, answer) in answers {
            if truth.answers(task, id).iter().any(|a| a != answer) && !columns.joined() {
                tally.problems.add(
                    record.row,
                    "",
                    ProblemKind::Suspicious,
                    format!("subject {id} has another true answer in an earlier row; both hold"),
                );
            }
            truth.add(task, id, answer);
        }
        tally.used += 1;
    }
    Ok((truth, tally.finish(records)?))
}

enum TruthColumns {
    Single { answer: usize, task: Option<usize> },
    PerTask(Vec<(String, usize)>),
}

fn truth_columns(header: &Header, subject: usize) -> Option<TruthColumns> {
    if let Some(answer) = find(header, &["gold", "answer", "label", "value"]) {
        let task = find(header, &["task"]).filter(|&t| t != subject);
        return Some(TruthColumns::Single { answer, task });
    }
    let is_task = |name: &str| {
        name.strip_prefix('T').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let tasks: Vec<_> = header
        .names
        .iter()
        .enumerate()
        .filter(|(_, name)| is_task(name))
        .map(|(at, name)| (name.clone(), at))
        .collect();
    (!tasks.is_empty()).then_some(TruthColumns::PerTask(tasks))
}

impl TruthColumns {
    fn joined(&self) -> bool {
        matches!(self, Self::PerTask(_))
    }

    /// Tasks about which the form has a cell, so that an empty one means "none of the answers".
    fn tasks(&self) -> impl Iterator<Item = &str> {
        let tasks = match self {
            Self::Single { .. } => &[][..],
            Self::PerTask(tasks) => tasks.as_slice(),
        };
        tasks.iter().map(|(task, _)| task.as_str())
    }

    fn answers<'a>(&'a self, record: &'a Record) -> Vec<(&'a str, &'a str)> {
        match self {
            Self::Single { answer, task } => {
                let answer = record.get(Some(*answer));
                if answer.is_empty() { Vec::new() } else { vec![(record.get(*task), answer)] }
            }
            Self::PerTask(tasks) => tasks
                .iter()
                .flat_map(|(task, at)| {
                    let cell = record.get(Some(*at));
                    cell.split('|').filter(|a| !a.is_empty()).map(move |a| (task.as_str(), a))
                })
                .collect(),
        }
    }
}

/// Numbers by volunteer key: weights, or how much somebody has done elsewhere.
pub type ByVolunteer = BTreeMap<String, f64>;

/// Reads weights: `volunteer` (or `user_name`, hashed, or `worker`) and `weight`.
///
/// A weight that is not a finite number ≥ 0 leaves its row out; a volunteer who stands twice keeps the
/// last weight.
///
/// # Errors
/// Where the file cannot be read or a column is missing.
pub fn read_weights(path: &Path, progress: &Progress) -> Result<(ByVolunteer, ReadReport), IngestError> {
    read_numbers(path, &["weight"], "a table of weights (volunteer,weight)", progress)
}

/// Reads how many classifications volunteers have made: `volunteer` (or `user_name`, hashed, or
/// `worker`) and `n_classifications` (or `n`, `count`).
///
/// # Errors
/// As [`read_weights`].
pub fn read_experience(
    path: &Path,
    progress: &Progress,
) -> Result<(ByVolunteer, ReadReport), IngestError> {
    const EXPECTED: &str = "a table of experience (volunteer,n_classifications)";
    read_numbers(path, &["n_classifications", "n", "count"], EXPECTED, progress)
}

/// A machine's scores by subject and answer.
pub type Scores = BTreeMap<(String, String), f64>;

/// Reads a machine's scores: `subject_id`, `answer` and `score` (or `probability`), one row per subject
/// and answer; of a question with two answers one of them is enough.
///
/// A score outside 0 to 1 leaves its row out; of two rows for one subject and answer the last holds.
///
/// # Errors
/// Where the file cannot be read or a column is missing.
pub fn read_scores(path: &Path, progress: &Progress) -> Result<(Scores, ReadReport), IngestError> {
    const EXPECTED: &str = "a table of scores (subject_id,answer,score)";
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let subject = need(records.header(), &["subject_id", "subject", "item", "task"], EXPECTED, path)?;
    let answer = need(records.header(), &["answer", "label", "class"], EXPECTED, path)?;
    let score = need(records.header(), &["score", "probability"], EXPECTED, path)?;
    let column = records.header().names[score].clone();
    let (mut scores, mut tally) = (BTreeMap::new(), Tally::default());
    while let Some(record) = records.next_record()? {
        let (id, label) = (record.get(Some(subject)), record.get(Some(answer)));
        if id.is_empty() || label.is_empty() {
            tally.problems.add(record.row, "", ProblemKind::EmptyCell, "no subject or no answer");
            tally.leave_out("no subject or no answer");
            continue;
        }
        let value = record.get(Some(score)).trim().parse::<f64>().ok();
        let Some(value) = value.filter(|v| (0.0..=1.0).contains(v)) else {
            tally.problems.add(
                record.row,
                &column,
                ProblemKind::NotANumber,
                "a number from 0 to 1 is needed",
            );
            tally.leave_out("not a score");
            continue;
        };
        if scores.insert((id.to_owned(), label.to_owned()), value).is_some() {
            let detail = "the subject and answer stand in an earlier row; this one holds";
            tally.problems.add(record.row, "", ProblemKind::DuplicateRow, detail);
        }
        tally.used += 1;
    }
    Ok((scores, tally.finish(records)?))
}

fn read_numbers(
    path: &Path,
    names: &[&str],
    expected: &'static str,
    progress: &Progress,
) -> Result<(ByVolunteer, ReadReport), IngestError> {
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let volunteer = VolunteerColumn::need(records.header(), &VOLUNTEER, expected, path)?;
    let number = need(records.header(), names, expected, path)?;
    let column = records.header().names[number].clone();
    let (mut numbers, mut tally) = (ByVolunteer::new(), Tally::default());
    while let Some(record) = records.next_record()? {
        let cell = record.get(Some(volunteer.at));
        if cell.is_empty() {
            tally.problems.add(record.row, "", ProblemKind::EmptyCell, "no volunteer");
            tally.leave_out("no volunteer");
            continue;
        }
        let value = record.get(Some(number)).trim().parse::<f64>().ok();
        let Some(value) = value.filter(|v| v.is_finite() && *v >= 0.0) else {
            let detail = "a finite number that is not negative is needed";
            tally.problems.add(record.row, &column, ProblemKind::NotANumber, detail);
            tally.leave_out("not a number");
            continue;
        };
        if numbers.insert(volunteer.key(cell), value).is_some() {
            let detail = "the volunteer stands in an earlier row; this one holds";
            tally.problems.add(record.row, "", ProblemKind::DuplicateRow, detail);
        }
        tally.used += 1;
    }
    Ok((numbers, tally.finish(records)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use volary_core::votes::NO_ANSWER;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn labels_keep_their_text_and_empty_is_no_answer() {
        let f = file("subject,user_name,answer\n1,Ann,是\n1,Bob,< 1\n2,Ann,\n,Ann,x\n2,,x\n3,a\n");
        let table = read_label_table(f.path(), &Progress::default()).unwrap();
        assert_eq!(table.votes.questions[0].answers, ["< 1", "是"]);
        assert_eq!(table.votes.questions[0].task, LABEL_TASK);
        assert!(table.votes.volunteers.contains(&crate::volunteer::key("Ann").0));
        assert_eq!(table.votes.votes.iter().filter(|v| v.answer == NO_ANSWER).count(), 1);
        assert_eq!((table.report.rows_read, table.report.rows_used), (6, 3));
        assert!(table.report.adds_up());
    }

    #[test]
    fn workers_are_ids_and_task_is_the_item_unless_there_is_a_subject() {
        let f = file("task\tworker\tlabel\n7\tw1\t0\n7\tw1\t0\n");
        let table = read_label_table(f.path(), &Progress::default()).unwrap();
        assert_eq!(table.votes.volunteers, ["w1"]);
        assert_eq!(table.votes.subjects, ["7"]);
        assert_eq!(table.report.problems.count(ProblemKind::DuplicateRow), 1);
        let f = file("subject_id,task,worker,label\n7,T1,w1,0\n");
        let table = read_label_table(f.path(), &Progress::default()).unwrap();
        assert_eq!(table.votes.questions[0].task, "T1");
        assert!(matches!(
            read_label_table(file("a,b\n1,2\n").path(), &Progress::default()),
            Err(IngestError::MissingColumns { .. })
        ));
    }

    #[test]
    fn truth_comes_in_five_forms() {
        let truth = |text| read_truth(file(text).path(), &Progress::default()).unwrap().0;
        for text in ["task,label\n5,1\n", "subject,gold\n5,1\n", "subject_id,gold\n5,1\n"] {
            assert_eq!(truth(text).answers("T0", "5"), ["1"], "{text}");
        }
        let with_task = truth("subject_id,answer,task\n5,Yes,T1\n");
        assert_eq!(with_task.answers("T1", "5"), ["Yes"]);
        assert!(with_task.answers("T0", "5").is_empty());
        let wide = truth("subject_id,T0,T1,difficulty\n5,Smooth,Ring|Bar,0.1\n6,Smooth,,0.2\n");
        assert_eq!(wide.answers("T1", "5"), ["Ring", "Bar"]);
        assert!(wide.answers("T1", "6").is_empty());
    }

    #[test]
    fn scores_lie_between_0_and_1() {
        let f = file("subject_id,answer,score\n1,Yes,0.9\n2,Yes,1.5\n3,,0.5\n1,Yes,0.8\n4,Yes,NaN\n");
        let (scores, report) = read_scores(f.path(), &Progress::default()).unwrap();
        assert_eq!(scores.len(), 1);
        assert!((scores[&("1".to_owned(), "Yes".to_owned())] - 0.8).abs() < 1e-12);
        assert_eq!((report.rows_used, report.left_out["not a score"]), (2, 2));
        assert!(report.adds_up());
    }

    #[test]
    fn weights_hash_names_and_refuse_nonsense() {
        let f = file("user_name,weight\nAnn,0.5\nBob,NaN\nCid,-1\nAnn,0.7\n");
        let (weights, report) = read_weights(f.path(), &Progress::default()).unwrap();
        assert_eq!(weights.len(), 1);
        assert!((weights[&crate::volunteer::key("Ann").0] - 0.7).abs() < 1e-12);
        assert_eq!((report.rows_used, report.left_out["not a number"]), (2, 2));
        let f = file("volunteer,n\nv1,12\n");
        let (experience, _) = read_experience(f.path(), &Progress::default()).unwrap();
        assert!((experience["v1"] - 12.0).abs() < 1e-12);
    }
}
