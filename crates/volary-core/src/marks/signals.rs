//! Signals whose place is known: injected transits of simulations, and real transits (truth).

use std::collections::BTreeMap;

use super::{Marks, NONE};

/// A named column of numbers, NaN where a row has none.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberColumn {
    /// Its name as in the file (`snr`, `prad`, `period`…).
    pub name: String,
    /// One number per row.
    pub values: Vec<f64>,
}

/// Signals as a reader gives them, in the table's order. Times in days.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignalTable {
    /// Per signal: its id; made from the row number where the table has none.
    pub id: Vec<String>,
    /// Per signal: id of the simulation it belongs to; empty where the table names subjects only.
    pub simulation: Vec<String>,
    /// Per signal: id of the subject it lies in; empty where the table names simulations only.
    pub subject: Vec<String>,
    /// Per signal: left end. Finite.
    pub x_min_days: Vec<f64>,
    /// Per signal: right end. Finite, right of `x_min_days`.
    pub x_max_days: Vec<f64>,
    /// What else is known of them.
    pub columns: Vec<NumberColumn>,
}

/// Signals joined to the subjects of a [`Marks`].
///
/// Subjects that show the same simulation form one group, with the same signals; a subject of a truth
/// table is a group of its own. Within a group the signals keep the table's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals {
    /// Per subject: its group, or [`NONE`] for a subject of which no signal is known.
    pub group: Vec<u32>,
    /// Where each group's signals begin: `n_groups + 1` entries.
    pub start: Vec<u32>,
    /// Per signal: its id.
    pub id: Vec<String>,
    /// Per signal: left end, days.
    pub x_min_days: Vec<f64>,
    /// Per signal: right end, days.
    pub x_max_days: Vec<f64>,
    /// Per signal: row in the [`SignalTable`].
    pub row: Vec<u32>,
    /// What else is known of them.
    pub columns: Vec<NumberColumn>,
    /// Signals of the table whose simulation or subject nobody classified.
    pub n_unplaced: u64,
}

impl SignalTable {
    /// How many signals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    /// Joins by simulation where both sides name simulations, by subject otherwise.
    #[must_use]
    pub fn join(&self, marks: &Marks) -> Signals {
        let mut group = vec![NONE; marks.n_subjects()];
        // Simulations come first, then subjects that are named by themselves.
        let n_simulations = marks.simulations.len();
        let mut of_row: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut n_unplaced = 0;
        for row in 0..self.len() {
            let simulation = marks.simulations.binary_search(&self.simulation[row]).ok();
            let subject = marks.subjects.binary_search(&self.subject[row]).ok();
            let key = match (simulation, subject) {
                (Some(simulation), _) if !self.simulation[row].is_empty() => Some(simulation),
                (_, Some(subject)) => Some(match marks.simulation[subject] {
                    NONE => n_simulations + subject,
                    simulation => simulation as usize,
                }),
                _ => None,
            };
            match key {
                Some(key) => of_row.entry(key).or_default().push(row),
                None => n_unplaced += 1,
            }
        }
        let mut out = Signals { start: vec![0], n_unplaced, ..Signals::default() };
        let mut group_of_simulation = vec![NONE; n_simulations];
        for (at, (&key, rows)) in of_row.iter().enumerate() {
            let index = u32::try_from(at).unwrap_or(NONE);
            match key.checked_sub(n_simulations) {
                None => group_of_simulation[key] = index,
                Some(subject) => group[subject] = index,
            }
            for &row in rows {
                out.id.push(self.id[row].clone());
                out.x_min_days.push(self.x_min_days[row]);
                out.x_max_days.push(self.x_max_days[row]);
                out.row.push(u32::try_from(row).unwrap_or(NONE));
            }
            out.start.push(u32::try_from(out.id.len()).unwrap_or(NONE));
        }
        for (subject, group) in group.iter_mut().enumerate() {
            if marks.simulation[subject] != NONE {
                *group = group_of_simulation[marks.simulation[subject] as usize];
            }
        }
        let pick = |c: &NumberColumn| NumberColumn {
            name: c.name.clone(),
            values: out.row.iter().map(|&r| c.values[r as usize]).collect(),
        };
        let columns = self.columns.iter().map(pick).collect();
        Signals { group, columns, ..out }
    }
}

impl Signals {
    /// How many signals were placed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    /// How many groups of subjects.
    #[must_use]
    pub fn n_groups(&self) -> usize {
        self.start.len().saturating_sub(1)
    }

    /// The signals of a subject.
    #[must_use]
    pub fn of(&self, subject: usize) -> std::ops::Range<usize> {
        match self.group.get(subject) {
            Some(&group) if group != NONE => {
                self.start[group as usize] as usize..self.start[group as usize + 1] as usize
            }
            _ => 0..0,
        }
    }

    /// A column by any of several names, in any case.
    #[must_use]
    pub fn column(&self, names: &[&str]) -> Option<&NumberColumn> {
        names.iter().find_map(|name| self.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)))
    }
}
