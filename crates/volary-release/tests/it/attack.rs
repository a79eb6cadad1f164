//! The attacks find nobody in our packages, and find people in packages that are made wrong: an attack that
//! never finds anybody proves nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use volary_ingest::Progress;
use volary_ingest::volunteer::key;
use volary_release::attack::{
    Knowledge, Outcome, Sighting, Truth, Version, View, difference, rejoined, run,
};
use volary_release::package::pseudonyms;
use volary_release::pseudonym::{Bearer, Pseudonyms};
use volary_release::settings::Privacy;
use volary_release::tier::Tier;

use crate::support::{
    N_VOLUNTEERS, Project, knowledge, mix, name, names, release_key, settings, visits,
};

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
    let base32 = |digest: &[u8]| data_encoding::BASE32_NOPAD.encode(&digest[..10]).to_lowercase();
    let mutants: [Mutant<'_>; 9] = [
        &|v| hex(&sha(&name(v)))[..16].to_owned(),
        &|v| hex(&sha(&name(v).to_lowercase())),
        &|v| blake3::hash(name(v).as_bytes()).to_hex().to_string(),
        &|v| key(&name(v)).0,
        // As ours look.
        &|v| format!("p{}", base32(&sha(&name(v)))),
        &|v| hex(&<sha1::Sha1 as sha2::Digest>::digest(name(v).as_bytes())),
        &|v| hex(&<md5::Md5 as sha2::Digest>::digest(name(v).as_bytes())),
        // Of the number that the platform gave.
        &|v| hex(&sha(&id(v))),
        &|v| format!("p{}", base32(&<md5::Md5 as sha2::Digest>::digest(id(v).as_bytes()))),
    ];
    let mut known = knowledge();
    let ids: Vec<String> = (0..N_VOLUNTEERS).map(id).collect();
    known.know_ids(ids.iter().map(String::as_str));
    for (i, mutant) in mutants.iter().enumerate() {
        naive(&path, mutant, false);
        let view = View::read(&path, &Progress::default()).unwrap();
        let tokens = tokens(Tier::C);
        let outcome = &run(&view, &known, &Truth::new(&tokens, &view), 0)[0];
        assert!(outcome.n_found >= 140 && !outcome.holds(), "mutant {i}: {outcome:?}");
    }
    // Pseudonyms of a key are none of these.
    let tokens = tokens(Tier::C);
    naive(&path, |v| tokens.person(&key(&name(v)).0).text(Bearer::Account), false);
    let view = View::read(&path, &Progress::default()).unwrap();
    assert!(run(&view, &known, &Truth::new(&tokens, &view), 0)[0].holds());
}

/// Somebody's number on the platform.
fn id(volunteer: u64) -> String {
    (1_500_000 + 7 * volunteer).to_string()
}

#[test]
fn two_versions_are_not_joined_and_one_person_is_not_their_difference() {
    let project = Project::new();
    let before_at = project.package(Tier::C);
    let mut later = Project::new();
    // Dates say nothing: a request may be dealt with late, and a package be dated ahead.
    let opt_out = |later: &mut Project, n: u64| {
        let names: Vec<String> = (0..n).map(name).collect();
        later.opt_out(names.iter().map(String::as_str));
    };
    later.inputs.previous = Some(before_at.clone());
    // Anybody can join the two by what their rows say, so that they are one line, or the second does not leave.
    let mut next = settings(Tier::C);
    next.version = "1.1".to_owned();
    let refused = later.release(&later.path("other"), &next).unwrap_err().to_string();
    assert!(refused.contains("join of versions") && refused.contains("`line`"), "{refused}");
    next.privacy.line = Some("main".to_owned());
    for n in [1, 2] {
        opt_out(&mut later, n);
        let refused = later.release(&later.path("few"), &next).unwrap_err().to_string();
        let words = format!("found {n} of {n}");
        assert!(refused.contains("difference of versions") && refused.contains(&words), "{refused}");
    }
    opt_out(&mut later, 12);
    let built = later.release(&later.path("twelve"), &next).unwrap();
    assert_eq!(built.n_opted_out, 12);
    // How many they are is not told: not by a reason, and not by how many the attacks look for.
    let report = std::fs::read_to_string(later.path("twelve/privacy_report.json")).unwrap();
    assert!(!report.contains("opted out\""), "the number of opt-outs is not told");
    let everybody = names().len() as u64;
    for attack in &built.attacks {
        let n = if attack.attack == "difference of versions" { 10 } else { everybody };
        assert_eq!(attack.n_targets, n, "{attack:?}");
    }

    let progress = Progress::default();
    let (old, new) = (
        View::open(&before_at, &progress).unwrap(),
        View::open(&later.path("twelve"), &progress).unwrap(),
    );
    let shared: Vec<&str> = old.pseudonyms().filter(|p| new.pseudonyms().any(|q| q == *p)).collect();
    assert!(shared.is_empty(), "a version of no line and one of a line share pseudonyms");
    // Nobody has to have votes any more: the keys of both tell the same twelve, and without the key of the version
    // before the counts say that some left, though not how many.
    let keyed = [settings(Tier::C), next].map(|of| pseudonyms(&of, &release_key()).unwrap());
    let people: Vec<String> = (0..12).map(|who| key(&name(who)).0).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let told = |before: Option<&Pseudonyms>, n: usize, k: u32| {
        let truths = [before.map(|before| Truth::new(before, &old)), Some(Truth::new(&keyed[1], &new))];
        let folders = [before_at.clone(), later.path("twelve")];
        let before = Version { folder: &folders[0], view: &old, truth: truths[0].as_ref() };
        let after = Version { folder: &folders[1], view: &new, truth: truths[1].as_ref() };
        let privacy = Privacy { k, ..Privacy::default() };
        let of = difference([&before, &after], &people[..n], &privacy, &progress).unwrap();
        (of.n_targets, of.n_found, of.holds())
    };
    let key_of = Some(&keyed[0]);
    assert_eq!([told(key_of, 12, 10), told(key_of, 12, 13)], [(10, 0, true), (12, 12, false)]);
    assert_eq!([told(key_of, 2, 10), told(key_of, 0, 10)], [(2, 2, false), (0, 0, true)]);
    let (n, found, holds) = told(None, 12, 1000);
    assert!((1..=12).contains(&n) && found == n && !holds, "{n}");
    // Somebody who had left before, and rows that are gone for other reasons: nobody left in between.
    let mut third = Project::new();
    third.inputs.previous = Some(later.path("twelve"));
    opt_out(&mut third, 12);
    let mut last = settings(Tier::C);
    last.version = "1.2".to_owned();
    last.privacy.line = Some("main".to_owned());
    let built = third.release(&third.path("third"), &last).unwrap();
    let between = built.attacks.iter().find(|a| a.attack == "difference of versions").unwrap();
    assert_eq!((between.n_targets, between.n_found), (0, 0));
    // Tier A has counts to subtract: one person's, and nobody's.
    let first = Project::new();
    let a_at = first.package(Tier::A);
    let mut next = settings(Tier::A);
    next.version = "1.1".to_owned();
    for (n, is_refused) in [(1, true), (0, false)] {
        let mut later = Project::new();
        later.inputs.previous = Some(a_at.clone());
        opt_out(&mut later, n);
        let built = later.release(&later.path("next"), &next);
        let told = built.map_err(|e| e.to_string());
        assert_eq!(
            told.as_ref().is_err_and(|e| e.contains("difference of versions")),
            is_refused,
            "{told:?}"
        );
        assert_eq!(told.is_err(), is_refused);
    }
    // It has no rows to join.
    let a = View::open(&a_at, &progress).unwrap();
    let a = Version { folder: &a_at, view: &a, truth: None };
    assert!(rejoined([&a, &a], &[], &Privacy { most_joined: 0.0, ..Privacy::default() }).holds());
}

/// Rows need not be equal: whoever shares more of them than anybody else is the same person.
#[test]
fn versions_are_joined_by_what_their_rows_share() {
    let progress = Progress::default();
    let settings = [settings(Tier::C), {
        let mut next = settings(Tier::C);
        next.version = "1.1".to_owned();
        next
    }];
    let keyed = settings.each_ref().map(|of| pseudonyms(of, &release_key()).unwrap());
    let everybody: Vec<String> = names().iter().map(|name| key(name).0).collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    let (first, second) = (Project::new(), Project::without(&[3, 30]));
    let folders = [first.package(Tier::C), second.path("next")];
    second.release(&folders[1], &settings[1]).unwrap();
    let views = folders.each_ref().map(|folder| View::open(folder, &progress).unwrap());
    let truths = [0, 1].map(|i| Truth::new(&keyed[i], &views[i]));
    let version = |i: usize| Version { folder: &folders[i], view: &views[i], truth: Some(&truths[i]) };
    let joined = rejoined([&version(0), &version(1)], &everybody, &Privacy::default());
    eprintln!("joined by content: {joined:?}");
    assert!(joined.n_targets > 20 && joined.n_found * 10 > joined.n_targets * 8, "{joined:?}");
    assert!(!joined.holds() && joined.n_found <= joined.n_claims);
    // A claim is judged by the keys: with the wrong people behind the pseudonyms none is right.
    let swapped = Version { truth: Some(&truths[0]), ..version(1) };
    assert_eq!(rejoined([&version(0), &swapped], &everybody, &Privacy::default()).n_found, 0);
    // Versions of different subjects share nothing.
    let nothing = View::default();
    let empty = Version { folder: &folders[1], view: &nothing, truth: None };
    assert_eq!(rejoined([&version(0), &empty], &everybody, &Privacy::default()).n_claims, 0);
}

/// Votes that are linked leave with the report of the attacks on them, or not at all.
#[test]
fn tier_c_leaves_with_its_attacks_only() {
    let mut project = Project::new();
    let mut public = settings(Tier::C);
    public.privacy.nobody_is_public = false;
    let refused = project.release(&project.path("names"), &public).unwrap_err().to_string();
    assert!(
        refused.contains("the report of its attacks only") && refused.contains("--talk"),
        "{refused}"
    );
    project.inputs.knowledge = Knowledge::default();
    let refused = project.release(&project.path("nothing"), &settings(Tier::C)).unwrap_err().to_string();
    assert!(refused.contains("give --names"), "{refused}");
    // Tier A may; what was not done is said, and not that it was done.
    let read = |package: &Path| std::fs::read_to_string(package.join("README.md")).unwrap();
    let readme = read(&project.package(Tier::A));
    assert!(readme.contains("No attack was tried on this package"), "{readme}");
    assert!(readme.contains("No list of people who opted out was given."), "{readme}");
    assert!(!readme.contains("attacked this package") && !readme.contains("Those who opted out"));
    project.opt_out([name(0).as_str()]);
    let target = project.path("without");
    project.release(&target, &settings(Tier::A)).unwrap();
    assert!(read(&target).contains("Those who opted out are left out."));
}
