use super::*;
use crate::draws::normal;
use crate::resample::{Bootstrap, Units};
use crate::slice::Mask;
use proptest::prelude::*;
use volary_core::seed::stream;

/// Points around some centres, on few dimensions within many.
fn clustered(n: usize, d: usize, seed: u64) -> Points {
    let mut rng = stream(seed, "clustered");
    let centres: Vec<f64> = (0..8 * d).map(|_| 3.0 * normal(&mut rng)).collect();
    let mix: Vec<f64> = (0..6 * d).map(|_| normal(&mut rng)).collect();
    let mut values = Vec::with_capacity(n * d);
    for i in 0..n {
        let hidden: Vec<f64> = (0..6).map(|_| normal(&mut rng)).collect();
        for j in 0..d {
            let along: f64 = hidden.iter().enumerate().map(|(h, v)| v * mix[h * d + j]).sum();
            values.push((centres[(i % 8) * d + j] + along + 0.05 * normal(&mut rng)) as f32);
        }
    }
    Points::new(values, d).unwrap()
}

/// One by one, in double precision.
fn naive(
    points: &Points,
    query: &[f32],
    itself: Option<usize>,
    k: usize,
    metric: Metric,
    among: &dyn Fn(usize) -> bool,
) -> Vec<u32> {
    let mut all: Vec<(f64, u32)> = (0..points.len())
        .filter(|&row| Some(row) != itself && among(row))
        .map(|row| (distance(query, points.row(row), metric), row as u32))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.into_iter().take(k).map(|(_, row)| row).collect()
}

#[test]
fn on_a_line() {
    let points = Points::new(vec![0.0, 1.0, 3.0, 7.0], 1).unwrap();
    let found = exact(&points, Queries::All, 2, Metric::Euclidean, None).unwrap();
    assert_eq!(
        (0..4).map(|i| found.rows(i).to_vec()).collect::<Vec<_>>(),
        [[1, 2], [0, 2], [1, 0], [2, 1]]
    );
    assert_eq!(found.distances(2), [2.0, 3.0]);
    // Fewer where there are fewer.
    assert_eq!(exact(&points, Queries::All, 9, Metric::Euclidean, None).unwrap().k(), 3);
    let others = Points::new(vec![2.9], 1).unwrap();
    let found = exact(&points, Queries::Others(&others), 9, Metric::Euclidean, None).unwrap();
    assert_eq!(found.rows(0), [2, 1, 0, 3]);
}

#[test]
fn among_some_rows_and_never_itself() {
    let points = Points::new(vec![0.0, 1.0, 3.0, 7.0, 7.5], 1).unwrap();
    let far = Mask::of(5, |row| row >= 2);
    let found = exact(&points, Queries::Rows(&[0, 3]), 2, Metric::Euclidean, Some(&far)).unwrap();
    assert_eq!((found.rows(0), found.rows(1)), (&[2, 3][..], &[4, 2][..]));
    let index = Index::new(&points, Metric::Euclidean, Some(&far), 0).unwrap();
    assert_eq!(index.search(Queries::Rows(&[0, 3]), 2, 1).unwrap(), found);
}

#[test]
fn cosine_with_a_vector_of_zeros() {
    let points = Points::new(vec![1.0, 0.0, 2.0, 0.1, 0.0, 0.0, -1.0, 0.0, 0.0, 5.0], 2).unwrap();
    let found = exact(&points, Queries::Rows(&[0, 2]), 4, Metric::Cosine, None).unwrap();
    assert_eq!(found.rows(0), [1, 2, 4, 3]);
    assert_eq!(found.distances(0)[1..], [1.0, 1.0, 2.0]);
    assert_eq!((found.rows(1), found.distances(1)), (&[0, 1, 3, 4][..], &[1.0; 4][..]));
}

#[test]
fn one_point_repeated_and_points_far_from_the_origin() {
    let points = Points::new([5.0, 5.0].repeat(6000), 2).unwrap();
    let found = exact(&points, Queries::Rows(&[0, 4000]), 3, Metric::Euclidean, None).unwrap();
    assert_eq!((found.rows(0), found.rows(1)), (&[1, 2, 3][..], &[0, 1, 2][..]));
    let all = approximate(&points, 3, Metric::Euclidean, &ApproximateParams::default()).unwrap();
    assert_eq!(all.neighbours.distances(17), [0.0; 3]);
    // Differences of 1 in 10⁶ would be lost in products of the plain numbers.
    let mut rng = stream(1, "far");
    let values: Vec<f32> = (0..3000).map(|_| (1e6 + normal(&mut rng)) as f32).collect();
    let points = Points::new(values, 3).unwrap();
    let found = exact(&points, Queries::All, 5, Metric::Euclidean, None).unwrap();
    for i in [0, 500, 999] {
        assert_eq!(
            found.rows(i),
            naive(&points, points.row(i), Some(i), 5, Metric::Euclidean, &|_| true)
        );
    }
}

#[test]
fn approximate_search_finds_what_it_says() {
    let points = clustered(6000, 24, 3);
    for metric in Metric::ALL {
        let truth = exact(&points, Queries::All, 10, metric, None).unwrap();
        let found = approximate(&points, 10, metric, &ApproximateParams::default()).unwrap();
        assert!(
            found.n_lists_searched > 0 && found.n_lists_searched * 3 < found.n_lists,
            "{}",
            found.n_lists_searched
        );
        let bootstrap = Bootstrap::new(10, 0.95, 0).unwrap();
        let real = recall(&truth, |i| found.neighbours.rows(i), &bootstrap).unwrap().value;
        let said = found.recall.unwrap();
        assert!(real >= 0.975 && said.low - 0.01 < real && real < said.high + 0.01, "{real} {said:?}");
    }
    // Noise in many dimensions has no neighbourhoods: the search is exact and says so.
    let mut rng = stream(1, "noise");
    let noise = Points::new((0..2000 * 40).map(|_| normal(&mut rng) as f32).collect(), 40).unwrap();
    let found = approximate(&noise, 5, Metric::Euclidean, &ApproximateParams::default()).unwrap();
    assert_eq!((found.recall, found.n_lists_searched), (None, 0));
    assert_eq!(found.neighbours, exact(&noise, Queries::All, 5, Metric::Euclidean, None).unwrap());
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let points = clustered(3000, 8, 1);
    let run = || approximate(&points, 5, Metric::Euclidean, &ApproximateParams::default()).unwrap();
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    assert_eq!(pool(1).install(run), pool(3).install(run));
}

#[test]
fn purity_on_paper() {
    let points = Points::new(vec![0.0, 1.0, 2.0, 10.0, 11.0, 12.5], 1).unwrap();
    let found = exact(&points, Queries::All, 2, Metric::Euclidean, None).unwrap();
    let bootstrap = Bootstrap::new(200, 0.9, 0).unwrap();
    let of = |classes: &[u32]| {
        purity(&found, classes, classes, &Units::subjects(6), &bootstrap).unwrap().unwrap().value
    };
    assert_eq!(of(&[0, 0, 0, 1, 1, 1]), 1.0);
    // Row 2 turned over: it has no like neighbour, and 0 and 1 lose one of two.
    assert_eq!(of(&[0, 0, 1, 1, 1, 1]), (0.5 + 0.5 + 0.0 + 1.0 + 1.0 + 1.0) / 6.0);
    assert!(purity(&found, &[0; 6], &[0; 3], &Units::subjects(6), &bootstrap).is_err());
    assert!(purity(&found, &[0; 5], &[0; 6], &Units::subjects(6), &bootstrap).is_err());
}

#[test]
fn bad_input_is_refused() {
    let points = Points::new(vec![0.0, 1.0], 1).unwrap();
    let (none, first) = (Mask::of(2, |_| false), Mask::of(2, |r| r == 0));
    let run = |queries: Queries<'_>, k: usize, among: Option<&Mask>| {
        exact(&points, queries, k, Metric::Euclidean, among)
    };
    assert!(matches!(run(Queries::All, 0, None), Err(SpaceError::Setting { .. })));
    assert!(matches!(run(Queries::Rows(&[2]), 1, None), Err(SpaceError::Range { .. })));
    assert!(matches!(run(Queries::All, 1, Some(&none)), Err(SpaceError::NoRows { .. })));
    assert!(matches!(run(Queries::Rows(&[0]), 1, Some(&first)), Err(SpaceError::NoRows { .. })));
    let wide = Points::new(vec![0.0; 2], 2).unwrap();
    assert!(matches!(run(Queries::Others(&wide), 1, None), Err(SpaceError::Width { .. })));
    let recall = ApproximateParams { recall: 1.5, ..ApproximateParams::default() };
    assert!(approximate(&points, 1, Metric::Euclidean, &recall).is_err());
    assert_eq!(Metric::parse("cosine"), Some(Metric::Cosine));
    assert_eq!(Metric::parse("manhattan"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn exact_is_exact(
        n in 2..300_usize, d in 1..10_usize, k in 1..12_usize, seed in 0..100_u64, coarse: bool, cosine: bool,
    ) {
        let metric = if cosine { Metric::Cosine } else { Metric::Euclidean };
        let points = clustered(n, d, seed);
        // Whole numbers, so that ties are common.
        let points = if coarse {
            Points::new(points.values().iter().map(|v| v.round()).collect(), d).unwrap()
        } else {
            points
        };
        let found = exact(&points, Queries::All, k, metric, None).unwrap();
        for i in 0..n {
            let expected = naive(&points, points.row(i), Some(i), k, metric, &|_| true);
            prop_assert_eq!(found.rows(i), &expected[..]);
        }
        let index = Index::new(&points, metric, None, seed).unwrap();
        prop_assert_eq!(index.search(Queries::All, k, index.n_lists()).unwrap(), found);
    }
}
