//! Networks as rows of boxes: the more pixels a layer's maps have the taller, the more maps the wider (figure S1 of
//! Mantha et al. 2024).

use super::{Picture, PictureError};
use crate::report::chart::{Hold, INK, MUTED, NORMAL, SERIES, SMALL, draw};
use crate::report::text::cut;

/// What a layer gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) maps: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// A network, from what goes in to what comes out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) boxes: Vec<Block>,
}

/// From one box to the next, px.
const STEP: f64 = 122.0;
/// Height of a row, px.
const ROW: f64 = 190.0;
const LEFT: f64 = 20.0;
/// The tallest box, px.
const TALLEST: f64 = 96.0;
/// The widest box, px.
const WIDEST: f64 = 64.0;

/// Draws them.
pub(crate) fn diagram(rows: &[Row], alt: &str) -> Result<Picture, PictureError> {
    let all = || rows.iter().flat_map(|row| &row.boxes);
    let Some(tallest) = all().map(|b| b.height).max() else {
        return Err(PictureError::Nothing("the model has no layers"));
    };
    let most = all().filter(|b| b.height > 1).map(|b| b.maps).max().unwrap_or(1);
    let longest = rows.iter().map(|row| row.boxes.len()).max().unwrap_or(1);
    // Doubling the pixels or the maps adds the same length.
    let length = |n: usize, most: usize, longest: f64| {
        let part = (n as f64).log2() / (most as f64).log2().max(1.0);
        6.0 + (longest - 6.0) * part.clamp(0.0, 1.0)
    };
    let size = (2.0 * LEFT + STEP * longest as f64, ROW * rows.len() as f64 + 10.0);
    let svg = draw(size, alt, |canvas| {
        for (at, row) in rows.iter().enumerate() {
            let middle = ROW * at as f64 + 100.0;
            canvas.text((LEFT, middle - 80.0), Hold::Left, &row.name, (NORMAL, INK))?;
            let colour = SERIES[at % SERIES.len()];
            let mut end: Option<f64> = None;
            for (place, layer) in row.boxes.iter().enumerate() {
                let x = LEFT + STEP * (place as f64 + 0.5);
                let (w, h) = if layer.height == 1 {
                    (8.0, length(layer.maps, 1 << 16, TALLEST))
                } else {
                    (length(layer.maps, most, WIDEST), length(layer.height, tallest, TALLEST))
                };
                if let Some(end) = end {
                    canvas.line(&[(end + 3.0, middle), (x - w / 2.0 - 3.0, middle)], MUTED, 1.2)?;
                }
                end = Some(x + w / 2.0);
                canvas.rect((x - w / 2.0, middle - h / 2.0), (x + w / 2.0, middle + h / 2.0), colour)?;
                let shape = match (layer.height, layer.width) {
                    (1, 1) => format!("{}", layer.maps),
                    (height, width) => format!("{} × {height} × {width}", layer.maps),
                };
                canvas.text((x, middle + 62.0), Hold::Middle, &cut(&layer.name, 16), (SMALL, INK))?;
                canvas.text((x, middle + 78.0), Hold::Middle, &shape, (SMALL, MUTED))?;
            }
        }
        Ok(())
    })?;
    Ok(Picture { svg, png: Vec::new() })
}
