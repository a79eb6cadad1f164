//! Steps: commands that `volary.toml` lists, carried out in their order by this same program. A step is left out
//! where its line, the files and folders that it names, and the version are unchanged, and what it wrote is
//! there. The figures that steps write go into the report.
//!
//! A step is a process of its own, so that what it needs of memory is given back before the next one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::session::Session;

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

    /// What it is called: its command and subcommand.
    fn name(&self) -> Result<String> {
        let words = self.words()?;
        let second =
            words.get(1).filter(|_| matches!(words[0].as_str(), "train" | "figures" | "simulate"));
        Ok(std::iter::once(&words[0]).chain(second).cloned().collect::<Vec<_>>().join(" "))
    }
}

/// The steps of a project and where they run.
pub(crate) struct Steps<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) steps: &'a [Step],
}

impl Steps<'_> {
    fn record_path(&self, number: usize) -> PathBuf {
        self.folder.join(format!(".volary/steps/{}.json", number + 1))
    }

    /// Runs every step that is out of date. `records` says what each was made from; `save` keeps them after
    /// each step. Gives what was done, step by step.
    pub(crate) fn run(
        &self,
        session: &Session,
        records: &mut BTreeMap<String, Value>,
        force: bool,
        save: &dyn Fn(&BTreeMap<String, Value>) -> Result<()>,
    ) -> Result<Vec<(String, bool)>> {
        let mut done = Vec::new();
        for (number, step) in self.steps.iter().enumerate() {
            let (words, key) = (step.words()?, format!("step {}", step.run));
            let made_from = json!({
                "version": env!("CARGO_PKG_VERSION"),
                "seed": session.global.seed,
                "read": self.read_by(&words)?,
            });
            let is_written = || self.outputs(number).is_some_and(|all| all.iter().all(|p| p.exists()));
            let is_current = !force && records.get(&key) == Some(&made_from) && is_written();
            if !is_current {
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

    /// What a step wrote, by its own record.
    fn outputs(&self, number: usize) -> Option<Vec<PathBuf>> {
        let text = std::fs::read_to_string(self.record_path(number)).ok()?;
        let record: Value = serde_json::from_str(&text).ok()?;
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
            let outputs = self.outputs(number).unwrap_or_default();
            let line = step.run.clone();
            outputs
                .into_iter()
                .filter(is_figure)
                .map(move |path| StepFigure { path, line: line.clone() })
        };
        self.steps.iter().enumerate().flat_map(of).collect()
    }

    /// What a line reads, with what tells whether it has changed: bytes of files, names, sizes and times of what
    /// is in a folder.
    fn read_by(&self, words: &[String]) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        let mut is_written = false;
        for word in words {
            let value = word.split_once('=').map_or(word.as_str(), |(option, value)| {
                if WRITTEN.contains(&option) { "" } else { value }
            });
            let path = self.folder.join(value);
            if !is_written && !value.is_empty() && !value.starts_with('-') && path.exists() {
                found.insert(value.to_owned(), fingerprint(&path)?);
            }
            is_written = WRITTEN.contains(&word.as_str());
        }
        Ok(found)
    }
}

fn fingerprint(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let failed = || format!("reading failed: {}", path.display());
    if path.is_file() {
        std::io::copy(&mut std::fs::File::open(path).with_context(failed)?, &mut hasher)?;
        return Ok(hasher.finalize().to_hex().to_string());
    }
    let mut todo = vec![path.to_owned()];
    let mut all = Vec::new();
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let about = entry.metadata().with_context(failed)?;
            if about.is_dir() {
                todo.push(entry.path());
            } else {
                all.push(format!(
                    "{} {} {:?}",
                    entry.path().display(),
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
        let steps = Steps { folder: folder.path(), steps: &[] };
        for name in ["a.csv", "out.csv"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::fs::create_dir(folder.path().join("images")).unwrap();
        let line = "score images --with=a.csv -o out.csv --cache=images --level 0.9";
        let read = || steps.read_by(&step(line).words().unwrap()).unwrap();
        let before = read();
        assert_eq!(before.keys().collect::<Vec<_>>(), ["a.csv", "images"]);
        assert_eq!(read(), before);
        std::fs::write(folder.path().join("images/1.png"), "x").unwrap();
        assert_ne!(read()["images"], before["images"]);
        std::fs::write(folder.path().join("a.csv"), "b").unwrap();
        assert_ne!(read()["a.csv"], before["a.csv"]);
    }
}
