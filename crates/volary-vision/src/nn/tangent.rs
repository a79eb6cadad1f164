//! Derivatives along a direction, carried forward through the layers beside the values: what a small change of
//! the picture does to each map (forward-mode differentiation).
//!
//! They are made of ordinary operations and so have gradients of their own, which is how a loss on a slope is
//! descended although Burn has no gradient of a gradient.

use burn::tensor::Tensor;

use crate::nn::{Conv2d, LEAKY_SLOPE, Linear, NORM_EPSILON};

/// Maps, and how they change along a direction.
#[derive(Clone, Debug)]
pub(crate) struct Moving {
    pub(crate) value: Tensor<4>,
    pub(crate) change: Tensor<4>,
}

impl Moving {
    /// The maps after a convolution.
    pub(crate) fn conv(self, layer: &Conv2d) -> Self {
        let bias = layer.bias.val();
        let [channels] = bias.dims();
        // A linear map changes by itself, without its constant.
        let change = layer.forward(self.change) - bias.reshape([1, channels, 1, 1]);
        Self { value: layer.forward(self.value), change }
    }

    /// The maps after a leaky ReLU.
    pub(crate) fn leaky_relu(self) -> Self {
        let rises = self.value.clone().greater_elem(0.0).float();
        let change = self.change * (rises * (1.0 - LEAKY_SLOPE) + LEAKY_SLOPE);
        Self { value: super::leaky_relu(self.value), change }
    }

    /// The maps after an instance norm: `(dx - mean dx - y mean (y dx)) / sd` for `y = (x - mean x) / sd`.
    pub(crate) fn instance_norm(self) -> Self {
        let [batch, channels, height, width] = self.value.dims();
        if height * width == 1 {
            return self;
        }
        let shape = [batch, channels, height * width];
        let value = self.value.reshape(shape);
        let centred = value.clone() - value.mean_dim(2);
        let sd = (centred.clone().square().mean_dim(2) + NORM_EPSILON).sqrt();
        let value = centred / sd.clone();
        let change = self.change.reshape(shape);
        let change = change.clone() - change.mean_dim(2);
        let along = (value.clone() * change.clone()).mean_dim(2);
        let change = (change - value.clone() * along) / sd;
        let whole = [batch, channels, height, width];
        Self { value: value.reshape(whole), change: change.reshape(whole) }
    }

    /// What a linear map makes of the maps laid out in a row, and how that changes.
    pub(crate) fn linear(&self, layer: &Linear) -> [Tensor<2>; 2] {
        let change: Tensor<2> = self.change.clone().flatten(1, 3);
        let change = layer.forward(change) - layer.bias.val().unsqueeze();
        [layer.forward(self.value.clone().flatten(1, 3)), change]
    }
}
