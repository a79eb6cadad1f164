//! What was made of what: the `run.json` records of a project, joined where one run read the very bytes that
//! another wrote.
//!
//! A file is its BLAKE3 checksum, wherever it lies and whatever it is called; of its path only the name is
//! kept, since a path may name its owner. Runs of before records held their outputs end a chain.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ReleaseError;

/// Folders that are never looked into: packages of others, build folders and the like have records too.
const SKIPPED: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// Commands that read votes, and so take `--optouts`.
pub const READS_VOTES: [&str; 12] = [
    "agreement",
    "bias",
    "check",
    "chosen",
    "consensus",
    "dedup",
    "extract",
    "gold",
    "practice",
    "retire",
    "run",
    "shapes",
];
/// Tables of `volary extract` in which each row is a volunteer's.
const OF_VOLUNTEERS: [&str; 5] = ["classifications", "votes", "marks", "shapes", "texts"];

/// A file by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Artefact {
    /// Its name, without folders.
    pub name: String,
    /// Bytes.
    pub n_bytes: u64,
    /// BLAKE3 of the bytes, hexadecimal.
    pub blake3: String,
    /// Where it lay; not told to anybody.
    #[serde(skip)]
    pub path: PathBuf,
}

/// A run, by its record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// The command, `consensus`.
    pub command: String,
    /// The version of Volary.
    pub volary: String,
    /// The seed of everything random.
    pub seed: Option<u64>,
    /// Whether it left out the votes of those who had opted out. How many there were would help to find them.
    #[serde(default)]
    pub without_opted_out: bool,
    /// Which list of them it was given: [`OptOuts::stamp`](crate::optout::OptOuts::stamp).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optouts: Option<String>,
    /// Whether it reads votes.
    #[serde(default)]
    pub reads_votes: bool,
    /// What it read.
    pub inputs: Vec<Artefact>,
    /// What it wrote.
    pub outputs: Vec<Artefact>,
    /// What was typed, the program first; not told to anybody.
    #[serde(skip)]
    pub command_line: Vec<String>,
    /// Where it was typed; not told to anybody.
    #[serde(skip)]
    pub folder: Option<PathBuf>,
    /// Where its record lies; not told to anybody.
    #[serde(skip)]
    pub place: PathBuf,
}

impl Run {
    /// A record, read.
    #[must_use]
    pub fn of(record: &Value, place: &Path) -> Self {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let folder = record.get("folder").and_then(Value::as_str).map(PathBuf::from);
        let files = |name: &str| -> Vec<Artefact> {
            let all = record.get(name).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|file| artefact(file, folder.as_deref())).collect()
        };
        let words = record.get("command_line").and_then(Value::as_array).into_iter().flatten();
        let words: Vec<String> = words.filter_map(Value::as_str).map(str::to_owned).collect();
        let command = text("command");
        // This compares labels, and makes none.
        let is_of_gold = |word: &[String]| word[0] == "gold" && word[1] == "verify";
        Self {
            reads_votes: READS_VOTES.contains(&command.as_str()) && !words.windows(2).any(is_of_gold),
            command,
            volary: text("volary"),
            seed: record.get("seed").and_then(Value::as_u64),
            without_opted_out: record.pointer("/summary/n_votes_opted_out").is_some(),
            optouts: record.pointer("/summary/optout_list").and_then(Value::as_str).map(str::to_owned),
            inputs: files("inputs"),
            outputs: files("outputs"),
            command_line: words,
            folder,
            place: place.to_owned(),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`ReleaseError`] where it cannot be read or is no record of a run.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        let record: Value = serde_json::from_str(&text)
            .map_err(|e| ReleaseError::settings(path, format!("not the record of a run ({e})")))?;
        Ok(Self::of(&record, path))
    }

    /// Whether the rows of a file that it wrote are volunteers', so that whoever reads it can leave some out.
    fn writes_votes(&self, file: &Artefact) -> bool {
        let stem = file.name.split('.').next().unwrap_or_default();
        match self.command.as_str() {
            "extract" | "dedup" => true,
            "run" => OF_VOLUNTEERS.contains(&stem),
            "gold" => stem.ends_with("_votes"),
            _ => false,
        }
    }
}

fn artefact(file: &Value, folder: Option<&Path>) -> Option<Artefact> {
    let blake3 = file.get("blake3")?.as_str()?;
    let is_hash = blake3.len() == 64 && blake3.bytes().all(|b| b.is_ascii_hexdigit());
    let path = file.get("path").and_then(Value::as_str).unwrap_or_default();
    is_hash.then(|| Artefact {
        name: path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
        n_bytes: file.get("bytes").and_then(Value::as_u64).unwrap_or(0),
        blake3: blake3.to_ascii_lowercase(),
        path: folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path)),
    })
}

/// The checksum by which a file is known: BLAKE3 of its bytes, hexadecimal.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn checksum(path: &Path) -> Result<String, ReleaseError> {
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).map_err(ReleaseError::reading(path))?;
    std::io::copy(&mut BufReader::with_capacity(1 << 20, file), &mut hasher)
        .map_err(ReleaseError::reading(path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Whether a file was made without some people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every run that it stands on and that read votes left them out, or read what was made without them.
    Without,
    /// No run that read votes and left them out is on record.
    Unknown,
    /// A run that it stands on read votes and did not leave them out; its command.
    With(String),
}

/// All runs of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    runs: Vec<Run>,
}

impl Lineage {
    /// Runs in any order; the same run twice is one.
    #[must_use]
    pub fn new(mut runs: Vec<Run>) -> Self {
        runs.sort();
        runs.dedup_by(|a, b| {
            (&a.command, &a.volary, a.seed, &a.optouts, &a.inputs, &a.outputs)
                == (&b.command, &b.volary, b.seed, &b.optouts, &b.inputs, &b.outputs)
        });
        Self { runs }
    }

    /// Every `run.json` and `….run.json` in a folder and below it. Hidden folders, links and records that
    /// cannot be read are passed over.
    ///
    /// # Errors
    /// [`ReleaseError::Io`] where the folder itself cannot be read.
    pub fn scan(folder: &Path) -> Result<Self, ReleaseError> {
        let mut runs = Vec::new();
        let mut open = vec![folder.to_owned()];
        std::fs::read_dir(folder).map_err(ReleaseError::reading(folder))?;
        while let Some(next) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&next) else { continue };
            for entry in entries.filter_map(Result::ok) {
                let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
                    continue;
                };
                if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    open.push(entry.path());
                } else if kind.is_file()
                    && (name == "run.json" || name.ends_with(".run.json"))
                    && let Ok(run) = Run::read(&entry.path())
                {
                    runs.push(run);
                }
            }
        }
        Ok(Self::new(runs))
    }

    /// All runs.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Which runs wrote a file, by its checksum.
    fn makers(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut makers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, run) in self.runs.iter().enumerate() {
            for file in &run.outputs {
                makers.entry(file.blake3.as_str()).or_default().push(i);
            }
        }
        makers
    }

    /// Whether the rows of a file are volunteers': an input from outside, or a table of votes.
    fn is_of_votes(&self, makers: &BTreeMap<&str, Vec<usize>>, file: &Artefact) -> bool {
        let made_by = makers.get(file.blake3.as_str());
        made_by.is_none_or(|all| all.iter().any(|run| self.runs[*run].writes_votes(file)))
    }

    /// Checksums of files whose rows are volunteers': what runs that read votes took from outside, and tables of votes.
    pub(crate) fn of_volunteers(&self) -> impl Iterator<Item = &str> {
        let makers = self.makers();
        let mut found = BTreeSet::new();
        for run in &self.runs {
            let outside =
                |file: &&Artefact| run.reads_votes && !makers.contains_key(file.blake3.as_str());
            let inputs = run.inputs.iter().filter(outside);
            let outputs = run.outputs.iter().filter(|file| run.writes_votes(file));
            found.extend(inputs.chain(outputs).map(|file| file.blake3.as_str()));
        }
        found.into_iter()
    }

    /// Whether files were made without the people whom some runs left out. What a run left out is gone from the
    /// tables of votes that it read; of a table that was made of votes before (gold, skill, a model) nobody can
    /// be taken out any more. The same bytes made once with somebody's votes and once without are without them.
    pub fn standing<'a>(
        &self,
        of: impl IntoIterator<Item = &'a str>,
        left_out: impl Fn(&Run) -> bool,
    ) -> Standing {
        let makers = self.makers();
        let left_out: Vec<bool> = self.runs.iter().map(left_out).collect();
        let mut with = vec![false; self.runs.len()];
        let is_with = |with: &[bool], run: usize, file: &Artefact| {
            if left_out[run] && self.is_of_votes(&makers, file) {
                return false;
            }
            match makers.get(file.blake3.as_str()) {
                None => self.runs[run].reads_votes,
                Some(all) => all.iter().all(|maker| with[*maker]),
            }
        };
        loop {
            let mut is_done = true;
            for (i, run) in self.runs.iter().enumerate() {
                if !with[i] && run.inputs.iter().any(|file| is_with(&with, i, file)) {
                    (with[i], is_done) = (true, false);
                }
            }
            if is_done {
                break;
            }
        }
        let place: BTreeMap<&Run, usize> = self.runs.iter().zip(0..).collect();
        for hash in of {
            let Some(made_by) = makers.get(hash) else { return Standing::Unknown };
            if made_by.iter().all(|maker| with[*maker]) {
                // Back along what holds their votes, to where they were read.
                let (mut at, mut seen) = (made_by[0], BTreeSet::new());
                while seen.insert(at) {
                    let held = self.runs[at].inputs.iter().filter(|file| is_with(&with, at, file));
                    let mut before = held.filter_map(|file| makers.get(file.blake3.as_str())?.first());
                    let Some(next) = before.next() else { break };
                    at = *next;
                }
                return Standing::With(self.runs[at].command.clone());
            }
            let chain = self.ancestors([hash]);
            if !chain.iter().any(|run| run.reads_votes && left_out[place[*run]]) {
                return Standing::Unknown;
            }
        }
        Standing::Without
    }

    /// The runs that files were made by, from the first to the last, those of their inputs included.
    #[must_use]
    pub fn ancestors<'a>(&'a self, of: impl IntoIterator<Item = &'a str>) -> Vec<&'a Run> {
        let makers = self.makers();
        /// What is still to do: a stack, since a chain may be longer than ours.
        enum Step<'a> {
            MakersOf(&'a str),
            Visit(usize),
            Tell(usize),
        }
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<Step<'a>> = of.into_iter().map(Step::MakersOf).collect();
        open.reverse();
        while let Some(step) = open.pop() {
            match step {
                Step::MakersOf(hash) => {
                    open.extend(
                        makers.get(hash).into_iter().flatten().rev().map(|run| Step::Visit(*run)),
                    );
                }
                Step::Visit(run) if seen.insert(run) => {
                    // A run is told after all that it stands on.
                    open.push(Step::Tell(run));
                    let inputs = self.runs[run].inputs.iter().rev();
                    open.extend(inputs.map(|file| Step::MakersOf(file.blake3.as_str())));
                }
                Step::Visit(_) => {}
                Step::Tell(run) => found.push(&self.runs[run]),
            }
        }
        found
    }

    /// The runs that read any of these files, or anything that was made of them.
    #[must_use]
    pub fn descendants<'a>(&'a self, of: impl IntoIterator<Item = &'a str>) -> Vec<&'a Run> {
        self.touched(of, |_| false)
    }

    /// All runs, each after those that it stands on.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Run> {
        let outputs = self.runs.iter().flat_map(|run| &run.outputs);
        let mut order = self.ancestors(outputs.map(|file| file.blake3.as_str()));
        // Those that wrote nothing come last.
        order.extend(self.runs.iter().filter(|run| run.outputs.is_empty()));
        order
    }

    /// The same as [`Lineage::descendants`], where some runs leave the people out whose files these are: out of
    /// tables of votes, that is. What was made of their votes before goes through.
    pub fn touched<'a>(
        &'a self,
        of: impl IntoIterator<Item = &'a str>,
        left_out: impl Fn(&Run) -> bool,
    ) -> Vec<&'a Run> {
        let mut touched: BTreeSet<&str> = of.into_iter().collect();
        let mut found: BTreeSet<usize> = BTreeSet::new();
        let makers = self.makers();
        let left_out: Vec<bool> = self.runs.iter().map(left_out).collect();
        loop {
            let before = found.len();
            for (i, run) in self.runs.iter().enumerate() {
                let lets_through = |file: &&Artefact| !(left_out[i] && self.is_of_votes(&makers, file));
                let mut through = run.inputs.iter().filter(lets_through);
                if through.any(|file| touched.contains(file.blake3.as_str())) && found.insert(i) {
                    touched.extend(run.outputs.iter().map(|f| f.blake3.as_str()));
                }
            }
            if found.len() == before {
                return found.into_iter().map(|i| &self.runs[i]).collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(n: u8) -> Artefact {
        let blake3 = blake3::hash(&[n]).to_hex().to_string();
        Artefact { name: format!("f{n}"), n_bytes: 1, blake3, path: PathBuf::new() }
    }

    fn run(command: &str, inputs: &[u8], outputs: &[u8]) -> Run {
        let files = |all: &[u8]| all.iter().map(|n| file(*n)).collect();
        Run {
            command: command.to_owned(),
            volary: "0.1.0".to_owned(),
            seed: Some(1),
            without_opted_out: false,
            optouts: None,
            reads_votes: READS_VOTES.contains(&command),
            inputs: files(inputs),
            outputs: files(outputs),
            command_line: Vec::new(),
            folder: None,
            place: PathBuf::new(),
        }
    }

    fn commands(runs: &[&Run]) -> Vec<String> {
        runs.iter().map(|r| r.command.clone()).collect()
    }

    #[test]
    fn from_the_export_to_the_model_and_back() {
        let lineage = Lineage::new(vec![
            run("train", &[3, 9], &[4]),
            run("consensus", &[2], &[3]),
            run("extract", &[1], &[2]),
            run("score", &[4, 8], &[5]),
            run("consensus of another", &[7], &[6]),
        ]);
        let of = |n: u8| commands(&lineage.ancestors([file(n).blake3.as_str()]));
        assert_eq!(of(4), ["extract", "consensus", "train"]);
        assert_eq!(of(1), [""; 0]);
        let made = |n: u8| commands(&lineage.descendants([file(n).blake3.as_str()]));
        assert_eq!(made(2), ["consensus", "score", "train"]);
        assert_eq!(made(7), ["consensus of another"]);
        assert_eq!(made(99), [""; 0]);
        // A consensus without the person is where it ends; a training cannot leave anybody out.
        let hash = file(1).blake3;
        let told = lineage.touched([hash.as_str()], |run| run.command == "train");
        assert_eq!(commands(&told), ["consensus", "extract", "score", "train"]);
        let touched = lineage.touched([hash.as_str()], |run| run.command == "consensus");
        assert_eq!(commands(&touched), ["extract"]);
        assert_eq!(lineage.in_order().len(), 5);
        let order = commands(&lineage.in_order());
        let at = |command: &str| order.iter().position(|c| c == command).unwrap();
        assert!(
            at("extract") < at("consensus")
                && at("consensus") < at("train")
                && at("train") < at("score")
        );
    }

    #[test]
    fn without_whom_a_file_was_made() {
        let stamped = |command: &str, inputs: &[u8], outputs: &[u8]| Run {
            optouts: Some("one".to_owned()),
            ..run(command, inputs, outputs)
        };
        let standing = |runs: &[Run], of: u8| {
            let lineage = Lineage::new(runs.to_vec());
            lineage.standing([file(of).blake3.as_str()], |run| run.optouts.is_some())
        };
        // 1 export, 2 votes, 3 consensus, 9 pictures, 4 model.
        let train = run("train", &[3, 9], &[4]);
        let before = [run("extract", &[1], &[2]), run("consensus", &[2], &[3]), train.clone()];
        assert_eq!(standing(&before, 4), Standing::With("extract".to_owned()));
        let told = [run("extract", &[1], &[2]), stamped("consensus", &[2], &[3]), train.clone()];
        assert_eq!(
            standing(&told, 4),
            Standing::Without,
            "out of a table of votes somebody can be left"
        );
        let early = [stamped("extract", &[1], &[2]), run("consensus", &[2], &[3]), train.clone()];
        assert_eq!(standing(&early, 4), Standing::Without);
        assert_eq!(standing(&told, 9), Standing::Unknown);
        assert_eq!(standing(std::slice::from_ref(&train), 4), Standing::Unknown);
        // A release that was told leaves them out of the votes (2), and not out of gold (6) of an earlier day.
        let release = stamped("release", &[2, 6], &[7]);
        let gold = run("gold", &[1], &[6]);
        let all = Lineage::new(vec![run("extract", &[1], &[2]), gold, release.clone()]);
        let touched = |lineage: &Lineage| {
            commands(&lineage.touched([file(1).blake3.as_str()], |run| run.optouts.is_some()))
        };
        assert_eq!(touched(&all), ["extract", "gold", "release"]);
        let gold = stamped("gold", &[1], &[6]);
        let all = Lineage::new(vec![run("extract", &[1], &[2]), gold, release]);
        assert_eq!(touched(&all), ["extract"]);
        // Skill (5) of an earlier day goes into a consensus that was told: it cannot be taken out of it.
        let [extract, consensus, train] = told;
        let late = Run { inputs: vec![file(2), file(5)], ..consensus };
        let skill = run("consensus", &[1], &[5]);
        let mixed = [extract, late, skill.clone(), train];
        assert_eq!(standing(&mixed, 4), Standing::With("consensus".to_owned()));
        let again = Run { optouts: Some("one".to_owned()), seed: Some(2), ..skill };
        let both = [&mixed[..], &[again]].concat();
        assert_eq!(standing(&both, 4), Standing::Without, "the same bytes came out without them");
    }

    #[test]
    fn the_same_bytes_made_twice() {
        // The second run reads one output of the first and writes the other again.
        let lineage =
            Lineage::new(vec![run("a", &[], &[8, 7]), run("b", &[7], &[8]), run("c", &[8], &[2])]);
        assert_eq!(commands(&lineage.ancestors([file(2).blake3.as_str()])), ["a", "b", "c"]);
    }

    #[test]
    fn records_are_found_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let hash = file(1).blake3;
        let record = |command: &str| {
            format!(
                "{{\"command\": \"{command}\", \"volary\": \"0.1.0\", \"seed\": 3, \
                 \"inputs\": [{{\"path\": \"/home/zaphod/e.csv\", \"bytes\": 7, \"blake3\": \"{hash}\"}}, \
                              {{\"path\": \"x\", \"blake3\": \"no hash\"}}], \
                 \"summary\": {{\"n_votes_opted_out\": 12}}}}"
            )
        };
        write("a/run.json", &record("extract"));
        write("b/c/consensus.run.json", &record("consensus"));
        write(".hidden/run.json", &record("hidden"));
        write("broken/run.json", "{");
        write("b/other.json", &record("other"));
        let lineage = Lineage::scan(folder.path()).unwrap();
        let found: Vec<&str> = lineage.runs().iter().map(|r| r.command.as_str()).collect();
        assert_eq!(found, ["consensus", "extract"]);
        let first = &lineage.runs()[0];
        assert_eq!((first.inputs.len(), first.inputs[0].name.as_str()), (1, "e.csv"));
        assert_eq!((first.seed, first.without_opted_out), (Some(3), true));
        assert!(!serde_json::to_string(first).unwrap().contains("zaphod"));
        assert!(Lineage::scan(&folder.path().join("none")).is_err());
    }

    proptest! {
        /// Against all pairs, by multiplying out who reads whom.
        #[test]
        fn reachable_as_by_brute_force(
            edges in proptest::collection::vec(
                (proptest::collection::vec(0_u8..12, 0..3), proptest::collection::vec(0_u8..12, 0..3)), 0..10),
            start in 0_u8..12,
        ) {
            let runs: Vec<Run> = edges
                .iter()
                .enumerate()
                .map(|(i, (inputs, outputs))| run(&format!("r{i:02}"), inputs, outputs))
                .collect();
            let mut reach = [[false; 12]; 12];
            for (i, row) in reach.iter_mut().enumerate() {
                row[i] = true;
            }
            for (inputs, outputs) in &edges {
                for &a in inputs {
                    for &b in outputs {
                        reach[a as usize][b as usize] = true;
                    }
                }
            }
            for via in 0..12 {
                for a in 0..12 {
                    for b in 0..12 {
                        reach[a][b] |= reach[a][via] && reach[via][b];
                    }
                }
            }
            let lineage = Lineage::new(runs);
            let hash = file(start).blake3;
            let mut expected: Vec<String> = Vec::new();
            let mut makers: Vec<String> = Vec::new();
            for (i, (inputs, outputs)) in edges.iter().enumerate() {
                if inputs.iter().any(|&f| reach[start as usize][f as usize]) {
                    expected.push(format!("r{i:02}"));
                }
                if outputs.iter().any(|&f| reach[f as usize][start as usize]) {
                    makers.push(format!("r{i:02}"));
                }
            }
            prop_assert_eq!(commands(&lineage.descendants([hash.as_str()])), expected);
            let found = lineage.ancestors([hash.as_str()]);
            let mut names = commands(&found);
            // In an order in which, where there is no circle, nothing is told before what it stands on.
            let is_round = (0..12).any(|a| (0..12).any(|b| a != b && reach[a][b] && reach[b][a]));
            if !is_round {
                for (i, later) in found.iter().enumerate() {
                    for earlier in &found[i + 1..] {
                        let stands_on = later.inputs.iter().any(|f| earlier.outputs.contains(f));
                        let on_itself = earlier.inputs.iter().any(|f| earlier.outputs.contains(f))
                            || later.inputs.iter().any(|f| later.outputs.contains(f));
                        prop_assert!(!stands_on || on_itself, "{} before {}", later.command, earlier.command);
                    }
                }
            }
            names.sort();
            makers.sort();
            prop_assert_eq!(names, makers);
        }
    }
}
