//! Tables of counts per subject: seen so often, selected so often.
//!
//! Some projects publish only this (Galaxy Zoo: Weird & Wonderful: `subject_id count selected_count
//! unique_user_count`). One row is one subject, or one answer of one subject. No votes can be made of it,
//! since it does not say who voted; a fraction and its interval can.

use std::collections::BTreeSet;
use std::path::Path;

use volary_core::ProblemKind;

use crate::columns::{find, need};
use crate::error::IngestError;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;

const SEEN: [&str; 6] = ["n_seen", "count", "seen", "n_classifications", "classifications", "total"];
const VOTES: [&str; 6] = ["n_votes", "selected_count", "selected", "votes", "n_selected", "yes"];
const VOLUNTEERS: [&str; 4] = ["n_volunteers", "unique_user_count", "n_users", "unique_users"];

/// Counts per subject, as columns of equal length, in the order of the file.
#[derive(Clone, Debug)]
pub struct CountTable {
    /// Subject ids.
    pub subject_ids: Vec<String>,
    /// How often the subject was shown.
    pub n_seen: Vec<u64>,
    /// How often it was selected (or got the answer of its row); never more than `n_seen`.
    pub n_votes: Vec<u64>,
    /// How many different volunteers saw it, where the table says.
    pub n_volunteers: Option<Vec<u64>>,
    /// Answers, where a subject has one row per answer.
    pub answers: Option<Vec<String>>,
    /// What became of the rows.
    pub report: ReadReport,
}

/// Reads a table of counts. Rows with more votes than views, without a subject or without numbers are
/// left out and listed; a subject (with the same answer) that stands twice is used twice and listed.
///
/// # Errors
/// Where the file cannot be read or one of the columns for subject, views and votes is missing.
pub fn read_count_table(path: &Path, progress: &Progress) -> Result<CountTable, IngestError> {
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let columns = Columns::find(records.header(), path)?;
    let (mut table, mut tally) = (Rows::default(), Tally::default());
    while let Some(record) = records.next_record()? {
        match columns.read(&record, &mut tally) {
            Ok(row) => {
                table.push(row);
                tally.used += 1;
            }
            Err(reason) => tally.leave_out(reason),
        }
    }
    for (subject, answer) in table.repeated() {
        let detail = if answer.is_empty() {
            format!("subject {subject} stands twice")
        } else {
            format!("subject {subject} stands twice with answer {answer}")
        };
        tally.problems.add(0, "", ProblemKind::DuplicateRow, detail);
    }
    Ok(CountTable {
        subject_ids: table.subject_ids,
        n_seen: table.n_seen,
        n_votes: table.n_votes,
        n_volunteers: columns.volunteers.map(|_| table.n_volunteers),
        answers: columns.answer.map(|_| table.answers),
        report: tally.finish(records)?,
    })
}

struct Columns {
    subject: usize,
    seen: usize,
    votes: usize,
    volunteers: Option<usize>,
    answer: Option<usize>,
    names: Vec<String>,
}

struct Row {
    subject: String,
    seen: u64,
    votes: u64,
    volunteers: u64,
    answer: String,
}

impl Columns {
    fn find(header: &Header, path: &Path) -> Result<Self, IngestError> {
        const EXPECTED: &str = "a table of counts (subject_id,n_seen,n_votes)";
        Ok(Self {
            subject: need(header, &["subject_id", "subject", "item"], EXPECTED, path)?,
            seen: need(header, &SEEN, EXPECTED, path)?,
            votes: need(header, &VOTES, EXPECTED, path)?,
            volunteers: find(header, &VOLUNTEERS),
            answer: find(header, &["answer", "label"]),
            names: header.names.clone(),
        })
    }

    fn read(&self, record: &Record, tally: &mut Tally) -> Result<Row, &'static str> {
        let subject = record.get(Some(self.subject));
        if subject.is_empty() {
            tally.problems.add(record.row, "", ProblemKind::EmptyCell, "no subject");
            return Err("no subject");
        }
        let mut number = |at: usize| {
            let cell = record.get(Some(at)).trim();
            whole_number(cell).ok_or_else(|| {
                let kind =
                    if cell.is_empty() { ProblemKind::EmptyCell } else { ProblemKind::NotANumber };
                tally.problems.add(record.row, &self.names[at], kind, "a count is needed");
                "not a number"
            })
        };
        let (seen, votes) = (number(self.seen)?, number(self.votes)?);
        let volunteers = self.volunteers.map_or(Ok(0), number)?;
        if votes > seen {
            let detail = format!("{votes} selections of {seen} views");
            tally.problems.add(record.row, &self.names[self.votes], ProblemKind::Suspicious, detail);
            return Err("more votes than views");
        }
        let (subject, answer) = (subject.to_owned(), record.get(self.answer).to_owned());
        Ok(Row { subject, seen, votes, volunteers, answer })
    }
}

/// A count; `12.0` is one, since tables that went through pandas write it so.
fn whole_number(cell: &str) -> Option<u64> {
    let bare = cell.strip_suffix(".0").unwrap_or(cell);
    if bare.starts_with('+') { None } else { bare.parse().ok() }
}

#[derive(Default)]
struct Rows {
    subject_ids: Vec<String>,
    n_seen: Vec<u64>,
    n_votes: Vec<u64>,
    n_volunteers: Vec<u64>,
    answers: Vec<String>,
}

impl Rows {
    fn push(&mut self, row: Row) {
        self.subject_ids.push(row.subject);
        self.n_seen.push(row.seen);
        self.n_votes.push(row.votes);
        self.n_volunteers.push(row.volunteers);
        self.answers.push(row.answer);
    }

    fn repeated(&self) -> BTreeSet<(&str, &str)> {
        let mut keys: Vec<(&str, &str)> = self
            .subject_ids
            .iter()
            .zip(&self.answers)
            .map(|(subject, answer)| (subject.as_str(), answer.as_str()))
            .collect();
        keys.sort_unstable();
        keys.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_votes_than_views_is_a_problem() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text =
            "subject_id,n_seen,n_votes,answer\n1,10,3,Yes\n1,10,11,No\n1,x,1,No\n2,5.0,5,\n1,9,1,Yes\n";
        std::fs::write(file.path(), text).unwrap();
        let table = read_count_table(file.path(), &Progress::default()).unwrap();
        assert_eq!(table.subject_ids, ["1", "2", "1"]);
        assert_eq!((table.n_seen, table.n_votes), (vec![10, 5, 9], vec![3, 5, 1]));
        assert_eq!(table.answers.unwrap(), ["Yes", "", "Yes"]);
        assert!(table.n_volunteers.is_none());
        assert_eq!(table.report.left_out["more votes than views"], 1);
        assert_eq!(table.report.left_out["not a number"], 1);
        assert_eq!(table.report.problems.count(ProblemKind::DuplicateRow), 1);
        assert!(table.report.adds_up());
    }
}
