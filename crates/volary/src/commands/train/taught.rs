//! Pictures with what volunteers said of them: what a network is taught by.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::Value;
use volary_core::ProblemKind;
use volary_crowd::bias::Column;
use volary_ingest::class_table::{ClassColumns, ClassTable, read_class_table};
use volary_ingest::images::{Built, ImageSubject, ImageSubjects};
use volary_vision::confusion::{Labels, Lesson};

use crate::commands::train::groups;
use crate::pictures::{PrepareArgs, SourceArgs};
use crate::session::Session;

/// Where both are.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct TaughtArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    pictures: PrepareArgs,
    /// What volunteers said: a consensus table, soft gold labels, or a table with a column of votes for each
    /// class.
    #[arg(long, value_name = "TABLE", help_heading = "Votes")]
    consensus: PathBuf,
    /// The task, where the table has several.
    #[arg(long, value_name = "TASK", help_heading = "Votes")]
    task: Option<String>,
    /// The classes, with commas between them [default: all answers of the table].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Votes")]
    classes: Vec<String>,
    /// Column of SUBJECTS; pictures with the same value are all learned from, or all judged by.
    #[arg(long, value_name = "COLUMN", help_heading = "Votes")]
    group: Option<String>,
    /// Columns of SUBJECTS to measure it by, slice by slice (brightness, camera…), with commas between them.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', help_heading = "Votes")]
    by: Vec<String>,
}

/// Both, picture by picture.
pub(super) struct Taught {
    built: Built,
    ids: Vec<String>,
    groups: Vec<String>,
    labels: Labels,
    unchosen: Vec<String>,
    preprocessing: Value,
    /// Columns to measure a model by.
    pub(super) sliced: Vec<Column>,
}

impl TaughtArgs {
    /// Reads the votes, decodes the pictures that have some, and notes what was wrong.
    pub(super) fn read(&self, session: &mut Session) -> Result<Taught> {
        let prepare = self.pictures.settings()?;
        let columns = ClassColumns { classes: &self.classes, task: self.task.as_deref() };
        let table = read_class_table(&self.consensus, &columns, &session.progress)?;
        session.input_file(&self.consensus)?;
        session.problems.absorb(&table.problems);
        let found = self.source.find(session)?;
        let subjects = with_votes(&found, &table, session)?;
        let built = self.source.decode(&subjects, &prepare, session)?;
        let used: Vec<&ImageSubject> = built.subject_idx.iter().map(|i| &subjects[*i]).collect();
        let ids: Vec<String> = used.iter().map(|s| s.subject_id.clone()).collect();
        let groups = groups(self.group.as_deref(), &found, &used)?;
        let sliced = slice_columns(&self.by, &found, &used)?;
        let (labels, unchosen) = labels(&table, &ids)?.without_unchosen()?;
        for class in &unchosen {
            let detail = format!("nobody ever chose {class:?}; it is left out");
            session.problems.add(0, class, ProblemKind::Suspicious, detail);
        }
        let preprocessing = serde_json::to_value(&prepare)?;
        Ok(Taught { built, ids, groups, labels, unchosen, preprocessing, sliced })
    }
}

impl Taught {
    pub(super) fn lesson(&self) -> Lesson<'_> {
        Lesson {
            pixels: &self.built.cache,
            subject_ids: &self.ids,
            groups: &self.groups,
            labels: &self.labels,
            unchosen: &self.unchosen,
            preprocessing: &self.preprocessing,
        }
    }
}

/// The columns to slice by, of the pictures that are used.
fn slice_columns(
    names: &[String],
    found: &ImageSubjects,
    used: &[&ImageSubject],
) -> Result<Vec<Column>> {
    let column = |name: &String| {
        let Some(at) = found.metadata_columns.iter().position(|known| known == name) else {
            bail!("--by {name:?}; the subjects have {}", found.metadata_columns.join(", "));
        };
        let cells = used.iter().map(|subject| Some(subject.metadata[at].trim().to_owned()));
        Ok(Column::of_cells(name, cells.map(|cell| cell.filter(|c| !c.is_empty())).collect()))
    };
    names.iter().map(column).collect()
}

/// The subjects that have an image and votes.
fn with_votes(
    found: &ImageSubjects,
    table: &ClassTable,
    session: &mut Session,
) -> Result<Vec<ImageSubject>> {
    if table.subject_ids.is_empty() {
        bail!(
            "the table of votes has none for what was asked; correct --task and --classes, or leave them out"
        );
    }
    let voted: HashSet<&str> = table.subject_ids.iter().map(String::as_str).collect();
    let both: Vec<ImageSubject> =
        found.subjects.iter().filter(|s| voted.contains(s.subject_id.as_str())).cloned().collect();
    let (n_images, n_votes) = (found.subjects.len(), table.subject_ids.len());
    session.summary.count("n_with_votes", "  with votes as well", both.len() as u64);
    if both.is_empty() {
        bail!(
            "none of {n_images} subjects with an image is among the {n_votes} with votes; check that both tables \
             name subjects alike"
        );
    }
    Ok(both)
}

/// The votes of these subjects, in their order.
fn labels(table: &ClassTable, ids: &[String]) -> Result<Labels> {
    let rows: HashMap<&str, usize> =
        table.subject_ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
    let n_classes = table.classes.len();
    let rows: Vec<usize> = ids.iter().filter_map(|id| rows.get(id.as_str()).copied()).collect();
    let values = rows.iter().flat_map(|row| &table.values[row * n_classes..][..n_classes]);
    Ok(match &table.n_seen {
        Some(n_seen) => {
            let n_seen = rows.iter().map(|row| n_seen[*row]).collect();
            Labels::from_counts(table.classes.clone(), n_seen, values.map(|n| *n as u32).collect())?
        }
        None => {
            let values: Vec<f64> = values.copied().collect();
            Labels::from_fractions(table.classes.clone(), &values)?
        }
    })
}
