//! Where the crowd, or a model, is wrong more often than elsewhere: false positives and false negatives by
//! slice of the subjects.
//!
//! A slice is a range of a number (bins of about equal numbers), a label, or two of these together. Each is
//! compared with all other subjects that the same column speaks of:
//! - the rate with its Jeffreys interval, and shrunk towards the rates of the column's other slices (beta–
//!   binomial, fitted to them), since the worst of many slices looks worse than it is;
//! - the difference to the rest with Newcombe's hybrid score interval (Newcombe 1998, method 10);
//! - Fisher's exact test, two-sided, and Benjamini & Hochberg's (1995) q over all slices and both errors:
//!   of the slices that are reported, at most that share is expected to be nothing.
//!
//! Subjects are the cases, each with a known truth and one answer; votes on one subject are not independent
//! and are no cases. Nothing here says why a slice is worse.

use statrs::function::gamma::ln_gamma;

use crate::beta_binomial::{BetaBinomial, Counts};
use crate::error::CrowdError;
use crate::interval::{Interval, jeffreys, wilson};

/// A subject with a known truth: whether it is positive, and whether it was called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The truth.
    pub is_positive: bool,
    /// What was said.
    pub said_positive: bool,
}

/// What is known of each case, by which it is sliced.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; NaN where unknown.
    Numbers(Vec<f64>),
    /// Labels; `None` where unknown.
    Labels(Vec<Option<String>>),
}

/// A column to slice by.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// One value per case.
    pub values: Values,
}

/// Parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BiasParams {
    /// Slices of a number.
    pub n_bins: usize,
    /// Cases of the truth in question that a slice must hold.
    pub least: u64,
    /// Level of the intervals.
    pub level: f64,
    /// Share of nothing among what is reported.
    pub fdr: f64,
    /// Slice by every two columns together as well.
    pub pairs: bool,
}

impl Default for BiasParams {
    fn default() -> Self {
        Self { n_bins: 5, least: 20, level: 0.95, fdr: 0.05, pairs: false }
    }
}

/// One condition of a slice.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A number of a column from `low` to `high` (without it, but for the last slice).
    Range {
        /// The column.
        column: String,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A label of a column.
    Is {
        /// The column.
        column: String,
        /// The label.
        label: String,
    },
}

/// Which way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Called positive and is not.
    FalsePositive,
    /// Is positive and not called so.
    FalseNegative,
}

impl Wrong {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::FalsePositive, Self::FalseNegative];

    /// Its name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FalsePositive => "false positive",
            Self::FalseNegative => "false negative",
        }
    }

    fn is_about(self, case: Case) -> bool {
        case.is_positive == (self == Self::FalseNegative)
    }
}

/// How often a slice is wrong one way, against the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRate {
    /// What the slice holds: one condition or two.
    pub conditions: Vec<Condition>,
    /// Which way to be wrong.
    pub wrong: Wrong,
    /// Errors.
    pub k: u64,
    /// Cases that could be wrong this way.
    pub n: u64,
    /// k / n.
    pub rate: f64,
    /// Its Jeffreys interval.
    pub interval: Interval,
    /// Posterior mean under the spread of the column's slices; the rate where none could be fitted.
    pub shrunk: f64,
    /// Errors and cases of the rest.
    pub rest: (u64, u64),
    /// Rate less the rest's.
    pub difference: f64,
    /// Its interval.
    pub difference_interval: Interval,
    /// Fisher's exact test, two-sided.
    pub p: f64,
    /// Benjamini–Hochberg.
    pub q: f64,
    /// Whether q is at most the false-discovery rate.
    pub is_flagged: bool,
}

/// Rates of all slices, by q, then by the size of the difference.
///
/// # Errors
/// [`CrowdError::Level`] for a level or a false-discovery rate outside 0 to 1; [`CrowdError::Length`] for a
/// column of another length.
pub fn bias(
    cases: &[Case],
    columns: &[Column],
    params: &BiasParams,
) -> Result<Vec<SliceRate>, CrowdError> {
    for level in [params.level, params.fdr] {
        if !(level > 0.0 && level < 1.0) {
            return Err(CrowdError::Level { level });
        }
    }
    let mut families = Vec::new();
    for column in columns {
        let actual = match &column.values {
            Values::Numbers(values) => values.len(),
            Values::Labels(values) => values.len(),
        };
        if actual != cases.len() {
            return Err(CrowdError::Length {
                what: "values to slice by",
                actual,
                expected: cases.len(),
            });
        }
        families.push(slices(column, params.n_bins));
    }
    if params.pairs {
        let single = families.len();
        for a in 0..single {
            for b in a + 1..single {
                families.push(crossed(&families[a], &families[b]));
            }
        }
    }
    let mut rates: Vec<SliceRate> = families
        .iter()
        .flat_map(|family| Wrong::BOTH.map(|wrong| family_rates(cases, family, wrong, params)))
        .flatten()
        .collect();
    control(&mut rates, params.fdr);
    rates.sort_by(|a, b| {
        a.q.total_cmp(&b.q).then_with(|| b.difference.abs().total_cmp(&a.difference.abs()))
    });
    Ok(rates)
}

/// The slices of a column, or of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Slices {
    /// What each holds: one condition or two.
    pub conditions: Vec<Vec<Condition>>,
    /// The slice of every case; `None` where the columns say nothing of it.
    pub of_case: Vec<Option<usize>>,
}

/// The slices of a column: `n_bins` bins of about equal numbers, or fewer where values repeat; or its labels.
#[must_use]
pub fn slices(column: &Column, n_bins: usize) -> Slices {
    let name = &column.name;
    match &column.values {
        Values::Numbers(values) => {
            let edges = edges(values, n_bins);
            let conditions = edges
                .windows(2)
                .map(|w| vec![Condition::Range { column: name.clone(), low: w[0], high: w[1] }])
                .collect();
            let n = edges.len().saturating_sub(1);
            let place = |x: &f64| {
                let at = edges.partition_point(|e| e <= x);
                (n > 0 && x.is_finite() && at > 0).then(|| (at - 1).min(n - 1))
            };
            Slices { conditions, of_case: values.iter().map(place).collect() }
        }
        Values::Labels(values) => {
            let mut labels: Vec<&String> = values.iter().flatten().collect();
            labels.sort();
            labels.dedup();
            let of_case =
                values.iter().map(|v| v.as_ref().and_then(|v| labels.binary_search(&v).ok())).collect();
            let is =
                |label: &&String| vec![Condition::Is { column: name.clone(), label: (*label).clone() }];
            Slices { conditions: labels.iter().map(is).collect(), of_case }
        }
    }
}

/// Edges of bins of about equal numbers; fewer where values repeat.
fn edges(values: &[f64], n_bins: usize) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() || n_bins == 0 {
        return Vec::new();
    }
    let last = (sorted.len() - 1) as f64;
    let edge = |i: usize| sorted[(last * i as f64 / n_bins as f64).round() as usize];
    let mut edges: Vec<f64> = (0..=n_bins).map(edge).collect();
    edges.dedup_by(|a, b| *a <= *b);
    edges
}

fn crossed(a: &Slices, b: &Slices) -> Slices {
    let n = b.conditions.len();
    let conditions = a
        .conditions
        .iter()
        .flat_map(|x| b.conditions.iter().map(move |y| [x.clone(), y.clone()].concat()))
        .collect();
    let of_case = a.of_case.iter().zip(&b.of_case).map(|(x, y)| Some((*x)? * n + (*y)?)).collect();
    Slices { conditions, of_case }
}

fn family_rates(cases: &[Case], family: &Slices, wrong: Wrong, params: &BiasParams) -> Vec<SliceRate> {
    let mut counts = vec![(0_u64, 0_u64); family.conditions.len()];
    for (case, slice) in cases.iter().zip(&family.of_case) {
        if let (Some(slice), true) = (slice, wrong.is_about(*case)) {
            counts[*slice].0 += u64::from(case.said_positive != case.is_positive);
            counts[*slice].1 += 1;
        }
    }
    let all = counts.iter().fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
    let mut spread = Counts::default();
    let known = counts.iter().filter(|c| c.1 > 0).all(|&(k, n)| spread.add(k, n, 1).is_ok());
    let prior = if known { BetaBinomial::fit_counts(&spread).ok() } else { None };
    let mut rates = Vec::new();
    for (conditions, &(k, n)) in family.conditions.iter().zip(&counts) {
        let rest = (all.0 - k, all.1 - n);
        if n < params.least || rest.1 < params.least {
            continue;
        }
        let rate = k as f64 / n as f64;
        let difference = rate - rest.0 as f64 / rest.1 as f64;
        rates.push(SliceRate {
            conditions: conditions.clone(),
            wrong,
            k,
            n,
            rate,
            interval: jeffreys(k as f64, n as f64, params.level),
            shrunk: prior.as_ref().map_or(rate, |prior| prior.posterior_mean(k as f64, n as f64)),
            rest,
            difference,
            difference_interval: newcombe((k, n), rest, params.level),
            p: fisher((k, n), rest),
            q: 1.0,
            is_flagged: false,
        });
    }
    rates
}

/// Interval of p₁ − p₂ from the Wilson intervals of both (Newcombe 1998, method 10).
fn newcombe(one: (u64, u64), other: (u64, u64), level: f64) -> Interval {
    let of = |(k, n): (u64, u64)| (k as f64 / n as f64, wilson(k as f64, n as f64, level));
    let ((p1, i1), (p2, i2)) = (of(one), of(other));
    let difference = p1 - p2;
    Interval {
        low: difference - ((p1 - i1.low).powi(2) + (i2.high - p2).powi(2)).sqrt(),
        high: difference + ((i1.high - p1).powi(2) + (p2 - i2.low).powi(2)).sqrt(),
    }
}

/// Fisher's exact test: the chance, with both margins fixed, of a table that is as unlikely or more.
fn fisher(one: (u64, u64), other: (u64, u64)) -> f64 {
    let ((k, n), (_, m)) = (one, other);
    let errors = k + other.0;
    let log_choose = |n: u64, k: u64| {
        ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
    };
    let all = log_choose(n + m, errors);
    let log_chance = |k: u64| log_choose(n, k) + log_choose(m, errors - k) - all;
    let here = log_chance(k);
    let possible = errors.saturating_sub(m)..=errors.min(n);
    // Tables as unlikely as this one belong to it, whatever rounding says.
    let p: f64 = possible.map(log_chance).filter(|l| *l <= here + 1e-7).map(f64::exp).sum();
    p.min(1.0)
}

/// Benjamini & Hochberg's step-up.
fn control(rates: &mut [SliceRate], fdr: f64) {
    let n = rates.len() as f64;
    let mut order: Vec<usize> = (0..rates.len()).collect();
    order.sort_by(|&a, &b| rates[b].p.total_cmp(&rates[a].p));
    let mut least = 1.0_f64;
    for (from_top, &at) in order.iter().enumerate() {
        let rank = n - from_top as f64;
        least = least.min(rates[at].p * n / rank);
        rates[at].q = least;
        rates[at].is_flagged = least <= fdr;
    }
}

/// A slice that the crowd gets wrong more often, and what a model does there.
#[derive(Clone, Debug, PartialEq)]
pub struct Inherited<'a> {
    /// The crowd's rate.
    pub crowd: &'a SliceRate,
    /// The model's, of the same slice and error.
    pub model: &'a SliceRate,
    /// Both are flagged, and in the same direction.
    pub is_inherited: bool,
}

/// The flagged slices of the crowd beside the model's rates in them.
#[must_use]
pub fn inherited<'a>(crowd: &'a [SliceRate], model: &'a [SliceRate]) -> Vec<Inherited<'a>> {
    let beside = |crowd: &'a SliceRate| {
        let same = |m: &&SliceRate| m.wrong == crowd.wrong && m.conditions == crowd.conditions;
        let model = model.iter().find(same)?;
        let is_same_way = model.difference * crowd.difference > 0.0;
        Some(Inherited { crowd, model, is_inherited: model.is_flagged && is_same_way })
    };
    crowd.iter().filter(|rate| rate.is_flagged).filter_map(beside).collect()
}

#[cfg(test)]
#[path = "bias_tests.rs"]
mod tests;
