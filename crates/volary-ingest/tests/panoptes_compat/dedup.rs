//! An export without repeats is still an export, and nobody's name is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use volary_core::{Extracts, ProblemKind};
use volary_ingest::panoptes::dedup::{DedupOptions, DedupReport, KeepRepeat, dedup};
use volary_ingest::panoptes::{ExportOptions, ExportReport, ExtractSink, RowFilter, read_exports};
use volary_ingest::{IngestError, Progress};

use crate::common::{Row, export, shared_data};

struct Nothing;

impl ExtractSink for Nothing {
    fn take(&mut self, _: &Extracts) -> Result<(), IngestError> {
        Ok(())
    }

    fn take_late(&mut self, _: &Extracts, _: &[u64]) -> Result<(), IngestError> {
        Ok(())
    }
}

fn read(path: &Path) -> ExportReport {
    read_exports(&[path.to_owned()], &ExportOptions::default(), &Progress::default(), &mut Nothing)
        .unwrap()
}

fn run(path: &Path, options: &DedupOptions) -> (DedupReport, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let report = dedup(path, &out, options, &Progress::default()).unwrap();
    assert!(report.input.adds_up());
    (report, out, folder)
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

fn ids(path: &Path) -> Vec<String> {
    rows(path).into_iter().map(|r| r["classification_id"].clone()).collect()
}

#[test]
fn andromeda_loses_its_repeats_and_nothing_else() {
    let Some(data) = shared_data() else { return };
    let path = data.join("zooniverse/drawing/ap-aas229-test-classifications.csv");
    let before = read(&path);
    let (report, out, _folder) = run(&path, &DedupOptions::default());
    let after = read(&out);
    assert_eq!(report.input.left_out["repeat by the same volunteer"], before.collected.n_repeats);
    assert_eq!((report.input.rows_read, report.input.rows_used), (63, 63 - before.collected.n_repeats));
    assert!(before.collected.n_repeats >= 24);
    assert_eq!(after.collected.n_repeats, 0);
    assert_eq!(after.collected.n_subjects, before.collected.n_subjects);
    assert_eq!(after.collected.n_volunteers, before.collected.n_volunteers);
    // Byte for byte, but for what identifies people.
    let all: BTreeMap<String, BTreeMap<String, String>> =
        rows(&path).into_iter().map(|r| (r["classification_id"].clone(), r)).collect();
    for row in rows(&out) {
        let was = &all[&row["classification_id"]];
        for (name, cell) in &row {
            match name.as_str() {
                "user_name" => assert!(cell.len() == 17 || cell.starts_with("not-logged-in-")),
                "user_id" | "user_ip" => assert_eq!(cell, ""),
                "metadata" => assert_eq!(*cell, without_session(&was[name])),
                _ => assert_eq!(cell, &was[name], "{name}"),
            }
        }
    }
}

/// The sessions of this file are a key of their own before `viewport`.
fn without_session(metadata: &str) -> String {
    let start = metadata.find("\"session\":\"").unwrap();
    let end = start + metadata[start..].find("\",").unwrap() + 2;
    format!("{}{}", &metadata[..start], &metadata[end..])
}

#[test]
fn all_exports_stay_exports() {
    let Some(data) = shared_data() else { return };
    for name in [
        "superluminous/cls_export.csv",
        "survey/camcat_sa.csv",
        "survey/kenya-sample.csv",
        "questions/building_blocks_example_classifications.csv",
        "cat_project/cat-project-classifications.csv",
        "swap/minion-zoo-dmc-example-classifications.csv",
    ] {
        let path = data.join("zooniverse").join(name);
        let before = read(&path);
        let (report, out, _folder) = run(&path, &DedupOptions::default());
        let after = read(&out);
        assert_eq!(
            report.input.rows_used,
            before.collected.n_classifications - before.collected.n_repeats,
            "{name}"
        );
        assert_eq!(
            (after.collected.n_repeats, after.rows_used()),
            (0, report.input.rows_used),
            "{name}"
        );
        assert_eq!(after.collected.n_not_logged_in + after_logged_in(&out), after.rows_used(), "{name}");
        let bytes = std::fs::read(&out).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("volunteer_0") && !text.contains("\"\"session\"\""), "{name}");
    }
}

fn after_logged_in(path: &Path) -> u64 {
    let bytes = std::fs::read(path).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let at = reader.headers().unwrap().iter().position(|h| h == "user_name").unwrap();
    reader.byte_records().filter(|r| r.as_ref().unwrap()[at].starts_with(b"v")).count() as u64
}

#[test]
fn first_and_last_are_told_by_time_and_ids_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut beta = Row::answer(1, "cy", r#""beta""#);
    beta.metadata = r#"{"live_project":false,"session":"s"}"#;
    let rows = [
        Row::answer(9, "ann", r#""late""#),
        Row::answer(2, "ann", r#""early""#),
        Row::answer(3, "not-logged-in-ab", r#""x""#),
        Row::answer(3, "not-logged-in-ab", r#""x""#),
        Row::answer(3, "bob", r#""other content""#),
        Row::answer(4, "", r#""by user_id""#),
        beta,
        Row::answer(8, "cy", r#""live""#),
    ];
    let path = export(folder.path(), &rows);
    let (report, out, _kept) = run(&path, &DedupOptions::default());
    assert_eq!(ids(&out), ["2", "3", "4", "1"]);
    let left_out = &report.input.left_out;
    assert_eq!(left_out["repeat by the same volunteer"], 2);
    assert_eq!(left_out["classification id repeated"], 1);
    assert_eq!(left_out["classification id repeated with other content"], 1);
    assert_eq!(report.input.problems.count(ProblemKind::ConflictingId), 1);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(!text.contains(",ann,") && !text.contains("session") && !text.contains("ab12"), "{text}");
    assert!(text.contains("\"{\"\"live_project\"\":false}\""), "{text}");
    let names: Vec<String> = self::rows(&out).into_iter().map(|r| r["user_name"].clone()).collect();
    assert!(names[1].starts_with("not-logged-in-") && names[1].len() == 30, "{names:?}");
    assert!(names[0].starts_with('v') && names[2].starts_with('v') && names[0] != names[2]);

    let last = DedupOptions { repeats: KeepRepeat::Last, ..DedupOptions::default() };
    assert_eq!(ids(&run(&path, &last).1), ["9", "3", "4", "8"]);
    let live = RowFilter { live_only: true, ..RowFilter::default() };
    let (report, out, _kept) = run(&path, &DedupOptions { filter: live, ..DedupOptions::default() });
    assert_eq!(
        (ids(&out), report.input.left_out["beta"]),
        (["2", "3", "4", "8"].map(str::to_owned).to_vec(), 1)
    );
}

#[test]
fn line_ends_quotes_and_broken_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.csv");
    let header = "\"\",classification_id,user_name,user_id,metadata,annotations,subject_ids\r\n";
    let odd = "\"1\",7,\"Zaphod, \"\"B\"\"\",5,{},\"[]\",\"9\"\r\n";
    let broken_metadata = "2,8,bob,6,\"{\"\"session\"\":\"\"x\",[],9\n";
    std::fs::write(&path, format!("{header}{odd}3,4\r\n{broken_metadata}4,9,eve,,,\"[\n]\",9")).unwrap();
    let (report, out, _kept) = run(&path, &DedupOptions::default());
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert!(
        lines[0].ends_with(",classification_id,user_name,user_id,metadata,annotations,subject_ids\n")
    );
    assert!(lines[1].starts_with("\"1\",7,v") && lines[1].ends_with(",,{},\"[]\",\"9\"\r\n"), "{text}");
    assert!(lines[2].starts_with("2,8,v") && lines[2].ends_with(",,{},[],9\n"), "{text}");
    assert!(
        lines[3].starts_with("4,9,v") && lines[3].ends_with(",,,\"[\n") && lines[4] == "]\",9\n",
        "{text}"
    );
    assert_eq!((report.input.rows_read, report.input.rows_used), (4, 3));
    assert_eq!(report.input.problems.count(ProblemKind::BadJson), 1);
    assert!(!text.contains("Zaphod") && !text.contains("session"));
}
