//! The attacks find nobody in our packages, and find people in packages that are made wrong: an attack that
//! never finds anybody proves nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use volary_ingest::Progress;
use volary_ingest::volunteer::key;
use volary_release::attack::{Knowledge, Outcome, Sighting, Truth, View, difference, rejoined, run};
use volary_release::optout::{Entry, OptOuts, State};
use volary_release::package::pseudonyms;
use volary_release::pseudonym::{Bearer, Pseudonyms};
use volary_release::tier::Tier;

use crate::support::{Project, knowledge, mix, name, release_key, settings, visits};

fn tokens(tier: Tier) -> Pseudonyms {
    pseudonyms(&settings(tier), &release_key()).unwrap()
}

/// Talk: one in three of those who saw a subject with a number that ends in 0 commented within a minute.
fn talk() -> Vec<Sighting> {
    let chosen =
        visits().into_iter().filter(|(v, s, ..)| s % 10 == 0 && mix(*v, s + 5).is_multiple_of(3));
    chosen
        .map(|(v, s, _, time)| Sighting {
            person: key(&name(v)).0,
            subject: format!("s{s:04}"),
            time_ms: Some(time + 20_000),
            answer: None,
        })
        .collect()
}

/// Discoveries: of every subject in five that seven and more called "Cat", five of them are named.
fn credits() -> Vec<Sighting> {
    let mut said_cat: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (v, s, answer, _) in visits() {
        if s % 5 == 1 && answer == "Cat" {
            said_cat.entry(s).or_default().push(v);
        }
    }
    let discoveries = said_cat.into_iter().filter(|(_, voters)| voters.len() >= 7);
    let named = discoveries.flat_map(|(s, mut voters)| {
        voters.sort_by_key(|v| mix(*v, s + 50_000));
        voters.truncate(5);
        voters.into_iter().map(move |v| (v, s))
    });
    named
        .map(|(v, s)| Sighting {
            person: key(&name(v)).0,
            subject: format!("s{s:04}"),
            time_ms: None,
            answer: Some("Cat".to_owned()),
        })
        .collect()
}

fn all_knowledge() -> Knowledge {
    let mut all = knowledge();
    (all.talk, all.credits) = (talk(), credits());
    all
}

fn public_subjects() -> String {
    let mut text = String::from("subject_id\n");
    let all: std::collections::BTreeSet<String> =
        talk().into_iter().chain(credits()).map(|s| s.subject).collect();
    for subject in all {
        writeln!(text, "{subject}").unwrap();
    }
    text
}

fn found(outcomes: &[Outcome]) -> BTreeMap<&str, u64> {
    outcomes.iter().map(|o| (o.attack, o.n_found)).collect()
}

#[test]
fn nobody_is_found_in_any_public_tier() {
    for tier in [Tier::A, Tier::B, Tier::C] {
        let mut project = Project::new();
        project.inputs.public_subjects = Some(project.write("public.csv", &public_subjects()));
        project.inputs.knowledge = all_knowledge();
        let target = project.path("package");
        let built = project.release(&target, &settings(tier)).unwrap();
        assert_eq!(built.attacks.len(), 5);
        for attack in &built.attacks {
            assert_eq!(attack.n_found, 0, "{tier:?}: {attack:?}");
            assert!(attack.n_targets > 15, "{attack:?}");
        }
        let readme = std::fs::read_to_string(target.join("README.md")).unwrap();
        assert!(readme.contains("| credit intersection |"), "{readme}");
    }
}

#[test]
fn without_the_list_of_public_subjects_tier_c_is_refused() {
    let mut project = Project::new();
    project.inputs.knowledge = all_knowledge();
    let refused = project.release(&project.path("package"), &settings(Tier::C)).unwrap_err().to_string();
    assert!(refused.starts_with("the attack ") && refused.contains("safer tier"), "{refused}");
    assert!(!project.path("package").exists());
}

/// A table of votes as somebody might have made it: one pseudonym a person, nothing held back.
fn naive(path: &Path, pseudonym: impl Fn(u64) -> String, is_exact: bool) {
    let mut text = String::from("task,subject_id,volunteer,answer,time,created_at\n");
    for (v, s, answer, time) in visits() {
        let created = if is_exact { volary_ingest::time::format_ms(time) } else { String::new() };
        writeln!(text, "T0,s{s:04},{},\"{}\",,{created}", pseudonym(v), answer.replace('"', "\"\""))
            .unwrap();
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_mutant_with_exact_times_and_one_pseudonym_is_broken_by_every_linkage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("votes.csv");
    let tokens = tokens(Tier::C);
    naive(&path, |v| tokens.person(&key(&name(v)).0).text(Bearer::Account), true);
    let view = View::read(&path, &Progress::default()).unwrap();
    let outcomes = run(&view, &all_knowledge(), &Truth::new(&tokens, &view), 0);
    let found = found(&outcomes);
    eprintln!("mutant: {found:?}");
    assert!(found["exact times"] > 60, "{found:?}");
    assert!(found["Talk linkage"] > 10, "{found:?}");
    assert!(found["credit intersection"] > 10, "{found:?}");
    assert!(found["singling out"] >= 1, "{found:?}");
    assert_eq!(found["dictionary"], 0);
    assert!(outcomes.iter().filter(|o| o.n_found > 0).all(|o| !o.holds()));
}

#[test]
fn subject_local_pseudonyms_with_exact_times_are_broken_too() {
    // The mutant that the specification names: everything as in tier B, and milliseconds.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("votes.csv");
    let tokens = tokens(Tier::B);
    let mut text = String::from("task,subject_id,volunteer,answer,created_at\n");
    for (v, s, _, time) in visits() {
        let subject = format!("s{s:04}");
        let token = tokens.on_subject(&subject, &key(&name(v)).0).text(Bearer::Account);
        writeln!(text, "T0,{subject},{token},Cat,{}", volary_ingest::time::format_ms(time)).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let view = View::read(&path, &Progress::default()).unwrap();
    let outcomes = run(&view, &all_knowledge(), &Truth::new(&tokens, &view), 0);
    assert!(found(&outcomes)["exact times"] > 60, "{outcomes:?}");
}

#[test]
fn hashes_are_no_pseudonyms() {
    // A person is found where the hash of the name, or of Volary's own key, stands for the pseudonym.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("votes.csv");
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    type Mutant<'m> = &'m dyn Fn(u64) -> String;
    let sha = |text: &str| <sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()).to_vec();
    let mutants: [Mutant<'_>; 5] = [
        &|v| hex(&sha(&name(v)))[..16].to_owned(),
        &|v| hex(&sha(&name(v).to_lowercase())),
        &|v| blake3::hash(name(v).as_bytes()).to_hex().to_string(),
        &|v| key(&name(v)).0,
        &|v| format!("p{}", data_encoding::BASE32_NOPAD.encode(&sha(&name(v))[..10]).to_lowercase()),
    ];
    let known = knowledge();
    for (i, mutant) in mutants.iter().enumerate() {
        naive(&path, mutant, false);
        let view = View::read(&path, &Progress::default()).unwrap();
        let tokens = tokens(Tier::C);
        let outcome = &run(&view, &known, &Truth::new(&tokens, &view), 0)[0];
        // The truth knows only our pseudonyms, so the claims are what counts here.
        assert!(outcome.n_claims >= 140, "mutant {i}: {outcome:?}");
    }
}

#[test]
fn two_versions_are_not_joined_and_one_person_is_not_their_difference() {
    let project = Project::new();
    let before = project.package(Tier::C);
    let mut later = Project::new();
    let opt_out = |later: &mut Project, n: u64| {
        let names: Vec<String> = (0..n).map(name).collect();
        later.opt_out(names.iter().map(String::as_str), "2026-11-30");
    };
    later.inputs.previous = Some(before.clone());
    let mut next = settings(Tier::C);
    next.version = "1.1".to_owned();
    opt_out(&mut later, 1);
    let refused = later.release(&later.path("one"), &next).unwrap_err().to_string();
    assert!(refused.contains("difference of versions") && refused.contains("1 of 1"), "{refused}");
    opt_out(&mut later, 12);
    let built = later.release(&later.path("twelve"), &next).unwrap();
    assert_eq!(built.n_opted_out, 12);
    let report = std::fs::read_to_string(later.path("twelve/privacy_report.json")).unwrap();
    assert!(!report.contains("opted out\""), "the number of opt-outs is not told");

    let progress = Progress::default();
    let (old, new) =
        (View::open(&before, &progress).unwrap(), View::open(&later.path("twelve"), &progress).unwrap());
    let shared: Vec<&str> = old.pseudonyms().filter(|p| new.pseudonyms().any(|q| q == *p)).collect();
    assert!(shared.is_empty(), "versions share pseudonyms");
    let (n_joined, n_all) = rejoined(&old, &new);
    eprintln!("joined by content: {n_joined} of {n_all}");
    assert!(n_all > 20 && n_joined * 10 < n_all, "{n_joined} of {n_all}");
    assert!(difference(&old, &new, &[], 10, 0).holds());
    // Tier A has no rows to subtract.
    let a = View::open(&project.package(Tier::A), &progress).unwrap();
    assert!(difference(&a, &a, &["v".to_owned()], 10, 0).holds());
}

#[test]
fn the_same_version_twice_is_joined_by_its_rows() {
    let project = Project::new();
    let progress = Progress::default();
    let view = View::open(&project.package(Tier::C), &progress).unwrap();
    let (n_joined, n_all) = rejoined(&view, &view);
    assert!(n_joined * 10 > n_all * 9, "the attack itself works: {n_joined} of {n_all}");
}
