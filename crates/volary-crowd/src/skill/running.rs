//! Dawid–Skene and IBCC one vote at a time.
//!
//! Incremental EM (Neal & Hinton 1998): a vote redoes the posterior of its item, and the counts of that
//! item's voters move by what the posterior moved. Work per vote is the item's votes times the classes;
//! no vote is ever gone over twice but for [`RunningSkill::settle`], which sweeps over all items until
//! nothing moves and so ends where the batch model ends (to the tolerance it is given). The state is a
//! sum, so it can be saved and taken up again.
//!
//! Items, volunteers and labels are numbers here; the live engine keeps their names.

use crate::skill::em::softmax;
use crate::special::digamma;

/// How counts become log chances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The log of the mean: Dawid–Skene with pseudo-votes.
    Mean,
    /// The mean of the log: variational IBCC.
    #[default]
    ExpectedLog,
}

/// A model that takes votes as they come.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningSkill {
    n_classes: usize,
    rule: Rule,
    /// `[given][true]`.
    prior: Vec<f64>,
    prior_totals: Vec<f64>,
    prevalence_prior: f64,
    /// Sum of all posteriors.
    classes: Vec<f64>,
    items: Vec<Item>,
    volunteers: Vec<Volunteer>,
    scores: Vec<f64>,
    fresh: Vec<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Item {
    votes: Vec<(u32, u32)>,
    posterior: Vec<f64>,
    is_gold: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Volunteer {
    /// Soft counts `[given][true]`; empty until the first vote.
    counts: Vec<f64>,
    totals: Vec<f64>,
}

impl RunningSkill {
    /// A model of `n_classes` with pseudo-votes `[true][given]` in every volunteer's matrix, as
    /// [`crate::skill::ibcc::Ibcc::prior`] gives them, and pseudo-items of each class.
    #[must_use]
    pub fn new(n_classes: usize, rule: Rule, prior: &[f64], prevalence_prior: f64) -> Self {
        let k = n_classes;
        Self {
            n_classes,
            rule,
            prior: (0..k * k).map(|at| prior[at % k * k + at / k]).collect(),
            prior_totals: prior.chunks_exact(k.max(1)).map(|row| row.iter().sum()).collect(),
            prevalence_prior,
            classes: vec![0.0; k],
            items: Vec::new(),
            volunteers: Vec::new(),
            scores: vec![0.0; k],
            fresh: vec![0.0; k],
        }
    }

    /// Takes in a vote. Items and volunteers appear with their first one.
    ///
    /// # Panics
    /// When `label` is not below the number of classes.
    pub fn add(&mut self, item: usize, volunteer: u32, label: u32) {
        assert!((label as usize) < self.n_classes, "a label beyond the classes");
        self.make(item);
        let w = volunteer as usize;
        if self.volunteers.len() <= w {
            self.volunteers.resize_with(w + 1, Volunteer::default);
        }
        let k = self.n_classes;
        let person = &mut self.volunteers[w];
        if person.counts.is_empty() {
            person.counts = vec![0.0; k * k];
            person.totals = vec![0.0; k];
        }
        if self.items[item].votes.is_empty() && !self.items[item].is_gold {
            self.open(item);
        }
        let person = &mut self.volunteers[w];
        let own = &mut person.counts[label as usize * k..(label as usize + 1) * k];
        for (truth, q) in self.items[item].posterior.iter().enumerate() {
            own[truth] += q;
            person.totals[truth] += q;
        }
        self.items[item].votes.push((volunteer, label));
        self.redo(item);
    }

    /// Says what an item is, before or after its votes.
    pub fn know(&mut self, item: usize, class: usize) {
        self.make(item);
        let mut posterior = vec![0.0; self.n_classes];
        posterior[class] = 1.0;
        if self.items[item].is_gold || self.items[item].votes.is_empty() {
            self.items[item].posterior = posterior;
        } else {
            // Gold items do not count for prevalence.
            let old = self.items[item].posterior.clone();
            self.classes.iter_mut().zip(&old).for_each(|(c, q)| *c -= q);
            self.fresh.copy_from_slice(&posterior);
            self.move_voters(item);
        }
        self.items[item].is_gold = true;
    }

    fn make(&mut self, item: usize) {
        if self.items.len() <= item {
            let k = self.n_classes;
            let empty = || Item { posterior: vec![0.0; k], ..Item::default() };
            self.items.resize_with(item + 1, empty);
        }
    }

    /// An item's first vote finds it at the prevalence.
    fn open(&mut self, item: usize) {
        let size = self.classes.iter().sum::<f64>() + self.prevalence_prior * self.n_classes as f64;
        let posterior = &mut self.items[item].posterior;
        for (q, c) in posterior.iter_mut().zip(&mut self.classes) {
            *q = (*c + self.prevalence_prior) / size;
        }
        self.classes.iter_mut().zip(posterior).for_each(|(c, q)| *c += *q);
    }

    fn log_chance(&self, mass: f64) -> f64 {
        match self.rule {
            Rule::Mean => mass.ln(),
            Rule::ExpectedLog => digamma(mass),
        }
    }

    /// Redoes an item and returns the largest move of its posterior.
    fn redo(&mut self, item: usize) -> f64 {
        if self.items[item].is_gold || self.items[item].votes.is_empty() {
            return 0.0;
        }
        let k = self.n_classes;
        let mut scores = std::mem::take(&mut self.scores);
        for (truth, score) in scores.iter_mut().enumerate() {
            *score = self.log_chance(self.classes[truth] + self.prevalence_prior);
        }
        for &(w, label) in &self.items[item].votes {
            let person = &self.volunteers[w as usize];
            let at = label as usize * k;
            for (truth, score) in scores.iter_mut().enumerate() {
                *score += self.log_chance(person.counts[at + truth] + self.prior[at + truth])
                    - self.log_chance(person.totals[truth] + self.prior_totals[truth]);
            }
        }
        softmax(&scores, &mut self.fresh);
        self.scores = scores;
        let old = &self.items[item].posterior;
        let change = old.iter().zip(&self.fresh).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        for ((c, old), new) in self.classes.iter_mut().zip(old).zip(&self.fresh) {
            *c += new - old;
        }
        self.move_voters(item);
        change
    }

    /// Moves the counts of an item's voters from its posterior to `fresh`, and the posterior too.
    fn move_voters(&mut self, item: usize) {
        let k = self.n_classes;
        let Item { votes, posterior, .. } = &mut self.items[item];
        for &(w, label) in votes.iter() {
            let person = &mut self.volunteers[w as usize];
            let own = &mut person.counts[label as usize * k..(label as usize + 1) * k];
            for truth in 0..k {
                let by = self.fresh[truth] - posterior[truth];
                own[truth] = (own[truth] + by).max(0.0);
                person.totals[truth] = (person.totals[truth] + by).max(0.0);
            }
        }
        posterior.copy_from_slice(&self.fresh);
    }

    /// Sweeps over all items until no posterior moves by `tolerance`; returns the sweeps it took, and
    /// whether it settled.
    pub fn settle(&mut self, max_sweeps: u32, tolerance: f64) -> (u32, bool) {
        for sweep in 1..=max_sweeps {
            let mut largest = 0.0_f64;
            for item in 0..self.items.len() {
                largest = largest.max(self.redo(item));
            }
            if largest < tolerance {
                return (sweep, true);
            }
        }
        (max_sweeps, false)
    }

    /// The posterior of an item; zeros before its first vote.
    #[must_use]
    pub fn posterior(&self, item: usize) -> &[f64] {
        self.items.get(item).map_or(&[], |i| i.posterior.as_slice())
    }

    /// Items seen so far.
    #[must_use]
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// Dirichlet parameters `[true][given]` of a volunteer; the prior's before their first vote.
    #[must_use]
    pub fn dirichlet(&self, volunteer: usize) -> Vec<f64> {
        let k = self.n_classes;
        let counts = self.volunteers.get(volunteer).map_or(&[][..], |v| v.counts.as_slice());
        let cell = |at: usize| {
            let from = at % k * k + at / k;
            self.prior[from] + counts.get(from).copied().unwrap_or(0.0)
        };
        (0..k * k).map(cell).collect()
    }
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
