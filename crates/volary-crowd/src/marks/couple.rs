//! Score and couple: equations 6 and 7 of Safron et al. 2022, iterated until they agree.
//!
//! The score of a feature is the weighted share of its voters who marked it,
//! s_i = Σ_yes w_k / Σ_all w_k; the weight of a volunteer is A times the mean score of their own votes
//! over all N_k features of the subjects they saw, with A such that the mean weight is 1.
//!
//! Two passes over flat arrays an iteration: scores by subject, weights by volunteer. Since every voter
//! of a subject votes on all its features, a volunteer's sum is Σ over their subjects of Σ (1 − s) plus
//! Σ over the features they marked of (2s − 1): the no-votes need no list. Every sum runs in a fixed
//! order, so the number of threads changes nothing.
//!
//! Where we differ from the paper's loop: volunteers with N_k = 0 keep their seed weight and stay out of
//! the mean and of the criterion (in the paper's loop their weights grow without bound and cost it some
//! twenty iterations); a two-cycle is looked for directly and damped, where the paper adds noise.

use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::marks::NONE;
use volary_core::seed::stream;

use super::params::MarkParams;
use super::types::{Ballots, Features};

/// A weight change of this size is "large" in the log.
const LARGE_CHANGE: f64 = 0.1;
/// A two-cycle: the change over two iterations is this much smaller than over one.
const CYCLE_RATIO: f64 = 0.1;
/// How much of the new weight a damped iteration takes.
const DAMPING: f64 = 0.5;

/// One line of the log. Entry 0 is the state before the first iteration, with NaN changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Iteration {
    /// Number, from 0.
    pub number: u32,
    /// Weights that changed by more than 1e-8 + 1e-3 of themselves.
    pub n_changing: u64,
    /// Weights that changed by 0.1 or more.
    pub n_large: u64,
    /// Mean absolute change of the weights.
    pub mean_change: f64,
    /// Largest absolute change of a weight.
    pub max_change: f64,
    /// Mean weight of all volunteers.
    pub mean_weight: f64,
    /// Mean score of all features.
    pub mean_score: f64,
    /// Whether this iteration was damped (or, in the released loop, follows noise).
    pub is_damped: bool,
}

/// How the iterations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The criterion was met.
    #[default]
    Converged,
    /// The largest number of iterations came first.
    TooMany,
    /// Stopped from outside, after a whole iteration.
    Stopped,
    /// Nothing to iterate: seed scores only.
    NotCoupled,
}

/// Final weights and scores, and how they came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coupled {
    /// Per volunteer.
    pub weight: Vec<f64>,
    /// Per feature.
    pub score: Vec<f64>,
    /// Per feature: score from the seed weights.
    pub seed_score: Vec<f64>,
    /// Per volunteer: features in the subjects they saw.
    pub n_features: Vec<u32>,
    /// The log.
    pub log: Vec<Iteration>,
    /// How it ended.
    pub ending: Ending,
    /// Volunteers with no feature in any subject they saw, held at their seed.
    pub n_held: u64,
}

/// What is told after every iteration: the log entry, weights and scores. Answering `false` stops.
pub type OnIteration<'a> = dyn FnMut(&Iteration, &[f64], &[f64]) -> bool + 'a;

/// Scores the features and iterates.
///
/// `order` is the order of the volunteers in the released code's running mean; `None` takes them as they
/// come. It plays no part outside the released loop.
pub fn couple(
    features: &Features,
    ballots: &Ballots,
    seeds: &[f64],
    params: &MarkParams,
    order: Option<&[u32]>,
    on_iteration: &mut OnIteration<'_>,
) -> Coupled {
    let graph = Graph::new(features, ballots, seeds.len());
    let mut state = State::new(&graph, seeds, params, order);
    let first = state.log_entry(0, None, false);
    let mut log = vec![first];
    let go_on = on_iteration(&first, &state.weight, &state.score);
    let mut ending = if !params.couple {
        Ending::NotCoupled
    } else if go_on {
        Ending::TooMany
    } else {
        Ending::Stopped
    };
    let seed_score = state.score.clone();
    if ending == Ending::TooMany {
        for number in 1..=params.max_iterations {
            let entry = state.iterate(number, &log);
            log.push(entry);
            let go_on = on_iteration(&entry, &state.weight, &state.score);
            if entry.mean_change <= params.converged_at {
                ending = Ending::Converged;
                break;
            }
            if !go_on {
                ending = Ending::Stopped;
                break;
            }
        }
    }
    let n_held = graph.n_features.iter().filter(|&&n| n == 0).count() as u64;
    let (weight, score) = (state.weight, state.score);
    Coupled { weight, score, seed_score, n_features: graph.n_features, log, ending, n_held }
}

/// Who votes where, both ways round.
struct Graph<'a> {
    features: &'a Features,
    ballots: &'a Ballots,
    // Subjects with features that each volunteer saw, and features that each volunteer marked.
    saw_start: Vec<u32>,
    saw: Vec<u32>,
    marked_start: Vec<u32>,
    marked: Vec<u32>,
    n_features: Vec<u32>,
}

impl<'a> Graph<'a> {
    fn new(features: &'a Features, ballots: &'a Ballots, n_volunteers: usize) -> Self {
        let n_subjects = ballots.voter_start.len().saturating_sub(1);
        let index = |n: usize| u32::try_from(n).unwrap_or(NONE);
        let subjects = || (0..n_subjects).filter(|&s| !features.of(s).is_empty());
        let seen = || subjects().flat_map(|s| ballots.voters_of(s).iter().map(move |&v| (v, index(s))));
        let yes =
            || (0..features.len()).flat_map(|f| ballots.yes_of(f).iter().map(move |&v| (v, index(f))));
        let ((saw_start, saw), (marked_start, marked)) =
            rayon::join(|| by_volunteer(n_volunteers, &seen), || by_volunteer(n_volunteers, &yes));
        let n_features = (0..n_volunteers)
            .into_par_iter()
            .map(|v| {
                let subjects = &saw[saw_start[v] as usize..saw_start[v + 1] as usize];
                index(subjects.iter().map(|&s| features.of(s as usize).len()).sum())
            })
            .collect();
        Self { features, ballots, saw_start, saw, marked_start, marked, n_features }
    }

    /// Equation 6, and per subject the sum of the no-scores.
    fn score(&self, weight: &[f64], score: &mut [f64], against: &mut [f64]) {
        let (features, ballots) = (self.features, self.ballots);
        let mut rest = score;
        let mut pieces = Vec::new();
        // Runs of subjects, each with its own part of the scores.
        let n_subjects = against.len();
        let step = n_subjects.div_ceil(64).max(1);
        for (at, against) in against.chunks_mut(step).enumerate() {
            let first = at * step;
            let n = features.start[first + against.len()] - features.start[first];
            let (here, after) = rest.split_at_mut(n as usize);
            rest = after;
            pieces.push((first, against, here));
        }
        pieces.into_par_iter().for_each(|(first, against, score)| {
            let offset = features.start[first] as usize;
            for (i, against) in against.iter_mut().enumerate() {
                let all = features.of(first + i);
                if all.is_empty() {
                    continue;
                }
                let voters = ballots.voters_of(first + i);
                let total: f64 = voters.iter().map(|&v| weight[v as usize]).sum();
                *against = 0.0;
                for feature in all {
                    let yes = ballots.yes_of(feature);
                    let value = share(yes, voters.len(), total, weight);
                    score[feature - offset] = value;
                    *against += 1.0 - value;
                }
            }
        });
    }

    /// Equation 7 before normalisation, for one volunteer with features.
    fn agreement(&self, volunteer: usize, score: &[f64], against: &[f64]) -> f64 {
        let span = |start: &[u32]| start[volunteer] as usize..start[volunteer + 1] as usize;
        let no: f64 = self.saw[span(&self.saw_start)].iter().map(|&s| against[s as usize]).sum();
        let marked = &self.marked[span(&self.marked_start)];
        let yes: f64 = marked.iter().map(|&f| 2.0 * score[f as usize] - 1.0).sum();
        (no + yes) / f64::from(self.n_features[volunteer])
    }
}

/// The weighted share of yes.
fn share(yes: &[u32], n_voters: usize, total: f64, weight: &[f64]) -> f64 {
    share_of_sums(yes.len(), n_voters, yes.iter().map(|&v| weight[v as usize]).sum(), total)
}

/// The share `yes` of `total`: exactly 1 where nobody says no, exactly 0 where nobody says yes.
pub(crate) fn share_of_sums(n_yes: usize, n_voters: usize, yes: f64, total: f64) -> f64 {
    if n_yes == n_voters && n_yes > 0 {
        return 1.0;
    }
    // Weights of 0 all round leave nothing to weigh by.
    if n_yes > 0 && total > 0.0 { (yes / total).clamp(0.0, 1.0) } else { 0.0 }
}

/// Sorts (volunteer, thing) pairs by volunteer, things staying in their order.
fn by_volunteer<I: Iterator<Item = (u32, u32)>>(
    n_volunteers: usize,
    pairs: &dyn Fn() -> I,
) -> (Vec<u32>, Vec<u32>) {
    let mut start = vec![0_u32; n_volunteers + 1];
    for (volunteer, _) in pairs() {
        start[volunteer as usize + 1] += 1;
    }
    for v in 0..n_volunteers {
        start[v + 1] += start[v];
    }
    let mut next = start.clone();
    let mut things = vec![0; start[n_volunteers] as usize];
    for (volunteer, thing) in pairs() {
        let slot = &mut next[volunteer as usize];
        things[*slot as usize] = thing;
        *slot += 1;
    }
    (start, things)
}

struct State<'g, 'a> {
    graph: &'g Graph<'a>,
    params: &'g MarkParams,
    order: Option<&'g [u32]>,
    weight: Vec<f64>,
    before: Vec<f64>,
    score: Vec<f64>,
    against: Vec<f64>,
    is_damped: bool,
    is_noisy: bool,
}

impl<'g, 'a> State<'g, 'a> {
    fn new(
        graph: &'g Graph<'a>,
        seeds: &[f64],
        params: &'g MarkParams,
        order: Option<&'g [u32]>,
    ) -> Self {
        let mut state = Self {
            graph,
            params,
            order,
            weight: seeds.to_vec(),
            before: Vec::new(),
            score: vec![0.0; graph.features.len()],
            against: vec![0.0; graph.ballots.voter_start.len().saturating_sub(1)],
            is_damped: false,
            is_noisy: false,
        };
        graph.score(&state.weight, &mut state.score, &mut state.against);
        state
    }

    fn iterate(&mut self, number: u32, log: &[Iteration]) -> Iteration {
        let mut new: Vec<f64> = (0..self.weight.len())
            .into_par_iter()
            .with_min_len(256)
            .map(|k| match self.graph.n_features[k] {
                0 => self.weight[k],
                _ => self.graph.agreement(k, &self.score, &self.against),
            })
            .collect();
        if self.params.released_loop {
            self.running_mean(&mut new);
        } else {
            self.exact_mean(&mut new);
        }
        let is_damped = self.is_damped || self.is_noisy;
        if self.is_damped {
            for (new, old) in new.iter_mut().zip(&self.weight) {
                *new = (1.0 - DAMPING) * old + DAMPING * *new;
            }
        }
        let two_back = std::mem::replace(&mut self.before, std::mem::replace(&mut self.weight, new));
        self.graph.score(&self.weight, &mut self.score, &mut self.against);
        let entry = self.log_entry(number, Some(&self.before), is_damped);
        self.is_noisy = false;
        if self.params.released_loop {
            self.add_noise(&entry, log);
        } else if !two_back.is_empty() {
            let over_two = self.mean_change(&two_back);
            self.is_damped |= over_two < CYCLE_RATIO * entry.mean_change;
        }
        entry
    }

    /// Mean 1 over the volunteers with features; the others stay as they are.
    fn exact_mean(&self, new: &mut [f64]) {
        let has = |k: &usize| self.graph.n_features[*k] > 0;
        let n = (0..new.len()).filter(has).count();
        let mean = (0..new.len()).filter(has).map(|k| new[k]).sum::<f64>() / n as f64;
        if mean > 0.0 {
            (0..new.len()).filter(has).for_each(|k| new[k] /= mean);
        }
    }

    /// The released normalisation: each weight in turn is divided by the mean of the list as it then is.
    fn running_mean(&self, new: &mut [f64]) {
        let n = new.len() as f64;
        let mut sum: f64 = new.iter().sum();
        let mut divide = |k: usize| {
            let mean = sum / n;
            if mean > 0.0 {
                sum -= new[k];
                new[k] /= mean;
                sum += new[k];
            }
        };
        match self.order {
            Some(order) => order.iter().for_each(|&k| divide(k as usize)),
            None => (0..self.weight.len()).for_each(divide),
        }
    }

    /// The released answer to a resonance it believes to see: noise on the scores that the next weights
    /// are made from. Seeded here.
    fn add_noise(&mut self, entry: &Iteration, log: &[Iteration]) {
        let n = entry.number as usize;
        if n < 5 || entry.mean_change <= self.params.converged_at {
            return;
        }
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-3 * b.abs();
        let is_resonance = [2, 4].into_iter().all(|lag| {
            let old = &log[n - lag];
            close(entry.mean_weight, old.mean_weight) && close(entry.mean_score, old.mean_score)
        });
        if is_resonance {
            let mut rng = stream(self.params.seed, &format!("released noise {n}"));
            for subject in 0..self.against.len() {
                for feature in self.graph.features.of(subject) {
                    let noise = 0.08 * rng.random::<f64>() - 0.04;
                    self.score[feature] += noise;
                    self.against[subject] -= noise;
                }
            }
            self.is_noisy = true;
        }
    }

    /// Mean absolute difference to older weights, over the volunteers that the criterion counts.
    fn mean_change(&self, old: &[f64]) -> f64 {
        let counts = |k: &usize| self.params.released_loop || self.graph.n_features[*k] > 0;
        let n = (0..old.len()).filter(counts).count();
        let sum: f64 = (0..old.len()).filter(counts).map(|k| (self.weight[k] - old[k]).abs()).sum();
        if n == 0 { 0.0 } else { sum / n as f64 }
    }

    fn log_entry(&self, number: u32, old: Option<&[f64]>, is_damped: bool) -> Iteration {
        let n = self.weight.len().max(1) as f64;
        let n_features = self.score.len().max(1) as f64;
        let mut entry = Iteration {
            number,
            n_changing: 0,
            n_large: 0,
            mean_change: f64::NAN,
            max_change: f64::NAN,
            mean_weight: self.weight.iter().sum::<f64>() / n,
            mean_score: self.score.iter().sum::<f64>() / n_features,
            is_damped,
        };
        if let Some(old) = old {
            entry.mean_change = self.mean_change(old);
            entry.max_change = 0.0;
            for (new, old) in self.weight.iter().zip(old) {
                let change = (new - old).abs();
                entry.n_changing += u64::from(change > 1e-8 + 1e-3 * new.abs());
                entry.n_large += u64::from(change >= LARGE_CHANGE);
                entry.max_change = entry.max_change.max(change);
            }
        }
        entry
    }
}
