//! Opting out, end to end: what a person's votes went into is named and made again, and then is as if the
//! person had never voted.

use serde_json::{Value, json};

use crate::support::{Place, Row, export};
use crate::vision::{project, train};

const N: usize = 24;

/// Votes on the pictures of [`project`]; the more there are of them, the brighter is what they show.
fn votes(absent: Option<&str>) -> String {
    let mut rows = Vec::new();
    for i in 0..N {
        let bright = i * 7 % N;
        for (j, name) in
            ["Zaphod_B", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10"].iter().enumerate()
        {
            let id = (i * 100 + j + 1) as u64;
            let sees = if *name == "Zaphod_B" { i % 2 == 0 } else { (j * 5 + bright) % N > N / 2 };
            if absent != Some(*name) {
                rows.push(Row::answer(
                    id,
                    name,
                    &format!("s{i}"),
                    if sees { "square" } else { "nothing" },
                ));
            }
        }
    }
    export(&rows)
}

/// Everything that a small project does with its votes.
fn make(place: &Place, votes: &str) {
    project(place, N);
    place.write("export.csv", votes);
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["consensus", "extracts", "-o", "votes.csv"]);
    place.record(&["gold", "export.csv", "-o", "gold.csv"]);
    place.volary(&train("model", &["--epochs", "2", "--held-out", "0.3"])).is_done();
    place.record(&["score", "model", "cutouts", "-o", "scores.csv"]);
    place.write("other.csv", "task,worker,label\na,p1,x\n");
    place.record(&["consensus", "other.csv", "-o", "other/consensus.csv"]);
}

fn rebuild(place: &Place, more: &[&str]) -> Value {
    place.record(&[&["rebuild", "--without-optouts", "--project", "."][..], more].concat())["summary"]
        .clone()
}

fn commands(summary: &Value) -> Vec<&str> {
    summary["touched"].as_array().unwrap().iter().map(|run| run["command"].as_str().unwrap()).collect()
}

#[test]
fn state_and_models_become_those_of_a_project_in_which_the_person_never_voted() {
    let (place, never) = (Place::new(), Place::new());
    make(&place, &votes(None));
    make(&never, &votes(Some("Zaphod_B")));
    place.record(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]);
    let named = rebuild(&place, &[]);
    let mut order = commands(&named);
    assert_eq!(order.len(), 5, "{named}");
    let at = |command: &str| order.iter().position(|c| *c == command).unwrap();
    assert!(
        at("extract") < at("consensus") && at("consensus") < at("train") && at("train") < at("score")
    );
    order.sort_unstable();
    assert_eq!(
        order,
        ["consensus", "extract", "gold", "score", "train"],
        "the other consensus is not touched"
    );
    assert_eq!(named["models"].as_array().unwrap().len(), 1);
    assert!(!named.to_string().contains("Zaphod"));
    let weights = |place: &Place| std::fs::read(place.path("model/weights.safetensors")).unwrap();
    assert_ne!(weights(&place), weights(&never), "the votes made a difference");
    assert_eq!(rebuild(&place, &["--again"])["n_made"], 5);
    for file in [
        "extracts/votes.csv",
        "votes.csv",
        "votes_volunteers.csv",
        "gold.csv",
        "gold_soft.csv",
        "gold_votes.csv",
        "gold_gold.json",
        "model/weights.safetensors",
        "model/config.json",
        "model/metrics.json",
        "model/history.csv",
        "model/split.csv",
        "scores.csv",
        "scores_embeddings.csv",
    ] {
        let bytes = |place: &Place| std::fs::read(place.path(file)).unwrap();
        assert!(bytes(&place) == bytes(&never), "{file}");
    }
    // Done: nothing is left to do. And the model's card can say so.
    assert_eq!(rebuild(&place, &[])["n_touched"], 0);
    place.record(&["card", "model", "--draft"]);
    assert!(place.read("model/card.md").contains("votes of people who opted out | left out"));
    // Somebody else opts out afterwards: those who were left out stay so, and it begins again.
    place.record(&["optout", "add", "--user", "p3", "--at", "2026-11-02"]);
    assert_eq!(rebuild(&place, &[])["n_touched"], 5);
    place.record(&["optout", "back", "--user", "p3", "--at", "2026-11-03"]);
    assert_eq!(rebuild(&place, &[])["n_touched"], 0);
}

#[test]
fn releases_are_named_and_not_recalled_and_what_is_gone_is_said() {
    let place = Place::new();
    place.write("export.csv", votes(None));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.write("release.toml", crate::release::SETTINGS);
    place.write("biases.toml", "");
    let release =
        ["release", "release.toml", "--votes", "extracts/votes.csv", "--biases", "biases.toml"];
    place.record(&[&release[..], &["--key", "k.key", "--new-key", "-o", "one"]].concat());
    place.record(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]);
    let named = rebuild(&place, &[]);
    assert_eq!(commands(&named), ["extract", "release"]);
    assert_eq!(named["n_releases"], 1);
    // The next version without the person is touched by nothing of theirs, though its input holds their votes.
    let next = ["--key", "k.key", "--optouts", "optouts.toml", "-o", "two"];
    place.record(&[&release[..], &next].concat());
    assert_eq!(rebuild(&place, &[])["n_releases"], 1, "the first one still is");
    // An export that is gone may have held anybody.
    std::fs::remove_file(place.path("export.csv")).unwrap();
    let named = rebuild(&place, &[]);
    assert_eq!(named["unknown"], json!(["export.csv"]));
    assert_eq!(commands(&named), ["extract", "release"]);
    place
        .volary(&["rebuild", "--without-optouts", "--project", ".", "--again"])
        .fails_with("volary extract");
    place.volary(&["rebuild", "--without-optouts"]).fails_with("of what?");
    assert_eq!(place.volary(&["rebuild", "--project", "."]).code, 2);
}

#[test]
fn where_somebodys_votes_went_is_answered_of_that_person_and_nothing_is_changed() {
    let place = Place::new();
    place.write("export.csv", votes(None));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]);
    place.record(&["consensus", "extracts", "--optouts", "optouts.toml", "-o", "consensus.csv"]);
    let settings = crate::release::SETTINGS.replace("tier = \"A\"", "tier = \"B\"");
    place.write("release.toml", settings);
    place.write("biases.toml", "");
    let release =
        ["release", "release.toml", "--votes", "extracts/votes.csv", "--biases", "biases.toml"];
    let more = ["--key", "k.key", "--new-key", "--optouts", "optouts.toml", "-o", "one"];
    place.record(&[&release[..], &more].concat());
    let list = place.read("optouts.toml");
    let files = place.files();
    let ask = |name: &str| {
        let into = ["--package", "one", "--key", "k.key", "--settings", "release.toml"];
        place.record(&[&["optout", "where", "--user", name][..], &into].concat())["summary"].clone()
    };
    // A was left out after the extract; B, of whom the list knew nothing, never was.
    let a = ask("Zaphod_B");
    assert_eq!(commands(&a), ["extract"], "{a}");
    assert_eq!((&a["is_out"], &a["is_in_package"]), (&json!(true), &json!(false)));
    let b = ask("p3");
    assert_eq!(commands(&b), ["extract", "consensus", "release"], "{b}");
    assert_eq!((&b["is_out"], &b["is_in_package"]), (&json!(false), &json!(true)));
    assert_eq!(b["n_releases"], 1);
    let nobody = ask("Arthur");
    assert_eq!((&nobody["n_touched"], &nobody["is_in_package"]), (&json!(0), &json!(false)));
    assert!(!a.to_string().contains("Zaphod"));
    assert_eq!((place.read("optouts.toml"), place.files()), (list, files));
    // Another list with the same person on it is not the list that the runs were given.
    place.record(&["optout", "add", "--user", "p3", "--list", "question.toml"]);
    let other = rebuild(&place, &["--optouts", "question.toml"]);
    assert_eq!(commands(&other), ["extract", "consensus", "release"]);
}

#[test]
fn a_run_that_finds_most_up_to_date_still_says_what_the_whole_is_made_of() {
    let place = Place::new();
    project(&place, N);
    place.write("export.csv", votes(None));
    place.write("volary.toml", "[input]\nexports = [\"export.csv\"]\n");
    place.record(&["run"]);
    place.record(&["optout", "add", "--user", "p3", "--at", "2026-11-01"]);
    let set = |optouts: &str, rest: &str| {
        let text = format!("[input]\nexports = [\"export.csv\"]\n[rows]\n{optouts}\n{rest}\n");
        place.write("volary.toml", text);
    };
    let record = || serde_json::from_str::<Value>(&place.read("run.json")).unwrap();
    let names = |list: &str| -> Vec<String> {
        let files = record()[list].as_array().unwrap().clone();
        files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    let whole =
        (names("inputs"), names("outputs").into_iter().collect::<std::collections::BTreeSet<_>>());
    assert_eq!(
        whole.0.len(),
        1,
        "what one stage wrote and the next read is no input of the whole: {whole:?}"
    );
    // The consensus only; then the report only.
    for more in ["[consensus]\nlevel = 0.9", "[consensus]\nlevel = 0.9\n[project]\ntitle = \"Anew\""] {
        set("", more);
        let again = place.record(&["run"]);
        assert_eq!(again["summary"]["stage_extract"], "up to date");
        assert_eq!(names("inputs"), whole.0);
        assert_eq!(names("outputs").into_iter().collect::<std::collections::BTreeSet<_>>(), whole.1);
    }
    let train =
        ["train", "confusion", "subjects.csv", "--consensus", "consensus/consensus.parquet", "--task"];
    let more =
        ["T0", "--size", "32", "--channels", "grey", "--filters", "4", "--hidden", "4", "--epochs", "1"];
    place.record(&[&train[..], &more, &["--replicates", "20", "-o", "model"]].concat());
    let ask = |name: &str| place.record(&["optout", "where", "--user", name])["summary"].clone();
    let found = ask("Zaphod_B");
    assert_eq!(
        (commands(&found), &found["n_models"]),
        (vec!["run", "run", "train"], &json!(1)),
        "{found}"
    );
    let text = place.volary(&["optout", "where", "--user", "Zaphod_B"]).stdout;
    assert!(text.contains("consensus.parquet") && text.contains(" figures"), "{text}");
    assert!(!text.contains("lorenz_curve") && found.to_string().contains("lorenz_curve"), "{text}");
    let named = rebuild(&place, &[]);
    assert_eq!(commands(&named), ["run", "run", "train"]);
    // Whom a stage left out is still said where that stage is up to date.
    set("optouts = \"optouts.toml\"", "[consensus]\nlevel = 0.9");
    place.record(&["run"]);
    set("optouts = \"optouts.toml\"", "[consensus]\nlevel = 0.8");
    assert_eq!(place.record(&["run"])["summary"]["stage_extract"], "up to date");
    assert!(record()["summary"]["optout_list"].is_string());
    assert_eq!(commands(&ask("p3")), ["train"], "of the consensus that was there before");
    assert_eq!(commands(&ask("p4"))[..2], ["run", "run"]);
    // What an older version did has no account of its files: it is done again, and not told of without them.
    let stages: Value = serde_json::from_str(&place.read(".volary/stages.json")).unwrap();
    let old: serde_json::Map<String, Value> = stages
        .as_object()
        .unwrap()
        .clone()
        .into_iter()
        .filter(|(key, _)| !key.starts_with("files"))
        .collect();
    place.write(".volary/stages.json", Value::Object(old).to_string());
    assert_eq!(place.record(&["run"])["summary"]["stage_extract"], "done");
    assert_eq!(names("inputs"), whole.0);
}

/// The report shows what steps drew of what the same run wrote: that is no circle in which nothing comes first.
#[test]
fn a_project_with_steps_is_made_again_in_order() {
    let place = Place::new();
    place.write("export.csv", votes(None));
    let steps = "[input]\nexports = [\"export.csv\"]\n\
        [[steps]]\nrun = \"slice consensus/consensus_subjects.parquet 'n_seen >= 0' -o slice.csv\"\n\
        [[steps]]\nrun = \"figures scores slice.csv --score n_seen -o drawn\"\n";
    place.write("volary.toml", steps);
    place.record(&["run"]);
    place.record(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]);
    let order = rebuild(&place, &[]);
    let at = |command: &str| commands(&order).iter().position(|c| *c == command).unwrap();
    assert!(at("run") < at("slice") && at("slice") < at("figures"), "{order}");
    let done = rebuild(&place, &["--again"]);
    assert_eq!(done["n_left"], 0, "{done}");
}

/// The demo of the README: what it simulates is an export, and the rest is made of it as in any project.
#[test]
fn an_opt_out_is_carried_through_the_demo() {
    let place = Place::new();
    place.record(&["demo", "d", "--subjects", "60", "--volunteers", "40"]);
    let add = ["optout", "add", "--user", "demo_volunteer_0000", "--at", "2026-11-01"];
    let list = ["--list", "d/optouts.toml", "--project", "d"];
    let said = place.volary(&[&add[..], &list].concat()).stdout;
    assert!(said.contains("put `optouts = \"optouts.toml\"` under [rows] in d/volary.toml"), "{said}");
    let again = |more: &[&str]| {
        let line = ["rebuild", "--without-optouts", "--project", "d", "--optouts", "d/optouts.toml"];
        place.record(&[&line[..], more].concat())["summary"].clone()
    };
    let named = again(&[]);
    let commands = commands(&named);
    assert!(["run", "retire", "bias"].iter().all(|c| commands.contains(c)), "{named}");
    assert!(!commands.contains(&"demo") && named["elsewhere"] == json!([]), "{named}");
    // Lines can be typed as they are.
    let bias = named["touched"].as_array().unwrap().iter().find(|run| run["command"] == "bias").unwrap();
    let line = bias["again"].as_str().unwrap();
    assert!(line.contains("--positive 'Features or disk' --slices"), "{line}");
    let done = again(&["--again"]);
    assert_eq!(done["n_left"], 0, "{done}");
    let votes = crate::support::read_csv(&{
        place.record(&[
            "extract",
            "d/classifications.csv",
            "--workflows",
            "d/workflows.csv",
            "--optouts",
            "d/optouts.toml",
            "-o",
            "without",
            "--to",
            "csv",
        ]);
        place.path("without/votes.csv")
    });
    let record: Value = serde_json::from_str(&place.read("d/extracts/run.json")).unwrap();
    assert_eq!(record["rows"]["votes"], votes.len());
    assert!(record["summary"]["n_votes_opted_out"].as_u64().unwrap() > 0);
    // A release of these extracts does not tell the checksum of the export that the person is in.
    place.write("release.toml", crate::release::SETTINGS);
    place.write("biases.toml", "");
    let release =
        ["release", "release.toml", "--votes", "d/extracts/votes.parquet", "--biases", "biases.toml"];
    let more = ["--run", "d/extracts/run.json", "--key", "k.key", "--new-key", "-o", "one", "--optouts"];
    place.record(&[&release[..], &more, &["d/optouts.toml"]].concat());
    let prov = place.read("one/prov.json");
    let export = blake3_of(&place, "d/classifications.csv");
    assert!(prov.contains("classifications.csv") && !prov.contains(&export), "{prov}");
    assert_eq!(record["inputs"].to_string().matches(&export).count(), 1, "{record:#}");
}

fn blake3_of(place: &Place, file: &str) -> String {
    let record = place.record(&["check", file]);
    record["inputs"][0]["blake3"].as_str().unwrap().to_owned()
}

/// Whoever was left out of a project stays out of it: a list that is forgotten is no list that is empty.
#[test]
fn a_run_that_was_given_the_list_is_not_repeated_without_it() {
    let place = Place::new();
    place.write("export.csv", votes(None));
    let settings = "[input]\nexports = [\"export.csv\"]\n\
        [[steps]]\nrun = \"gold export.csv --least 3 -o gold.csv\"\n";
    place.write("volary.toml", settings);
    place.record(&["run"]);
    let before = place.read("gold.csv");
    let said = place.volary(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]).stdout;
    let wanted = "put `optouts = \"optouts.toml\"` under [rows]";
    assert!(said.contains(wanted), "{said}");
    // A list that lies there and is not named is told of.
    let run = place.volary(&["run"]);
    assert!(run.code == 0 && run.stdout.contains("is not used"), "{}{}", run.stdout, run.stderr);
    let run = place.volary(&["rebuild", "--without-optouts", "--project", ".", "--again"]);
    run.is_done();
    assert!(run.stdout.contains(wanted), "{}", run.stdout);
    let without = place.read("gold.csv");
    assert_ne!(before, without);
    place.volary(&["run"]).fails_with("so that their votes would come back; put `optouts");
    place.volary(&["run", "--only", "1", "--force"]).fails_with("step 1 was given a list");
    assert_eq!(place.read("gold.csv"), without);
    assert_eq!(rebuild(&place, &[])["n_touched"], 0);
    let named = settings.replace("[[steps]]", "[rows]\noptouts = \"optouts.toml\"\n[[steps]]");
    place.write("volary.toml", named);
    // It is the same list, however it is named.
    let again = place.record(&["run"]);
    assert_eq!(again["summary"]["stage_extract"], "up to date");
    assert_eq!(again["summary"]["stage_step_1_(gold)"], "up to date");
    place.record(&["run", "--force"]);
    assert_eq!(place.read("gold.csv"), without);
    let said = place.volary(&["optout", "add", "--user", "p3", "--at", "2026-11-02"]).stdout;
    assert!(!said.contains(wanted), "{said}");
    // The step reads the export itself: it is made again since the list has changed.
    assert_eq!(place.record(&["run"])["summary"]["stage_step_1_(gold)"], "done");
    assert_eq!(rebuild(&place, &[])["n_touched"], 0);
    // A new file of settings names the list that lies there.
    place.record(&["init", "--export", "export.csv", "--force"]);
    assert!(place.read("volary.toml").contains("\noptouts = \"optouts.toml\""));
}

/// The list of `volary run --optouts` is that of its steps, too.
#[test]
fn steps_are_given_the_list_that_the_run_is_given() {
    let (place, never) = (Place::new(), Place::new());
    let settings = "[input]\nexports = [\"export.csv\"]\n\
        [[steps]]\nrun = \"gold export.csv --least 3 -o gold.csv\"\n";
    for (place, absent) in [(&place, None), (&never, Some("Zaphod_B"))] {
        place.write("export.csv", votes(absent));
        place.write("volary.toml", settings);
    }
    place.record(&["optout", "add", "--user", "Zaphod_B", "--list", "out.toml", "--at", "2026-11-01"]);
    place.record(&["run", "--optouts", "out.toml"]);
    never.record(&["run"]);
    assert_eq!(place.read("gold.csv"), never.read("gold.csv"));
}

#[test]
fn a_copy_of_a_project_is_not_made_again_in_the_project_that_was_copied() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("a")).unwrap();
    place.write("a/export.csv", votes(None));
    let settings = "[input]\nexports = [\"export.csv\"]\n\
        [[steps]]\nrun = \"gold export.csv --least 3 -o gold.csv\"\n";
    place.write("a/volary.toml", settings);
    // One command is typed beside the project, as its demo is; the step runs in it.
    place.record(&["run", "a"]);
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg("-r").arg(place.path("a")).arg(place.path("b")).status().unwrap().success());
    let files = |folder: &str| -> Vec<(String, Vec<u8>)> {
        let names = place.files().into_iter().filter(|name| name.starts_with(folder));
        names.map(|name| (name.clone(), std::fs::read(place.path(&name)).unwrap())).collect()
    };
    let (a, b) = (files("a/"), files("b/"));
    place.record(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]);
    let of = |folder: &str, more: &[&str]| {
        place.volary(&[&["rebuild", "--without-optouts", "--project", folder][..], more].concat())
    };
    let said = of("b", &[]).stdout;
    assert!(said.contains("this record is of"), "{said}");
    of("b", &["--again"]).fails_with("nothing was made there");
    assert!(files("a/") == a && files("b/") == b);
    // The project itself is made again, with the copy in the way or not.
    of("a", &["--again", "--json"]).is_done();
    assert!(files("a/") != a && files("b/") == b);
    // What the message says makes a project of the copy.
    place.record(&["run", "b", "--force", "--optouts", "optouts.toml"]);
    let done = of("b", &["--again", "--json"]).record();
    assert_eq!(done["summary"]["n_left"], 0, "{done:#}");
}

#[test]
fn a_name_that_nobody_has_is_told_of_and_no_name_is_kept() {
    let place = Place::new();
    place.write("export.csv", votes(None));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    let add = |name: &str, more: &[&str]| {
        let run =
            place.volary(&[&["optout", "add", "--user", name, "--at", "2026-11-01"][..], more].concat());
        run.is_done();
        run.stdout
    };
    assert!(add("zaphod_b", &[]).contains("was not looked up: --project DIR or --names EXPORT"));
    for more in [["--project", "."], ["--names", "export.csv"]] {
        let said = add("zaphod_b", &more);
        assert!(said.contains("nobody of this name") && said.contains("\"Zaphod_B\""), "{said}");
        let said = add(" Zaphod_B", &more);
        assert!(said.contains("nobody of this name") && said.contains("\"Zaphod_B\""), "{said}");
        let said = add("Arthur", &more);
        assert!(said.contains("nobody of this name") && !said.contains("differ"), "{said}");
        let said = add("Zaphod_B", &more);
        assert!(!said.contains("nobody of this name") && !said.contains("looked up"), "{said}");
    }
    // An export of which nothing was made yet is looked into, too.
    let new = Place::new();
    new.write("new.csv", votes(None));
    new.write("volary.toml", "[input]\nexports = [\"new.csv\"]\n");
    let said = new.volary(&["optout", "add", "--user", "ZAPHOD_B", "--project", "."]).stdout;
    assert!(said.contains("nobody of this name") && said.contains("\"Zaphod_B\""), "{said}");
    let asked = place.volary(&["optout", "where", "--user", "zaphod_b", "--record", "asked.json"]);
    asked.is_done();
    assert!(asked.stdout.contains("nobody of this name") && asked.stdout.contains("\"Zaphod_B\""));
    place
        .volary(&["optout", "add", "--user", "Zaphod_B", "--names", "export.csv", "--record", "a.json"])
        .is_done();
    place
        .volary(&["optout", "back", "--user=Zaphod_B", "--project", ".", "--record", "b.json"])
        .is_done();
    for file in ["asked.json", "a.json", "b.json", "optouts.toml"] {
        assert!(!place.read(file).to_lowercase().contains("zaphod"), "{file}: {}", place.read(file));
    }
    let asked: Value = serde_json::from_str(&place.read("asked.json")).unwrap();
    assert_eq!(
        (&asked["summary"]["has_voted"], &asked["summary"]["n_similar"]),
        (&json!(false), &json!(1))
    );
    place.volary(&["optout", "back", "--user", "p1", "--names", "none.csv"]).fails_with("none.csv");
    for name in ["", "  "] {
        place.volary(&["optout", "add", "--user", name]).fails_with("--user is empty");
    }
    // A key, as the list shows it, is that person's; one of nobody's account is nobody's.
    let (key, _) = volary_ingest::volunteer::key("Zaphod_B");
    let said = add(&key, &["--project", "."]);
    assert!(!said.contains("nobody of this name"), "{said}");
    assert!(place.read("optouts.toml").matches(key.as_str()).count() > 1);
    let (session, _) = volary_ingest::volunteer::key("not-logged-in-1");
    place.volary(&["optout", "add", "--user", &session]).fails_with("was not logged in");
    let empty = Place::new();
    empty.volary(&["optout", "add", "--user", "p1", "--names", "none.csv"]).fails_with("none.csv");
    assert!(empty.files().is_empty());
    let said = empty.volary(&["optout", "add", "--user", "Zaphod_B", "--project", "."]);
    assert!(said.stdout.contains("nothing to look the name up in"), "{}", said.stdout);
}

#[test]
fn every_command_that_takes_the_list_is_made_again_and_what_takes_none_is_told() {
    let (place, never) = (Place::new(), Place::new());
    let make = |place: &Place, votes: &str| {
        place.write("export.csv", votes);
        let truth: String = (0..N).map(|i| format!("s{i},square\n")).collect();
        place.write("truth.csv", format!("subject_id,answer\n{truth}"));
        place.record(&["chosen", "export.csv", "--answer", "square", "-o", "chosen.csv"]);
        place.record(&["practice", "export.csv", "--truth", "truth.csv", "-o", "practice.csv"]);
        place.record(&["gold", "export.csv", "--least", "3", "-o", "gold.csv"]);
        place.write("planets.csv", "subject_id,answer\nx1,square\nx2,nothing\n");
        let mix = ["gold", "mix", "gold.csv", "--with", "planets=planets.csv", "--share", "0.9"];
        place.record(&[&mix[..], &["-o", "training.csv"]].concat());
    };
    make(&place, &votes(None));
    make(&never, &votes(Some("Zaphod_B")));
    place.record(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]);
    // Nobody can be taken out of gold, and a mixture that says it is without them must be.
    let mix =
        "gold mix gold.csv --with planets=planets.csv --share 0.9 --optouts optouts.toml -o mixed.csv";
    let mix: Vec<&str> = mix.split(' ').collect();
    place.volary(&mix).fails_with("stands on votes of people who opted out");
    let kept = place.read("gold_votes.csv");
    std::fs::remove_file(place.path("gold_votes.csv")).unwrap();
    place.volary(&mix).fails_with("gold_votes.csv is missing");
    place.write("gold_votes.csv", kept);
    let done = rebuild(&place, &["--again"]);
    assert_eq!((&done["n_made"], &done["n_left"]), (&json!(4), &json!(0)), "{done}");
    for file in ["chosen.csv", "practice.csv", "gold.csv", "training.csv"] {
        assert!(place.read(file) == never.read(file), "{file}");
    }
    // One that takes no list is named, and not passed over in silence.
    place.record(&["flatten", "export.csv", "-o", "flat.csv"]);
    let named = rebuild(&place, &[]);
    assert_eq!(commands(&named), ["flatten"]);
    assert_eq!(named["cannot"].as_array().unwrap().len(), 1);
    place
        .volary(&["rebuild", "--without-optouts", "--project", ".", "--again"])
        .fails_with("still hold their votes");
    // The way that it says goes.
    place.record(&["dedup", "export.csv", "--optouts", "optouts.toml", "-o", "once.csv"]);
    place.record(&["flatten", "once.csv", "-o", "flat.csv"]);
    assert_eq!(rebuild(&place, &[])["n_touched"], 0);
}

fn event(id: u64, rest: &Value) -> String {
    let mut event = json!({"source": "own", "id": id.to_string(), "at_ms": 1_000 * id});
    rest.as_object().unwrap().iter().for_each(|(name, value)| event[name] = value.clone());
    format!("{event}\n")
}

#[test]
fn a_live_store_without_those_who_opted_out() {
    let place = Place::new();
    let vote = |id: u64, user: u64| {
        let kind = json!({"kind": "vote", "workflow": "10", "version": "1", "subject": "s1",
                          "actor": {"user": user.to_string()}, "answers": {"T0": ["Yes"]}});
        event(id, &kind)
    };
    let mut all: Vec<String> = (1..=8).map(|n| vote(n, n)).collect();
    let never: String = all[1..].concat();
    all.push(event(20, &json!({"kind": "opt_out", "user": "1", "out": true})));
    // The same by the command that keeps the list: one door for both.
    let by_hand: String = all[..8].concat();
    let named = event(30, &json!({"kind": "name", "user": "1", "login": "Zaphod_B"}));
    place.write("by_hand.ndjson", by_hand + &named);
    place.write("all.ndjson", all.concat());
    place.write("never.ndjson", never);
    let ingest = |file: &str, store: &str| {
        place.record(&["ingest", file, "--answer", "Yes", "--store", store])["summary"].clone()
    };
    assert_eq!(ingest("all.ndjson", "live.db")["n_alerts"], 1);
    assert_eq!(ingest("never.ndjson", "never.db")["n_alerts"], 0);
    let record = place.record(&["rebuild", "--without-optouts", "-o", "without.db"]);
    let summary = &record["summary"];
    assert_eq!(
        (&summary["n_opted_out"], &summary["n_left_out"]),
        (&json!(1), &json!(2)),
        "a vote and the wish"
    );
    assert_eq!((&summary["n_alerts"], &summary["is_same"]), (&json!(0), &json!(false)));
    // The store in use is as it was; the other one is whole.
    assert_eq!(place.record(&["rebuild"])["summary"]["is_same"], true);
    let other = place.record(&["rebuild", "--store", "without.db"]);
    assert_eq!(other["summary"]["is_same"], true);
    place
        .volary(&["rebuild", "--without-optouts", "-o", "without.db"])
        .fails_with("there is something already");
    assert_eq!(ingest("by_hand.ndjson", "by_hand.db")["n_alerts"], 1);
    let out = |more: &[&str]| {
        place.volary(
            &[&["optout", "add", "--store", "by_hand.db", "--user"][..], more, &["--json"]].concat(),
        )
    };
    out(&["nobody"]).fails_with("nobody is called that in by_hand.db; give the number");
    assert!(!place.path("optouts.toml").exists(), "half of it was done");
    assert_eq!(out(&["Zaphod_B"]).record()["summary"]["n_ids"], 1);
    assert_eq!(out(&["nobody", "--user-id", "2"]).record()["summary"]["n_ids"], 1);
    let without = ["rebuild", "--without-optouts", "--store", "by_hand.db", "-o", "second.db"];
    let summary = place.record(&without)["summary"].clone();
    assert_eq!((&summary["n_opted_out"], &summary["n_alerts"]), (&json!(2), &json!(0)), "{summary}");
    // The list names nobody, nor does the store more than it did.
    assert!(!place.read("optouts.toml").contains("Zaphod"));
}
