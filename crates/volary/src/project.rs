//! A project folder: stages that run when their inputs have changed. Its input is an export of Zooniverse,
//! Planet Hunters' rows, or a label table (which needs no extracts).
//!
//! `extracts/` → `consensus/` and, where ranges were marked on light curves, `marks/` → the project's own steps →
//! `report.html`. What a stage was made from (settings, checksums of its
//! inputs, version) is kept in `.volary/stages.json`; a stage whose record is unchanged and whose
//! outputs are there is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use volary_ingest::Progress;
use volary_ingest::output::write_whole;
use volary_ingest::panoptes::workflows::read_workflows;
use volary_ingest::tables::{TableFormat, for_each_batch, read_votes};
use volary_release::lineage::Run;
use volary_release::optout::OptOuts;

use crate::analysis::{Analysis, read_truth};
use crate::commands::marks::{Constants, Inputs, Job, More, Outcome, Place, Whole};
use crate::commands::{consensus, extract, report};
use crate::input::{InputKind, find_votes, read_input};
use crate::session::{Session, StageFiles};
use crate::settings::{RowSettings, Settings};
use crate::steps::Steps;

/// The list of those who opted out, as it is called where nothing names it.
pub(crate) const OPTOUTS: &str = "optouts.toml";

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

    fn marks(&self) -> PathBuf {
        self.folder.join("marks")
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.folder.join("report.html")
    }

    /// What the project's exports are.
    fn source(&self) -> Result<InputKind> {
        match self.settings.input.exports.first() {
            Some(first) => InputKind::of(first),
            None => bail!("volary.toml names no exports; add them under [input]"),
        }
    }

    fn record_path(&self) -> PathBuf {
        self.folder.join(".volary/stages.json")
    }

    /// Runs every stage that is out of date; returns what was done, stage by stage.
    pub(crate) fn run(&self, session: &mut Session, force: bool) -> Result<Vec<(String, bool)>> {
        self.check_optouts(session)?;
        let mut records = self.records();
        session.settings = self.settings.clone();
        if self.settings.input.exports.is_empty() && !self.settings.steps.is_empty() {
            let done = self.run_steps(session, &mut records, force)?;
            report::write_steps(self, &self.report(), session)?;
            return Ok(done);
        }
        let source = self.source()?;
        let input = &self.settings.input;
        // Which list it is, is a matter of what is on it and not of where it lies.
        let rows = RowSettings { optouts: None, ..self.settings.rows.clone() };
        let lists = digests(&self.settings.rows.optouts)?;
        let optouts: Vec<&Value> =
            lists.as_array().into_iter().flatten().map(|list| &list["blake3"]).collect();
        let of_exports = json!({
            "rows": rows, "optouts": optouts, "exports": digests(&input.exports)?, "workflows": digests(&input.workflows)?,
        });
        let of_consensus = json!({
            "extract": of_exports, "consensus": self.settings.consensus, "truth": digests(&input.truth)?,
            "weights": digests(&self.settings.consensus.weights)?,
            "gold": digests(&self.settings.consensus.gold)?,
            "machine": digests(&self.settings.consensus.machine)?,
            "experience": digests(&self.settings.consensus.experience_table())?,
        });
        let marks = &self.settings.marks;
        let of_marks = json!({
            "extract": of_exports, "marks": marks, "repeats": self.settings.consensus.repeats,
            "level": self.settings.consensus.level,
            "files": digests([&marks.signals, &marks.truth, &marks.gaps, &marks.cadences].into_iter().flatten())?,
        });
        let of_report = json!({
            "consensus": of_consensus, "marks": of_marks, "project": self.settings.project,
            "images": input.images, "steps": self.settings.steps,
        });
        let mut done = Vec::new();
        let stages: [(&'static str, Value, PathBuf); 4] = [
            ("extract", of_exports, self.extracts().join("classifications.parquet")),
            ("consensus", of_consensus, self.consensus()),
            ("marks", of_marks, self.marks().join("metafeatures.parquet")),
            ("report", of_report, self.report()),
        ];
        let mut found = Found::default();
        for (name, made_from, output) in stages {
            // A label table is votes already.
            let is_there = match name {
                "extract" => source != InputKind::LabelTable,
                "marks" => self.has_marks()?,
                _ => true,
            };
            if !is_there {
                continue;
            }
            // The report shows what the steps draw.
            let mut is_redrawn = false;
            if name == "report" && !self.settings.steps.is_empty() {
                let steps = self.run_steps(session, &mut records, force)?;
                is_redrawn = steps.iter().any(|(_, ran)| *ran);
                done.extend(steps);
            }
            let record = json!({"version": env!("CARGO_PKG_VERSION"), "seed": session.global.seed, "from": within(&self.folder, made_from)});
            // Without votes there is nothing to write.
            let is_written = output.is_file() || (name == "consensus" && !self.has_votes(source));
            let key = format!("files of {name}");
            let known = records.get(&key).and_then(|files| serde_json::from_value(files.clone()).ok());
            let is_same = records.get(name) == Some(&record) && is_written;
            // What nobody knows the files of is done again, so that the record of the whole is whole.
            let files: Option<StageFiles> = known.filter(|_| !force && !is_redrawn && is_same);
            let is_current = files.is_some();
            let files = match files {
                Some(files) => files,
                None => {
                    let files = session.stage(|session| self.stage(name, session, &mut found))?;
                    records.insert(name.to_owned(), record);
                    records.insert(key, json!(files));
                    self.keep(&records)?;
                    files
                }
            };
            session.stage_files(files);
            done.push((name.to_owned(), !is_current));
        }
        Ok(done)
    }

    /// Runs one step, named by its number or its line; the report is written anew by the next whole run.
    pub(crate) fn run_only(
        &self,
        session: &mut Session,
        wanted: &str,
        force: bool,
    ) -> Result<Vec<(String, bool)>> {
        let place = self.steps().place(wanted)?;
        let mut records = self.records();
        session.settings = self.settings.clone();
        let keep = |records: &BTreeMap<String, Value>| self.keep(records);
        let done = self.steps().run(session, &mut records, (Some(place), force), &keep)?;
        if done.iter().any(|(_, ran)| *ran) && records.remove("report").is_some() {
            self.keep(&records)?;
        }
        Ok(named(done))
    }

    /// What stages and steps were made from.
    pub(crate) fn records(&self) -> BTreeMap<String, Value> {
        std::fs::read_to_string(self.record_path())
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Keeps what stages and steps were made from.
    fn keep(&self, records: &BTreeMap<String, Value>) -> Result<()> {
        Ok(write_whole(&self.record_path(), format!("{:#}\n", json!(records)).as_bytes())?)
    }

    pub(crate) fn steps(&self) -> Steps<'_> {
        Steps {
            folder: &self.folder,
            steps: &self.settings.steps,
            optouts: self.settings.rows.optouts.as_deref(),
        }
    }

    /// Whoever was left out once does not come back because a list was forgotten.
    fn check_optouts(&self, session: &mut Session) -> Result<()> {
        if self.settings.rows.optouts.is_some() {
            return Ok(());
        }
        let before = Run::read(&self.folder.join("run.json"));
        if before.is_ok_and(|run| run.without_opted_out) {
            bail!(
                "the run before was given a list of people who opted out, and this one is given none, so that their \
                 votes would come back; put `optouts = \"{OPTOUTS}\"` (or where the list lies) under [rows] in {}",
                self.folder.join("volary.toml").display()
            );
        }
        let beside = self.folder.join(OPTOUTS);
        if beside.is_file() && !OptOuts::read(&beside)?.out().is_empty() {
            session.summary.value("unnamed_optouts", true);
            session.summary.note(&format!(
                "{} is not used: the votes of people who opted out are in this. Put `optouts = \"{OPTOUTS}\"` under \
                 [rows] in volary.toml to leave them out",
                beside.display()
            ));
        }
        Ok(())
    }

    fn run_steps(
        &self,
        session: &Session,
        records: &mut BTreeMap<String, Value>,
        force: bool,
    ) -> Result<Vec<(String, bool)>> {
        Ok(named(self.steps().run(session, records, (None, force), &|records| self.keep(records))?))
    }

    fn stage(&self, name: &str, session: &mut Session, found: &mut Found) -> Result<()> {
        match name {
            "extract" => {
                let (input, format) = (&self.settings.input, TableFormat::Parquet);
                if self.source()? == InputKind::PlanetHunters {
                    extract::planet_hunters(&input.exports, &self.extracts(), format, session)?;
                } else {
                    let inputs = extract::Inputs {
                        exports: &input.exports,
                        workflows: input.workflows.as_deref(),
                        texts: &[],
                    };
                    let rows = &self.settings.rows;
                    extract::extract(&inputs, rows, &self.extracts(), format, session, None)?;
                }
                let record = format!("{:#}\n", session.record());
                write_whole(&self.extracts().join("run.json"), record.as_bytes())?;
            }
            "consensus" => {
                let analysis = self.analyse(session)?;
                if !analysis.votes.questions.is_empty() {
                    consensus::write(&analysis, &self.consensus(), session)?;
                }
                analysis.summarise(&mut session.summary);
                found.analysis = Some(analysis);
            }
            "marks" => {
                let marks = self.score_marks(session)?;
                for (table, n) in marks.write(&Place::new(&self.marks(), "parquet")?, false)? {
                    session.rows(&format!("marks/{table}"), n);
                }
                found.marks = Some(marks);
            }
            _ => {
                let analysis = match found.analysis.take() {
                    Some(analysis) => analysis,
                    None => self.analyse(session)?,
                };
                let marks = match found.marks.take() {
                    Some(marks) => Some(marks),
                    None => self.has_marks()?.then(|| self.score_marks(session)).transpose()?,
                };
                report::write(self, (&analysis, marks.as_ref()), &self.report(), session)?;
            }
        }
        Ok(())
    }

    fn has_votes(&self, source: InputKind) -> bool {
        source == InputKind::LabelTable || find_votes(&self.extracts()).is_ok()
    }

    /// Whether ranges were marked on light curves. The old `column` tool marks ranges of images in pixels
    /// (its marks are shapes too): where there is nothing else, only a setting makes features of them.
    pub(crate) fn has_marks(&self) -> Result<bool> {
        if self.source()? == InputKind::LabelTable {
            return Ok(false);
        }
        let extracts = self.extracts();
        let record = report::read_record(&extracts);
        let rows = |table: &str| record.as_ref().and_then(|r| r["rows"][table].as_u64()).unwrap_or(0);
        if rows("marks") == 0 || self.settings.marks.names_a_file() {
            return Ok(rows("marks") > 0);
        }
        let count = |table: &str, column: &str, is_wanted: &dyn Fn(&str) -> bool| -> Result<u64> {
            let (path, mut n) = (extracts.join(format!("{table}.parquet")), 0);
            if path.is_file() {
                for_each_batch(&path, &[column], &Progress::default(), |cells| {
                    let wanted = |row: &usize| cells.text(column, *row).is_some_and(|c| is_wanted(&c));
                    n += (0..cells.n_rows()).filter(wanted).count() as u64;
                    Ok(())
                })?;
            }
            Ok(n)
        };
        let ranges = count("marks", "x_min_days", &|cell| !cell.is_empty())?;
        Ok(ranges > count("shapes", "shape", &|cell| cell == "column")?)
    }

    /// The ranges as scored features; their account is a part of the session's.
    pub(crate) fn score_marks(&self, session: &mut Session) -> Result<Outcome> {
        let (settings, consensus) = (self.settings.marks.clone(), &self.settings.consensus);
        // Rows of Planet Hunters know stars and simulations, which the extracts do not.
        let classifications = match self.settings.input.exports.as_slice() {
            [only] if self.source()? == InputKind::PlanetHunters => only.clone(),
            _ => self.extracts(),
        };
        let job = Job {
            classifications,
            output: self.marks(),
            inputs: Inputs {
                signals: settings.signals,
                gaps: settings.gaps,
                cadences: settings.cadences,
                light_curves: settings.light_curves,
                workflows: Vec::new(),
                tasks: Vec::new(),
                to: "parquet".to_owned(),
            },
            constants: Constants {
                profile: settings.profile,
                repeats: consensus.repeats.clone(),
                level: consensus.level,
                ..Constants::default()
            },
        };
        let more = More {
            truth: settings.truth,
            model: settings.model.unwrap_or_else(|| "satchel".to_owned()),
            ..More::default()
        };
        let whole = Whole { job, more };
        let before = std::mem::take(&mut session.summary);
        let outcome = Outcome::of(&whole, session)?;
        let own = std::mem::replace(&mut session.summary, before);
        session.summary.part("marks", "Marks on light curves", own);
        Ok(outcome)
    }

    /// The votes of the project and all that follows from them.
    pub(crate) fn analyse(&self, session: &mut Session) -> Result<Analysis> {
        let labels = self.source()? == InputKind::LabelTable;
        let input = &self.settings.input;
        let votes = match find_votes(&self.extracts()) {
            _ if labels => read_input(&input.exports, &self.settings.rows, None, &[], session)?,
            Ok(table) => {
                session.input_file(&table)?;
                // The extract stage, where it ran, has told of the problems in this file.
                let path = self.settings.input.workflows.as_deref();
                let workflows = path.map(|p| read_workflows(p, &session.progress)).transpose()?;
                // Those who opted out were left out by the extract stage.
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

/// What to write into the volary.toml of a folder, so that its runs go on without those who are on a list; nothing
/// where it names one, or where there is none.
pub(crate) fn wanted_optouts(folder: &Path, list: &Path) -> Result<Option<String>> {
    let settings = folder.join("volary.toml");
    if !settings.is_file() || Settings::read(&settings)?.rows.optouts.is_some() {
        return Ok(None);
    }
    let list = std::path::absolute(list)?;
    // The list may not be there yet.
    let whole = match (list.parent().map(std::fs::canonicalize), list.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => list,
    };
    let shown = within(&std::fs::canonicalize(folder)?, Value::from(whole.to_string_lossy()));
    Ok(Some(format!(
        "put `optouts = {shown}` under [rows] in {}, so that `volary run` goes on leaving them out",
        settings.display()
    )))
}

/// Steps among stages.
fn named(steps: Vec<(String, bool)>) -> Vec<(String, bool)> {
    steps.into_iter().map(|(name, ran)| (format!("step {name}"), ran)).collect()
}

/// What one stage leaves for the next.
#[derive(Default)]
struct Found {
    analysis: Option<Analysis>,
    marks: Option<Outcome>,
}

/// The same with paths as they lie in the project's folder: by whichever way that is named, a stage is up to date.
fn within(folder: &Path, value: Value) -> Value {
    match value {
        Value::String(text) => match Path::new(&text).strip_prefix(folder) {
            // The project may be called like its folder.
            Ok(inside) if inside.as_os_str() != "" => Value::from(inside.to_string_lossy()),
            _ => Value::String(text),
        },
        Value::Array(all) => all.into_iter().map(|one| within(folder, one)).collect(),
        Value::Object(all) => all.into_iter().map(|(name, one)| (name, within(folder, one))).collect(),
        other => other,
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
