//! SWAP on a panel: the one model here whose answer depends on the order of the votes.
//!
//! The model itself lives in [`crate::skill::swap`]; this turns a [`Panel`] into its columns, in the
//! order of arrival, and what it learnt into a [`Fit`].

use crate::skill::ballots::{Ballots, NO_GOLD, Panel};
use crate::skill::fit::Fit;
use crate::skill::matrices::{Matrices, Prior};
use crate::skill::swap::{Learning, Swap, SwapError, SwapParams, SwapVotes, swap};

/// SWAP with its settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequential {
    /// Whom volunteers learn from; `None`: from gold where there is some, else from themselves.
    pub learning: Option<Learning>,
    /// Probability of answers before any vote, by their text; what is left is shared by the others.
    pub prior: Vec<(String, f64)>,
    /// See [`SwapParams::vote_floor`].
    pub vote_floor: Option<f64>,
}

impl Sequential {
    /// Fits one panel; `names` are its classes.
    ///
    /// # Errors
    /// [`SwapError`] for a prior that leaves an answer no chance.
    pub fn fit(&self, panel: &Panel, names: &[String]) -> Result<Fit, SwapError> {
        let ballots = &panel.ballots;
        let k = ballots.n_classes();
        if ballots.n_votes() == 0 || k == 0 {
            return Ok(Fit { prevalence: vec![0.0; k], ..Fit::default() });
        }
        let has_gold = ballots.golds().iter().any(|&g| g != NO_GOLD);
        let learning =
            self.learning.unwrap_or(if has_gold { Learning::Gold } else { Learning::SelfTaught });
        let params = SwapParams {
            prior: self.prior_of(names),
            learning,
            vote_floor: self.vote_floor,
            ..SwapParams::default()
        };
        let engine = run(panel, &params)?;
        let mut posterior = engine.posteriors();
        for (row, &gold) in posterior.chunks_exact_mut(k).zip(ballots.golds()) {
            if gold != NO_GOLD {
                row.fill(0.0);
                row[gold as usize] = 1.0;
            }
        }
        let (totals, n) = crate::skill::em::class_totals(ballots, &posterior);
        let right = params.right.unwrap_or(2.0 * (k.max(2) - 1) as f64 * params.wrong);
        let cell = |at: usize| if at / k == at % k { right } else { params.wrong };
        let prior = Prior::Pool((0..k * k).map(cell).collect());
        Ok(Fit {
            matrices: Matrices::new(ballots, slot_counts(ballots, engine.counts()), prior),
            prevalence: totals.iter().map(|t| t / n.max(1.0)).collect(),
            posterior,
            history: vec![0.0],
            converged: true,
            ..Fit::default()
        })
    }

    /// The prior in the order of the classes; none where no class has one.
    fn prior_of(&self, names: &[String]) -> Option<Vec<f64>> {
        let own: Vec<Option<f64>> = names
            .iter()
            .map(|n| self.prior.iter().find(|(name, _)| name == n).map(|(_, p)| *p))
            .collect();
        let n_open = own.iter().filter(|p| p.is_none()).count();
        if n_open == own.len() {
            return None;
        }
        let left = (1.0 - own.iter().flatten().sum::<f64>()).max(0.0) / n_open.max(1) as f64;
        Some(own.into_iter().map(|p| p.unwrap_or(left)).collect())
    }
}

fn run(panel: &Panel, params: &SwapParams) -> Result<Swap, SwapError> {
    let columns = panel.ballots.columns();
    let mut order: Vec<usize> = (0..columns.item.len()).collect();
    order.sort_by_key(|&vote| panel.arrival[vote]);
    let pick = |column: &[u32]| -> Vec<u32> { order.iter().map(|&vote| column[vote]).collect() };
    let gold: Vec<Option<u32>> =
        panel.ballots.golds().iter().map(|&g| (g != NO_GOLD).then_some(g)).collect();
    let votes = SwapVotes {
        n_answers: columns.n_classes,
        n_volunteers: columns.n_volunteers,
        gold: &gold,
        subject: &pick(&columns.item),
        volunteer: &pick(&columns.volunteer),
        answer: &pick(&columns.label),
    };
    swap(&votes, params)
}

/// From `[volunteer][true][given]` to `[slot][true]`.
fn slot_counts(ballots: &Ballots, counts: &[f64]) -> Vec<f64> {
    let k = ballots.n_classes();
    let mut rows = vec![0.0; ballots.n_slots() * k];
    for w in 0..ballots.n_volunteers() {
        for slot in ballots.slots_of(w) {
            for truth in 0..k {
                rows[slot * k + truth] = counts[(w * k + truth) * k + ballots.label(slot)];
            }
        }
    }
    rows
}
