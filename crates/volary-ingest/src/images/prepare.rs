//! One image to one picture: crop, shrink, choose channels, stretch.
//!
//! In this order, because averaging pixels is right only while their values are linear: a stretch bends
//! them. So percentiles are those of the picture that the network sees.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use std::path::Path;
use volary_core::PixelShape;

use super::decode::{decode, read_file};
use super::raster::{Decoded, Fault, Raster};
use super::settings::{Channels, Crop, Resize, Settings, Stretch};
use super::stretch;

/// A picture: channel by channel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// 255 is 1.
    Bytes(Vec<u8>),
    /// 0 to 1.
    Floats(Vec<f32>),
}

impl Prepared {
    /// The numbers, 0 to 1.
    #[must_use]
    pub fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Bytes(bytes) => bytes.into_iter().map(|b| f32::from(b) / 255.0).collect(),
            Self::Floats(floats) => floats,
        }
    }
}

/// Reads one file and makes it a picture of `settings.shape()`, with what is odd about it.
///
/// # Errors
/// A [`Fault`] that says why there is no picture.
pub fn prepare_file(
    path: &Path,
    settings: &Settings,
) -> Result<(Vec<f32>, PixelShape, Vec<Fault>), Fault> {
    let decoded = decode(&read_file(path, &settings.limits)?, &settings.limits)?;
    let (picture, notes) = prepare(decoded, settings)?;
    Ok((picture.into_floats(), settings.shape(), notes))
}

/// Makes an image a picture of `settings.shape()`, with what is odd about it.
///
/// # Errors
/// A [`Fault`] where the crop, the channels or the stretch do not fit the image.
pub fn prepare(decoded: Decoded, settings: &Settings) -> Result<(Prepared, Vec<Fault>), Fault> {
    let Decoded { raster, mut notes } = decoded;
    let part = Part::of(settings, raster.size())?;
    let picture = match raster {
        Raster::Bytes { width, channels, values, .. } if settings.stretch == Stretch::AsStored => {
            let small = part.shrink(
                &values,
                width,
                if channels == 3 { PixelType::U8x3 } else { PixelType::U8 },
            )?;
            Prepared::Bytes(choose_bytes(&small, channels, &settings.channels)?)
        }
        raster => Prepared::Floats(floats(raster, &part, settings, &mut notes)?),
    };
    Ok((picture, notes))
}

fn floats(
    raster: Raster,
    part: &Part,
    settings: &Settings,
    notes: &mut Vec<Fault>,
) -> Result<Vec<f32>, Fault> {
    let is_picture = matches!(raster, Raster::Bytes { .. } | Raster::Planes { is_unit: true, .. });
    let (width, planes) = match raster {
        Raster::Planes { width, planes, .. } => (width, planes),
        Raster::Bytes { width, channels, values, .. } => {
            let plane = |c: usize| {
                values.iter().skip(c).step_by(channels).map(|v| f32::from(*v) / 255.0).collect()
            };
            (width, (0..channels).map(plane).collect())
        }
    };
    let planes = choose(planes, &settings.channels, is_picture)?;
    let mut small = Vec::with_capacity(planes.len());
    for plane in planes {
        let bytes: Vec<u8> = plane.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let shrunk = part.shrink(&bytes, width, PixelType::F32)?;
        small.push(shrunk.as_chunks::<4>().0.iter().map(|b| f32::from_ne_bytes(*b)).collect());
    }
    let is_out = |v: &f32| !(-1e-3..=1.001).contains(v);
    if settings.stretch == Stretch::AsStored && small.iter().flatten().any(is_out) {
        return Err(Fault::unreadable(
            "measured values beyond 0 to 1 need a stretch; choose one, such as asinh",
        ));
    }
    let is_flat = stretch::apply(settings.stretch, &mut small);
    if is_flat {
        notes.push(Fault::odd("all pixels have one value, there is nothing to see"));
    }
    let one_plane = small.len() == 1 && settings.channels == Channels::Rgb;
    let mut values = small.concat();
    if one_plane {
        values = values.repeat(3);
    }
    Ok(values)
}

/// Which part of an image is used, and the size it gets.
struct Part {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    to: (usize, usize),
}

impl Part {
    fn of(settings: &Settings, (width, height): (usize, usize)) -> Result<Self, Fault> {
        let to = (settings.shape().width, settings.shape().height);
        let (x, y, w, h) = match settings.crop {
            Crop::Whole => (0, 0, width, height),
            Crop::Centre { width_px, height_px } => (
                width.saturating_sub(width_px) / 2,
                height.saturating_sub(height_px) / 2,
                width_px,
                height_px,
            ),
            Crop::Box { x_px, y_px, width_px, height_px } => (x_px, y_px, width_px, height_px),
        };
        if x.saturating_add(w) > width || y.saturating_add(h) > height || w == 0 || h == 0 {
            let crop = settings.crop;
            let detail = format!("{width} × {height} pixels; the crop {crop} does not fit into them");
            return Err(Fault::unreadable(detail));
        }
        // The square is chosen before it is shrunk: a panorama would else be shrunk to a long strip first. At
        // its edges the average takes in what lies beyond, as if the whole had been shrunk (Pillow's `box`).
        if let Resize::ShortSide { .. } = settings.resize {
            let side = w.min(h);
            return Ok(Self {
                x: x + (w - side) / 2,
                y: y + (h - side) / 2,
                width: side,
                height: side,
                to,
            });
        }
        Ok(Self { x, y, width: w, height: h, to })
    }

    /// Cuts this part out of an image and gives it its size.
    fn shrink(&self, bytes: &[u8], width: usize, pixel: PixelType) -> Result<Vec<u8>, Fault> {
        let odd = |what: &dyn std::fmt::Display| {
            Fault::unreadable(format!("making it smaller failed: {what}"))
        };
        let height = bytes.len() / (width * pixel.size()).max(1);
        let from = ImageRef::new(width as u32, height as u32, bytes, pixel).map_err(|e| odd(&e))?;
        let mut to = Image::new(self.to.0 as u32, self.to.1 as u32, pixel);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .use_alpha(false)
            .crop(self.x as f64, self.y as f64, self.width as f64, self.height as f64);
        Resizer::new().resize(&from, &mut to, &options).map_err(|e| odd(&e))?;
        Ok(to.into_vec())
    }
}

fn lacks(wanted: &Channels, channels: usize) -> Fault {
    let detail = match wanted {
        Channels::Chosen(planes) => {
            let last = planes.iter().max().copied().unwrap_or(0);
            format!("{channels} channels; channel {last} (counted from 0) is not among them")
        }
        _ => format!("{channels} channels; choose three of them, such as 2,1,0"),
    };
    Fault::unreadable(detail)
}

/// Interleaved bytes to planes of the wanted channels.
fn choose_bytes(values: &[u8], channels: usize, wanted: &Channels) -> Result<Vec<u8>, Fault> {
    let plane = |c: usize| values.iter().skip(c).step_by(channels).copied();
    Ok(match (wanted, channels) {
        (Channels::Grey, 1) => values.to_vec(),
        (Channels::Grey, _) => values.chunks_exact(channels).map(luma).collect(),
        (Channels::Rgb, 1) => values.repeat(3),
        (Channels::Rgb, _) => (0..3).flat_map(plane).collect(),
        (Channels::Chosen(planes), _) if planes.iter().all(|p| *p < channels) => {
            planes.iter().flat_map(|p| plane(*p)).collect()
        }
        _ => return Err(lacks(wanted, channels)),
    })
}

/// ITU-R BT.601, rounded as Pillow does.
fn luma(rgb: &[u8]) -> u8 {
    let &[red, green, blue] = rgb else { return rgb.first().copied().unwrap_or(0) };
    let sum = u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471;
    ((sum + 0x8000) >> 16) as u8
}

/// Planes of the wanted channels; one plane is left one, whoever wants three of it.
fn choose(
    mut planes: Vec<Vec<f32>>,
    wanted: &Channels,
    is_picture: bool,
) -> Result<Vec<Vec<f32>>, Fault> {
    let n = planes.len();
    match wanted {
        Channels::Grey | Channels::Rgb if n == 1 => Ok(planes),
        Channels::Rgb if n == 3 => Ok(planes),
        Channels::Grey => {
            let weights =
                if n == 3 && is_picture { vec![0.299, 0.587, 0.114] } else { vec![1.0 / n as f32; n] };
            let mut sum = std::mem::take(&mut planes[0]);
            sum.iter_mut().for_each(|v| *v *= weights[0]);
            for (plane, weight) in planes.iter().zip(&weights).skip(1) {
                sum.iter_mut().zip(plane).for_each(|(s, v)| *s += weight * v);
            }
            Ok(vec![sum])
        }
        Channels::Chosen(chosen) if chosen.iter().all(|c| *c < n) => {
            Ok(chosen.iter().map(|c| planes[*c].clone()).collect())
        }
        _ => Err(lacks(wanted, n)),
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
