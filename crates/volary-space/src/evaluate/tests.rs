use super::*;
use crate::golden::{self, assert_close, numbers};
use proptest::prelude::*;

fn params() -> EvaluateParams {
    EvaluateParams { bootstrap: Bootstrap::new(50, 0.9, 1).unwrap(), ..EvaluateParams::default() }
}

fn value(estimate: Option<Estimate>) -> f64 {
    estimate.map_or(f64::NAN, |e| e.value)
}

#[test]
fn as_scikit_learn_and_scipy_have_it() {
    let golden = golden::evaluate();
    let g = |name: &str| golden["evaluate"][name].as_f64().unwrap();
    let column = |name: &str| numbers(&golden["evaluate"][name]);
    let (predicted, label, weight) = (column("predicted"), column("label"), column("weight"));
    let predictions = Predictions::new(&predicted, &label).unwrap().weighted(&weight).unwrap();
    let hard = evaluate(&predictions, &EvaluateParams { thresholds: vec![0.6], ..params() }).unwrap();
    let soft = evaluate(&predictions, &EvaluateParams { positive: Positive::Soft, ..params() }).unwrap();
    let at = hard.selections[0];
    let pairs = [
        (hard.log_loss, "log_loss"),
        (hard.mean_absolute_error, "mean_absolute_error"),
        (hard.brier, "brier"),
        (hard.auc, "auc"),
        (hard.average_precision, "average_precision"),
        (soft.auc, "auc_soft"),
        (soft.average_precision, "average_precision_soft"),
        (at.precision, "precision"),
        (at.recall, "recall"),
        (at.f1, "f1"),
    ];
    for (estimate, name) in pairs {
        assert_close(&[value(estimate)], &[g(name)], 1e-12);
    }
    assert!(soft.best_auc.unwrap() < 1.0 && soft.best_auc.unwrap() > value(soft.auc));
    assert_close(&[hard.best_auc.unwrap()], &[1.0], 1e-15);
    let units = Units::subjects(label.len());
    let correlation = correlate(&predicted, &label, &units, &params().bootstrap).unwrap();
    assert_close(
        &[value(correlation.pearson), value(correlation.spearman)],
        &[g("pearson"), g("spearman")],
        1e-12,
    );
}

#[test]
fn four_subjects_on_paper() {
    // Falling: 0.9 (yes), 0.6 (no) and 0.6 (yes) tied, 0.1 (no).
    let (predicted, label) = ([0.6, 0.9, 0.1, 0.6], [1.0, 1.0, 0.0, 0.0]);
    let e = evaluate(&Predictions::new(&predicted, &label).unwrap(), &params()).unwrap();
    // Pairs: 0.9 beats both; the tied yes beats one and half of the other: 3.5 of 4.
    assert_close(&[value(e.auc)], &[3.5 / 4.0], 1e-15);
    // Steps: ½ at precision 1, ½ at precision ⅔.
    assert_close(&[value(e.average_precision)], &[0.5 + 0.5 * 2.0 / 3.0], 1e-15);
    let log_loss = -(0.6_f64.ln() + 0.9_f64.ln() + 0.9_f64.ln() + 0.4_f64.ln()) / 4.0;
    assert_close(&[value(e.log_loss), value(e.entropy_floor)], &[log_loss, 0.0], 1e-15);
    // Bins: 0.1 in (0, 0.1] misses by 0.1; 0.6 twice, half right, by 0.1 each; 0.9 by 0.1.
    assert_close(&[value(e.calibration_error)], &[0.1], 1e-15);
    assert_eq!((e.reliability[0].n, e.reliability[5].n, e.reliability[8].n), (1, 2, 1));
    assert_eq!(e.reliability[5].mean_label.unwrap().value, 0.5);
    assert_eq!(e.reliability[2].mean_label, None);
    let at = e.selections[0];
    assert_close(
        &[value(at.precision), value(at.recall), value(at.selected)],
        &[2.0 / 3.0, 1.0, 0.75],
        1e-15,
    );
}

#[test]
fn the_floor_is_reached_by_the_label_itself() {
    let label: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
    let e = evaluate(&Predictions::new(&label, &label).unwrap(), &params()).unwrap();
    let excess = e.excess_log_loss.unwrap();
    assert_eq!((excess.value, excess.low, excess.high), (0.0, 0.0, 0.0));
    assert!(value(e.entropy_floor) > 0.3);
    assert_eq!(value(e.calibration_error), 0.0);
}

#[test]
fn what_is_undefined_is_none_and_what_is_wrong_is_said() {
    let e = evaluate(&Predictions::new(&[0.2, 0.3], &[0.0, 0.0]).unwrap(), &params()).unwrap();
    assert_eq!((e.auc, e.average_precision, e.best_auc), (None, None, None));
    assert_eq!((e.selections[0].precision, e.selections[0].recall), (None, None));
    assert_eq!(e.selections[0].selected.unwrap().value, 0.0);
    assert!(matches!(Predictions::new(&[], &[]), Err(SpaceError::NoRows { .. })));
    assert!(matches!(Predictions::new(&[0.1], &[]), Err(SpaceError::Length { .. })));
    assert!(matches!(
        Predictions::new(&[0.1, f64::NAN], &[0.0, 1.0]),
        Err(SpaceError::Range { row: 1, .. })
    ));
    assert!(matches!(Predictions::new(&[0.1], &[1.5]), Err(SpaceError::Range { .. })));
    let p = Predictions::new(&[0.1], &[1.0]).unwrap();
    assert!(
        p.weighted(&[-1.0]).is_err() && p.weighted(&[f64::INFINITY]).is_err() && p.grouped(&[]).is_err()
    );
    assert!(evaluate(&p, &EvaluateParams { n_bins: 0, ..params() }).is_err());
    assert!(evaluate(&p, &EvaluateParams { thresholds: vec![f64::NAN], ..params() }).is_err());
}

#[test]
fn a_better_model_is_found_better_with_a_paired_interval() {
    // Both see the same hard subjects; the model is a little nearer on each.
    let label: Vec<f64> = (0..200).map(|i| f64::from(i % 7) / 6.0).collect();
    let off = |by: f64| {
        label.iter().enumerate().map(move |(i, q)| (q + by * f64::sin(i as f64)).clamp(0.0, 1.0))
    };
    let (model, baseline): (Vec<f64>, Vec<f64>) = (off(0.20).collect(), off(0.25).collect());
    let predictions = Predictions::new(&model, &label).unwrap();
    let found = compare(&predictions, &baseline, &params()).unwrap();
    let error = found.mean_absolute_error.unwrap();
    assert!(error.value < 0.0 && error.high < 0.0, "{error:?}");
    // Unpaired intervals would overlap.
    let alone = |p: &[f64]| {
        let all = evaluate(&Predictions::new(p, &label).unwrap(), &params()).unwrap();
        all.mean_absolute_error.unwrap()
    };
    let (a, b) = (alone(&model), alone(&baseline));
    assert!((b.value - a.value + error.value).abs() < 1e-12);
    assert!(error.high - error.low < 0.5 * (a.high - a.low));
    assert!(compare(&predictions, &model, &params()).unwrap().auc.unwrap().value == 0.0);
}

#[test]
fn intervals_cover_a_known_auc() {
    // Scores of positives and negatives uniform on (0, 1) and (0, ½): AUC = ¾ in closed form.
    let mut rng = volary_core::seed::stream(5, "auc");
    let mut n_covered = 0;
    for round in 0..200 {
        let label: Vec<f64> = (0..160).map(|i| f64::from(i % 2)).collect();
        let predicted: Vec<f64> =
            label.iter().map(|y| rand::RngExt::random::<f64>(&mut rng) * (0.5 + 0.5 * y)).collect();
        let bootstrap = Bootstrap::new(200, 0.9, round).unwrap();
        let p = Predictions::new(&predicted, &label).unwrap();
        let auc = evaluate(&p, &EvaluateParams { bootstrap, ..params() }).unwrap().auc.unwrap();
        n_covered += usize::from(auc.low <= 0.75 && 0.75 <= auc.high);
    }
    assert!((165..=195).contains(&n_covered), "{n_covered} of 200 where 180 are due");
}

#[test]
fn distributions_on_paper() {
    let (predicted, label) = ([0.5, 0.5, 0.0, 0.2, 0.3, 0.5], [0.5, 0.25, 0.25, 0.0, 0.0, 1.0]);
    let of = Distributions::new(&predicted, &label, 3).unwrap();
    let score = distribution(&of, &Units::subjects(2), &params().bootstrap).unwrap();
    let floor = 0.5 * (1.5 * 2.0_f64.ln());
    let cross = 0.5 * (0.75 * 2.0_f64.ln() - 0.25 * CLIP.ln() + 2.0_f64.ln());
    assert_close(&[value(score.entropy_floor), value(score.cross_entropy)], &[floor, cross], 1e-12);
    assert_close(
        &[value(score.total_variation), value(score.mean_absolute_error)],
        &[0.375, 0.25],
        1e-12,
    );
    assert_close(&[value(score.top_1)], &[0.75], 1e-12);
    assert!((entropy(&[0.5, 0.5, 0.0]) - 2.0_f64.ln()).abs() < 1e-15);
    assert!(Distributions::new(&[0.5, 0.4], &[0.5, 0.5], 2).is_err());
    assert!(Distributions::new(&[0.5, 0.5, 0.0], &[0.5, 0.5, 0.0], 2).is_err());
}

#[test]
fn a_constant_column_correlates_with_nothing() {
    let found =
        correlate(&[0.1; 5], &[1.0, 2.0, 3.0, 4.0, 5.0], &Units::subjects(5), &params().bootstrap)
            .unwrap();
    assert_eq!((found.pearson, found.spearman), (None, None));
    assert!(correlate(&[1.0, f64::NAN], &[1.0, 2.0], &Units::subjects(2), &params().bootstrap).is_err());
}

fn column(n: usize) -> impl Strategy<Value = Vec<f64>> {
    // Twentieths, so that ties are common.
    proptest::collection::vec((0..=20_u8).prop_map(|v| f64::from(v) / 20.0), n)
}

proptest! {
    #[test]
    fn the_identity_of_selection_holds(
        (predicted, label) in (1..40_usize).prop_flat_map(|n| (column(n), column(n))),
        threshold in 0.0..1.0_f64,
    ) {
        let params = EvaluateParams { thresholds: vec![threshold], ..params() };
        let e = evaluate(&Predictions::new(&predicted, &label).unwrap(), &params).unwrap();
        let at = e.selections[0];
        if let (Some(precision), Some(recall)) = (at.precision, at.recall) {
            let (left, right) = (precision.value * value(at.selected), recall.value * value(e.prevalence));
            prop_assert!((left - right).abs() < 1e-12);
        }
        if let Some(auc) = e.auc {
            // Turning the ranking round turns the AUC round.
            let turned: Vec<f64> = predicted.iter().map(|p| 1.0 - p).collect();
            let e = evaluate(&Predictions::new(&turned, &label).unwrap(), &params).unwrap();
            prop_assert!((auc.value + value(e.auc) - 1.0).abs() < 1e-12);
            // Every pair of a yes and a no, counted one by one.
            let (mut pairs, mut won) = (0.0, 0.0);
            for i in (0..label.len()).filter(|&i| label[i] > 0.5) {
                for j in (0..label.len()).filter(|&j| label[j] <= 0.5) {
                    pairs += 1.0;
                    won += if predicted[i] > predicted[j] { 1.0 } else if predicted[i] == predicted[j] { 0.5 } else { 0.0 };
                }
            }
            prop_assert!((auc.value - won / pairs).abs() < 1e-12);
        }
        prop_assert!(value(e.excess_log_loss) >= -1e-12);
        prop_assert!(value(e.calibration_error) <= value(e.mean_absolute_error) + 1e-12);
    }
}
