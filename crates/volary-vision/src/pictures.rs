//! Batches of pictures: from wherever they lie to a tensor.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use volary_core::Pixels;

use crate::error::VisionError;

/// The pictures of `rows` as `[rows, channels, height, width]`.
pub(crate) fn read(
    pixels: &dyn Pixels,
    rows: &[usize],
    device: &Device,
) -> Result<Tensor<4>, VisionError> {
    let shape = pixels.shape();
    let mut values = vec![0.0; rows.len() * shape.values()];
    rows.par_iter()
        .zip(values.par_chunks_exact_mut(shape.values()))
        .try_for_each(|(row, into)| pixels.read(*row, into))?;
    let shape = [rows.len(), shape.channels, shape.height, shape.width];
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}
