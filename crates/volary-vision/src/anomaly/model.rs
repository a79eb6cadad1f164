//! A trained anomaly model: the folder that it lies in, and the networks. See [`crate::folder`] for what all
//! model folders hold; this one has `history.csv` (the encoder's losses) and `adversaries.csv` (those of generator
//! and critic).

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use volary_core::PixelShape;

use crate::anomaly::network::Networks;
use crate::anomaly::settings::{Settings, Shape};
use crate::device::Device;
use crate::error::VisionError;
use crate::folder::{self, ModelKind, WEIGHTS};
use crate::weights;

/// What a model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    format: String,
    format_version: u32,
    kind: ModelKind,
    /// The version of Volary that trained it.
    pub volary: String,
    /// The shape of its networks.
    pub shape: Shape,
    /// How it was trained.
    pub settings: Settings,
    /// What is done to a picture before the networks see it, in the words of whoever does it.
    pub preprocessing: Value,
    /// Pictures it learned from.
    pub n_train: usize,
    /// Pictures it did not learn from.
    pub n_held_out: usize,
    /// Epochs of generator and critic, and of the encoder.
    pub n_epochs: [usize; 2],
}

impl Config {
    pub(crate) fn new(
        shape: Shape,
        settings: Settings,
        preprocessing: Value,
        [n_train, n_held_out]: [usize; 2],
        n_epochs: [usize; 2],
    ) -> Self {
        Self {
            format: folder::FORMAT.to_owned(),
            format_version: folder::FORMAT_VERSION,
            kind: ModelKind::Anomaly,
            volary: env!("CARGO_PKG_VERSION").to_owned(),
            shape,
            settings,
            preprocessing,
            n_train,
            n_held_out,
            n_epochs,
        }
    }
}

/// An anomaly model, ready for use.
#[derive(Debug)]
pub struct Model {
    config: Config,
    pub(crate) networks: Networks,
    pub(crate) device: burn::tensor::Device,
}

impl Model {
    pub(crate) fn new(config: Config, networks: Networks, device: burn::tensor::Device) -> Self {
        Self { config, networks, device }
    }

    /// Opens a model folder.
    ///
    /// # Errors
    ///
    /// [`VisionError::Model`] where the folder holds no anomaly model of this format, a weight is missing or
    /// has another shape; [`VisionError::Device`] where the device is not there.
    pub fn open(folder: &Path, device: Device) -> Result<Self, VisionError> {
        let config: Config = folder::read_config(folder, ModelKind::Anomaly)?;
        config.shape.check()?;
        let device = device.open()?;
        let path = folder.join(WEIGHTS);
        let (tensors, _) = weights::read(&path)?;
        let mut rng = volary_core::seed::stream(0, "");
        let networks = Networks::new(&config.shape, config.settings.squash, &mut rng, &device);
        let networks = weights::put(networks, &tensors, "", &path)?;
        Ok(Self { config, networks, device })
    }

    /// Writes weights, then the configuration, into a folder.
    ///
    /// # Errors
    ///
    /// [`VisionError::Io`] where it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), VisionError> {
        let tensors = weights::take(&self.networks, "");
        weights::write(&folder.join(WEIGHTS), &tensors, String::new())?;
        folder::write_config(folder, &self.config)
    }

    /// What it is.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The size of its pictures.
    #[must_use]
    pub fn pixels(&self) -> PixelShape {
        self.config.shape.pixels()
    }

    /// Numbers that learning found, of generator, critic and encoder.
    #[must_use]
    pub fn n_weights(&self) -> [usize; 3] {
        use burn::module::Module as _;
        let Networks { generator, critic, encoder } = &self.networks;
        [generator.num_params(), critic.num_params(), encoder.num_params()]
    }
}
