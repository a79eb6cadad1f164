//! Checkpoints: all that a training needs to go on to the same end. One file, written beside its place and
//! then renamed, so that a process that is killed at any moment leaves a whole one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::VisionError;
use crate::training::{Epoch, History, Learner, Plan};
use crate::weights::{self, Tensors};

/// Before the names of the best weights so far.
const BEST: &str = "best.";
const VERSION: u32 = 1;
const ANEW: &str = "begin anew with --fresh, or in another folder";

/// The best epoch so far by the part to stop by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    /// Counted from 1.
    pub(crate) epoch: usize,
    pub(crate) loss: f64,
}

/// Where a training is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    version: u32,
    fingerprint: String,
    /// Epochs that are done.
    pub(crate) epoch: usize,
    /// Batches of the next epoch that are done.
    pub(crate) batch: usize,
    /// Losses summed over the pictures of these batches.
    sums: Vec<f64>,
    n_rows: usize,
    pub(crate) history: History,
    pub(crate) best: Option<Best>,
}

impl Position {
    pub(crate) fn start(fingerprint: &str, terms: &[&str]) -> Self {
        let history =
            History { terms: terms.iter().map(|t| (*t).to_owned()).collect(), epochs: Vec::new() };
        Self {
            version: VERSION,
            fingerprint: fingerprint.to_owned(),
            epoch: 0,
            batch: 0,
            sums: vec![0.0; terms.len()],
            n_rows: 0,
            history,
            best: None,
        }
    }

    /// Adds the mean losses of a batch.
    pub(crate) fn add(&mut self, losses: &[f64], n_rows: usize) {
        for (sum, loss) in self.sums.iter_mut().zip(losses) {
            *sum += loss * n_rows as f64;
        }
        self.n_rows += n_rows;
        self.batch += 1;
    }

    /// Mean losses of the epoch so far.
    pub(crate) fn means(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.n_rows.max(1) as f64).collect()
    }

    pub(crate) fn end_epoch(&mut self, rate: f64, unseen: Vec<f64>) {
        let train = self.means();
        self.epoch += 1;
        self.history.epochs.push(Epoch { epoch: self.epoch, rate, train, unseen });
        self.batch = 0;
        self.n_rows = 0;
        self.sums.fill(0.0);
    }

    pub(crate) fn is_best(&self, loss: Option<f64>) -> bool {
        loss.is_some_and(|loss| self.best.is_none_or(|best| loss < best.loss))
    }

    /// Whether the end of this epoch has a checkpoint.
    pub(crate) fn is_saved(&self, plan: &Plan) -> bool {
        self.epoch.is_multiple_of(plan.checkpoint_every_epochs) || self.epoch == plan.epochs
    }

    pub(crate) fn is_out_of_patience(&self, patience: Option<usize>) -> bool {
        let Some((patience, best)) = patience.zip(self.best) else { return false };
        self.epoch >= best.epoch + patience
    }
}

/// Writes where a learner is.
pub(crate) fn write(
    path: &Path,
    learner: &dyn Learner,
    position: &Position,
    best: &Tensors,
) -> Result<(), VisionError> {
    let mut tensors = learner.state();
    if let Some((name, _)) = tensors.iter().find(|(_, t)| t.values.iter().any(|v| !v.is_finite())) {
        // The last losses were numbers and these weights are none: a step from here could only fail.
        return Err(VisionError::NotFinite {
            term: name.clone(),
            value: f64::NAN,
            epoch: position.epoch.max(1),
            batch: position.batch.max(1),
            kept: "the checkpoint before it, where there is one, is kept".to_owned(),
            advice: learner.advice(name),
        });
    }
    tensors.extend(best.iter().map(|(name, values)| (format!("{BEST}{name}"), values.clone())));
    let position = serde_json::to_string(position)
        .map_err(|e| VisionError::io("writing", path, std::io::Error::other(e.to_string())))?;
    weights::write(path, &tensors, position)
}

/// Reads a checkpoint of the training with this fingerprint.
pub(crate) fn read(path: &Path, fingerprint: &str) -> Result<(Tensors, Position), VisionError> {
    let (tensors, position) = weights::read(path)?;
    let position: Position = serde_json::from_str(&position)
        .map_err(|_| VisionError::model(path, "it does not say how far it is", ANEW))?;
    if position.version != VERSION {
        let problem = format!("its format is {} and this volary reads {VERSION}", position.version);
        return Err(VisionError::model(path, problem, ANEW));
    }
    if position.fingerprint != fingerprint {
        let problem = "it belongs to a training with other pictures, votes or settings";
        return Err(VisionError::model(path, problem, ANEW));
    }
    Ok((tensors, position))
}

/// Whether there is a checkpoint of the training with this fingerprint.
pub(crate) fn is_of(path: &Path, fingerprint: &str) -> bool {
    read(path, fingerprint).is_ok()
}

/// The best weights in a checkpoint.
pub(crate) fn best_of(tensors: &Tensors) -> Tensors {
    let best = tensors.iter().filter_map(|(name, values)| Some((name.strip_prefix(BEST)?, values)));
    best.map(|(name, values)| (name.to_owned(), values.clone())).collect()
}
