//! How right predictions are, one class at a time: log loss above its floor, calibration, ranking,
//! selection at a threshold; each with a bootstrap interval over subjects or groups.
//!
//! Labels may be soft: the share of volunteers who chose the class. With q the label and p the
//! prediction, the log loss −q ln p − (1 − q) ln(1 − p) is at best the label's own entropy H(q), which no
//! model can beat; what counts is the excess over it, the mean Kullback–Leibler divergence. Ranking
//! measures want a yes or no: [`Positive`] says where it comes from. AUC is the chance that a positive
//! stands above a negative, ties half (Mann & Whitney 1947); average precision is the step-wise sum over
//! the curve, ties as one step (as `scikit-learn`). Whole distributions over classes that exclude each
//! other: [`distribution`]. What a *consensus* of votes is worth against the truth is
//! `volary-crowd`'s business; two columns of numbers against each other: [`correlate`].

mod correlation;
mod distribution;
mod measures;

use crate::check::{check_length, check_range, check_share};
use crate::error::SpaceError;
use crate::resample::{Bootstrap, Estimate, Units};

pub use correlation::{Correlation, correlate};
pub use distribution::{DistributionScore, Distributions, distribution, entropy};

use measures::Ranking;

/// Probabilities are kept this far from 0 and 1 in the log loss.
pub const CLIP: f64 = 1e-12;

/// Predictions for one class, beside its labels.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    predicted: &'a [f64],
    label: &'a [f64],
    weight: Option<&'a [f64]>,
    group: Option<&'a [u32]>,
}

impl<'a> Predictions<'a> {
    /// One prediction and one label a subject, both from 0 to 1.
    ///
    /// # Errors
    /// [`SpaceError::NoRows`], [`SpaceError::Length`], [`SpaceError::Range`] (also for NaN).
    pub fn new(predicted: &'a [f64], label: &'a [f64]) -> Result<Self, SpaceError> {
        if predicted.is_empty() {
            return Err(SpaceError::NoRows { what: "the evaluation" });
        }
        check_length("the label", label.len(), predicted.len())?;
        check_share("the prediction", predicted)?;
        check_share("the label", label)?;
        Ok(Self { predicted, label, weight: None, group: None })
    }

    /// Subjects count with these weights: 1 / inclusion probability, or the number of votes.
    ///
    /// # Errors
    /// [`SpaceError::Length`]; [`SpaceError::Range`] for a weight below 0 or not finite.
    pub fn weighted(self, weight: &'a [f64]) -> Result<Self, SpaceError> {
        check_length("the weight", weight.len(), self.predicted.len())?;
        check_range("the weight", weight, 0.0, f64::MAX)?;
        Ok(Self { weight: Some(weight), ..self })
    }

    /// Subjects of one group are drawn together in the bootstrap.
    ///
    /// # Errors
    /// [`SpaceError::Length`].
    pub fn grouped(self, group: &'a [u32]) -> Result<Self, SpaceError> {
        check_length("the group", group.len(), self.predicted.len())?;
        Ok(Self { group: Some(group), ..self })
    }

    /// How many subjects.
    #[must_use]
    pub fn n(&self) -> usize {
        self.predicted.len()
    }

    fn units(&self) -> Units {
        self.group.map_or_else(|| Units::subjects(self.n()), Units::groups)
    }
}

/// Which subjects count as positive where a yes or no is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Positive {
    /// Those with a label above this; ½ asks for a majority.
    Above(f64),
    /// A subject with label q counts as q of a positive and 1 − q of a negative. The best AUC is then
    /// below 1: see [`Evaluation::best_auc`].
    Soft,
}

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluateParams {
    /// Where yes and no come from.
    pub positive: Positive,
    /// Subjects predicted at or above such a threshold are selected.
    pub thresholds: Vec<f64>,
    /// Bins of the reliability table, of equal width.
    pub n_bins: usize,
    /// Intervals.
    pub bootstrap: Bootstrap,
}

impl Default for EvaluateParams {
    fn default() -> Self {
        Self {
            positive: Positive::Above(0.5),
            thresholds: vec![0.5],
            n_bins: 10,
            bootstrap: Bootstrap::default(),
        }
    }
}

/// How right the predictions for one class are. `None` where a measure is undefined (no positive, say).
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Subjects.
    pub n: usize,
    /// Weighted share of positives.
    pub prevalence: Option<Estimate>,
    /// Mean log loss in nats.
    pub log_loss: Option<Estimate>,
    /// Mean entropy of the labels in nats: the log loss of a perfect model.
    pub entropy_floor: Option<Estimate>,
    /// Log loss above the floor.
    pub excess_log_loss: Option<Estimate>,
    /// Mean of |prediction − label|.
    pub mean_absolute_error: Option<Estimate>,
    /// Mean of (prediction − label)² (Brier 1950).
    pub brier: Option<Estimate>,
    /// Expected calibration error: the mean over bins of |mean prediction − mean label|. Resampling adds
    /// noise to every bin, so its interval lies a little high.
    pub calibration_error: Option<Estimate>,
    /// Area under the receiver operating characteristic.
    pub auc: Option<Estimate>,
    /// The AUC of the labels themselves: 1 but for [`Positive::Soft`].
    pub best_auc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<Estimate>,
    /// The reliability table, empty bins included.
    pub reliability: Vec<ReliabilityBin>,
    /// One row per threshold.
    pub selections: Vec<Selection>,
}

/// Predictions of about one size, and what the labels said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Predictions above this (the first bin holds 0 as well).
    pub low: f64,
    /// Predictions up to this.
    pub high: f64,
    /// Subjects.
    pub n: usize,
    /// Their mean prediction.
    pub mean_predicted: Option<f64>,
    /// Their mean label.
    pub mean_label: Option<Estimate>,
}

/// What a threshold selects. precision × selected = recall × prevalence, in every row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selection {
    /// The threshold: predictions at or above it.
    pub threshold: f64,
    /// Share of positives among the selected.
    pub precision: Option<Estimate>,
    /// Share of the selected among positives.
    pub recall: Option<Estimate>,
    /// Share of all that is selected.
    pub selected: Option<Estimate>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<Estimate>,
}

/// Measures that [`compare`] takes differences of, in the order of [`Comparison`].
const N_COMPARED: usize = 6;

/// Model minus baseline, on the same draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Log loss; below 0 the model is better.
    pub log_loss: Option<Estimate>,
    /// Mean absolute error; below 0 the model is better.
    pub mean_absolute_error: Option<Estimate>,
    /// Brier score; below 0 the model is better.
    pub brier: Option<Estimate>,
    /// Expected calibration error; below 0 the model is better.
    pub calibration_error: Option<Estimate>,
    /// AUC; above 0 the model is better.
    pub auc: Option<Estimate>,
    /// Average precision; above 0 the model is better.
    pub average_precision: Option<Estimate>,
}

/// Measures predictions for one class.
///
/// # Errors
/// [`SpaceError::Setting`] for no bins or a threshold that is not a number.
pub fn evaluate(
    predictions: &Predictions<'_>,
    params: &EvaluateParams,
) -> Result<Evaluation, SpaceError> {
    let ranking = Ranking::new(predictions, params)?;
    let units = predictions.units();
    let mut found = params.bootstrap.run(&units, |counts| ranking.measure(counts)).into_iter();
    let mut next = || found.next().flatten();
    let evaluation = Evaluation {
        n: predictions.n(),
        log_loss: next(),
        mean_absolute_error: next(),
        brier: next(),
        calibration_error: next(),
        auc: next(),
        average_precision: next(),
        prevalence: next(),
        entropy_floor: next(),
        excess_log_loss: next(),
        best_auc: ranking.best_auc(),
        reliability: ranking.bins().map(|bin| ReliabilityBin { mean_label: next(), ..bin }).collect(),
        selections: params
            .thresholds
            .iter()
            .map(|&threshold| Selection {
                threshold,
                precision: next(),
                recall: next(),
                selected: next(),
                f1: next(),
            })
            .collect(),
    };
    Ok(evaluation)
}

/// How much better a model is than a baseline, with paired intervals: both meet the same draws of
/// subjects, so that what makes a subject hard for both cancels.
///
/// # Errors
/// As [`evaluate`]; [`SpaceError::Length`] unless both have as many subjects. The labels, weights and
/// groups are the model's.
pub fn compare(
    model: &Predictions<'_>,
    baseline: &[f64],
    params: &EvaluateParams,
) -> Result<Comparison, SpaceError> {
    check_length("the baseline", baseline.len(), model.n())?;
    check_share("the baseline", baseline)?;
    let other = Predictions { predicted: baseline, ..*model };
    let (model_ranking, other_ranking) = (Ranking::new(model, params)?, Ranking::new(&other, params)?);
    let found = params.bootstrap.run(&model.units(), |counts| {
        let (a, b) = (model_ranking.measure(counts), other_ranking.measure(counts));
        a.iter().zip(b).take(N_COMPARED).map(|(a, b)| a - b).collect()
    });
    let at = |i: usize| found.get(i).copied().flatten();
    Ok(Comparison {
        log_loss: at(0),
        mean_absolute_error: at(1),
        brier: at(2),
        calibration_error: at(3),
        auc: at(4),
        average_precision: at(5),
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
