//! Sheets of images: a row of examples per class, confusing ones in the order of another class, a query and its
//! neighbours, an image and where a network looked (figures 1, 2, 4, 5 and 6 of the Jovian Vortex Hunter paper).

use volary_core::Pixels;

use super::bitmap::Bitmap;
use super::svg::{INK, MUTED, Svg};
use super::{Picture, PictureError};
use crate::report::text::cut;

/// One image of a sheet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    /// Which picture.
    pub(crate) row: usize,
    /// What stands below it.
    pub(crate) caption: String,
    /// Attention to lay over it: 0 to 1, row by row, with its width and height.
    pub(crate) attention: Option<(Vec<f32>, (usize, usize))>,
}

/// A row of images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SheetRow {
    /// What stands before it.
    pub(crate) label: String,
    pub(crate) cells: Vec<Cell>,
}

const GAP: usize = 6;
const CAPTION: f64 = 16.0;
const LABEL_EM: f64 = 6.6;

/// Draws a sheet; each image `thumb_px` wide.
pub(crate) fn sheet(
    pixels: &dyn Pixels,
    rows: &[SheetRow],
    thumb_px: usize,
    alt: &str,
) -> Result<Picture, PictureError> {
    let n_columns = rows.iter().map(|r| r.cells.len()).max().unwrap_or(0);
    if n_columns == 0 {
        return Err(PictureError::Nothing("no subject fits; relax the conditions"));
    }
    let shape = pixels.shape();
    let (width, height) = (thumb_px, (thumb_px * shape.height).div_ceil(shape.width));
    let (step_x, step_y) = (width + GAP, height as f64 + CAPTION + GAP as f64);
    let labels: Vec<String> = rows.iter().map(|r| cut(&r.label, 28)).collect();
    let left = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0) as f64 * LABEL_EM + 14.0;
    let size = (left + (n_columns * step_x) as f64 + 4.0, rows.len() as f64 * step_y + 8.0);
    let mut svg = Svg::new(size.0, size.1);
    let mut whole = Bitmap::new(n_columns * step_x - GAP, rows.len() * (height + GAP) - GAP, [255; 3]);
    for (i, (row, label)) in rows.iter().zip(&labels).enumerate() {
        let top = 6.0 + i as f64 * step_y;
        svg.text((left - 8.0, top + height as f64 / 2.0 + 4.0), "end", 12.0, INK, label);
        for (j, cell) in row.cells.iter().enumerate() {
            let mut bitmap = Bitmap::of(pixels, cell.row)?;
            if let Some((attention, size)) = &cell.attention {
                bitmap.lay_over(attention, *size);
            }
            let shown = if bitmap.width == width { bitmap } else { bitmap.scaled(width, height) };
            whole.paste(&shown, j * step_x, i * (height + GAP));
            let at = (left + (j * step_x) as f64, top);
            svg.image(at, (width as f64, height as f64), &shown.png()?);
            let below = (at.0 + width as f64 / 2.0, top + height as f64 + 12.0);
            let room = (width as f64 / 6.4) as usize;
            svg.text(below, "middle", 10.0, MUTED, &cut(&cell.caption, room));
        }
    }
    Ok(Picture { svg: svg.finish(alt), png: whole.png()? })
}
