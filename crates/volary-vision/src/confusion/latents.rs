//! What the latent numbers are used for: the divergence of each, and whether the noise of training still
//! means anything.

use serde::Serialize;
use volary_core::Pixels;

use crate::confusion::model::Model;
use crate::error::VisionError;
use crate::{pictures, weights};

/// Below this divergence a latent number says nothing of the picture (the customary threshold).
const UNUSED_BELOW: f64 = 0.01;
/// Below this mean logarithm of the variance (a standard deviation of a fifteenth of a hundredth) there is
/// no noise to speak of.
const COLLAPSED_BELOW: f64 = -10.0;

/// The latent numbers of the pictures learned from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatentReport {
    /// Mean divergence of each latent number from a standard normal, in nats.
    pub divergence: Vec<f64>,
    /// Mean logarithm of the variance of each.
    pub log_variance: Vec<f64>,
    /// How many say nothing of the picture: a divergence below 0.01.
    pub n_unused: usize,
    /// How many have no noise left: a mean log-variance below -10.
    pub n_collapsed: usize,
}

impl LatentReport {
    pub(crate) fn of(
        model: &Model,
        pixels: &dyn Pixels,
        rows: &[usize],
        batch_size: usize,
    ) -> Result<Self, VisionError> {
        let n_latents = model.config().shape.n_latents();
        let (mut divergence, mut log_variance) = (vec![0.0; n_latents], vec![0.0; n_latents]);
        for batch in rows.chunks(batch_size) {
            let pictures = pictures::read(pixels, batch, &model.device)?;
            let (means, logs) = model.network.encoder.forward(pictures);
            let (means, logs) = (weights::values(means).values, weights::values(logs).values);
            for (i, (mean, log)) in means.into_iter().zip(logs).enumerate() {
                let (mean, log) = (f64::from(mean), f64::from(log));
                divergence[i % n_latents] += 0.5 * (mean * mean + log.exp() - 1.0 - log);
                log_variance[i % n_latents] += log;
            }
        }
        let n = rows.len().max(1) as f64;
        divergence.iter_mut().chain(&mut log_variance).for_each(|sum| *sum /= n);
        let n_unused = divergence.iter().filter(|d| **d < UNUSED_BELOW).count();
        let n_collapsed = log_variance.iter().filter(|v| **v < COLLAPSED_BELOW).count();
        Ok(Self { divergence, log_variance, n_unused, n_collapsed })
    }

    /// A sentence where the autoencoder is hardly a variational one any more, or says nothing.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let n = self.divergence.len();
        if self.n_collapsed * 2 > n {
            return Some(format!(
                "{} of {n} latent numbers have hardly any variance left, so that the divergence has no pull; \
                 raise --divergence-weight for a smoother latent space",
                self.n_collapsed
            ));
        }
        if self.n_unused == n {
            return Some(
                "no latent number says anything of the picture; lower --divergence-weight, or train longer"
                    .to_owned(),
            );
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::LatentReport;

    #[test]
    fn a_latent_space_without_noise_or_content_is_warned_of() {
        let report = |n_unused, n_collapsed| LatentReport {
            divergence: vec![1.0; 4],
            log_variance: vec![0.0; 4],
            n_unused,
            n_collapsed,
        };
        assert_eq!(report(3, 2).warning(), None);
        assert!(
            report(0, 3)
                .warning()
                .unwrap()
                .starts_with("3 of 4 latent numbers have hardly any variance")
        );
        assert!(report(4, 0).warning().unwrap().starts_with("no latent number says anything"));
    }
}
