//! Where randomness comes from: one seed, many named streams.
//!
//! Each use names its stream, so that adding a draw in one place changes nothing in another.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator that everything in Volary draws from; its sequence is fixed across platforms.
pub type Rng = ChaCha8Rng;

/// A generator for the stream `name` of `seed`.
///
/// ```
/// use rand::Rng as _;
/// let (mut a, mut b) = (volary_core::seed::stream(1, "votes"), volary_core::seed::stream(1, "votes"));
/// assert_eq!(a.next_u64(), b.next_u64());
/// ```
#[must_use]
pub fn stream(seed: u64, name: &str) -> Rng {
    // FNV-1a keeps the mapping from names to streams fixed for ever, independent of any library.
    let mut key = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        key = (key ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(key);
    rng
}

#[cfg(test)]
mod tests {
    use super::stream;
    use rand::Rng as _;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |seed, name| stream(seed, name).next_u64();
        assert_eq!(draw(7, "a"), draw(7, "a"));
        assert_ne!(draw(7, "a"), draw(7, "b"));
        assert_ne!(draw(7, "a"), draw(8, "a"));
    }
}
