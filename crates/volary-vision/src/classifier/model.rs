//! A trained classifier: the folder that it lies in, and the network.

use std::path::Path;

use burn::module::Module as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use volary_core::PixelShape;

use crate::classifier::calibration::Calibration;
use crate::classifier::network::Network;
use crate::classifier::settings::{Settings, Shape};
use crate::device::Device;
use crate::error::VisionError;
use crate::folder::{self, ModelKind};
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
    /// The shape of its network.
    pub shape: Shape,
    /// The classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Classes of the table that nobody had chosen.
    pub unchosen: Vec<String>,
    /// How it was trained.
    pub settings: Settings,
    /// What is done to a picture before the network sees it, in the words of whoever does it.
    pub preprocessing: Value,
    /// BLAKE3 over the labels it was trained and judged on.
    pub labels_blake3: String,
    /// What is done to the logit of each class; none where the part to calibrate by did not say.
    pub calibration: Vec<Option<Calibration>>,
    /// Pictures it learned from.
    pub n_train: usize,
    /// Pictures it stopped and was calibrated by.
    pub n_stop: usize,
    /// Pictures to judge it by.
    pub n_held_out: usize,
    /// Epochs done.
    pub n_epochs: usize,
    /// How the training ended.
    pub ended: Ended,
}

/// A classifier, ready for use.
#[derive(Debug)]
pub struct Model {
    pub(crate) config: Config,
    pub(crate) network: Network,
    pub(crate) device: burn::tensor::Device,
}

impl Model {
    /// Opens a model folder.
    ///
    /// # Errors
    ///
    /// [`VisionError::Model`] where the folder holds no classifier of this format, a weight is missing or has
    /// another shape; [`VisionError::Device`] where the device is not there.
    pub fn open(path: &Path, device: Device) -> Result<Self, VisionError> {
        let config: Config = folder::read_config(path, ModelKind::Classifier)?;
        config.shape.check()?;
        let n = config.classes.len();
        if n != config.shape.n_classes || n != config.calibration.len() {
            let problem =
                format!("it names {n} classes, and its network has {}", config.shape.n_classes);
            return Err(VisionError::model(path, problem, "take it from where the model was trained"));
        }
        let device = device.open()?;
        let file = path.join(folder::WEIGHTS);
        let (tensors, _) = weights::read(&file)?;
        let network = Network::new(&config.shape, &mut volary_core::seed::stream(0, ""), &device);
        let network = weights::put(network, &tensors, "", &file)?;
        Ok(Self { config, network, device })
    }

    /// Writes weights, then the configuration, into a folder.
    ///
    /// # Errors
    ///
    /// [`VisionError::Io`] where it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), VisionError> {
        let tensors = weights::take(&self.network, "");
        weights::write(&path.join(folder::WEIGHTS), &tensors, String::new())?;
        folder::write_config(path, &self.config)
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
