//! Bayes: how probable is it that a feature is real?
//!
//! Our own model. A feature is real with probability π. Volunteer k marks a real feature of visibility θ
//! with probability σ(a_k + θ), σ being the logistic function, and a false one of allure φ (a spot, a
//! jump: some deceive many people) with σ(b_k + φ). So each volunteer has a completeness, which rises
//! with the strength of the signal, and a false-alarm rate. Visibility and allure live on fixed grids
//! ([`VISIBILITY`], [`ALLURE`]) with weights that are learned.
//!
//! Since a feature is only there because somebody marked it, the likelihood of its votes is divided by
//! 1 − P(nobody marks it): without that, lone marks would look far too real.
//!
//! What is known, by expectation–maximisation with partial pooling (a_k ~ N(0, τ_a²), b_k ~ N(0, τ_b²),
//! both τ learned):
//! - signals of simulations are real whether anybody marked them or not; where their strength s is known,
//!   θ = λ0 + λ1·ln s with λ1 ≥ 0 learned, otherwise θ is latent;
//! - features of simulations that touch no signal are false;
//! - all other features are what the model makes of them, and teach it in proportion.
//!
//! The interval of a probability comes from the uncertainty of the a_k, b_k and π by the delta method on
//! the log odds. Compare Dawid & Skene 1979 (doi:10.2307/2346806) for the idea, Whitehill et al. 2009
//! for difficulty. No use is made of widths or of where marks lie within a feature.

use rayon::prelude::*;
use volary_core::marks::{Marks, Signals};

use super::bayes_em::Model;
use super::types::{Ballots, Features};
use super::weigh::Weighed;
use crate::interval::Interval;

/// Nodes of θ: from signals that hardly anybody sees to those that nobody misses.
pub const VISIBILITY: [f64; 7] = [-5.0, -3.5, -2.0, -0.5, 1.0, 2.5, 4.0];
/// Nodes of φ: from strays to what deceives most people.
pub const ALLURE: [f64; 7] = [-7.0, -5.5, -4.0, -2.75, -1.5, -0.5, 0.5];
/// Nodes of both together: visibility first.
pub(crate) const NODES: usize = VISIBILITY.len() + ALLURE.len();

/// Settings of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BayesParams {
    /// Rounds of expectation and maximisation at most.
    pub max_rounds: u32,
    /// Rounds end where no skill moves by more than this (log odds).
    pub converged_at: f64,
    /// Level of the intervals.
    pub level: f64,
}

impl Default for BayesParams {
    fn default() -> Self {
        Self { max_rounds: 200, converged_at: 1e-3, level: 0.95 }
    }
}

/// What is learned of one volunteer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// a: log odds of marking a real feature of visibility 0.
    pub a: f64,
    /// Its standard error.
    pub a_error: f64,
    /// b: log odds of marking a false feature of allure 0.
    pub b: f64,
    /// Its standard error.
    pub b_error: f64,
    /// Chance of marking a real feature, over the visibilities of simulated signals.
    pub completeness: f64,
    /// Its interval.
    pub completeness_interval: Interval,
    /// Chance of marking a false feature, over the allures of false features.
    pub false_alarm: f64,
    /// Its interval.
    pub false_alarm_interval: Interval,
}

/// Probabilities of the features, and what they come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bayes {
    /// Per feature: probability of being real.
    pub probability: Vec<f64>,
    /// Per feature: its interval.
    pub interval: Vec<Interval>,
    /// Per volunteer.
    pub skill: Vec<Skill>,
    /// π, the share of features outside simulations that are real.
    pub share_real: f64,
    /// Spread of a among volunteers.
    pub spread_a: f64,
    /// Spread of b.
    pub spread_b: f64,
    /// λ0 and λ1, where signals have strengths.
    pub strength: Option<(f64, f64)>,
    /// Weights of the nodes of [`VISIBILITY`], then of [`ALLURE`].
    pub node_weights: Vec<f64>,
    /// Rounds made.
    pub n_rounds: u32,
    /// Whether the last round moved no skill by more than the criterion.
    pub is_converged: bool,
}

/// Learns the model and judges every feature.
#[must_use]
pub fn bayes(
    marks: &Marks,
    signals: &Signals,
    features: &Features,
    ballots: &Ballots,
    weighed: &Weighed,
    params: &BayesParams,
) -> Bayes {
    let mut model = Model::new(marks, signals, features, ballots, weighed);
    let mut n_rounds = 0;
    let mut is_converged = features.is_empty();
    while n_rounds < params.max_rounds && !is_converged {
        n_rounds += 1;
        is_converged = model.round() <= params.converged_at;
    }
    let judged: Vec<(f64, Interval)> = (0..marks.n_subjects())
        .into_par_iter()
        .with_min_len(64)
        .flat_map_iter(|subject| model.judge(subject, params.level))
        .collect();
    let (probability, interval) = judged.into_iter().unzip();
    Bayes {
        probability,
        interval,
        skill: (0..marks.n_volunteers()).map(|k| model.skill(k, params.level)).collect(),
        share_real: model.share_real,
        spread_a: model.spread[0],
        spread_b: model.spread[1],
        strength: model.strength,
        node_weights: model.node_weights.to_vec(),
        n_rounds,
        is_converged,
    }
}

#[cfg(test)]
#[path = "bayes_tests.rs"]
mod tests;
