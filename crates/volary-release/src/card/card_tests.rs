use std::path::PathBuf;

use serde_json::{Value, json};

use super::evaluation::{reliability, rows, slices, tables};
use super::*;
use crate::cost::{COST_FILE, Cost, Hardware, Ledger, PowerModel, Spent};
use crate::lineage::Lineage;
use crate::policy::Policy;

const POLICY: &str = r#"
version = "2026-11"
k = 10

[card]
licence = "CC-BY-4.0"
intended_use = "To sort photographs for people."
out_of_scope = "Counting cats. Anything without a person after it."
data = "Photographs that their owners sent in, with leave."
contact = "cats@example.org"
datasets = ["10.5072/cats"]
tags = ["cats"]

[card.oddness]
name = "Odd cats: \"yes\" | no"
intended_use = "To find odd cats."
"#;

const BIASES: &str = "[[bias]]\nid = \"B-1\"\nwhat = \"Black cats look like nothing.\"\n\
                      found = \"2026-01-01\"\nevidence = \"run 3\"\nstate = \"open\"\n";

/// A model folder of a family that nobody has heard of.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write("config.json", &config().to_string());
        place.write("metrics.json", &metrics().to_string());
        std::fs::write(place.path("weights.safetensors"), weights()).unwrap();
        let power = PowerModel {
            grid_g_per_kwh: Some(250.0),
            grid_source: Some("the grid's operator, 2025".to_owned()),
            ..PowerModel::default()
        };
        let spent = Spent { wall_s: 100.0, cpu_s: Some(180.0), ..Spent::default() };
        let hardware = Hardware {
            processor: "Test processor".to_owned(),
            n_threads: 2,
            system: "linux x86_64".to_owned(),
            graphics: None,
        };
        let cost = Cost::of(&spent, &hardware, &power);
        Ledger::default().with(&cost).with(&cost).write(&place.path(COST_FILE)).unwrap();
        place.record();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// `run.json` as training would write it now.
    fn record(&self) {
        let output = |name: &str| {
            let bytes = std::fs::read(self.path(name)).unwrap();
            json!({"path": format!("/home/zaphod/{name}"), "bytes": bytes.len(),
                   "blake3": blake3::hash(&bytes).to_hex().to_string()})
        };
        let outputs = ["config.json", "metrics.json", "weights.safetensors"].map(output);
        let hash = |n: u8| blake3::hash(&[n]).to_hex().to_string();
        let record = json!({
            "volary": "0.1.0",
            "command": "train",
            "command_line": ["/home/zaphod/volary"],
            "seed": 5,
            "inputs": [{"path": "/home/zaphod/consensus.csv", "bytes": 10, "blake3": hash(3)}],
            "outputs": outputs,
            "summary": {"n_train": 80, "n_held_out": 20, "n_weights": 10},
        });
        self.write("run.json", &record.to_string());
    }

    fn folder(&self) -> Folder {
        Folder::read(self.folder.path()).unwrap()
    }

    fn card(&self) -> Result<String, String> {
        let policy = policy(POLICY);
        let folder = Folder::read(self.folder.path()).map_err(|e| e.to_string())?;
        let prose = Prose::of(&policy, folder.kind()).map_err(|e| e.to_string())?;
        let biases = biases();
        let said = Said { prose: Some((&prose, &policy.version)), biases: Some(&biases) };
        card(&folder, &said).map_err(|e| e.to_string())
    }
}

fn policy(text: &str) -> Policy {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, text).unwrap();
    Policy::read(&path).unwrap()
}

fn biases() -> Registry {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("biases.toml");
    std::fs::write(&path, BIASES).unwrap();
    Registry::read(&path).unwrap()
}

fn config() -> Value {
    json!({
        "format": "volary model", "format_version": 1, "kind": "oddness", "volary": "0.1.0",
        "shape": {"width": 32, "hidden": [6, 4]},
        "classes": ["odd", "even"],
        "settings": {"seed": 5, "plan": {"epochs": 3}},
        "preprocessing": {"channels": "grey"},
        "labels_blake3": "ab".repeat(32),
        "n_train": 80, "n_held_out": 20, "typical_n_seen": null, "ended": "all_epochs",
    })
}

fn estimate(value: f64) -> Value {
    json!({"value": value, "low": value - 0.1, "high": value + 0.1})
}

fn metrics() -> Value {
    let of = |auc: f64| {
        json!({"auc": estimate(auc), "brier": null, "reliability": [
            {"low": 0.0, "high": 0.5, "n": 12, "mean_predicted": 0.2, "mean_label": estimate(0.25)},
            {"low": 0.5, "high": 1.0, "n": 0, "mean_predicted": null, "mean_label": null}]})
    };
    json!({
        "interval_level": 0.9,
        "held_out": {
            "n": 20,
            "models": {
                "model": {
                    "all_classes": of(0.87128),
                    "classes": {"odd": of(0.91), "even": of(0.83)},
                    "spearman": estimate(0.4),
                },
                "prior": {"all_classes": of(0.5), "classes": {"odd": of(0.501), "even": of(0.502)}},
            },
            "model_minus": {"prior": {"auc": estimate(0.37)}},
            "interval_coverage": 0.92,
        },
        "slices": [
            {"slice": "bright = yes", "n": 15, "auc": estimate(0.9)},
            {"slice": "bright = no", "n": 0, "auc": null},
            {"slice": "bright = hardly", "n": 2, "auc": null, "note": "not enough data"},
        ],
        "calibration_notes": ["It is stretched 400 times."],
        "latents": {"divergence": [1.0, 2.0]},
    })
}

fn weights() -> Vec<u8> {
    let header = json!({
        "__metadata__": {"x": "y"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F32", "shape": [4], "data_offsets": [24, 40]},
    })
    .to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 40]);
    bytes
}

#[test]
fn a_card_is_filled_from_the_folder() {
    let place = Place::new();
    let card = place.card().unwrap();
    for words in [
        "\nlicense: \"cc-by-4.0\"\n",
        "# Odd cats: \"yes\" \\| no",
        "oddness-abababab-",
        "10 numbers in 2 tensors (F32)",
        "| shape hidden | 6, 4 |",
        "To find odd cats.\n\n**Not for:** Counting cats.",
        "90 % intervals",
        "| model · all classes | 0.8713 (0.7713–0.9713) | – |",
        "| model · odd | 0.9100",
        "| model minus · prior | 0.3700",
        "- interval coverage: 0.92",
        "| 0.00–0.50 | 12 | 0.2000 | 0.2500 (0.1500–0.3500) |",
        "| 0.50–1.00 | 0 | – | no data |",
        "| bright = yes | 15 | 0.9000 (0.8000–1.0000) |",
        "| bright = no | 0 | no data |",
        "| bright = hardly | 2 | not enough data |",
        "\nA slice of too few pictures, ",
        "### Calibration\n\nIt is stretched 400 times.\n\nOf those",
        "### B-1 (open, found 2026-01-01)",
        "| runs | 2 |",
        "model:cpu_time: 180.0 s of processor time",
        "the grid's operator, 2025",
        "Test processor, 2 threads",
        "volary score model SUBJECTS",
        "load_file(\"weights.safetensors\")  # 2 tensors",
        "| input consensus.csv | 10 bytes, BLAKE3",
        "team's policy 2026-11",
    ] {
        assert!(card.contains(words), "{words}\n{card}");
    }
    for words in ["zaphod", "More Information Needed", "NaN", "prior · odd", "null |"] {
        assert!(!card.to_lowercase().contains(&words.to_lowercase()), "{words}\n{card}");
    }
    assert_eq!(place.card().unwrap(), card, "the same folder, the same card");
}

#[test]
fn the_front_matter_is_yaml_and_says_the_same() {
    let place = Place::new();
    let card = place.card().unwrap();
    let front = card.strip_prefix("---\n").unwrap().split("---\n").next().unwrap();
    let front: Value = serde_yaml_ng::from_str(front).unwrap();
    let model = &front["model-index"][0];
    assert_eq!(model["name"], "Odd cats: \"yes\" | no");
    let metrics = model["results"][0]["metrics"].as_array().unwrap();
    // Of the model itself, all classes together; what could not be measured is not there.
    let named: Vec<(&str, f64)> =
        metrics.iter().map(|m| (m["type"].as_str().unwrap(), m["value"].as_f64().unwrap())).collect();
    assert_eq!(named, [("roc_auc", 0.87128), ("spearman", 0.4)]);
    assert_eq!(metrics[0]["args"]["level"], 0.9);
    assert_eq!(model["results"][0]["dataset"]["type"], "10.5072/cats");
    assert_eq!(front["tags"], json!(["volary", "citizen-science", "oddness", "cats"]));
    // 2 × 180 s × 10.625 W × 0.6 in grams at 250 g/kWh.
    let grams = front["co2_eq_emissions"]["emissions"].as_f64().unwrap();
    assert!((grams - 2.0 * 180.0 * 10.625 * 0.6 / 3.6e6 * 250.0).abs() < 1e-12, "{grams}");
    assert_eq!(front["volary"]["is_draft"], false);
    assert_eq!(front["volary"]["policy"], "2026-11");
}

#[test]
fn odd_text_in_the_front_matter_stays_text() {
    let place = Place::new();
    for name in ["a: {b", "- c", "\u{85}\u{2028}\u{7f}", "'\"\\", "#!", "null", "1E5", "---", "\t\u{1}"]
    {
        let quoted = Value::from(name).to_string().replace('\u{7f}', "\\u007f");
        let text = POLICY.replace("\"Odd cats: \\\"yes\\\" | no\"", &quoted);
        let policy = policy(&text);
        let prose = Prose::of(&policy, "oddness").unwrap();
        assert_eq!(prose.name.as_deref(), Some(name));
        let biases = biases();
        let said = Said { prose: Some((&prose, "1")), biases: Some(&biases) };
        let card = card(&place.folder(), &said).unwrap();
        let front = card.strip_prefix("---\n").unwrap();
        let end = front.find("\n---\n").unwrap();
        let front: Value = serde_yaml_ng::from_str(&front[..end]).unwrap();
        assert_eq!(front["model-index"][0]["name"], name);
    }
}

#[test]
fn one_number_that_changes_changes_the_card_and_is_found_out() {
    let place = Place::new();
    let before = place.card().unwrap();
    let path = place.path(CARD_FILE);
    std::fs::write(&path, &before).unwrap();
    let check = |path: &Path| {
        let policy = policy(POLICY);
        let prose = Prose::of(&policy, "oddness").unwrap();
        let biases = biases();
        let said = Said { prose: Some((&prose, &policy.version)), biases: Some(&biases) };
        differences(&place.folder(), &said, path)
    };
    assert_eq!(check(&path).unwrap(), [""; 0]);
    // By hand, in the card.
    for (from, to, section) in [
        ("0.8713", "0.9713", "How good it is"),
        ("To find odd cats.", "To find all cats.", "What it is for"),
        ("license: \"cc-by-4.0\"", "license: \"mit\"", "front matter"),
        ("| runs | 2 |", "| runs | 1 |", "What it cost"),
    ] {
        std::fs::write(&path, before.replacen(from, to, 1)).unwrap();
        let found = check(&path).unwrap();
        assert!(found.len() == 1 && found[0].starts_with(section), "{section}: {found:?}");
    }
    std::fs::write(&path, format!("{before}And it is very good.\n")).unwrap();
    assert_eq!(check(&path).unwrap().len(), 1);
    std::fs::write(&path, before.replace('\n', "\r\n")).unwrap();
    assert_eq!(check(&path).unwrap(), ["other ends of lines"]);
    // In the folder, with a record that fits and with one that does not.
    let better = metrics().to_string().replace("0.87128", "0.88128");
    place.write("metrics.json", &better);
    assert!(place.card().unwrap_err().contains("metrics.json is not what training wrote"));
    place.record();
    assert_ne!(place.card().unwrap(), before);
    std::fs::write(&path, &before).unwrap();
    assert!(!check(&path).unwrap().is_empty());
}

#[test]
fn files_that_contradict_each_other_have_no_card() {
    type Harm = fn(&Place);
    let cases: [(&str, Harm); 10] = [
        ("is not what training wrote", |p| {
            p.write("config.json", &config().to_string().replace("80", "81"))
        }),
        ("n_train: 81 and 80", |p| {
            p.write("config.json", &config().to_string().replace("\"n_train\":80", "\"n_train\":81"));
            p.record();
        }),
        ("pictures held out: 20 and 21", |p| {
            p.write("metrics.json", &metrics().to_string().replace("\"n\":20", "\"n\":21"));
            p.record();
        }),
        ("classes", |p| {
            p.write("config.json", &config().to_string().replace("even", "uneven"));
            p.record();
        }),
        ("seed: 6 and 5", |p| {
            p.write("config.json", &config().to_string().replace("\"seed\":5", "\"seed\":6"));
            p.record();
        }),
        ("ends before it begins", |p| {
            p.write("metrics.json", &metrics().to_string().replacen("\"low\":0.3", "\"low\":1.3", 1));
            p.record();
        }),
        ("of `volary score`", |p| {
            let text = std::fs::read_to_string(p.path("run.json")).unwrap();
            p.write("run.json", &text.replace("\"train\"", "\"score\""));
        }),
        ("does not say that weights.safetensors was written", |p| {
            let text = std::fs::read_to_string(p.path("run.json")).unwrap();
            p.write("run.json", &text.replace("/weights.safetensors", "/other.safetensors"));
        }),
        ("cost.json is gone", |p| {
            let text = std::fs::read_to_string(p.path("run.json")).unwrap();
            let mut record: Value = serde_json::from_str(&text).unwrap();
            let bytes = std::fs::read(p.path("cost.json")).unwrap();
            let hash = blake3::hash(&bytes).to_hex().to_string();
            let one = json!({"path": "/home/zaphod/cost.json", "bytes": bytes.len(), "blake3": hash});
            record["outputs"].as_array_mut().unwrap().push(one);
            p.write("run.json", &record.to_string());
            p.card().unwrap();
            std::fs::remove_file(p.path("cost.json")).unwrap();
        }),
        ("do not lead to this model", |p| {
            let run = json!({"command": "consensus", "volary": "0.1.0", "seed": 1, "inputs": [], "outputs": []});
            p.write(LINEAGE_FILE, &json!({"runs": [run]}).to_string());
        }),
    ];
    for (words, harm) in cases {
        let place = Place::new();
        harm(&place);
        let message = place.card().unwrap_err();
        assert!(message.contains(words) && message.contains("contradict"), "{words}: {message}");
    }
}

#[test]
fn nothing_measured_is_no_card_but_a_draft() {
    let place = Place::new();
    place.write("metrics.json", &json!({"held_out": null, "slices": []}).to_string());
    place.write("config.json", &config().to_string().replace("20", "0"));
    place.record();
    let text = std::fs::read_to_string(place.path("run.json")).unwrap();
    place.write("run.json", &text.replace("\"n_held_out\":20", "\"n_held_out\":0"));
    assert!(place.card().unwrap_err().contains("holds no evaluation"));
    let draft = card(&place.folder(), &Said::default()).unwrap();
    for words in ["A draft", "Nothing was held out", "no policy was given", "is_draft: true"] {
        assert!(draft.contains(words), "{draft}");
    }
}

#[test]
fn folders_that_are_no_models() {
    let place = Place::new();
    for (name, bytes, words) in [
        ("weights.safetensors", b"\x07\0\0\0\0\0\0\0{}".to_vec(), "not a file of weights"),
        ("weights.safetensors", vec![255; 16], "not a file of weights"),
        ("weights.safetensors", b"\x02\0".to_vec(), "not a file of weights"),
        ("weights.safetensors", b"\x08\0\0\0\0\0\0\0{\"a\":{}}".to_vec(), "without a shape"),
        ("metrics.json", b"{".to_vec(), "not JSON"),
        ("cost.json", b"[]".to_vec(), "not a list of costs"),
        (LINEAGE_FILE, b"{\"runs\": 3}".to_vec(), "not a lineage"),
    ] {
        let before = std::fs::read(place.path(name)).ok();
        std::fs::write(place.path(name), bytes).unwrap();
        let message = Folder::read(place.folder.path()).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
        match before {
            Some(before) => std::fs::write(place.path(name), before).unwrap(),
            None => std::fs::remove_file(place.path(name)).unwrap(),
        }
    }
    std::fs::remove_file(place.path("config.json")).unwrap();
    let message = Folder::read(place.folder.path()).unwrap_err().to_string();
    assert!(message.contains("no model"), "{message}");
}

#[test]
fn the_runs_before_a_training_are_kept_with_the_model() {
    let place = Place::new();
    let hash = |n: u8| blake3::hash(&[n]).to_hex().to_string();
    let run = |command: &str, from: u8, to: u8| {
        let file =
            |n: u8| json!({"path": format!("/home/zaphod/{n}.csv"), "bytes": 1, "blake3": hash(n)});
        let record = json!({
            "volary": "0.1.0", "command": command, "seed": 1, "inputs": [file(from)], "outputs": [file(to)],
            "summary": {"n_votes_opted_out": 31},
        });
        crate::lineage::Run::of(&record, Path::new("x"))
    };
    let project = Lineage::new(vec![run("consensus", 2, 3), run("extract", 1, 2), run("other", 8, 9)]);
    let mut folder = place.folder();
    folder.trace(&project).unwrap();
    let card = place.card().unwrap();
    assert!(
        card.contains("| extract | 0.1.0 | 1.csv") && card.contains("| consensus | 0.1.0 |"),
        "{card}"
    );
    assert!(
        card.contains("| votes of people who opted out | left out, of those") && !card.contains("31 |"),
        "{card}"
    );
    assert!(!card.contains("other |") && !card.contains("zaphod"));
    // Where nothing is known of them, what is kept stays.
    folder.trace(&Lineage::default()).unwrap();
    assert_eq!(place.card().unwrap(), card);
}

#[test]
fn what_only_people_can_say_is_asked_for() {
    let cases = [
        (
            POLICY.replace("[card]", "[cart]").replace("[card.oddness]", "[cart.oddness]"),
            "it is missing",
        ),
        (POLICY.replace("\"cats@example.org\"", "\" \""), "`contact` is empty"),
        (POLICY.replace("CC-BY-4.0", "mine"), "is not one of Apache-2.0"),
        (POLICY.replace("data =", "date ="), "unknown field"),
        (
            POLICY
                .replace("out_of_scope = \"Counting cats. Anything without a person after it.\"\n", ""),
            "out_of_scope",
        ),
    ];
    for (text, words) in cases {
        let message = Prose::of(&policy(&text), "oddness").unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    // Another kind has what is said of all.
    assert_eq!(
        Prose::of(&policy(POLICY), "else").unwrap().intended_use,
        "To sort photographs for people."
    );
}

#[test]
fn rows_of_any_file_of_metrics() {
    let all = rows(&metrics());
    let paths: Vec<String> = all.iter().map(|r| r.path.join("/")).collect();
    assert_eq!(
        paths,
        [
            "held_out/models/model/all_classes",
            "held_out/models/model/classes/odd",
            "held_out/models/model/classes/even",
            "held_out/models/model",
            "held_out/models/prior/all_classes",
            "held_out/models/prior/classes/odd",
            "held_out/models/prior/classes/even",
            "held_out/model_minus/prior",
        ]
    );
    assert_eq!(tables(&all).len(), 3);
    assert_eq!(reliability(&metrics()).len(), 2);
    assert_eq!(slices(&metrics()).len(), 3);
    // Any other shape: estimates are found where they stand.
    let other =
        json!({"test": {"fid": {"value": 3.0, "low": 2.0, "high": 4.0}, "note": "x"}, "list": [1, 2]});
    let all = rows(&other);
    assert!(all.len() == 1 && all[0].path == ["test"] && all[0].is_of_model());
    for odd in [Value::Null, json!([]), json!({"value": 1}), json!({"a": {"value": "x", "low": 0}})] {
        let _ = (rows(&odd), reliability(&odd), slices(&odd));
    }
}
