//! An export as one long table: a row for every single thing said, and nothing interpreted.
//!
//! For those who would write the same loop over nested JSON by hand. Every scalar within a value becomes a
//! row with its path (`value`, `x`, `answers.HOWMANY`, `details.0.value`, `points.3.x`); `item` numbers
//! the marks, choices or selects of an annotation. Combos are taken apart. A volunteer who saw a task and
//! said nothing keeps a row with an empty value. Any task type passes, known or not. Tables with types and
//! kinds of questions: see [`crate::tables`].

use std::path::{Path, PathBuf};

use serde_json::Value;
use volary_core::spreadsheet::neutral;

use super::compat::rows::{self, Annotation, Row, scalar_text};
use crate::error::IngestError;
use crate::output::AtomicFile;
use crate::report::{ReadReport, Tally};
use crate::source::Progress;

/// The columns of the long table.
pub const FLAT_COLUMNS: [&str; 13] = [
    "classification_id",
    "subject_id",
    "volunteer",
    "created_at",
    "workflow_id",
    "workflow_version",
    "task",
    "task_label",
    "item",
    "tool",
    "frame",
    "field",
    "value",
];

/// What became of an export.
#[derive(Clone, Debug)]
pub struct FlattenReport {
    /// Rows of the export read, used and left out, and all problems.
    pub input: ReadReport,
    /// The table.
    pub path: PathBuf,
    /// Its data rows.
    pub rows_written: u64,
    /// Annotations, combos taken apart.
    pub n_annotations: u64,
    /// Annotations without an answer; each has one row with an empty value.
    pub n_blank: u64,
    /// Classifications without any annotation: they have no row in the table.
    pub n_without_annotations: u64,
}

/// Writes an export as a long table of comma-separated values.
///
/// # Errors
/// Where the export cannot be read or the table not be written; nothing is left behind then.
pub fn flatten(export: &Path, out: &Path, progress: &Progress) -> Result<FlattenReport, IngestError> {
    let (mut records, columns) = rows::open(export, progress)?;
    let mut work = Flattening::create(out)?;
    while let Some(record) = records.next_record()? {
        work.take(&Row::new(&record, &columns))?;
    }
    let Flattening { writer, tally, rows_written, n_annotations, n_blank, n_without, .. } = work;
    let input = tally.finish(records)?;
    let file = writer.into_inner().map_err(|e| io_error(out, e.into_error()))?;
    file.commit()?;
    let path = out.to_owned();
    Ok(FlattenReport {
        input,
        path,
        rows_written,
        n_annotations,
        n_blank,
        n_without_annotations: n_without,
    })
}

fn io_error(path: &Path, error: std::io::Error) -> IngestError {
    IngestError::io("writing", path, error)
}

/// Where in an annotation a scalar stands.
#[derive(Clone, Debug, Default)]
struct Place {
    item: String,
    tool: String,
    frame: String,
}

struct Flattening {
    path: PathBuf,
    writer: csv::Writer<AtomicFile>,
    tally: Tally,
    rows_written: u64,
    n_annotations: u64,
    n_blank: u64,
    n_without: u64,
}

impl Flattening {
    fn create(out: &Path) -> Result<Self, IngestError> {
        let mut writer = csv::Writer::from_writer(AtomicFile::create(out)?);
        writer.write_record(FLAT_COLUMNS).map_err(|e| io_error(out, std::io::Error::other(e)))?;
        let path = out.to_owned();
        let (tally, n) = (Tally::default(), 0);
        Ok(Self { path, writer, tally, rows_written: n, n_annotations: n, n_blank: n, n_without: n })
    }

    fn take(&mut self, row: &Row) -> Result<(), IngestError> {
        let Some(annotations) = row.annotations(&mut self.tally.problems) else {
            self.tally.leave_out("bad JSON");
            return Ok(());
        };
        self.tally.used += 1;
        self.n_without += u64::from(annotations.is_empty());
        for annotation in &annotations {
            self.annotation(row, annotation)?;
        }
        Ok(())
    }

    fn annotation(&mut self, row: &Row, annotation: &Annotation) -> Result<(), IngestError> {
        self.n_annotations += 1;
        let before = self.rows_written;
        let place = Place { item: number(annotation.mark), ..Place::default() };
        match &annotation.value {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.item(row, annotation, Place { item: i.to_string(), ..Place::default() }, item)?;
                }
            }
            Value::Null => {}
            item => self.item(row, annotation, place.clone(), item)?,
        }
        if self.rows_written == before {
            self.n_blank += 1;
            self.write(row, annotation, &place, "value", "")?;
        }
        Ok(())
    }

    fn item(
        &mut self,
        row: &Row,
        annotation: &Annotation,
        mut place: Place,
        item: &Value,
    ) -> Result<(), IngestError> {
        let Value::Object(keys) = item else {
            return self.walk(row, annotation, &place, "value", item);
        };
        let tool = ["tool", "toolIndex"].into_iter().find(|k| keys.get(*k).is_some_and(Value::is_u64));
        let has_frame = keys.get("frame").is_some_and(Value::is_u64);
        place.tool = tool.map_or_else(String::new, |k| scalar_text(&keys[k]));
        place.frame = if has_frame { scalar_text(&keys["frame"]) } else { String::new() };
        let before = self.rows_written;
        for (key, value) in keys {
            let stands_in_a_column = tool == Some(key.as_str()) || (has_frame && key == "frame");
            if !stands_in_a_column {
                self.walk(row, annotation, &place, key, value)?;
            }
        }
        if self.rows_written == before {
            self.write(row, annotation, &place, "value", "")?;
        }
        Ok(())
    }

    /// Writes every scalar below `value`. Depth is bounded by the reader of the JSON.
    fn walk(
        &mut self,
        row: &Row,
        annotation: &Annotation,
        place: &Place,
        field: &str,
        value: &Value,
    ) -> Result<(), IngestError> {
        match value {
            Value::Array(list) if !list.is_empty() => {
                for (i, value) in list.iter().enumerate() {
                    self.walk(row, annotation, place, &format!("{field}.{i}"), value)?;
                }
                Ok(())
            }
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    self.walk(row, annotation, place, &format!("{field}.{key}"), value)?;
                }
                Ok(())
            }
            // An empty answer is an answer left out; `details: []` and `filters: {}` are nothing at all.
            Value::Array(_) | Value::Object(_) if !is_answer(field) => Ok(()),
            Value::Array(_) | Value::Object(_) | Value::Null => {
                self.write(row, annotation, place, field, "")
            }
            scalar => self.write(row, annotation, place, field, &scalar_text(scalar)),
        }
    }

    fn write(
        &mut self,
        row: &Row,
        annotation: &Annotation,
        place: &Place,
        field: &str,
        value: &str,
    ) -> Result<(), IngestError> {
        let label = annotation.label.as_deref().unwrap_or_default();
        let record = [
            &row.id,
            &row.subject,
            &row.volunteer,
            &row.created_at,
            &row.workflow,
            &row.version,
            &annotation.task,
            label,
            &place.item,
            &place.tool,
            &place.frame,
            field,
            value,
        ];
        self.rows_written += 1;
        let record = record.map(|cell| neutral(cell).into_owned());
        self.writer.write_record(&record).map_err(|e| io_error(&self.path, std::io::Error::other(e)))
    }
}

fn number(n: Option<u64>) -> String {
    n.map_or_else(String::new, |n| n.to_string())
}

fn is_answer(field: &str) -> bool {
    field == "value" || field.ends_with(".value") || field.starts_with("answers.")
}
