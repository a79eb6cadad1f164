//! The autoencoder in training: `L = mean d(x, D(E(x)))`, the distance a sum over the numbers of a picture and the
//! mean one over pictures.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use volary_core::Pixels;
use volary_core::seed::stream;

use crate::anomaly::Shape;
use crate::anomaly::gallery::Look;
use crate::anomaly::network::distance;
use crate::autoencoder::network::Autoencoder;
use crate::autoencoder::settings::Settings;
use crate::error::VisionError;
use crate::pictures;
use crate::training::optimizer::Optimizer;
use crate::training::{Learner, Place};
use crate::weights::{self, Tensors};

/// The name of the loss.
const TERMS: [&str; 1] = ["reconstruction"];

/// The autoencoder in training.
pub(crate) struct Rebuilding<'a> {
    pixels: &'a dyn Pixels,
    settings: &'a Settings,
    network: Autoencoder,
    optimizer: Optimizer,
    /// For use; that of training keeps gradients.
    device: Device,
    /// Rows to rebuild for whoever looks.
    shown: Vec<usize>,
    look: Look<'a>,
}

impl<'a> Rebuilding<'a> {
    /// With starting weights.
    pub(crate) fn new(
        pixels: &'a dyn Pixels,
        shape: &Shape,
        settings: &'a Settings,
        device: &Device,
        shown: Vec<usize>,
        look: Look<'a>,
    ) -> Self {
        let mut rng = stream(settings.seed, "starting weights of the autoencoder");
        Self {
            pixels,
            settings,
            network: Autoencoder::new(shape, settings.squash, &mut rng, &device.clone().autodiff()),
            optimizer: Optimizer::new(settings.plan.descent),
            device: device.clone(),
            shown,
            look,
        }
    }

    /// The network for use.
    pub(crate) fn into_network(self) -> Autoencoder {
        self.network.valid()
    }

    /// Shows what is rebuilt now.
    pub(crate) fn show(&mut self, epoch: usize) -> Result<(), VisionError> {
        let network = self.network.valid();
        let rebuild = |pictures| network.forward(pictures).1;
        self.look.show_rebuilt(epoch, self.pixels, &self.shown, &self.device, &rebuild)
    }

    fn loss(&self, network: &Autoencoder, pictures: Tensor<4>) -> Tensor<1> {
        let (_, rebuilt) = network.forward(pictures.clone());
        distance(pictures, rebuilt, self.settings.distance).mean()
    }
}

const NETWORK: &str = "network.";
const MOMENTS: &str = "moments.";

impl Learner for Rebuilding<'_> {
    fn terms(&self) -> &'static [&'static str] {
        &TERMS
    }

    fn step(&mut self, rows: &[usize], rate: f64, place: Place) -> Result<Vec<f64>, VisionError> {
        let Place { epoch, batch } = place;
        let mut rng = stream(self.settings.seed, &format!("poses of epoch {epoch}, batch {batch}"));
        let poses = self.settings.augment.draw(rows.len(), &mut rng);
        let pictures = pictures::read_posed(self.pixels, rows, &poses, &self.device)?;
        let loss = self.loss(&self.network, Tensor::from_inner(pictures));
        let values = weights::scalars([loss.clone()]);
        if values.iter().all(|value| value.is_finite()) {
            let mut gradients = loss.backward();
            self.network = self.optimizer.step(self.network.clone(), &mut gradients, rate);
        }
        Ok(values)
    }

    fn judge(&self, rows: &[usize]) -> Result<Vec<f64>, VisionError> {
        let pictures = pictures::read(self.pixels, rows, &self.device)?;
        Ok(weights::scalars([self.loss(&self.network.valid(), pictures)]))
    }

    fn end_epoch(&mut self, epoch: usize) -> Result<(), VisionError> {
        if self.look.is_wanted(epoch) { self.show(epoch) } else { Ok(()) }
    }

    fn state(&self) -> Tensors {
        let mut state = self.weights();
        state.extend(self.optimizer.state(MOMENTS));
        state
    }

    fn restore(&mut self, state: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.put_weights(state, path)?;
        self.optimizer.restore(state, MOMENTS, path, &self.device)
    }

    fn weights(&self) -> Tensors {
        weights::take(&self.network, NETWORK)
    }

    fn put_weights(&mut self, weights: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.network = weights::put(self.network.clone(), weights, NETWORK, path)?;
        Ok(())
    }

    fn advice(&self, _term: &str) -> String {
        "go on with --resume and a lower --rate (a tenth is a good try), or begin with --fresh and --squash \
         tanh3"
            .to_owned()
    }
}
