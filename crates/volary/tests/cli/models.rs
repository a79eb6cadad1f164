//! Skill models from the outside: real sets against the specification's table, gold, machines, `auto`,
//! options that do not fit, bad tables.

use serde_json::Value;

use crate::support::{Place, shared};

/// Accuracies of the reference on real sets (`crowd.md`, section 4.1; ties to the first label), to 0.005.
#[test]
fn accuracies_are_those_of_the_specification() {
    let methods: [(&str, &[&str]); 7] = [
        ("ml", &["--method", "dawid-skene", "--variant", "ml"]),
        ("map", &["--method", "dawid-skene", "--variant", "map"]),
        ("shrunk", &["--method", "dawid-skene"]),
        ("one-coin", &["--method", "dawid-skene", "--variant", "one-coin"]),
        ("ibcc", &["--method", "ibcc"]),
        ("iwmv", &["--method", "iwmv", "--weight-floor", "0"]),
        ("glad", &["--method", "glad"]),
    ];
    let table: [(&str, [f64; 7]); 3] = [
        ("bluebirds", [0.8981, 0.8981, 0.8981, 0.5833, 0.8889, 0.7222, 0.7222]),
        ("rte", [0.9275, 0.9287, 0.9225, 0.9225, 0.9287, 0.9275, 0.9250]),
        ("temp", [0.9416, 0.9416, 0.9394, 0.9372, 0.9416, 0.9416, 0.9351]),
    ];
    for (set, expected) in table {
        let (Some(labels), Some(truth)) =
            (shared(&format!("crowd/{set}/labels.csv")), shared(&format!("crowd/{set}/truth.csv")))
        else {
            return;
        };
        for ((name, arguments), expected) in methods.iter().zip(expected) {
            let place = Place::new();
            let files = [
                "consensus",
                labels.to_str().unwrap(),
                "--truth",
                truth.to_str().unwrap(),
                "-o",
                "c.csv",
            ];
            let record = place.record(&[&files[..], *arguments].concat());
            let own = judged(&record, "as set")["accuracy_first_label"].as_f64().unwrap();
            assert!((own - expected).abs() < 0.005, "{set} {name}: {own} for {expected}");
            // Against the same truth the table of evaluations says the same.
            let row =
                place.table("c_evaluation.csv").into_iter().find(|r| r["method"] == "as set").unwrap();
            assert!((row["accuracy_first_label"].parse::<f64>().unwrap() - own).abs() < 1e-9);
        }
    }
}

fn judged<'a>(record: &'a Value, method: &str) -> &'a Value {
    let methods = record["summary"]["methods"].as_array().unwrap();
    methods.iter().find(|m| m["method"] == method).unwrap_or_else(|| panic!("{method} in {methods:?}"))
}

/// Labels of a simulated crowd, and their truth.
fn crowd(place: &Place, more: &[&str]) {
    let base = ["simulate", "crowd", "-o", "crowd", "--subjects", "200", "--volunteers", "30"];
    place.record(&[&base[..], more].concat());
}

#[test]
fn every_method_writes_probabilities_with_intervals_and_skill() {
    let place = Place::new();
    crowd(&place, &[]);
    for method in ["dawid-skene", "ibcc", "glad", "mace", "wawa", "iwmv", "swap", "auto"] {
        let record = place.record(&["consensus", "crowd/labels.csv", "--method", method, "-o", "m.csv"]);
        let rows = place.table("m.csv");
        assert_eq!(rows.len(), 400, "{method}");
        for row in &rows {
            let number = |name: &str| row[name].parse::<f64>().unwrap();
            let (p, low, high) =
                (number("probability"), number("probability_low"), number("probability_high"));
            assert!(0.0 <= low && low <= p && p <= high && high <= 1.0, "{method}: {row:?}");
            // The count stands beside it, unweighted.
            let share = number("n_votes") / number("n_answered");
            assert!((number("fraction") - share).abs() < 1e-9);
        }
        let subjects = place.table("m_subjects.csv");
        let by_subject =
            |id: &str| rows.iter().filter(|r| r["subject_id"] == id).cloned().collect::<Vec<_>>();
        for subject in subjects.iter().take(20) {
            let own = by_subject(&subject["subject_id"]);
            let best = own.iter().max_by(|a, b| {
                a["probability"].parse::<f64>().unwrap().total_cmp(&b["probability"].parse().unwrap())
            });
            if subject["outcome"] == "agreed" {
                assert_eq!(subject["answer"], best.unwrap()["answer"], "{method}");
            }
        }
        let skill = place.table("m_skill.csv");
        assert_eq!(skill.len(), 30, "{method}");
        assert!(skill.iter().all(|r| !r["skill"].is_empty() && !r["skill_low"].is_empty()), "{method}");
        assert!(record["summary"]["models"][0]["n_votes"].as_u64().unwrap() > 1_000);
        let has_matrices = matches!(method, "dawid-skene" | "ibcc" | "swap");
        if has_matrices {
            assert_eq!(place.table("m_confusion.csv").len(), 30 * 4, "{method}");
        }
        if method == "glad" {
            assert_eq!(place.table("m_easiness.csv").len(), 200);
        }
        if method == "auto" {
            let models = place.table("m_models.csv");
            assert_eq!(models.iter().filter(|r| r["chosen"] == "true").count(), 1);
            assert!(models.len() >= 9);
        }
    }
}

#[test]
fn gold_and_a_machine_go_in() {
    let place = Place::new();
    crowd(&place, &[]);
    let truth = place.table("crowd/truth.csv");
    let answer = |row: &std::collections::BTreeMap<String, String>| {
        let column =
            ["answer", "label", "gold", "T0"].into_iter().find(|c| row.contains_key(*c)).unwrap();
        row[column].clone()
    };
    let id = |row: &std::collections::BTreeMap<String, String>| {
        row[["subject_id", "task"].into_iter().find(|c| row.contains_key(*c)).unwrap()].clone()
    };
    let gold: Vec<String> = truth.iter().take(40).map(|r| format!("{},{}", id(r), answer(r))).collect();
    place.write("gold.csv", format!("task,label\n{}\n9999,0\n", gold.join("\n")));
    let scores: Vec<String> = truth
        .iter()
        .map(|r| format!("{},1,{}", id(r), if answer(r) == "1" { 0.9 } else { 0.1 }))
        .collect();
    place.write("scores.csv", format!("subject_id,answer,score\n{}\n", scores.join("\n")));
    let base = ["consensus", "crowd/labels.csv", "--method", "dawid-skene", "--gold", "gold.csv"];
    let record = place.record(
        &[&base[..], &["--machine", "scores.csv", "--truth", "crowd/truth.csv", "-o", "g.csv"]].concat(),
    );
    assert_eq!(record["summary"]["n_gold"], 40);
    // What a model was told says nothing of how right it is.
    assert_eq!(record["summary"]["n_gold_not_judged"], 40);
    assert_eq!(judged(&record, "as set")["n"], 160);
    assert_eq!(record["problems"]["suspicious value"], 1, "{}", record["problems"]);
    let rows = place.table("g.csv");
    for row in truth.iter().take(40) {
        let known =
            rows.iter().find(|r| r["subject_id"] == id(row) && r["answer"] == answer(row)).unwrap();
        assert_eq!(known["probability"].parse::<f64>().unwrap(), 1.0);
    }
    // The machine is always right: so is what it is part of.
    assert!(judged(&record, "as set")["accuracy"].as_f64().unwrap() > 0.98);
    let machine = place.table("g_skill.csv").into_iter().find(|r| r["volunteer"] == "machine").unwrap();
    assert!(machine["skill_bits"].parse::<f64>().unwrap() > 0.8 && machine["skill"].is_empty());
}

#[test]
fn swap_starts_from_a_prior() {
    let place = Place::new();
    place.write("one.csv", "task,worker,label\n1,a,lens\n2,a,not\n2,b,not\n");
    let belief = |more: &[&str]| {
        let base = ["consensus", "one.csv", "--method", "swap", "-o", "w.csv"];
        place.record(&[&base[..], more].concat());
        let row =
            place.table("w.csv").into_iter().find(|r| r["subject_id"] == "1" && r["answer"] == "lens");
        row.unwrap()["probability"].parse::<f64>().unwrap()
    };
    // One vote of a newcomer, two thirds right: the odds double.
    assert!((belief(&[]) - 2.0 / 3.0).abs() < 1e-9, "{}", belief(&[]));
    let p = 0.0002;
    let expected = 2.0 * p / (2.0 * p + 1.0 - p);
    assert!((belief(&["--prior", "lens=0.0002"]) - expected).abs() < 1e-9);
}

#[test]
fn auto_on_gold_says_what_it_chose_by() {
    let place = Place::new();
    crowd(&place, &[]);
    let run = place.volary(&[
        "consensus",
        "crowd/labels.csv",
        "--method",
        "auto",
        "--gold",
        "crowd/truth.csv",
        "-o",
        "a.csv",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("Chosen by 200 gold subjects"), "{}", run.stdout);
    assert!(
        place
            .table("a_models.csv")
            .iter()
            .all(|r| r["scored_on"] == "gold" && !r["accuracy_low"].is_empty())
    );
}

#[test]
fn options_that_do_not_fit_are_one_clear_error() {
    let place = Place::new();
    crowd(&place, &[]);
    let fails = |more: &[&str], words: &str| {
        let base = ["consensus", "crowd/labels.csv", "-o", "x.csv"];
        place.volary(&[&base[..], more].concat()).fails_with(words);
        assert!(!place.path("x.csv").exists());
    };
    fails(&["--method", "guess"], "no method \"guess\"; there are fraction, dawid-skene");
    fails(&["--method", "dawid-skene", "--variant", "soft"], "no variant");
    fails(&["--variant", "ml"], "--variant needs --method dawid-skene");
    fails(&["--method", "dawid-skene", "--pseudo-votes=-1"], "a positive number");
    fails(
        &["--method", "dawid-skene", "--variant", "ml", "--pseudo-votes", "3"],
        "--pseudo-votes needs",
    );
    fails(&["--machine", "crowd/truth.csv"], "--machine needs");
    fails(&["--method", "wawa", "--vote-floor", "0.1"], "--vote-floor needs");
    fails(&["--gold", "crowd/truth.csv"], "--gold needs");
    fails(&["--method", "ibcc", "--vote-floor=-1"], "--vote-floor is");
    fails(&["--method", "ibcc", "--tolerance", "NaN"], "--tolerance is");
    fails(&["--method", "wawa", "--weight-floor=-2"], "--weight-floor -2");
    fails(&["--method", "ibcc", "--machine", "crowd/labels.csv"], "score");
    fails(&["--weight-floor", "2"], "--weight-floor needs");
    fails(&["--method", "swap", "--experience", "10:2"], "a weight of votes needs another method");
    fails(&["--method", "swap", "--prior", "1"], "--prior wants");
    fails(&["--method", "swap", "--prior", "0=0.7", "--prior", "1=0.7"], "more than 1");
    fails(&["--method", "ibcc", "--prior", "1=0.2"], "--prior needs");
}

#[test]
fn a_truth_of_other_subjects_and_labels_in_any_script() {
    let place = Place::new();
    let rows: Vec<String> = (0..30)
        .flat_map(|s| {
            (0..5)
                .map(move |w| format!("{s},v{w},{}", if (s + w / 4) % 2 == 0 { "星系" } else { "نجم" }))
        })
        .collect();
    place.write("labels.csv", format!("task,worker,label\n{}\n", rows.join("\n")));
    place.write("other.csv", "task,label\n900,星系\n901,نجم\n");
    for method in ["dawid-skene", "ibcc", "glad", "mace", "wawa", "auto"] {
        let arguments =
            ["consensus", "labels.csv", "--method", method, "--truth", "other.csv", "-o", "t.csv"];
        let record = place.record(&arguments);
        assert!(record["summary"]["methods"].as_array().is_none_or(|m| m.iter().all(|e| e["n"] == 0)));
        assert_eq!(
            place.table("t_subjects.csv").iter().filter(|r| r["answer"] == "星系").count(),
            15,
            "{method}"
        );
    }
}

#[test]
fn no_votes_and_one_vote() {
    let place = Place::new();
    place.write("none.csv", "task,worker,label\n");
    place.write("one.csv", "task,worker,label\n1,a,yes\n");
    for method in ["dawid-skene", "ibcc", "glad", "mace", "wawa", "iwmv", "swap", "auto"] {
        place.record(&["consensus", "none.csv", "--method", method, "-o", "n.csv"]);
        assert!(place.table("n.csv").is_empty());
        place.record(&["consensus", "one.csv", "--method", method, "-o", "o.csv"]);
        assert_eq!(place.table("o_subjects.csv")[0]["answer"], "yes", "{method}");
    }
}

#[test]
fn the_settings_file_carries_the_model() {
    let place = Place::new();
    crowd(&place, &[]);
    place.write(
        "volary.toml",
        "[consensus]\nmethod = \"dawid-skene\"\nvariant = \"ml\"\nrounds = 7\ntolerance = 0.0\n",
    );
    let record =
        place.record(&["consensus", "crowd/labels.csv", "--config", "volary.toml", "-o", "s.csv"]);
    assert_eq!(record["summary"]["models"][0]["rounds"], 7);
    assert_eq!(record["summary"]["models"][0]["model"], "dawid-skene ml");
    // Another method on the command line leaves the file's settings of its own method behind.
    let record = place.record(&[
        "consensus",
        "crowd/labels.csv",
        "--config",
        "volary.toml",
        "--method",
        "glad",
        "-o",
        "s.csv",
    ]);
    assert_eq!(record["summary"]["models"][0]["model"], "glad");
}

#[test]
fn gold_of_one_workflow_is_no_problem_of_another() {
    let place = Place::new();
    place.record(&["demo", "demo"]);
    place.write("gold.csv", "subject_id,task,answer\n90000000,T1,Ring\n");
    let base =
        ["consensus", "demo/extracts", "--method", "dawid-skene", "--gold", "gold.csv", "-o", "c.csv"];
    // T1 of the other workflow has no Ring.
    let record = place.record(&base);
    assert_eq!(record["problems"], serde_json::json!({}), "{}", record["problem_examples"]);
    place.write("gold.csv", "subject_id,task,answer\n90000000,T1,Rings\n");
    assert_eq!(place.record(&base)["problems"]["suspicious value"], 1);
}
