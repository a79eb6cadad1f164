//! An autoencoder in use: how far each picture is from what is rebuilt of it. Nothing here is random.

use burn::tensor::Tensor;
use volary_core::Pixels;

use crate::anomaly::network::distance;
use crate::autoencoder::model::Model;
use crate::error::VisionError;
use crate::pictures;
use crate::weights;

/// Scores of pictures, in the order of their rows. The higher, the odder; a sum over all numbers of a picture, so
/// that models of other sizes give other scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Latent numbers of a picture.
    pub n_latents: usize,
    /// Distance of a picture from what is rebuilt of it.
    pub score: Vec<f64>,
    /// The latent numbers, `[pictures, latents]`.
    pub embedding: Vec<f32>,
}

impl Model {
    /// Scores the pictures of `rows`; `watch` hears how many are done and says whether to go on.
    ///
    /// # Errors
    ///
    /// [`VisionError::Setting`] for pictures of another size, [`VisionError::Pixels`] where a picture cannot be
    /// read, [`VisionError::Stopped`] where `watch` says so.
    pub fn score(
        &self,
        pixels: &dyn Pixels,
        rows: &[usize],
        batch_size: usize,
        watch: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Scores, VisionError> {
        pictures::check_size(pixels.shape(), self.pixels())?;
        let kind = self.config().settings.distance;
        let n_latents = self.config().shape.latents;
        let mut score = Vec::with_capacity(rows.len());
        let mut embedding = Vec::with_capacity(rows.len() * n_latents);
        let mut each = |pictures: Tensor<4>| {
            let (latents, rebuilt) = self.network.forward(pictures.clone());
            let far = weights::values(distance(pictures, rebuilt, kind));
            score.extend(far.values.into_iter().map(f64::from));
            embedding.extend(weights::values(latents).values);
        };
        pictures::in_batches(pixels, rows, batch_size, &self.device, &mut each, watch)?;
        Ok(Scores { n_latents, score, embedding })
    }

    /// What is rebuilt of the pictures of `rows`: pictures, one after the other, values in 0 to 1.
    ///
    /// # Errors
    ///
    /// As [`Model::score`].
    pub fn rebuild(&self, pixels: &dyn Pixels, rows: &[usize]) -> Result<Vec<f32>, VisionError> {
        pictures::check_size(pixels.shape(), self.pixels())?;
        let (_, rebuilt) = self.network.forward(pictures::read(pixels, rows, &self.device)?);
        Ok(weights::values(rebuilt).values)
    }

    /// How much of what is in the pictures of `rows` is rebuilt: `1 − Σ ‖x − D(E(x))‖² / Σ ‖x − m‖²`, with `m` the
    /// mean picture of `learned`, so that rebuilding that mean every time explains nothing and a perfect network
    /// explains 1. `None` where the pictures are all `m`, or none.
    ///
    /// # Errors
    ///
    /// As [`Model::score`].
    pub fn explained_variance(
        &self,
        pixels: &dyn Pixels,
        learned: &[usize],
        rows: &[usize],
        batch_size: usize,
    ) -> Result<Option<f64>, VisionError> {
        let mut picture = vec![0.0_f32; pixels.shape().values()];
        let mut mean = vec![0.0_f64; picture.len()];
        for row in learned {
            pixels.read(*row, &mut picture)?;
            mean.iter_mut().zip(&picture).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        mean.iter_mut().for_each(|sum| *sum /= learned.len().max(1) as f64);
        let (mut left, mut all) = (0.0, 0.0);
        for batch in rows.chunks(batch_size.max(1)) {
            let rebuilt = self.rebuild(pixels, batch)?;
            for (row, rebuilt) in batch.iter().zip(rebuilt.chunks_exact(picture.len())) {
                pixels.read(*row, &mut picture)?;
                for ((value, rebuilt), mean) in picture.iter().zip(rebuilt).zip(&mean) {
                    left += f64::from(value - rebuilt).powi(2);
                    all += (f64::from(*value) - mean).powi(2);
                }
            }
        }
        // Rounding of the mean leaves something of pictures that are all alike.
        let nothing = 1e-12 * (rows.len() * picture.len()) as f64;
        Ok((all > nothing).then(|| 1.0 - left / all))
    }
}
