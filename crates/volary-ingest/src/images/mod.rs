//! Images in: PNG, JPEG, FITS and NPY files to pictures of one size, ready for a network.
//!
//! [`subjects`] reads which subject has which image (a CSV manifest, a Zooniverse subject export, or a
//! folder); [`Settings`] say how an image becomes a picture (crop, size, stretch, channels);
//! [`Cache::open_or_build`] does it once for all of them and keeps the pictures in one file, from which they
//! are read as [`volary_core::Pixels`]; [`prepare_file`] does it for one. [`show`] makes a PNG for people.
//!
//! Whatever is wrong with an image is a [`Fault`]: it is listed with its row and the others go on. No
//! augmentation, no labels: those are the business of who learns.

mod cache;
mod decode;
mod fits_image;
#[cfg(test)]
mod golden;
mod npy;
mod png;
mod prepare;
mod raster;
mod settings;
mod show;
mod stretch;
mod subjects;

pub use cache::{Built, Cache, CacheError};
pub use decode::{decode, read_file};
pub(crate) use npy::matrix as npy_matrix;
pub use npy::npy_bytes;
pub use png::{jpeg_bytes, png_bytes};
pub use prepare::{Prepared, prepare, prepare_file};
pub use raster::{Decoded, Fault, FaultKind, Raster};
pub use settings::{Channels, Crop, Limits, Resize, Settings, SettingsError, Storage, Stretch};
pub use show::{Shown, show, thumbnail};
pub use subjects::{Folder, ImageSubject, ImageSubjects, SubjectSource, subjects};
