//! A project as the page shows it: tables in memory, images, light curves, votes, volunteers, labels.
//!
//! Everything but the labels is read by whoever starts the server, and again when a job has made something new; then
//! another [`Project`] stands in its place. None of them ever changes: answers have strong entity tags. Numbers are not
//! computed here; they stand in the tables, or `volary-space` and `volary-crowd` compute them. People's names are not
//! here at all: volunteers come as numbers ([`Person`], [`Electorate`]) and leave as groups, or, for admins, under names
//! of this run of the server.

pub(crate) mod courses;
pub(crate) mod crowd;
pub(crate) mod drift;
pub(crate) mod electorate;
pub(crate) mod expert;
pub(crate) mod hilbert;
pub(crate) mod labels;
pub(crate) mod one_by_one;
pub(crate) mod outlook;
pub(crate) mod query;
pub(crate) mod questions;
pub(crate) mod sheets;
pub(crate) mod slices;
pub(crate) mod table;
pub(crate) mod unsure;
pub(crate) mod what_if;
pub(crate) mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crowd::Person;
pub use electorate::{Electorate, ElectorateParts, SkillMethod, Standing};
pub use expert::{of_rows as labels_of_rows, read as read_labels, too_few as too_few_labels};
pub use labels::{LabelError, Labels};
pub use questions::{QuestionForm, QuestionTree, TreeAnswer, TreeQuestion};
pub use slices::{SliceError, Slices};
pub use table::{Table, TableError};

/// A light curve as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Days.
    pub time_days: Vec<f64>,
    /// As long as the times; NaN is a gap.
    pub flux: Vec<f64>,
    /// Ranges that volunteers marked, in days.
    pub marks: Vec<[f64; 2]>,
    /// What the marks came to.
    pub features: Vec<Feature>,
}

/// A range that several people marked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    /// Days.
    pub from_days: f64,
    /// Days.
    pub to_days: f64,
    /// Its score, 0 to 1.
    pub score: f64,
    /// Standard deviation of the score, if known.
    pub score_sd: Option<f64>,
}

/// A signal that is known to lie in a light curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Days.
    pub from_days: f64,
    /// Days.
    pub to_days: f64,
    /// Put there by a simulation; else real.
    pub is_injected: bool,
}

/// Where in its image a model found each class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// A picture of panels side by side: the image, then one for each class.
    pub panels: PathBuf,
    /// The classes in the order of the panels, each with the model's logit.
    pub classes: Vec<(String, f64)>,
    /// Pairs of classes, and how far their maps lie on each other.
    pub overlaps: Vec<MapOverlap>,
}

/// How far two maps lie on each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapOverlap {
    /// A class.
    pub class: String,
    /// The other.
    pub other: String,
    /// Soft intersection over union, 0 to 1; NaN where a map is missing.
    pub soft_iou: f64,
    /// The same against chance, in standard deviations.
    pub z: f64,
}

/// What is told of the project as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Classifications.
    pub n_classifications: Option<u64>,
    /// Subjects.
    pub n_subjects: Option<u64>,
    /// Subjects that are retired.
    pub n_retired: Option<u64>,
    /// Why they were, by Panoptes' words, and how many.
    pub retired_by_reason: BTreeMap<String, u64>,
    /// Classifications a day, by the day.
    pub by_day: BTreeMap<String, u64>,
    /// Subjects retired a day, by the day and the reason.
    pub retired_by_day: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A small table of results that is shown as it is, such as error rates by slice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Sheet {
    /// What it is: `bias`, `retirement`.
    pub kind: String,
    /// Its file, in the project's folder.
    pub file: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells as they are written, row by row; absent ones are null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows of the file, of which these are the first.
    pub n_rows: usize,
}

/// What was done once, as its `run.json` says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Run {
    /// The first digits of the record's BLAKE3 digest.
    pub id: String,
    /// Its file, in the project's folder.
    pub file: String,
    /// The command.
    pub command: String,
    /// As it was called.
    pub command_line: Vec<String>,
    /// By which version.
    pub version: String,
    /// With which seed.
    pub seed: Option<u64>,
    /// What it read: path, bytes, BLAKE3 digest.
    pub inputs: Vec<RunFile>,
    /// What it wrote.
    pub outputs: Vec<RunFile>,
    /// How long it took, s.
    pub wall_s: Option<f64>,
}

/// A file of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunFile {
    /// As it was named.
    pub path: String,
    /// Its length.
    #[serde(default)]
    pub bytes: u64,
    /// Its digest, in hexadecimal digits.
    #[serde(default)]
    pub blake3: String,
}

/// What a model learned from, by its folder's records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ModelUse {
    /// Its folder, in the project's folder.
    pub folder: String,
    /// What kind of model it is.
    pub kind: String,
    /// Its number, as its card has it: what it learned from, then what it learned.
    pub id: String,
    /// The record of its training, by the first digits of its digest.
    pub run: String,
    /// With which seed.
    pub seed: Option<u64>,
    /// What training read: name, bytes, BLAKE3 digest. The digest is the version of the training set.
    pub learned_from: Vec<RunFile>,
    /// The commands that what it read went through, the first first.
    pub steps: Vec<String>,
    /// Whether one of these left out the votes of those who had opted out.
    pub leaves_out_opted_out: bool,
    /// People who have opted out since, as far as is known: their votes may be in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_out_since: Option<u64>,
}

/// Everything that the page shows beside the live store.
#[derive(Debug, Default)]
pub struct Project {
    /// What it is called.
    pub title: String,
    /// The tables, the one that opens first first.
    pub tables: Vec<Table>,
    /// The image of each subject that has one.
    pub images: HashMap<String, PathBuf>,
    /// Its further frames, such as a template and a difference: their names and files.
    pub frames: HashMap<String, Vec<(String, PathBuf)>>,
    /// The light curve of each subject that has one.
    pub curves: HashMap<String, Curve>,
    /// What a model looked at, of each subject that it was asked about.
    pub attention: HashMap<String, Attention>,
    /// The votes, without who cast them.
    pub electorate: Option<Electorate>,
    /// The volunteers, as numbers; those who opted out are not among them.
    pub people: Vec<Person>,
    /// People who opted out, as the project's list has them.
    pub n_opted_out: usize,
    /// Models of the project, and what each learned from.
    pub models: Vec<ModelUse>,
    /// The project as a whole.
    pub overview: Overview,
    /// Small tables of results.
    pub sheets: Vec<Sheet>,
    /// What was done, the newest record of each file.
    pub runs: Vec<Run>,
    /// Known answers of subjects, by task. They are told only to who has answered.
    pub gold: HashMap<String, BTreeMap<String, String>>,
    /// Known signals of light curves. They are told only to who has answered.
    pub signals: HashMap<String, Vec<Signal>>,
    /// What the workflows ask, by workflow.
    pub questions: Vec<QuestionTree>,
    /// What a subject is called, of those that are called something.
    pub tags: HashMap<String, Vec<String>>,
    /// What could not be shown, and why: a line each.
    pub left_out: Vec<String>,
    /// Where labels are kept; without it none are taken.
    pub labels: Option<Labels>,
    /// Where slices are kept; without it none are saved.
    pub slices: Option<Slices>,
}

/// The question of a label that is a tag; its name is the value, a question each.
pub(crate) const TAG: &str = "tag:";

impl Project {
    /// What subjects are called, by subject: tags of Talk, and those that were given in the page.
    pub(crate) fn called(&self) -> BTreeMap<String, BTreeSet<String>> {
        let lower = |tags: &Vec<String>| tags.iter().map(|tag| tag.to_lowercase()).collect();
        let mut out: BTreeMap<String, BTreeSet<String>> =
            self.tags.iter().map(|(subject, tags)| (subject.clone(), lower(tags))).collect();
        for label in self.labels.as_ref().map(Labels::current).unwrap_or_default() {
            if let Some(tag) = label.question.strip_prefix(TAG) {
                out.entry(label.subject_id).or_default().insert(tag.to_owned());
            }
        }
        out
    }

    /// A table by its name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name() == name)
    }
}
