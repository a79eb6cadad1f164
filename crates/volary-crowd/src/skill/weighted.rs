//! Votes weighed by how often a volunteer agrees with the answer: Wawa and its iterated form.
//!
//! Wawa ("worker agreement with aggregate", Appen): skill is the share of one's votes equal to the
//! plurality, and the votes are counted again with skill for a weight. Iterated weighted majority vote
//! (Li & Yu 2014, arXiv:1411.4086) repeats this with weight K·skill − 1 until no answer changes. Both
//! give weighted shares and not probabilities; their intervals come from the effective number of votes.
//!
//! A weight below `floor` is raised to it, because every label counts; `None` is the original behaviour,
//! in which the iterated form gives bad volunteers a negative vote.

use rayon::prelude::*;

use crate::interval::jeffreys;
use crate::skill::ballots::{Ballots, NO_GOLD};
use crate::skill::dawid_skene::top;
use crate::skill::fit::Fit;
use crate::skill::matrices::Estimate;

/// Votes weighed by agreement, with settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted {
    /// Iterate with weight K·skill − 1, or weigh once with skill.
    pub iterated: bool,
    /// Smallest weight.
    pub floor: Option<f64>,
    /// Most rounds of the iterated form.
    pub max_rounds: u32,
    /// Level of the skills' intervals.
    pub level: f64,
}

impl Default for Weighted {
    fn default() -> Self {
        Self { iterated: false, floor: Some(0.01), max_rounds: 100, level: 0.95 }
    }
}

impl Weighted {
    /// Fits one question. Machines' votes are passed over; a tied plurality goes to the first answer
    /// while skill is being measured, and stays a tie in the result.
    #[must_use]
    pub fn fit(&self, ballots: &Ballots) -> Fit {
        let k = ballots.n_classes();
        let owner = ballots.volunteer_of_slots();
        let mut weights = vec![1.0; ballots.n_volunteers()];
        let mut skills = vec![(0.0, 0.0); ballots.n_volunteers()];
        let mut answers: Option<Vec<usize>> = None;
        let rounds = if self.iterated { self.max_rounds } else { 1 };
        let (mut n_rounds, mut converged) = (0, !self.iterated);
        while n_rounds < rounds {
            let scores = self.score(ballots, &owner, &weights).0;
            let now: Vec<usize> = scores.chunks_exact(k.max(1)).map(top).collect();
            n_rounds += 1;
            if answers.as_ref() == Some(&now) {
                converged = true;
                break;
            }
            skills = agreement(ballots, &now);
            weights = skills
                .iter()
                .map(|&(hits, n)| self.weight(if n > 0.0 { hits / n } else { 0.5 }, k))
                .collect();
            answers = Some(now);
        }
        let (mut scores, n_effective) = self.score(ballots, &owner, &weights);
        for row in scores.chunks_exact_mut(k.max(1)) {
            // Negative votes (no floor): shift, so that shares lie between 0 and 1.
            let least = row.iter().copied().fold(0.0, f64::min);
            row.iter_mut().for_each(|s| *s -= least);
            let total: f64 = row.iter().sum();
            let even = 1.0 / k as f64;
            row.iter_mut().for_each(|s| *s = if total > 0.0 { *s / total } else { even });
        }
        let ability = |&(hits, n): &(f64, f64)| Estimate {
            value: if n > 0.0 { hits / n } else { 0.5 },
            interval: jeffreys(hits.min(n), n, self.level),
        };
        Fit {
            prevalence: mean_rows(&scores, k),
            posterior: scores,
            abilities: skills.iter().map(ability).collect(),
            n_effective,
            history: vec![0.0; n_rounds as usize],
            converged,
            ..Fit::default()
        }
    }

    fn weight(&self, skill: f64, k: usize) -> f64 {
        let weight = if self.iterated { k as f64 * skill - 1.0 } else { skill };
        self.floor.map_or(weight, |floor| weight.max(floor))
    }

    /// Weighted votes `[n_items][K]`, and the effective number of votes of each item.
    fn score(&self, ballots: &Ballots, owner: &[u32], weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let k = ballots.n_classes();
        let person = ballots.person_slots();
        let mut scores = vec![0.0; ballots.n_items() * k];
        let mut n_effective = vec![0.0; ballots.n_items()];
        if k == 0 {
            return (scores, n_effective);
        }
        let work = scores.par_chunks_mut(k).zip(&mut n_effective).enumerate().with_min_len(1024);
        work.for_each(|(item, (row, n))| {
            let (mut sum, mut squares) = (0.0, 0.0);
            for vote in ballots.votes_of(item) {
                let (slot, weight) = ballots.vote(vote);
                if !person.is_empty() && !person[slot] {
                    continue;
                }
                let w = weight * weights[owner[slot] as usize];
                row[ballots.label(slot)] += w;
                sum += w;
                squares += w * w;
            }
            *n = if squares > 0.0 { sum * sum / squares } else { 0.0 };
            if ballots.gold(item) != NO_GOLD {
                row.fill(0.0);
                row[ballots.gold(item) as usize] = 1.0;
            }
        });
        (scores, n_effective)
    }
}

/// (votes equal to the item's answer, votes) per volunteer, by weight.
fn agreement(ballots: &Ballots, answers: &[usize]) -> Vec<(f64, f64)> {
    let of = |w: usize| {
        let (mut hits, mut n) = (0.0, 0.0);
        for slot in ballots.slots_of(w) {
            let label = ballots.label(slot);
            for (item, weight) in ballots.items_of(slot) {
                n += weight;
                hits += if answers[item] == label { weight } else { 0.0 };
            }
        }
        if ballots.is_person(w) { (hits, n) } else { (0.0, 0.0) }
    };
    (0..ballots.n_volunteers()).into_par_iter().with_min_len(256).map(of).collect()
}

fn mean_rows(rows: &[f64], k: usize) -> Vec<f64> {
    let mut sums = vec![0.0; k];
    for row in rows.chunks_exact(k.max(1)) {
        sums.iter_mut().zip(row).for_each(|(s, p)| *s += p);
    }
    let n = (rows.len() / k.max(1)).max(1) as f64;
    sums.iter().map(|s| s / n).collect()
}

#[cfg(test)]
#[path = "weighted_tests.rs"]
mod tests;
