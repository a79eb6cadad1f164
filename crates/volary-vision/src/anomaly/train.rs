//! From pictures to a model folder: generator and critic first, then the encoder.

use std::path::Path;

use serde_json::json;

use crate::anomaly::adversaries::Adversaries;
use crate::anomaly::encoding::Encoding;
use crate::anomaly::gallery::{Gallery, Look, shown};
use crate::anomaly::lesson::{Lesson, alike};
use crate::anomaly::model::{Config, Model};
use crate::anomaly::network::Networks;
use crate::anomaly::settings::{Settings, Shape};
use crate::device::Device;
use crate::error::VisionError;
use crate::training::{
    self, Begin, Course, Ended, History, Next, Progress, Split, checkpoint, fingerprint,
};
use crate::weights;

/// The files of checkpoints in a model folder: of generator and critic, and of the encoder.
pub const CHECKPOINTS: [&str; 2] =
    ["checkpoint-adversaries.safetensors", "checkpoint-encoder.safetensors"];

/// The two parts of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Generator and critic.
    Adversaries,
    /// The encoder.
    Encoder,
}

/// Whoever watches a training.
pub struct Watcher<'a> {
    /// Called after every batch.
    pub batch: &'a mut dyn FnMut(Stage, &Progress<'_>) -> Next,
    /// Called with pictures to look at.
    pub gallery: &'a mut dyn FnMut(&Gallery),
    /// Epochs between two galleries; there is one after the last epoch in any case. 0 for none.
    pub gallery_every_epochs: usize,
}

/// What came of a training.
#[derive(Debug)]
pub struct Trained {
    /// The model; none where the training was stopped.
    pub model: Option<Model>,
    /// Who was learned from and who was not.
    pub split: Split,
    /// The losses of generator and critic.
    pub adversaries: History,
    /// Those of the encoder; none where the training was stopped before it.
    pub encoder: Option<History>,
    /// What is not as it should be, and what to do about it.
    pub warnings: Vec<String>,
}

/// Trains a model and writes it into `folder`: checkpoints on the way, then `adversaries.csv`, `history.csv`,
/// `split.csv`, the weights and the configuration. Same lesson, settings and device: same weights, bit by bit,
/// also where the training was killed and gone on with.
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
    let shape = check(lesson, settings)?;
    let device = device.open()?;
    let split = Split::new(&lesson.groups(), settings.held_out_share, 0.0, settings.seed)?;
    let [of_adversaries, of_encoder] = CHECKPOINTS.map(|name| folder.join(name));
    training::begin(begin, folder, &[&of_adversaries, &of_encoder])?;
    let mut warnings: Vec<String> = alike(lesson.pixels, &split.train)?.into_iter().collect();
    let every_epochs = watcher.gallery_every_epochs;

    // How long is left out, so that a training can be made longer; the rest decides the weights of an epoch.
    let plan = &settings.adversaries;
    let of_all = json!({
        "shape": shape, "noise_sd": settings.noise_sd, "penalty": settings.losses.penalty,
        "critic_steps": settings.losses.critic_steps, "augment": settings.augment,
        "batch_size": plan.batch_size, "descent": plan.descent, "held_out_share": settings.held_out_share,
        "seed": settings.seed, "groups": lesson.groups, "subject_ids": lesson.subject_ids,
        "preprocessing": lesson.preprocessing,
    });
    let course = |plan, checkpoint, fingerprint| Course {
        plan,
        split: &split,
        seed: settings.seed,
        checkpoint,
        fingerprint,
        resume: begin == Begin::Resume,
    };
    let print = fingerprint(&of_all, lesson.pixels)?;
    let mut look = Look { every_epochs, last_epoch: plan.epochs, watch: &mut *watcher.gallery };
    let mut learner = Adversaries::new(lesson.pixels, &shape, settings, &device, look.again());
    let mut watch = |p: &Progress<'_>| (watcher.batch)(Stage::Adversaries, p);
    let (adversaries, ended) =
        training::run(&mut learner, &course(plan, &of_adversaries, &print), &mut watch)?;
    warnings.extend(self::warnings(&adversaries));
    if ended == Ended::Asked {
        return Ok(Trained { model: None, split, adversaries, encoder: None, warnings });
    }
    let (generator, critic) = learner.into_networks();

    let plan = &settings.encoder;
    let of_encoder_too = json!({
        "before": print, "epochs": settings.adversaries.epochs, "schedule": settings.adversaries.schedule,
        "weights": settings.losses.weights, "distance": settings.losses.distance,
        "squash": settings.squash, "batch_size": plan.batch_size, "descent": plan.descent,
    });
    let print = fingerprint(&of_encoder_too, lesson.pixels)?;
    if of_encoder.exists() && !checkpoint::is_of(&of_encoder, &print) {
        // It was learned beside other adversaries and is of no use beside these.
        std::fs::remove_file(&of_encoder).map_err(|e| VisionError::io("removing", &of_encoder, e))?;
        warnings.push(
            "the encoder began anew, since generator, critic or its own settings are others than before"
                .to_owned(),
        );
    }
    look.last_epoch = plan.epochs;
    let mut learner = Encoding::new(
        lesson.pixels,
        &shape,
        settings,
        (generator.clone(), critic.clone()),
        &device,
        shown(&split),
        look.again(),
    )?;
    let mut watch = |p: &Progress<'_>| (watcher.batch)(Stage::Encoder, p);
    let (encoder, ended) = training::run(&mut learner, &course(plan, &of_encoder, &print), &mut watch)?;
    if ended == Ended::Asked {
        return Ok(Trained { model: None, split, adversaries, encoder: Some(encoder), warnings });
    }
    let config = Config::new(
        shape.clone(),
        settings.clone(),
        lesson.preprocessing.clone(),
        [split.train.len(), split.held_out.len()],
        [adversaries.epochs.len(), encoder.epochs.len()],
    );
    let networks = Networks { generator, critic, encoder: learner.into_encoder() };
    let model = Model::new(config, networks, device);
    for (name, history) in [("adversaries.csv", &adversaries), ("history.csv", &encoder)] {
        weights::write_whole(&folder.join(name), history.csv().as_bytes())?;
    }
    weights::write_whole(&folder.join("split.csv"), split.csv(lesson.subject_ids).as_bytes())?;
    model.save(folder)?;
    Ok(Trained { model: Some(model), split, adversaries, encoder: Some(encoder), warnings })
}

fn check(lesson: &Lesson<'_>, settings: &Settings) -> Result<Shape, VisionError> {
    let Settings { filters, latents, residual, .. } = *settings;
    let shape = Shape::new(lesson.check()?, filters, latents, residual);
    settings.check(&shape)?;
    Ok(shape)
}

/// What is wrong with the last epoch of generator and critic: they diverge, or what is made is all alike.
#[must_use]
pub fn warnings(history: &History) -> Vec<String> {
    /// Of the differences between real pictures.
    const LEAST_VARIETY: f64 = 0.1;
    /// A slope of 3 where 1 is wanted.
    const LARGEST_PENALTY: f64 = 4.0;
    let Some(last) = history.epochs.last() else { return Vec::new() };
    let of = |term: &str| {
        let at = history.terms.iter().position(|name| name == term)?;
        last.train.get(at).copied()
    };
    let mut found = Vec::new();
    if let Some(variety) = of("variety").filter(|variety| *variety < LEAST_VARIETY) {
        found.push(format!(
            "epoch {}: the generator makes nearly the same picture every time (its pictures differ {:.0} % as much \
             as real ones); begin with --fresh and more --critic-steps or a higher --penalty, or train longer",
            last.epoch,
            100.0 * variety
        ));
    }
    if let Some(penalty) = of("penalty").filter(|penalty| *penalty > LARGEST_PENALTY) {
        found.push(format!(
            "epoch {}: the critic's slope is far from 1 (penalty {penalty:.1}), and what it says has no scale; go \
             on with --resume and a lower --rate, or begin with --fresh and a higher --penalty",
            last.epoch
        ));
    }
    found
}

/// The numbers of weights of generator, critic and encoder of a shape.
///
/// # Errors
///
/// [`VisionError::Setting`] where no network has this shape.
pub fn n_weights(shape: &Shape) -> Result<[usize; 3], VisionError> {
    use burn::module::Module as _;
    shape.check()?;
    let device = Device::Cpu.open()?;
    let mut rng = volary_core::seed::stream(0, "");
    let squash = crate::anomaly::settings::Squash::None;
    let Networks { generator, critic, encoder } = Networks::new(shape, squash, &mut rng, &device);
    Ok([generator.num_params(), critic.num_params(), encoder.num_params()])
}
