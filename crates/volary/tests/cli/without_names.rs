//! Opting out where keys stand for names, where names look like keys, and where two do it at once.

use serde_json::json;
use volary_ingest::volunteer::key;

use crate::release::{SETTINGS, release};
use crate::support::{Place, Row, export};

/// Three people and a fourth, each on six subjects.
fn votes(fourth: &str) -> String {
    let mut rows = Vec::new();
    for subject in 0..6_u64 {
        for (i, name) in ["victim", "p1", "p2", fourth].iter().enumerate() {
            let answer = if i % 2 == 0 { "Cat" } else { "Dog" };
            rows.push(Row::answer(subject * 10 + i as u64 + 1, name, &format!("s{subject}"), answer));
        }
    }
    export(&rows)
}

#[test]
fn an_export_without_names_is_read_without_those_who_opted_out() {
    let place = Place::new();
    std::fs::create_dir(place.path("b")).unwrap();
    place.write("all.csv", votes("p3"));
    place.record(&["dedup", "all.csv", "-o", "once.csv"]);
    place.record(&["dedup", "once.csv", "-o", "b/twice.csv"]);
    place.record(&["extract", "once.csv", "-o", "extracts", "--to", "csv"]);
    let add = ["optout", "add", "--user", "victim", "--names", "once.csv", "--at", "2026-11-01"];
    assert_eq!(place.record(&add)["summary"]["has_voted"], true);
    let list = ["--optouts", "optouts.toml"];
    for export in ["all.csv", "once.csv", "b/twice.csv"] {
        let summary = |line: &[&str]| place.record(&[line, &list[..]].concat())["summary"].clone();
        let left_out = summary(&["extract", export, "-o", "ex", "--to", "csv"])["left_out"].clone();
        assert_eq!(left_out["opted out"], 6, "{export}: {left_out}");
        assert_eq!(place.table("ex/votes.csv").len(), 18);
        let left_out = summary(&["dedup", export, "-o", "left.csv"])["left_out"].clone();
        assert_eq!(left_out["opted out"], 6, "{export}: {left_out}");
        for line in [["consensus", export, "-o", "c.csv"], ["gold", export, "-o", "g.csv"]] {
            let said = summary(&line);
            assert_eq!(said["n_votes_opted_out"], 6, "{line:?}: {said}");
        }
    }
    // Nor do they leave in a package, though the table was made before and has keys of keys.
    place.write("release.toml", SETTINGS.replace("tier = \"A\"", "tier = \"B\""));
    place.write("biases.toml", "");
    let record = place.record(&release("cats", &["--new-key", "--optouts", "optouts.toml"]));
    assert_eq!(
        (&record["summary"]["n_opted_out"], &record["summary"]["n_votes"]),
        (&json!(1), &json!(18))
    );
    let into = ["--package", "cats", "--key", "cats.key", "--settings", "release.toml"];
    let ask = |into: &[&str]| {
        let line = ["optout", "where", "--user", "victim"];
        place.record(&[&line[..], into].concat())["summary"].clone()
    };
    assert_eq!(ask(&into)["is_in_package"], false);
    place.record(&release("all", &[]));
    let into = ["--package", "all", "--key", "cats.key", "--settings", "release.toml"];
    assert_eq!(ask(&into)["is_in_package"], true, "as a key of a key");
    // What was made of it is named.
    let named = place.record(&["rebuild", "--without-optouts", "--project", "."])["summary"].clone();
    let commands: Vec<&str> = named["touched"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["command"].as_str().unwrap())
        .collect();
    assert_eq!(commands, ["dedup", "dedup", "extract", "release"], "{named}");
}

#[test]
fn whoever_is_called_like_a_key_opts_out_nobody_else() {
    let place = Place::new();
    let victims = key("victim").0;
    place.write("export.csv", votes(&victims));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    let theirs = key(&victims).0;
    let wanted = format!("--volunteer {theirs} for the one who is called so");
    for more in [["--names", "export.csv"], ["--project", "."]] {
        place.volary(&[&["optout", "add", "--user", &victims][..], &more].concat()).fails_with(&wanted);
    }
    place.volary(&["optout", "where", "--user", &victims]).fails_with(&wanted);
    assert!(!place.path("optouts.toml").exists());
    let left = |list: &str| {
        let line = ["extract", "export.csv", "-o", "ex", "--to", "csv", "--optouts", list];
        place.record(&line);
        let who = |row: std::collections::BTreeMap<String, String>| row["volunteer"].clone();
        place.table("ex/votes.csv").into_iter().map(who).collect::<std::collections::BTreeSet<_>>()
    };
    let add = |key: &str, list: &str| {
        let line = ["optout", "add", "--volunteer", key, "--names", "export.csv", "--list", list];
        let record = place.record(&[&line[..], &["--record", "asked.json"]].concat());
        assert_eq!(record["summary"]["has_voted"], true);
        assert!(!place.read("asked.json").contains(key), "a record is a file");
    };
    // The one who is called so: the victim stays, in the export and in what was made of it.
    add(&theirs, "theirs.toml");
    let stay = left("theirs.toml");
    assert!(stay.contains(&victims) && !stay.contains(&theirs), "{stay:?}");
    let line = ["consensus", "extracts", "--optouts", "theirs.toml", "-o", "c.csv"];
    assert_eq!(place.record(&line)["summary"]["n_votes_opted_out"], 6);
    // The one who has the key.
    add(&victims, "victims.toml");
    assert!(!left("victims.toml").contains(&victims));
    // Where nothing contradicts it, a key is a key; and --volunteer takes nothing else.
    place.record(&["optout", "add", "--user", &victims, "--list", "third.toml"]);
    assert!(place.read("third.toml").contains(&victims));
    place.volary(&["optout", "add", "--volunteer", "victim"]).fails_with("--volunteer takes a key");
    assert_eq!(place.volary(&["optout", "add"]).code, 2);
}

#[test]
fn many_at_once_are_all_written_and_a_link_stays_a_link() {
    let place = Place::new();
    std::fs::create_dir(place.path("kept")).unwrap();
    place.record(&["optout", "add", "--user", "first", "--list", "kept/list.toml"]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("kept/list.toml", place.path("list.toml")).unwrap();
    #[cfg(not(unix))]
    std::fs::copy(place.path("kept/list.toml"), place.path("list.toml")).unwrap();
    let names: Vec<String> = (0..8).map(|i| format!("p{i}")).collect();
    std::thread::scope(|scope| {
        for (i, name) in names.iter().enumerate() {
            let list = if cfg!(unix) && i % 2 == 0 { "kept/list.toml" } else { "list.toml" };
            let place = &place;
            scope.spawn(move || place.record(&["optout", "add", "--user", name, "--list", list]));
        }
    });
    assert_eq!(place.record(&["optout", "list", "--list", "list.toml"])["summary"]["n_out"], 9);
    #[cfg(unix)]
    assert!(std::fs::symlink_metadata(place.path("list.toml")).unwrap().is_symlink());
    // The same of tokens: each that was shown is there.
    std::thread::scope(|scope| {
        for name in &names {
            let place = &place;
            scope.spawn(move || place.record(&["token", "make", name, "--role", "read"]));
        }
    });
    assert_eq!(place.record(&["token", "list"])["summary"]["n_tokens"], 8);
}

/// Soft labels that came without the record of the run that made them: nobody can say whose votes are in them.
#[test]
fn a_model_of_which_nothing_says_what_it_learned_from_is_told_of() {
    let place = Place::new();
    crate::vision::project(&place, 24);
    place.write("export.csv", votes("p3"));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    // votes.csv is a table of labels that no run on record wrote.
    place.volary(&crate::vision::train("model", &["--epochs", "1", "--held-out", "0.3"])).is_done();
    place.record(&["optout", "add", "--user", "victim", "--at", "2026-11-01"]);
    let unknown = json!(["./model/run.json"]);
    let asked = ["optout", "where", "--user", "victim"];
    let rebuild = ["rebuild", "--without-optouts", "--project", "."];
    for line in [&asked[..], &rebuild] {
        let summary = place.record(line)["summary"].clone();
        assert_eq!(
            (&summary["unknown_models"], &summary["n_models"]),
            (&unknown, &json!(0)),
            "{summary}"
        );
        let said = place.volary(line).stdout;
        assert!(said.contains("volary release` refuses them") && said.contains("train again"), "{said}");
    }
    // Of labels that a run on record made without them there is nothing to say.
    place.record(&["gold", "export.csv", "--least", "3", "--optouts", "optouts.toml", "-o", "gold.csv"]);
    std::fs::copy(place.path("gold_soft.csv"), place.path("votes.csv")).unwrap();
    let train = crate::vision::train("model", &["--epochs", "1", "--held-out", "0.3", "--fresh"]);
    place.volary(&train).is_done();
    for line in [&asked[..], &rebuild] {
        let summary = place.record(line)["summary"].clone();
        assert_eq!(summary["unknown_models"], json!([]), "{summary}");
    }
}
