use super::*;
use crate::draws::normal;
use proptest::prelude::*;
use volary_core::seed::stream;

/// Vectors, and a quantity that grows along the first two directions.
fn taste(n: usize, seed: u64) -> (Points, Vec<f64>) {
    let mut rng = stream(seed, "taste");
    let values: Vec<f64> = (0..n * 6).map(|_| normal(&mut rng)).collect();
    let quantity = values.chunks_exact(6).map(|row| {
        let z = 1.5 * row[0] - row[1] - 1.0 + 0.3 * normal(&mut rng);
        crate::logistic::sigmoid(z)
    });
    let quantity = quantity.collect();
    (Points::new(values.iter().map(|v| *v as f32).collect(), 6).unwrap(), quantity)
}

/// Keys of so many rows.
fn numbers(n: usize, seed: u64) -> Vec<u64> {
    keys(&Points::new((0..n).map(|v| v as f32).collect(), 1).unwrap(), seed)
}

fn params() -> BoundaryParams {
    BoundaryParams {
        n_components: 6,
        bootstrap: Bootstrap::new(100, 0.9, 0).unwrap(),
        ..BoundaryParams::default()
    }
}

#[test]
fn a_known_taste_is_found_again_and_carries_to_new_vectors() {
    let (points, values) = taste(4000, 1);
    let quantity = Quantity { name: "chosen".into(), values, thresholds: vec![0.2, 0.5, 0.8, 2.0] };
    let rows = sweep(&points, &[quantity], None, &params()).unwrap();
    for row in &rows[..3] {
        let (precision, recall) = (row.precision.unwrap(), row.recall.unwrap());
        assert!(recall.value > 0.9 && precision.value > 0.4, "{row:?}");
        assert!(row.identity_holds() && row.f1.is_some() && row.n == 800);
        assert!(recall.low <= recall.value && recall.value <= recall.high);
    }
    // Nobody is above 2: there is nothing to fit, and the row says so.
    assert_eq!((rows[3].selected, rows[3].recall, &rows[3].boundary), (None, None, &None));
    assert_eq!(rows[3].prevalence.unwrap().value, 0.0);
    assert!(rows[3].sentence(10).contains("both sides"));
    assert!(
        rows[1].sentence(5000).starts_with("inspect ")
            && rows[1].sentence(5000).contains("of 5000 images")
    );
    let (new, truth) = taste(2000, 2);
    let score = rows[1].boundary.as_ref().unwrap().score(&new).unwrap();
    let n_right = score.iter().zip(&truth).filter(|(s, t)| (**s >= 0.5) == (**t > 0.5)).count();
    assert!(n_right > 1780, "{n_right}");
}

#[test]
fn counts_on_paper() {
    let quantity =
        Quantity { name: "q".into(), values: vec![0.0, 1.0, 1.0, 0.0, f64::NAN], thresholds: vec![] };
    let points = Points::new(vec![1.0, 1.0, -1.0, -1.0, 1.0], 1).unwrap();
    let logistic = Logistic::from_parts(vec![1.0], 0.0).unwrap();
    let judged = Judged::new(&quantity, 0.5, &[0, 1, 2, 3, 4], &points, Some(&logistic)).unwrap();
    assert_eq!(judged.cells, [Cell::Selected, Cell::Hit, Cell::Missed, Cell::Neither, Cell::Unknown]);
    assert_eq!(judged.measure(&[1.0, 3.0, 1.0, 0.0, 9.0]), [0.8, 0.8, 0.75, 0.75, 0.75]);
}

#[test]
fn bad_input_is_refused() {
    let (points, values) = taste(20, 1);
    let quantity = Quantity { name: "q".into(), values, thresholds: vec![0.5] };
    let with = |held_out| {
        sweep(&points, std::slice::from_ref(&quantity), None, &BoundaryParams { held_out, ..params() })
    };
    assert!(with(0.0).is_err() && with(1.0).is_err() && with(0.99).is_err() && with(f64::NAN).is_err());
    let short = Quantity { values: vec![0.0], ..quantity.clone() };
    assert!(matches!(sweep(&points, &[short], None, &params()), Err(SpaceError::Length { .. })));
    assert!(matches!(
        sweep(&points, &[quantity], Some(&[true]), &params()),
        Err(SpaceError::Length { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn the_identity_holds_in_every_row(n in 30..120_usize, seed in 0..50_u64, cut in 0.0..1.0_f64) {
        let (points, values) = taste(n, seed);
        let among: Vec<bool> = values.iter().map(|v| *v >= cut * 0.5).collect();
        let quantity = Quantity { name: "q".into(), values, thresholds: vec![0.1, 0.3, 0.6, 0.9] };
        for row in sweep(&points, &[quantity], Some(&among), &params()).unwrap() {
            prop_assert!(row.identity_holds(), "{:?}", row);
        }
    }
}

#[test]
fn one_threshold_is_that_of_the_sweep_and_a_cut_below_all_changes_nothing() {
    let (points, values) = taste(600, 3);
    let quantity = Quantity { name: "q".into(), values, thresholds: vec![0.5] };
    let prepared = Prepared::new(&points, &params()).unwrap();
    let row = prepared.at(&quantity, 0.5).unwrap();
    assert_eq!(sweep(&points, std::slice::from_ref(&quantity), None, &params()).unwrap()[0], row);
    let by: Vec<f64> = (0..600).map(|i| if i == 7 { f64::NAN } else { f64::from(i % 10) }).collect();
    let cut = prepared.by_cut(&quantity, 0.5, &by, &[f64::NEG_INFINITY, 5.0, 99.0]).unwrap();
    // The subject whose score is unknown is in no cut.
    assert_eq!(cut[0].n, row.n - usize::from(prepared.held().contains(&7)));
    let n_above = prepared.held().iter().filter(|&&i| by[i] >= 5.0).count();
    assert_eq!((cut[1].n, cut[2].n, cut[2].prevalence), (n_above, 0, None));
    assert!(cut.iter().all(Row::identity_holds));
    assert!(prepared.by_cut(&quantity, 0.5, &[1.0], &[0.0]).is_err());
}

#[test]
fn groups_are_counted_on_subjects_held_out_only() {
    let (points, values) = taste(600, 4);
    let quantity = Quantity { name: "q".into(), values, thresholds: vec![0.5, 2.0] };
    let prepared = Prepared::new(&points, &params()).unwrap();
    let rows = prepared.sweep(&[quantity], None).unwrap();
    let (all, trained, none) = ((0..600).collect(), prepared.train().to_vec(), Vec::new());
    let kept = prepared.groups(&rows, &[all, trained, none]).unwrap();
    let score = rows[0].boundary.as_ref().unwrap().score(&points).unwrap();
    let n_selected = prepared.held().iter().filter(|&&i| score[i] >= SELECTED_FROM).count();
    assert_eq!(kept[0][0], Kept { n: 120, n_selected: Some(n_selected) });
    assert_eq!(kept[0][1..], [Kept { n: 0, n_selected: Some(0) }; 2]);
    // No boundary at 2: nothing is known of who would be selected.
    assert_eq!(kept[1][0], Kept { n: 120, n_selected: None });
    assert!(prepared.groups(&rows, &[vec![600]]).is_err());
}

proptest! {
    #[test]
    fn of_every_label_the_share_asked_for_is_held_out(
        values in proptest::collection::vec(0.0..1.0_f64, 20..200),
        held_out in 0.1..0.5_f64,
        seed in 0..9_u64,
    ) {
        let thresholds = [0.2, 0.5, 0.9];
        let strata = strata(&values);
        let params = BoundaryParams { held_out, seed, ..params() };
        let (train, held) = split_within(&strata, &numbers(values.len(), seed), &params).unwrap();
        prop_assert_eq!(held.len(), (values.len() as f64 * held_out).round() as usize);
        let mut all = [train, held.clone()].concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..values.len()));
        for threshold in thresholds {
            let n = values.iter().filter(|v| **v > threshold).count() as f64;
            let n_held = held.iter().filter(|&&row| values[row] > threshold).count() as f64;
            let share = held.len() as f64 / values.len() as f64;
            prop_assert!((n_held - n * share).abs() <= 1.0, "{n_held} of {n} at {threshold}");
        }
    }
}

#[test]
fn a_rare_yes_is_on_both_sides_and_unknown_values_are_a_stratum() {
    let (points, mut values) = taste(500, 5);
    values.iter_mut().for_each(|v| *v = 0.1);
    for row in [3, 77, 210, 333, 490] {
        values[row] = 0.9;
    }
    values[0] = f64::NAN;
    let strata = strata(&values);
    assert_eq!((strata[0], strata[1], strata[3]), (u32::MAX, 0, 1));
    assert_eq!(super::strata(&[0.5, -0.0, f64::NAN, 0.0, 0.2]), [2, 0, u32::MAX, 0, 1]);
    for seed in 0..20 {
        let params = BoundaryParams { seed, ..params() };
        let prepared = Prepared::stratified(&points, &strata, None, &params).unwrap();
        assert_eq!(prepared.held().iter().filter(|&&row| strata[row] == 1).count(), 1);
    }
    assert!(Prepared::stratified(&points, &strata[1..], None, &params()).is_err());
}

proptest! {
    /// An object is on one side, every row is on one, and about the share asked for is held out of the yes.
    #[test]
    fn an_object_is_held_out_as_a_whole(
        values in proptest::collection::vec(0.0..1.0_f64, 60..200),
        n_objects in 30..50_u32,
        seed in 0..9_u64,
    ) {
        let groups: Vec<u32> = (0..values.len() as u32).map(|row| row % n_objects).collect();
        let params = BoundaryParams { seed, held_out: 0.3, ..params() };
        let (train, held) = split_grouped(&strata(&values), &numbers(values.len(), seed), &groups, &params).unwrap();
        prop_assert_eq!(train.len() + held.len(), values.len());
        let objects = |rows: &[usize]| rows.iter().map(|&row| groups[row]).collect::<std::collections::BTreeSet<_>>();
        prop_assert!(objects(&train).is_disjoint(&objects(&held)));
        prop_assert_eq!(objects(&held).len(), (f64::from(n_objects) * 0.3).round() as usize);
    }
}

#[test]
fn intervals_over_objects_are_wider_where_objects_repeat() {
    // Every subject twice: two images of one object tell no more than one.
    let (points, values) = taste(400, 2);
    let twice: Vec<usize> = (0..400).flat_map(|row| [row, row]).collect();
    let (points, values) =
        (points.select(&twice), twice.iter().map(|&row| values[row]).collect::<Vec<_>>());
    let groups: Vec<u32> = (0..800).map(|row| row / 2).collect();
    let quantity = Quantity { name: "q".into(), values: values.clone(), thresholds: vec![0.5] };
    let strata = strata(&values);
    let width = |groups: Option<&[u32]>| {
        let prepared = Prepared::stratified(&points, &strata, groups, &params()).unwrap();
        let row = prepared.sweep(std::slice::from_ref(&quantity), None).unwrap().remove(0);
        let selected = row.selected.unwrap();
        selected.high - selected.low
    };
    let (over_objects, over_images) = (width(Some(&groups)), width(None));
    assert!(over_objects > 1.15 * over_images, "{over_objects} {over_images}");
    assert!(Prepared::stratified(&points, &strata, Some(&groups[1..]), &params()).is_err());
}

#[test]
fn the_order_of_the_rows_decides_nothing() {
    let (points, values) = taste(600, 8);
    let order: Vec<usize> = (0..600).map(|at| at * 7 % 600).collect();
    let judged = |rows: &[usize]| {
        let values: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
        let points = points.select(rows);
        let prepared = Prepared::stratified(&points, &strata(&values), None, &params()).unwrap();
        let mut held: Vec<usize> = prepared.held().iter().map(|&at| rows[at]).collect();
        held.sort_unstable();
        let quantity = Quantity { name: "q".into(), values, thresholds: vec![0.3, 0.6] };
        (held, prepared.sweep(&[quantity], None).unwrap())
    };
    let all: Vec<usize> = (0..600).collect();
    let ((held, rows), (held_again, rows_again)) = (judged(&all), judged(&order));
    assert_eq!(held, held_again);
    for (a, b) in rows.iter().zip(&rows_again) {
        for (a, b) in [(a.precision, b.precision), (a.recall, b.recall), (a.selected, b.selected)] {
            let (a, b) = (a.unwrap(), b.unwrap());
            for (a, b) in [(a.value, b.value), (a.low, b.low), (a.high, b.high)] {
                assert!((a - b).abs() < 1e-12, "{a} {b}");
            }
        }
    }
    // Another seed holds out others.
    let other = Prepared::new(&points, &BoundaryParams { seed: 9, ..params() }).unwrap();
    assert_ne!(other.held(), Prepared::new(&points, &params()).unwrap().held());
}
