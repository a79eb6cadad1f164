//! The settings of the anomaly model, with the published ones as the default (Mantha et al. 2024,
//! doi:10.5334/cstp.740; what it does not say is its parent's, Storey-Fisher et al. 2021).

use serde::{Deserialize, Serialize};
use volary_core::PixelShape;

use crate::error::VisionError;
use crate::pictures::Augment;
use crate::training::{Descent, Plan, Rule, Schedule};

/// The critic halves a picture so often.
pub(crate) const N_HALVINGS: usize = 4;
/// Sides of a picture are multiples of this many pixels.
pub(crate) const SIDE_UNIT: usize = 1 << N_HALVINGS;

/// The shape of the three networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Channels of a picture.
    pub channels: usize,
    /// Height of a picture in pixels, a multiple of 16.
    pub height: usize,
    /// Width of a picture in pixels, a multiple of 16.
    pub width: usize,
    /// Maps of the critic's first convolution; each of the three that follow has twice as many.
    pub filters: usize,
    /// Latent numbers of a picture.
    pub latents: usize,
    /// Whether two 3 × 3 convolutions whose result is added follow each of the inner layers.
    pub residual: bool,
}

impl Shape {
    pub(crate) fn new(pixels: PixelShape, filters: usize, latents: usize, residual: bool) -> Self {
        let PixelShape { channels, height, width } = pixels;
        Self { channels, height, width, filters, latents, residual }
    }

    /// # Errors
    ///
    /// [`VisionError::Setting`] names the first number that cannot be.
    pub(crate) fn check(&self) -> Result<(), VisionError> {
        for (setting, side) in [("height", self.height), ("width", self.width)] {
            if side == 0 || !side.is_multiple_of(SIDE_UNIT) {
                return Err(VisionError::setting(setting, side, "a multiple of 16 pixels"));
            }
        }
        let counts = [("channels", self.channels), ("filters", self.filters), ("latents", self.latents)];
        for (setting, n) in counts {
            if n == 0 || n > 1 << 13 {
                return Err(VisionError::setting(setting, n, "a number from 1 to 8,192"));
            }
        }
        if self.n_features() > 1 << 22 {
            let n = self.n_features();
            return Err(VisionError::setting(
                "number of features",
                n,
                "a smaller picture or fewer filters: 4,194,304 is the most",
            ));
        }
        Ok(())
    }

    /// Height and width of the smallest maps.
    pub(crate) fn grid(&self) -> [usize; 2] {
        [self.height / SIDE_UNIT, self.width / SIDE_UNIT]
    }

    /// Maps after each of the critic's convolutions.
    pub(crate) fn widths(&self) -> [usize; N_HALVINGS] {
        [1, 2, 4, 8].map(|times| times * self.filters)
    }

    /// Numbers that the critic makes of a picture before it judges it.
    #[must_use]
    pub fn n_features(&self) -> usize {
        let [height, width] = self.grid();
        self.filters.saturating_mul(8).saturating_mul(height).saturating_mul(width)
    }

    /// The size of its pictures.
    #[must_use]
    pub fn pixels(&self) -> PixelShape {
        PixelShape { channels: self.channels, height: self.height, width: self.width }
    }
}

/// How far a picture, or its features, is from what is rebuilt of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// The sum of the squared differences, as the authors' code has it.
    #[default]
    Squares,
    /// The sum of the absolute differences, as its parent has it.
    Absolute,
}

impl Distance {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Squares, Self::Absolute];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Squares => "squares",
            Self::Absolute => "absolute",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|distance| distance.as_str() == name)
    }
}

/// What is done to the encoder's latent numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Squash {
    /// Nothing; the generator was shown standard normal numbers, which have no bounds.
    #[default]
    None,
    /// `tanh`, as f-AnoGAN has it: within −1 to 1.
    Tanh,
    /// `3 tanh(z / 3)`: within −3 to 3.
    Tanh3,
}

impl Squash {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Tanh, Self::Tanh3];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tanh => "tanh",
            Self::Tanh3 => "tanh3",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|squash| squash.as_str() == name)
    }
}

/// What the parts of an anomaly score weigh.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreWeights {
    /// Of the picture's distance.
    pub image: f64,
    /// Of the features' distance.
    pub feature: f64,
}

impl Default for ScoreWeights {
    /// Eq. 1 of the paper.
    fn default() -> Self {
        Self { image: 0.8, feature: 0.2 }
    }
}

impl ScoreWeights {
    /// The anomaly score of two distances.
    #[must_use]
    pub fn score(self, image: f64, feature: f64) -> f64 {
        self.image * image + self.feature * feature
    }

    /// # Errors
    ///
    /// [`VisionError::Setting`] for weights that are below 0, both 0, or no numbers.
    pub fn check(self) -> Result<(), VisionError> {
        for (setting, weight) in [("image weight", self.image), ("feature weight", self.feature)] {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(VisionError::setting(setting, weight, "a number that is 0 or more"));
            }
        }
        if self.image + self.feature <= 0.0 {
            return Err(VisionError::setting("image and feature weight", 0, "one of them above 0"));
        }
        Ok(())
    }
}

/// What is descended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Weight of the critic's gradient penalty.
    pub penalty: f64,
    /// Steps of the critic for each of the generator.
    pub critic_steps: usize,
    /// What the encoder's two distances weigh; the score's as well, where nothing else is said.
    pub weights: ScoreWeights,
    /// How far is far.
    pub distance: Distance,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            penalty: 10.0,
            critic_steps: 5,
            weights: ScoreWeights::default(),
            distance: Distance::default(),
        }
    }
}

/// All settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// See [`Shape::filters`].
    pub filters: usize,
    /// See [`Shape::latents`].
    pub latents: usize,
    /// See [`Shape::residual`].
    pub residual: bool,
    /// Deviation of the noise on the generator's maps in training; there is none when pictures are scored.
    pub noise_sd: f64,
    /// What is done to the encoder's latent numbers.
    pub squash: Squash,
    /// What is descended.
    pub losses: Losses,
    /// What is done to pictures in training.
    pub augment: Augment,
    /// How long generator and critic learn, and how.
    pub adversaries: Plan,
    /// How long the encoder learns, and how.
    pub encoder: Plan,
    /// Share of the pictures that are not learned from.
    pub held_out_share: f64,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Settings {
    /// As published: 64 filters, 128 latent numbers, 500 epochs of batches of 1,024, then 500 of 256, Adam
    /// with 1e-4 and, for the adversaries, the parent's betas 0.5 and 0.9.
    fn default() -> Self {
        let plan = |batch_size, descent| Plan {
            epochs: 500,
            batch_size,
            descent,
            schedule: Schedule { rate: 1e-4, decay: 1.0, every_epochs: 1 },
            checkpoint_every_epochs: 5,
            patience: None,
        };
        let adam = Descent::new(Rule::Adam);
        Self {
            filters: 64,
            latents: 128,
            residual: false,
            noise_sd: 0.1,
            squash: Squash::None,
            losses: Losses::default(),
            augment: Augment::None,
            adversaries: plan(1024, Descent { beta_1: 0.5, beta_2: 0.9, ..adam }),
            encoder: plan(256, adam),
            held_out_share: 0.1,
            seed: 1234,
        }
    }
}

impl Settings {
    /// # Errors
    ///
    /// [`VisionError::Setting`] names the first setting that cannot be.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), VisionError> {
        shape.check()?;
        self.adversaries.check()?;
        self.encoder.check()?;
        self.losses.weights.check()?;
        for (setting, value) in
            [("penalty weight", self.losses.penalty), ("deviation of the noise", self.noise_sd)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(VisionError::setting(setting, value, "a number that is 0 or more"));
            }
        }
        if self.losses.critic_steps == 0 {
            return Err(VisionError::setting("critic steps", 0, "1 or more"));
        }
        if self.adversaries.patience.is_some() || self.encoder.patience.is_some() {
            let expected = "none: no loss of an anomaly model falls to a best epoch";
            return Err(VisionError::setting("patience", "given", expected));
        }
        self.augment.check(shape.height, shape.width)?;
        Ok(())
    }
}
