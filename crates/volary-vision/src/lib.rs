//! The deep models: why volunteers disagree (confusion), is it there (classifier), what nobody asked for
//! (anomaly; the autoencoder, its plain sister), and what a network looked at (attention). Training, scoring,
//! checkpoints, model folders.
//!
//! The only crate that knows Burn, and none of its types leaves. It decodes no image file (`volary-ingest`
//! does; networks read [`volary_core::Pixels`]) and judges no model (`volary-space` does).

pub mod anomaly;
pub mod attention;
pub mod autoencoder;
pub mod classifier;
pub mod confusion;
mod device;
mod error;
mod folder;
mod nn;
mod pictures;
mod random;
pub mod training;
mod weights;

pub use device::Device;
pub use error::VisionError;
pub use folder::{ModelKind, is_model, model_kind};
pub use pictures::Augment;
