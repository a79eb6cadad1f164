//! Steps: commands that `volary.toml` lists, carried out in their order by this same program. A step is left out
//! where its line, the files and folders that it names, and the version are unchanged, and what it wrote is
//! there. The figures that steps write go into the report.
//!
//! A step is a process of its own, so that what it needs of memory is given back before the next one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use volary_release::lineage::READS_VOTES;
use volary_web::jobs::{self, Standing};

use crate::project::OPTOUTS;
use crate::session::Session;
use crate::takes_optouts;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// The line, as it would be typed after `volary`.
    pub(crate) run: String,
}

/// A figure that a step wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepFigure {
    pub(crate) path: PathBuf,
    /// The step's line.
    pub(crate) line: String,
}

/// Commands that are no steps: they end never, or begin a project.
const NO_STEPS: [&str; 6] = ["run", "demo", "init", "serve", "report", "help"];
/// Options whose value is written and not read.
const WRITTEN: [&str; 5] = ["-o", "--output", "--cache", "--save", "--record"];
/// A larger figure is not put into the report.
const MOST_FIGURE_BYTES: u64 = 4 << 20;

impl Step {
    /// Its words, without `volary`.
    fn words(&self) -> Result<Vec<String>> {
        let mut words = shlex::split(&self.run).ok_or_else(|| {
            anyhow!("volary.toml: a quote is not closed in the step {:?}; close it", self.run)
        })?;
        if words.first().is_some_and(|word| word == "volary") {
            words.remove(0);
        }
        match words.first().map(String::as_str) {
            None => bail!("volary.toml: a step without a command; give it one or remove it"),
            Some(first) if NO_STEPS.contains(&first) => {
                bail!("volary.toml: `{first}` cannot be a step; remove {:?}", self.run)
            }
            Some(_) => Ok(words),
        }
    }

    /// Under what its record is kept.
    fn key(&self) -> String {
        format!("step {}", self.run)
    }

    /// What it is called: its command and subcommand.
    fn name(&self) -> Result<String> {
        let words = self.words()?;
        Ok(words[..n_of_command(&words)].join(" "))
    }
}

fn names_list(words: &[String]) -> bool {
    words.iter().any(|word| word == "--optouts" || word.starts_with("--optouts="))
}

/// How many words name the command.
fn n_of_command(words: &[String]) -> usize {
    let has_subcommand = matches!(words[0].as_str(), "train" | "figures" | "simulate");
    if has_subcommand { words.len().min(2) } else { 1 }
}

/// The steps of a project and where they run.
pub(crate) struct Steps<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) steps: &'a [Step],
    /// The list of those whose votes are left out; steps that read votes are given it.
    pub(crate) optouts: Option<&'a Path>,
}

impl Steps<'_> {
    fn record_path(&self, number: usize) -> PathBuf {
        self.folder.join(format!(".volary/steps/{}.json", number + 1))
    }

    /// The place of a step that is named by its number, counted from 1, or by its line.
    pub(crate) fn place(&self, wanted: &str) -> Result<usize> {
        let by_line = self.steps.iter().position(|step| step.run == wanted);
        let by_number = || wanted.parse().ok().and_then(|n: usize| n.checked_sub(1));
        if let Some(place) = by_line.or_else(by_number).filter(|place| *place < self.steps.len()) {
            return Ok(place);
        }
        if self.steps.is_empty() {
            bail!("volary.toml has no steps; write them under [[steps]]");
        }
        let all: Vec<String> =
            self.steps.iter().zip(1..).map(|(step, n)| format!("{n} `{}`", step.run)).collect();
        bail!("volary.toml has no step {wanted:?}; there are {}", all.join(", "))
    }

    /// Runs every step that is out of date, or that one of them. `records` says what each was made from; `save`
    /// keeps them after each step. Gives what was done, step by step.
    pub(crate) fn run(
        &self,
        session: &Session,
        records: &mut BTreeMap<String, Value>,
        (only, force): (Option<usize>, bool),
        save: &dyn Fn(&BTreeMap<String, Value>) -> Result<()>,
    ) -> Result<Vec<(String, bool)>> {
        let mut done = Vec::new();
        let wanted = |number: usize| only.is_none_or(|only| only == number);
        for (number, step) in self.steps.iter().enumerate().filter(|(number, _)| wanted(*number)) {
            let (words, key) = (step.words()?, step.key());
            let made_from = self.made_from(&words, session.global.seed, &mut Digests::default())?;
            let is_current = !force && records.get(&key) == Some(&made_from) && self.is_written(number);
            if !is_current {
                self.check_optouts(number, step, &words)?;
                // What is known of it belongs to what is overwritten now.
                let was_done = records.remove(&key).is_some();
                save(records)?;
                self.carry_out(number, step, words, was_done || force, session)?;
                records.insert(key, made_from);
                save(records)?;
            }
            done.push((format!("{} ({})", number + 1, step.name()?), !is_current));
        }
        Ok(done)
    }

    /// How each step stands. `digests` are those of files that have not changed since.
    pub(crate) fn standings(
        &self,
        records: &BTreeMap<String, Value>,
        seed: u64,
        digests: &mut Digests,
    ) -> Result<Vec<jobs::Step>> {
        let of = |(number, step): (usize, &Step)| -> Result<jobs::Step> {
            let standing = match records.get(&step.key()) {
                None => Standing::NotDone,
                Some(record) => {
                    let is_current = *record == self.made_from(&step.words()?, seed, digests)?;
                    if is_current && self.is_written(number) {
                        Standing::UpToDate
                    } else {
                        Standing::OutOfDate
                    }
                }
            };
            // A record beside one that was never finished is of another line.
            let took_s = self.record(number).filter(|_| standing != Standing::NotDone);
            Ok(jobs::Step {
                line: step.run.clone(),
                command: step.name()?,
                standing,
                took_s: took_s.and_then(|record| record["wall_s"].as_f64()),
            })
        };
        self.steps.iter().enumerate().map(of).collect()
    }

    /// What tells whether a step is up to date.
    fn made_from(&self, words: &[String], seed: u64, digests: &mut Digests) -> Result<Value> {
        let mut made_from = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "seed": seed,
            "read": self.read_by(words, digests)?,
        });
        if let Some(list) = self.list_for(words) {
            made_from["optouts"] = json!(digests.of(list)?);
        }
        Ok(made_from)
    }

    /// The list that a step is given: one that reads votes, and names none itself.
    fn list_for(&self, words: &[String]) -> Option<&Path> {
        let reads_votes = READS_VOTES.contains(&words[0].as_str()) && takes_optouts(words);
        self.optouts.filter(|_| reads_votes && !names_list(words))
    }

    /// Whoever was left out of a step does not come back because a list was forgotten.
    fn check_optouts(&self, number: usize, step: &Step, words: &[String]) -> Result<()> {
        let is_given = self.list_for(words).is_some() || names_list(words);
        let before = self.record(number).filter(|_| !is_given && takes_optouts(words));
        if before.is_some_and(|record| record.pointer("/summary/n_votes_opted_out").is_some()) {
            bail!(
                "step {} was given a list of people who opted out, and is given none now, so that their votes would \
                 come back: {:?}; put `optouts = \"{OPTOUTS}\"` (or where the list lies) under [rows] in {}",
                number + 1,
                step.run,
                self.folder.join("volary.toml").display()
            );
        }
        Ok(())
    }

    /// Whether all that a step wrote is there.
    fn is_written(&self, number: usize) -> bool {
        self.outputs(number).is_some_and(|all| all.iter().all(|path| path.exists()))
    }

    fn carry_out(
        &self,
        number: usize,
        step: &Step,
        mut words: Vec<String>,
        is_anew: bool,
        session: &Session,
    ) -> Result<()> {
        let has = |words: &[String], option: &str| words.iter().any(|word| word == option);
        if words[0] == "train" && !has(&words, "--resume") && !has(&words, "--fresh") {
            // A training that was done is done anew; one that was stopped goes on.
            words.push(if is_anew { "--fresh" } else { "--resume" }.to_owned());
        }
        if !words.iter().any(|word| word == "--config" || word.starts_with("--config=")) {
            words.extend(["--config".to_owned(), "volary.toml".to_owned()]);
        }
        if let Some(list) = self.list_for(&words) {
            let list = std::path::absolute(list)?.to_string_lossy().into_owned();
            words.extend(["--optouts".to_owned(), list]);
        }
        let record = std::path::absolute(self.record_path(number))?;
        if let Some(folder) = record.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if !session.global.json {
            eprintln!("step {}: {}", number + 1, step.run);
        }
        let program = std::env::current_exe().context("the program does not know where it lies")?;
        let status = Command::new(program)
            .args(&words)
            .args(["--seed", &session.global.seed.to_string()])
            .args(["--threads", &session.global.threads.to_string()])
            .arg("--record")
            .arg(&record)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(if session.global.json { Stdio::null() } else { Stdio::inherit() })
            .status()
            .with_context(|| format!("step {} could not be started", number + 1))?;
        if session.progress.is_stopped() {
            bail!("stopped in step {}; `volary run` goes on from there", number + 1);
        }
        if !status.success() {
            bail!(
                "step {} failed: {:?}; mend what it says, and `volary run` goes on from there",
                number + 1,
                step.run
            );
        }
        Ok(())
    }

    /// The record that a step wrote of itself.
    fn record(&self, number: usize) -> Option<Value> {
        serde_json::from_str(&std::fs::read_to_string(self.record_path(number)).ok()?).ok()
    }

    /// What a step wrote, by its own record.
    fn outputs(&self, number: usize) -> Option<Vec<PathBuf>> {
        let record = self.record(number)?;
        let outputs = record["outputs"].as_array()?.iter().filter_map(|o| o["path"].as_str());
        Some(outputs.map(|path| self.folder.join(path)).collect())
    }

    /// The figures that steps wrote, in their order.
    pub(crate) fn figures(&self) -> Vec<StepFigure> {
        let of = |(number, step): (usize, &Step)| {
            let is_figure = |path: &PathBuf| {
                let ending = path.extension().unwrap_or_default();
                let is_small =
                    std::fs::metadata(path).is_ok_and(|about| about.len() <= MOST_FIGURE_BYTES);
                (ending == "svg" || ending == "png") && is_small
            };
            let named = self.record(number).and_then(|record| {
                let paths = record["figures"].as_array()?.iter().filter_map(Value::as_str);
                Some(paths.map(|path| self.folder.join(path)).collect())
            });
            // Records of before named as outputs only what was to be seen.
            let all: Vec<PathBuf> = named.or_else(|| self.outputs(number)).unwrap_or_default();
            let line = step.run.clone();
            all.into_iter().filter(is_figure).map(move |path| StepFigure { path, line: line.clone() })
        };
        self.steps.iter().enumerate().flat_map(of).collect()
    }

    /// What a line reads, with what tells whether it has changed: bytes of files, names, sizes and times of what
    /// is in a folder.
    fn read_by(&self, words: &[String], digests: &mut Digests) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        let mut is_written = false;
        // A command may be called like a folder.
        for word in &words[n_of_command(words)..] {
            let value = word.split_once('=').map_or(word.as_str(), |(option, value)| {
                if WRITTEN.contains(&option) { "" } else { value }
            });
            let path = self.folder.join(value);
            if !is_written && !value.is_empty() && !value.starts_with('-') && path.exists() {
                found.insert(value.to_owned(), digests.of(&path)?);
            }
            is_written = WRITTEN.contains(&word.as_str());
        }
        Ok(found)
    }
}

/// Digests of files, each by the length and the time at which it was taken: who asks again and again how steps stand
/// reads no file twice. A run takes them anew.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    of_files: BTreeMap<PathBuf, (u64, SystemTime, String)>,
}

impl Digests {
    fn of(&mut self, path: &Path) -> Result<String> {
        if !path.is_file() {
            return of_folder(path);
        }
        let failed = || format!("reading failed: {}", path.display());
        let about = std::fs::metadata(path).with_context(failed)?;
        let (length, modified) = (about.len(), about.modified().with_context(failed)?);
        if let Some((_, _, digest)) =
            self.of_files.get(path).filter(|(l, m, _)| (*l, *m) == (length, modified))
        {
            return Ok(digest.clone());
        }
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut std::fs::File::open(path).with_context(failed)?, &mut hasher)?;
        let digest = hasher.finalize().to_hex().to_string();
        self.of_files.insert(path.to_owned(), (length, modified, digest.clone()));
        Ok(digest)
    }
}

fn of_folder(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let failed = || format!("reading failed: {}", path.display());
    let mut todo = vec![path.to_owned()];
    let mut all = Vec::new();
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let about = entry.metadata().with_context(failed)?;
            if about.is_dir() {
                todo.push(entry.path());
            } else {
                // As it lies in the folder: by which way one came there is no change.
                let place = entry.path();
                all.push(format!(
                    "{} {} {:?}",
                    place.strip_prefix(path).unwrap_or(&place).display(),
                    about.len(),
                    about.modified().ok()
                ));
            }
        }
    }
    all.sort_unstable();
    for line in &all {
        hasher.update(line.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(run: &str) -> Step {
        Step { run: run.to_owned() }
    }

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        assert_eq!(
            step("volary map \"my table.csv\" -o m.csv").words().unwrap(),
            ["map", "my table.csv", "-o", "m.csv"]
        );
        for (run, words) in [("map 'x", "a quote"), ("", "without"), ("run .", "cannot be a step")] {
            assert!(step(run).words().unwrap_err().to_string().contains(words), "{run}");
        }
        assert_eq!(step("train anomaly x").name().unwrap(), "train anomaly");
        assert_eq!(step("score model x").name().unwrap(), "score");
    }

    #[test]
    fn what_is_read_is_what_is_there_and_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let steps = Steps { folder: folder.path(), steps: &[], optouts: None };
        for name in ["a.csv", "out.csv"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        for name in ["images", "score"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let line = "score images --with=a.csv -o out.csv --cache=images --level 0.9";
        let read = || steps.read_by(&step(line).words().unwrap(), &mut Digests::default()).unwrap();
        let before = read();
        assert_eq!(before.keys().collect::<Vec<_>>(), ["a.csv", "images"]);
        assert_eq!(read(), before);
        std::fs::write(folder.path().join("images/1.png"), "x").unwrap();
        // By another way to the same folder nothing has changed.
        let round = Steps { folder: &folder.path().join("score/.."), steps: &[], optouts: None };
        let by_another = round.read_by(&step(line).words().unwrap(), &mut Digests::default()).unwrap();
        assert_eq!(by_another, read());
        assert_ne!(read()["images"], before["images"]);
        std::fs::write(folder.path().join("a.csv"), "b").unwrap();
        assert_ne!(read()["a.csv"], before["a.csv"]);
    }

    #[test]
    fn a_digest_is_taken_again_where_a_file_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "a").unwrap();
        let mut kept = Digests::default();
        let first = kept.of(&path).unwrap();
        assert_eq!(kept.of(&path).unwrap(), first);
        std::fs::write(&path, "another").unwrap();
        let second = kept.of(&path).unwrap();
        assert_ne!(second, first);
        assert_eq!(Digests::default().of(&path).unwrap(), second);
    }

    #[test]
    fn a_step_is_found_by_its_number_and_by_its_line() {
        let all = [step("map a.csv -o m.csv"), step("score model a.csv")];
        let steps = Steps { folder: Path::new("."), steps: &all, optouts: None };
        assert_eq!((steps.place("2").unwrap(), steps.place("map a.csv -o m.csv").unwrap()), (1, 0));
        for wanted in ["0", "3", "map", "-1", "map b.csv"] {
            let said = steps.place(wanted).unwrap_err().to_string();
            assert!(said.contains("1 `map a.csv"), "{wanted}: {said}");
        }
        let none = Steps { folder: Path::new("."), steps: &[], optouts: None };
        assert!(none.place("1").unwrap_err().to_string().contains("[[steps]]"));
    }
}
