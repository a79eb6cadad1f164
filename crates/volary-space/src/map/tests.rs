use super::*;
use crate::draws::normal;
use crate::golden::{self, numbers};
use crate::resample::Bootstrap;
use proptest::prelude::*;
use volary_core::seed::stream;

/// Groups far apart in ten dimensions, and the group of each point.
fn groups(n: usize, n_groups: usize, seed: u64) -> (Points, Vec<u32>) {
    let mut rng = stream(seed, "groups");
    let centres: Vec<f64> = (0..n_groups * 10).map(|_| 8.0 * normal(&mut rng)).collect();
    let group_of: Vec<u32> = (0..n).map(|i| (i % n_groups) as u32).collect();
    let values = (0..n * 10).map(|at| centres[(at / 10 % n_groups) * 10 + at % 10] + normal(&mut rng));
    (Points::new(values.map(|v| v as f32).collect(), 10).unwrap(), group_of)
}

fn drawn(points: &Points, params: &UmapParams) -> Umap {
    let k = Umap::n_wanted(params, points.len());
    let neighbours = exact(points, Queries::All, k, params.metric, None).unwrap();
    Umap::fit(points, &neighbours, params).unwrap()
}

fn bootstrap() -> Bootstrap {
    Bootstrap::new(50, 0.9, 0).unwrap()
}

#[test]
fn trustworthiness_as_scikit_learn_has_it() {
    let golden = &golden::evaluate()["map"];
    let points = |name: &str, d| {
        Points::new(numbers(&golden[name]).iter().map(|v| *v as f32).collect(), d).unwrap()
    };
    let (x, y) = (points("x", 5), points("y", 2));
    for k in [3, 7] {
        let found = quality(&x, &y, k, Metric::Euclidean, 1000, &bootstrap()).unwrap();
        let expected = golden[&format!("trustworthiness_{k}")].as_f64().unwrap();
        assert!((found.trustworthiness.unwrap().value - expected).abs() < 1e-9);
        let expected = golden[&format!("continuity_{k}")].as_f64().unwrap();
        assert!((found.continuity.unwrap().value - expected).abs() < 1e-9);
    }
}

#[test]
fn a_picture_of_itself_is_perfect_and_noise_is_not() {
    let (points, _) = groups(300, 3, 1);
    let found = quality(&points, &points, 10, Metric::Euclidean, 100, &bootstrap()).unwrap();
    assert_eq!(found.n_sampled, 100);
    for part in [found.trustworthiness, found.continuity, found.preservation] {
        assert_eq!(part.unwrap().value, 1.0);
    }
    let mut rng = stream(1, "noise");
    let noise = Points::new((0..600).map(|_| normal(&mut rng) as f32).collect(), 2).unwrap();
    let found = quality(&points, &noise, 10, Metric::Euclidean, 300, &bootstrap()).unwrap();
    // Random ranks: half is what chance gives.
    assert!((found.trustworthiness.unwrap().value - 0.5).abs() < 0.05, "{found:?}");
    assert!(quality(&points, &noise.select(&[0]), 10, Metric::Euclidean, 10, &bootstrap()).is_err());
    assert!(quality(&points, &noise, 150, Metric::Euclidean, 10, &bootstrap()).is_err());
}

#[test]
fn groups_stay_together_on_the_map_and_new_points_join_theirs() {
    let (points, group_of) = groups(900, 6, 2);
    let (old, new): (Vec<usize>, Vec<usize>) = (0..900).partition(|i| i % 10 != 0);
    for n_dimensions in [2, 3] {
        let params = UmapParams { n_dimensions, n_epochs: Some(200), ..UmapParams::default() };
        let map = drawn(&points.select(&old), &params);
        let classes: Vec<u32> = old.iter().map(|&i| group_of[i]).collect();
        let near = exact(map.coordinates(), Queries::All, 10, Metric::Euclidean, None).unwrap();
        let n_alike =
            |i: usize| near.rows(i).iter().filter(|j| classes[**j as usize] == classes[i]).count();
        let alike: usize = (0..old.len()).map(n_alike).sum();
        assert!(alike as f64 > 0.99 * 10.0 * old.len() as f64, "{alike}");
        let found =
            quality(&points.select(&old), map.coordinates(), 10, Metric::Euclidean, 400, &bootstrap())
                .unwrap();
        assert!(found.trustworthiness.unwrap().value > 0.93, "{found:?}");
        let placed = map.transform(&points.select(&old), &points.select(&new)).unwrap();
        let near =
            exact(map.coordinates(), Queries::Others(&placed), 5, Metric::Euclidean, None).unwrap();
        for (at, &i) in new.iter().enumerate() {
            assert!(near.rows(at).iter().all(|j| classes[*j as usize] == group_of[i]), "{i}");
        }
        // A point's place does not depend on who comes with it.
        let alone = map.transform(&points.select(&old), &points.select(&new[3..4])).unwrap();
        assert_eq!(alone.row(0), placed.row(3));
        let again = Umap::from_parts(*map.params(), map.coordinates().clone()).unwrap();
        assert_eq!(again, map);
    }
}

#[test]
fn the_number_of_threads_changes_nothing_and_the_seed_does() {
    let (points, _) = groups(700, 4, 3);
    let params = UmapParams { n_epochs: Some(20), ..UmapParams::default() };
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let one = pool(1).install(|| drawn(&points, &params));
    assert_eq!(pool(3).install(|| drawn(&points, &params)), one);
    assert_ne!(drawn(&points, &UmapParams { seed: 1, ..params }).coordinates(), one.coordinates());
}

#[test]
fn memberships_on_paper() {
    // Nearest at 1, so ρ = 1; the others at 1 + d with Σ exp(−d/σ) = log₂ 4 − 1 = 1.
    let weights = graph::weights(&[1.0, 2.0, 3.0], 1.5, 4.0);
    // x + x² = 1 with x = exp(−1/σ).
    let x = f64::midpoint(-1.0, 5.0_f64.sqrt());
    assert_eq!(weights[0], 1.0);
    assert!((f64::from(weights[1]) - x).abs() < 1e-4 && (f64::from(weights[2]) - x * x).abs() < 1e-4);
    // All at the same place: all weights are 1, and nothing is divided by 0.
    assert_eq!(graph::weights(&[0.0; 3], 0.0, 4.0), [1.0; 3]);
}

#[test]
fn odd_tables_give_a_map_or_a_reason() {
    let same = Points::new(vec![1.0; 60], 2).unwrap();
    let map = drawn(&same, &UmapParams { n_epochs: Some(50), ..UmapParams::default() });
    assert!(map.coordinates().values().iter().all(|v| v.is_finite()));
    let three = Points::new(vec![0.0, 1.0, 5.0], 1).unwrap();
    assert_eq!(drawn(&three, &UmapParams::default()).coordinates().len(), 3);
    let neighbours = exact(&three, Queries::All, 2, Metric::Euclidean, None).unwrap();
    let fit = |params| Umap::fit(&three, &neighbours, &params);
    let usual = UmapParams::default();
    for bad in [
        UmapParams { n_dimensions: 4, ..usual },
        UmapParams { n_neighbors: 1, ..usual },
        UmapParams { min_dist: 2.0, ..usual },
        UmapParams { min_dist: f64::NAN, ..usual },
        UmapParams { spread: 0.0, ..usual },
        UmapParams { learning_rate: 0.0, ..usual },
    ] {
        assert!(matches!(fit(bad), Err(SpaceError::Setting { .. })), "{bad:?}");
    }
    assert!(matches!(Umap::fit(&same, &neighbours, &usual), Err(SpaceError::Length { .. })));
    assert!(matches!(
        Umap::fit(&three.select(&[0]), &neighbours, &usual),
        Err(SpaceError::NoRows { .. })
    ));
    let map = fit(usual).unwrap();
    assert!(map.transform(&three, &same).is_err() && map.transform(&same, &three).is_err());
    assert!(map.transform(&three, &three.select(&[])).unwrap().is_empty());
    assert!(Umap::from_parts(usual, three).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn weights_sum_to_the_logarithm_of_the_neighbourhood(
        mut distances in proptest::collection::vec(0.01..9.0_f32, 4..20),
    ) {
        distances.sort_by(f32::total_cmp);
        let k = (distances.len() + 1) as f64;
        let weights = graph::weights(&distances, 1.0, k);
        let sum: f64 = weights.iter().map(|w| f64::from(*w)).sum();
        prop_assert!((sum - k.log2()).abs() < 1e-3, "{} {}", sum, k.log2());
        prop_assert!(weights.windows(2).all(|w| w[0] >= w[1]));
    }
}
