//! Where the crowd, or a model, is wrong more often than elsewhere: false positives and false negatives by
//! slice of the subjects.
//!
//! A slice is a range of a number (bins of about equal numbers), a label, or two or three of these together. Each is
//! compared with all other subjects that the same columns speak of:
//! - the rate with its Jeffreys interval, and shrunk towards the rates of the column's other slices (beta–
//!   binomial, fitted to them), since the worst of many slices looks worse than it is;
//! - the difference to the rest with Newcombe's hybrid score interval (Newcombe 1998, method 10);
//! - Fisher's exact test, two-sided, and Benjamini & Hochberg's (1995) q over all slices and both errors:
//!   of the slices that are reported, at most that share is expected to be nothing.
//!
//! A slice of several conditions must say more than each slice with one condition fewer, or the worst place would be
//! reported with everything that happens to lie in it. So its p is the largest of Fisher's tests against the rest,
//! and against those who share all of its conditions but one; which is a test of "no worse than the rest, or no worse
//! than one of these" (an intersection–union test, Berger 1982, doi:10.1080/00401706.1982.10487790). All
//! combinations are looked at, and those with enough subjects are counted in q, whatever they show: a search that
//! goes on only where it looks promising has no known rate of false alarms.
//!
//! Subjects are the cases, each with a known truth and one answer; votes on one subject are not independent and are no
//! cases here ([`of_votes`] is about them, and about who votes). Nothing here says why a slice is worse.

pub mod of_votes;
pub mod reversal;

use std::collections::BTreeSet;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use statrs::function::gamma::ln_gamma;
use volary_core::is_missing;

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

/// Numbers that take no more different values than this are labels.
const FEW_VALUES: usize = 8;

impl Column {
    /// The same of some of the cases, in that order.
    #[must_use]
    pub fn of(&self, cases: &[usize]) -> Self {
        let values = match &self.values {
            Values::Numbers(values) => Values::Numbers(cases.iter().map(|&i| values[i]).collect()),
            Values::Labels(values) => Values::Labels(cases.iter().map(|&i| values[i].clone()).collect()),
        };
        Self { name: self.name.clone(), values }
    }

    /// A column of cells: of numbers, where there are many and every other cell says that its number is missing
    /// (`NA`, infinite); else of labels.
    #[must_use]
    pub fn of_cells(name: &str, cells: Vec<Option<String>>) -> Self {
        let known = || cells.iter().flatten();
        let finite = |c: &String| c.parse::<f64>().ok().filter(|v| v.is_finite());
        let different: BTreeSet<&String> = known().filter(|c| finite(c).is_some()).collect();
        let are_numbers = known().all(|c| c.parse::<f64>().is_ok() || is_missing(c));
        let number = |c: &Option<String>| c.as_ref().and_then(finite).unwrap_or(f64::NAN);
        let values = match (are_numbers, different.len() > FEW_VALUES) {
            (true, true) => Values::Numbers(cells.iter().map(number).collect()),
            (true, false) if !different.is_empty() => {
                Values::Labels(cells.into_iter().map(|cell| cell.filter(|c| !is_missing(c))).collect())
            }
            _ => Values::Labels(cells),
        };
        Self { name: name.to_owned(), values }
    }
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
    /// Slice by up to so many columns together: 1, 2 or 3.
    pub together: usize,
}

impl Default for BiasParams {
    fn default() -> Self {
        Self { n_bins: 5, least: 20, level: 0.95, fdr: 0.05, together: 1 }
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

impl Condition {
    /// The column that it is about.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Range { column, .. } | Self::Is { column, .. } => column,
        }
    }
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
    /// What the slice holds: up to three conditions.
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
    /// Fisher's exact test against the rest, two-sided.
    pub p: f64,
    /// The largest p against those who share all conditions but one; 1 where there are too few of them, or they are
    /// off the rest the other way. None for a slice of one condition.
    pub p_within: Option<f64>,
    /// Benjamini–Hochberg, of the larger p.
    pub q: f64,
    /// Whether q is at most the false-discovery rate.
    pub is_flagged: bool,
}

/// So many slices are looked at, at the most.
pub const MOST_SLICES: usize = 500_000;

/// Rates of all slices, by q, then by the size of the difference.
///
/// # Errors
/// [`CrowdError::Level`] for a level outside 0 to 1; [`CrowdError::Length`] for a column of another length;
/// [`CrowdError::Slices`] for a false-discovery rate outside 0 to 1, fewer bins than two, a column that is named twice,
/// more than [`MOST_SLICES`], or more or fewer columns together than 1 to 3.
pub fn bias(
    cases: &[Case],
    columns: &[Column],
    params: &BiasParams,
) -> Result<Vec<SliceRate>, CrowdError> {
    bias_among(cases, &(0..cases.len()).collect::<Vec<usize>>(), columns, params)
}

/// The same slices, of some of the cases only: `among` says which values of the columns theirs are. Bins are cut by all
/// values, so that rates of all and rates of some are of one slice.
///
/// # Errors
/// As [`bias`]; [`CrowdError::Length`] too where there are fewer places than cases.
pub fn bias_among(
    cases: &[Case],
    among: &[usize],
    columns: &[Column],
    params: &BiasParams,
) -> Result<Vec<SliceRate>, CrowdError> {
    let n_all = columns.first().map_or(cases.len(), |column| match &column.values {
        Values::Numbers(values) => values.len(),
        Values::Labels(values) => values.len(),
    });
    check(n_all, columns, params)?;
    if among.len() != cases.len() || among.iter().any(|&at| at >= n_all) {
        let (actual, expected) = (among.len(), cases.len());
        return Err(CrowdError::Length { what: "places of cases", actual, expected });
    }
    let some = |column: &Column| {
        let Slices { conditions, of_case } = slices(column, params.n_bins);
        Slices { conditions, of_case: among.iter().map(|&at| of_case[at]).collect() }
    };
    let single: Vec<Slices> = columns.iter().map(some).collect();
    let families = families(&single, params.together)?;
    let factorials = Factorials::up_to(cases.len());
    let of_family = |family: &Family<'_>| {
        let of = |wrong| family_rates(cases, family, wrong, params, &factorials);
        Wrong::BOTH.map(of).into_iter().flatten()
    };
    Ok(ranked(families.par_iter().flat_map_iter(of_family).collect(), params.fdr))
}

fn check(n_cases: usize, columns: &[Column], params: &BiasParams) -> Result<(), CrowdError> {
    let is_share = |share: f64| share > 0.0 && share < 1.0;
    if !is_share(params.level) {
        return Err(CrowdError::Level { level: params.level });
    }
    let refuse = |what: String| Err(CrowdError::Slices { what });
    if !is_share(params.fdr) {
        return refuse(format!("the share of false alarms lies between 0 and 1, not at {}", params.fdr));
    }
    if params.n_bins < 2 {
        return refuse(format!(
            "{} bins of a number; a slice needs a rest, so give 2 or more",
            params.n_bins
        ));
    }
    if params.least == 0 {
        return refuse("a slice of nobody has no rate; a slice needs one case or more".to_owned());
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = columns.iter().find(|column| !names.insert(&column.name)) {
        // Both would count against false alarms, and be flagged together.
        return refuse(format!("the column {:?} is named twice; name it once", twice.name));
    }
    for column in columns {
        let actual = match &column.values {
            Values::Numbers(values) => values.len(),
            Values::Labels(values) => values.len(),
        };
        if actual != n_cases {
            return Err(CrowdError::Length { what: "values to slice by", actual, expected: n_cases });
        }
    }
    Ok(())
}

/// A slice of which too little is known.
#[derive(Clone, Debug, PartialEq)]
pub struct SmallSlice {
    /// What it holds.
    pub condition: Condition,
    /// Which way to be wrong.
    pub wrong: Wrong,
    /// Cases that could be wrong this way.
    pub n: u64,
    /// The same of the rest.
    pub n_rest: u64,
}

/// The slices of single columns that [`bias`] says nothing of: they, or the rest, hold too few cases.
///
/// # Errors
/// As [`bias`].
pub fn too_small(
    cases: &[Case],
    columns: &[Column],
    params: &BiasParams,
) -> Result<Vec<SmallSlice>, CrowdError> {
    check(cases.len(), columns, params)?;
    let mut found = Vec::new();
    for slices in columns.iter().map(|column| slices(column, params.n_bins)) {
        for wrong in Wrong::BOTH {
            let cells = Table::of(cases, &vec![&slices], wrong).cells;
            let all: u64 = cells.iter().map(|(_, n)| n).sum();
            let small = slices.conditions.iter().zip(&cells).filter_map(|(condition, (_, n))| {
                let n_rest = all - n;
                (*n < params.least || n_rest < params.least).then(|| SmallSlice {
                    condition: condition.clone(),
                    wrong,
                    n: *n,
                    n_rest,
                })
            });
            found.extend(small);
        }
    }
    Ok(found)
}

/// With q, by q, then by the size of the difference.
fn ranked(mut rates: Vec<SliceRate>, fdr: f64) -> Vec<SliceRate> {
    control(&mut rates, fdr);
    rates.sort_by(|a, b| {
        a.q.total_cmp(&b.q).then_with(|| b.difference.abs().total_cmp(&a.difference.abs()))
    });
    rates
}

/// Columns that are sliced together.
type Family<'a> = Vec<&'a Slices>;

/// Every one, two or three of the columns, small families first.
fn families(single: &[Slices], together: usize) -> Result<Vec<Family<'_>>, CrowdError> {
    if !(1..=3).contains(&together) {
        let what = format!("{together} columns together; give 1, 2 or 3");
        return Err(CrowdError::Slices { what });
    }
    let mut all: Vec<(Vec<usize>, Family<'_>)> = Vec::new();
    let mut last: Vec<(Vec<usize>, Family<'_>)> = vec![(Vec::new(), Vec::new())];
    let mut n_slices = 0_usize;
    for _ in 0..together {
        let mut next = Vec::new();
        for (places, family) in &last {
            let from = places.last().map_or(0, |at| at + 1);
            for (at, column) in single.iter().enumerate().skip(from) {
                let more: Family<'_> = family.iter().copied().chain([column]).collect();
                let n = more.iter().map(|s| s.conditions.len()).product::<usize>();
                n_slices = n_slices.saturating_add(2 * n);
                if n_slices > MOST_SLICES {
                    let what = format!(
                        "more than {MOST_SLICES} slices and errors; name fewer columns, take fewer of them together, or make fewer bins"
                    );
                    return Err(CrowdError::Slices { what });
                }
                next.push((places.iter().copied().chain([at]).collect(), more));
            }
        }
        all.extend(last.drain(..).filter(|(places, _)| !places.is_empty()));
        last = next;
    }
    all.extend(last);
    Ok(all.into_iter().map(|(_, family)| family).collect())
}

/// The slices of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Slices {
    /// What each holds.
    pub conditions: Vec<Condition>,
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
                .map(|w| Condition::Range { column: name.clone(), low: w[0], high: w[1] })
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
            let is = |label: &&String| Condition::Is { column: name.clone(), label: (*label).clone() };
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

/// Errors and cases of each slice of a family, the last column's slices next to each other.
struct Table {
    sizes: Vec<usize>,
    cells: Vec<(u64, u64)>,
}

impl Table {
    fn of(cases: &[Case], family: &Family<'_>, wrong: Wrong) -> Self {
        let sizes: Vec<usize> = family.iter().map(|s| s.conditions.len()).collect();
        let mut cells = vec![(0_u64, 0_u64); sizes.iter().product()];
        for (row, case) in cases.iter().enumerate().filter(|(_, case)| wrong.is_about(**case)) {
            let place =
                family.iter().try_fold(0, |at, s| Some(at * s.conditions.len() + s.of_case[row]?));
            if let Some(at) = place {
                cells[at].0 += u64::from(case.said_positive != case.is_positive);
                cells[at].1 += 1;
            }
        }
        Self { sizes, cells }
    }

    /// Which slice of each column a cell is.
    fn places(&self, mut cell: usize) -> Vec<usize> {
        let mut places = vec![0; self.sizes.len()];
        for (place, size) in places.iter_mut().zip(&self.sizes).rev() {
            (*place, cell) = (cell % size, cell / size);
        }
        places
    }

    /// Sums over each column: for a cell those who share all of its conditions but that one, itself among them.
    fn sums(&self) -> Vec<Vec<(u64, u64)>> {
        let over = |column: usize| {
            let step: usize = self.sizes[column + 1..].iter().product();
            let size = self.sizes[column];
            let first = |cell: usize| cell - cell / step % size * step;
            let mut sums = vec![(0, 0); self.cells.len()];
            for (cell, (k, n)) in self.cells.iter().enumerate() {
                let sum = &mut sums[first(cell)];
                *sum = (sum.0 + k, sum.1 + n);
            }
            (0..self.cells.len()).map(|cell| sums[first(cell)]).collect()
        };
        (0..self.sizes.len()).map(over).collect()
    }
}

fn family_rates(
    cases: &[Case],
    family: &Family<'_>,
    wrong: Wrong,
    params: &BiasParams,
    factorials: &Factorials,
) -> Vec<SliceRate> {
    let table = Table::of(cases, family, wrong);
    let less = |all: (u64, u64), (k, n): (u64, u64)| (all.0 - k, all.1 - n);
    let off =
        |one: (u64, u64), rest: (u64, u64)| one.0 as f64 / one.1 as f64 - rest.0 as f64 / rest.1 as f64;
    let all = table.cells.iter().fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
    let sums = if family.len() > 1 { table.sums() } else { Vec::new() };
    let mut spread = Counts::default();
    let known = table.cells.iter().filter(|c| c.1 > 0).all(|&(k, n)| spread.add(k, n, 1).is_ok());
    let prior = if known { BetaBinomial::fit_counts(&spread).ok() } else { None };
    let mut rates = Vec::new();
    for (cell, &one) in table.cells.iter().enumerate() {
        let rest = less(all, one);
        if one.1 < params.least || rest.1 < params.least {
            continue;
        }
        let (k, n) = one;
        let rate = k as f64 / n as f64;
        let difference = off(one, rest);
        let within = |sums: &Vec<(u64, u64)>| {
            let others = less(sums[cell], one);
            let says_same = others.1 >= params.least && off(one, others) * difference > 0.0;
            if says_same { factorials.fisher(one, others) } else { 1.0 }
        };
        let conditions = table.places(cell).into_iter().zip(family);
        rates.push(SliceRate {
            conditions: conditions.map(|(at, slices)| slices.conditions[at].clone()).collect(),
            wrong,
            k,
            n,
            rate,
            interval: jeffreys(k as f64, n as f64, params.level),
            shrunk: prior.as_ref().map_or(rate, |prior| prior.posterior_mean(k as f64, n as f64)),
            rest,
            difference,
            difference_interval: {
                let share = |(k, n)| (k as f64 / n as f64, wilson(k as f64, n as f64, params.level));
                newcombe(share(one), share(rest))
            },
            p: factorials.fisher(one, rest),
            p_within: sums.iter().map(within).reduce(f64::max),
            q: 1.0,
            is_flagged: false,
        });
    }
    rates
}

/// Interval of p₁ − p₂ from the Wilson intervals of both (Newcombe 1998, method 10).
fn newcombe((p1, i1): (f64, Interval), (p2, i2): (f64, Interval)) -> Interval {
    let difference = p1 - p2;
    Interval {
        low: difference - ((p1 - i1.low).powi(2) + (i2.high - p2).powi(2)).sqrt(),
        high: difference + ((i1.high - p1).powi(2) + (p2 - i2.low).powi(2)).sqrt(),
    }
}

/// Logarithms of factorials, from 0 on: millions of tests ask for them again and again.
struct Factorials(Vec<f64>);

impl Factorials {
    fn up_to(n: usize) -> Self {
        Self((0..=n).map(|n| ln_gamma(n as f64 + 1.0)).collect())
    }

    fn log_choose(&self, n: u64, k: u64) -> f64 {
        self.0[n as usize] - self.0[k as usize] - self.0[(n - k) as usize]
    }

    /// Fisher's exact test: the chance, with both margins fixed, of a table that is as unlikely or more.
    fn fisher(&self, one: (u64, u64), other: (u64, u64)) -> f64 {
        let ((k, n), (_, m)) = (one, other);
        let errors = k + other.0;
        let all = self.log_choose(n + m, errors);
        let log_chance = |k: u64| self.log_choose(n, k) + self.log_choose(m, errors - k) - all;
        let here = log_chance(k);
        let possible = errors.saturating_sub(m)..=errors.min(n);
        // Tables as unlikely as this one belong to it, whatever rounding says.
        let p: f64 = possible.map(log_chance).filter(|l| *l <= here + 1e-7).map(f64::exp).sum();
        p.min(1.0)
    }
}

/// Benjamini & Hochberg's step-up.
fn control(rates: &mut [SliceRate], fdr: f64) {
    let n = rates.len() as f64;
    let p = |rate: &SliceRate| rate.p.max(rate.p_within.unwrap_or(0.0));
    let mut order: Vec<usize> = (0..rates.len()).collect();
    order.sort_by(|&a, &b| p(&rates[b]).total_cmp(&p(&rates[a])));
    let mut least = 1.0_f64;
    for (from_top, &at) in order.iter().enumerate() {
        let rank = n - from_top as f64;
        least = least.min(p(&rates[at]) * n / rank);
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
