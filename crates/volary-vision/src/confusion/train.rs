//! From pictures and votes to a model folder.

use std::path::Path;

use burn::module::Module as _;
use serde::Serialize;
use serde_json::Value;
use volary_core::Pixels;

use crate::confusion::labels::Labels;
use crate::confusion::latents::LatentReport;
use crate::confusion::learner::ConfusionLearner;
use crate::confusion::levels::{self, Levels};
use crate::confusion::model::{Config, Model};
use crate::confusion::score::Scoring;
use crate::confusion::settings::{Likelihood, Settings, Shape};
use crate::confusion::spread;
use crate::device::Device;
use crate::error::VisionError;
use crate::training::{self, Begin, Course, Ended, History, Next, Progress, Split};
use crate::weights;

/// The file of checkpoints in a model folder.
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// What to learn from: pictures, and for each of them its subject, its group and its votes.
#[derive(Clone, Copy)]
pub struct Lesson<'a> {
    /// The pictures.
    pub pixels: &'a dyn Pixels,
    /// The subject of each.
    pub subject_ids: &'a [String],
    /// The group of each: pictures of one group are all learned from, or all judged by. The subjects, where
    /// nothing else is known.
    pub groups: &'a [String],
    /// The votes of each.
    pub labels: &'a Labels,
    /// Classes that were left out because nobody chose them.
    pub unchosen: &'a [String],
    /// What was done to the pictures; kept with the model, for whoever scores.
    pub preprocessing: &'a Value,
}

/// What came of a training.
#[derive(Debug)]
pub struct Trained {
    /// The model; not written as `config.json` where the training was stopped.
    pub model: Model,
    /// Who was learned from and who was not.
    pub split: Split,
    /// The losses.
    pub history: History,
    /// How it ended.
    pub ended: Ended,
    /// What the latent numbers are used for.
    pub latents: LatentReport,
    /// How far intervals can be believed, where votes were counted.
    pub coverage: Option<Coverage>,
}

/// How many of the held-out fractions lie in their interval, the intervals of one half being drawn at the levels that
/// the other half asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// The share that does.
    pub share: f64,
    /// The share that should.
    pub confidence: f64,
}

/// Trains a model and writes it into `folder`: checkpoints on the way, then `history.csv`, `split.csv`, the
/// weights and the configuration. Same lesson, settings and device: same weights, bit by bit, also where the
/// training was killed and gone on with. `watch` is called after every batch.
///
/// # Errors
///
/// [`VisionError`]: impossible settings, labels or pictures; a loss that is no number (the last checkpoint is
/// kept); a folder that holds another training.
pub fn train(
    lesson: &Lesson<'_>,
    settings: &Settings,
    device: Device,
    folder: &Path,
    begin: Begin,
    watch: &mut dyn FnMut(&Progress<'_>) -> Next,
) -> Result<Trained, VisionError> {
    let shape = check(lesson, settings)?;
    let device = device.open()?;
    let groups: Vec<&str> = lesson.groups.iter().map(String::as_str).collect();
    let stop_share = settings.plan.patience.map_or(0.0, |_| settings.stop_share);
    let split = Split::new(&groups, settings.held_out_share, stop_share, settings.seed)?;
    let labels_blake3 = lesson.labels.hash(lesson.subject_ids);
    let fingerprint = fingerprint(lesson, settings, &shape, &labels_blake3)?;
    let checkpoint = folder.join(CHECKPOINT);
    training::begin(begin, folder, &[&checkpoint])?;
    let votes = split.train.iter().filter_map(|row| lesson.labels.n_seen(*row));
    let mean_n_seen = votes.map(f64::from).sum::<f64>() / split.train.len() as f64;
    let mut learner =
        ConfusionLearner::new(lesson.pixels, lesson.labels, mean_n_seen, &shape, settings, &device);
    let course = Course {
        plan: &settings.plan,
        split: &split,
        seed: settings.seed,
        checkpoint: &checkpoint,
        fingerprint: &fingerprint,
        resume: begin == Begin::Resume,
    };
    let (history, ended) = training::run(&mut learner, &course, watch)?;
    let config = Config::new(
        shape,
        lesson.labels.classes().to_vec(),
        lesson.unchosen.to_vec(),
        settings.clone(),
        lesson.preprocessing.clone(),
        labels_blake3,
        lesson.labels.typical_n_seen(),
        [split.train.len(), split.stop.len(), split.held_out.len()],
        history.epochs.len(),
        ended,
    );
    let model = Model::new(config, learner.into_network(), device);
    let batch_size = settings.plan.batch_size;
    let (held_out, n_classes) = (&split.held_out, lesson.labels.classes().len());
    let is_independent = settings.losses.likelihood != Likelihood::Dirichlet;
    let (extra_sd, needed) = if is_independent {
        let cells = spread::cells(&model, lesson.pixels, lesson.labels, held_out, batch_size)?;
        let extra = cells.as_deref().and_then(spread::fit);
        (extra, cells.map(|cells| spread::needed(&cells, extra.unwrap_or(0.0))))
    } else {
        (None, model.exclusive_needed(lesson.pixels, lesson.labels, held_out, batch_size)?)
    };
    let confidence = Scoring::default().confidence;
    let share = needed.as_deref().and_then(|needed| levels::coverage(needed, n_classes, confidence));
    let coverage = share.map(|share| Coverage { share, confidence });
    let levels = needed.as_deref().map(Levels::of);
    let model = model.with_extra_logit_sd(extra_sd).with_levels(levels);
    let latents = LatentReport::of(&model, lesson.pixels, &split.train, batch_size)?;
    if ended != Ended::Asked {
        weights::write_whole(&folder.join("history.csv"), history.csv().as_bytes())?;
        weights::write_whole(&folder.join("split.csv"), split.csv(lesson.subject_ids).as_bytes())?;
        model.save(folder)?;
    }
    Ok(Trained { model, split, history, ended, latents, coverage })
}

fn check(lesson: &Lesson<'_>, settings: &Settings) -> Result<Shape, VisionError> {
    let n = lesson.pixels.count();
    let lengths = [lesson.subject_ids.len(), lesson.groups.len(), lesson.labels.n()];
    if lengths != [n; 3] {
        let [ids, groups, labels] = lengths;
        return Err(VisionError::Labels(format!(
            "there are {n} pictures, {ids} subjects, {groups} groups and {labels} rows of votes; give one of each \
             a picture"
        )));
    }
    let pixels = lesson.pixels.shape();
    let shape = Shape {
        channels: pixels.channels,
        height: pixels.height,
        width: pixels.width,
        n_classes: lesson.labels.classes().len(),
        filters: settings.filters,
        hidden: settings.hidden.clone(),
    };
    shape.check()?;
    settings.losses.check(&shape)?;
    settings.plan.check()?;
    settings.augment.check(shape.height, shape.width)?;
    lesson.labels.check(settings.losses.likelihood)?;
    if settings.plan.patience.is_some() && settings.stop_share <= 0.0 {
        return Err(VisionError::setting(
            "stop share",
            settings.stop_share,
            "a share above 0 with patience: what is stopped by must not be judged by",
        ));
    }
    Ok(shape)
}

/// A hash of all that the weights of an epoch depend on. How many epochs there are and how the rate falls
/// are left out, so that a training can be made longer, or gone on with at a lower rate.
fn fingerprint(
    lesson: &Lesson<'_>,
    settings: &Settings,
    shape: &Shape,
    labels: &str,
) -> Result<String, VisionError> {
    let plan = &settings.plan;
    let text = serde_json::json!({
        "shape": shape,
        "losses": settings.losses,
        "augment": settings.augment,
        "batch_size": plan.batch_size,
        "descent": plan.descent,
        "held_out_share": settings.held_out_share,
        "stop_share": plan.patience.map(|_| settings.stop_share),
        "seed": settings.seed,
        "labels": labels,
        "groups": lesson.groups,
        "subject_ids": lesson.subject_ids,
        "preprocessing": lesson.preprocessing,
    });
    training::fingerprint(&text, lesson.pixels)
}

/// The numbers of weights of encoder, decoder and classifier of a shape.
///
/// # Errors
///
/// [`VisionError::Setting`] where no network has this shape.
pub fn n_weights(shape: &Shape) -> Result<[usize; 3], VisionError> {
    shape.check()?;
    let device = Device::Cpu.open()?;
    let mut rng = volary_core::seed::stream(0, "");
    let network = crate::confusion::network::Network::new(shape, &mut rng, &device);
    let parts = (&network.encoder, &network.decoder, &network.classifier);
    Ok([parts.0.num_params(), parts.1.num_params(), parts.2.num_params()])
}
