//! `volary train` and `volary score`, on pictures with a known truth.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, VOLARY};

/// A grey picture as NPY, values in 0 to 1.
pub(crate) fn write_npy(path: &Path, side: usize, pixel: impl Fn(usize, usize) -> f32) {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({side}, {side}), }}");
    let padded = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded.len() as u16).to_le_bytes());
    bytes.extend(padded.as_bytes());
    for y in 0..side {
        for x in 0..side {
            bytes.extend(pixel(x, y).to_le_bytes());
        }
    }
    std::fs::write(path, bytes).unwrap();
}

/// Pictures with a bright square that the more volunteers see the brighter it is, and stripes that they see
/// in every third; a table of subjects (two of each object), one of votes.
pub(crate) fn project(place: &Place, n: usize) {
    std::fs::create_dir_all(place.path("cutouts")).unwrap();
    let (mut subjects, mut votes) =
        ("subject_id,file,object\n".to_owned(), "subject_id,task,answer,n_seen,n_votes\n".to_owned());
    for i in 0..n {
        let bright = (i * 7 % n) as f32 / n as f32;
        let stripes = if i % 3 == 0 { 0.3 } else { 0.0 };
        let noise = |x: usize, y: usize| ((x * 31 + y * 17 + i * 13) % 23) as f32 / 230.0;
        write_npy(&place.path(&format!("cutouts/{i}.npy")), 32, |x, y| {
            let inside = (8..18).contains(&x) && (10..20).contains(&y);
            let square = if inside { 0.5 * bright } else { 0.0 };
            0.1 + square + stripes * ((x / 4) % 2) as f32 + noise(x, y)
        });
        subjects.push_str(&format!("s{i},cutouts/{i}.npy,o{}\n", i / 2));
        let seen = (bright * 20.0).round() as u32;
        let striped = if i % 3 == 0 { 18 } else { 1 };
        votes.push_str(&format!(
            "s{i},T0,square,20,{seen}\ns{i},T0,stripes,20,{striped}\ns{i},T0,ghost,20,0\n"
        ));
    }
    std::fs::write(place.path("subjects.csv"), subjects).unwrap();
    std::fs::write(place.path("votes.csv"), votes).unwrap();
}

const TINY: [&str; 12] = [
    "--size",
    "32",
    "--channels",
    "grey",
    "--filters",
    "8",
    "--hidden",
    "6,4",
    "--batch",
    "8",
    "--rate",
    "0.003",
];

pub(crate) fn train<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec![
        "train",
        "confusion",
        "subjects.csv",
        "--consensus",
        "votes.csv",
        "-o",
        output,
        "--replicates",
        "50",
    ];
    line.extend(TINY);
    line.extend(more);
    line
}

fn bytes(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.path(name)).unwrap()
}

#[test]
fn a_model_is_trained_judged_and_used_on_pictures_that_nobody_has_seen() {
    let place = Place::new();
    project(&place, 60);
    let record =
        place.record(&train("model", &["--epochs", "12", "--held-out", "0.3", "--group", "object"]));
    let summary = &record["summary"];
    assert_eq!(summary["classes"], serde_json::json!(["square", "stripes"]));
    assert_eq!(
        record["problems"]["suspicious value"], 1,
        "the ghost that nobody chose is listed: {record}"
    );
    let loss = |model: &str| {
        summary["held_out"]["models"][model]["all_classes"]["excess_log_loss"]["value"].as_f64().unwrap()
    };
    assert!(loss("model") < 0.7 * loss("prior"), "{} and {}", loss("model"), loss("prior"));
    for name in [
        "config.json",
        "weights.safetensors",
        "metrics.json",
        "history.csv",
        "split.csv",
        "card.md",
        "run.json",
    ] {
        assert!(place.path("model").join(name).is_file(), "{name}");
    }
    // No object is on both sides.
    let split = std::fs::read_to_string(place.path("model/split.csv")).unwrap();
    let part = |i: usize| {
        split.lines().find(|l| l.starts_with(&format!("s{i},"))).unwrap().split_once(',').unwrap().1
    };
    assert!((0..30).all(|o| part(2 * o) == part(2 * o + 1)));
    assert!(split.contains("held_out") && split.contains("train"));
    let config: Value = serde_json::from_slice(&bytes(&place, "model/config.json")).unwrap();
    assert_eq!(config["unchosen"], serde_json::json!(["ghost"]));
    assert_eq!(config["preprocessing"]["channels"], "grey");

    // New pictures, of another name, and the same scores twice.
    std::fs::create_dir(place.path("new")).unwrap();
    for (name, square) in [("bright", 0.5), ("dark", 0.0)] {
        write_npy(&place.path(&format!("new/{name}.npy")), 32, |x, y| {
            let inside = (8..18).contains(&x) && (10..20).contains(&y);
            0.1 + if inside { square } else { 0.0 } + ((x * 31 + y * 17) % 23) as f32 / 230.0
        });
    }
    for output in ["scores.csv", "again.csv"] {
        place.record(&["score", "model", "new", "-o", output]);
    }
    assert_eq!(bytes(&place, "scores.csv"), bytes(&place, "again.csv"));
    let scores = std::fs::read_to_string(place.path("scores.csv")).unwrap();
    let probability = |subject: &str| -> f64 {
        let row = scores.lines().find(|l| l.starts_with(&format!("{subject},square,"))).unwrap();
        row.split(',').nth(2).unwrap().parse().unwrap()
    };
    assert!(probability("bright") > probability("dark") + 0.3, "{scores}");
    let embeddings = std::fs::read_to_string(place.path("scores_embeddings.csv")).unwrap();
    assert!(embeddings.starts_with("subject_id,z0,z1,"));
    assert_eq!(embeddings.lines().next().unwrap().split(',').count(), 1 + 4 * 2 * 2);
    let subjects = std::fs::read_to_string(place.path("scores_subjects.csv")).unwrap();
    assert_eq!(subjects.lines().count(), 3);
    attention(&place);
}

/// What the model of `place` looked at, on its two new pictures.
fn attention(place: &Place) {
    for output in ["looked", "again"] {
        let line =
            ["attention", "model", "new", "-o", output, "--to", "csv", "--faithful", "--shifts", "19"];
        place.record(&line);
    }
    for table in ["attention.csv", "overlaps.csv"] {
        assert_eq!(bytes(place, &format!("looked/{table}")), bytes(place, &format!("again/{table}")));
    }
    let text = |name: &str| std::fs::read_to_string(place.path("looked").join(name)).unwrap();
    assert_eq!(text("overlaps.csv").lines().count(), 1 + 2, "one pair of classes on two pictures");
    let table = text("attention.csv");
    assert_eq!(table.lines().count(), 1 + 4);
    let logit = |subject: &str| -> f64 {
        let row = table.lines().find(|l| l.starts_with(&format!("{subject},square,"))).unwrap();
        row.split(',').nth(2).unwrap().parse().unwrap()
    };
    assert!(logit("bright") > logit("dark"), "{table}");
    let overlays = std::fs::read_dir(place.path("looked/overlays")).unwrap();
    let mut names: Vec<_> =
        overlays.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["00000_bright.png", "00001_dark.png"]);
    // Each map as numbers, from which the figure is drawn: attention laid over the pictures.
    assert!(place.path("looked/maps/bright_square.npy").is_file(), "{:?}", place.files());
    let figure = "figures attention new --maps looked/maps --classes square,stripes -o looked.svg";
    let line: Vec<&str> = figure.split_whitespace().collect();
    let record = place.record(&line);
    assert_eq!(record["problems"], serde_json::json!({}), "{record}");
    let svg = place.read("looked.svg");
    assert!(svg.contains("bright") && svg.contains("square") && svg.matches("<image").count() == 6);
    place.write("one.csv", "subject_id\ndark\n");
    let record = place.record(&["attention", "model", "new", "-o", "one", "--only", "one.csv"]);
    assert_eq!(record["summary"]["n_overlays"], 1);
    place.write("none.csv", "subject_id\nnobody\n");
    place
        .volary(&["attention", "model", "new", "-o", "x", "--only", "none.csv"])
        .fails_with("no subject is left");
    place.volary(&["attention", "model", "new", "-o", "x", "--layer", "block9"]).fails_with("no layer");
    place.volary(&["attention", "model", "new", "-o", "x", "--variant", "mine"]).fails_with("torch-cam");
}

#[test]
fn a_training_that_is_killed_goes_on_to_the_same_weights() {
    let place = Place::new();
    project(&place, 40);
    let more = ["--epochs", "30", "--checkpoint-every", "1"];
    place.record(&train("whole", &more));
    let mut line = train("killed", &more);
    line.push("--resume");
    // Killed hard, at whatever moment it is just then, until one run comes to its end.
    let mut n_killed = 0;
    for wait_ms in [400, 700, 1100, 900, 1500] {
        let mut child = Command::new(VOLARY)
            .args(&line)
            .current_dir(place.path("."))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        n_killed += 1;
    }
    assert!(n_killed > 0, "the training was over before it could be killed");
    place.record(&line);
    for name in ["weights.safetensors", "history.csv", "split.csv", "checkpoint.safetensors"] {
        assert_eq!(
            bytes(&place, &format!("whole/{name}")),
            bytes(&place, &format!("killed/{name}")),
            "{name}"
        );
    }
}

#[test]
fn what_cannot_be_trained_is_one_clear_error() {
    let place = Place::new();
    project(&place, 12);
    let fails = |more: &[&str], words: &str| place.volary(&train("m", more)).fails_with(words);
    fails(&["--device", "gpu"], "built for the processor only");
    fails(&["--device", "tpu"], "there are cpu, gpu");
    fails(&["--likelihood", "normal"], "there are bce, binomial, dirichlet");
    fails(&["--likelihood", "dirichlet"], "one answer of each volunteer");
    fails(&["--group", "night"], "the subjects have object");
    fails(&["--classes", "dragon"], "has none for what was asked");
    fails(&["--task", "T9"], "it has no task T9; give --task one that it has: T0");
    let instead = |name: &str, value: &'static str, more: &'static [&'static str]| {
        let mut line = train("m", more);
        let at = line.iter().position(|word| *word == name).expect("is there");
        line[at + 1] = value;
        place.volary(&line)
    };
    instead("--size", "33", &[]).fails_with("a multiple of 16 pixels");
    instead("--hidden", "0", &[]).fails_with("numbers above 0");
    fails(&["--epochs", "0"], "epochs is 0");
    assert!(!place.path("m").exists());
    place.record(&train("m", &["--epochs", "1"]));
    fails(&["--epochs", "1"], "a training was begun here before");
    instead("--rate", "1e30", &["--epochs", "8", "--resume"]).fails_with("go on with --resume");
}

#[test]
fn broken_votes_and_pictures_are_listed_and_one_picture_is_not_enough() {
    let place = Place::new();
    project(&place, 24);
    let mut votes = std::fs::read_to_string(place.path("votes.csv")).unwrap();
    votes = votes.replace("s3,T0,square,20,", "s3,T0,square,20,9");
    std::fs::write(place.path("votes.csv"), votes).unwrap();
    std::fs::write(place.path("cutouts/5.npy"), b"\x93NUMPY cut off").unwrap();
    std::fs::remove_file(place.path("cutouts/6.npy")).unwrap();
    let record = place.record(&train("m", &["--epochs", "1"]));
    let problems = &record["problems"];
    assert_eq!(problems["unreadable image"], 1, "{problems}");
    assert_eq!(problems["missing file"], 1, "{problems}");
    assert!(record["problem_examples"].to_string().contains("a consensus above 1"));

    let one = "subject_id,file\ns1,cutouts/1.npy\n";
    std::fs::write(place.path("subjects.csv"), one).unwrap();
    place.volary(&train("one", &["--epochs", "1"])).fails_with("1 pictures in 1 groups cannot be split");
}

#[test]
fn a_model_that_is_not_whole_or_of_another_version_is_refused() {
    let place = Place::new();
    project(&place, 12);
    place.record(&train("model", &["--epochs", "1"]));
    let score = |words: &str| {
        place.volary(&["score", "model", "cutouts", "-o", "scores.csv"]).fails_with(words);
        assert!(!place.path("scores.csv").exists());
    };
    let config = std::fs::read_to_string(place.path("model/config.json")).unwrap();
    std::fs::write(
        place.path("model/config.json"),
        config.replace("\"format_version\": 1", "\"format_version\": 7"),
    )
    .unwrap();
    score("its format is 7 and this volary reads 1");
    std::fs::write(place.path("model/config.json"), &config).unwrap();
    let weights = bytes(&place, "model/weights.safetensors");
    std::fs::write(place.path("model/weights.safetensors"), &weights[..weights.len() - 9]).unwrap();
    score("not a file of weights");
    place
        .volary(&["score", "cutouts", "cutouts", "-o", "scores.csv"])
        .fails_with("no configuration of a finished model");
}
