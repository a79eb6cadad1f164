//! Geometry of embeddings and tables: projections, neighbours, maps, boundaries, slices, evaluation curves.
//!
//! Numbers in, numbers out: no I/O, no clock, no unseeded randomness; the same bytes for any number of
//! threads. Where embeddings come from is `volary-vision`'s business, what people said is
//! `volary-crowd`'s.
//!
//! - [`evaluate`]: how right predictions are, with intervals ([`resample`])
//! - [`neighbours`]: who is near whom, exactly or nearly so
//! - [`map`]: points on a plane, neighbours together (UMAP)
//! - [`mod@slice`]: which rows? The filter language of command line, API and page
//! - [`ambiguity`], [`savings`]: which subjects are confusing and why, and whom that lets stop
//! - [`boundary`]: what people choose, carried to images nobody has seen
//! - [`clusters`]: groups among the unusual, and who is odd in their own
//! - [`outliers`], [`inspection`]: what is unusual, and how soon that finds what people chose
//! - [`pca`], [`logistic`]: the plain baselines that a network has to beat

pub mod ambiguity;
mod blocks;
pub mod boundary;
mod check;
pub mod clusters;
mod error;
pub mod evaluate;
#[cfg(test)]
mod golden;
pub mod inspection;
pub mod logistic;
pub mod map;
pub mod neighbours;
pub mod outliers;
pub mod pca;
pub mod points;
mod product;
pub mod resample;
pub mod savings;
pub mod slice;

use volary_core::draws;

pub use error::SpaceError;
pub use points::{PixelRows, Points, Rows, Subset};
pub use resample::{Bootstrap, Estimate, Units};
