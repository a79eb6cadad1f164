//! The parts of the loss, as the specification has them; each is a mean over the pictures of a batch.
//!
//! What differs from the authors' code: the classes may be compared with counts (their binary cross-entropy
//! is the case in which every picture has as many votes), and the slope of the latent numbers is descended
//! as a derivative along it, since Burn has no gradient of a gradient.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::confusion::labels::Labels;
use crate::confusion::network::Encoder;
use crate::confusion::settings::{Likelihood, Losses};

/// Sum over channels and pixels of the absolute error, mean over the batch.
pub(crate) fn reconstruction(pictures: Tensor<4>, rebuilt: Tensor<4>) -> Tensor<1> {
    let [batch, ..] = pictures.dims();
    (pictures - rebuilt).abs().sum() / batch as f64
}

/// Half the mean over the latent numbers of `(mean - centre)² + variance - 1 - log variance`, mean over the
/// batch: with a centre of 0 the divergence from a standard normal, over the number of latents.
pub(crate) fn divergence(mean: Tensor<2>, log_variance: Tensor<2>) -> Tensor<1> {
    (mean.square() + log_variance.clone().exp() - 1.0 - log_variance).mean() * 0.5
}

/// The same for turned pictures, about the latent means of the picture itself.
pub(crate) fn divergence_from(mean: Tensor<2>, log_variance: Tensor<2>, centre: Tensor<2>) -> Tensor<1> {
    divergence(mean - centre, log_variance)
}

/// A picture turned against the clock by a quarter, a half and three quarters.
pub(crate) fn turned(pictures: &Tensor<4>) -> [Tensor<4>; 3] {
    [
        pictures.clone().swap_dims(2, 3).flip([2]),
        pictures.clone().flip([2, 3]),
        pictures.clone().swap_dims(2, 3).flip([3]),
    ]
}

/// The votes of a batch, ready to be compared with logits.
#[derive(Debug)]
pub(crate) struct Votes {
    likelihood: Likelihood,
    /// `[batch, classes]`.
    fractions: Tensor<2>,
    /// `[batch, classes]`; sums to the number of numbers where all weigh the same.
    weights: Tensor<2>,
    /// `[batch, classes]`, then the sum of each picture; only for the Dirichlet-multinomial.
    counts: Vec<u32>,
    totals: Vec<u32>,
    /// Votes of an average picture.
    mean_n_seen: f64,
    /// The least loss that any prediction could have.
    pub(crate) floor: f64,
}

impl Votes {
    /// The votes of the pictures `rows`. `mean_n_seen` is the mean over all pictures learned from: it keeps
    /// the loss on the scale of the binary cross-entropy.
    pub(crate) fn new(
        labels: &Labels,
        rows: &[usize],
        losses: &Losses,
        mean_n_seen: f64,
        device: &Device,
    ) -> Self {
        let n_classes = labels.classes().len();
        let shape = [rows.len(), n_classes];
        let mut fractions = Vec::with_capacity(rows.len() * n_classes);
        let mut weights = Vec::with_capacity(rows.len() * n_classes);
        let (mut counts, mut totals) = (Vec::new(), Vec::new());
        let mut floor = 0.0;
        for row in rows {
            let votes = labels.n_seen(*row).map_or(1.0, |n| f64::from(n) / mean_n_seen);
            for (class, fraction) in labels.fractions(*row).iter().enumerate() {
                let of_class = losses.class_weights.as_ref().map_or(1.0, |w| w[class]);
                let weight = match losses.likelihood {
                    Likelihood::Bce => of_class,
                    Likelihood::Binomial | Likelihood::Dirichlet => of_class * votes,
                };
                let share = f64::from(*fraction);
                floor += weight
                    * match losses.likelihood {
                        Likelihood::Bce | Likelihood::Binomial => {
                            surprise(share) + surprise(1.0 - share)
                        }
                        Likelihood::Dirichlet => surprise(share),
                    };
                fractions.push(*fraction);
                weights.push(weight as f32);
            }
            if losses.likelihood == Likelihood::Dirichlet {
                counts.extend_from_slice(labels.n_votes(*row).unwrap_or_default());
                totals.push(labels.n_seen(*row).unwrap_or(0));
            }
        }
        Self {
            likelihood: losses.likelihood,
            fractions: Tensor::from_data(TensorData::new(fractions, shape), device),
            weights: Tensor::from_data(TensorData::new(weights, shape), device),
            counts,
            totals,
            mean_n_seen,
            floor: floor / (rows.len() * n_classes) as f64,
        }
    }

    /// How badly logits `[batch, classes]` fit the votes: mean over batch and classes.
    pub(crate) fn loss(&self, logits: Tensor<2>) -> Tensor<1> {
        match self.likelihood {
            Likelihood::Bce | Likelihood::Binomial => {
                // log(1 + e^l) - f l is the cross-entropy of sigmoid(l) with the fraction f; the logarithm
                // is written so that no logit overflows it.
                let softplus = relu(logits.clone()) + logits.clone().abs().neg().exp().log1p();
                let entropy = softplus - logits * self.fractions.clone();
                (entropy * self.weights.clone()).mean()
            }
            Likelihood::Dirichlet => self.dirichlet(logits),
        }
    }

    /// Minus the log-probability of the votes in their order under a Dirichlet-multinomial:
    /// `log (a)_n - sum over classes of log (a_c)_(n_c)` with the rising factorials `(a)_n = a (a+1) …`.
    /// These are sums of as many logarithms as there are votes, which loses no digit, where a difference of
    /// log-gamma functions would.
    fn dirichlet(&self, logits: Tensor<2>) -> Tensor<1> {
        let [batch, n_classes] = logits.dims();
        let concentration = concentration(logits);
        let total = concentration.clone().sum_dim(1);
        let loss = log_rising(total, &self.totals).sum() - log_rising(concentration, &self.counts).sum();
        loss / (batch * n_classes) as f64 / self.mean_n_seen
    }
}

/// The Dirichlet concentrations of logits: their exponential, bent so that it stays within `e^±10`.
pub(crate) fn concentration(logits: Tensor<2>) -> Tensor<2> {
    ((logits / CONCENTRATION_BOUND).tanh() * CONCENTRATION_BOUND).exp()
}

/// The bound on the logarithm of a concentration.
pub(crate) const CONCENTRATION_BOUND: f64 = 10.0;

/// `log a (a+1) … (a+n-1)` for each `a` of `[rows, columns]` and its `n`.
fn log_rising(a: Tensor<2>, n: &[u32]) -> Tensor<2> {
    let [rows, columns] = a.dims();
    let most = n.iter().copied().max().unwrap_or(0).max(1) as usize;
    let mask: Vec<f32> =
        n.iter().flat_map(|n| (0..most).map(move |i| f32::from(i < *n as usize))).collect();
    let mask = Tensor::<3>::from_data(TensorData::new(mask, [rows, columns, most]), &a.device());
    let steps: Vec<f32> = (0..most).map(|i| i as f32).collect();
    let steps = Tensor::<3>::from_data(TensorData::new(steps, [1, 1, most]), &a.device());
    let logs = (a.reshape([rows, columns, 1]) + steps).log();
    (logs * mask).sum_dim(2).reshape([rows, columns])
}

/// `-p log p`.
fn surprise(p: f64) -> f64 {
    if p > 0.0 { -p * p.ln() } else { 0.0 }
}

/// The latent numbers of training: `mean + exp(log variance / 2) * noise`; the mean where there is no noise.
pub(crate) fn sampled(mean: Tensor<2>, log_variance: Tensor<2>, noise: Option<&Tensor<2>>) -> Tensor<2> {
    match noise {
        None => mean,
        Some(noise) => mean + (log_variance * 0.5).exp() * noise.clone(),
    }
}

/// Mean over the batch of the norm of the slope of the sum of a picture's latent numbers along its pixels.
///
/// It needs no gradient of a gradient: with the unit vector `u` along the slope held fixed, the norm is the
/// derivative of the sum along `u`, and has the same gradient. That derivative is carried forward through the
/// layers.
pub(crate) fn slope(encoder: &Encoder, pictures: &Tensor<4>, noise: Option<&Tensor<2>>) -> Tensor<1> {
    let [batch, channels, height, width] = pictures.dims();
    let x = pictures.clone().inner().autodiff().require_grad();
    let (mean, log_variance) = encoder.forward(x.clone());
    let mut gradients: Gradients = sampled(mean, log_variance, noise).sum().backward();
    let Some(slope) = x.grad_remove(&mut gradients) else {
        return Tensor::zeros([1], &pictures.device());
    };
    let norm = slope.clone().square().reshape([batch, channels * height * width]).sum_dim(1).sqrt();
    let unit = slope / (norm + f64::from(f32::MIN_POSITIVE)).reshape([batch, 1, 1, 1]);
    let [mean, log_variance] = encoder.moving(pictures.clone(), Tensor::from_inner(unit));
    let [_, mut change] = mean;
    if let Some(noise) = noise {
        let [log_variance, its_change] = log_variance;
        change = change + (log_variance * 0.5).exp() * noise.clone() * its_change * 0.5;
    }
    change.sum() / batch as f64
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
