use proptest::prelude::*;

use super::*;
use crate::images::golden::{distance, numbers};

fn floats(name: &str) -> Vec<f32> {
    numbers(name).into_iter().map(|v| v as f32).collect()
}

#[test]
fn stretches_are_those_of_astropy() {
    let (low_percent, high_percent) = (1.5, 97.0);
    for (name, stretch) in [
        ("linear", Stretch::Linear { low_percent, high_percent }),
        ("asinh", Stretch::Asinh { low_percent, high_percent, a: 0.05 }),
        ("log", Stretch::Log { low_percent, high_percent, a: 500.0 }),
    ] {
        let mut planes = vec![floats("flux")];
        assert!(!apply(stretch, &mut planes));
        // numpy takes the percentiles of single-precision values in single precision.
        let distance = distance(&planes[0], &numbers(name));
        assert!(distance < 2e-6, "{name}: {distance}");
    }
}

#[test]
fn lupton_is_that_of_astropy() {
    for (name, minimum, stretch, q) in [("lupton", 0.2, 3.0, 6.0), ("lupton_q0", 0.0, 5.0, 0.0)] {
        let cube = floats("cube");
        let mut planes: Vec<Vec<f32>> = cube.chunks_exact(72).map(<[f32]>::to_vec).collect();
        apply(Stretch::Lupton { minimum, stretch, q }, &mut planes);
        let ours: Vec<f32> = planes.concat().iter().map(|v| v * 255.0).collect();
        // astropy cuts to whole numbers.
        let theirs = numbers(name);
        for (a, b) in ours.iter().zip(&theirs) {
            let over = f64::from(*a) - b;
            assert!((-1e-3..1.001).contains(&over), "{name}: {a} is {b} there");
        }
    }
}

#[test]
fn percentiles_by_hand() {
    for (percent, expected) in [(0.0, 1.0), (25.0, 1.75), (50.0, 2.5), (90.0, 3.7), (100.0, 4.0)] {
        let found = percentile(&mut [3.0, 1.0, 4.0, 2.0], percent);
        assert!((found - expected).abs() < 1e-12, "{percent}");
    }
    assert_eq!(percentile(&mut [7.0], 33.0), 7.0);
}

#[test]
fn nothing_to_see_is_said() {
    for value in [0.0, -3.0, f32::MAX] {
        let mut planes = vec![vec![value; 9]];
        assert!(apply(Stretch::Linear { low_percent: 0.0, high_percent: 100.0 }, &mut planes));
        assert_eq!(planes[0], [0.0; 9]);
    }
}

proptest! {
    /// Every stretch keeps the order of brightness and stays between 0 and 1; a Lupton picture keeps the
    /// ratios of its colours.
    #[test]
    fn order_and_colour_are_kept(
        values in proptest::collection::vec(-1e6_f32..1e6, 12..60),
        a in 1e-3_f64..1.0,
    ) {
        let (low_percent, high_percent) = (1.0, 99.0);
        for stretch in [
            Stretch::Linear { low_percent, high_percent },
            Stretch::Asinh { low_percent, high_percent, a },
            Stretch::Log { low_percent, high_percent, a: 1.0 / a },
        ] {
            let mut planes = vec![values.clone()];
            apply(stretch, &mut planes);
            prop_assert!(planes[0].iter().all(|v| (0.0..=1.0).contains(v)));
            let mut pairs: Vec<(f32, f32)> = values.iter().copied().zip(planes[0].clone()).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            prop_assert!(pairs.windows(2).all(|w| w[0].1 <= w[1].1));
        }
        let third = values.len() / 3;
        let positive: Vec<f32> = values.iter().map(|v| v.abs() + 1.0).collect();
        let before: Vec<Vec<f32>> = positive.chunks_exact(third).take(3).map(<[f32]>::to_vec).collect();
        let mut after = before.clone();
        apply(Stretch::Lupton { minimum: 0.0, stretch: 10.0 * a, q: 8.0 }, &mut after);
        for i in 0..third {
            let ratio = |planes: &[Vec<f32>]| f64::from(planes[0][i]) / f64::from(planes[0][i] + planes[1][i] + planes[2][i]);
            prop_assert!(after.iter().all(|p| (0.0..=1.0).contains(&p[i])));
            prop_assert!((ratio(&before) - ratio(&after)).abs() < 1e-4);
        }
    }
}
