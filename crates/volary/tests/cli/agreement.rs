//! `volary agreement` from the outside.

use std::collections::BTreeMap;

use crate::support::{Place, shared};

type Table = Vec<BTreeMap<String, String>>;

fn cell(table: &Table, answer: &str, measure: &str, distance: &str) -> BTreeMap<String, String> {
    let own = |r: &&BTreeMap<String, String>| {
        r["answer"] == answer && r["measure"] == measure && r["distance"] == distance
    };
    table.iter().find(own).unwrap_or_else(|| panic!("no {measure} {distance} of {answer:?}")).clone()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {row:?}"))
}

#[test]
fn a_label_table_and_its_levels() {
    let place = Place::new();
    // Krippendorff 2011: four observers, twelve units.
    let observers = ["123321412...", "12332241 25.3", ".33323422 51.", "12332441 251."];
    let mut labels = "task,worker,label\n".to_owned();
    for (v, line) in observers.iter().enumerate() {
        for (u, c) in line.replace(' ', "").chars().enumerate().filter(|(_, c)| *c != '.') {
            labels.push_str(&format!("{u},{v},{c}\n"));
        }
    }
    place.write("labels.csv", &labels);
    let run = |level: &str| {
        place.record(&["agreement", "labels.csv", "-o", "a.csv", "--level", level]);
        let row = cell(&place.table("a.csv"), "", "krippendorff_alpha", level);
        assert!(
            number(&row, "value_low") < number(&row, "value")
                && number(&row, "value") < number(&row, "value_high")
        );
        assert_eq!((row["n_subjects"].as_str(), row["n_votes"].as_str()), ("11", "40"));
        number(&row, "value")
    };
    for (level, expected) in [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)] {
        assert!((run(level) - expected).abs() < 5e-4, "{level}");
    }
    // Words in their order are the numbers.
    let mut words = labels;
    for (digit, word) in [
        (",1\n", ",none\n"),
        (",2\n", ",few\n"),
        (",3\n", ",some\n"),
        (",4\n", ",many\n"),
        (",5\n", ",all\n"),
    ] {
        words = words.replace(digit, word);
    }
    place.write("labels.csv", &words);
    let order = "none, few, some, many, all";
    place.record(&["agreement", "labels.csv", "-o", "w.csv", "--level", "ordinal", "--order", order]);
    let row = cell(&place.table("w.csv"), "", "krippendorff_alpha", "ordinal");
    assert!((number(&row, "value") - 0.815).abs() < 5e-4);
}

#[test]
fn every_kind_of_input_is_read_and_threads_change_nothing() {
    let place = Place::new();
    place.record(&["demo", "d", "--subjects", "60", "--volunteers", "30"]);
    place.record(&["agreement", "d/classifications.csv", "-o", "a.csv", "--threads", "1"]);
    place.record(&["agreement", "d/classifications.csv", "-o", "b.csv", "--threads", "3"]);
    place.record(&["extract", "d/classifications.csv", "-o", "x"]);
    place.record(&["agreement", "x", "-o", "c.csv"]);
    place.record(&["agreement", "x/votes.parquet", "-o", "d.csv"]);
    let table = place.read("a.csv");
    for other in ["b.csv", "c.csv", "d.csv"] {
        assert_eq!(table, place.read(other), "{other}");
    }
    let rows = place.table("a.csv");
    assert!(rows.iter().any(|r| r["kind"] == "multiple" && r["distance"] == "masi"));
    assert!(rows.iter().any(|r| r["kind"] == "single" && r["measure"] == "fleiss_kappa"));
    place.record(&["agreement", "x", "-o", "e.parquet", "--seed", "2"]);
    place.record(&["agreement", "x", "-o", "f.csv", "--seed", "2"]);
    assert_ne!(table, place.read("f.csv"));

    place.write("counts.csv", "subject_id,n_seen,n_votes\n1,10,9\n2,10,0\n3,10,1\n4,8,8\n5,10,2\n");
    place.record(&["agreement", "counts.csv", "-o", "g.csv"]);
    let row = cell(&place.table("g.csv"), "", "krippendorff_alpha", "nominal");
    assert!(number(&row, "value") > 0.5 && number(&row, "value_high") <= 1.0, "{row:?}");
}

#[test]
fn the_report_says_the_same() {
    let place = Place::new();
    place.record(&["demo", "d", "--subjects", "60", "--volunteers", "30"]);
    place.record(&[
        "agreement",
        "d/classifications.csv",
        "--workflows",
        "d/workflows.csv",
        "-o",
        "a.csv",
    ]);
    let report = place.read("d/report.html");
    assert!(report.contains("Agreement beyond chance"), "the report has a section on agreement");
    let rows = place.table("a.csv");
    let mut n = 0;
    for row in rows.iter().filter(|r| r["measure"] == "krippendorff_alpha" && !r["value_low"].is_empty())
    {
        let shown = format!("{:.3} to {:.3}", number(row, "value_low"), number(row, "value_high"));
        let shown = shown.replace('-', "−");
        assert!(report.contains(&shown) || report.contains(&shown.replace('−', "-")), "{shown}");
        n += 1;
    }
    assert!(n >= 4, "{n}");
    assert!(place.path("d/figures/agreement_alpha.svg").is_file());
}

#[test]
fn bad_input_has_a_reason_each() {
    let place = Place::new();
    let note = |labels: &str| {
        place.write("labels.csv", format!("task,worker,label\n{labels}"));
        place.record(&["agreement", "labels.csv", "-o", "a.csv"]);
        let row = cell(&place.table("a.csv"), "", "krippendorff_alpha", "nominal");
        (row["value"].clone(), row["note"].clone())
    };
    assert_eq!(note("1,ann,x\n2,ann,y\n"), (String::new(), "no subject has two votes".to_owned()));
    assert_eq!(note("1,ann,x\n1,ben,x\n"), (String::new(), "all votes are the same answer".to_owned()));
    let (value, why) = note("1,ann,x\n1,ben,x\n2,ann,y\n2,ben,y\n");
    assert_eq!((value.parse::<f64>().unwrap(), why.as_str()), (1.0, "unanimous, so no interval"));
    assert_eq!(note("1,ann,是\n1,ben,שלום\n").1, "one subject has no interval");
    // The same pair voting twice counts once; with `all` it pairs with itself.
    let labels = "1,ann,x\n1,ann,x\n2,ben,y\n2,ben,y\n";
    assert_eq!(note(labels).1, "no subject has two votes");
    place.record(&["agreement", "labels.csv", "-o", "a.csv", "--repeats", "all"]);
    let row = cell(&place.table("a.csv"), "", "krippendorff_alpha", "nominal");
    assert_eq!(number(&row, "value"), 1.0);
    // Nothing at all is an empty table.
    place.write("labels.csv", "task,worker,label\n");
    place.record(&["agreement", "labels.csv", "-o", "none.csv"]);
    assert!(place.table("none.csv").is_empty());

    place.write("labels.csv", "task,worker,label\n1,ann,low\n1,ben,high\n");
    let fails = |options: &[&str], words: &str| {
        let command = [&["agreement", "labels.csv", "-o", "no.csv"], options].concat();
        place.volary(&command).fails_with(words);
        assert!(!place.path("no.csv").exists());
    };
    fails(&["--level", "ratio"], "nominal, ordinal, interval");
    fails(&["--level", "ordinal"], "in the order given");
    fails(&["--level", "interval"], "numbers");
    fails(&["--level", "ordinal", "--order", "low,mid"], "\"high\"");
    fails(&["--level", "ordinal", "--order", "low,low"], "twice");
    fails(&["--level", "nominal", "--order", "low,high"], "--level ordinal");
    fails(&["--confidence", "1.5"], "between 0 and 1");
    fails(&["--repeats", "some"], "first, last, all");
    place.write("truth.csv", "subject_id,answer\n1,x\n");
    place.volary(&["agreement", "truth.csv", "-o", "no.csv"]).fails_with("no votes");
    place.write("counts.csv", "subject_id,n_seen,n_votes\n1,10,9\n");
    place.volary(&["agreement", "counts.csv", "-o", "no.csv", "--flags"]).fails_with("who voted");
}

#[test]
fn flags_find_spammers_and_write_no_weights() {
    let place = Place::new();
    place.record(&[
        "simulate",
        "crowd",
        "-o",
        "c",
        "--subjects",
        "1500",
        "--volunteers",
        "80",
        "--classes",
        "3",
        "--activity",
        "0.3",
        "--kinds",
        "typical=0.85,spammer=0.15",
        "--session-votes",
        "20",
    ]);
    let record = place.record(&["agreement", "c/labels.csv", "-o", "a.csv", "--flags"]);
    let kinds: BTreeMap<String, String> = place
        .table("c/volunteers.csv")
        .into_iter()
        .map(|r| (r["worker"].clone(), r["kind"].clone()))
        .collect();
    let (mut found, mut spammers, mut wrongly) = (0, 0, 0);
    for row in place.table("a_flags.csv").iter().filter(|r| number(r, "n_votes") >= 100.0) {
        let flagged = row["flags"].contains("no_relation") || row["flags"].contains("one_answer");
        if kinds[&row["volunteer"]] == "spammer" {
            spammers += 1;
            found += u32::from(flagged);
        } else {
            wrongly += u32::from(flagged);
        }
    }
    assert!(
        spammers >= 3 && found * 10 >= spammers * 7 && wrongly <= 1,
        "{found} of {spammers}, {wrongly} wrongly"
    );
    assert!(record["summary"]["n_flag_no_relation"].as_u64().unwrap() > 0);
}

#[test]
fn real_sets_from_the_outside() {
    for (set, alpha) in [("rte", 0.24147876613881425), ("web", 0.2104205536656979)] {
        let Some(labels) = shared(&format!("crowd/{set}/labels.csv")) else { return };
        let place = Place::new();
        place.record(&["agreement", labels.to_str().unwrap(), "-o", "a.csv", "--replicates", "100"]);
        let row = cell(&place.table("a.csv"), "", "krippendorff_alpha", "nominal");
        assert!((number(&row, "value") - alpha).abs() < 1e-10, "{set}: {row:?}");
    }
}
