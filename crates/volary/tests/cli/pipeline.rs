//! The ways through the pipeline agree: whatever the number of threads, the format in between, the order
//! of the rows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Place, Row, export, walk};

fn demo(place: &Place) {
    let record = place.record(&["demo", "demo", "--subjects", "150", "--volunteers", "60"]);
    assert_eq!(record["problems"], serde_json::json!({}), "{record:#}");
}

/// Every file of a folder but the records, which hold times.
fn bytes_of(place: &Place, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    walk(&place.path(folder), &mut |path| {
        let name = path.strip_prefix(place.path(folder)).unwrap().to_string_lossy().into_owned();
        if !name.ends_with("run.json") && !name.starts_with(".volary") {
            out.insert(name, std::fs::read(path).unwrap());
        }
    });
    out
}

#[test]
fn the_demo_makes_a_project_with_a_report_and_repeats_to_the_byte() {
    let place = Place::new();
    demo(&place);
    let files = place.files();
    for name in [
        "demo/volary.toml",
        "demo/classifications.csv",
        "demo/truth.csv",
        "demo/dips.csv",
        "demo/extracts/votes.parquet",
        "demo/extracts/marks.parquet",
        "demo/consensus/consensus.parquet",
        "demo/consensus/consensus_volunteers.parquet",
        "demo/marks/metafeatures.parquet",
        "demo/marks/floors.parquet",
        "demo/report.html",
        "demo/run.json",
    ] {
        assert!(files.iter().any(|f| f == name), "{name} is not among {files:#?}");
    }
    // A link to the page on this machine is followed by hand only.
    let page = "<a href=\"http://127.0.0.1:8420/subjects/";
    let report = place.read("demo/report.html");
    assert!(report.contains("<svg") && report.contains("id=\"marks\"") && report.contains(page));
    let report = report.replace(page, "");
    for fetch in ["src=", "href=\"http", "url(", "@import", "<script", "<link"] {
        assert!(!report.contains(fetch), "the report asks for something else: {fetch}");
    }
    let first = bytes_of(&place, "demo");
    demo(&place);
    let second = bytes_of(&place, "demo");
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs between two runs");
    }
}

#[test]
fn the_demo_finds_the_truth_that_it_simulated() {
    let place = Place::new();
    let record = place.record(&["demo", "demo"]);
    let methods = record["summary"]["methods"].as_array().unwrap().clone();
    let plain = methods.iter().find(|m| m["task"] == "T0" && m["workflow"] == "101").unwrap();
    let accuracy = plain["accuracy"].as_f64().unwrap();
    assert!((0.85..=1.0).contains(&accuracy), "{plain:#}");
    assert!(plain["accuracy_low"].as_f64().unwrap() < accuracy);
    // The dips that volunteers marked are features, and the known ones are among them.
    let marks = &record["summary"]["marks"];
    assert!(marks["recovered"].as_f64().unwrap() > 0.9, "{marks:#}");
    assert!(marks["precision"].as_f64().unwrap() > 0.9, "{marks:#}");
}

#[test]
fn a_stage_that_is_up_to_date_is_left_out() {
    let place = Place::new();
    demo(&place);
    // By whichever way the folder is named.
    let absolute = place.path("demo").display().to_string();
    for folder in ["demo", "./demo/../demo", &absolute] {
        let record = place.record(&["run", folder]);
        let stages = record["summary"].as_object().unwrap().iter();
        let stages: Vec<_> = stages.filter(|(name, _)| name.starts_with("stage_")).collect();
        assert!(stages.len() >= 8, "{record:#}");
        assert!(stages.iter().all(|(_, state)| *state == "up to date"), "{folder}: {stages:?}");
    }
    let settings = place.read("demo/volary.toml").replace("\"jeffreys\"", "\"wilson\"");
    place.write("demo/volary.toml", &settings);
    let record = place.record(&["run", "demo"]);
    assert_eq!(record["summary"]["stage_extract"], "up to date");
    assert_eq!(record["summary"]["stage_consensus"], "done");
    assert_eq!(record["summary"]["stage_marks"], "up to date");
    place.write("demo/volary.toml", settings.replace("model = \"satchel\"", "model = \"bayes\""));
    let record = place.record(&["run", "demo"]);
    assert_eq!(record["summary"]["stage_consensus"], "up to date");
    assert_eq!(record["summary"]["stage_marks"], "done");
    assert!(record["summary"]["marks"]["bayes_rounds"].as_u64().unwrap() > 0);
    let record = place.record(&["run", "demo", "--force"]);
    assert_eq!(record["summary"]["stage_extract"], "done");
}

#[test]
fn gold_that_changes_makes_the_consensus_anew() {
    let place = Place::new();
    demo(&place);
    let gold = "subject_id,task,answer\n90000000,T0,Smooth\n";
    place.write("demo/gold.csv", gold);
    let settings = place.read("demo/volary.toml");
    let with_gold = "method = \"dawid-skene\"\ngold = \"gold.csv\"";
    place.write("demo/volary.toml", settings.replace("method = \"fraction\"", with_gold));
    assert_eq!(place.record(&["run", "demo"])["summary"]["stage_consensus"], "done");
    assert_eq!(place.record(&["run", "demo"])["summary"]["stage_consensus"], "up to date");
    place.write("demo/gold.csv", gold.replace("Smooth", "Features or disk"));
    assert_eq!(place.record(&["run", "demo"])["summary"]["stage_consensus"], "done");
}

#[test]
fn threads_change_nothing() {
    let place = Place::new();
    demo(&place);
    for threads in ["1", "2", "5"] {
        let out = format!("t{threads}");
        place.record(&["extract", "demo/classifications.csv", "-o", &out, "--threads", threads]);
        let table = format!("{out}/consensus.csv");
        place.record(&["consensus", "demo/classifications.csv", "-o", &table, "--threads", threads]);
    }
    assert_eq!(bytes_of(&place, "t1"), bytes_of(&place, "t2"));
    assert_eq!(bytes_of(&place, "t1"), bytes_of(&place, "t5"));
}

#[test]
fn every_way_in_gives_the_same_consensus() {
    let place = Place::new();
    demo(&place);
    place.record(&["consensus", "demo/classifications.csv", "-o", "direct.csv"]);
    let expected = (
        place.read("direct.csv"),
        place.read("direct_subjects.csv"),
        place.read("direct_volunteers.csv"),
    );
    for format in ["parquet", "csv", "json", "arrow"] {
        place.record(&["extract", "demo/classifications.csv", "-o", format, "--to", format]);
        place.record(&["consensus", format, "-o", "again.csv"]);
        let again = (
            place.read("again.csv"),
            place.read("again_subjects.csv"),
            place.read("again_volunteers.csv"),
        );
        assert!(again == expected, "by way of {format}");
    }
}

/// A workflow export with one question in two versions: 1.1 and 2.1, the second with other answers.
fn two_versions() -> String {
    let quote = |v: serde_json::Value| format!("\"{}\"", v.to_string().replace('"', "\"\""));
    let row = |version: u32, labels: [&str; 3]| {
        let answers: Vec<_> = labels.iter().map(|l| serde_json::json!({"label": l})).collect();
        let tasks = serde_json::json!({"T0": {"type": "single", "question": "What?", "answers": answers},
            "T9": {"type": "single", "question": "Never asked?", "answers": answers}});
        format!("7,Test,{version},true,T0,{},{{}},{{}},1", quote(tasks))
    };
    format!(
        "workflow_id,display_name,version,active,first_task,tasks,retirement,strings,minor_version\n{}\n{}\n",
        row(1, ["Yes", "No", "Neither"]),
        row(2, ["Yes", "No", "Not in use"])
    )
}

#[test]
fn with_the_workflow_export_an_answer_that_nobody_gave_has_its_rows() {
    let place = Place::new();
    place.write("workflows.csv", two_versions());
    let rows = [("ann", "s1", "Yes"), ("bob", "s1", "Yes"), ("ann", "s2", "No")];
    let rows: Vec<Row> = (1..)
        .zip(rows)
        .map(|(id, (who, subject, answer))| Row::answer(id, who, subject, answer))
        .collect();
    place.write("export.csv", export(&rows));
    let with = ["--workflows", "workflows.csv"];
    place.record(&[&["consensus", "export.csv", "-o", "direct.csv"][..], &with].concat());
    let table = place.table("direct.csv");
    let row = |table: &[BTreeMap<String, String>], subject: &str, answer: &str| {
        let is_it = |r: &&BTreeMap<String, String>| r["subject_id"] == subject && r["answer"] == answer;
        table.iter().find(is_it).cloned()
    };
    // Two subjects by three answers of the version in use, and no question that nobody met.
    assert_eq!(table.len(), 6, "{table:#?}");
    let never = row(&table, "s1", "Neither").unwrap();
    assert_eq!((&*never["n_votes"], &*never["n_answered"], &*never["fraction"]), ("0", "2", "0"));
    assert_eq!(never["fraction_low"], "0");
    assert!(never["fraction_high"].parse::<f64>().unwrap() > 0.3);
    assert_eq!(row(&table, "s1", "Not in use"), None);
    // By way of the tables it is the same, and without the workflow export there is no such row.
    place.record(&["extract", "export.csv", "-o", "x", "--workflows", "workflows.csv"]);
    place.record(&[&["consensus", "x", "-o", "again.csv"][..], &with].concat());
    assert_eq!(place.read("again.csv"), place.read("direct.csv"));
    place.record(&["consensus", "export.csv", "-o", "without.csv"]);
    assert_eq!(row(&place.table("without.csv"), "s1", "Neither"), None);
}

#[test]
fn the_order_of_the_rows_changes_nothing() {
    let place = Place::new();
    demo(&place);
    let text = place.read("demo/classifications.csv");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    place.write("reversed.csv", lines.join("\n"));
    place.record(&["consensus", "demo/classifications.csv", "-o", "a.csv"]);
    place.record(&["consensus", "reversed.csv", "-o", "b.csv"]);
    assert!(place.read("a.csv") == place.read("b.csv"));
    assert!(place.read("a_volunteers.csv") == place.read("b_volunteers.csv"));
}

#[test]
fn repeats_count_first_last_or_all() {
    let place = Place::new();
    let labels = "task,worker,label,created_at\n\
                  s,ann,A,2024-01-01T00:00:00Z\ns,bob,B,2024-01-01T00:00:01Z\n\
                  s,ann,B,2024-01-02T00:00:00Z\ns,eve,B,2024-01-01T00:00:02Z\n";
    place.write("labels.csv", labels);
    let votes = |rule: &str| {
        place.record(&["consensus", "labels.csv", "-o", "c.csv", "--repeats", rule]);
        let of = |answer: &str| {
            let table = place.table("c.csv");
            table.iter().find(|r| r["answer"] == answer).map(|r| r["n_votes"].clone()).unwrap()
        };
        (of("A"), of("B"))
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(votes("first"), pair("1", "2"));
    assert_eq!(votes("last"), pair("0", "3"));
    assert_eq!(votes("all"), pair("1", "3"));
}

#[test]
fn experience_weighs_and_the_interval_widens() {
    let place = Place::new();
    let mut labels = String::from("task,worker,label\n");
    for i in 0..20 {
        labels.push_str(&format!("easy{i},veteran,A\n"));
    }
    labels.push_str("s,veteran,A\ns,new1,B\ns,new2,B\n");
    place.write("labels.csv", labels);
    let share = |more: &[&str]| {
        place.record(&[&["consensus", "labels.csv", "-o", "c.csv"], more].concat());
        let table = place.table("c.csv");
        let row = table.iter().find(|r| r["subject_id"] == "s" && r["answer"] == "A").unwrap().clone();
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        (number("fraction"), number("n_effective"), number("n_votes"))
    };
    let (plain, n, _) = share(&[]);
    assert!((plain - 1.0 / 3.0).abs() < 1e-12 && n == 3.0);
    let (weighted, n, votes) = share(&["--experience", "10:2"]);
    assert!((weighted - 0.5).abs() < 1e-12 && (n - 16.0 / 6.0).abs() < 1e-12 && votes == 1.0);
    place.write("w.csv", "worker,weight\nveteran,0\n");
    place.volary(&["consensus", "labels.csv", "-o", "c.csv", "--weights", "w.csv"]).fails_with("weight");
    let (floored, _, _) = share(&["--weights", "w.csv", "--weight-floor", "0.5"]);
    assert!((floored - 0.2).abs() < 1e-12, "{floored}");
}

#[test]
fn simulated_crowds_repeat_and_their_truth_is_found() {
    let place = Place::new();
    for folder in ["a", "b"] {
        place.record(&[
            "simulate",
            "crowd",
            "-o",
            folder,
            "--subjects",
            "400",
            "--classes",
            "4",
            "--seed",
            "9",
        ]);
    }
    assert_eq!(place.read("a/labels.csv"), place.read("b/labels.csv"));
    let record = place.record(&["consensus", "a/labels.csv", "--truth", "a/truth.csv", "-o", "c.csv"]);
    let accuracy = record["summary"]["methods"][0]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
}

#[test]
fn an_unknown_setting_or_name_is_one_clear_error() {
    let place = Place::new();
    place.write("labels.csv", "task,worker,label\n1,a,x\n");
    place
        .volary(&["consensus", "labels.csv", "-o", "c.csv", "--interval", "wald"])
        .fails_with("jeffreys");
    place
        .volary(&["consensus", "labels.csv", "-o", "c.csv", "--method", "oracle"])
        .fails_with("fraction");
    place.volary(&["consensus", "labels.csv", "-o", "c.xlsx"]).fails_with(".parquet");
    place.volary(&["consensus", "labels.csv", "-o", "c.csv", "--repeats", "some"]).fails_with("first");
    place.volary(&["consensus", "labels.csv", "-o", "c.csv", "--experience", "x"]).fails_with("100:2");
    place.write("volary.toml", "[consensus]\nintervall = \"wilson\"\n");
    let run = place.volary(&["consensus", "labels.csv", "-o", "c.csv", "--config", "volary.toml"]);
    assert!(run.code == 1 && run.stderr.contains("intervall"), "{}", run.stderr);
    place.write("volary.toml", "[consensus]\ninterval = \"wilson\"\n");
    place.volary(&["run"]).fails_with("no exports");
    assert_eq!(place.files(), ["labels.csv", "volary.toml"]);
}

#[test]
fn the_settings_file_and_the_command_line_say_the_same() {
    let place = Place::new();
    place.write("labels.csv", "task,worker,label\n1,a,x\n1,b,x\n1,c,y\n");
    place.write("settings.toml", "[consensus]\ninterval = \"wilson\"\nlevel = 0.9\n");
    place.record(&["consensus", "labels.csv", "-o", "a.csv", "--config", "settings.toml"]);
    place.record(&["consensus", "labels.csv", "-o", "b.csv", "--interval", "wilson", "--level", "0.9"]);
    assert_eq!(place.read("a.csv"), place.read("b.csv"));
    place.record(&[
        "consensus",
        "labels.csv",
        "-o",
        "c.csv",
        "--config",
        "settings.toml",
        "--level",
        "0.5",
    ]);
    assert_ne!(place.read("a.csv"), place.read("c.csv"));
}

/// A workflow export of one drawing task with the given tools.
fn drawing_workflow(tools: &[&str]) -> String {
    let tools: Vec<Value> =
        tools.iter().map(|t| json!({"type": t, "label": "T0.tools.0.label"})).collect();
    let tasks = json!({"T0": {"type": "drawing", "instruction": "T0.instruction", "tools": tools}});
    let quote = |v: &Value| format!("\"{}\"", v.to_string().replace('"', "\"\""));
    let strings = json!({"T0.instruction": "Draw"});
    format!(
        "workflow_id,display_name,version,active,first_task,tasks,retirement,strings,minor_version\n\
         7,Test,1,true,T0,{},{{}},{},1\n",
        quote(&tasks),
        quote(&strings)
    )
}

#[test]
fn who_drew_no_column_is_missing_from_neither_table() {
    let place = Place::new();
    let draw = |id, marks: Value| {
        Row::new(
            id,
            &format!("u{id}"),
            "s1",
            &json!([{"task": "T0", "task_label": "Draw", "value": marks}]),
        )
    };
    let column = json!([{"tool": 0, "frame": 0, "details": [], "x": 5.0, "width": 1.0}]);
    place.write("export.csv", export(&[draw(1, column.clone()), draw(2, json!([])), draw(3, column)]));
    place.write("workflows.csv", drawing_workflow(&["column"]));
    for (out, more) in [("a", &[][..]), ("b", &["--workflows", "workflows.csv"][..])] {
        place.record(&[&["extract", "export.csv", "-o", out, "--to", "csv"][..], more].concat());
        for table in ["marks", "shapes"] {
            let rows = place.table(&format!("{out}/{table}.csv"));
            let of: Vec<&str> = rows.iter().map(|r| r["classification_id"].as_str()).collect();
            assert_eq!(of, ["1", "2", "3"], "{out}/{table}");
        }
    }
}

#[test]
fn the_workflow_export_says_which_tool_made_a_mark() {
    let place = Place::new();
    let marks = json!([
        {"tool": 0, "frame": 0, "details": [], "x": 5.0, "y": 6.0, "r": 2.0, "angle": 30.0},
        {"tool": 1, "frame": 0, "details": [], "x": 5.0, "y": 6.0, "r": 2.0},
        // The index of another version: what the keys show holds.
        {"tool": 0, "frame": 0, "details": [], "x": 5.0, "y": 6.0},
    ]);
    let row = Row::new(1, "ann", "s1", &json!([{"task": "T0", "task_label": "Draw", "value": marks}]));
    place.write("export.csv", export(&[row]));
    place.write("workflows.csv", drawing_workflow(&["triangle", "circle"]));
    let tools = |out: &str, more: &[&str]| -> Vec<String> {
        place.record(&[&["extract", "export.csv", "-o", out, "--to", "csv"][..], more].concat());
        place.table(&format!("{out}/shapes.csv")).iter().map(|r| r["shape"].clone()).collect()
    };
    assert_eq!(tools("a", &[]), ["circle", "circle", "point"]);
    assert_eq!(tools("b", &["--workflows", "workflows.csv"]), ["triangle", "circle", "point"]);
}

#[test]
fn a_subject_export_becomes_a_table() {
    let place = Place::new();
    place.write(
        "subjects.csv",
        "subject_id,project_id,workflow_id,subject_set_id,metadata,locations,classifications_count,\
         retired_at,retirement_reason\n\
         10,1,7,3,\"{\"\"name\"\":\"\"b, c\"\"}\",\"{\"\"0\"\":\"\"https://x/1.png\"\"}\",12,2024-01-01 00:00:00 UTC,consensus\n\
         9,1,7,3,{},{},,,\n",
    );
    let record = place.record(&["extract", "subjects.csv", "-o", "x", "--to", "csv"]);
    assert_eq!(record["rows"]["subjects"], 2);
    let rows = place.table("x/subjects.csv");
    assert_eq!((rows[0]["subject_id"].as_str(), rows[0]["n_classifications"].as_str()), ("9", ""));
    assert_eq!(rows[1]["metadata"], r#"{"name":"b, c"}"#);
    assert_eq!(rows[1]["locations"], r#"["https://x/1.png"]"#);
    assert_eq!(
        (rows[1]["retirement_reason"].as_str(), &rows[1]["retired_at"][..10]),
        ("consensus", "2024-01-01")
    );
    let refused = place.volary(&["extract", "subjects.csv", "-o", "y", "--live-only"]);
    refused.fails_with("no workflows, versions and tasks to choose from");
}

#[test]
fn a_label_table_and_planet_hunters_rows_are_projects_too() {
    let place = Place::new();
    place.record(&["simulate", "crowd", "-o", "crowd", "--subjects", "60", "--volunteers", "20"]);
    let init = ["init", "--export", "crowd/labels.csv", "--truth", "crowd/truth.csv", "labels"];
    assert_eq!(place.volary(&init).code, 0);
    let record = place.record(&["run", "labels"]);
    assert_eq!(record["summary"]["stage_consensus"], "done");
    assert!(record["summary"]["stage_extract"].is_null());
    assert!(record["summary"]["methods"].as_array().unwrap().len() > 3);
    assert!(place.read("labels/report.html").contains("<svg"));
    assert_eq!(place.record(&["run", "labels"])["summary"]["stage_consensus"], "up to date");

    place.record(&["simulate", "lightcurves", "-o", "sky", "--scale", "0.001"]);
    let init =
        ["init", "--export", "sky/classifications.csv", "--marks-truth", "sky/truth.csv", "sky/project"];
    assert_eq!(place.volary(&init).code, 0);
    let settings = place.read("sky/project/volary.toml");
    let with_signals = "signals = \"../signals.csv\"";
    place.write(
        "sky/project/volary.toml",
        settings.replace("# signals = \"injected-signals.csv\"", with_signals),
    );
    let record = place.record(&["run", "sky/project"]);
    // The signals are joined by simulation, which only the rows themselves know.
    assert!(record["summary"]["marks"]["n_volunteers_with_simulations"].as_u64().unwrap() > 0);
    assert!(record["summary"]["marks"]["recovered"].as_f64().unwrap() > 0.5);
    let again = place.record(&["run", "sky/project"]);
    for stage in ["extract", "consensus", "marks", "report"] {
        assert_eq!(again["summary"][format!("stage_{stage}")], "up to date", "{stage}");
    }
}
