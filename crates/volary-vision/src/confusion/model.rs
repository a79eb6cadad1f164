//! A trained confusion model: the folder that it lies in, and the network.
//!
//! A folder holds `config.json` (shape, classes, settings, what was done to the pictures, a hash of the
//! labels, the format's version), `weights.safetensors`, and beside them what whoever trained it wrote:
//! `history.csv`, `split.csv`, `metrics.json`, `card.md`, the last checkpoint. The configuration is written
//! last, so that a folder with one is a model.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use volary_core::PixelShape;

use crate::confusion::network::Network;
use crate::confusion::settings::{Settings, Shape};
use crate::device::Device;
use crate::error::VisionError;
use crate::training::Ended;
use crate::weights;

/// The file of settings.
const CONFIG: &str = "config.json";
/// The file of weights.
const WEIGHTS: &str = "weights.safetensors";
/// The version of the format that this code writes and reads.
const FORMAT_VERSION: u32 = 1;
const FORMAT: &str = "volary model";
const KIND: &str = "confusion";

/// What a model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    format: String,
    format_version: u32,
    kind: String,
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

/// The part of a configuration that all versions of the format have.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    format: String,
    #[serde(default)]
    format_version: u32,
    #[serde(default)]
    kind: String,
}

impl Config {
    /// The first lines of a configuration.
    pub(crate) fn header() -> (String, u32, String) {
        (FORMAT.to_owned(), FORMAT_VERSION, KIND.to_owned())
    }

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
        let (format, format_version, kind) = Self::header();
        let [n_train, n_stop, n_held_out] = n_rows;
        Self {
            format,
            format_version,
            kind,
            volary: env!("CARGO_PKG_VERSION").to_owned(),
            shape,
            classes,
            unchosen,
            settings,
            preprocessing,
            labels_blake3,
            typical_n_seen,
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
        let path = folder.join(CONFIG);
        let config = serde_json::to_string_pretty(&self.config)
            .map_err(|e| VisionError::io("writing", &path, std::io::Error::other(e.to_string())))?;
        weights::write_whole(&path, format!("{config}\n").as_bytes())
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

/// Whether a folder holds a finished model.
#[must_use]
pub fn is_model(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

fn read_config(folder: &Path) -> Result<Config, VisionError> {
    let path: PathBuf = folder.join(CONFIG);
    let error = |problem: String, advice| VisionError::model(&path, problem, advice);
    if !path.is_file() {
        let problem = "there is no configuration of a finished model".to_owned();
        return Err(error(problem, "give the folder that `volary train confusion` wrote"));
    }
    let text = std::fs::read_to_string(&path).map_err(|e| VisionError::io("reading", &path, e))?;
    let broken = |e: serde_json::Error| {
        error(
            format!("the configuration cannot be read ({e})"),
            "take it from where the model was trained",
        )
    };
    let header: Header = serde_json::from_str(&text).map_err(broken)?;
    if header.format != FORMAT || header.kind != KIND {
        let problem =
            format!("it describes {:?} of kind {:?} and no confusion model", header.format, header.kind);
        return Err(error(problem, "give the folder that `volary train confusion` wrote"));
    }
    if header.format_version != FORMAT_VERSION {
        let problem =
            format!("its format is {} and this volary reads {FORMAT_VERSION}", header.format_version);
        return Err(error(problem, "train again, or use the volary that trained it"));
    }
    let config: Config = serde_json::from_str(&text).map_err(broken)?;
    config.shape.check()?;
    if config.classes.len() != config.shape.n_classes {
        let problem = format!(
            "it names {} classes and its network has {}",
            config.classes.len(),
            config.shape.n_classes
        );
        return Err(error(problem, "take it from where the model was trained"));
    }
    Ok(config)
}
