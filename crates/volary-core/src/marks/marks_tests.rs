use proptest::prelude::*;

use super::*;

fn regular(missing: &[(u32, u32)]) -> Stamps {
    Stamps::Regular { first_days: 100.0, step_days: 0.25, n: 41, missing: missing.to_vec() }
}

#[test]
fn stamps_are_counted_with_both_ends_and_without_the_missing() {
    let curve = regular(&[(4, 5), (20, 40)]);
    assert_eq!(curve.range_days(), (100.0, 110.0));
    assert_eq!(curve.n_with_data(100.0, 101.0), Some(4));
    assert_eq!(curve.n_with_data(101.0, 101.5), Some(1));
    assert_eq!(curve.n_with_data(99.0, 99.9), Some(0));
    assert_eq!(curve.n_with_data(105.0, 120.0), Some(0));
    assert!((curve.real_fraction(100.5, 102.5) - 7.0 / 8.0).abs() < 1e-15);
    // Shorter than a cadence: what counts is the cadence around it.
    assert_eq!(curve.real_fraction(100.51, 100.51), 1.0);
    assert_eq!(curve.real_fraction(107.01, 107.02), 0.0);
}

#[test]
fn spans_give_the_share_of_the_length() {
    let curve = Stamps::Spans { missing_days: vec![(2.0, 3.0), (5.0, 9.0)], range_days: (0.0, 10.0) };
    assert!((curve.real_fraction(1.0, 5.0) - 0.75).abs() < 1e-15);
    assert!((curve.real_fraction(9.0, 11.0) - 0.5).abs() < 1e-15);
    assert_eq!((curve.real_fraction(2.5, 2.5), curve.real_fraction(4.0, 4.0)), (0.0, 1.0));
}

proptest! {
    #[test]
    fn regular_stamps_count_as_listed_ones_do(
        runs in proptest::collection::btree_set(0_u32..41, 0..20), a in 98.0..112.0_f64, d in 0.0..5.0_f64
    ) {
        let curve = regular(&runs.iter().map(|&i| (i, i)).collect::<Vec<_>>());
        let with_data: Vec<f64> =
            (0..41).filter(|i| !runs.contains(i)).map(|i| 100.0 + f64::from(i) * 0.25).collect();
        let listed = Stamps::Listed { with_data_days: with_data, n: 41, range_days: (100.0, 110.0) };
        prop_assert_eq!(curve.n_with_data(a, a + d), listed.n_with_data(a, a + d));
        prop_assert_eq!(curve.real_fraction(a, a + d), listed.real_fraction(a, a + d));
    }

    #[test]
    fn the_order_of_views_never_matters(
        rows in proptest::collection::vec((0..4_u8, 0..4_u8, 0..3_i64, 0.0..9.0_f64), 0..30), turn in 0..30_usize
    ) {
        let build = |order: &[usize]| {
            let mut builder = MarksBuilder::default();
            for &i in order {
                let (s, v, t, x) = rows[i];
                let view = builder.view(&format!("s{s}"), &format!("v{v}"), Some(t), i as u128);
                builder.mark(view, x, x + 1.0);
            }
            let mut marks = builder.finish();
            // Ranks tell the input's order by design.
            marks.view_rank.clear();
            marks.mark_rank.clear();
            (marks.subjects, marks.volunteers, marks.view_start, marks.view_volunteer, marks.x_min_days)
        };
        let order: Vec<usize> = (0..rows.len()).collect();
        let mut turned = order.clone();
        turned.rotate_left(turn.min(rows.len()));
        prop_assert_eq!(build(&order), build(&turned));
    }
}

#[test]
fn a_reversed_mark_is_swapped_and_an_infinite_one_adds_nothing() {
    let mut builder = MarksBuilder::default();
    let view = builder.view("s", "v", None, 0);
    builder.mark(view, 4.0, 3.0);
    builder.mark(view, f64::NAN, 3.0);
    builder.mark(view, 1.0, f64::INFINITY);
    let marks = builder.finish();
    assert_eq!((marks.x_min_days.as_slice(), marks.x_max_days.as_slice()), (&[3.0][..], &[4.0][..]));
    let none = marks.retain_views(&[false]);
    assert_eq!((none.n_views(), none.n_marks(), none.n_subjects()), (0, 0, 1));
}

#[test]
fn ids_order_as_their_platform_counts() {
    assert!(order_key("541a000000000000096e1579") < order_key("541a00000000000009ffffff"));
    assert!(order_key("9") < order_key("10"));
    assert!(order_key("word") > order_key("541a00000000000009ffffff"));
}

#[test]
fn signals_find_their_subjects_by_simulation_or_by_name() {
    let mut builder = MarksBuilder::default();
    for (subject, simulation) in [("a", "17"), ("b", "17"), ("c", ""), ("d", "")] {
        builder.view(subject, "v", None, 0);
        let subject = builder.subject(subject);
        if !simulation.is_empty() {
            builder.simulated(subject, simulation);
        }
    }
    let marks = builder.finish();
    let texts = |t: [&str; 4]| t.map(str::to_owned).to_vec();
    let table = SignalTable {
        id: texts(["1", "2", "3", "4"]),
        simulation: texts(["17", "99", "", "17"]),
        subject: texts(["", "", "c", ""]),
        x_min_days: vec![1.0, 2.0, 3.0, 4.0],
        x_max_days: vec![1.5, 2.5, 3.5, 4.5],
        columns: vec![NumberColumn { name: "snr".into(), values: vec![7.0, 8.0, 9.0, 10.0] }],
    };
    let signals = table.join(&marks);
    assert_eq!((signals.of(0), signals.of(1), signals.of(2), signals.of(3)), (0..2, 0..2, 2..3, 0..0));
    assert_eq!(signals.column(&["SNR"]).unwrap().values, [7.0, 10.0, 9.0]);
    assert_eq!((signals.n_unplaced, signals.n_groups()), (1, 2));
}

#[test]
fn a_subject_takes_the_light_curve_around_its_start() {
    let mut builder = MarksBuilder::default();
    for (subject, start) in [("a", 100.0), ("b", 200.0), ("c", 900.0), ("d", f64::NAN)] {
        builder.view(subject, "v", None, 0);
        let subject = builder.subject(subject);
        builder.light_curve(subject, "77", start);
    }
    let marks = builder.finish();
    let curve = |first_days| Stamps::Regular { first_days, step_days: 1.0, n: 90, missing: Vec::new() };
    let table = CurveTable {
        star: vec!["000000077".into(), "77".into(), "5".into()],
        subject: vec![String::new(); 3],
        stamps: vec![curve(190.0), curve(99.0), curve(99.0)],
    };
    assert_eq!(table.join(&marks).of_subject, [1, 0, NONE, NONE]);
}
