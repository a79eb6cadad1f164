//! Whole projects published as the book's recipes say: the cat project, real votes, drawings, the demo. Each package is
//! looked at by our checks, by others' programs and by the attacks.

use serde_json::Value;

use crate::release::{SETTINGS, attack, checkers_accept};
use crate::support::{Place, Row, export, read_csv, shared, walk};

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
    let record = place.record(&attack("cats", export));
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
