//! GLAD: how able each volunteer is, and how easy each subject.
//!
//! Whitehill et al. 2009: a vote is right with chance σ(α_w β_t), wrong answers spread evenly; β_t > 0.
//! Normal priors α ~ N(1, 1), log β ~ N(1, 1) as in the authors' code; EM whose M-step is a few damped
//! Newton steps, α and log β in turn. Standard errors come from the curvature at the end, less what is not
//! known of the classes (Louis 1982) and, for abilities, of the easiness. Classes are equally likely, as
//! in the paper. A negative ability is somebody who is reliably wrong.

use rayon::prelude::*;

use crate::interval::Interval;
use crate::skill::ballots::{Ballots, NO_GOLD};
use crate::skill::em::{self, is_settled, softmax};
use crate::skill::fit::{Fit, logit_sd};
use crate::skill::matrices::Estimate;
use crate::special::two_sided_z;

/// Items or volunteers per piece of work.
const PIECE: usize = 256;
/// Mean of the priors of ability and log easiness; their variance is 1.
const MEAN: f64 = 1.0;

/// GLAD with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glad {
    /// Most rounds of EM.
    pub max_rounds: u32,
    /// Relative change of the penalised log-likelihood at which it has settled.
    pub tolerance: f64,
    /// Newton steps in each round.
    pub newton_steps: u32,
    /// Level of the abilities' intervals.
    pub level: f64,
}

impl Default for Glad {
    fn default() -> Self {
        Self { max_rounds: 100, tolerance: 1e-6, newton_steps: 25, level: 0.95 }
    }
}

/// Abilities and log easiness with the curvature of each.
struct State {
    ability: Vec<f64>,
    ability_curvature: Vec<f64>,
    log_easiness: Vec<f64>,
    easiness_curvature: Vec<f64>,
}

impl Glad {
    /// Fits one question. Machines' votes (bins of a score) are passed over: they are no answers.
    #[must_use]
    pub fn fit(&self, ballots: &Ballots) -> Fit {
        let k = ballots.n_classes();
        let mut state = State {
            ability: vec![MEAN; ballots.n_volunteers()],
            ability_curvature: vec![1.0; ballots.n_volunteers()],
            log_easiness: vec![MEAN; ballots.n_items()],
            easiness_curvature: vec![1.0; ballots.n_items()],
        };
        let owner = ballots.volunteer_of_slots();
        let person = ballots.person_slots();
        let view = View { ballots, owner: &owner, person: &person };
        let mut posterior = em::vote_shares(ballots);
        let (mut history, mut converged, mut log_likelihood) = (Vec::new(), false, 0.0);
        while history.len() < self.max_rounds as usize && ballots.n_votes() > 0 {
            log_likelihood = view.judge(&state, &mut posterior);
            let penalty = |x: &[f64]| 0.5 * x.iter().map(|x| (x - MEAN).powi(2)).sum::<f64>();
            let objective = log_likelihood - penalty(&state.ability) - penalty(&state.log_easiness);
            let before: Option<f64> = history.last().copied();
            history.push(objective);
            if before.is_some_and(|b| is_settled(b, objective, self.tolerance)) {
                converged = true;
                break;
            }
            for _ in 0..self.newton_steps {
                let moved = view.step_abilities(&mut state, &posterior);
                // Steps this small move no posterior; the next round has its own.
                if view.step_easiness(&mut state, &posterior).max(moved) < 1e-9 {
                    break;
                }
            }
        }
        view.correct_curvature(&mut state, &posterior);
        let z = two_sided_z(self.level);
        let ability = |(&value, &curvature): (&f64, &f64)| {
            let half = z / curvature.sqrt();
            Estimate { value, interval: Interval { low: value - half, high: value + half } }
        };
        let easiness = |(&value, &curvature): (&f64, &f64)| (value, 1.0 / curvature.sqrt());
        Fit {
            logit_sd: view.logit_sd(&state, &posterior),
            posterior,
            prevalence: vec![1.0 / k.max(1) as f64; k],
            abilities: state.ability.iter().zip(&state.ability_curvature).map(ability).collect(),
            log_easiness: state
                .log_easiness
                .iter()
                .zip(&state.easiness_curvature)
                .map(easiness)
                .collect(),
            log_likelihood,
            history,
            converged,
            ..Fit::default()
        }
    }
}

struct View<'a> {
    ballots: &'a Ballots,
    owner: &'a [u32],
    person: &'a [bool],
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

impl View<'_> {
    fn is_person(&self, slot: usize) -> bool {
        self.person.is_empty() || self.person[slot]
    }

    /// Posteriors and the marginal log-likelihood.
    fn judge(&self, state: &State, posterior: &mut [f64]) -> f64 {
        let k = self.ballots.n_classes();
        let others = (k.saturating_sub(1).max(1) as f64).ln();
        let log_even = -(k as f64).ln();
        let work = posterior.par_chunks_mut(PIECE * k).enumerate();
        let parts: Vec<f64> = work
            .map(|(piece, rows)| {
                let mut scores = vec![0.0; k];
                let mut total = 0.0;
                for (at, row) in rows.chunks_exact_mut(k).enumerate() {
                    let item = piece * PIECE + at;
                    let easiness = state.log_easiness[item].exp();
                    scores.fill(log_even);
                    for vote in self.ballots.votes_of(item) {
                        let (slot, weight) = self.ballots.vote(vote);
                        if !self.is_person(slot) {
                            continue;
                        }
                        let z = state.ability[self.owner[slot] as usize] * easiness;
                        // log σ(z) = −log(1 + e^−z), without overflow.
                        let wrong = -softplus(z) - others;
                        let right = wrong + others + z;
                        let label = self.ballots.label(slot);
                        scores.iter_mut().for_each(|s| *s += weight * wrong);
                        scores[label] += weight * (right - wrong);
                    }
                    total += match self.ballots.gold(item) {
                        NO_GOLD => softmax(&scores, row),
                        gold => {
                            row.fill(0.0);
                            row[gold as usize] = 1.0;
                            scores[gold as usize] - log_even
                        }
                    };
                }
                total
            })
            .collect();
        parts.iter().sum()
    }

    /// One damped Newton step of every ability; returns the largest.
    fn step_abilities(&self, state: &mut State, posterior: &[f64]) -> f64 {
        let k = self.ballots.n_classes();
        let easiness = &state.log_easiness;
        let work = state.ability.par_iter_mut().zip(&mut state.ability_curvature).enumerate();
        work.with_min_len(PIECE)
            .map(|(w, (ability, curvature))| {
                let (mut slope, mut bend) = (MEAN - *ability, 1.0);
                if self.ballots.is_person(w) {
                    for slot in self.ballots.slots_of(w) {
                        let label = self.ballots.label(slot);
                        for (item, weight) in self.ballots.items_of(slot) {
                            let e = easiness[item].exp();
                            let s = sigmoid(*ability * e);
                            slope += weight * (posterior[item * k + label] - s) * e;
                            bend += weight * s * (1.0 - s) * e * e;
                        }
                    }
                }
                let step = (slope / bend).clamp(-1.0, 1.0);
                *ability += step;
                *curvature = bend;
                step.abs()
            })
            .reduce(|| 0.0, f64::max)
    }

    /// The same for every log easiness.
    fn step_easiness(&self, state: &mut State, posterior: &[f64]) -> f64 {
        let k = self.ballots.n_classes();
        let ability = &state.ability;
        let work = state.log_easiness.par_iter_mut().zip(&mut state.easiness_curvature).enumerate();
        work.with_min_len(PIECE)
            .map(|(item, (log_easiness, curvature))| {
                let e = log_easiness.exp();
                let (mut slope, mut bend) = (MEAN - *log_easiness, 1.0);
                for vote in self.ballots.votes_of(item) {
                    let (slot, weight) = self.ballots.vote(vote);
                    if !self.is_person(slot) {
                        continue;
                    }
                    let z = ability[self.owner[slot] as usize] * e;
                    let s = sigmoid(z);
                    slope += weight * (posterior[item * k + self.ballots.label(slot)] - s) * z;
                    bend += weight * s * (1.0 - s) * z * z;
                }
                let step = (slope / bend).clamp(-1.0, 1.0);
                *log_easiness += step;
                *curvature = bend;
                step.abs()
            })
            .reduce(|| 0.0, f64::max)
    }

    /// Takes from the curvature what the unknown classes and the easiness of the items leave open; the
    /// prior's own curvature of 1 always remains.
    fn correct_curvature(&self, state: &mut State, posterior: &[f64]) {
        let k = self.ballots.n_classes();
        let missing_of_easiness = |item: usize| {
            // Variance over the classes of the slope, of which only the votes for the class depend on it.
            let mut pull = vec![0.0; k];
            for vote in self.ballots.votes_of(item) {
                let (slot, weight) = self.ballots.vote(vote);
                if self.is_person(slot) {
                    let w = self.owner[slot] as usize;
                    pull[self.ballots.label(slot)] +=
                        weight * state.ability[w] * state.log_easiness[item].exp();
                }
            }
            let q = &posterior[item * k..(item + 1) * k];
            let mean: f64 = q.iter().zip(&pull).map(|(q, p)| q * p).sum();
            q.iter().zip(&pull).map(|(q, p)| q * p * p).sum::<f64>() - mean * mean
        };
        let easiness: Vec<f64> = (0..self.ballots.n_items())
            .into_par_iter()
            .with_min_len(PIECE)
            .map(|item| (state.easiness_curvature[item] - missing_of_easiness(item)).max(1.0))
            .collect();
        let ability: Vec<f64> = (0..self.ballots.n_volunteers())
            .into_par_iter()
            .with_min_len(PIECE)
            .map(|w| {
                let mut curvature = state.ability_curvature[w];
                for slot in self.ballots.slots_of(w).filter(|&slot| self.is_person(slot)) {
                    let label = self.ballots.label(slot);
                    for (item, weight) in self.ballots.items_of(slot) {
                        let e = state.log_easiness[item].exp();
                        let z = state.ability[w] * e;
                        let s = sigmoid(z);
                        let p = posterior[item * k + label];
                        let cross = weight * s * (1.0 - s) * e * z;
                        curvature -=
                            weight * weight * p * (1.0 - p) * e * e + cross * cross / easiness[item];
                    }
                }
                curvature.max(1.0)
            })
            .collect();
        (state.ability_curvature, state.easiness_curvature) = (ability, easiness);
    }

    /// Each vote for class k adds α β + log(K − 1) to its score: the doubt of every α, and of β for all
    /// votes of the item at once.
    fn logit_sd(&self, state: &State, posterior: &[f64]) -> Vec<f64> {
        let k = self.ballots.n_classes();
        let mut sd = vec![0.0; posterior.len()];
        if k == 0 {
            return sd;
        }
        sd.par_chunks_mut(k).enumerate().with_min_len(PIECE).for_each(|(item, out)| {
            let e = state.log_easiness[item].exp();
            let q = &posterior[item * k..(item + 1) * k];
            let (mut variance, mut pull) = (vec![0.0; k], vec![0.0; k]);
            for vote in self.ballots.votes_of(item) {
                let (slot, weight) = self.ballots.vote(vote);
                if self.is_person(slot) {
                    let (w, label) = (self.owner[slot] as usize, self.ballots.label(slot));
                    variance[label] += (weight * e).powi(2) / state.ability_curvature[w];
                    pull[label] += weight * e * state.ability[w];
                }
            }
            logit_sd(q, &variance, out);
            let of_easiness = 1.0 / state.easiness_curvature[item];
            for (class, out) in out.iter_mut().enumerate() {
                let rest: f64 = 1.0 - q[class];
                let rivals: f64 =
                    (0..k).filter(|&j| j != class && rest > 0.0).map(|j| q[j] / rest * pull[j]).sum();
                *out = (*out * *out + (pull[class] - rivals).powi(2) * of_easiness).sqrt();
            }
        });
        sd
    }
}

/// log(1 + e^x).
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

#[cfg(test)]
#[path = "glad_tests.rs"]
mod tests;
