//! The classifier: what was planted is found, probabilities are worth what they say, a training repeats.

use std::path::Path;

use rand::RngExt as _;
use serde_json::Value;
use volary_core::{PixelShape, PixelsInMemory};
use volary_vision::classifier::{Balance, Dropout, Model, Scoring, Settings, Trained, train};
use volary_vision::confusion::{Begin, Labels, Lesson};
use volary_vision::training::{Descent, Ended, Next, Plan, Rule, Schedule};
use volary_vision::{Device, ModelKind, VisionError, model_kind};

struct World {
    pixels: PixelsInMemory,
    labels: Labels,
    ids: Vec<String>,
    is_real: Vec<bool>,
}

const SIDE: usize = 24;

/// `n` cutouts in two channels, of which one in `one_in` is real: a spot in both channels. The others have it in
/// one of them, or nowhere.
fn world(n: usize, one_in: u32, seed: u64) -> World {
    let mut rng = volary_core::seed::stream(seed, "world");
    let (mut values, mut shares, mut is_real) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n {
        let real = rng.random_range(0..one_in) == 0;
        let where_else = rng.random_range(0..3_usize);
        let (x0, y0) = (rng.random_range(8.0..16.0_f64), rng.random_range(8.0..16.0_f64));
        for channel in 0..2 {
            let is_there = real || where_else == channel;
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let r2 = (x as f64 - x0).powi(2) + (y as f64 - y0).powi(2);
                    let spot = if is_there { 0.6 * (-r2 / 8.0).exp() } else { 0.0 };
                    values.push((0.1 + spot + 0.25 * rng.random::<f64>()) as f32);
                }
            }
        }
        shares.push(if real { 1.0 } else { 0.0 });
        is_real.push(real);
    }
    let shape = PixelShape { channels: 2, height: SIDE, width: SIDE };
    World {
        pixels: PixelsInMemory::new(shape, values).unwrap(),
        labels: Labels::from_fractions(vec!["real".to_owned()], &shares).unwrap(),
        ids: (0..n).map(|i| format!("s{i}")).collect(),
        is_real,
    }
}

fn tiny(epochs: usize) -> Settings {
    Settings {
        filters: [6, 8],
        dense: 24,
        dropout: Dropout { maps: 0.1, dense: 0.3 },
        plan: Plan {
            epochs,
            batch_size: 16,
            descent: Descent::new(Rule::Adam),
            schedule: Schedule { rate: 3e-3, decay: 1.0, every_epochs: 5 },
            checkpoint_every_epochs: 2,
            patience: Some(10),
        },
        held_out_share: 0.3,
        stop_share: 0.2,
        seed: 4,
        ..Settings::default()
    }
}

fn learn(
    world: &World,
    settings: &Settings,
    folder: &Path,
    begin: Begin,
    stop_after: usize,
) -> Result<Trained, VisionError> {
    let lesson = Lesson {
        pixels: &world.pixels,
        subject_ids: &world.ids,
        groups: &world.ids,
        labels: &world.labels,
        unchosen: &[],
        preprocessing: &Value::Null,
    };
    let mut watch = |p: &volary_vision::training::Progress<'_>| {
        if p.n_done == stop_after { Next::Stop } else { Next::GoOn }
    };
    train(&lesson, settings, Device::Cpu, folder, begin, &mut watch)
}

/// One in five is real. The network ranks the held-out ones, and of those to which it gives a probability so
/// many are real, although it was taught as if half of them were.
#[test]
fn what_was_planted_is_found_and_probabilities_are_worth_what_they_say() {
    let world = world(900, 5, 1);
    let folder = tempfile::tempdir().unwrap();
    let trained = learn(&world, &tiny(25), folder.path(), Begin::New, usize::MAX).unwrap();
    let rows = &trained.split.held_out;
    let score =
        |model: &Model| model.score(&world.pixels, rows, &Scoring::default(), &mut |_| true).unwrap();
    let scores = score(&trained.model);
    let said: Vec<f64> = (0..rows.len()).map(|i| scores.of(i)[0].probability).collect();
    let truth: Vec<bool> = rows.iter().map(|row| world.is_real[*row]).collect();
    let n_real = truth.iter().filter(|t| **t).count();
    let mut n_right = 0.0;
    for (p, _) in said.iter().zip(&truth).filter(|(_, t)| **t) {
        for (q, _) in said.iter().zip(&truth).filter(|(_, t)| !**t) {
            n_right += if p > q {
                1.0
            } else if p < q {
                0.0
            } else {
                0.5
            };
        }
    }
    let auc = n_right / (n_real * (rows.len() - n_real)) as f64;
    println!("AUC {auc:.4}, {n_real} real of {}, {:?}", rows.len(), trained.ended);
    assert!(auc > 0.97, "AUC {auc}");
    let mean = said.iter().sum::<f64>() / said.len() as f64;
    let share = n_real as f64 / rows.len() as f64;
    let sd = (share * (1.0 - share) / rows.len() as f64).sqrt();
    assert!((mean - share).abs() < 3.0 * sd + 0.02, "{mean} predicted, {share} real");
    for i in 0..rows.len() {
        let p = scores.of(i)[0];
        assert!(p.probability_low <= p.probability && p.probability <= p.probability_high);
        assert!((0.0..=1.0).contains(&p.mutual_information_bits) && p.probability_sd >= 0.0);
    }
    // Read from the folder it says the same, and a picture's score does not depend on the others.
    assert_eq!(model_kind(folder.path()).unwrap(), ModelKind::Classifier);
    let again = Model::open(folder.path(), Device::Cpu).unwrap();
    assert_eq!(score(&again), scores);
    let one = again.score(&world.pixels, &rows[7..8], &Scoring::default(), &mut |_| true).unwrap();
    assert!((one.of(0)[0].probability - said[7]).abs() < 1e-6);
    assert_eq!(scores.embedding.len(), rows.len() * 24);
    let error = volary_vision::confusion::Model::open(folder.path(), Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("no confusion model"), "{error}");
}

/// Where nothing is left out there is no spread; where much is left out there is.
#[test]
fn the_spread_is_that_of_what_is_left_out() {
    let world = world(120, 2, 2);
    let folder = tempfile::tempdir().unwrap();
    let spread = |share: f64| {
        let settings = Settings { dropout: Dropout { maps: share, dense: share }, ..tiny(3) };
        let path = folder.path().join(share.to_string());
        let trained = learn(&world, &settings, &path, Begin::New, usize::MAX).unwrap();
        let rows: Vec<usize> = (0..20).collect();
        let scores =
            trained.model.score(&world.pixels, &rows, &Scoring::default(), &mut |_| true).unwrap();
        let sum = |of: fn(&volary_vision::classifier::Prediction) -> f64| {
            scores.predictions.iter().map(of).sum::<f64>()
        };
        (sum(|p| p.probability_sd), sum(|p| p.mutual_information_bits))
    };
    let (sd, told) = spread(0.0);
    assert!(sd < 1e-12 && told < 1e-12, "{sd} {told}");
    let (sd, told) = spread(0.5);
    assert!(sd > 1e-3 && told > 1e-6, "{sd} {told}");
}

#[test]
fn a_training_repeats_and_goes_on_where_it_was_stopped() {
    let world = world(80, 3, 3);
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { augment: volary_vision::Augment::Turns, ..tiny(4) };
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    let whole = learn(&world, &settings, &a, Begin::New, usize::MAX).unwrap();
    let stopped = learn(&world, &settings, &b, Begin::New, 4).unwrap();
    assert_eq!(stopped.ended, Ended::Asked);
    assert!(!volary_vision::is_model(&b));
    let end = learn(&world, &settings, &b, Begin::Resume, usize::MAX).unwrap();
    assert_eq!(end.history, whole.history);
    learn(&world, &Settings { seed: 5, ..settings.clone() }, &c, Begin::New, usize::MAX).unwrap();
    let bytes = |folder: &Path, name: &str| std::fs::read(folder.join(name)).unwrap();
    for name in ["weights.safetensors", "history.csv", "split.csv", "config.json"] {
        assert_eq!(bytes(&a, name), bytes(&b, name), "{name}");
        assert_ne!(bytes(&a, name), bytes(&c, name), "{name}");
    }
    let error = learn(&world, &settings, &a, Begin::New, 1).unwrap_err().to_string();
    assert!(error.contains("a training was begun here before"), "{error}");
    let other = Settings { balance: Balance::None, ..settings };
    let error = learn(&world, &other, &a, Begin::Resume, 1).unwrap_err().to_string();
    assert!(error.contains("belongs to a training with other"), "{error}");
}

#[test]
fn settings_that_no_training_has() {
    let world = world(30, 2, 4);
    let folder = tempfile::tempdir().unwrap();
    for (settings, words) in [
        (Settings { stop_share: 0.0, ..tiny(1) }, "the setting stop share is 0"),
        (Settings { penalty: f64::NAN, ..tiny(1) }, "the setting penalty is NaN"),
        (Settings { dropout: Dropout { maps: 1.0, dense: 0.0 }, ..tiny(1) }, "dropout of maps is 1"),
        (Settings { filters: [0, 4], ..tiny(1) }, "the setting filters is 0"),
    ] {
        let error = learn(&world, &settings, folder.path(), Begin::New, 1).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let trained = learn(&world, &tiny(1), folder.path(), Begin::New, usize::MAX).unwrap();
    let wrong = Scoring { n_passes: 1, ..Scoring::default() };
    let error = trained.model.score(&world.pixels, &[0], &wrong, &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("the setting passes is 1"), "{error}");
}
