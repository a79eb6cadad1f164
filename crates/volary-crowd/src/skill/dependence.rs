//! Do volunteers share a bias? Signs that answers are not independent given the truth.
//!
//! Every model here takes votes on one subject as independent once its class is known. Where volunteers
//! share a bias (all are fooled by the same ring of dust), a full matrix learns the bias as truth, and no
//! likelihood shows it. Three signs can be read without truth:
//!
//! - **excess agreement**: pairs of votes on one subject agree more often than the fitted matrices say.
//!   Its mean is 0 under the model; the error is that of the mean over subjects;
//! - **a pooled row off its diagonal**: the crowd mostly calls a class by another's name;
//! - **one-way overturning**: the model overrules the plurality often, and nearly always in one direction.
//!
//! Unequal difficulty raises the agreement of easy subjects and lowers that of hard ones; it shows in the
//! first sign too. A sign is a reason to look at gold subjects, no proof.

use rayon::prelude::*;

use crate::skill::ballots::{Ballots, NO_GOLD};
use crate::skill::dawid_skene::{pooled, top};
use crate::skill::em;
use crate::skill::fit::Fit;

/// What the votes show of a shared bias.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependence {
    /// Pairs of votes on the same item.
    pub n_pairs: f64,
    /// Share of pairs that agree, less what the model expects.
    pub excess_agreement: f64,
    /// Its standard error over items.
    pub excess_se: f64,
    /// Classes whose pooled row has its largest chance elsewhere: (class, where).
    pub misnamed: Vec<(usize, usize)>,
    /// Items with a plurality, and those of them that the model overrules.
    pub n_overruled: (u64, u64),
    /// Share of the overruled that go to one and the same class.
    pub one_way: f64,
}

impl Dependence {
    /// Excess agreement in standard errors.
    #[must_use]
    pub fn z(&self) -> f64 {
        if self.excess_se > 0.0 { self.excess_agreement / self.excess_se } else { 0.0 }
    }

    /// The signs that are strong enough to say, in words. The thresholds (five standard errors and two
    /// percent; three percent overruled, nine of ten one way) gave one warning on 200 simulated crowds
    /// without shared bias or difficulty.
    #[must_use]
    pub fn warnings(&self, class_name: impl Fn(usize) -> String) -> Vec<String> {
        let mut signs = Vec::new();
        if self.z() > 5.0 && self.excess_agreement > 0.02 {
            signs.push(format!(
                "votes on one subject agree {:.1} % more often than independent errors would \
                 ({:.0} standard errors)",
                100.0 * self.excess_agreement,
                self.z()
            ));
        }
        for &(class, at) in &self.misnamed {
            signs.push(format!("most votes call {:?} {:?}", class_name(class), class_name(at)));
        }
        let (n, overruled) = self.n_overruled;
        if overruled >= 20 && overruled as f64 > 0.03 * n as f64 && self.one_way > 0.9 {
            signs.push(format!(
                "the model overrules the most common answer on {overruled} of {n} subjects, nearly \
                 always in one direction"
            ));
        }
        signs
    }
}

/// Reads the signs off a fitted matrix model; empty for models without matrices.
#[must_use]
pub fn dependence(ballots: &Ballots, fit: &Fit) -> Dependence {
    let k = ballots.n_classes();
    if fit.matrices.n_volunteers() == 0 || k < 2 {
        return Dependence::default();
    }
    let mut counts = vec![0.0; ballots.n_slots() * k];
    em::count(ballots, &fit.posterior, &mut counts);
    let pool = pooled(ballots, &counts);
    let misnamed = pool.chunks_exact(k).enumerate().map(|(class, row)| (class, top(row)));
    // A class that hardly occurs has a row of pseudo-votes.
    let seen = |class: usize| fit.prevalence[class] * ballots.n_items() as f64 > 5.0;
    let mut signs = excess_agreement(ballots, fit);
    signs.misnamed = misnamed.filter(|&(class, at)| class != at && seen(class)).collect();
    overruling(ballots, fit, &mut signs);
    signs
}

fn excess_agreement(ballots: &Ballots, fit: &Fit) -> Dependence {
    let k = ballots.n_classes();
    let owner = ballots.volunteer_of_slots();
    let person = ballots.person_slots();
    let chances: Vec<Vec<f64>> = (0..ballots.n_volunteers())
        .into_par_iter()
        .with_min_len(64)
        .map(|w| fit.matrices.chances(w))
        .collect();
    let of_item = |item: usize| {
        let mut sums = vec![0.0; k * k];
        let mut squares = vec![0.0; k];
        let mut counts = vec![0.0; k];
        let mut n = 0.0;
        for vote in ballots.votes_of(item) {
            let (slot, _) = ballots.vote(vote);
            if !person.is_empty() && !person[slot] {
                continue;
            }
            n += 1.0;
            counts[ballots.label(slot)] += 1.0;
            let own = &chances[owner[slot] as usize];
            for (truth, row) in own.chunks_exact(k).enumerate() {
                for (label, c) in row.iter().enumerate() {
                    sums[truth * k + label] += c;
                    squares[truth] += c * c;
                }
            }
        }
        let pairs = n * (n - 1.0) / 2.0;
        let agree: f64 = counts.iter().map(|c| c * (c - 1.0) / 2.0).sum();
        let expected: f64 = fit
            .of_item(item)
            .iter()
            .enumerate()
            .map(|(truth, q)| {
                let all: f64 = sums[truth * k..(truth + 1) * k].iter().map(|s| s * s).sum();
                q * (all - squares[truth]) / 2.0
            })
            .sum();
        (pairs, agree - expected)
    };
    let known = |item: &usize| ballots.gold(*item) == NO_GOLD;
    let per_item: Vec<(f64, f64)> =
        (0..ballots.n_items()).into_par_iter().with_min_len(256).filter(known).map(of_item).collect();
    let n_pairs: f64 = per_item.iter().map(|p| p.0).sum();
    if n_pairs <= 0.0 {
        return Dependence::default();
    }
    let mean = per_item.iter().map(|p| p.1).sum::<f64>() / n_pairs;
    let spread: f64 = per_item.iter().map(|(pairs, excess)| (excess - mean * pairs).powi(2)).sum();
    Dependence {
        n_pairs,
        excess_agreement: mean,
        excess_se: spread.sqrt() / n_pairs,
        ..Dependence::default()
    }
}

fn overruling(ballots: &Ballots, fit: &Fit, signs: &mut Dependence) {
    let k = ballots.n_classes();
    let person = ballots.person_slots();
    let mut to = vec![0_u64; k];
    let mut counts = vec![0.0; k];
    let mut n = 0;
    for item in (0..ballots.n_items()).filter(|&i| ballots.gold(i) == NO_GOLD) {
        counts.fill(0.0);
        ballots.count_into(item, &mut counts, &person);
        let best = top(&counts);
        let tied = counts.iter().filter(|&&c| c == counts[best]).count() > 1;
        if counts[best] > 0.0 && !tied {
            n += 1;
            let model = top(fit.of_item(item));
            to[model] += u64::from(model != best);
        }
    }
    let all: u64 = to.iter().sum();
    signs.n_overruled = (n, all);
    signs.one_way = to.iter().max().map_or(0.0, |&m| if all > 0 { m as f64 / all as f64 } else { 0.0 });
}

#[cfg(test)]
#[path = "dependence_tests.rs"]
mod tests;
