//! Encoder and decoder, as one.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use volary_core::seed::Rng;

use crate::anomaly::network::{Encoder, Generator};
use crate::anomaly::{Shape, Squash};

/// Pictures to latent numbers and back.
#[derive(Module, Debug)]
pub(crate) struct Autoencoder {
    pub(crate) encoder: Encoder,
    /// Without noise.
    decoder: Generator,
}

impl Autoencoder {
    /// A network with starting weights. The shape has been checked.
    pub(crate) fn new(shape: &Shape, squash: Squash, rng: &mut Rng, device: &Device) -> Self {
        Self {
            encoder: Encoder::new(shape, squash, rng, device),
            decoder: Generator::new(shape, rng, device),
        }
    }

    /// The latent numbers of pictures, `[batch, latents]`, and the pictures that are rebuilt of them.
    pub(crate) fn forward(&self, pictures: Tensor<4>) -> (Tensor<2>, Tensor<4>) {
        let latents = self.encoder.forward(pictures);
        (latents.clone(), self.decoder.forward(latents, None))
    }
}
