//! From pictures to a model folder.

use std::path::Path;

use burn::module::Module as _;
use serde_json::json;

use crate::anomaly::gallery::{Gallery, Look, shown};
use crate::anomaly::lesson::{Lesson, alike};
use crate::anomaly::{Shape, Squash};
use crate::autoencoder::learner::Rebuilding;
use crate::autoencoder::model::{Config, Model};
use crate::autoencoder::network::Autoencoder;
use crate::autoencoder::settings::Settings;
pub use crate::confusion::CHECKPOINT;
use crate::device::Device;
use crate::error::VisionError;
use crate::folder::{FORMAT, FORMAT_VERSION, ModelKind};
use crate::training::{self, Begin, Course, Ended, History, Next, Progress, Split, fingerprint};
use crate::weights;

/// Whoever watches a training.
pub struct Watcher<'a> {
    /// Called after every batch.
    pub batch: &'a mut dyn FnMut(&Progress<'_>) -> Next,
    /// Called with pictures to look at.
    pub gallery: &'a mut dyn FnMut(&Gallery),
    /// Epochs between two galleries; there is one after the last epoch in any case, or of the best where it stopped
    /// early. 0 for none.
    pub gallery_every_epochs: usize,
}

/// What came of a training.
#[derive(Debug)]
pub struct Trained {
    /// The model; none where the training was stopped.
    pub model: Option<Model>,
    /// Who was learned from and who was not.
    pub split: Split,
    /// The losses.
    pub history: History,
    /// How it ended.
    pub ended: Ended,
    /// [`Model::explained_variance`] of the held-out part.
    pub explained_variance: Option<f64>,
    /// What is not as it should be, and what to do about it.
    pub warnings: Vec<String>,
}

/// Trains a model and writes it into `folder`: checkpoints on the way, then `history.csv`, `split.csv`, the weights
/// and the configuration. Same lesson, settings and device: same weights, bit by bit, also where the training was
/// killed and gone on with.
///
/// # Errors
///
/// [`VisionError`]: impossible settings or pictures; a loss that is no number (the last checkpoint is kept); a
/// folder that holds another training.
pub fn train(
    lesson: &Lesson<'_>,
    settings: &Settings,
    device: Device,
    folder: &Path,
    begin: Begin,
    watcher: &mut Watcher<'_>,
) -> Result<Trained, VisionError> {
    let Settings { filters, latents, residual, plan, seed, .. } = settings;
    let shape = Shape::new(lesson.check()?, *filters, *latents, *residual);
    settings.check(&shape)?;
    let device = device.open()?;
    let stop_share = plan.patience.map_or(0.0, |_| settings.stop_share);
    let split = Split::new(&lesson.groups(), settings.held_out_share, stop_share, *seed)?;
    let checkpoint = folder.join(CHECKPOINT);
    training::begin(begin, folder, &[&checkpoint])?;
    let mut warnings: Vec<String> = alike(lesson.pixels, &split.train)?.into_iter().collect();
    // How long is left out, so that a training can be made longer; the rest decides the weights of an epoch.
    let of_all = json!({
        "kind": ModelKind::Autoencoder, "shape": shape, "squash": settings.squash,
        "distance": settings.distance, "augment": settings.augment, "batch_size": plan.batch_size,
        "descent": plan.descent, "held_out_share": settings.held_out_share,
        "stop_share": plan.patience.map(|_| stop_share), "seed": seed, "groups": lesson.groups,
        "subject_ids": lesson.subject_ids, "preprocessing": lesson.preprocessing,
    });
    let print = fingerprint(&of_all, lesson.pixels)?;
    let course = Course {
        plan,
        split: &split,
        seed: *seed,
        checkpoint: &checkpoint,
        fingerprint: &print,
        resume: begin == Begin::Resume,
    };
    let every_epochs = watcher.gallery_every_epochs;
    let look = Look { every_epochs, last_epoch: plan.epochs, watch: &mut *watcher.gallery };
    let mut learner = Rebuilding::new(lesson.pixels, &shape, settings, &device, shown(&split), look);
    let (history, ended) = training::run(&mut learner, &course, &mut *watcher.batch)?;
    if ended == Ended::Asked {
        return Ok(Trained { model: None, split, history, ended, explained_variance: None, warnings });
    }
    if let Ended::Early { best_epoch } = ended
        && every_epochs > 0
    {
        learner.show(best_epoch)?;
    }
    let config = Config {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        kind: ModelKind::Autoencoder,
        volary: env!("CARGO_PKG_VERSION").to_owned(),
        shape,
        settings: settings.clone(),
        preprocessing: lesson.preprocessing.clone(),
        n_train: split.train.len(),
        n_stop: split.stop.len(),
        n_held_out: split.held_out.len(),
        n_epochs: history.epochs.len(),
        ended,
    };
    let model = Model::new(config, learner.into_network(), device);
    let explained_variance =
        model.explained_variance(lesson.pixels, &split.train, &split.held_out, plan.batch_size)?;
    warnings.extend(explained_variance.and_then(learned_little));
    weights::write_whole(&folder.join("history.csv"), history.csv().as_bytes())?;
    weights::write_whole(&folder.join("split.csv"), split.csv(lesson.subject_ids).as_bytes())?;
    model.save(folder)?;
    Ok(Trained { model: Some(model), split, history, ended, explained_variance, warnings })
}

/// A warning where a network rebuilds hardly more than the mean picture: its scores say how far a picture is from
/// that, and nothing else.
fn learned_little(explained_variance: f64) -> Option<String> {
    const LEAST: f64 = 0.1;
    (explained_variance < LEAST).then(|| {
        format!(
            "the network rebuilds little more than the mean picture (it explains {:.0} % of what differs between \
             held-out pictures); go on with --resume and more --epochs, or begin with --fresh and a higher --rate \
             or a smaller --batch",
            100.0 * explained_variance
        )
    })
}

/// The numbers of weights of encoder and decoder of a shape.
///
/// # Errors
///
/// [`VisionError::Setting`] where no network has this shape.
pub fn n_weights(shape: &Shape) -> Result<usize, VisionError> {
    shape.check()?;
    let device = Device::Cpu.open()?;
    let mut rng = volary_core::seed::stream(0, "");
    Ok(Autoencoder::new(shape, Squash::None, &mut rng, &device).num_params())
}
