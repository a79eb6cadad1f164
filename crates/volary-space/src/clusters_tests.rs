use super::*;
use crate::draws::normal;
use crate::golden::{assert_close, numbers};
use proptest::prelude::*;
use serde_json::Value;
use volary_core::seed::stream;

fn golden() -> Value {
    serde_json::from_str(include_str!("../tests/golden/clusters.json")).unwrap()
}

#[test]
fn groups_and_oddness_are_those_of_hdbscan_0_8_44() {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 10, "{}", cases.len());
    for case in cases {
        let rows: Vec<Vec<f64>> = case["points"].as_array().unwrap().iter().map(numbers).collect();
        let points = Points::new(rows.concat().iter().map(|v| *v as f32).collect(), 3).unwrap();
        let whole = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
        let params = ClusterParams {
            min_cluster_size: whole("min_cluster_size"),
            min_samples: whole("min_samples"),
            selection: if case["selection"] == "leaf" { Selection::Leaf } else { Selection::Eom },
        };
        let found = clusters(&points, &params).unwrap();
        let theirs = numbers(&case["labels"]);
        for (i, a) in theirs.iter().enumerate() {
            assert_eq!(found.of[i].is_none(), *a < 0.0, "{params:?}, point {i}");
            for (j, b) in theirs.iter().enumerate() {
                let together = found.of[i].is_some() && found.of[i] == found.of[j];
                assert_eq!(together, *a >= 0.0 && a == b, "{params:?}, points {i} and {j}");
            }
        }
        assert_close(&found.oddness, &numbers(&case["outlier_scores"]), 1e-6);
    }
}

/// Two groups of 80 and 40, one tight and one wide, and four points far from both.
fn sky() -> Points {
    let mut rng = stream(4, "clusters test");
    let mut values = Vec::new();
    for at in 0..120 {
        let (middle, width) = if at < 80 { (0.0, 0.2) } else { (10.0, 0.8) };
        values.extend((0..3).map(|_| (middle + width * normal(&mut rng)) as f32));
    }
    values.extend([40.0, 0.0, 0.0, 0.0, 40.0, 0.0, 0.0, 0.0, 40.0, -40.0, 0.0, 0.0_f32]);
    Points::new(values, 3).unwrap()
}

fn params(min_cluster_size: usize) -> ClusterParams {
    ClusterParams { min_cluster_size, ..ClusterParams::default() }
}

#[test]
fn groups_are_found_at_their_own_density_and_what_is_far_is_in_none() {
    let found = clusters(&sky(), &params(10)).unwrap();
    assert_eq!(found.sizes.len(), 2, "{:?}", found.sizes);
    let share = |rows: std::ops::Range<usize>, group: usize| {
        let n = rows.len() as f64;
        rows.filter(|&row| found.of[row] == Some(group)).count() as f64 / n
    };
    assert!(share(0..80, 0) > 0.9 && share(80..120, 1) > 0.8, "{:?}", found.of);
    assert!(found.of[120..].iter().all(Option::is_none));
    // What is far is odder than all but the fringe of either group.
    let mut inside: Vec<f64> = found.oddness[..120].to_vec();
    inside.sort_unstable_by(f64::total_cmp);
    assert!(found.oddness[120..].iter().all(|o| *o >= inside[115]), "{:?}", found.oddness);
}

#[test]
fn bad_input_is_refused_and_equal_points_are_not() {
    let points = sky();
    assert!(clusters(&points, &params(1)).is_err());
    assert!(clusters(&points, &ClusterParams { min_samples: 0, ..params(5) }).is_err());
    let few = points.select(&[0, 1, 2]);
    assert!(matches!(clusters(&few, &ClusterParams::default()), Err(SpaceError::NoRows { .. })));
    // All the same, and half of them the same.
    let same = Points::new(vec![1.0; 60], 2).unwrap();
    let half = Points::new((0..60).map(|v| if v < 30 { 1.0 } else { v as f32 }).collect(), 2).unwrap();
    for points in [same, half] {
        let found = clusters(&points, &params(5)).unwrap();
        let is_share = |v: &f64| (0.0..=1.0).contains(v);
        assert!(found.oddness.iter().all(is_share), "{:?}", found.oddness);
        assert!(found.probabilities.iter().all(is_share), "{:?}", found.probabilities);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Neither the place nor the scale of the points, nor their order, decides who is with whom and how odd.
    #[test]
    fn groups_follow_the_points(seed in 0_u64..1000, n in 20_usize..60) {
        let mut rng = stream(seed, "groups follow");
        // Whole numbers of a power of two, so that shifting and scaling are exact.
        let values: Vec<f32> = (0..2 * n).map(|_| (normal(&mut rng) * 4096.0).round() as f32).collect();
        let points = Points::new(values.clone(), 2).unwrap();
        let moved = Points::new(values.iter().map(|v| v * 4.0 + 1024.0).collect(), 2).unwrap();
        let there = clusters(&points, &params(4)).unwrap();
        let here = clusters(&moved, &params(4)).unwrap();
        prop_assert_eq!(&there.of, &here.of);
        for (a, b) in there.oddness.iter().zip(&here.oddness) {
            prop_assert!((a - b).abs() < 1e-9);
        }
        prop_assert_eq!(there.sizes.iter().sum::<usize>(), there.of.iter().flatten().count());
        prop_assert!(there.sizes.windows(2).all(|w| w[0] >= w[1]));
        prop_assert!(there.oddness.iter().all(|v| (0.0..=1.0).contains(v)));
    }
}
