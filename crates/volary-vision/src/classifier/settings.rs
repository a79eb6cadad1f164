//! The settings of the classifier, with those of gotorb as the default.

use serde::{Deserialize, Serialize};
use volary_core::PixelShape;

use crate::error::VisionError;
use crate::pictures::Augment;
use crate::training::{Descent, Plan, Rule, Schedule};

/// Kernels are of 3 × 3 pixels, without zeros around: two of them take so much off a side.
const LOST: usize = 4;
/// Steps of the two poolings.
pub(crate) const POOLS: [usize; 2] = [2, 4];
/// The shortest side of which a pixel is left.
const LEAST_SIDE: usize = (POOLS[1] + LOST) * POOLS[0] + LOST;

/// The shape of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Channels of a picture.
    pub channels: usize,
    /// Height of a picture in pixels, 20 or more.
    pub height: usize,
    /// Width of a picture in pixels, 20 or more.
    pub width: usize,
    /// Classes, a yes or no each.
    pub n_classes: usize,
    /// Maps of the two blocks of convolutions.
    pub filters: [usize; 2],
    /// Numbers of the dense layer.
    pub dense: usize,
}

impl Shape {
    /// # Errors
    ///
    /// [`VisionError::Setting`] names the first number that cannot be.
    pub(crate) fn check(&self) -> Result<(), VisionError> {
        for (setting, side) in [("height", self.height), ("width", self.width)] {
            if !(LEAST_SIDE..=1 << 14).contains(&side) {
                return Err(VisionError::setting(
                    setting,
                    side,
                    "20 pixels or more, and 16,384 at most",
                ));
            }
        }
        let [first, second] = self.filters;
        for (setting, n) in [
            ("channels", self.channels),
            ("number of classes", self.n_classes),
            ("filters", first),
            ("filters", second),
            ("dense", self.dense),
        ] {
            if n == 0 || n > 1 << 16 {
                return Err(VisionError::setting(setting, n, "1 or more, and 65,536 at most"));
            }
        }
        if self.n_flat().saturating_mul(self.dense) > 1 << 28 {
            let given = format!("{} for {} × {} pixels", self.dense, self.width, self.height);
            return Err(VisionError::setting(
                "dense",
                given,
                "less, or smaller pictures or fewer filters",
            ));
        }
        Ok(())
    }

    /// Height and width of the smallest maps.
    pub(crate) fn grid(&self) -> [usize; 2] {
        let side = |n: usize| (n.saturating_sub(LOST) / POOLS[0]).saturating_sub(LOST) / POOLS[1];
        [side(self.height), side(self.width)]
    }

    /// Numbers that go into the dense layer.
    pub(crate) fn n_flat(&self) -> usize {
        let [height, width] = self.grid();
        self.filters[1].saturating_mul(height).saturating_mul(width)
    }

    /// The size of its pictures.
    #[must_use]
    pub fn pixels(&self) -> PixelShape {
        PixelShape { channels: self.channels, height: self.height, width: self.width }
    }
}

/// What share of the network is left out at random, in training and for the spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    /// Of the maps behind each block; a map is left out whole (Tompson et al. 2015, arXiv:1411.4280).
    pub maps: f64,
    /// Of the numbers of the dense layer.
    pub dense: f64,
}

/// Whether rare answers weigh more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Yes and no of a class weigh the same in sum, however rare one of them is.
    Balanced,
    /// Every picture weighs the same.
    None,
}

impl Balance {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Balanced, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::None => "none",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|balance| balance.as_str() == name)
    }
}

/// All settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// See [`Shape::filters`].
    pub filters: [usize; 2],
    /// See [`Shape::dense`].
    pub dense: usize,
    /// What is left out at random.
    pub dropout: Dropout,
    /// Weight of the sum of the squares of the kernels in the loss.
    pub penalty: f64,
    /// Whether rare answers weigh more.
    pub balance: Balance,
    /// Learn a yes where more than half said so, and not the share.
    pub hard: bool,
    /// What is done to pictures in training.
    pub augment: Augment,
    /// How long to train, and how.
    pub plan: Plan,
    /// Share of the pictures to judge by.
    pub held_out_share: f64,
    /// Share of the pictures to stop and to calibrate by.
    pub stop_share: f64,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Settings {
    /// Those of gotorb: 16 and 32 maps, 256 numbers, Adam at 3e-5, patience of 10 epochs.
    fn default() -> Self {
        Self {
            filters: [16, 32],
            dense: 256,
            dropout: Dropout { maps: 0.25, dense: 0.5 },
            penalty: 1e-4,
            balance: Balance::Balanced,
            hard: false,
            augment: Augment::None,
            plan: Plan {
                epochs: 100,
                batch_size: 64,
                descent: Descent::new(Rule::Adam),
                schedule: Schedule { rate: 3e-5, decay: 1.0, every_epochs: 5 },
                checkpoint_every_epochs: 5,
                patience: Some(10),
            },
            held_out_share: 0.2,
            stop_share: 0.15,
            seed: 1,
        }
    }
}

impl Settings {
    /// # Errors
    ///
    /// [`VisionError::Setting`] names the first setting that cannot be.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), VisionError> {
        shape.check()?;
        self.plan.check()?;
        for (setting, share) in
            [("dropout of maps", self.dropout.maps), ("dropout of the dense layer", self.dropout.dense)]
        {
            if !(0.0..1.0).contains(&share) {
                return Err(VisionError::setting(setting, share, "a share from 0 up to, not with, 1"));
            }
        }
        if !(self.penalty >= 0.0 && self.penalty.is_finite()) {
            return Err(VisionError::setting("penalty", self.penalty, "a number that is 0 or more"));
        }
        self.augment.check(shape.height, shape.width)?;
        if self.stop_share <= 0.0 {
            return Err(VisionError::setting(
                "stop share",
                self.stop_share,
                "a share above 0: what it is calibrated by must not be learned from or judged by",
            ));
        }
        Ok(())
    }
}
