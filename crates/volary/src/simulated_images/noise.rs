//! Smooth noise: values at the points of a grid, and between them what is near; sums of it at finer and finer
//! grids look like clouds (Perlin 1985, doi:10.1145/325334.325247, with values in place of slopes).

/// Noise of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noise(pub(super) u64);

impl Noise {
    /// The value at a grid point, 0 to 1 (the finaliser of SplitMix64).
    fn corner(self, x: i64, y: i64) -> f64 {
        let mut z = self.0
            ^ (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 0 to 1, with a grid of 1.
    pub(super) fn at(self, x: f64, y: f64) -> f64 {
        let (column, row) = (x.floor(), y.floor());
        let ease = |t: f64| t * t * (3.0 - 2.0 * t);
        let (u, v) = (ease(x - column), ease(y - row));
        let corner = |i, j| self.corner(column as i64 + i, row as i64 + j);
        let above = corner(0, 0) + u * (corner(1, 0) - corner(0, 0));
        let below = corner(0, 1) + u * (corner(1, 1) - corner(0, 1));
        above + v * (below - above)
    }

    /// Clouds, 0 to 1: `octaves` grids, each twice as fine and half as strong as the one before.
    pub(super) fn clouds(self, x: f64, y: f64, octaves: u64) -> f64 {
        let (mut sum, mut total, mut scale, mut weight) = (0.0, 0.0, 1.0, 1.0);
        for octave in 0..octaves {
            sum += weight * Self(self.0.wrapping_add(octave)).at(x * scale, y * scale);
            total += weight;
            scale *= 2.03;
            weight *= 0.5;
        }
        sum / total
    }

    /// Folded clouds, 0 to 1: bright threads where clouds cross their middle.
    pub(super) fn threads(self, x: f64, y: f64, octaves: u64) -> f64 {
        let (mut sum, mut total, mut scale, mut weight) = (0.0, 0.0, 1.0, 1.0);
        for octave in 0..octaves {
            let value = Self(self.0.wrapping_add(100 + octave)).at(x * scale, y * scale);
            sum += weight * (1.0 - (2.0 * value - 1.0).abs()).powi(3);
            total += weight;
            scale *= 2.07;
            weight *= 0.55;
        }
        sum / total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_smooth_and_stays_in_its_range() {
        let noise = Noise(5);
        for i in 0..2000 {
            let (x, y) = (f64::from(i) * 0.037 - 30.0, f64::from(i) * -0.021);
            for value in [noise.at(x, y), noise.clouds(x, y, 5), noise.threads(x, y, 4)] {
                assert!((0.0..=1.0).contains(&value));
            }
            assert!((noise.at(x, y) - noise.at(x + 1e-6, y)).abs() < 1e-5);
        }
        assert_ne!(noise.at(0.5, 0.5), Noise(6).at(0.5, 0.5));
    }
}
