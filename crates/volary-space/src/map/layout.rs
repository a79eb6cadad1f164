//! Positions by stochastic gradient descent (section 3.2 of the paper), the same for any number of threads.
//!
//! The similarity of two places at distance d is 1 / (1 + a d²ᵇ), a and b fitted to the wanted shape.
//! `umap-learn` walks over the edges and moves both ends at once. Here each point moves itself along its own
//! edges, which every edge allows twice, once from each end; a block of points moves while all others stand
//! still, so blocks can be shared out among threads and no move depends on who was first. An attracting
//! move is doubled, because `umap-learn` moves a point both as an edge's head and as its tail.

use rayon::prelude::*;

use super::UmapParams;
use super::graph::{Edges, weights};
use crate::error::SpaceError;
use crate::neighbours::Neighbours;
use crate::points::Points;

/// Blocks of an epoch. More come closer to moving one by one, fewer share out better.
const N_BLOCKS: usize = 24;
/// Points of a block that one task moves.
const PER_TASK: usize = 256;
/// A move along one axis is at most this.
const LONGEST: f32 = 4.0;

/// Similarity in the map: 1 / (1 + a d²ᵇ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) a: f64,
    pub(super) b: f64,
}

impl Shape {
    /// Least squares against the wanted shape: 1 up to `min_dist`, then exp(−(d − min_dist)/spread), at 300
    /// places up to three spreads (as `umap-learn`), by Gauss & Newton with halved steps.
    pub(super) fn new(spread: f64, min_dist: f64) -> Self {
        let places: Vec<(f64, f64)> = (0..300)
            .map(|i| f64::from(i) * 3.0 * spread / 299.0)
            .map(|d| (d, if d < min_dist { 1.0 } else { (-(d - min_dist) / spread).exp() }))
            .collect();
        let error = |a: f64, b: f64| {
            let one = |(d, y): &(f64, f64)| (1.0 / (1.0 + a * d.powf(2.0 * b)) - y).powi(2);
            places.iter().map(one).sum::<f64>()
        };
        let (mut a, mut b) = (1.0_f64, 1.0_f64);
        for _ in 0..100 {
            let [mut aa, mut ab, mut bb, mut ga, mut gb] = [0.0; 5];
            for &(d, y) in places.iter().filter(|(d, _)| *d > 0.0) {
                let power = d.powf(2.0 * b);
                let f = 1.0 / (1.0 + a * power);
                let (da, db) = (-f * f * power, -f * f * a * power * 2.0 * d.ln());
                aa += da * da;
                ab += da * db;
                bb += db * db;
                ga += da * (f - y);
                gb += db * (f - y);
            }
            let det = aa * bb - ab * ab;
            let (step_a, step_b) = ((bb * ga - ab * gb) / det, (aa * gb - ab * ga) / det);
            let before = error(a, b);
            let is_better = |length: f64| {
                a - length * step_a > 0.0 && error(a - length * step_a, b - length * step_b) <= before
            };
            let mut length = 1.0;
            while length > 1e-9 && !is_better(length) {
                length /= 2.0;
            }
            if length <= 1e-9 || (step_a.abs() + step_b.abs()) < 1e-12 {
                break;
            }
            a -= length * step_a;
            b -= length * step_b;
        }
        Self { a, b }
    }
}

/// Moves the points from `start`.
pub(super) fn lay_out(
    start: Points,
    edges: &Edges,
    shape: &Shape,
    n_epochs: usize,
    params: &UmapParams,
) -> Points {
    match params.n_dimensions {
        3 => lay_out_in::<3>(&start, edges, shape, n_epochs, params),
        _ => lay_out_in::<2>(&start, edges, shape, n_epochs, params),
    }
}

fn lay_out_in<const D: usize>(
    start: &Points,
    edges: &Edges,
    shape: &Shape,
    n_epochs: usize,
    params: &UmapParams,
) -> Points {
    let mut places = unpacked::<D>(start);
    let n = places.len();
    let largest = edges.weights.iter().copied().fold(0.0, f32::max).max(f32::MIN_POSITIVE);
    let rates: Vec<f32> = edges.weights.iter().map(|w| w / largest).collect();
    // Blocks hold points from everywhere, so that no neighbourhood moves all at once.
    let order: Vec<usize> = spread_order(n, params.seed);
    for epoch in 0..n_epochs {
        let alpha = (params.learning_rate * (1.0 - epoch as f64 / n_epochs as f64)) as f32;
        for block in order.chunks(n.div_ceil(N_BLOCKS).max(1)) {
            let n_negative = params.n_negative;
            let moves = Moves { shape, n_negative, places: &places, alpha, alpha_pull: 2.0 * alpha };
            let moved: Vec<[f32; D]> = block
                .par_chunks(PER_TASK)
                .flat_map_iter(|task| {
                    let (moves, rates) = (&moves, &rates);
                    task.iter().map(move |&i| {
                        let own = edges.starts[i]..edges.starts[i + 1];
                        let due = own.filter(|&e| is_due(rates[e], epoch)).map(|e| edges.ends[e]);
                        let mut draws = Draws::new(params.seed, i as u64, epoch as u64);
                        moves.step(moves.places[i], i, due, &mut draws)
                    })
                })
                .collect();
            block.iter().zip(moved).for_each(|(&i, place)| places[i] = place);
        }
    }
    packed(&places, start)
}

/// An edge of rate r (1 for the strongest) acts r n times in n epochs, evenly spread.
fn is_due(rate: f32, epoch: usize) -> bool {
    let (rate, epoch) = (f64::from(rate), epoch as f64);
    // Casts cut off what is behind the point, and are quicker than `floor` on old processors.
    ((epoch + 1.0) * rate) as u64 > (epoch * rate) as u64
}

/// Places for new points among fixed ones.
pub(super) fn place(
    fixed: &Points,
    neighbours: &Neighbours,
    shape: &Shape,
    params: &UmapParams,
) -> Result<Points, SpaceError> {
    match params.n_dimensions {
        3 => place_in::<3>(fixed, neighbours, shape, params),
        _ => place_in::<2>(fixed, neighbours, shape, params),
    }
}

fn place_in<const D: usize>(
    fixed: &Points,
    neighbours: &Neighbours,
    shape: &Shape,
    params: &UmapParams,
) -> Result<Points, SpaceError> {
    let places = unpacked::<D>(fixed);
    // As `umap-learn`: a third of the rounds of a small map, and a quarter of its step.
    let n_epochs = params.n_epochs.map_or(if places.len() <= 10_000 { 100 } else { 30 }, |n| n / 3);
    let moved: Vec<[f32; D]> = (0..neighbours.len())
        .into_par_iter()
        .map(|i| {
            let rows = neighbours.rows(i);
            // The point's own distances set the scale, so that no other new point matters.
            let own =
                neighbours.distances(i).iter().map(|d| f64::from(*d)).sum::<f64>() / rows.len() as f64;
            let weights = weights(neighbours.distances(i), own, rows.len() as f64);
            let mut place = [0.0; D];
            let total: f32 = weights.iter().sum();
            for (&row, weight) in rows.iter().zip(&weights) {
                for (axis, v) in place.iter_mut().zip(places[row as usize]) {
                    *axis += v * weight / total;
                }
            }
            let largest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            for epoch in 0..n_epochs {
                let alpha = (params.learning_rate / 4.0 * (1.0 - epoch as f64 / n_epochs as f64)) as f32;
                let due = rows
                    .iter()
                    .zip(&weights)
                    .filter(|(_, w)| is_due(**w / largest, epoch))
                    .map(|(r, _)| *r);
                let mut draws = Draws::new(params.seed ^ 0x7472, u64::from(rows[0]), epoch as u64);
                let n_negative = params.n_negative;
                let moves = Moves { shape, n_negative, places: &places, alpha, alpha_pull: alpha };
                place = moves.step(place, usize::MAX, due, &mut draws);
            }
            place
        })
        .collect();
    Points::new(moved.into_iter().flatten().collect(), D)
}

/// What is the same for all points of an epoch.
struct Moves<'s, const D: usize> {
    shape: &'s Shape,
    n_negative: usize,
    /// Where everyone stands.
    places: &'s [[f32; D]],
    /// Length of a step, and of one that attracts.
    alpha: f32,
    alpha_pull: f32,
}

impl<const D: usize> Moves<'_, D> {
    /// One point's moves in one epoch: towards each end that is due, away from random points.
    fn step(
        &self,
        mut place: [f32; D],
        itself: usize,
        due: impl Iterator<Item = u32>,
        draws: &mut Draws,
    ) -> [f32; D] {
        let (a, b) = (self.shape.a as f32, self.shape.b as f32);
        for end in due {
            let (apart, d2) = difference(&place, &self.places[end as usize]);
            if d2 > 0.0 {
                let power = power(d2, b);
                let coefficient = -2.0 * a * b * power / (d2 * (1.0 + a * power));
                shift(&mut place, &apart, coefficient, self.alpha_pull);
            }
            self.repel(&mut place, itself, draws);
        }
        place
    }

    /// Moves away from random points, all seen from the same place, so that the processor can look at
    /// several at once.
    #[inline]
    fn repel(&self, place: &mut [f32; D], itself: usize, draws: &mut Draws) {
        const LANES: usize = 8;
        let (a, b) = (self.shape.a as f32, self.shape.b as f32);
        let mut left = self.n_negative;
        while left > 0 {
            let n = left.min(LANES);
            left -= n;
            let (mut aparts, mut d2s) = ([[0.0; D]; LANES], [0.0_f32; LANES]);
            for (apart, d2) in aparts.iter_mut().zip(&mut d2s).take(n) {
                let other = draws.below(self.places.len());
                if other != itself {
                    (*apart, *d2) = difference(place, &self.places[other]);
                }
            }
            let coefficients = d2s.map(|d2| 2.0 * b / ((0.001 + d2) * (1.0 + a * power(d2, b))));
            // At distance 0 there is no direction; the shift is 0 then.
            for (apart, coefficient) in aparts.iter().zip(coefficients).take(n) {
                shift(place, apart, coefficient, self.alpha);
            }
        }
    }
}

#[inline]
fn difference<const D: usize>(a: &[f32; D], b: &[f32; D]) -> ([f32; D], f32) {
    let mut apart = [0.0; D];
    let mut d2 = 0.0;
    for axis in 0..D {
        apart[axis] = a[axis] - b[axis];
        d2 += apart[axis] * apart[axis];
    }
    (apart, d2)
}

#[inline]
fn shift<const D: usize>(place: &mut [f32; D], apart: &[f32; D], coefficient: f32, alpha: f32) {
    for (v, apart) in place.iter_mut().zip(apart) {
        *v += (coefficient * apart).clamp(-LONGEST, LONGEST) * alpha;
    }
}

/// xᵇ for x > 0, right to about 1 in 10⁶: two short polynomials instead of a library call, because a map
/// takes a billion of them.
#[inline]
fn power(x: f32, b: f32) -> f32 {
    exp2(b * log2(x))
}

/// Base-2 logarithm of a positive number.
#[inline]
fn log2(x: f32) -> f32 {
    let bits = x.max(f32::MIN_POSITIVE).to_bits();
    // Mantissa to [√½, √2), exponent accordingly.
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    // ln m = 2 artanh((m − 1)/(m + 1)), a series in odd powers.
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let series = s * (2.0 + s2 * (2.0 / 3.0 + s2 * (2.0 / 5.0 + s2 * (2.0 / 7.0))));
    exponent as f32 + series * std::f32::consts::LOG2_E
}

const ROUND: f32 = 12_582_912.0;

/// 2ˣ.
#[inline]
fn exp2(x: f32) -> f32 {
    let x = x.clamp(-126.0, 126.0);
    // Adding and taking away 1.5 × 2²³ rounds to a whole number; `round` is a call on old processors.
    let whole = (x + ROUND) - ROUND;
    let z = (x - whole) * std::f32::consts::LN_2;
    let series = 1.0 + z * (1.0 + z * (0.5 + z * (1.0 / 6.0 + z * (1.0 / 24.0 + z * (1.0 / 120.0)))));
    f32::from_bits(((whole as i32 + 127) << 23) as u32) * series
}

/// Random numbers of one point in one epoch (SplitMix64, Steele, Lea & Flood 2014): counted, not drawn in
/// turn, so that no thread waits for another.
struct Draws(u64);

impl Draws {
    fn new(seed: u64, point: u64, epoch: u64) -> Self {
        let mut draws = Self(seed ^ point.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ epoch.rotate_left(32));
        // Neighbouring points and epochs start far apart.
        draws.0 = draws.next();
        draws
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, by the upper half of a product (Lemire 2019).
    #[inline]
    fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 32).wrapping_mul(n as u64) >> 32) as usize
    }
}

/// All rows, in an order that scatters neighbouring ones.
fn spread_order(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|&i| Draws::new(seed, i as u64, u64::MAX).next());
    order
}

fn unpacked<const D: usize>(points: &Points) -> Vec<[f32; D]> {
    (0..points.len()).map(|i| std::array::from_fn(|axis| points.row(i)[axis])).collect()
}

/// Positions as points; where the numbers ran away, the start.
fn packed<const D: usize>(places: &[[f32; D]], start: &Points) -> Points {
    Points::new(places.iter().flatten().copied().collect(), D).unwrap_or_else(|_| start.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_nearly_those_of_the_library() {
        for i in 1..4000 {
            let x = (i as f32 / 100.0 - 20.0).exp();
            for b in [0.79, 0.895, 1.0, 1.9] {
                let (ours, exact) = (power(x, b), x.powf(b));
                assert!((ours / exact - 1.0).abs() < 1e-5, "{x}^{b}: {ours} {exact}");
            }
        }
        assert!(power(0.0, 0.9) < 1e-30 && power(f32::MAX, 2.0).is_finite());
    }

    #[test]
    fn shapes_are_those_of_umap_learn() {
        // umap-learn 0.5.12, find_ab_params(spread, min_dist).
        for (spread, min_dist, a, b) in GOLDEN_SHAPES {
            let shape = Shape::new(spread, min_dist);
            assert!(
                (shape.a - a).abs() < 1e-4 * a && (shape.b - b).abs() < 1e-4 * b,
                "{shape:?} {a} {b}"
            );
        }
    }

    #[test]
    fn a_rate_is_kept() {
        for rate in [0.01_f32, 0.3, 0.77, 1.0] {
            let n = (0..1000).filter(|&epoch| is_due(rate, epoch)).count() as f32;
            assert!((n - rate * 1000.0).abs() <= 1.0, "{rate}: {n}");
        }
    }

    #[test]
    fn draws_are_even() {
        let mut counts = [0; 10];
        for point in 0..2000 {
            let mut draws = Draws::new(1, point, 3);
            (0..10).for_each(|_| counts[draws.below(10)] += 1);
        }
        // 2000 are due in each; four standard deviations are 170.
        assert!(counts.iter().all(|n| (1830..2170).contains(n)), "{counts:?}");
    }

    const GOLDEN_SHAPES: [(f64, f64, f64, f64); 4] = [
        (1.0, 0.1, 1.576943, 0.8950609),
        (1.0, 0.0, 1.932808, 0.790495),
        (1.0, 0.5, 0.58303, 1.334167),
        (2.0, 0.3, 0.3794947, 0.9488152),
    ];
}
