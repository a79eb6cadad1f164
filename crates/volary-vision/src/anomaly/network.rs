//! The three networks: a generator that makes pictures of latent numbers, a critic that tells them from real
//! ones, an encoder that finds the latent numbers of a picture.
//!
//! The layers are those of the paper's parent (kstoreyf/anomalies-GAN-HSC, after Gulrajani et al. 2017): for
//! 64 filters, 128 latent numbers, three channels and 96 pixels,
//!
//! - generator: linear 128 → 18,432, ReLU; transposed convolutions 512 → 256 → 128 → 64 → 3 (6 to 96 px), ReLU
//!   between them, noise on the second's maps; sigmoid;
//! - critic: convolutions 3 → 64 → 128 → 256 → 512, each with leaky ReLU 0.2; what the last gives, laid out in
//!   a row, are a picture's *features*; linear to one number, the higher the more real;
//! - encoder: the same convolutions with ReLU; linear to 128.
//!
//! All convolutions are 5 × 5, step 2, with two zeros above and left and one below and right (TensorFlow's
//! "same" has one and two; mirrored pictures give the mirrored result). No norms: a critic with a penalty on
//! the slope at every single picture must not mix pictures.

use burn::module::Module;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use volary_core::seed::Rng;

use crate::anomaly::settings::{Shape, Squash};
use crate::nn::{Conv2d, ConvTranspose2d, LEAKY_SLOPE, Linear, Window};

/// Two 3 × 3 convolutions with a leaky ReLU between them, added to what went in.
#[derive(Module, Debug)]
pub(crate) struct Residual {
    first: Conv2d,
    second: Conv2d,
}

impl Residual {
    fn new(width: usize, rng: &mut Rng, device: &Device) -> Self {
        let window = Window::smoothing(width, width);
        Self {
            first: Conv2d::balanced(window, rng, device),
            second: Conv2d::balanced(window, rng, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        x.clone() + self.second.forward(self.first.forward_leaky(x))
    }
}

/// Latent numbers to pictures.
#[derive(Module, Debug)]
pub(crate) struct Generator {
    latent: Linear,
    grow: Vec<ConvTranspose2d>,
    residual: Vec<Residual>,
    picture: ConvTranspose2d,
    #[module(skip)]
    grid: [usize; 2],
}

/// The noise comes after so many of the generator's layers.
const NOISE_AFTER: usize = 2;

impl Generator {
    /// A network with starting weights. The shape has been checked.
    pub(crate) fn new(shape: &Shape, rng: &mut Rng, device: &Device) -> Self {
        let [last, third, second, first] = shape.widths();
        let grow = [(first, second), (second, third), (third, last)];
        let doubling = |(n_in, n_out), rng: &mut Rng| {
            ConvTranspose2d::balanced(Window::halving_5(n_in, n_out), rng, device)
        };
        let residual = if shape.residual { vec![second, third, last] } else { Vec::new() };
        Self {
            latent: Linear::balanced(shape.latents, shape.n_features(), rng, device),
            grow: grow.into_iter().map(|widths| doubling(widths, rng)).collect(),
            residual: residual.into_iter().map(|n| Residual::new(n, rng, device)).collect(),
            picture: doubling((last, shape.channels), rng),
            grid: shape.grid(),
        }
    }

    /// Pictures of latent numbers, values in 0 to 1. `noise` is added to the maps of [`Generator::noisy`].
    pub(crate) fn forward(&self, latents: Tensor<2>, noise: Option<Tensor<4>>) -> Tensor<4> {
        let [batch, _] = latents.dims();
        let [height, width] = self.grid;
        let x = relu(self.latent.forward(latents));
        let maps = x.dims()[1] / (height * width);
        let mut x = x.reshape([batch, maps, height, width]);
        let mut noise = noise;
        for (i, layer) in self.grow.iter().enumerate() {
            x = layer.forward_relu(x);
            if let Some(residual) = self.residual.get(i) {
                x = relu(residual.forward(x));
            }
            if i + 1 == NOISE_AFTER
                && let Some(noise) = noise.take()
            {
                x = x + noise;
            }
        }
        sigmoid(self.picture.forward(x))
    }

    /// Maps, height and width of what the noise of a picture is added to.
    pub(crate) fn noisy(shape: &Shape) -> [usize; 3] {
        let [height, width] = shape.grid();
        [shape.widths()[1], height << NOISE_AFTER, width << NOISE_AFTER]
    }
}

/// Pictures to one number each.
#[derive(Module, Debug)]
pub(crate) struct Critic {
    halve: Vec<Conv2d>,
    residual: Vec<Residual>,
    judge: Linear,
}

impl Critic {
    /// A network with starting weights. The shape has been checked.
    pub(crate) fn new(shape: &Shape, rng: &mut Rng, device: &Device) -> Self {
        let n_residual = if shape.residual { shape.widths().to_vec() } else { Vec::new() };
        Self {
            halve: halving(shape, rng, device),
            residual: n_residual.into_iter().map(|n| Residual::new(n, rng, device)).collect(),
            judge: Linear::balanced(shape.n_features(), 1, rng, device),
        }
    }

    /// The features of pictures, `[batch, features]`.
    pub(crate) fn features(&self, pictures: Tensor<4>) -> Tensor<2> {
        let mut x = pictures;
        for (i, layer) in self.halve.iter().enumerate() {
            x = layer.forward_leaky(x);
            if let Some(residual) = self.residual.get(i) {
                x = residual.forward(x);
            }
        }
        x.flatten(1, 3)
    }

    /// How real pictures look, `[batch, 1]`.
    pub(crate) fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        self.judge.forward(self.features(pictures))
    }

    /// The gradient of [`Critic::forward`] along the pixels of each picture, written out as the way back through
    /// the layers: transposed convolutions with the slopes of the activations between them.
    ///
    /// What it gives is made of ordinary operations on the weights, so that a loss on it has a gradient of
    /// first order. The slopes of a leaky ReLU are constant almost everywhere, so that pictures and biases have
    /// no part in that gradient but by the choice of the slopes, which is found on a copy that learns nothing.
    pub(crate) fn slope(&self, pictures: Tensor<4>) -> Tensor<4> {
        let blind = self.clone().no_grad();
        let mut x = pictures.detach();
        let mut passed = Vec::with_capacity(self.halve.len());
        for (i, layer) in blind.halve.iter().enumerate() {
            let [_, _, height, width] = x.dims();
            x = layer.forward_leaky(x);
            let slopes = slopes(&x);
            let inner = blind.residual.get(i).map(|residual| {
                let between = residual.first.forward_leaky(x.clone());
                x = x.clone() + residual.second.forward(between.clone());
                self::slopes(&between)
            });
            passed.push(Passed { size: [height, width], slopes, inner });
        }
        let [_, maps, height, width] = x.dims();
        let mut gradient = self.judge.weights().reshape([1, maps, height, width]);
        for (i, Passed { size, slopes, inner }) in passed.into_iter().enumerate().rev() {
            if let Some((residual, inner)) = self.residual.get(i).zip(inner) {
                // The first gradient is one for all pictures; from here on each has its own.
                let all = gradient.expand(slopes.dims());
                let through = residual.second.adjoint(all.clone(), [slopes.dims()[2], slopes.dims()[3]]);
                let [_, _, height, width] = through.dims();
                gradient = all + residual.first.adjoint(through * inner, [height, width]);
            }
            gradient = self.halve[i].adjoint(gradient * slopes, size);
        }
        gradient
    }
}

/// What the way back through a layer has to know.
struct Passed {
    /// Height and width of what went in.
    size: [usize; 2],
    slopes: Tensor<4>,
    /// The slopes inside of the residual block that follows.
    inner: Option<Tensor<4>>,
}

/// The slope of a leaky ReLU, where it gave `y`.
fn slopes(y: &Tensor<4>) -> Tensor<4> {
    y.clone().greater_elem(0.0).float() * (1.0 - LEAKY_SLOPE) + LEAKY_SLOPE
}

/// Pictures to latent numbers.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    halve: Vec<Conv2d>,
    latent: Linear,
    #[module(skip)]
    squash: Squash,
}

impl Encoder {
    /// A network with starting weights. The shape has been checked.
    pub(crate) fn new(shape: &Shape, squash: Squash, rng: &mut Rng, device: &Device) -> Self {
        Self {
            halve: halving(shape, rng, device),
            latent: Linear::balanced(shape.n_features(), shape.latents, rng, device),
            squash,
        }
    }

    /// The latent numbers of pictures, `[batch, latents]`.
    pub(crate) fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        let x = self.halve.iter().fold(pictures, |x, layer| layer.forward_relu(x));
        let x: Tensor<2> = x.flatten(1, 3);
        let z = self.latent.forward(x);
        match self.squash {
            Squash::None => z,
            Squash::Tanh => z.tanh(),
            Squash::Tanh3 => (z / 3.0).tanh() * 3.0,
        }
    }
}

fn halving(shape: &Shape, rng: &mut Rng, device: &Device) -> Vec<Conv2d> {
    let widths: Vec<usize> = std::iter::once(shape.channels).chain(shape.widths()).collect();
    let windows = widths.windows(2).map(|pair| Window::halving_5(pair[0], pair[1]));
    windows.map(|window| Conv2d::balanced(window, rng, device)).collect()
}

/// All three.
#[derive(Module, Debug)]
pub(crate) struct Networks {
    pub(crate) generator: Generator,
    pub(crate) critic: Critic,
    pub(crate) encoder: Encoder,
}

impl Networks {
    /// Networks with starting weights. The shape has been checked.
    pub(crate) fn new(shape: &Shape, squash: Squash, rng: &mut Rng, device: &Device) -> Self {
        Self {
            generator: Generator::new(shape, rng, device),
            critic: Critic::new(shape, rng, device),
            encoder: Encoder::new(shape, squash, rng, device),
        }
    }
}

/// How far what is rebuilt is from what was shown, a number each: the sum over all but the first axis.
pub(crate) fn distance<const D: usize>(
    shown: Tensor<D>,
    rebuilt: Tensor<D>,
    kind: crate::anomaly::settings::Distance,
) -> Tensor<1> {
    use crate::anomaly::settings::Distance;
    let [batch] = [shown.dims()[0]];
    let difference = shown - rebuilt;
    let far = match kind {
        Distance::Squares => difference.square(),
        Distance::Absolute => difference.abs(),
    };
    let n = far.shape().num_elements() / batch.max(1);
    let far: Tensor<2> = far.reshape([batch, n]);
    far.sum_dim(1).reshape([batch])
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
