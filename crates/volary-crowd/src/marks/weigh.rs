//! Weigh: seed weights from simulations (Safron et al. 2022, equations 1 to 5).
//!
//! A signal g shown n_g times and hit h_g times has completeness SIDC_g = h_g / n_g. A hit on it is worth
//! 1 / max(SIDC_g, floor) − 1; the k-th hit of one view is scaled by the decay D(k). With U = 1 + Σ of
//! those and V = 1 + the number of marks on simulations that hit nothing, the seed weight is
//! w = (U / V) / mean(U / V) over the volunteers who saw a simulation. All others get the base weight,
//! 1 / mean(U / V), that of a volunteer who did nothing.

use rand::seq::SliceRandom as _;
use rayon::prelude::*;
use volary_core::marks::{Marks, NONE, Signals};
use volary_core::seed::stream;

use super::matching::{Match, match_view};
use super::params::{MarkParams, Matching};
use super::types::VolunteerWeights;
use crate::error::CrowdError;

/// One signal as shown to one group of viewers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completeness {
    /// Index of the signal.
    pub signal: u32,
    /// Group of viewers, from 0.
    pub viewers: u32,
    /// Views that hit it.
    pub n_hits: u32,
    /// Views of its simulation.
    pub n_shown: u32,
}

impl Completeness {
    /// SIDC: the share of its views that hit it.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from(self.n_hits) / f64::from(self.n_shown.max(1))
    }

    /// What a hit is worth before decay: 1 / max(SIDC, floor) − 1.
    #[must_use]
    pub fn raw_upweight(&self, floor: f64) -> f64 {
        1.0 / self.share().max(floor) - 1.0
    }
}

/// Seed weights, and what they come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weighed {
    /// Weights of all volunteers.
    pub weights: VolunteerWeights,
    /// One entry per view and signal shown in it, in order of views.
    pub matches: Vec<Match>,
    /// Per signal and group of viewers.
    pub completeness: Vec<Completeness>,
    /// U of a volunteer who hits everything that was shown.
    pub highest_upweight: f64,
}

/// Matches of one view, its group of viewers and its marks that hit nothing.
struct OfView {
    view: u32,
    viewers: u32,
    matches: Vec<Match>,
    n_wrong: u32,
}

/// Weighs volunteers by the simulations they saw. Without any simulation everybody weighs 1.
///
/// # Errors
/// Where a constant is out of its range.
pub fn weigh(marks: &Marks, signals: &Signals, params: &MarkParams) -> Result<Weighed, CrowdError> {
    params.check()?;
    let viewers = viewer_groups(marks, signals, params);
    let views: Vec<OfView> = (0..marks.n_subjects())
        .into_par_iter()
        .with_min_len(64)
        .filter(|&s| !signals.of(s).is_empty())
        .flat_map_iter(|s| marks.views_of(s).map(move |v| (s, v)))
        .map(|(s, v)| of_view(marks, signals, (s, v), viewers[v], params))
        .collect();
    let completeness = completeness_of(&views, signals);
    let weights = weights_of(marks, &views, &completeness, params);
    let highest_upweight = highest(signals, &completeness, params);
    let matches = views.into_iter().flat_map(|v| v.matches).collect();
    Ok(Weighed { weights, matches, completeness: completeness.entries, highest_upweight })
}

/// Per view of a simulation: which random group of viewers it belongs to.
fn viewer_groups(marks: &Marks, signals: &Signals, params: &MarkParams) -> Vec<u32> {
    let mut group_of = vec![0; marks.n_views()];
    let Some(size) = params.viewers_per_simulation else { return group_of };
    let mut views: Vec<Vec<u32>> = vec![Vec::new(); signals.n_groups()];
    for subject in 0..marks.n_subjects() {
        if signals.group[subject] != NONE {
            let all = marks.views_of(subject).map(|v| u32::try_from(v).unwrap_or(NONE));
            views[signals.group[subject] as usize].extend(all);
        }
    }
    for (group, views) in views.iter_mut().enumerate() {
        // The stream is named by the simulation's first signal, so that other simulations do not move it.
        let name = &signals.id[signals.start[group] as usize];
        views.shuffle(&mut stream(params.seed, &format!("viewers of {name}")));
        for (place, &view) in views.iter().enumerate() {
            group_of[view as usize] = u32::try_from(place).unwrap_or(NONE) / size;
        }
    }
    group_of
}

fn of_view(
    marks: &Marks,
    signals: &Signals,
    (subject, view): (usize, usize),
    viewers: u32,
    params: &MarkParams,
) -> OfView {
    let matches = match_view(marks, signals, subject, view, params);
    let is_hit = |m: &Match| m.cover > params.hit_cover;
    let counted = marks.marks_of(view).filter(|&mark| is_counted(marks, mark, params));
    let n_wrong = if params.matching == Matching::Released {
        // The released code knows a hit by its bounds, to 1e-6 days.
        let same = |mark: usize, m: &Match| {
            let other = m.mark as usize;
            (marks.x_min_days[mark] - marks.x_min_days[other]).abs() < 1e-6
                && (marks.x_max_days[mark] - marks.x_max_days[other]).abs() < 1e-6
        };
        counted.filter(|&mark| !matches.iter().any(|m| is_hit(m) && same(mark, m))).count()
    } else {
        let hit = |mark: usize| matches.iter().any(|m| is_hit(m) && m.mark as usize == mark);
        counted.filter(|&mark| !hit(mark)).count()
    };
    let index = |n: usize| u32::try_from(n).unwrap_or(NONE);
    OfView { view: index(view), viewers, matches, n_wrong: index(n_wrong) }
}

/// Whether a mark takes part in matching.
pub(crate) fn is_counted(marks: &Marks, mark: usize, params: &MarkParams) -> bool {
    let duration = marks.x_max_days[mark] - marks.x_min_days[mark];
    !params.cutoff_in_matching || duration < params.cutoff_days
}

/// Completeness by signal and group of viewers, sorted; `start[signal]` is a signal's first entry.
struct Table {
    entries: Vec<Completeness>,
    start: Vec<u32>,
}

impl Table {
    fn of(&self, signal: u32, viewers: u32) -> &Completeness {
        // Groups of viewers are numbered without holes from 0.
        &self.entries[(self.start[signal as usize] + viewers) as usize]
    }
}

fn completeness_of(views: &[OfView], signals: &Signals) -> Table {
    let mut n_groups = vec![0_u32; signals.len()];
    let all = || views.iter().flat_map(|v| v.matches.iter().map(move |m| (v.viewers, m)));
    for (viewers, m) in all() {
        let n = &mut n_groups[m.signal as usize];
        *n = (*n).max(viewers + 1);
    }
    let mut start = vec![0_u32];
    let mut entries = Vec::new();
    for (signal, &n) in (0..).zip(&n_groups) {
        entries.extend((0..n).map(|viewers| Completeness { signal, viewers, n_hits: 0, n_shown: 0 }));
        start.push(u32::try_from(entries.len()).unwrap_or(NONE));
    }
    for (viewers, m) in all() {
        let entry = &mut entries[(start[m.signal as usize] + viewers) as usize];
        entry.n_shown += 1;
        entry.n_hits += u32::from(m.is_hit);
    }
    Table { entries, start }
}

/// What the hits of one view add to U.
fn earned(view: &OfView, table: &Table, params: &MarkParams) -> f64 {
    let mut raw: Vec<f64> = view
        .matches
        .iter()
        .filter(|m| m.is_hit)
        .map(|m| table.of(m.signal, view.viewers).raw_upweight(params.completeness_floor))
        .collect();
    scaled(&mut raw, params)
}

/// Equation 2 over one view: Σ D(k) · u_(k).
pub(crate) fn scaled(raw: &mut [f64], params: &MarkParams) -> f64 {
    raw.sort_by(f64::total_cmp);
    if params.hardest_first {
        raw.reverse();
    }
    raw.iter().enumerate().map(|(k, u)| params.decay.at(k) * u).sum()
}

fn weights_of(marks: &Marks, views: &[OfView], table: &Table, params: &MarkParams) -> VolunteerWeights {
    let n = marks.n_volunteers();
    let mut weights = VolunteerWeights {
        upweight: vec![1.0; n],
        downweight: vec![1.0; n],
        n_signals: vec![0; n],
        n_hits: vec![0; n],
        n_features: vec![0; n],
        ..VolunteerWeights::default()
    };
    for view in views {
        let k = marks.view_volunteer[view.view as usize] as usize;
        weights.upweight[k] += earned(view, table, params);
        weights.downweight[k] += f64::from(view.n_wrong);
        weights.n_signals[k] += u32::try_from(view.matches.len()).unwrap_or(NONE);
        weights.n_hits[k] +=
            u32::try_from(view.matches.iter().filter(|m| m.is_hit).count()).unwrap_or(NONE);
    }
    normalise(&mut weights, params);
    weights
}

/// Equation 5: w = (U/V) / mean(U/V); the base weight, or a fixed one, for those who saw no simulation.
pub(crate) fn normalise(weights: &mut VolunteerWeights, params: &MarkParams) {
    let n = weights.upweight.len();
    let seen = |k: &usize| weights.n_signals[*k] > 0;
    let ratio = |k: usize| weights.upweight[k] / weights.downweight[k];
    let n_seen = (0..n).filter(seen).count();
    let mean = (0..n).filter(seen).map(ratio).sum::<f64>() / n_seen as f64;
    let base = if n_seen == 0 { 1.0 } else { 1.0 / mean };
    let without = params.weight_without_simulations.unwrap_or(base);
    weights.seed = (0..n).map(|k| if seen(&k) { ratio(k) / mean } else { without }).collect();
    weights.weight.clone_from(&weights.seed);
    weights.base = base;
}

/// 1 + what a volunteer earns who sees every simulation once and hits all.
fn highest(signals: &Signals, table: &Table, params: &MarkParams) -> f64 {
    let of_group = |group: usize| {
        let all = signals.start[group]..signals.start[group + 1];
        let shown = all.filter(|&s| table.start[s as usize] < table.start[s as usize + 1]);
        let hit = shown.map(|s| table.of(s, 0)).filter(|c| c.n_hits > 0);
        let mut raw: Vec<f64> = hit.map(|c| c.raw_upweight(params.completeness_floor)).collect();
        scaled(&mut raw, params)
    };
    1.0 + (0..signals.n_groups()).map(of_group).sum::<f64>()
}
