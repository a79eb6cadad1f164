use super::*;
use crate::draws::normal;
use proptest::prelude::*;

fn scorer(name: &str, values: &[f64]) -> Scorer {
    Scorer { name: name.to_owned(), values: values.to_vec() }
}

fn plain(shares: &[f64]) -> InspectionParams {
    let bootstrap = Bootstrap::new(0, 0.95, 0).unwrap();
    InspectionParams { shares: shares.to_vec(), n_folds: 0, seed: 0, bootstrap }
}

#[test]
fn recall_on_paper() {
    let chosen = [true, false, true, false, false];
    let values = [5.0, 4.0, 3.0, 3.0, 1.0];
    let found = inspect(&[scorer("a", &values)], &chosen, None, &plain(&[0.2, 0.4, 0.6, 1.0])).unwrap();
    let of = |at: usize| {
        let row = found.scorers[0].at[at];
        (row.recall.unwrap().value, row.precision.unwrap().value)
    };
    // The third place is shared by a chosen one and another: half of it is expected.
    assert_eq!((of(0), of(1), of(3)), ((0.5, 1.0), (0.5, 0.5), (1.0, 0.4)));
    assert!((of(2).0 - 0.75).abs() < 1e-12 && (of(2).1 - 0.5).abs() < 1e-12);
    // Pairs: the first beats all three, the other beats one, ties with one and loses to one.
    assert_eq!(found.scorers[0].auc.unwrap().value, (3.0 + 1.5) / 6.0);
    assert_eq!((found.n, found.n_chosen, found.prevalence.unwrap().value), (5, 2, 0.4));
    assert!(found.combined.is_none() && found.scorers[0].gain.is_none());
}

#[test]
fn a_chance_of_being_shown_weighs() {
    // All of the top and every tenth of the rest: of the rest each stands for ten.
    let chosen = [true, false, true];
    let weight = [1.0, 1.0, 10.0];
    let found =
        inspect(&[scorer("a", &[3.0, 2.0, 1.0])], &chosen, Some(&weight), &plain(&[1.0 / 6.0])).unwrap();
    assert!((found.prevalence.unwrap().value - 11.0 / 12.0).abs() < 1e-12);
    assert!((found.scorers[0].at[0].recall.unwrap().value - 1.0 / 11.0).abs() < 1e-12);
}

/// Two scorers that see different halves of what is chosen, and one that sees nothing.
fn sky(n: usize, seed: u64) -> (Vec<Scorer>, Vec<bool>) {
    let mut rng = stream(seed, "inspection test");
    let (mut one, mut two, mut blind, mut chosen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for at in 0..n {
        let is_chosen = at % 10 == 0;
        let (first, second) = (is_chosen && at % 20 == 0, is_chosen && at % 20 != 0);
        one.push(normal(&mut rng) + if first { 3.0 } else { 0.0 });
        two.push(normal(&mut rng).exp() * if second { 20.0 } else { 1.0 });
        blind.push(normal(&mut rng));
        chosen.push(is_chosen);
    }
    (vec![scorer("one", &one), scorer("two", &two), scorer("blind", &blind)], chosen)
}

#[test]
fn a_combination_finds_what_each_sees_and_noise_does_not_help() {
    let (scorers, chosen) = sky(3000, 1);
    let params = InspectionParams {
        bootstrap: Bootstrap::new(200, 0.95, 1).unwrap(),
        ..InspectionParams::default()
    };
    let found = inspect(&scorers, &chosen, None, &params).unwrap();
    let recall = |f: &Finding| f.at[3].recall.unwrap();
    let combined = found.combined.unwrap();
    assert!(recall(&combined).low > recall(&found.scorers[0]).high, "{combined:?}");
    assert!(recall(&combined).low > recall(&found.scorers[1]).high, "{combined:?}");
    assert!(combined.gain.unwrap().low > 0.05, "{combined:?}");
    let weights = found.weights.unwrap();
    assert!(weights[0] > 0.5 && weights[1] > 0.5 && weights[2].abs() < 0.2, "{weights:?}");
    let blind = found.scorers[2].auc.unwrap();
    assert!(blind.low < 0.5 && 0.5 < blind.high && found.scorers[2].gain.unwrap().high < 0.0);
    // Labels that follow nothing: out of fold, the combination has nothing to be proud of.
    let shuffled: Vec<bool> = (0..3000).map(|at| (at * 7919) % 3001 < 300).collect();
    let found = inspect(&scorers, &shuffled, None, &params).unwrap();
    let auc = found.combined.unwrap().auc.unwrap();
    assert!(auc.low < 0.5 && auc.value < 0.55, "{auc:?}");
}

#[test]
fn delong_agrees_with_the_bootstrap_and_with_paper() {
    let (scorers, chosen) = sky(2000, 2);
    let params = InspectionParams {
        n_folds: 0,
        bootstrap: Bootstrap::new(1000, 0.95, 3).unwrap(),
        ..InspectionParams::default()
    };
    let found = inspect(&scorers, &chosen, None, &params).unwrap();
    for (scorer, finding) in scorers.iter().zip(&found.scorers) {
        let (quick, slow) = (auc(&scorer.values, &chosen, 0.95).unwrap(), finding.auc.unwrap());
        assert!((quick.value - slow.value).abs() < 1e-12);
        let width = slow.high - slow.low;
        assert!((quick.low - slow.low).abs() < 0.12 * width, "{quick:?} {slow:?}");
        assert!((quick.high - slow.high).abs() < 0.12 * width, "{quick:?} {slow:?}");
    }
    // Positives at 2 and 4, negatives at 1 and 3: shares beaten ½ and 1; beaten by 1 and ½. Both variances are
    // 1/8, so the error is √(1/16 + 1/16).
    let e = auc(&[2.0, 4.0, 1.0, 3.0], &[true, true, false, false], 0.95).unwrap();
    let error = 0.125_f64.sqrt() / (0.75 * 0.25);
    let logit = 3.0_f64.ln();
    assert_eq!(e.value, 0.75);
    assert!((e.low - crate::logistic::sigmoid(logit - 1.959_964 * error)).abs() < 1e-6, "{e:?}");
    // Nothing overlaps: 2 of 2, so tail^(1/2).
    let e = auc(&[3.0, 4.0, 1.0, 2.0, f64::NAN], &[true, true, false, false, true], 0.95).unwrap();
    assert_eq!((e.value, e.high), (1.0, 1.0));
    assert!((e.low - 0.025_f64.sqrt()).abs() < 1e-12);
    assert_eq!(auc(&[1.0], &[true], 0.95), None);
}

#[test]
fn bad_input_is_refused() {
    let a = scorer("a", &[1.0, 2.0]);
    let (yes_no, params) = ([true, false], plain(&[0.5]));
    assert!(matches!(inspect(&[], &yes_no, None, &params), Err(SpaceError::NoRows { .. })));
    assert!(matches!(
        inspect(std::slice::from_ref(&a), &[true], None, &params),
        Err(SpaceError::Length { .. })
    ));
    assert!(matches!(
        inspect(std::slice::from_ref(&a), &[true, true], None, &params),
        Err(SpaceError::OneClass { .. })
    ));
    let broken = scorer("b", &[1.0, f64::NAN]);
    assert!(matches!(inspect(&[broken], &yes_no, None, &params), Err(SpaceError::NotFinite { .. })));
    assert!(inspect(std::slice::from_ref(&a), &yes_no, Some(&[1.0, 0.0]), &params).is_err());
    assert!(inspect(&[a], &yes_no, None, &plain(&[1.5])).is_err());
}

proptest! {
    #[test]
    fn more_inspected_finds_no_less_and_scales_do_not_matter(
        rows in proptest::collection::vec((0..9_i32, any::<bool>()), 4..60),
    ) {
        let chosen: Vec<bool> = rows.iter().map(|r| r.1).collect();
        prop_assume!(chosen.iter().any(|c| *c) && chosen.iter().any(|c| !*c));
        let values: Vec<f64> = rows.iter().map(|r| f64::from(r.0)).collect();
        let stretched: Vec<f64> = values.iter().map(|v| v.exp()).collect();
        let shares = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0];
        let found = inspect(
            &[scorer("a", &values), scorer("b", &stretched)], &chosen, None, &plain(&shares),
        ).unwrap();
        let recall = |f: &Finding| f.at.iter().map(|r| r.recall.unwrap().value).collect::<Vec<_>>();
        let (a, b) = (recall(&found.scorers[0]), recall(&found.scorers[1]));
        prop_assert_eq!(&a, &b);
        prop_assert!(a.windows(2).all(|w| w[0] <= w[1] + 1e-12));
        prop_assert!(a[0] == 0.0 && (a[5] - 1.0).abs() < 1e-12);
    }
}
