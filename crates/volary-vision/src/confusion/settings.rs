//! The settings of the confusion model, with the published example as the default.

use serde::{Deserialize, Serialize};
use volary_core::PixelShape;

use crate::error::VisionError;
use crate::training::Plan;

/// The encoder halves a picture so often.
pub(crate) const N_HALVINGS: usize = 4;
/// Sides of a picture are multiples of this many pixels.
pub(crate) const SIDE_UNIT: usize = 1 << N_HALVINGS;

/// How the classes of a picture are compared with the votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// Binary cross-entropy with the consensus as a soft label; every picture weighs the same. As published.
    Bce,
    /// The vote count of each class is binomial: 30 of 50 weighs ten times as much as 3 of 5.
    Binomial,
    /// The votes over the classes are Dirichlet-multinomial: one answer a volunteer, and the network also
    /// says how sure it is of the shares.
    Dirichlet,
}

impl Likelihood {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bce, Self::Binomial, Self::Dirichlet];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bce => "bce",
            Self::Binomial => "binomial",
            Self::Dirichlet => "dirichlet",
        }
    }

    /// The likelihood of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|likelihood| likelihood.as_str() == name)
    }
}

/// The shape of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Channels of a picture.
    pub channels: usize,
    /// Height of a picture in pixels, a multiple of 16.
    pub height: usize,
    /// Width of a picture in pixels, a multiple of 16.
    pub width: usize,
    /// Classes.
    pub n_classes: usize,
    /// Maps of the widest convolution, a multiple of 4; the first has a quarter, the second half of it.
    pub filters: usize,
    /// Maps of the 1 × 1 convolutions between the widest one and the latent numbers.
    pub hidden: Vec<usize>,
}

impl Shape {
    /// # Errors
    ///
    /// [`VisionError::Setting`] names the first number that cannot be.
    pub(crate) fn check(&self) -> Result<(), VisionError> {
        for (setting, side) in [("height", self.height), ("width", self.width)] {
            if side == 0 || !side.is_multiple_of(SIDE_UNIT) {
                return Err(VisionError::setting(setting, side, "a multiple of 16 pixels"));
            }
        }
        if self.filters == 0 || !self.filters.is_multiple_of(4) {
            return Err(VisionError::setting("filters", self.filters, "a multiple of 4"));
        }
        if self.hidden.is_empty() || self.hidden.contains(&0) {
            let hidden = format!("{:?}", self.hidden);
            return Err(VisionError::setting("hidden", hidden, "one or more numbers above 0"));
        }
        for (setting, n) in [("channels", self.channels), ("number of classes", self.n_classes)] {
            if n == 0 {
                return Err(VisionError::setting(setting, n, "1 or more"));
            }
        }
        let widest = self.hidden.iter().chain([&self.filters, &self.channels, &self.n_classes]).max();
        if widest.is_some_and(|n| *n > 1 << 16) || self.n_latents() > 1 << 16 {
            let n = self.n_latents();
            return Err(VisionError::setting(
                "number of latent numbers",
                n,
                "a smaller picture, or fewer filters, hidden maps or classes: 65,536 is the most",
            ));
        }
        Ok(())
    }

    /// Height and width of the smallest maps.
    pub(crate) fn grid(&self) -> [usize; 2] {
        [self.height / SIDE_UNIT, self.width / SIDE_UNIT]
    }

    /// Latent numbers of a picture.
    #[must_use]
    pub fn n_latents(&self) -> usize {
        let [height, width] = self.grid();
        self.hidden.last().copied().unwrap_or(0).saturating_mul(height).saturating_mul(width)
    }

    /// The size of its pictures.
    #[must_use]
    pub fn pixels(&self) -> PixelShape {
        PixelShape { channels: self.channels, height: self.height, width: self.width }
    }
}

/// What the parts of the loss weigh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Of the latent numbers' divergence from a standard normal.
    pub divergence: f64,
    /// Of the classes.
    pub class: f64,
    /// How classes are compared with votes.
    pub likelihood: Likelihood,
    /// Of the single classes, in their order; 1 each where there are none.
    pub class_weights: Option<Vec<f64>>,
    /// Of the latent numbers' change when the picture is turned; needs square pictures.
    pub rotation: f64,
    /// Of the latent numbers' slope along the pixels.
    pub contraction: f64,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            divergence: 0.5,
            class: 150.0,
            likelihood: Likelihood::Bce,
            class_weights: None,
            rotation: 1.0,
            contraction: 0.0,
        }
    }
}

impl Losses {
    /// # Errors
    ///
    /// [`VisionError::Setting`] names the first weight that cannot be.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), VisionError> {
        let weights = [
            ("divergence weight", self.divergence),
            ("class weight", self.class),
            ("rotation weight", self.rotation),
            ("contraction weight", self.contraction),
        ];
        for (setting, weight) in weights {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(VisionError::setting(setting, weight, "a number that is 0 or more"));
            }
        }
        if self.rotation > 0.0 && shape.height != shape.width {
            let sides = format!("{} with pictures of {} × {}", self.rotation, shape.width, shape.height);
            return Err(VisionError::setting("rotation weight", sides, "0, or square pictures"));
        }
        if let Some(weights) = &self.class_weights {
            let given = format!("{weights:?}");
            if weights.len() != shape.n_classes {
                let expected = format!("one number for each of the {} classes", shape.n_classes);
                return Err(VisionError::setting("class weights", given, &expected));
            }
            let is_possible = weights.iter().all(|w| *w >= 0.0 && w.is_finite());
            if !is_possible || weights.iter().sum::<f64>() <= 0.0 {
                return Err(VisionError::setting(
                    "class weights",
                    given,
                    "numbers of 0 or more, not all 0",
                ));
            }
            if self.likelihood == Likelihood::Dirichlet {
                return Err(VisionError::setting(
                    "class weights",
                    given,
                    "them with bce or binomial: a Dirichlet-multinomial has one likelihood for all classes",
                ));
            }
        }
        Ok(())
    }
}

/// All settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// See [`Shape::filters`].
    pub filters: usize,
    /// See [`Shape::hidden`].
    pub hidden: Vec<usize>,
    /// What the parts of the loss weigh.
    pub losses: Losses,
    /// How long to train, and how.
    pub plan: Plan,
    /// Share of the pictures to judge by.
    pub held_out_share: f64,
    /// Share of the pictures to stop early by; only with patience.
    pub stop_share: f64,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Settings {
    /// The published example: 128 filters, hidden (64, 8), a tenth held out, seed 1234.
    fn default() -> Self {
        Self {
            filters: 128,
            hidden: vec![64, 8],
            losses: Losses::default(),
            plan: Plan::default(),
            held_out_share: 0.1,
            stop_share: 0.0,
            seed: 1234,
        }
    }
}
