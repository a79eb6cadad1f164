//! MACE: with chance θ a volunteer copies the truth, else answers from a spam pattern of their own.
//!
//! Hovy et al. 2013 (N13-1132), variational: θ ~ Beta(½, ½), spam patterns ~ Dirichlet(10/K). Restarts
//! from random competences, the best by the likelihood of the last round wins; how far the restarts lie
//! apart is kept, because on small sets they do not agree. Classes are equally likely, as in the paper.

use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::seed::stream;

use crate::skill::ballots::Ballots;
use crate::skill::em;
use crate::skill::fit::{Fit, logit_sd};
use crate::skill::matrices::Estimate;
use crate::special::digamma;

/// MACE with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mace {
    /// Rounds of each start.
    pub rounds: u32,
    /// Random starts.
    pub restarts: u32,
    /// Pseudo-votes of not knowing and of knowing.
    pub competence: (f64, f64),
    /// Pseudo-votes of a spam pattern, over all answers.
    pub spam: f64,
    /// Seed of the starts.
    pub seed: u64,
    /// Level of the competences' intervals.
    pub level: f64,
}

impl Default for Mace {
    fn default() -> Self {
        Self { rounds: 50, restarts: 10, competence: (0.5, 0.5), spam: 10.0, seed: 0, level: 0.95 }
    }
}

/// One start's end.
struct Run {
    posterior: Vec<f64>,
    log_likelihood: f64,
    /// Per volunteer: soft counts of spamming and of knowing.
    counts: Vec<[f64; 2]>,
    /// Per volunteer: chance of spamming and of knowing (expected logs, so they need not sum to 1).
    theta: Vec<[f64; 2]>,
    /// Per slot: chance of its label in the spam pattern.
    pattern: Vec<f64>,
    /// Per slot: soft count of its votes that were guesses.
    guesses: Vec<f64>,
}

impl Mace {
    /// Fits one question. `history` holds the log-likelihoods of the starts, in their order.
    #[must_use]
    pub fn fit(&self, ballots: &Ballots) -> Fit {
        let k = ballots.n_classes();
        let prevalence = vec![1.0 / k.max(1) as f64; k];
        if ballots.n_votes() == 0 {
            return Fit { posterior: em::vote_shares(ballots), prevalence, ..Fit::default() };
        }
        let runs: Vec<Run> =
            (0..self.restarts.max(1)).into_par_iter().map(|start| self.run(ballots, start)).collect();
        let history = runs.iter().map(|r| r.log_likelihood).collect();
        let better =
            |best: Run, run: Run| if run.log_likelihood > best.log_likelihood { run } else { best };
        let best = runs.into_iter().reduce(better).expect("one start at least");
        let level = self.level;
        let (a, b) = self.competence;
        let competence = |c: &[f64; 2]| {
            let interval = crate::interval::beta_interval(c[1] + b, c[0] + a, level);
            Estimate { value: (c[1] + b) / (c[0] + c[1] + a + b), interval }
        };
        Fit {
            logit_sd: self.logit_sd(ballots, &best),
            spam: self.patterns(ballots, &best),
            abilities: best.counts.iter().map(competence).collect(),
            posterior: best.posterior,
            prevalence,
            log_likelihood: best.log_likelihood,
            history,
            converged: true,
            ..Fit::default()
        }
    }

    fn run(&self, ballots: &Ballots, start: u32) -> Run {
        let k = ballots.n_classes();
        let rng = &mut stream(self.seed, &format!("mace start {start}"));
        let mut run = Run {
            posterior: em::vote_shares(ballots),
            log_likelihood: f64::NEG_INFINITY,
            counts: vec![[0.0; 2]; ballots.n_volunteers()],
            theta: Vec::with_capacity(ballots.n_volunteers()),
            pattern: vec![0.0; ballots.n_slots()],
            guesses: vec![0.0; ballots.n_slots()],
        };
        for w in 0..ballots.n_volunteers() {
            let draw = [0.5 + 0.5 * rng.random::<f64>(), 0.5 + 0.5 * rng.random::<f64>()];
            run.theta.push(draw.map(|d| d / (draw[0] + draw[1])));
            let shares: Vec<f64> =
                (0..ballots.n_labels(w)).map(|_| 1.0 + 0.5 * rng.random::<f64>()).collect();
            let total: f64 = shares.iter().sum();
            for slot in ballots.slots_of(w) {
                run.pattern[slot] = shares[ballots.label(slot)] / total;
            }
        }
        let log_prior = vec![-(k as f64).ln(); k];
        let mut rows = vec![0.0; ballots.n_slots() * k];
        for _ in 0..self.rounds {
            // Log rows: the label's class can come from knowing or from spam, the others from spam only.
            for w in 0..ballots.n_volunteers() {
                let [spam, good] = run.theta[w];
                for slot in ballots.slots_of(w) {
                    let random = spam * run.pattern[slot];
                    let row = &mut rows[slot * k..(slot + 1) * k];
                    row.fill(random.ln());
                    if ballots.is_person(w) {
                        row[ballots.label(slot)] = (random + good).ln();
                    }
                }
            }
            run.log_likelihood = em::judge(ballots, &rows, &log_prior, &mut run.posterior);
            self.learn(ballots, &mut run);
        }
        run
    }

    fn learn(&self, ballots: &Ballots, run: &mut Run) {
        let k = ballots.n_classes();
        let (a, b) = self.competence;
        for w in 0..ballots.n_volunteers() {
            let slots = ballots.slots_of(w);
            let [spam, good] = run.theta[w];
            let (mut knows, mut n_guesses) = (0.0, 0.0);
            for slot in slots.clone() {
                let (label, random) = (ballots.label(slot), spam * run.pattern[slot]);
                let share = if ballots.is_person(w) { good / (random + good) } else { 0.0 };
                let (mut sum, mut total) = (0.0, 0.0);
                for (item, weight) in ballots.items_of(slot) {
                    total += weight;
                    if share > 0.0 {
                        sum += weight * run.posterior[item * k + label];
                    }
                }
                knows += share * sum;
                run.guesses[slot] = total - share * sum;
                n_guesses += run.guesses[slot];
            }
            run.counts[w] = [n_guesses, knows];
            let all = digamma(n_guesses + knows + a + b);
            run.theta[w] = [digamma(n_guesses + a) - all, digamma(knows + b) - all].map(f64::exp);
            let pseudo = self.spam / ballots.n_labels(w).max(1) as f64;
            let all = digamma(n_guesses + self.spam);
            for slot in slots {
                run.pattern[slot] = (digamma(run.guesses[slot] + pseudo) - all).exp();
            }
        }
    }

    /// Posterior mean of every person's spam pattern; labels they never gave hold their pseudo-votes.
    fn patterns(&self, ballots: &Ballots, run: &Run) -> Vec<f64> {
        let k = ballots.n_classes();
        let pseudo = self.spam / k as f64;
        let mut patterns = vec![0.0; ballots.n_volunteers() * k];
        for w in (0..ballots.n_volunteers()).filter(|&w| ballots.is_person(w)) {
            let own = &mut patterns[w * k..(w + 1) * k];
            own.fill(pseudo);
            for slot in ballots.slots_of(w) {
                let label = ballots.label(slot);
                own[label] += run.guesses[slot];
            }
            let total: f64 = own.iter().sum();
            own.iter_mut().for_each(|p| *p /= total);
        }
        patterns
    }

    /// Each vote for a class adds log(1 + θ / ((1 − θ) ξ)) to its score; the doubt is that of θ.
    fn logit_sd(&self, ballots: &Ballots, run: &Run) -> Vec<f64> {
        let k = ballots.n_classes();
        let (a, b) = self.competence;
        let mut of_slot = vec![0.0; ballots.n_slots()];
        for w in (0..ballots.n_volunteers()).filter(|&w| ballots.is_person(w)) {
            let [guesses, knows] = run.counts[w];
            let (x, y) = (knows + b, guesses + a);
            let theta = x / (x + y);
            let variance = theta * (1.0 - theta) / (x + y + 1.0);
            for slot in ballots.slots_of(w) {
                // d/dθ log((1 − θ) ξ + θ) − log((1 − θ) ξ)
                let xi = run.pattern[slot];
                let slope = (1.0 - xi) / ((1.0 - theta) * xi + theta) + 1.0 / (1.0 - theta).max(1e-9);
                of_slot[slot] = slope * slope * variance;
            }
        }
        let mut sd = vec![0.0; run.posterior.len()];
        for (item, out) in sd.chunks_exact_mut(k.max(1)).enumerate() {
            let mut variance = vec![0.0; k];
            for vote in ballots.votes_of(item) {
                let (slot, weight) = ballots.vote(vote);
                if of_slot[slot] > 0.0 {
                    variance[ballots.label(slot)] += weight * weight * of_slot[slot];
                }
            }
            logit_sd(&run.posterior[item * k..(item + 1) * k], &variance, out);
        }
        sd
    }
}

#[cfg(test)]
#[path = "mace_tests.rs"]
mod tests;
