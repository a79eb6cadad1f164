//! A wide table whose columns are known only at the end: rows are held as (column, cell) pairs.
//!
//! What a spreadsheet would take for a formula stands behind an apostrophe, in these tables as in all others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use volary_core::spreadsheet::neutral;

use super::answers::Cells;
use super::datum::{Column, Datum, Names};
use crate::error::IngestError;
use crate::output::AtomicFile;

/// A table that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// Where it is.
    pub path: PathBuf,
    /// Data rows.
    pub n_rows: u64,
    /// Columns.
    pub n_columns: usize,
}

/// One row: which classification it belongs to, and its cells.
#[derive(Debug)]
struct Held {
    classification: u32,
    task: u32,
    cells: Vec<(u32, Datum)>,
}

/// The rows of one extractor.
#[derive(Debug, Default)]
pub(super) struct Table {
    columns: BTreeMap<Column, u32>,
    tasks: Vec<String>,
    rows: Vec<Held>,
}

impl Table {
    /// Adds a row.
    pub(super) fn push(&mut self, classification: u32, task: &str, cells: Cells) {
        let task = self.tasks.iter().position(|t| t == task).unwrap_or_else(|| {
            self.tasks.push(task.to_owned());
            self.tasks.len() - 1
        });
        let mut held = Vec::with_capacity(cells.len());
        for (column, datum) in cells {
            let next = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
            held.push((*self.columns.entry(column).or_insert(next), datum));
        }
        let task = u32::try_from(task).unwrap_or(u32::MAX);
        self.rows.push(Held { classification, task, cells: held });
    }

    /// Writes the table. `before` gives the fixed cells of a classification; `constant` is a last column
    /// that holds the same everywhere.
    pub(super) fn write(
        &self,
        path: &Path,
        header: &[&str],
        constant: (&str, &str),
        names: &Names,
        before: &mut dyn FnMut(u32, &str) -> Vec<String>,
    ) -> Result<TableFile, IngestError> {
        // Columns of different tasks may have one name: the same answer to two questions.
        let mut sorted = BTreeMap::<(bool, String), usize>::new();
        let mut name_of = vec![(true, String::new()); self.columns.len()];
        for (column, &index) in &self.columns {
            let name = names.column(column);
            name_of[index as usize] = (name != "choice", name);
        }
        sorted.extend(name_of.iter().map(|key| (key.clone(), 0)));
        for (position, slot) in sorted.values_mut().enumerate() {
            *slot = position;
        }
        let position: Vec<usize> = name_of.iter().map(|key| sorted[key]).collect();
        let mut writer = Writer::create(path)?;
        let data = sorted.keys().map(|(_, name)| format!("data.{name}"));
        let titles = header.iter().map(|h| (*h).to_owned()).chain(data);
        writer.row(titles.chain([constant.0.to_owned()]))?;
        for row in &self.rows {
            let task = self.tasks.get(row.task as usize).map_or("", String::as_str);
            let mut cells = before(row.classification, task);
            cells.extend(placed(&row.cells, &position, sorted.len(), names));
            cells.push(constant.1.to_owned());
            writer.row(cells)?;
        }
        writer.finish()?;
        let n_columns = header.len() + sorted.len() + 1;
        Ok(TableFile { path: path.to_owned(), n_rows: self.rows.len() as u64, n_columns })
    }
}

/// Writes a small table.
pub(super) fn write_all<const N: usize>(
    path: &Path,
    header: [&str; N],
    rows: &[[&str; N]],
) -> Result<TableFile, IngestError> {
    let mut writer = Writer::create(path)?;
    writer.row(header)?;
    for row in rows {
        writer.row(row)?;
    }
    writer.finish()?;
    Ok(TableFile { path: path.to_owned(), n_rows: rows.len() as u64, n_columns: N })
}

/// A table on its way to a file.
pub(super) struct Writer<'p> {
    csv: csv::Writer<AtomicFile>,
    path: &'p Path,
}

impl<'p> Writer<'p> {
    pub(super) fn create(path: &'p Path) -> Result<Self, IngestError> {
        Ok(Self { csv: csv::Writer::from_writer(AtomicFile::create(path)?), path })
    }

    pub(super) fn row(
        &mut self,
        cells: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), IngestError> {
        let write = || {
            for cell in cells {
                self.csv.write_field(neutral(cell.as_ref()).as_bytes())?;
            }
            self.csv.write_record(None::<&[u8]>)
        };
        write().map_err(|e: csv::Error| IngestError::io("writing", self.path, std::io::Error::other(e)))
    }

    /// Puts the table in its place.
    pub(super) fn finish(self) -> Result<(), IngestError> {
        let wrong = |e: csv::IntoInnerError<_>| IngestError::io("writing", self.path, e.into_error());
        self.csv.into_inner().map_err(wrong)?.commit()
    }
}

/// The cells of a row in the order of the columns; counts of one name add up.
fn placed(cells: &[(u32, Datum)], position: &[usize], width: usize, names: &Names) -> Vec<String> {
    let mut out = vec![String::new(); width];
    let mut counts = BTreeMap::<usize, u64>::new();
    for (column, datum) in cells {
        let at = position[*column as usize];
        match datum {
            Datum::Count(n) => *counts.entry(at).or_default() += n,
            other => out[at] = names.cell(other),
        }
    }
    for (at, n) in counts {
        out[at] = n.to_string();
    }
    out
}
