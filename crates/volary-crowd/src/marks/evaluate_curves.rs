//! ROC and precision–recall curves of scores, their areas, and how sure those are; calibration.
//!
//! Areas are exact with ties: one point per distinct score (Fawcett 2006, doi:10.1016/j.patrec.2005.10.010).
//! Average precision is Σ (Rₙ − Rₙ₋₁) Pₙ, as in scikit-learn; the trapezoid under the precision–recall curve
//! is given beside it, since the paper's table 1 prints both, and is optimistic (Davis & Goadrich 2006).
//!
//! Two conventions, since the paper uses both. *Marked only*: signals that nobody marked are left out. *All*:
//! they are positives with the lowest score of all. They add nothing under the ROC curve but take their
//! share of its height; the average precision gets one last step at the share of positives, so
//! [`Curves::average_precision_reached`] gives it without that step: what the crowd reached.
//!
//! Intervals are percentiles of bootstrap samples of *subjects*, since features of one subject stand and
//! fall together.

use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::seed::stream;

use super::evaluate::{EvaluateError, Matched, Share};
use crate::evaluate::{BINS, CLIP, ReliabilityBin};
use crate::interval::{Interval, wilson};

/// Which signals count as positives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// Only features are scored; signals that no feature matches are left out.
    MarkedOnly,
    /// Signals that no feature matches are positives with the lowest score.
    All,
}

/// One point of both curves: everything with at least this score is called real.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The score; negative infinity for the signals that no feature matches.
    pub threshold: f64,
    /// True positives.
    pub n_true: u64,
    /// False positives.
    pub n_false: u64,
}

/// Both curves of one set of scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// One point per distinct score, from the highest down.
    pub points: Vec<CurvePoint>,
    /// Positives.
    pub n_positive: u64,
    /// Negatives.
    pub n_negative: u64,
    /// Largest share of positives found by any score: 1 under [`Convention::MarkedOnly`].
    pub max_recall: f64,
    /// Area under the ROC curve: the chance that a real feature scores higher than one that is not, ties
    /// half. `None` without positives or without negatives.
    pub roc_auc: Option<f64>,
    /// Trapezoid under the precision–recall curve, from (0, 1).
    pub pr_auc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// The same without the step of the signals that no feature matches.
    pub average_precision_reached: Option<f64>,
}

impl Curves {
    /// Points (false-positive rate, recall) from (0, 0).
    #[must_use]
    pub fn roc(&self) -> Vec<(f64, f64)> {
        let (p, n) = (self.n_positive as f64, self.n_negative as f64);
        let points = self.points.iter().map(|c| (c.n_false as f64 / n, c.n_true as f64 / p));
        std::iter::once((0.0, 0.0)).chain(points).collect()
    }

    /// Points (recall, precision) from (0, 1).
    #[must_use]
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        let p = self.n_positive as f64;
        let points = self.points.iter().map(|c| (c.n_true as f64 / p, precision(c.n_true, c.n_false)));
        std::iter::once((0.0, 1.0)).chain(points).collect()
    }
}

fn precision(n_true: u64, n_false: u64) -> f64 {
    n_true as f64 / (n_true + n_false) as f64
}

/// Curves of features against signals.
#[must_use]
pub fn curves(matched: &Matched, convention: Convention) -> Curves {
    let scored = matched.judged.iter().map(|j| (j.score, j.is_real));
    let missed = match convention {
        Convention::MarkedOnly => 0,
        Convention::All => matched.shown.iter().filter(|s| s.n_features == 0).count() as u64,
    };
    curves_of(scored, missed)
}

/// Curves of any scores with labels, and `n_missed` positives without a score. A score that is NaN is the
/// lowest.
#[must_use]
pub fn curves_of(scored: impl IntoIterator<Item = (f64, bool)>, n_missed: u64) -> Curves {
    let mut sorted: Vec<(f64, bool)> =
        scored.into_iter().map(|(s, l)| (if s.is_nan() { f64::MIN } else { s }, l)).collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut points = Vec::new();
    let (mut n_true, mut n_false) = (0, 0);
    for tie in sorted.chunk_by(|a, b| a.0 == b.0) {
        let real = tie.iter().filter(|t| t.1).count() as u64;
        n_true += real;
        n_false += tie.len() as u64 - real;
        points.push(CurvePoint { threshold: tie[0].0, n_true, n_false });
    }
    let (found, n_negative) = (n_true, n_false);
    let n_positive = found + n_missed;
    if n_missed > 0 {
        points.push(CurvePoint { threshold: f64::NEG_INFINITY, n_true: n_positive, n_false });
    }
    let max_recall = found as f64 / n_positive as f64;
    let areas = areas(&points, n_positive, n_negative);
    let reached = if n_missed > 0 { &points[..points.len() - 1] } else { &points[..] };
    let average_precision_reached = average_precision(reached, n_positive);
    let (roc_auc, pr_auc) = areas;
    let ap = average_precision(&points, n_positive);
    Curves {
        n_positive,
        n_negative,
        max_recall,
        roc_auc,
        pr_auc,
        average_precision: ap,
        average_precision_reached,
        points,
    }
}

/// Areas under the ROC curve and, by trapezoids, under the precision–recall curve.
fn areas(points: &[CurvePoint], n_positive: u64, n_negative: u64) -> (Option<f64>, Option<f64>) {
    let (p, n) = (n_positive as f64, n_negative as f64);
    let (mut roc, mut pr) = (0.0, 0.0);
    let (mut t, mut f, mut height) = (0, 0, 1.0);
    for point in points {
        let (dt, df) = ((point.n_true - t) as f64, (point.n_false - f) as f64);
        roc += df * (t as f64 + dt / 2.0);
        let next = precision(point.n_true, point.n_false);
        pr += dt / p * (height + next) / 2.0;
        (t, f, height) = (point.n_true, point.n_false, next);
    }
    let roc = (n_positive > 0 && n_negative > 0).then_some(roc / (p * n));
    (roc, (n_positive > 0).then_some(pr))
}

fn average_precision(points: &[CurvePoint], n_positive: u64) -> Option<f64> {
    let mut before = 0;
    let steps = points.iter().map(|point| {
        let step = (point.n_true - before) as f64 * precision(point.n_true, point.n_false);
        before = point.n_true;
        step
    });
    (n_positive > 0).then(|| steps.sum::<f64>() / n_positive as f64)
}

/// Intervals of the areas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AreaIntervals {
    /// Of the area under the ROC curve.
    pub roc_auc: Interval,
    /// Of the average precision.
    pub average_precision: Interval,
    /// Bootstrap samples that had both positives and negatives.
    pub n_samples: u32,
}

/// Bootstrap intervals of the areas: `n_samples` samples of subjects with replacement, percentiles at
/// `level`. The same seed gives the same interval on any number of threads.
#[must_use]
pub fn area_intervals(
    matched: &Matched,
    convention: Convention,
    n_samples: u32,
    level: f64,
    seed: u64,
) -> AreaIntervals {
    let bootstrap = Bootstrap::new(matched, convention);
    let draws: Vec<Option<(f64, f64)>> =
        (0..n_samples).into_par_iter().map(|sample| bootstrap.draw(seed, sample)).collect();
    let (mut roc, mut ap): (Vec<f64>, Vec<f64>) = draws.into_iter().flatten().unzip();
    let n_samples = u32::try_from(roc.len()).unwrap_or(u32::MAX);
    AreaIntervals {
        roc_auc: percentiles(&mut roc, level),
        average_precision: percentiles(&mut ap, level),
        n_samples,
    }
}

fn percentiles(values: &mut [f64], level: f64) -> Interval {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return Interval::WHOLE };
    let tail = (1.0 - level) / 2.0;
    let at = |q: f64| {
        let place = q * last as f64;
        let low = place.floor() as usize;
        let high = (low + 1).min(last);
        values[low] + (values[high] - values[low]) * (place - low as f64)
    };
    Interval { low: at(tail), high: at(1.0 - tail) }
}

/// Sorted once; each sample only changes how often each subject counts.
struct Bootstrap {
    /// (score, subject, real) from the highest score down; missed signals at the end.
    sorted: Vec<(f64, u32, bool)>,
    n_subjects: u32,
}

impl Bootstrap {
    fn new(matched: &Matched, convention: Convention) -> Self {
        let mut ids: Vec<u32> = matched.shown.iter().map(|s| s.subject).collect();
        ids.dedup();
        let place =
            |subject: u32| ids.binary_search(&subject).ok().and_then(|at| u32::try_from(at).ok());
        let judged = matched.judged.iter().map(|j| (j.score, j.subject, j.is_real));
        let missed = matched.shown.iter().filter(|s| s.n_features == 0);
        let missed = missed.map(|s| (f64::NEG_INFINITY, s.subject, true));
        let all: Vec<(f64, u32, bool)> = match convention {
            Convention::MarkedOnly => judged.collect(),
            Convention::All => judged.chain(missed).collect(),
        };
        let mut sorted: Vec<(f64, u32, bool)> = all
            .into_iter()
            .filter_map(|(score, subject, real)| Some((score, place(subject)?, real)))
            .collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        Self { sorted, n_subjects: u32::try_from(ids.len()).unwrap_or(u32::MAX) }
    }

    fn draw(&self, seed: u64, sample: u32) -> Option<(f64, f64)> {
        let mut rng = stream(seed, &format!("marks bootstrap {sample}"));
        let mut times = vec![0_u32; self.n_subjects as usize];
        for _ in 0..self.n_subjects {
            times[rng.random_range(0..self.n_subjects) as usize] += 1;
        }
        let (mut t, mut f) = (0.0, 0.0);
        let (mut below, mut ap) = (0.0, 0.0);
        for tie in self.sorted.chunk_by(|a, b| a.0 == b.0) {
            let (mut real, mut not) = (0.0, 0.0);
            for &(_, subject, is_real) in tie {
                let n = f64::from(times[subject as usize]);
                if is_real { real += n } else { not += n }
            }
            below += not * (t + real / 2.0);
            (t, f) = (t + real, f + not);
            if real > 0.0 {
                ap += real * t / (t + f);
            }
        }
        (t > 0.0 && f > 0.0).then(|| (below / (t * f), ap / t))
    }
}

/// How well probabilities keep their word.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Ten bins of equal width, empty ones included.
    pub bins: Vec<ReliabilityBin>,
    /// Mean squared error of the probabilities; `None` without any.
    pub brier: Option<f64>,
    /// 1 − Brier over that of always saying the share of real features: 0 says nothing, 1 is perfect.
    pub brier_skill: Option<f64>,
    /// Mean log loss in nats, probabilities kept [`CLIP`] from 0 and 1.
    pub log_loss: Option<f64>,
    /// Expected calibration error: mean distance of a bin's probability from its share, by number.
    pub ece: Option<f64>,
    /// Share of real features among all, the base rate.
    pub base_rate: Share,
}

/// Compares probabilities of being real with what is: one per judged feature, in their order.
///
/// A probability outside \[0, 1\] is moved to its nearer end; NaN is left out.
///
/// # Errors
/// [`EvaluateError::Length`] unless there is one probability per judged feature.
pub fn calibration(
    matched: &Matched,
    probabilities: &[f64],
    level: f64,
) -> Result<Calibration, EvaluateError> {
    let expected = matched.judged.len();
    if probabilities.len() != expected {
        let what = "probabilities of the judged features";
        return Err(EvaluateError::Length { what, actual: probabilities.len(), expected });
    }
    let real = matched.judged.iter().map(|j| j.is_real);
    let pairs = probabilities.iter().zip(real).filter(|(p, _)| !p.is_nan());
    let pairs: Vec<(f64, bool)> = pairs.map(|(p, real)| (p.clamp(0.0, 1.0), real)).collect();
    let n = pairs.len() as f64;
    let k = pairs.iter().filter(|p| p.1).count() as u64;
    let mean = |f: &dyn Fn(f64, f64) -> f64| {
        let sum: f64 = pairs.iter().map(|&(p, real)| f(p, f64::from(u8::from(real)))).sum();
        (n > 0.0).then_some(sum / n)
    };
    let brier = mean(&|p, y| (p - y).powi(2));
    let base = k as f64 / n;
    let bins = bins(&pairs, level);
    let gap = |b: &ReliabilityBin| Some(b.n as f64 * (b.mean_fraction? - b.share_true?).abs());
    let ece = (n > 0.0).then(|| bins.iter().filter_map(gap).sum::<f64>() / n);
    let spread = base * (1.0 - base);
    Ok(Calibration {
        brier,
        brier_skill: brier.filter(|_| spread > 0.0).map(|b| 1.0 - b / spread),
        log_loss: mean(&|p, y| -(y * p.max(CLIP).ln() + (1.0 - y) * (1.0 - p).max(CLIP).ln())),
        ece,
        base_rate: Share::new(k, pairs.len() as u64, level),
        bins,
    })
}

fn bins(pairs: &[(f64, bool)], level: f64) -> Vec<ReliabilityBin> {
    let mut sums = [(0_u64, 0.0, 0_u64); BINS];
    for &(p, real) in pairs {
        // The first bin holds 0, every other one its upper end.
        let at = ((p * BINS as f64).ceil() as usize).saturating_sub(1).min(BINS - 1);
        sums[at].0 += 1;
        sums[at].1 += p;
        sums[at].2 += u64::from(real);
    }
    let bin = |(at, &(n, sum, k)): (usize, &(u64, f64, u64))| {
        let n_real = n as f64;
        ReliabilityBin {
            low: at as f64 / BINS as f64,
            high: (at + 1) as f64 / BINS as f64,
            n,
            mean_fraction: (n > 0).then_some(sum / n_real),
            share_true: (n > 0).then_some(k as f64 / n_real),
            interval: wilson(k as f64, n_real, level),
        }
    };
    sums.iter().enumerate().map(bin).collect()
}

#[cfg(test)]
#[path = "evaluate_curves_tests.rs"]
mod tests;
