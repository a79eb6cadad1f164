//! A project folder: stages that run when their inputs have changed.
//!
//! `extracts/` → `consensus/` → `report.html`. What a stage was made from (settings, checksums of its
//! inputs, version) is kept in `.volary/stages.json`; a stage whose record is unchanged and whose
//! outputs are there is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use volary_ingest::output::write_whole;
use volary_ingest::panoptes::workflows::read_workflows;
use volary_ingest::tables::{TableFormat, read_votes};

use crate::analysis::{Analysis, read_truth};
use crate::commands::{consensus, extract, report};
use crate::input::find_votes;
use crate::session::Session;
use crate::settings::Settings;

/// A project on disk.
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
}

impl Project {
    /// Opens the project of a folder.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("volary.toml");
        if !path.is_file() {
            bail!(
                "no volary.toml here; make one with `volary init --export EXPORT {0}`: {0}",
                folder.display()
            );
        }
        Ok(Self { folder: folder.to_owned(), settings: Settings::read(&path)? })
    }

    pub(crate) fn extracts(&self) -> PathBuf {
        self.folder.join("extracts")
    }

    pub(crate) fn consensus(&self) -> PathBuf {
        self.folder.join("consensus/consensus.parquet")
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.folder.join("report.html")
    }

    fn record_path(&self) -> PathBuf {
        self.folder.join(".volary/stages.json")
    }

    /// Runs every stage that is out of date; returns what was done, stage by stage.
    pub(crate) fn run(&self, session: &mut Session, force: bool) -> Result<Vec<(&'static str, bool)>> {
        let mut records: BTreeMap<String, Value> = std::fs::read_to_string(self.record_path())
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let input = &self.settings.input;
        if input.exports.is_empty() {
            bail!("volary.toml names no exports; add them under [input]");
        }
        let of_exports = json!({
            "rows": self.settings.rows, "exports": digests(&input.exports)?, "workflows": digests(&input.workflows)?,
        });
        let of_consensus = json!({
            "extract": of_exports, "consensus": self.settings.consensus, "truth": digests(&input.truth)?,
            "weights": digests(&self.settings.consensus.weights)?,
            "experience": digests(&self.settings.consensus.experience_table())?,
        });
        let of_report = json!({
            "consensus": of_consensus, "project": self.settings.project, "images": input.images,
        });
        let mut done = Vec::new();
        let stages: [(&'static str, Value, PathBuf); 3] = [
            ("extract", of_exports, self.extracts().join("classifications.parquet")),
            ("consensus", of_consensus, self.consensus()),
            ("report", of_report, self.report()),
        ];
        session.settings = self.settings.clone();
        let mut analysis = None;
        for (name, made_from, output) in stages {
            let record = json!({"version": env!("CARGO_PKG_VERSION"), "seed": session.global.seed, "from": made_from});
            let is_current = !force && records.get(name) == Some(&record) && output.is_file();
            if !is_current {
                self.stage(name, session, &mut analysis)?;
                records.insert(name.to_owned(), record);
                write_whole(&self.record_path(), format!("{:#}\n", json!(records)).as_bytes())?;
            }
            done.push((name, !is_current));
        }
        Ok(done)
    }

    fn stage(&self, name: &str, session: &mut Session, analysis: &mut Option<Analysis>) -> Result<()> {
        match name {
            "extract" => {
                let input = &self.settings.input;
                let inputs = extract::Inputs {
                    exports: &input.exports,
                    workflows: input.workflows.as_deref(),
                    texts: &[],
                };
                let format = TableFormat::Parquet;
                extract::extract(&inputs, &self.settings.rows, &self.extracts(), format, session, None)?;
                let record = format!("{:#}\n", session.record());
                write_whole(&self.extracts().join("run.json"), record.as_bytes())?;
            }
            "consensus" => {
                let found = self.analyse(session)?;
                if !found.votes.questions.is_empty() {
                    consensus::write(&found, &self.consensus(), session)?;
                }
                found.summarise(&mut session.summary);
                *analysis = Some(found);
            }
            _ => {
                let found = match analysis.take() {
                    Some(found) => found,
                    None => self.analyse(session)?,
                };
                report::write(self, &found, &self.report(), session)?;
            }
        }
        Ok(())
    }

    /// The votes of the project and all that follows from them.
    pub(crate) fn analyse(&self, session: &mut Session) -> Result<Analysis> {
        let votes = match find_votes(&self.extracts()) {
            Ok(table) => {
                // The extract stage, where it ran, has told of the problems in this file.
                let path = self.settings.input.workflows.as_deref();
                let workflows = path.map(|p| read_workflows(p, &session.progress)).transpose()?;
                read_votes(&table, workflows.as_ref(), &session.progress)?
            }
            // A project of drawings only has no votes, and that is no failure.
            Err(_) if self.extracts().join("classifications.parquet").is_file() => Default::default(),
            Err(error) => return Err(error),
        };
        let truth = self.settings.input.truth.as_ref().map(|p| read_truth(p, session)).transpose()?;
        Analysis::new(votes, &self.settings.consensus, truth.as_ref(), session)
    }
}

/// Paths and checksums.
fn digests<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Result<Value> {
    let mut out = Vec::new();
    for path in paths {
        let mut hasher = blake3::Hasher::new();
        let file =
            std::fs::File::open(path).with_context(|| format!("reading failed: {}", path.display()))?;
        std::io::copy(&mut std::io::BufReader::with_capacity(1 << 20, file), &mut hasher)?;
        out.push(json!({"path": path, "blake3": hasher.finalize().to_hex().to_string()}));
    }
    Ok(Value::Array(out))
}
