//! Confusion matrices of volunteers as Dirichlet posteriors: point, interval, skill, bits.
//!
//! Row k of volunteer w is Dirichlet(counts + pseudo-votes of the model); a cell is then a beta, and its
//! interval exact given the soft counts. The soft counts themselves are taken as known, which makes the
//! intervals a little narrow where items are doubtful (how much is measured in the tests and stated in
//! the book). Maximum likelihood has no pseudo-votes; its intervals borrow Jeffreys' ½ a cell.

use std::ops::Range;

use crate::interval::{Interval, beta_interval};
use crate::skill::ballots::Ballots;
use crate::special::trigamma;

/// The pseudo-votes of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Prior {
    /// None: maximum likelihood.
    #[default]
    None,
    /// The same in every cell.
    Even(f64),
    /// Per cell, `[true][given]`.
    Pool(Vec<f64>),
    /// One accuracy per volunteer: pseudo-votes right and wrong.
    Coin(f64, f64),
}

/// The matrices of all volunteers of one question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrices {
    n_classes: usize,
    n_labels: Vec<u32>,
    volunteer_start: Vec<u32>,
    slot_label: Vec<u32>,
    counts: Vec<f64>,
    prior: Prior,
}

/// A number with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
}

impl Matrices {
    /// Soft counts `[n_slots][K]` with the pseudo-votes behind them.
    #[must_use]
    pub fn new(ballots: &Ballots, counts: Vec<f64>, prior: Prior) -> Self {
        let mut volunteer_start = vec![0];
        let ends = (0..ballots.n_volunteers()).map(|w| ballots.slots_of(w).end);
        volunteer_start.extend(ends.map(|end| u32::try_from(end).expect("u32 slots")));
        let label = |slot| u32::try_from(ballots.label(slot)).expect("u32 labels");
        let n_labels = |w| u32::try_from(ballots.n_labels(w)).expect("u32 labels");
        Self {
            n_classes: ballots.n_classes(),
            n_labels: (0..ballots.n_volunteers()).map(n_labels).collect(),
            volunteer_start,
            slot_label: (0..ballots.n_slots()).map(label).collect(),
            counts,
            prior,
        }
    }

    /// Volunteers.
    #[must_use]
    pub fn n_volunteers(&self) -> usize {
        self.n_labels.len()
    }

    /// Classes.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// How many labels a volunteer has to choose from.
    #[must_use]
    pub fn n_labels(&self, volunteer: usize) -> usize {
        self.n_labels[volunteer] as usize
    }

    /// The pseudo-votes.
    #[must_use]
    pub fn prior(&self) -> &Prior {
        &self.prior
    }

    fn slots(&self, volunteer: usize) -> Range<usize> {
        self.volunteer_start[volunteer] as usize..self.volunteer_start[volunteer + 1] as usize
    }

    /// Soft counts `[true][given]` of a volunteer.
    #[must_use]
    pub fn counts(&self, volunteer: usize) -> Vec<f64> {
        let (k, n) = (self.n_classes, self.n_labels(volunteer));
        let mut matrix = vec![0.0; k * n];
        for slot in self.slots(volunteer) {
            let label = self.slot_label[slot] as usize;
            for truth in 0..k {
                matrix[truth * n + label] = self.counts[slot * k + truth];
            }
        }
        matrix
    }

    /// Dirichlet parameters `[true][given]` of a volunteer's rows, for intervals.
    #[must_use]
    pub fn dirichlet(&self, volunteer: usize) -> Vec<f64> {
        let mut matrix = self.counts(volunteer);
        match &self.prior {
            Prior::None => matrix.iter_mut().for_each(|c| *c += 0.5),
            Prior::Even(a) => matrix.iter_mut().for_each(|c| *c += a),
            Prior::Pool(pool) if pool.len() == matrix.len() => {
                matrix.iter_mut().zip(pool).for_each(|(c, p)| *c += p);
            }
            // A machine's rows are pulled to how often it gives each label.
            Prior::Pool(pool) => self.add_label_shares(volunteer, pool, &mut matrix),
            Prior::Coin(a, b) if self.is_coin(volunteer) => return self.coin_matrix(&matrix, *a, *b),
            // A machine's bins are no coin.
            Prior::Coin(..) => matrix.iter_mut().for_each(|c| *c += 0.5),
        }
        matrix
    }

    /// Whether one chance says all of a volunteer.
    fn is_coin(&self, volunteer: usize) -> bool {
        matches!(self.prior, Prior::Coin(..)) && self.n_labels(volunteer) == self.n_classes
    }

    fn add_label_shares(&self, volunteer: usize, pool: &[f64], matrix: &mut [f64]) {
        let n = self.n_labels(volunteer);
        let strength: f64 = pool.iter().sum::<f64>() / self.n_classes as f64;
        let mut shares = vec![0.1; n];
        for row in matrix.chunks_exact(n) {
            shares.iter_mut().zip(row).for_each(|(s, c)| *s += c);
        }
        let total: f64 = shares.iter().sum();
        for row in matrix.chunks_exact_mut(n) {
            row.iter_mut().zip(&shares).for_each(|(c, s)| *c += strength * s / total);
        }
    }

    /// One coin written as a matrix: the right answer on the diagonal, the others evenly beside it.
    fn coin_matrix(&self, counts: &[f64], a: f64, b: f64) -> Vec<f64> {
        let k = self.n_classes;
        let right: f64 = (0..k).map(|c| counts[c * k + c]).sum::<f64>() + a;
        let wrong = (counts.iter().sum::<f64>() - (right - a)).max(0.0) + b;
        let others = k.saturating_sub(1).max(1) as f64;
        (0..k * k).map(|at| if at / k == at % k { right } else { wrong / others }).collect()
    }

    /// Chances `[true][given]`: what the model itself uses.
    #[must_use]
    pub fn chances(&self, volunteer: usize) -> Vec<f64> {
        let mut matrix =
            if self.prior == Prior::None { self.counts(volunteer) } else { self.dirichlet(volunteer) };
        let n = self.n_labels(volunteer).max(1);
        for row in matrix.chunks_exact_mut(n) {
            let total: f64 = row.iter().sum();
            let even = 1.0 / n as f64;
            row.iter_mut().for_each(|c| *c = if total > 0.0 { *c / total } else { even });
        }
        matrix
    }

    /// One cell with its exact beta interval.
    #[must_use]
    pub fn cell(dirichlet_row: &[f64], given: usize, level: f64) -> Estimate {
        let total: f64 = dirichlet_row.iter().sum();
        let own = dirichlet_row[given];
        let interval = if total > own {
            beta_interval(own, total - own, level)
        } else {
            Interval { low: 1.0, high: 1.0 }
        };
        Estimate { value: own / total, interval }
    }

    /// Balanced accuracy: the mean chance of a right answer over the classes, each class counting the
    /// same. `None` for a machine, whose labels are bins. The interval is that of the beta law with the
    /// mean and variance of the mean of the rows' betas.
    #[must_use]
    pub fn skill(&self, volunteer: usize, level: f64) -> Option<Estimate> {
        let (k, n) = (self.n_classes, self.n_labels(volunteer));
        if k != n || k == 0 {
            return None;
        }
        let dirichlet = self.dirichlet(volunteer);
        let (mut mean, mut variance) = (0.0, 0.0);
        for (class, row) in dirichlet.chunks_exact(n).enumerate() {
            let total: f64 = row.iter().sum();
            let p = row[class] / total;
            mean += p / k as f64;
            // One coin's rows are one and the same draw, not k of them.
            let share = if matches!(self.prior, Prior::Coin(..)) { k as f64 } else { (k * k) as f64 };
            variance += p * (1.0 - p) / (total + 1.0) / share;
        }
        Some(Estimate { value: mean, interval: matched_beta(mean, variance, level) })
    }

    /// Skill in bits: what one answer tells about a subject whose classes are equally likely, 0 for a
    /// random clicker and log2 K for one who is always right or always wrong in the same way. Marshall et
    /// al. 2016 for two classes; mutual information for more. The interval is by the delta method, cut
    /// at 0.
    #[must_use]
    pub fn bits(&self, volunteer: usize, level: f64) -> Estimate {
        let (k, n) = (self.n_classes, self.n_labels(volunteer).max(1));
        let dirichlet = self.dirichlet(volunteer);
        let mut chances = dirichlet.clone();
        for row in chances.chunks_exact_mut(n) {
            let total: f64 = row.iter().sum();
            row.iter_mut().for_each(|c| *c /= total);
        }
        let (bits, variance) = information(&chances, &dirichlet, k, n);
        let half = crate::special::two_sided_z(level) * variance.sqrt();
        let most = (k.max(1) as f64).log2();
        let interval = Interval { low: (bits - half).max(0.0), high: (bits + half).min(most) };
        Estimate { value: bits, interval }
    }

    /// Variance of the log of each of a volunteer's chances, `[slot][true]` into `out`.
    pub(crate) fn log_variances(&self, volunteer: usize, out: &mut [f64]) {
        let (k, n) = (self.n_classes, self.n_labels(volunteer));
        let dirichlet = self.dirichlet(volunteer);
        let is_coin = self.is_coin(volunteer);
        let totals: Vec<f64> =
            dirichlet.chunks_exact(n.max(1)).map(|row| trigamma(row.iter().sum())).collect();
        for (slot, row) in self.slots(volunteer).zip(out.chunks_exact_mut(k)) {
            let label = self.slot_label[slot] as usize;
            for (truth, out) in row.iter_mut().enumerate() {
                let own = trigamma(dirichlet[truth * n + label]);
                *out = match (is_coin, truth == label) {
                    (false, _) => (own - totals[truth]).max(0.0),
                    // All of a coin's doubt is in the log-odds of its label against the others.
                    (true, true) => {
                        let row: f64 = dirichlet[truth * n..(truth + 1) * n].iter().sum();
                        own + trigamma((row - dirichlet[truth * n + label]).max(1e-3))
                    }
                    (true, false) => 0.0,
                };
            }
        }
    }
}

/// The interval of the beta law with this mean and variance.
pub(crate) fn matched_beta(mean: f64, variance: f64, level: f64) -> Interval {
    let most = mean * (1.0 - mean);
    if variance <= 0.0 || most <= 0.0 {
        return Interval { low: mean, high: mean };
    }
    // A variance beyond that of a coin with two sides cannot be.
    let size = (most / variance.min(0.999 * most) - 1.0).max(1e-3);
    beta_interval(mean * size, (1.0 - mean) * size, level)
}

/// Mutual information in bits of class (evenly spread) and label, and its variance when row k is
/// Dirichlet with the given parameters.
fn information(chances: &[f64], dirichlet: &[f64], k: usize, n: usize) -> (f64, f64) {
    let classes = k as f64;
    let mut marginal = vec![0.0; n];
    for row in chances.chunks_exact(n) {
        marginal.iter_mut().zip(row).for_each(|(m, c)| *m += c / classes);
    }
    let (mut bits, mut variance) = (0.0, 0.0);
    for (row, counts) in chances.chunks_exact(n).zip(dirichlet.chunks_exact(n)) {
        let total: f64 = counts.iter().sum();
        let (mut first, mut second) = (0.0, 0.0);
        for (c, m) in row.iter().zip(&marginal) {
            let gain = if *c > 0.0 && *m > 0.0 { (c / m).log2() } else { 0.0 };
            first += c * gain;
            second += c * gain * gain;
        }
        bits += first / classes;
        variance += (second - first * first).max(0.0) / (total + 1.0) / (classes * classes);
    }
    (bits.max(0.0), variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::ballots::Columns;

    fn one(labels: &[u32], truth: &[u32], prior: Prior) -> Matrices {
        let n = labels.len();
        let ballots = Ballots::new(Columns {
            n_items: n,
            n_volunteers: 1,
            n_classes: 2,
            item: (0..u32::try_from(n).unwrap()).collect(),
            volunteer: vec![0; n],
            label: labels.to_vec(),
            ..Columns::default()
        })
        .unwrap();
        let posterior: Vec<f64> = truth.iter().flat_map(|&t| [f64::from(1 - t), f64::from(t)]).collect();
        let mut counts = vec![0.0; ballots.n_slots() * 2];
        crate::skill::em::count(&ballots, &posterior, &mut counts);
        Matrices::new(&ballots, counts, prior)
    }

    #[test]
    fn a_cell_is_a_beta() {
        let m = one(&[1, 1, 1, 0, 0], &[1, 1, 0, 0, 0], Prior::Even(1.0));
        assert_eq!(m.counts(0), [2.0, 1.0, 0.0, 2.0]);
        assert_eq!(m.dirichlet(0), [3.0, 2.0, 1.0, 3.0]);
        let cell = Matrices::cell(&m.dirichlet(0)[..2], 0, 0.95);
        assert!((cell.value - 0.6).abs() < 1e-15);
        assert_eq!(cell.interval, beta_interval(3.0, 2.0, 0.95));
    }

    #[test]
    fn bits_are_those_of_swap_for_two_classes() {
        // Marshall et al. 2016 by the formula of the specification, section 5.3.
        let s = |x: f64| if x > 0.0 { x * x.log2() } else { 0.0 };
        let formula = |a: f64, b: f64| {
            0.5 * (s(a) + s(1.0 - a) + s(b) + s(1.0 - b))
                - s(0.5 * (a + 1.0 - b))
                - s(0.5 * (1.0 - a + b))
        };
        for (a, b) in [(0.5, 0.5), (1.0, 1.0), (0.0, 0.0), (0.8, 0.7), (0.9, 0.1)] {
            let chances = [b, 1.0 - b, 1.0 - a, a];
            let (bits, _) = information(&chances, &[1.0; 4], 2, 2);
            assert!((bits - formula(a, b)).abs() < 1e-12, "{a} {b}: {bits}");
        }
    }

    #[test]
    fn skill_is_balanced_and_narrows_with_votes() {
        let few = one(&[1, 0, 0, 1], &[1, 0, 0, 0], Prior::Even(0.5));
        let labels: Vec<u32> = [1, 0, 0, 1].repeat(50);
        let many = one(&labels, &[1, 0, 0, 0].repeat(50), Prior::Even(0.5));
        let (few, many) = (few.skill(0, 0.95).unwrap(), many.skill(0, 0.95).unwrap());
        assert!((many.value - 0.5 * (50.5 / 51.0 + 100.5 / 151.0)).abs() < 1e-12);
        assert!(many.interval.width() < 0.5 * few.interval.width());
        assert!(few.interval.contains(few.value) && many.interval.contains(many.value));
    }

    #[test]
    fn one_coin_has_one_chance() {
        let m = one(&[1, 1, 1, 0, 0], &[1, 1, 0, 0, 0], Prior::Coin(2.0, 1.0));
        assert_eq!(m.dirichlet(0), [6.0, 2.0, 2.0, 6.0]);
        let skill = m.skill(0, 0.95).unwrap();
        assert!((skill.value - 0.75).abs() < 1e-15);
        let exact = beta_interval(6.0, 2.0, 0.95);
        assert!((skill.interval.low - exact.low).abs() < 1e-9, "{skill:?} {exact:?}");
    }
}
