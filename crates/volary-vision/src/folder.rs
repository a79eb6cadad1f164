//! Model folders: what those of all kinds have in common.
//!
//! A folder holds `config.json` (format, kind, shape, settings, what was done to the pictures),
//! `weights.safetensors`, and beside them what whoever trained it wrote: `history.csv`, `split.csv`,
//! `metrics.json`, `card.md`, the last checkpoints. The configuration is written last, so that a folder with
//! one is a model.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::VisionError;
use crate::weights;

/// The file of settings.
pub(crate) const CONFIG: &str = "config.json";
/// The file of weights.
pub(crate) const WEIGHTS: &str = "weights.safetensors";
/// The version of the format that this code writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;
pub(crate) const FORMAT: &str = "volary model";

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Why volunteers disagree.
    Confusion,
    /// Is it there?
    Classifier,
    /// What nobody asked for.
    Anomaly,
    /// What is rebuilt badly.
    Autoencoder,
}

impl ModelKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Confusion, Self::Classifier, Self::Anomaly, Self::Autoencoder];

    /// The name on the command line and in a configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confusion => "confusion",
            Self::Classifier => "classifier",
            Self::Anomaly => "anomaly",
            Self::Autoencoder => "autoencoder",
        }
    }

    /// The command that trains one.
    const fn trained_by(self) -> &'static str {
        match self {
            Self::Confusion => "give the folder that `volary train confusion` wrote",
            Self::Classifier => "give the folder that `volary train classifier` wrote",
            Self::Anomaly => "give the folder that `volary train anomaly` wrote",
            Self::Autoencoder => "give the folder that `volary train autoencoder` wrote",
        }
    }
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

/// Whether a folder holds a finished model.
#[must_use]
pub fn is_model(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

/// What the model in a folder is for.
///
/// # Errors
///
/// [`VisionError::Model`] where the folder holds no finished model of a kind and format that this code knows.
pub fn model_kind(folder: &Path) -> Result<ModelKind, VisionError> {
    let (text, header) = read(folder, "give the folder that `volary train` wrote")?;
    drop(text);
    ModelKind::ALL.into_iter().find(|kind| kind.as_str() == header.kind).ok_or_else(|| {
        let problem =
            format!("it is a model of kind {:?}, which this volary does not know", header.kind);
        VisionError::model(&folder.join(CONFIG), problem, "use the volary that trained it")
    })
}

/// Reads the configuration of a model of a kind.
///
/// # Errors
///
/// [`VisionError::Model`] where there is none, or one of another kind or format.
pub(crate) fn read_config<T: DeserializeOwned>(
    folder: &Path,
    kind: ModelKind,
) -> Result<T, VisionError> {
    let path = folder.join(CONFIG);
    let (text, header) = read(folder, kind.trained_by())?;
    if header.kind != kind.as_str() {
        let problem =
            format!("it describes a model of kind {:?} and no {} model", header.kind, kind.as_str());
        return Err(VisionError::model(&path, problem, kind.trained_by()));
    }
    serde_json::from_str(&text).map_err(|e| broken(&path, &e))
}

fn read(folder: &Path, advice: &'static str) -> Result<(String, Header), VisionError> {
    let path = folder.join(CONFIG);
    if !path.is_file() {
        return Err(VisionError::model(&path, "there is no configuration of a finished model", advice));
    }
    let text = std::fs::read_to_string(&path).map_err(|e| VisionError::io("reading", &path, e))?;
    let header: Header = serde_json::from_str(&text).map_err(|e| broken(&path, &e))?;
    if header.format != FORMAT {
        let problem = format!("it describes {:?} and no model", header.format);
        return Err(VisionError::model(&path, problem, advice));
    }
    if header.format_version != FORMAT_VERSION {
        let problem =
            format!("its format is {} and this volary reads {FORMAT_VERSION}", header.format_version);
        let advice = "train again, or use the volary that trained it";
        return Err(VisionError::model(&path, problem, advice));
    }
    Ok((text, header))
}

fn broken(path: &Path, error: &serde_json::Error) -> VisionError {
    let problem = format!("the configuration cannot be read ({error})");
    VisionError::model(path, problem, "take it from where the model was trained")
}

/// Writes the configuration of a model.
///
/// # Errors
///
/// [`VisionError::Io`] where it cannot be written.
pub(crate) fn write_config(folder: &Path, config: &impl Serialize) -> Result<(), VisionError> {
    let path = folder.join(CONFIG);
    let config = serde_json::to_string_pretty(config)
        .map_err(|e| VisionError::io("writing", &path, std::io::Error::other(e.to_string())))?;
    weights::write_whole(&path, format!("{config}\n").as_bytes())
}
