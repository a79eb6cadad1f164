//! Points by the hundred thousand over two quantities, painted and not listed (figures 2 and S8 of Mantha et al.
//! 2024). Drawn in an order that follows nothing, so that no group is painted over by the next; points that
//! are marked come last.

use super::bitmap::Bitmap;
use super::colour::viridis;
use super::map::order;
use super::svg::{INK, MUTED, Svg};
use super::{Picture, PictureError};
use crate::report::scale::{Tick, round_ticks};

/// Points and what colours them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scatter<'a> {
    pub(crate) x: (&'a str, &'a [f64]),
    pub(crate) y: (&'a str, &'a [f64]),
    /// Name, a value a point, and the values with the darkest and the lightest colour; black without.
    pub(crate) value: Option<(&'a str, &'a [f64], (f64, f64))>,
    /// Points to paint red, and what they are.
    pub(crate) marked: Option<(&'a str, &'a [bool])>,
}

const SIZE: (usize, usize) = (520, 380);
const FINE: usize = 2;
const LEFT: f64 = 62.0;
const TOP: f64 = 40.0;
const RED: [u8; 3] = [0xD5, 0x2E, 0x1E];

/// Draws it. Axes end at the 0.05th and the 99.95th percentile: what lies beyond is painted at the edge.
pub(crate) fn scatter(about: &Scatter<'_>, alt: &str) -> Result<Picture, PictureError> {
    let ends = |values: &[f64]| -> Option<(f64, f64)> {
        let mut known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        known.sort_unstable_by(f64::total_cmp);
        let last = known.len().checked_sub(1)?;
        let at = |share: f64| known[(share * last as f64).round() as usize];
        let (low, high) = (at(0.0005), at(0.9995));
        let air = if high > low { 0.03 * (high - low) } else { 0.5 };
        Some((low - air, high + air))
    };
    let nothing = PictureError::Nothing("no subject has both quantities");
    let (Some(x), Some(y)) = (ends(about.x.1), ends(about.y.1)) else { return Err(nothing) };
    let (width, height) = (SIZE.0 * FINE, SIZE.1 * FINE);
    let mut bitmap = Bitmap::new(width, height, [255; 3]);
    let n = about.x.1.len();
    let radius = (0.35 * width as f64 / (n as f64).sqrt().max(1.0)).clamp(1.0, 5.0);
    let part = |v: f64, (low, high): (f64, f64)| ((v - low) / (high - low)).clamp(0.002, 0.998);
    let place = |at: usize| {
        let (px, py) = (about.x.1[at], about.y.1[at]);
        let (u, v) = (part(px, x) * width as f64, (1.0 - part(py, y)) * height as f64);
        (px.is_finite() && py.is_finite()).then_some((u, v))
    };
    for at in order(n) {
        let Some(place) = place(at) else { continue };
        let colour = match about.value {
            Some((_, values, (low, high))) => viridis((values[at] - low) / (high - low)),
            None => [40, 44, 50],
        };
        bitmap.disc(place, radius, colour);
    }
    if let Some((_, marked)) = about.marked {
        for at in order(n).filter(|&at| marked[at]) {
            if let Some(place) = place(at) {
                bitmap.disc(place, radius.max(2.0), RED);
            }
        }
    }
    let (w, h) = (SIZE.0 as f64, SIZE.1 as f64);
    let mut svg = Svg::new(LEFT + w + 20.0, TOP + h + 56.0);
    svg.image((LEFT, TOP), (w, h), &bitmap.png()?);
    svg.outline((LEFT, TOP), (w, h), "#5B6470");
    for Tick { value, label } in round_ticks(x.0, x.1, 6) {
        svg.text(
            (LEFT + (value - x.0) / (x.1 - x.0) * w, TOP + h + 16.0),
            "middle",
            12.0,
            MUTED,
            &label,
        );
    }
    for Tick { value, label } in round_ticks(y.0, y.1, 6) {
        svg.text(
            (LEFT - 6.0, TOP + (1.0 - (value - y.0) / (y.1 - y.0)) * h + 4.0),
            "end",
            12.0,
            MUTED,
            &label,
        );
    }
    svg.text((LEFT + w / 2.0, TOP + h + 40.0), "middle", 13.0, INK, about.x.0);
    svg.text((14.0, 18.0), "start", 13.0, INK, about.y.0);
    let key = match (about.value, about.marked) {
        (Some((name, _, (low, high))), _) => format!("colour: {name}, {low:.2} dark to {high:.2} light"),
        (None, Some((name, _))) => format!("red: {name}"),
        (None, None) => String::new(),
    };
    svg.text((LEFT + w, 18.0), "end", 12.0, MUTED, &key);
    Ok(Picture { svg: svg.finish(alt), png: bitmap.png()? })
}
