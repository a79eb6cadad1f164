//! Pictures out: the bytes of a PNG, the same for the same picture.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// A PNG of `width × height` pixels; `rgb` holds red, green, blue of each, row by row.
///
/// # Errors
/// `InvalidInput` where there are not three values a pixel, or no pixel.
pub fn png_bytes(width: usize, height: usize, rgb: &[u8]) -> std::io::Result<Vec<u8>> {
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let is_whole = rgb.len() == width.saturating_mul(height).saturating_mul(3) && !rgb.is_empty();
    let Some((w, h)) = size.filter(|_| is_whole) else {
        let what = format!("{} values are no picture of {width} × {height} pixels", rgb.len());
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
    };
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    encoder.write_image(rgb, w, h, ExtendedColorType::Rgb8).map_err(std::io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::png_bytes;
    use crate::images::{Limits, Raster, decode};

    #[test]
    fn what_is_written_is_read() {
        let rgb: Vec<u8> = (0..9 * 11 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let read = decode(&png_bytes(9, 11, &rgb).unwrap(), &Limits::default()).unwrap();
        assert_eq!(read.raster, Raster::Bytes { width: 9, height: 11, channels: 3, values: rgb });
        assert!(png_bytes(9, 11, &[0; 9]).is_err() && png_bytes(0, 0, &[]).is_err());
    }
}
