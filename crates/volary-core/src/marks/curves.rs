//! Which stamps of a light curve hold data: what the gap filter of the mark pipeline asks.

use super::{Marks, NONE};

/// The days between a segment's start and the point that must lie within its light curve.
const INTO_SEGMENT_DAYS: f64 = 5.0;

/// The time stamps of one light curve and which of them hold data. Times in days.
#[derive(Clone, Debug, PartialEq)]
pub enum Stamps {
    /// `time[i] = first + i · step`, with runs of stamps that are missing.
    Regular {
        /// Time of stamp 0.
        first_days: f64,
        /// Spacing.
        step_days: f64,
        /// Number of stamps, the missing ones counted.
        n: u32,
        /// Missing runs, first and last index, both inclusive; ascending and disjoint.
        missing: Vec<(u32, u32)>,
    },
    /// Any stamps: those with data, and the number and ends of all of them.
    Listed {
        /// Stamps that hold data, ascending.
        with_data_days: Vec<f64>,
        /// Number of stamps, the missing ones counted.
        n: u32,
        /// First and last stamp.
        range_days: (f64, f64),
    },
    /// Only the missing spans are known.
    Spans {
        /// Missing spans; ascending and disjoint.
        missing_days: Vec<(f64, f64)>,
        /// First and last stamp; infinite where unknown.
        range_days: (f64, f64),
    },
}

impl Stamps {
    /// First and last stamp.
    #[must_use]
    pub fn range_days(&self) -> (f64, f64) {
        match self {
            Self::Regular { first_days, step_days, n, .. } => {
                (*first_days, stamp(*first_days, *step_days, n.saturating_sub(1)))
            }
            Self::Listed { range_days, .. } | Self::Spans { range_days, .. } => *range_days,
        }
    }

    /// The mean spacing of the stamps: (last − first) / (n − 1). `None` where it is not known.
    #[must_use]
    pub fn step_days(&self) -> Option<f64> {
        let n = match self {
            Self::Regular { n, .. } | Self::Listed { n, .. } => *n,
            Self::Spans { .. } => return None,
        };
        let (first, last) = self.range_days();
        let step = (last - first) / (f64::from(n) - 1.0);
        (n > 1 && step > 0.0).then_some(step)
    }

    /// How many stamps with data lie in `[x_min, x_max]`, both ends included. `None` where the stamps
    /// are not known.
    #[must_use]
    pub fn n_with_data(&self, x_min_days: f64, x_max_days: f64) -> Option<u32> {
        match self {
            Self::Regular { first_days, step_days, n, missing } => {
                let from = first_at_or_after(*first_days, *step_days, *n, x_min_days);
                let to = first_after(*first_days, *step_days, *n, x_max_days);
                if to <= from {
                    return Some(0);
                }
                let at = missing.partition_point(|&(_, last)| last < from);
                let lost: u32 = missing[at..]
                    .iter()
                    .take_while(|&&(first, _)| first < to)
                    .map(|&(first, last)| (last + 1).min(to) - first.max(from))
                    .sum();
                Some(to - from - lost)
            }
            Self::Listed { with_data_days, .. } => {
                let from = with_data_days.partition_point(|&t| t < x_min_days);
                let to = with_data_days.partition_point(|&t| t <= x_max_days);
                u32::try_from(to.saturating_sub(from)).ok()
            }
            Self::Spans { .. } => None,
        }
    }

    /// The share of `[x_min, x_max]` that holds data: stamps with data over the stamps that fit into
    /// its duration (above 1 where an interval catches one more), or the share of its length outside
    /// missing spans. A range of no length holds data where its one point does.
    #[must_use]
    pub fn real_fraction(&self, x_min_days: f64, x_max_days: f64) -> f64 {
        let duration = x_max_days - x_min_days;
        if let Self::Spans { missing_days, range_days } = self {
            return span_fraction(missing_days, *range_days, x_min_days, x_max_days);
        }
        let (Some(step), Some(n)) = (self.step_days(), self.n_with_data(x_min_days, x_max_days)) else {
            return f64::from(u8::from(self.n_with_data(x_min_days, x_max_days).unwrap_or(0) > 0));
        };
        if duration < step {
            // Shorter than a cadence: no stamp has to fall into it. Ask the cadence around its middle.
            let middle = 0.5 * (x_min_days + x_max_days);
            let around = self.n_with_data(middle - 0.5 * step, middle + 0.5 * step).unwrap_or(0);
            return f64::from(u8::from(around > 0));
        }
        f64::from(n) / (duration / step)
    }
}

fn span_fraction(missing: &[(f64, f64)], range: (f64, f64), x_min: f64, x_max: f64) -> f64 {
    let length = x_max - x_min;
    if length <= 0.0 {
        let is_missing = missing.iter().any(|&(a, b)| a <= x_min && x_min <= b);
        return f64::from(u8::from(!is_missing && range.0 <= x_min && x_min <= range.1));
    }
    let within = (x_max.min(range.1) - x_min.max(range.0)).max(0.0);
    let lost: f64 = missing
        .iter()
        .map(|&(a, b)| (x_max.min(b).min(range.1) - x_min.max(a).max(range.0)).max(0.0))
        .sum();
    ((within - lost) / length).max(0.0)
}

fn stamp(first: f64, step: f64, i: u32) -> f64 {
    first + f64::from(i) * step
}

/// The smallest i < n with time[i] ≥ x, or n: by division, then put right for rounding.
fn first_at_or_after(first: f64, step: f64, n: u32, x: f64) -> u32 {
    let mut i = guess(first, step, n, x);
    while i > 0 && stamp(first, step, i - 1) >= x {
        i -= 1;
    }
    while i < n && stamp(first, step, i) < x {
        i += 1;
    }
    i
}

/// The smallest i < n with time[i] > x, or n.
fn first_after(first: f64, step: f64, n: u32, x: f64) -> u32 {
    let mut i = guess(first, step, n, x);
    while i > 0 && stamp(first, step, i - 1) > x {
        i -= 1;
    }
    while i < n && stamp(first, step, i) <= x {
        i += 1;
    }
    i
}

fn guess(first: f64, step: f64, n: u32, x: f64) -> u32 {
    // A step that is no positive number leaves the guess at an end; the loops stay within 0..n.
    let place = ((x - first) / step).ceil().clamp(0.0, f64::from(n));
    if place.is_finite() { place as u32 } else { 0 }
}

/// Light curves by the star or the subject they belong to, as a reader gives them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurveTable {
    /// Per curve: the star's id, as in [`Marks::stars`]; empty where the subject is named.
    pub star: Vec<String>,
    /// Per curve: the subject's id; empty where the star is named.
    pub subject: Vec<String>,
    /// Per curve: its stamps.
    pub stamps: Vec<Stamps>,
}

/// Light curves joined to the subjects of a [`Marks`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LightCurves {
    /// The curves.
    pub stamps: Vec<Stamps>,
    /// Per subject: index into `stamps`, or [`NONE`] for a subject of which no curve is known.
    pub of_subject: Vec<u32>,
}

impl CurveTable {
    /// Finds each subject's light curve: its own, or the one of its star with
    /// `first < start + 5 d < last`. A star with one curve and a subject without a start take that one.
    /// Of several, the first in order of (star, first stamp) wins.
    #[must_use]
    pub fn join(self, marks: &Marks) -> LightCurves {
        let mut of_subject = vec![NONE; marks.n_subjects()];
        let mut by_star: Vec<Vec<u32>> = vec![Vec::new(); marks.stars.len()];
        for at in 0..self.stamps.len() {
            let index = u32::try_from(at).unwrap_or(NONE);
            if let Ok(subject) = marks.subjects.binary_search(&self.subject[at]) {
                of_subject[subject] = of_subject[subject].min(index);
            } else if let Some(star) = find_star(&marks.stars, &self.star[at]) {
                by_star[star].push(index);
            }
        }
        let first = |&c: &u32| self.stamps[c as usize].range_days().0;
        for curves in &mut by_star {
            curves.sort_by(|a, b| first(a).total_cmp(&first(b)));
        }
        for (subject, own) in of_subject.iter_mut().enumerate().take(marks.n_subjects()) {
            let star = marks.star[subject];
            if *own != NONE || star == NONE {
                continue;
            }
            let curves = &by_star[star as usize];
            let inside = marks.start_days[subject] + INTO_SEGMENT_DAYS;
            let fits = |c: &&u32| {
                let (first, last) = self.stamps[**c as usize].range_days();
                first < inside && inside < last
            };
            let only = (inside.is_nan() && curves.len() == 1).then(|| curves[0]);
            *own = curves.iter().find(fits).copied().or(only).unwrap_or(NONE);
        }
        LightCurves { stamps: self.stamps, of_subject }
    }
}

/// A star by its id as it is written, or without leading zeros (folders write nine digits).
fn find_star(stars: &[String], id: &str) -> Option<usize> {
    let find = |id: &str| stars.binary_search_by(|s| s.as_str().cmp(id)).ok();
    if id.is_empty() {
        return None;
    }
    find(id).or_else(|| find(id.trim_start_matches('0')))
}

impl LightCurves {
    /// The stamps of a subject.
    #[must_use]
    pub fn of(&self, subject: usize) -> Option<&Stamps> {
        self.stamps.get(*self.of_subject.get(subject)? as usize)
    }
}
