//! A trained confusion model: the folder that it lies in, and the network. See [`crate::folder`] for what all
//! model folders hold; this one's configuration has the classes and a hash of the labels as well.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use volary_core::PixelShape;

use crate::confusion::levels::Levels;
use crate::confusion::network::Network;
use crate::confusion::settings::{Settings, Shape};
use crate::device::Device;
use crate::error::VisionError;
use crate::folder::{self, CONFIG, ModelKind, WEIGHTS};
use crate::training::Ended;
use crate::weights;

/// What a model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    format: String,
    format_version: u32,
    kind: ModelKind,
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
    /// Votes of a typical picture, where they were counted.
    pub typical_n_seen: Option<u32>,
    /// Deviation of a logit beyond the encoder's, found on the held-out votes; none for a
    /// Dirichlet-multinomial, or where there were too few votes.
    pub extra_logit_sd: Option<f64>,
    /// At which level intervals of a fraction are drawn to hold as often as they say, found on the held-out
    /// votes; none where votes were never counted.
    #[serde(default)]
    pub levels: Option<Levels>,
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

impl Config {
    #[expect(
        clippy::too_many_arguments,
        reason = "a record of what was done; each has a name of its own"
    )]
    pub(crate) fn new(
        shape: Shape,
        classes: Vec<String>,
        unchosen: Vec<String>,
        settings: Settings,
        preprocessing: Value,
        labels_blake3: String,
        typical_n_seen: Option<u32>,
        n_rows: [usize; 3],
        n_epochs: usize,
        ended: Ended,
    ) -> Self {
        let [n_train, n_stop, n_held_out] = n_rows;
        Self {
            format: folder::FORMAT.to_owned(),
            format_version: folder::FORMAT_VERSION,
            kind: ModelKind::Confusion,
            volary: env!("CARGO_PKG_VERSION").to_owned(),
            shape,
            classes,
            unchosen,
            settings,
            preprocessing,
            labels_blake3,
            typical_n_seen,
            extra_logit_sd: None,
            levels: None,
            n_train,
            n_stop,
            n_held_out,
            n_epochs,
            ended,
        }
    }
}

/// A confusion model, ready for use.
#[derive(Debug)]
pub struct Model {
    config: Config,
    pub(crate) network: Network,
    pub(crate) device: burn::tensor::Device,
}

impl Model {
    pub(crate) fn new(config: Config, network: Network, device: burn::tensor::Device) -> Self {
        Self { config, network, device }
    }

    /// Opens a model folder.
    ///
    /// # Errors
    ///
    /// [`VisionError::Model`] where the folder holds no confusion model of this format, a weight is missing
    /// or has another shape; [`VisionError::Device`] where the device is not there.
    pub fn open(folder: &Path, device: Device) -> Result<Self, VisionError> {
        let config = read_config(folder)?;
        let device = device.open()?;
        let path = folder.join(WEIGHTS);
        let (tensors, _) = weights::read(&path)?;
        let network = Network::new(&config.shape, &mut volary_core::seed::stream(0, ""), &device);
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

    pub(crate) fn with_extra_logit_sd(mut self, extra: Option<f64>) -> Self {
        self.config.extra_logit_sd = extra;
        self
    }

    pub(crate) fn with_levels(mut self, levels: Option<Levels>) -> Self {
        self.config.levels = levels;
        self
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
        burn::module::Module::num_params(&self.network)
    }
}

fn read_config(folder: &Path) -> Result<Config, VisionError> {
    let config: Config = folder::read_config(folder, ModelKind::Confusion)?;
    config.shape.check()?;
    if config.classes.len() != config.shape.n_classes {
        let problem = format!(
            "it names {} classes and its network has {}",
            config.classes.len(),
            config.shape.n_classes
        );
        let advice = "take it from where the model was trained";
        return Err(VisionError::model(&folder.join(CONFIG), problem, advice));
    }
    Ok(config)
}
