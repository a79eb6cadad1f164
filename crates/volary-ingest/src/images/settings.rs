//! How an image becomes a picture: the settings, as text for the command line and as JSON for a model's
//! folder. A value that passed [`Settings::check`] is valid.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use volary_core::PixelShape;

/// Which part of an image is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crop {
    /// All of it.
    #[default]
    Whole,
    /// The middle.
    Centre {
        /// px.
        width_px: usize,
        /// px.
        height_px: usize,
    },
    /// A box; (0, 0) is the upper left corner.
    Box {
        /// px.
        x_px: usize,
        /// px.
        y_px: usize,
        /// px.
        width_px: usize,
        /// px.
        height_px: usize,
    },
}

/// The size of a picture. Always bilinear and antialiased, as Pillow's `BILINEAR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// A square: the shorter side gets this size, what is too long is cut off at both ends.
    ShortSide {
        /// px.
        size_px: usize,
    },
    /// Exactly this, whatever becomes of the proportions.
    Exact {
        /// px.
        width_px: usize,
        /// px.
        height_px: usize,
    },
}

impl Default for Resize {
    fn default() -> Self {
        Self::ShortSide { size_px: 96 }
    }
}

/// How brightness becomes a number between 0 and 1; `docs/src/images.md` has the equations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// A fraction of the largest value that the format holds: right for PNG and JPEG, impossible for
    /// measured values.
    #[default]
    AsStored,
    /// Linear between two percentiles of the picture.
    Linear {
        /// Percentile that becomes 0.
        low_percent: f64,
        /// Percentile that becomes 1.
        high_percent: f64,
    },
    /// `asinh(x/a) / asinh(1/a)` of the linear stretch `x`.
    Asinh {
        /// Percentile that becomes 0.
        low_percent: f64,
        /// Percentile that becomes 1.
        high_percent: f64,
        /// Where it turns from linear to logarithmic, 0 to 1.
        a: f64,
    },
    /// `log(a·x + 1) / log(a + 1)` of the linear stretch `x`.
    Log {
        /// Percentile that becomes 0.
        low_percent: f64,
        /// Percentile that becomes 1.
        high_percent: f64,
        /// The larger, the more the faint is lifted.
        a: f64,
    },
    /// Lupton et al. 2004 (doi:10.1086/382245): one asinh for the mean of red, green and blue, so that
    /// colours stay what they are.
    Lupton {
        /// Brightness that becomes black, in the image's unit.
        minimum: f64,
        /// Linear range, in the image's unit.
        stretch: f64,
        /// Softening; 8 is usual.
        q: f64,
    },
}

/// Which channels a picture has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// One: of a colour picture its luma (ITU-R BT.601, as Pillow's `L`), of other images the mean plane.
    Grey,
    /// Three; of a grey image three times the same.
    #[default]
    Rgb,
    /// These planes of the image, counted from 0.
    Chosen(Vec<usize>),
}

impl Channels {
    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Chosen(planes) => planes.len(),
        }
    }
}

/// How finely the cache keeps a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// 8 bits: all there is in PNG and JPEG pictures; else an error of at most 1/510.
    #[default]
    U8,
    /// 16 bits: an error of at most 1/131,070.
    U16,
    /// 32 bits.
    F32,
}

impl Storage {
    /// Bytes per value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }
}

/// What an image may cost before it is refused. Headers are read first, so that nothing is allocated for
/// an image that is too big.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Pixels of an image.
    pub max_pixels: u64,
    /// Bytes of a file, also after it is decompressed.
    pub max_file_bytes: u64,
    /// An image with a shorter side is left out, px.
    pub min_side_px: usize,
    /// Planes of a cube.
    pub max_planes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 40_000_000, max_file_bytes: 512 << 20, min_side_px: 8, max_planes: 64 }
    }
}

/// How images become pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which part is used.
    pub crop: Crop,
    /// The size.
    pub resize: Resize,
    /// How brightness becomes a number.
    pub stretch: Stretch,
    /// Which channels.
    pub channels: Channels,
    /// How finely a value is kept.
    pub storage: Storage,
    /// What an image may cost.
    pub limits: Limits,
}

/// Settings that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Text that says no setting.
    #[error("{what} \"{text}\" is not understood; write {expected}")]
    Text {
        /// Which setting.
        what: &'static str,
        /// What was written.
        text: String,
        /// What can be written.
        expected: &'static str,
    },
    /// A number out of its range.
    #[error("{what} is {value}; it must be {range}")]
    Range {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        range: &'static str,
    },
}

/// The longest side of a picture, px. A network for more than this does not fit this kind of machine.
const MAX_SIDE_PX: usize = 4096;

impl Settings {
    /// Checks every number.
    ///
    /// # Errors
    /// [`SettingsError::Range`] for the first that is out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let side = |what, px: usize, max: usize| {
            range(
                what,
                px as f64,
                1.0,
                max as f64,
                "a whole number of at least 1 and not more than 4096 (1,000,000 for a crop)",
            )
        };
        match self.resize {
            Resize::ShortSide { size_px } => side("the size", size_px, MAX_SIDE_PX)?,
            Resize::Exact { width_px, height_px } => {
                side("the width", width_px, MAX_SIDE_PX)?;
                side("the height", height_px, MAX_SIDE_PX)?;
            }
        }
        if let Crop::Centre { width_px, height_px } | Crop::Box { width_px, height_px, .. } = self.crop {
            side("the crop's width", width_px, 1_000_000)?;
            side("the crop's height", height_px, 1_000_000)?;
        }
        if let Crop::Box { x_px, y_px, .. } = self.crop {
            side("the crop's x", x_px.saturating_add(1), 1_000_001)?;
            side("the crop's y", y_px.saturating_add(1), 1_000_001)?;
        }
        range("the number of channels", self.channels.count() as f64, 1.0, 64.0, "1 to 64")?;
        self.stretch.check()?;
        if matches!(self.stretch, Stretch::Lupton { .. }) {
            let three = "3 with the Lupton stretch (red, green, blue)";
            range("the number of channels", self.channels.count() as f64, 3.0, 3.0, three)?;
        }
        Ok(())
    }

    /// The size of a picture.
    #[must_use]
    pub fn shape(&self) -> PixelShape {
        let (width, height) = match self.resize {
            Resize::ShortSide { size_px } => (size_px, size_px),
            Resize::Exact { width_px, height_px } => (width_px, height_px),
        };
        PixelShape { channels: self.channels.count(), height, width }
    }
}

impl Stretch {
    fn check(self) -> Result<(), SettingsError> {
        if let Self::Linear { low_percent, high_percent }
        | Self::Asinh { low_percent, high_percent, .. }
        | Self::Log { low_percent, high_percent, .. } = self
        {
            range("the low percentile", low_percent, 0.0, 100.0, "0 to 100")?;
            range(
                "the high percentile",
                high_percent,
                low_percent,
                100.0,
                "between the low one and 100",
            )?;
        }
        match self {
            Self::Asinh { a, .. } => range("asinh's a", a, 1e-9, 1.0, "more than 0 and at most 1"),
            Self::Log { a, .. } => range("log's a", a, 1e-9, 1e9, "more than 0"),
            Self::Lupton { minimum, stretch, q } => {
                range("Lupton's minimum", minimum, -1e30, 1e30, "a number")?;
                range("Lupton's stretch", stretch, 1e-30, 1e30, "more than 0")?;
                range("Lupton's Q", q, 0.0, 1e10, "0 to 10,000,000,000")
            }
            Self::AsStored | Self::Linear { .. } => Ok(()),
        }
    }
}

fn range(
    what: &'static str,
    value: f64,
    low: f64,
    high: f64,
    range: &'static str,
) -> Result<(), SettingsError> {
    // NaN is in no range.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(SettingsError::Range { what, value: value.to_string(), range })
}

fn size(text: &str) -> Option<(usize, usize)> {
    let (width, height) = text.split_once('x')?;
    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
}

impl FromStr for Crop {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let parse = || {
            if text == "whole" {
                return Some(Self::Whole);
            }
            if let Ok(side) = text.parse() {
                return Some(Self::Centre { width_px: side, height_px: side });
            }
            let parts: Vec<&str> = text.split(',').collect();
            let (width_px, height_px) = size(parts.last()?)?;
            match parts[..] {
                [_] => Some(Self::Centre { width_px, height_px }),
                [x, y, _] => Some(Self::Box {
                    x_px: x.trim().parse().ok()?,
                    y_px: y.trim().parse().ok()?,
                    width_px,
                    height_px,
                }),
                _ => None,
            }
        };
        let expected = "whole, 192 or 192x128 (the middle), or 10,20,192x128 (a box from x, y)";
        parse().ok_or_else(|| SettingsError::Text { what: "the crop", text: text.to_owned(), expected })
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => write!(f, "whole"),
            Self::Centre { width_px, height_px } => write!(f, "{width_px}x{height_px}"),
            Self::Box { x_px, y_px, width_px, height_px } => {
                write!(f, "{x_px},{y_px},{width_px}x{height_px}")
            }
        }
    }
}

impl FromStr for Resize {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if let Ok(size_px) = text.parse() {
            return Ok(Self::ShortSide { size_px });
        }
        let exact = size(text).map(|(width_px, height_px)| Self::Exact { width_px, height_px });
        let expected = "96 (a square) or 96x64 (exactly)";
        exact.ok_or_else(|| SettingsError::Text { what: "the size", text: text.to_owned(), expected })
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortSide { size_px } => write!(f, "{size_px}"),
            Self::Exact { width_px, height_px } => write!(f, "{width_px}x{height_px}"),
        }
    }
}

impl FromStr for Stretch {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let numbers: Option<Vec<f64>> = match rest {
            "" => Some(Vec::new()),
            rest => rest.split(',').map(|n| n.trim().parse().ok()).collect(),
        };
        // Percentiles that leave out hot pixels; a as in astropy.
        let stretch = match (name, numbers.as_deref()) {
            ("none", Some([])) => Some(Self::AsStored),
            ("linear", Some([])) => Some(Self::Linear { low_percent: 0.5, high_percent: 99.5 }),
            ("linear", Some(&[low_percent, high_percent])) => {
                Some(Self::Linear { low_percent, high_percent })
            }
            ("asinh", Some([])) => Some(Self::Asinh { low_percent: 0.5, high_percent: 99.5, a: 0.1 }),
            ("asinh", Some(&[a])) => Some(Self::Asinh { low_percent: 0.5, high_percent: 99.5, a }),
            ("asinh", Some(&[low_percent, high_percent, a])) => {
                Some(Self::Asinh { low_percent, high_percent, a })
            }
            ("log", Some([])) => Some(Self::Log { low_percent: 0.5, high_percent: 99.5, a: 1000.0 }),
            ("log", Some(&[a])) => Some(Self::Log { low_percent: 0.5, high_percent: 99.5, a }),
            ("log", Some(&[low_percent, high_percent, a])) => {
                Some(Self::Log { low_percent, high_percent, a })
            }
            ("lupton", Some([])) => Some(Self::Lupton { minimum: 0.0, stretch: 5.0, q: 8.0 }),
            ("lupton", Some(&[minimum, stretch, q])) => Some(Self::Lupton { minimum, stretch, q }),
            _ => None,
        };
        let expected = "none, linear[:LOW,HIGH], asinh[:A] or asinh:LOW,HIGH,A, log likewise, or \
                        lupton[:MINIMUM,STRETCH,Q]";
        stretch.ok_or_else(|| SettingsError::Text {
            what: "the stretch",
            text: text.to_owned(),
            expected,
        })
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsStored => write!(f, "none"),
            Self::Linear { low_percent, high_percent } => {
                write!(f, "linear:{low_percent},{high_percent}")
            }
            Self::Asinh { low_percent, high_percent, a } => {
                write!(f, "asinh:{low_percent},{high_percent},{a}")
            }
            Self::Log { low_percent, high_percent, a } => {
                write!(f, "log:{low_percent},{high_percent},{a}")
            }
            Self::Lupton { minimum, stretch, q } => write!(f, "lupton:{minimum},{stretch},{q}"),
        }
    }
}

impl FromStr for Channels {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let planes = || text.split(',').map(|n| n.trim().parse().ok()).collect::<Option<Vec<usize>>>();
        let channels = match text {
            "grey" | "gray" => Some(Self::Grey),
            "rgb" => Some(Self::Rgb),
            _ => planes().map(Self::Chosen),
        };
        let expected = "grey, rgb, or planes counted from 0, such as 3,1,0";
        channels.ok_or_else(|| SettingsError::Text {
            what: "the channels",
            text: text.to_owned(),
            expected,
        })
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grey => write!(f, "grey"),
            Self::Rgb => write!(f, "rgb"),
            Self::Chosen(planes) => {
                let planes: Vec<String> = planes.iter().map(usize::to_string).collect();
                write!(f, "{}", planes.join(","))
            }
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
