//! Live: one classification at a time, with the features, weights and scores of a full run.
//!
//! A full run looks for the fixed point of equations 6 and 7: scores from weights, weights from scores.
//! [`Live`] keeps that fixed point while classifications come in. A new one changes the features of one
//! subject exactly; its voters' mean agreements change, and a weight that moved by more than
//! [`Live::THRESHOLD`] is passed on to the scores of its volunteer's other subjects, the largest change
//! first, at most [`Live::BUDGET`] subjects an event. What is smaller, or beyond the budget, waits: for
//! the next event or for [`Live::settle`].
//!
//! Hence two tolerances, both tested: at any moment features, votes and seed weights are those of a full
//! run, and scores lie within 1e-2 of its fixed point (a busy volunteer's small change may wait); after
//! [`Live::settle`] weights and scores are those of a full run (iterated to 1e-13) to 1e-9.
//!
//! Weights are kept unnormalised (equation 6 does not see their scale) and normalised where they are
//! read. Grouping by [`Grouping::Modes`] or [`Grouping::Twins`]; the released rules depend on the order
//! of rows and on its own loop, and are refused. No storage and no clock here.

use std::collections::BTreeMap;

use volary_core::marks::{LightCurves, Marks, NONE, Signals, Stamps};

use super::build::{Candidate, Group, group_candidates};
use super::couple::share_of_sums;
use super::live_seeds::Seeds;
use super::params::{Grouping, MarkParams, Voting};
use super::score::{effective_votes, interval_of};
use super::types::midpoint;
use super::vote::{Bounds, agree};
use crate::error::CrowdError;
use crate::interval::Interval;
use crate::repeats::Repeats;

/// One classification as it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Index of the subject.
    pub subject: u32,
    /// Index of the volunteer.
    pub volunteer: u32,
    /// The marked ranges, days; reversed ones are swapped, infinite ones ignored.
    pub marks: Vec<(f64, f64)>,
}

/// What an event changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Whether the classification counts (a repeat may not).
    pub counts: bool,
    /// Features of the subject now.
    pub n_features: u32,
    /// Subjects whose scores were worked out again.
    pub n_subjects: u32,
    /// Volunteers whose weight change waits.
    pub n_waiting: u32,
}

/// A scored feature of one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveFeature {
    /// Left end, days.
    pub x_min_days: f64,
    /// Right end, days.
    pub x_max_days: f64,
    /// Volunteers who marked it.
    pub yes: Vec<u32>,
    /// Score.
    pub score: f64,
    /// Its interval.
    pub interval: Interval,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveView {
    pub(crate) volunteer: u32,
    pub(crate) marks: Vec<(f64, f64)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveSubject {
    pub(crate) views: Vec<LiveView>,
    voters: Vec<u32>,
    bounds: Vec<(f64, f64)>,
    yes: Vec<Vec<u32>>,
    score: Vec<f64>,
    against: f64,
}

#[derive(Clone, Debug, Default)]
struct LiveVolunteer {
    subjects: Vec<u32>,
    // Σ of the scores of own votes, and over how many features.
    agreement: f64,
    n_features: u32,
    // The unnormalised weight that the scores are made with.
    weight: f64,
}

/// Features, weights and scores kept up to date. See the module's documentation.
#[derive(Debug)]
pub struct Live {
    params: MarkParams,
    stamps: Vec<Stamps>,
    stamps_of: Vec<u32>,
    subjects: Vec<LiveSubject>,
    volunteers: Vec<LiveVolunteer>,
    seeds: Seeds,
    waiting: BTreeMap<u32, f64>,
}

impl Live {
    /// A weight change (of weights whose mean is about the mean agreement, 0.5 to 1) that is passed on.
    pub const THRESHOLD: f64 = 1e-3;
    /// Subjects worked out again in one event at most.
    pub const BUDGET: usize = 2000;

    /// Starts with what there is, settled. Subjects and volunteers are those of `marks`; more come with
    /// [`Live::add_subject`] and [`Live::add_volunteer`].
    ///
    /// # Errors
    /// Where a constant is out of its range, or the rules are the released code's.
    pub fn new(
        marks: &Marks,
        curves: &LightCurves,
        signals: &Signals,
        params: &MarkParams,
    ) -> Result<Self, CrowdError> {
        params.check()?;
        let released = params.grouping == Grouping::Released
            || params.voting == Voting::Released
            || params.released_loop
            || params.viewers_per_simulation.is_some()
            || !params.couple;
        if released {
            let name = "live marks under the released rules, uncoupled or with groups of viewers";
            return Err(CrowdError::Marks {
                name,
                value: 1.0,
                must: "0: none of them can be kept live",
            });
        }
        let mut live = Self {
            params: params.clone(),
            stamps: curves.stamps.clone(),
            stamps_of: curves.of_subject.clone(),
            subjects: vec![LiveSubject::default(); marks.n_subjects()],
            volunteers: vec![
                LiveVolunteer { weight: 1.0, ..LiveVolunteer::default() };
                marks.n_volunteers()
            ],
            seeds: Seeds::new(marks.n_subjects(), marks.n_volunteers(), signals),
            waiting: BTreeMap::new(),
        };
        live.stamps_of.resize(marks.n_subjects(), NONE);
        for subject in 0..marks.n_subjects() {
            for view in marks.views_of(subject) {
                let ranges =
                    marks.marks_of(view).map(|m| (marks.x_min_days[m], marks.x_max_days[m])).collect();
                live.put(subject, LiveView { volunteer: marks.view_volunteer[view], marks: ranges });
            }
        }
        live.seeds.all(&live.subjects, &live.params);
        for subject in 0..marks.n_subjects() {
            live.regroup(subject);
        }
        live.settle();
        Ok(live)
    }

    /// A new subject without simulation; gives its index.
    pub fn add_subject(&mut self, stamps: Option<Stamps>) -> u32 {
        let index = u32::try_from(self.subjects.len()).unwrap_or(NONE);
        self.subjects.push(LiveSubject::default());
        self.stamps_of.push(stamps.map_or(NONE, |s| {
            self.stamps.push(s);
            u32::try_from(self.stamps.len() - 1).unwrap_or(NONE)
        }));
        self.seeds.add_subject();
        index
    }

    /// A new volunteer; gives their index.
    pub fn add_volunteer(&mut self) -> u32 {
        let index = u32::try_from(self.volunteers.len()).unwrap_or(NONE);
        // Somebody of whom nothing is known weighs what everybody weighs on the mean.
        let weight = self.mean_weight();
        self.volunteers.push(LiveVolunteer { weight, ..LiveVolunteer::default() });
        self.seeds.add_volunteer();
        index
    }

    /// Takes a classification in.
    ///
    /// # Panics
    /// When the subject or the volunteer is not known.
    pub fn classify(&mut self, event: &Event) -> Change {
        let subject = event.subject as usize;
        let ranges = ordered(&event.marks, self.params.repeats);
        if !self.put(subject, LiveView { volunteer: event.volunteer, marks: ranges }) {
            return Change { n_waiting: self.n_waiting(), ..Change::default() };
        }
        self.seeds.touch(&self.subjects, subject, &self.params);
        self.regroup(subject);
        let n_subjects = 1 + self.pass_on();
        Change {
            counts: true,
            n_features: u32::try_from(self.subjects[subject].bounds.len()).unwrap_or(NONE),
            n_subjects: u32::try_from(n_subjects).unwrap_or(NONE),
            n_waiting: self.n_waiting(),
        }
    }

    fn n_waiting(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(NONE)
    }

    /// Adds a view; false where it is a repeat that does not count.
    fn put(&mut self, subject: usize, view: LiveView) -> bool {
        let views = &mut self.subjects[subject].views;
        let known = views.iter().position(|v| v.volunteer == view.volunteer);
        match (known, self.params.repeats) {
            (Some(_), Repeats::First) => return false,
            (Some(at), Repeats::Last) => views[at] = view,
            (Some(_), Repeats::All) => views.push(view),
            (None, _) => {
                self.volunteers[view.volunteer as usize]
                    .subjects
                    .push(u32::try_from(subject).unwrap_or(NONE));
                views.push(view);
            }
        }
        true
    }

    /// Features and votes of a subject anew, and its scores with the weights at hand.
    fn regroup(&mut self, subject: usize) {
        self.withdraw(subject);
        let here = &self.subjects[subject];
        let (candidates, owner) = candidates(&here.views);
        let stamps = self.stamps.get(self.stamps_of[subject] as usize);
        let groups = group_candidates(candidates, stamps, &self.params);
        let yes: Vec<Vec<u32>> =
            groups.iter().map(|g| yes_of(&here.views, g, &owner, &self.params)).collect();
        let mut voters: Vec<u32> = here.views.iter().map(|v| v.volunteer).collect();
        voters.sort_unstable();
        voters.dedup();
        let here = &mut self.subjects[subject];
        here.bounds = groups.iter().map(|g| (g.x_min, g.x_max)).collect();
        here.score = vec![0.0; groups.len()];
        (here.yes, here.voters) = (yes, voters);
        self.rescore(subject);
        self.deposit(subject);
    }

    /// Takes a subject's votes out of its voters' agreements.
    fn withdraw(&mut self, subject: usize) {
        self.book(subject, -1.0);
    }

    /// Puts them back in.
    fn deposit(&mut self, subject: usize) {
        self.book(subject, 1.0);
        let here = &self.subjects[subject];
        for &k in &here.voters {
            note(&mut self.waiting, &self.volunteers, k);
        }
    }

    fn book(&mut self, subject: usize, sign: f64) {
        let here = &self.subjects[subject];
        let n = u32::try_from(here.bounds.len()).unwrap_or(NONE);
        for &k in &here.voters {
            let volunteer = &mut self.volunteers[k as usize];
            volunteer.agreement += sign * here.against;
            volunteer.n_features = match sign > 0.0 {
                true => volunteer.n_features + n,
                false => volunteer.n_features - n,
            };
        }
        for (yes, score) in here.yes.iter().zip(&here.score) {
            for &k in yes {
                self.volunteers[k as usize].agreement += sign * (2.0 * score - 1.0);
            }
        }
    }

    /// Equation 6 for one subject.
    fn rescore(&mut self, subject: usize) {
        let here = &mut self.subjects[subject];
        let weight = |k: &u32| self.volunteers[*k as usize].weight;
        let total: f64 = here.voters.iter().map(weight).sum();
        here.against = 0.0;
        for (yes, score) in here.yes.iter().zip(&mut here.score) {
            let sum: f64 = yes.iter().map(weight).sum();
            *score = share_of_sums(yes.len(), here.voters.len(), sum, total);
            here.against += 1.0 - *score;
        }
    }

    /// Passes weight changes on, the largest first, until none is above the threshold or the budget is
    /// spent; gives the number of subjects worked out.
    fn pass_on(&mut self) -> usize {
        let mut n = 0;
        loop {
            let next = self
                .waiting
                .iter()
                .filter(|(k, _)| n + self.volunteers[**k as usize].subjects.len() <= Self::BUDGET)
                .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)))
                .map(|(&k, _)| k);
            let Some(k) = next else { return n };
            self.waiting.remove(&k);
            let volunteer = &mut self.volunteers[k as usize];
            volunteer.weight = agreement(volunteer);
            let subjects = volunteer.subjects.clone();
            n += subjects.len();
            for &s in &subjects {
                self.withdraw(s as usize);
                self.rescore(s as usize);
                self.deposit(s as usize);
            }
        }
    }

    /// Does what a full run does: starts from the seed weights and iterates to the fixed point (1e-13).
    /// Gives the number of rounds.
    pub fn settle(&mut self) -> u32 {
        let seeds = self.seeds.weights(&self.params).seed;
        let mut n_rounds = 1000;
        self.waiting.clear();
        self.weigh_all(&seeds);
        let (mut old, mut before, mut is_damped) = (seeds, Vec::new(), false);
        for round in 1..=1000 {
            let scale = 1.0 / self.mean_agreement();
            let normalised = |v: &LiveVolunteer| match v.n_features {
                0 => v.weight,
                _ => agreement(v) * scale,
            };
            let mut new: Vec<f64> = self.volunteers.iter().map(normalised).collect();
            if is_damped {
                new.iter_mut().zip(&old).for_each(|(new, old)| *new = 0.5 * (*new + old));
            }
            let largest = largest_change(&new, &old);
            // A two-cycle is told as in a full run.
            is_damped |= !before.is_empty() && largest_change(&new, &before) < 0.1 * largest;
            self.weigh_all(&new);
            before = std::mem::replace(&mut old, new);
            if largest <= 1e-13 {
                n_rounds = round;
                break;
            }
        }
        // From here on weights are mean agreements: the same up to a scale that scores do not see.
        for volunteer in &mut self.volunteers {
            volunteer.weight = agreement(volunteer);
        }
        n_rounds
    }

    /// All scores with these weights, and all agreements with the scores.
    fn weigh_all(&mut self, weights: &[f64]) {
        for (volunteer, weight) in self.volunteers.iter_mut().zip(weights) {
            (volunteer.weight, volunteer.agreement, volunteer.n_features) = (*weight, 0.0, 0);
        }
        for subject in 0..self.subjects.len() {
            self.rescore(subject);
            self.book(subject, 1.0);
        }
    }

    fn mean_agreement(&self) -> f64 {
        mean(self.volunteers.iter().filter(|v| v.n_features > 0).map(agreement))
    }

    fn mean_weight(&self) -> f64 {
        mean(self.volunteers.iter().filter(|v| v.n_features > 0).map(|v| v.weight))
    }

    /// Scored features of a subject, by midpoint.
    #[must_use]
    pub fn features(&self, subject: u32) -> Vec<LiveFeature> {
        let here = &self.subjects[subject as usize];
        let weight: BTreeMap<u32, f64> =
            here.voters.iter().map(|&k| (k, self.volunteers[k as usize].weight)).collect();
        let weights: Vec<f64> = weight.values().copied().collect();
        let places: Vec<u32> = (0..u32::try_from(weights.len()).unwrap_or(NONE)).collect();
        let n_effective = effective_votes(&places, &weights);
        let feature = |i: usize| LiveFeature {
            x_min_days: here.bounds[i].0,
            x_max_days: here.bounds[i].1,
            yes: here.yes[i].clone(),
            score: here.score[i],
            interval: interval_of(here.score[i], n_effective, self.params.level),
        };
        (0..here.bounds.len()).map(feature).collect()
    }

    /// Weights with mean 1 over the volunteers with features; the others have their seed weight.
    #[must_use]
    pub fn weights(&self) -> Vec<f64> {
        let (mean, seeds) = (self.mean_weight(), self.seeds.weights(&self.params).seed);
        let of =
            |(v, seed): (&LiveVolunteer, f64)| if v.n_features > 0 { v.weight / mean } else { seed };
        self.volunteers.iter().zip(seeds).map(of).collect()
    }

    /// Seed weights as a full run has them.
    #[must_use]
    pub fn seeds(&self) -> Vec<f64> {
        self.seeds.weights(&self.params).seed
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), v| (n + 1.0, sum + v));
    if n > 0.0 && sum > 0.0 { sum / n } else { 1.0 }
}

fn agreement(volunteer: &LiveVolunteer) -> f64 {
    match volunteer.n_features {
        0 => volunteer.weight,
        n => volunteer.agreement / f64::from(n),
    }
}

fn largest_change(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Puts a volunteer on the waiting list, or takes them off it.
fn note(waiting: &mut BTreeMap<u32, f64>, volunteers: &[LiveVolunteer], k: u32) {
    let volunteer = &volunteers[k as usize];
    let change = (agreement(volunteer) - volunteer.weight).abs();
    if change > Live::THRESHOLD {
        waiting.insert(k, change);
    } else {
        waiting.remove(&k);
    }
}

fn ordered(marks: &[(f64, f64)], repeats: Repeats) -> Vec<(f64, f64)> {
    let finite = marks.iter().filter(|m| m.0.is_finite() && m.1.is_finite());
    let mut all: Vec<(f64, f64)> = finite.map(|m| (m.0.min(m.1), m.0.max(m.1))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    if repeats != Repeats::All {
        all.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq() && a.1.total_cmp(&b.1).is_eq());
    }
    all
}

/// Marks of a subject, numbered; and the view of each.
fn candidates(views: &[LiveView]) -> (Vec<Candidate>, Vec<u32>) {
    let (mut all, mut owner) = (Vec::new(), Vec::new());
    for view in views {
        for &(x_min, x_max) in &view.marks {
            let mark = u32::try_from(all.len()).unwrap_or(NONE);
            let mid = midpoint(x_min, x_max);
            all.push(Candidate { mark, volunteer: view.volunteer, x_min, x_max, mid });
            owner.push(view.volunteer);
        }
    }
    (all, owner)
}

fn yes_of(views: &[LiveView], group: &Group, owner: &[u32], params: &MarkParams) -> Vec<u32> {
    let mut yes: Vec<u32> = group.members.iter().map(|&m| owner[m as usize]).collect();
    if params.voting == Voting::Paper {
        let feature = Bounds::new(group.x_min, group.x_max);
        let says =
            |v: &&LiveView| v.marks.iter().any(|&(a, b)| agree(&feature, &Bounds::new(a, b), params));
        yes.extend(views.iter().filter(says).map(|v| v.volunteer));
    }
    yes.sort_unstable();
    yes.dedup();
    yes
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
