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

/// Figures out of one or more orders. `total` is the number of votes that each subject has.
pub(crate) fn figures(orders: &[Columns], total: &[f64], level: f64) -> Figures {
    let n = total.len() as f64;
    let z = two_sided_z(level);
    let column = |pick: fn(&Columns) -> &Vec<f64>| Column::new(orders, pick);
    let share = |pick: fn(&Columns) -> &Vec<f64>| {
        let column = column(pick);
        let interval = wilson(column.mean() * n, n, level);
        column.estimate(interval.low, interval.high)
    };
    let taken = column(|c| &c.taken);
    let half = z * (variance(&taken.by_subject) / n.max(1.0)).sqrt();
    let mean_votes = taken.estimate(taken.mean() - half, taken.mean() + half);
    let credit = column(|c| &c.credit);
    let n_truth = credit.by_subject.iter().filter(|c| !c.is_nan()).count() as f64;
    let accuracy = (n_truth > 0.0).then(|| {
        let interval = wilson(credit.mean() * n_truth, n_truth, level);
        credit.estimate(interval.low, interval.high)
    });
    Figures {
        n_subjects: total.len() as u64,
        mean_votes,
        median_votes: median_votes(orders, &taken.by_subject, z),
        retired: share(|c| &c.retired),
        capped: share(|c| &c.capped),
        saved: saved(orders, &taken.by_subject, total, z),
        changed: share(|c| &c.changed),
        changed_own: share(|c| &c.changed_own),
        n_truth: n_truth as u64,
        accuracy,
        accuracy_ties_wrong: (n_truth > 0.0).then(|| column(|c| &c.strict).mean()),
        n_ties: column(|c| &c.tied).mean() * n,
    }
}

/// One column over all orders: its mean per subject and its mean per order.
struct Column {
    by_subject: Vec<f64>,
    by_order: Vec<f64>,
}

impl Column {
    fn new(orders: &[Columns], pick: fn(&Columns) -> &Vec<f64>) -> Self {
        let n = orders.first().map_or(0, |o| pick(o).len());
        let times = orders.len() as f64;
        let at = |i: usize| orders.iter().map(|o| pick(o)[i]).sum::<f64>() / times;
        let by_subject = (0..n).map(at).collect();
        let by_order = orders.iter().map(|o| known_mean(pick(o))).collect();
        Self { by_subject, by_order }
    }

    fn mean(&self) -> f64 {
        known_mean(&self.by_order)
    }

    fn estimate(&self, low: f64, high: f64) -> Estimate {
        estimate(&self.by_order, low, high)
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

/// The median with the interval of its order statistics (ranks n/2 ± z √n/2).
fn median_votes(orders: &[Columns], by_subject: &[f64], z: f64) -> Estimate {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let middle = |values: &[f64]| {
        let v = sorted(values);
        match v.len() {
            0 => 0.0,
            n => 0.5 * (v[(n - 1) / 2] + v[n / 2]),
        }
    };
    let medians: Vec<f64> = orders.iter().map(|o| middle(&o.taken)).collect();
    let v = sorted(by_subject);
    if v.is_empty() {
        return estimate(&medians, 0.0, 0.0);
    }
    let (n, last) = (v.len() as f64, v.len() - 1);
    let low = (0.5 * n - 0.5 * z * n.sqrt()).floor().max(0.0) as usize;
    let high = (0.5 * n + 0.5 * z * n.sqrt()).ceil() as usize;
    let value = known_mean(&medians);
    estimate(&medians, v[low.min(last)].min(value), v[high.min(last)].max(value))
}

/// 1 − Σ taken / Σ all, a ratio over subjects; its interval by the delta method.
fn saved(orders: &[Columns], by_subject: &[f64], total: &[f64], z: f64) -> Estimate {
    let all: f64 = total.iter().sum();
    if all <= 0.0 {
        return Estimate::default();
    }
    let by_order: Vec<f64> = orders.iter().map(|o| 1.0 - o.taken.iter().sum::<f64>() / all).collect();
    let (value, n) = (known_mean(&by_order), total.len() as f64);
    let residual = |(t, a): (&f64, &f64)| (t - (1.0 - value) * a).powi(2);
    let sum: f64 = by_subject.iter().zip(total).map(residual).sum();
    let half = if n > 1.0 { z * (sum * n / (n - 1.0)).sqrt() / all } else { 0.0 };
    estimate(&by_order, (value - half).max(0.0), (value + half).min(1.0))
}
