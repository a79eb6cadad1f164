//! The long form against flattened tables that people made by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;
use volary_ingest::Progress;
use volary_ingest::panoptes::flatten::{FlattenReport, flatten};

use crate::common::{Row, export, shared_data};

/// (classification, task, item) → field → values.
type Items = BTreeMap<(String, String, String), BTreeMap<String, Vec<String>>>;

fn flat(path: &Path) -> (FlattenReport, Items) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("flat.csv");
    let report = flatten(path, &out, &Progress::default()).unwrap();
    assert!(report.input.adds_up());
    let mut items = Items::new();
    let mut n = 0;
    for row in csv::Reader::from_path(&out).unwrap().records().map(Result::unwrap) {
        n += 1;
        let fields = items.entry((row[0].to_owned(), row[6].to_owned(), row[8].to_owned())).or_default();
        for (name, column) in [("tool", 9), ("frame", 10), (&row[11], 12)] {
            fields.entry(name.to_owned()).or_default().push(row[column].to_owned());
        }
    }
    assert_eq!(report.rows_written, n);
    (report, items)
}

fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn one<'f>(fields: &'f BTreeMap<String, Vec<String>>, name: &str) -> &'f str {
    fields.get(name).map_or("", |values| &values[0])
}

#[test]
fn camcat_choices_are_those_of_the_flattened_table() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("zooniverse/survey");
    let (report, items) = flat(&folder.join("camcat_sa.csv"));
    let ours: BTreeSet<[String; 4]> = items
        .iter()
        .map(|((id, ..), f)| {
            let or_na = |name| Some(one(f, name)).filter(|v| !v.is_empty()).unwrap_or("NA").to_owned();
            let choice = one(f, "choice").to_owned();
            [id.clone(), choice, or_na("answers.HWMN"), or_na("answers.WHCHSDFTHNMLSVSBL")]
        })
        .collect();
    let column = |r: &BTreeMap<String, String>, name: &str| r[name].clone();
    let theirs: BTreeSet<[String; 4]> = table(&folder.join("flattened_camcat_sa.csv"))
        .iter()
        .map(|r| ["classification_id", "choice", "how_many", "which_side"].map(|name| column(r, name)))
        .collect();
    assert_eq!((items.len(), report.input.rows_used, report.n_annotations), (1004, 1000, 1000));
    // 1004 choices, two answers to each of 87, and 24 settings of the filters that led to a choice.
    assert_eq!(report.rows_written, 1004 + 2 * 87 + 24);
    assert_eq!(ours, theirs);
}

#[test]
fn kenya_choices_are_those_of_the_flattened_table() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("zooniverse/survey");
    let (_, items) = flat(&folder.join("kenya-sample.csv"));
    let reference = table(&folder.join("kenya-flattened.csv"));
    let ids: BTreeSet<&str> = reference.iter().map(|r| r["classification_id"].as_str()).collect();
    let mut ours: Vec<[String; 5]> = Vec::new();
    for ((id, task, _), fields) in &items {
        if task != "T3" || !ids.contains(id.as_str()) || !fields.contains_key("choice") {
            continue;
        }
        let or_na = |name| Some(one(fields, name)).filter(|v| !v.is_empty()).unwrap_or("NA").to_owned();
        let behaviours =
            fields.iter().filter(|(name, _)| name.starts_with("answers.WHATBEHAVIORSDOYOUSEE."));
        let moves = behaviours.flat_map(|(_, v)| v).any(|v| v == "MOVING");
        let [choice, n, young] =
            ["choice", "answers.HOWMANY", "answers.ARETHEREANYYOUNGPRESENT"].map(or_na);
        ours.push([id.clone(), choice, n, young, u8::from(moves).to_string()]);
    }
    let names = ["classification_id", "choice", "how_many", "young", "behavior_MOVING"];
    let mut theirs: Vec<[String; 5]> =
        reference.iter().filter(|r| r["choice"] != "NA").map(|r| names.map(|n| r[n].clone())).collect();
    ours.sort();
    theirs.sort();
    assert_eq!(theirs.len(), 585);
    assert_eq!(ours, theirs);
}

#[test]
fn andromeda_marks_are_those_of_the_markings_table() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("zooniverse/drawing");
    let (_, items) = flat(&folder.join("ap-aas229-test-classifications.csv"));
    let marks: BTreeSet<[String; 6]> = items
        .iter()
        .map(|((id, ..), f)| {
            let text = |name| one(f, name).to_owned();
            [id.clone(), text("tool"), text("tool_label"), text("frame"), text("x"), text("r")]
        })
        .collect();
    let reference = table(&folder.join("ap-aas229-test-markings.csv"));
    assert_eq!(reference.len(), 80);
    for mark in &reference {
        let names = ["classification_id", "tool", "tool_label", "frame", "x", "r"];
        let mark = names.map(|name| mark[name].clone());
        // Three marks of ellipses have no radius; R writes no trailing zeros.
        assert!(marks.contains(&mark) || mark[5].is_empty() || close(&marks, &mark), "{mark:?}");
    }
}

fn close(marks: &BTreeSet<[String; 6]>, mark: &[String; 6]) -> bool {
    let near = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() < 1e-9 * a.abs().max(1.0),
        _ => false,
    };
    marks.iter().any(|m| m[..4] == mark[..4] && near(&m[4], &mark[4]) && near(&m[5], &mark[5]))
}

#[test]
fn survey_4994_has_the_choices_of_the_table_with_one_line_each() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("zooniverse/survey");
    let (_, items) = flat(&folder.join("survey-classifications_4994.csv"));
    let ours: Vec<(String, String)> =
        items.iter().map(|((id, ..), f)| (id.clone(), one(f, "choice").to_owned())).collect();
    let mut theirs: Vec<(String, String)> =
        table(&folder.join("survey-classifications_4994_1lineeach.csv"))
            .iter()
            .map(|r| (r["classification_id"].clone(), r["t0_choice"].clone()))
            .collect();
    theirs.sort();
    let mut ours = ours;
    ours.sort();
    assert_eq!(theirs.len(), 40);
    assert_eq!(ours, theirs);
}

#[test]
fn every_scalar_has_its_path_and_nothing_said_has_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let annotations = json!([
        {"task": "T0", "task_label": "Q?", "value": "Yes"},
        {"task": "T1", "task_label": "Which?", "value": ["a", "b"]},
        {"task": "T2", "value": null},
        {"task": "T3", "value": [
            {"tool": 2, "frame": 1, "x": 1.50, "points": [{"x": 1}, {"x": 2}], "details": [{"value": 0}, {"value": []}],
             "tool_label": "Dot"},
            {"tool": 0, "frame": 0, "details": []},
        ]},
        {"task": "T4", "value": [{"task": "T5", "value": [{"choice": "A", "answers": {"N": ["x"]}, "filters": {}}]}]},
        {"task": "T3.0.0", "markIndex": 1, "value": 7},
        {"task": "T6"},
    ]);
    let path =
        export(folder.path(), &[Row::new(1, "ann", annotations.to_string()), Row::new(2, "bob", "[]")]);
    let (report, items) = flat(&path);
    let mut said = Vec::new();
    for ((_, task, item), fields) in &items {
        for (field, values) in fields.iter().filter(|(f, _)| *f != "tool" && *f != "frame") {
            said.push(format!("{task} {item} {field}={}", values.join("|")));
        }
    }
    assert_eq!(
        said,
        [
            "T0  value=Yes",
            "T1 0 value=a",
            "T1 1 value=b",
            "T2  value=",
            "T3 0 details.0.value=0",
            "T3 0 details.1.value=",
            "T3 0 points.0.x=1",
            "T3 0 points.1.x=2",
            "T3 0 tool_label=Dot",
            "T3 0 x=1.5",
            "T3 1 value=",
            "T3.0.0 1 value=7",
            "T5 0 answers.N.0=x",
            "T5 0 choice=A",
            "T6  value=",
        ]
    );
    let mark = &items[&("1".to_owned(), "T3".to_owned(), "0".to_owned())];
    assert_eq!((one(mark, "tool"), one(mark, "frame")), ("2", "1"));
    assert_eq!((report.n_annotations, report.n_blank, report.n_without_annotations), (7, 2, 1));
}
