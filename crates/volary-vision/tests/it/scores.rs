//! Scores: they repeat, and hold to what the network says.

use volary_core::{PixelShape, PixelsInMemory};
use volary_vision::VisionError;
use volary_vision::confusion::{Likelihood, Model, Scores, Scoring};

use crate::simulated::{tiny, to_the_end, with, world};

fn scores(model: &Model, world: &crate::simulated::World, scoring: &Scoring) -> Scores {
    let rows: Vec<usize> = (0..world.ids.len()).collect();
    model.score(&world.pixels, &rows, scoring, &mut |_| true).unwrap()
}

#[test]
fn scores_repeat_and_do_not_depend_on_the_batch() {
    let world = world(30, 12, true, 7);
    for likelihood in Likelihood::ALL {
        let folder = tempfile::tempdir().unwrap();
        let model = to_the_end(&world, &with(likelihood, tiny(2)), folder.path()).model;
        let first = scores(&model, &world, &Scoring::default());
        assert_eq!(first, scores(&model, &world, &Scoring::default()));
        let single = scores(&model, &world, &Scoring { batch_size: 1, ..Scoring::default() });
        for (a, b) in first.embedding.iter().zip(&single.embedding) {
            assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{a} and {b}");
        }
        for p in &first.predictions {
            let (low, high) = p.fraction_range.unwrap();
            assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0, "{p:?}");
            assert!(
                p.probability_low <= p.probability + 1e-9 && p.probability <= p.probability_high + 1e-9,
                "{p:?}"
            );
        }
        if likelihood == Likelihood::Dirichlet {
            let sum: f64 = first.of(0).iter().map(|p| p.probability).sum();
            assert!((sum - 1.0).abs() < 1e-9);
        }
        let errors = &first.reconstruction_error;
        assert!(errors.iter().all(|e| (0.0..1024.0).contains(e)));
        // The decoder rebuilds what the error was taken of.
        let rebuilt = model.rebuild(&first.embedding[..first.n_latents]).unwrap();
        let mut picture = vec![0.0; 1024];
        volary_core::Pixels::read(&world.pixels, 0, &mut picture).unwrap();
        let error: f64 = picture.iter().zip(&rebuilt).map(|(a, b)| f64::from((a - b).abs())).sum();
        assert!((error - errors[0]).abs() < 1e-2, "{error} and {}", errors[0]);
    }
}

#[test]
fn more_volunteers_and_less_confidence_make_intervals_narrower() {
    let world = world(30, 12, false, 7);
    let folder = tempfile::tempdir().unwrap();
    let model = to_the_end(&world, &tiny(2), folder.path()).model;
    let width = |n, confidence| {
        let scoring = Scoring { n_volunteers: Some(n), confidence, ..Scoring::default() };
        let scores = scores(&model, &world, &scoring);
        scores
            .predictions
            .iter()
            .map(|p| p.fraction_range.unwrap())
            .map(|(low, high)| high - low)
            .sum::<f64>()
    };
    assert!(width(10, 0.9) > width(100, 0.9));
    assert!(width(40, 0.95) > width(40, 0.5));
}

#[test]
fn pictures_of_another_size_and_odd_settings_are_refused() {
    let world = world(12, 5, false, 7);
    let folder = tempfile::tempdir().unwrap();
    let model = to_the_end(&world, &tiny(1), folder.path()).model;
    let shape = PixelShape { channels: 1, height: 16, width: 32 };
    let others = PixelsInMemory::new(shape, vec![0.0; shape.values()]).unwrap();
    let error = model.score(&others, &[0], &Scoring::default(), &mut |_| true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the setting size of the pictures is 32 × 16 with 1 channels; give 32 × 32 with 1 channels"
    );
    let odd = Scoring { confidence: 1.0, ..Scoring::default() };
    assert!(model.score(&world.pixels, &[0], &odd, &mut |_| true).is_err());
    assert!(matches!(
        model.score(&world.pixels, &[99], &Scoring::default(), &mut |_| true),
        Err(VisionError::Pixels(_))
    ));
    assert!(matches!(
        model.score(&world.pixels, &[0], &Scoring::default(), &mut |_| false),
        Err(VisionError::Stopped)
    ));
    assert!(model.rebuild(&[0.0; 3]).is_err());
}
