//! The confusion model as a network that can be asked what it looked at.
//!
//! The logits are those of use: the classifier on the means of the latent numbers, no noise. The maps are what a
//! block gives on (after its leaky ReLU and norm), `block1` to `block4`, and `bottleneck1` and on.

use burn::tensor::{Tensor, TensorData};
use volary_core::PixelShape;

use crate::attention::{AttentionError, Maps, Network};
use crate::confusion::model::Model;
use crate::weights;

/// The layer that shows the evidence for a class, if coarsely.
pub const DEFAULT_LAYER: &str = "block4";

impl Network for Model {
    fn shape(&self) -> PixelShape {
        self.pixels()
    }

    fn n_classes(&self) -> usize {
        self.config().classes.len()
    }

    fn layers(&self) -> Vec<String> {
        let [blocks, bottleneck] = self.network.encoder.n_layers();
        let named = |name, n| (1..=n).map(move |i| format!("{name}{i}"));
        named("block", blocks).chain(named("bottleneck", bottleneck)).collect()
    }

    fn maps(&self, picture: &[f32], layer: &str) -> Result<Maps, AttentionError> {
        let known = self.layers();
        let Some(last) = known.iter().position(|name| name == layer) else {
            return Err(AttentionError::UnknownLayer { layer: layer.to_owned(), known });
        };
        let maps = self.network.encoder.maps(self.tensor(picture), last);
        let [_, n, height, width] = maps.dims();
        let values = weights::values(maps).values;
        Maps::new(n, height, width, values)
            .ok_or_else(|| AttentionError::Network("its maps have another size than they say".into()))
    }

    fn logits(&self, pictures: &[f32]) -> Result<Vec<f32>, AttentionError> {
        let (mean, _) = self.network.encoder.forward(self.tensor(pictures));
        Ok(weights::values(self.network.classifier.forward(mean)).values)
    }
}

impl Model {
    fn tensor(&self, pictures: &[f32]) -> Tensor<4> {
        let PixelShape { channels, height, width } = self.pixels();
        let n = pictures.len() / (channels * height * width).max(1);
        let whole = pictures[..n * channels * height * width].to_vec();
        Tensor::from_data(TensorData::new(whole, [n, channels, height, width]), &self.device)
    }
}
