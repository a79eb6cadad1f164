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

#[test]
fn the_pipeline_is_swept_and_the_right_parameters_win() {
    use crate::marks::simulate::{SimulationParams, simulate};
    let world = simulate(&SimulationParams { seed: 3, ..SimulationParams::scaled(0.01) }).unwrap();
    let marks = world.to_marks();
    let signals = world.signal_table(true).join(&marks);
    let grid = SweepGrid {
        tolerances_days: vec![0.02, 0.8],
        cutoffs_days: vec![0.1, 1.5],
        ..SweepGrid::default()
    };
    let rows =
        sweep_marks(&marks, &LightCurves::default(), &signals, &MarkParams::default(), &grid).unwrap();
    // Marks are at least 0.47 d wide without zoom, and their middles wobble by a tenth of a day.
    let best = best(&rows).unwrap();
    assert_eq!((best.tolerance_days, best.cutoff_days), (0.8, 1.5));
    let reachable = |row: &SweepRow| row.floors[0].reachable.share();
    assert!(reachable(&rows[3]) > 0.6 && reachable(&rows[2]) < reachable(&rows[3]) - 0.2);
    assert!(rows[1].n_features > rows[3].n_features, "a small tolerance splits");
    let bad = MarkParams { level: 2.0, ..MarkParams::default() };
    let error = sweep_marks(&marks, &LightCurves::default(), &signals, &bad, &grid).unwrap_err();
    assert!(matches!(error, EvaluateError::Crowd(_)));
}
