//! From pictures and labels to a model folder.

use std::path::Path;

use crate::classifier::calibration::{Calibration, logit};
use crate::classifier::learner::{ClassifierLearner, Targets};
use crate::classifier::model::{Config, Model};
use crate::classifier::score::Scoring;
use crate::classifier::settings::{Settings, Shape};
use crate::confusion::{CHECKPOINT, Lesson};
use crate::device::Device;
use crate::error::VisionError;
use crate::folder::{FORMAT, FORMAT_VERSION, ModelKind};
use crate::training::{self, Begin, Course, Ended, History, Next, Progress, Split};
use crate::weights;

/// What came of a training.
#[derive(Debug)]
pub struct Trained {
    /// The model; not written as `config.json` where the training was stopped.
    pub model: Model,
    /// Who was learned from, calibrated by, and not looked at.
    pub split: Split,
    /// The losses.
    pub history: History,
    /// How it ended.
    pub ended: Ended,
}

/// Trains a classifier and writes it into `folder`, as [`crate::confusion::train`] does. Same lesson, settings
/// and device: same weights, bit by bit, also where the training was killed and gone on with.
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
    check_lengths(lesson)?;
    let pixels = lesson.pixels.shape();
    let shape = Shape {
        channels: pixels.channels,
        height: pixels.height,
        width: pixels.width,
        n_classes: lesson.labels.classes().len(),
        filters: settings.filters,
        dense: settings.dense,
    };
    settings.check(&shape)?;
    let device = device.open()?;
    let groups: Vec<&str> = lesson.groups.iter().map(String::as_str).collect();
    let split = Split::new(&groups, settings.held_out_share, settings.stop_share, settings.seed)?;
    let labels_blake3 = lesson.labels.hash(lesson.subject_ids);
    let plan = &settings.plan;
    // How many epochs there are and how the rate falls may be changed on the way.
    let depends_on = serde_json::json!({
        "kind": ModelKind::Classifier,
        "shape": shape,
        "dropout": settings.dropout,
        "penalty": settings.penalty,
        "balance": settings.balance,
        "hard": settings.hard,
        "augment": settings.augment,
        "batch_size": plan.batch_size,
        "descent": plan.descent,
        "held_out_share": settings.held_out_share,
        "stop_share": settings.stop_share,
        "seed": settings.seed,
        "labels": labels_blake3,
        "groups": lesson.groups,
        "subject_ids": lesson.subject_ids,
        "preprocessing": lesson.preprocessing,
    });
    let fingerprint = training::fingerprint(&depends_on, lesson.pixels)?;
    let checkpoint = folder.join(CHECKPOINT);
    training::begin(begin, folder, &[&checkpoint])?;
    let targets = Targets::of(lesson.labels, settings.hard);
    let mut learner =
        ClassifierLearner::new(lesson.pixels, &targets, &split.train, &shape, settings, &device);
    let course = Course {
        plan,
        split: &split,
        seed: settings.seed,
        checkpoint: &checkpoint,
        fingerprint: &fingerprint,
        resume: begin == Begin::Resume,
    };
    let (history, ended) = training::run(&mut learner, &course, watch)?;
    let network = learner.into_network();
    let n_classes = shape.n_classes;
    let config = Config {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        kind: ModelKind::Classifier,
        volary: env!("CARGO_PKG_VERSION").to_owned(),
        shape,
        classes: lesson.labels.classes().to_vec(),
        unchosen: lesson.unchosen.to_vec(),
        settings: settings.clone(),
        preprocessing: lesson.preprocessing.clone(),
        labels_blake3,
        calibration: vec![None; n_classes],
        n_train: split.train.len(),
        n_stop: split.stop.len(),
        n_held_out: split.held_out.len(),
        n_epochs: history.epochs.len(),
        ended,
    };
    let mut model = Model { config, network, device };
    if ended != Ended::Asked {
        model.config.calibration = calibrations(&model, lesson, &targets, &split.stop)?;
        weights::write_whole(&folder.join("history.csv"), history.csv().as_bytes())?;
        weights::write_whole(&folder.join("split.csv"), split.csv(lesson.subject_ids).as_bytes())?;
        model.save(folder)?;
    }
    Ok(Trained { model, split, history, ended })
}

/// One subject, one group and one row of votes a picture.
fn check_lengths(lesson: &Lesson<'_>) -> Result<(), VisionError> {
    let n = lesson.pixels.count();
    let lengths = [lesson.subject_ids.len(), lesson.groups.len(), lesson.labels.n()];
    if lengths != [n; 3] {
        let [ids, groups, labels] = lengths;
        return Err(VisionError::Labels(format!(
            "there are {n} pictures, {ids} subjects, {groups} groups and {labels} rows of labels; give one of each \
             a picture"
        )));
    }
    Ok(())
}

/// Of each class, by the part to stop by.
fn calibrations(
    model: &Model,
    lesson: &Lesson<'_>,
    targets: &Targets,
    rows: &[usize],
) -> Result<Vec<Option<Calibration>>, VisionError> {
    let scoring = Scoring { batch_size: model.config.settings.plan.batch_size, ..Scoring::default() };
    let passes = model.passes(lesson.pixels, rows, &scoring, &mut |_| true)?;
    let of_class = |class: usize| {
        let logits: Vec<f64> = (0..rows.len()).map(|row| logit(passes.mean(row, class))).collect();
        let shares: Vec<f64> = rows.iter().map(|row| f64::from(targets.row(*row)[class])).collect();
        Calibration::fit(&logits, &shares)
    };
    Ok((0..model.config.classes.len()).map(of_class).collect())
}
