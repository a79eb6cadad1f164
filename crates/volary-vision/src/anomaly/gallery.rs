//! Pictures to look at while a model learns: what the generator makes of the same latent numbers every time, and
//! pictures beside what is rebuilt of them. Whoever trains decides where they go.

use burn::tensor::{Device, Tensor};
use volary_core::{PixelShape, Pixels};

use crate::error::VisionError;
use crate::training::Split;
use crate::{pictures, weights};

/// What a gallery holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GalleryKind {
    /// Pictures made of latent numbers that were drawn once.
    Made,
    /// Pictures, and after each what is rebuilt of it.
    Rebuilt,
}

impl GalleryKind {
    /// Pictures in it.
    pub(crate) const fn n(self) -> usize {
        match self {
            Self::Made => 36,
            Self::Rebuilt => 24,
        }
    }

    /// Pictures in a row of it; a whole number of pairs.
    #[must_use]
    pub const fn per_row(self) -> usize {
        6
    }
}

/// Pictures to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Gallery {
    /// What they are.
    pub kind: GalleryKind,
    /// After this epoch, counted from 1.
    pub epoch: usize,
    /// The size of each.
    pub shape: PixelShape,
    /// One after the other, CHW, values in 0 to 1.
    pub pictures: Vec<f32>,
}

/// Who looks, and how often.
pub(crate) struct Look<'a> {
    pub(crate) every_epochs: usize,
    pub(crate) last_epoch: usize,
    pub(crate) watch: &'a mut dyn FnMut(&Gallery),
}

impl Look<'_> {
    /// The same, lent on.
    pub(crate) fn again(&mut self) -> Look<'_> {
        Look { watch: &mut *self.watch, ..*self }
    }

    pub(crate) fn is_wanted(&self, epoch: usize) -> bool {
        self.every_epochs > 0 && (epoch.is_multiple_of(self.every_epochs) || epoch == self.last_epoch)
    }

    pub(crate) fn show(&mut self, gallery: &Gallery) {
        (self.watch)(gallery);
    }

    /// Shows pictures, and after each what `rebuild` makes of it; nothing where there are none.
    ///
    /// # Errors
    ///
    /// [`VisionError::Pixels`] where a picture cannot be read.
    pub(crate) fn show_rebuilt(
        &mut self,
        epoch: usize,
        pixels: &dyn Pixels,
        rows: &[usize],
        device: &Device,
        rebuild: &dyn Fn(Tensor<4>) -> Tensor<4>,
    ) -> Result<(), VisionError> {
        if rows.is_empty() {
            return Ok(());
        }
        let pictures = pictures::read(pixels, rows, device)?;
        let rebuilt = weights::values(rebuild(pictures.clone())).values;
        let pictures = weights::values(pictures).values;
        let one = pictures.len() / rows.len();
        let pairs = pictures.chunks_exact(one).zip(rebuilt.chunks_exact(one));
        let pictures = pairs.flat_map(|(shown, rebuilt)| [shown, rebuilt].concat()).collect();
        self.show(&Gallery { kind: GalleryKind::Rebuilt, epoch, shape: pixels.shape(), pictures });
        Ok(())
    }
}

/// Pictures to rebuild for whoever looks: held-out ones, where there are some.
pub(crate) fn shown(split: &Split) -> Vec<usize> {
    let rows = if split.held_out.is_empty() { &split.train } else { &split.held_out };
    rows.iter().copied().take(GalleryKind::Rebuilt.n() / 2).collect()
}
