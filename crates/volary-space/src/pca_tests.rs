use super::*;
use crate::golden::{self, assert_close, numbers};
use proptest::prelude::*;

fn points(values: &[f64], width: usize) -> Points {
    Points::new(values.iter().map(|v| *v as f32).collect(), width).unwrap()
}

fn random(n: usize, scales: &[f64], seed: u64) -> Points {
    let mut rng = stream(seed, "points");
    let values: Vec<f64> =
        (0..n).flat_map(|_| scales.iter().map(|s| s * normal(&mut rng)).collect::<Vec<_>>()).collect();
    points(&values, scales.len())
}

#[test]
fn as_scikit_learn_has_it() {
    let golden = golden::evaluate();
    let g = |name: &str| numbers(&golden["pca"][name]);
    let x = points(&g("x"), 6);
    let expected: Vec<f64> =
        golden["pca"]["components"].as_array().unwrap().iter().flat_map(numbers).collect();
    for solver in [Solver::Exact, Solver::Randomised] {
        let pca = Pca::fit(&x, &PcaParams { solver, n_iterations: 30, ..PcaParams::new(3) }).unwrap();
        assert_close(pca.mean(), &g("mean"), 1e-12);
        assert_close(pca.variances(), &g("variances"), 1e-10);
        assert_close(&pca.explained(), &g("explained"), 1e-10);
        assert_close(pca.components(), &expected, 1e-8);
    }
}

#[test]
fn points_on_a_line_have_one_component() {
    // (1, 2) t for t = −1, 0, 1: along (1, 2)/√5 with variance 5.
    let pca = Pca::fit(&points(&[-1.0, -2.0, 0.0, 0.0, 1.0, 2.0], 2), &PcaParams::new(2)).unwrap();
    let along = [1.0 / 5.0_f64.sqrt(), 2.0 / 5.0_f64.sqrt()];
    assert_close(&pca.components()[..2], &along, 1e-12);
    assert_close(pca.variances(), &[5.0, 0.0], 1e-12);
    assert_close(&pca.explained(), &[1.0, 0.0], 1e-12);
}

#[test]
fn few_iterations_find_what_stands_out() {
    let scales: Vec<f64> = (0..60).map(|i| if i < 4 { 10.0 - f64::from(i) } else { 0.5 }).collect();
    let x = random(3000, &scales, 2);
    let of = |solver| Pca::fit(&x, &PcaParams { solver, ..PcaParams::new(4) }).unwrap();
    let (exact, random) = (of(Solver::Exact), of(Solver::Randomised));
    assert_close(random.variances(), exact.variances(), 1e-8);
    assert_close(random.components(), exact.components(), 1e-6);
    assert_eq!(of(Solver::Auto), exact);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let x = random(20_000, &[3.0, 2.0, 1.0], 4);
    for solver in [Solver::Exact, Solver::Randomised] {
        let run = || Pca::fit(&x, &PcaParams { solver, ..PcaParams::new(2) }).unwrap();
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        assert_eq!(pool(1).install(run), pool(3).install(run));
    }
}

#[test]
fn bad_input_is_refused() {
    let x = points(&[1.0, 2.0, 3.0, 4.0], 2);
    assert!(matches!(Pca::fit(&x.select(&[0]), &PcaParams::new(1)), Err(SpaceError::NoRows { .. })));
    assert!(matches!(Pca::fit(&x, &PcaParams::new(0)), Err(SpaceError::Setting { .. })));
    let pca = Pca::fit(&x, &PcaParams::new(9)).unwrap();
    assert_eq!(pca.n_components(), 1, "two points differ along one direction");
    assert!(matches!(
        pca.transform(&points(&[0.0], 1)),
        Err(SpaceError::Width { actual: 1, expected: 2 })
    ));
    assert!(Pca::from_parts(vec![0.0; 2], vec![0.0; 3], vec![1.0], 1.0).is_err());
    assert!(Pca::from_parts(vec![0.0], vec![f64::NAN], vec![1.0], 1.0).is_err());
    let again = Pca::from_parts(
        pca.mean().to_vec(),
        pca.components().to_vec(),
        pca.variances().to_vec(),
        pca.total_variance(),
    );
    assert_eq!(again.unwrap(), pca);
    let flat = Pca::fit(&points(&[1.0; 6], 2), &PcaParams::new(2)).unwrap();
    assert_eq!((flat.explained(), flat.total_variance()), (vec![0.0, 0.0], 0.0));
}

proptest! {
    #[test]
    fn components_are_orthonormal_and_errors_are_what_is_left(
        n in 2..40_usize, d in 1..8_usize, k in 1..8_usize, seed in 0..1000_u64, randomised: bool,
    ) {
        let x = random(n, &vec![1.0; d], seed);
        let solver = if randomised { Solver::Randomised } else { Solver::Exact };
        let pca = Pca::fit(&x, &PcaParams { solver, ..PcaParams::new(k) }).unwrap();
        let k = pca.n_components();
        for i in 0..k {
            for j in 0..k {
                let row = |i: usize| &pca.components()[i * d..(i + 1) * d];
                let dot: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                prop_assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-9);
            }
        }
        // Variance kept and squared errors sum to the whole (Pythagoras).
        let lost: f64 = pca.reconstruction_error(&x).unwrap().iter().sum::<f64>() / (n - 1) as f64;
        let kept: f64 = pca.variances().iter().sum();
        prop_assert!((kept + lost - pca.total_variance()).abs() < 1e-6 * (1.0 + pca.total_variance()));
        // There and back again, with all components, is the point itself.
        if k == d {
            let back = pca.inverse(&pca.transform(&x).unwrap()).unwrap();
            prop_assert!(back.values().iter().zip(x.values()).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }
}
