//! The autoencoder from outside: it rebuilds what it learned and no more, repeats, goes on where it was killed, stops
//! where nothing gets better, and says what is wrong.

use std::path::Path;

use rand::RngExt as _;
use serde_json::Value;
use volary_core::{PixelShape, Pixels as _, PixelsInMemory};
use volary_vision::autoencoder::{
    Begin, CHECKPOINT, Distance, Gallery, GalleryKind, Lesson, Model, Settings, Shape, Squash, Trained,
    Watcher, n_weights, train,
};
use volary_vision::training::{Ended, Next, Progress};
use volary_vision::{Augment, Device, ModelKind, VisionError, model_kind};

use crate::oddities::{SHAPE, auc, bytes, pictures};

/// A network that learns in seconds.
fn tiny(epochs: usize) -> Settings {
    let mut settings = Settings { filters: 4, latents: 4, held_out_share: 0.2, ..Settings::default() };
    settings.plan.epochs = epochs;
    settings.plan.batch_size = 16;
    settings.plan.schedule.rate = 4e-3;
    settings.plan.checkpoint_every_epochs = 2;
    settings
}

fn learn(
    pixels: &PixelsInMemory,
    settings: &Settings,
    folder: &Path,
    begin: Begin,
    watch: &mut dyn FnMut(&Progress<'_>) -> Next,
) -> Result<Trained, VisionError> {
    let ids: Vec<String> = (0..pixels.count()).map(|i| format!("s{i}")).collect();
    let lesson = Lesson { pixels, subject_ids: &ids, groups: &ids, preprocessing: &Value::Null };
    let mut watcher = Watcher { batch: watch, gallery: &mut |_| {}, gallery_every_epochs: 0 };
    train(&lesson, settings, Device::Cpu, folder, begin, &mut watcher)
}

fn to_the_end(pixels: &PixelsInMemory, settings: &Settings, folder: &Path) -> Trained {
    learn(pixels, settings, folder, Begin::New, &mut |_| Next::GoOn).unwrap()
}

fn rows(n: usize) -> Vec<usize> {
    (0..n).collect()
}

/// Pictures that two numbers say all of: a grey, plus so much of one wave and so much of another. With `is_odd`, a
/// third wave that no ordinary picture has, of the same strength.
fn waves(n: usize, is_odd: bool, seed: u64) -> PixelsInMemory {
    let mut rng = volary_core::seed::stream(seed, "waves");
    let mut values = Vec::new();
    for _ in 0..n {
        let [a, b] = [rng.random_range(-0.15..0.15), rng.random_range(-0.15..0.15)];
        let third = if is_odd { 0.15 } else { 0.0 };
        for y in 0..SHAPE.height {
            for x in 0..SHAPE.width {
                let turn = |i: usize| std::f64::consts::TAU * i as f64 / SHAPE.width as f64;
                let light = a * turn(x).sin() + b * turn(y).cos() + third * turn(2 * x + y).sin();
                values.push((0.5 + light) as f32);
            }
        }
    }
    PixelsInMemory::new(SHAPE, values).unwrap()
}

#[test]
fn what_two_numbers_say_is_rebuilt_and_a_third_wave_is_left_over() {
    let pixels = waves(200, false, 1);
    let folder = tempfile::tempdir().unwrap();
    let trained = to_the_end(&pixels, &Settings { latents: 2, ..tiny(40) }, folder.path());
    assert!(trained.warnings.is_empty(), "{:?}", trained.warnings);
    // Noise-free pictures on a plane of two dimensions: nearly all of what differs is rebuilt.
    let explained = trained.explained_variance.unwrap();
    println!("explained: {explained:.4}");
    assert!(explained > 0.9, "{explained}");
    let model = trained.model.unwrap();
    let [odd, plain] = [true, false]
        .map(|is_odd| model.score(&waves(50, is_odd, 2), &rows(50), 16, &mut |_| true).unwrap().score);
    // The wave's own square, 256 × 0.15² / 2 = 2.88, is what such a network cannot rebuild.
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    println!("odd {:.3}, plain {:.3}", mean(&odd), mean(&plain));
    assert!(mean(&odd) > 0.5 * 2.88 && mean(&plain) < 0.2 * 2.88, "{odd:?} {plain:?}");
    assert_eq!(auc(&odd, &plain), 1.0);
}

#[test]
fn a_score_is_the_distance_from_what_is_rebuilt() {
    let pixels = pictures(30, false, 3);
    let folder = tempfile::tempdir().unwrap();
    for (distance, power) in [(Distance::Squares, 2), (Distance::Absolute, 1)] {
        let settings = Settings { distance, squash: Squash::Tanh3, residual: true, ..tiny(2) };
        let path = folder.path().join(distance.as_str());
        let trained = to_the_end(&pixels, &settings, &path);
        assert_eq!(model_kind(&path).unwrap(), ModelKind::Autoencoder);
        let model = Model::open(&path, Device::Cpu).unwrap();
        let scores = model.score(&pixels, &rows(30), 7, &mut |_| true).unwrap();
        assert_eq!((scores.n_latents, scores.embedding.len()), (4, 120));
        assert!(scores.embedding.iter().all(|z| z.abs() < 3.0));
        let rebuilt = model.rebuild(&pixels, &rows(30)).unwrap();
        let mut shown = vec![0.0; 256];
        let mut mean = vec![0.0; 256];
        for row in &trained.split.train {
            pixels.read(*row, &mut shown).unwrap();
            mean.iter_mut().zip(&shown).for_each(|(m, v)| *m += f64::from(*v) / 24.0);
        }
        let (mut left, mut all) = (0.0, 0.0);
        for (row, (score, rebuilt)) in scores.score.iter().zip(rebuilt.chunks_exact(256)).enumerate() {
            pixels.read(row, &mut shown).unwrap();
            let far = |power: i32| -> f64 {
                shown.iter().zip(rebuilt).map(|(a, b)| f64::from(a - b).abs().powi(power)).sum()
            };
            assert!((score - far(power)).abs() < 1e-4 * score, "{score} and {}", far(power));
            if trained.split.held_out.contains(&row) {
                left += far(2);
                all += shown.iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m).powi(2)).sum::<f64>();
            }
        }
        let explained = trained.explained_variance.unwrap();
        assert!((explained - (1.0 - left / all)).abs() < 1e-6, "{explained} and {}", 1.0 - left / all);
        // Two epochs teach nothing, and that is said.
        assert!(explained > 0.1 || trained.warnings[0].contains("little more than the mean picture"));
        // The loss of the last epoch on what was held out is the mean of its scores.
        let held_out = &trained.split.held_out;
        let mean = held_out.iter().map(|row| scores.score[*row]).sum::<f64>() / held_out.len() as f64;
        let loss = trained.history.epochs[1].unseen[0];
        assert!((loss - mean).abs() < 1e-4 * loss, "{loss} and {mean}");
    }
}

#[test]
fn a_training_that_was_stopped_anywhere_ends_with_the_same_bytes() {
    let pixels = pictures(40, false, 1);
    let settings = Settings { augment: Augment::Turns, residual: true, ..tiny(4) };
    let folder = tempfile::tempdir().unwrap();
    let straight = folder.path().join("straight");
    to_the_end(&pixels, &settings, &straight);
    for stops in [vec![1], vec![5], vec![3, 2]] {
        let path = folder.path().join(format!("{stops:?}"));
        for n in &stops {
            let watch = &mut |p: &Progress<'_>| if p.n_done == *n { Next::Stop } else { Next::GoOn };
            let stopped = learn(&pixels, &settings, &path, Begin::Resume, watch).unwrap();
            assert!(stopped.model.is_none() && !path.join("config.json").exists());
        }
        learn(&pixels, &settings, &path, Begin::Resume, &mut |_| Next::GoOn).unwrap();
        for name in ["weights.safetensors", "history.csv", "split.csv", "config.json", CHECKPOINT] {
            assert!(bytes(&straight, name) == bytes(&path, name), "{stops:?}: {name}");
        }
    }
    // Made longer, it is the long one.
    let [longer, long] = [Settings { plan: tiny(6).plan, ..settings.clone() }, settings.clone()];
    learn(&pixels, &longer, &straight, Begin::Resume, &mut |_| Next::GoOn).unwrap();
    let at_once = folder.path().join("at once");
    to_the_end(&pixels, &longer, &at_once);
    assert!(bytes(&straight, "weights.safetensors") == bytes(&at_once, "weights.safetensors"));
    let error = learn(&pixels, &long, &straight, Begin::New, &mut |_| Next::GoOn).unwrap_err();
    assert!(error.to_string().contains("go on with it with --resume"), "{error}");
    let other = Settings { latents: 5, ..longer };
    let error = learn(&pixels, &other, &straight, Begin::Resume, &mut |_| Next::GoOn).unwrap_err();
    assert!(error.to_string().contains("belongs to a training with other pictures"), "{error}");
}

#[test]
fn patience_keeps_the_best_weights_and_shows_them() {
    let pixels = pictures(40, false, 4);
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (0..40).map(|i| format!("s{i}")).collect();
    let lesson =
        Lesson { pixels: &pixels, subject_ids: &ids, groups: &ids, preprocessing: &Value::Null };
    // Steps this long throw the loss about.
    let mut settings = tiny(60);
    settings.plan.schedule.rate = 0.03;
    settings.plan.patience = Some(2);
    let mut galleries = Vec::new();
    let mut gallery = |g: &Gallery| galleries.push((g.kind, g.epoch, g.pictures.len()));
    let mut watcher =
        Watcher { batch: &mut |_| Next::GoOn, gallery: &mut gallery, gallery_every_epochs: 1000 };
    let path = folder.path().join("patient");
    let trained = train(&lesson, &settings, Device::Cpu, &path, Begin::New, &mut watcher).unwrap();
    let Ended::Early { best_epoch } = trained.ended else { panic!("{:?}", trained.ended) };
    let losses: Vec<f64> = trained.history.epochs.iter().map(|e| e.unseen[0]).collect();
    println!("best {best_epoch} of {}: {losses:?}", losses.len());
    assert!(losses.len() == best_epoch + 2 && losses.len() < 60, "{losses:?}");
    assert!(losses.iter().all(|loss| *loss >= losses[best_epoch - 1]));
    assert_eq!(galleries.last().unwrap(), &(GalleryKind::Rebuilt, best_epoch, 2 * 8 * 256));
    let config = trained.model.as_ref().unwrap().config();
    assert_eq!((config.n_train, config.n_stop, config.n_held_out), (28, 4, 8));
    // The weights are those of a training that ended at the best epoch.
    settings.plan.epochs = best_epoch;
    to_the_end(&pixels, &settings, &folder.path().join("short"));
    let [a, b] = [path, folder.path().join("short")].map(|path| bytes(&path, "weights.safetensors"));
    assert!(a == b, "other weights");
}

#[test]
fn what_was_never_learned_scores_higher() {
    let folder = tempfile::tempdir().unwrap();
    let trained = to_the_end(&pictures(200, false, 3), &tiny(20), folder.path());
    let model = trained.model.unwrap();
    let [odd, plain] = [true, false].map(|is_odd| {
        model.score(&pictures(50, is_odd, 9), &rows(50), 16, &mut |_| true).unwrap().score
    });
    let auc = auc(&odd, &plain);
    println!("{auc:.3}");
    assert!(auc > 0.9, "{auc}");
}

#[test]
fn black_pictures_three_of_them_and_other_sizes_are_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let black = PixelsInMemory::new(SHAPE, vec![0.0; 12 * 256]).unwrap();
    let trained = to_the_end(&black, &tiny(1), &folder.path().join("black"));
    assert!(trained.warnings[0].contains("all the same one"), "{:?}", trained.warnings);
    assert_eq!(trained.explained_variance, None);
    let three = pictures(3, false, 5);
    let trained = to_the_end(&three, &tiny(1), &folder.path().join("three"));
    let model = trained.model.unwrap();
    assert_eq!((model.config().n_train, model.config().n_held_out), (2, 1));
    let scores = model.score(&black, &[0, 1, 2], 2, &mut |_| true).unwrap();
    assert!(scores.score.iter().all(|s| s.is_finite()));
    let other = PixelsInMemory::new(PixelShape { channels: 3, ..SHAPE }, vec![0.5; 768]).unwrap();
    let error = model.score(&other, &[0], 1, &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("16 × 16 with 3 channels"), "{error}");
    let error = model.score(&black, &[0, 1, 2], 2, &mut |n| n < 2).unwrap_err();
    assert!(matches!(error, VisionError::Stopped));
    let watch = &mut |_: &Progress<'_>| Next::GoOn;
    let one = pictures(1, false, 5);
    let error = learn(&one, &tiny(1), &folder.path().join("one"), Begin::New, watch);
    assert!(matches!(error, Err(VisionError::TooFew { n: 1, .. })));
    // Steps of no sense: the checkpoint before them is kept.
    let path = folder.path().join("three");
    let good = bytes(&path, CHECKPOINT);
    let mut wild = tiny(40);
    wild.plan.schedule.rate = 1e30;
    let error = learn(&three, &wild, &path, Begin::Resume, watch).unwrap_err().to_string();
    assert!(
        error.contains("the checkpoint before it is kept in") && error.contains("--rate"),
        "{error}"
    );
    assert_eq!(bytes(&path, CHECKPOINT), good);
}

#[test]
fn impossible_settings_are_one_clear_error() {
    let pixels = pictures(8, false, 6);
    let folder = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut Settings), part: &str| {
        let mut settings = tiny(1);
        change(&mut settings);
        let error = learn(&pixels, &settings, folder.path(), Begin::New, &mut |_| Next::GoOn);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&|s| s.filters = 0, "filters is 0");
    refused(&|s| s.latents = 100_000, "latents is 100000");
    refused(&|s| s.plan.batch_size = 0, "batch size is 0");
    refused(&|s| s.plan.patience = Some(0), "patience is 0");
    refused(
        &|s| {
            s.plan.patience = Some(2);
            s.stop_share = 0.0;
        },
        "must not be judged by",
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let paper = Shape { channels: 3, height: 96, width: 96, filters: 64, latents: 128, residual: false };
    // The generator's weights and the encoder's (docs/src/anomaly.md).
    assert_eq!(n_weights(&paper).unwrap(), 6_683_779 + 6_665_984);
}
