//! A rectangle of pixels to paint on.

use volary_core::Pixels;
use volary_ingest::images::png_bytes;

use super::PictureError;
use super::colour::{Rgb, inferno};

/// Red, green and blue, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bitmap {
    pub(super) width: usize,
    pub(super) height: usize,
    rgb: Vec<u8>,
}

impl Bitmap {
    /// All of one colour.
    pub(super) fn new(width: usize, height: usize, colour: Rgb) -> Self {
        Self { width, height, rgb: colour.repeat(width * height) }
    }

    /// A picture; of other than three channels the first, as grey.
    pub(super) fn of(pixels: &dyn Pixels, row: usize) -> Result<Self, PictureError> {
        let shape = pixels.shape();
        let mut values = vec![0.0; shape.values()];
        pixels.read(row, &mut values)?;
        let n = shape.height * shape.width;
        let plane = |c: usize| if shape.channels == 3 { c * n } else { 0 };
        let byte = |v: f32| (v * 255.0).round().clamp(0.0, 255.0) as u8;
        let rgb = (0..n).flat_map(|i| [0, 1, 2].map(|c| byte(values[plane(c) + i]))).collect();
        Ok(Self { width: shape.width, height: shape.height, rgb })
    }

    /// Lays attention (0 to 1, row by row, of any size) over it: the more there is, the less of the image shows.
    pub(super) fn lay_over(&mut self, attention: &[f32], (width, height): (usize, usize)) {
        for y in 0..self.height {
            for x in 0..self.width {
                let value = between(attention, (width, height), (x, y), (self.width, self.height));
                let alpha = 0.25 + 0.5 * value;
                let colour = inferno(value);
                let at = 3 * (y * self.width + x);
                for (own, new) in self.rgb[at..at + 3].iter_mut().zip(colour) {
                    *own = (f64::from(*own) * (1.0 - alpha) + f64::from(new) * alpha).round() as u8;
                }
            }
        }
    }

    /// The nearest pixels, so many times as large or small.
    pub(super) fn scaled(&self, width: usize, height: usize) -> Self {
        let mut out = Self::new(width, height, [0; 3]);
        for y in 0..height {
            for x in 0..width {
                let from = 3 * ((y * self.height / height) * self.width + x * self.width / width);
                let at = 3 * (y * width + x);
                out.rgb[at..at + 3].copy_from_slice(&self.rgb[from..from + 3]);
            }
        }
        out
    }

    /// Puts another one with its upper left corner at a place; what lies outside is cut off.
    pub(super) fn paste(&mut self, other: &Self, x: usize, y: usize) {
        let n = other.width.min(self.width.saturating_sub(x));
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let (at, from) = (3 * ((y + row) * self.width + x), 3 * row * other.width);
            self.rgb[at..at + 3 * n].copy_from_slice(&other.rgb[from..from + 3 * n]);
        }
    }

    /// A disc with a soft edge.
    pub(super) fn disc(&mut self, (cx, cy): (f64, f64), radius: f64, colour: Rgb) {
        let range = |c: f64, n: usize| {
            let low = (c - radius - 1.0).floor().max(0.0) as usize;
            low..((c + radius + 2.0).max(0.0) as usize).min(n)
        };
        for y in range(cy, self.height) {
            for x in range(cx, self.width) {
                let distance = (x as f64 + 0.5 - cx).hypot(y as f64 + 0.5 - cy);
                let cover = 0.85 * (radius + 0.5 - distance).clamp(0.0, 1.0);
                let at = 3 * (y * self.width + x);
                for (own, new) in self.rgb[at..at + 3].iter_mut().zip(colour) {
                    *own = (f64::from(*own) * (1.0 - cover) + f64::from(new) * cover).round() as u8;
                }
            }
        }
    }

    pub(super) fn png(&self) -> Result<Vec<u8>, PictureError> {
        Ok(png_bytes(self.width, self.height, &self.rgb)?)
    }

    #[cfg(test)]
    pub(super) fn at(&self, x: usize, y: usize) -> Rgb {
        let at = 3 * (y * self.width + x);
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }
}

/// Attention at a pixel of an image of another size: bilinear, pixel centres aligned.
fn between(
    map: &[f32],
    (width, height): (usize, usize),
    (x, y): (usize, usize),
    (to_width, to_height): (usize, usize),
) -> f64 {
    let place = |i: usize, n: usize, to: usize| {
        ((i as f64 + 0.5) * n as f64 / to as f64 - 0.5).clamp(0.0, n.saturating_sub(1) as f64)
    };
    let (px, py) = (place(x, width, to_width), place(y, height, to_height));
    let (x0, y0) = (px as usize, py as usize);
    let value = |i: usize, j: usize| {
        let at = j.min(height.saturating_sub(1)) * width + i.min(width.saturating_sub(1));
        f64::from(map.get(at).copied().unwrap_or(0.0))
    };
    let (u, v) = (px - x0 as f64, py - y0 as f64);
    let above = value(x0, y0) + u * (value(x0 + 1, y0) - value(x0, y0));
    let below = value(x0, y0 + 1) + u * (value(x0 + 1, y0 + 1) - value(x0, y0 + 1));
    above + v * (below - above)
}
