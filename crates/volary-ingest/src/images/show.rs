//! An image as a browser may show it: decoded and written anew as PNG, so that nothing of the file itself (a
//! script, a place where it was taken, a second file behind the picture) goes with it.

use super::decode::decode;
use super::png::png_bytes;
use super::prepare::{Prepared, prepare};
use super::raster::{Fault, Raster};
use super::settings::{Channels, Limits, Resize, Settings, Stretch};

/// For measured values, which have no brightness of their own: from sky to star.
const MEASURED: Stretch = Stretch::Asinh { low_percent: 0.5, high_percent: 99.5, a: 0.1 };

/// A picture to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// px.
    pub width: usize,
    /// px.
    pub height: usize,
    /// A PNG file.
    pub png: Vec<u8>,
}

/// Makes a PNG of an image file's bytes, its longer side at most `max_side_px`.
///
/// # Errors
/// A [`Fault`] where there is no picture in it.
pub fn show(bytes: &[u8], max_side_px: usize, limits: &Limits) -> Result<Shown, Fault> {
    let (width, height, rgb) = shown_rgb(bytes, max_side_px, limits)?;
    let png = png_bytes(width, height, &rgb)
        .map_err(|error| Fault::unreadable(format!("cannot be written as PNG: {error}")))?;
    Ok(Shown { width, height, png })
}

/// An image file's bytes as a small square: red, green, blue of `side_px × side_px` pixels, row by row. What is
/// not square has black beside it; what is smaller is not made larger.
///
/// # Errors
/// A [`Fault`] where there is no picture in it.
pub fn thumbnail(bytes: &[u8], side_px: usize, limits: &Limits) -> Result<Vec<u8>, Fault> {
    let side_px = side_px.max(1);
    let (width, height, rgb) = shown_rgb(bytes, side_px, limits)?;
    let mut square = vec![0; side_px * side_px * 3];
    let (left, top) = ((side_px - width) / 2, (side_px - height) / 2);
    for (y, line) in rgb.chunks_exact(width * 3).enumerate() {
        let at = ((top + y) * side_px + left) * 3;
        square[at..at + line.len()].copy_from_slice(line);
    }
    Ok(square)
}

/// Width, height, and red, green, blue of each pixel.
fn shown_rgb(
    bytes: &[u8],
    max_side_px: usize,
    limits: &Limits,
) -> Result<(usize, usize, Vec<u8>), Fault> {
    let decoded = decode(bytes, limits)?;
    let (width, height) = fitted(decoded.raster.size(), max_side_px.max(1));
    let channels = match (&decoded.raster, decoded.raster.channels()) {
        (_, 0..3) => Channels::Grey,
        (Raster::Bytes { .. }, _) => Channels::Rgb,
        (Raster::Planes { .. }, _) => Channels::Chosen(vec![0, 1, 2]),
    };
    let is_measured = matches!(decoded.raster, Raster::Planes { is_unit: false, .. });
    let settings = Settings {
        resize: Resize::Exact { width_px: width, height_px: height },
        stretch: if is_measured { MEASURED } else { Stretch::AsStored },
        channels,
        limits: *limits,
        ..Settings::default()
    };
    let n_channels = settings.channels.count();
    let planes = match prepare(decoded, &settings)?.0 {
        Prepared::Bytes(bytes) => bytes,
        Prepared::Floats(values) => values.iter().map(|v| (v * 255.0).round() as u8).collect(),
    };
    let one = width * height;
    // Grey is written as three equal values: a browser shows the same.
    let pixel = |at: usize| [0, 1, 2].map(|c: usize| planes[at + one * c.min(n_channels - 1)]);
    Ok((width, height, (0..one).flat_map(pixel).collect()))
}

fn fitted((width, height): (usize, usize), max_side_px: usize) -> (usize, usize) {
    let longer = width.max(height);
    if longer <= max_side_px {
        return (width, height);
    }
    let scaled = |side: usize| (side * max_side_px).div_ceil(longer).max(1);
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_back_as_it_was_and_nothing_with_it() {
        let pixels: Vec<u8> = (0..16 * 8 * 3).map(|n| (n * 7 % 251) as u8).collect();
        let mut file = png_bytes(16, 8, &pixels).unwrap();
        file.extend_from_slice(b"PK\x03\x04<script>");
        let shown = show(&file, 100, &Limits::default()).unwrap();
        assert_eq!((shown.width, shown.height), (16, 8));
        assert!(!shown.png.windows(8).any(|w| w == b"<script>"));
        let Raster::Bytes { values, channels: 3, .. } =
            decode(&shown.png, &Limits::default()).unwrap().raster
        else {
            panic!("a colour picture")
        };
        assert_eq!(values, pixels);
    }

    #[test]
    fn what_is_too_long_is_made_smaller_in_proportion() {
        let file = png_bytes(100, 40, &[200; 12_000]).unwrap();
        let shown = show(&file, 50, &Limits::default()).unwrap();
        assert_eq!((shown.width, shown.height), (50, 20));
        let Raster::Bytes { values, .. } = decode(&shown.png, &Limits::default()).unwrap().raster else {
            panic!("a picture")
        };
        assert!(values.iter().all(|v| *v == 200));
        assert_eq!(fitted((10_000, 1), 100), (100, 1));
    }

    #[test]
    fn a_thumbnail_is_square_and_keeps_the_proportion() {
        let file = png_bytes(100, 40, &[200; 12_000]).unwrap();
        let small = thumbnail(&file, 50, &Limits::default()).unwrap();
        let line = |y: usize| &small[y * 150..(y + 1) * 150];
        assert!((15..35).all(|y| line(y) == [200; 150]) && small.len() == 7_500);
        assert!((0..15).chain(35..50).all(|y| line(y) == [0; 150]));
        // Smaller than the square: in its middle, as it was.
        let file = png_bytes(2, 2, &[9, 8, 7, 9, 8, 7, 9, 8, 7, 9, 8, 7]).unwrap();
        let tiny = thumbnail(&file, 4, &Limits { min_side_px: 1, ..Limits::default() }).unwrap();
        assert_eq!(tiny[(4 + 1) * 3..(4 + 3) * 3], [9, 8, 7, 9, 8, 7]);
        assert_eq!(tiny.iter().map(|v| u32::from(*v)).sum::<u32>(), 4 * 24);
    }
}
