use super::*;
use crate::golden::{self, assert_close, numbers};
use proptest::prelude::*;

fn points(values: &[f64], width: usize) -> Points {
    Points::new(values.iter().map(|v| *v as f32).collect(), width).unwrap()
}

#[test]
fn as_scikit_learn_has_it() {
    let golden = &golden::evaluate()["logistic"];
    let (x, label, weight) =
        (points(&numbers(&golden["points"]), 4), numbers(&golden["label"]), numbers(&golden["weight"]));
    for fit in golden["fits"].as_array().unwrap() {
        let params = LogisticParams {
            c: fit["c"].as_f64().unwrap(),
            balanced: fit["balanced"].as_bool().unwrap(),
        };
        let found = Logistic::fit(&x, &label, Some(&weight), &params, None).unwrap();
        assert_close(found.coefficients(), &numbers(&fit["coefficients"]), 1e-6);
        assert_close(&[found.intercept()], &[fit["intercept"].as_f64().unwrap()], 1e-6);
    }
    let hard: Vec<f64> = label.iter().map(|q| f64::from(u8::from(*q > 0.7))).collect();
    let params = LogisticParams { c: 1.0, balanced: true };
    let found = Logistic::fit(&x, &hard, None, &params, None).unwrap();
    assert_close(found.coefficients(), &numbers(&golden["hard"]["coefficients"]), 1e-6);
    assert_close(&[found.intercept()], &[golden["hard"]["intercept"].as_f64().unwrap()], 1e-6);
}

#[test]
fn without_a_slope_the_constant_is_the_log_odds() {
    let x = points(&[0.0; 4], 1);
    let fit = Logistic::fit(&x, &[1.0, 1.0, 1.0, 0.0], None, &LogisticParams::default(), None).unwrap();
    assert_close(&[fit.coefficients()[0], fit.intercept()], &[0.0, 3.0_f64.ln()], 1e-9);
    assert_close(&fit.predict(&x).unwrap(), &[0.75; 4], 1e-9);
    let balanced = LogisticParams { balanced: true, ..LogisticParams::default() };
    let fit = Logistic::fit(&x, &[1.0, 1.0, 1.0, 0.0], None, &balanced, None).unwrap();
    assert_close(&[fit.intercept()], &[0.0], 1e-9);
}

#[test]
fn separable_points_do_not_run_away() {
    let x = points(&[-2.0, -1.0, 1.0, 2.0], 1);
    let label = [0.0, 0.0, 1.0, 1.0];
    for c in [1e-6, 1.0, 1e6] {
        let fit = Logistic::fit(&x, &label, None, &LogisticParams { c, balanced: false }, None).unwrap();
        let slope = fit.coefficients()[0];
        assert!(slope > 0.0 && slope < 30.0, "C = {c}: {slope}");
        // At the minimum the penalty's pull is the data's: β = C Σ (q − p) x.
        let pull: f64 = fit
            .predict(&x)
            .unwrap()
            .iter()
            .zip(label)
            .zip(x.values())
            .map(|((p, q), x)| c * (q - p) * f64::from(*x))
            .sum();
        assert!((pull - slope).abs() < 1e-6 * (1.0 + slope), "C = {c}: {pull} {slope}");
    }
}

#[test]
fn a_known_law_is_found_again() {
    let truth = [0.8, -1.5, 0.0];
    let mut rng = volary_core::seed::stream(2, "logistic");
    let n = 40_000;
    let x: Vec<f64> = (0..n * 3).map(|_| crate::draws::normal(&mut rng)).collect();
    let label: Vec<f64> = x
        .chunks_exact(3)
        .map(|row| sigmoid(row.iter().zip(truth).map(|(x, b)| x * b).sum::<f64>() - 0.7))
        .map(|p| f64::from(u8::from(rand::RngExt::random::<f64>(&mut rng) < p)))
        .collect();
    let fit = Logistic::fit(&points(&x, 3), &label, None, &LogisticParams::default(), None).unwrap();
    // Standard errors are about 0.02.
    assert_close(fit.coefficients(), &truth, 0.05);
    assert_close(&[fit.intercept()], &[-0.7], 0.04);
    let warm =
        Logistic::fit(&points(&x, 3), &label, None, &LogisticParams::default(), Some(&fit)).unwrap();
    assert_close(warm.coefficients(), fit.coefficients(), 1e-9);
}

#[test]
fn bad_input_is_refused() {
    let x = points(&[1.0, 2.0], 1);
    let fit = |label: &[f64], weight: Option<&[f64]>, c| {
        Logistic::fit(&x, label, weight, &LogisticParams { c, balanced: true }, None)
    };
    assert!(matches!(fit(&[1.0, 1.0], None, 1.0), Err(SpaceError::OneClass { n: 2 })));
    assert!(matches!(fit(&[1.0, 0.0], Some(&[0.0, 1.0]), 1.0), Err(SpaceError::OneClass { .. })));
    assert!(matches!(fit(&[1.0], None, 1.0), Err(SpaceError::Length { .. })));
    assert!(matches!(fit(&[1.0, 2.0], None, 1.0), Err(SpaceError::Range { .. })));
    assert!(matches!(fit(&[1.0, 0.0], None, 0.0), Err(SpaceError::Setting { .. })));
    let fit = fit(&[1.0, 0.0], None, 1.0).unwrap();
    assert!(matches!(fit.predict(&points(&[1.0, 2.0], 2)), Err(SpaceError::Width { .. })));
    assert!(Logistic::from_parts(vec![f64::NAN], 0.0).is_err());
    assert_eq!(Logistic::from_parts(fit.coefficients().to_vec(), fit.intercept()).unwrap(), fit);
}

proptest! {
    #[test]
    fn a_soft_label_is_two_points(
        rows in proptest::collection::vec((-3.0..3.0_f64, 0.0..1.0_f64), 2..30), balanced: bool,
    ) {
        let (x, q): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let params = LogisticParams { c: 2.0, balanced };
        let soft = Logistic::fit(&points(&x, 1), &q, None, &params, None).unwrap();
        let twice: Vec<f64> = x.iter().chain(&x).copied().collect();
        let hard: Vec<f64> = q.iter().map(|_| 1.0).chain(q.iter().map(|_| 0.0)).collect();
        let weight: Vec<f64> = q.iter().copied().chain(q.iter().map(|q| 1.0 - q)).collect();
        let split = Logistic::fit(&points(&twice, 1), &hard, Some(&weight), &params, None).unwrap();
        prop_assert!((soft.coefficients()[0] - split.coefficients()[0]).abs() < 1e-6);
        prop_assert!((soft.intercept() - split.intercept()).abs() < 1e-6);
    }
}
