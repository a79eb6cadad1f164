use proptest::prelude::*;

use super::*;
use crate::marks::{MarksBuilder, Profile, Stamps};

/// Marks of one subject: (volunteer, x_min, x_max), in this order of rows.
fn subject(rows: &[(u32, f64, f64)]) -> Marks {
    let mut builder = MarksBuilder::default();
    for (i, &(volunteer, x_min, x_max)) in rows.iter().enumerate() {
        let view = builder.view("s", &format!("v{volunteer:03}"), None, i as u128);
        builder.mark(view, x_min, x_max);
    }
    builder.finish()
}

fn bounds(rows: &[(u32, f64, f64)], grouping: Grouping) -> Vec<(f64, f64, usize)> {
    let params = MarkParams { grouping, ..MarkParams::of(Profile::Paper) };
    let built = build(&subject(rows), &LightCurves::default(), &params, None).unwrap();
    let f = &built.features;
    (0..f.len()).map(|i| (f.x_min_days[i], f.x_max_days[i], f.members_of(i).len())).collect()
}

/// Ten volunteers on one transit, and a stray mark within the tolerance of half of them.
fn with_a_stray() -> Vec<(u32, f64, f64)> {
    let mut rows: Vec<_> =
        (0..10).map(|v| (v, 10.0 + 0.03 * f64::from(v), 10.5 + 0.03 * f64::from(v))).collect();
    rows.push((20, 11.35, 11.85));
    rows
}

#[test]
fn a_stray_mark_splits_twins_and_not_modes() {
    assert!(bounds(&with_a_stray(), Grouping::Twins).len() > 2);
    let modes = bounds(&with_a_stray(), Grouping::Modes);
    assert_eq!(modes.iter().map(|m| m.2).collect::<Vec<_>>(), [10, 1]);
    assert!((modes[0].0 - 10.135).abs() < 1e-12 && (modes[0].1 - 10.635).abs() < 1e-12);
}

#[test]
fn a_volunteer_has_one_mark_in_a_feature_of_modes() {
    // Two marks of one volunteer over the transit that another marked.
    let rows = [(1, 10.0, 10.5), (2, 9.95, 10.45), (2, 10.3, 10.5)];
    let modes = bounds(&rows, Grouping::Modes);
    assert_eq!(modes.iter().map(|m| m.2).sum::<usize>(), 2, "the second is the same thing said twice");
    // Alone, touching marks are two things; the twins of the paper merge them.
    let alone = [(2, 9.9, 10.2), (2, 10.2, 10.6)];
    assert_eq!(bounds(&alone, Grouping::Modes).len(), 2);
    assert_eq!(bounds(&alone, Grouping::Twins).len(), 1);
}

#[test]
fn gaps_and_the_cutoff_leave_marks_out() {
    let marks = subject(&[(1, 10.0, 10.5), (2, 10.0, 11.0), (3, 12.0, 12.5), (4, 12.3, 12.9)]);
    let stamps = Stamps::Spans { missing_days: vec![(12.0, 12.4)], range_days: (0.0, 30.0) };
    let curves = LightCurves { stamps: vec![stamps], of_subject: vec![0] };
    for grouping in Grouping::ALL {
        let params = MarkParams { grouping, ..MarkParams::of(Profile::Paper) };
        let built = build(&marks, &curves, &params, None).unwrap();
        assert_eq!((built.n_too_wide, built.n_in_gaps), (1, 1), "{grouping:?}");
        assert_eq!(built.features.len(), 2);
    }
}

#[test]
fn marks_of_no_length_and_shorter_than_a_cadence_are_marks() {
    let marks = subject(&[(1, 10.0, 10.0), (2, 10.001, 10.002)]);
    let stamps = Stamps::Regular { first_days: 0.0, step_days: 0.02, n: 1500, missing: Vec::new() };
    let curves = LightCurves { stamps: vec![stamps], of_subject: vec![0] };
    for profile in Profile::ALL {
        let built = build(&marks, &curves, &MarkParams::of(profile), None).unwrap();
        assert_eq!(built.features.len(), 1, "{profile:?}");
    }
}

#[test]
fn a_constant_out_of_range_is_one_clear_error() {
    let params = MarkParams { tolerance_days: f64::NAN, ..MarkParams::default() };
    let error = build(&subject(&[]), &LightCurves::default(), &params, None).unwrap_err();
    assert!(error.to_string().contains("tolerance"), "{error}");
}

proptest! {
    #[test]
    fn twins_and_modes_ignore_the_order_of_rows_and_the_names(
        rows in proptest::collection::vec((0..8_u32, 0.0..6.0_f64, 0.0..1.2_f64), 0..25), turn in 0..25_usize
    ) {
        let rows: Vec<_> = rows.iter().map(|&(v, x, d)| (v, x, x + d)).collect();
        let mut turned: Vec<_> = rows.iter().map(|&(v, a, b)| ((v + 3) % 8, a, b)).collect();
        turned.rotate_left(turn.min(rows.len()));
        for grouping in [Grouping::Twins, Grouping::Modes] {
            let (a, b) = (bounds(&rows, grouping), bounds(&turned, grouping));
            prop_assert_eq!(a.len(), b.len());
            for (x, y) in a.iter().zip(&b) {
                prop_assert!((x.0 - y.0).abs() < 1e-12 && (x.1 - y.1).abs() < 1e-12 && x.2 == y.2);
            }
        }
    }

    #[test]
    fn twins_are_the_marks_with_equal_neighbourhoods(
        rows in proptest::collection::vec((0..99_u32, 0.0..6.0_f64), 0..20)
    ) {
        let rows: Vec<_> = rows.iter().map(|&(v, x)| (v, x, x + 0.5)).collect();
        let hood = |i: usize| -> Vec<usize> {
            let mid = |k: usize| midpoint(rows[k].1, rows[k].2);
            (0..rows.len()).filter(|&k| (mid(i) - mid(k)).abs() <= 1.2).collect()
        };
        let expected: std::collections::BTreeSet<Vec<usize>> = (0..rows.len()).map(hood).collect();
        prop_assert_eq!(bounds(&rows, Grouping::Twins).len(), expected.len());
    }

    #[test]
    fn every_eligible_mark_is_in_one_feature_or_doubled(
        rows in proptest::collection::vec((0..6_u32, 0.0..4.0_f64, 0.0..1.5_f64), 0..30)
    ) {
        let rows: Vec<_> = rows.iter().map(|&(v, x, d)| (v, x, x + d)).collect();
        let marks = subject(&rows);
        for grouping in Grouping::ALL {
            let params = MarkParams { grouping, ..MarkParams::of(Profile::Paper) };
            let built = build(&marks, &LightCurves::default(), &params, None).unwrap();
            let members = built.features.members.len() as u64;
            prop_assert_eq!(members + built.n_too_wide + built.n_in_gaps + built.n_doubled, rows.len() as u64);
            let mut once = built.features.members.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), built.features.members.len());
        }
    }
}
