//! The network: two blocks of two convolutions, a dense layer, a logit a class.
//!
//! As `vgg6` of gotorb, for three channels and 55 pixels, 16 and 32 maps and 256 numbers:
//!
//! - block 1: two convolutions 3 × 3 without zeros around (3 → 16 → 16), ReLU each; the largest of 2 × 2;
//! - block 2: two more (16 → 32 → 32); the largest of 4 × 4: 32 maps of 5 × 5;
//! - dense: 800 → 256 with ReLU; linear: one logit a class.
//!
//! Behind each block whole maps are left out at random, behind the dense layer numbers. What is left out is
//! drawn outside of the network: anew for each picture in training, the same for all pictures of a pass in use,
//! not at all where one answer is wanted.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData, module};
use rand::RngExt as _;
use volary_core::seed::Rng;

use crate::classifier::settings::{Dropout, POOLS, Shape};
use crate::nn::{Conv2d, Linear, Window};

/// What is left out, as factors: 0, or what makes up for it.
#[derive(Clone, Debug)]
pub(crate) struct Masks {
    /// Behind each block, `[pictures or 1, maps, 1, 1]`.
    maps: [Tensor<4>; 2],
    /// `[pictures or 1, dense]`.
    dense: Tensor<2>,
}

impl Masks {
    /// Draws for `n` pictures, or one for all of them.
    pub(crate) fn draw(
        n: usize,
        shape: &Shape,
        dropout: Dropout,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let maps = shape.filters.map(|width| {
            let factors = factors(n * width, dropout.maps, rng);
            Tensor::from_data(TensorData::new(factors, [n, width, 1, 1]), device)
        });
        let dense = factors(n * shape.dense, dropout.dense, rng);
        Self { maps, dense: Tensor::from_data(TensorData::new(dense, [n, shape.dense]), device) }
    }
}

#[cfg(test)]
impl Masks {
    /// Every third number is left out, counted row by row.
    pub(crate) fn every_third(n: usize, shape: &Shape, device: &Device) -> Self {
        let factors =
            |n: usize| -> Vec<f32> { (0..n).map(|i| if i % 3 == 0 { 0.0 } else { 1.5 }).collect() };
        let maps = shape.filters.map(|width| {
            Tensor::from_data(TensorData::new(factors(n * width), [n, width, 1, 1]), device)
        });
        let dense = TensorData::new(factors(n * shape.dense), [n, shape.dense]);
        Self { maps, dense: Tensor::from_data(dense, device) }
    }
}

fn factors(n: usize, share: f64, rng: &mut Rng) -> Vec<f32> {
    let kept = (1.0 / (1.0 - share)) as f32;
    (0..n).map(|_| if rng.random::<f64>() < share { 0.0 } else { kept }).collect()
}

/// What comes out for pictures.
pub(crate) struct Out {
    /// Numbers of the dense layer, before any is left out, `[pictures, dense]`.
    pub(crate) features: Tensor<2>,
    /// `[pictures, classes]`.
    pub(crate) logits: Tensor<2>,
}

/// The network.
#[derive(Module, Debug)]
pub(crate) struct Network {
    convolutions: Vec<Conv2d>,
    dense: Linear,
    classifier: Linear,
}

impl Network {
    /// A network with starting weights. The shape has been checked.
    pub(crate) fn new(shape: &Shape, rng: &mut Rng, device: &Device) -> Self {
        let [first, second] = shape.filters;
        let widths = [shape.channels, first, first, second, second];
        let convolutions = widths.windows(2).map(|w| {
            let window = Window { n_in: w[0], n_out: w[1], kernel: 3, stride: 1, padding: 0 };
            Conv2d::new(window, rng, device)
        });
        Self {
            convolutions: convolutions.collect(),
            dense: Linear::new(shape.n_flat(), shape.dense, rng, device),
            classifier: Linear::new(shape.dense, shape.n_classes, rng, device),
        }
    }

    /// The maps of the first block, before any is left out. They are the same in every pass.
    pub(crate) fn first(&self, pictures: Tensor<4>) -> Tensor<4> {
        pooled(self.block(pictures, 0), POOLS[0])
    }

    /// What follows the first block.
    pub(crate) fn rest(&self, maps: Tensor<4>, masks: Option<&Masks>) -> Out {
        let left = |maps: Tensor<4>, at: usize| match masks {
            Some(masks) => maps * masks.maps[at].clone(),
            None => maps,
        };
        let maps = pooled(self.block(left(maps, 0), 2), POOLS[1]);
        let flat: Tensor<2> = left(maps, 1).flatten(1, 3);
        let features = relu(self.dense.forward(flat));
        let used = match masks {
            Some(masks) => features.clone() * masks.dense.clone(),
            None => features.clone(),
        };
        Out { features, logits: self.classifier.forward(used) }
    }

    /// All of it.
    pub(crate) fn forward(&self, pictures: Tensor<4>, masks: Option<&Masks>) -> Out {
        self.rest(self.first(pictures), masks)
    }

    /// The sum of the squares of the kernels.
    pub(crate) fn squares(&self) -> Tensor<1> {
        let sums: Vec<Tensor<1>> = self.convolutions.iter().map(Conv2d::squares).collect();
        Tensor::cat(sums, 0).sum()
    }

    fn block(&self, x: Tensor<4>, from: usize) -> Tensor<4> {
        let layers = self.convolutions.iter().skip(from).take(2);
        layers.fold(x, |x, layer| relu(layer.forward(x)))
    }
}

fn pooled(x: Tensor<4>, step: usize) -> Tensor<4> {
    module::max_pool2d(x, MaxPoolOptions::new([step; 2]))
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
