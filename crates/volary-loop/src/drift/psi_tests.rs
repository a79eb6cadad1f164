use rand::RngExt as _;
use volary_crowd::interval::clopper_pearson;

use super::*;
use crate::draws::normal;

#[test]
fn the_index_on_paper() {
    // Shares ½, ½ against ¼, ¾.
    let expected = 0.25 * 2.0_f64.ln() + 0.25 * 1.5_f64.ln();
    assert!((index(&[50, 50], &[25, 75]) - expected).abs() < 1e-15);
    assert_eq!(index(&[10, 20, 30], &[1, 2, 3]), 0.0);
    assert!((index(&[25, 75], &[50, 50]) - index(&[50, 50], &[25, 75])).abs() < 1e-15);
}

#[test]
fn quantiles_of_chi_square_are_those_of_scipy() {
    for row in crate::golden()["chi_square"].as_array().unwrap() {
        let [df, p, x] = [0, 1, 2].map(|at| row[at].as_f64().unwrap());
        let found = limit(df as usize + 1, 2, 2, 1.0 - p);
        assert!((found / x - 1.0).abs() < 1e-6, "{df} {p}: {found} for {x}");
    }
}

/// Windows without drift, and how many of them give an alarm.
fn false_alarms(n_bins: usize, n_window: usize, is_alarm: impl Fn(&Psi) -> bool) -> u64 {
    let mut rng = volary_core::seed::stream(17, "psi");
    let reference: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
    let reference = Reference::new(&reference, n_bins);
    let windows = 0..1_000;
    windows
        .filter(|_| {
            let window: Vec<f64> = (0..n_window).map(|_| normal(&mut rng)).collect();
            is_alarm(&reference.compare(&window, 0.01))
        })
        .count() as u64
}

#[test]
fn without_drift_the_limit_gives_as_many_alarms_as_it_says_and_a_fixed_one_does_not() {
    for (n_bins, n_window) in [(10, 100), (10, 200), (10, 1_000), (20, 500)] {
        let found = false_alarms(n_bins, n_window, Psi::is_alarm);
        // Alarms of a thousand that are likely at 1 %: 99.9 % of the binomial law.
        assert!(
            clopper_pearson(found as f64, 1_000.0, 0.999).contains(0.01),
            "{n_bins} {n_window}: {found}"
        );
    }
    // The control that must fail: PSI > 0.1 with a window of 50 and of 100.
    for (n_window, least) in [(50, 700), (100, 250)] {
        let found = false_alarms(10, n_window, |psi| psi.value.is_some_and(|v| v > 0.1));
        assert!(found > least, "{n_window}: {found}");
    }
}

#[test]
fn planted_shifts_are_found_the_sooner_the_larger() {
    let mut delays = Vec::new();
    for shift in [0.1, 0.2, 0.5] {
        let mut rng = volary_core::seed::stream(3, "psi shift");
        let reference: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let reference = Reference::new(&reference, 10);
        // Windows of 200 until the first alarm, over 40 streams.
        let delay: usize = (0..40)
            .map(|_| {
                (1..500)
                    .find(|_| {
                        let window: Vec<f64> = (0..200).map(|_| normal(&mut rng) + shift).collect();
                        reference.compare(&window, 0.01).is_alarm()
                    })
                    .unwrap_or(500)
            })
            .sum();
        delays.push(delay as f64 / 40.0);
    }
    assert!(delays[0] > delays[1] && delays[1] > delays[2], "{delays:?}");
    assert!(delays[2] < 1.2 && delays[0] < 40.0, "{delays:?}");
}

#[test]
fn a_constant_feature_no_numbers_one_value_and_nothing_have_their_answers() {
    let constant = Reference::new(&[3.0; 1_000], 10);
    assert_eq!(constant.compare(&[3.0; 500], 0.01).value, None, "nothing to compare");
    assert!(
        constant.compare(&[4.0; 500], 0.01).is_alarm() && constant.compare(&[2.0; 500], 0.01).is_alarm()
    );
    let none = Reference::new(&[f64::NAN; 100], 10);
    assert_eq!(none.compare(&[f64::NAN; 50], 0.01).value, None, "as silent as ever");
    let psi = none.compare(&[1.0, 2.0], 0.01);
    assert_eq!((psi.limit, psi.is_alarm(), psi.reference_not_finite), (None, false, 1.0));
    assert!(none.compare(&[1.0; 50], 0.01).is_alarm(), "and now it speaks");
    let usual = Reference::new(&(0..1_000).map(f64::from).collect::<Vec<_>>(), 10);
    let all_nan = usual.compare(&[f64::NAN; 100], 0.01);
    assert_eq!((all_nan.is_alarm(), all_nan.n, all_nan.n_not_finite), (true, 0, 100));
    // One in a hundred that is none, as in the reference, is no drift.
    let values =
        |n: u32| (0..n).map(|at| if at % 100 == 7 { f64::NAN } else { f64::from(at % 89) }).collect();
    let (reference, window): (Vec<f64>, Vec<f64>) = (values(20_000), values(500));
    assert!(!Reference::new(&reference, 10).compare(&window, 0.01).is_alarm());
    let one = usual.compare(&[5.0], 0.01);
    assert!(one.value.is_some() && one.limit.is_none() && !one.is_alarm());
    assert_eq!(usual.compare(&[], 0.01).value, None);
    // One value over and over is a drift, though, and is found.
    assert!(usual.compare(&[5.0; 100], 0.01).is_alarm());
    assert!(Reference::new(&[], 10).compare(&[1.0], 0.01).value.is_none());
    assert!(Reference::new(&[1.0, 2.0], 0).compare(&[1.0], 0.01).value.is_none());
}

#[test]
fn bins_are_never_empty_in_the_reference() {
    let mut rng = volary_core::seed::stream(1, "psi bins");
    for n_bins in [2, 10, 20] {
        for n_values in [2_u32, 3, 10, 1_000] {
            let values: Vec<f64> = (0..500).map(|_| f64::from(rng.random_range(0..n_values))).collect();
            let reference = Reference::new(&values, n_bins);
            assert!(reference.counts.iter().all(|&c| c > 0), "{:?}", reference.counts);
            assert_eq!(reference.counts.iter().sum::<u64>(), 500);
            assert_eq!(reference.compare(&values, 0.01).value, Some(0.0));
        }
    }
}
