//! Steps of `volary.toml`: a whole path of commands from one file, each carried out once.

use crate::support::Place;
use crate::vision::write_npy;

const TOML: &str = r#"
[project]
title = "Blots & crosses"

[[steps]]
run = "train anomaly cutouts -o model --epochs 2 --size 16 --channels grey --filters 2 --latents 2 --batch 8 --gallery-every 0"

[[steps]]
run = "volary score model cutouts -o 'all scores.csv'"

[[steps]]
run = "figures losses model/adversaries.csv -o figures/adversaries.svg"
"#;

fn states(place: &Place) -> Vec<String> {
    let record = place.record(&["run"]);
    let summary = record["summary"].as_object().unwrap();
    let of = |name: &str| summary.iter().find(|(key, _)| key.contains(name)).map(|(_, v)| v.clone());
    ["train_anomaly", "score", "figures_losses"]
        .map(|name| of(name).unwrap_or_else(|| panic!("{name}: {record}")).as_str().unwrap().to_owned())
        .to_vec()
}

#[test]
fn steps_run_once_and_again_where_what_they_read_has_changed() {
    let place = Place::new();
    std::fs::create_dir(place.path("cutouts")).unwrap();
    let picture = |i: usize, light: f32| {
        write_npy(&place.path(&format!("cutouts/{i}.npy")), 16, |x, y| {
            light + ((x * 31 + y * 17 + i * 13) % 23) as f32 / 46.0
        });
    };
    (0..16).for_each(|i| picture(i, 0.1));
    place.write("volary.toml", TOML);
    assert_eq!(states(&place), ["done"; 3]);
    let report = place.read("report.html");
    assert!(report.contains("Blots &amp; crosses") && report.contains("data:image/svg+xml;base64,"));
    assert!(report.contains("volary figures losses model/adversaries.csv"));
    let scores = place.read("all scores.csv");
    assert_eq!(scores.lines().count(), 17);

    assert_eq!(states(&place), ["up to date"; 3]);
    // What was written is missing: only that step.
    std::fs::remove_file(place.path("figures/adversaries.svg")).unwrap();
    assert_eq!(states(&place), ["up to date", "up to date", "done"]);
    // Another picture: the model is trained anew, and all that comes after it follows.
    picture(16, 0.4);
    assert_eq!(states(&place), ["done"; 3]);
    assert_eq!(place.read("all scores.csv").lines().count(), 18);
}

#[test]
fn one_step_is_run_by_its_number_or_its_line_and_nothing_else() {
    let place = Place::new();
    place.write("points.csv", "subject_id,x\na,1\nb,2\n");
    let toml = "[[steps]]\nrun = \"slice points.csv 'x > 1' -o one.csv\"\n\n[[steps]]\nrun = \"slice points.csv 'x > 0' -o two.csv\"\n";
    place.write("volary.toml", toml);
    let state = |arguments: &[&str]| {
        let record = place.record(arguments);
        let summary = record["summary"].as_object().unwrap().clone();
        let stages: Vec<_> = summary.into_iter().filter(|(key, _)| key.starts_with("stage_")).collect();
        assert_eq!(stages.len(), 1, "{stages:?}");
        stages[0].1.as_str().unwrap().to_owned()
    };
    assert_eq!(state(&["run", "--only", "2"]), "done");
    assert!(place.path("two.csv").is_file() && !place.path("one.csv").exists());
    assert!(!place.path("report.html").exists() && !place.path("run.json").exists());
    assert_eq!(state(&["run", "--only", "slice points.csv 'x > 0' -o two.csv"]), "up to date");
    assert_eq!(state(&["run", "--only", "2", "--force"]), "done");
    for wrong in ["3", "0", "slice points.csv 'x > 0' -o three.csv", "token list"] {
        place.volary(&["run", "--only", wrong]).fails_with("has no step");
    }
    assert_eq!(place.volary(&["run", "--while-stdin"]).code, 2, "with --only, or not at all");
    // A whole run takes what was done as done, and writes the report.
    let record = place.record(&["run"]);
    let summary = record["summary"].to_string();
    assert!(summary.contains("done") && summary.contains("up to date"), "{summary}");
    assert!(place.path("report.html").is_file() && place.path("one.csv").is_file());
}

#[test]
fn a_step_that_fails_is_named_and_what_was_done_stays_done() {
    let place = Place::new();
    std::fs::create_dir(place.path("cutouts")).unwrap();
    for i in 0..4 {
        write_npy(&place.path(&format!("cutouts/{i}.npy")), 16, |x, y| ((x + y + i) % 5) as f32 / 5.0);
    }
    let broken = TOML.replace("'all scores.csv'", "scores.txt");
    place.write("volary.toml", &broken);
    let run = place.volary(&["run"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("error: step 2 failed") && run.stderr.contains("goes on from there"));
    assert!(place.path("model/config.json").is_file());
    place.write("volary.toml", TOML);
    assert_eq!(states(&place), ["up to date", "done", "done"]);
    for (line, words) in [("run .", "cannot be a step"), ("score 'model", "a quote is not closed")] {
        place.write("volary.toml", format!("[[steps]]\nrun = \"{line}\"\n"));
        place.volary(&["run"]).fails_with(words);
    }
}
