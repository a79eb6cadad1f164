//! The autoencoder: one network that makes a few numbers of a picture and the picture again of the numbers. What it
//! was never shown it rebuilds badly, and that is how odd a picture is.
//!
//! Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647; as a measure of oddness Sakurada & Yairi 2014,
//! doi:10.1145/2689746.2689747. Encoder and decoder are the encoder and the generator of [`crate::anomaly`], so that
//! what the adversaries add can be told by comparison. [`train`] makes a model folder, [`Model::open`] reads one,
//! [`Model::score`] uses it. There is no critic here, and so no features but the latent numbers.

mod learner;
mod model;
mod network;
mod score;
mod settings;
mod train;

pub use crate::anomaly::{Distance, Gallery, GalleryKind, Lesson, Shape, Squash};
pub use crate::training::Begin;
pub use model::{Config, Model};
pub use score::Scores;
pub use settings::Settings;
pub use train::{CHECKPOINT, Trained, Watcher, n_weights, train};
