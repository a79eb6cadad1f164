//! What every skill model gives back for one question: posteriors with intervals, and volunteers.
//!
//! The interval of a posterior says how far it would move if the volunteers' chances were known
//! exactly: the variance of the logs of their Dirichlet cells, summed over the item's votes, on the
//! logit scale (delta method). It does not doubt the model itself.

use rayon::prelude::*;

use crate::interval::Interval;
use crate::skill::ballots::{Ballots, NO_GOLD};
use crate::skill::em;
use crate::skill::matrices::{Estimate, Matrices};
use crate::special::{trigamma, two_sided_z};

/// A fitted model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fit {
    /// `[n_items][n_classes]`, rows sum to 1.
    pub posterior: Vec<f64>,
    /// Share of each class.
    pub prevalence: Vec<f64>,
    /// Confusion matrices; without volunteers for models that have none.
    pub matrices: Matrices,
    /// Per volunteer: what the model says of them, for models without matrices.
    pub abilities: Vec<Estimate>,
    /// Per item: log of the easiness and its standard error, for models that have it.
    pub log_easiness: Vec<(f64, f64)>,
    /// Spam patterns `[n_volunteers][n_classes]`, where the model has them (MACE).
    pub spam: Vec<f64>,
    /// Standard deviations of the logits `[n_items][n_classes]`, where the model gives them itself.
    pub logit_sd: Vec<f64>,
    /// Effective votes per item, for models whose posteriors are weighted shares.
    pub n_effective: Vec<f64>,
    /// Marginal log-likelihood (nats) of the last parameters; 0 for models without one.
    pub log_likelihood: f64,
    /// The objective after each round.
    pub history: Vec<f64>,
    /// Whether the objective settled before the rounds ran out.
    pub converged: bool,
}

/// A probability with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probability {
    /// The probability.
    pub p: f64,
    /// Its interval.
    pub interval: Interval,
}

/// What a model says of a volunteer.
#[derive(Clone, Debug, PartialEq)]
pub struct SkillRow {
    /// Votes on the question.
    pub n_votes: u64,
    /// Balanced accuracy (matrix models), ability (GLAD), competence (MACE) or weight (Wawa).
    pub skill: Option<Estimate>,
    /// Bits that one of their answers tells, where the model has matrices.
    pub bits: Option<Estimate>,
    /// Bits times votes.
    pub contribution_bits: Option<f64>,
}

impl Fit {
    /// The posterior of an item.
    #[must_use]
    pub fn of_item(&self, item: usize) -> &[f64] {
        let k = self.prevalence.len();
        &self.posterior[item * k..(item + 1) * k]
    }

    /// The chance, by (item, label), of a vote of one volunteer: what the model predicts of votes that it
    /// has not seen. 0 everywhere for models that predict none.
    pub fn vote_chances<'a>(
        &'a self,
        ballots: &'a Ballots,
        volunteer: usize,
    ) -> impl Fn(usize, usize) -> f64 + 'a {
        let k = ballots.n_classes();
        let has_matrices = self.matrices.n_volunteers() > 0;
        let chances = if has_matrices { self.matrices.chances(volunteer) } else { Vec::new() };
        let ability = self.abilities.get(volunteer).map_or(0.0, |a| a.value);
        move |item, label| {
            let q = self.of_item(item);
            let mix = |chance: &dyn Fn(usize) -> f64| (0..k).map(|truth| q[truth] * chance(truth)).sum();
            if has_matrices {
                mix(&|truth| chances[truth * k + label])
            } else if !self.log_easiness.is_empty() {
                let right = 1.0 / (1.0 + (-ability * self.log_easiness[item].0.exp()).exp());
                let wrong = (1.0 - right) / k.saturating_sub(1).max(1) as f64;
                mix(&|truth| if truth == label { right } else { wrong })
            } else if !self.spam.is_empty() {
                let spam = (1.0 - ability) * self.spam[volunteer * k + label];
                mix(&|truth| if truth == label { ability + spam } else { spam })
            } else {
                0.0
            }
        }
    }

    /// Intervals of all posteriors, `[n_items][n_classes]`.
    #[must_use]
    pub fn intervals(&self, ballots: &Ballots, level: f64) -> Vec<Interval> {
        let k = ballots.n_classes();
        if k == 0 {
            return Vec::new();
        }
        if !self.n_effective.is_empty() {
            let share = |(at, &p): (usize, &f64)| {
                let n = self.n_effective[at / k];
                crate::interval::jeffreys((p * n).min(n), n, level)
            };
            return self.posterior.par_iter().enumerate().map(share).collect();
        }
        let own;
        let sd = if self.logit_sd.is_empty() {
            own = self.matrix_logit_sd(ballots);
            &own
        } else {
            &self.logit_sd
        };
        let z = two_sided_z(level);
        self.posterior
            .par_iter()
            .zip(sd)
            .enumerate()
            .map(|(at, (&p, &sd))| {
                if ballots.gold(at / k) == NO_GOLD {
                    around(p, z * sd)
                } else {
                    Interval { low: p, high: p }
                }
            })
            .collect()
    }

    /// Standard deviations of the logits from the Dirichlet rows of the volunteers.
    fn matrix_logit_sd(&self, ballots: &Ballots) -> Vec<f64> {
        let k = ballots.n_classes();
        let mut variances = vec![0.0; ballots.n_slots() * k];
        em::each_volunteer(ballots, &mut variances, |w, own| self.matrices.log_variances(w, own));
        let (totals, n) = em::class_totals(ballots, &self.posterior);
        let all = trigamma(n + k as f64);
        let prior: Vec<f64> = totals.iter().map(|t| (trigamma(t + 1.0) - all).max(0.0)).collect();
        let mut sd = vec![0.0; self.posterior.len()];
        sd.par_chunks_mut(k).enumerate().with_min_len(512).for_each(|(item, out)| {
            let mut variance = prior.clone();
            for vote in ballots.votes_of(item) {
                let (slot, weight) = ballots.vote(vote);
                let row = &variances[slot * k..(slot + 1) * k];
                variance.iter_mut().zip(row).for_each(|(v, r)| *v += weight * weight * r);
            }
            logit_sd(&self.posterior[item * k..(item + 1) * k], &variance, out);
        });
        sd
    }

    /// One row per volunteer.
    #[must_use]
    pub fn skills(&self, ballots: &Ballots, level: f64) -> Vec<SkillRow> {
        let has_matrices = self.matrices.n_volunteers() > 0;
        let row = |w: usize| {
            let n_votes = ballots.n_votes_of(w) as u64;
            let bits = has_matrices.then(|| self.matrices.bits(w, level));
            SkillRow {
                n_votes,
                skill: if has_matrices {
                    self.matrices.skill(w, level)
                } else {
                    self.abilities.get(w).copied()
                },
                bits,
                contribution_bits: bits.map(|b| b.value * n_votes as f64),
            }
        };
        (0..ballots.n_volunteers()).into_par_iter().with_min_len(64).map(row).collect()
    }
}

/// Variances of independent terms of the log-scores → standard deviation of each class's logit:
/// ∂ logit p_k / ∂ s_j is 1 for j = k and −p_j / (1 − p_k) else.
pub(crate) fn logit_sd(posterior: &[f64], variance: &[f64], out: &mut [f64]) {
    for (k, out) in out.iter_mut().enumerate() {
        let rest: f64 = posterior.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, p)| p).sum();
        let mut sum = variance[k];
        for (j, v) in variance.iter().enumerate().filter(|(j, _)| *j != k) {
            // Where nothing is left for the others, the nearest rival carries it all.
            let share = if rest > 0.0 { posterior[j] / rest } else { 1.0 / (variance.len() - 1) as f64 };
            sum += share * share * v;
        }
        *out = sum.sqrt();
    }
}

/// p moved by ± `half` on the logit scale.
fn around(p: f64, half: f64) -> Interval {
    // Posteriors saturate in floating point; the interval must not pretend to know more than that.
    let q = p.clamp(1e-15, 1.0 - 1e-15);
    let logit = (q / (1.0 - q)).ln();
    let share = |x: f64| 1.0 / (1.0 + (-x).exp());
    Interval { low: share(logit - half).min(p), high: share(logit + half).max(p) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_classes_share_their_doubt() {
        let mut sd = [0.0; 2];
        logit_sd(&[0.3, 0.7], &[0.04, 0.05], &mut sd);
        assert!((sd[0] - 0.3).abs() < 1e-15 && (sd[1] - 0.3).abs() < 1e-15);
        logit_sd(&[1.0, 0.0], &[0.04, 0.05], &mut sd);
        assert!(sd.iter().all(|s| s.is_finite()));
    }

    #[test]
    fn intervals_hold_their_probability() {
        for p in [0.0, 1e-300, 0.2, 0.5, 1.0] {
            let interval = around(p, 1.0);
            assert!(interval.contains(p) && interval.low >= 0.0 && interval.high <= 1.0, "{p}");
        }
        assert_eq!(around(0.4, 0.0), Interval { low: 0.4, high: 0.4 });
    }
}
