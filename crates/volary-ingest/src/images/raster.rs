//! What a decoded image is, and what can be wrong with one.

use serde::{Deserialize, Serialize};
use volary_core::ProblemKind;

/// An image as its file holds it. Row 0 is the top.
#[derive(Clone, Debug, PartialEq)]
pub enum Raster {
    /// Eight bits a value: a picture that somebody has already stretched.
    Bytes {
        /// px.
        width: usize,
        /// px.
        height: usize,
        /// 1 (grey) or 3 (red, green, blue).
        channels: usize,
        /// Pixel by pixel: `height × width × channels`.
        values: Vec<u8>,
    },
    /// Anything finer, one plane per channel.
    Planes {
        /// px.
        width: usize,
        /// px.
        height: usize,
        /// Each `height × width`; at least one. All values are finite.
        planes: Vec<Vec<f32>>,
        /// The values are fractions of the largest possible one, and not in a unit of the sky.
        is_unit: bool,
    },
}

impl Raster {
    /// Width and height, px.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        match *self {
            Self::Bytes { width, height, .. } | Self::Planes { width, height, .. } => (width, height),
        }
    }

    /// Channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::Bytes { channels, .. } => *channels,
            Self::Planes { planes, .. } => planes.len(),
        }
    }
}

/// A decoded image and what is odd about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The image.
    pub raster: Raster,
    /// What is odd and does not keep the image from being used.
    pub notes: Vec<Fault>,
}

/// Kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// No such file.
    Missing,
    /// The file ends too early.
    CutOff,
    /// It cannot be made into a picture.
    Unreadable,
    /// It can, and something about it is unusual.
    Odd,
}

/// What is wrong with one image, in words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// What exactly.
    pub detail: String,
}

impl Fault {
    pub(super) fn unreadable(detail: impl Into<String>) -> Self {
        Self { kind: FaultKind::Unreadable, detail: detail.into() }
    }

    pub(super) fn cut_off(detail: impl Into<String>) -> Self {
        Self { kind: FaultKind::CutOff, detail: detail.into() }
    }

    pub(super) fn odd(detail: impl Into<String>) -> Self {
        Self { kind: FaultKind::Odd, detail: detail.into() }
    }

    /// The kind, as it is listed.
    #[must_use]
    pub fn problem(&self) -> ProblemKind {
        match self.kind {
            FaultKind::Missing => ProblemKind::MissingFile,
            FaultKind::CutOff => ProblemKind::CutOff,
            FaultKind::Unreadable => ProblemKind::UnreadableImage,
            FaultKind::Odd => ProblemKind::OddImage,
        }
    }
}

/// Fills what is no number with the median of what is, plane by plane, so that it bleeds least into its
/// neighbours when the image is made smaller.
///
/// # Errors
/// Where nothing is a number.
pub(super) fn fill(planes: &mut [Vec<f32>], notes: &mut Vec<Fault>) -> Result<(), Fault> {
    let mut n_filled = 0_usize;
    for plane in planes.iter_mut() {
        let n_bad = plane.iter().filter(|v| !v.is_finite()).count();
        if n_bad == 0 {
            continue;
        }
        if n_bad == plane.len() {
            return Err(Fault::unreadable("no pixel is a number; leave the image out of the manifest"));
        }
        let mut good: Vec<f32> = plane.iter().copied().filter(|v| v.is_finite()).collect();
        let middle = good.len() / 2;
        let median = *good.select_nth_unstable_by(middle, f32::total_cmp).1;
        plane.iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = median);
        n_filled += n_bad;
    }
    if n_filled > 0 {
        let detail =
            format!("{n_filled} pixel values are NaN, blank or infinite; filled with the median");
        notes.push(Fault::odd(detail));
    }
    Ok(())
}
