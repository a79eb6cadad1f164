//! A cluster as one shape: who drew it, where it is, and how sure that is.
//!
//! The share of volunteers has Jeffreys' interval. A length is the mean over the members, with their
//! standard deviation and Student's interval of the mean; an angle is the mean direction
//! ([`super::angle`]). Members are first written in the way closest to the most central one (its longer
//! axis first, a line from its left end), so that an ellipse with its axes exchanged does not turn the mean. Outlines have no parameters: theirs are the most
//! central outline, the union, the intersection, and the area.

use statrs::distribution::{ContinuousCDF as _, StudentsT};
use volary_core::{Form, ParameterKind};

use super::angle::{agree, deviation, mean_direction};
use super::measure::{Mark, aligned, canonical};
use super::outline::{Corner, Outline, intersection, union};
use crate::interval::{Interval, jeffreys};

/// A number with its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Standard deviation of the members; `None` for a single one.
    pub sd: Option<f64>,
    /// Interval of the mean; `None` for a single member. Of an angle it may run beyond a period.
    pub interval: Option<Interval>,
}

/// A consensus shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Different volunteers in it.
    pub n_volunteers: u32,
    /// Marks in it.
    pub n_marks: u32,
    /// Share of those who saw the task that drew it.
    pub share: f64,
    /// Its Jeffreys interval.
    pub share_interval: Interval,
    /// Parameters, in the order of [`Form::parameters`].
    pub values: Vec<Estimate>,
    /// Mean overlap (IoU) of two members; `None` for forms without area and for single members.
    pub iou_mean: Option<f64>,
    /// For outlines.
    pub outline: Option<OutlineSummary>,
}

/// Outlines as one.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineSummary {
    /// The member with the least distance to all others.
    pub median: Vec<Corner>,
    /// Where any member is: the largest piece.
    pub union: Vec<Corner>,
    /// Where all members are: the largest piece; empty where they share nothing.
    pub intersection: Vec<Corner>,
    /// Area of the members, px².
    pub area: Estimate,
}

/// Who is in a cluster, and of how many.
pub(super) struct Crowd {
    pub(super) n_volunteers: u32,
    pub(super) n_seen: u32,
    pub(super) level: f64,
}

/// Summarises members, which are in an order of their own (not of the input), given their distances and
/// whether those are overlaps.
pub(super) fn summarise(
    form: Form,
    members: &[&Mark],
    crowd: &Crowd,
    distance: &impl Fn(usize, usize) -> f64,
    is_overlap: bool,
) -> Cluster {
    let n = members.len();
    let cost =
        |i: usize| (0..n).map(|j| if i == j { 0.0 } else { distance(i, j).min(1e12) }).sum::<f64>();
    let costs: Vec<f64> = (0..n).map(cost).collect();
    let central = (0..n).reduce(|a, b| if costs[b] < costs[a] { b } else { a }).unwrap_or(0);
    // Overlaps that were measured as distances need not be measured again. Moments too far apart are no
    // distance that says how much the forms overlap.
    let iou = |i: usize, j: usize| match is_overlap.then(|| distance(i, j)) {
        Some(distance) if distance.is_finite() => Some(1.0 - distance),
        _ => members[i].iou(members[j]),
    };
    let mut overlaps = Vec::new();
    for i in 0..n {
        overlaps.extend((0..i).filter_map(|j| iou(i, j)));
    }
    let iou_mean = (!overlaps.is_empty()).then(|| overlaps.iter().sum::<f64>() / overlaps.len() as f64);
    let (k, seen) = (f64::from(crowd.n_volunteers), f64::from(crowd.n_seen));
    Cluster {
        n_volunteers: crowd.n_volunteers,
        n_marks: u32::try_from(n).unwrap_or(u32::MAX),
        share: if seen > 0.0 { k / seen } else { 0.0 },
        share_interval: jeffreys(k, seen, crowd.level),
        values: values(form, members, central, crowd.level),
        iou_mean,
        outline: outlines(members, central, crowd.level),
    }
}

fn values(form: Form, members: &[&Mark], central: usize, level: f64) -> Vec<Estimate> {
    let Some(Mark::Shape { numbers: reference, .. }) = members.get(central) else { return Vec::new() };
    let reference = canonical(form, reference);
    let written: Vec<Vec<f64>> = members
        .iter()
        .filter_map(|m| match m {
            Mark::Shape { numbers, .. } => Some(aligned(form, numbers, &reference)),
            Mark::Outline(_) => None,
        })
        .collect();
    (0..form.parameters().len())
        .map(|p| {
            let column: Vec<f64> = written.iter().map(|w| w[p]).collect();
            match form.kind(p) {
                ParameterKind::Angle(period) => direction(&column, period, level),
                _ => mean(&column, level),
            }
        })
        .collect()
}

fn outlines(members: &[&Mark], central: usize, level: f64) -> Option<OutlineSummary> {
    let all: Vec<&Outline> = members
        .iter()
        .filter_map(|m| match m {
            Mark::Outline(outline) => Some(outline),
            Mark::Shape { .. } => None,
        })
        .collect();
    let median = all.get(central)?.ring().to_vec();
    let ring = |outline: Option<Outline>| outline.map_or_else(Vec::new, |o| o.ring().to_vec());
    let areas: Vec<f64> = all.iter().map(|o| o.area()).collect();
    Some(OutlineSummary {
        median,
        union: ring(union(&all)),
        intersection: ring(intersection(&all)),
        area: mean(&areas, level),
    })
}

/// Half the width of Student's interval of a mean.
fn half_width(n: usize, sd: f64, level: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?;
    Some(student.inverse_cdf(f64::midpoint(1.0, level)) * sd / (n as f64).sqrt())
}

/// The mean with Student's interval.
pub(super) fn mean(column: &[f64], level: f64) -> Estimate {
    let n = column.len();
    // Sorted, so that the order of the marks changes no digit.
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let value = sorted.iter().sum::<f64>() / n as f64;
    about(value, sorted.iter().map(|x| x - value), level)
}

fn about(value: f64, deviations: impl ExactSizeIterator<Item = f64>, level: f64) -> Estimate {
    let n = deviations.len();
    if n < 2 {
        return Estimate { value, sd: None, interval: None };
    }
    let sd = (deviations.map(|d| d * d).sum::<f64>() / (n - 1) as f64).sqrt();
    let interval = half_width(n, sd, level).map(|h| Interval { low: value - h, high: value + h });
    Estimate { value, sd: Some(sd), interval }
}

/// The mean direction; where directions do not agree, the interval is the whole period.
pub(super) fn direction(column: &[f64], period: f64, level: f64) -> Estimate {
    let mut sorted: Vec<f64> = column.iter().map(|a| a.rem_euclid(period)).collect();
    sorted.sort_by(f64::total_cmp);
    let Some((value, length)) = mean_direction(&sorted, period) else {
        return Estimate { value: 0.0, sd: None, interval: None };
    };
    let mut estimate = about(value, sorted.iter().map(|&a| deviation(a, value, period)), level);
    let is_whole = estimate.interval.is_some_and(|i| i.width() > period);
    if sorted.len() > 1 && (is_whole || !agree(sorted.len(), length)) {
        estimate.interval = Some(Interval { low: value - period / 2.0, high: value + period / 2.0 });
    }
    estimate
}
