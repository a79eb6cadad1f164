//! A trained autoencoder: the folder that it lies in, and the network. See [`crate::folder`] for what all model
//! folders hold.

use std::path::Path;

use burn::module::Module as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use volary_core::PixelShape;

use crate::anomaly::Shape;
use crate::autoencoder::network::Autoencoder;
use crate::autoencoder::settings::Settings;
use crate::device::Device;
use crate::error::VisionError;
use crate::folder::{self, ModelKind, WEIGHTS};
use crate::training::Ended;
use crate::weights;

/// What a model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    pub(crate) format: String,
    pub(crate) format_version: u32,
    pub(crate) kind: ModelKind,
    /// The version of Volary that trained it.
    pub volary: String,
    /// The shape of encoder and decoder.
    pub shape: Shape,
    /// How it was trained.
    pub settings: Settings,
    /// What is done to a picture before the network sees it, in the words of whoever does it.
    pub preprocessing: Value,
    /// Pictures it learned from.
    pub n_train: usize,
    /// Pictures it stopped by.
    pub n_stop: usize,
    /// Pictures to judge it by.
    pub n_held_out: usize,
    /// Epochs done.
    pub n_epochs: usize,
    /// How the training ended.
    pub ended: Ended,
}

/// An autoencoder, ready for use.
#[derive(Debug)]
pub struct Model {
    config: Config,
    pub(crate) network: Autoencoder,
    pub(crate) device: burn::tensor::Device,
}

impl Model {
    pub(crate) fn new(config: Config, network: Autoencoder, device: burn::tensor::Device) -> Self {
        Self { config, network, device }
    }

    /// Opens a model folder.
    ///
    /// # Errors
    ///
    /// [`VisionError::Model`] where the folder holds no autoencoder of this format, a weight is missing or has
    /// another shape; [`VisionError::Device`] where the device is not there.
    pub fn open(folder: &Path, device: Device) -> Result<Self, VisionError> {
        let config: Config = folder::read_config(folder, ModelKind::Autoencoder)?;
        config.shape.check()?;
        let device = device.open()?;
        let path = folder.join(WEIGHTS);
        let (tensors, _) = weights::read(&path)?;
        let mut rng = volary_core::seed::stream(0, "");
        let network = Autoencoder::new(&config.shape, config.settings.squash, &mut rng, &device);
        let network = weights::put(network, &tensors, "", &path)?;
        Ok(Self { config, network, device })
    }

    /// Writes weights, then the configuration, into a folder.
    ///
    /// # Errors
    ///
    /// [`VisionError::Io`] where it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), VisionError> {
        let tensors = weights::take(&self.network, "");
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

    /// Numbers that learning found.
    #[must_use]
    pub fn n_weights(&self) -> usize {
        self.network.num_params()
    }
}
