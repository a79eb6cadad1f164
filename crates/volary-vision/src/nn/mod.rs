//! The layers that the networks are made of: convolutions, their transposes, linear maps, instance norm.
//!
//! Weights lie as PyTorch lays them (convolution `[out, in, height, width]`, transposed convolution
//! `[in, out, height, width]`, linear `[out, in]`) and start as PyTorch's do, drawn from a seeded generator
//! of ours, so that weights can be exchanged with it and a seed gives the same network everywhere. What a
//! network does with its layers is in `confusion/` and `anomaly/`.

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
pub(crate) const LEAKY_SLOPE: f64 = 0.2;

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

    /// The other kernel that halves: 5 × 5, step 2, with two zeros above and left and one below and right. It
    /// doubles, transposed.
    pub(crate) const fn halving_5(n_in: usize, n_out: usize) -> Self {
        Self { n_in, n_out, kernel: 5, stride: 2, padding: 2 }
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

    /// A layer with the starting weights of Gulrajani et al. 2017, whose maps neither grow nor shrink forwards
    /// and backwards: uniform with a variance of `4 / (in + out)`, numbers that come in and go out at a
    /// position; no bias.
    pub(crate) fn balanced(window: Window, rng: &mut Rng, device: &Device) -> Self {
        let Window { n_in, n_out, kernel, stride, padding } = window;
        let bound = balanced_bound(window);
        Self {
            weight: uniform([n_out, n_in, kernel, kernel], bound, rng, device),
            bias: zeros(n_out, device),
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

    /// Runs the layer and a ReLU in one go.
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::Relu)
    }

    /// Runs the layer, [`leaky_relu`] and then [`instance_norm`] in one go.
    pub(crate) fn forward_leaky_norm(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::LeakyNorm)
    }

    /// Takes a gradient of what the layer gave back to what went in, of so many pixels; linear in both the
    /// gradient and the weights, and the bias has no part in it.
    pub(crate) fn adjoint(&self, gradient: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
        let weight = self.weight.val();
        let [_, n_in, kernel, _] = weight.dims();
        let [_, _, rows, columns] = gradient.dims();
        // What is left over where the kernel's last step does not reach the edge.
        let rest = |size: usize, n: usize| {
            (size + 2 * self.padding).saturating_sub(n.saturating_sub(1) * self.stride + kernel)
        };
        debug_assert_eq!(rest(height, rows), rest(width, columns), "one rest for both axes");
        let layer = Layer {
            transposed: true,
            stride: self.stride,
            padding: self.padding,
            rest: rest(height, rows),
            finish: Finish::Plain,
        };
        let bias = Tensor::zeros([n_in], &gradient.device());
        ops::run(gradient, weight, bias, layer)
    }

    fn run(&self, x: Tensor<4>, finish: Finish) -> Tensor<4> {
        let layer =
            Layer { transposed: false, stride: self.stride, padding: self.padding, rest: 0, finish };
        ops::run(x, self.weight.val(), self.bias.val(), layer)
    }
}

/// A transposed convolution with a bias. `[batch, in, height, width]` to `[batch, out, height', width']`, where
/// a side is `stride` times as long for the kernels of [`Window`].
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

    /// A layer with the starting weights of [`Conv2d::balanced`].
    pub(crate) fn balanced(window: Window, rng: &mut Rng, device: &Device) -> Self {
        let Window { n_in, n_out, kernel, stride, padding } = window;
        // Seen from what comes out, the kernel walks the other way.
        let bound = balanced_bound(Window { n_in: n_out, n_out: n_in, ..window });
        Self {
            weight: uniform([n_in, n_out, kernel, kernel], bound, rng, device),
            bias: zeros(n_out, device),
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

    /// Runs the layer and a ReLU in one go.
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::Relu)
    }

    /// Runs the layer, [`leaky_relu`] and then [`instance_norm`] in one go.
    pub(crate) fn forward_leaky_norm(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Finish::LeakyNorm)
    }

    fn run(&self, x: Tensor<4>, finish: Finish) -> Tensor<4> {
        let [_, _, kernel, _] = self.weight.dims();
        // So much that a side grows by the stride, exactly.
        let rest = (self.stride + 2 * self.padding).saturating_sub(kernel);
        let layer = Layer { transposed: true, stride: self.stride, padding: self.padding, rest, finish };
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

    /// A layer with the starting weights of Glorot & Bengio 2010: uniform with a variance of `2 / (in + out)`; no
    /// bias.
    pub(crate) fn balanced(n_in: usize, n_out: usize, rng: &mut Rng, device: &Device) -> Self {
        let bound = (6.0 / (n_in + n_out) as f32).sqrt();
        Self { weight: uniform([n_out, n_in], bound, rng, device), bias: zeros(n_out, device) }
    }

    /// The weights, `[out, in]`.
    pub(crate) fn weights(&self) -> Tensor<2> {
        self.weight.val()
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

/// Where a uniform distribution with a variance of `4 / (in + out)` ends.
fn balanced_bound(window: Window) -> f32 {
    let Window { n_in, n_out, kernel, stride, .. } = window;
    let into = n_in * kernel * kernel;
    let out = n_out * kernel * kernel / (stride * stride);
    (12.0 / (into + out) as f32).sqrt()
}

fn zeros(n: usize, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::zeros([n], device))
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
