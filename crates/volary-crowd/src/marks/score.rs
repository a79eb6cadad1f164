//! From marks to scored features in one call, and intervals that count the effective number of votes.

use rayon::prelude::*;
use volary_core::marks::{LightCurves, Marks, Signals};

use super::build::{Built, build};
use super::couple::{Coupled, Iteration, OnIteration, couple};
use super::params::MarkParams;
use super::types::{Ballots, Features, Scores};
use super::vote::ballots;
use super::weigh::{Weighed, weigh};
use crate::error::CrowdError;
use crate::interval::{Interval, wilson};

/// Everything that one run gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// Features, and marks left out.
    pub built: Built,
    /// Weights, matches, completeness. `weights.weight` is final.
    pub weighed: Weighed,
    /// Votes.
    pub ballots: Ballots,
    /// Scores with intervals.
    pub scores: Scores,
    /// The iterations.
    pub coupled: Coupled,
}

/// Orders that the released code depends on, and seeds from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// Order of subjects, for the released ids.
    pub subject_order: Option<&'a [u32]>,
    /// Order of volunteers, for the released running mean.
    pub volunteer_order: Option<&'a [u32]>,
    /// Seed weights by volunteer instead of those from simulations.
    pub seeds: Option<&'a [f64]>,
}

/// Builds, weighs, scores and couples.
///
/// # Errors
/// Where a constant is out of its range.
pub fn run(
    marks: &Marks,
    curves: &LightCurves,
    signals: &Signals,
    params: &MarkParams,
    given: Given<'_>,
    on_iteration: &mut OnIteration<'_>,
) -> Result<Scored, CrowdError> {
    let (built, weighed) = rayon::join(
        || build(marks, curves, params, given.subject_order),
        || weigh(marks, signals, params),
    );
    let (built, mut weighed) = (built?, weighed?);
    if let Some(seeds) = given.seeds {
        weighed.weights.seed = seeds.to_vec();
    }
    let ballots = ballots(marks, &built.features, params);
    let coupled = couple(
        &built.features,
        &ballots,
        &weighed.weights.seed,
        params,
        given.volunteer_order,
        on_iteration,
    );
    weighed.weights.weight.clone_from(&coupled.weight);
    weighed.weights.n_features.clone_from(&coupled.n_features);
    let scores = scores(&built.features, &ballots, &coupled, params.level);
    Ok(Scored { built, weighed, ballots, scores, coupled })
}

/// Scores with their intervals: Wilson's, for a share of n_eff = (Σw)² / Σw² votes, w being the final
/// weights of all voters.
#[must_use]
pub fn scores(features: &Features, ballots: &Ballots, coupled: &Coupled, level: f64) -> Scores {
    let n = features.len();
    let n_effective: Vec<f64> = (0..features.start.len().saturating_sub(1))
        .into_par_iter()
        .with_min_len(256)
        .map(|s| effective_votes(ballots.voters_of(s), &coupled.weight))
        .collect();
    let of = |f: usize| n_effective[features.subject[f] as usize];
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Scores {
        seed: coupled.seed_score.clone(),
        score: coupled.score.clone(),
        interval: (0..n).into_par_iter().map(|f| interval_of(coupled.score[f], of(f), level)).collect(),
        n_effective: (0..n).map(of).collect(),
        n_yes: (0..n).map(|f| count(ballots.yes_of(f).len())).collect(),
        n_voters: (0..n).map(|f| count(ballots.voters_of(features.subject[f] as usize).len())).collect(),
    }
}

/// The interval of a score.
pub(crate) fn interval_of(score: f64, n_effective: f64, level: f64) -> Interval {
    wilson(score * n_effective, n_effective, level)
}

/// (Σw)² / Σw²; the number of voters where all weigh the same.
pub(crate) fn effective_votes(voters: &[u32], weight: &[f64]) -> f64 {
    let (sum, squares) = voters.iter().fold((0.0, 0.0), |(sum, squares), &v| {
        let w = weight[v as usize];
        (sum + w, squares + w * w)
    });
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// For callers that want no news of the iterations.
pub fn silent(_: &Iteration, _: &[f64], _: &[f64]) -> bool {
    true
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
