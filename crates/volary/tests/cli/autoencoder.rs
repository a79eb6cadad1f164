//! `volary train autoencoder` and `volary score` with what it wrote: the same tables and the same commands as for any
//! other score.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::anomaly::pictures;
use crate::support::{Place, VOLARY};

fn train<'a>(output: &'a str, epochs: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["train", "autoencoder", "cutouts", "-o", output, "--epochs", epochs];
    line.extend(["--size", "32", "--channels", "grey", "--filters", "4", "--latents", "4"]);
    line.extend(["--batch", "16", "--rate", "0.004"]);
    line.extend(more);
    line
}

#[test]
fn what_is_rebuilt_badly_comes_first_in_every_command() {
    let place = Place::new();
    pictures(&place, "cutouts", 120);
    let record = place.record(&train("model", "30", &["--gallery-every", "20", "--augment", "turns"]));
    let summary = &record["summary"];
    assert_eq!(summary["n_train"], 108, "{summary}");
    assert!(summary["explained_variance"].as_f64().unwrap() > 0.3, "{summary}");
    for name in [
        "config.json",
        "weights.safetensors",
        "metrics.json",
        "history.csv",
        "losses.svg",
        "split.csv",
        "card.md",
        "cost.json",
        "run.json",
        "gallery/rebuilt_0020.png",
        "gallery/rebuilt_0030.png",
    ] {
        assert!(place.path("model").join(name).is_file(), "{name}");
    }
    let metrics: Value = serde_json::from_str(&place.read("model/metrics.json")).unwrap();
    let held_out = &metrics["held_out"];
    assert_eq!(held_out["n"], 12);
    assert!(
        held_out["autoencoder_score"]["q95"].as_f64() > held_out["autoencoder_score"]["q05"].as_f64()
    );
    let card = place.read("model/card.md");
    assert!(
        card.contains("A convolutional autoencoder") && card.contains("autoencoder-nolabels-"),
        "{card}"
    );
    place.volary(&["card", "model", "--draft", "--check"]).is_done();
    assert!(
        place
            .read("model/history.csv")
            .starts_with("epoch,learning_rate,train_reconstruction,unseen_reconstruction\n1,0.004,")
    );

    for output in ["scores.csv", "again.csv"] {
        place.record(&["score", "model", "cutouts", "-o", output]);
    }
    assert_eq!(place.read("scores.csv"), place.read("again.csv"));
    let scores = place.read("scores.csv");
    let header = "subject_id,autoencoder_score,percentile,flag";
    assert_eq!(scores.lines().next().unwrap(), header);
    assert!(place.read("scores_embeddings.csv").starts_with("subject_id,z0,z1,z2,z3\n"));

    // Beside another scorer, against what is known, and as a sample to show.
    let kinds = scores.lines().skip(1).map(|line| {
        let id = line.split(',').next().unwrap();
        format!("{id},{}\n", if id.starts_with("cross") { "cross" } else { "blot" })
    });
    let kinds = format!("subject_id,kind\n{}", kinds.collect::<String>());
    std::fs::write(place.path("kinds.csv"), kinds).unwrap();
    place.record(&["outliers", "scores_embeddings.csv", "--components", "2", "-o", "outliers.csv"]);
    let compared = place.record(&[
        "compare",
        "scorers",
        "scores.csv",
        "--with",
        "outliers.csv",
        "--with",
        "kinds.csv",
        "--score",
        "autoencoder_score",
        "--score",
        "knn",
        "--label",
        "kind",
        "--yes",
        "cross",
        "-o",
        "found.csv",
    ]);
    assert!(place.read("found.csv").contains("autoencoder_score"), "{compared}");
    let percentiles = |kind: &str| -> Vec<f64> {
        let rows = scores.lines().filter(|line| line.starts_with(kind));
        rows.map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect()
    };
    let mean = |of: Vec<f64>| of.iter().sum::<f64>() / of.len() as f64;
    assert!(mean(percentiles("cross")) > 80.0, "{scores}");
    place.record(&[
        "sample",
        "scores.csv",
        "--score-column",
        "autoencoder_score",
        "--top",
        "0.05",
        "--rest",
        "10",
        "-o",
        "shown.csv",
    ]);
    assert_eq!(place.read("shown.csv").lines().count(), 1 + 6 + 10);
    place
        .volary(&["figures", "scores", "scores.csv", "--score", "autoencoder_score", "-o", "figures"])
        .is_done();
}

#[test]
fn a_run_that_is_killed_goes_on_to_the_same_weights() {
    let place = Place::new();
    pictures(&place, "cutouts", 40);
    let more = ["--checkpoint-every", "1", "--patience", "30"];
    place.record(&train("straight", "40", &more));
    let mut child = Command::new(VOLARY)
        .args(train("killed", "40", &more))
        .current_dir(place.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = place.path("killed/checkpoint.safetensors");
    for _ in 0..600 {
        if checkpoint.exists() || child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    child.wait().unwrap();
    place.record(&train("killed", "40", &["--checkpoint-every", "1", "--patience", "30", "--resume"]));
    for name in ["weights.safetensors", "history.csv"] {
        let [a, b] =
            ["straight", "killed"].map(|folder| std::fs::read(place.path(folder).join(name)).unwrap());
        assert!(a == b, "another {name}");
    }
}

#[test]
fn what_cannot_be_is_said_in_one_line() {
    let place = Place::new();
    pictures(&place, "cutouts", 6);
    let fails = |more: &[&str], words: &str| place.volary(&train("model", "1", more)).fails_with(words);
    fails(&["--squash", "sigmoid"], "there are none, tanh, tanh3");
    fails(&["--distance", "cubes"], "there are squares, absolute");
    fails(&["--augment", "zoom"], "there are none, mirror, turns");
    fails(&["--patience", "3", "--stop-share", "0"], "must not be judged by");
    fails(&["--decay", "2"], "decay is 2");
    std::fs::write(place.path("none.csv"), "subject_id\nnobody\n").unwrap();
    fails(&["--only", "none.csv"], "no subject has an image");
    place.record(&train("model", "1", &[]));
    fails(&[], "a training was begun here before");
    // A model of another kind is none of these.
    let changed = place.read("model/config.json").replace("\"autoencoder\"", "\"anomaly\"");
    std::fs::write(place.path("model/config.json"), changed).unwrap();
    let run = place.volary(&["score", "model", "cutouts", "-o", "x.csv"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
}
