//! A model in use: how far each picture, and the critic's features of it, are from what generator and encoder
//! rebuild. Nothing here is random.

use burn::tensor::Tensor;
use volary_core::Pixels;

use crate::anomaly::model::Model;
use crate::anomaly::network::distance;
use crate::anomaly::settings::ScoreWeights;
use crate::error::VisionError;
use crate::pictures;
use crate::weights;

/// Scores of pictures, in the order of their rows. The higher, the odder; a sum over all numbers of a picture, so
/// that models of other sizes give other scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Latent numbers of a picture.
    pub n_latents: usize,
    /// Distance of the pixels.
    pub image: Vec<f64>,
    /// Distance of the critic's features.
    pub feature: Vec<f64>,
    /// The encoder's latent numbers, `[pictures, latents]`.
    pub embedding: Vec<f32>,
}

impl Scores {
    /// Pictures.
    #[must_use]
    pub fn n(&self) -> usize {
        self.image.len()
    }

    /// The anomaly scores (Eq. 1 of the paper).
    #[must_use]
    pub fn anomaly(&self, weights: ScoreWeights) -> Vec<f64> {
        self.image.iter().zip(&self.feature).map(|(i, f)| weights.score(*i, *f)).collect()
    }
}

impl Model {
    /// Scores the pictures of `rows`; `watch` hears how many are done and says whether to go on.
    ///
    /// # Errors
    ///
    /// [`VisionError::Setting`] for pictures of another size, [`VisionError::Pixels`] where a picture cannot
    /// be read.
    pub fn score(
        &self,
        pixels: &dyn Pixels,
        rows: &[usize],
        batch_size: usize,
        watch: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Scores, VisionError> {
        pictures::check_size(pixels.shape(), self.pixels())?;
        let kind = self.config().settings.losses.distance;
        let mut scores = Scores {
            n_latents: self.config().shape.latents,
            image: Vec::with_capacity(rows.len()),
            feature: Vec::with_capacity(rows.len()),
            embedding: Vec::with_capacity(rows.len() * self.config().shape.latents),
        };
        let mut each = |pictures: Tensor<4>| {
            let latents = self.networks.encoder.forward(pictures.clone());
            let rebuilt = self.networks.generator.forward(latents.clone(), None);
            let features = |pictures: &Tensor<4>| self.networks.critic.features(pictures.clone());
            let feature = distance(features(&pictures), features(&rebuilt), kind);
            let image = distance(pictures, rebuilt, kind);
            let numbers = |of: Tensor<1>| weights::values(of).values.into_iter().map(f64::from);
            scores.image.extend(numbers(image));
            scores.feature.extend(numbers(feature));
            scores.embedding.extend(weights::values(latents).values);
        };
        pictures::in_batches(pixels, rows, batch_size, &self.device, &mut each, watch)?;
        Ok(scores)
    }

    /// What is rebuilt of the pictures of `rows`: pictures, one after the other, values in 0 to 1.
    ///
    /// # Errors
    ///
    /// As [`Model::score`].
    pub fn rebuild(&self, pixels: &dyn Pixels, rows: &[usize]) -> Result<Vec<f32>, VisionError> {
        pictures::check_size(pixels.shape(), self.pixels())?;
        let latents = self.networks.encoder.forward(pictures::read(pixels, rows, &self.device)?);
        Ok(weights::values(self.networks.generator.forward(latents, None)).values)
    }
}
