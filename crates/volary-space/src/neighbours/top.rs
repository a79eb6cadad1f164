//! Blocks of points against blocks of points, and what stays of it.

use super::{Metric, distance};
use crate::points::Points;
use crate::product::products_f32;

/// Candidates kept at most where very many are as near as single precision can tell.
const MOST: usize = 1024;

/// Points as the products need them: shifted (or scaled to length 1), with squared lengths.
pub(crate) struct Prepared {
    pub(crate) values: Vec<f32>,
    pub(crate) squares: Vec<f32>,
    pub(crate) width: usize,
    /// Largest length.
    pub(crate) longest: f32,
}

/// The middle of the points, from which lengths are measured: products of long vectors that lie close
/// together would lose their difference in rounding. Directions have no other origin than 0.
pub(crate) fn origin(points: &Points, metric: Metric) -> Vec<f64> {
    let mut sums = vec![0.0; points.width()];
    if metric == Metric::Euclidean {
        for row in points.values().chunks_exact(points.width()) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        sums.iter_mut().for_each(|sum| *sum /= points.len().max(1) as f64);
    }
    sums
}

impl Prepared {
    pub(crate) fn new<'a>(
        rows: impl Iterator<Item = &'a [f32]>,
        origin: &[f64],
        metric: Metric,
    ) -> Self {
        let width = origin.len();
        let (mut values, mut squares) = (Vec::new(), Vec::new());
        for row in rows {
            let shifted = || row.iter().zip(origin).map(|(v, o)| f64::from(*v) - o);
            let square: f64 = shifted().map(|v| v * v).sum();
            match metric {
                Metric::Euclidean => {
                    values.extend(shifted().map(|v| v as f32));
                    squares.push(square as f32);
                }
                Metric::Cosine => {
                    let length = if square > 0.0 { square.sqrt() } else { 1.0 };
                    values.extend(shifted().map(|v| (v / length) as f32));
                    // Also for a vector of zeros, which is then as far as a perpendicular one.
                    squares.push(1.0);
                }
            }
        }
        let longest = squares.iter().copied().fold(0.0, f32::max).sqrt();
        Self { values, squares, width, longest }
    }

    pub(crate) fn len(&self) -> usize {
        self.squares.len()
    }

    pub(crate) fn rows(&self, range: std::ops::Range<usize>) -> &[f32] {
        &self.values[range.start * self.width..range.end * self.width]
    }

    /// What rounding can do to ‖x‖² − 2 q·x for a query of this length: the dot product of d numbers is
    /// right to (d + 3) half-units in the last place (Higham 2002, section 3.1), and the same once more
    /// for the sum.
    pub(crate) fn slack(&self, query_length: f32) -> f32 {
        let unit = f32::EPSILON / 2.0;
        2.0 * (self.width as f32 + 8.0) * unit * self.longest * (query_length + self.longest)
    }
}

/// The candidates of one query that could still be among its k nearest.
pub(super) struct Top {
    k: usize,
    slack: f32,
    threshold: f32,
    /// So many are held before they are gone through again.
    limit: usize,
    found: Vec<(f32, u32)>,
    itself: Option<u32>,
}

impl Top {
    pub(super) fn new(k: usize, slack: f32, itself: Option<u32>) -> Self {
        let limit = 2 * k + 48;
        Self { k, slack, threshold: f32::INFINITY, limit, found: Vec::with_capacity(limit + 16), itself }
    }

    /// Offers candidates: their products with the query, squared lengths and rows.
    pub(super) fn offer(&mut self, products: &[f32], squares: &[f32], rows: &[u32]) {
        /// Looked at together: most hold nothing new.
        const LANES: usize = 16;
        let chunks = products.chunks(LANES).zip(squares.chunks(LANES)).zip(rows.chunks(LANES));
        for ((products, squares), rows) in chunks {
            let mut values = [f32::INFINITY; LANES];
            for (value, (product, square)) in values.iter_mut().zip(products.iter().zip(squares)) {
                *value = square - 2.0 * product;
            }
            let threshold = self.threshold;
            if !values.iter().fold(false, |any, value| any | (*value <= threshold)) {
                continue;
            }
            for (&value, &row) in values.iter().zip(rows) {
                if value <= self.threshold && self.itself != Some(row) {
                    self.found.push((value, row));
                }
            }
            if self.found.len() >= self.limit {
                self.compact();
                self.limit = self.limit.max(2 * self.found.len());
            }
        }
    }

    /// Drops what cannot be among the k nearest any more.
    fn compact(&mut self) {
        if self.found.len() <= self.k || self.k == 0 {
            return;
        }
        let by_value = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let (_, last, _) = self.found.select_nth_unstable_by(self.k - 1, by_value);
        let threshold = last.0 + 2.0 * self.slack;
        self.threshold = self.threshold.min(threshold);
        self.found.retain(|(value, _)| *value <= threshold);
        if self.found.len() > MOST.max(self.k) {
            // As near as numbers can tell: the lower rows.
            self.found.select_nth_unstable_by(MOST.max(self.k) - 1, by_value);
            self.found.truncate(MOST.max(self.k));
        }
    }

    /// The k nearest by their distance in double precision.
    pub(super) fn finish(mut self, query: &[f32], points: &Points, metric: Metric) -> Vec<(f64, u32)> {
        self.compact();
        let mut exact: Vec<(f64, u32)> = self
            .found
            .iter()
            .map(|&(_, row)| (distance(query, points.row(row as usize), metric), row))
            .collect();
        exact.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        exact.truncate(self.k);
        exact
    }
}

/// Offers `n` candidates (their values, squared lengths and rows) to `tops.len()` queries.
pub(super) fn offer_block(
    tops: &mut [Top],
    queries: &[f32],
    (values, squares, rows): (&[f32], &[f32], &[u32]),
    width: usize,
    products: &mut Vec<f32>,
) {
    let (m, n) = (tops.len(), rows.len());
    if m == 0 || n == 0 {
        return;
    }
    products.resize(m * n, 0.0);
    products_f32(queries, values, (m, width, n), products);
    for (top, products) in tops.iter_mut().zip(products.chunks_exact(n)) {
        top.offer(products, squares, rows);
    }
}
