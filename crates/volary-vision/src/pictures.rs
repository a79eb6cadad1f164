//! Batches of pictures: from wherever they lie to a tensor, in training also mirrored and turned.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt as _;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use volary_core::seed::Rng;
use volary_core::{PixelShape, Pixels};

use crate::error::VisionError;

/// What is done to a picture each time that it is learned from, drawn anew each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Augment {
    /// Nothing, as published.
    #[default]
    None,
    /// Mirrored left to right, or not: for pictures that have an up.
    Mirror,
    /// Mirrored or not, and turned by 0, 90, 180 or 270 degrees: for the sky. Needs square pictures.
    Turns,
}

impl Augment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Mirror, Self::Turns];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mirror => "mirror",
            Self::Turns => "turns",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|augment| augment.as_str() == name)
    }

    /// # Errors
    ///
    /// [`VisionError::Setting`] where pictures of these sides cannot be turned.
    pub(crate) fn check(self, height: usize, width: usize) -> Result<(), VisionError> {
        if self == Self::Turns && height != width {
            let sides = format!("turns with pictures of {width} × {height}");
            return Err(VisionError::setting("augment", sides, "none or mirror, or square pictures"));
        }
        Ok(())
    }

    /// Draws for `n` pictures.
    pub(crate) fn draw(self, n: usize, rng: &mut Rng) -> Vec<Pose> {
        let pose = |_| match self {
            Self::None => Pose::default(),
            Self::Mirror => Pose { mirrored: rng.random(), quarter_turns: 0 },
            Self::Turns => Pose { mirrored: rng.random(), quarter_turns: rng.random_range(0..4) },
        };
        (0..n).map(pose).collect()
    }
}

/// How a picture is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pose {
    mirrored: bool,
    quarter_turns: u8,
}

impl Pose {
    fn apply(self, shape: PixelShape, values: &mut [f32]) {
        let PixelShape { height, width, .. } = shape;
        let mut turned = vec![0.0; height * width];
        for channel in values.chunks_exact_mut(height * width) {
            if self.mirrored {
                channel.chunks_exact_mut(width).for_each(<[f32]>::reverse);
            }
            for _ in 0..self.quarter_turns {
                // Only square pictures are turned. What is in column `width - 1 - y` comes into row y.
                for y in 0..height {
                    for x in 0..width {
                        turned[y * width + x] = channel[x * width + (width - 1 - y)];
                    }
                }
                channel.copy_from_slice(&turned);
            }
        }
    }
}

/// # Errors
///
/// [`VisionError::Setting`] where pictures have another size than a network's.
pub(crate) fn check_size(given: PixelShape, wanted: PixelShape) -> Result<(), VisionError> {
    let name = |s: PixelShape| format!("{} × {} with {} channels", s.width, s.height, s.channels);
    if wanted != given {
        return Err(VisionError::setting("size of the pictures", name(given), &name(wanted)));
    }
    Ok(())
}

/// The pictures of `rows` as `[rows, channels, height, width]`.
pub(crate) fn read(
    pixels: &dyn Pixels,
    rows: &[usize],
    device: &Device,
) -> Result<Tensor<4>, VisionError> {
    read_posed(pixels, rows, &[], device)
}

/// The same, each picture in its pose; as they are where there are no poses.
pub(crate) fn read_posed(
    pixels: &dyn Pixels,
    rows: &[usize],
    poses: &[Pose],
    device: &Device,
) -> Result<Tensor<4>, VisionError> {
    let shape = pixels.shape();
    let mut values = vec![0.0; rows.len() * shape.values()];
    rows.par_iter()
        .zip(values.par_chunks_exact_mut(shape.values()))
        .try_for_each(|(row, into)| pixels.read(*row, into))?;
    values.par_chunks_exact_mut(shape.values()).zip(poses).for_each(|(picture, pose)| {
        pose.apply(shape, picture);
    });
    let shape = [rows.len(), shape.channels, shape.height, shape.width];
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}

/// Goes through the pictures of `rows` batch by batch; `watch` hears how many are done and says whether to go on.
///
/// # Errors
///
/// [`VisionError::Pixels`] where a picture cannot be read, [`VisionError::Stopped`] where `watch` says so.
pub(crate) fn in_batches(
    pixels: &dyn Pixels,
    rows: &[usize],
    batch_size: usize,
    device: &Device,
    each: &mut dyn FnMut(Tensor<4>),
    watch: &mut dyn FnMut(usize) -> bool,
) -> Result<(), VisionError> {
    let mut n_done = 0;
    for batch in rows.chunks(batch_size.max(1)) {
        each(read(pixels, batch, device)?);
        n_done += batch.len();
        if !watch(n_done) {
            return Err(VisionError::Stopped);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posed(mirrored: bool, quarter_turns: u8) -> Vec<f32> {
        let mut values = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let shape = PixelShape { channels: 2, height: 2, width: 2 };
        Pose { mirrored, quarter_turns }.apply(shape, &mut values);
        values
    }

    #[test]
    fn every_channel_is_mirrored_and_turned_alike() {
        assert_eq!(posed(false, 0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(posed(true, 0), [2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0]);
        // As torch.rot90.
        assert_eq!(posed(false, 1), [2.0, 4.0, 1.0, 3.0, 6.0, 8.0, 5.0, 7.0]);
        assert_eq!(posed(false, 2), [4.0, 3.0, 2.0, 1.0, 8.0, 7.0, 6.0, 5.0]);
        assert_eq!(posed(true, 1), [1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]);
    }

    #[test]
    fn draws_repeat_and_know_every_pose() {
        let draw = |augment: Augment| augment.draw(500, &mut volary_core::seed::stream(1, "pose"));
        assert_eq!(draw(Augment::Turns), draw(Augment::Turns));
        assert!(draw(Augment::None).iter().all(|pose| *pose == Pose::default()));
        for (augment, n) in [(Augment::Mirror, 2), (Augment::Turns, 8)] {
            let mut poses: Vec<(bool, u8)> =
                draw(augment).iter().map(|p| (p.mirrored, p.quarter_turns)).collect();
            poses.sort_unstable();
            poses.dedup();
            assert_eq!(poses.len(), n);
        }
        assert_eq!(Augment::parse("turns"), Some(Augment::Turns));
        assert_eq!(Augment::parse("zoom"), None);
    }
}
