//! What the tests share: where the data are, tables as sets of cells, exports made by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use volary_ingest::Progress;
use volary_ingest::panoptes::compat::{
    CompatConfig, CompatReport, RepeatRule, auto_config, parse_cell, write_extracts, write_reductions,
};
use volary_ingest::panoptes::config::{ExtractorConfig, PanoptesConfig, ReducerConfig, read_config};

/// The folder of reference data, where this machine has it.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !folder.is_dir() {
        eprintln!("passed over: no {}", folder.display());
        return None;
    }
    Some(folder)
}

/// Subject or classification, task, choice or nothing, number of the row among equals.
pub(crate) type Key = (String, String, String, usize);
/// The cells of a table that say something.
pub(crate) type Cells = BTreeMap<(Key, String), Value>;

/// The data columns of a table, keyed by `id` and task (and choice, where there is one).
pub(crate) fn cells(path: &Path, id: &str) -> Cells {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{e}: {}", path.display()));
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name);
    let mut seen = BTreeMap::new();
    let mut cells = Cells::new();
    for record in reader.records() {
        let record = record.unwrap();
        let text = |name: &str| column(name).map_or("", |i| &record[i]).to_owned();
        let start = (text(id), text("task"), text("data.choice"));
        let n = *seen.entry(start.clone()).and_modify(|n| *n += 1).or_insert(0_usize);
        let key = (start.0, start.1, start.2, n);
        for (name, cell) in header.iter().zip(&record) {
            let Some(name) = name.strip_prefix("data.") else { continue };
            if name != "aggregation_version" && !cell.is_empty() {
                cells.insert((key.clone(), name.to_owned()), value(cell));
            }
        }
    }
    cells
}

/// A cell as data, in either notation.
pub(crate) fn value(cell: &str) -> Value {
    if let Some(value) = parse_cell(cell) {
        return value;
    }
    match cell {
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        text => text.parse::<f64>().map_or_else(|_| Value::from(text), Value::from),
    }
}

pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

/// A cell that differs: where, the reference's, ours.
pub(crate) type Difference = (String, String, String, String, String);

/// All cells that differ; absent and empty are one.
pub(crate) fn differences(reference: &Cells, ours: &Cells) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut keys: Vec<_> = reference.keys().chain(ours.keys()).collect();
    keys.sort();
    keys.dedup();
    for at in keys {
        let (a, b) = (reference.get(at), ours.get(at));
        let agree = match (a, b) {
            (Some(a), Some(b)) => same(a, b),
            _ => false,
        };
        if !agree {
            let text = |v: Option<&Value>| v.map_or_else(String::new, Value::to_string);
            let ((id, task, _, _), column) = at;
            found.push((id.clone(), task.clone(), column.clone(), text(a), text(b)));
        }
    }
    found
}

/// Fails with the first few differences.
pub(crate) fn assert_same(reference: &Cells, ours: &Cells) {
    let found = differences(reference, ours);
    assert!(
        found.is_empty(),
        "{} of {}: {:#?}",
        found.len(),
        reference.len(),
        &found[..found.len().min(8)]
    );
    assert!(!reference.is_empty());
}

/// Rows and data columns of a table.
pub(crate) fn size(path: &Path) -> (usize, usize) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let n_columns = reader.headers().unwrap().iter().filter(|h| h.starts_with("data.")).count();
    (reader.records().count(), n_columns)
}

/// Extracts with a YAML of the reference.
pub(crate) fn extract(export: &Path, yaml: &Path, out: &Path, name: &str) -> CompatReport {
    let (config, problems) = CompatConfig::read(yaml, &Progress::default()).unwrap();
    assert_eq!(problems.total(), 0, "{:?}", problems.examples().collect::<Vec<_>>());
    let report = write_extracts(export, &config, out, name, &Progress::default()).unwrap();
    assert!(report.input.adds_up());
    report
}

pub(crate) fn reducers(yaml: &Path) -> ReducerConfig {
    match read_config(yaml, &Progress::default()).unwrap().0 {
        PanoptesConfig::Reducers(config) => config,
        other => panic!("{other:?}"),
    }
}

/// Reduces with a YAML of the reference, counting every row as the reference does.
pub(crate) fn reduce(extract_csv: &Path, yaml: &Path, out: &Path, name: &str) -> PathBuf {
    let config = reducers(yaml);
    let report =
        write_reductions(extract_csv, &config, out, name, RepeatRule::All, None, &Progress::default())
            .unwrap();
    assert!(report.input.adds_up());
    assert_eq!(report.input.problems.total(), 0, "{:?}", report.input.problems);
    report.files[0].path.clone()
}

/// One row of an export made by hand.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) user: &'static str,
    pub(crate) version: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) metadata: &'static str,
    pub(crate) annotations: String,
}

impl Row {
    pub(crate) fn new(id: u64, user: &'static str, annotations: impl Into<String>) -> Self {
        let (version, subject, metadata) = ("1.1", "10", "{}");
        Self { id, user, version, subject, metadata, annotations: annotations.into() }
    }

    /// One answer to a question.
    pub(crate) fn answer(id: u64, user: &'static str, answer: &str) -> Self {
        Self::new(id, user, format!(r#"[{{"task":"T0","task_label":"Q?","value":{answer}}}]"#))
    }
}

/// Writes an export; the minute of `created_at` is the id's.
pub(crate) fn export(folder: &Path, rows: &[Row]) -> PathBuf {
    let path = folder.join("export.csv");
    let mut writer = csv::Writer::from_path(&path).unwrap();
    let header = "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,workflow_version,\
                  created_at,gold_standard,expert,metadata,annotations,subject_data,subject_ids";
    writer.write_record(header.split(',')).unwrap();
    for row in rows {
        let (id, time) = (row.id.to_string(), format!("2024-02-23 16:{:02}:00 UTC", row.id % 60));
        let (annotations, metadata) = (row.annotations.as_str(), row.metadata);
        writer
            .write_record([
                &id,
                row.user,
                "7",
                "ab12",
                "5",
                "W",
                row.version,
                &time,
                "",
                "",
                metadata,
                annotations,
                "{}",
                row.subject,
            ])
            .unwrap();
    }
    writer.flush().unwrap();
    path
}

/// A configuration from its YAML text.
pub(crate) fn config(folder: &Path, yaml: &str) -> ExtractorConfig {
    let path = folder.join("config.yaml");
    std::fs::write(&path, yaml).unwrap();
    match read_config(&path, &Progress::default()).unwrap().0 {
        PanoptesConfig::Extractors(config) => config,
        other => panic!("{other:?}"),
    }
}

/// Extracts with a configuration found in the export itself.
pub(crate) fn extract_auto(export: &Path, out: &Path) -> CompatReport {
    let (config, _) = auto_config(export, &Progress::default()).unwrap();
    write_extracts(export, &config, out, "x", &Progress::default()).unwrap()
}
