//! Models on their way out: with a card, without those who opted out, and held against the files beside it.

use serde_json::Value;

use crate::release::{NAMES, SETTINGS, checkers_accept, release};
use crate::support::{Place, Row, export, walk};

const CARD: &str = r#"
version = "2026-11"

[card]
licence = "MIT"
intended_use = "To sort photographs."
out_of_scope = "Pictures of people."
data = "Simulated."
contact = "cats@example.org"
"#;

#[test]
fn a_model_leaves_with_its_card_and_without_those_who_opted_out() {
    let place = Place::new();
    crate::vision::project(&place, 24);
    let mut rows = Vec::new();
    for subject in 0..24 {
        for (i, name) in NAMES.iter().enumerate() {
            let id = subject * 10 + i as u64 + 1;
            let answer = if (id + subject).is_multiple_of(3) { "Cat" } else { "Dog" };
            rows.push(Row::answer(id, name, &format!("s{subject}"), answer));
        }
    }
    place.write("export.csv", export(&rows));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.write("release.toml", SETTINGS);
    place.write("biases.toml", "");
    place.write("policy.toml", CARD);
    let train = "train confusion subjects.csv --consensus consensus.csv -o model --replicates 20 --size 32 --channels grey \
                 --filters 8 --hidden 6,4 --batch 8 --epochs 1 --held-out 0.3 --fresh";
    let train: Vec<&str> = train.split_whitespace().collect();
    let make = |more: &[&str]| {
        place.record(&[&["consensus", "export.csv", "-o", "consensus.csv"], more].concat());
        place.record(&train);
        place.record(&["card", "model", "--policy", "policy.toml", "--biases", "biases.toml"]);
    };
    make(&[]);
    let model = ["--model", "model", "--names", "export.csv"];
    let without_policy = release("cats", &[&model[..], &["--new-key"]].concat());
    place.volary(&without_policy).fails_with("a model leaves with its card");
    let with = [&model[..], &["--policy", "policy.toml", "--new-key"]].concat();
    place.record(&release("cats", &with));
    let verify = ["release", "verify", "cats", "--names", "export.csv", "--biases", "biases.toml"];
    assert_eq!(place.record(&verify)["summary"]["findings"], Value::Array(Vec::new()));
    let mut found = Vec::new();
    walk(&place.path("cats/models"), &mut |path| {
        found.push(path.file_name().unwrap().to_string_lossy().into_owned());
    });
    found.sort();
    let expected = [
        "card.md",
        "config.json",
        "cost.json",
        "lineage.json",
        "metrics.json",
        "run.json",
        "weights.safetensors",
    ];
    assert_eq!(found, expected);
    assert!(place.read("cats/README.md").contains("## Models"));
    assert!(place.read("cats/ro-crate-metadata.json").contains("weights.safetensors"));
    checkers_accept(&place.path("cats"));
    a_changed_model_is_found(&place);
    // Somebody opts out: the model learned from them, and stays.
    place.record(&["optout", "add", "--user", NAMES[3], "--at", "2026-11-01"]);
    let out = [&with[..5], &["policy.toml", "--optouts", "optouts.toml"]].concat();
    place
        .volary(&release("cats-2", &out))
        .fails_with("nothing says that this model learned without them");
    // Without the runs that it stands on, the next step is its card.
    let (kept, away) = (place.path("model/lineage.json"), place.path("away.json"));
    std::fs::rename(&kept, &away).unwrap();
    place.volary(&release("cats-2", &out)).fails_with("write its card first: `volary card model`");
    std::fs::rename(&away, &kept).unwrap();
    // Made again it leaves, and whoever looks for what it went into finds the package.
    make(&["--optouts", "optouts.toml"]);
    place.record(&release("cats-2", &out));
    let card = || place.read("model/card.md");
    assert!(card().contains("votes of people who opted out | left out"), "{}", card());
    // Somebody else opts out, of whom nobody knew then. A table of votes can do without them, a model cannot.
    place.record(&["optout", "add", "--user", NAMES[4], "--at", "2026-11-02"]);
    place.volary(&release("cats-3", &out)).fails_with("`volary consensus` was not told of all of them");
    // Nor is a list of the same length the same list.
    place.record(&["optout", "add", "--user", NAMES[4], "--list", "other.toml"]);
    place.record(&["optout", "add", "--user", NAMES[3], "--list", "other.toml"]);
    make(&["--optouts", "other.toml"]);
    place.volary(&release("cats-3", &out)).fails_with("was not told");
    make(&["--optouts", "optouts.toml"]);
    place.record(&release("cats-3", &out));
    let lineage = place.read("model/lineage.json");
    for word in ["n_votes_opted_out", "n_optout", "n_opted_out", "n_out"] {
        assert!(!lineage.contains(word), "how many opted out is told: {lineage}");
    }
    // A file less is found.
    std::fs::remove_dir_all(
        place.path("cats-2/models").read_dir().unwrap().next().unwrap().unwrap().path(),
    )
    .unwrap();
    assert_eq!(place.volary(&["release", "verify", "cats-2"]).code, 1);
}

/// A number of a card, or of what it is made of, is changed by hand.
fn a_changed_model_is_found(place: &Place) {
    let models = place.path("cats/models");
    let model = models.read_dir().unwrap().next().unwrap().unwrap().path();
    let record: Value =
        serde_json::from_str(&std::fs::read_to_string(model.join("run.json")).unwrap()).unwrap();
    assert!(record.get("folder").is_none() && record.get("command_line").is_none(), "{record}");
    for (file, from, to, words) in [
        ("card.md", "| stopped by |", "| never stopped by |", "not what the files beside it say"),
        ("metrics.json", "\"value\":", "\"value\": 0.5, \"was\":", "no card can be made of it"),
        ("cost.json", "\"cpu_s\": ", "\"cpu_s\": 9", "no card can be made of it"),
        ("run.json", "\"command\": \"train\"", "\"command\": \"score\"", "no card can be made of it"),
    ] {
        let path = model.join(file);
        let was = std::fs::read_to_string(&path).unwrap();
        assert!(was.contains(from), "{file} holds no {from}: {was}");
        std::fs::write(&path, was.replacen(from, to, 1)).unwrap();
        let found = place.volary(&["release", "verify", "cats"]);
        assert_eq!(found.code, 1, "{file}");
        assert!(found.stdout.contains(words), "{file}: {}", found.stdout);
        std::fs::write(&path, was).unwrap();
    }
}
