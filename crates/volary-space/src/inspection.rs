//! How soon a scorer finds what people chose: recall against the share that is inspected.
//!
//! Subjects are inspected from the most unusual down. Of equal ones, as many as fit are taken in a random
//! order: the expected recall, not a lucky one. Beside each scorer stands the best combination of all, a
//! logistic regression (balanced classes) on −ln(1 − u), u a subject's place among all from 0 to 1; it is
//! judged on folds that it was not fitted to, so that more scorers do not look better for their number. All
//! rows share the bootstrap's draws, so gains are paired.
//!
//! Subjects that were shown with known chances count with 1/chance: a sample with all of the top and a tenth of
//! the rest says otherwise that the top is ordinary.

use rand::seq::SliceRandom as _;
use volary_core::seed::stream;

use crate::check::{check_length, check_range};
use crate::error::SpaceError;
use crate::logistic::{Logistic, LogisticParams};
use crate::points::Points;
use crate::resample::{Bootstrap, Estimate, Units};

/// Something that ranks subjects.
#[derive(Clone, Debug, PartialEq)]
pub struct Scorer {
    /// Its name.
    pub name: String,
    /// One number a subject; larger is inspected sooner.
    pub values: Vec<f64>,
}

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectionParams {
    /// Shares that are inspected, 0 to 1.
    pub shares: Vec<f64>,
    /// Folds for the combination; below 2 there is none.
    pub n_folds: usize,
    /// Seed of the folds.
    pub seed: u64,
    /// Intervals.
    pub bootstrap: Bootstrap,
}

impl Default for InspectionParams {
    fn default() -> Self {
        let shares = vec![0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5];
        Self { shares, n_folds: 5, seed: 0, bootstrap: Bootstrap::default() }
    }
}

/// After a share was inspected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inspected {
    /// The share.
    pub share: f64,
    /// Share of the chosen that was found.
    pub recall: Option<Estimate>,
    /// Share of the inspected that was chosen.
    pub precision: Option<Estimate>,
}

/// One scorer.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its name.
    pub name: String,
    /// Chance that a chosen subject comes before one that was not; equal ones count half.
    pub auc: Option<Estimate>,
    /// AUC less that of the best single scorer, on the same draws; `None` for that one.
    pub gain: Option<Estimate>,
    /// One row a share.
    pub at: Vec<Inspected>,
}

/// All scorers, and their combination.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Subjects.
    pub n: usize,
    /// Those that were chosen.
    pub n_chosen: usize,
    /// The weighted share that was chosen.
    pub prevalence: Option<Estimate>,
    /// A row a scorer, in their order.
    pub scorers: Vec<Finding>,
    /// Their combination; `None` for one scorer, or where a fold has no chosen subject.
    pub combined: Option<Finding>,
    /// How the combination weighs each scorer, fitted to all subjects; per standard deviation.
    pub weights: Option<Vec<f64>>,
}

/// Compares scorers.
///
/// `weight`: one a subject (1/chance of being shown), `None` for all alike.
///
/// # Errors
/// [`SpaceError::NoRows`] without subjects or scorers; [`SpaceError::Length`]; [`SpaceError::NotFinite`] for a
/// score that is no number; [`SpaceError::Range`]; [`SpaceError::OneClass`] if all or none were chosen.
pub fn inspect(
    scorers: &[Scorer],
    chosen: &[bool],
    weight: Option<&[f64]>,
    params: &InspectionParams,
) -> Result<Inspection, SpaceError> {
    let n = chosen.len();
    check(scorers, chosen, weight, params)?;
    let mut all: Vec<Scorer> = scorers.to_vec();
    let combination = if scorers.len() > 1 { combine(scorers, chosen, weight, params)? } else { None };
    if let Some((values, _)) = &combination {
        all.push(Scorer { name: "combined".to_owned(), values: values.clone() });
    }
    let even = vec![1.0; n];
    let weight = weight.unwrap_or(&even);
    let walks: Vec<Walk<'_>> = all.iter().map(|s| Walk::new(&s.values, chosen, weight)).collect();
    let best = best(&walks[..scorers.len()], n);
    let n_shares = params.shares.len();
    let measure = |counts: &[f64]| {
        let mut out = Vec::with_capacity(1 + walks.len() * (2 + 2 * n_shares));
        let (yes, total) = totals(counts, chosen, weight);
        out.push(yes / total);
        let rows: Vec<Vec<f64>> = walks.iter().map(|w| w.measure(counts, &params.shares)).collect();
        for row in &rows {
            out.extend([row[0], row[0] - rows[best][0]]);
            out.extend(&row[1..]);
        }
        out
    };
    let found = params.bootstrap.run(&Units::subjects(n), measure);
    let row = |at: usize, name: &str| {
        let mine = &found[1 + at * (2 + 2 * n_shares)..][..2 + 2 * n_shares];
        let inspected = params.shares.iter().zip(mine[2..].chunks_exact(2));
        Finding {
            name: name.to_owned(),
            auc: mine[0],
            gain: mine[1].filter(|_| at != best),
            at: inspected
                .map(|(&share, m)| Inspected { share, recall: m[0], precision: m[1] })
                .collect(),
        }
    };
    let mut rows: Vec<Finding> = all.iter().enumerate().map(|(at, s)| row(at, &s.name)).collect();
    let combined = combination.as_ref().and_then(|_| rows.pop());
    Ok(Inspection {
        n,
        n_chosen: chosen.iter().filter(|c| **c).count(),
        prevalence: found[0],
        scorers: rows,
        combined,
        weights: combination.map(|(_, weights)| weights),
    })
}

fn check(
    scorers: &[Scorer],
    chosen: &[bool],
    weight: Option<&[f64]>,
    params: &InspectionParams,
) -> Result<(), SpaceError> {
    let n = chosen.len();
    if n == 0 || scorers.is_empty() {
        return Err(SpaceError::NoRows { what: "the comparison" });
    }
    for (column, scorer) in scorers.iter().enumerate() {
        check_length("a scorer", scorer.values.len(), n)?;
        if let Some(row) = scorer.values.iter().position(|v| !v.is_finite()) {
            return Err(SpaceError::NotFinite { row, column, value: scorer.values[row] });
        }
    }
    if let Some(weight) = weight {
        check_length("the weight", weight.len(), n)?;
        check_range("the weight", weight, f64::MIN_POSITIVE, f64::MAX)?;
    }
    check_range("the share inspected", &params.shares, 0.0, 1.0)?;
    if chosen.iter().all(|c| *c) || chosen.iter().all(|c| !*c) {
        return Err(SpaceError::OneClass { n });
    }
    Ok(())
}

fn best(walks: &[Walk<'_>], n: usize) -> usize {
    let ones = vec![1.0; n];
    let aucs: Vec<f64> = walks.iter().map(|walk| walk.measure(&ones, &[])[0]).collect();
    (0..aucs.len()).rev().max_by(|&a, &b| aucs[a].total_cmp(&aucs[b])).unwrap_or(0)
}

fn totals(counts: &[f64], chosen: &[bool], weight: &[f64]) -> (f64, f64) {
    let rows = counts.iter().zip(weight).zip(chosen);
    rows.fold((0.0, 0.0), |(yes, total), ((c, w), chosen)| {
        (yes + if *chosen { c * w } else { 0.0 }, total + c * w)
    })
}

/// A ranking that can be walked down again and again.
struct Walk<'a> {
    order: Vec<usize>,
    values: &'a [f64],
    chosen: &'a [bool],
    weight: &'a [f64],
}

impl<'a> Walk<'a> {
    fn new(values: &'a [f64], chosen: &'a [bool], weight: &'a [f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        Self { order, values, chosen, weight }
    }

    /// AUC, then recall and precision of each share.
    fn measure(&self, counts: &[f64], shares: &[f64]) -> Vec<f64> {
        let (yes, total) = totals(counts, self.chosen, self.weight);
        let no = total - yes;
        let mut sorted: Vec<usize> = (0..shares.len()).collect();
        sorted.sort_by(|&a, &b| shares[a].total_cmp(&shares[b]));
        let mut hits = vec![0.0; shares.len()];
        let (mut next, mut seen, mut found, mut pairs) = (0, 0.0, 0.0, 0.0);
        for tied in self.order.chunk_by(|&a, &b| self.values[a].total_cmp(&self.values[b]).is_eq()) {
            let (mut here, mut here_yes) = (0.0, 0.0);
            for &row in tied {
                let weight = counts[row] * self.weight[row];
                here += weight;
                here_yes += if self.chosen[row] { weight } else { 0.0 };
            }
            while next < sorted.len() && shares[sorted[next]] * total <= seen + here {
                let part = if here > 0.0 { (shares[sorted[next]] * total - seen) / here } else { 0.0 };
                hits[sorted[next]] = found + part * here_yes;
                next += 1;
            }
            // Negatives that come after these positives, ties half.
            pairs += here_yes * (no - (seen - found) - (here - here_yes) / 2.0);
            (seen, found) = (seen + here, found + here_yes);
        }
        sorted[next..].iter().for_each(|&at| hits[at] = found);
        let mut out = vec![pairs / (yes * no)];
        out.extend(shares.iter().zip(hits).flat_map(|(s, hit)| [hit / yes, hit / (s * total)]));
        out
    }
}

/// Predictions out of fold, and how much each scorer weighs in a fit to all.
type Combined = (Vec<f64>, Vec<f64>);

/// Fits the scorers together; `None` where there are too few of either kind for the folds.
fn combine(
    scorers: &[Scorer],
    chosen: &[bool],
    weight: Option<&[f64]>,
    params: &InspectionParams,
) -> Result<Option<Combined>, SpaceError> {
    let n = chosen.len();
    let n_yes = chosen.iter().filter(|c| **c).count();
    if params.n_folds < 2 || n_yes.min(n - n_yes) < params.n_folds {
        return Ok(None);
    }
    let columns: Vec<Vec<f32>> = scorers.iter().map(|s| surprise(&s.values)).collect();
    let values = (0..n).flat_map(|row| columns.iter().map(move |c| c[row])).collect();
    let points = Points::new(values, scorers.len())?;
    let label: Vec<f64> = chosen.iter().map(|c| f64::from(u8::from(*c))).collect();
    let settings = LogisticParams { c: 1.0, balanced: true };
    let fit = |rows: &[usize]| {
        let of = |all: &[f64]| rows.iter().map(|&row| all[row]).collect::<Vec<f64>>();
        let weight = weight.map(of);
        Logistic::fit(&points.select(rows), &of(&label), weight.as_deref(), &settings, None)
    };
    // As many chosen ones in each fold: dealt out in turn.
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut stream(params.seed, "inspection folds"));
    order.sort_by_key(|&row| chosen[row]);
    let mut fold = vec![0; n];
    order.iter().enumerate().for_each(|(at, &row)| fold[row] = at % params.n_folds);
    let mut out = vec![0.0; n];
    for held in 0..params.n_folds {
        let (inside, outside): (Vec<usize>, Vec<usize>) = (0..n).partition(|&row| fold[row] == held);
        let logistic = fit(&outside)?;
        let predicted = logistic.predict(&points.select(&inside))?;
        inside.into_iter().zip(predicted).for_each(|(row, p)| out[row] = p);
    }
    let all: Vec<usize> = (0..n).collect();
    Ok(Some((out, fit(&all)?.coefficients().to_vec())))
}

/// −ln(1 − u) of each place u, with mean 0 and standard deviation 1; equal values share a place.
fn surprise(values: &[f64]) -> Vec<f32> {
    let n = values.len() as f64;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut out = vec![0.0; values.len()];
    let mut before = 0.0;
    for tied in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let place = (before + tied.len() as f64 / 2.0) / n;
        tied.iter().for_each(|&row| out[row] = -(1.0 - place).ln());
        before += tied.len() as f64;
    }
    let mean = out.iter().sum::<f64>() / n;
    let sd = (out.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    out.into_iter().map(|v| if sd > 0.0 { ((v - mean) / sd) as f32 } else { 0.0 }).collect()
}

/// AUC of a score for a label, with the interval of DeLong, DeLong & Clarke-Pearson 1988
/// (doi:10.2307/2531595), taken on the scale of the logit so that it stays between 0 and 1. Quick for a few
/// positives among very many, where a bootstrap is not. `None` where a side is empty; scores that are NaN are
/// left out. At an AUC of 0 or 1 the other end is that of n of n successes, n the smaller side.
#[must_use]
pub fn auc(score: &[f64], label: &[bool], level: f64) -> Option<Estimate> {
    let mut rows: Vec<(f64, bool)> =
        score.iter().copied().zip(label.iter().copied()).filter(|(s, _)| !s.is_nan()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let m = rows.iter().filter(|r| r.1).count() as f64;
    let n = rows.len() as f64 - m;
    if m == 0.0 || n == 0.0 {
        return None;
    }
    // Of each subject, the share of the other side that it beats (a positive) or that beats it.
    let mut sums = [(0.0, 0.0); 2];
    let (mut pos, mut neg) = (0.0, 0.0);
    for tied in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let here_pos = tied.iter().filter(|r| r.1).count() as f64;
        let here_neg = tied.len() as f64 - here_pos;
        let beats = (neg + here_neg / 2.0) / n;
        let beaten = (m - pos - here_pos / 2.0) / m;
        sums[0] = (sums[0].0 + here_pos * beats, sums[0].1 + here_pos * beats * beats);
        sums[1] = (sums[1].0 + here_neg * beaten, sums[1].1 + here_neg * beaten * beaten);
        (pos, neg) = (pos + here_pos, neg + here_neg);
    }
    let value = sums[0].0 / m;
    let tail = (1.0 - level) / 2.0;
    if value <= 0.0 || value >= 1.0 {
        let end = tail.powf(1.0 / m.min(n));
        let (low, high) = if value >= 1.0 { (end, 1.0) } else { (0.0, 1.0 - end) };
        return Some(Estimate { value, low, high });
    }
    let variance = |(sum, squares): (f64, f64), n: f64| {
        if n > 1.0 {
            ((squares - sum * sum / n) / (n - 1.0)).max(0.0) / n
        } else {
            value * (1.0 - value)
        }
    };
    let error = (variance(sums[0], m) + variance(sums[1], n)).sqrt() / (value * (1.0 - value));
    let z = crate::resample::two_sided_z(level);
    let logit = (value / (1.0 - value)).ln();
    let at = |side: f64| crate::logistic::sigmoid(logit + side * z * error);
    Some(Estimate { value, low: at(-1.0), high: at(1.0) })
}

#[cfg(test)]
#[path = "inspection_tests.rs"]
mod tests;
