//! The encoder in training: it finds the latent numbers of which the generator rebuilds a picture best, in its
//! pixels and in the critic's features. Generator and critic stay as they are.
//!
//! `L = w_image d(x, G(E(x))) + w_feature d(f(x), f(G(E(x))))`, each distance a sum over the numbers of a
//! picture and a mean over pictures (Eq. 1 of the paper, and its code). The generator's noise is off.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use volary_core::Pixels;
use volary_core::seed::stream;

use crate::anomaly::gallery::Look;
use crate::anomaly::network::{Critic, Encoder, Generator, distance};
use crate::anomaly::settings::{Settings, Shape};
use crate::error::VisionError;
use crate::pictures;
use crate::training::optimizer::Optimizer;
use crate::training::{Learner, Place};
use crate::weights::{self, Tensors};

/// The names of the losses.
pub(crate) const TERMS: [&str; 3] = ["total", "image", "feature"];

/// The encoder in training.
pub(crate) struct Encoding<'a> {
    pixels: &'a dyn Pixels,
    settings: &'a Settings,
    /// For use.
    plain: (Generator, Critic),
    /// The same beside an encoder that learns: gradients go through them and change nothing.
    frozen: (Generator, Critic),
    encoder: Encoder,
    optimizer: Optimizer,
    /// Of training, with gradients.
    device: Device,
    /// Rows to rebuild for whoever looks.
    shown: Vec<usize>,
    look: Look<'a>,
}

impl<'a> Encoding<'a> {
    /// An encoder with starting weights.
    pub(crate) fn new(
        pixels: &'a dyn Pixels,
        shape: &'a Shape,
        settings: &'a Settings,
        plain: (Generator, Critic),
        device: &Device,
        shown: Vec<usize>,
        look: Look<'a>,
    ) -> Result<Self, VisionError> {
        let device = device.clone().autodiff();
        let mut rng = stream(settings.seed, "starting weights of the encoder");
        // The same weights on the device of training.
        let place = Path::new("the networks in memory");
        let on_tape = (
            weights::put(
                Generator::new(shape, &mut rng, &device),
                &weights::take(&plain.0, ""),
                "",
                place,
            )?,
            weights::put(
                Critic::new(shape, &mut rng, &device),
                &weights::take(&plain.1, ""),
                "",
                place,
            )?,
        );
        let mut rng = stream(settings.seed, "starting weights of the encoder");
        Ok(Self {
            pixels,
            settings,
            plain,
            frozen: (on_tape.0.no_grad(), on_tape.1.no_grad()),
            encoder: Encoder::new(shape, settings.squash, &mut rng, &device),
            optimizer: Optimizer::new(settings.encoder.descent),
            device,
            shown,
            look,
        })
    }

    /// The encoder for use.
    pub(crate) fn into_encoder(self) -> Encoder {
        self.encoder.valid()
    }

    /// The losses of pictures, in the order of [`TERMS`].
    fn losses(
        &self,
        encoder: &Encoder,
        pictures: Tensor<4>,
        features: Tensor<2>,
        networks: &(Generator, Critic),
    ) -> [Tensor<1>; 3] {
        let losses = &self.settings.losses;
        let rebuilt = networks.0.forward(encoder.forward(pictures.clone()), None);
        let again = networks.1.features(rebuilt.clone());
        let image = distance(pictures, rebuilt, losses.distance).mean();
        let feature = distance(features, again, losses.distance).mean();
        let total = image.clone() * losses.weights.image + feature.clone() * losses.weights.feature;
        [total, image, feature]
    }
}

const ENCODER: &str = "encoder.";
const MOMENTS: &str = "moments.";

impl Learner for Encoding<'_> {
    fn terms(&self) -> &'static [&'static str] {
        &TERMS
    }

    fn step(&mut self, rows: &[usize], rate: f64, place: Place) -> Result<Vec<f64>, VisionError> {
        let Place { epoch, batch } = place;
        let mut rng = stream(self.settings.seed, &format!("poses of epoch {epoch}, batch {batch}"));
        let poses = self.settings.augment.draw(rows.len(), &mut rng);
        let pictures = pictures::read_posed(self.pixels, rows, &poses, &self.device.clone().inner())?;
        let features = Tensor::from_inner(self.plain.1.features(pictures.clone()));
        let losses = self.losses(&self.encoder, Tensor::from_inner(pictures), features, &self.frozen);
        let loss = losses[0].clone();
        let values = weights::scalars(losses);
        if values.iter().all(|value| value.is_finite()) {
            let mut gradients = loss.backward();
            self.encoder = self.optimizer.step(self.encoder.clone(), &mut gradients, rate);
        }
        Ok(values)
    }

    fn judge(&self, rows: &[usize]) -> Result<Vec<f64>, VisionError> {
        let pictures = pictures::read(self.pixels, rows, &self.device.clone().inner())?;
        let features = self.plain.1.features(pictures.clone());
        Ok(weights::scalars(self.losses(&self.encoder.valid(), pictures, features, &self.plain)))
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<(), VisionError> {
        if !self.look.is_wanted(epoch) {
            return Ok(());
        }
        let encoder = self.encoder.valid();
        let rebuild = |pictures| self.plain.0.forward(encoder.forward(pictures), None);
        let device = self.device.clone().inner();
        self.look.show_rebuilt(epoch, self.pixels, &self.shown, &device, &rebuild)
    }

    fn state(&self) -> Tensors {
        let mut state = self.weights();
        state.extend(self.optimizer.state(MOMENTS));
        state
    }

    fn restore(&mut self, state: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.put_weights(state, path)?;
        let device = self.device.clone().inner();
        self.optimizer.restore(state, MOMENTS, path, &device)
    }

    fn weights(&self) -> Tensors {
        weights::take(&self.encoder, ENCODER)
    }

    fn put_weights(&mut self, weights: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.encoder = weights::put(self.encoder.clone(), weights, ENCODER, path)?;
        Ok(())
    }

    fn advice(&self, _term: &str) -> String {
        "go on with --resume and a lower --encoder-rate (a tenth is a good try), or begin with --fresh and \
         --squash tanh3"
            .to_owned()
    }
}
