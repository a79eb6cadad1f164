//! The subject export, of both generations: one row per subject, subject set and workflow.
//!
//! Since about 2017 a row names one workflow; before, it held lists and maps of several, which become
//! one row each here. Metadata stays JSON text: its keys are the project's own business.

use std::path::Path;

use serde_json::Value;
use volary_core::{ProblemKind, Problems};

use crate::error::IngestError;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;
use crate::time::parse_ms;

/// One subject in one set and one workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectExportRow {
    /// Subject id.
    pub subject_id: String,
    /// Workflow id; empty where the subject is linked to none.
    pub workflow_id: String,
    /// Subject set id; empty where it is in none.
    pub subject_set_id: String,
    /// Metadata, as the JSON text of the file.
    pub metadata: String,
    /// Addresses of its media, frame by frame.
    pub locations: Vec<String>,
    /// Classifications that count to retirement.
    pub classifications_count: Option<u64>,
    /// When it was retired, milliseconds since 1970 UTC.
    pub retired_ms: Option<i64>,
    /// The platform's reason; empty where it gives none.
    pub retirement_reason: String,
}

/// Reads a subject export; `rows_used` counts rows of the file, one of which may make several
/// [`SubjectExportRow`]s in the old form.
///
/// # Errors
/// Where the file cannot be read or lacks `subject_id` or `metadata`.
pub fn read_subjects(
    path: &Path,
    progress: &Progress,
) -> Result<(Vec<SubjectExportRow>, ReadReport), IngestError> {
    let options = RecordOptions::export();
    let mut records = Records::open(path, options, progress)?;
    records.require(["subject_id", "metadata"], "a subject export")?;
    let columns = Columns::find(records.header());
    let (mut rows, mut tally) = (Vec::new(), Tally::default());
    while let Some(record) = records.next_record()? {
        let row = columns.common(&record, &mut tally.problems);
        if row.subject_id.is_empty() {
            tally.problems.add(record.row, "subject_id", ProblemKind::EmptyCell, "no subject id");
            tally.leave_out("no subject id");
            continue;
        }
        if columns.legacy {
            columns.push_legacy(&record, &row, &mut rows, &mut tally.problems);
        } else {
            rows.push(columns.modern(&record, row, &mut tally.problems));
        }
        tally.used += 1;
    }
    Ok((rows, tally.finish(records)?))
}

struct Columns {
    subject: Option<usize>,
    set: Option<usize>,
    metadata: Option<usize>,
    locations: Option<usize>,
    workflow: Option<usize>,
    count: Option<usize>,
    retired: Option<usize>,
    reason: Option<usize>,
    legacy: bool,
}

impl Columns {
    fn find(header: &Header) -> Self {
        let legacy = header.find("workflow_id").is_none() && header.find("workflow_ids").is_some();
        Self {
            subject: header.find("subject_id"),
            set: header.find("subject_set_id"),
            metadata: header.find("metadata"),
            locations: header.find("locations"),
            workflow: header.find_any(&["workflow_id", "workflow_ids"]),
            count: header.find_any(&["classifications_count", "classifications_by_workflow"]),
            retired: header.find_any(&["retired_at", "retired_in_workflow"]),
            reason: header.find("retirement_reason"),
            legacy,
        }
    }

    fn common(&self, record: &Record, problems: &mut Problems) -> SubjectExportRow {
        let metadata = record.get(self.metadata);
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(metadata) {
            problems.add(record.row, "metadata", ProblemKind::BadJson, error.to_string());
        }
        SubjectExportRow {
            subject_id: record.get(self.subject).to_owned(),
            subject_set_id: record.get(self.set).to_owned(),
            metadata: metadata.to_owned(),
            locations: locations(record, self.locations, problems),
            ..SubjectExportRow::default()
        }
    }

    fn modern(
        &self,
        record: &Record,
        row: SubjectExportRow,
        problems: &mut Problems,
    ) -> SubjectExportRow {
        let (count, retired) = (record.get(self.count), record.get(self.retired));
        let classifications_count = count.parse().ok();
        if classifications_count.is_none() && !count.is_empty() {
            problems.add(record.row, "classifications_count", ProblemKind::NotANumber, count);
        }
        let retired_ms = parse_ms(retired);
        if retired_ms.is_none() && !retired.is_empty() {
            problems.add(record.row, "retired_at", ProblemKind::BadTime, retired);
        }
        SubjectExportRow {
            workflow_id: record.get(self.workflow).to_owned(),
            classifications_count,
            retired_ms,
            retirement_reason: record.get(self.reason).to_owned(),
            ..row
        }
    }

    /// One row per workflow of the list; the old form says that a subject is retired, not when.
    fn push_legacy(
        &self,
        record: &Record,
        row: &SubjectExportRow,
        rows: &mut Vec<SubjectExportRow>,
        problems: &mut Problems,
    ) {
        let workflows = ids(&json(record, self.workflow, "workflow_ids", problems));
        let counts = json(record, self.count, "classifications_by_workflow", problems);
        let retired = ids(&json(record, self.retired, "retired_in_workflow", problems));
        if workflows.is_empty() {
            rows.push(row.clone());
        }
        for workflow in workflows {
            let reason = if retired.contains(&workflow) { "unknown" } else { "" };
            rows.push(SubjectExportRow {
                classifications_count: count_of(&counts, &workflow),
                retirement_reason: reason.to_owned(),
                workflow_id: workflow,
                ..row.clone()
            });
        }
    }
}

fn json(record: &Record, column: Option<usize>, name: &str, problems: &mut Problems) -> Value {
    let cell = record.get(column);
    if cell.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(cell).unwrap_or_else(|error: serde_json::Error| {
        problems.add(record.row, name, ProblemKind::BadJson, error.to_string());
        Value::Null
    })
}

fn ids(value: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match value {
        Value::Array(list) => list.iter().map(text).collect(),
        Value::Null => Vec::new(),
        one => vec![text(one)],
    }
}

/// `{"workflow":count}` or `[{"workflow":count}]`.
fn count_of(counts: &Value, workflow: &str) -> Option<u64> {
    match counts {
        Value::Object(map) => map.get(workflow)?.as_u64(),
        Value::Array(list) => list.iter().find_map(|item| count_of(item, workflow)),
        _ => None,
    }
}

/// `{"0":"https://…","1":"…"}` in order of frame, or a list.
fn locations(record: &Record, column: Option<usize>, problems: &mut Problems) -> Vec<String> {
    let address = |v: &Value| match v {
        Value::String(address) => address.clone(),
        // `{"image/png":"https://…"}`, as the API writes it.
        Value::Object(by_type) => {
            by_type.values().next().and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        other => other.to_string(),
    };
    match json(record, column, "locations", problems) {
        Value::Object(map) => {
            let mut frames: Vec<_> = map.iter().map(|(k, v)| (k.parse::<u64>().ok(), k, v)).collect();
            frames.sort_by_key(|(number, key, _)| (number.unwrap_or(u64::MAX), (*key).clone()));
            frames.into_iter().map(|(_, _, v)| address(v)).collect()
        }
        Value::Array(list) => list.iter().map(address).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &[&str], row: &[&str]) -> (Vec<SubjectExportRow>, ReadReport) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = csv::Writer::from_path(file.path()).unwrap();
        writer.write_record(header).unwrap();
        writer.write_record(row).unwrap();
        writer.flush().unwrap();
        read_subjects(file.path(), &Progress::default()).unwrap()
    }

    #[test]
    fn frames_come_in_order_and_bad_cells_are_listed() {
        let (rows, report) = read(
            &[
                "subject_id",
                "workflow_id",
                "metadata",
                "locations",
                "classifications_count",
                "retired_at",
            ],
            &["5", "9", "{bad", r#"{"10":"c","0":"a","2":"b"}"#, "x", "2024-02-23 16:17:42 UTC"],
        );
        assert_eq!(rows[0].locations, ["a", "b", "c"]);
        assert_eq!(rows[0].retired_ms, parse_ms("2024-02-23T16:17:42Z"));
        assert_eq!(report.problems.count(ProblemKind::BadJson), 1);
        assert_eq!(report.problems.count(ProblemKind::NotANumber), 1);
        assert!(report.adds_up());
    }

    #[test]
    fn the_old_form_makes_a_row_per_workflow() {
        let (rows, _) = read(
            &[
                "subject_id",
                "workflow_ids",
                "metadata",
                "classifications_by_workflow",
                "retired_in_workflow",
            ],
            &["5", "[1,2]", "{}", r#"{"1":10}"#, "[1]"],
        );
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].workflow_id.as_str(), rows[0].classifications_count), ("1", Some(10)));
        assert_eq!(
            (rows[0].retirement_reason.as_str(), rows[1].retirement_reason.as_str()),
            ("unknown", "")
        );
    }
}
