//! Generator and critic in training: a Wasserstein generative network whose critic is held to slope 1
//! (Arjovsky et al. 2017; Gulrajani et al. 2017, arXiv:1704.00028).
//!
//! For real pictures `x` and made ones `G(z)`, the critic descends
//! `mean D(G(z)) − mean D(x) + λ mean (‖∇D(y)‖ − 1)²` with `y = x + a (G(z) − x)` and one `a` from 0 to 1 a
//! picture; the generator, every few steps, `−mean D(G(z))`. Real and made pictures go through the critic in one batch.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt as _;
use volary_core::Pixels;
use volary_core::seed::stream;

use crate::anomaly::gallery::{Gallery, GalleryKind, Look};
use crate::anomaly::network::{Critic, Generator};
use crate::anomaly::settings::{Settings, Shape};
use crate::error::VisionError;
use crate::pictures;
use crate::random::normals;
use crate::training::optimizer::Optimizer;
use crate::training::{Learner, Place};
use crate::weights::{self, Tensors};

/// The names of the losses.
pub(crate) const TERMS: [&str; 5] =
    ["critic", "wasserstein distance", "penalty", "generator", "variety"];

/// Added to the square of a slope's length, whose root has no gradient at zero.
const SLOPE_EPSILON: f64 = 1e-12;

/// Generator and critic in training.
pub(crate) struct Adversaries<'a> {
    pixels: &'a dyn Pixels,
    shape: &'a Shape,
    settings: &'a Settings,
    generator: Generator,
    critic: Critic,
    of_generator: Optimizer,
    of_critic: Optimizer,
    /// Of training, with gradients.
    device: Device,
    look: Look<'a>,
}

/// A batch: real pictures, and latent numbers and noise of as many made ones.
struct Batch {
    real: Tensor<4>,
    latents: Tensor<2>,
    noise: Option<Tensor<4>>,
    /// Where between a real and a made picture the slope is looked at.
    between: Tensor<4>,
}

impl<'a> Adversaries<'a> {
    /// Both with starting weights.
    pub(crate) fn new(
        pixels: &'a dyn Pixels,
        shape: &'a Shape,
        settings: &'a Settings,
        device: &Device,
        look: Look<'a>,
    ) -> Self {
        let device = device.clone().autodiff();
        let mut rng = stream(settings.seed, "starting weights of the adversaries");
        let descent = settings.adversaries.descent;
        Self {
            pixels,
            shape,
            settings,
            generator: Generator::new(shape, &mut rng, &device),
            critic: Critic::new(shape, &mut rng, &device),
            of_generator: Optimizer::new(descent),
            of_critic: Optimizer::new(descent),
            device,
            look,
        }
    }

    /// Both for use.
    pub(crate) fn into_networks(self) -> (Generator, Critic) {
        (self.generator.valid(), self.critic.valid())
    }

    /// Latent numbers of `n` pictures, and the noise on their maps.
    fn drawn(&self, n: usize, of: &str, device: &Device) -> (Tensor<2>, Option<Tensor<4>>) {
        let mut rng = stream(self.settings.seed, &format!("latents of {of}"));
        let latents = normals(n * self.shape.latents, &mut rng);
        let latents = Tensor::from_data(TensorData::new(latents, [n, self.shape.latents]), device);
        let noise = (self.settings.noise_sd > 0.0).then(|| {
            let [maps, height, width] = Generator::noisy(self.shape);
            let noise = normals(n * maps * height * width, &mut rng);
            let noise = Tensor::<4>::from_data(TensorData::new(noise, [n, maps, height, width]), device);
            noise * self.settings.noise_sd
        });
        (latents, noise)
    }

    fn batch(
        &self,
        rows: &[usize],
        of: &str,
        is_training: bool,
        device: &Device,
    ) -> Result<Batch, VisionError> {
        let mut rng = stream(self.settings.seed, &format!("pictures of {of}"));
        let poses =
            if is_training { self.settings.augment.draw(rows.len(), &mut rng) } else { Vec::new() };
        let real = pictures::read_posed(self.pixels, rows, &poses, device)?;
        let (latents, noise) = self.drawn(rows.len(), of, device);
        let shares: Vec<f32> = rows.iter().map(|_| rng.random()).collect();
        let between = Tensor::from_data(TensorData::new(shares, [rows.len(), 1, 1, 1]), device);
        Ok(Batch { real, latents, noise, between })
    }

    /// The critic's loss and its parts, in the order of [`TERMS`]. `critic` may have gradients; what is made has none.
    fn critic_losses(
        critic: &Critic,
        real: Tensor<4>,
        made: Tensor<4>,
        between: Tensor<4>,
        weight: f64,
    ) -> [Tensor<1>; 5] {
        let [n, ..] = real.dims();
        let judged = critic.forward(Tensor::cat(vec![made.clone(), real.clone()], 0));
        let of_made = judged.clone().slice([0..n, 0..1]).mean();
        let of_real = judged.slice([n..2 * n, 0..1]).mean();
        let distance = of_real - of_made.clone();
        let generator = of_made.neg();
        let variety = spread(made.clone()) / (spread(real.clone()) + 1e-6);
        let penalty = if weight > 0.0 {
            penalty(critic, real.clone() + (made - real) * between)
        } else {
            Tensor::zeros([1], &distance.device())
        };
        let loss = distance.clone().neg() + penalty.clone() * weight;
        [loss, distance, penalty, generator, variety]
    }
}

/// How much pictures differ from each other: the mean over the pixels of their deviation.
fn spread(pictures: Tensor<4>) -> Tensor<1> {
    let centred = pictures.clone() - pictures.mean_dim(0);
    centred.square().mean_dim(0).sqrt().mean()
}

/// `mean (‖∇D(y)‖ − 1)²` over pictures.
pub(crate) fn penalty(critic: &Critic, pictures: Tensor<4>) -> Tensor<1> {
    let slope: Tensor<2> = critic.slope(pictures).flatten(1, 3);
    let length = (slope.square().sum_dim(1) + SLOPE_EPSILON).sqrt();
    (length - 1.0).square().mean()
}

const GENERATOR: &str = "generator.";
const CRITIC: &str = "critic.";
const OF_GENERATOR: &str = "moments of the generator.";
const OF_CRITIC: &str = "moments of the critic.";

impl Learner for Adversaries<'_> {
    fn terms(&self) -> &'static [&'static str] {
        &TERMS
    }

    fn step(&mut self, rows: &[usize], rate: f64, place: Place) -> Result<Vec<f64>, VisionError> {
        let Place { epoch, batch } = place;
        let of = format!("epoch {epoch}, batch {batch}");
        let plain = self.device.clone().inner();
        let Batch { real, latents, noise, between } = self.batch(rows, &of, true, &plain)?;
        // What the critic learns from has no gradient of its own.
        let made = self.generator.valid().forward(latents, noise);
        let [real, made, between] = [real, made, between].map(Tensor::from_inner);
        let losses =
            Self::critic_losses(&self.critic, real, made, between, self.settings.losses.penalty);
        let loss = losses[0].clone();
        let values = weights::scalars(losses);
        if values.iter().any(|value| !value.is_finite()) {
            return Ok(values);
        }
        let mut gradients = loss.backward();
        self.critic = self.of_critic.step(self.critic.clone(), &mut gradients, rate);
        if self.of_critic.steps().is_multiple_of(self.settings.losses.critic_steps) {
            let (latents, noise) =
                self.drawn(rows.len(), &format!("the generator in {of}"), &self.device);
            let judge = self.critic.clone().no_grad();
            let loss = judge.forward(self.generator.forward(latents, noise)).mean().neg();
            let mut gradients = loss.backward();
            self.generator = self.of_generator.step(self.generator.clone(), &mut gradients, rate);
        }
        Ok(values)
    }

    fn judge(&self, rows: &[usize]) -> Result<Vec<f64>, VisionError> {
        let device = self.device.clone().inner();
        let of = format!("the unseen from {}", rows.first().copied().unwrap_or(0));
        let Batch { real, latents, between, .. } = self.batch(rows, &of, false, &device)?;
        let made = self.generator.valid().forward(latents, None);
        let critic = self.critic.valid();
        Ok(weights::scalars(Self::critic_losses(
            &critic,
            real,
            made,
            between,
            self.settings.losses.penalty,
        )))
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<(), VisionError> {
        if !self.look.is_wanted(epoch) {
            return Ok(());
        }
        let device = self.device.clone().inner();
        let (latents, _) = self.drawn(GalleryKind::Made.n(), "the gallery", &device);
        let made = weights::values(self.generator.valid().forward(latents, None)).values;
        self.look.show(&Gallery {
            kind: GalleryKind::Made,
            epoch,
            shape: self.shape.pixels(),
            pictures: made,
        });
        Ok(())
    }

    fn state(&self) -> Tensors {
        let mut state = self.weights();
        state.extend(self.of_generator.state(OF_GENERATOR));
        state.extend(self.of_critic.state(OF_CRITIC));
        state
    }

    fn restore(&mut self, state: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.put_weights(state, path)?;
        let device = self.device.clone().inner();
        self.of_generator.restore(state, OF_GENERATOR, path, &device)?;
        self.of_critic.restore(state, OF_CRITIC, path, &device)
    }

    fn weights(&self) -> Tensors {
        let mut weights = weights::take(&self.generator, GENERATOR);
        weights.extend(weights::take(&self.critic, CRITIC));
        weights
    }

    fn put_weights(&mut self, weights: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.generator = weights::put(self.generator.clone(), weights, GENERATOR, path)?;
        self.critic = weights::put(self.critic.clone(), weights, CRITIC, path)?;
        Ok(())
    }

    fn advice(&self, term: &str) -> String {
        match term {
            "penalty" => {
                "the critic has become too steep: go on with --resume and a lower --rate, or begin with --fresh and a \
                 higher --penalty"
            }
            _ => {
                "go on with --resume and a lower --rate (a tenth is a good try), or begin with --fresh, a higher \
                 --penalty or more --critic-steps"
            }
        }
        .to_owned()
    }
}
