//! A project folder, or some tables, as the page shows them: reading, joining, no statistics.
//!
//! What `volary run` wrote is taken as it is: `consensus/`, `marks/`, `extracts/`. Every other table in the folder
//! that has one row a subject is joined to the consensus, as `volary slice --with` would. What cannot be shown is
//! said, and the rest is shown.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use volary_ingest::images::{SubjectSource, subjects};
use volary_ingest::light_curves;
use volary_ingest::tables::{Cells, for_each_batch};
use volary_release::optout::OptOuts;
use volary_space::slice::{Column, Columns, Table as _};
use volary_web::Project;
use volary_web::project::{Curve, Feature, Labels, Slices, Table};

use crate::page_attention;
use crate::page_findings;
use crate::page_overview;
use crate::page_questions;
use crate::page_votes;
use crate::project::OPTOUTS;
use crate::session::Session;
use crate::settings::Settings;
use crate::whole_table::WholeTable;

/// The column that says why a subject is not asked about any more, as `extracts/subjects` calls it.
const RETIRED: &str = "retirement_reason";

/// What to show.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "What the page shows")]
pub(crate) struct PageArgs {
    /// The project's folder (`volary.toml`): its tables, images and light curves are shown, its store and tokens
    /// are used, labels are kept in it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// A table with one row a subject to show, instead of the project's consensus.
    #[arg(long, value_name = "TABLE")]
    table: Option<PathBuf>,
    /// Another table, joined to it by subject_id: scores, embeddings, a map. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Which subject has which image: a table, a subject export, or a folder.
    #[arg(long, value_name = "TABLE|DIR")]
    images: Option<PathBuf>,
}

/// Names of tables in a project's folder that are inputs, not results.
const INPUTS: [&str; 4] = ["classifications", "workflows", "light-curves", "dips"];

impl PageArgs {
    /// What to show, for commands that name it otherwise.
    pub(crate) fn new(
        folder: Option<PathBuf>,
        table: Option<PathBuf>,
        with: Vec<PathBuf>,
        images: Option<PathBuf>,
    ) -> Self {
        Self { folder, table, with, images }
    }

    /// A project's folder.
    pub(crate) fn of(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..Self::default() }
    }

    /// Whether anything is asked for.
    fn names_something(&self) -> bool {
        self.folder.is_some() || self.table.is_some() || self.images.is_some()
    }

    /// Reads it all, and notes what cannot be shown, and why. Labels can be given, and slices saved.
    pub(crate) fn read(&self, session: &mut Session) -> Result<Project> {
        let mut project = self.read_only(session)?;
        if let Some(folder) = &self.folder {
            project.labels = Some(Labels::open(&folder.join("labels.jsonl"))?);
            project.slices = Some(Slices::open(&folder.join("slices.json"))?);
        }
        Ok(project)
    }

    /// Reads it all; nothing in the folder is opened for writing.
    pub(crate) fn read_only(&self, session: &mut Session) -> Result<Project> {
        let mut shown = Shown::default();
        if !self.names_something() {
            return Ok(shown.project);
        }
        if let Some(folder) = &self.folder
            && !folder.is_dir()
        {
            bail!("there is no folder of this name; name a project's: {}", folder.display());
        }
        let settings = self.settings()?;
        shown.project.title = self.title(&settings);
        if let Some(folder) = &self.folder {
            shown.findings(folder, &settings, session)?;
        }
        self.main_table(&mut shown, session)?;
        if let Some(folder) = &self.folder {
            shown.marks_table(folder, session)?;
            // Where the list cannot be read, nothing is served: somebody on it might be told of.
            let out = opted_out(folder, &settings)?;
            shown.votes(folder, &settings, out.as_ref(), session)?;
            shown.project.people = page_votes::people(folder, out.as_ref(), session)?;
            shown.project.n_opted_out = out.as_ref().map_or(0, |o| o.out().len());
            shown.models(folder, out.as_ref());
            shown.signals(folder, &settings, session);
            match page_questions::read(folder, &settings, session) {
                Ok(questions) => shown.project.questions = questions,
                Err(error) => shown.left_out(&folder.join("workflows"), &error),
            }
            shown.project.overview = page_overview::read(folder, session)?;
            match page_attention::read(&folder.join("attention"), session) {
                Ok(found) => shown.project.attention = found,
                Err(error) => shown.left_out(&folder.join("attention"), &error),
            }
        }
        self.find_images(&settings, &mut shown, session)?;
        if let Some(path) = &settings.marks.light_curves {
            shown.curves(path, self.folder.as_deref(), session)?;
        }
        Ok(shown.project)
    }

    fn settings(&self) -> Result<Settings> {
        let path = self.folder.as_ref().map(|folder| folder.join("volary.toml"));
        path.filter(|path| path.is_file()).map_or(Ok(Settings::default()), |path| Settings::read(&path))
    }

    fn title(&self, settings: &Settings) -> String {
        let named = |path: &PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let title = settings.project.title.clone();
        let whole = self.folder.as_ref().and_then(|folder| folder.canonicalize().ok());
        title
            .or_else(|| whole.as_ref().and_then(named))
            .or_else(|| self.table.as_ref().and_then(named))
            .unwrap_or_default()
    }

    fn main_table(&self, shown: &mut Shown, session: &mut Session) -> Result<()> {
        let consensus = self.folder.as_ref().map(|folder| folder.join("consensus/consensus.parquet"));
        let consensus = consensus.filter(|path| path.is_file());
        let folder = self.folder.as_deref();
        let mut origins = Origins::default();
        let mut table = match (&self.table, &consensus) {
            (Some(main), _) => {
                let table = WholeTable::read(main, &[], session)?;
                origins.note(main, folder, &table);
                table
            }
            (None, Some(consensus)) => match with_questions(consensus, folder, &mut origins, session) {
                Ok(table) => table,
                // A project of light curves only has no consensus, and that is no failure.
                Err(error) => {
                    shown.left_out(consensus, &error);
                    return Ok(());
                }
            },
            (None, None) => match folder.map(|folder| shown.largest(folder, session)).transpose()? {
                Some(Some((main, table))) => {
                    origins.note(&main, folder, &table);
                    table
                }
                _ => return Ok(()),
            },
        };
        for other in &self.with {
            table.add(other, session)?;
            origins.note(other, folder, &table);
        }
        if let (None, Some(of)) = (&self.table, folder) {
            for other in shown.tables_in(of)? {
                match table.add(&other, session) {
                    Ok(()) => origins.note(&other, folder, &table),
                    Err(error) => shown.left_out(&other, &error),
                }
            }
        }
        if let (None, Some(of)) = (&self.table, folder) {
            retirement(of, &mut table, &mut origins, session)?;
        }
        shown.add_table("subjects", table, origins)
    }

    fn find_images(&self, settings: &Settings, shown: &mut Shown, session: &mut Session) -> Result<()> {
        let guess = self.folder.as_ref().map(|folder| folder.join("subjects.csv"));
        let guess = guess.filter(|path| path.is_file());
        let manifest = match (&self.images, &settings.input.images) {
            (Some(given), _) | (None, Some(given)) => given,
            // A table of subjects often names their files too.
            (None, None) => match (&self.table, &guess) {
                (Some(table), _) if table.extension().is_some_and(|e| e == "csv" || e == "tsv") => table,
                (None, Some(guess)) => guess,
                _ => return Ok(()),
            },
        };
        match subjects(&SubjectSource::new(manifest), &session.progress) {
            Ok(found) => {
                session.problems.absorb(&found.problems);
                shown.project.frames = page_findings::frames(manifest, &found, session);
                let pairs = found.subjects.into_iter().map(|one| (one.subject_id, one.path));
                shown.project.images = pairs.collect();
                Ok(())
            }
            Err(error) if self.images.is_some() => Err(error.into()),
            // It names no images, and nobody said that it does.
            Err(_) if guess.as_ref() == Some(manifest) => Ok(()),
            Err(error) => {
                shown.left_out(manifest, &error);
                Ok(())
            }
        }
    }
}

/// Who opted out, by the list that the settings name or that lies in the folder.
fn opted_out(folder: &Path, settings: &Settings) -> Result<Option<OptOuts>> {
    let path = settings.rows.optouts.clone().unwrap_or_else(|| folder.join(OPTOUTS));
    if settings.rows.optouts.is_none() && !path.is_file() {
        return Ok(None);
    }
    Ok(Some(OptOuts::read(&path)?))
}

/// Tables that lie in a folder itself, in the order of their names.
fn tables_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut out: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    out.retain(|path| {
        let is_table = path.extension().is_some_and(|e| {
            ["parquet", "arrow", "csv"].iter().any(|known| e.eq_ignore_ascii_case(known))
        });
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        is_table && path.is_file() && !INPUTS.contains(&stem.as_ref())
    });
    out.sort();
    Ok(out)
}

/// Which file each column came from: a number leads to the run that wrote it.
#[derive(Default)]
struct Origins(BTreeMap<String, String>);

impl Origins {
    /// What the table has that it had not before came from here.
    fn note(&mut self, path: &Path, folder: Option<&Path>, table: &WholeTable) {
        // Of what lies elsewhere only the name: a path may name its owner.
        let name = || path.file_name().map_or(path, Path::new);
        let short = folder.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or_else(name);
        for name in table.columns.names() {
            self.0.entry(name.to_owned()).or_insert_with(|| short.to_string_lossy().into_owned());
        }
    }
}

#[derive(Default)]
struct Shown {
    project: Project,
    /// Files in the folder that are shown otherwise than as a table of subjects.
    taken: Vec<PathBuf>,
}

impl Shown {
    fn left_out(&mut self, path: &Path, why: &dyn std::fmt::Display) {
        // The last of the causes says most; it often names the file itself.
        let why = format!("{why:#}");
        let line = why.lines().next().unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.project.left_out.push(format!("{name}: {line}"));
    }

    /// Tables in a folder that are not shown yet.
    fn tables_in(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut found = tables_in(folder)?;
        found.retain(|path| !self.taken.contains(path));
        Ok(found)
    }

    /// Small tables, records, tags, known answers.
    fn findings(&mut self, folder: &Path, settings: &Settings, session: &mut Session) -> Result<()> {
        for path in tables_in(folder)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with("_subjects") && name.contains("tags") {
                if let Ok(tags) = page_findings::tags(&path, session) {
                    self.project.tags.extend(tags);
                    self.taken.push(path);
                }
            // What became of each subject by each rule has several rows a subject.
            } else if name.starts_with("retire") && name.ends_with("_subjects") {
                self.taken.push(path);
            // Reading every table twice would be felt; these are small, and named for what they are.
            } else if ["bias", "retire"].iter().any(|known| name.starts_with(known))
                && let Ok(Some(sheet)) = page_findings::sheet(&path, session)
            {
                self.project.sheets.push(sheet);
                self.taken.push(path);
            }
        }
        if let Some(path) = &settings.input.truth {
            match page_findings::gold(path, session) {
                Ok(gold) => self.project.gold = gold,
                Err(error) => self.left_out(path, &error),
            }
        }
        // What is known is no table: whoever vets would read it before having answered.
        let (marks, consensus) = (&settings.marks, &settings.consensus);
        let known = [&settings.input.truth, &consensus.gold, &marks.signals, &marks.truth];
        let is_known = |one: &PathBuf| known.into_iter().flatten().any(|path| is_same(one, path));
        self.taken.extend(tables_in(folder)?.into_iter().filter(is_known));
        let (runs, other) = page_findings::runs(folder)?;
        self.project.runs = runs;
        for path in other {
            self.left_out(
                &path,
                &"it is no record of ours; write it anew with the command that made it",
            );
        }
        Ok(())
    }

    /// Where there is no consensus, the table to which the others are joined: `subjects`, else the one with the most
    /// rows.
    fn largest(
        &mut self,
        folder: &Path,
        session: &mut Session,
    ) -> Result<Option<(PathBuf, WholeTable)>> {
        let mut best: Option<(PathBuf, WholeTable)> = None;
        for path in self.tables_in(folder)? {
            match WholeTable::read(&path, &[], session) {
                Ok(table) => {
                    let is_main = path.file_stem().is_some_and(|stem| stem == "subjects");
                    let is_larger =
                        best.as_ref().is_none_or(|(_, best)| table.ids.len() > best.ids.len());
                    if is_main || is_larger {
                        best = Some((path, table));
                    }
                    if is_main {
                        break;
                    }
                }
                Err(error) => {
                    self.left_out(&path, &error);
                    self.taken.push(path);
                }
            }
        }
        self.taken.extend(best.iter().map(|(path, _)| path.clone()));
        Ok(best)
    }

    fn add_table(&mut self, name: &str, table: WholeTable, origins: Origins) -> Result<()> {
        let WholeTable { ids, columns, vectors, questions } = table;
        let table =
            Table::new(name, ids, columns, vectors)?.with_origins(origins.0).with_questions(questions);
        self.project.tables.push(table);
        Ok(())
    }

    fn marks_table(&mut self, folder: &Path, session: &mut Session) -> Result<()> {
        let path = folder.join("marks/subjects.parquet");
        if !path.is_file() {
            return Ok(());
        }
        match WholeTable::read(&path, &[], session) {
            Ok(mut table) => {
                // Which are simulated is known, and told to nobody before they have answered.
                let mut columns = Columns::default();
                for (name, column) in table.columns.iter().filter(|(name, _)| *name != "simulation") {
                    let _ = columns.insert(name, column.clone());
                }
                table.columns = columns;
                let mut origins = Origins::default();
                origins.note(&path, Some(folder), &table);
                self.add_table("light_curves", table, origins)
            }
            Err(error) => {
                self.left_out(&path, &error);
                Ok(())
            }
        }
    }

    /// The votes; who cast them is forgotten in the same breath.
    fn votes(
        &mut self,
        folder: &Path,
        settings: &Settings,
        out: Option<&OptOuts>,
        session: &mut Session,
    ) -> Result<()> {
        if !folder.join("extracts/votes.parquet").is_file() {
            return Ok(());
        }
        match page_votes::read(&folder.join("extracts"), settings, out, session) {
            Ok(electorate) => self.project.electorate = Some(electorate),
            Err(error) => self.left_out(&folder.join("extracts"), &error),
        }
        Ok(())
    }

    /// Signals of light curves that are known.
    fn signals(&mut self, folder: &Path, settings: &Settings, session: &mut Session) {
        let marks = &settings.marks;
        let subjects = folder.join("marks/subjects.parquet");
        let simulations = match subjects.is_file() {
            true => page_findings::simulations(&subjects, session).unwrap_or_default(),
            false => HashMap::new(),
        };
        for (path, is_injected) in [(&marks.signals, true), (&marks.truth, false)] {
            let Some(path) = path else { continue };
            match page_findings::signals(path, is_injected, &simulations) {
                Ok(found) => found.into_iter().for_each(|(subject, signal)| {
                    self.project.signals.entry(subject).or_default().push(signal);
                }),
                Err(error) => self.left_out(path, &error),
            }
        }
    }

    fn models(&mut self, folder: &Path, out: Option<&OptOuts>) {
        let (models, broken) = page_findings::models(folder, out);
        self.project.models = models;
        for (path, error) in broken {
            self.left_out(&path, &error);
        }
    }

    fn curves(&mut self, path: &Path, folder: Option<&Path>, session: &mut Session) -> Result<()> {
        let files = if path.is_dir() { files_in(path)? } else { vec![path.to_owned()] };
        let curves = &mut self.project.curves;
        for file in files {
            match light_curves::read_whole(&file, &session.progress) {
                Ok((read, problems, digest)) => {
                    session.problems.absorb(&problems);
                    session.input(digest);
                    for one in read {
                        let curve =
                            Curve { time_days: one.time_days, flux: one.flux, ..Curve::default() };
                        curves.insert(one.subject, curve);
                    }
                }
                Err(error) => {
                    self.project.left_out.push(format!("{}: {error}", file.display()));
                }
            }
        }
        let Some(folder) = folder else { return Ok(()) };
        let bounds = |cells: &dyn Cells, row: usize| {
            let number = |name: &str| cells.text(name, row).and_then(|text| text.parse::<f64>().ok());
            Some([number("x_min_days")?, number("x_max_days")?])
        };
        let path = folder.join("extracts/marks.parquet");
        if path.is_file() {
            for_each_batch(&path, &["subject_id", "x_min_days"], &session.progress, |cells| {
                for row in 0..cells.n_rows() {
                    let subject = cells.text("subject_id", row).unwrap_or_default();
                    if let (Some(curve), Some(mark)) =
                        (curves.get_mut(subject.as_ref()), bounds(cells, row))
                    {
                        curve.marks.push(mark);
                    }
                }
                Ok(())
            })?;
        }
        let path = folder.join("marks/metafeatures.parquet");
        if path.is_file() {
            for_each_batch(&path, &["subject_id", "x_min_days"], &session.progress, |cells| {
                for row in 0..cells.n_rows() {
                    let subject = cells.text("subject_id", row).unwrap_or_default();
                    let score = cells.text("score", row).and_then(|text| text.parse::<f64>().ok());
                    if let (Some(curve), Some([from_days, to_days])) =
                        (curves.get_mut(subject.as_ref()), bounds(cells, row))
                    {
                        let score = score.unwrap_or(f64::NAN);
                        curve.features.push(Feature { from_days, to_days, score, score_sd: None });
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The consensus of a project, with outcome, agreement and entropy of each question.
fn with_questions(
    consensus: &Path,
    folder: Option<&Path>,
    origins: &mut Origins,
    session: &mut Session,
) -> Result<WholeTable> {
    let mut table = WholeTable::read(consensus, &[], session)?;
    origins.note(consensus, folder, &table);
    let questions = consensus.with_file_name("consensus_subjects.parquet");
    if questions.is_file() {
        table.add(&questions, session)?;
        origins.note(&questions, folder, &table);
    }
    Ok(table)
}

/// Adds why each subject is retired, as the export has it; missing where it is not.
fn retirement(
    folder: &Path,
    table: &mut WholeTable,
    origins: &mut Origins,
    session: &mut Session,
) -> Result<()> {
    let path = folder.join("extracts/subjects.parquet");
    if !path.is_file() || table.columns.column(RETIRED).is_some() {
        return Ok(());
    }
    let retired = page_findings::retired(&path, session)?;
    if retired.is_empty() {
        return Ok(());
    }
    let reasons = table.ids.iter().map(|id| retired.get(id).map(String::as_str));
    let _ = table.columns.insert(RETIRED, Column::text(reasons));
    origins.note(&path, Some(folder), table);
    Ok(())
}

/// Whether two paths name one file.
fn is_same(a: &Path, b: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    whole(a).is_some() && whole(a) == whole(b)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut out: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    out.retain(|path| path.is_file());
    out.sort();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_in_a_folder_are_those_that_are_no_inputs() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["map.parquet", "classifications.csv", "scores.CSV", "notes.txt", "run.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = tables_in(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|p| p.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!(names, ["map.parquet", "scores.CSV"]);
    }
}
