//! Which model to believe: by gold subjects where there are some, else by votes that it has not seen.
//!
//! No model wins everywhere (the book has a table). With gold subjects every fold of them is hidden once
//! and the models are scored by the mean log of the posterior of the hidden class. Without, a tenth of
//! the votes is hidden, and the score is the mean log of the chance that the model gives them, Σ_k q_k
//! C_w\[k, y\]. To predict votes is not quite to find the truth: where volunteers share a bias the winner
//! by votes learns it (see [`crate::skill::dependence`]). Models without probabilities of votes (Wawa
//! and its iterated form) can only be scored on gold. The plain vote stands among the candidates as the
//! crowd's pooled matrix.

use rand::RngExt as _;
use volary_core::seed::stream;

use crate::error::CrowdError;
use crate::skill::ballots::{Ballots, Columns, NO_GOLD};
use crate::skill::dawid_skene::{DawidSkene, Variant, top};
use crate::skill::fit::Fit;
use crate::skill::glad::Glad;
use crate::skill::ibcc::Ibcc;
use crate::skill::mace::Mace;
use crate::skill::model::Model;
use crate::skill::weighted::Weighted;

/// Gold subjects from which on they decide.
pub const MIN_GOLD: usize = 20;
/// Folds of the gold subjects.
const FOLDS: usize = 5;
/// Share of the votes that is hidden where there is no gold.
const HELD_OUT: f64 = 0.1;
/// Chances below this score as this: one impossible vote must not outweigh all others.
const LEAST: f64 = 1e-10;
/// Votes beyond which GLAD and MACE are left out: they take many passes.
pub const SLOW: usize = 200_000;

/// What the models were scored on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Gold items, each hidden once.
    Gold,
    /// Hidden votes.
    HeldOutVotes,
}

/// How one model did.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The model.
    pub model: Model,
    /// Mean log (nats) per hidden item or vote; `None` where the model gives no chance of a vote.
    pub mean_log: Option<f64>,
    /// Its standard error.
    pub se: f64,
    /// Hidden gold items, and those of them that the model gets right.
    pub n_right: Option<(u64, u64)>,
}

/// The scores of all candidates and the best of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What was hidden.
    pub basis: Basis,
    /// How many gold items or votes were hidden.
    pub n: u64,
    /// In the order of the candidates.
    pub scores: Vec<Score>,
    /// Index of the best score.
    pub best: usize,
}

impl Choice {
    /// The model to use.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.scores[self.best].model
    }
}

/// The models that `auto` compares; GLAD and MACE only `with_slow`.
#[must_use]
pub fn candidates(with_slow: bool, seed: u64, level: f64) -> Vec<Model> {
    let shrunk = |pseudo_votes| {
        Model::DawidSkene(DawidSkene { pseudo_votes, ..DawidSkene::new(Variant::Shrunk) })
    };
    let mut models = vec![
        // So many pseudo-votes that everybody has the crowd's matrix.
        shrunk(1e9),
        Model::DawidSkene(DawidSkene::new(Variant::OneCoin)),
        Model::DawidSkene(DawidSkene::new(Variant::Ml)),
        Model::DawidSkene(DawidSkene::new(Variant::Map)),
        shrunk(1.0),
        shrunk(5.0),
        shrunk(20.0),
        Model::Ibcc(Ibcc::default()),
    ];
    if with_slow {
        models.push(Model::Glad(Glad { level, ..Glad::default() }));
        models.push(Model::Mace(Mace { level, seed, ..Mace::default() }));
    }
    for iterated in [false, true] {
        models.push(Model::Weighted(Weighted { level, iterated, ..Weighted::default() }));
    }
    models
}

/// Scores the candidates.
///
/// # Errors
/// [`CrowdError::Ballots`] where there are no candidates; otherwise as [`Ballots::new`], which cannot
/// happen with ballots made by this crate.
pub fn choose(ballots: &Ballots, models: Vec<Model>, seed: u64) -> Result<Choice, CrowdError> {
    let gold: Vec<usize> = (0..ballots.n_items()).filter(|&i| ballots.gold(i) != NO_GOLD).collect();
    let (basis, n, scores) = if gold.len() >= MIN_GOLD {
        (Basis::Gold, gold.len(), on_gold(ballots, models, gold, seed)?)
    } else {
        let (shown, hidden) = hide_votes(ballots, seed)?;
        let scores: Vec<Score> = models
            .into_iter()
            .map(|model| on_votes(&shown, &hidden, model))
            .collect::<Result<_, _>>()?;
        (Basis::HeldOutVotes, hidden.len(), scores)
    };
    let known = scores.iter().enumerate().filter_map(|(at, s): (usize, &Score)| Some((at, s.mean_log?)));
    let best = known
        .reduce(|best, now| if now.1 > best.1 { now } else { best })
        .map(|best| best.0)
        .ok_or(CrowdError::Ballots { what: "there is no model to choose from" })?;
    Ok(Choice { basis, n: n as u64, scores, best })
}

/// Mean and standard error.
fn mean_of(logs: &[f64]) -> (f64, f64) {
    let n = (logs.len() as f64).max(1.0);
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / n;
    (mean, (variance / n).sqrt())
}

fn on_gold(
    ballots: &Ballots,
    models: Vec<Model>,
    mut gold: Vec<usize>,
    seed: u64,
) -> Result<Vec<Score>, CrowdError> {
    let rng = &mut stream(seed, "choose: folds of gold");
    for at in (1..gold.len()).rev() {
        gold.swap(at, rng.random_range(0..=at));
    }
    let mut scores = Vec::new();
    for model in models {
        let (mut logs, mut right) = (Vec::new(), 0);
        for fold in 0..FOLDS {
            let hidden: Vec<usize> = gold.iter().copied().skip(fold).step_by(FOLDS).collect();
            let mut golds = ballots.golds().to_vec();
            hidden.iter().for_each(|&item| golds[item] = NO_GOLD);
            let fit = model.fit(&ballots.clone().with_gold(golds)?)?;
            for item in hidden {
                let class = ballots.gold(item) as usize;
                let posterior = fit.of_item(item);
                logs.push(posterior[class].max(LEAST).ln());
                right += u64::from(top(posterior) == class);
            }
        }
        let (mean, se) = mean_of(&logs);
        scores.push(Score {
            model,
            mean_log: Some(mean),
            se,
            n_right: Some((logs.len() as u64, right)),
        });
    }
    Ok(scores)
}

/// (item, volunteer, label) of a vote that the models do not see.
type Hidden = (usize, usize, usize);

fn hide_votes(ballots: &Ballots, seed: u64) -> Result<(Ballots, Vec<Hidden>), CrowdError> {
    let rng = &mut stream(seed, "choose: hidden votes");
    let all = ballots.columns();
    let mut left: Vec<u32> =
        (0..ballots.n_items()).map(|i| u32::try_from(ballots.votes_of(i).len()).expect("u32")).collect();
    let mut shown = Columns {
        item: Vec::new(),
        volunteer: Vec::new(),
        label: Vec::new(),
        weight: Vec::new(),
        ..all.clone()
    };
    let mut hidden = Vec::new();
    for at in 0..all.item.len() {
        let (item, volunteer, label) = (all.item[at], all.volunteer[at], all.label[at]);
        let draw = rng.random::<f64>() < HELD_OUT;
        // An item whose every vote is hidden would be scored on nothing.
        if draw && left[item as usize] > 1 && ballots.is_person(volunteer as usize) {
            left[item as usize] -= 1;
            hidden.push((item as usize, volunteer as usize, label as usize));
            continue;
        }
        shown.item.push(item);
        shown.volunteer.push(volunteer);
        shown.label.push(label);
        if let Some(&weight) = all.weight.get(at) {
            shown.weight.push(weight);
        }
    }
    Ok((Ballots::new(shown)?.with_gold(ballots.golds().to_vec())?, hidden))
}

fn on_votes(shown: &Ballots, hidden: &[Hidden], model: Model) -> Result<Score, CrowdError> {
    if !model.predicts_votes() {
        return Ok(Score { model, mean_log: None, se: 0.0, n_right: None });
    }
    let fit = model.fit(shown)?;
    let logs = log_chances(shown, hidden, &fit);
    let (mean, se) = mean_of(&logs);
    Ok(Score { model, mean_log: Some(mean), se, n_right: None })
}

fn log_chances(shown: &Ballots, hidden: &[Hidden], fit: &Fit) -> Vec<f64> {
    let mut order: Vec<usize> = (0..hidden.len()).collect();
    order.sort_by_key(|&at| hidden[at].1);
    let mut logs = vec![0.0; hidden.len()];
    for own in order.chunk_by(|&a, &b| hidden[a].1 == hidden[b].1) {
        let volunteer = hidden[own[0]].1;
        let chance = fit.vote_chances(shown, volunteer);
        for &at in own {
            let (item, _, label) = hidden[at];
            logs[at] = chance(item, label).max(LEAST).ln();
        }
    }
    logs
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
