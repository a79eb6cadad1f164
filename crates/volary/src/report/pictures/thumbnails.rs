//! A latent map made of the images themselves, laid over without overlap (figures 8 and 9 of the paper).

use volary_core::Pixels;

use super::bitmap::Bitmap;
use super::map::Scale;
use super::svg::Svg;
use super::{Picture, PictureError};

/// Which points are shown, and in which cell of a grid: in each cell the point that lies nearest to its middle.
/// Returns column, row and point, in the order of rows; no two share a cell.
pub(crate) fn chosen((x, y): (&[f64], &[f64]), n_cells: usize) -> Vec<(usize, usize, usize)> {
    let Some(scale) = Scale::of(x, y) else { return Vec::new() };
    let mut nearest: Vec<Option<(f64, usize)>> = vec![None; n_cells * n_cells];
    for (point, (x, y)) in x.iter().zip(y).enumerate() {
        let Some((px, py)) = scale.place(*x, *y, n_cells as f64) else { continue };
        let (column, row) = (px as usize, py as usize);
        if column >= n_cells || row >= n_cells {
            continue;
        }
        let away = (px - column as f64 - 0.5).hypot(py - row as f64 - 0.5);
        let cell = &mut nearest[row * n_cells + column];
        if cell.is_none_or(|(best, _)| away < best) {
            *cell = Some((away, point));
        }
    }
    let cells = nearest.into_iter().enumerate();
    cells.filter_map(|(at, cell)| Some((at % n_cells, at / n_cells, cell?.1))).collect()
}

/// Draws the map; point `i` has picture `rows[i]`. Says how many images are shown.
pub(crate) fn thumbnails(
    pixels: &dyn Pixels,
    rows: &[usize],
    at: (&[f64], &[f64]),
    thumb_px: usize,
    n_cells: usize,
    alt: &str,
) -> Result<(Picture, usize), PictureError> {
    let chosen = chosen(at, n_cells);
    if chosen.is_empty() || thumb_px == 0 {
        return Err(PictureError::Nothing("no subject of the map has coordinates and an image"));
    }
    let side = thumb_px * n_cells;
    let mut whole = Bitmap::new(side, side, [255; 3]);
    for &(column, row, point) in &chosen {
        let bitmap = Bitmap::of(pixels, rows[point])?;
        whole.paste(&bitmap.scaled(thumb_px, thumb_px), column * thumb_px, row * thumb_px);
    }
    let png = whole.png()?;
    let mut svg = Svg::new(side as f64, side as f64);
    svg.image((0.0, 0.0), (side as f64, side as f64), &png);
    Ok((Picture { svg: svg.finish(alt), png }, chosen.len()))
}
