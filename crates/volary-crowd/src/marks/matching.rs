//! Which mark of a view means which injected signal.
//!
//! The paper matches where mark and signal overlap and their midpoints lie within a tolerance; a match is
//! a *hit* where it covers more than half of the signal. Signals are taken in the table's order, each
//! taking the closest mark that is left; our own rule takes the closest pair first, so that the table's
//! order plays no part.

use volary_core::marks::{Marks, NONE, Signals};

use super::params::{MarkParams, Matching};
use super::types::midpoint;
use super::weigh::is_counted;

/// One signal shown in one view, and the mark that means it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Index of the view.
    pub view: u32,
    /// Index of the signal.
    pub signal: u32,
    /// Index of the mark, or [`NONE`].
    pub mark: u32,
    /// Share of the signal that the mark covers; NaN without a mark.
    pub cover: f64,
    /// Whether it covers enough to be a hit.
    pub is_hit: bool,
}

/// The share of a signal that a mark covers.
fn cover(marks: &Marks, signals: &Signals, mark: usize, signal: usize) -> f64 {
    let (a, b) = (signals.x_min_days[signal], signals.x_max_days[signal]);
    let (x0, x1) = (marks.x_min_days[mark], marks.x_max_days[mark]);
    (b.min(x1) - a.max(x0)).max(0.0) / (b - a)
}

/// The distance of two midpoints, where they may be matched at all.
fn distance(
    marks: &Marks,
    signals: &Signals,
    mark: usize,
    signal: usize,
    params: &MarkParams,
) -> Option<f64> {
    let duration = marks.x_max_days[mark] - marks.x_min_days[mark];
    let touches = cover(marks, signals, mark, signal) > 0.0;
    let may =
        touches || (params.matching == Matching::Released && duration < params.match_tolerance_days);
    let of_signal = midpoint(signals.x_min_days[signal], signals.x_max_days[signal]);
    let of_mark = midpoint(marks.x_min_days[mark], marks.x_max_days[mark]);
    let apart = (of_signal - of_mark).abs();
    (may && apart <= params.match_tolerance_days).then_some(apart)
}

/// One entry per signal of the subject, in their order.
pub(crate) fn match_view(
    marks: &Marks,
    signals: &Signals,
    subject: usize,
    view: usize,
    params: &MarkParams,
) -> Vec<Match> {
    let mut all: Vec<usize> = marks.marks_of(view).filter(|&m| is_counted(marks, m, params)).collect();
    if params.matching == Matching::Released {
        all.sort_by_key(|&m| marks.mark_rank[m]);
    }
    let shown = signals.of(subject);
    let taken = match params.matching {
        Matching::Closest => closest(marks, signals, &shown, &all, params),
        Matching::Paper | Matching::Released => in_order(marks, signals, &shown, &all, params),
    };
    let index = |n: usize| u32::try_from(n).unwrap_or(NONE);
    shown
        .zip(taken)
        .map(|(signal, mark)| {
            let cover = mark.map_or(f64::NAN, |m| cover(marks, signals, m, signal));
            let is_hit = cover > params.hit_cover;
            let mark = mark.map_or(NONE, index);
            Match { view: index(view), signal: index(signal), mark, cover, is_hit }
        })
        .collect()
}

fn in_order(
    marks: &Marks,
    signals: &Signals,
    shown: &std::ops::Range<usize>,
    all: &[usize],
    params: &MarkParams,
) -> Vec<Option<usize>> {
    let mut left: Vec<usize> = all.to_vec();
    shown
        .clone()
        .map(|signal| {
            let apart = |&m: &usize| distance(marks, signals, m, signal, params);
            let near = left.iter().enumerate().filter_map(|(at, m)| Some((at, apart(m)?)));
            // `min_by` gives the first of equals: ties keep the order of the marks.
            let (at, _) = near.min_by(|a, b| a.1.total_cmp(&b.1))?;
            Some(left.remove(at))
        })
        .collect()
}

fn closest(
    marks: &Marks,
    signals: &Signals,
    shown: &std::ops::Range<usize>,
    all: &[usize],
    params: &MarkParams,
) -> Vec<Option<usize>> {
    let pair = |(signal, mark): (usize, usize)| {
        Some((distance(marks, signals, mark, signal, params)?, signal, mark))
    };
    let pairs = shown.clone().flat_map(|s| all.iter().map(move |&m| (s, m)));
    let mut pairs: Vec<(f64, usize, usize)> = pairs.filter_map(pair).collect();
    // Equal distances go to the signal and the mark that begin first, wherever they stand in the table.
    let begin = |s: usize, m: usize| (signals.x_min_days[s], marks.x_min_days[m]);
    pairs.sort_by(|a, b| {
        let (x, y) = (begin(a.1, a.2), begin(b.1, b.2));
        a.0.total_cmp(&b.0).then(x.0.total_cmp(&y.0)).then(x.1.total_cmp(&y.1))
    });
    let mut taken = vec![None; shown.len()];
    for (_, signal, mark) in pairs {
        let slot = signal - shown.start;
        if taken[slot].is_none() && !taken.contains(&Some(mark)) {
            taken[slot] = Some(mark);
        }
    }
    taken
}
