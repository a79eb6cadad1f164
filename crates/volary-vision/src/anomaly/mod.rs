//! Anomaly: what nobody asked for. A generator and a critic learn what ordinary pictures look like, an encoder
//! learns to find the generator's nearest picture, and what is far from its nearest is odd.
//!
//! Mantha et al. 2024, doi:10.5334/cstp.740 (Galaxy Zoo: Weird & Wonderful), with the layers of its parent
//! (Storey-Fisher et al. 2021, arXiv:2105.02434); `docs/src/anomaly.md` says where this differs. [`train`]
//! makes a model folder, [`Model::open`] reads one, [`Model::score`] uses it. Whether what is odd is interesting is
//! for people to say, and `volary-space` learns from them.

mod adversaries;
mod encoding;
pub(crate) mod gallery;
mod layers;
pub(crate) mod lesson;
mod model;
pub(crate) mod network;
mod score;
mod settings;
mod train;

pub use crate::training::Begin;
pub use gallery::{Gallery, GalleryKind};
pub use layers::{Chain, Layer, chains};
pub use lesson::Lesson;
pub use model::{Config, Model};
pub use score::Scores;
pub use settings::{Distance, Losses, ScoreWeights, Settings, Shape, Squash};
pub use train::{CHECKPOINTS, Stage, Trained, Watcher, n_weights, train, warnings};
