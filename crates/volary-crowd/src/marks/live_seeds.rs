//! Seed weights kept up to date for [`super::live`]: when a simulation is classified, the completeness of
//! its signals changes, and with it what every viewer of it has earned.

use volary_core::marks::{Marks, MarksBuilder, NONE, Signals};

use super::live::LiveSubject;
use super::params::MarkParams;
use super::types::VolunteerWeights;
use super::weigh::{normalise, weigh};

/// Viewer, earned, lost, shown, hit.
type Earned = (u32, f64, f64, u32, u32);

/// What every volunteer has earned and lost on simulations.
#[derive(Debug)]
pub(crate) struct Seeds {
    signals: Signals,
    // Per group of subjects with the same signals: its subjects.
    subjects_of: Vec<Vec<u32>>,
    // Per group: what each viewer earned, lost, was shown and hit.
    earned: Vec<Vec<Earned>>,
    upweight: Vec<f64>,
    downweight: Vec<f64>,
    n_signals: Vec<u32>,
    n_hits: Vec<u32>,
}

impl Seeds {
    pub(crate) fn new(n_subjects: usize, n_volunteers: usize, signals: &Signals) -> Self {
        let mut subjects_of = vec![Vec::new(); signals.n_groups()];
        for subject in 0..n_subjects.min(signals.group.len()) {
            if signals.group[subject] != NONE {
                subjects_of[signals.group[subject] as usize]
                    .push(u32::try_from(subject).unwrap_or(NONE));
            }
        }
        Self {
            earned: vec![Vec::new(); signals.n_groups()],
            subjects_of,
            signals: signals.clone(),
            upweight: vec![1.0; n_volunteers],
            downweight: vec![1.0; n_volunteers],
            n_signals: vec![0; n_volunteers],
            n_hits: vec![0; n_volunteers],
        }
    }

    pub(crate) fn add_subject(&mut self) {
        self.signals.group.push(NONE);
    }

    pub(crate) fn add_volunteer(&mut self) {
        self.upweight.push(1.0);
        self.downweight.push(1.0);
        self.n_signals.push(0);
        self.n_hits.push(0);
    }

    /// Everything.
    pub(crate) fn all(&mut self, subjects: &[LiveSubject], params: &MarkParams) {
        for group in 0..self.subjects_of.len() {
            self.regroup(group, subjects, params);
        }
    }

    /// The simulation of a subject whose views changed.
    pub(crate) fn touch(&mut self, subjects: &[LiveSubject], subject: usize, params: &MarkParams) {
        match self.signals.group.get(subject) {
            Some(&group) if group != NONE => self.regroup(group as usize, subjects, params),
            _ => {}
        }
    }

    fn regroup(&mut self, group: usize, subjects: &[LiveSubject], params: &MarkParams) {
        for &(k, up, down, shown, hits) in &self.earned[group] {
            let k = k as usize;
            self.upweight[k] -= up;
            self.downweight[k] -= down;
            self.n_signals[k] -= shown;
            self.n_hits[k] -= hits;
        }
        let (marks, signals, volunteers) = self.excerpt(group, subjects);
        // A constant out of its range was refused when the structure was made.
        let Ok(weighed) = weigh(&marks, &signals, params) else { return };
        let of = weighed.weights;
        self.earned[group] = volunteers
            .iter()
            .enumerate()
            .map(|(i, &k)| {
                (k, of.upweight[i] - 1.0, of.downweight[i] - 1.0, of.n_signals[i], of.n_hits[i])
            })
            .collect();
        for &(k, up, down, shown, hits) in &self.earned[group] {
            let k = k as usize;
            self.upweight[k] += up;
            self.downweight[k] += down;
            self.n_signals[k] += shown;
            self.n_hits[k] += hits;
        }
    }

    /// The views of one simulation as a table of their own, its signals, and who its volunteers are.
    fn excerpt(&self, group: usize, subjects: &[LiveSubject]) -> (Marks, Signals, Vec<u32>) {
        let mut builder = MarksBuilder::default();
        let name = |n: u32| format!("{n:010}");
        let mut at: u128 = 0;
        for &subject in &self.subjects_of[group] {
            for view in &subjects[subject as usize].views {
                let index = builder.view(&name(subject), &name(view.volunteer), None, at);
                at += 1;
                for &(a, b) in &view.marks {
                    builder.mark(index, a, b);
                }
            }
        }
        let marks = builder.finish();
        let volunteers = marks.volunteers.iter().map(|n| n.parse().unwrap_or(NONE)).collect();
        let own = self.signals.start[group] as usize..self.signals.start[group + 1] as usize;
        let signals = Signals {
            group: vec![0; marks.n_subjects()],
            start: vec![0, u32::try_from(own.len()).unwrap_or(NONE)],
            id: self.signals.id[own.clone()].to_vec(),
            x_min_days: self.signals.x_min_days[own.clone()].to_vec(),
            x_max_days: self.signals.x_max_days[own.clone()].to_vec(),
            row: self.signals.row[own].to_vec(),
            ..Signals::default()
        };
        (marks, signals, volunteers)
    }

    /// Seed weights of all volunteers.
    pub(crate) fn weights(&self, params: &MarkParams) -> VolunteerWeights {
        let mut weights = VolunteerWeights {
            upweight: self.upweight.clone(),
            downweight: self.downweight.clone(),
            n_signals: self.n_signals.clone(),
            n_hits: self.n_hits.clone(),
            ..VolunteerWeights::default()
        };
        normalise(&mut weights, params);
        weights
    }
}
