//! Where single votes are wrong more often than others: by what is known of the subject, or of the voter at that
//! time, as experience.
//!
//! Votes of one person are alike, and so are votes on one subject; a thousand votes of ten people on twenty subjects
//! are not a thousand cases. So every variance is that of clusters in two directions (Cameron, Gelbach & Miller 2011,
//! doi:10.1198/jbes.2010.07136): the sum over people, and that over subjects, less that over both; each sum over G
//! clusters times G/(G−1). As votes of one person, or on one subject, do not repel each other, it is not let below
//! either sum alone.
//! - the interval of a rate is Wilson's at the number of independent votes that would be as sure, as in
//!   [`crate::group`];
//! - the difference to the rest, which is by the same people on the same subjects, has an interval by that variance
//!   and Student's t; where one side has no error, or nothing else, nothing is seen of how people differ, and it is
//!   Newcombe's at such numbers of votes;
//! - the test is a score test: the same variance, around the rate of all votes;
//! - rates are shrunk by a normal spread fitted to the column's slices (DerSimonian & Laird 1986,
//!   doi:10.1016/0197-2456(86)90046-2).
//!
//! A slice of fewer than [`LEAST_PEOPLE`] people is not looked at: it would say something of one of them. Who stays is
//! often who was good from the beginning: that experienced people err less is no sign that anybody learned
//! ([`mod@crate::practice`] asks that).

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{BiasParams, Case, Column, SliceRate, Slices, Wrong, check, newcombe, ranked, slices};
use crate::error::CrowdError;
use crate::interval::{Interval, normal_half_width, student_half_width, student_p, wilson};

/// People that a slice, and the rest, must hold.
pub const LEAST_PEOPLE: usize = 10;

/// A vote on a subject with a known truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteCase {
    /// Index of the volunteer.
    pub volunteer: u32,
    /// Index of the subject.
    pub subject: u32,
    /// Truth and answer.
    pub case: Case,
}

/// Rates of the slices of every column, one value per vote, by q, then by the size of the difference. Columns are not
/// taken together.
///
/// # Errors
/// As [`super::bias`].
pub fn bias_of_votes(
    votes: &[VoteCase],
    columns: &[Column],
    params: &BiasParams,
) -> Result<Vec<SliceRate>, CrowdError> {
    check(votes.len(), columns, params)?;
    let jobs: Vec<(&Column, Wrong)> =
        columns.iter().flat_map(|column| Wrong::BOTH.map(|wrong| (column, wrong))).collect();
    let of = |(column, wrong): &(&Column, Wrong)| {
        let slices = slices(column, params.n_bins);
        rates(&Sorted::of(votes, &slices, *wrong), &slices, *wrong, params)
    };
    Ok(ranked(jobs.par_iter().flat_map_iter(of).collect(), params.fdr))
}

#[derive(Clone, Copy)]
struct Row {
    volunteer: u32,
    subject: u32,
    slice: usize,
    is_error: bool,
}

/// The votes that may be wrong one way, with a slice, in two orders.
struct Sorted {
    by_volunteer: Vec<Row>,
    by_subject: Vec<Row>,
}

impl Sorted {
    fn of(votes: &[VoteCase], slices: &Slices, wrong: Wrong) -> Self {
        let row = |(vote, slice): (&VoteCase, &Option<usize>)| {
            let VoteCase { volunteer, subject, case } = *vote;
            let is_error = case.said_positive != case.is_positive;
            wrong.is_about(case).then_some(Row { volunteer, subject, slice: (*slice)?, is_error })
        };
        let mut by_volunteer: Vec<Row> = votes.iter().zip(&slices.of_case).filter_map(row).collect();
        let mut by_subject = by_volunteer.clone();
        by_volunteer.sort_by_key(|row| (row.volunteer, row.subject));
        by_subject.sort_by_key(|row| row.subject);
        Self { by_volunteer, by_subject }
    }

    /// The variance of a sum to which each row gives so much; rows that give nothing are no part of it.
    fn variance(&self, part: &dyn Fn(&Row) -> Option<f64>) -> Variance {
        let people = sum_of_squares(&self.by_volunteer, |row| row.volunteer, part);
        let subjects = sum_of_squares(&self.by_subject, |row| row.subject, part);
        let both = of_clusters(&self.by_volunteer, |row| (row.volunteer, row.subject), part);
        let both: f64 = both.map(|x| x * x).sum();
        Variance {
            value: (people.0 + subjects.0 - both).max(people.0).max(subjects.0),
            n_people: people.1,
            n_clusters: people.1.min(subjects.1),
        }
    }
}

/// The sum over each cluster: over rows next to each other that have the same key.
fn of_clusters<K: PartialEq>(
    rows: &[Row],
    key: impl Fn(&Row) -> K,
    part: &dyn Fn(&Row) -> Option<f64>,
) -> impl Iterator<Item = f64> {
    let sum = move |cluster: &[Row]| cluster.iter().filter_map(part).reduce(|sum, x| sum + x);
    rows.chunk_by(move |a, b| key(a) == key(b)).filter_map(sum)
}

/// Σ(Σ over a cluster)² · G/(G−1), and G.
fn sum_of_squares(
    rows: &[Row],
    key: impl Fn(&Row) -> u32,
    part: &dyn Fn(&Row) -> Option<f64>,
) -> (f64, usize) {
    let clusters = of_clusters(rows, key, part);
    let (sum, n) = clusters.fold((0.0, 0_usize), |(sum, n), x| (sum + x * x, n + 1));
    if n < 2 { (f64::INFINITY, n) } else { (sum * n as f64 / (n - 1) as f64, n) }
}

#[derive(Clone, Copy)]
struct Variance {
    value: f64,
    /// People who have a part in the sum.
    n_people: usize,
    /// People or subjects, of whichever there are fewer.
    n_clusters: usize,
}

impl Variance {
    fn degrees(self) -> f64 {
        self.n_clusters.saturating_sub(1).max(1) as f64
    }
}

/// Errors and votes of a slice, or of the rest.
#[derive(Clone, Copy)]
struct Side {
    k: u64,
    n: u64,
    n_people: usize,
    rate: f64,
    /// Votes that would be as sure if they were independent.
    n_effective: f64,
}

impl Side {
    fn of(sorted: &Sorted, is_in: &dyn Fn(&Row) -> bool, level: f64) -> Option<Self> {
        let rows = sorted.by_volunteer.iter().filter(|row| is_in(row));
        let (k, n) = rows.fold((0, 0), |(k, n), row| (k + u64::from(row.is_error), n + 1));
        if n == 0 {
            return None;
        }
        let rate = k as f64 / n as f64;
        let part = |row: &Row| is_in(row).then(|| (error(row) - rate) / n as f64);
        let variance = sorted.variance(&part);
        let n_effective = if k == 0 || k == n {
            variance.n_clusters as f64
        } else {
            let few = normal_half_width(level) / student_half_width(variance.degrees(), level);
            rate * (1.0 - rate) / variance.value.max(f64::MIN_POSITIVE) * few * few
        };
        let n_people = variance.n_people;
        Some(Self { k, n, n_people, rate, n_effective: n_effective.clamp(1.0, n as f64) })
    }

    fn interval(&self, level: f64) -> Interval {
        wilson(self.rate * self.n_effective, self.n_effective, level)
    }

    /// Of its rate; above zero without an error too.
    fn variance(&self) -> f64 {
        let rate = self.rate.mul_add(self.n_effective, 0.5) / (self.n_effective + 1.0);
        rate * (1.0 - rate) / self.n_effective
    }

    fn is_mixed(&self) -> bool {
        0 < self.k && self.k < self.n
    }
}

fn error(row: &Row) -> f64 {
    f64::from(u8::from(row.is_error))
}

fn rates(sorted: &Sorted, slices: &Slices, wrong: Wrong, params: &BiasParams) -> Vec<SliceRate> {
    let side = |is_in: &dyn Fn(&Row) -> bool| {
        let is_enough = |s: &Side| s.n >= params.least && s.n_people >= LEAST_PEOPLE;
        Side::of(sorted, is_in, params.level).filter(is_enough)
    };
    let sides = (0..slices.conditions.len()).filter_map(|at| {
        let one = side(&|row| row.slice == at)?;
        Some((at, one, side(&|row| row.slice != at)?))
    });
    let sides: Vec<(usize, Side, Side)> = sides.collect();
    let spread = Spread::of(sides.iter().map(|(_, one, _)| (one.rate, one.variance())));
    let of = |(at, one, rest): &(usize, Side, Side)| {
        let (difference_interval, p) = against(sorted, *at, one, rest, params.level);
        SliceRate {
            conditions: vec![slices.conditions[*at].clone()],
            wrong,
            k: one.k,
            n: one.n,
            rate: one.rate,
            interval: one.interval(params.level),
            shrunk: spread.shrunk(one.rate, one.variance()),
            rest: (rest.k, rest.n),
            difference: one.rate - rest.rate,
            difference_interval,
            p,
            p_within: None,
            q: 1.0,
            is_flagged: false,
        }
    };
    sides.iter().map(of).collect()
}

/// The interval of the difference, and the p of none.
fn against(sorted: &Sorted, at: usize, one: &Side, rest: &Side, level: f64) -> (Interval, f64) {
    let difference = one.rate - rest.rate;
    let share = |row: &Row| {
        if row.slice == at { 1.0 / one.n as f64 } else { -1.0 / rest.n as f64 }
    };
    let own = |row: &Row| if row.slice == at { one.rate } else { rest.rate };
    let all = (one.k + rest.k) as f64 / (one.n + rest.n) as f64;
    let around_own = sorted.variance(&|row| Some((error(row) - own(row)) * share(row)));
    let around_all = sorted.variance(&|row| Some((error(row) - all) * share(row)));
    let interval = if one.is_mixed() && rest.is_mixed() {
        let half = student_half_width(around_own.degrees(), level) * around_own.value.sqrt();
        Interval { low: (difference - half).max(-1.0), high: (difference + half).min(1.0) }
    } else {
        newcombe((one.rate, one.interval(level)), (rest.rate, rest.interval(level)))
    };
    let sd = around_all.value.sqrt();
    let p = if sd > 0.0 { student_p(difference / sd, around_all.degrees()) } else { 1.0 };
    (interval, p)
}

/// How far the true rates of slices lie apart: mean and variance.
struct Spread {
    mean: f64,
    variance: f64,
}

impl Spread {
    /// DerSimonian and Laird's, of rates with their variances.
    fn of(rates: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let weights = || rates.clone().map(|(rate, variance)| (rate, 1.0 / variance));
        let sum: f64 = weights().map(|(_, w)| w).sum();
        let squares: f64 = weights().map(|(_, w)| w * w).sum();
        let mean = weights().map(|(rate, w)| w * rate).sum::<f64>() / sum;
        let q: f64 = weights().map(|(rate, w)| w * (rate - mean).powi(2)).sum();
        let n = rates.clone().count() as f64;
        let excess = q - (n - 1.0);
        // Of one slice alone nothing is seen of how slices differ.
        let variance = if n > 1.0 && excess > 0.0 { excess / (sum - squares / sum) } else { 0.0 };
        let between = |(rate, v): (f64, f64)| (rate, 1.0 / (v + variance));
        let (total, weighted) = rates
            .map(between)
            .fold((0.0, 0.0), |(total, weighted), (rate, w)| (total + w, w.mul_add(rate, weighted)));
        Self { mean: weighted / total, variance }
    }

    fn shrunk(&self, rate: f64, variance: f64) -> f64 {
        let trust = self.variance / (self.variance + variance);
        trust.mul_add(rate - self.mean, self.mean)
    }
}

#[cfg(test)]
#[path = "of_votes_tests.rs"]
mod tests;
