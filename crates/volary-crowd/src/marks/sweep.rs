//! What the parameters of the grouping change: tolerance × duration cutoff × score cutoff.
//!
//! The paper's appendix A.1 (figures 17 to 20: most possible recovery and false-positive rate over tolerance
//! and cutoff, then the area under the precision–recall curve) and A.3 (figure 23: recovery and false
//! positives over the score floor). [`sweep_marks`] runs the pipeline for every pair, on all threads; [`sweep`]
//! runs whatever a closure does. The rows stand in the order of the grid.

use rayon::prelude::*;
use volary_core::marks::{LightCurves, Marks, Signals};

use super::build::build;
use super::couple::couple;
use super::evaluate::{EvaluateError, Headline, MATCH_COVER, Matched, floors, match_features};
use super::evaluate_curves::{Convention, Curves, curves};
use super::params::MarkParams;
use super::score::silent;
use super::types::Features;
use super::vote::ballots;
use super::weigh::weigh;

/// Tolerances of the paper's study, days.
pub const PAPER_TOLERANCES_DAYS: [f64; 6] = [0.4, 0.6, 0.8, 1.0, 1.2, 1.4];
/// Duration cutoffs: six over the paper's range of 0.15 to 4 days.
pub const PAPER_CUTOFFS_DAYS: [f64; 6] = [0.15, 0.5, 1.0, 2.0, 3.0, 4.0];
/// Score floors of the paper's study.
pub const PAPER_FLOORS: [f64; 10] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// The grid.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepGrid {
    /// Midpoint tolerances, days.
    pub tolerances_days: Vec<f64>,
    /// Duration cutoffs, days.
    pub cutoffs_days: Vec<f64>,
    /// Score floors.
    pub floors: Vec<f64>,
    /// Level of the intervals.
    pub level: f64,
}

impl Default for SweepGrid {
    fn default() -> Self {
        Self {
            tolerances_days: PAPER_TOLERANCES_DAYS.to_vec(),
            cutoffs_days: PAPER_CUTOFFS_DAYS.to_vec(),
            floors: PAPER_FLOORS.to_vec(),
            level: 0.95,
        }
    }
}

impl SweepGrid {
    /// (tolerance, cutoff), tolerance by tolerance.
    #[must_use]
    pub fn pairs(&self) -> Vec<(f64, f64)> {
        let of = |&t: &f64| self.cutoffs_days.iter().map(move |&c| (t, c));
        self.tolerances_days.iter().flat_map(of).collect()
    }
}

/// One pair of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRow {
    /// Midpoint tolerance, days.
    pub tolerance_days: f64,
    /// Duration cutoff, days.
    pub cutoff_days: f64,
    /// Features in all.
    pub n_features: u64,
    /// At every score floor of the grid; the first at no floor at all (every feature passes).
    pub floors: Vec<Headline>,
    /// Curves without the signals that no feature matches; the points are left out.
    pub marked_only: Curves,
    /// Curves with them; the points are left out.
    pub all: Curves,
}

/// Runs the grid. `run` groups and scores the marks under one (tolerance, cutoff).
///
/// # Errors
/// The first error of `run`, in the order of the grid, or of the comparison with the signals.
pub fn sweep<E: Send + From<EvaluateError>>(
    grid: &SweepGrid,
    signals: &Signals,
    run: impl Fn(f64, f64) -> Result<(Features, Vec<f64>), E> + Sync,
) -> Result<Vec<SweepRow>, E> {
    let row = |&(tolerance_days, cutoff_days): &(f64, f64)| -> Result<SweepRow, E> {
        let (features, scores) = run(tolerance_days, cutoff_days)?;
        let matched = match_features(&features, &scores, signals, MATCH_COVER)?;
        Ok(summarise(grid, (tolerance_days, cutoff_days), &matched))
    };
    grid.pairs().par_iter().map(row).collect::<Vec<_>>().into_iter().collect()
}

fn summarise(grid: &SweepGrid, pair: (f64, f64), matched: &Matched) -> SweepRow {
    let thin = |convention| Curves { points: Vec::new(), ..curves(matched, convention) };
    // Below every score, but above the "score" of a signal that no feature matches.
    let mut at = vec![f64::MIN];
    at.extend(&grid.floors);
    SweepRow {
        tolerance_days: pair.0,
        cutoff_days: pair.1,
        n_features: matched.n_features,
        floors: floors(matched, &at, grid.level),
        marked_only: thin(Convention::MarkedOnly),
        all: thin(Convention::All),
    }
}

/// Runs the pipeline over the grid: the volunteers are weighed once, then for every pair marks are grouped,
/// voted on and scored anew. `params` gives everything else; its vote tolerance follows the grid where it is
/// that of the features.
///
/// # Errors
/// [`EvaluateError::Crowd`] where a constant is out of its range; [`EvaluateError::NoSignals`].
pub fn sweep_marks(
    marks: &Marks,
    curves: &LightCurves,
    signals: &Signals,
    params: &MarkParams,
    grid: &SweepGrid,
) -> Result<Vec<SweepRow>, EvaluateError> {
    let seeds = weigh(marks, signals, params)?.weights.seed;
    let follows = params.vote_tolerance_days.total_cmp(&params.tolerance_days).is_eq();
    sweep(grid, signals, |tolerance_days, cutoff_days| {
        let vote_tolerance_days = if follows { tolerance_days } else { params.vote_tolerance_days };
        let params = MarkParams { tolerance_days, cutoff_days, vote_tolerance_days, ..params.clone() };
        let features = build(marks, curves, &params, None)?.features;
        let ballots = ballots(marks, &features, &params);
        let coupled = couple(&features, &ballots, &seeds, &params, None, &mut silent);
        Ok((features, coupled.score))
    })
}

/// The row with the largest average precision over all signals; the first of equals.
#[must_use]
pub fn best(rows: &[SweepRow]) -> Option<&SweepRow> {
    let value = |row: &SweepRow| row.all.average_precision_reached.unwrap_or(f64::NEG_INFINITY);
    rows.iter().reduce(|best, row| if value(row) > value(best) { row } else { best })
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
