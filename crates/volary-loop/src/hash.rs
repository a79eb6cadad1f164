//! Numbers that depend on a seed and a name alone, for draws that must not depend on the order of the input.

/// A number in (0, 1) that depends on seed, purpose and id alone.
pub(crate) fn uniform(seed: u64, purpose: &str, id: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(purpose.as_bytes()).update(&[0]).update(id.as_bytes());
    share(&hasher.finalize())
}

/// A number in (0, 1) out of a hash: 53 bits, moved off zero by half a step.
pub(crate) fn share(hash: &blake3::Hash) -> f64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    ((u64::from_le_bytes(bytes) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// 64 well-mixed bits out of numbers, where a hash of text would be too slow (SplitMix64's finaliser,
/// Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
pub(crate) fn mix(parts: &[u64]) -> u64 {
    let mut state = 0_u64;
    for part in parts {
        state = state.wrapping_add(*part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    state
}

/// A number in (0, 1) out of numbers.
pub(crate) fn mixed_share(parts: &[u64]) -> f64 {
    ((mix(parts) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_even_and_differ() {
        let numbers: Vec<f64> = (0..10_000).map(|at| mixed_share(&[7, at])).collect();
        let mean = numbers.iter().sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 4.0 * (1.0_f64 / 12.0 / 1e4).sqrt(), "{mean}");
        // Neighbours have nothing to do with each other.
        let product: f64 = numbers.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>() / 1e4;
        assert!(product.abs() < 4.0 / 12.0 / 100.0, "{product}");
        assert_ne!(mix(&[1, 2]), mix(&[2, 1]));
        assert!((0..1_000).all(|at| (0.0..1.0).contains(&uniform(3, "a", &at.to_string()))));
    }
}
