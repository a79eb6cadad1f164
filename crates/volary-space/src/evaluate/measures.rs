//! The measures themselves, for any weights: sorted once, then one pass per bootstrap replicate.

use super::{CLIP, EvaluateParams, Positive, Predictions, ReliabilityBin};
use crate::error::SpaceError;

/// One subject, in order of falling prediction.
struct Row {
    /// Where it stands in the caller's columns.
    at: usize,
    weight: f64,
    positive: f64,
    log_loss: f64,
    entropy: f64,
    absolute: f64,
    square: f64,
    predicted: f64,
    label: f64,
    bin: usize,
}

/// Predictions and labels, sorted and cut for measuring.
pub(super) struct Ranking<'a> {
    rows: Vec<Row>,
    params: &'a EvaluateParams,
}

impl<'a> Ranking<'a> {
    pub(super) fn new(of: &Predictions<'_>, params: &'a EvaluateParams) -> Result<Self, SpaceError> {
        if params.n_bins == 0 {
            let must = "at least 1";
            return Err(SpaceError::Setting { name: "the number of bins", value: 0.0, must });
        }
        if let Some(&value) = params.thresholds.iter().find(|t| t.is_nan()) {
            return Err(SpaceError::Setting { name: "a threshold", value, must: "a number" });
        }
        let row = |at: usize| {
            let (p, q) = (of.predicted[at], of.label[at]);
            let positive = match params.positive {
                Positive::Above(threshold) => f64::from(u8::from(q > threshold)),
                Positive::Soft => q,
            };
            Row {
                at,
                weight: of.weight.map_or(1.0, |w| w[at]),
                positive,
                log_loss: cross_entropy(q, p) + cross_entropy(1.0 - q, 1.0 - p),
                entropy: cross_entropy(q, q) + cross_entropy(1.0 - q, 1.0 - q),
                absolute: (p - q).abs(),
                square: (p - q).powi(2),
                predicted: p,
                label: q,
                bin: bin_of(p, params.n_bins),
            }
        };
        let mut rows: Vec<Row> = (0..of.n()).map(row).collect();
        rows.sort_by(|a, b| b.predicted.total_cmp(&a.predicted));
        Ok(Self { rows, params })
    }

    /// All measures, with each subject counted `counts` times: log loss, absolute error, Brier, calibration,
    /// AUC, average precision, prevalence, floor, excess, then the label of each bin, then each threshold's
    /// precision, recall, selected share and F1.
    pub(super) fn measure(&self, counts: &[f64]) -> Vec<f64> {
        let mut sums = [0.0; 5];
        let mut bins = vec![[0.0; 3]; self.params.n_bins];
        for row in &self.rows {
            let w = counts[row.at] * row.weight;
            let terms = [1.0, row.log_loss, row.absolute, row.square, row.entropy];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += w * term);
            let bin = &mut bins[row.bin];
            bin.iter_mut().zip([1.0, row.predicted, row.label]).for_each(|(sum, term)| *sum += w * term);
        }
        let [total, log_loss, absolute, square, entropy] = sums;
        let gaps: f64 = bins.iter().map(|[_, predicted, label]| (predicted - label).abs()).sum();
        let curve = Curve::walk(&self.rows, counts, &self.params.thresholds);
        let mut out = vec![
            log_loss / total,
            absolute / total,
            square / total,
            gaps / total,
            curve.auc(),
            curve.average_precision(),
            curve.n_positive / total,
            entropy / total,
            (log_loss - entropy) / total,
        ];
        out.extend(bins.iter().map(|[n, _, label]| label / n));
        for &(hits, selected) in &curve.at_thresholds {
            let (precision, recall) = (hits / selected, hits / curve.n_positive);
            // 2PR/(P + R), written so that it is 0 and not undefined where nothing is hit.
            let f1 = 2.0 * hits / (selected + curve.n_positive);
            out.extend([precision, recall, selected / total, f1]);
        }
        out
    }

    /// The bins without their labels.
    pub(super) fn bins(&self) -> impl Iterator<Item = ReliabilityBin> {
        let n_bins = self.params.n_bins;
        (0..n_bins).map(move |bin| {
            let rows = self.rows.iter().filter(move |row| row.bin == bin);
            let (n, weight, sum) = rows.fold((0, 0.0, 0.0), |(n, weight, sum), row| {
                (n + 1, weight + row.weight, sum + row.weight * row.predicted)
            });
            ReliabilityBin {
                low: bin as f64 / n_bins as f64,
                high: (bin + 1) as f64 / n_bins as f64,
                n,
                mean_predicted: (weight > 0.0).then(|| sum / weight),
                mean_label: None,
            }
        })
    }

    /// AUC of the labels as their own prediction.
    pub(super) fn best_auc(&self) -> Option<f64> {
        let mut order: Vec<&Row> = self.rows.iter().collect();
        order.sort_by(|a, b| b.label.total_cmp(&a.label));
        let ranked = order.into_iter().map(|row| Ranked {
            key: row.label,
            positive: row.weight * row.positive,
            negative: row.weight * (1.0 - row.positive),
        });
        let auc = Curve::of(ranked, &[]).auc();
        (!auc.is_nan()).then_some(auc)
    }
}

/// −q ln p with p kept off 0, and 0 at q = 0.
fn cross_entropy(q: f64, p: f64) -> f64 {
    if q > 0.0 { -q * p.max(CLIP).ln() } else { 0.0 }
}

/// (low, high], as in the reliability table of a consensus; the first bin holds 0 as well.
fn bin_of(p: f64, n_bins: usize) -> usize {
    ((p * n_bins as f64 - 1e-9).ceil().max(1.0) as usize).min(n_bins) - 1
}

struct Ranked {
    key: f64,
    positive: f64,
    negative: f64,
}

/// What one walk down the ranking collects.
struct Curve {
    n_positive: f64,
    n_negative: f64,
    /// Σ over positives of the negatives below them, ties half.
    pairs: f64,
    /// Σ over steps of the positives in it × the precision after it.
    steps: f64,
    /// Per threshold: positives selected, all selected.
    at_thresholds: Vec<(f64, f64)>,
}

impl Curve {
    fn walk(rows: &[Row], counts: &[f64], thresholds: &[f64]) -> Self {
        let ranked = rows.iter().map(|row| {
            let w = counts[row.at] * row.weight;
            Ranked { key: row.predicted, positive: w * row.positive, negative: w * (1.0 - row.positive) }
        });
        Self::of(ranked, thresholds)
    }

    fn of(ranked: impl Iterator<Item = Ranked>, thresholds: &[f64]) -> Self {
        let mut curve = Self {
            n_positive: 0.0,
            n_negative: 0.0,
            pairs: 0.0,
            steps: 0.0,
            at_thresholds: vec![(0.0, 0.0); thresholds.len()],
        };
        let (mut tie, mut key) = ((0.0, 0.0), f64::INFINITY);
        for row in ranked {
            if row.key < key {
                curve.step(tie);
                (tie, key) = ((0.0, 0.0), row.key);
            }
            tie.0 += row.positive;
            tie.1 += row.negative;
            for (at, _) in curve.at_thresholds.iter_mut().zip(thresholds).filter(|(_, t)| row.key >= **t)
            {
                at.0 += row.positive;
                at.1 += row.positive + row.negative;
            }
        }
        curve.step(tie);
        curve
    }

    fn step(&mut self, (positive, negative): (f64, f64)) {
        // Negatives met later lie below: each new negative is beaten by all positives before it.
        self.pairs += negative * (self.n_positive + positive / 2.0);
        self.n_positive += positive;
        self.n_negative += negative;
        if positive > 0.0 {
            self.steps += positive * self.n_positive / (self.n_positive + self.n_negative);
        }
    }

    fn auc(&self) -> f64 {
        // Rounding may lead past the end.
        (self.pairs / (self.n_positive * self.n_negative)).clamp(0.0, 1.0)
    }

    fn average_precision(&self) -> f64 {
        self.steps / self.n_positive
    }
}
