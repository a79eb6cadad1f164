//! A project as the page shows it: tables in memory, images, light curves, votes, volunteers, labels.
//!
//! Everything but the labels is read once, by whoever starts the server, and does not change while it runs:
//! answers have strong entity tags. Numbers are not computed here; they stand in the tables, or
//! `volary-space` computes them. People's names are not here at all: volunteers come as numbers
//! ([`Person`]) and leave as groups.

pub(crate) mod crowd;
pub(crate) mod hilbert;
pub(crate) mod labels;
pub(crate) mod query;
pub(crate) mod sheets;
pub(crate) mod table;
pub(crate) mod votes;
pub(crate) mod wire;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

pub use crowd::Person;
pub use labels::{LabelError, Labels};
pub use table::{Table, TableError};
pub use votes::{Ballot, Ballots};

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
    /// The light curve of each subject that has one.
    pub curves: HashMap<String, Curve>,
    /// Who voted what, without who.
    pub ballots: Ballots,
    /// The volunteers, as numbers.
    pub people: Vec<Person>,
    /// The project as a whole.
    pub overview: Overview,
    /// What could not be shown, and why: a line each.
    pub left_out: Vec<String>,
    /// Where labels are kept; without it none are taken.
    pub labels: Option<Labels>,
}

impl Project {
    /// A table by its name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name() == name)
    }
}
