//! Curves of losses: a small chart per quantity, training and validation in one, since the parts of a loss differ
//! in size by factors of a thousand.

use super::{Picture, PictureError};
use crate::report::chart::{BLUE, Frame, Hold, MUTED, SMALL, VERMILLION, draw};
use crate::report::scale::{Axis, count_ticks, round_ticks};

/// One quantity by epoch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Losses {
    pub(crate) name: String,
    /// Epoch and value.
    pub(crate) training: Vec<(f64, f64)>,
    pub(crate) validation: Vec<(f64, f64)>,
}

const SIDE: (f64, f64) = (345.0, 240.0);

/// Draws them, three in a row.
pub(crate) fn losses(all: &[Losses], alt: &str) -> Result<Picture, PictureError> {
    let has_points = |l: &&Losses| l.training.iter().chain(&l.validation).any(|p| p.1.is_finite());
    let shown: Vec<&Losses> = all.iter().filter(has_points).collect();
    if shown.is_empty() {
        return Err(PictureError::Nothing("no column of losses with a number in it"));
    }
    let n_columns = shown.len().min(3);
    let n_rows = shown.len().div_ceil(3);
    let size = (SIDE.0 * n_columns as f64, SIDE.1 * n_rows as f64 + 20.0);
    let svg = draw(size, alt, |canvas| {
        for (i, loss) in shown.iter().enumerate() {
            let (left, top) = (SIDE.0 * (i % 3) as f64, 20.0 + SIDE.1 * (i / 3) as f64);
            let points = || loss.training.iter().chain(&loss.validation).filter(|p| p.1.is_finite());
            let last = points().map(|p| p.0).fold(1.0, f64::max);
            let low = points().map(|p| p.1).fold(f64::INFINITY, f64::min);
            let high = points().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
            let air = if high > low { 0.05 * (high - low) } else { 0.5 + high.abs() * 0.1 };
            let frame = Frame {
                left: left + 56.0,
                top: top + 30.0,
                right: left + SIDE.0 - 14.0,
                bottom: top + SIDE.1 - 48.0,
                x: (0.0, last),
                y: (low - air, high + air),
            };
            let y = Axis::new(loss.name.clone(), round_ticks(low - air, high + air, 4));
            frame.axes(canvas, &Axis::new("epoch", count_ticks(last, 5)), &y)?;
            for (curve, colour) in [(&loss.training, BLUE), (&loss.validation, VERMILLION)] {
                let line: Vec<(f64, f64)> = curve.iter().map(|p| frame.at(p.0, p.1)).collect();
                canvas.line(&line, colour, 1.8)?;
                if let [only] = line[..] {
                    canvas.disc(only, 3.0, colour)?;
                }
            }
        }
        canvas.rect((60.0, 10.0), (72.0, 13.0), BLUE)?;
        canvas.text((77.0, 12.0), Hold::Left, "training", (SMALL, MUTED))?;
        canvas.rect((140.0, 10.0), (152.0, 13.0), VERMILLION)?;
        canvas.text((157.0, 12.0), Hold::Left, "validation", (SMALL, MUTED))?;
        Ok(())
    })?;
    Ok(Picture { svg, png: Vec::new() })
}
