//! Draws of our own: the same seed gives the same numbers on every device.
//!
//! Burn has a generator for each device, shared by all that runs on it; nothing here uses it.

use rand::RngExt as _;
use volary_core::seed::Rng;

/// `n` draws from the standard normal distribution, by Box and Muller's pairs.
pub(crate) fn normals(n: usize, rng: &mut Rng) -> Vec<f32> {
    let mut draws = Vec::with_capacity(n + 1);
    while draws.len() < n {
        // 1 - u lies in (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        draws.push((radius * cos) as f32);
        draws.push((radius * sin) as f32);
    }
    draws.truncate(n);
    draws
}

#[cfg(test)]
mod tests {
    use super::normals;

    #[test]
    fn normal_draws_have_the_moments_of_a_normal() {
        let draws = normals(100_001, &mut volary_core::seed::stream(3, "test"));
        assert_eq!(draws.len(), 100_001);
        let n = draws.len() as f64;
        let moment = |k: i32| draws.iter().map(|x| f64::from(*x).powi(k)).sum::<f64>() / n;
        // Four standard errors: 1/sqrt(n), sqrt(2/n), sqrt(15/n), sqrt(96/n).
        for (k, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let error = 4.0 * f64::sqrt(variance / n);
            assert!((moment(k) - expected).abs() < error, "moment {k}: {}", moment(k));
        }
    }
}
