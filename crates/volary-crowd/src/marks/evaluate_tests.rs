use super::*;

/// Features per subject as (x_min, x_max, score), signals per subject as (x_min, x_max).
pub(crate) fn scene(
    features: &[&[(f64, f64, f64)]],
    signals: &[&[(f64, f64)]],
) -> (Features, Vec<f64>, Signals) {
    let mut f = Features { start: vec![0], member_start: vec![0], ..Features::default() };
    let mut scores = Vec::new();
    let mut s = Signals { start: vec![0], ..Signals::default() };
    for (subject, (mine, known)) in features.iter().zip(signals).enumerate() {
        for &(a, b, score) in *mine {
            f.id.push(f.id.len() as u64 + 1);
            f.subject.push(subject as u32);
            f.x_min_days.push(a);
            f.x_max_days.push(b);
            f.member_start.push(0);
            scores.push(score);
        }
        f.start.push(f.subject.len() as u32);
        if known.is_empty() {
            s.group.push(volary_core::marks::NONE);
            continue;
        }
        s.group.push(s.start.len() as u32 - 1);
        for &(a, b) in *known {
            s.id.push(s.id.len().to_string());
            s.row.push(s.row.len() as u32);
            s.x_min_days.push(a);
            s.x_max_days.push(b);
        }
        s.start.push(s.id.len() as u32);
    }
    (f, scores, s)
}

fn matched(features: &[&[(f64, f64, f64)]], signals: &[&[(f64, f64)]]) -> Matched {
    let (f, scores, s) = scene(features, signals);
    match_features(&f, &scores, &s, MATCH_COVER).unwrap()
}

#[test]
fn recovery_on_paper() {
    // Subject 0: found in two fragments, and a false feature. 1: found too low. 2: nobody marked. 3: no signal.
    let m = matched(
        &[
            &[(1.0, 1.5, 0.9), (1.4, 2.0, 0.3), (5.0, 6.0, 0.6)],
            &[(3.0, 4.0, 0.2)],
            &[],
            &[(1.0, 2.0, 1.0)],
        ],
        &[&[(1.0, 2.0)], &[(3.2, 3.6)], &[(7.0, 8.0)], &[]],
    );
    assert_eq!((m.n_features, m.n_features_above, m.judged.len(), m.shown.len()), (5, 3, 4, 3));
    let h = headline(&m, SCORE_CUTOFF, 0.95);
    assert_eq!((h.recovered.k, h.recovered.n, h.reachable.k), (1, 3, 2));
    assert_eq!((h.precision.k, h.precision.n), (1, 2));
    assert_eq!((h.false_positive_rate.k, h.false_positive_rate.n), (1, 1));
    assert_eq!((h.features_per_signal, h.false_per_true()), (1.5, Some(1.0)));
    assert!(h.recovered.interval.contains(1.0 / 3.0));
    let rows = floors(&m, &[0.0, 0.5, 0.95], 0.95);
    assert_eq!([rows[0].recovered.k, rows[1].recovered.k, rows[2].recovered.k], [2, 1, 0]);
    assert_eq!(rows[2].false_per_true(), None, "0 of 0");
}

#[test]
fn half_is_enough_and_touching_is_not() {
    let one = |feature: (f64, f64)| {
        matched(&[&[(feature.0, feature.1, 1.0)]], &[&[(2.0, 4.0)]]).shown[0].n_features
    };
    assert_eq!([one((3.0, 9.0)), one((3.001, 9.0)), one((4.0, 5.0)), one((0.0, 9.0))], [1, 0, 0, 1]);
    assert_eq!(cover((1.0, 1.0), (0.0, 2.0)), 0.0, "a signal of no length");
    assert_eq!(cover((1.0, 2.0), (f64::NAN, 2.0)), 0.0);
}

#[test]
fn nothing_known_is_one_clear_error() {
    let (f, scores, s) = scene(&[&[(1.0, 2.0, 1.0)]], &[&[]]);
    let error = match_features(&f, &scores, &s, 0.5).unwrap_err();
    assert_eq!(error, EvaluateError::NoSignals);
    assert!(error.to_string().contains("--signals"));
    let none = Signals::default();
    assert_eq!(match_features(&Features::default(), &[], &none, 0.5), Err(EvaluateError::NoSignals));
    assert!(matches!(match_features(&f, &[], &s, 0.5), Err(EvaluateError::Length { .. })));
}

#[test]
fn only_simulations_a_feature_that_everybody_marked_and_one_that_nobody_did() {
    let m = matched(&[&[(1.0, 2.0, 1.0), (5.0, 6.0, 0.0), (8.0, 9.0, f64::NAN)]], &[&[(1.0, 2.0)]]);
    let h = headline(&m, SCORE_CUTOFF, 0.95);
    assert_eq!((h.recovered.k, h.recovered.n, h.precision.n), (1, 1, 1));
    assert_eq!((h.false_positive_rate.k, h.false_positive_rate.n), (0, 2));
    assert!(m.judged[2].score < -1e300, "a score that is no number is below every other");
}

#[test]
fn tables_hold_their_edges_and_leave_out_what_is_unknown() {
    let m = matched(
        &[&[(0.0, 1.0, 0.9)], &[(0.0, 1.0, 0.1)], &[], &[], &[(0.0, 1.0, 0.5)]],
        &[&[(0.0, 1.0)], &[(0.0, 1.0)], &[(0.0, 1.0)], &[(0.0, 1.0)], &[(0.0, 1.0)]],
    );
    let (radius, period) = ([1.0, 1.5, 2.0, f64::NAN, 12.0], [10.0, 250.0, 200.0, 5.0, 1000.0]);
    let table =
        recovery_table(&m, 0.5, (&period, &PAPER_PERIOD_EDGES), (&radius, &PAPER_RADIUS_EDGES), 0.95)
            .unwrap();
    let cell = |r: usize, c: usize| (table.cells[r][c].k, table.cells[r][c].n);
    assert_eq!([cell(0, 0), cell(0, 1), cell(1, 1), cell(7, 4)], [(1, 1), (0, 1), (0, 1), (1, 1)]);
    assert_eq!((table.n_outside, table.cells.len(), table.cells[0].len()), (1, 8, 5));
    let line = recovery_by(&m, 0.5, (&radius, &[1.0, 2.0, 12.0]), 0.95).unwrap();
    assert_eq!((line.cells[0][0].n, line.cells[0][1].n, line.n_outside), (2, 2, 1));
    for bad in [&[1.0][..], &[1.0, 1.0], &[2.0, 1.0], &[1.0, f64::NAN]] {
        assert!(matches!(recovery_by(&m, 0.5, (&radius, bad), 0.95), Err(EvaluateError::Edges { .. })));
    }
    assert!(matches!(
        recovery_by(&m, 0.5, (&[1.0], &[0.0, 2.0]), 0.95),
        Err(EvaluateError::Length { .. })
    ));
}

#[test]
fn edges_of_every_spacing() {
    let values = [1.0, 10.0, 100.0, f64::NAN, f64::INFINITY, 1000.0];
    assert_eq!(edges(&values, 3, Spacing::Linear), [1.0, 334.0, 667.0, 1000.0]);
    let log = edges(&values, 3, Spacing::Logarithmic);
    assert!((log[1] - 10.0).abs() < 1e-9 && (log[2] - 100.0).abs() < 1e-9 && log[3] == 1000.0);
    assert_eq!(edges(&[1.0, 1.0, 1.0, 2.0], 2, Spacing::Quantiles), [1.0, 2.0]);
    assert_eq!(edges(&[-1.0, 0.0, 4.0], 2, Spacing::Logarithmic), Vec::<f64>::new());
    assert!(
        edges(&[3.0, 3.0], 4, Spacing::Linear).is_empty() && edges(&[], 4, Spacing::Linear).is_empty()
    );
}
