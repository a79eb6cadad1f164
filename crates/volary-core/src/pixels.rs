//! Pictures of one size as numbers: what a network reads. How they were decoded, cropped and stretched is
//! the business of whoever made them; where they lie (memory, a cache file) as well.

/// The size of a picture. Values lie channel by channel, row by row (CHW).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelShape {
    /// Channels: 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl PixelShape {
    /// Numbers a picture has.
    #[must_use]
    pub const fn values(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Pictures could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    /// The file that holds the pictures gave an error.
    #[error("{what} could not be read: {reason}; check the disk, and decode the images again")]
    Io {
        /// The file.
        what: String,
        /// What the system said.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such picture.
    #[error("picture {row} of {count} was asked for")]
    NoSuchRow {
        /// The picture asked for, counted from 0.
        row: usize,
        /// Pictures there are.
        count: usize,
    },
}

/// Pictures of one size, read one by one in any order, from several threads.
pub trait Pixels: Send + Sync {
    /// The size that all of them have.
    fn shape(&self) -> PixelShape;

    /// How many there are.
    fn count(&self) -> usize;

    /// Writes picture `row` into `into` (`shape().values()` numbers in 0 to 1, CHW).
    ///
    /// # Errors
    ///
    /// [`PixelError`] where the row does not exist or its bytes cannot be read.
    fn read(&self, row: usize, into: &mut [f32]) -> Result<(), PixelError>;
}

/// Pictures held in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelsInMemory {
    shape: PixelShape,
    values: Vec<f32>,
}

impl PixelsInMemory {
    /// Pictures out of their numbers, one after the other; `None` where the numbers do not fill whole
    /// pictures.
    #[must_use]
    pub fn new(shape: PixelShape, values: Vec<f32>) -> Option<Self> {
        let whole = shape.values() > 0 && values.len().is_multiple_of(shape.values());
        whole.then_some(Self { shape, values })
    }
}

impl Pixels for PixelsInMemory {
    fn shape(&self) -> PixelShape {
        self.shape
    }

    fn count(&self) -> usize {
        self.values.len() / self.shape.values()
    }

    fn read(&self, row: usize, into: &mut [f32]) -> Result<(), PixelError> {
        let one = self.shape.values();
        let picture = self.values.chunks_exact(one).nth(row);
        let picture = picture.ok_or(PixelError::NoSuchRow { row, count: self.count() })?;
        into.copy_from_slice(picture);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_in_memory_are_whole() {
        let shape = PixelShape { channels: 1, height: 1, width: 2 };
        assert_eq!(PixelsInMemory::new(shape, vec![0.0; 3]), None);
        let pictures = PixelsInMemory::new(shape, vec![0.0, 0.1, 0.2, 0.3]).unwrap();
        let mut picture = [0.0; 2];
        pictures.read(1, &mut picture).unwrap();
        assert_eq!(picture, [0.2, 0.3]);
        let error = pictures.read(2, &mut picture).unwrap_err();
        assert_eq!(error.to_string(), "picture 2 of 2 was asked for");
    }
}
