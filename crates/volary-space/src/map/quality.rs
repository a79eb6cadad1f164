//! What a map keeps of neighbourhoods (Venna & Kaski 2006, doi:10.1016/j.neunet.2006.05.014).
//!
//! *Trustworthiness*: are those who are near on the map near in truth? 1 − 2/(n k (2n − 3k − 1)) Σᵢ Σⱼ
//! (r(i, j) − k) over those j of i's k nearest on the map that are not among the true k nearest, r their
//! true rank. *Continuity*: the same with map and truth exchanged. *Preservation*: the share of the true k
//! nearest that are among the k nearest on the map. Each is a mean over points, so large tables are
//! measured on a sample of points, against all others, with an interval.

use rand::seq::index::sample;
use rayon::prelude::*;
use volary_core::seed::stream;

use crate::error::SpaceError;
use crate::neighbours::{Metric, Prepared, origin};
use crate::points::Points;
use crate::product::products_f32;
use crate::resample::{Bootstrap, Estimate, Units, mean};

/// How well a map keeps neighbourhoods of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapQuality {
    /// Neighbours looked at.
    pub k: usize,
    /// Points that were asked, of all.
    pub n_sampled: usize,
    /// Are neighbours on the map true?
    pub trustworthiness: Option<Estimate>,
    /// Are true neighbours near on the map?
    pub continuity: Option<Estimate>,
    /// Share of the true neighbours that are neighbours on the map.
    pub preservation: Option<Estimate>,
}

/// Measures a map of `points`; at most `n_sample` points are asked, drawn by the bootstrap's seed.
///
/// # Errors
/// [`SpaceError::Length`] unless the map has as many points; [`SpaceError::Setting`] unless 2n > 3k + 1.
pub fn quality(
    points: &Points,
    map: &Points,
    k: usize,
    metric: Metric,
    n_sample: usize,
    bootstrap: &Bootstrap,
) -> Result<MapQuality, SpaceError> {
    let n = points.len();
    if map.len() != n {
        return Err(SpaceError::Length { what: "the map", actual: map.len(), expected: n });
    }
    // As in scikit-learn: below that the normalisation loses its meaning.
    if k == 0 || 2 * k >= n {
        let must = "at least 1 and below half the number of points";
        return Err(SpaceError::Setting { name: "the number of neighbours", value: k as f64, must });
    }
    let asked: Vec<usize> = if n <= n_sample {
        (0..n).collect()
    } else {
        let mut rng = stream(bootstrap.seed(), "map quality");
        let mut chosen: Vec<usize> = sample(&mut rng, n, n_sample).into_iter().collect();
        chosen.sort_unstable();
        chosen
    };
    let (truth, drawn) = (Ranks::new(points, metric), Ranks::new(map, Metric::Euclidean));
    let scores: Vec<[f64; 3]> = asked
        .par_chunks(ASKED_AT_ONCE)
        .flat_map_iter(|part| {
            let (truth, drawn) = (truth.distances(part), drawn.distances(part));
            let rows = truth.chunks_exact(n).zip(drawn.chunks_exact(n)).zip(part);
            rows.map(|((truth, drawn), &i)| scores(truth, drawn, i, k)).collect::<Vec<_>>()
        })
        .collect();
    let units = Units::subjects(asked.len());
    let of =
        |at: usize| mean(&scores.iter().map(|row| row[at]).collect::<Vec<f64>>(), &units, bootstrap);
    Ok(MapQuality {
        k,
        n_sampled: asked.len(),
        trustworthiness: of(0),
        continuity: of(1),
        preservation: of(2),
    })
}

/// Points whose distances are worked out together.
const ASKED_AT_ONCE: usize = 16;

/// Points, ready for distances to all of them.
struct Ranks(Prepared);

impl Ranks {
    fn new(points: &Points, metric: Metric) -> Self {
        let rows = (0..points.len()).map(|row| points.row(row));
        Self(Prepared::new(rows, &origin(points, metric), metric))
    }

    /// ‖x‖² − 2 q·x from each of `part` to every point, which ranks as the distance does; a point itself is
    /// farthest. In single precision: ranks need no more.
    fn distances(&self, part: &[usize]) -> Vec<f32> {
        let (n, width) = (self.0.len(), self.0.width);
        let queries: Vec<f32> =
            part.iter().flat_map(|&i| self.0.rows(i..i + 1).iter().copied()).collect();
        let mut products = vec![0.0; part.len() * n];
        products_f32(&queries, &self.0.values, (part.len(), width, n), &mut products);
        for (products, &i) in products.chunks_exact_mut(n).zip(part) {
            products.iter_mut().zip(&self.0.squares).for_each(|(p, square)| *p = square - 2.0 * *p);
            products[i] = f32::INFINITY;
        }
        products
    }
}

/// Trustworthiness, continuity and preservation of one point.
fn scores(truth: &[f32], drawn: &[f32], i: usize, k: usize) -> [f64; 3] {
    let (near, near_on_map) = (nearest(truth, i, k), nearest(drawn, i, k));
    let n = truth.len() as f64;
    let scale = 2.0 / (k as f64 * (2.0 * n - 3.0 * k as f64 - 1.0));
    let n_kept = near.iter().filter(|j| near_on_map.contains(j)).count();
    [
        1.0 - scale * penalty(truth, k, &near_on_map),
        1.0 - scale * penalty(drawn, k, &near),
        n_kept as f64 / k as f64,
    ]
}

/// Σ max(0, rank − k) over `chosen`; equals rank by row.
fn penalty(distances: &[f32], k: usize, chosen: &[usize]) -> f64 {
    let rank = |j: usize| {
        let mine = distances[j];
        let nearer = distances.iter().filter(|d| **d < mine).count();
        nearer + distances[..j].iter().filter(|d| **d == mine).count() + 1
    };
    chosen.iter().map(|&j| rank(j).saturating_sub(k) as f64).sum()
}

fn nearest(distances: &[f32], i: usize, k: usize) -> Vec<usize> {
    let mut others: Vec<usize> = (0..distances.len()).filter(|j| *j != i).collect();
    let by_distance = |a: &usize, b: &usize| distances[*a].total_cmp(&distances[*b]).then(a.cmp(b));
    if k < others.len() {
        others.select_nth_unstable_by(k - 1, by_distance);
        others.truncate(k);
    }
    others
}
