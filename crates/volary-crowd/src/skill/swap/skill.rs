//! What SWAP has learnt of each volunteer: matrix, intervals, bits, contribution.

use rayon::prelude::*;
use volary_core::seed::stream;

use super::Swap;
use super::maths::information_bits;
use crate::draws::gamma;
use crate::interval::{Interval, beta_interval};

impl Swap {
    /// A volunteer's confusion matrix as votes are judged by it, `[K (true), K (given)]`.
    #[must_use]
    pub fn matrix(&self, volunteer: u32) -> Vec<f64> {
        let cells = (0..self.k * self.k).map(|c| (c / self.k, c % self.k));
        cells.map(|(class, given)| self.chance(volunteer as usize, class, given)).collect()
    }

    /// The Dirichlet shape of one cell: what was learnt and the pseudo-count.
    pub(super) fn shape(&self, volunteer: u32, class: usize, given: usize) -> f64 {
        let n = self.counts[(volunteer as usize * self.k + class) * self.k + given];
        n + if class == given { self.right } else { self.params.wrong }
    }

    /// Interval of every cell of a volunteer's matrix: rows are Dirichlet, so cells are beta.
    #[must_use]
    pub fn matrix_intervals(&self, volunteer: u32, level: f64) -> Vec<Interval> {
        let mut out = Vec::with_capacity(self.k * self.k);
        for class in 0..self.k {
            let row: f64 = (0..self.k).map(|given| self.shape(volunteer, class, given)).sum();
            for given in 0..self.k {
                let a = self.shape(volunteer, class, given);
                out.push(if self.k == 1 {
                    Interval { low: 1.0, high: 1.0 }
                } else {
                    beta_interval(a, row - a, level)
                });
            }
        }
        out
    }

    /// A volunteer's skill in bits: how much one vote says about a subject of even odds. 0 for somebody
    /// who answers at random, log₂ K for somebody who is always right, or always wrong in the same way.
    #[must_use]
    pub fn bits(&self, volunteer: u32) -> f64 {
        information_bits(self.k, |class, given| self.shape(volunteer, class, given))
    }

    pub(super) fn skill_bits(&self, volunteer: usize) -> f64 {
        let known = self.bits[volunteer];
        if !known.is_nan() {
            return known;
        }
        self.bits(u32::try_from(volunteer).expect("u32"))
    }

    /// Interval of a volunteer's skill in bits, from draws of the matrix. Information is never negative,
    /// so the draws of somebody of whom little is known lie above their estimate; the interval is
    /// stretched to hold it.
    #[must_use]
    pub fn bits_interval(&self, volunteer: u32, level: f64, n_draws: usize, seed: u64) -> Interval {
        let mut rng = stream(seed, "swap skill");
        // One stream for all, offset by the volunteer, so that threads and order change nothing.
        rng.set_word_pos(u128::from(volunteer) << 32);
        let mut cells = vec![0.0; self.k * self.k];
        let mut draws: Vec<f64> = (0..n_draws.max(1))
            .map(|_| {
                for (c, cell) in cells.iter_mut().enumerate() {
                    *cell = gamma(&mut rng, self.shape(volunteer, c / self.k, c % self.k));
                }
                information_bits(self.k, |class, given| cells[class * self.k + given])
            })
            .collect();
        draws.sort_by(f64::total_cmp);
        let at = |q: f64| draws[(q * (draws.len() - 1) as f64).round() as usize];
        let (tail, point) = ((1.0 - level) / 2.0, self.bits(volunteer));
        Interval { low: at(tail).min(point), high: at(1.0 - tail).max(point) }
    }

    /// Intervals of all volunteers' skill, on all threads.
    #[must_use]
    pub fn bits_intervals(&self, level: f64, n_draws: usize, seed: u64) -> Vec<Interval> {
        let all = 0..u32::try_from(self.n_volunteers()).expect("u32");
        all.into_par_iter().map(|v| self.bits_interval(v, level, n_draws, seed)).collect()
    }

    /// What a volunteer has contributed: the sum of the skill, in bits, with which each vote was given.
    #[must_use]
    pub fn contribution(&self, volunteer: u32) -> f64 {
        self.contribution[volunteer as usize]
    }

    /// Votes that a volunteer gave.
    #[must_use]
    pub fn n_cast(&self, volunteer: u32) -> u64 {
        self.n_cast[volunteer as usize]
    }
}

/// Efficiency of a crowd: bits needed to settle all subjects (log₂ K each) over bits contributed.
#[must_use]
pub fn efficiency(engine: &Swap) -> Option<f64> {
    let given: f64 = engine.contribution.iter().sum();
    let needed = engine.n_votes.iter().filter(|n| **n > 0).count() as f64 * (engine.k as f64).log2();
    (given > 0.0).then(|| needed / given)
}
