//! Independent Bayesian classifier combination by variational Bayes: Dawid–Skene with a Dirichlet for
//! every row, so that every cell of every volunteer's matrix has an interval.
//!
//! Kim & Ghahramani 2012; variational updates of Simpson et al. 2013. Rows have prior Dirichlet with
//! `off` pseudo-votes per cell and `diagonal` on the right answer (default K: people are mildly better
//! than chance), prevalence Dirichlet(`prevalence`). The bound on the evidence never falls; it is checked
//! in the tests and not computed on the way, where it would cost more than the rounds.

use rayon::prelude::*;
use statrs::function::gamma::ln_gamma;

use crate::skill::ballots::Ballots;
use crate::skill::em;
use crate::skill::fit::Fit;
use crate::skill::matrices::{Matrices, Prior};
use crate::skill::products;
use crate::special::digamma;

/// IBCC with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ibcc {
    /// Pseudo-votes in every cell.
    pub off: f64,
    /// Pseudo-votes on the diagonal; the number of classes where `None`.
    pub diagonal: Option<f64>,
    /// Pseudo-subjects of each class.
    pub prevalence: f64,
    /// Most rounds.
    pub max_rounds: u32,
    /// Largest change of a posterior at which it has settled.
    pub tolerance: f64,
}

impl Default for Ibcc {
    fn default() -> Self {
        Self { off: 1.0, diagonal: None, prevalence: 1.0, max_rounds: 200, tolerance: 1e-6 }
    }
}

impl Ibcc {
    /// The prior's rows `[true][given]`.
    #[must_use]
    pub fn prior(&self, n_classes: usize) -> Vec<f64> {
        let diagonal = self.diagonal.unwrap_or(n_classes as f64);
        let cell = |at: usize| if at / n_classes == at % n_classes { diagonal } else { self.off };
        (0..n_classes * n_classes).map(cell).collect()
    }

    /// Fits one question.
    #[must_use]
    pub fn fit(&self, ballots: &Ballots) -> Fit {
        self.fit_from(ballots, em::vote_shares(ballots))
    }

    /// The same from a given posterior, for warm starts.
    #[must_use]
    pub fn fit_from(&self, ballots: &Ballots, mut posterior: Vec<f64>) -> Fit {
        let k = ballots.n_classes();
        let prior = self.prior(k);
        let mut rows = vec![0.0; ballots.n_slots() * k];
        let mut before = posterior.clone();
        let (mut history, mut converged) = (Vec::new(), false);
        while history.len() < self.max_rounds as usize && ballots.n_votes() > 0 {
            let expected = self.expected_prevalence(ballots, &posterior);
            self.learn(ballots, &posterior, &prior, &mut rows);
            before.copy_from_slice(&posterior);
            products::judge(ballots, &mut rows, &expected, &mut posterior);
            let change =
                before.par_iter().zip(&posterior).map(|(a, b)| (a - b).abs()).reduce(|| 0.0, f64::max);
            history.push(-change);
            if change < self.tolerance {
                converged = true;
                break;
            }
        }
        let log_likelihood =
            if ballots.n_votes() > 0 { self.bound(ballots, &posterior, &mut rows) } else { 0.0 };
        em::count(ballots, &posterior, &mut rows);
        let (totals, n) = em::class_totals(ballots, &posterior);
        let size = n + self.prevalence * k as f64;
        let prevalence = totals.iter().map(|t| (t + self.prevalence) / size).collect();
        let matrices = Matrices::new(ballots, rows, Prior::Pool(prior));
        Fit { posterior, prevalence, matrices, log_likelihood, history, converged, ..Fit::default() }
    }

    /// exp E\[log π\].
    fn expected_prevalence(&self, ballots: &Ballots, posterior: &[f64]) -> Vec<f64> {
        let (totals, n) = em::class_totals(ballots, posterior);
        let all = exp_digamma(n + self.prevalence * totals.len() as f64);
        totals.iter().map(|t| exp_digamma(t + self.prevalence) / all).collect()
    }

    /// exp E\[log C\] of every slot.
    fn learn(&self, ballots: &Ballots, posterior: &[f64], prior: &[f64], rows: &mut [f64]) {
        let k = ballots.n_classes();
        em::each_volunteer(ballots, rows, |w, own| {
            let slots = ballots.slots_of(w);
            let mut totals = self.row_totals(ballots, w, prior);
            for (slot, row) in slots.clone().zip(own.chunks_exact_mut(k)) {
                em::add_slot(ballots, posterior, slot, row);
                totals.iter_mut().zip(row.iter()).for_each(|(t, c)| *t += c);
            }
            totals.iter_mut().for_each(|t| *t = exp_digamma(*t));
            let person = ballots.is_person(w);
            for (slot, row) in slots.zip(own.chunks_exact_mut(k)) {
                let label = ballots.label(slot);
                for (truth, (cell, total)) in row.iter_mut().zip(&totals).enumerate() {
                    let pseudo = if person { prior[truth * k + label] } else { self.off };
                    *cell = exp_digamma(*cell + pseudo) / total;
                }
            }
        });
    }

    /// Pseudo-votes of each row of a volunteer.
    fn row_totals(&self, ballots: &Ballots, w: usize, prior: &[f64]) -> Vec<f64> {
        let k = ballots.n_classes();
        if ballots.is_person(w) {
            prior.chunks_exact(k).map(|row| row.iter().sum()).collect()
        } else {
            vec![self.off * ballots.n_labels(w) as f64; k]
        }
    }

    /// The evidence lower bound after judging: Σ_t log Z_t − KL of rows and prevalence.
    fn bound(&self, ballots: &Ballots, posterior: &[f64], rows: &mut [f64]) -> f64 {
        let k = ballots.n_classes();
        let prior = self.prior(k);
        self.learn(ballots, posterior, &prior, rows);
        let expected = self.expected_prevalence(ballots, posterior);
        let mut scratch = posterior.to_vec();
        let judged = products::judge(ballots, rows, &expected, &mut scratch);
        em::count(ballots, posterior, rows);
        let (gammas, gamma_off): (Vec<f64>, f64) =
            (prior.iter().map(|&a| ln_gamma(a)).collect(), ln_gamma(self.off));
        let divergence = |w: usize| {
            let person = ballots.is_person(w);
            let mut totals = vec![0.0; k];
            let mut sum = 0.0;
            for slot in ballots.slots_of(w) {
                let label = ballots.label(slot);
                for (truth, &count) in rows[slot * k..(slot + 1) * k].iter().enumerate() {
                    let at = truth * k + label;
                    let (a0, gamma) =
                        if person { (prior[at], gammas[at]) } else { (self.off, gamma_off) };
                    sum += count * digamma(a0 + count) - ln_gamma(a0 + count) + gamma;
                    totals[truth] += count;
                }
            }
            for (n, a0) in totals.iter().zip(self.row_totals(ballots, w, &prior)) {
                sum += ln_gamma(a0 + n) - ln_gamma(a0) - n * digamma(a0 + n);
            }
            sum
        };
        let parts: Vec<f64> =
            (0..ballots.n_volunteers()).into_par_iter().with_min_len(128).map(divergence).collect();
        let (totals, n) = em::class_totals(ballots, posterior);
        let (a0, all0) = (self.prevalence, self.prevalence * k as f64);
        let mut of_prevalence = ln_gamma(all0 + n) - ln_gamma(all0) - n * digamma(all0 + n);
        for t in totals {
            of_prevalence += t * digamma(a0 + t) - ln_gamma(a0 + t) + ln_gamma(a0);
        }
        judged - parts.iter().sum::<f64>() - of_prevalence
    }
}

/// exp ψ(x) for x > 0, by recurrence and the asymptotic series: about x − ½.
///
/// The terms of the recurrence are gathered into one fraction, and the series' log x is not taken only to
/// be undone: half the time of the exponential of [`digamma`]. Below x = 1/700 the value is none that a
/// number can hold, and the least positive one is given.
fn exp_digamma(mut x: f64) -> f64 {
    let (mut above, mut below) = (0.0, 1.0);
    while x < 10.0 {
        above = above * x + below;
        below *= x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    let series = r
        * (1.0 / 12.0
            - r * (1.0 / 120.0
                - r * (1.0 / 252.0 - r * (1.0 / 240.0 - r * (1.0 / 132.0 - r * 691.0 / 32_760.0)))));
    (x * (-above / below - 0.5 / x - series).exp()).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
#[path = "ibcc_tests.rs"]
mod tests;
