//! Tables of what volunteers chose, per subject and class: what a model learns.
//!
//! Two forms are read. *Long*: a row for each subject and answer, such as `volary consensus` writes
//! (`subject_id,task,answer,n_seen,n_votes`). *Wide*: a row for each subject with a column for each class,
//! counts where there is a column of all votes, fractions where there is none. An answer that a subject
//! lacks has no votes. What cannot be used is listed and left out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use volary_core::{ProblemKind, Problems};

use crate::error::IngestError;
use crate::records::{RecordOptions, Records};
use crate::source::Progress;
use crate::tables::{Cells, CsvRow, TableFormat, for_each_batch};

/// Columns of subject ids.
const ID: [&str; 4] = ["subject_id", "subject", "id", "item"];
/// Columns of all votes or views of a subject.
const SEEN: [&str; 6] = ["n_seen", "n_classifications", "classifications", "seen", "total", "count"];
/// The most votes of a subject that are still counted.
const MOST_VOTES: f64 = 1e9;

/// Which columns and rows are meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClassColumns<'a> {
    /// The classes, in the order wanted; in a long table all answers where there are none.
    pub classes: &'a [String],
    /// The task, where a long table has several.
    pub task: Option<&'a str>,
}

/// Votes of subjects over classes.
#[derive(Clone, Debug, Default)]
pub struct ClassTable {
    /// The classes.
    pub classes: Vec<String>,
    /// The subjects, in the order of the file; none twice.
    pub subject_ids: Vec<String>,
    /// Volunteers who saw each subject, where votes were counted.
    pub n_seen: Option<Vec<u32>>,
    /// `[subjects, classes]`, row by row: votes where they were counted, else fractions.
    pub values: Vec<f64>,
    /// Rows of the file.
    pub rows_read: u64,
    /// What was wrong.
    pub problems: Problems,
}

/// Reads such a table.
///
/// # Errors
/// Where it cannot be read, or does not have what `columns` asks for.
pub fn read_class_table(
    path: &Path,
    columns: &ClassColumns<'_>,
    progress: &Progress,
) -> Result<ClassTable, IngestError> {
    let mut reader = Reader { path, columns, form: None, rows: Rows::default(), row: 0 };
    match TableFormat::of(path)? {
        TableFormat::Csv => reader.take_csv(progress)?,
        _ => for_each_batch(path, &[], progress, |cells| reader.take(cells))?,
    }
    reader.finish()
}

/// How a table is laid out.
enum Form {
    Long { id: String, votes: String, seen: Option<String> },
    Wide { id: String, seen: Option<String> },
}

#[derive(Default)]
struct Rows {
    subject_ids: Vec<String>,
    by_id: HashMap<String, usize>,
    n_seen: Vec<f64>,
    /// Of each subject, by class.
    values: Vec<BTreeMap<String, f64>>,
    tasks: BTreeSet<String>,
    /// Tasks that were not asked for.
    other_tasks: BTreeSet<String>,
    problems: Problems,
}

struct Reader<'a> {
    path: &'a Path,
    columns: &'a ClassColumns<'a>,
    form: Option<Form>,
    rows: Rows,
    row: u64,
}

impl Reader<'_> {
    /// A CSV table is walked here, so that each row has its number in the file.
    fn take_csv(&mut self, progress: &Progress) -> Result<(), IngestError> {
        let mut records = Records::open(self.path, RecordOptions::default(), progress)?;
        let names = records.header().names.clone();
        while let Some(record) = records.next_record()? {
            // Rows that cannot be used are rows of the file, too.
            self.row = record.row.saturating_sub(1);
            self.take(&CsvRow { names: &names, record })?;
        }
        self.row = records.n_rows;
        self.rows.problems.absorb(&records.problems);
        Ok(())
    }

    fn take(&mut self, cells: &dyn Cells) -> Result<(), IngestError> {
        if cells.n_rows() == 0 {
            return Ok(());
        }
        if self.form.is_none() {
            self.form = Some(self.find_form(&cells.columns(0))?);
        }
        let form = self.form.take();
        for row in 0..cells.n_rows() {
            self.row += 1;
            match &form {
                Some(Form::Long { id, votes, seen }) => {
                    self.long(cells, row, id, votes, seen.as_deref())
                }
                Some(Form::Wide { id, seen }) => self.wide(cells, row, id, seen.as_deref()),
                None => {}
            }
        }
        self.form = form;
        Ok(())
    }

    fn find_form(&self, names: &[String]) -> Result<Form, IngestError> {
        let find = |wanted: &[&str]| {
            wanted.iter().find_map(|w| names.iter().find(|n| n.eq_ignore_ascii_case(w))).cloned()
        };
        let missing = |missing: &str, expected| IngestError::MissingColumns {
            missing: missing.to_owned(),
            found: names.join(", "),
            expected,
            path: self.path.to_owned(),
        };
        let id = find(&ID).ok_or_else(|| missing("subject_id", "a table of votes by subject"))?;
        if find(&["answer", "label"]).is_some() {
            let seen = find(&SEEN);
            let votes = match &seen {
                Some(_) => find(&["n_votes", "votes"]),
                None => find(&["fraction", "consensus"]),
            };
            let votes =
                votes.ok_or_else(|| missing("n_seen with n_votes, or fraction", "a consensus table"))?;
            return Ok(Form::Long { id, votes, seen });
        }
        const WIDE: &str = "a table with a column for each class (name them with --classes)";
        if self.columns.classes.is_empty() {
            return Err(missing("answer", WIDE));
        }
        if let Some(class) = self.columns.classes.iter().find(|class| !names.contains(class)) {
            return Err(missing(class, WIDE));
        }
        Ok(Form::Wide { id, seen: find(&SEEN).or_else(|| find(&["n_votes", "votes"])) })
    }

    fn long(&mut self, cells: &dyn Cells, row: usize, id: &str, votes: &str, seen: Option<&str>) {
        let answer = cells.text("answer", row).or_else(|| cells.text("label", row));
        let (Some(answer), task) = (answer, cells.text("task", row)) else { return };
        if let Some(task) = task {
            let is_other = self.columns.task.is_some_and(|wanted| wanted != task);
            let tasks = if is_other { &mut self.rows.other_tasks } else { &mut self.rows.tasks };
            if !tasks.contains(&*task) {
                tasks.insert(task.into_owned());
            }
            if is_other {
                return;
            }
        }
        if !self.columns.classes.is_empty() && !self.columns.classes.iter().any(|c| *c == answer) {
            return;
        }
        let Some(subject) = self.subject(cells.text(id, row)) else { return };
        let Some(value) = self.number(cells.text(votes, row), votes) else { return };
        let n_seen = match seen {
            None => 1.0,
            Some(seen) => match self.number(cells.text(seen, row), seen) {
                Some(n_seen) => n_seen,
                None => return,
            },
        };
        if !self.is_possible(value, n_seen, votes) {
            return;
        }
        let answer = answer.into_owned();
        let at = self.rows.place(subject, n_seen);
        if let Some(before) = self.rows.values[at].insert(answer.clone(), value) {
            self.rows.values[at].insert(answer, before);
            let detail = format!("subject {} has this answer twice", self.rows.subject_ids[at]);
            self.rows.problems.add(self.row, "answer", ProblemKind::SubjectTwice, detail);
        }
    }

    fn wide(&mut self, cells: &dyn Cells, row: usize, id: &str, seen: Option<&str>) {
        let Some(subject) = self.subject(cells.text(id, row)) else { return };
        let n_seen = match seen {
            None => 1.0,
            Some(seen) => match self.number(cells.text(seen, row), seen) {
                Some(n_seen) => n_seen,
                None => return,
            },
        };
        let classes = self.columns.classes;
        let mut values = BTreeMap::new();
        for class in classes {
            let Some(value) = self.number(cells.text(class, row), class) else { return };
            if !self.is_possible(value, n_seen, class) {
                return;
            }
            values.insert(class.clone(), value);
        }
        if self.rows.by_id.contains_key(&subject) {
            let detail = format!("subject {subject} stands twice; the first row counts");
            self.rows.problems.add(self.row, id, ProblemKind::SubjectTwice, detail);
            return;
        }
        let at = self.rows.place(subject, n_seen);
        self.rows.values[at] = values;
    }

    fn subject(&mut self, id: Option<Cow<'_, str>>) -> Option<String> {
        if id.is_none() {
            self.rows.problems.add(self.row, "", ProblemKind::EmptyCell, "no subject");
        }
        Some(id?.into_owned())
    }

    fn number(&mut self, cell: Option<Cow<'_, str>>, column: &str) -> Option<f64> {
        let Some(cell) = cell else {
            self.rows.problems.add(self.row, column, ProblemKind::EmptyCell, "a number is needed");
            return None;
        };
        let number = cell.trim().parse::<f64>().ok().filter(|n| (0.0..=MOST_VOTES).contains(n));
        if number.is_none() {
            let detail = "a number of 0 or more is needed";
            self.rows.problems.add(self.row, column, ProblemKind::NotANumber, detail);
        }
        number
    }

    fn is_possible(&mut self, value: f64, n_seen: f64, column: &str) -> bool {
        let problem = if n_seen == 0.0 {
            "nobody saw this subject".to_owned()
        } else if value > n_seen {
            format!("{value} of {n_seen}: a consensus above 1")
        } else {
            return true;
        };
        self.rows.problems.add(self.row, column, ProblemKind::Suspicious, problem);
        false
    }

    fn finish(self) -> Result<ClassTable, IngestError> {
        let Self { path, columns, form, rows, row } = self;
        let wrong = |what: String| IngestError::Table { what, path: path.to_owned() };
        if rows.tasks.len() > 1 {
            let tasks: Vec<String> = rows.tasks.into_iter().collect();
            return Err(wrong(format!("it has the tasks {}; choose one with --task", tasks.join(", "))));
        }
        if let Some(wanted) = columns.task
            && rows.tasks.is_empty()
            && !rows.other_tasks.is_empty()
        {
            let tasks: Vec<String> = rows.other_tasks.into_iter().collect();
            let found = tasks.join(", ");
            return Err(wrong(format!("it has no task {wanted}; give --task one that it has: {found}")));
        }
        let classes: Vec<String> = if columns.classes.is_empty() {
            let found: BTreeSet<&String> = rows.values.iter().flat_map(BTreeMap::keys).collect();
            found.into_iter().cloned().collect()
        } else {
            columns.classes.to_vec()
        };
        let mut values: Vec<f64> = rows
            .values
            .iter()
            .flat_map(|of| classes.iter().map(|class| of.get(class).copied().unwrap_or(0.0)))
            .collect();
        let is_counted =
            matches!(form, Some(Form::Long { seen: Some(_), .. } | Form::Wide { seen: Some(_), .. }));
        if is_counted && values.iter().any(|v| v.fract() != 0.0) {
            // Fractions beside a number of views: counts again.
            for (of, n_seen) in values.chunks_exact_mut(classes.len().max(1)).zip(&rows.n_seen) {
                if let Some(value) = of.iter().find(|v| **v > 1.0) {
                    return Err(wrong(format!(
                        "it mixes fractions and counts ({value}); give one or the other"
                    )));
                }
                of.iter_mut().for_each(|v| *v = (*v * n_seen).round());
            }
        }
        let n_seen = is_counted.then(|| rows.n_seen.iter().map(|n| n.round() as u32).collect());
        let (subject_ids, problems) = (rows.subject_ids, rows.problems);
        Ok(ClassTable { classes, subject_ids, n_seen, values, rows_read: row, problems })
    }
}

impl Rows {
    /// The place of a subject, new where it is not there yet.
    fn place(&mut self, subject: String, n_seen: f64) -> usize {
        if let Some(at) = self.by_id.get(&subject) {
            return *at;
        }
        let at = self.subject_ids.len();
        self.by_id.insert(subject.clone(), at);
        self.subject_ids.push(subject);
        self.n_seen.push(n_seen);
        self.values.push(BTreeMap::new());
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, classes: &[&str], task: Option<&str>) -> Result<ClassTable, IngestError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("votes.csv");
        std::fs::write(&path, text).unwrap();
        let classes: Vec<String> = classes.iter().map(|c| (*c).to_owned()).collect();
        read_class_table(&path, &ClassColumns { classes: &classes, task }, &Progress::default())
    }

    #[test]
    fn a_consensus_table_is_read_and_a_missing_answer_has_no_votes() {
        let text = "subject_id,task,answer,n_seen,n_votes\n7,T0,vortex,10,4\n7,T0,bands,10,9\n3,T0,bands,5,5\n7,T1,blue,3,1\n";
        let table = read(text, &[], Some("T0")).unwrap();
        assert_eq!(table.classes, ["bands", "vortex"]);
        assert_eq!(table.subject_ids, ["7", "3"]);
        assert_eq!((table.n_seen, table.values), (Some(vec![10, 5]), vec![9.0, 4.0, 5.0, 0.0]));
        let table = read(text, &["vortex"], Some("T0")).unwrap();
        assert_eq!((table.classes, table.values), (vec!["vortex".to_owned()], vec![4.0]));
        let error = read(text, &[], None).unwrap_err().to_string();
        assert!(error.contains("it has the tasks T0, T1; choose one with --task"), "{error}");
        let error = read(text, &[], Some("T7")).unwrap_err().to_string();
        assert!(error.contains("it has no task T7; give --task one that it has: T0, T1"), "{error}");
    }

    #[test]
    fn a_wide_table_of_counts_and_one_of_fractions_are_read() {
        let counts = read("subject_id,n_votes,cat,dog\n0,50,40,10\n", &["dog", "cat"], None).unwrap();
        assert_eq!((counts.n_seen, counts.values), (Some(vec![50]), vec![10.0, 40.0]));
        let fractions = read("id,cat,dog\n0,0.25,1\n", &["cat", "dog"], None).unwrap();
        assert_eq!((fractions.n_seen, fractions.values), (None, vec![0.25, 1.0]));
        let both = read("id,n_seen,cat,dog\n0,8,0.25,1\n", &["cat", "dog"], None).unwrap();
        assert_eq!((both.n_seen, both.values), (Some(vec![8]), vec![2.0, 8.0]));
        assert!(read("id,n_seen,cat\n0,8,0.25\n1,8,5\n", &["cat"], None).is_err());
        let error = read("id,cat\n0,0.25\n", &["horse"], None).unwrap_err().to_string();
        assert!(error.contains("horse") && error.contains("--classes"), "{error}");
        assert!(read("id,cat\n0,0.25\n", &[], None).is_err());
        assert!(read("name,answer\n0,yes\n", &[], None).is_err());
    }

    #[test]
    fn rows_that_cannot_be_used_are_listed() {
        let text =
            "subject_id,n_seen,cat\n1,4,5\n2,0,0\n3,4,x\n4,4,\n,4,1\n5,4,2\n5,4,3\n6,4,-1\n7,4,NaN\n";
        let table = read(text, &["cat"], None).unwrap();
        assert_eq!((table.subject_ids, table.values), (vec!["5".to_owned()], vec![2.0]));
        let n = |kind| table.problems.count(kind);
        assert_eq!(n(ProblemKind::Suspicious), 2);
        assert_eq!(n(ProblemKind::NotANumber), 3);
        assert_eq!(n(ProblemKind::EmptyCell), 2);
        assert_eq!(n(ProblemKind::SubjectTwice), 1);
        assert_eq!(table.rows_read, 9);
        let mut examples = table.problems.examples();
        let odd = examples.find(|p| p.kind == ProblemKind::Suspicious).unwrap();
        assert_eq!(odd.detail, "5 of 4: a consensus above 1");
    }

    #[test]
    fn ragged_and_cut_rows_are_listed_with_their_number() {
        let text = "subject_id,n_seen,cat\n1,4,2\n2,4\n3,4,1,9\n4,4,9\n5,4,3\n6,";
        let table = read(text, &["cat"], None).unwrap();
        assert_eq!(table.subject_ids, ["1", "5"]);
        assert_eq!(table.rows_read, 6);
        let of = |kind: ProblemKind| -> Vec<u64> {
            table.problems.examples().filter(|p| p.kind == kind).map(|p| p.row).collect()
        };
        assert_eq!(of(ProblemKind::WrongFieldCount), [2, 3, 6]);
        // The rows after them keep their own numbers.
        assert_eq!(of(ProblemKind::Suspicious), [4]);
        let cut = read("subject_id,n_seen,cat\n1,4,2\n2,4,\"1", &["cat"], None).unwrap();
        assert_eq!((cut.subject_ids.len(), cut.problems.count(ProblemKind::CutOff)), (1, 1));
    }
}
