//! How right the features are, where signals are known: recovery, precision, and the tables of both.
//!
//! Safron et al. 2022, section 5. A feature *matches* a signal of its subject when it covers at least half
//! of the signal's duration; a signal is *recovered* when a matching feature reaches the score cutoff. Only
//! features in subjects with a known signal are judged, since elsewhere nobody knows. A signal shown in
//! several subjects (a simulation shown to several groups of viewers) counts once for each.
//!
//! Curves over all cutoffs: [`super::evaluate_curves`]; completeness as a function:
//! [`super::evaluate_logistic`]. Nothing here groups marks or weighs people.

use volary_core::marks::Signals;

use super::types::Features;
use crate::error::CrowdError;
use crate::interval::{Interval, wilson};

/// Share of a signal that a feature covers to match it.
pub const MATCH_COVER: f64 = 0.5;
/// Score from which a signal counts as recovered.
pub const SCORE_CUTOFF: f64 = 0.5;
/// Radius bins of the paper's table 2 in Earth radii (inferred from its row totals).
pub const PAPER_RADIUS_EDGES: [f64; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 10.0, 12.0];
/// Period bins of the paper's table 2 in days (inferred: "linear binning").
pub const PAPER_PERIOD_EDGES: [f64; 6] = [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0];

/// Why an evaluation cannot be made as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// Nothing is known about any subject.
    #[error(
        "no known signal lies in a subject that anybody classified; give the table of simulations \
         (--signals) or of known transits (--truth) that belongs to these classifications"
    )]
    NoSignals,
    /// A column of another length.
    #[error("{what}: {actual} entries for {expected}")]
    Length {
        /// Which column.
        what: &'static str,
        /// Its length.
        actual: usize,
        /// What it belongs to.
        expected: usize,
    },
    /// Edges of bins that are not increasing finite numbers, or fewer than two.
    #[error("the edges of bins are at least two increasing numbers, not {edges:?}")]
    Edges {
        /// The edges.
        edges: Vec<f64>,
    },
    /// Too little to fit.
    #[error("a completeness fit needs at least {needed} bins with signals, there are {actual}")]
    TooFewBins {
        /// Bins with signals.
        actual: usize,
        /// What is needed.
        needed: usize,
    },
    /// The grouping or weighing of a sweep refused its constants.
    #[error(transparent)]
    Crowd(#[from] CrowdError),
    /// The fit did not settle.
    #[error("the completeness fit did not converge ({why}); take wider bins or fix the shape at 1")]
    NotConverged {
        /// What the optimiser says.
        why: String,
    },
}

/// `k` of `n` with an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// How many.
    pub k: u64,
    /// Of how many.
    pub n: u64,
    /// Wilson interval; the whole of \[0, 1\] where `n` is 0.
    pub interval: Interval,
}

impl Share {
    /// A share with its Wilson interval at `level` (0.95, say).
    #[must_use]
    pub fn new(k: u64, n: u64, level: f64) -> Self {
        Self { k, n, interval: wilson(k as f64, n as f64, level) }
    }

    /// k/n; NaN for 0 of 0.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.k as f64 / self.n as f64
    }
}

/// One signal in one subject, and what was found of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Index of the subject.
    pub subject: u32,
    /// Index into the joined [`Signals`].
    pub signal: u32,
    /// Highest score of a matching feature; negative infinity where no feature matches.
    pub best_score: f64,
    /// Matching features: more than one is a signal in fragments.
    pub n_features: u32,
}

/// One feature in a subject with a known signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Index of the feature.
    pub feature: u32,
    /// Index of its subject.
    pub subject: u32,
    /// Its score; NaN counts as lower than every number.
    pub score: f64,
    /// Whether it matches a signal.
    pub is_real: bool,
}

/// Features against signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matched {
    /// Every signal in every subject that shows it, by subject, then in the order of the table.
    pub shown: Vec<Shown>,
    /// Every feature of those subjects, in the order of the features.
    pub judged: Vec<Judged>,
    /// Features in all, judged or not.
    pub n_features: u64,
    /// Features in all with a score of at least [`SCORE_CUTOFF`].
    pub n_features_above: u64,
}

/// Compares features with known signals; `min_cover` is the share of the signal that a match covers
/// ([`MATCH_COVER`]).
///
/// # Errors
/// [`EvaluateError::NoSignals`] where no subject has one; [`EvaluateError::Length`] unless there is one
/// score per feature.
pub fn match_features(
    features: &Features,
    scores: &[f64],
    signals: &Signals,
    min_cover: f64,
) -> Result<Matched, EvaluateError> {
    if scores.len() != features.len() {
        let (actual, expected) = (scores.len(), features.len());
        return Err(EvaluateError::Length { what: "scores of the features", actual, expected });
    }
    let above = scores.iter().filter(|s| **s >= SCORE_CUTOFF).count();
    let mut out = Matched {
        n_features: features.len() as u64,
        n_features_above: above as u64,
        ..Matched::default()
    };
    for subject in 0..features.start.len().saturating_sub(1) {
        let mine = signals.of(subject);
        if mine.is_empty() {
            continue;
        }
        let index = u32::try_from(subject).unwrap_or(u32::MAX);
        let found = features.of(subject);
        let covers = |f: usize, s: usize| {
            let signal = (signals.x_min_days[s], signals.x_max_days[s]);
            cover(signal, (features.x_min_days[f], features.x_max_days[f])) >= min_cover
        };
        for f in found.clone() {
            let is_real = mine.clone().any(|s| covers(f, s));
            let feature = u32::try_from(f).unwrap_or(u32::MAX);
            out.judged.push(Judged { feature, subject: index, score: known(scores[f]), is_real });
        }
        for s in mine {
            let matching = found.clone().filter(|&f| covers(f, s));
            let none = (0, f64::NEG_INFINITY);
            let (n, best) = matching.fold(none, |(n, best), f| (n + 1, known(scores[f]).max(best)));
            let signal = u32::try_from(s).unwrap_or(u32::MAX);
            out.shown.push(Shown { subject: index, signal, best_score: best, n_features: n });
        }
    }
    if out.shown.is_empty() { Err(EvaluateError::NoSignals) } else { Ok(out) }
}

/// A score that is no number is lower than every other, but still that of a feature.
fn known(score: f64) -> f64 {
    if score.is_nan() { f64::MIN } else { score }
}

/// The share of `signal` that `other` covers; 0 for a signal of no length, or a bound that is no number.
#[must_use]
pub fn cover(signal: (f64, f64), other: (f64, f64)) -> f64 {
    // `min` and `max` pass over NaN, so that a feature without a left end would cover everything.
    if other.0.is_nan() || other.1.is_nan() {
        return 0.0;
    }
    let common = signal.1.min(other.1) - signal.0.max(other.0);
    let share = common.max(0.0) / (signal.1 - signal.0);
    if share.is_finite() { share } else { 0.0 }
}

/// The numbers that one line of a paper gives, at one score cutoff.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headline {
    /// The score cutoff; "at least" it.
    pub cutoff: f64,
    /// Signals recovered.
    pub recovered: Share,
    /// Signals that some feature matches, whatever its score: the most that could be recovered.
    pub reachable: Share,
    /// Of the judged features at or above the cutoff, those that match a signal.
    pub precision: Share,
    /// Of the judged features that match nothing, those at or above the cutoff.
    pub false_positive_rate: Share,
    /// Features that match a signal, per signal that any matches: 1 is no fragmentation.
    pub features_per_signal: f64,
}

impl Headline {
    /// False positives per true positive: the ratio of the paper's appendix; `None` for none of either.
    #[must_use]
    pub fn false_per_true(&self) -> Option<f64> {
        let (true_positives, n) = (self.precision.k, self.precision.n);
        (true_positives > 0).then(|| (n - true_positives) as f64 / true_positives as f64)
    }
}

/// Recovery, precision and false-positive rate at a score cutoff.
#[must_use]
pub fn headline(matched: &Matched, cutoff: f64, level: f64) -> Headline {
    let count = |f: &dyn Fn(&Judged) -> bool| matched.judged.iter().filter(|j| f(j)).count() as u64;
    let passed = count(&|j| j.score >= cutoff);
    let true_positives = count(&|j| j.score >= cutoff && j.is_real);
    let false_all = count(&|j| !j.is_real);
    let n = matched.shown.len() as u64;
    let recovered = matched.shown.iter().filter(|s| s.best_score >= cutoff).count() as u64;
    let reachable = matched.shown.iter().filter(|s| s.n_features > 0).count() as u64;
    let fragments: u64 = matched.shown.iter().map(|s| u64::from(s.n_features)).sum();
    Headline {
        cutoff,
        recovered: Share::new(recovered, n, level),
        reachable: Share::new(reachable, n, level),
        precision: Share::new(true_positives, passed, level),
        false_positive_rate: Share::new(passed - true_positives, false_all, level),
        features_per_signal: fragments as f64 / reachable as f64,
    }
}

/// The same for several cutoffs: the study of the paper's appendix (A.3, floors 0.0 to 0.9).
#[must_use]
pub fn floors(matched: &Matched, cutoffs: &[f64], level: f64) -> Vec<Headline> {
    cutoffs.iter().map(|&cutoff| headline(matched, cutoff, level)).collect()
}

/// Recovery by one quantity or two.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryTable {
    /// Edges of the columns.
    pub x_edges: Vec<f64>,
    /// Edges of the rows; for one quantity, a single row from −∞ to ∞.
    pub y_edges: Vec<f64>,
    /// `cells[row][column]`.
    pub cells: Vec<Vec<Share>>,
    /// Signals whose quantities are unknown or outside the edges: in no cell.
    pub n_outside: u64,
}

/// Counts recovered signals by one quantity. `x` is a column of the signals (one value per joined signal).
///
/// A bin holds its lower edge; the last one holds both.
///
/// # Errors
/// [`EvaluateError::Edges`], or [`EvaluateError::Length`] for a column that is too short.
pub fn recovery_by(
    matched: &Matched,
    cutoff: f64,
    (x, x_edges): (&[f64], &[f64]),
    level: f64,
) -> Result<RecoveryTable, EvaluateError> {
    let y = vec![0.0; x.len()];
    let whole = [f64::NEG_INFINITY, f64::INFINITY];
    check_edges(x_edges)?;
    table(matched, cutoff, [(x, x_edges), (&y, &whole)], level)
}

/// Counts recovered signals by two quantities: the paper's table 2 is radius (rows) by period (columns).
///
/// # Errors
/// As [`recovery_by`].
pub fn recovery_table(
    matched: &Matched,
    cutoff: f64,
    x: (&[f64], &[f64]),
    y: (&[f64], &[f64]),
    level: f64,
) -> Result<RecoveryTable, EvaluateError> {
    check_edges(x.1)?;
    check_edges(y.1)?;
    table(matched, cutoff, [x, y], level)
}

fn check_edges(edges: &[f64]) -> Result<(), EvaluateError> {
    let increasing = edges.windows(2).all(|w| w[0] < w[1]) && edges.iter().all(|e| !e.is_nan());
    if edges.len() >= 2 && increasing {
        return Ok(());
    }
    Err(EvaluateError::Edges { edges: edges.to_vec() })
}

fn table(
    matched: &Matched,
    cutoff: f64,
    [(x, x_edges), (y, y_edges)]: [(&[f64], &[f64]); 2],
    level: f64,
) -> Result<RecoveryTable, EvaluateError> {
    let expected = matched.shown.iter().map(|s| s.signal as usize + 1).max().unwrap_or(0);
    for column in [x, y] {
        if column.len() < expected {
            let what = "a quantity of the signals";
            return Err(EvaluateError::Length { what, actual: column.len(), expected });
        }
    }
    let mut counts = vec![vec![(0, 0); x_edges.len() - 1]; y_edges.len() - 1];
    let mut n_outside = 0;
    for shown in &matched.shown {
        let at = shown.signal as usize;
        match (bin(x[at], x_edges), bin(y[at], y_edges)) {
            (Some(column), Some(row)) => {
                let cell: &mut (u64, u64) = &mut counts[row][column];
                cell.0 += u64::from(shown.best_score >= cutoff);
                cell.1 += 1;
            }
            _ => n_outside += 1,
        }
    }
    let share = |&(k, n): &(u64, u64)| Share::new(k, n, level);
    let cells = counts.iter().map(|row| row.iter().map(share).collect()).collect();
    Ok(RecoveryTable { x_edges: x_edges.to_vec(), y_edges: y_edges.to_vec(), cells, n_outside })
}

/// The bin of a value; the last one holds its upper edge as well.
fn bin(value: f64, edges: &[f64]) -> Option<usize> {
    let last = *edges.last()?;
    if value.is_nan() || value < edges[0] || value > last {
        return None;
    }
    let at = edges.partition_point(|edge| *edge <= value);
    Some(at.saturating_sub(1).min(edges.len() - 2))
}

/// How to cut a quantity into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Bins of equal width.
    Linear,
    /// Bins of equal ratio; values that are not positive lie in none.
    Logarithmic,
    /// Bins of about equal numbers.
    Quantiles,
}

/// Edges of `n` bins over the finite values of a column; fewer where values repeat, none without two
/// different values.
#[must_use]
pub fn edges(values: &[f64], n: usize, spacing: Spacing) -> Vec<f64> {
    let usable = |v: &&f64| v.is_finite() && (spacing != Spacing::Logarithmic || **v > 0.0);
    let mut sorted: Vec<f64> = values.iter().filter(usable).copied().collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    if low >= high || n == 0 {
        return Vec::new();
    }
    let part = |i: usize| i as f64 / n as f64;
    let edge = |i: usize| match spacing {
        Spacing::Linear => low + (high - low) * part(i),
        Spacing::Logarithmic => low * (high / low).powf(part(i)),
        Spacing::Quantiles => sorted[((sorted.len() - 1) as f64 * part(i)).round() as usize],
    };
    let mut edges: Vec<f64> = (0..=n).map(edge).collect();
    // Rounding must not push the extreme values out.
    (edges[0], edges[n]) = (low, high);
    edges.dedup_by(|a, b| *a <= *b);
    edges
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
pub(super) mod tests;
