use rand::RngExt as _;
use volary_core::seed::stream;

use super::*;

const X: [f64; 12] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0];
const N: [u64; 12] = [40, 60, 80, 80, 70, 60, 50, 50, 40, 40, 30, 30];
const K: [u64; 12] = [1, 4, 10, 22, 33, 41, 40, 44, 37, 38, 29, 30];

fn data() -> Vec<CompletenessBin> {
    (0..12).map(|i| CompletenessBin { x: X[i], k: K[i], n: N[i] }).collect()
}

fn close(fit: &Completeness, values: [f64; 3], errors: [f64; 3]) {
    let ours = [(fit.b, fit.b_error), (fit.q, fit.q_error), (fit.nu, fit.nu_error)];
    for (at, (value, error)) in ours.into_iter().enumerate() {
        assert!((value / values[at] - 1.0).abs() < 2e-5, "{at}: {value} {}", values[at]);
        assert!((error - errors[at]).abs() <= 1e-4 * errors[at], "{at}: {error} {}", errors[at]);
    }
}

/// curve_fit of scipy 1.17.1 (MINPACK lmder/lmdif, tolerances 1e-14) on the same bins.
#[test]
fn the_fit_is_that_of_scipy() {
    let fit = fit_completeness(&data(), Weighting::Equal, Shape::Free).unwrap();
    close(&fit, [0.64125692, 8.72247383, 0.40957568], [0.04367541, 6.01064514, 0.16477209]);
    assert_eq!((fit.degrees_of_freedom, fit.shape_undecided), (9, false));
    // sigma = binomial errors, absolute_sigma = True.
    let fit = fit_completeness(&data(), Weighting::Observed, Shape::Free).unwrap();
    close(&fit, [0.64071867, 10.14719754, 0.46080018], [0.12266469, 17.64677893, 0.42711271]);
    // The same with sigma from the fitted curve, two hundred times over.
    let fit = fit_completeness(&data(), Weighting::Binomial, Shape::Free).unwrap();
    close(&fit, [0.62853863, 9.09689772, 0.44263233], [0.11394647, 15.06539098, 0.39860244]);
    // Two parameters.
    let fit = fit_completeness(&data(), Weighting::Equal, Shape::Fixed(1.0)).unwrap();
    close(&fit, [0.79115383, 61.18531978, 1.0], [0.03331897, 10.99659868, 0.0]);
}

#[test]
fn the_curve_and_its_inverse() {
    let fit = fit_completeness(&data(), Weighting::Binomial, Shape::Free).unwrap();
    for share in [0.1, 0.5, 0.9] {
        let (x, error) = fit.reaching(share).unwrap();
        assert!((fit.at(x) - share).abs() < 1e-12 && error > 0.0);
        // The delta method of the inverse is that of the curve over its slope.
        let slope = (fit.at(x + 1e-5) - fit.at(x - 1e-5)) / 2e-5;
        assert!((error / (fit.error_at(x) / slope) - 1.0).abs() < 1e-6, "{share}");
    }
    assert_eq!((fit.reaching(0.0), fit.reaching(1.0), fit.reaching(f64::NAN)), (None, None, None));
    assert!((fit.at(1e9), fit.at(-1e9)) == (1.0, 0.0));
}

#[test]
fn errors_cover_what_was_drawn() {
    let (b, q, nu) = (0.9_f64, 30.0_f64, 0.8_f64);
    let truth = |x: f64| (1.0 + q * (-b * x).exp()).powf(-1.0 / nu);
    let mut rng = stream(4, "completeness test");
    let (mut half, mut at, mut n) = (0, 0, 0);
    for _ in 0..200 {
        let bins: Vec<CompletenessBin> = (0..24)
            .map(|i| {
                let x = 0.5 + 0.5 * f64::from(i);
                let k = (0..100).filter(|_| rng.random::<f64>() < truth(x)).count() as u64;
                CompletenessBin { x, k, n: 100 }
            })
            .collect();
        let fit = fit_completeness(&bins, Weighting::Binomial, Shape::Free).unwrap();
        let (x, error) = fit.reaching(0.5).unwrap();
        n += 1;
        half += u32::from((truth(x) - 0.5).abs() <= 1.96 * error * (truth(x + 0.01) - truth(x)) / 0.01);
        at += u32::from((fit.at(3.0) - truth(3.0)).abs() <= 1.96 * fit.error_at(3.0));
    }
    assert!((180..=199).contains(&half) && (180..=199).contains(&at), "{half} {at} of {n}");
}

#[test]
fn bins_that_decide_nothing() {
    let bin = |x: f64, k, n| CompletenessBin { x, k, n };
    let few = [bin(1.0, 1, 2), bin(2.0, 2, 2), bin(f64::NAN, 1, 1), bin(3.0, 0, 0), bin(4.0, 9, 3)];
    let error = fit_completeness(&few, Weighting::Equal, Shape::Fixed(1.0)).unwrap_err();
    assert_eq!(error, EvaluateError::TooFewBins { actual: 2, needed: 3 });
    // Everything found, nothing found, one strength: an answer or a clear error, never a panic or a NaN.
    let cases = [
        (1..9).map(|i| bin(f64::from(i), 5, 5)).collect::<Vec<_>>(),
        (1..9).map(|i| bin(f64::from(i), 0, 5)).collect(),
        (1..9).map(|_| bin(3.0, 2, 5)).collect(),
        (1..9).map(|i| bin(f64::from(i), 9 - u64::from(i as u32), 9)).collect(),
        (1..9).map(|i| bin(f64::from(i), if i < 5 { 0 } else { 50 }, 50)).collect(),
    ];
    for case in cases {
        for weighting in [Weighting::Equal, Weighting::Observed, Weighting::Binomial] {
            for shape in [Shape::Free, Shape::Fixed(1.0)] {
                match fit_completeness(&case, weighting, shape) {
                    Ok(fit) => {
                        assert!(fit.at(3.0).is_finite() && fit.b > 0.0 && fit.b_error.is_finite())
                    }
                    Err(e) => assert!(e.to_string().contains("did not converge"), "{e}"),
                }
            }
        }
    }
}
