//! The layers that the networks are made of: convolutions, their transposes, linear maps, instance norm.
//!
//! Weights lie as PyTorch lays them (convolution `[out, in, height, width]`, transposed convolution
//! `[in, out, height, width]`, linear `[out, in]`) and start as PyTorch's do, drawn from a seeded generator
//! of ours, so that weights can be exchanged with it and a seed gives the same network everywhere. What a
//! network does with its layers is in `confusion/`.

mod kernels;
mod ops;
mod penalty;
pub(crate) mod tangent;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt as _;
use volary_core::seed::Rng;

use self::kernels::Finish;
use self::ops::Layer;

/// Added to the variance in [`instance_norm`], as in PyTorch.
const NORM_EPSILON: f64 = 1e-5;
/// Slope of [`leaky_relu`] below zero.
const LEAKY_SLOPE: f64 = 0.2;

/// The shape of a convolution: a square kernel over channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Channels going in.
    pub(crate) n_in: usize,
    /// Channels coming out.
    pub(crate) n_out: usize,
    /// Height and width of the kernel in pixels.
    pub(crate) kernel: usize,
    /// Step of the kernel in pixels.
    pub(crate) stride: usize,
    /// Zeros put around the input in pixels.
    pub(crate) padding: usize,
}

impl Window {
    /// The kernel that halves a picture (or doubles it, transposed): 4 × 4, step 2, one zero around.
    pub(crate) const fn halving(n_in: usize, n_out: usize) -> Self {
        Self { n_in, n_out, kernel: 4, stride: 2, padding: 1 }
    }

    /// A kernel of one pixel: a linear map of the channels, pixel by pixel.
    pub(crate) const fn pointwise(n_in: usize, n_out: usize) -> Self {
        Self { n_in, n_out, kernel: 1, stride: 1, padding: 0 }
    }

    /// 3 × 3 with a zero around: the picture keeps its size.
    pub(crate) const fn smoothing(n_in: usize, n_out: usize) -> Self {
        Self { n_in, n_out, kernel: 3, stride: 1, padding: 1 }
    }
}

/// A convolution with a bias. `[batch, in, height, width]` to `[batch, out, height', width']`.
#[derive(Module, Debug)]
pub(crate) struct Conv2d {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
}

impl Conv2d {
    /// A layer with PyTorch's starting weights: uniform within `1 / sqrt(in * kernel²)`.
    pub(crate) fn new(window: Window, rng: &mut Rng, device: &Device) -> Self {
        let Window { n_in, n_out, kernel, stride, padding } = window;
        let bound = bound(n_in * kernel * kernel);
        Self {
            weight: uniform([n_out, n_in, kernel, kernel], bound, rng, device),
            bias: uniform([n_out], bound, rng, device),
            stride,
            padding,
        }
    }

    /// Runs the layer.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::Plain)
    }

    /// Runs the layer and [`leaky_relu`] in one go.
    pub(crate) fn forward_leaky(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::Leaky)
    }

    /// Runs the layer, [`leaky_relu`] and then [`instance_norm`] in one go.
    pub(crate) fn forward_leaky_norm(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::LeakyNorm)
    }

    fn run(&self, x: Tensor<4>, finish: Finish) -> Tensor<4> {
        let layer = Layer { transposed: false, stride: self.stride, padding: self.padding, finish };
        ops::run(x, self.weight.val(), self.bias.val(), layer)
    }
}

/// A transposed convolution with a bias. `[batch, in, height, width]` to `[batch, out, height', width']`.
#[derive(Module, Debug)]
pub(crate) struct ConvTranspose2d {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
}

impl ConvTranspose2d {
    /// A layer with PyTorch's starting weights: uniform within `1 / sqrt(out * kernel²)` (PyTorch counts
    /// the second axis of the weights, which here is that of the outputs).
    pub(crate) fn new(window: Window, rng: &mut Rng, device: &Device) -> Self {
        let Window { n_in, n_out, kernel, stride, padding } = window;
        let bound = bound(n_out * kernel * kernel);
        Self {
            weight: uniform([n_in, n_out, kernel, kernel], bound, rng, device),
            bias: uniform([n_out], bound, rng, device),
            stride,
            padding,
        }
    }

    /// Runs the layer and [`leaky_relu`] in one go.
    pub(crate) fn forward_leaky(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::Leaky)
    }

    /// Runs the layer, [`leaky_relu`] and then [`instance_norm`] in one go.
    pub(crate) fn forward_leaky_norm(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::LeakyNorm)
    }

    fn run(&self, x: Tensor<4>, finish: Finish) -> Tensor<4> {
        let layer = Layer { transposed: true, stride: self.stride, padding: self.padding, finish };
        ops::run(x, self.weight.val(), self.bias.val(), layer)
    }
}

/// A linear map with a bias. `[batch, in]` to `[batch, out]`.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Linear {
    /// A layer with PyTorch's starting weights: uniform within `1 / sqrt(in)`.
    pub(crate) fn new(n_in: usize, n_out: usize, rng: &mut Rng, device: &Device) -> Self {
        let bound = bound(n_in);
        Self {
            weight: uniform([n_out, n_in], bound, rng, device),
            bias: uniform([n_out], bound, rng, device),
        }
    }

    /// Runs the layer.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze()
    }
}

/// Takes mean and standard deviation out of every channel of every picture; nothing is learned, and it is
/// the same in training and in use (Ulyanov et al. 2016, arXiv:1607.08022).
///
/// A map of a single pixel is left as it is: its deviation from its own mean is nothing, so that the norm
/// would erase it (PyTorch refuses it).
pub(crate) fn instance_norm(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    if height * width == 1 {
        return x;
    }
    let flat = x.reshape([batch, channels, height * width]);
    let centred = flat.clone() - flat.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    (centred / (variance + NORM_EPSILON).sqrt()).reshape([batch, channels, height, width])
}

/// `x` above zero, `0.2 x` below.
pub(crate) fn leaky_relu(x: Tensor<4>) -> Tensor<4> {
    burn::tensor::activation::leaky_relu(x, LEAKY_SLOPE)
}

fn bound(fan_in: usize) -> f32 {
    1.0 / (fan_in as f32).sqrt()
}

fn uniform<const D: usize>(
    shape: [usize; D],
    bound: f32,
    rng: &mut Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|_| rng.random_range(-bound..bound)).collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}
