//! Pictures to look at while a model learns: what the generator makes of the same latent numbers every time, and
//! pictures beside what is rebuilt of them. Whoever trains decides where they go.

use volary_core::PixelShape;

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
}
