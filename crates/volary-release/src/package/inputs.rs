//! What a release is made of, read: people, gold, consensus, subjects with public credit.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use super::protect::Person;
use crate::attack::Knowledge;
use crate::error::ReleaseError;
use crate::votes::Votes;

/// The files of a release. What is not there is left out of the package, and said to be.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `votes`, as `volary extract` writes it; a package has votes or shapes.
    pub votes: Option<PathBuf>,
    /// `consensus_shapes`, as `volary shapes` writes it.
    pub shapes: Option<PathBuf>,
    /// `consensus_shapes_members`: shows that nobody who opted out is among them; not released.
    pub shapes_members: Option<PathBuf>,
    /// `consensus`, as `volary consensus` writes it, of the same votes without those who opted out.
    pub consensus: Option<PathBuf>,
    /// `volunteers`, as `volary consensus` writes it; where people opted out, beside its `run.json`.
    pub volunteers: Option<PathBuf>,
    /// Known answers: `subject_id,answer` and, where there are several questions, `workflow_id,task`.
    pub gold: Option<PathBuf>,
    /// No volunteer gave the known answers: where people opted out, nothing else needs to say so.
    pub is_gold_of_experts: bool,
    /// A table of subjects by whose columns the utility is told as well; not released.
    pub slices: Option<PathBuf>,
    /// Those columns.
    pub sliced_by: Vec<String>,
    /// `volunteer,country,group`, by key.
    pub people: Option<PathBuf>,
    /// `biases.toml`; a release without one is refused.
    pub biases: Option<PathBuf>,
    /// `optouts.toml`.
    pub optouts: Option<PathBuf>,
    /// `policy.toml`.
    pub policy: Option<PathBuf>,
    /// Every `run.json` that the data went through.
    pub runs: Vec<PathBuf>,
    /// `subject_id` of subjects with public credit or Talk comments.
    pub public_subjects: Option<PathBuf>,
    /// The package of the version before, where there is one.
    pub previous: Option<PathBuf>,
    /// The key of that one; this release's where it is none.
    pub previous_key: Option<PathBuf>,
    /// Folders of models, as `volary train` writes them.
    pub models: Vec<PathBuf>,
    /// What an attacker is taken to know.
    pub knowledge: Knowledge,
    /// The ledger of noise, where the settings ask for any; made if it is not there.
    pub noise_ledger: Option<PathBuf>,
    /// Names of the volunteers: a package in which one stands is not made. Held in memory only.
    pub names: Vec<String>,
}

/// What is known of the volunteers, from both tables.
///
/// # Errors
/// Where one cannot be read, or is of nobody who voted.
pub(crate) fn people(
    volunteers: Option<&Path>,
    people: Option<&Path>,
    votes: &Votes,
    progress: &Progress,
) -> Result<BTreeMap<String, Person>, ReleaseError> {
    let mut all: BTreeMap<String, Person> = BTreeMap::new();
    if let Some(path) = volunteers {
        let mut voters = Voters::of(votes);
        for_each_batch(path, &["volunteer", "n_compared"], progress, |cells| {
            for row in 0..cells.n_rows() {
                let Some(volunteer) = cells.text("volunteer", row) else { continue };
                voters.see(&volunteer);
                let number = |name: &str| cells.text(name, row).and_then(|t| t.parse::<f64>().ok());
                // The share itself of somebody who was compared once is 0 or 1 and says nothing.
                let agreement = number("agreement_shrunk").or_else(|| number("agreement"));
                all.entry(volunteer.into_owned()).or_default().agreement = agreement;
            }
            Ok(())
        })?;
        voters.are_there("--volunteers")?;
    }
    if let Some(path) = people {
        let mut voters = Voters::of(votes);
        for_each_batch(path, &["volunteer"], progress, |cells| {
            for row in 0..cells.n_rows() {
                let Some(volunteer) = cells.text("volunteer", row) else { continue };
                voters.see(&volunteer);
                let person = all.entry(volunteer.into_owned()).or_default();
                person.country = cells.text("country", row).unwrap_or_default().into_owned();
                person.group = cells.text("group", row).unwrap_or_default().into_owned();
            }
            Ok(())
        })?;
        voters.are_there("--people")?;
    }
    Ok(all)
}

/// How many rows of a table of volunteers are of somebody who voted.
#[derive(Default)]
struct Voters<'v> {
    all: HashSet<&'v str>,
    n_rows: u64,
    n_here: u64,
}

impl<'v> Voters<'v> {
    fn of(votes: &'v Votes) -> Self {
        Self { all: votes.volunteers.iter().map(String::as_str).collect(), ..Self::default() }
    }

    fn see(&mut self, volunteer: &str) {
        self.n_rows += 1;
        self.n_here += u64::from(self.all.contains(volunteer));
    }

    /// By name, or of another project, a table would protect nobody.
    fn are_there(&self, option: &str) -> Result<(), ReleaseError> {
        if self.all.is_empty() || self.n_rows == 0 || self.n_here > 0 {
            return Ok(());
        }
        Err(ReleaseError::Refused(format!(
            "nobody of the {} volunteers of {option} voted here: give keys as `volary extract` writes them in its column `volunteer`, and not names",
            self.n_rows
        )))
    }
}

/// One known answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gold {
    pub(crate) workflow: Option<String>,
    pub(crate) task: Option<String>,
    pub(crate) subject: String,
    pub(crate) answer: String,
}

pub(crate) fn gold(path: &Path, progress: &Progress) -> Result<Vec<Gold>, ReleaseError> {
    let mut all = Vec::new();
    let mut n_without = 0_u64;
    for_each_batch(path, &[], progress, |cells| {
        for row in 0..cells.n_rows() {
            let cell = |name: &str| cells.text(name, row).map(std::borrow::Cow::into_owned);
            // Label tables call the subject `task` and the answer `label`.
            let (subject, task) = match cell("subject_id") {
                Some(subject) => (Some(subject), cell("task")),
                None => (cell("task"), None),
            };
            match (subject, cell("answer").or_else(|| cell("label"))) {
                (Some(subject), Some(answer)) => {
                    all.push(Gold { workflow: cell("workflow_id"), task, subject, answer });
                }
                _ => n_without += 1,
            }
        }
        Ok(())
    })?;
    if all.is_empty() && n_without > 0 {
        let what = "no row has a subject and an answer; the columns are subject_id,answer or task,label";
        return Err(ReleaseError::settings(path, what));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Ids of subjects: the column `subject_id` of a table, or lines of a text file.
pub(crate) fn subjects(path: &Path, progress: &Progress) -> Result<Vec<String>, ReleaseError> {
    if path.extension().is_some_and(|e| e == "txt") {
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        return Ok(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect());
    }
    let mut all = Vec::new();
    for_each_batch(path, &["subject_id"], progress, |cells| {
        all.extend((0..cells.n_rows()).filter_map(|r| Some(cells.text("subject_id", r)?.into_owned())));
        Ok(())
    })?;
    Ok(all)
}
