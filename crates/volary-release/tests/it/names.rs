//! No name of a volunteer stands in any byte of a package, whatever the name and wherever it was planted.

use std::fmt::Write as _;

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;
use volary_ingest::Progress;
use volary_ingest::volunteer::key;
use volary_release::names::NameSet;
use volary_release::package::{Inputs, build};
use volary_release::tier::Tier;
use volary_release::verify::{Against, verify};

use crate::support::{files, release_key, settings};

/// Names of every kind: of other scripts, with accents in one character or two, formulas, commands of LaTeX,
/// mark-up, quotes, marks that turn the direction round, spaces.
fn name() -> impl Strategy<Value = String> {
    let letter = "[A-Za-z\u{c0}-\u{17f}\u{391}-\u{3c9}\u{410}-\u{44f}\u{5d0}-\u{5ea}\u{3041}-\u{3096}\u{4e00}-\u{4fff}]";
    let odd = "[ _\\-.,;:\"'`<>&%$#{}\\\\^~=+@|()\\[\\]\u{301}\u{202e}\u{200b}0-9]";
    let start = prop_oneof![
        Just(String::new()),
        Just("=".to_owned()),
        Just("@".to_owned()),
        Just("\\input{".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("<b>".to_owned()),
    ];
    let rest =
        proptest::string::string_regex(&format!("{letter}({letter}|{odd}){{6,16}}{letter}")).unwrap();
    (start, rest).prop_map(|(start, rest)| format!("{start}{rest}"))
}

struct Case {
    folder: tempfile::TempDir,
    inputs: Inputs,
}

/// Twenty people on thirty subjects. Everybody types the first names into an answer box; names stand in the
/// paths of the records, in a column of the gold standard, and in no column that leaves.
fn case(names: &[String]) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut votes =
        "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,kind,answer\n"
            .to_owned();
    let mut gold = "subject_id,answer,expert\n".to_owned();
    for subject in 0..30_usize {
        for (i, name) in names.iter().enumerate() {
            let id = subject * 100 + i;
            let volunteer = key(name).0;
            let time = volary_ingest::time::format_ms(1_700_000_000_000 + id as i64 * 60_000);
            let answer = if (i + subject) % 3 == 0 { "Cat" } else { "Dog" };
            writeln!(votes, "{id},7,s{subject:02},{volunteer},{time},false,T0,single,{answer}").unwrap();
            let typed = quote(&names[subject % 3]);
            writeln!(votes, "{id},7,s{subject:02},{volunteer},{time},false,T1,dropdown,{typed}")
                .unwrap();
        }
        writeln!(gold, "s{subject:02},Cat,{}", quote(&names[subject % names.len()])).unwrap();
    }
    let path = format!("/home/{}/export.csv", names[4]);
    let run = serde_json::json!({
        "volary": "0.1.0", "command": "extract", "seed": 1, "command_line": ["volary", path],
        "inputs": [{"path": format!("/home/{}/export.csv", names[4]), "bytes": 3, "blake3": "00ff"}],
    });
    let inputs = Inputs {
        votes: Some(write("votes.csv", &votes)),
        gold: Some(write("gold.csv", &gold)),
        biases: Some(write("biases.toml", "")),
        runs: vec![write("run.json", &run.to_string())],
        names: names.to_vec(),
        ..Inputs::default()
    };
    Case { folder, inputs }
}

/// Whether the text stands in the bytes, by a search that is not the one under test.
fn stands(bytes: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    !text.is_empty() && bytes.windows(text.len()).any(|w| w.eq_ignore_ascii_case(text))
}

fn written(name: &str) -> Vec<String> {
    let name = name.trim();
    let mut all =
        vec![name.to_owned(), name.nfc().collect(), name.nfd().collect(), name.nfkc().collect()];
    let json = serde_json::Value::from(name).to_string();
    all.push(json[1..json.len() - 1].to_owned());
    all.push(name.replace('"', "\"\""));
    all.push(
        name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
    );
    all.push(key(name).0);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_name_stands_in_any_byte_of_a_package(names in proptest::collection::btree_set(name(), 20)) {
        let names: Vec<String> = names.into_iter().collect();
        let mut case = case(&names);
        for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
            let target = case.folder.path().join(format!("{tier:?}"));
            let mut settings = settings(tier);
            settings.privacy.k = 2;
            case.inputs.knowledge.know_names(names.iter().map(String::as_str));
            let built = build(&settings, &case.inputs, &release_key(), &target, &Progress::default()).unwrap();
            prop_assert_eq!(built.left_out.iter().any(|(why, _)| why.starts_with("typed answer")), true);
            for (path, bytes) in files(&target) {
                for name in &names {
                    for text in written(name) {
                        prop_assert!(!stands(&bytes, &text), "{} in {}", text, path);
                    }
                }
            }
            let against = Against { names: Some(&names), ..Against::default() };
            let verified = verify(&target, &against, &Progress::default()).unwrap();
            prop_assert!(verified.holds(), "{:?}", verified.findings);
            prop_assert_eq!(verified.names.map(|n| n.0), Some(20), "every name was looked for");
        }
    }
}

fn twenty() -> Vec<String> {
    (0..20).map(|i| format!("Volunteer_Nym{i:02}")).collect()
}

#[test]
fn a_name_in_what_the_team_gives_stops_the_release() {
    let names = twenty();
    type Plant = fn(&mut Case);
    let cases: [(&str, Plant); 3] = [
        ("README.md", |case| {
            let text = "[[bias]]\nid = \"B-1\"\nwhat = \"volunteer_nym07 sees cats.\"\nfound = \"2026-01-01\"\n\
                        evidence = \"run 3\"\nstate = \"open\"\n";
            std::fs::write(case.inputs.biases.as_ref().unwrap(), text).unwrap();
        }),
        ("data/counts.", |case| {
            let path = case.inputs.votes.as_ref().unwrap();
            let text = std::fs::read_to_string(path).unwrap().replace(",s07,", ",Volunteer_Nym03,");
            std::fs::write(path, text).unwrap();
        }),
        ("policy.json", |case| {
            let path = case.folder.path().join("policy.toml");
            std::fs::write(&path, "version = \"1\"\nby = \"Volunteer_Nym11\"\n").unwrap();
            case.inputs.policy = Some(path);
        }),
    ];
    for (file, plant) in cases {
        let mut case = case(&names);
        plant(&mut case);
        let target = case.folder.path().join("package");
        let built =
            build(&settings(Tier::A), &case.inputs, &release_key(), &target, &Progress::default());
        let message = built.unwrap_err().to_string();
        assert!(
            message.starts_with(file) && !message.to_lowercase().contains("volunteer_nym"),
            "{message}"
        );
        assert!(!target.exists());
    }
}

#[test]
fn a_name_that_is_an_answer_of_the_team_leaves_and_a_typed_one_does_not() {
    let mut names = twenty();
    names[0] = "Cat".to_owned();
    let case = case(&names);
    let target = case.folder.path().join("package");
    build(&settings(Tier::A), &case.inputs, &release_key(), &target, &Progress::default()).unwrap();
    let counts = std::fs::read_to_string(target.join("data/counts.csv")).unwrap();
    assert!(counts.contains(",T0,s00,Cat,") && !counts.contains("Nym"), "{counts}");
    // Somebody called Cat typed their name; the box of the other question has it, and there it may stand: it
    // is a word of the package.
    assert!(NameSet::new(["Cat"], "Cat").unwrap().find(b"Cat", 1).is_empty());
}
