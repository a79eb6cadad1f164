//! What is added to a loss so that weights stay small.

use burn::tensor::Tensor;

use super::Conv2d;

impl Conv2d {
    /// The sum of the squares of its kernels.
    pub(crate) fn squares(&self) -> Tensor<1> {
        self.weight.val().square().sum()
    }
}
