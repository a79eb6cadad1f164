//! Figures that show images: sheets of examples, maps of points or of the images themselves, attention laid over
//! an image, curves of losses.
//!
//! Each is an SVG whose pictures are embedded PNGs, with its text as text, and the same picture without text as
//! PNG. Which subjects are shown is the business of the caller; here is only how.

mod bitmap;
mod colour;
mod curves;
mod diagram;
mod map;
mod places;
mod scatter;
mod sheet;
mod svg;
mod thumbnails;

use volary_core::PixelError;

pub(crate) use curves::{Losses, losses};
pub(crate) use diagram::{Block, Row, diagram};
pub(crate) use map::{Marks, Panel, map};
pub(crate) use places::{Places, View};
pub(crate) use scatter::{Scatter, scatter};
pub(crate) use sheet::{Cell, SheetRow, sheet};
pub(crate) use thumbnails::{chosen, thumbnails};

/// A figure, in both forms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    /// With its text.
    pub(crate) svg: String,
    /// Without; empty where the figure has only lines.
    pub(crate) png: Vec<u8>,
}

/// Why a figure cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// There is nothing to show.
    #[error("nothing to draw: {0}")]
    Nothing(&'static str),
    /// A picture could not be read.
    #[error(transparent)]
    Pixels(#[from] PixelError),
    /// A picture could not be written.
    #[error("drawing the picture failed: {0}")]
    Png(std::io::Error),
    /// A chart could not be drawn.
    #[error(transparent)]
    Chart(#[from] super::ReportError),
}

impl From<std::io::Error> for PictureError {
    fn from(error: std::io::Error) -> Self {
        Self::Png(error)
    }
}

#[cfg(test)]
mod tests;
