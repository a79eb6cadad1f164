//! `volary train anomaly` and `volary score` with what it wrote: from a folder of pictures to a table of odd ones.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, VOLARY};
use crate::vision::write_npy;

/// Round blots; every tenth picture is a cross.
pub(crate) fn pictures(place: &Place, folder: &str, n: usize) {
    std::fs::create_dir_all(place.path(folder)).unwrap();
    for i in 0..n {
        let (x0, y0) = (12 + i * 7 % 9, 12 + i * 5 % 9);
        let noise = |x: usize, y: usize| ((x * 31 + y * 17 + i * 13) % 23) as f32 / 460.0;
        let name = if i % 10 == 3 { format!("cross{i}") } else { format!("blot{i}") };
        write_npy(&place.path(&format!("{folder}/{name}.npy")), 32, |x, y| {
            let (dx, dy) = (x.abs_diff(x0) as f32, y.abs_diff(y0) as f32);
            let cross = if dx < 2.0 || dy < 2.0 { 0.7 } else { 0.0 };
            let blot = 0.8 * (-(dx * dx + dy * dy) / 30.0).exp();
            0.1 + noise(x, y) + if name.starts_with("cross") { cross } else { blot }
        });
    }
}

fn train<'a>(output: &'a str, epochs: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["train", "anomaly", "cutouts", "-o", output, "--epochs", epochs];
    line.extend(["--size", "32", "--channels", "grey", "--filters", "4", "--latents", "4"]);
    line.extend(["--batch", "16", "--rate", "0.002", "--encoder-rate", "0.002", "--critic-steps", "2"]);
    line.extend(more);
    line
}

#[test]
fn odd_pictures_come_first_and_every_file_of_the_model_is_there() {
    let place = Place::new();
    pictures(&place, "cutouts", 120);
    let record = place.record(&train("model", "12", &["--gallery-every", "6"]));
    let summary = &record["summary"];
    assert_eq!(summary["n_train"], 108, "{summary}");
    assert!(summary["loss_adversaries_variety"]["train"].as_f64().unwrap() > 0.1, "{summary}");
    for name in [
        "config.json",
        "weights.safetensors",
        "metrics.json",
        "history.csv",
        "adversaries.csv",
        "adversaries.svg",
        "losses.svg",
        "split.csv",
        "card.md",
        "run.json",
        "gallery/made_0006.png",
        "gallery/made_0012.png",
        "gallery/rebuilt_0012.png",
    ] {
        assert!(place.path("model").join(name).is_file(), "{name}");
    }
    let metrics: Value = serde_json::from_str(&place.read("model/metrics.json")).unwrap();
    assert_eq!(metrics["held_out"]["n"], 12);

    place.record(&["figures", "network", "model", "-o", "network.svg"]);
    let network = place.read("network.svg");
    assert!(network.contains("generator: ") && network.contains("32 × 2 × 2"), "{network:.600}");

    for output in ["scores.csv", "again.csv"] {
        place.record(&["score", "model", "cutouts", "-o", output]);
    }
    assert_eq!(place.read("scores.csv"), place.read("again.csv"));
    let scores = place.read("scores.csv");
    let header = "subject_id,image_score,feature_score,anomaly_score,percentile,flag";
    assert_eq!(scores.lines().next().unwrap(), header);
    let percentiles = |kind: &str| -> Vec<f64> {
        let rows = scores.lines().filter(|line| line.starts_with(kind));
        rows.map(|line| line.split(',').nth(4).unwrap().parse().unwrap()).collect()
    };
    let mean = |of: Vec<f64>| of.iter().sum::<f64>() / of.len() as f64;
    assert!(mean(percentiles("cross")) > 80.0, "{scores}");
    let row: Vec<f64> =
        scores.lines().nth(1).unwrap().split(',').filter_map(|cell| cell.parse().ok()).collect();
    assert!((row[2] - 0.8 * row[0] - 0.2 * row[1]).abs() < 1e-6, "{row:?}");
    let embeddings = place.read("scores_embeddings.csv");
    assert!(embeddings.starts_with("subject_id,z0,z1,z2,z3\n"));
    assert_eq!(embeddings.lines().count(), 121);

    // Other weights, and the top of the table as what a second round learns from.
    place.record(&["score", "model", "cutouts", "-o", "features.csv", "--image-weight", "0"]);
    assert_ne!(place.read("features.csv"), scores);
    let top: Vec<&str> = scores.lines().skip(1).filter(|l| l.ends_with("_percent")).collect();
    let top: String = top.iter().map(|l| format!("{}\n", l.split(',').next().unwrap())).collect();
    std::fs::write(place.path("top.csv"), format!("subject_id\n{top}")).unwrap();
    let record = place.record(&train("rarest", "1", &["--only", "top.csv", "--held-out", "0"]));
    assert_eq!(record["summary"]["n_train"], top.lines().count() as u64);
}

#[test]
fn a_boundary_with_its_model_is_one_file_for_new_images() {
    let place = Place::new();
    pictures(&place, "cutouts", 120);
    pictures(&place, "survey", 60);
    place.record(&train("model", "3", &[]));
    place.record(&["score", "model", "cutouts", "-o", "scores.csv"]);
    // People like what the first latent number is high for.
    let embeddings = place.table("scores_embeddings.csv");
    let mut order: Vec<f64> = embeddings.iter().map(|row| row["z0"].parse().unwrap()).collect();
    order.sort_unstable_by(f64::total_cmp);
    let mut chosen = String::from("subject_id,fraction\n");
    for row in &embeddings {
        let z: f64 = row["z0"].parse().unwrap();
        let place = order.partition_point(|v| *v < z) as f64 / order.len() as f64;
        chosen.push_str(&format!("{},{place:.3}\n", row["subject_id"]));
    }
    place.write("chosen.csv", chosen);
    let sweep = ["boundary", "scores_embeddings.csv", "--with", "chosen.csv", "--chosen", "fraction"];
    let more = ["--components", "3", "--at", "0.7", "--model", "model", "-o", "sweep.csv", "--save"];
    let save = |name: &str| place.record(&[&sweep[..], &more, &[name]].concat());
    save("taste.json");
    save("taste.tar");
    let first = std::fs::read(place.path("taste.tar")).unwrap();
    save("taste.tar");
    assert!(first == std::fs::read(place.path("taste.tar")).unwrap(), "other bytes of the same");

    // Images by the one file, and vectors by two: the same is selected.
    std::fs::rename(place.path("model"), place.path("elsewhere")).unwrap();
    let record = place.record(&["select", "taste.tar", "survey", "-o", "selected.csv"]);
    assert_eq!(record["summary"]["n_subjects"], 60);
    place.record(&["score", "elsewhere", "survey", "-o", "new.csv"]);
    let by_vectors =
        ["select", "taste.json", "new_embeddings.csv", "--model", "elsewhere", "-o", "two.csv"];
    place.record(&by_vectors);
    assert_eq!(place.read("selected.csv"), place.read("two.csv"));
    assert_eq!(place.read("selected_scores.csv"), place.read("new.csv"));
    assert_eq!(place.read("selected_drift.csv"), place.read("two_drift.csv"));
    // Vectors may be given to it as well.
    place.record(&["select", "taste.tar", "new_embeddings.csv", "-o", "three.csv"]);
    assert_eq!(place.read("selected.csv"), place.read("three.csv"));

    let fails = |words: &[&str], said: &str| place.volary(words).fails_with(said);
    fails(&["select", "taste.json", "survey", "-o", "s.csv"], "save it as .tar");
    std::fs::write(place.path("cut.tar"), &first[..first.len() / 2]).unwrap();
    fails(&["select", "cut.tar", "survey", "-o", "s.csv"], "not a whole bundle");
    fails(&[&sweep[..], &["--save", "t.tar", "-o", "s.csv"]].concat(), "--model");
    place.write("weights.safetensors", "no folder");
    let file = ["--save", "t.tar", "--model", "weights.safetensors", "-o", "s.csv", "--components", "3"];
    fails(&[&sweep[..], &file].concat(), "it has no");
}

#[test]
fn a_run_that_is_killed_goes_on_to_the_same_weights() {
    let place = Place::new();
    pictures(&place, "cutouts", 40);
    place.record(&train("straight", "4", &["--checkpoint-every", "1"]));
    let long = train("killed", "4", &["--checkpoint-every", "1"]);
    let mut child = Command::new(VOLARY)
        .args(&long)
        .current_dir(place.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = place.path("killed/checkpoint-adversaries.safetensors");
    for _ in 0..600 {
        if checkpoint.exists() || child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    child.wait().unwrap();
    place.record(&train("killed", "4", &["--checkpoint-every", "1", "--resume"]));
    let [a, b] = ["straight", "killed"]
        .map(|name| std::fs::read(place.path(name).join("weights.safetensors")).unwrap());
    assert!(a == b, "other weights");
}

#[test]
fn what_cannot_be_is_said_in_one_line() {
    let place = Place::new();
    pictures(&place, "cutouts", 6);
    let fails = |more: &[&str], words: &str| place.volary(&train("model", "1", more)).fails_with(words);
    fails(&["--squash", "sigmoid"], "there are none, tanh, tanh3");
    fails(&["--betas", "0.5"], "give two, such as 0.5,0.9");
    fails(&["--penalty=-1"], "penalty weight is -1");
    let run = place.volary(&["score", "cutouts", "cutouts", "-o", "x.csv"]);
    run.fails_with("no configuration of a finished model");
    std::fs::write(place.path("none.csv"), "subject_id\nnobody\n").unwrap();
    fails(&["--only", "none.csv"], "no subject has an image");
    // A critic that explodes.
    let wild = train("model", "30", &["--noise", "1e38"]);
    place.volary(&wild).fails_with("became");
    assert!(!place.path("model/config.json").exists());
}
