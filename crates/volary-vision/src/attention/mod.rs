//! What a network looked at: Score-CAM, whether two classes look at the same place, and whether the map
//! says the truth.
//!
//! [`score_cam`] makes a map for every class from one pass over the masks of a layer ([`Recipe`] has the
//! published variants). [`overlap`] compares two maps against chance, [`faithfulness`] asks the network
//! itself whether the places on a map matter. The network is reached through [`Network`], so that any model
//! (and a toy whose answer is known) can be asked. Nothing here trains or reads a file.

mod cam;
mod faithfulness;
mod grid;
mod overlap;
#[cfg(test)]
pub(crate) mod toy;
mod transport;

pub use cam::{Attention, Baseline, Recipe, Scaling, Score, Summed, Weighing, score_cam};
pub use faithfulness::{Curves, Faithfulness, FaithfulnessSettings, faithfulness};
pub use grid::{ByteMap, Grid, Maps};
pub use overlap::{Against, Overlap, OverlapSettings, overlap};

use volary_core::pixels::PixelShape;

/// A network that can be asked what it looked at.
pub trait Network {
    /// The picture that it reads.
    fn shape(&self) -> PixelShape;

    /// Classes it gives a logit for.
    fn n_classes(&self) -> usize;

    /// Names of its convolution layers, from the picture inwards.
    fn layers(&self) -> Vec<String>;

    /// The maps of a layer for one picture, `[channels, height, width]`.
    ///
    /// # Errors
    /// [`AttentionError::UnknownLayer`] for a name that isn't among [`Network::layers`].
    fn maps(&self, picture: &[f32], layer: &str) -> Result<Maps, AttentionError>;

    /// The logits of `[n, channels, height, width]` pictures, `[n, classes]`; no noise is drawn.
    ///
    /// # Errors
    /// When the network can't be run, in its own words.
    fn logits(&self, pictures: &[f32]) -> Result<Vec<f32>, AttentionError>;
}

/// Why no map could be made.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum AttentionError {
    /// A layer that the network doesn't have.
    #[error("the network has no layer {layer:?}; choose one of {}", known.join(", "))]
    UnknownLayer {
        /// What was asked for.
        layer: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A picture of another size than the network reads.
    #[error(
        "the picture has {found} numbers where the network reads {wanted}; prepare it as for training"
    )]
    PictureSize {
        /// Numbers in the picture.
        found: usize,
        /// Numbers that the network reads.
        wanted: usize,
    },
    /// A network that answers with the wrong number of logits.
    #[error(
        "the network gave {found} logits for {pictures} pictures of {classes} classes; check the model"
    )]
    LogitCount {
        /// Logits given.
        found: usize,
        /// Pictures asked about.
        pictures: usize,
        /// Classes of the network.
        classes: usize,
    },
    /// The network itself failed.
    #[error("the network could not be run: {0}")]
    Network(String),
}

/// Asks for the logits of some pictures and checks that they are all there.
fn ask(network: &dyn Network, pictures: &[f32], n: usize) -> Result<Vec<f32>, AttentionError> {
    let logits = network.logits(pictures)?;
    let classes = network.n_classes();
    if logits.len() != n * classes {
        return Err(AttentionError::LogitCount { found: logits.len(), pictures: n, classes });
    }
    Ok(logits)
}

fn check_picture(network: &dyn Network, picture: &[f32]) -> Result<(), AttentionError> {
    let wanted = network.shape().values();
    if picture.len() == wanted {
        return Ok(());
    }
    Err(AttentionError::PictureSize { found: picture.len(), wanted })
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
