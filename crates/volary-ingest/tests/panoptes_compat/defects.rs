//! The ten defects of `panoptes_aggregation` 5.3.1 that were found by running it, one test each: what we
//! do instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use volary_core::{Extracts, ProblemKind};
use volary_ingest::panoptes::compat::{
    CompatConfig, RepeatRule, auto_config, write_extracts, write_reductions,
};
use volary_ingest::panoptes::config::{ReducerConfig, ReducerEntry};
use volary_ingest::panoptes::flatten::flatten;
use volary_ingest::panoptes::{ExportOptions, ExtractSink, read_exports, workflows::read_workflows};
use volary_ingest::{IngestError, Progress};

use crate::common::{Row, cells, config, export, extract_auto, shared_data, size};

/// Votes as our own tables hold them: (task, answer) → how many.
#[derive(Default)]
struct Votes(BTreeMap<(String, Option<String>), u64>);

impl ExtractSink for Votes {
    fn take(&mut self, extracts: &Extracts) -> Result<(), IngestError> {
        for vote in &extracts.votes {
            let answer = vote.answer.map(|a| extracts.text(a).to_owned());
            *self.0.entry((extracts.text(vote.task).to_owned(), answer)).or_default() += 1;
        }
        Ok(())
    }

    fn take_late(&mut self, extracts: &Extracts, _: &[u64]) -> Result<(), IngestError> {
        self.take(extracts)
    }
}

fn votes(path: &Path) -> BTreeMap<(String, Option<String>), u64> {
    let mut votes = Votes::default();
    let options = ExportOptions::default();
    read_exports(&[path.to_owned()], &options, &Progress::default(), &mut votes).unwrap();
    votes.0
}

fn reducer(name: &str) -> ReducerConfig {
    let entry = ReducerEntry { name: name.to_owned(), ..ReducerEntry::default() };
    ReducerConfig { reducers: vec![entry] }
}

fn reduced(table: &Path, name: &str, repeats: RepeatRule) -> PathBuf {
    let out = table.parent().unwrap();
    let report =
        write_reductions(table, &reducer(name), out, "r", repeats, None, &Progress::default()).unwrap();
    assert!(report.input.adds_up());
    report.files[0].path.clone()
}

/// Column → cell of the first row.
fn first_row(path: &Path) -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let cells = header.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
    cells.map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect()
}

#[test]
fn defect_1_first_last_and_all_differ() {
    let folder = tempfile::tempdir().unwrap();
    // Not in the order of time: the row of 16:05 comes first.
    let rows = [
        Row::answer(5, "ann", r#""No""#),
        Row::answer(1, "ann", r#""Yes""#),
        Row::answer(2, "bob", r#""Yes""#),
        Row::answer(3, "cy", r#""Yes""#),
        Row::answer(4, "di", r#""Yes""#),
    ];
    extract_auto(&export(folder.path(), &rows), folder.path());
    let table = folder.path().join("question_extractor_x.csv");
    for (repeats, yes, no) in [
        (RepeatRule::All, "4", Some("1")),
        (RepeatRule::First, "4", None),
        (RepeatRule::Last, "3", Some("1")),
    ] {
        let row = first_row(&reduced(&table, "question_reducer", repeats));
        assert_eq!(row["data.yes"], yes, "{repeats:?}");
        assert_eq!(row.get("data.no").map(String::as_str), no, "{repeats:?}");
    }
}

#[test]
fn defect_2_text_in_cells_is_data() {
    let folder = tempfile::tempdir().unwrap();
    let program = "[6*7 for _ in (1,)]";
    let annotations = json!([
        {"task": "T0", "task_label": "Q?", "value": program},
        {"task": "T1", "value": [{"select_label": "S", "option": false, "value": program}]},
    ]);
    let path = export(folder.path(), &[Row::new(1, "ann", annotations.to_string())]);
    let yaml = "workflow_id: 5\nextractor_config: {text_extractor: [{task: T0}], dropdown_extractor: [{task: T1}]}";
    let selections = vec![config(folder.path(), yaml)];
    write_extracts(&path, &CompatConfig { selections }, folder.path(), "x", &Progress::default())
        .unwrap();
    assert_eq!(first_row(&folder.path().join("text_extractor_x.csv"))["data.text"], program);
    // A table in the original's notation, with a program where a list should be.
    let table = folder.path().join("t.csv");
    std::fs::write(
        &table,
        format!("subject_id,task,data.value\n1,T1,\"{program}\"\n2,T1,\"[{{'a': 1}}]\"\n"),
    )
    .unwrap();
    let out = folder.path();
    let report = write_reductions(
        &table,
        &reducer("dropdown_reducer"),
        out,
        "r",
        RepeatRule::All,
        None,
        &Progress::default(),
    )
    .unwrap();
    assert_eq!(report.input.problems.count(ProblemKind::OddValue), 1);
    let text = std::fs::read_to_string(&report.files[0].path).unwrap();
    assert!(!text.contains("42") && text.contains(r#""[{""a"":1}]""#), "{text}");
    // A null label in a workflow export.
    let workflows = folder.path().join("w.csv");
    let tasks = r#""{""T0"":{""type"":""single"",""question"":""T0.question"",""answers"":[{""label"":""T0.a""}]}}""#;
    let strings = r#""{""T0.question"":null,""T0.a"":null}""#;
    std::fs::write(
        &workflows,
        format!("workflow_id,version,minor_version,tasks,strings\n5,1,1,{tasks},{strings}\n"),
    )
    .unwrap();
    assert_eq!(read_workflows(&workflows, &Progress::default()).unwrap().versions("5").count(), 1);
}

#[test]
fn defect_3_marks_of_both_generations_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mark = |index: u64, tool: &str, rest: serde_json::Value| {
        let mut mark = json!({"toolIndex": index, "toolType": tool, "frame": 0, "details": []});
        mark.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        mark
    };
    let annotations = json!([{"task": "T0", "taskType": "drawing", "value": [
        mark(0, "rectangle", json!({"x_center": 30, "y_center": 20, "width": 20, "height": 10})),
        mark(1, "circle", json!({"x_center": 5, "y_center": 6.5, "r": 2})),
        mark(2, "ellipse", json!({"x_center": 1, "y_center": 2, "rx": 3, "ry": 4, "angle": 5})),
        mark(3, "point", json!({"x": 7, "y": 8, "details": [{"task": "T0.3.0"}]})),
    ]}, {"task": "T0.3.0", "taskType": "single", "markIndex": 3, "value": 1}]);
    let mut row = Row::new(1, "ann", annotations.to_string());
    row.metadata = r#"{"classifier_version":"2.0"}"#;
    let report = extract_auto(&export(folder.path(), &[row]), folder.path());
    assert!(report.not_extracted.is_empty(), "{:?}", report.input.problems);
    let table = |name: &str| first_row(&folder.path().join(format!("{name}_x.csv")));
    let check = |name: &str, column: &str, cell: &str| {
        assert_eq!(table(name)[&format!("data.frame0.T0_toolIndex{column}")], cell, "{name} {column}");
    };
    check("shape_extractor_rectangle", "0_x", "[20.0]");
    check("shape_extractor_rectangle", "0_y", "[15.0]");
    check("shape_extractor_rectangle", "0_width", "[20]");
    check("shape_extractor_circle", "1_x", "[5]");
    check("shape_extractor_circle", "1_y", "[6.5]");
    check("shape_extractor_ellipse", "2_angle", "[5]");
    check("point_extractor_by_frame", "3_x", "[7]");
    check("point_extractor_by_frame", "3_subtask0", r#"[{"1":1}]"#);
    assert_eq!(table("point_extractor_by_frame")["data.classifier_version"], "2.0");
}

#[test]
fn defect_4_labels_that_look_alike_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let labels = ["< 1", "> 1", "> 1", "1.0", "1-0", "是"];
    let rows: Vec<Row> =
        (1..).zip(labels).map(|(id, l)| Row::answer(id, "ann", &json!(l).to_string())).collect();
    let report = extract_auto(&export(folder.path(), &rows), folder.path());
    assert_eq!(report.input.problems.count(ProblemKind::Suspicious), 2);
    let table = folder.path().join("question_extractor_x.csv");
    let row = first_row(&reduced(&table, "question_reducer", RepeatRule::All));
    let counts = ["1", "1-2", "1-0", "1-0-2", "是"].map(|name| row[&format!("data.{name}")].as_str());
    assert_eq!(counts, ["1", "2", "1", "1", "1"]);
    let names = std::fs::read_to_string(folder.path().join("answer_names_x.csv")).unwrap();
    assert!(names.contains("5/T0,> 1,1-2\n") && names.contains("5/T0,1.0,1-0-2\n"), "{names}");
    // Our own tables hold the labels themselves.
    assert_eq!(votes(&folder.path().join("export.csv"))[&("T0".to_owned(), Some("> 1".to_owned()))], 2);
}

#[test]
fn defect_5_those_who_chose_nothing_are_counted_and_are_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        Row::answer(1, "ann", r#""Yes""#),
        Row::answer(2, "bob", "null"),
        Row::new(3, "cy", r#"[{"task":"T1","task_label":"Which?","value":["a","b"]}]"#),
        Row::new(4, "di", r#"[{"task":"T1","task_label":"Which?","value":[]}]"#),
    ];
    let path = export(folder.path(), &rows);
    let report = extract_auto(&path, folder.path());
    assert_eq!(report.left_blank, BTreeMap::from([("T0".to_owned(), 1), ("T1".to_owned(), 1)]));
    let table = folder.path().join("question_extractor_x.csv");
    // A row for everybody and every task, as in the original, but no column `None`.
    assert_eq!(size(&table), (8, 4));
    let header = std::fs::read_to_string(&table).unwrap();
    assert!(header.lines().next().unwrap().ends_with("data.a,data.b,data.yes,data.aggregation_version"));
    // Our own tables hold who saw a question and chose nothing.
    let votes = votes(&path);
    let n = |task: &str, answer: Option<&str>| votes[&(task.to_owned(), answer.map(str::to_owned))];
    assert_eq!((n("T0", Some("Yes")), n("T0", None)), (1, 1));
    assert_eq!((n("T1", Some("a")), n("T1", Some("b")), n("T1", None)), (1, 1, 1));
}

#[test]
fn defect_6_combos_and_dropdowns_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let annotations = json!([{"task": "T3", "task_label": null, "value": [
        {"task": "T0", "task_label": "Q?", "value": "Yes"},
        {"task": "T1", "value": [
            {"select_label": "Country", "option": true, "value": "8b1f", "label": "Italy"},
            {"select_label": "State"},
        ]},
        {"task": "T2", "task_type": "dropdown-simple", "value":
            {"select_label": "Size", "option": true, "option_index": 2, "value": "77aa", "label": "Small"}},
    ]}]);
    let path = export(folder.path(), &[Row::new(1, "ann", annotations.to_string())]);
    let report = extract_auto(&path, folder.path());
    assert!(report.not_extracted.is_empty(), "{:?}", report.input.problems);
    assert_eq!(first_row(&folder.path().join("question_extractor_x.csv"))["data.yes"], "1");
    let table = folder.path().join("dropdown_extractor_x.csv");
    let said = cells(&table, "classification_id");
    let value = |task: &str| {
        said[&(("1".to_owned(), task.to_owned(), String::new(), 0), "value".to_owned())].clone()
    };
    assert_eq!((value("T1"), value("T2")), (json!([{"italy": 1}, {}]), json!([{"small": 1}])));
    let row = first_row(&reduced(&table, "dropdown_reducer", RepeatRule::First));
    assert_eq!(row["data.value"], r#"[{"italy":1},{}]"#);
}

#[test]
fn defect_7_a_byte_that_is_not_utf8_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        export(folder.path(), &[Row::answer(1, "ann", r#""S@d""#), Row::answer(2, "bob", r#""Yes""#)]);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.iter().position(|b| *b == b'@').unwrap();
    bytes[at] = 0xe4;
    std::fs::write(&path, bytes).unwrap();
    let report = extract_auto(&path, folder.path());
    assert_eq!((report.input.rows_used, report.input.problems.count(ProblemKind::InvalidUtf8)), (2, 1));
    let Some(data) = shared_data() else { return };
    let report = extract_auto(&data.join("zooniverse/survey/camcat_sa.csv"), folder.path());
    assert_eq!((report.input.rows_read, report.input.rows_used), (1000, 1000));
    assert!(report.input.problems.count(ProblemKind::InvalidUtf8) > 0);
    assert_eq!(report.files[0].n_rows, 1004);
}

#[test]
fn defect_8_the_same_bytes_twice_whole_numbers_json() {
    let Some(data) = shared_data() else { return };
    let exports = ["questions/building_blocks_example_classifications.csv", "survey/kenya-sample.csv"];
    for export in exports.map(|e| data.join("zooniverse").join(e)) {
        let [a, b] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let report = extract_auto(&export, a.path());
        extract_auto(&export, b.path());
        assert!(report.files.len() > 3);
        for file in &report.files {
            let other = b.path().join(file.path.file_name().unwrap());
            assert_eq!(std::fs::read(&file.path).unwrap(), std::fs::read(other).unwrap());
            check_cells(&file.path);
        }
    }
}

fn check_cells(path: &Path) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    for record in reader.records().map(Result::unwrap) {
        for (name, cell) in header.iter().zip(&record) {
            assert!(name != "user_id" || cell.is_empty());
            // What was typed may begin with a bracket; everything else that does is JSON.
            if name.starts_with("data.") && name != "data.text" && cell.starts_with(['[', '{']) {
                assert!(serde_json::from_str::<serde_json::Value>(cell).is_ok(), "{name}: {cell}");
            }
            let is_count =
                name.starts_with("data.answers_") || path.ends_with("question_extractor_x.csv");
            if is_count && name.starts_with("data.") && name != "data.aggregation_version" {
                assert!(cell.is_empty() || cell == "1", "{name}: {cell}");
            }
        }
    }
}

#[test]
fn defect_9_versions_are_two_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let versions = ["2.1", "2.10", "2.9", "3.0"];
    let rows: Vec<Row> = (1..)
        .zip(versions)
        .map(|(id, version)| Row { version, ..Row::answer(id, "ann", &json!(version).to_string()) })
        .collect();
    let path = export(folder.path(), &rows);
    for (wanted, n) in [("'2.1'", 1), ("'2.10'", 1), ("2.10", 1), ("{min: '2.9'}", 3), ("'2'", 3)] {
        let yaml = format!(
            "workflow_id: 5\nworkflow_version: {wanted}\nextractor_config: {{question_extractor: [{{task: T0}}]}}"
        );
        let selections = vec![config(folder.path(), &yaml)];
        let progress = Progress::default();
        let report =
            write_extracts(&path, &CompatConfig { selections }, folder.path(), "x", &progress).unwrap();
        assert_eq!(report.input.rows_used, n, "{wanted}");
        assert_eq!(report.input.left_out["version"], 4 - n, "{wanted}");
    }
}

#[test]
fn defect_10_two_hundred_answers_need_no_two_hundred_columns() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Row> = (1..=200)
        .map(|id| Row::answer(id, "ann", &json!(format!("species {id}")).to_string()))
        .collect();
    let path = export(folder.path(), &rows);
    let yaml = "workflow_id: 5\nextractor_config: {question_extractor: [{task: T0}]}";
    let selections = vec![config(folder.path(), yaml)];
    write_extracts(&path, &CompatConfig { selections }, folder.path(), "x", &Progress::default())
        .unwrap();
    assert_eq!(size(&folder.path().join("question_extractor_x.csv")), (200, 201));
    let flat = flatten(&path, &folder.path().join("flat.csv"), &Progress::default()).unwrap();
    assert_eq!(flat.rows_written, 200);
}

/// Nothing that stands in a cell stops anything.
#[test]
fn any_value_for_any_extractor() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let values = [
        "null",
        "[]",
        "{}",
        "0",
        "-1e999",
        "1e400",
        "true",
        "\"\"",
        "\"x\"",
        "[null]",
        "[[]]",
        "[{}]",
        "[1,\"a\",null]",
        r#"[{"choice":null}]"#,
        r#"[{"choice":"A","answers":{"Q":[[1]]}}]"#,
        r#"[{"choice":"A","answers":3}]"#,
        r#"[{"tool":0}]"#,
        r#"[{"tool":-1,"x":1,"y":2}]"#,
        r#"[{"tool":0,"x":"a","y":2,"frame":99999999999}]"#,
        r#"[{"tool":0,"points":[]}]"#,
        r#"[{"tool":0,"points":[{"x":1}]}]"#,
        r#"[{"tool":0,"points":3}]"#,
        r#"[{"tool":0,"pathX":[1],"pathY":[]}]"#,
        r#"[{"tool":0,"x":1,"y":2,"details":[{"value":[{}]},3,null]}]"#,
        r#"[{"toolIndex":0,"x":1,"y":2,"details":[{"task":"T0.0.0"}]}]"#,
        r#"[{"select_label":1,"value":{}}]"#,
        r#"[{"task":"T0","value":[{"task":"T0","value":[{"task":"T0"}]}]}]"#,
        deep.as_str(),
    ];
    let mut rows: Vec<Row> = (1..).zip(values).map(|(id, v)| Row::answer(id, "ann", v)).collect();
    for broken in ["", "{}", "[1]", "[", "null", "[{\"task\":3}]", "\u{0}", "[{\"value\":\"\\ud800\"}]"]
    {
        rows.push(Row::new(100 + rows.len() as u64, "bob", broken));
    }
    let path = export(folder.path(), &rows);
    let all = "question_extractor shortcut_extractor survey_extractor dropdown_extractor slider_extractor \
               text_extractor point_extractor point_extractor_by_frame rectangle_extractor polygon_extractor \
               bezier_extractor shape_extractor_fan sw_extractor nonsense";
    let details = "{T0_tool0: [question_extractor, text_extractor, null, dropdown_extractor, nonsense]}";
    let entries: String =
        all.split_whitespace().map(|e| format!("  {e}: [{{task: T0, details: {details}}}]\n")).collect();
    let selections =
        vec![config(folder.path(), &format!("workflow_id: 5\nextractor_config:\n{entries}"))];
    let progress = Progress::default();
    let report =
        write_extracts(&path, &CompatConfig { selections }, folder.path(), "x", &progress).unwrap();
    assert!(report.input.adds_up());
    assert_eq!(report.input.rows_read, rows.len() as u64);
    assert_eq!(report.input.problems.count(ProblemKind::UnknownTask), 2);
    assert!(report.not_extracted.values().all(|n| *n > 0) && report.not_extracted.len() > 8);
    let (config, _) = auto_config(&path, &progress).unwrap();
    assert!(write_extracts(&path, &config, folder.path(), "y", &progress).unwrap().input.adds_up());
    let flat = flatten(&path, &folder.path().join("flat.csv"), &progress).unwrap();
    assert!(flat.input.adds_up() && flat.rows_written > values.len() as u64 - 5);
    for (i, file) in report.files.iter().enumerate() {
        let name = ["question_reducer", "survey_reducer", "dropdown_reducer", "slider_reducer"][i % 4];
        if file.path.to_string_lossy().contains("extractor") {
            reduced(&file.path, name, RepeatRule::Last);
        }
    }
}
