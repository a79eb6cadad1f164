//! A table with a row per subject, as figures need it: every column as text, read as numbers where asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use crate::session::Session;

/// Columns that say how many volunteers there were.
const TOTALS: [&str; 4] = ["n_votes", "n_seen", "n_classifications", "n"];

/// A table in memory.
pub(super) struct Table {
    path: PathBuf,
    columns: BTreeMap<String, Vec<Option<String>>>,
    /// The column `subject_id`; empty texts where there is none.
    pub(super) subject_ids: Vec<String>,
}

impl Table {
    /// Reads a table as an input of the run.
    pub(super) fn open(path: &Path, session: &mut Session) -> Result<Self> {
        session.input_file(path)?;
        Self::read(path, &session.progress)
    }

    fn read(path: &Path, progress: &Progress) -> Result<Self> {
        let mut columns: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
        let mut n_rows = 0;
        for_each_batch(path, &[], progress, |cells| {
            for row in 0..cells.n_rows() {
                for name in cells.columns(row) {
                    let text = cells.text(&name, row).map(|t| t.into_owned());
                    let column = columns.entry(name).or_default();
                    column.resize(n_rows, None);
                    column.push(text);
                }
                n_rows += 1;
            }
            Ok(())
        })?;
        columns.values_mut().for_each(|column| column.resize(n_rows, None));
        let ids = columns.get("subject_id").cloned().unwrap_or_else(|| vec![None; n_rows]);
        let subject_ids = ids.into_iter().map(Option::unwrap_or_default).collect();
        Ok(Self { path: path.to_owned(), columns, subject_ids })
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.columns.keys().map(String::as_str).collect()
    }

    fn column(&self, name: &str) -> Result<&Vec<Option<String>>> {
        match self.columns.get(name) {
            Some(column) => Ok(column),
            None => {
                bail!("no column {name}; there are {}: {}", self.names().join(", "), self.path.display())
            }
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        Ok(self.column(name)?.iter().map(|t| t.clone().unwrap_or_default()).collect())
    }

    /// A column as numbers; NaN for what is none.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let number =
            |t: &Option<String>| t.as_ref().and_then(|t| t.trim().parse().ok()).unwrap_or(f64::NAN);
        Ok(self.column(name)?.iter().map(number).collect())
    }

    /// Columns as fractions: votes are divided by the number of volunteers, where the table has it and a value is
    /// above 1.
    pub(super) fn fractions(&self, classes: &[String]) -> Result<Vec<Vec<f64>>> {
        let mut columns = classes.iter().map(|c| self.numbers(c)).collect::<Result<Vec<_>>>()?;
        let is_count = columns.iter().flatten().any(|v| *v > 1.0);
        let totals = TOTALS.iter().find(|t| self.columns.contains_key(**t));
        if let (true, Some(totals)) = (is_count, totals) {
            let totals = self.numbers(totals)?;
            for column in &mut columns {
                column
                    .iter_mut()
                    .zip(&totals)
                    .for_each(|(v, n)| *v = if *n > 0.0 { *v / n } else { f64::NAN });
            }
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_become_fractions_and_fractions_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "subject_id,n_votes,a,b\n7,10,5,10\n8,0,0,x\n").unwrap();
        let table = Table::read(&path, &Progress::default()).unwrap();
        let columns = table.fractions(&["a".to_owned(), "b".to_owned()]).unwrap();
        assert_eq!(table.subject_ids, ["7", "8"]);
        assert_eq!((columns[0][0], columns[1][0]), (0.5, 1.0));
        assert!(columns[0][1].is_nan() && columns[1][1].is_nan());
        std::fs::write(&path, "subject_id,a\n7,0.4\n").unwrap();
        let table = Table::read(&path, &Progress::default()).unwrap();
        assert_eq!(table.fractions(&["a".to_owned()]).unwrap(), [[0.4]]);
        let error = table.numbers("z").unwrap_err().to_string();
        assert!(error.starts_with("no column z; there are a, subject_id"), "{error}");
    }
}
