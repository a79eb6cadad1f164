//! How fast packages are made and looked through on this machine; the figures stand in `bench/README.md`.
//!
//! `cargo run --release -p volary-release --example release_speed -- release 10000000 A`
//! `cargo run --release -p volary-release --example release_speed -- kanon 1000000`
//! `cargo run --release -p volary-release --example release_speed -- names 1000`

#![expect(clippy::print_stdout, reason = "its output is the figures")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use volary_ingest::Progress;
use volary_release::attack::Knowledge;
use volary_release::calendar::Resolution;
use volary_release::kanon::{Demand, Ladder, anonymise};
use volary_release::key::ReleaseKey;
use volary_release::package::{Inputs, build};
use volary_release::settings::Settings;
use volary_release::verify::{Against, verify};

const SETTINGS: &str = r#"
project = "speed"
version = "1.0"
title = "Votes of nobody"
description = "Made to be timed."
date = "2026-11-28"
licence = "CC0-1.0"
publisher = "Nobody"
tier = "A"

[[creators]]
given = "No"
family = "Body"

[responsible]
collection = "A formula."
protocol = "None."
platform = "None."
annotators = "None."
uses = ["To be timed."]
limits = ["For nothing else."]
maintenance = "None."

[privacy]
nobody_is_public = true
"#;

fn hash(i: u64) -> u64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Of 100,000 people a few do most: the cube of an even draw.
fn volunteer(i: u64) -> u64 {
    let draw = (hash(i) >> 40) as f64 / (1_u64 << 24) as f64;
    (draw * draw * draw * 100_000.0) as u64
}

fn votes(path: &Path, n: u64) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(
        file,
        "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,kind,answer"
    )?;
    for i in 0..n {
        let time =
            volary_ingest::time::format_ms(1_700_000_000_000 + (hash(i + 7) % 30_000_000_000) as i64);
        let answer = ["Yes", "No"][(hash(i + 3) >> 60) as usize & 1];
        let (who, subject) = (volunteer(i), i % (n / 14).max(1));
        writeln!(file, "{i},7,s{subject:06},v{who:016x},{time},false,T0,single,{answer}")?;
    }
    file.flush()
}

/// The most memory this process has held, in MB.
fn most_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn report(what: &str, started: Instant) {
    println!("{what}: {:.2} s, {} MB at most", started.elapsed().as_secs_f64(), most_memory_mb());
}

fn package(folder: &Path, n: u64, tier: &str) -> PathBuf {
    let mut knowledge = Knowledge::default();
    if tier >= "C" {
        // What a release that links votes must be attacked with, at least: everybody who voted, by key.
        let people: Vec<String> = (0..100_000).map(|i| format!("v{i:016x}")).collect();
        knowledge.know_names(people.iter().map(String::as_str));
    }
    let inputs = Inputs {
        knowledge,
        votes: Some(folder.join("votes.csv")),
        biases: Some(folder.join("biases.toml")),
        ..Inputs::default()
    };
    votes(&folder.join("votes.csv"), n).expect("votes can be written");
    std::fs::write(folder.join("biases.toml"), "").expect("a file can be written");
    let settings = SETTINGS.replace("tier = \"A\"", &format!("tier = \"{tier}\""));
    let settings = Settings::parse(&settings).expect("the settings above");
    let key = ReleaseKey::of_bytes(&[7; 32]).expect("32 bytes");
    let target = folder.join("package");
    // What was needed to make the votes is not the release's.
    std::fs::write("/proc/self/clear_refs", "5").ok();
    let started = Instant::now();
    build(&settings, &inputs, &key, &target, &Progress::default()).expect("a package");
    report(&format!("release of {n} votes, tier {tier}"), started);
    target
}

fn kanon(n: u64) {
    let counts: Vec<u64> = (0..n).map(|i| 1 + (hash(i) >> 40).pow(2) % 20_000).collect();
    let days: Vec<Option<i32>> = (0..n).map(|i| Some(19_000 + (hash(i + 1) % 900) as i32)).collect();
    let countries: Vec<String> = (0..n).map(|i| format!("c{}", (hash(i + 2) >> 50) % 60)).collect();
    let sensitive: Vec<u8> = (0..n).map(|i| (hash(i + 3) % 10) as u8).collect();
    let started = Instant::now();
    let ladders = vec![
        Ladder::counts("activity", &counts),
        Ladder::days("first", &days, Resolution::Week),
        Ladder::told("country", &countries),
    ];
    let table = anonymise(ladders, &sensitive, Demand { k: 10, l: 2 }).expect("a table");
    report(&format!("{n} volunteers, k 10, l 2: {:?}", table.report.smallest_group), started);
}

/// Letters that names are made of: of six scripts, and the signs of right-to-left writing.
const LETTERS: [&str; 6] = [
    "abcdefghijklmnoprstuvwyz",
    "абвгдежзиклмнопрстуфхцчшэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "אבגדהוזחטיכלמנסעפצקרשת\u{200f}",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "山田中村小林加藤吉佐木井上清水",
];

fn person(i: u64) -> String {
    let letters: Vec<char> = LETTERS[(hash(i) >> 33) as usize % LETTERS.len()].chars().collect();
    let n = 5 + hash(i + 1) % 9;
    (0..n).map(|at| letters[(hash(31 * i + at) >> 35) as usize % letters.len()]).collect()
}

/// The package of a gigabyte is of votes, as CSV and as Parquet.
fn names(folder: &Path, megabytes: u64) {
    let package = package(folder, megabytes * 14_600, "B");
    let names: Vec<String> = (0..10_000).map(person).collect();
    let mut seconds = [0.0; 2];
    for (seconds, names) in seconds.iter_mut().zip([None, Some(names.as_slice())]) {
        let started = Instant::now();
        let against = Against { names, ..Against::default() };
        let verified = verify(&package, &against, &Progress::default()).expect("a folder");
        let how = if names.is_some() { "with 10,000 names" } else { "without names" };
        report(&format!("verification of {} MB {how}", verified.n_bytes / 1_000_000), started);
        *seconds = started.elapsed().as_secs_f64();
    }
    println!("the names' part: {:.2} s", seconds[1] - seconds[0]);
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let folder = tempfile::tempdir().expect("a folder");
    let n = |at: usize, default: u64| args.get(at).and_then(|n| n.parse().ok()).unwrap_or(default);
    match args.get(1).map(String::as_str) {
        Some("release") => {
            package(folder.path(), n(2, 10_000_000), args.get(3).map_or("A", String::as_str));
        }
        Some("kanon") => kanon(n(2, 1_000_000)),
        Some("names") => names(folder.path(), n(2, 1000)),
        _ => panic!("tasks: release N TIER, kanon N, names MB"),
    }
}
