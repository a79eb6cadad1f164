//! What comes in broken: the right result with a list of problems, or one clear error. Never a panic,
//! never a lost row, never half a file.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{HEADER, Place, Row, VOLARY, export};

fn good() -> Vec<Row> {
    vec![
        Row::answer(1, "ann", "s1", "Yes"),
        Row::answer(2, "bob", "s1", "No"),
        Row::answer(3, "eve", "s1", "Yes"),
    ]
}

/// Extracts an export; gives the record and the votes, after checking that every row is accounted for.
fn extract(bytes: impl AsRef<[u8]>) -> (Value, Vec<std::collections::BTreeMap<String, String>>) {
    extract_with(bytes, &[])
}

fn extract_with(
    bytes: impl AsRef<[u8]>,
    more: &[&str],
) -> (Value, Vec<std::collections::BTreeMap<String, String>>) {
    let place = Place::new();
    place.write("export.csv", bytes);
    let record = place.record(&[&["extract", "export.csv", "-o", "x", "--to", "csv"], more].concat());
    let summary = &record["summary"];
    let left_out: u64 =
        summary["left_out"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(
        summary["rows_read"].as_u64().unwrap(),
        summary["rows_used"].as_u64().unwrap() + left_out
    );
    let votes = place.path("x/votes.csv");
    let votes = if votes.is_file() { place.table("x/votes.csv") } else { Vec::new() };
    (record, votes)
}

fn answers(votes: &[std::collections::BTreeMap<String, String>]) -> Vec<&str> {
    votes.iter().map(|v| v["answer"].as_str()).collect()
}

fn problem(record: &Value, kind: &str) -> u64 {
    record["problems"][kind].as_u64().unwrap_or(0)
}

fn left_out(record: &Value, reason: &str) -> u64 {
    record["summary"]["left_out"][reason].as_u64().unwrap_or(0)
}

#[test]
fn an_empty_file_is_one_clear_error() {
    let place = Place::new();
    place.write("export.csv", "");
    place.volary(&["extract", "export.csv", "-o", "x"]).fails_with("empty");
    assert_eq!(place.files(), ["export.csv"]);
}

#[test]
fn a_file_that_is_not_there_is_one_clear_error() {
    Place::new().volary(&["extract", "nowhere.csv", "-o", "x"]).fails_with("nowhere.csv");
}

#[test]
fn a_header_only_is_no_rows() {
    let (record, votes) = extract(format!("{HEADER}\n"));
    assert_eq!((record["summary"]["rows_read"].as_u64(), votes.len()), (Some(0), 0));
}

#[test]
fn a_file_cut_in_a_quoted_field_keeps_the_rows_before() {
    let whole = export(&good());
    let cut = &whole[..whole.rfind("value").unwrap()];
    let (record, votes) = extract(cut);
    assert_eq!(answers(&votes), ["Yes", "No"]);
    assert_eq!((problem(&record, "file cut off"), left_out(&record, "file cut off")), (1, 1));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let (_, expected) = extract(export(&good()));
    let windows = format!("\u{feff}{}", export(&good()).replace('\n', "\r\n"));
    let (record, votes) = extract(windows);
    assert_eq!(votes, expected);
    assert_eq!(record["problems"], json!({}));
}

#[test]
fn gzip_is_recognised_by_its_content() {
    let place = Place::new();
    place.write("export.csv", export(&good()));
    let packed = Command::new("gzip").arg("-c").arg(place.path("export.csv")).output().unwrap().stdout;
    let (_, votes) = extract(packed);
    assert_eq!(answers(&votes), ["Yes", "No", "Yes"]);
}

#[test]
fn a_gzip_cut_in_half_is_one_clear_error() {
    let place = Place::new();
    let rows: Vec<Row> = (0..2000).map(|i| Row::answer(i, &format!("u{i}"), "s", "Yes")).collect();
    place.write("export.csv", export(&rows));
    let packed = Command::new("gzip").arg("-c").arg(place.path("export.csv")).output().unwrap().stdout;
    place.write("half.csv.gz", &packed[..packed.len() / 2]);
    place.volary(&["extract", "half.csv.gz", "-o", "x"]).fails_with("half.csv.gz");
    assert_eq!(place.files(), ["export.csv", "half.csv.gz"]);
}

#[test]
fn invalid_utf8_is_replaced_and_listed() {
    let mut bytes = export(&good()).into_bytes();
    let at = bytes.windows(3).position(|w| w == b"Yes").unwrap();
    bytes[at + 1] = 0xE4;
    let (record, votes) = extract(bytes);
    assert_eq!(answers(&votes), ["Y\u{fffd}s", "No", "Yes"]);
    assert_eq!(problem(&record, "invalid UTF-8"), 1);
}

#[test]
fn a_nul_byte_is_replaced_and_listed() {
    let mut bytes = export(&good()).into_bytes();
    let at = bytes.windows(2).position(|w| w == b"No").unwrap();
    bytes[at + 1] = 0;
    let (record, votes) = extract(bytes);
    assert_eq!(answers(&votes), ["Yes", "N\u{fffd}", "Yes"]);
    assert_eq!(problem(&record, "NUL byte"), 1);
}

#[test]
fn broken_json_costs_its_row_only() {
    let mut rows = good();
    rows[1].annotations = "[{\"task\":\"T0\",".to_owned();
    rows[2].metadata = "{".to_owned();
    let (record, votes) = extract(export(&rows));
    assert_eq!(answers(&votes), ["Yes", "Yes"]);
    assert_eq!((problem(&record, "bad JSON"), left_out(&record, "bad JSON")), (2, 1));
}

#[test]
fn json_a_hundred_and_a_hundred_thousand_levels_deep() {
    for depth in [100, 100_000] {
        let mut rows = good();
        rows[1].annotations =
            format!("[{{\"task\":\"T0\",\"value\":{}{}}}]", "[".repeat(depth), "]".repeat(depth));
        rows[2].metadata = format!("{{\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        let (record, votes) = extract(export(&rows));
        assert_eq!(votes.iter().filter(|v| v["answer"] == "Yes").count(), 2, "{record:#}");
    }
}

#[test]
fn a_field_of_200_megabytes_is_passed_over() {
    let place = Place::new();
    let mut file = std::fs::File::create(place.path("export.csv")).unwrap();
    let rows = good();
    write!(file, "{HEADER}\n{}\n9,\"", rows[0].csv()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    (0..200).for_each(|_| file.write_all(&piece).unwrap());
    writeln!(file, "\"\n{}", rows[1].csv()).unwrap();
    drop(file);
    let record = place.record(&["extract", "export.csv", "-o", "x", "--to", "csv"]);
    assert_eq!(problem(&record, "row too long"), 1);
    assert_eq!(place.table("x/votes.csv").len(), 2);
    let peak = record["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 150 << 20, "{peak} bytes held for a row that is passed over");
}

#[test]
fn missing_columns_are_named() {
    let place = Place::new();
    place.write("export.csv", export(&good()).replace("annotations", "notes"));
    place.volary(&["extract", "export.csv", "-o", "x"]).fails_with("annotations");
}

#[test]
fn extra_columns_and_another_order_change_nothing() {
    let (_, expected) = extract(export(&good()));
    let mut out = String::from(
        "X,subject_ids,annotations,user_name,created_at,workflow_id,workflow_version,classification_id\n",
    );
    for (i, row) in good().iter().enumerate() {
        let annotations = row.annotations.replace('"', "\"\"");
        out.push_str(&format!(
            "{i},{},\"{annotations}\",{},{},7,{},{}\n",
            row.subject, row.user, row.created, row.version, row.id
        ));
    }
    assert_eq!(extract(out).1, expected);
}

#[test]
fn a_row_with_too_few_fields_is_left_out() {
    let text = export(&good()).replace("\n\"2\",", "\n\"2\"");
    let (record, votes) = extract(text);
    assert_eq!(votes.len(), 2);
    assert_eq!(left_out(&record, "wrong number of fields"), 1);
}

#[test]
fn an_unknown_task_type_is_listed_and_its_volunteer_counted() {
    let mut rows = good();
    rows[0].annotations = json!([{"task": "T9", "value": {"hologram": 3}}]).to_string();
    let (record, votes) = extract(export(&rows));
    assert_eq!(problem(&record, "unknown task type"), 1);
    assert_eq!(record["summary"]["n_unknown_annotations"], 1);
    assert!(votes.iter().any(|v| v["task"] == "T9" && v["answer"].is_empty()));
}

#[test]
fn a_null_annotation_is_somebody_who_saw_it() {
    let mut rows = good();
    rows[1].annotations = json!([{"task": "T0", "value": null}]).to_string();
    let (record, votes) = extract(export(&rows));
    assert_eq!(answers(&votes), ["Yes", "", "Yes"]);
    assert!(votes.iter().all(|v| v["kind"] == "single"));
    assert_eq!(record["problems"], json!({}));
}

#[test]
fn annotations_of_null_or_of_another_type_are_bad_json() {
    for cell in ["null", "3", "{}", "\"x\"", ""] {
        let mut rows = good();
        rows[1].annotations = cell.to_owned();
        let (record, votes) = extract(export(&rows));
        assert_eq!((votes.len(), left_out(&record, "bad JSON")), (2, 1), "{cell}");
    }
}

#[test]
fn an_answer_index_beyond_the_answers_is_listed() {
    let place = Place::new();
    let tasks = json!({"T0": {"type": "single", "question": "T0.question", "answers": [
        {"label": "T0.answers.0.label"}, {"label": "T0.answers.1.label"}]}});
    let strings =
        json!({"T0.question": "What?", "T0.answers.0.label": "Yes", "T0.answers.1.label": null});
    let quote = |v: &Value| format!("\"{}\"", v.to_string().replace('"', "\"\""));
    let workflows = format!(
        "workflow_id,display_name,version,active,first_task,tasks,retirement,strings,minor_version\n\
         7,Test,1,true,T0,{},{{}},{},1\n",
        quote(&tasks),
        quote(&strings)
    );
    place.write("workflows.csv", workflows);
    let index = |id, n: u64| Row::new(id, &format!("u{id}"), "s1", &json!([{"task": "T0", "value": n}]));
    place.write("export.csv", export(&[index(1, 0), index(2, 7)]));
    let record = place.record(&[
        "extract",
        "export.csv",
        "-o",
        "x",
        "--to",
        "csv",
        "--workflows",
        "workflows.csv",
    ]);
    assert_eq!(problem(&record, "unknown answer"), 1, "{record:#}");
    let votes = place.table("x/votes.csv");
    assert_eq!(answers(&votes), ["Yes", "unknown answer label 7"]);
}

#[test]
fn the_same_id_twice_counts_once() {
    let mut rows = good();
    rows.push(rows[0].clone());
    let (record, votes) = extract(export(&rows));
    assert_eq!((votes.len(), left_out(&record, "classification id repeated")), (3, 1));
    let mut other = Row::answer(1, "zoe", "s2", "No");
    other.created.clone_from(&rows[0].created);
    rows[3] = other;
    let (record, votes) = extract(export(&rows));
    assert_eq!(votes.len(), 3);
    assert_eq!(left_out(&record, "classification id repeated with other content"), 1);
    assert_eq!(problem(&record, "classification id repeated with other content"), 1);
}

#[test]
fn subject_ids_of_twenty_digits_stay_as_they_are() {
    let rows =
        [Row::answer(1, "ann", "98765432109876543210", "Yes"), Row::answer(2, "bob", "007", "Yes")];
    let (_, votes) = extract(export(&rows));
    assert_eq!(votes[0]["subject_id"], "98765432109876543210");
    assert_eq!(votes[1]["subject_id"], "007");
}

#[test]
fn names_of_every_kind_are_people_of_their_own() {
    let names = [
        "a,b",
        "say \"hi\"",
        "line\nbreak",
        "tab\tbed",
        "\u{202e}rtl",
        "\u{645}\u{631}\u{62d}\u{628}\u{627}",
        "NA",
        "null",
        "nan",
        "0",
        "-1",
        "\u{4f60}\u{597d}",
        "'; DROP TABLE",
        "=1+1",
    ];
    let rows: Vec<Row> =
        names.iter().zip(1..).map(|(name, id)| Row::answer(id, name, "s1", "Yes")).collect();
    let (record, votes) = extract(export(&rows));
    let volunteers: std::collections::BTreeSet<&str> =
        votes.iter().map(|v| v["volunteer"].as_str()).collect();
    assert_eq!((votes.len(), volunteers.len()), (names.len(), names.len()));
    assert_eq!(record["summary"]["n_repeats"], 0);
}

#[test]
fn labels_keep_their_text() {
    let labels = [
        "< 1",
        "> 1",
        "1.0",
        "1-0",
        "\u{662f}",
        "Yes, \"really\"",
        "**bold**\n\nnote",
        "=cmd()",
        "[1+1]",
    ];
    let rows: Vec<Row> = labels
        .iter()
        .zip(1..)
        .map(|(label, id)| Row::answer(id, &format!("u{id}"), "s1", label))
        .collect();
    let (_, votes) = extract(export(&rows));
    // In CSV, what a spreadsheet would take for a formula stands behind an apostrophe; our readers take it off.
    let written =
        labels.map(|label| if label.starts_with('=') { format!("'{label}") } else { label.into() });
    assert_eq!(answers(&votes), written);
}

#[test]
fn times_in_the_future_and_no_times_are_kept_and_listed() {
    let mut rows = good();
    rows[0].created = "2999-01-01 00:00:00 UTC".to_owned();
    rows[1].created = "yesterday".to_owned();
    rows[2].created = String::new();
    let (record, votes) = extract(export(&rows));
    assert_eq!(votes.len(), 3);
    assert_eq!((problem(&record, "time in the future"), problem(&record, "unreadable time")), (1, 1));
    assert_eq!(votes[1]["created_at"], "");
}

#[test]
fn two_workflow_versions_are_merged_and_said() {
    let mut rows = good();
    rows[1].version = "2.10".to_owned();
    rows[1].annotations = json!([{"task": "T0", "task_label": "How?", "value": "No"}]).to_string();
    let (record, votes) = extract(export(&rows));
    assert_eq!(votes.len(), 3);
    assert_eq!(problem(&record, "task changed between versions"), 1);
    assert_eq!(record["summary"]["versions"].as_array().unwrap().len(), 2);
    let (record, votes) = extract_with(export(&rows), &["--version", "2.10"]);
    assert_eq!((votes.len(), left_out(&record, "version")), (1, 2));
    let (_, votes) = extract_with(export(&rows), &["--version", "2.1"]);
    assert_eq!(votes.len(), 0);
}

#[test]
fn strict_turns_problems_into_exit_code_3() {
    let place = Place::new();
    let mut rows = good();
    rows[1].annotations = "[".to_owned();
    place.write("bad.csv", export(&rows));
    place.write("good.csv", export(&good()));
    assert_eq!(place.volary(&["check", "bad.csv"]).code, 0);
    assert_eq!(place.volary(&["check", "bad.csv", "--strict"]).code, 3);
    assert_eq!(place.volary(&["check", "good.csv", "--strict"]).code, 0);
    assert_eq!(place.volary(&["check"]).code, 2);
}

#[test]
fn a_disk_that_fills_leaves_no_half_file() {
    let place = Place::new();
    let rows: Vec<Row> =
        (0..3000).map(|i| Row::answer(i, &format!("u{i}"), &format!("s{i}"), "Yes")).collect();
    place.write("export.csv", export(&rows));
    // Files may grow to 20 blocks only; beyond that every write fails, as on a full disk.
    let script = format!("ulimit -f 20; trap '' XFSZ; exec {VOLARY} extract export.csv -o x --to csv");
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(place.path("."))
        .output()
        .expect("sh starts");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.starts_with("error: ") && message.contains("writing failed"), "{message}");
    assert_eq!(place.files(), ["export.csv"], "{message}");
}

#[test]
fn ctrl_c_leaves_no_half_file_and_what_stood_before() {
    let place = Place::new();
    std::fs::create_dir(place.path("x")).unwrap();
    place.write("x/votes.csv", "old");
    let mut child = Command::new(VOLARY)
        .args(["extract", "-", "-o", "x", "--to", "csv"])
        .current_dir(place.path("."))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    writeln!(stdin, "{HEADER}").unwrap();
    for i in 0..60_000 {
        writeln!(stdin, "{}", Row::answer(i, &format!("u{i}"), &format!("s{i}"), "Yes").csv()).unwrap();
    }
    stdin.flush().unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(300));
    // The reader notices at its next block; a pipe may be closed by then.
    let more = vec![b'\n'; 3 << 20];
    let _ = stdin.write_all(&more);
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("stopped"), "{message}");
    assert_eq!(place.files(), ["x/votes.csv"]);
    assert_eq!(place.read("x/votes.csv"), "old");
}

/// Paths of a table of images lie within its folder; where none does, that is what is said.
#[test]
fn images_that_lie_elsewhere_are_named() {
    let place = Place::new();
    place.write("subjects.csv", "subject_id,file\na,/tmp/x.png\nb,../y.png\n");
    let run = place.volary(&["outliers", "subjects.csv", "--pixels", "--size", "32", "-o", "out.csv"]);
    run.fails_with("no row of subjects.csv names an image that can be used");
    assert!(run.stderr.contains("row 1") && run.stderr.contains("folder"), "{}", run.stderr);
    assert!(!place.path("out.csv").exists());
}
