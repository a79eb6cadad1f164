//! Pictures among which some are odd, by plan, and how well they are found.

use std::path::Path;

use rand::RngExt as _;
use volary_core::{PixelShape, PixelsInMemory};

pub(crate) const SHAPE: PixelShape = PixelShape { channels: 1, height: 16, width: 16 };

/// Round blots of some width at some place; the odd ones are crosses.
pub(crate) fn pictures(n: usize, is_odd: bool, seed: u64) -> PixelsInMemory {
    let mut rng = volary_core::seed::stream(seed, if is_odd { "crosses" } else { "blots" });
    let mut draw = || rng.random::<f64>();
    let mut values = Vec::new();
    for _ in 0..n {
        let (x0, y0, width) = (6.0 + 3.0 * draw(), 6.0 + 3.0 * draw(), 2.0 + draw());
        for y in 0..SHAPE.height {
            for x in 0..SHAPE.width {
                let [dx, dy] = [x as f64 - x0, y as f64 - y0];
                let light = if is_odd {
                    if dx.abs() < 1.0 || dy.abs() < 1.0 { 0.6 } else { 0.0 }
                } else {
                    0.8 * (-(dx * dx + dy * dy) / (2.0 * width * width)).exp()
                };
                values.push((0.1 + light + 0.05 * draw()).min(1.0) as f32);
            }
        }
    }
    PixelsInMemory::new(SHAPE, values).unwrap()
}

/// The chance that an odd picture has the higher score of two.
pub(crate) fn auc(odd: &[f64], plain: &[f64]) -> f64 {
    let wins = odd.iter().flat_map(|a| plain.iter().map(move |b| f64::from(u8::from(a > b))));
    wins.sum::<f64>() / (odd.len() * plain.len()) as f64
}

pub(crate) fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}
