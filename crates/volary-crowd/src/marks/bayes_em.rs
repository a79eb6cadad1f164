//! The rounds of [`super::bayes`]: expectation over features and signals, Newton steps on the skills.
//!
//! With S_j = Σ_k ln(1 − p_kj) over the voters of a subject, the log likelihood of a feature at node j is
//! S_j + Σ_yes (skill_k + node_j) − ln(1 − exp S_j): one sum a subject and one a mark, however many
//! voters. The gradient of the last term turns the expected vote p into p / (1 − P(nobody)).

use rayon::prelude::*;
use volary_core::marks::{Marks, NONE, Signals};

use super::bayes::{ALLURE, NODES, Skill, VISIBILITY};
use super::types::{Ballots, Features};
use super::weigh::Weighed;
use crate::interval::Interval;
use crate::special::two_sided_z;

/// Nodes that are visibilities; the rest are allures.
const REAL: usize = VISIBILITY.len();
/// A nobody-marks-it chance is kept this far from 1, where a feature could not exist.
const MOST_NOBODY: f64 = 1.0 - 1e-9;
/// Weight of the even start in the learned weights of nodes and in π: one feature each.
const PRIOR_COUNT: f64 = 1.0;
/// Spreads are not let below this: exactly 0 could never grow again.
const LEAST_SPREAD: f64 = 0.05;
/// Largest step of a skill in one round.
const LARGEST_STEP: f64 = 1.0;

/// What is known of a feature beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Nothing.
    No,
    /// In a simulation, touching no signal.
    False,
    /// In a simulation, touching a signal: counted through the signal.
    Signal,
}

/// One signal in one view: hit or missed by one volunteer.
#[derive(Clone, Copy)]
struct Trial {
    volunteer: u32,
    signal: u32,
    is_hit: bool,
}

pub(crate) struct Model<'a> {
    features: &'a Features,
    ballots: &'a Ballots,
    known: Vec<Known>,
    trials: Vec<Trial>,
    // ln s per signal; NaN where it is unknown.
    log_strength: Vec<f64>,
    pub(crate) strength: Option<(f64, f64)>,
    // Latent visibility of each signal without strength.
    signal_nodes: Vec<[f64; REAL]>,
    skill: [Vec<f64>; 2],
    curvature: [Vec<f64>; 2],
    pub(crate) spread: [f64; 2],
    pub(crate) node_weights: [f64; NODES],
    pub(crate) share_real: f64,
    n_unknown: f64,
    // Whether simulations say what real signals look like.
    has_trials: bool,
    // Per volunteer and node: ln(1 − p) and p, so that the rounds take no exponentials a vote.
    miss: Vec<[f64; NODES]>,
    chance: Vec<[f64; NODES]>,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 − σ(x)) = −ln(1 + eˣ).
fn log_miss(x: f64) -> f64 {
    if x > 0.0 { -x - (-x).exp().ln_1p() } else { -x.exp().ln_1p() }
}

fn node(j: usize) -> f64 {
    if j < REAL { VISIBILITY[j] } else { ALLURE[j - REAL] }
}

/// Which of a volunteer's two skills a node asks for.
fn side(j: usize) -> usize {
    usize::from(j >= REAL)
}

/// Posterior of one feature.
struct Posterior {
    /// Weights of the nodes within real (summing to 1) and within false (summing to 1).
    nodes: [f64; NODES],
    /// Log odds of being real.
    log_odds: f64,
}

/// Sums over one subject: expected numbers of features by node, over 1 − P(nobody).
struct OfSubject {
    expected: [f64; NODES],
    // Σ over its features, by feature: responsibility of real and of false.
    sides: Vec<[f64; 2]>,
    node_counts: [f64; NODES],
    unknown_real: f64,
}

impl<'a> Model<'a> {
    pub(crate) fn new(
        marks: &'a Marks,
        signals: &Signals,
        features: &'a Features,
        ballots: &'a Ballots,
        weighed: &Weighed,
    ) -> Self {
        let known = (0..features.len()).map(|f| known(signals, features, f)).collect::<Vec<_>>();
        let n_unknown = known.iter().filter(|k| **k == Known::No).count() as f64;
        let trials: Vec<Trial> = weighed
            .matches
            .iter()
            .map(|m| Trial {
                volunteer: marks.view_volunteer[m.view as usize],
                signal: m.signal,
                is_hit: m.is_hit,
            })
            .collect();
        let log_strength = log_strengths(signals);
        let has_strength = trials.iter().any(|t| log_strength[t.signal as usize].is_finite());
        let n = marks.n_volunteers();
        let mut node_weights = [1.0 / REAL as f64; NODES];
        node_weights[REAL..].fill(1.0 / ALLURE.len() as f64);
        let mut model = Self {
            features,
            ballots,
            known,
            has_trials: !trials.is_empty(),
            trials,
            strength: has_strength.then_some((-2.0, 1.5)),
            signal_nodes: vec![[1.0 / REAL as f64; REAL]; signals.len()],
            log_strength,
            skill: [vec![0.0; n], vec![0.0; n]],
            curvature: [vec![0.0; n], vec![0.0; n]],
            spread: [1.0, 1.0],
            node_weights,
            share_real: 0.2,
            n_unknown,
            miss: Vec::new(),
            chance: Vec::new(),
        };
        model.refresh();
        model
    }

    /// Makes the tables of chances anew.
    fn refresh(&mut self) {
        let log_odds = |k: usize, j: usize| self.skill[side(j)][k] + node(j);
        let n = self.skill[0].len();
        let table = |of: fn(f64) -> f64| -> Vec<[f64; NODES]> {
            (0..n).into_par_iter().map(|k| std::array::from_fn(|j| of(log_odds(k, j)))).collect()
        };
        (self.miss, self.chance) = (table(log_miss), table(sigmoid));
    }

    /// One round; gives the largest move of a skill.
    pub(crate) fn round(&mut self) -> f64 {
        let n = self.skill[0].len();
        let mut gradient = [vec![0.0; n], vec![0.0; n]];
        let mut curvature = [vec![0.0; n], vec![0.0; n]];
        let mut node_counts = [0.0; NODES];
        self.learn_from_trials(&mut gradient[0], &mut curvature[0], &mut node_counts);
        let n_subjects = self.features.start.len().saturating_sub(1);
        let sums: Vec<Option<OfSubject>> =
            (0..n_subjects).into_par_iter().with_min_len(64).map(|s| self.expect(s)).collect();
        let mut real = PRIOR_COUNT * 0.5;
        for (subject, sum) in sums.iter().enumerate() {
            let Some(sum) = sum else { continue };
            real += sum.unknown_real;
            // Where simulations show what real signals look like, they alone say it.
            let from = if self.has_trials { REAL } else { 0 };
            for (all, here) in node_counts.iter_mut().zip(&sum.node_counts).skip(from) {
                *all += here;
            }
            self.learn_from_subject(subject, sum, &mut gradient, &mut curvature);
        }
        self.share_real = (real / (self.n_unknown + PRIOR_COUNT)).clamp(1e-6, 1.0 - 1e-6);
        self.weigh_nodes(&node_counts);
        let moved = self.step(&gradient, &curvature);
        self.refresh();
        moved
    }

    /// Hits and misses of simulated signals: they are real whether anybody found them or not.
    fn learn_from_trials(
        &mut self,
        gradient: &mut [f64],
        curvature: &mut [f64],
        node_counts: &mut [f64; NODES],
    ) {
        self.place_signals();
        let (mut g, mut h) = ([0.0; 2], [[0.0; 2]; 2]);
        for trial in &self.trials {
            let (k, s) = (trial.volunteer as usize, trial.signal as usize);
            let y = f64::from(u8::from(trial.is_hit));
            let mut add = |theta: f64, weight: f64| {
                let p = sigmoid(self.skill[0][k] + theta);
                gradient[k] += weight * (y - p);
                curvature[k] += weight * p * (1.0 - p);
                (y - p, p * (1.0 - p))
            };
            match (self.strength, self.log_strength[s].is_finite()) {
                (Some((l0, l1)), true) => {
                    let x = self.log_strength[s];
                    let (d, c) = add(l0 + l1 * x, 1.0);
                    g = [g[0] + d, g[1] + d * x];
                    h = [[h[0][0] + c, h[0][1] + c * x], [0.0, h[1][1] + c * x * x]];
                }
                _ => {
                    for (&theta, &weight) in VISIBILITY.iter().zip(&self.signal_nodes[s]) {
                        add(theta, weight);
                    }
                }
            }
        }
        if let Some((l0, l1)) = self.strength {
            self.strength = Some(newton_2(l0, l1, g, h));
        }
        for (s, nodes) in self.signal_nodes.iter().enumerate() {
            match (self.strength, self.log_strength[s].is_finite()) {
                (Some((l0, l1)), true) => spread_over_nodes(l0 + l1 * self.log_strength[s], node_counts),
                _ => (0..REAL).for_each(|j| node_counts[j] += nodes[j]),
            }
        }
    }

    /// Latent visibility of signals whose strength is not known.
    fn place_signals(&mut self) {
        let is_known = |s: usize| self.strength.is_some() && self.log_strength[s].is_finite();
        let mut logs: Vec<[f64; REAL]> = (0..self.signal_nodes.len())
            .map(|_| std::array::from_fn(|j| self.node_weights[j].ln()))
            .collect();
        for trial in self.trials.iter().filter(|t| !is_known(t.signal as usize)) {
            for (j, log) in logs[trial.signal as usize].iter_mut().enumerate() {
                let x = self.skill[0][trial.volunteer as usize] + VISIBILITY[j];
                let vote = if trial.is_hit { x } else { 0.0 };
                *log += vote + log_miss(x);
            }
        }
        for (nodes, mut logs) in self.signal_nodes.iter_mut().zip(logs) {
            soften(&mut logs);
            *nodes = logs;
        }
    }

    /// S_j of a subject's voters.
    fn nobody(&self, subject: usize) -> [f64; NODES] {
        let mut sums = [0.0; NODES];
        for &k in self.ballots.voters_of(subject) {
            for (sum, miss) in sums.iter_mut().zip(&self.miss[k as usize]) {
                *sum += miss;
            }
        }
        sums
    }

    fn posterior(&self, feature: usize, nobody: &[f64; NODES]) -> Posterior {
        let yes = self.ballots.yes_of(feature);
        let sum = |skill: &[f64]| yes.iter().map(|&k| skill[k as usize]).sum::<f64>();
        let sums = [sum(&self.skill[0]), sum(&self.skill[1])];
        let mut nodes: [f64; NODES] = std::array::from_fn(|j| {
            let exists = (-nobody[j].exp().min(MOST_NOBODY)).ln_1p();
            let votes = sums[side(j)] + yes.len() as f64 * node(j);
            self.node_weights[j].ln() + nobody[j] + votes - exists
        });
        let (real, falsehood) = nodes.split_at_mut(REAL);
        let odds = soften(real) - soften(falsehood);
        let prior = (self.share_real / (1.0 - self.share_real)).ln();
        Posterior { nodes, log_odds: prior + odds }
    }

    fn expect(&self, subject: usize) -> Option<OfSubject> {
        let all = self.features.of(subject);
        if all.is_empty() {
            return None;
        }
        let nobody = self.nobody(subject);
        let mut out = OfSubject {
            expected: [0.0; NODES],
            sides: Vec::with_capacity(all.len()),
            node_counts: [0.0; NODES],
            unknown_real: 0.0,
        };
        for feature in all {
            let posterior = self.posterior(feature, &nobody);
            let real = match self.known[feature] {
                Known::No => sigmoid(posterior.log_odds),
                Known::False => 0.0,
                Known::Signal => {
                    out.sides.push([0.0, 0.0]);
                    continue;
                }
            };
            out.unknown_real += if self.known[feature] == Known::No { real } else { 0.0 };
            let sides = [real, 1.0 - real];
            out.sides.push(sides);
            for j in 0..NODES {
                let r = sides[side(j)] * posterior.nodes[j];
                out.node_counts[j] += r;
                out.expected[j] += r / (1.0 - nobody[j].exp().min(MOST_NOBODY));
            }
        }
        Some(out)
    }

    /// Σ (y − p / (1 − P(nobody))) over the features of a subject, for each of its voters.
    fn learn_from_subject(
        &self,
        subject: usize,
        sum: &OfSubject,
        gradient: &mut [Vec<f64>; 2],
        curvature: &mut [Vec<f64>; 2],
    ) {
        for &k in self.ballots.voters_of(subject) {
            let k = k as usize;
            let (mut expected, mut spread) = ([0.0; 2], [0.0; 2]);
            for (j, (p, n)) in self.chance[k].iter().zip(&sum.expected).enumerate() {
                expected[side(j)] += n * p;
                spread[side(j)] += n * p * (1.0 - p);
            }
            for side in 0..2 {
                gradient[side][k] -= expected[side];
                curvature[side][k] += spread[side];
            }
        }
        for (feature, sides) in self.features.of(subject).zip(&sum.sides) {
            for &k in self.ballots.yes_of(feature) {
                gradient[0][k as usize] += sides[0];
                gradient[1][k as usize] += sides[1];
            }
        }
    }

    fn weigh_nodes(&mut self, counts: &[f64; NODES]) {
        for (from, to) in [(0, REAL), (REAL, NODES)] {
            let n = (to - from) as f64;
            let total: f64 = counts[from..to].iter().sum::<f64>() + PRIOR_COUNT;
            for (weight, count) in self.node_weights[from..to].iter_mut().zip(&counts[from..to]) {
                *weight = (count + PRIOR_COUNT / n) / total;
            }
        }
    }

    /// Newton steps with the pooling prior, then the prior's spread.
    fn step(&mut self, gradient: &[Vec<f64>; 2], curvature: &[Vec<f64>; 2]) -> f64 {
        let mut largest: f64 = 0.0;
        for side in 0..2 {
            let precision = 1.0 / (self.spread[side] * self.spread[side]);
            let mut sum = 0.0;
            let n = self.skill[side].len();
            for k in 0..n {
                let total = curvature[side][k] + precision;
                let step = (gradient[side][k] - precision * self.skill[side][k]) / total;
                let step = step.clamp(-LARGEST_STEP, LARGEST_STEP);
                self.skill[side][k] += step;
                largest = largest.max(step.abs());
                sum += self.skill[side][k].powi(2) + 1.0 / total;
            }
            self.curvature[side].clone_from(&curvature[side]);
            self.spread[side] = (sum / n.max(1) as f64).sqrt().max(LEAST_SPREAD);
        }
        largest
    }

    fn error(&self, side: usize, k: usize) -> f64 {
        let precision = 1.0 / (self.spread[side] * self.spread[side]);
        (1.0 / (self.curvature[side][k] + precision)).sqrt()
    }

    /// Probability and interval of every feature of a subject.
    pub(crate) fn judge(&self, subject: usize, level: f64) -> Vec<(f64, Interval)> {
        let z = two_sided_z(level);
        let all = self.features.of(subject);
        if all.is_empty() {
            return Vec::new();
        }
        let nobody = self.nobody(subject);
        all.map(|feature| {
            let posterior = self.posterior(feature, &nobody);
            let half = z * self.variance(subject, feature, &posterior, &nobody).sqrt();
            let interval = Interval {
                low: sigmoid(posterior.log_odds - half),
                high: sigmoid(posterior.log_odds + half),
            };
            (sigmoid(posterior.log_odds), interval)
        })
        .collect()
    }

    /// Variance of the log odds, from that of the skills and of π.
    fn variance(
        &self,
        subject: usize,
        feature: usize,
        posterior: &Posterior,
        nobody: &[f64; NODES],
    ) -> f64 {
        let pi = self.share_real;
        let mut variance = 1.0 / (self.n_unknown.max(1.0) * pi * (1.0 - pi));
        let yes = self.ballots.yes_of(feature);
        for &k in self.ballots.voters_of(subject) {
            let y = f64::from(u8::from(yes.binary_search(&k).is_ok()));
            let mut slope = [0.0; 2];
            for j in 0..NODES {
                let p = self.chance[k as usize][j];
                let exists = 1.0 - nobody[j].exp().min(MOST_NOBODY);
                slope[side(j)] += posterior.nodes[j] * (y - p / exists);
            }
            for (side, slope) in slope.into_iter().enumerate() {
                variance += (slope * self.error(side, k as usize)).powi(2);
            }
        }
        variance
    }

    /// What was learned of a volunteer.
    pub(crate) fn skill(&self, k: usize, level: f64) -> Skill {
        let z = two_sided_z(level);
        let mean = |side: usize, skill: f64| -> f64 {
            let nodes = (0..NODES).filter(|&j| self::side(j) == side);
            nodes.map(|j| self.node_weights[j] * sigmoid(skill + node(j))).sum()
        };
        let of = |side: usize| {
            let (value, error) = (self.skill[side][k], self.error(side, k));
            let interval =
                Interval { low: mean(side, value - z * error), high: mean(side, value + z * error) };
            (value, error, mean(side, value), interval)
        };
        let ((a, a_error, completeness, completeness_interval), (b, b_error, false_alarm, b_interval)) =
            (of(0), of(1));
        Skill {
            a,
            a_error,
            b,
            b_error,
            completeness,
            completeness_interval,
            false_alarm,
            false_alarm_interval: b_interval,
        }
    }
}

/// Turns log weights into weights that sum to 1; gives the log of their sum.
fn soften(logs: &mut [f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|l| (l - most).exp()).sum();
    for log in logs.iter_mut() {
        *log = (*log - most).exp() / sum;
    }
    most + sum.ln()
}

/// One Newton step of a logistic regression with a weak prior, the slope kept from falling below 0.
fn newton_2(l0: f64, l1: f64, g: [f64; 2], h: [[f64; 2]; 2]) -> (f64, f64) {
    // A prior of one pseudo-observation keeps the step defined where all signals are alike.
    let (a, b, d) = (h[0][0] + 0.1, h[0][1], h[1][1] + 0.1);
    let determinant = a * d - b * b;
    let g = [g[0] - 0.1 * (l0 + 2.0), g[1] - 0.1 * (l1 - 1.5)];
    let step = [(d * g[0] - b * g[1]) / determinant, (a * g[1] - b * g[0]) / determinant];
    let limit = |s: f64| s.clamp(-LARGEST_STEP, LARGEST_STEP);
    (l0 + limit(step[0]), (l1 + limit(step[1])).max(0.0))
}

/// Shares one signal between the two nodes around its visibility.
fn spread_over_nodes(theta: f64, counts: &mut [f64; NODES]) {
    let above = VISIBILITY.iter().position(|&v| v >= theta);
    match above {
        None => counts[REAL - 1] += 1.0,
        Some(0) => counts[0] += 1.0,
        Some(j) => {
            let share = (theta - VISIBILITY[j - 1]) / (VISIBILITY[j] - VISIBILITY[j - 1]);
            counts[j] += share;
            counts[j - 1] += 1.0 - share;
        }
    }
}

fn log_strengths(signals: &Signals) -> Vec<f64> {
    let strength = signals.column(&["snr", "strength", "depth_ppm", "depth"]);
    (0..signals.len())
        .map(|s| match strength.map(|c| c.values[s]) {
            Some(value) if value > 0.0 && value.is_finite() => value.ln(),
            _ => f64::NAN,
        })
        .collect()
}

fn known(signals: &Signals, features: &Features, feature: usize) -> Known {
    let subject = features.subject[feature] as usize;
    if signals.group.get(subject).is_none_or(|&group| group == NONE) {
        return Known::No;
    }
    let of_feature = (features.x_min_days[feature], features.x_max_days[feature]);
    let touches = signals
        .of(subject)
        .any(|s| signals.x_min_days[s] < of_feature.1 && of_feature.0 < signals.x_max_days[s]);
    if touches { Known::Signal } else { Known::False }
}
