//! The classifier: is it there or not, out of gold labels. A small network like VGG on cutouts of any number of
//! channels, with weights that make up for rare classes, calibrated on pictures that it did not learn from, and
//! with a spread that says how sure it is.
//!
//! The real–bogus network of GOTO (Killestein et al. 2021, doi:10.1093/mnras/stab633; GOTO-OBS/gotorb, `vgg6`),
//! written anew; `docs/src/classifier.md` says where this differs. Labels may be soft: the share of volunteers
//! who said yes. [`train`] makes a model folder, [`Model::open`] reads one, [`Model::score`] uses it. It learns
//! nothing of the volunteers (`confusion` does) and judges no model (`volary-space` does).

mod calibration;
mod learner;
mod model;
mod network;
mod score;
mod settings;
mod train;

pub use calibration::Calibration;
pub use model::{Config, Model};
pub use score::{Prediction, Scores, Scoring};
pub use settings::{Balance, Dropout, Settings, Shape};
pub use train::{Trained, train};
