//! `volary card`, and what a training costs: from labels to a model with a card that can be checked.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Place, root};
use crate::vision::{project, train};

const POLICY: &str = r#"
version = "2026-11"

[card]
licence = "MIT"
intended_use = "To find pictures on which volunteers disagree."
out_of_scope = "Pictures of people."
data = "Simulated."
contact = "team@example.org"
"#;

/// Labels for the pictures of [`project`]: three people see the square where it is bright, one never does.
fn labels(place: &Place, n: usize) {
    let mut text = "task,worker,label\n".to_owned();
    for i in 0..n {
        let is_bright = (i * 7 % n) * 2 > n;
        for worker in ["Zaphod", "Trillian", "Ford", "Marvin"] {
            let sees = is_bright && worker != "Marvin";
            text.push_str(&format!("s{i},{worker},{}\n", if sees { "square" } else { "nothing" }));
        }
    }
    place.write("labels.csv", text);
}

fn read(place: &Place, name: &str) -> Value {
    serde_json::from_str(&place.read(name)).unwrap()
}

const CARD: [&str; 6] = ["card", "model", "--policy", "policy.toml", "--biases", "biases.toml"];

#[test]
fn a_card_from_labels_to_the_hub_and_whoever_changes_it_is_found_out() {
    let place = Place::new();
    project(&place, 40);
    labels(&place, 40);
    place.write("policy.toml", POLICY);
    place.write("biases.toml", "");
    place.record(&["consensus", "labels.csv", "-o", "votes.csv"]);
    // Of a rare camera there are too few pictures to say anything.
    let subjects = place.read("subjects.csv");
    let with_cameras: String = subjects
        .lines()
        .enumerate()
        .map(|(row, line)| match row {
            0 => format!("{line},camera\n"),
            row if row % 8 == 0 => format!("{line},rare\n"),
            _ => format!("{line},usual\n"),
        })
        .collect();
    place.write("subjects.csv", with_cameras);
    let more = ["--epochs", "2", "--held-out", "0.5", "--by", "object,camera"];
    place.volary(&train("model", &more)).is_done();
    let measured = read(&place, "model/metrics.json");
    let slices = measured["slices"].as_array().unwrap();
    for slice in slices {
        let is_enough = slice["n"].as_u64().unwrap() >= 10;
        assert_eq!(slice["excess_log_loss"].is_object(), is_enough, "{slice}");
        assert_eq!(slice["note"] == "not enough data", !is_enough, "{slice}");
    }
    assert!(slices.iter().any(|s| s["slice"] == "camera = usual" && s["note"].is_null()), "{slices:?}");
    // Training leaves a draft.
    assert!(place.read("model/card.md").contains("A draft"));
    place.record(&CARD);
    let card = place.read("model/card.md");
    for words in [
        "license: \"mit\"",
        "To find pictures on which volunteers disagree.",
        "| consensus | ",
        "labels.csv `",
        "learned from",
        "### Calibration",
        "| object = o",
        "| not enough data | not enough data |",
        "None are known.",
        "model:cpu_time",
    ] {
        assert!(
            card.contains(words) || words == "model:cpu_time" && card.contains("rapl"),
            "{words}\n{card}"
        );
    }
    for words in ["Zaphod", "zaphod", place.path("x").parent().unwrap().to_str().unwrap()] {
        assert!(!card.contains(words), "{words}");
    }
    let check = [&CARD[..], &["--check"]].concat();
    place.record(&check);
    // Made again it is the same, also away from the project.
    std::fs::create_dir(place.path("away")).unwrap();
    let copy = Command::new("cp").arg("-r").arg(place.path("model")).arg(place.path("away")).status();
    assert!(copy.unwrap().success());
    let mut away = check.clone();
    away[1] = "away/model";
    place.record(&away);
    // By hand.
    place.write("model/card.md", card.replace("Pictures of people.", "Nothing."));
    let run = place.volary(&check);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("What it is for"), "{}", run.stdout);
    // A model whose files were changed has no card.
    let metrics = place.read("model/metrics.json");
    place.write("model/metrics.json", metrics.replacen("0.", "1.", 1));
    place.volary(&CARD).fails_with("metrics.json is not what training wrote");
    place.write("model/metrics.json", metrics);
    place.record(&CARD);
    hub_reads(&place.path("model"));
}

/// Hugging Face's library, where it is installed, reads what was written.
fn hub_reads(model: &Path) {
    let python = std::env::var_os("VOLARY_CHECKERS").map(|v| Path::new(&v).join("bin/python"));
    let Some(python) = python.filter(|p| p.exists()) else {
        eprintln!("skipped: VOLARY_CHECKERS names no virtual environment");
        return;
    };
    let script = root().join("crates/volary-release/tests/checkers/check.py");
    let output = Command::new(python).arg(script).arg(model).arg("model_card").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("\"model_card\": \"ok\""),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_budget_ends_a_training_in_order_and_its_cost_is_counted() {
    let place = Place::new();
    project(&place, 24);
    place.write("budget.toml", "[budget]\ncpu_hours = 1e-9\n[cost]\nwatts_per_thread = 10\n");
    place.write(
        "power.toml",
        "[cost]\nwatts_per_thread = 10\ngrid_g_per_kwh = 100\ngrid_source = \"x\"\n",
    );
    let with = |more: &[&str]| place.volary(&[&train("model", &["--epochs", "2"])[..], more].concat());
    with(&["--config", "budget.toml"]).fails_with("the budget is spent: cpu_hours = 0.000000001");
    assert!(!place.path("model/config.json").exists(), "what was stopped is no model");
    let runs = |place: &Place| read(place, "model/cost.json")["runs"].as_array().unwrap().len();
    assert_eq!(runs(&place), 1, "a run that was stopped has cost something");
    with(&["--resume", "--config", "power.toml"]).is_done();
    assert_eq!(runs(&place), 2);
    let record = read(&place, "model/run.json");
    let cost = &record["cost"];
    if cost["method"] == "model:cpu_time" {
        // The stated power, of the processor time of this run alone.
        let number = |path: &str| cost.pointer(path).unwrap().as_f64().unwrap();
        let middle = number("/cpu_s") * 10.0 * 0.6 / 3600.0;
        assert!((number("/energy_wh/mid") - middle).abs() < 1e-9 * middle, "{cost}");
        assert!((number("/emissions_g/mid") - middle * 0.1).abs() < 1e-9 * middle, "{cost}");
    }
    assert!(cost["cpu_s"].as_f64().unwrap() > 0.0 && !cost["how"].as_str().unwrap().is_empty());
    let outputs: Vec<&str> =
        record["outputs"].as_array().unwrap().iter().filter_map(|o| o["path"].as_str()).collect();
    assert!(outputs.contains(&"model/weights.safetensors"), "{outputs:?}");
    place.write("odd.toml", "[budget]\nhours = -1\n");
    with(&["--fresh", "--config", "odd.toml"]).fails_with("`hours` is a number above 0");
    place.write("odd.toml", "[cost]\npue = 0.5\n");
    with(&["--fresh", "--config", "odd.toml"]).fails_with("`pue` is 1 or more");
}

/// The processor time in the record is that of the whole process, all its threads, and each of them once: the shell
/// that started it counts the same.
#[cfg(unix)]
#[test]
fn the_cost_is_what_the_system_counted() {
    let place = Place::new();
    let crowd =
        "simulate crowd --subjects 100000 --per-subject 12 --volunteers 300 --to parquet -o crowd";
    let script = format!("\"$VOLARY\" {crowd} >/dev/null 2>&1 && times");
    let run = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("VOLARY", env!("CARGO_BIN_EXE_volary"))
        .env("LC_ALL", "C")
        .current_dir(place.path(""))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // The second line is of the children: "0m1.234s 0m0.056s".
    let said = String::from_utf8(run.stdout).unwrap();
    let seconds = |text: &str| -> f64 {
        let (minutes, seconds) = text.split_once('m').unwrap();
        60.0 * minutes.parse::<f64>().unwrap() + seconds.trim_end_matches('s').parse::<f64>().unwrap()
    };
    let counted: f64 = said.lines().nth(1).unwrap().split_whitespace().map(seconds).sum();
    let recorded = read(&place, "crowd/run.json")["cost"]["cpu_s"].as_f64().unwrap();
    assert!(counted > 0.3, "too short to compare: {counted} s");
    // What comes after the record (the last lines, the end of the process) is not in it.
    assert!(
        (recorded - counted).abs() < 0.05 * counted + 0.1,
        "{recorded} s, and the shell counted {counted} s"
    );
}

#[test]
fn what_has_no_card() {
    let place = Place::new();
    place.write("policy.toml", POLICY);
    place.write("biases.toml", "");
    place.volary(&CARD).fails_with("no model");
    assert_eq!(place.volary(&["card", "model"]).code, 2, "a policy and biases, or a draft");
    project(&place, 24);
    place.volary(&train("model", &["--epochs", "1", "--held-out", "0"])).is_done();
    place.volary(&CARD).fails_with("holds no evaluation");
    place.record(&["card", "model", "--draft"]);
    place.write("policy.toml", "version = \"1\"\n");
    place.volary(&CARD).fails_with("[card] in the policy");
    std::fs::remove_file(place.path("model/card.md")).unwrap();
    place.volary(&["card", "model", "--draft", "--check"]).fails_with("there is no card");
    place
        .volary(&train("other", &["--epochs", "1", "--by", "night"]))
        .fails_with("the subjects have object");
}
