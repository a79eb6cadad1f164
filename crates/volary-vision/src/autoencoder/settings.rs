//! The settings of the autoencoder. The layers, the rate and the batches are those of the anomaly model's encoder
//! (Mantha et al. 2024, doi:10.5334/cstp.740), so that both can be compared.

use serde::{Deserialize, Serialize};

use crate::anomaly::{Distance, Shape, Squash};
use crate::error::VisionError;
use crate::pictures::Augment;
use crate::training::{Descent, Plan, Rule, Schedule};

/// All settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// See [`Shape::filters`].
    pub filters: usize,
    /// See [`Shape::latents`].
    pub latents: usize,
    /// Whether two 3 × 3 convolutions whose result is added follow each of the decoder's inner layers.
    pub residual: bool,
    /// What is done to the latent numbers.
    pub squash: Squash,
    /// How far is far: what is descended, and the score.
    pub distance: Distance,
    /// What is done to pictures in training.
    pub augment: Augment,
    /// How long it learns, and how.
    pub plan: Plan,
    /// Share of the pictures that are not learned from.
    pub held_out_share: f64,
    /// Share of the pictures to stop early by; of no use without [`Plan::patience`].
    pub stop_share: f64,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Settings {
    /// 64 filters, 128 latent numbers, 500 epochs of batches of 256, Adam with 1e-4.
    fn default() -> Self {
        Self {
            filters: 64,
            latents: 128,
            residual: false,
            squash: Squash::None,
            distance: Distance::default(),
            augment: Augment::None,
            plan: Plan {
                epochs: 500,
                batch_size: 256,
                descent: Descent::new(Rule::Adam),
                schedule: Schedule { rate: 1e-4, decay: 1.0, every_epochs: 5 },
                checkpoint_every_epochs: 5,
                patience: None,
            },
            held_out_share: 0.1,
            stop_share: 0.1,
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
        self.plan.check()?;
        self.augment.check(shape.height, shape.width)?;
        if self.plan.patience.is_some() && self.stop_share <= 0.0 {
            let expected = "a share above 0 with patience: what is stopped by must not be judged by";
            return Err(VisionError::setting("stop share", self.stop_share, expected));
        }
        Ok(())
    }
}
