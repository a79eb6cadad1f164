//! Times the geometry on a file of f32 numbers, one task a run, one line of JSON:
//! `speed TASK N D FILE`. `bench/space.py` runs it beside the peers, in turn.
#![expect(clippy::print_stdout, reason = "an example talks on its standard output")]

use std::time::Instant;

use volary_space::boundary::{BoundaryParams, Quantity, sweep};
use volary_space::map::{Umap, UmapParams, quality};
use volary_space::neighbours::{ApproximateParams, Metric, Queries, approximate, exact, recall};
use volary_space::pca::{Pca, PcaParams};
use volary_space::{Bootstrap, Points};

/// Neighbours of each point.
const K: usize = 15;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, task, n, d, file] = &args[..] else { panic!("speed TASK N D FILE") };
    let (n, d): (usize, usize) = (n.parse().expect("N"), d.parse().expect("D"));
    let bytes = std::fs::read(file).expect("the file can be read");
    let values: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect();
    assert_eq!(values.len(), n * d, "the file holds N × D numbers");
    let points = Points::new(values, d).expect("finite numbers");
    match task.as_str() {
        "neighbours" => neighbours(&points),
        "map" => map(&points),
        "pca" => pca(&points),
        "boundary" => boundary(&points),
        _ => panic!("tasks: neighbours, map, pca, boundary"),
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let made = work();
    (made, started.elapsed().as_secs_f64())
}

fn neighbours(points: &Points) {
    let (truth, exact_s) =
        timed(|| exact(points, Queries::All, K, Metric::Euclidean, None).expect("neighbours"));
    let params = ApproximateParams::default();
    let (found, approximate_s) =
        timed(|| approximate(points, K, Metric::Euclidean, &params).expect("neighbours"));
    let bootstrap = Bootstrap::new(100, 0.95, 0).expect("a level");
    let real = recall(&truth, |i| found.neighbours.rows(i), &bootstrap).expect("neighbours");
    let said = found.recall.map_or(1.0, |r| r.value);
    println!(
        "{{\"exact_s\": {exact_s:.3}, \"approximate_s\": {approximate_s:.3}, \"recall\": {:.5}, \"recall_said\": \
         {said:.5}, \"lists\": {}, \"searched\": {}}}",
        real.value, found.n_lists, found.n_lists_searched
    );
}

fn map(points: &Points) {
    let params = UmapParams::default();
    let k = Umap::n_wanted(&params, points.len());
    let wanted = ApproximateParams::default();
    let (found, neighbours_s) =
        timed(|| approximate(points, k, params.metric, &wanted).expect("neighbours"));
    let (map, layout_s) = timed(|| Umap::fit(points, &found.neighbours, &params).expect("a map"));
    let bootstrap = Bootstrap::new(200, 0.95, 0).expect("a level");
    let (kept, quality_s) = timed(|| {
        quality(points, map.coordinates(), K, Metric::Euclidean, 2000, &bootstrap).expect("a measure")
    });
    let value = |e: Option<volary_space::Estimate>| e.map_or(f64::NAN, |e| e.value);
    if let Some(path) = std::env::var_os("MAP") {
        let bytes: Vec<u8> = map.coordinates().values().iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(path, bytes).expect("the map can be written");
    }
    println!(
        "{{\"neighbours_s\": {neighbours_s:.3}, \"layout_s\": {layout_s:.3}, \"quality_s\": {quality_s:.3}, \
         \"trustworthiness\": {:.5}, \"continuity\": {:.5}, \"preservation\": {:.5}}}",
        value(kept.trustworthiness),
        value(kept.continuity),
        value(kept.preservation)
    );
}

fn pca(points: &Points) {
    let (found, fit_s) = timed(|| Pca::fit(points, &PcaParams::new(25)).expect("components"));
    println!("{{\"fit_s\": {fit_s:.3}, \"explained\": {:.6}}}", found.explained().iter().sum::<f64>());
}

/// 30 thresholds of three quantities, 200 bootstrap samples, as issue 6 asks.
fn boundary(points: &Points) {
    let n = points.len();
    let along = |row: usize, a: usize, b: usize| {
        let x = points.row(row);
        f64::from(x[a % x.len()]) - 0.5 * f64::from(x[b % x.len()])
    };
    let ranked = |a: usize, b: usize| {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| along(i, a, b).total_cmp(&along(j, a, b)));
        let mut share = vec![0.0; n];
        for (rank, i) in order.into_iter().enumerate() {
            // Most are chosen by nobody, as on a real project.
            share[i] = (rank as f64 / n as f64).powi(3);
        }
        share
    };
    let (chosen, feature) = (ranked(0, 1), ranked(2, 3));
    let product: Vec<f64> = chosen.iter().zip(&feature).map(|(a, b)| a * b).collect();
    let thresholds = |top: f64| (1..=30).map(|i| top * f64::from(i) / 31.0).collect::<Vec<f64>>();
    let quantities = [("chosen", chosen, 1.0), ("feature", feature, 1.0), ("product", product, 0.6)]
        .map(|(name, values, top)| Quantity {
            name: name.to_owned(),
            values,
            thresholds: thresholds(top),
        });
    let params = BoundaryParams {
        bootstrap: Bootstrap::new(200, 0.95, 0).expect("a level"),
        ..BoundaryParams::default()
    };
    let (rows, sweep_s) = timed(|| sweep(points, &quantities, None, &params).expect("a sweep"));
    let middle = &rows[15];
    println!(
        "{{\"sweep_s\": {sweep_s:.3}, \"rows\": {}, \"example\": \"{}\"}}",
        rows.len(),
        middle.sentence(n)
    );
}
