//! Planet Hunters rows: one row per mark of a transit, several rows per classification.
//!
//! The table is `mdwarf-classifs.csv` of the SATCHEL pipeline or the backend export it is made from, or a
//! minimal one: subject, user, classification, xmin, xmax. A row without bounds (empty or `nan`) is a
//! volunteer who looked and marked nothing. Bounds are days in the light curve's own time: the columns
//! `xMinGlobal`, `xMaxGlobal`; a table that has only `xMinRelative`, `xMaxRelative` is shifted by its
//! `start_time` (the global columns are exactly that sum, to 1e-8 days). No matching of marks here.

use std::collections::BTreeMap;
use std::path::Path;

use volary_core::extracts::{ClassificationRow, ExternalId, MarkRow, Volunteer};
use volary_core::{Extracts, ProblemKind};

use crate::columns::{VolunteerColumn, find, need};
use crate::error::IngestError;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;
use crate::time::parse_ms;
use crate::volunteer;

/// The task that all marks belong to; the old platform had one.
pub const TRANSIT_TASK: &str = "T0";

const SUBJECT: [&str; 2] = ["subject_id", "subject"];
const USER: [&str; 5] = ["user_name", "user", "volunteer", "worker", "username"];
const CLASSIFICATION: [&str; 3] = ["classification_id", "classification", "classid"];

/// Reads Planet Hunters rows.
///
/// Reversed bounds are swapped and listed; a row with one bound only, with infinite bounds or with bounds
/// that are no numbers is left out and listed, but its classification keeps its place, so that a view is
/// never lost. A mark of no length is kept and listed. Names are hashed; blanks around them are taken
/// off first, as the pipeline's author does.
///
/// # Errors
/// Where the file cannot be read or a column is missing.
pub fn read_planet_hunters(
    path: &Path,
    progress: &Progress,
) -> Result<(Extracts, ReadReport), IngestError> {
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let columns = Columns::find(records.header(), path)?;
    let mut collector = Collector::default();
    while let Some(record) = records.next_record()? {
        collector.add(&columns, &record);
    }
    let (extracts, tally) = collector.finish();
    Ok((extracts, tally.finish(records)?))
}

pub(crate) struct Columns {
    pub(crate) subject: usize,
    pub(crate) user: VolunteerColumn,
    pub(crate) classification: usize,
    pub(crate) bounds: Bounds,
    pub(crate) created_at: Option<usize>,
}

pub(crate) enum Bounds {
    Global(usize, usize),
    Relative(usize, usize, usize),
}

impl Columns {
    pub(crate) fn find(header: &Header, path: &Path) -> Result<Self, IngestError> {
        const EXPECTED: &str =
            "a Planet Hunters table (subject_id,user_name,classification_id,xmin,xmax)";
        let global = (find(header, &["xMinGlobal", "xmin"]), find(header, &["xMaxGlobal", "xmax"]));
        let relative = (find(header, &["xMinRelative"]), find(header, &["xMaxRelative"]));
        let start = find(header, &["start_time"]);
        let bounds = match (global, relative, start) {
            ((Some(min), Some(max)), ..) => Bounds::Global(min, max),
            (_, (Some(min), Some(max)), Some(start)) => Bounds::Relative(min, max, start),
            _ => Bounds::Global(
                need(header, &["xMinGlobal", "xmin"], EXPECTED, path)?,
                need(header, &["xMaxGlobal", "xmax"], EXPECTED, path)?,
            ),
        };
        let mut user = VolunteerColumn::need(header, &USER, EXPECTED, path)?;
        user.holds_names |= header.names[user.at].eq_ignore_ascii_case("username");
        Ok(Self {
            subject: need(header, &SUBJECT, EXPECTED, path)?,
            user,
            classification: need(header, &CLASSIFICATION, EXPECTED, path)?,
            bounds,
            created_at: find(header, &["created_at"]),
        })
    }

    /// The marked range, nothing for a view without a mark, or why the row cannot be used.
    fn range(&self, record: &Record) -> Result<Option<(f64, f64)>, &'static str> {
        let (min, max, shift) = match self.bounds {
            Bounds::Global(min, max) => (min, max, Ok(Some(0.0))),
            Bounds::Relative(min, max, start) => (min, max, bound(record.get(Some(start)))),
        };
        match (bound(record.get(Some(min)))?, bound(record.get(Some(max)))?) {
            (None, None) => Ok(None),
            (Some(min), Some(max)) => match shift? {
                Some(shift) => Ok(Some((min + shift, max + shift))),
                None => Err("no start_time to add to the relative bounds"),
            },
            _ => Err("only one bound"),
        }
    }
}

/// A bound; empty and `nan` are none.
pub(crate) fn bound(cell: &str) -> Result<Option<f64>, &'static str> {
    let cell = cell.trim();
    if cell.is_empty() || cell.eq_ignore_ascii_case("nan") || cell.eq_ignore_ascii_case("na") {
        return Ok(None);
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => Err("bound is not a number"),
    }
}

#[derive(Default)]
struct Collector {
    extracts: Extracts,
    tally: Tally,
    index_of: BTreeMap<ExternalId, u32>,
    // Per classification, whether it has a mark or an empty row already.
    has_row: Vec<bool>,
}

impl Collector {
    fn add(&mut self, columns: &Columns, record: &Record) {
        let id = record.get(Some(columns.classification));
        let subject = record.get(Some(columns.subject));
        if id.is_empty() || subject.is_empty() {
            let reason = if id.is_empty() { "no classification id" } else { "no subject" };
            self.tally.problems.add(record.row, "", ProblemKind::EmptyCell, reason);
            self.tally.leave_out(reason);
            return;
        }
        let Some(classification) = self.classification(columns, record) else { return };
        match columns.range(record) {
            Err(reason) => {
                self.tally.problems.add(record.row, "xmin", ProblemKind::NotANumber, reason);
                self.tally.leave_out(reason);
            }
            Ok(range) => {
                let range = range.map(|(min, max)| self.ordered(record.row, min, max));
                self.mark(classification, range);
                self.tally.used += 1;
            }
        }
    }

    fn ordered(&mut self, row: u64, min: f64, max: f64) -> (f64, f64) {
        if min > max {
            let detail = format!("reversed bounds {min}..{max}; swapped");
            self.tally.problems.add(row, "xmin", ProblemKind::OddValue, detail);
            return (max, min);
        }
        if min.total_cmp(&max).is_eq() {
            self.tally.problems.add(row, "xmin", ProblemKind::Suspicious, "a mark of no length");
        }
        (min, max)
    }

    fn mark(&mut self, classification: u32, range: Option<(f64, f64)>) {
        let at = classification as usize;
        // A second empty row of the same view says nothing new.
        if range.is_none() && self.has_row[at] {
            return;
        }
        self.has_row[at] = true;
        let task = self.extracts.pool.intern(TRANSIT_TASK);
        let tool = range.map(|_| 0);
        self.extracts.marks.push(MarkRow { classification, task, tool, range });
    }

    /// The classification of a row, new or known. A known one must be by the same volunteer on the same
    /// subject.
    fn classification(&mut self, columns: &Columns, record: &Record) -> Option<u32> {
        let extracts = &mut self.extracts;
        let id = ExternalId::parse(record.get(Some(columns.classification)), &mut extracts.pool);
        let subject = extracts.pool.intern(record.get(Some(columns.subject)));
        let (key, logged_in) = volunteer_key(columns.user, record.get(Some(columns.user.at)));
        let key = extracts.pool.intern(&key);
        if let Some(&index) = self.index_of.get(&id) {
            let known = &extracts.classifications[index as usize];
            if known.subject == subject && known.volunteer.key == key {
                return Some(index);
            }
            let detail = "the classification id stands with another subject or volunteer before";
            self.tally.problems.add(record.row, "", ProblemKind::ConflictingId, detail);
            self.tally.leave_out("conflicting classification id");
            return None;
        }
        let created = record.get(columns.created_at);
        let created_ms = parse_ms(created);
        if created_ms.is_none() && !created.is_empty() {
            self.tally.problems.add(record.row, "created_at", ProblemKind::BadTime, created);
        }
        let index = u32::try_from(extracts.classifications.len()).ok()?;
        let empty = extracts.pool.intern("");
        extracts.classifications.push(ClassificationRow {
            row: record.row,
            id,
            workflow: empty,
            version: empty,
            subject,
            volunteer: Volunteer { key, logged_in },
            created_ms,
            started_ms: None,
            finished_ms: None,
            gold_standard: false,
            expert: None,
            seen_before: false,
            live: None,
            classifier: 1,
            repeat: false,
            fingerprint: record.row,
            numbers: None,
        });
        self.has_row.push(false);
        self.index_of.insert(id, index);
        Some(index)
    }

    /// Views whose marks were all unusable keep an empty row, and repeats are told apart.
    fn finish(mut self) -> (Extracts, Tally) {
        for at in 0..self.has_row.len() {
            if !self.has_row[at] {
                self.mark(u32::try_from(at).unwrap_or(u32::MAX), None);
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for row in &mut self.extracts.classifications {
            row.repeat = !seen.insert((row.subject, row.volunteer.key));
        }
        self.extracts.marks.sort_by_key(|m| m.classification);
        (self.extracts, self.tally)
    }
}

fn volunteer_key(column: VolunteerColumn, cell: &str) -> (String, bool) {
    if column.holds_names {
        return volunteer::key(cell.trim());
    }
    (cell.to_owned(), !cell.starts_with('a'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Extracts, ReadReport) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read_planet_hunters(file.path(), &Progress::default()).unwrap()
    }

    #[test]
    fn five_columns_with_every_kind_of_trouble() {
        let (extracts, report) = read(
            "subject,user,classification,xmin,xmax\n\
             s1,Ann,c1,1.5,2.5\ns1,Ann,c1,9,8\ns1,Bob ,c2,nan,nan\ns1,Bob,c2,,\n\
             s2,Ann,c3,4,nan\ns2,Cid,c4,5,5\ns2,Dan,c1,1,2\ns2,Eve,c5,inf,2\n,Eve,c6,1,2\n",
        );
        assert!(report.adds_up());
        assert_eq!((report.rows_read, report.rows_used), (9, 5));
        assert_eq!(report.left_out["only one bound"], 1);
        assert_eq!(report.left_out["conflicting classification id"], 1);
        assert_eq!(report.left_out["bound is not a number"], 1);
        let ranges: Vec<_> = extracts.marks.iter().map(|m| (m.classification, m.range)).collect();
        assert_eq!(
            ranges,
            [
                (0, Some((1.5, 2.5))),
                (0, Some((8.0, 9.0))),
                (1, None),
                (2, None),
                (3, Some((5.0, 5.0))),
                (4, None)
            ]
        );
        assert_eq!(report.problems.count(ProblemKind::OddValue), 1);
        assert_eq!(extracts.classifications.len(), 5);
    }

    #[test]
    fn relative_bounds_are_shifted_to_the_light_curve() {
        let (extracts, _) = read(
            "classification_id,start_time,subject_id,user_name,xMinRelative,xMaxRelative\n\
             c1,500.25,s,Ann,1,2\n",
        );
        assert_eq!(extracts.marks[0].range, Some((501.25, 502.25)));
    }
}
