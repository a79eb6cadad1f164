//! A small project with names, times, credits and Talk comments, and packages made from it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use volary_ingest::Progress;
use volary_ingest::volunteer::key;
use volary_release::ReleaseError;
use volary_release::attack::Knowledge;
use volary_release::key::ReleaseKey;
use volary_release::optout::{Entry, OptOuts, State};
use volary_release::package::{Built, Inputs, build};
use volary_release::settings::Settings;
use volary_release::tier::Tier;

pub(crate) const N_VOLUNTEERS: u64 = 150;
pub(crate) const N_SUBJECTS: u64 = 400;

pub(crate) const SETTINGS: &str = r#"
project = "cat-project"
version = "1.0"
title = "Cats & \"dogs\": which animal is it?"
description = "Answers of volunteers to photographs: <cats>, dogs, and neither."
date = "2026-11-28"
licence = "CC-BY-4.0"
publisher = "Cat Institute"
doi = "10.5072/cats"
url = "https://example.org/cats"
keywords = ["cats", "citizen science"]

[[creators]]
given = "Ada"
family = "Lovelace"
orcid = "0000-0002-1825-0097"
affiliation = "Cat Institute"

[[creators]]
given = "Émile"
family = "O'Neill: {x}"

[privacy]
min_classifications = 20

[responsible]
collection = "Volunteers answered one question a photograph on a web page."
protocol = "A tutorial of three pages; a field guide."
platform = "Zooniverse"
annotators = "Anybody with a browser; nobody was asked who they are."
uses = ["To train classifiers of photographs."]
limits = ["Not for counting cats.", "Photographs of the night are few."]
maintenance = "The Cat Institute keeps it until 2036."
machines = ["None of the answers is a machine's."]
"#;

/// A name that no package may hold.
pub(crate) fn name(i: u64) -> String {
    match i {
        0 => "Zaphod, B. \"the\" Beeblebrox".to_owned(),
        1 => "Éowyn_Þórsdóttir".to_owned(),
        2 => "\u{30cf}\u{30eb}\u{30ab}\u{3055}\u{3093}".to_owned(),
        i => format!("Volunteer_Nym{i:04}"),
    }
}

/// A repeatable number from two.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let digest = blake3::hash(format!("{a}/{b}").as_bytes());
    u64::from_le_bytes(digest.as_bytes()[..8].try_into().unwrap())
}

fn share(i: u64) -> u64 {
    // In a thousand: the first see most subjects, the last one in fifty.
    700 / (1 + i / 4)
}

/// Who votes on what, with what and when (milliseconds).
pub(crate) fn visits() -> Vec<(u64, u64, &'static str, i64)> {
    let mut all = Vec::new();
    for subject in 0..N_SUBJECTS {
        for volunteer in 0..N_VOLUNTEERS {
            if mix(volunteer, subject) % 1000 >= share(volunteer) {
                continue;
            }
            let truth = mix(subject, 7) % 3;
            let is_right = mix(volunteer, subject + 10_000) % 10 < 8;
            let said = if is_right { truth } else { mix(volunteer, subject + 20_000) % 3 };
            let answer = ["Cat", "=dog()", "Neither, \"really\""][said as usize];
            let time = 1_700_000_000_000 + (mix(volunteer, subject + 30_000) % 20_000_000_000) as i64;
            all.push((volunteer, subject, answer, time));
        }
    }
    all
}

pub(crate) struct Project {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) inputs: Inputs,
}

impl Project {
    pub(crate) fn new() -> Self {
        Self::without(&[])
    }

    /// As if these people had never voted.
    pub(crate) fn without(absent: &[u64]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut inputs = Inputs::default();
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut votes = String::from(
            "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,kind,answer\n",
        );
        let mut people = String::from("volunteer,n_compared,agreement_shrunk\n");
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut put = |id: u64, name: &str, subject: u64, answer: &str, time: i64, repeat: bool| {
            let (volunteer, _) = key(name);
            let time = volary_ingest::time::format_ms(time);
            let answer = if answer.is_empty() { String::new() } else { quote(answer) };
            writeln!(votes, "{id},7,s{subject:04},{volunteer},{time},{repeat},T0,single,{answer}")
                .unwrap();
        };
        for (volunteer, subject, answer, time) in visits() {
            if absent.contains(&volunteer) {
                continue;
            }
            let id = 1_000_000 + volunteer * N_SUBJECTS + subject;
            put(id, &name(volunteer), subject, answer, time, false);
        }
        // The same browser, three subjects: never to be linked. And a repeat, a blank, a rare answer.
        for subject in 0..3 {
            put(10 + subject, "not-logged-in-cafe0123", subject, "Cat", 1_700_000_000_000, false);
        }
        put(20, &name(5), 3, "Cat", 1_700_000_000_001, true);
        put(21, "blank-only", 3, "", 1_700_000_000_002, false);
        put(22, "typist", 3, "Ask Zaphod", 1_700_000_000_003, false);
        for volunteer in 0..N_VOLUNTEERS {
            let agreement = 0.5 + 0.5 * (mix(volunteer, 3) % 1000) as f64 / 1000.0;
            writeln!(people, "{},30,{agreement}", key(&name(volunteer)).0).unwrap();
        }
        inputs.votes = Some(write("votes.csv", &votes));
        inputs.volunteers = Some(write("volunteers.csv", &people));
        inputs.gold =
            Some(write("gold.csv", "subject_id,answer,expert\ns0001,Cat,Zaphod\ns0002,=dog(),x\n"));
        inputs.biases = Some(write(
            "biases.toml",
            "[[bias]]\nid = \"B-1\"\nwhat = \"Black cats look like nothing.\"\nfound = \"2026-01-01\"\nevidence = \"run 3\"\nstate = \"open\"\n",
        ));
        inputs.policy = Some(write("policy.toml", "version = \"2026-11\"\n[alert]\nvotes = 8\n"));
        inputs.runs = vec![write(
            "run.json",
            r#"{"volary": "0.1.0", "command": "extract", "seed": 1, "command_line": ["/home/zaphod/volary"],
               "inputs": [{"path": "/home/zaphod/export.csv", "bytes": 3, "blake3": "00ff"}]}"#,
        )];
        // Names are public; how much each did is not, for most platforms.
        inputs.knowledge.know_names(names().iter().map(String::as_str));
        Self { folder, inputs }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Gives a list of people who opted out. The skill was computed by a run that knew of them, and experts gave
    /// the known answers.
    pub(crate) fn opt_out<'a>(&mut self, people: impl IntoIterator<Item = &'a str>) {
        let mut log = OptOuts::default();
        log.seal().unwrap();
        for (person, at) in people.into_iter().zip(["2026-11-30", "2020-01-01"].into_iter().cycle()) {
            let (volunteer, _) = key(person);
            let (at, channel) = (at.to_owned(), String::new());
            log.add(Entry { volunteer, state: State::Out, at, channel }).unwrap();
        }
        log.write(&self.path("optouts.toml")).unwrap();
        self.inputs.optouts = Some(self.path("optouts.toml"));
        self.inputs.is_gold_of_experts = true;
        self.know_skill(&log.stamp().unwrap());
    }

    /// A record of the run that wrote the table of volunteers, with the stamp of the list that it was given.
    pub(crate) fn know_skill(&self, stamp: &str) {
        self.know("consensus", "volunteers.csv", stamp);
    }

    /// A record of the run of a command that wrote a file, with the stamp of the list that it was given.
    pub(crate) fn know(&self, command: &str, file: &str, stamp: &str) {
        let bytes = std::fs::read(self.path(file)).unwrap();
        let (votes, made) = (blake3::hash(b"votes").to_hex(), blake3::hash(&bytes).to_hex());
        let record = format!(
            "{{\"volary\": \"0.1.0\", \"command\": \"{command}\", \"inputs\": [{{\"path\": \"export.csv\", \
             \"blake3\": \"{votes}\"}}], \"outputs\": [{{\"path\": \"{file}\", \"blake3\": \"{made}\"}}], \
             \"summary\": {{\"n_votes_opted_out\": 1, \"optout_list\": \"{stamp}\"}}}}"
        );
        self.write(&format!("{command}.run.json"), &record);
    }

    pub(crate) fn release(&self, target: &Path, settings: &Settings) -> Result<Built, ReleaseError> {
        build(settings, &self.inputs, &release_key(), target, &Progress::default())
    }

    /// A package of a tier, in the project's folder.
    pub(crate) fn package(&self, tier: Tier) -> PathBuf {
        let target = self.path(&format!("package-{tier:?}"));
        self.release(&target, &settings(tier)).unwrap();
        target
    }
}

pub(crate) fn release_key() -> ReleaseKey {
    ReleaseKey::of_bytes(&[42; 32]).unwrap()
}

pub(crate) fn settings(tier: Tier) -> Settings {
    let mut settings = Settings::parse(SETTINGS).unwrap();
    settings.tier = tier;
    settings.privacy.nobody_is_public = true;
    settings
}

/// Names of all volunteers.
pub(crate) fn names() -> Vec<String> {
    (0..N_VOLUNTEERS).map(name).chain(["blank-only".into(), "typist".into()]).collect()
}

/// What is public about the volunteers: names, and how much each did.
pub(crate) fn knowledge() -> Knowledge {
    let mut knowledge = Knowledge::default();
    let names = names();
    knowledge.know_names(names.iter().map(String::as_str));
    let mut totals = std::collections::BTreeMap::new();
    for (volunteer, ..) in visits() {
        *totals.entry(key(&name(volunteer)).0).or_default() += 1;
    }
    knowledge.totals = totals.into_iter().collect();
    knowledge
}

/// Every file of a folder, by its path within.
pub(crate) fn files(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut out = std::collections::BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                out.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    out
}

pub(crate) fn csv_rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// A consensus of the counts of a package, with columns that may not leave.
pub(crate) fn consensus_of(counts: &[Vec<String>]) -> String {
    let mut text = String::from(
        "workflow_id,task,subject_id,answer,n_seen,n_answered,n_votes,fraction,fraction_low,fraction_high,weight,user_name\n",
    );
    for row in &counts[1..] {
        let answer = row[3].trim_start_matches('\'').replace('"', "\"\"");
        text.push_str(&format!(
            "{},{},{},\"{answer}\",{},{},{},0.5,0.4,0.6,1.0,Zaphod\n",
            row[0], row[1], row[2], row[4], row[4], row[5]
        ));
    }
    text
}
