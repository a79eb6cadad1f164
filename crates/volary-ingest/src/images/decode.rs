//! Bytes of an image file to a [`Raster`]: what the format is, is read off its first bytes and not off its
//! name. Sizes are checked before anything is allocated.
//!
//! What is defined here, because viewers differ: palettes and 1, 2, 4 bits are expanded; 16 bits are kept;
//! CMYK becomes RGB; transparent pixels are laid over black; of an animated PNG the first picture is taken;
//! a JPEG is turned as its camera says (EXIF), as browsers do. Colour profiles are not followed.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError};

use super::raster::{Decoded, Fault, FaultKind, Raster};
use super::settings::Limits;
use super::{fits_image, npy};
use crate::image_size::image_head;

/// Scans of a progressive JPEG; real ones have about ten.
const MAX_SCANS: usize = 200;

/// Refusing what is too big or too small.
pub(super) trait Refuse {
    /// # Errors
    /// A [`Fault`] with the size and the limit.
    fn refuse(&self, width: u64, height: u64) -> Result<(), Fault>;
}

impl Refuse for Limits {
    fn refuse(&self, width: u64, height: u64) -> Result<(), Fault> {
        if width.saturating_mul(height) > self.max_pixels {
            return Err(Fault::unreadable(format!(
                "{width} × {height} pixels are more than the limit of {}; cut the image into pieces",
                self.max_pixels
            )));
        }
        if width.min(height) < self.min_side_px as u64 {
            return Err(Fault::unreadable(format!(
                "{width} × {height} pixels; a side has fewer than {}, which shows nothing",
                self.min_side_px
            )));
        }
        Ok(())
    }
}

/// Reads an image file whole.
///
/// # Errors
/// A [`Fault`] where there is no such file, it is no ordinary file (a folder, a pipe), it is too big, or
/// the system cannot read it.
pub fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>, Fault> {
    let fault = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault {
            kind: FaultKind::Missing,
            detail: "no such file; correct the manifest or add the image".to_owned(),
        },
        _ => Fault::unreadable(format!("reading failed: {error}")),
    };
    // Before it is opened: opening a pipe would wait for its other end.
    let about = std::fs::metadata(path).map_err(fault)?;
    if !about.is_file() {
        return Err(Fault::unreadable("not an ordinary file"));
    }
    let too_big = || Fault::unreadable(format!("more than {} bytes", limits.max_file_bytes));
    if about.len() > limits.max_file_bytes {
        return Err(too_big());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0) + 1);
    let file = File::open(path).map_err(fault)?;
    file.take(limits.max_file_bytes + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(too_big());
    }
    Ok(bytes)
}

/// Decodes a PNG, JPEG, FITS (also gzipped) or NPY image.
///
/// # Errors
/// A [`Fault`] that says what is wrong with it.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Fault> {
    if bytes.is_empty() {
        return Err(Fault::cut_off("the file is empty; copy it again"));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let read = MultiGzDecoder::new(bytes).take(limits.max_file_bytes + 1).read_to_end(&mut unpacked);
        if let Err(error) = read {
            return Err(Fault::cut_off(format!("a gzip file that does not unpack: {error}")));
        }
        if unpacked.len() as u64 > limits.max_file_bytes {
            return Err(Fault::unreadable(format!(
                "unpacks to more than {} bytes",
                limits.max_file_bytes
            )));
        }
        if unpacked.starts_with(&[0x1f, 0x8b]) {
            return Err(Fault::unreadable("gzipped twice; unpack it once"));
        }
        return decode(&unpacked, limits);
    }
    if bytes.starts_with(b"SIMPLE  =") {
        return fits_image::read(bytes, limits);
    }
    if bytes.starts_with(npy::MAGIC) {
        return npy::read(bytes, limits);
    }
    let is_png = bytes.starts_with(b"\x89PNG\r\n\x1a\n");
    if !is_png && !bytes.starts_with(b"\xff\xd8") {
        let what = if bytes.starts_with(b"GIF8") {
            "a GIF; save it as PNG"
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            "a WebP image; save it as PNG"
        } else if bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*") {
            "a TIFF; save it as PNG or FITS"
        } else {
            "neither PNG, JPEG, FITS nor NPY"
        };
        return Err(Fault::unreadable(what));
    }
    let Some(head) = image_head(bytes) else {
        return Err(Fault::cut_off(
            "the file ends before it says its size, or says none; copy it again",
        ));
    };
    limits.refuse(head.width.into(), head.height.into())?;
    if is_png { png(bytes, limits) } else { jpeg(bytes) }
}

fn fault(error: ImageError) -> Fault {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Fault::cut_off("the file ends before the image does; copy it again")
        }
        ImageError::Limits(_) => Fault::unreadable("decoding it would take too much memory"),
        other => {
            let text = other.to_string();
            if text.contains("unexpected end") || text.contains("UnexpectedEof") {
                return Fault::cut_off("the file ends before the image does; copy it again");
            }
            Fault::unreadable(text)
        }
    }
}

fn png(bytes: &[u8], limits: &Limits) -> Result<Decoded, Fault> {
    let mut allowed = image::Limits::no_limits();
    // Sixteen bits of four channels, and as much again for the rows under way.
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), allowed).map_err(fault)?;
    let mut notes = Vec::new();
    if decoder.is_apng().map_err(fault)? {
        notes.push(Fault::odd("an animated PNG; its first picture is used"));
    }
    pixels(decoder, notes, Orientation::NoTransforms)
}

fn jpeg(bytes: &[u8]) -> Result<Decoded, Fault> {
    let scans = Scans::count(bytes);
    if scans.n > MAX_SCANS {
        return Err(Fault::unreadable(format!("a JPEG of {} scans; no camera makes such", scans.n)));
    }
    if !scans.has_end {
        // The decoder would fill the rest with grey and say nothing.
        return Err(Fault::cut_off("the JPEG ends before its image does; copy it again"));
    }
    let mut decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(fault)?;
    let has_exif = memchr::memmem::find(&bytes[..bytes.len().min(1 << 16)], b"Exif\0").is_some();
    let orientation =
        if has_exif { decoder.orientation().map_err(fault)? } else { Orientation::NoTransforms };
    pixels(decoder, Vec::new(), orientation)
}

/// How many scans a JPEG has, and whether its end is there.
struct Scans {
    n: usize,
    has_end: bool,
}

impl Scans {
    /// Walks the segments to the first scan; within scans a byte FF is never followed by DA or D9, except as
    /// these markers.
    fn count(bytes: &[u8]) -> Self {
        let mut scans = Self { n: 0, has_end: false };
        let mut at = 2;
        while let Some(&[0xff, marker]) = bytes.get(at..at + 2) {
            match marker {
                0xff => at += 1,
                0x01 | 0xd0..=0xd8 => at += 2,
                0xda => break,
                _ => {
                    let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return scans };
                    at += 2 + (usize::from(high) << 8 | usize::from(low)).max(2);
                }
            }
        }
        let rest = bytes.get(at..).unwrap_or_default();
        for i in memchr::memchr_iter(0xff, rest) {
            match rest.get(i + 1) {
                Some(0xda) => scans.n += 1,
                Some(0xd9) => scans.has_end = true,
                _ => {}
            }
        }
        scans
    }
}

fn pixels(
    decoder: impl ImageDecoder,
    mut notes: Vec<Fault>,
    orientation: Orientation,
) -> Result<Decoded, Fault> {
    let color = decoder.color_type();
    let mut image = DynamicImage::from_decoder(decoder).map_err(fault)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let n_clear = if color.has_alpha() { lay_over_black(&mut image) } else { 0 };
    if n_clear > 0 {
        notes.push(Fault::odd(format!("{n_clear} pixels are transparent; laid over black")));
    }
    let bytes = |channels, values| Raster::Bytes { width, height, channels, values };
    let planes = |channels: usize, values: Vec<u16>| {
        let plane = |c: usize| {
            values.iter().skip(c).step_by(channels).map(|v| f32::from(*v) / 65535.0).collect()
        };
        Raster::Planes { width, height, planes: (0..channels).map(plane).collect(), is_unit: true }
    };
    let raster = match color {
        ColorType::L8 | ColorType::La8 => bytes(1, image.into_luma8().into_raw()),
        ColorType::Rgb8 | ColorType::Rgba8 => bytes(3, image.into_rgb8().into_raw()),
        ColorType::L16 | ColorType::La16 => planes(1, image.into_luma16().into_raw()),
        _ => planes(3, image.into_rgb16().into_raw()),
    };
    Ok(Decoded { raster, notes })
}

/// Multiplies colours by their opacity; says how many pixels are not opaque.
fn lay_over_black(image: &mut DynamicImage) -> usize {
    fn lay8<const N: usize>(values: &mut [u8]) -> usize {
        let mut n = 0;
        for pixel in values.as_chunks_mut::<N>().0 {
            let alpha = u32::from(pixel[N - 1]);
            n += usize::from(alpha < 255);
            pixel[..N - 1].iter_mut().for_each(|v| *v = ((u32::from(*v) * alpha + 127) / 255) as u8);
        }
        n
    }
    fn lay16<const N: usize>(values: &mut [u16]) -> usize {
        let mut n = 0;
        for pixel in values.as_chunks_mut::<N>().0 {
            let alpha = u64::from(pixel[N - 1]);
            n += usize::from(alpha < 65535);
            pixel[..N - 1]
                .iter_mut()
                .for_each(|v| *v = ((u64::from(*v) * alpha + 32767) / 65535) as u16);
        }
        n
    }
    match image {
        DynamicImage::ImageLumaA8(image) => lay8::<2>(image),
        DynamicImage::ImageRgba8(image) => lay8::<4>(image),
        DynamicImage::ImageLumaA16(image) => lay16::<2>(image),
        DynamicImage::ImageRgba16(image) => lay16::<4>(image),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
