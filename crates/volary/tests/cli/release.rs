//! A package from the command line, end to end: export, extracts, consensus, opt-out, release, verification,
//! attack.

use serde_json::Value;

use crate::support::{Place, Row, export, read_csv, shared, walk};

const NAMES: [&str; 6] = [
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

fn release<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all =
        vec!["release", "release.toml", "--votes", "extracts/votes.csv", "--biases", "biases.toml"];
    all.extend(["--key", "cats.key", "-o", output]);
    all.extend(more);
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
    let attack = [
        "release",
        "attack",
        "cats",
        "--settings",
        "release.toml",
        "--key",
        "cats.key",
        "--names",
        "export.csv",
    ];
    let record = place.record(&attack);
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
    let record = place.record(&release("cats", &more[1..3]));
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
    std::fs::remove_file(place.path("cats.key")).unwrap();
    place.volary(&release("one", &skill)).fails_with("`volary consensus` was not told of all of them");
    make(&told);
    let all = [&told[..], &gold[3..], &skill[3..], &["--consensus", "consensus.csv"]].concat();
    place.record(&release("one", &all));
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
    place.volary(&release("cats", &["--people", "people.csv"])).fails_with("and not names");
    // Few people with few classifications each: nobody is linked, and that is said.
    let tier_c = SETTINGS.replace("tier = \"A\"", "tier = \"C\"");
    place.write(
        "release.toml",
        tier_c.replace("[responsible]", "[privacy]\nnobody_is_public = true\n[responsible]"),
    );
    let made = place.volary(&release("cats", &["--names", "export.csv"]));
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
    with(&[]).is_done();
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
    place.volary(&["policy", "diff", "before.toml", "silent.toml"]).fails_with("same version");
    // Every record says under which policy it was made.
    place.write("volary.toml", "[project]\npolicy = \"after.toml\"\n");
    let bare = place.record(&["policy", "diff", "before.toml", "after.toml"]);
    assert!(bare.get("policy").is_none());
    let stamped = ["policy", "diff", "before.toml", "after.toml", "--config", "volary.toml"];
    assert_eq!(place.record(&stamped)["policy"], "2");
    place.write("volary.toml", "[project]\npolicy = \"none.toml\"\n");
    place.volary(&stamped).fails_with("none.toml");
}

#[test]
fn the_cat_project_can_be_published() {
    let Some(export) = shared("zooniverse/cat_project/cat-project-classifications.csv") else { return };
    let place = Place::new();
    let export = export.to_str().unwrap();
    place.record(&["shapes", export, "-o", "shapes.parquet"]);
    place.write("release.toml", SETTINGS);
    place.write("biases.toml", "");
    let make = ["release", "release.toml", "--shapes", "shapes.parquet", "--biases", "biases.toml"];
    let record = place.record(&[&make[..], &["--key", "cats.key", "--new-key", "-o", "cats"]].concat());
    assert!(record["summary"]["n_shapes"].as_u64().unwrap() > 20);
    place.record(&["release", "verify", "cats", "--names", export]);
    let attack = [
        "release",
        "attack",
        "cats",
        "--settings",
        "release.toml",
        "--key",
        "cats.key",
        "--names",
        export,
    ];
    let record = place.record(&attack);
    let dictionary = &record["summary"]["attacks"][0];
    // Its accounts; whoever had none has no name to be found by.
    assert!(dictionary["n_targets"] == 2 && dictionary["n_found"] == 0, "{record:#}");
    // The project asks no question: what leaves is what the crowd drew together, and no row is one person's.
    let of_one =
        |text: &str| text.lines().next().unwrap_or_default().split(',').any(|c| c == "volunteer");
    let mut n_tables = 0;
    walk(&place.path("cats/data"), &mut |path| {
        if path.extension().is_some_and(|e| e == "csv") {
            n_tables += 1;
            assert!(!of_one(&std::fs::read_to_string(path).unwrap()), "{}", path.display());
        }
    });
    assert!(n_tables > 0);
    checkers_accept(&place.path("cats"));
}

/// 7,568 votes of 475 people on 100 subjects, of a real project: in tiers B and C nobody is found by what strangers
/// may know. What does not hold does not leave: names of others, comments of another project.
#[test]
fn real_votes_stand_the_attacks() {
    let file = "zooniverse/questions/presence-or-absence-classifications-beta-extract.csv";
    let Some(votes) = shared(file) else { return };
    let place = Place::new();
    let rows: Vec<Row> = read_csv(&votes)
        .iter()
        .map(|row| Row {
            created: row["created_at"].clone(),
            ..Row::answer(
                row["classification_id"].parse().unwrap(),
                &row["user_name"],
                &row["subject_ids"],
                &row["val"],
            )
        })
        .collect();
    place.write("export.csv", export(&rows));
    place.record(&["extract", "export.csv", "-o", "extracts"]);
    place.write("biases.toml", "");
    what_strangers_know(&place, "export.csv");
    let knows = "--names export.csv --talk talk.csv --credits credits.csv --totals totals.csv";
    let release = |tier: &str, key: &str, more: &[&str]| {
        let settings = SETTINGS.replace("tier = \"A\"", &format!("tier = \"{tier}\""));
        place.write("release.toml", format!("{settings}\n[privacy]\nk = 5\nmin_classifications = 2\n"));
        let make =
            "release release.toml --votes extracts/votes.parquet --biases biases.toml --new-key --key";
        let line: Vec<&str> = make.split(' ').chain([key]).chain(knows.split(' ')).collect();
        place.volary(&[&line[..], more, &["--json"]].concat())
    };
    for tier in ["B", "C"] {
        let run =
            release(tier, tier, &["--public-subjects", "public.csv", "-o", &format!("package-{tier}")]);
        let attacks = run.record()["summary"]["attacks"].as_array().unwrap().clone();
        assert_eq!(attacks.len(), 5);
        for attack in attacks {
            assert!(attack["n_targets"] == 265 && attack["n_found"] == 0, "{tier}: {attack}");
        }
        let verify = ["release", "verify", &format!("package-{tier}"), "--names", "export.csv"];
        place.record(&[&verify[..], &["--settings", "release.toml"]].concat());
    }
    // With the names and the talk of others the attacks would find nobody, whatever the package is like.
    let told = place.read("export.csv");
    place.write("export.csv", told.replace("volunteer_", "other_"));
    release("C", "names.key", &["-o", "names"]).fails_with("are not in --names");
    place.write("export.csv", told);
    place.write(
        "talk.csv",
        "user_name,subject_id,created_at\nvolunteer_00237,999,2017-02-23 14:32:30 UTC\n",
    );
    release("C", "talk.key", &["-o", "talk"]).fails_with("nobody in --talk voted here");
    assert!(!place.path("names").exists() && !place.path("talk").exists());
}

/// The recipe for a project of drawings: somebody's strokes go when they opt out.
#[test]
fn a_project_of_drawings_is_published_without_whoever_opted_out() {
    let Some(export) = shared("zooniverse/cat_project/cat-project-classifications.csv") else { return };
    let place = Place::new();
    std::fs::copy(export, place.path("classifications.csv")).unwrap();
    place.write("release.toml", SETTINGS);
    place.write("biases.toml", "");
    let draw = |more: &[&str]| {
        let line = ["shapes", "classifications.csv", "-o", "shapes.parquet"];
        place.record(&[&line[..], more].concat());
    };
    let release = |package: &str, more: &[&str]| {
        let line = ["release", "release.toml", "--shapes", "shapes.parquet", "--shapes-members"];
        let rest =
            ["shapes_members.parquet", "--biases", "biases.toml", "--run", "shapes.run.json", "--names"];
        let last = ["classifications.csv", "--key", "cats.key", "-o", package];
        place.volary(&[&line[..], &rest, &last, more, &["--json"]].concat())
    };
    draw(&[]);
    let with = release("cats-1.0", &["--new-key"]).record();
    assert_eq!(with["summary"]["n_shapes"], 26);
    let said =
        place.volary(&["optout", "add", "--user", "volunteer_00774", "--names", "classifications.csv"]);
    said.is_done();
    assert!(!said.stdout.contains("nobody of this name"), "{}", said.stdout);
    let out = ["--optouts", "optouts.toml"];
    release("cats-1.1", &out).fails_with("shapes");
    let named = place.record(&["rebuild", "--without-optouts", "--project", "."])["summary"].clone();
    assert_eq!((&named["n_touched"], &named["n_releases"]), (&2.into(), &1.into()), "{named}");
    draw(&out);
    let without = release("cats-1.1", &out).record();
    assert_eq!(without["summary"]["n_shapes"], 22);
    let verify =
        ["release", "verify", "cats-1.1", "--names", "classifications.csv", "--biases", "biases.toml"];
    assert_eq!(place.record(&verify)["summary"]["findings"], Value::Array(Vec::new()));
    let told = place.record(&["optout", "where", "--user", "volunteer_00774"])["summary"].clone();
    let touched = told["touched"].as_array().unwrap();
    assert!(touched.iter().all(|run| run["command"] == "release"), "the first version is out: {told}");
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

/// Of the volunteers of an export: comments half a minute after a vote, credits for answers, how much each did.
fn what_strangers_know(place: &Place, export: &str) {
    let rows = place.table(export);
    let mut of: std::collections::BTreeMap<&str, Vec<&std::collections::BTreeMap<String, String>>> =
        std::collections::BTreeMap::new();
    let is_account =
        |row: &&std::collections::BTreeMap<String, String>| !row["user_name"].starts_with("not-logged");
    for row in rows.iter().filter(is_account) {
        of.entry(&row["user_name"]).or_default().push(row);
    }
    let (mut talk, mut credits, mut totals, mut public) = (
        "user_name,subject_id,created_at\n".to_owned(),
        "user_name,subject_id\n".to_owned(),
        "user_name,n_classifications\n".to_owned(),
        "subject_id\n".to_owned(),
    );
    for (name, own) in &of {
        totals.push_str(&format!("{name},{}\n", own.len()));
        let (first, last) = (own[0], own[own.len() - 1]);
        talk.push_str(&format!("{name},{},{}\n", first["subject_ids"], first["created_at"]));
        credits.push_str(&format!("{name},{}\n", last["subject_ids"]));
        public.push_str(&format!("{}\n{}\n", first["subject_ids"], last["subject_ids"]));
    }
    for (file, text) in
        [("talk.csv", talk), ("credits.csv", credits), ("totals.csv", totals), ("public.csv", public)]
    {
        place.write(file, text);
    }
}

/// The demo's project, in the safest tier and in the one with a pseudonym for each volunteer: found right by
/// ours, by others' programs, and by the attacks.
#[test]
fn the_demo_can_be_published() {
    let place = Place::new();
    place.record(&["demo", "demo", "--subjects", "150", "--volunteers", "60"]);
    place.write("biases.toml", "");
    what_strangers_know(&place, "demo/classifications.csv");
    for tier in ["A", "C"] {
        let settings = SETTINGS.replace("tier = \"A\"", &format!("tier = \"{tier}\""));
        place.write("release.toml", format!("{settings}\n[privacy]\nk = 5\n"));
        let package = format!("demo-{tier}");
        let make = [
            "release",
            "release.toml",
            "--votes",
            "demo/extracts/votes.parquet",
            "--consensus",
            "demo/consensus/consensus.parquet",
            "--volunteers",
            "demo/consensus/consensus_volunteers.parquet",
            "--biases",
            "biases.toml",
            "--run",
            "demo/extracts/run.json",
            "--names",
            "demo/classifications.csv",
            "--talk",
            "talk.csv",
            "--credits",
            "credits.csv",
            "--totals",
            "totals.csv",
            "--public-subjects",
            "public.csv",
            "--key",
            &format!("{tier}.key"),
            "--new-key",
            "-o",
            &package,
        ];
        let record = place.record(&make);
        let attacks = record["summary"]["attacks"].as_array().unwrap();
        for attack in attacks {
            assert_eq!(attack["n_found"], 0, "{attack}");
            assert!(attack["n_targets"].as_u64() > Some(10), "{attack}");
        }
        assert_eq!(attacks.len(), 5);
        let names = "demo/classifications.csv";
        let verify = ["release", "verify", &package, "--names", names, "--biases", "biases.toml"];
        assert_eq!(place.record(&verify)["summary"]["findings"], Value::Array(Vec::new()));
        checkers_accept(&place.path(&package));
    }
}

#[test]
fn keys_are_kept_and_mistakes_are_told() {
    let place = project();
    place.volary(&release("cats", &[])).fails_with("reading failed");
    place.record(&release("cats", &["--new-key"]));
    place.volary(&release("more", &["--new-key"])).fails_with("there is a key already");
    place.volary(&release("cats", &[])).fails_with("there is something already");
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
    std::fs::remove_file(place.path("cats.key")).unwrap();
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

/// Other people's programs, where they are installed.
fn checkers_accept(package: &std::path::Path) {
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
