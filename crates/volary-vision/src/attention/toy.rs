//! A network whose answer is known: every class is the mean brightness of one patch of the picture.

use volary_core::pixels::PixelShape;

use super::{AttentionError, Maps, Network};

/// Reads 24 × 24 pixels in 6 × 6 patches of 4 × 4; its layer has one map for every patch, which says how
/// bright that patch is, where it is.
pub(crate) struct Toy {
    constant: f32,
    reversed: bool,
    classes: Vec<usize>,
}

impl Toy {
    /// The patch (row, column) that each class reads.
    pub(crate) const PATCHES: [(usize, usize); 3] = [(1, 4), (4, 2), (3, 3)];

    pub(crate) fn new() -> Self {
        Self { constant: 0.0, reversed: false, classes: vec![0, 1, 2] }
    }

    pub(crate) fn shifted(constant: f32) -> Self {
        Self { constant, ..Self::new() }
    }

    pub(crate) fn reversed() -> Self {
        Self { reversed: true, ..Self::new() }
    }

    pub(crate) fn only(class: usize) -> Self {
        Self { classes: vec![class], ..Self::new() }
    }

    /// A grey picture that is a little uneven.
    pub(crate) fn picture() -> Vec<f32> {
        (0..24 * 24).map(|i| 0.6 + 0.3 * ((i * 7 % 13) as f32 / 13.0)).collect()
    }

    fn patch(picture: &[f32], row: usize, column: usize) -> f32 {
        let pixels = (0..16).map(|i| picture[(row * 4 + i / 4) * 24 + column * 4 + i % 4]);
        pixels.sum::<f32>() / 16.0
    }
}

impl Network for Toy {
    fn shape(&self) -> PixelShape {
        PixelShape { channels: 1, height: 24, width: 24 }
    }

    fn n_classes(&self) -> usize {
        self.classes.len()
    }

    fn layers(&self) -> Vec<String> {
        vec!["grid".into()]
    }

    fn maps(&self, picture: &[f32], layer: &str) -> Result<Maps, AttentionError> {
        if layer != "grid" {
            return Err(AttentionError::UnknownLayer { layer: layer.into(), known: self.layers() });
        }
        let mut values = vec![0.0; 36 * 36];
        for k in 0..36 {
            let patch = if self.reversed { 35 - k } else { k };
            values[k * 36 + patch] = Self::patch(picture, patch / 6, patch % 6);
        }
        Ok(Maps { n: 36, height: 6, width: 6, values })
    }

    fn logits(&self, pictures: &[f32]) -> Result<Vec<f32>, AttentionError> {
        let read = |picture: &[f32], class: usize| {
            let (row, column) = Self::PATCHES[class];
            8.0 * Self::patch(picture, row, column) - 4.0 + self.constant
        };
        Ok(pictures
            .chunks_exact(576)
            .flat_map(|picture| self.classes.iter().map(move |class| read(picture, *class)))
            .collect())
    }
}
