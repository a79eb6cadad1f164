//! Random draws that simulations and models need: normal, exponential, gamma, Dirichlet.
//!
//! Few enough to write out: gamma by Marsaglia & Tsang 2000 (doi:10.1145/358407.358414), normal by
//! Marsaglia's polar method. The sequence is then fixed by this file, not by another crate's version.

use crate::seed::Rng;
use rand::RngExt as _;

/// A standard normal draw.
pub fn normal(rng: &mut Rng) -> f64 {
    loop {
        let (x, y) = (2.0 * rng.random::<f64>() - 1.0, 2.0 * rng.random::<f64>() - 1.0);
        let s = x * x + y * y;
        if s > 0.0 && s < 1.0 {
            return x * (-2.0 * s.ln() / s).sqrt();
        }
    }
}

/// A draw from the exponential law with mean 1.
pub fn exponential(rng: &mut Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}

/// A draw from Gamma(shape, 1) for shape > 0.
pub fn gamma(rng: &mut Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        // 1 − U lies in (0, 1], so the power is defined.
        let u = 1.0 - rng.random::<f64>();
        return gamma(rng, shape + 1.0) * u.powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 {
            let u = 1.0 - rng.random::<f64>();
            if u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

/// A draw from Beta(a, b).
pub fn beta(rng: &mut Rng, a: f64, b: f64) -> f64 {
    let (x, y) = (gamma(rng, a), gamma(rng, b));
    if x + y > 0.0 { x / (x + y) } else { a / (a + b) }
}

/// Fills `row` with a draw from Dirichlet(`shapes`).
pub fn dirichlet(rng: &mut Rng, shapes: impl Iterator<Item = f64>, row: &mut [f64]) {
    let mut total = 0.0;
    for (cell, shape) in row.iter_mut().zip(shapes) {
        *cell = gamma(rng, shape);
        total += *cell;
    }
    let even = 1.0 / row.len() as f64;
    for cell in row {
        // Tiny shapes can underflow all at once.
        *cell = if total > 0.0 { *cell / total } else { even };
    }
}

/// An index drawn in proportion to `shares`, which sum to 1.
pub fn index(rng: &mut Rng, shares: impl ExactSizeIterator<Item = f64>) -> usize {
    let (mut left, last) = (rng.random::<f64>(), shares.len().saturating_sub(1));
    for (at, share) in shares.enumerate() {
        if left < share {
            return at;
        }
        left -= share;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_right() {
        let mut rng = crate::seed::stream(5, "draws test");
        for shape in [0.2, 1.0, 7.5] {
            let draws: Vec<f64> = (0..200_000).map(|_| gamma(&mut rng, shape)).collect();
            let mean = draws.iter().sum::<f64>() / 2e5;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2e5;
            assert!((mean / shape - 1.0).abs() < 0.02, "{shape}: {mean}");
            assert!((variance / shape - 1.0).abs() < 0.05, "{shape}: {variance}");
        }
        let moments = |values: Vec<f64>| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
        };
        let (mean, variance) = moments((0..200_000).map(|_| normal(&mut rng)).collect());
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let (mean, variance) = moments((0..200_000).map(|_| exponential(&mut rng)).collect());
        assert!((mean - 1.0).abs() < 0.01 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        let mean = (0..50_000).map(|_| beta(&mut rng, 2.0, 6.0)).sum::<f64>() / 5e4;
        assert!((mean - 0.25).abs() < 0.005);
        let ones = (0..50_000).filter(|_| index(&mut rng, [0.2, 0.8].into_iter()) == 1).count();
        assert!((39_500..40_500).contains(&ones));
    }
}
