//! Pictures out: the bytes of a PNG, or of a JPEG where many small ones are looked at; the same for the same
//! picture.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// A PNG of `width × height` pixels; `rgb` holds red, green, blue of each, row by row.
///
/// # Errors
/// `InvalidInput` where there are not three values a pixel, or no pixel.
pub fn png_bytes(width: usize, height: usize, rgb: &[u8]) -> std::io::Result<Vec<u8>> {
    let (w, h) = checked_size(width, height, rgb)?;
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    encoder.write_image(rgb, w, h, ExtendedColorType::Rgb8).map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// A JPEG of the same, of a quality that the eye takes for the original.
///
/// # Errors
/// As [`png_bytes`], and for sides of more than 65,535 pixels.
pub fn jpeg_bytes(width: usize, height: usize, rgb: &[u8]) -> std::io::Result<Vec<u8>> {
    /// Of 100.
    const QUALITY: u8 = 88;
    let (w, h) = checked_size(width, height, rgb)?;
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    encoder.write_image(rgb, w, h, ExtendedColorType::Rgb8).map_err(std::io::Error::other)?;
    Ok(bytes)
}

fn checked_size(width: usize, height: usize, rgb: &[u8]) -> std::io::Result<(u32, u32)> {
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let is_whole = rgb.len() == width.saturating_mul(height).saturating_mul(3) && !rgb.is_empty();
    size.filter(|_| is_whole).ok_or_else(|| {
        let what = format!("{} values are no picture of {width} × {height} pixels", rgb.len());
        std::io::Error::new(std::io::ErrorKind::InvalidInput, what)
    })
}

#[cfg(test)]
mod tests {
    use super::{jpeg_bytes, png_bytes};
    use crate::images::{Limits, Raster, decode};

    #[test]
    fn what_is_written_is_read() {
        let rgb: Vec<u8> = (0..9 * 11 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let read = decode(&png_bytes(9, 11, &rgb).unwrap(), &Limits::default()).unwrap();
        assert_eq!(read.raster, Raster::Bytes { width: 9, height: 11, channels: 3, values: rgb });
        assert!(png_bytes(9, 11, &[0; 9]).is_err() && png_bytes(0, 0, &[]).is_err());
    }

    #[test]
    fn a_jpeg_is_nearly_what_was_written_and_the_same_each_time() {
        let rgb: Vec<u8> =
            (0..32 * 32).flat_map(|i| [i % 32 * 8, i / 32 * 8, 128].map(|v| v as u8)).collect();
        let bytes = jpeg_bytes(32, 32, &rgb).unwrap();
        assert_eq!(bytes, jpeg_bytes(32, 32, &rgb).unwrap());
        let Raster::Bytes { values, .. } = decode(&bytes, &Limits::default()).unwrap().raster else {
            panic!("a picture")
        };
        let furthest = values.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest.unwrap() < 30, "{furthest:?}");
        assert!(jpeg_bytes(32, 32, &[0; 9]).is_err());
    }
}
