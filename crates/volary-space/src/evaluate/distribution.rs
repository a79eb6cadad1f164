//! Predicted distributions over classes that exclude each other, against the volunteers' distribution.
//!
//! With q the label row and p the predicted row: cross-entropy −Σ q ln p, whose floor is the label's
//! entropy; absolute error as the mean over classes of |p − q|; total variation ½ Σ |p − q|; and whether
//! the most likely class is the one most chosen (ties share).

use super::CLIP;
use crate::check::{check_length, check_share};
use crate::error::SpaceError;
use crate::resample::{Bootstrap, Estimate, Units};

/// A row may sum to 1 within this: single-precision softmax over many classes.
const SUM_TOLERANCE: f64 = 1e-4;

/// Rows of class probabilities, predicted and labelled.
#[derive(Clone, Copy, Debug)]
pub struct Distributions<'a> {
    predicted: &'a [f64],
    label: &'a [f64],
    n_classes: usize,
}

impl<'a> Distributions<'a> {
    /// `predicted` and `label` row by row, `n_classes` numbers each that sum to 1.
    ///
    /// # Errors
    /// [`SpaceError::NoRows`], [`SpaceError::Ragged`], [`SpaceError::Length`], [`SpaceError::Range`].
    pub fn new(predicted: &'a [f64], label: &'a [f64], n_classes: usize) -> Result<Self, SpaceError> {
        if predicted.is_empty() {
            return Err(SpaceError::NoRows { what: "the evaluation" });
        }
        if n_classes == 0 || !predicted.len().is_multiple_of(n_classes) {
            return Err(SpaceError::Ragged { n_values: predicted.len(), n_columns: n_classes });
        }
        check_length("the label", label.len(), predicted.len())?;
        for (what, values) in [("the sum of a prediction", predicted), ("the sum of a label", label)] {
            check_share(what, values)?;
            let sums = values.chunks_exact(n_classes).map(|row| row.iter().sum::<f64>());
            if let Some((row, value)) =
                sums.enumerate().find(|(_, sum)| (sum - 1.0).abs() > SUM_TOLERANCE)
            {
                return Err(SpaceError::Range { what, row, value, low: 1.0, high: 1.0 });
            }
        }
        Ok(Self { predicted, label, n_classes })
    }

    /// How many subjects.
    #[must_use]
    pub fn n(&self) -> usize {
        self.predicted.len() / self.n_classes
    }

    fn rows(&self) -> impl Iterator<Item = (&'a [f64], &'a [f64])> {
        self.predicted.chunks_exact(self.n_classes).zip(self.label.chunks_exact(self.n_classes))
    }
}

/// How right predicted distributions are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistributionScore {
    /// Subjects.
    pub n: usize,
    /// Mean cross-entropy in nats.
    pub cross_entropy: Option<Estimate>,
    /// Mean entropy of the labels in nats.
    pub entropy_floor: Option<Estimate>,
    /// Cross-entropy above the floor.
    pub excess: Option<Estimate>,
    /// Mean over subjects and classes of |p − q|.
    pub mean_absolute_error: Option<Estimate>,
    /// Mean total variation distance.
    pub total_variation: Option<Estimate>,
    /// How often the most likely class is the one most chosen.
    pub top_1: Option<Estimate>,
}

/// Measures predicted distributions.
///
/// # Errors
/// [`SpaceError::Length`] unless `units` has as many subjects.
pub fn distribution(
    of: &Distributions<'_>,
    units: &Units,
    bootstrap: &Bootstrap,
) -> Result<DistributionScore, SpaceError> {
    check_length("the grouping", units.len(), of.n())?;
    let rows: Vec<[f64; 6]> = of.rows().map(|(p, q)| terms(p, q)).collect();
    let found = bootstrap.run(units, |counts| {
        let mut sums = [0.0; 6];
        for (row, count) in rows.iter().zip(counts) {
            sums.iter_mut().zip(row).for_each(|(sum, term)| *sum += count * term);
        }
        let total: f64 = counts.iter().sum();
        sums.iter().map(|sum| sum / total).collect()
    });
    let at = |i: usize| found.get(i).copied().flatten();
    Ok(DistributionScore {
        n: of.n(),
        cross_entropy: at(0),
        entropy_floor: at(1),
        excess: at(2),
        mean_absolute_error: at(3),
        total_variation: at(4),
        top_1: at(5),
    })
}

/// Entropy of a distribution in nats.
#[must_use]
pub fn entropy(shares: &[f64]) -> f64 {
    -shares.iter().filter(|q| **q > 0.0).map(|q| q * q.ln()).sum::<f64>() + 0.0
}

fn terms(p: &[f64], q: &[f64]) -> [f64; 6] {
    let pairs = || p.iter().zip(q);
    let cross: f64 = pairs().filter(|(_, q)| **q > 0.0).map(|(p, q)| -q * p.max(CLIP).ln()).sum();
    let distance: f64 = pairs().map(|(p, q)| (p - q).abs()).sum();
    let (most_p, most_q) = (largest(p), largest(q));
    let n_led = pairs().filter(|(p, _)| **p == most_p).count() as f64;
    let n_right = pairs().filter(|(p, q)| **p == most_p && **q == most_q).count() as f64;
    let floor = entropy(q);
    [cross, floor, cross - floor, distance / p.len() as f64, distance / 2.0, n_right / n_led]
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
