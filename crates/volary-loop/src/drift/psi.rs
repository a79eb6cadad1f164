//! Population stability index, with a limit that fits the sample sizes.
//!
//! PSI = Σ_b (p_b − q_b) ln(p_b / q_b) over the bins of a reference (n values) and a window (m values). The
//! usual limits of 0.1 and 0.25 know nothing of n and m: with ten bins and a window of 50, 0.1 is exceeded
//! three times out of four with no drift at all. Without drift PSI / (1/n + 1/m) follows a chi-square law with B − 1
//! degrees of freedom (Yurdakul 2018, "Statistical properties of population stability index", Western
//! Michigan University), so the limit here is (1/n + 1/m) times its quantile.
//!
//! Bins are quantiles of the reference, cut where values change, so that none is empty in the reference;
//! a constant has bins below, at and above it. An empty bin of the window counts as half
//! a value, since the logarithm of zero would be an alarm by itself. What is no number has a bin of its own,
//! where there is any: a sensor that falls silent is a drift.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

/// What the values were like.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Upper edges of all bins but the last.
    edges: Vec<f64>,
    counts: Vec<u64>,
    n_not_finite: u64,
}

/// How a window compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Psi {
    /// The index; none where there is nothing to compare.
    pub value: Option<f64>,
    /// The limit at the level asked for.
    pub limit: Option<f64>,
    /// Values in the window that are numbers.
    pub n: u64,
    /// Values in it that are none.
    pub n_not_finite: u64,
    /// Share of values that are no numbers in the reference.
    pub reference_not_finite: f64,
}

impl Psi {
    /// Whether the limit is exceeded.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.value.zip(self.limit).is_some_and(|(value, limit)| value > limit)
    }
}

/// Smallest sample that the chi-square law is trusted with: five values per bin, on average.
const LEAST_PER_BIN: u64 = 5;

impl Reference {
    /// Bins of about equal numbers out of `values`; fewer than `n_bins` where many values are equal.
    #[must_use]
    pub fn new(values: &[f64], n_bins: usize) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut edges: Vec<f64> = Vec::new();
        for cut in 1..n_bins {
            let at = sorted.len() * cut / n_bins;
            if at == 0 || at >= sorted.len() {
                continue;
            }
            // The last bin must hold something: where a cut falls on the largest value, it moves below.
            let below = sorted.partition_point(|v| Some(v) < sorted.last());
            let Some(&edge) = sorted[..at.min(below)].last() else { continue };
            if edges.last().is_none_or(|last| edge > *last) {
                edges.push(edge);
            }
        }
        // Of a constant: below, at and above it.
        if let (true, Some(&constant)) = (edges.is_empty() && n_bins > 1, sorted.first()) {
            edges = vec![constant.next_down(), constant];
        }
        let mut reference = Self { edges, counts: Vec::new(), n_not_finite: 0 };
        (reference.counts, reference.n_not_finite) = reference.count(values);
        reference
    }

    /// Bins of the reference; with one there is nothing to compare.
    #[must_use]
    pub fn n_bins(&self) -> usize {
        self.counts.len()
    }

    fn count(&self, values: &[f64]) -> (Vec<u64>, u64) {
        let mut counts = vec![0; self.edges.len() + 1];
        let mut n_not_finite = 0;
        for value in values {
            if value.is_finite() {
                counts[self.edges.partition_point(|edge| edge < value)] += 1;
            } else {
                n_not_finite += 1;
            }
        }
        (counts, n_not_finite)
    }

    /// Compares a window; `p_false` is the chance of an alarm with no drift (0.01 is usual).
    ///
    /// A window with fewer than five values per bin gives a value and no limit.
    #[must_use]
    pub fn compare(&self, window: &[f64], p_false: f64) -> Psi {
        let (mut counts, n_not_finite) = self.count(window);
        let n_finite: u64 = counts.iter().sum();
        let mut reference = self.counts.clone();
        if self.n_not_finite + n_not_finite > 0 {
            counts.push(n_not_finite);
            reference.push(self.n_not_finite);
        }
        // A bin that is empty on both sides is none.
        let pairs = reference.into_iter().zip(counts).filter(|(a, b)| a + b > 0);
        let (reference, counts): (Vec<u64>, Vec<u64>) = pairs.unzip();
        let (all, n): (u64, u64) = (reference.iter().sum(), counts.iter().sum());
        let enough = LEAST_PER_BIN * counts.len() as u64;
        let is_defined = n > 0 && all > 0 && counts.len() > 1;
        Psi {
            value: is_defined.then(|| index(&reference, &counts)),
            limit: (is_defined && n.min(all) >= enough).then(|| limit(counts.len(), all, n, p_false)),
            n: n_finite,
            n_not_finite,
            reference_not_finite: if all == 0 { 0.0 } else { self.n_not_finite as f64 / all as f64 },
        }
    }
}

/// The index of two rows of counts over the same bins; empty bins count half.
#[must_use]
pub fn index(reference: &[u64], window: &[u64]) -> f64 {
    let share = |counts: &[u64]| {
        let counted: Vec<f64> = counts.iter().map(|&c| if c == 0 { 0.5 } else { c as f64 }).collect();
        let total: f64 = counted.iter().sum();
        counted.into_iter().map(move |c| c / total)
    };
    share(reference).zip(share(window)).map(|(p, q)| (p - q) * (p / q).ln()).sum()
}

/// The value that PSI exceeds with a chance of `p_false` without drift.
#[must_use]
pub fn limit(n_bins: usize, n_reference: u64, n_window: u64, p_false: f64) -> f64 {
    let scale = 1.0 / n_reference as f64 + 1.0 / n_window as f64;
    match ChiSquared::new(n_bins.saturating_sub(1) as f64) {
        Ok(law) if (0.0..1.0).contains(&p_false) => scale * law.inverse_cdf(1.0 - p_false),
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
#[path = "psi_tests.rs"]
mod tests;
