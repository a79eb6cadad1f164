//! Training: it repeats, it goes on where it was killed, it stops where it must, it finds what was planted.

use std::path::Path;

use volary_vision::VisionError;
use volary_vision::confusion::{Begin, CHECKPOINT, Likelihood, Losses, Settings};
use volary_vision::training::{Ended, Next};

use crate::simulated::{learn, tiny, to_the_end, with, world};

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

const RESULTS: [&str; 4] = ["weights.safetensors", "history.csv", "split.csv", CHECKPOINT];

#[test]
fn a_seed_gives_the_same_weights_to_the_bit_and_another_seed_others() {
    let world = world(48, 10, false, 1);
    let settings = Settings { losses: Losses::default(), ..tiny(2) };
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    to_the_end(&world, &settings, &a);
    to_the_end(&world, &settings, &b);
    to_the_end(&world, &Settings { seed: 5, ..settings }, &c);
    for name in RESULTS {
        assert_eq!(bytes(&a, name), bytes(&b, name), "{name}");
        assert_ne!(bytes(&a, name), bytes(&c, name), "{name}");
    }
}

#[test]
fn the_number_of_threads_makes_no_difference() {
    let world = world(32, 10, false, 1);
    let folder = tempfile::tempdir().unwrap();
    let run = |n: usize| {
        let path = folder.path().join(n.to_string());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| to_the_end(&world, &tiny(1), &path));
        bytes(&path, "weights.safetensors")
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn a_training_that_was_stopped_anywhere_ends_with_the_same_bytes() {
    let world = world(60, 10, false, 2);
    let mut settings = tiny(4);
    settings.plan.patience = Some(10);
    settings.stop_share = 0.2;
    let folder = tempfile::tempdir().unwrap();
    let straight = folder.path().join("straight");
    let whole = to_the_end(&world, &settings, &straight);
    assert!(matches!(whole.ended, Ended::Early { .. }));
    // Within an epoch, at its end, and twice.
    for stops in [vec![1], vec![3], vec![2, 5]] {
        let path = folder.path().join(format!("{stops:?}"));
        for n in &stops {
            let watch = &mut |p: &volary_vision::training::Progress<'_>| {
                if p.n_done == *n { Next::Stop } else { Next::GoOn }
            };
            let stopped = learn(&world, &settings, &path, Begin::Resume, watch).unwrap();
            assert_eq!(stopped.ended, Ended::Asked);
            assert!(!path.join("config.json").exists());
        }
        let end = learn(&world, &settings, &path, Begin::Resume, &mut |_| Next::GoOn).unwrap();
        assert_eq!(end.history, whole.history);
        for name in RESULTS {
            assert_eq!(bytes(&straight, name), bytes(&path, name), "{stops:?}: {name}");
        }
    }
}

#[test]
fn a_training_can_be_made_longer() {
    let world = world(40, 10, false, 2);
    let folder = tempfile::tempdir().unwrap();
    let [short, long] = ["short", "long"].map(|name| folder.path().join(name));
    to_the_end(&world, &tiny(2), &short);
    to_the_end(&world, &tiny(4), &long);
    learn(&world, &tiny(4), &short, Begin::Resume, &mut |_| Next::GoOn).unwrap();
    assert_eq!(bytes(&short, "weights.safetensors"), bytes(&long, "weights.safetensors"));
}

#[test]
fn a_folder_with_another_training_is_not_overwritten_in_silence() {
    let world = world(24, 10, false, 3);
    let folder = tempfile::tempdir().unwrap();
    to_the_end(&world, &tiny(2), folder.path());
    let begin =
        |settings: &Settings, begin| learn(&world, settings, folder.path(), begin, &mut |_| Next::GoOn);
    let error = begin(&tiny(2), Begin::New).unwrap_err().to_string();
    assert!(error.contains("a training was begun here before; go on with it with --resume"), "{error}");
    let error = begin(&Settings { seed: 9, ..tiny(2) }, Begin::Resume).unwrap_err().to_string();
    assert!(error.contains("belongs to a training with other pictures, votes or settings"), "{error}");
    let before = bytes(folder.path(), "weights.safetensors");
    begin(&Settings { seed: 9, ..tiny(2) }, Begin::Afresh).unwrap();
    assert_ne!(bytes(folder.path(), "weights.safetensors"), before);
}

#[test]
fn a_loss_that_is_no_number_ends_the_training_and_keeps_the_last_good_checkpoint() {
    let world = world(24, 10, false, 3);
    let folder = tempfile::tempdir().unwrap();
    to_the_end(&world, &tiny(2), folder.path());
    let good = bytes(folder.path(), CHECKPOINT);
    let mut wild = tiny(6);
    wild.plan.schedule.rate = 1e30;
    let error = learn(&world, &wild, folder.path(), Begin::Resume, &mut |_| Next::GoOn).unwrap_err();
    let VisionError::NotFinite { epoch, .. } = &error else { panic!("{error}") };
    assert!(*epoch >= 3, "{error}");
    let text = error.to_string();
    assert!(text.contains("the checkpoint before it is kept in") && text.contains("--rate"), "{text}");
    assert_eq!(bytes(folder.path(), CHECKPOINT), good);
    // And from there it goes on, with a rate that is not wild.
    assert!(learn(&world, &tiny(3), folder.path(), Begin::Resume, &mut |_| Next::GoOn).is_ok());
}

#[test]
fn one_picture_or_impossible_settings_are_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let one = world(1, 10, false, 3);
    let error = learn(&one, &tiny(1), folder.path(), Begin::New, &mut |_| Next::GoOn).unwrap_err();
    assert!(matches!(error, VisionError::TooFew { n: 1, .. }), "{error}");
    let world = world(8, 10, false, 3);
    let refused = |change: &dyn Fn(&mut Settings), part: &str| {
        let mut settings = tiny(1);
        change(&mut settings);
        let error =
            learn(&world, &settings, folder.path(), Begin::New, &mut |_| Next::GoOn).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(&|s| s.plan.batch_size = 0, "batch size is 0");
    refused(&|s| s.plan.schedule.rate = -1.0, "learning rate is -1");
    refused(&|s| s.plan.schedule.decay = f64::NAN, "decay is NaN");
    refused(&|s| s.losses.class = f64::INFINITY, "class weight is inf");
    refused(&|s| s.plan.patience = Some(3), "stop share is 0");
    refused(&|s| s.losses.likelihood = Likelihood::Dirichlet, "one answer of each volunteer");
    refused(&|s| s.hidden = vec![], "hidden is []");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Mean over pictures and classes of the cross-entropy of predictions with the votes, above the entropy of
/// the votes.
fn excess(world: &crate::simulated::World, rows: &[usize], p: impl Fn(usize, usize) -> f64) -> f64 {
    let mut sum = 0.0;
    for row in rows {
        for (class, f) in world.labels.fractions(*row).iter().enumerate() {
            let (f, p) = (f64::from(*f), p(*row, class).clamp(1e-7, 1.0 - 1e-7));
            let entropy = |q: f64| if q > 0.0 { -q * q.ln() } else { 0.0 };
            sum += -f * p.ln() - (1.0 - f) * (1.0 - p).ln() - entropy(f) - entropy(1.0 - f);
        }
    }
    sum / (2 * rows.len()) as f64
}

#[test]
fn the_planted_classes_are_found_and_the_loss_comes_near_its_floor() {
    for likelihood in Likelihood::ALL {
        let exclusive = likelihood == Likelihood::Dirichlet;
        let world = world(400, 20, exclusive, 4);
        let folder = tempfile::tempdir().unwrap();
        let mut settings = with(likelihood, tiny(25));
        settings.plan.schedule.rate = 5e-3;
        let trained = to_the_end(&world, &settings, folder.path());
        let rows = &trained.split.held_out;
        let scores =
            trained.model.score(&world.pixels, rows, &Default::default(), &mut |_| true).unwrap();
        let place = |row: usize| rows.iter().position(|r| *r == row).unwrap();
        let ours = excess(&world, rows, |row, class| scores.of(place(row))[class].probability);
        let perfect = excess(&world, rows, |row, class| world.truth[row][class]);
        let train = &trained.split.train;
        let prior = excess(&world, rows, |_, class| {
            train.iter().map(|r| f64::from(world.labels.fractions(*r)[class])).sum::<f64>()
                / train.len() as f64
        });
        // Of what there is to learn between the prior and the truth itself, most is learned.
        let learned = (prior - ours) / (prior - perfect);
        println!(
            "{}: prior {prior:.4}, ours {ours:.4}, truth {perfect:.4}, learned {learned:.3}",
            likelihood.as_str()
        );
        assert!(learned > 0.7, "{}: {learned}", likelihood.as_str());
        let inside = rows.iter().enumerate().flat_map(|(i, row)| {
            let fractions = world.labels.fractions(*row).to_vec();
            scores.of(i).to_vec().into_iter().zip(fractions).map(|(p, f)| {
                let (low, high) = p.fraction_range.unwrap();
                f64::from(f) >= low - 1e-6 && f64::from(f) <= high + 1e-6
            })
        });
        let inside: Vec<bool> = inside.collect();
        let share = inside.iter().filter(|i| **i).count() as f64 / inside.len() as f64;
        println!("{}: {share:.3} of the fractions lie in their 90% interval", likelihood.as_str());
        assert!(share > 0.7, "{share}");
    }
}
