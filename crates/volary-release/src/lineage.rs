//! What was made of what: the `run.json` records of a project, joined where one run read the very bytes that
//! another wrote.
//!
//! A file is its BLAKE3 checksum, wherever it lies and whatever it is called; of its path only the name is
//! kept, since a path may name its owner. Runs of before records held their outputs end a chain.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ReleaseError;

/// Folders that are never looked into: packages of others, build folders and the like have records too.
const SKIPPED: [&str; 3] = ["target", "node_modules", "__pycache__"];

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
    /// What it read.
    pub inputs: Vec<Artefact>,
    /// What it wrote.
    pub outputs: Vec<Artefact>,
    /// Lines of the opt-out list that it was given; not told to anybody.
    #[serde(skip)]
    pub n_optout_entries: Option<u64>,
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
        Self {
            command: text("command"),
            volary: text("volary"),
            seed: record.get("seed").and_then(Value::as_u64),
            without_opted_out: record.pointer("/summary/n_votes_opted_out").is_some(),
            inputs: files("inputs"),
            outputs: files("outputs"),
            n_optout_entries: record.pointer("/summary/n_optout_entries").and_then(Value::as_u64),
            command_line: words.filter_map(Value::as_str).map(str::to_owned).collect(),
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

    fn reads(&self, hashes: &BTreeSet<&str>) -> bool {
        self.inputs.iter().any(|file| hashes.contains(file.blake3.as_str()))
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
            (&a.command, &a.volary, a.seed, &a.inputs, &a.outputs)
                == (&b.command, &b.volary, b.seed, &b.inputs, &b.outputs)
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

    /// The runs that files were made by, from the first to the last, those of their inputs included.
    #[must_use]
    pub fn ancestors<'a>(&'a self, of: impl IntoIterator<Item = &'a str>) -> Vec<&'a Run> {
        let mut makers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, run) in self.runs.iter().enumerate() {
            for file in &run.outputs {
                makers.entry(file.blake3.as_str()).or_default().push(i);
            }
        }
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

    /// The same as [`Lineage::descendants`], where some runs let nothing of it through.
    pub fn touched<'a>(
        &'a self,
        of: impl IntoIterator<Item = &'a str>,
        lets_nothing_through: impl Fn(&Run) -> bool,
    ) -> Vec<&'a Run> {
        let mut touched: BTreeSet<&str> = of.into_iter().collect();
        let mut found: BTreeSet<usize> = BTreeSet::new();
        loop {
            let before = found.len();
            for (i, run) in self.runs.iter().enumerate() {
                if run.reads(&touched) && !lets_nothing_through(run) && found.insert(i) {
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
            inputs: files(inputs),
            outputs: files(outputs),
            n_optout_entries: None,
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
        // A consensus without the person is where it ends.
        let hash = file(1).blake3;
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
