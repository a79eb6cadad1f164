//! A package from the command line, end to end: export, extracts, consensus, opt-out, release, verification,
//! attack.

use serde_json::Value;

use crate::support::{Place, Row, export, walk};

pub(crate) const NAMES: [&str; 6] = [
    "Zaphod_Beeblebrox",
    "Trillian, McMillan",
    "\u{30cf}\u{30eb}\u{30ab}",
    "Marvin99",
    "Slarti.B",
    "Ford-P",
];

pub(crate) const SETTINGS: &str = r#"
project = "cats"
version = "1.0"
title = "Cats"
description = "Which animal is it?"
date = "2026-11-28"
licence = "CC-BY-4.0"
publisher = "Cat Institute"
keywords = ["cats"]
tier = "A"

[[creators]]
given = "Ada"
family = "Lovelace"

[responsible]
collection = "Volunteers answered one question a photograph."
protocol = "A tutorial."
platform = "Zooniverse"
annotators = "Anybody with a browser."
uses = ["To train classifiers."]
limits = ["Not for counting cats."]
maintenance = "The Cat Institute keeps it."
"#;

fn project() -> Place {
    let place = Place::new();
    let mut rows = Vec::new();
    for subject in 0..12 {
        for (i, name) in NAMES.iter().enumerate() {
            let id = subject * 10 + i as u64 + 1;
            let answer = if (id + subject).is_multiple_of(3) { "Cat" } else { "=dog()" };
            rows.push(Row::answer(id, name, &format!("s{subject}"), answer));
        }
    }
    place.write("export.csv", export(&rows));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["consensus", "export.csv", "-o", "consensus.csv"]);
    place.write("release.toml", SETTINGS);
    place.write("biases.toml", "");
    place
}

pub(crate) fn release<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all =
        vec!["release", "release.toml", "--votes", "extracts/votes.csv", "--biases", "biases.toml"];
    all.extend(["--key", "cats.key", "-o", output]);
    all.extend(more);
    all
}

/// The attack on a package of [`release`], with a file of names.
pub(crate) fn attack<'a>(package: &'a str, names: &'a str) -> Vec<&'a str> {
    let mut all = vec!["release", "attack", package, "--settings", "release.toml"];
    all.extend(["--key", "cats.key", "--names", names]);
    all
}

#[test]
fn a_package_is_made_verified_and_holds_no_name() {
    let place = project();
    let more = [
        "--new-key",
        "--consensus",
        "consensus.csv",
        "--run",
        "extracts/run.json",
        "--names",
        "export.csv",
    ];
    let record = place.record(&release("cats-1.0", &more));
    // A consensus may have rows of answers that nobody gave; counts have none.
    let n = |table: &str| record["summary"][table].as_u64().unwrap();
    assert!(n("n_consensus") >= n("n_counts") && n("n_counts") == 24);
    assert_eq!(record["summary"]["attacks"][0]["n_found"], 0);
    let verified = place.record(&[
        "release",
        "verify",
        "cats-1.0",
        "--names",
        "export.csv",
        "--biases",
        "biases.toml",
    ]);
    assert_eq!(verified["summary"]["findings"], Value::Array(Vec::new()));
    assert_eq!(verified["summary"]["n_names"], NAMES.len());
    let mut n = 0;
    walk(&place.path("cats-1.0"), &mut |path| {
        n += 1;
        let bytes = std::fs::read(path).unwrap();
        for name in NAMES {
            let found = bytes.windows(name.len()).any(|w| w.eq_ignore_ascii_case(name.as_bytes()));
            assert!(!found, "{name} in {}", path.display());
        }
    });
    assert!(n > 14, "{n}");
    // The same again, from the same key, is the same to the byte.
    place.record(&release("again", &more[1..]));
    let sums = |folder: &str| place.read(&format!("{folder}/SHA256SUMS"));
    assert_eq!(sums("cats-1.0"), sums("again"));
}

#[test]
fn tier_b_stands_the_attacks_and_a_planted_name_is_found() {
    let place = project();
    place.write("release.toml", SETTINGS.replace("tier = \"A\"", "tier = \"B\""));
    place.record(&release("cats", &["--new-key"]));
    let record = place.record(&attack("cats", "export.csv"));
    assert_eq!(record["summary"]["n_votes"], 72);
    assert_eq!(record["summary"]["attacks"][0]["n_targets"], NAMES.len());
    let readme = format!("{}\nThanks, zaphod_beeblebrox!\n", place.read("cats/README.md"));
    place.write("cats/README.md", readme);
    let run = place.volary(&["release", "verify", "cats", "--names", "export.csv"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stdout.contains("checksums") && run.stdout.contains("names"), "{}", run.stdout);
    assert!(!run.stdout.to_lowercase().contains("zaphod"), "{}", run.stdout);
}

#[test]
fn an_opt_out_end_to_end() {
    let place = project();
    place.record(&["optout", "add", "--user", NAMES[3], "--at", "2026-11-01"]);
    assert!(!place.read("optouts.toml").contains(NAMES[3]));
    assert_eq!(place.record(&["optout", "list"])["summary"]["n_out"], 1);
    place.write("release.toml", SETTINGS.replace("tier = \"A\"", "tier = \"B\""));
    // The consensus still holds the person's votes, and is refused.
    let more = ["--new-key", "--optouts", "optouts.toml", "--consensus", "consensus.csv"];
    place.volary(&release("cats", &more)).fails_with("consensus.csv may hold their votes");
    let record = place.record(&release("cats", &more[..3]));
    assert_eq!(record["summary"]["n_opted_out"], 1);
    assert_eq!(record["summary"]["n_votes"], 60);
    let check = [
        "release",
        "verify",
        "cats",
        "--optouts",
        "optouts.toml",
        "--key",
        "cats.key",
        "--settings",
        "release.toml",
    ];
    assert_eq!(place.record(&check)["summary"]["findings"], Value::Array(Vec::new()));
    place.record(&["optout", "back", "--user", NAMES[3]]);
    assert_eq!(place.record(&["optout", "list"])["summary"]["n_out"], 0);
    place.volary(&["optout", "add", "--user", "not-logged-in-12"]).fails_with("cannot opt out");
}

/// Everybody agrees, so that a few are enough for hard labels.
fn project_of_one_mind() -> Place {
    let place = project();
    let votes = (0..12).flat_map(|subject| NAMES.iter().zip(1..).map(move |of| (subject, of)));
    let rows: Vec<Row> = votes
        .map(|(subject, (name, i))| Row::answer(subject * 10 + i, name, &format!("s{subject}"), "Cat"))
        .collect();
    place.write("export.csv", export(&rows));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["consensus", "export.csv", "-o", "consensus.csv"]);
    place
}

#[test]
fn gold_and_skill_of_before_an_opt_out_stay() {
    let place = project_of_one_mind();
    let make = |more: &[&str]| {
        place.record(&[&["gold", "export.csv", "--least", "3", "-o", "gold.csv"], more].concat());
        place.record(&[&["consensus", "export.csv", "-o", "consensus.csv"], more].concat());
    };
    let told = ["--optouts", "optouts.toml"];
    let skill = ["--new-key", told[0], told[1], "--volunteers", "consensus_volunteers.csv"];
    let gold = ["--new-key", told[0], told[1], "--gold", "gold.csv"];
    make(&[]);
    place.record(&["optout", "add", "--user", NAMES[3], "--at", "2026-11-01"]);
    place.volary(&release("one", &gold)).fails_with("`volary gold` was not told of all of them");
    place.volary(&release("one", &skill)).fails_with("`volary consensus` was not told of all of them");
    make(&told);
    let all = [&told[..], &gold[3..], &skill[3..], &["--consensus", "consensus.csv"]].concat();
    place.record(&release("one", &[&all[..], &["--new-key"]].concat()));
    // What was made without the one is not without the next.
    place.record(&["optout", "add", "--user", NAMES[4], "--at", "2026-11-02"]);
    place.volary(&release("two", &all)).fails_with("was not told of all of them");
    make(&told);
    place.record(&release("two", &all));
    // Answers of experts are nobody's votes; somebody must say that they are theirs.
    place.write("experts.csv", "subject_id,answer\ns1,Cat\n");
    let experts = [&told[..], &["--gold", "experts.csv"]].concat();
    place.volary(&release("three", &experts)).fails_with("--gold-of-experts");
    place.record(&release("three", &[&experts[..], &["--gold-of-experts"]].concat()));
    let stale = [&told[..], &["--gold", "gold.csv", "--gold-of-experts"]].concat();
    place.record(&["optout", "add", "--user", NAMES[5], "--at", "2026-11-03"]);
    place.volary(&release("four", &stale)).fails_with("`volary gold` was not told of all of them");
}

/// Another key, or another project, does not say that nobody is there.
#[test]
fn a_package_is_asked_with_its_own_key() {
    let place = project();
    let tier_b = SETTINGS.replace("tier = \"A\"", "tier = \"B\"");
    place.write("release.toml", &tier_b);
    place.record(&release("cats-1.0", &["--new-key", "--names", "export.csv"]));
    place.record(&release("other", &["--names", "export.csv"]));
    place.record(&["optout", "add", "--user", NAMES[0], "--at", "2026-11-01"]);
    let verify = |key: &str, settings: &str| {
        place.volary(&[
            "release",
            "verify",
            "cats-1.0",
            "--optouts",
            "optouts.toml",
            "--key",
            key,
            "--settings",
            settings,
        ])
    };
    let found = verify("cats.key", "release.toml");
    assert!(found.code == 1 && found.stdout.contains("1 people who opted out"), "{}", found.stdout);
    // The settings of the version after, now of a line: the package says which it is.
    let next = tier_b.replace("\"1.0\"", "\"2.0\"");
    place.write("next.toml", next.replace("[responsible]", "[privacy]\nline = \"main\"\n[responsible]"));
    let found = verify("cats.key", "next.toml");
    assert!(found.code == 1 && found.stdout.contains("1 people who opted out"), "{}", found.stdout);
    // Another key, another project.
    place.record(&[
        "release",
        "release.toml",
        "--votes",
        "extracts/votes.csv",
        "--biases",
        "biases.toml",
        "--key",
        "new.key",
        "--new-key",
        "-o",
        "third",
    ]);
    place.write("dogs.toml", tier_b.replace("project = \"cats\"", "project = \"dogs\""));
    for (key, settings) in [("new.key", "release.toml"), ("cats.key", "dogs.toml")] {
        verify(key, settings).fails_with("made with another key");
        place
            .volary(&[
                "release",
                "attack",
                "cats-1.0",
                "--names",
                "export.csv",
                "--key",
                key,
                "--settings",
                settings,
            ])
            .fails_with("made with another key");
        place
            .volary(&[
                "optout",
                "where",
                "--user",
                NAMES[0],
                "--package",
                "cats-1.0",
                "--key",
                key,
                "--settings",
                settings,
            ])
            .fails_with("made with another key");
    }
}

/// What is given to protect somebody is about somebody.
#[test]
fn protection_that_protects_nobody_is_told() {
    let place = project();
    place.write("release.toml", SETTINGS.replace("tier = \"A\"", "tier = \"B\""));
    place.write("public.csv", "subject_id\n999999\n");
    place
        .volary(&release("cats", &["--new-key", "--public-subjects", "public.csv"]))
        .fails_with("none of the subjects of --public-subjects");
    place.write("people.csv", format!("volunteer,country\n{},GB\n", NAMES[3]));
    place.volary(&release("cats", &["--new-key", "--people", "people.csv"])).fails_with("and not names");
    // Few people with few classifications each: nobody is linked, and that is said.
    let tier_c = SETTINGS.replace("tier = \"A\"", "tier = \"C\"");
    place.write(
        "release.toml",
        tier_c.replace("[responsible]", "[privacy]\nnobody_is_public = true\n[responsible]"),
    );
    let made = place.volary(&release("cats", &["--new-key", "--names", "export.csv"]));
    assert!(made.stdout.contains("tier B in all but its name"), "{}", made.stdout);
    place.record(&["release", "verify", "cats"]);
}

/// The policy of the project is that of what is made in it.
#[test]
fn the_projects_policy_is_the_default_and_no_other_is_followed() {
    let place = project();
    place.write("policy.toml", "version = \"2026-12\"\n[release]\nk = 50\n");
    place.write("volary.toml", "[project]\npolicy = \"policy.toml\"\n");
    let with = |more: &[&str]| {
        let all = release("cats", &[&["--config", "volary.toml"], more].concat()).join("\n");
        place.volary(&all.split('\n').collect::<Vec<_>>())
    };
    with(&["--new-key"]).fails_with("it decided k = 50, and release.toml has 10");
    place.write("policy.toml", "version = \"2026-12\"\n[release]\nk = 10\n");
    place.write("other.toml", "version = \"other\"\n");
    with(&["--policy", "other.toml"]).fails_with("give the one that is followed");
    with(&["--new-key"]).is_done();
    assert!(place.read("cats/policy.json").contains("2026-12"));
    assert!(place.read("cats.run.json").contains("\"policy\": \"2026-12\""));
}

#[test]
fn a_policy_does_not_change_in_silence() {
    let place = Place::new();
    place.write("before.toml", "version = \"1\"\n[alert]\nvotes = 8\n");
    place.write("after.toml", "version = \"2\"\n[alert]\nvotes = 9\n");
    place.write("silent.toml", "version = \"1\"\n[alert]\nvotes = 9\n");
    let record = place.record(&["policy", "diff", "before.toml", "after.toml"]);
    assert_eq!(record["summary"]["changes"][0]["decision"], "alert.votes");
    // What differs is shown, and then refused.
    let silent = place.volary(&["policy", "diff", "before.toml", "silent.toml"]);
    silent.fails_with("1 decision differs under the same version \"1\"");
    assert!(silent.stdout.contains("alert.votes"), "{}", silent.stdout);
    let silent = place.volary(&["policy", "diff", "before.toml", "silent.toml", "--json"]);
    silent.fails_with("same version");
    let record: Value = serde_json::from_str(&silent.stdout).unwrap();
    let change = &record["summary"]["changes"][0];
    assert_eq!(*change, serde_json::json!({"decision": "alert.votes", "before": "8", "after": "9"}));
    // Every record says under which policy it was made.
    place.write("volary.toml", "[project]\npolicy = \"after.toml\"\n");
    let bare = place.record(&["policy", "diff", "before.toml", "after.toml"]);
    assert!(bare.get("policy").is_none());
    let stamped = ["policy", "diff", "before.toml", "after.toml", "--config", "volary.toml"];
    assert_eq!(place.record(&stamped)["policy"], "2");
    place.write("volary.toml", "[project]\npolicy = \"none.toml\"\n");
    place.volary(&stamped).fails_with("none.toml");
}

/// What `prov.json` says was made by what, by name.
fn made(prov: &Value) -> Vec<(String, String)> {
    let label = |kind: &str, id: &Value| {
        prov[kind][id.as_str().unwrap()]["prov:label"].as_str().unwrap_or_default().to_owned()
    };
    let all = prov["wasGeneratedBy"].as_object().unwrap().values();
    all.map(|of| (label("entity", &of["prov:entity"]), label("activity", &of["prov:activity"])))
        .collect()
}

#[test]
fn where_a_package_comes_from_is_told_of_every_table_that_it_was_made_of() {
    let place = project_of_one_mind();
    place.record(&["gold", "export.csv", "--least", "3", "-o", "gold.csv"]);
    place.record(&["agreement", "export.csv", "-o", "other.csv"]);
    let more = ["--consensus", "consensus.csv", "--gold", "gold.csv"];
    let record = place.record(&release("cats", &[&more[..], &["--new-key"]].concat()));
    assert!(!record["summary"].to_string().contains("provenance"));
    let prov = |package: &str| -> Value {
        serde_json::from_str(&place.read(&format!("{package}/prov.json"))).unwrap()
    };
    let told = prov("cats");
    let of = |file: &str, command: &str| (file.to_owned(), format!("volary {command}"));
    for pair in [of("consensus.csv", "consensus"), of("votes.csv", "extract"), of("gold.csv", "gold")] {
        assert!(made(&told).contains(&pair), "{pair:?}: {told:#}");
    }
    let stays = |file: &str| !told.to_string().contains(file);
    assert!(stays("consensus_volunteers.csv") && stays("other.csv") && stays("gold_votes.csv"));
    assert_eq!(
        told["activity"].as_object().unwrap().len(),
        4,
        "each once, and none that has no part: {told:#}"
    );
    // Naming a run that would have been found does not tell it twice.
    place.record(&release("again", &[&more[..], &["--run", "extracts/run.json"]].concat()));
    assert_eq!(prov("again")["activity"].as_object().unwrap().len(), 4);
    // The checksum of a file with somebody's votes in it is not told where people opted out.
    place.record(&["optout", "add", "--user", "Nobody"]);
    let out = ["--optouts", "optouts.toml"];
    place.record(&[&["gold", "export.csv", "--least", "3", "-o", "gold.csv"][..], &out].concat());
    place.record(&[&["consensus", "export.csv", "-o", "consensus.csv"][..], &out].concat());
    place.record(&release("without", &[&more[..], &out].concat()));
    let told = prov("without");
    assert!(made(&told).contains(&of("votes.csv", "extract")));
    let hash = |file: &str| blake3::hash(&std::fs::read(place.path(file)).unwrap()).to_hex().to_string();
    let text = told.to_string();
    assert!(!text.contains(&hash("export.csv")) && !text.contains(&hash("extracts/votes.csv")));
    assert!(text.contains(&hash("consensus.csv")) && text.contains(&hash("gold.csv")), "{told:#}");
}

#[test]
fn keys_are_kept_and_mistakes_are_told() {
    let place = project();
    place.volary(&release("cats", &[])).fails_with("reading failed");
    place.record(&release("cats", &["--new-key"]));
    place.volary(&release("more", &["--new-key"])).fails_with("there is a key already");
    place.volary(&release("cats", &[])).fails_with("there is something already");
    let key = place.read("cats.key");
    // A key that a refused release made goes again, so that the same line may be typed once more; no other goes.
    let with_key = |key: &str, more: &[&str]| {
        let line = "release release.toml --votes extracts/votes.csv --biases biases.toml -o more --key";
        let line: Vec<&str> = line.split(' ').chain([key]).chain(more.iter().copied()).collect();
        place.volary(&line)
    };
    place.write("public.csv", "subject_id\n999999\n");
    let more = ["--new-key", "--public-subjects", "public.csv"];
    let why = "none of the subjects of --public-subjects";
    for _ in 0..2 {
        with_key("new.key", &more).fails_with(why);
        assert!(!place.path("new.key").exists() && !place.path("more").exists());
    }
    with_key("cats.key", &more).fails_with("there is a key already");
    with_key("cats.key", &more[1..]).fails_with(why);
    assert_eq!(place.read("cats.key"), key);
    // Nor does one come into a package that is there.
    with_key("cats/k.key", &["--new-key"]).fails_with("does not belong in a package");
    assert!(!place.path("cats/k.key").exists() && !place.path("more").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(place.path("cats.key"), std::fs::Permissions::from_mode(0o644))
            .unwrap();
        place.volary(&release("more", &[])).fails_with("chmod 600");
    }
    assert_eq!(place.volary(&["release"]).code, 2, "wrong usage");
    place.volary(&["release", "verify", "none"]).fails_with("not a folder");
    place.write("release.toml", SETTINGS.replace("CC-BY-4.0", "mine"));
    place.volary(&release("more", &[])).fails_with("is not one of CC0-1.0");
}

/// Other people's programs, where they are installed.
pub(crate) fn checkers_accept(package: &std::path::Path) {
    let python =
        std::env::var_os("VOLARY_CHECKERS").map(|v| std::path::Path::new(&v).join("bin/python"));
    let Some(python) = python.filter(|p| p.exists()) else {
        eprintln!("skipped: VOLARY_CHECKERS names no virtual environment");
        return;
    };
    let script = crate::support::root().join("crates/volary-release/tests/checkers/check.py");
    let output = std::process::Command::new(python).arg(script).arg(package).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let from = text.find("{\n").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let answers: Value = serde_json::from_str(&text[from..]).unwrap();
    for (checker, answer) in answers.as_object().unwrap() {
        assert_eq!(answer, "ok", "{checker}");
    }
    assert_eq!(answers.as_object().unwrap().len(), 13);
}
