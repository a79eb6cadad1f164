//! The anomaly model from outside: it repeats, goes on where it was killed, finds what is odd, and says what is
//! wrong.

use std::path::Path;

use serde_json::Value;
use volary_core::{PixelShape, PixelsInMemory};
use volary_vision::anomaly::{
    Begin, CHECKPOINTS, Distance, Gallery, GalleryKind, Lesson, Model, ScoreWeights, Settings, Stage,
    Trained, Watcher, train,
};
use volary_vision::training::{Next, Progress};
use volary_vision::{Device, ModelKind, VisionError, model_kind};

use crate::oddities::{SHAPE, auc, bytes, pictures};

/// Networks that learn in seconds.
fn tiny(epochs: [usize; 2]) -> Settings {
    let mut settings = Settings { filters: 4, latents: 4, held_out_share: 0.2, ..Settings::default() };
    settings.losses.critic_steps = 2;
    for (plan, epochs) in [&mut settings.adversaries, &mut settings.encoder].into_iter().zip(epochs) {
        plan.epochs = epochs;
        plan.batch_size = 16;
        plan.schedule.rate = 2e-3;
        plan.checkpoint_every_epochs = 2;
    }
    settings
}

fn learn(
    pixels: &PixelsInMemory,
    settings: &Settings,
    folder: &Path,
    begin: Begin,
    watch: &mut dyn FnMut(Stage, &Progress<'_>) -> Next,
) -> Result<Trained, VisionError> {
    use volary_core::Pixels as _;
    let ids: Vec<String> = (0..pixels.count()).map(|i| format!("s{i}")).collect();
    let lesson = Lesson { pixels, subject_ids: &ids, groups: &ids, preprocessing: &Value::Null };
    let mut watcher = Watcher { batch: watch, gallery: &mut |_| {}, gallery_every_epochs: 0 };
    train(&lesson, settings, Device::Cpu, folder, begin, &mut watcher)
}

fn to_the_end(pixels: &PixelsInMemory, settings: &Settings, folder: &Path) -> Trained {
    learn(pixels, settings, folder, Begin::New, &mut |_, _| Next::GoOn).unwrap()
}

const RESULTS: [&str; 6] = [
    "weights.safetensors",
    "history.csv",
    "adversaries.csv",
    "split.csv",
    CHECKPOINTS[0],
    CHECKPOINTS[1],
];

#[test]
fn a_training_that_was_stopped_anywhere_ends_with_the_same_bytes() {
    let pixels = pictures(40, false, 1);
    let mut settings = tiny([3, 2]);
    settings.augment = volary_vision::Augment::Turns;
    settings.residual = true;
    settings.losses.distance = Distance::Absolute;
    let folder = tempfile::tempdir().unwrap();
    let straight = folder.path().join("straight");
    to_the_end(&pixels, &settings, &straight);
    // Among the adversaries' batches, among the encoder's, and in both.
    let (first, second) = (Stage::Adversaries, Stage::Encoder);
    for stops in [vec![(first, 1)], vec![(second, 3)], vec![(first, 3), (first, 1), (second, 1)]] {
        let path = folder.path().join(format!("{stops:?}"));
        for (stage, n) in &stops {
            let watch = &mut |at: Stage, p: &Progress<'_>| {
                if at == *stage && p.n_done == *n { Next::Stop } else { Next::GoOn }
            };
            let stopped = learn(&pixels, &settings, &path, Begin::Resume, watch).unwrap();
            assert!(stopped.model.is_none() && !path.join("config.json").exists());
        }
        learn(&pixels, &settings, &path, Begin::Resume, &mut |_, _| Next::GoOn).unwrap();
        for name in RESULTS {
            assert!(bytes(&straight, name) == bytes(&path, name), "{stops:?}: {name}");
        }
    }
}

#[test]
fn a_training_can_be_made_longer_and_its_encoder_begins_anew_then() {
    let pixels = pictures(30, false, 2);
    let folder = tempfile::tempdir().unwrap();
    let [short, long] = ["short", "long"].map(|name| folder.path().join(name));
    to_the_end(&pixels, &tiny([2, 1]), &short);
    to_the_end(&pixels, &tiny([3, 1]), &long);
    let longer = learn(&pixels, &tiny([3, 1]), &short, Begin::Resume, &mut |_, _| Next::GoOn).unwrap();
    assert!(longer.warnings.iter().any(|w| w.contains("the encoder began anew")), "{longer:?}");
    assert!(bytes(&short, "weights.safetensors") == bytes(&long, "weights.safetensors"));
    let error = learn(&pixels, &tiny([3, 1]), &short, Begin::New, &mut |_, _| Next::GoOn);
    assert!(error.unwrap_err().to_string().contains("go on with it with --resume"));
    let other = Settings { latents: 5, ..tiny([3, 1]) };
    let error = learn(&pixels, &other, &short, Begin::Resume, &mut |_, _| Next::GoOn);
    assert!(error.unwrap_err().to_string().contains("belongs to a training with other pictures"));
}

#[test]
fn what_was_never_learned_scores_higher() {
    let pixels = pictures(200, false, 3);
    let folder = tempfile::tempdir().unwrap();
    let settings = tiny([20, 20]);
    let ids: Vec<String> = (0..200).map(|i| format!("s{i}")).collect();
    let lesson =
        Lesson { pixels: &pixels, subject_ids: &ids, groups: &ids, preprocessing: &Value::Null };
    let mut galleries = Vec::new();
    let mut gallery = |g: &Gallery| galleries.push((g.kind, g.epoch, g.pictures.len()));
    let mut watcher =
        Watcher { batch: &mut |_, _| Next::GoOn, gallery: &mut gallery, gallery_every_epochs: 15 };
    let trained =
        train(&lesson, &settings, Device::Cpu, folder.path(), Begin::New, &mut watcher).unwrap();
    let (made, rebuilt) = (GalleryKind::Made, GalleryKind::Rebuilt);
    let seen = [(made, 15), (made, 20), (rebuilt, 15), (rebuilt, 20)];
    assert_eq!(galleries.iter().map(|g| (g.0, g.1)).collect::<Vec<_>>(), seen);
    assert!(galleries.iter().all(|g| g.2 % (256 * g.0.per_row()) == 0));
    assert!(trained.warnings.is_empty(), "{:?}", trained.warnings);

    assert_eq!(model_kind(folder.path()).unwrap(), ModelKind::Anomaly);
    let model = Model::open(folder.path(), Device::Cpu).unwrap();
    let [odd, plain] = [true, false].map(|is_odd| {
        let rows: Vec<usize> = (0..50).collect();
        model.score(&pictures(50, is_odd, 9), &rows, 16, &mut |_| true).unwrap()
    });
    assert_eq!((odd.n(), odd.embedding.len()), (50, 50 * 4));
    // Four filters make few features.
    for (name, least, weights) in [
        ("image", 0.9, ScoreWeights { image: 1.0, feature: 0.0 }),
        ("feature", 0.6, ScoreWeights { image: 0.0, feature: 1.0 }),
        ("both", 0.9, ScoreWeights::default()),
    ] {
        let auc = auc(&odd.anomaly(weights), &plain.anomaly(weights));
        println!("{name}: {auc:.3}");
        assert!(auc > least, "{name}: {auc}");
    }
    // The stored row of the specification (section 1.5).
    let score = ScoreWeights::default().score(189.56734, 347.53247);
    assert!((score - 221.16037).abs() < 1e-4);
    // The batch makes no difference that matters, and the same rows none at all.
    let rows: Vec<usize> = (0..50).collect();
    let odd_again = model.score(&pictures(50, true, 9), &rows, 50, &mut |_| true).unwrap();
    for (a, b) in odd.image.iter().zip(&odd_again.image) {
        assert!((a - b).abs() < 1e-3 * a, "{a} and {b}");
    }
    let other = PixelsInMemory::new(PixelShape { channels: 3, ..SHAPE }, vec![0.5; 768]).unwrap();
    let error = model.score(&other, &[0], 1, &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("16 × 16 with 3 channels"), "{error}");
}

#[test]
fn a_critic_that_explodes_ends_the_training_and_keeps_the_last_good_state() {
    let pixels = pictures(40, false, 4);
    let folder = tempfile::tempdir().unwrap();
    to_the_end(&pixels, &tiny([2, 1]), folder.path());
    let good = bytes(folder.path(), CHECKPOINTS[0]);
    let mut wild = tiny([8, 1]);
    wild.adversaries.schedule.rate = 1e30;
    let watch = &mut |_: Stage, _: &Progress<'_>| Next::GoOn;
    let error = learn(&pixels, &wild, folder.path(), Begin::Resume, watch).unwrap_err().to_string();
    assert!(
        error.contains("the checkpoint before it is kept in") && error.contains("--rate"),
        "{error}"
    );
    assert_eq!(bytes(folder.path(), CHECKPOINTS[0]), good);
    assert!(learn(&pixels, &tiny([3, 1]), folder.path(), Begin::Resume, watch).is_ok());
}

#[test]
fn black_pictures_one_picture_again_and_again_and_three_of_them_are_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let black = PixelsInMemory::new(SHAPE, vec![0.0; 12 * 256]).unwrap();
    let trained = to_the_end(&black, &tiny([1, 1]), &folder.path().join("black"));
    assert!(trained.warnings[0].contains("all the same one"), "{:?}", trained.warnings);
    let three = pictures(3, false, 5);
    let trained = to_the_end(&three, &tiny([1, 1]), &folder.path().join("three"));
    let model = trained.model.unwrap();
    assert_eq!((model.config().n_train, model.config().n_held_out), (2, 1));
    let scores = model.score(&three, &[0, 1, 2], 2, &mut |_| true).unwrap();
    assert!(scores.anomaly(ScoreWeights::default()).iter().all(|s| s.is_finite()));
    let one = pictures(1, false, 5);
    let watch = &mut |_: Stage, _: &Progress<'_>| Next::GoOn;
    let error = learn(&one, &tiny([1, 1]), &folder.path().join("one"), Begin::New, watch);
    assert!(matches!(error, Err(VisionError::TooFew { n: 1, .. })));
}

#[test]
fn impossible_settings_are_one_clear_error() {
    let pixels = pictures(8, false, 6);
    let folder = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut Settings), part: &str| {
        let mut settings = tiny([1, 1]);
        change(&mut settings);
        let error = learn(&pixels, &settings, folder.path(), Begin::New, &mut |_, _| Next::GoOn);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&|s| s.filters = 0, "filters is 0");
    refused(&|s| s.latents = 100_000, "latents is 100000");
    refused(&|s| s.losses.critic_steps = 0, "critic steps is 0");
    refused(&|s| s.losses.penalty = -1.0, "penalty weight is -1");
    refused(&|s| s.noise_sd = f64::NAN, "deviation of the noise is NaN");
    refused(&|s| s.losses.weights = ScoreWeights { image: 0.0, feature: 0.0 }, "one of them above 0");
    refused(&|s| s.encoder.batch_size = 0, "batch size is 0");
    refused(&|s| s.adversaries.patience = Some(2), "patience is given");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(Distance::parse("absolute"), Some(Distance::Absolute));
    assert_eq!(Distance::parse("cubes"), None);
}
