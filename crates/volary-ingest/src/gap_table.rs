//! Tables of gaps: where light curves have no data, without the light curves themselves.
//!
//! Two forms. With a table of cadences (`kepler_id,quarter,t_first,dt,n_cadences`: TIME\[i\] = `t_first` +
//! i·`dt`), gaps are runs of indices (`first_nan_index,last_nan_index`, both missing too). Without one, they
//! are spans of time (`gap_start,gap_end` in days) by star or by subject. For gaps seen in light curves see
//! [`crate::light_curves`].

use std::collections::BTreeMap;
use std::path::Path;

use volary_core::ProblemKind;
use volary_core::marks::{CurveTable, Stamps};

use crate::columns::{find, need};
use crate::error::IngestError;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;

const STAR: [&str; 6] = ["kepler_id", "kic", "star", "tic_id", "keplerid", "kepid"];
const QUARTER: [&str; 3] = ["quarter", "sector", "campaign"];
const SUBJECT: [&str; 2] = ["subject_id", "subject"];
const GAP_START: [&str; 4] = ["gap_start", "gap_start_days", "x_min_days", "start"];
const GAP_END: [&str; 4] = ["gap_end", "gap_end_days", "x_max_days", "end"];

/// Reads gaps, and the cadences that their indices count, where there are any.
///
/// Reversed gaps are swapped and listed; a gap of a light curve that the cadences do not name, with a bound
/// that is no number, or beyond the end is left out (or cut) and listed.
///
/// # Errors
/// Where a file cannot be read, or columns are missing.
pub fn read_gaps(
    gaps: &Path,
    cadences: Option<&Path>,
    progress: &Progress,
) -> Result<(CurveTable, Vec<ReadReport>), IngestError> {
    match cadences {
        None => {
            let (table, report) = read_spans(gaps, progress)?;
            Ok((table, vec![report]))
        }
        Some(cadences) => {
            let (mut curves, first) = read_cadences(cadences, progress)?;
            let second = read_runs(gaps, &mut curves, progress)?;
            Ok((curves.finish(), vec![first, second]))
        }
    }
}

type Key = (String, String);

#[derive(Default)]
struct Cadences {
    order: Vec<Key>,
    curves: BTreeMap<Key, Cadence>,
}

/// First stamp, spacing, number, runs of missing indices.
type Cadence = (f64, f64, u32, Vec<(u32, u32)>);

fn star(record: &Record, column: Option<usize>) -> String {
    let text = record.get(column).trim();
    let text = text.strip_suffix(".0").unwrap_or(text);
    let trimmed = text.trim_start_matches('0');
    if trimmed.is_empty() { text.to_owned() } else { trimmed.to_owned() }
}

fn finite(record: &Record, column: usize) -> Option<f64> {
    record.get(Some(column)).trim().parse::<f64>().ok().filter(|x| x.is_finite())
}

fn whole(record: &Record, column: usize) -> Option<u32> {
    record.get(Some(column)).trim().parse().ok()
}

fn read_cadences(path: &Path, progress: &Progress) -> Result<(Cadences, ReadReport), IngestError> {
    const EXPECTED: &str = "a table of cadences (kepler_id,quarter,t_first,dt,n_cadences)";
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let header = records.header().clone();
    let of = |names: &[&str]| need(&header, names, EXPECTED, path);
    let (whose, first) = (of(&STAR)?, of(&["t_first", "t_first_days"])?);
    let (spacing, n) = (of(&["dt", "dt_days"])?, of(&["n_cadences", "n"])?);
    let quarter = find(&header, &QUARTER);
    let (mut out, mut tally) = (Cadences::default(), Tally::default());
    while let Some(record) = records.next_record()? {
        let key = (star(&record, Some(whose)), record.get(quarter).trim().to_owned());
        let row = (finite(&record, first), finite(&record, spacing), whole(&record, n));
        let (Some(first), Some(spacing), Some(n)) = row else {
            let detail = "t_first, dt and n_cadences are numbers";
            tally.problems.add(record.row, "", ProblemKind::NotANumber, detail);
            tally.leave_out("not a number");
            continue;
        };
        if key.0.is_empty() || spacing <= 0.0 || n == 0 {
            let detail = "a light curve has a star, at least one cadence, and a spacing above 0";
            tally.problems.add(record.row, "", ProblemKind::OddValue, detail);
            tally.leave_out("not a light curve");
            continue;
        }
        if out.curves.insert(key.clone(), (first, spacing, n, Vec::new())).is_some() {
            let detail = "the star and quarter stand in an earlier row; this one holds";
            tally.problems.add(record.row, "", ProblemKind::DuplicateRow, detail);
        } else {
            out.order.push(key);
        }
        tally.used += 1;
    }
    Ok((out, tally.finish(records)?))
}

fn read_runs(
    path: &Path,
    curves: &mut Cadences,
    progress: &Progress,
) -> Result<ReadReport, IngestError> {
    const EXPECTED: &str = "a table of gaps (kepler_id,quarter,first_nan_index,last_nan_index)";
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let header = records.header().clone();
    let of = |names: &[&str]| need(&header, names, EXPECTED, path);
    let (whose, first) = (of(&STAR)?, of(&["first_nan_index", "first_index"])?);
    let last = of(&["last_nan_index", "last_index"])?;
    let quarter = find(&header, &QUARTER);
    let mut tally = Tally::default();
    while let Some(record) = records.next_record()? {
        let key = (star(&record, Some(whose)), record.get(quarter).trim().to_owned());
        let (Some(a), Some(b)) = (whole(&record, first), whole(&record, last)) else {
            let detail = "an index is a whole number from 0";
            tally.problems.add(record.row, &header.names[first], ProblemKind::NotANumber, detail);
            tally.leave_out("not a number");
            continue;
        };
        let Some((_, _, n, runs)) = curves.curves.get_mut(&key) else {
            let detail = format!("star {}, quarter {} is not in the table of cadences", key.0, key.1);
            tally.problems.add(record.row, "", ProblemKind::Suspicious, detail);
            tally.leave_out("no such light curve");
            continue;
        };
        let (low, high) = (a.min(b), a.max(b));
        if a > b {
            tally.problems.add(
                record.row,
                "",
                ProblemKind::OddValue,
                format!("reversed gap {a}..{b}; swapped"),
            );
        }
        if high >= *n {
            let detail = format!("the gap ends at {high}, the light curve at {}", *n - 1);
            tally.problems.add(record.row, &header.names[last], ProblemKind::OddValue, detail);
        }
        if low >= *n {
            tally.leave_out("gap beyond the end");
            continue;
        }
        runs.push((low, high.min(*n - 1)));
        tally.used += 1;
    }
    tally.finish(records)
}

impl Cadences {
    fn finish(mut self) -> CurveTable {
        let mut table = CurveTable::default();
        for key in &self.order {
            let Some((first_days, step_days, n, runs)) = self.curves.remove(key) else { continue };
            table.star.push(key.0.clone());
            table.subject.push(String::new());
            table.stamps.push(Stamps::Regular { first_days, step_days, n, missing: joined(runs) });
        }
        table
    }
}

/// Runs in order and apart.
fn joined(mut runs: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    runs.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
    for run in runs {
        match out.last_mut() {
            Some(last) if run.0 <= last.1.saturating_add(1) => last.1 = last.1.max(run.1),
            _ => out.push(run),
        }
    }
    out
}

fn read_spans(path: &Path, progress: &Progress) -> Result<(CurveTable, ReadReport), IngestError> {
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let header = records.header().clone();
    let columns = SpanColumns::find(&header, path)?;
    let mut spans: BTreeMap<(String, String), Vec<(f64, f64)>> = BTreeMap::new();
    let mut tally = Tally::default();
    while let Some(record) = records.next_record()? {
        let key = (star(&record, columns.star), record.get(columns.subject).to_owned());
        if key.0.is_empty() && key.1.is_empty() {
            tally.problems.add(record.row, "", ProblemKind::EmptyCell, "no star and no subject");
            tally.leave_out("no star and no subject");
            continue;
        }
        let (Some(a), Some(b)) = (finite(&record, columns.start), finite(&record, columns.end)) else {
            let detail = "a gap begins and ends at a number of days";
            tally.problems.add(
                record.row,
                &header.names[columns.start],
                ProblemKind::NotANumber,
                detail,
            );
            tally.leave_out("not a number");
            continue;
        };
        if a > b {
            tally.problems.add(
                record.row,
                "",
                ProblemKind::OddValue,
                format!("reversed gap {a}..{b}; swapped"),
            );
        }
        // The quarters of a star follow each other, so that its gaps are one list.
        let key = if key.1.is_empty() { key } else { (String::new(), key.1) };
        spans.entry(key).or_default().push((a.min(b), a.max(b)));
        tally.used += 1;
    }
    let mut table = CurveTable::default();
    for ((star, subject), spans) in spans {
        table.star.push(star);
        table.subject.push(subject);
        let range_days = (f64::NEG_INFINITY, f64::INFINITY);
        table.stamps.push(Stamps::Spans { missing_days: joined_spans(spans), range_days });
    }
    Ok((table, tally.finish(records)?))
}

struct SpanColumns {
    star: Option<usize>,
    subject: Option<usize>,
    start: usize,
    end: usize,
}

impl SpanColumns {
    fn find(header: &Header, path: &Path) -> Result<Self, IngestError> {
        const EXPECTED: &str = "a table of gaps (kepler_id,gap_start,gap_end; indices of cadences need the table of cadences)";
        let (star, subject) = (find(header, &STAR), find(header, &SUBJECT));
        if star.is_none() && subject.is_none() {
            need(header, &["kepler_id", "subject_id"], EXPECTED, path)?;
        }
        let (start, end) =
            (need(header, &GAP_START, EXPECTED, path)?, need(header, &GAP_END, EXPECTED, path)?);
        Ok(Self { star, subject, start, end })
    }
}

/// Spans in order and apart.
fn joined_spans(mut spans: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
#[path = "gap_table_tests.rs"]
mod tests;
