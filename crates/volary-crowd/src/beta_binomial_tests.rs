use super::*;
use proptest::prelude::*;

/// The selected counts of Galaxy Zoo: Weird & Wonderful; none where the file is absent.
fn weird_and_wonderful() -> Option<Vec<(u64, u64)>> {
    let path = "/work/shared/data/weird_wonderful/latest_consensus_aggregation_table.dat";
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: {path} is not here");
        return None;
    };
    let row = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let n: u64 = fields.next()?.parse().ok()?;
        let k: u64 = fields.next()?.parse().ok()?;
        Some((k, n))
    };
    Some(
        text.lines().skip(1).map(|line| row(line).expect("subject_id count selected_count …")).collect(),
    )
}

#[test]
fn weird_and_wonderful_is_as_fitted_before() {
    // specs/crowd.md, acceptance case 6, with scipy 1.17.1; n is the column `count`.
    let Some(counts) = weird_and_wonderful() else { return };
    let fit = BetaBinomial::fit(counts).unwrap();
    assert_eq!(fit.n_subjects, 207_589);
    assert!((fit.alpha / 0.572_19 - 1.0).abs() < 1e-4, "{fit:?}");
    assert!((fit.beta / 5.532_48 - 1.0).abs() < 1e-4, "{fit:?}");
    assert!((fit.log_likelihood + 369_260.99).abs() < 0.01, "{fit:?}");
    assert!((fit.mean() - 0.094).abs() < 0.001 && (fit.overdispersion() - 0.14).abs() < 0.005);
    // Its worked example: 8 of 10 shrinks to 0.53, and is above one half with 0.60; 10 of 10: 0.66, 0.90.
    let near = |a: f64, b: f64| (a - b).abs() < 0.005;
    assert!(near(fit.posterior_mean(8.0, 10.0), 0.53) && near(fit.posterior_tail(8.0, 10.0, 0.5), 0.60));
    assert!(
        near(fit.posterior_mean(10.0, 10.0), 0.66) && near(fit.posterior_tail(10.0, 10.0, 0.5), 0.90)
    );
    assert!(fit.posterior_interval(8.0, 10.0, 0.95).contains(0.53));
}

fn draw_counts(seed: u64, alpha: f64, beta: f64, n_subjects: u32) -> Vec<(u64, u64)> {
    let mut rng = volary_core::seed::stream(seed, "beta-binomial test");
    (0..n_subjects)
        .map(|_| {
            let p = crate::draws::beta(&mut rng, alpha, beta);
            let n = rng.random_range(1..25_u64);
            ((0..n).filter(|_| rng.random::<f64>() < p).count() as u64, n)
        })
        .collect()
}

#[test]
fn true_parameters_are_recovered_within_their_errors() {
    for (alpha, beta) in [(0.5, 4.0), (2.0, 2.0), (8.0, 1.5)] {
        let (mut covered, n) = (0, 100);
        for seed in 0..n {
            let fit = BetaBinomial::fit(draw_counts(seed, alpha, beta, 500)).unwrap();
            let (alpha_se, beta_se) = (fit.alpha_se.unwrap(), fit.beta_se.unwrap());
            covered += u32::from((fit.alpha - alpha).abs() < 1.96 * alpha_se);
            covered += u32::from((fit.beta - beta).abs() < 1.96 * beta_se);
        }
        assert!((178..=200).contains(&covered), "{alpha} {beta}: {covered} of 200");
    }
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let fit = |pairs: &[(u64, u64)]| BetaBinomial::fit(pairs.iter().copied());
    assert_eq!(fit(&[]), Err(BetaBinomialError::Empty));
    assert_eq!(fit(&[(0, 0)]), Err(BetaBinomialError::Empty));
    assert_eq!(fit(&[(3, 2)]), Err(BetaBinomialError::MoreThanAll { k: 3, n: 2 }));
    assert_eq!(fit(&[(0, 5), (0, 9)]), Err(BetaBinomialError::OneSided { share: 0, n_subjects: 2 }));
    assert_eq!(fit(&[(5, 5), (9, 9)]), Err(BetaBinomialError::OneSided { share: 1, n_subjects: 2 }));
    assert_eq!(fit(&[(0, 1), (1, 1)]), Err(BetaBinomialError::SingleVotes { n_subjects: 2 }));
}

#[test]
fn without_spread_or_with_nothing_else_the_fit_stops_at_a_bound() {
    let alike = BetaBinomial::fit([(3, 10); 50]).unwrap();
    assert!(alike.at_bound && alike.alpha_se.is_none(), "{alike:?}");
    assert!((alike.mean() - 0.3).abs() < 1e-6 && alike.overdispersion() < 1e-6);
    let single = BetaBinomial::fit([(3, 10)]).unwrap();
    assert!(single.at_bound && (single.mean() - 0.3).abs() < 1e-6);
    let all_or_nothing = BetaBinomial::fit([(0, 10), (10, 10), (10, 10)]).unwrap();
    assert!(all_or_nothing.at_bound && all_or_nothing.overdispersion() > 0.999, "{all_or_nothing:?}");
    assert!((all_or_nothing.mean() - 2.0 / 3.0).abs() < 1e-3, "{all_or_nothing:?}");
}

#[test]
fn a_million_votes_on_one_subject_are_no_trouble() {
    let fit = BetaBinomial::fit([(400_000, 1_000_000), (2, 10), (7, 10), (1, 5)]).unwrap();
    assert!(fit.alpha.is_finite() && fit.log_likelihood.is_finite());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_fit_is_a_maximum_and_mirrors(
        pairs in proptest::collection::vec((0..12_u64, 0..12_u64), 3..60),
    ) {
        let pairs: Vec<(u64, u64)> = pairs.into_iter().map(|(k, more)| (k, k + more)).collect();
        let mirrored = BetaBinomial::fit(pairs.iter().map(|&(k, n)| (n - k, n)));
        match BetaBinomial::fit(pairs.iter().copied()) {
            Err(error) => {
                let gave_up = matches!(error, BetaBinomialError::NotConverged { .. });
                prop_assert!(mirrored.is_err() && !gave_up);
            }
            Ok(fit) => {
                let mirrored = mirrored.unwrap();
                prop_assert!((fit.log_likelihood - mirrored.log_likelihood).abs() < 1e-6);
                let mut counts = Counts::default();
                for &(k, n) in &pairs {
                    counts.add(k, n, 1).unwrap();
                }
                let likelihood = Likelihood::new(&counts).unwrap();
                let best = likelihood.value(fit.alpha, fit.beta);
                for (a, b) in [(1.01, 1.0), (0.99, 1.0), (1.0, 1.01), (1.0, 0.99), (1.01, 1.01), (0.99, 0.99)] {
                    let precision = a * fit.alpha + b * fit.beta;
                    if (MIN_PRECISION..MAX_PRECISION).contains(&precision) {
                        let there = likelihood.value(a * fit.alpha, b * fit.beta);
                        prop_assert!(there <= best + 1e-9 * best.abs().max(1.0), "{fit:?} {a} {b}: {there} {best}");
                    }
                }
            }
        }
    }

    #[test]
    fn shrinking_pulls_towards_the_mean(k in 0..20_u64, more in 0..20_u64, a in 0.1..9.0_f64, b in 0.1..9.0_f64) {
        let prior = BetaBinomial {
            alpha: a, beta: b, log_likelihood: 0.0, n_subjects: 1, alpha_se: None, beta_se: None, at_bound: false,
        };
        let (k, n) = (k as f64, (k + more + 1) as f64);
        let (raw, shrunk, mean) = (k / n, prior.posterior_mean(k, n), prior.mean());
        prop_assert!(shrunk >= raw.min(mean) - 1e-12 && shrunk <= raw.max(mean) + 1e-12);
    }
}
