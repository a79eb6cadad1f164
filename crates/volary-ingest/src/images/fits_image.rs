//! Images of FITS files: the first image with pixels, primary or in an extension, of two axes or a cube of a
//! few planes. FITS counts rows from below; here row 0 is the top, so that up stays up.
//!
//! `BSCALE`, `BZERO` and `BLANK` are followed. Not read: compressed images (`fpack`), tables, coordinates.

use super::decode::Refuse;
use super::raster::{Decoded, Fault, Raster, fill};
use super::settings::Limits;
use crate::fits_header::{Header, data_bytes, header, padded};

/// A file of more parts than this is not an image.
const MAX_PARTS: usize = 1000;

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Decoded, Fault> {
    let mut at = 0;
    let mut is_packed = false;
    for part in 0..MAX_PARTS {
        let is_start = part == 0 || bytes.get(at..).is_some_and(|rest| rest.starts_with(b"XTENSION"));
        if !is_start {
            break;
        }
        let Some((header, data_at)) = header(bytes, at) else {
            return Err(Fault::cut_off("a FITS header without END; make the file again"));
        };
        if part == 0 && header.text(&["SIMPLE"]) != Some("T") {
            return Err(Fault::unreadable(
                "the FITS file says itself that it does not conform (SIMPLE = F)",
            ));
        }
        is_packed |= header.text(&["ZIMAGE"]) == Some("T");
        let is_image = part == 0 || header.text(&["XTENSION"]) == Some("IMAGE");
        if is_image && header.whole("NAXIS").is_none_or(|n| n > 0) && data_bytes(&header) > 0 {
            return image(&header, bytes.get(data_at..).unwrap_or_default(), limits);
        }
        if is_image && header.whole("NAXIS").is_none() {
            return Err(Fault::unreadable("a FITS header whose NAXIS is no number of axes"));
        }
        at = data_at.saturating_add(padded(data_bytes(&header)));
    }
    Err(Fault::unreadable(if is_packed {
        "the FITS image is compressed; unpack it with funpack"
    } else {
        "the FITS file holds no image; name one that does"
    }))
}

fn image(header: &Header, data: &[u8], limits: &Limits) -> Result<Decoded, Fault> {
    let (width, height, n_planes) = axes(header, limits)?;
    let bits: i64 = header.text(&["BITPIX"]).and_then(|b| b.parse().ok()).unwrap_or(0);
    if !matches!(bits, 8 | 16 | 32 | 64 | -32 | -64) {
        return Err(Fault::unreadable("a FITS image whose BITPIX is not 8, 16, 32, 64, -32 or -64"));
    }
    let n_bytes = bits.unsigned_abs() as usize / 8;
    let plane_bytes = width * height * n_bytes;
    if data.len() / plane_bytes < n_planes {
        return Err(Fault::cut_off("the FITS file ends before its image does; copy it again"));
    }
    let scale = Scale::of(header)?;
    let mut planes = Vec::with_capacity(n_planes);
    for plane in data.chunks_exact(plane_bytes).take(n_planes) {
        let mut values = Vec::with_capacity(width * height);
        for row in plane.chunks_exact(width * n_bytes).rev() {
            values.extend(row.chunks_exact(n_bytes).map(|cell| scale.value(bits, cell)));
        }
        planes.push(values);
    }
    let mut notes = Vec::new();
    fill(&mut planes, &mut notes)?;
    Ok(Decoded { raster: Raster::Planes { width, height, planes, is_unit: false }, notes })
}

/// Width, height, planes.
fn axes(header: &Header, limits: &Limits) -> Result<(usize, usize, usize), Fault> {
    let n_axes = header.whole("NAXIS").unwrap_or(0).min(999);
    let length = |i: u64| {
        if i > n_axes { Some(1) } else { header.whole(&format!("NAXIS{i}")) }
    };
    let odd = || {
        Fault::unreadable(format!("a FITS image of {n_axes} axes; 2, or 3 with a few planes, are read"))
    };
    let (width, height) = (length(1).ok_or_else(odd)?, length(2).ok_or_else(odd)?);
    // Axes of length 1 behind the third are common.
    if n_axes < 2 || (4..=n_axes).any(|i| length(i) != Some(1)) {
        return Err(odd());
    }
    let planes = length(3).filter(|n| (1..=limits.max_planes as u64).contains(n)).ok_or_else(odd)?;
    limits.refuse(width, height)?;
    Ok((width as usize, height as usize, planes as usize))
}

struct Scale {
    scale: f64,
    zero: f64,
    blank: Option<i64>,
}

impl Scale {
    fn of(header: &Header) -> Result<Self, Fault> {
        let scale = header.number("BSCALE").unwrap_or(1.0);
        let zero = header.number("BZERO").unwrap_or(0.0);
        if scale == 0.0 || !scale.is_finite() || !zero.is_finite() {
            return Err(Fault::unreadable("a FITS image whose BSCALE or BZERO is 0 or no number"));
        }
        Ok(Self { scale, zero, blank: header.text(&["BLANK"]).and_then(|b| b.parse().ok()) })
    }

    /// A pixel; NaN where it is blank.
    fn value(&self, bits: i64, cell: &[u8]) -> f32 {
        fn take<const N: usize>(cell: &[u8]) -> [u8; N] {
            cell.try_into().unwrap_or([0; N])
        }
        let raw = match bits {
            -32 => f64::from(f32::from_be_bytes(take(cell))),
            -64 => f64::from_be_bytes(take(cell)),
            _ => {
                let whole = match bits {
                    8 => i64::from(cell[0]),
                    16 => i64::from(i16::from_be_bytes(take(cell))),
                    32 => i64::from(i32::from_be_bytes(take(cell))),
                    _ => i64::from_be_bytes(take(cell)),
                };
                if self.blank == Some(whole) {
                    return f32::NAN;
                }
                whole as f64
            }
        };
        (self.zero + self.scale * raw) as f32
    }
}
