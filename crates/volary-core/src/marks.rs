//! Ranges that volunteers marked on light curves, and what is known of those light curves: the flat
//! arrays that readers fill and the mark pipeline (`volary_crowd::marks`) reads.
//!
//! A [`Marks`] is canonical: subjects and volunteers are sorted by their text, views (one volunteer
//! looking once at one subject) by (subject, volunteer, time, id), the marks of a view by their bounds;
//! so the order of the input never matters. The input's own order is kept beside, as ranks, since the
//! released SATCHEL code depends on it. No matching, no grouping here.

mod builder;
mod curves;
mod signals;

pub use builder::{MarksBuilder, order_key};
pub use curves::{CurveTable, LightCurves, Stamps};
pub use signals::{NumberColumn, SignalTable, Signals};

/// "None" in a column of indices.
pub const NONE: u32 = u32::MAX;

/// Views and marks as flat arrays; see the module's documentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Subject ids, ascending by their bytes.
    pub subjects: Vec<String>,
    /// Volunteer keys, ascending by their bytes.
    pub volunteers: Vec<String>,
    /// Ids of simulations (light curves with injected signals), ascending by their bytes.
    pub simulations: Vec<String>,
    /// Per subject: index into `simulations`, or [`NONE`].
    pub simulation: Vec<u32>,
    /// Stars that the input names (Kepler ids), ascending by their bytes.
    pub stars: Vec<String>,
    /// Per subject: index into `stars`, or [`NONE`].
    pub star: Vec<u32>,
    /// Per subject: start of the light curve segment, days; NaN where the input does not say.
    pub start_days: Vec<f64>,
    /// Where each subject's views begin: `n_subjects + 1` entries.
    pub view_start: Vec<u32>,
    /// Per view: index into `subjects`, ascending.
    pub view_subject: Vec<u32>,
    /// Per view: index into `volunteers`.
    pub view_volunteer: Vec<u32>,
    /// Per view: milliseconds since 1970; `i64::MIN` where unknown.
    pub view_created_ms: Vec<i64>,
    /// Per view: rank of its first row in the input.
    pub view_rank: Vec<u32>,
    /// Where each view's marks begin: `n_views + 1` entries. A view without marks has none.
    pub mark_start: Vec<u32>,
    /// Per mark: left end, days. Finite.
    pub x_min_days: Vec<f64>,
    /// Per mark: right end, days. Finite, never left of `x_min_days`.
    pub x_max_days: Vec<f64>,
    /// Per mark: rank of its row in the input.
    pub mark_rank: Vec<u32>,
}

impl Marks {
    /// How many subjects.
    #[must_use]
    pub fn n_subjects(&self) -> usize {
        self.subjects.len()
    }

    /// How many volunteers.
    #[must_use]
    pub fn n_volunteers(&self) -> usize {
        self.volunteers.len()
    }

    /// How many views, with and without marks.
    #[must_use]
    pub fn n_views(&self) -> usize {
        self.view_subject.len()
    }

    /// How many marks.
    #[must_use]
    pub fn n_marks(&self) -> usize {
        self.x_min_days.len()
    }

    /// The views of a subject.
    #[must_use]
    pub fn views_of(&self, subject: usize) -> std::ops::Range<usize> {
        self.view_start[subject] as usize..self.view_start[subject + 1] as usize
    }

    /// The marks of a view.
    #[must_use]
    pub fn marks_of(&self, view: usize) -> std::ops::Range<usize> {
        self.mark_start[view] as usize..self.mark_start[view + 1] as usize
    }

    /// The marks of all views of a subject: one run, since views are sorted by subject.
    #[must_use]
    pub fn marks_in(&self, subject: usize) -> std::ops::Range<usize> {
        let views = self.views_of(subject);
        self.mark_start[views.start] as usize..self.mark_start[views.end] as usize
    }

    /// Per mark: its view.
    #[must_use]
    pub fn view_of_marks(&self) -> Vec<u32> {
        let mut of = Vec::with_capacity(self.n_marks());
        for view in 0..self.n_views() {
            let index = u32::try_from(view).unwrap_or(NONE);
            of.resize(self.mark_start[view + 1] as usize, index);
        }
        of
    }

    /// The same without the views for which `keep` is false, nor their marks. Subjects and volunteers
    /// stay, so that indices keep their meaning.
    ///
    /// # Panics
    /// When `keep` has not one entry per view.
    #[must_use]
    pub fn retain_views(&self, keep: &[bool]) -> Self {
        assert_eq!(keep.len(), self.n_views(), "one decision per view");
        let mut out = Self {
            view_start: vec![0],
            view_subject: Vec::new(),
            view_volunteer: Vec::new(),
            view_created_ms: Vec::new(),
            view_rank: Vec::new(),
            mark_start: vec![0],
            x_min_days: Vec::new(),
            x_max_days: Vec::new(),
            mark_rank: Vec::new(),
            ..self.clone()
        };
        for subject in 0..self.n_subjects() {
            for view in self.views_of(subject).filter(|&v| keep[v]) {
                out.view_subject.push(self.view_subject[view]);
                out.view_volunteer.push(self.view_volunteer[view]);
                out.view_created_ms.push(self.view_created_ms[view]);
                out.view_rank.push(self.view_rank[view]);
                let marks = self.marks_of(view);
                out.x_min_days.extend_from_slice(&self.x_min_days[marks.clone()]);
                out.x_max_days.extend_from_slice(&self.x_max_days[marks.clone()]);
                out.mark_rank.extend_from_slice(&self.mark_rank[marks]);
                out.mark_start.push(u32::try_from(out.x_min_days.len()).unwrap_or(NONE));
            }
            out.view_start.push(u32::try_from(out.view_subject.len()).unwrap_or(NONE));
        }
        out
    }
}

#[cfg(test)]
#[path = "marks/marks_tests.rs"]
mod tests;
