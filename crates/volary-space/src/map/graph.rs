//! The weighted graph of neighbourhoods (section 3.1 of the paper).
//!
//! The weight from a point to a neighbour at distance d is exp(−max(0, d − ρ)/σ), ρ the distance of the
//! nearest neighbour that is not at the same place, σ such that the weights sum to log₂ k, k the
//! neighbourhood with the point itself. Both directions are joined by a + b − a b.

use rayon::prelude::*;

use crate::neighbours::Neighbours;

/// Edges by their first point: where each point's edges start, the other ends, the weights.
pub(super) struct Edges {
    pub(super) starts: Vec<usize>,
    pub(super) ends: Vec<u32>,
    pub(super) weights: Vec<f32>,
}

/// σ is not made smaller than this share of the mean distance.
const LEAST_SCALE: f64 = 1e-3;
/// Halvings in the search for σ, and how near is near enough (as in `umap-learn`).
const HALVINGS: usize = 64;
const NEAR_ENOUGH: f64 = 1e-5;

/// Weights to the neighbours of one point; `mean` is the mean distance over all points.
pub(super) fn weights(distances: &[f32], mean: f64, n_neighbors: f64) -> Vec<f32> {
    let target = n_neighbors.log2();
    let rho = distances.iter().copied().find(|d| *d > 0.0).map_or(0.0, f64::from);
    let beyond: Vec<f64> = distances.iter().map(|d| (f64::from(*d) - rho).max(0.0)).collect();
    let sum =
        |sigma: f64| beyond.iter().map(|d| if *d > 0.0 { (-d / sigma).exp() } else { 1.0 }).sum::<f64>();
    let (mut low, mut high, mut sigma) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..HALVINGS {
        let off = sum(sigma) - target;
        if off.abs() < NEAR_ENOUGH {
            break;
        }
        if off > 0.0 {
            high = sigma;
            sigma = f64::midpoint(low, high);
        } else {
            low = sigma;
            sigma = if high.is_finite() { f64::midpoint(low, high) } else { sigma * 2.0 };
        }
    }
    let own: f64 = distances.iter().map(|d| f64::from(*d)).sum::<f64>() / (distances.len() + 1) as f64;
    sigma = sigma.max(LEAST_SCALE * if rho > 0.0 { own } else { mean });
    let weight = |d: &f64| if *d <= 0.0 || sigma <= 0.0 { 1.0 } else { (-d / sigma).exp() as f32 };
    beyond.iter().map(weight).collect()
}

/// The mean distance to neighbours, each point itself (at 0) included.
pub(super) fn mean_distance(neighbours: &Neighbours) -> f64 {
    let of = |i: usize| neighbours.distances(i).iter().map(|d| f64::from(*d)).sum::<f64>();
    let n = neighbours.len() * (neighbours.k() + 1);
    (0..neighbours.len()).map(of).sum::<f64>() / n.max(1) as f64
}

/// The graph of all points.
pub(super) fn fuzzy_union(neighbours: &Neighbours) -> Edges {
    let (n, k) = (neighbours.len(), neighbours.k());
    let mean = mean_distance(neighbours);
    let directed: Vec<Vec<f32>> =
        (0..n).into_par_iter().map(|i| weights(neighbours.distances(i), mean, (k + 1) as f64)).collect();
    // Every directed edge once in each direction: (from, to, weight there, weight back).
    let mut halves: Vec<(u32, u32, f32, f32)> = Vec::with_capacity(2 * n * k);
    for (i, weights) in (0_u32..).zip(&directed) {
        for (&j, &weight) in neighbours.rows(i as usize).iter().zip(weights) {
            halves.push((i, j, weight, 0.0));
            halves.push((j, i, 0.0, weight));
        }
    }
    halves.par_sort_unstable_by_key(|half| (half.0, half.1, half.3.to_bits()));
    let mut edges = Edges { starts: vec![0; n + 1], ends: Vec::new(), weights: Vec::new() };
    for same in halves.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (there, back) = same.iter().fold((0.0, 0.0), |(a, b), half| (half.2.max(a), half.3.max(b)));
        edges.ends.push(same[0].1);
        edges.weights.push(there + back - there * back);
        edges.starts[same[0].0 as usize + 1] += 1;
    }
    for i in 0..n {
        edges.starts[i + 1] += edges.starts[i];
    }
    edges
}
