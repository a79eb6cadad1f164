//! Real exports from `../shared/data`, against the reductions that panoptes-aggregation 5.3.1 made of
//! them and against counts of our own. Skipped, saying so, where the data are not there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{Place, read_csv, shared};

type Counts = BTreeMap<(String, String, String), f64>;

/// (subject, task, answer) → votes, out of our consensus table.
fn ours(place: &Place, export: &Path, more: &[&str]) -> (Counts, Value) {
    let export = export.to_str().unwrap();
    let arguments = ["consensus", export, "-o", "c.csv", "--repeats", "all"];
    let record = place.record(&[&arguments[..], more].concat());
    let rows = place.table("c.csv").into_iter();
    let counts = rows.filter(|r| r["n_votes"] != "0").map(|r| {
        let key = (r["subject_id"].clone(), r["task"].clone(), r["answer"].clone());
        (key, r["n_votes"].parse().unwrap())
    });
    (counts.collect(), record)
}

/// The same out of a reduction of the reference, whose columns are `data.<slug>`.
fn reference(path: &Path) -> Counts {
    let mut counts = Counts::new();
    for row in read_csv(path) {
        for (column, value) in &row {
            let Some(answer) = column.strip_prefix("data.") else { continue };
            if let Ok(n) = value.parse::<f64>() {
                counts.insert((row["subject_id"].clone(), row["task"].clone(), answer.to_owned()), n);
            }
        }
    }
    counts
}

/// The reference turns labels into slugs; two labels of one slug would show as a difference.
fn slugged(counts: Counts) -> Counts {
    let slug = |label: &str| {
        let words: String =
            label.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        words.split('-').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-")
    };
    let mut out = Counts::new();
    for ((subject, task, answer), n) in counts {
        *out.entry((subject, task, slug(&answer))).or_default() += n;
    }
    out
}

#[test]
fn question_votes_equal_the_reference_subject_by_subject() {
    let (Some(export), Some(expected)) = (
        shared("zooniverse/superluminous/cls_export.csv"),
        shared("zooniverse_expected/superluminous/question_reducer_slsn.csv"),
    ) else {
        return;
    };
    let (counts, _) = ours(&Place::new(), &export, &[]);
    assert_eq!(slugged(counts), reference(&expected));
}

#[test]
fn fossil_votes_equal_the_reference_but_for_the_column_of_nobody() {
    let (Some(export), Some(expected)) = (
        shared("zooniverse/questions/fossil-finder-classifications_test.csv"),
        shared("zooniverse_expected/drawing/question_reducer_fossil.csv"),
    ) else {
        return;
    };
    let (counts, _) = ours(&Place::new(), &export, &["--version", "160.317"]);
    let mut expected = reference(&expected);
    // The reference counts blank answers as votes for `None`; we count voters apart from votes.
    let n_blank = expected.keys().filter(|k| k.2 == "None").count();
    assert!(n_blank > 0);
    expected.retain(|k, _| k.2 != "None");
    let ours: Counts =
        slugged(counts).into_iter().filter(|(k, _)| expected.keys().any(|e| e.1 == k.1)).collect();
    assert_eq!(ours, expected);
}

#[test]
fn survey_votes_equal_the_reference() {
    for (export, expected, task, version) in [
        (
            "survey/survey-classifications_4994.csv",
            "survey/survey_reducer_4994.csv",
            "T0",
            ["--min-version", "100"].as_slice(),
        ),
        (
            "survey/kenya-sample.csv",
            "survey/survey_reducer_kenya.csv",
            "T3",
            &["--min-version", "306", "--max-version", "307"],
        ),
    ] {
        let (Some(export), Some(expected)) = (
            shared(&format!("zooniverse/{export}")),
            shared(&format!("zooniverse_expected/{expected}")),
        ) else {
            return;
        };
        let (counts, _) = ours(&Place::new(), &export, version);
        let choices: Counts = counts.into_iter().filter(|(k, _)| k.1 == task).collect();
        let expected: Counts = read_csv(&expected)
            .into_iter()
            .map(|r| {
                let key = (r["subject_id"].clone(), r["task"].clone(), r["data.choice"].clone());
                (key, r["data.choice_count"].parse().unwrap())
            })
            .collect();
        let ours = slugged(choices);
        let differ: Vec<_> = expected.iter().filter(|(k, n)| ours.get(*k) != Some(n)).collect();
        // One volunteer named zebra twice in one classification: the reference counts two votes, we one.
        let twice = ("10456896".to_owned(), "T3".to_owned(), "zebra".to_owned());
        let known: Vec<_> = expected.get_key_value(&twice).into_iter().collect();
        assert_eq!(differ, known, "{}", export.display());
        assert_eq!(ours.len(), expected.len(), "{}", export.display());
    }
}

#[test]
fn shortcuts_equal_the_reference() {
    let (Some(export), Some(expected)) = (
        shared("zooniverse/survey/kenya-sample.csv"),
        shared("zooniverse_expected/survey/shortcut_reducer_kenya.csv"),
    ) else {
        return;
    };
    let (counts, _) = ours(&Place::new(), &export, &["--min-version", "306", "--max-version", "307"]);
    let ours: Counts = slugged(counts).into_iter().filter(|(k, _)| k.1 == "T5").collect();
    assert_eq!(ours, reference(&expected));
}

#[test]
fn every_export_is_read_and_every_row_accounted_for() {
    for (path, rows) in [
        ("cat_project/cat-project-classifications.csv", 153),
        ("superluminous/cls_export.csv", 7),
        ("survey/camcat_sa.csv", 1000),
        ("survey/kenya-sample.csv", 2000),
        ("survey/wildcam_gorongosa_sample.csv", 20),
        ("survey/survey-classifications_4994.csv", 38),
        ("drawing/ap-aas229-test-classifications.csv", 63),
        ("questions/building_blocks_example_classifications.csv", 163),
        ("questions/fossil-finder-classifications_test.csv", 41),
        ("swap/kswap-demo-classifications.csv", 1000),
        ("swap/minion-zoo-dmc-example-classifications.csv", 900),
    ] {
        let Some(export) = shared(&format!("zooniverse/{path}")) else { return };
        let place = Place::new();
        let record = place.record(&["extract", export.to_str().unwrap(), "-o", "x", "--to", "csv"]);
        assert_eq!(record["summary"]["rows_read"], rows, "{path}");
        assert_eq!(record["summary"]["rows_used"], rows, "{path}: {record:#}");
        assert_eq!(record["summary"]["n_unknown_annotations"], 0, "{path}: {record:#}");
        let classes = place.table("x/classifications.csv");
        assert_eq!(classes.len(), rows, "{path}");
    }
}

#[test]
fn drawn_marks_are_those_of_the_published_table() {
    let (Some(export), Some(expected)) = (
        shared("zooniverse/drawing/ap-aas229-test-classifications.csv"),
        shared("zooniverse/drawing/ap-aas229-test-markings.csv"),
    ) else {
        return;
    };
    let place = Place::new();
    place.record(&["extract", export.to_str().unwrap(), "-o", "x", "--to", "csv"]);
    let shapes = place.table("x/shapes.csv");
    let key = |id: &str, tool: &str, x: &str| {
        (id.to_owned(), tool.to_owned(), format!("{:.6}", x.parse::<f64>().unwrap()))
    };
    let ours: std::collections::BTreeSet<_> = shapes
        .iter()
        .filter(|r| !r["x_px"].is_empty())
        .map(|r| key(&r["classification_id"], &r["tool"], &r["x_px"]))
        .collect();
    let published = read_csv(&expected);
    assert_eq!(published.len(), 80);
    for row in published.iter().filter(|r| !r["x"].is_empty()) {
        let wanted = key(&row["classification_id"], &row["tool"], &row["x"]);
        assert!(ours.contains(&wanted), "{wanted:?}");
    }
    // Who drew nothing keeps a row.
    assert!(shapes.iter().any(|r| r["shape"].is_empty()));
}

#[test]
fn presence_or_absence_fractions_equal_the_published_ones() {
    let (Some(extract), Some(expected)) = (
        shared("zooniverse/questions/presence-or-absence-classifications-beta-extract.csv"),
        shared("zooniverse/questions/presence-or-absence-classifications-beta-aggregate.csv"),
    ) else {
        return;
    };
    let place = Place::new();
    // The published extract is a label table under other names.
    let text = std::fs::read_to_string(extract).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let header =
        header.replace("subject_ids", "task").replace("user_name", "worker").replace("val", "label");
    place.write("labels.csv", format!("{header}\n{rows}"));
    place.record(&["consensus", "labels.csv", "-o", "c.csv", "--repeats", "all"]);
    let ours: Counts = place
        .table("c.csv")
        .into_iter()
        .map(|r| {
            (
                (r["subject_id"].clone(), String::new(), r["answer"].clone()),
                r["n_votes"].parse().unwrap(),
            )
        })
        .collect();
    let mut n = 0;
    for row in read_csv(&expected) {
        let subject = row["# subject_ids"].clone();
        let votes = |answer: &str| {
            let keys = ours.iter().filter(|(k, _)| k.0 == subject && k.2.starts_with(answer));
            keys.map(|(_, n)| *n).sum::<f64>()
        };
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        assert_eq!((votes("Yes"), votes("No")), (number("frac_yes"), number("frac_no")), "{subject}");
        n += 1;
    }
    assert_eq!(n, 100);
}

#[test]
fn repeats_in_the_swap_demos_count_only_when_asked() {
    let Some(export) = shared("zooniverse/swap/kswap-demo-classifications.csv") else { return };
    let place = Place::new();
    let (counts, record) = ours(&place, &export, &[]);
    assert_eq!(counts.values().sum::<f64>(), 1000.0);
    assert_eq!(record["summary"]["n_repeats"], 900);
    let record = place.record(&["consensus", export.to_str().unwrap(), "-o", "c.csv"]);
    assert_eq!(record["summary"]["n_counted"], 100);
}

#[test]
fn the_weird_and_wonderful_counts_are_fitted() {
    let Some(counts) = shared("weird_wonderful/latest_consensus_aggregation_table.dat") else { return };
    let place = Place::new();
    let record = place.record(&[
        "consensus",
        counts.to_str().unwrap(),
        "-o",
        "c.csv",
        "--interval",
        "beta-binomial",
    ]);
    let number = |key: &str| record["summary"][key].as_f64().unwrap();
    assert_eq!(record["summary"]["n_subjects"], 207_589);
    assert!((number("alpha") / 0.57219 - 1.0).abs() < 1e-4, "{record:#}");
    assert!((number("beta") / 5.53248 - 1.0).abs() < 1e-4, "{record:#}");
    assert!((number("log_likelihood") + 369_260.99).abs() < 0.01, "{record:#}");
}

#[test]
fn crowd_sets_reach_the_published_accuracy_of_the_vote() {
    // The reference column of crowd.md, table 4.1: the vote with ties broken at random, in expectation,
    // lies below the vote with ties broken by label; ours leaves ties undetermined, below both.
    for (name, by_label) in [("bluebirds", 0.7593), ("sp_amt", 0.9440), ("dog", 0.8178)] {
        let Some(folder) = shared(&format!("crowd/{name}")) else { return };
        let file = |f: &str| folder.join(f).to_string_lossy().into_owned();
        let place = Place::new();
        let record = place.record(&[
            "consensus",
            &file("labels.csv"),
            "--truth",
            &file("truth.csv"),
            "-o",
            "c.csv",
        ]);
        let plain = &record["summary"]["methods"][0];
        let (accuracy, ties) = (plain["accuracy"].as_f64().unwrap(), plain["n_ties"].as_f64().unwrap());
        let n = plain["n"].as_f64().unwrap();
        assert!(
            accuracy <= by_label + 1e-4 && accuracy + ties / n >= by_label - 1e-4,
            "{name}: {plain:#}"
        );
    }
}

#[test]
fn planet_hunters_rows_become_marks() {
    let Some(rows) = shared("planet_hunters/golden/input/mdwarf-classifs.csv") else { return };
    let place = Place::new();
    let record = place.record(&["extract", rows.to_str().unwrap(), "-o", "x", "--to", "csv"]);
    assert_eq!(record["summary"]["rows_read"], 3516);
    assert_eq!(place.table("x/classifications.csv").len(), 2566);
}

#[test]
fn talk_tags_become_a_table() {
    let Some(tags) = shared("zooniverse/talk/project-764-tags_2016-01-15.json") else { return };
    let place = Place::new();
    let record = place.record(&["talk", tags.to_str().unwrap(), "-o", "talk", "--to", "csv"]);
    assert_eq!(record["summary"]["rows_read"], 5126);
    assert!(
        place
            .table("talk/tags.csv")
            .iter()
            .any(|r| r["tag"] == "fastpulsar" && r["subject_id"] == "1299588")
    );
}
