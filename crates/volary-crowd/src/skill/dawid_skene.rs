//! Dawid–Skene consensus by EM: who is right, and who confuses what.
//!
//! Dawid & Skene 1979 (doi:10.2307/2346806). The five variants differ in how soft counts become a
//! volunteer's matrix:
//!
//! - `ml`: maximum likelihood. The marginal log-likelihood log Π_t Σ_k π_k Π_w C_w\[k, y\] never falls.
//! - `map`: ½ a pseudo-vote in every cell, and in every class's prevalence.
//! - `shrunk`: every row gets `pseudo_votes` shared out like the crowd's pooled row, so that a volunteer
//!   with few votes looks like the average one (empirical Bayes).
//! - `one-coin`: one accuracy per volunteer, wrong answers spread evenly; Beta(2, 1) pseudo-votes.
//! - `hard`: items are assigned to their best class (Sinha et al. 2018, "fast Dawid–Skene").
//!
//! Differs from `crowd-kit` 1.4.2: the prior enters the likelihood once per item and not once per vote,
//! so the loop does not stop at a fall that is none. Gold items are held fixed and kept out of the
//! prevalence.

use rayon::prelude::*;

use crate::skill::ballots::Ballots;
use crate::skill::em::{self, is_settled};
use crate::skill::fit::Fit;
use crate::skill::matrices::{Matrices, Prior};
use crate::skill::products;

/// Cells below this are raised to it where there is no prior, so that no class becomes impossible.
const FLOOR: f64 = 1e-10;
/// Pseudo-counts in every cell of the pooled matrix.
const POOL_FLOOR: f64 = 0.1;

/// How soft counts become matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// Maximum likelihood.
    Ml,
    /// Half a pseudo-vote in every cell.
    Map,
    /// Shrunk to the crowd's pooled matrix.
    #[default]
    Shrunk,
    /// One accuracy per volunteer.
    OneCoin,
    /// Maximum likelihood with hard assignments.
    Hard,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ml, Self::Map, Self::Shrunk, Self::OneCoin, Self::Hard];

    /// The variant of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| variant.as_str() == name)
    }

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ml => "ml",
            Self::Map => "map",
            Self::Shrunk => "shrunk",
            Self::OneCoin => "one-coin",
            Self::Hard => "hard",
        }
    }
}

/// Dawid–Skene with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DawidSkene {
    /// Which of the five.
    pub variant: Variant,
    /// Most rounds of EM.
    pub max_rounds: u32,
    /// Relative change of the objective at which EM has settled; 0 runs all rounds.
    pub tolerance: f64,
    /// `shrunk`: pseudo-votes per row; `map`: pseudo-votes per cell.
    pub pseudo_votes: f64,
    /// `one-coin`: pseudo-votes (right, wrong).
    pub coin: (f64, f64),
}

impl DawidSkene {
    /// A variant with the settings under which the book's figures were made.
    #[must_use]
    pub fn new(variant: Variant) -> Self {
        let (max_rounds, pseudo_votes) = match variant {
            Variant::Ml | Variant::Hard => (100, 0.0),
            Variant::Map => (500, 0.5),
            Variant::Shrunk => (200, 5.0),
            Variant::OneCoin => (200, 0.0),
        };
        Self { variant, max_rounds, tolerance: 1e-9, pseudo_votes, coin: (2.0, 1.0) }
    }

    /// Fits one question.
    ///
    /// # Shapes
    /// - posterior: `[n_items][n_classes]`, rows sum to 1
    /// - matrices: one row of `n_classes` per (volunteer, label) that occurs
    #[must_use]
    pub fn fit(&self, ballots: &Ballots) -> Fit {
        self.fit_from(ballots, em::vote_shares(ballots))
    }

    /// The same from a given posterior, for warm starts.
    #[must_use]
    pub fn fit_from(&self, ballots: &Ballots, mut posterior: Vec<f64>) -> Fit {
        let k = ballots.n_classes();
        if self.variant == Variant::Hard {
            harden(ballots, &mut posterior);
        }
        let mut rows = vec![0.0; ballots.n_slots() * k];
        let mut history: Vec<f64> = Vec::new();
        let (mut log_likelihood, mut converged) = (0.0, false);
        let mut prevalence = vec![0.0; k];
        let mut prior = Prior::None;
        while history.len() < self.max_rounds as usize && ballots.n_votes() > 0 {
            let mut penalty;
            (prevalence, penalty) = self.prevalence(ballots, &posterior);
            let penalty_rows;
            (prior, penalty_rows) = self.learn(ballots, &posterior, &mut rows);
            penalty += penalty_rows;
            let was = (self.variant == Variant::Hard).then(|| posterior.clone());
            let objective = if was.is_some() {
                log_likelihood = products::judge_logs(ballots, &mut rows, &prevalence, &mut posterior);
                harden_scored(ballots, &rows, &prevalence, &mut posterior)
            } else {
                log_likelihood = products::judge(ballots, &mut rows, &prevalence, &mut posterior);
                log_likelihood + penalty
            };
            let before = history.last().copied();
            history.push(objective);
            let same = was.is_some_and(|was| was == posterior);
            if same || before.is_some_and(|b| is_settled(b, objective, self.tolerance)) {
                converged = true;
                break;
            }
        }
        let mut counts = rows;
        em::count(ballots, &posterior, &mut counts);
        let matrices = Matrices::new(ballots, counts, prior);
        Fit { posterior, prevalence, matrices, log_likelihood, history, converged, ..Fit::default() }
    }

    /// Prevalence, and the log of its prior.
    fn prevalence(&self, ballots: &Ballots, posterior: &[f64]) -> (Vec<f64>, f64) {
        let (totals, n) = em::class_totals(ballots, posterior);
        let k = totals.len() as f64;
        let pseudo = match self.variant {
            Variant::Map => self.pseudo_votes,
            Variant::Shrunk => 1.0,
            Variant::Ml | Variant::OneCoin | Variant::Hard => {
                // n = 0 only without items.
                return (totals.iter().map(|t| (t / n.max(1.0)).max(FLOOR)).collect(), 0.0);
            }
        };
        let shares: Vec<f64> = totals.iter().map(|t| (t + pseudo) / (n + k * pseudo)).collect();
        let penalty = if self.variant == Variant::Map {
            pseudo * shares.iter().map(|p| p.ln()).sum::<f64>()
        } else {
            0.0
        };
        (shares, penalty)
    }

    /// Fills `rows` with the volunteers' chances; returns the prior behind them and the log of its
    /// density, up to a constant.
    fn learn(&self, ballots: &Ballots, posterior: &[f64], rows: &mut [f64]) -> (Prior, f64) {
        let k = ballots.n_classes();
        match self.variant {
            Variant::Ml | Variant::Hard => {
                em::each_volunteer(ballots, rows, |w, own| {
                    add(ballots, posterior, w, own);
                    chances_ml(own, k);
                });
                (Prior::None, 0.0)
            }
            Variant::Map => {
                let a = self.pseudo_votes;
                em::each_volunteer(ballots, rows, |w, own| {
                    add(ballots, posterior, w, own);
                    chances_with(
                        own,
                        k,
                        |_, _| a,
                        a * ballots.n_labels(w) as f64,
                        ballots.slots_of(w).map(|s| ballots.label(s)),
                    );
                });
                (Prior::Even(a), self.log_prior(ballots, rows, a))
            }
            Variant::Shrunk => {
                em::count(ballots, posterior, rows);
                let pool = pooled(ballots, rows);
                let s = self.pseudo_votes;
                let weight: Vec<f64> = pool.iter().map(|p| s * p).collect();
                em::each_volunteer(ballots, rows, |w, own| {
                    let labels = ballots.slots_of(w).map(|slot| ballots.label(slot));
                    if ballots.is_person(w) {
                        chances_with(own, k, |truth, label| weight[truth * k + label], s, labels);
                    } else {
                        let shares = label_shares(ballots, w);
                        chances_with(own, k, |_, label| s * shares[label], s, labels);
                    }
                });
                (Prior::Pool(weight), 0.0)
            }
            Variant::OneCoin => {
                em::each_volunteer(ballots, rows, |w, own| {
                    add(ballots, posterior, w, own);
                    if ballots.is_person(w) {
                        self.chances_coin(ballots, w, own);
                    } else {
                        chances_ml(own, k);
                    }
                });
                (Prior::Coin(self.coin.0, self.coin.1), 0.0)
            }
        }
    }

    /// Turns the soft counts of a volunteer into the chances of one coin.
    fn chances_coin(&self, ballots: &Ballots, w: usize, own: &mut [f64]) {
        let k = ballots.n_classes();
        let slots = ballots.slots_of(w);
        let right: f64 =
            slots.clone().zip(own.chunks_exact(k)).map(|(s, row)| row[ballots.label(s)]).sum();
        let (a, b) = self.coin;
        let n = ballots.weight_of(w);
        let skill = if n + a + b > 0.0 { (right + a) / (n + a + b) } else { 0.5 };
        let skill = skill.clamp(FLOOR, 1.0 - FLOOR);
        let (hit, miss) = (skill, (1.0 - skill) / k.saturating_sub(1).max(1) as f64);
        for (slot, row) in slots.zip(own.chunks_exact_mut(k)) {
            row.fill(miss);
            row[ballots.label(slot)] = hit;
        }
    }

    /// a · Σ log C over all cells of all people, those that no vote touched included.
    fn log_prior(&self, ballots: &Ballots, rows: &[f64], a: f64) -> f64 {
        let k = ballots.n_classes();
        let parts: Vec<f64> = (0..ballots.n_volunteers())
            .into_par_iter()
            .with_min_len(256)
            .map(|w| {
                let slots = ballots.slots_of(w);
                let own = &rows[slots.start * k..slots.end * k];
                let untouched = (ballots.n_labels(w) - slots.len()) as f64;
                let mut sum: f64 = own.iter().map(|c| c.ln()).sum();
                if untouched > 0.0 {
                    for truth in 0..k {
                        // Untouched cells of a row hold what is left of it, evenly.
                        let given: f64 = own.iter().skip(truth).step_by(k).sum();
                        let share = ((1.0 - given) / untouched).max(f64::MIN_POSITIVE);
                        sum += untouched * share.ln();
                    }
                }
                sum
            })
            .collect();
        a * parts.iter().sum::<f64>()
    }
}

fn add(ballots: &Ballots, posterior: &[f64], w: usize, own: &mut [f64]) {
    let k = ballots.n_classes();
    for (slot, row) in ballots.slots_of(w).zip(own.chunks_exact_mut(k)) {
        em::add_slot(ballots, posterior, slot, row);
    }
}

/// Maximum-likelihood rows; labels that the volunteer never gave have no share.
fn chances_ml(own: &mut [f64], k: usize) {
    let mut totals = vec![0.0; k];
    for row in own.chunks_exact_mut(k) {
        for (count, total) in row.iter_mut().zip(&mut totals) {
            *count = count.max(FLOOR);
            *total += *count;
        }
    }
    for row in own.chunks_exact_mut(k) {
        row.iter_mut().zip(&totals).for_each(|(c, total)| *c /= total);
    }
}

/// Rows with pseudo-votes `prior(truth, label)` of `prior_total` a row.
fn chances_with(
    own: &mut [f64],
    k: usize,
    prior: impl Fn(usize, usize) -> f64,
    prior_total: f64,
    labels: impl Iterator<Item = usize>,
) {
    let mut totals = vec![prior_total; k];
    for row in own.chunks_exact(k) {
        totals.iter_mut().zip(row).for_each(|(t, c)| *t += c);
    }
    for (row, label) in own.chunks_exact_mut(k).zip(labels) {
        for (truth, (count, total)) in row.iter_mut().zip(&totals).enumerate() {
            *count = (*count + prior(truth, label)).max(f64::MIN_POSITIVE) / total;
        }
    }
}

/// The crowd's pooled matrix `[true][given]`, rows sum to 1.
pub(crate) fn pooled(ballots: &Ballots, counts: &[f64]) -> Vec<f64> {
    let k = ballots.n_classes();
    let mut pool = em::pool(ballots, counts);
    for row in pool.chunks_exact_mut(k.max(1)) {
        row.iter_mut().for_each(|c| *c += POOL_FLOOR);
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|c| *c /= total);
    }
    pool
}

/// How often a machine gives each label, whatever the class: what its rows are shrunk to.
pub(crate) fn label_shares(ballots: &Ballots, w: usize) -> Vec<f64> {
    let n = ballots.n_labels(w);
    let mut shares = vec![POOL_FLOOR; n];
    for slot in ballots.slots_of(w) {
        shares[ballots.label(slot)] += ballots.items_of(slot).map(|(_, weight)| weight).sum::<f64>();
    }
    let total: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|s| *s /= total);
    shares
}

/// Assigns every item to its best class, the lowest of several.
fn harden(ballots: &Ballots, posterior: &mut [f64]) {
    for row in posterior.chunks_exact_mut(ballots.n_classes().max(1)) {
        let best = top(row);
        row.fill(0.0);
        row[best] = 1.0;
    }
}

/// The lowest index of the largest value.
pub(crate) fn top(row: &[f64]) -> usize {
    let better = |best: usize, at: usize| if row[at] > row[best] { at } else { best };
    (1..row.len()).fold(0, better)
}

/// Hardens, and gives the classification log-likelihood Σ_t log π_z Π C\[z, y\], which never falls.
fn harden_scored(ballots: &Ballots, log_rows: &[f64], prevalence: &[f64], posterior: &mut [f64]) -> f64 {
    harden(ballots, posterior);
    let k = prevalence.len();
    let mut total = 0.0;
    for (item, row) in posterior.chunks_exact(k.max(1)).enumerate() {
        let class = top(row);
        if ballots.gold(item) == crate::skill::ballots::NO_GOLD {
            total += prevalence[class].ln();
        }
        for vote in ballots.votes_of(item) {
            let (slot, weight) = ballots.vote(vote);
            total += weight * log_rows[slot * k + class];
        }
    }
    total
}

#[cfg(test)]
#[path = "dawid_skene_tests.rs"]
mod tests;
