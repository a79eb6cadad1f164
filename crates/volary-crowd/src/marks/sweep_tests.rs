use super::*;
use crate::marks::evaluate::tests::scene;

/// Wider tolerance finds the second signal; a wider cutoff lets a false feature in.
fn run(tolerance: f64, cutoff: f64) -> Result<(Features, Vec<f64>), EvaluateError> {
    let mut second = vec![];
    if tolerance >= 1.0 {
        second.push((4.0, 5.0, 0.6));
    }
    if cutoff >= 2.0 {
        second.push((8.0, 9.9, 0.7));
    }
    let (features, scores, _) = scene(&[&[(1.0, 2.0, 0.9)], &second], &[&[(1.0, 2.0)], &[(4.0, 5.0)]]);
    Ok((features, scores))
}

#[test]
fn the_grid_is_run_in_order_and_the_best_is_found() {
    let (_, _, signals) = scene(&[&[], &[]], &[&[(1.0, 2.0)], &[(4.0, 5.0)]]);
    let grid = SweepGrid {
        tolerances_days: vec![0.5, 1.2],
        cutoffs_days: vec![1.0, 3.0],
        floors: vec![0.0, 0.65],
        level: 0.95,
    };
    let rows = sweep(&grid, &signals, run).unwrap();
    let pairs: Vec<_> = rows.iter().map(|r| (r.tolerance_days, r.cutoff_days, r.n_features)).collect();
    assert_eq!(pairs, [(0.5, 1.0, 1), (0.5, 3.0, 2), (1.2, 1.0, 2), (1.2, 3.0, 3)]);
    let recovered = |r: &SweepRow| r.floors.iter().map(|f| f.recovered.k).collect::<Vec<_>>();
    assert_eq!([recovered(&rows[0]), recovered(&rows[3])], [vec![1, 1, 1], vec![2, 2, 1]]);
    assert_eq!(rows[3].floors[0].false_positive_rate.k, 1);
    let best = best(&rows).unwrap();
    assert_eq!((best.tolerance_days, best.cutoff_days), (1.2, 1.0));
    assert_eq!(SweepGrid::default().pairs().len(), 36);
    assert!(super::best(&[]).is_none());
}

#[test]
fn the_first_error_is_given() {
    let (_, _, signals) = scene(&[&[], &[]], &[&[(1.0, 2.0)], &[(4.0, 5.0)]]);
    let fail = |t: f64, _| -> Result<(Features, Vec<f64>), EvaluateError> {
        let error = EvaluateError::Edges { edges: vec![t] };
        if t > 0.7 { Err(error) } else { run(t, 1.0) }
    };
    let error = sweep(&SweepGrid::default(), &signals, fail).unwrap_err();
    assert_eq!(error, EvaluateError::Edges { edges: vec![0.8] });
}
