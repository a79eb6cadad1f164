//! `volary sample` from the outside: even over the scores, unbiased totals, each subject once, repeatable.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::Place;

/// 4,000 candidates, most of them with low scores.
fn candidates(place: &Place) {
    let mut table = String::from("subject_id,score,model\n");
    for at in 0..4_000_u32 {
        let score = ((f64::from(at) + 0.5) / 4_000.0).powi(4);
        table.push_str(&format!("s{at:04},{score},m1\n"));
    }
    place.write("candidates.csv", table);
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap()
}

#[test]
fn a_draw_is_even_over_the_scores_and_says_how_likely_each_was() {
    let place = Place::new();
    candidates(&place);
    let draw = ["sample", "candidates.csv", "--number", "200", "--seed", "5", "-o"];
    let record = place.record(&[&draw[..], &["sample.csv"]].concat());
    assert_eq!((&record["rows"]["sample"], &record["rows"]["sample_bins"]), (&200.into(), &20.into()));
    let rows = place.table("sample.csv");
    let mut by_bin: BTreeMap<String, u32> = BTreeMap::new();
    for row in &rows {
        *by_bin.entry(row["bin"].clone()).or_default() += 1;
        assert_eq!(
            (row["stream"].as_str(), row["seed"].as_str(), row["model"].as_str()),
            ("debiased", "5", "m1")
        );
        assert!((number(row, "weight") * number(row, "n_bin") - 1.0).abs() < 1e-12);
        assert!((number(row, "probability") - 10.0 / number(row, "n_bin")).abs() < 1e-12);
        assert_eq!((number(row, "score") * 20.0) as u32, row["bin"].parse::<u32>().unwrap());
    }
    assert!(by_bin.len() == 20 && by_bin.values().all(|n| *n == 10), "{by_bin:?}");
    // Each row counts for 1/probability candidates: together for all.
    let total: f64 = rows.iter().map(|row| 1.0 / number(row, "probability")).sum();
    assert!((total - 4_000.0).abs() < 1e-6);
    for row in place.table("sample_bins.csv") {
        assert_eq!((row["achieved"].as_str(), row["quota"].as_str()), ("10", "10"));
        assert!((number(&row, "expected") - 10.0).abs() < 1e-9);
    }
    // The same seed draws the same, another one does not; the order of the rows changes nothing.
    let text = place.read("candidates.csv");
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    lines.reverse();
    place.write("turned.csv", format!("subject_id,score,model\n{}\n", lines.join("\n")));
    place.record(&["sample", "turned.csv", "--number", "200", "--seed", "5", "-o", "again.csv"]);
    assert_eq!(place.read("sample.csv"), place.read("again.csv"));
    place.record(&["sample", "turned.csv", "--number", "200", "--seed", "6", "-o", "other.csv"]);
    assert_ne!(place.read("sample.csv"), place.read("other.csv"));
}

#[test]
fn both_streams_together_bring_each_subject_once() {
    let place = Place::new();
    candidates(&place);
    place.write("shown.csv", "subject_id\ns3999\ns3998\nnobody\n");
    let record = place.record(&[
        "sample",
        "candidates.csv",
        "--above",
        "0.7",
        "--most",
        "100",
        "--number",
        "100",
        "--draw",
        "stream",
        "--shown",
        "shown.csv",
        "-o",
        "both.parquet",
    ]);
    let summary = &record["summary"];
    assert_eq!(
        (&summary["n_shown"], &summary["n_broken"], &summary["n_real_time"]),
        (&2.into(), &0.into(), &100.into())
    );
    place.record(&[
        "sample",
        "candidates.csv",
        "--above",
        "0.7",
        "--most",
        "100",
        "--number",
        "100",
        "--draw",
        "stream",
        "--shown",
        "shown.csv",
        "-o",
        "both.csv",
    ]);
    let rows = place.table("both.csv");
    let ids: BTreeSet<&str> = rows.iter().map(|row| row["subject_id"].as_str()).collect();
    assert_eq!(ids.len(), rows.len());
    assert!(rows.len() > 120 && !ids.contains("s3999"));
    let n_above = summary["n_above"].as_f64().unwrap();
    for row in &rows {
        let (p, is_real_time) = (number(row, "probability"), row["stream"] == "real-time");
        assert!(!is_real_time || (number(row, "score") > 0.7 && row["bin"].is_empty()));
        // More than by the real-time stream alone.
        assert!(p <= 1.0 && (number(row, "score") <= 0.7 || p > 100.0 / n_above), "{row:?}");
    }
}

#[test]
fn broken_scores_are_set_aside_and_thresholds_are_strict() {
    let place = Place::new();
    place.write("few.csv", "subject_id,score\na,0.7\nb,0.71\nc,1.2\nd,nan\ne,\nf,high\nb,0.71\n,0.9\n");
    let record =
        place.record(&["sample", "few.csv", "--above", "0.7", "--model", "m9", "-o", "few_out.csv"]);
    assert_eq!(
        (&record["summary"]["n_broken"], &record["summary"]["n_repeated"]),
        (&4.into(), &1.into())
    );
    let rows = place.table("few_out.csv");
    assert_eq!((rows.len(), rows[0]["subject_id"].as_str(), rows[0]["model"].as_str()), (1, "b", "m9"));
    assert_eq!(number(&rows[0], "probability"), 1.0);
    // 0.1 in 32 bits, widened, is more than 0.1 in 64.
    place.write("narrow.csv", "subject_id,score\na,0.10000000149011612\n");
    let of = |more: &[&str]| {
        place.record(&[&["sample", "narrow.csv", "--above", "0.1", "-o", "n.csv"], more].concat())["summary"]["n_drawn"]
            .clone()
    };
    assert_eq!((of(&[]), of(&["--single-precision"])), (1.into(), 0.into()));
}

#[test]
fn what_cannot_be_drawn_is_one_clear_error() {
    let place = Place::new();
    candidates(&place);
    let run =
        |more: &[&str]| place.volary(&[&["sample", "candidates.csv", "-o", "x.csv"], more].concat());
    run(&[]).fails_with("--number");
    run(&["--number", "10", "--bins", "0"]).fails_with("bins");
    run(&["--above", "1.5"]).fails_with("threshold");
    run(&["--number", "10", "--model", "m7"]).fails_with("no candidate is left");
    run(&["--number", "10", "--shown", "candidates.csv"]).fails_with("4000 were shown already");
    place.write("two.csv", "subject_id,score,model\na,0.5,m1\nb,0.5,m2\n");
    place
        .volary(&["sample", "two.csv", "--number", "1", "-o", "x.csv"])
        .fails_with("draw from each model by itself");
    place.record(&["sample", "two.csv", "--number", "1", "--model", "m2", "-o", "y.csv"]);
    place.write("none.csv", "id,score\n1,0.5\n");
    place.volary(&["sample", "none.csv", "--number", "1", "-o", "x.csv"]).fails_with("subject_id");
    assert!(!place.path("x.csv").exists());
    let most =
        place.volary(&["sample", "candidates.csv", "--most", "5", "--number", "5", "-o", "x.csv"]);
    assert_eq!(most.code, 2, "a wrong usage");
}
