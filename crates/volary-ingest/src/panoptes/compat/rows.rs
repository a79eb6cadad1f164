//! The rows of an export with their annotations as a tree: for the tables of compatibility and for
//! flattening, where every key counts and speed does not. The fast path is [`super::super::row`].

use std::path::Path;

use serde_json::{Map, Value};
use volary_core::{ProblemKind, Problems};

use super::super::annotation::first_line;
use super::super::columns::Columns;
use super::super::depth::is_shallow;
use super::super::metadata::{Metadata, read_metadata};
use crate::error::IngestError;
use crate::records::{Record, RecordOptions, Records};
use crate::source::Progress;
use crate::volunteer;

/// Combos nest; nothing real nests deeper. Beyond it a value is kept as it is.
const MAX_DEPTH: u32 = 16;

/// Who made a row: `user_name`, else `user_id`, else the address; rows of nobody are each one's own.
pub(in crate::panoptes) fn volunteer_name(name: &str, id: &str, ip: &str, row: u64) -> String {
    match (name.trim(), id.trim(), ip.trim()) {
        ("", "", "") => format!("not-logged-in-row-{row}"),
        ("", "", ip) => format!("not-logged-in-{ip}"),
        ("", id, _) => format!("user_id {id}"),
        (name, _, _) => name.to_owned(),
    }
}

/// One annotation, out of any combo that held it.
#[derive(Clone, Debug, Default)]
pub(in crate::panoptes) struct Annotation {
    /// Task key; `T0` where the export has none.
    pub(in crate::panoptes) task: String,
    /// Wording.
    pub(in crate::panoptes) label: Option<String>,
    /// Position of the mark that it is about.
    pub(in crate::panoptes) mark: Option<u64>,
    /// What was said.
    pub(in crate::panoptes) value: Value,
}

/// One classification.
#[derive(Clone, Debug, Default)]
pub(in crate::panoptes) struct Row {
    pub(in crate::panoptes) row: u64,
    pub(in crate::panoptes) id: String,
    pub(in crate::panoptes) volunteer: String,
    pub(in crate::panoptes) workflow: String,
    pub(in crate::panoptes) version: String,
    pub(in crate::panoptes) created_at: String,
    pub(in crate::panoptes) subject: String,
    pub(in crate::panoptes) gold_standard: bool,
    annotations: String,
    metadata: String,
}

impl Row {
    /// The cells of a record; JSON is not read yet.
    pub(in crate::panoptes) fn new(record: &Record, columns: &Columns) -> Self {
        let text = |column: Option<usize>| record.get(column).trim().to_owned();
        let name = volunteer_name(
            record.get(columns.user_name),
            record.get(columns.user_id),
            record.get(columns.user_ip),
            record.row,
        );
        Self {
            row: record.row,
            id: text(columns.id),
            volunteer: volunteer::key(&name).0,
            workflow: text(columns.workflow),
            version: text(columns.version),
            created_at: text(columns.created_at),
            subject: text(Some(columns.subject_ids)),
            gold_standard: record.get(columns.gold_standard).trim().eq_ignore_ascii_case("true"),
            annotations: record.get(Some(columns.annotations)).to_owned(),
            metadata: record.get(columns.metadata).to_owned(),
        }
    }

    /// What was said, with combos taken apart; `None` (and a problem) where the cell is not readable.
    pub(in crate::panoptes) fn annotations(&self, problems: &mut Problems) -> Option<Vec<Annotation>> {
        let list = match parse_json(&self.annotations) {
            Ok(Value::Array(list)) => list,
            Ok(_) => {
                problems.add(self.row, "annotations", ProblemKind::BadJson, "not a list");
                return None;
            }
            Err(message) => {
                problems.add(self.row, "annotations", ProblemKind::BadJson, message);
                return None;
            }
        };
        let mut annotations = Vec::with_capacity(list.len());
        for item in list {
            unpack(item, 0, &mut annotations, &mut |what| {
                problems.add(self.row, "annotations", ProblemKind::OddValue, what);
            });
        }
        Some(annotations)
    }

    /// The metadata; nothing (and a problem) where the cell is not readable.
    pub(in crate::panoptes) fn metadata(&self, problems: &mut Problems) -> Metadata {
        read_metadata(&self.metadata).unwrap_or_else(|message| {
            problems.add(self.row, "metadata", ProblemKind::BadJson, message);
            Metadata::default()
        })
    }
}

fn unpack(item: Value, depth: u32, out: &mut Vec<Annotation>, odd: &mut dyn FnMut(&'static str)) {
    let Value::Object(mut map) = item else {
        odd("an annotation that is not an object");
        return;
    };
    let value = map.get_mut("value").map(Value::take).unwrap_or_default();
    match value {
        Value::Array(items) if depth < MAX_DEPTH && is_combo(&items) => {
            items.into_iter().for_each(|item| unpack(item, depth + 1, out, odd));
        }
        value => out.push(Annotation {
            task: text_of(&map, "task").unwrap_or_else(|| "T0".to_owned()),
            label: text_of(&map, "task_label"),
            mark: ["markIndex", "mark_index"].iter().find_map(|k| map.get(*k)?.as_u64()),
            value,
        }),
    }
}

/// A combo's value is a list of annotations; those of drawings, surveys and so on have no `task`.
fn is_combo(items: &[Value]) -> bool {
    let is_annotation = |v: &Value| v.get("task").is_some() && v.get("tool").is_none();
    !items.is_empty() && items.iter().all(is_annotation)
}

fn text_of(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key)?.as_str().map(str::to_owned)
}

/// JSON, to the last digit of its numbers, and within a bounded stack.
///
/// # Errors
/// A message where the text is no JSON or nests too deep.
pub(in crate::panoptes) fn parse_json(text: &str) -> Result<Value, String> {
    if !is_shallow(text.as_bytes()) {
        return Err("nested too deep".to_owned());
    }
    // serde_json may be wrong in a number's last digit unless a feature of it makes all of it slower.
    sonic_rs::from_str(text).map_err(|e| first_line(&e.to_string()))
}

/// Opens an export; standard input only where it is read once.
///
/// # Errors
/// As [`Records::open`], and for a file without the columns of an export.
pub(in crate::panoptes) fn open(
    path: &Path,
    progress: &Progress,
) -> Result<(Records, Columns), IngestError> {
    let options = RecordOptions::export();
    let records = Records::open(path, options, progress)?;
    let columns = Columns::find(records.header(), path)?;
    Ok((records, columns))
}

/// A number or text without its quotes; JSON for anything else.
pub(in crate::panoptes) fn scalar_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
