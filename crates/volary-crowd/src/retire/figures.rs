//! What a rule would have cost and saved, over subjects, with intervals.
//!
//! Subjects are the sample: the intervals say how far the figures would move with other subjects of the
//! same kind. How far they move with another order of the votes is the spread beside them.

use crate::interval::wilson;
use crate::special::two_sided_z;

/// A figure with its interval and, over several orders, its spread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The figure; the mean over orders.
    pub value: f64,
    /// Lower end of its interval over subjects.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard deviation over orders, where there are several.
    pub sd: Option<f64>,
    /// Least and most over orders, where there are several.
    pub range: Option<(f64, f64)>,
}

/// What one rule would have done.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Subjects that the figures are about: all that are not gold.
    pub n_subjects: u64,
    /// Mean number of votes a subject.
    pub mean_votes: Estimate,
    /// Median number of votes a subject.
    pub median_votes: Estimate,
    /// Share of subjects that the rule retired.
    pub retired: Estimate,
    /// Share of subjects that the cap retired.
    pub capped: Estimate,
    /// Share of the votes that would not have been needed.
    pub saved: Estimate,
    /// Share of subjects with another answer than the vote over all votes gives.
    pub changed: Estimate,
    /// Share of subjects with another answer than the same rule's model gives over all votes.
    pub changed_own: Estimate,
    /// Subjects with known truth.
    pub n_truth: u64,
    /// Share of them that is right; a tie counts as a fair draw among the tied.
    pub accuracy: Option<Estimate>,
    /// The same with ties wrong.
    pub accuracy_ties_wrong: Option<f64>,
    /// Ties and subjects without any answer, mean over orders.
    pub n_ties: f64,
}

/// One order's word on each subject; columns of equal length.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) taken: Vec<f64>,
    pub(crate) retired: Vec<f64>,
    pub(crate) capped: Vec<f64>,
    pub(crate) changed: Vec<f64>,
    pub(crate) changed_own: Vec<f64>,
    pub(crate) tied: Vec<f64>,
    /// Chance of being right; NaN where the truth is unknown.
    pub(crate) credit: Vec<f64>,
    /// 1 where right without a tie; NaN where the truth is unknown.
    pub(crate) strict: Vec<f64>,
}

impl Columns {
    fn all(&self) -> [&Vec<f64>; N] {
        let Self { taken, retired, capped, changed, changed_own, tied, credit, strict } = self;
        [taken, retired, capped, changed, changed_own, tied, credit, strict]
    }
}

/// Columns of [`Columns`], by name.
const N: usize = 8;
const TAKEN: usize = 0;
const RETIRED: usize = 1;
const CAPPED: usize = 2;
const CHANGED: usize = 3;
const CHANGED_OWN: usize = 4;
const TIED: usize = 5;
const CREDIT: usize = 6;
const STRICT: usize = 7;

/// Orders summed up, so that many orders take the memory of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    n_orders: f64,
    /// Per column and subject: the sum over orders.
    sums: [Vec<f64>; N],
    /// Per column and order: the mean over subjects.
    means: [Vec<f64>; N],
    medians: Vec<f64>,
    taken: Vec<f64>,
}

impl Tally {
    /// Of one order alone.
    pub(crate) fn of(columns: &Columns) -> Self {
        let mut tally = Self::default();
        tally.add(columns);
        tally
    }

    /// Takes in an order.
    pub(crate) fn add(&mut self, columns: &Columns) {
        self.n_orders += 1.0;
        for (at, column) in columns.all().into_iter().enumerate() {
            let sums = &mut self.sums[at];
            sums.resize(column.len(), 0.0);
            sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += x);
            self.means[at].push(known_mean(column));
        }
        self.medians.push(middle(&mut columns.taken.clone()));
        self.taken.push(columns.taken.iter().sum());
    }

    fn by_subject(&self, column: usize) -> Vec<f64> {
        self.sums[column].iter().map(|sum| sum / self.n_orders).collect()
    }

    fn mean(&self, column: usize) -> f64 {
        known_mean(&self.means[column])
    }

    fn estimate(&self, column: usize, low: f64, high: f64) -> Estimate {
        estimate(&self.means[column], low, high)
    }
}

/// Figures out of one or more orders. `total` is the number of votes that each subject has.
pub(crate) fn figures(tally: &Tally, total: &[f64], level: f64) -> Figures {
    let n = total.len() as f64;
    let z = two_sided_z(level);
    let share = |column: usize| {
        let interval = wilson(tally.mean(column) * n, n, level);
        tally.estimate(column, interval.low, interval.high)
    };
    let taken = tally.by_subject(TAKEN);
    let half = z * (variance(&taken) / n.max(1.0)).sqrt();
    let mean = tally.mean(TAKEN);
    let n_truth = tally.sums[CREDIT].iter().filter(|c| !c.is_nan()).count() as f64;
    let accuracy = (n_truth > 0.0).then(|| {
        let interval = wilson(tally.mean(CREDIT) * n_truth, n_truth, level);
        tally.estimate(CREDIT, interval.low, interval.high)
    });
    Figures {
        n_subjects: total.len() as u64,
        mean_votes: tally.estimate(TAKEN, mean - half, mean + half),
        median_votes: median_votes(&tally.medians, taken.clone(), z),
        retired: share(RETIRED),
        capped: share(CAPPED),
        saved: saved(&tally.taken, &taken, total, z),
        changed: share(CHANGED),
        changed_own: share(CHANGED_OWN),
        n_truth: n_truth as u64,
        accuracy,
        accuracy_ties_wrong: (n_truth > 0.0).then(|| tally.mean(STRICT)),
        n_ties: tally.mean(TIED) * n,
    }
}

fn estimate(by_order: &[f64], low: f64, high: f64) -> Estimate {
    let several = by_order.len() > 1;
    let least = by_order.iter().copied().fold(f64::INFINITY, f64::min);
    let most = by_order.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Estimate {
        value: known_mean(by_order),
        low,
        high,
        sd: several.then(|| variance(by_order).sqrt()),
        range: several.then_some((least, most)),
    }
}

/// Mean of what is not NaN; 0 of nothing.
fn known_mean(values: &[f64]) -> f64 {
    let (sum, n) = values.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    if n > 0.0 { sum / n } else { 0.0 }
}

fn variance(values: &[f64]) -> f64 {
    let mean = known_mean(values);
    let n = values.len() as f64;
    if n < 2.0 { 0.0 } else { values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) }
}

/// The median; 0 of nothing. Leaves the values sorted.
fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n => 0.5 * (values[(n - 1) / 2] + values[n / 2]),
    }
}

/// The median with the interval of its order statistics (ranks n/2 ± z √n/2).
fn median_votes(medians: &[f64], mut by_subject: Vec<f64>, z: f64) -> Estimate {
    middle(&mut by_subject);
    let v = by_subject;
    if v.is_empty() {
        return estimate(medians, 0.0, 0.0);
    }
    let (n, last) = (v.len() as f64, v.len() - 1);
    let low = (0.5 * n - 0.5 * z * n.sqrt()).floor().max(0.0) as usize;
    let high = (0.5 * n + 0.5 * z * n.sqrt()).ceil() as usize;
    let value = known_mean(medians);
    estimate(medians, v[low.min(last)].min(value), v[high.min(last)].max(value))
}

/// 1 − Σ taken / Σ all, a ratio over subjects; its interval by the delta method.
fn saved(taken: &[f64], by_subject: &[f64], total: &[f64], z: f64) -> Estimate {
    let all: f64 = total.iter().sum();
    if all <= 0.0 {
        return Estimate::default();
    }
    let by_order: Vec<f64> = taken.iter().map(|taken| 1.0 - taken / all).collect();
    let (value, n) = (known_mean(&by_order), total.len() as f64);
    let residual = |(t, a): (&f64, &f64)| (t - (1.0 - value) * a).powi(2);
    let sum: f64 = by_subject.iter().zip(total).map(residual).sum();
    let half = if n > 1.0 { z * (sum * n / (n - 1.0)).sqrt() / all } else { 0.0 };
    estimate(&by_order, (value - half).max(0.0), (value + half).min(1.0))
}
