use super::*;

fn mean_of(values: &[f64]) -> impl Fn(&[f64]) -> Vec<f64> + Sync + '_ {
    move |counts| {
        let n: f64 = counts.iter().sum();
        vec![counts.iter().zip(values).map(|(c, v)| c * v).sum::<f64>() / n]
    }
}

#[test]
fn quantiles_as_numpy_takes_them() {
    let sorted = [1.0, 2.0, 4.0, 8.0];
    for (p, expected) in [(0.0, 1.0), (1.0, 8.0), (0.5, 3.0), (0.9, 6.8)] {
        assert!((quantile(&sorted, p) - expected).abs() < 1e-12);
    }
    assert!(quantile(&[], 0.5).is_nan());
}

#[test]
fn the_interval_of_a_mean_is_that_of_the_normal_law() {
    // For the mean, the bootstrap's spread is σ/√n in closed form (σ² over n, not n − 1).
    let values: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
    let bootstrap = Bootstrap::new(4000, 0.95, 3).unwrap();
    let estimate = bootstrap.run(&Units::subjects(400), mean_of(&values))[0].unwrap();
    assert_eq!(estimate.value, 9.5);
    let half = 1.959_964 * (399.0_f64 / 12.0 / 400.0).sqrt();
    assert!((estimate.low - (9.5 - half)).abs() < 0.05, "{estimate:?}, half {half}");
    assert!((estimate.high - (9.5 + half)).abs() < 0.05, "{estimate:?}, half {half}");
}

#[test]
fn copies_in_one_group_add_no_knowledge() {
    let once: Vec<f64> = (0..100).map(f64::from).collect();
    let tenfold: Vec<f64> = once.iter().flat_map(|v| [*v; 10]).collect();
    let group_of: Vec<u32> = (0..100).flat_map(|g| [g; 10]).collect();
    let bootstrap = Bootstrap::new(500, 0.9, 1).unwrap();
    let expected = bootstrap.run(&Units::subjects(100), mean_of(&once));
    assert_eq!(bootstrap.run(&Units::groups(&group_of), mean_of(&tenfold)), expected);
    let naive = bootstrap.run(&Units::subjects(1000), mean_of(&tenfold))[0].unwrap();
    let honest = expected[0].unwrap();
    assert!((naive.high - naive.low) < 0.5 * (honest.high - honest.low));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let values: Vec<f64> = (0..57).map(|i| f64::from(i).sin()).collect();
    let run = || Bootstrap::default().run(&Units::subjects(57), mean_of(&values));
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    assert_eq!(pool(1).install(run), pool(3).install(run));
}

#[test]
fn an_undefined_measure_has_no_estimate_and_a_rare_one_an_interval_of_what_there_was() {
    let rare = |counts: &[f64]| vec![f64::NAN, if counts[0] > 0.0 { 1.0 } else { f64::NAN }];
    let found = Bootstrap::default().run(&Units::subjects(3), rare);
    assert_eq!(found, [None, Some(Estimate { value: 1.0, low: 1.0, high: 1.0 })]);
    assert!(Bootstrap::new(10, 1.0, 0).is_err());
}
