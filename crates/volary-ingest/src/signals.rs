//! Tables of signals: injected transits (`syntheticdata.csv`, the released `allsynthetics.dat`) and known
//! real ones (truth).
//!
//! A row is an interval in days, with the simulation it was injected in or the subject that shows it; every
//! other column of numbers (radius, period, signal to noise…) comes along. Rows keep their order, which the
//! matching of marks depends on.

use std::collections::BTreeSet;
use std::path::Path;

use volary_core::ProblemKind;
use volary_core::marks::{NumberColumn, SignalTable};

use crate::columns::{find, need};
use crate::error::IngestError;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;

const ID: [&str; 3] = ["signalid", "signal_id", "transitid"];
const SIMULATION: [&str; 4] = ["syntheticid", "synthetic_id", "simulation", "simulation_id"];
const SUBJECT: [&str; 2] = ["subject_id", "subject"];
// The paper's README says synmin, its code synxmin.
const X_MIN: [&str; 5] = ["synxmin", "synmin", "xmin", "x_min_days", "x_min"];
const X_MAX: [&str; 5] = ["synxmax", "synmax", "xmax", "x_max_days", "x_max"];

/// Reads a table of signals.
///
/// Left out and listed: a row with a bound that is no finite number, a signal of no length, one without
/// simulation and subject. Reversed bounds are swapped and listed; an id that stands twice is listed.
///
/// # Errors
/// Where the file cannot be read, or has no bounds, or neither simulations nor subjects.
pub fn read_signals(path: &Path, progress: &Progress) -> Result<(SignalTable, ReadReport), IngestError> {
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let columns = Columns::find(records.header(), path)?;
    let mut tally = Tally::default();
    let mut table = SignalTable {
        columns: columns.numbers.iter().map(|(name, _)| empty_column(name)).collect(),
        ..SignalTable::default()
    };
    let mut ids = BTreeSet::new();
    while let Some(record) = records.next_record()? {
        let bounds = match columns.bounds(&record, &mut tally) {
            Ok(bounds) => bounds,
            Err(reason) => {
                tally.leave_out(reason);
                continue;
            }
        };
        let (simulation, subject) = (id(record.get(columns.simulation)), record.get(columns.subject));
        if simulation.is_empty() && subject.is_empty() {
            let detail = "a signal belongs to a simulation or to a subject";
            tally.problems.add(record.row, "", ProblemKind::EmptyCell, detail);
            tally.leave_out("no simulation and no subject");
            continue;
        }
        let name = match record.get(columns.id) {
            "" => record.row.to_string(),
            name => name.to_owned(),
        };
        if !ids.insert((simulation.clone(), subject.to_owned(), name.clone())) {
            let detail = format!("signal {name} stands twice; both are used");
            tally.problems.add(record.row, "", ProblemKind::DuplicateRow, detail);
        }
        table.id.push(name);
        table.simulation.push(simulation);
        table.subject.push(subject.to_owned());
        table.x_min_days.push(bounds.0);
        table.x_max_days.push(bounds.1);
        for (column, (_, at)) in table.columns.iter_mut().zip(&columns.numbers) {
            column.values.push(record.get(Some(*at)).trim().parse().unwrap_or(f64::NAN));
        }
        tally.used += 1;
    }
    // A column of text ("kind") holds no number at all.
    table.columns.retain(|c| c.values.iter().any(|v| !v.is_nan()));
    Ok((table, tally.finish(records)?))
}

fn empty_column(name: &str) -> NumberColumn {
    NumberColumn { name: name.to_owned(), values: Vec::new() }
}

/// The id of a simulation: pandas writes 1413 as 1413.0 where some rows have none.
fn id(cell: &str) -> String {
    let cell = cell.trim();
    let cell = cell.strip_suffix(".0").unwrap_or(cell);
    if cell.eq_ignore_ascii_case("nan") { String::new() } else { cell.to_owned() }
}

struct Columns {
    id: Option<usize>,
    simulation: Option<usize>,
    subject: Option<usize>,
    x_min: usize,
    x_max: usize,
    /// All others, by name.
    numbers: Vec<(String, usize)>,
}

impl Columns {
    fn find(header: &Header, path: &Path) -> Result<Self, IngestError> {
        const EXPECTED: &str = "a table of signals (syntheticid or subject_id, xmin, xmax)";
        let (x_min, x_max) =
            (need(header, &X_MIN, EXPECTED, path)?, need(header, &X_MAX, EXPECTED, path)?);
        let (id, simulation, subject) =
            (find(header, &ID), find(header, &SIMULATION), find(header, &SUBJECT));
        if simulation.is_none() && subject.is_none() {
            need(header, &["syntheticid", "subject_id"], EXPECTED, path)?;
        }
        let known = [id, simulation, subject, Some(x_min), Some(x_max)];
        let others = header.names.iter().enumerate().filter(|(at, _)| !known.contains(&Some(*at)));
        let numbers = others.map(|(at, name)| (name.clone(), at)).collect();
        Ok(Self { id, simulation, subject, x_min, x_max, numbers })
    }

    fn bounds(&self, record: &Record, tally: &mut Tally) -> Result<(f64, f64), &'static str> {
        let number =
            |at: usize| record.get(Some(at)).trim().parse::<f64>().ok().filter(|x| x.is_finite());
        let (Some(a), Some(b)) = (number(self.x_min), number(self.x_max)) else {
            let detail = "a signal begins and ends at a finite number of days";
            tally.problems.add(record.row, "xmin", ProblemKind::NotANumber, detail);
            return Err("bound is not a number");
        };
        if a > b {
            let detail = format!("reversed bounds {a}..{b}; swapped");
            tally.problems.add(record.row, "xmin", ProblemKind::OddValue, detail);
        }
        if a.total_cmp(&b).is_eq() {
            let detail = "a signal of no length cannot be found";
            tally.problems.add(record.row, "xmin", ProblemKind::OddValue, detail);
            return Err("a signal of no length");
        }
        Ok((a.min(b), a.max(b)))
    }
}

#[cfg(test)]
#[path = "signals_tests.rs"]
mod tests;
