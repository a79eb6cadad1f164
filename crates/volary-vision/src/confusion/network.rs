//! The network: a convolutional variational autoencoder with a linear classifier on its latent numbers.
//!
//! Sankar et al. 2024, doi:10.5334/cstp.731, as in the authors' code (ramanakumars/cvae). Its layers, for
//! 128 filters, hidden maps (64, 8), three channels and 96 pixels:
//!
//! - encoder: four convolutions 4 × 4, step 2 (3 → 32 → 64 → 128 → 128), each with leaky ReLU and then
//!   instance norm; 1 × 1 to 64 and 8 maps with leaky ReLU; two linear maps 288 → 288, mean and logarithm of
//!   the variance;
//! - decoder: linear 288 → 288; 1 × 1 to 8 and 64 maps; three transposed convolutions with leaky ReLU and
//!   norm, a fourth to the channels with leaky ReLU; 3 × 3; sigmoid;
//! - classifier: linear, one logit a class.

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use volary_core::seed::Rng;

use crate::confusion::settings::Shape;
use crate::nn::tangent::Moving;
use crate::nn::{Conv2d, ConvTranspose2d, Linear, Window};

/// Pictures to latent numbers.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    blocks: Vec<Conv2d>,
    bottleneck: Vec<Conv2d>,
    mean: Linear,
    log_variance: Linear,
}

impl Encoder {
    /// Mean and logarithm of the variance of the latent numbers, `[batch, latents]` each.
    pub(crate) fn forward(&self, pictures: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let mut x = pictures;
        for block in &self.blocks {
            x = block.forward_leaky_norm(x);
        }
        for layer in &self.bottleneck {
            x = layer.forward_leaky(x);
        }
        let x: Tensor<2> = x.flatten(1, 3);
        (self.mean.forward(x.clone()), self.log_variance.forward(x))
    }

    /// The maps after layer `last` (the blocks, then the bottleneck), counted from 0.
    pub(crate) fn maps(&self, pictures: Tensor<4>, last: usize) -> Tensor<4> {
        let blocks = self.blocks.iter().take(last + 1);
        let x = blocks.fold(pictures, |x, block| block.forward_leaky_norm(x));
        let bottleneck = self.bottleneck.iter().take((last + 1).saturating_sub(self.blocks.len()));
        bottleneck.fold(x, |x, layer| layer.forward_leaky(x))
    }

    /// Convolution blocks, and layers of the bottleneck.
    pub(crate) fn n_layers(&self) -> [usize; 2] {
        [self.blocks.len(), self.bottleneck.len()]
    }

    /// Mean and logarithm of the variance, each with its change where the pictures change by `change`.
    pub(crate) fn moving(&self, pictures: Tensor<4>, change: Tensor<4>) -> [[Tensor<2>; 2]; 2] {
        let mut x = Moving { value: pictures, change };
        for block in &self.blocks {
            x = x.conv(block).leaky_relu().instance_norm();
        }
        for layer in &self.bottleneck {
            x = x.conv(layer).leaky_relu();
        }
        [x.linear(&self.mean), x.linear(&self.log_variance)]
    }
}

/// Latent numbers to pictures.
#[derive(Module, Debug)]
pub(crate) struct Decoder {
    latent: Linear,
    widen: Vec<Conv2d>,
    grow: Vec<ConvTranspose2d>,
    picture: ConvTranspose2d,
    smooth: Conv2d,
    #[module(skip)]
    grid: [usize; 2],
}

impl Decoder {
    /// Pictures of latent numbers, values in 0 to 1.
    pub(crate) fn forward(&self, latents: Tensor<2>) -> Tensor<4> {
        let [batch, n] = latents.dims();
        let [height, width] = self.grid;
        let maps = n / (height * width);
        let mut x = self.latent.forward(latents).reshape([batch, maps, height, width]);
        for layer in &self.widen {
            x = layer.forward_leaky(x);
        }
        for layer in &self.grow {
            x = layer.forward_leaky_norm(x);
        }
        let x = self.picture.forward_leaky(x);
        sigmoid(self.smooth.forward(x))
    }
}

/// Encoder, decoder and classifier.
#[derive(Module, Debug)]
pub(crate) struct Network {
    pub(crate) encoder: Encoder,
    pub(crate) decoder: Decoder,
    pub(crate) classifier: Linear,
}

impl Network {
    /// A network with starting weights. The shape has been checked.
    pub(crate) fn new(shape: &Shape, rng: &mut Rng, device: &Device) -> Self {
        let Shape { channels, n_classes, filters, ref hidden, .. } = *shape;
        let n_latents = shape.n_latents();
        let linear = |n_out, rng: &mut Rng| Linear::new(n_latents, n_out, rng, device);
        let widths = [channels, filters / 4, filters / 2, filters, filters];
        let blocks = pairs(&widths).map(|(n_in, n_out)| Window::halving(n_in, n_out));
        let narrow: Vec<usize> = std::iter::once(filters).chain(hidden.iter().copied()).collect();
        let bottleneck = pairs(&narrow).map(|(n_in, n_out)| Window::pointwise(n_in, n_out));
        let encoder = Encoder {
            blocks: blocks.map(|window| Conv2d::new(window, rng, device)).collect(),
            bottleneck: bottleneck.map(|window| Conv2d::new(window, rng, device)).collect(),
            mean: linear(n_latents, rng),
            log_variance: linear(n_latents, rng),
        };
        // The same maps backwards, the narrowest of them twice.
        let last = hidden.last().copied();
        let wide: Vec<usize> = last.into_iter().chain(hidden.iter().rev().copied()).collect();
        let first = hidden.first().copied().unwrap_or(filters);
        let widths = [first, filters, filters / 2, filters / 4];
        let decoder = Decoder {
            latent: linear(n_latents, rng),
            widen: pairs(&wide)
                .map(|(n_in, n_out)| Conv2d::new(Window::pointwise(n_in, n_out), rng, device))
                .collect(),
            grow: pairs(&widths)
                .map(|(n_in, n_out)| ConvTranspose2d::new(Window::halving(n_in, n_out), rng, device))
                .collect(),
            picture: ConvTranspose2d::new(Window::halving(filters / 4, channels), rng, device),
            smooth: Conv2d::new(Window::smoothing(channels, channels), rng, device),
            grid: shape.grid(),
        };
        Self { encoder, decoder, classifier: linear(n_classes, rng) }
    }
}

fn pairs(widths: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    widths.windows(2).map(|pair| (pair[0], pair[1]))
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
