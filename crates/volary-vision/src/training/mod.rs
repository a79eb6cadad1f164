//! The training loop: epochs of shuffled batches, checkpoints, early stopping, a guard against numbers that
//! are none. What is learned is a learner's business; any network that takes steps can be one.
//!
//! Everything drawn at random is a function of the seed, the epoch and the batch, so that there is no state
//! of a generator to keep: a run that was killed goes on from its checkpoint to the same weights, bit by
//! bit, as one that was not. No clock is read here; whoever watches knows the time and may ask for a
//! checkpoint or an end after any batch.

mod begin;
pub(crate) mod checkpoint;
pub(crate) mod optimizer;
mod schedule;
mod split;

use std::path::Path;

use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

pub use begin::Begin;
pub(crate) use begin::{begin, fingerprint};
pub use optimizer::{Descent, Rule};
pub use schedule::Schedule;
pub use split::Split;

use crate::error::VisionError;
use crate::training::checkpoint::{Best, Position};
use crate::weights::Tensors;

/// A batch of an epoch, both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: usize,
    pub(crate) batch: usize,
}

/// Something that learns from batches of pictures.
pub(crate) trait Learner {
    /// The names of its losses; the first is what it descends.
    fn terms(&self) -> &'static [&'static str];

    /// Learns from the pictures of `rows` and gives its losses on them, before the step. Where one of them
    /// is no number, no step is taken.
    fn step(&mut self, rows: &[usize], rate: f64, place: Place) -> Result<Vec<f64>, VisionError>;

    /// Its losses on the pictures of `rows`, in use and not in training; nothing random.
    fn judge(&self, rows: &[usize]) -> Result<Vec<f64>, VisionError>;

    /// What it does when an epoch, counted from 1, is done: show what it has learned, mostly nothing.
    fn end_epoch(&mut self, _epoch: usize) -> Result<(), VisionError> {
        Ok(())
    }

    /// All that it needs to go on: weights, moments.
    fn state(&self) -> Tensors;

    /// Goes back to a state, read from `path`.
    fn restore(&mut self, state: &Tensors, path: &Path) -> Result<(), VisionError>;

    /// The weights that are its result.
    fn weights(&self) -> Tensors;

    /// Takes weights that were its result in an earlier epoch.
    fn put_weights(&mut self, weights: &Tensors, path: &Path) -> Result<(), VisionError>;

    /// What to change where the loss `term` is no number.
    fn advice(&self, term: &str) -> String;
}

/// How long to train, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Times that every picture is learned from.
    pub epochs: usize,
    /// Pictures a step.
    pub batch_size: usize,
    /// The optimizer.
    pub descent: Descent,
    /// Its step length.
    pub schedule: Schedule,
    /// Epochs between checkpoints.
    pub checkpoint_every_epochs: usize,
    /// Stop after so many epochs without a better loss on the part to stop by, and keep the best weights.
    pub patience: Option<usize>,
}

impl Default for Plan {
    /// The published example: NAdam, 1e-4, a hundredth less every five epochs, 200 epochs of batches of 64.
    fn default() -> Self {
        Self {
            epochs: 200,
            batch_size: 64,
            descent: Descent::new(Rule::Nadam),
            schedule: Schedule { rate: 1e-4, decay: 0.99, every_epochs: 5 },
            checkpoint_every_epochs: 5,
            patience: None,
        }
    }
}

impl Plan {
    /// # Errors
    ///
    /// [`VisionError::Setting`] names the first setting that cannot be.
    pub(crate) fn check(&self) -> Result<(), VisionError> {
        let Descent { beta_1, beta_2, epsilon, .. } = self.descent;
        let Schedule { rate, decay, every_epochs } = self.schedule;
        let counts = [
            ("epochs", self.epochs),
            ("batch size", self.batch_size),
            ("epochs between checkpoints", self.checkpoint_every_epochs),
            ("epochs between steps of the learning rate", every_epochs),
            ("patience", self.patience.unwrap_or(1)),
        ];
        for (setting, n) in counts {
            if n == 0 {
                return Err(VisionError::setting(setting, n, "1 or more"));
            }
        }
        for (setting, value) in [("learning rate", rate), ("epsilon", epsilon)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(VisionError::setting(setting, value, "a number above 0"));
            }
        }
        if !(decay > 0.0 && decay <= 1.0) {
            return Err(VisionError::setting("decay", decay, "a factor above 0, up to 1"));
        }
        for (setting, beta) in [("beta 1", beta_1), ("beta 2", beta_2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(VisionError::setting(setting, beta, "a decay from 0 up to, not with, 1"));
            }
        }
        Ok(())
    }
}

/// The losses of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The step length.
    pub rate: f64,
    /// Mean over the pictures learned from, as they were met, in the order of [`History::terms`].
    pub train: Vec<f64>,
    /// Mean over the part to stop by, else the held-out part, after the epoch; empty where there is neither.
    pub unseen: Vec<f64>,
}

/// The losses of all epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What the losses are; the first is what is descended.
    pub terms: Vec<String>,
    /// The epochs in order.
    pub epochs: Vec<Epoch>,
}

impl History {
    /// The losses as a CSV table: `epoch,learning_rate,train_…,unseen_…`.
    #[must_use]
    pub fn csv(&self) -> String {
        let names = |part: &str| -> Vec<String> {
            self.terms.iter().map(|term| format!("{part}_{}", term.replace(' ', "_"))).collect()
        };
        let mut csv =
            format!("epoch,learning_rate,{},{}\n", names("train").join(","), names("unseen").join(","));
        for epoch in &self.epochs {
            let mut cells = vec![epoch.epoch.to_string(), epoch.rate.to_string()];
            cells.extend(epoch.train.iter().map(f64::to_string));
            let unseen = (0..self.terms.len())
                .map(|i| epoch.unseen.get(i).map_or_else(String::new, f64::to_string));
            cells.extend(unseen);
            csv.push_str(&cells.join(","));
            csv.push('\n');
        }
        csv
    }
}

/// How far a training is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Epoch under way, counted from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub n_epochs: usize,
    /// Batches of this epoch that are done.
    pub batch: usize,
    /// Batches of an epoch.
    pub n_batches: usize,
    /// Batches that this call has done.
    pub n_done: usize,
    /// Names of the losses.
    pub terms: &'static [&'static str],
    /// Mean losses of this epoch so far, in the order of `terms`.
    pub losses: &'a [f64],
    /// The epoch before.
    pub last: Option<&'a Epoch>,
}

/// What a watcher says after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    GoOn,
    /// Write a checkpoint, then go on.
    Checkpoint,
    /// Write a checkpoint, then end.
    Stop,
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All epochs are done.
    AllEpochs,
    /// Patience was over; the weights are those of `best_epoch`.
    Early {
        /// Counted from 1.
        best_epoch: usize,
    },
    /// The watcher said so; a checkpoint is where it was asked to be.
    Asked,
}

/// What a training is made of, apart from who learns.
pub(crate) struct Course<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) split: &'a Split,
    pub(crate) seed: u64,
    /// The file of checkpoints.
    pub(crate) checkpoint: &'a Path,
    /// What the training depends on, as a hash: a checkpoint of another is not gone on from.
    pub(crate) fingerprint: &'a str,
    /// Go on from the checkpoint, where there is one.
    pub(crate) resume: bool,
}

/// Trains.
///
/// # Errors
///
/// [`VisionError::NotFinite`] where a loss stops being a number (the checkpoint before is kept), and whatever
/// reading pictures or writing checkpoints gives.
pub(crate) fn run(
    learner: &mut dyn Learner,
    course: &Course<'_>,
    watch: &mut dyn FnMut(&Progress<'_>) -> Next,
) -> Result<(History, Ended), VisionError> {
    course.plan.check()?;
    let Course { plan, split, checkpoint, fingerprint, .. } = *course;
    let mut position = Position::start(fingerprint, learner.terms());
    let mut best = Tensors::new();
    if course.resume && checkpoint.exists() {
        let (state, at) = checkpoint::read(checkpoint, fingerprint)?;
        learner.restore(&state, checkpoint)?;
        best = checkpoint::best_of(&state);
        position = at;
    }
    let n_batches = split.train.len().div_ceil(plan.batch_size);
    let mut n_done = 0;
    while position.epoch < plan.epochs && !position.is_out_of_patience(plan.patience) {
        let order = shuffled(&split.train, course.seed, position.epoch);
        let rate = plan.schedule.rate_of(position.epoch);
        for (batch, rows) in order.chunks(plan.batch_size).enumerate().skip(position.batch) {
            let place = Place { epoch: position.epoch, batch };
            let losses = learner.step(rows, rate, place)?;
            guard(learner, &losses, place, checkpoint)?;
            position.add(&losses, rows.len());
            n_done += 1;
            let means = position.means();
            let next = watch(&Progress {
                epoch: position.epoch + 1,
                n_epochs: plan.epochs,
                batch: position.batch,
                n_batches,
                n_done,
                terms: learner.terms(),
                losses: &means,
                last: position.history.epochs.last(),
            });
            if next != Next::GoOn {
                checkpoint::write(checkpoint, learner, &position, &best)?;
            }
            if next == Next::Stop {
                return Ok((position.history, Ended::Asked));
            }
        }
        let unseen = if split.stop.is_empty() { &split.held_out } else { &split.stop };
        let losses = judged(learner, unseen, plan.batch_size)?;
        let place = Place { epoch: position.epoch, batch: n_batches.saturating_sub(1) };
        guard(learner, &losses, place, checkpoint)?;
        if plan.patience.is_some() && position.is_best(losses.first().copied()) {
            best = learner.weights();
            position.best = losses.first().map(|loss| Best { epoch: position.epoch + 1, loss: *loss });
        }
        position.end_epoch(rate, losses);
        learner.end_epoch(position.epoch)?;
        if position.is_saved(plan) {
            checkpoint::write(checkpoint, learner, &position, &best)?;
        }
    }
    // Out of patience between two checkpoints: whoever goes on from here finds it done.
    if n_done > 0 && !position.is_saved(plan) {
        checkpoint::write(checkpoint, learner, &position, &best)?;
    }
    let ended = match position.best {
        Some(Best { epoch: best_epoch, .. }) if plan.patience.is_some() => {
            learner.put_weights(&best, checkpoint)?;
            Ended::Early { best_epoch }
        }
        _ => Ended::AllEpochs,
    };
    Ok((position.history, ended))
}

/// The rows in the order of an epoch.
fn shuffled(rows: &[usize], seed: u64, epoch: usize) -> Vec<usize> {
    let mut order = rows.to_vec();
    order.shuffle(&mut volary_core::seed::stream(seed, &format!("order of epoch {epoch}")));
    order
}

/// Mean losses over rows; empty for no rows.
fn judged(learner: &dyn Learner, rows: &[usize], batch_size: usize) -> Result<Vec<f64>, VisionError> {
    let mut sums = Vec::new();
    for batch in rows.chunks(batch_size) {
        let losses = learner.judge(batch)?;
        sums.resize(losses.len(), 0.0);
        for (sum, loss) in sums.iter_mut().zip(losses) {
            *sum += loss * batch.len() as f64;
        }
    }
    Ok(sums.into_iter().map(|sum| sum / rows.len() as f64).collect())
}

fn guard(
    learner: &dyn Learner,
    losses: &[f64],
    place: Place,
    checkpoint: &Path,
) -> Result<(), VisionError> {
    let terms = learner.terms().iter().zip(losses);
    // The total is named last: it is no number because one of its parts is none.
    let Some((term, value)) =
        terms.skip(1).chain(learner.terms().iter().zip(losses).take(1)).find(|(_, v)| !v.is_finite())
    else {
        return Ok(());
    };
    let kept = if checkpoint.exists() {
        format!("the checkpoint before it is kept in {}", checkpoint.display())
    } else {
        "no checkpoint had been written yet".to_owned()
    };
    Err(VisionError::NotFinite {
        term: (*term).to_owned(),
        value: *value,
        epoch: place.epoch + 1,
        batch: place.batch + 1,
        kept,
        advice: learner.advice(term),
    })
}
