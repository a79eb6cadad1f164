//! `volary simulate crowd` from the outside.

use crate::support::Place;

fn digest(place: &Place, name: &str) -> String {
    blake3::hash(&std::fs::read(place.path(name)).unwrap()).to_hex().to_string()
}

/// The digests are those of the first release: a default crowd never changes.
#[test]
fn default_crowds_stay_the_same_to_the_byte() {
    let place = Place::new();
    let common = ["simulate", "crowd", "-o"];
    let first = ["a", "--subjects", "200", "--volunteers", "40", "--classes", "4", "--seed", "9"];
    let second = ["b", "--subjects", "100", "--repeats", "0.2", "--seed", "2"];
    place.record(&[&common[..], &first[..]].concat());
    place.record(&[&common[..], &second[..]].concat());
    for (name, expected) in [
        ("a/labels.csv", "6cfcf09b56b3298ea75c0e822473dc9d8ff8ccefe114d311115f2c68c8a36814"),
        ("a/skill.csv", "9ae93504e82a44a2c4582d37fddb2ff53778a8ec7fa2e54ce66b8c9d519ca917"),
        ("a/truth.csv", "0abeb0e6f286fa92d9d2c95d9a20c6d98e7a58f39e94f67d9e236805bfdd8913"),
        ("b/labels.csv", "dc177e5798048d9299d738baaf7de7c815ff34321747cfe5a732765f6c7bd1ff"),
        ("b/skill.csv", "f758c8c6d2564a3fd2808ecd87ea551f8cea9301f5ba3feb3123e1cb421195a7"),
        ("b/truth.csv", "b07650b244af73c3c89c6f334fa8a8ce57f84562cee2e1da7d72c4abe480cf9e"),
    ] {
        assert_eq!(digest(&place, name), expected, "{name}");
    }
}

#[test]
fn effects_come_out_as_tables() {
    let place = Place::new();
    let effects = [
        "simulate",
        "crowd",
        "-o",
        "c",
        "--subjects",
        "300",
        "--volunteers",
        "60",
        "--classes",
        "3",
        "--kinds",
        "typical=0.8,spammer=0.2",
        "--learning",
        "0.3:0.1",
        "--fatigue",
        "-0.02",
        "--session-votes",
        "15",
        "--shared-bias",
        "0.5:1:0:0.4",
        "--tempting",
        "0.2:0.5",
        "--copying",
        "0.1",
        "--gold",
        "0.1",
        "--machine",
        "0.9:2",
        "--hopeless-skill",
        "0.4",
        "--prevalence",
        "0.5,0.3,0.2",
    ];
    place.record(&effects);
    let subjects = place.table("c/subjects.csv");
    assert_eq!(subjects.len(), 300);
    let tempting = subjects.iter().filter(|r| !r["tempting"].is_empty()).count();
    assert!((35..90).contains(&tempting), "{tempting}");
    let volunteers = place.table("c/volunteers.csv");
    let spammers: Vec<_> = volunteers.iter().filter(|r| r["kind"] == "spammer").collect();
    assert!((4..22).contains(&spammers.len()), "{}", spammers.len());
    assert!(
        spammers
            .iter()
            .all(|r| r["learning"].parse::<f64>().unwrap() == 0.0 && r["shares_bias"] == "false")
    );
    let gold = place.table("c/gold.csv");
    assert!((15..50).contains(&gold.len()), "{}", gold.len());
    for row in &gold {
        let subject = &subjects[row["task"].parse::<usize>().unwrap()];
        assert_eq!((&subject["label"], subject["is_gold"].as_str()), (&row["label"], "true"));
    }
    assert_eq!(place.table("c/scores.csv").len(), 900);
    let record = place.record(&["consensus", "c/labels.csv", "--truth", "c/truth.csv", "-o", "out.csv"]);
    assert!(record["summary"]["methods"][0]["accuracy"].as_f64().unwrap() > 0.6);
    // Gold and scores are what the models read.
    let helped = ["--gold", "c/gold.csv", "--machine", "c/scores.csv", "--truth", "c/truth.csv"];
    let command = ["consensus", "c/labels.csv", "-o", "helped.csv", "--method", "dawid-skene"];
    let record = place.record(&[&command[..], &helped[..]].concat());
    assert!(record["summary"]["methods"][0]["accuracy"].as_f64().unwrap() > 0.7);
    // Twice the same, in another format too.
    let labels = place.read("c/labels.csv");
    place.record(&effects);
    assert_eq!(labels, place.read("c/labels.csv"));
}

#[test]
fn several_answers_are_votes_that_consensus_reads() {
    let place = Place::new();
    place.record(&[
        "simulate",
        "crowd",
        "-o",
        "t",
        "--several",
        "--classes",
        "4",
        "--subjects",
        "200",
        "--correlation",
        "0.4",
        "--error-correlation",
        "0.2",
        "--gold",
        "0.2",
        "--repeats",
        "0.1",
        "--kinds",
        "plain=0.9,spammer=0.1",
    ]);
    assert!(place.table("t/votes.csv").iter().any(|r| r["repeat"] == "true"));
    let record = place.record(&["consensus", "t/votes.csv", "--truth", "t/truth.csv", "-o", "out.csv"]);
    let accuracy = record["summary"]["methods"][0]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.6, "all four answers right: {accuracy}");
    assert_eq!(place.table("t/skill.csv").len() % 4, 0);
    assert!(place.table("t/gold.csv").len() < 80);
}

#[test]
fn an_effect_that_cannot_be_is_one_clear_error() {
    let place = Place::new();
    let bad = |options: &[&str], words: &str| {
        place.volary(&[&["simulate", "crowd", "-o", "c"], options].concat()).fails_with(words);
    };
    bad(&["--kinds", "genius=1"], "there are plain, expert");
    bad(&["--kinds", "expert"], "mixed");
    bad(&["--kinds", "expert=0.5"], "sum to 1");
    bad(&["--matrix", "0.9,0.1"], "as many rows");
    bad(&["--matrix", "0.9,x;0.1,0.9"], "not a number");
    bad(&["--learning", "1:2:3"], "MEAN:SD");
    bad(&["--shared-bias", "0.5:0:0:0.5"], "another class");
    bad(&["--shared-bias", "0.5:0.5:0:0.5"], "SHARE:FROM:TO:PART");
    bad(&["--tempting", "0.5"], "SHARE:CHANCE");
    bad(&["--machine", "1.2"], "machine.auc");
    bad(&["--prevalence", "0.5,0.6"], "sum to 1");
    bad(&["--several", "--learning", "0.3"], "learning");
    bad(&["--copying", "2"], "copying");
    assert!(place.files().is_empty(), "{:?}", place.files());
}
