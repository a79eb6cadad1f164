//! Confusion: why volunteers disagree. A network that learns a picture and its consensus together, so that
//! pictures that confuse people lie between those that do not.
//!
//! Sankar et al. 2024, doi:10.5334/cstp.731 (Jovian Vortex Hunter), with the losses and the layers of the
//! authors' code (ramanakumars/cvae); `docs/src/confusion.md` says where this differs. [`train`] makes a
//! model folder, [`Model::open`] reads one, [`Model::score`] uses it. How good it is, is judged elsewhere
//! (`volary-space`).

mod attention;
mod interval;
mod labels;
mod latents;
mod learner;
mod levels;
mod loss;
mod model;
mod network;
mod score;
mod settings;
mod spread;
mod train;

pub use crate::training::Begin;
pub use attention::DEFAULT_LAYER;
pub use labels::Labels;
pub use latents::LatentReport;
pub use levels::Levels;
pub use model::{Config, Model};
pub use score::{Prediction, Scores, Scoring};
pub use settings::{Likelihood, Losses, Settings, Shape};
pub use train::{CHECKPOINT, Coverage, Lesson, Trained, n_weights, train};
