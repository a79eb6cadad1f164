//! A latent map: every subject a point, one panel per value that colours them (figures 3 and 7 of the paper of
//! Jovian Vortex Hunter; 4, 5, S13 and S14 of Mantha et al. 2024). Points are painted and not listed, so that
//! 70,000 of them make a file of some hundred kilobytes; marks that stand on them are drawn.

use super::bitmap::Bitmap;
use super::colour::{UNKNOWN, viridis};
use super::places::Places;
use super::svg::{INK, MUTED, Svg};
use super::{Picture, PictureError};
use crate::report::text::cut;

/// One panel: its name and a value for each point; what is not known is NaN and grey.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Panel {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    /// Values that get the darkest and the lightest colour.
    pub(crate) range: (f64, f64),
    /// Points that it is about, where that is not all; the others are pale.
    pub(crate) shown: Option<Vec<bool>>,
    /// Points that carry a mark, kind by kind.
    pub(crate) marks: Vec<Marks>,
}

/// Points of one kind, each with the same mark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Marks {
    pub(crate) name: String,
    pub(crate) points: Vec<usize>,
}

/// A panel's width and height, px.
const SIDE: usize = 300;
/// Painted pixels per px.
const FINE: usize = 2;
const TOP: f64 = 26.0;
const GAP: f64 = 16.0;
/// A line of the key of marks, px.
const LINE: f64 = 16.0;
/// What a panel is not about, and the box of three axes.
const PALE: [u8; 3] = [0xE9, 0xEB, 0xEE];

/// Draws panels in rows of `n_columns`.
pub(crate) fn map(
    places: &Places,
    panels: &[Panel],
    n_columns: usize,
    alt: &str,
) -> Result<Picture, PictureError> {
    let (x, y) = (&places.x, &places.y);
    let corners = places.edges.as_flattened().iter().copied();
    let (wide_x, wide_y): (Vec<f64>, Vec<f64>) =
        x.iter().copied().zip(y.iter().copied()).chain(corners).unzip();
    if !x.iter().zip(y).any(|(x, y)| x.is_finite() && y.is_finite()) {
        return Err(PictureError::Nothing("no point of the map has coordinates"));
    }
    let scale = Scale::of(&wide_x, &wide_y)
        .ok_or(PictureError::Nothing("no point of the map has coordinates"))?;
    let n_columns = n_columns.clamp(1, panels.len().max(1));
    let n_rows = panels.len().div_ceil(n_columns);
    if n_rows == 0 {
        return Err(PictureError::Nothing("no value to colour the map by; name one"));
    }
    let n_lines = panels.iter().map(|p| p.marks.len().div_ceil(2)).max().unwrap_or(0);
    let step = (SIDE as f64 + GAP, SIDE as f64 + TOP + 24.0 + LINE * n_lines as f64);
    let mut svg = Svg::new(n_columns as f64 * step.0 + GAP, n_rows as f64 * step.1 + 8.0);
    let side = SIDE * FINE;
    let mut whole = Bitmap::new(n_columns * side, n_rows * side, [255; 3]);
    // More points are smaller points, so that the panel is covered alike.
    let radius = (0.5 * side as f64 / (x.len() as f64).sqrt().max(1.0)).clamp(1.2, 6.0);
    for (i, panel) in panels.iter().enumerate() {
        let (column, row) = (i % n_columns, i / n_columns);
        let mut bitmap = Bitmap::new(side, side, [255; 3]);
        for [from, to] in &places.edges {
            edge(&mut bitmap, &scale, (*from, *to));
        }
        let is_shown = |at: usize| panel.shown.as_ref().is_none_or(|shown| shown[at]);
        // Whom the panel is about stands before the others.
        for wanted in [false, true] {
            for &at in places.order.iter().filter(|&&at| is_shown(at) == wanted) {
                let Some(place) = scale.place(x[at], y[at], side as f64) else { continue };
                let value = part(panel.values.get(at).copied(), panel.range);
                let colour = if wanted { viridis(value) } else { PALE };
                bitmap.disc(place, radius, colour);
            }
        }
        whole.paste(&bitmap, column * side, row * side);
        let (left, top) = (GAP + column as f64 * step.0, TOP + row as f64 * step.1);
        svg.text((left, top - 9.0), "start", 13.0, INK, &cut(&panel.name, 40));
        svg.image((left, top), (SIDE as f64, SIDE as f64), &bitmap.png()?);
        svg.outline((left, top), (SIDE as f64, SIDE as f64), "#E3E6EA");
        for (at, name) in &places.names {
            if let Some((px, py)) = scale.place(at.0, at.1, SIDE as f64) {
                let at =
                    (left + px.clamp(8.0, SIDE as f64 - 8.0), top + py.clamp(10.0, SIDE as f64 - 4.0));
                svg.text(at, "middle", 10.0, MUTED, name);
            }
        }
        for (kind, marks) in panel.marks.iter().enumerate() {
            for &at in &marks.points {
                if let Some((px, py)) = scale.place(x[at], y[at], SIDE as f64) {
                    svg.symbol((left + px, top + py), kind);
                }
            }
        }
        let below = top + SIDE as f64 + 5.0;
        let n_coloured = panel.values.iter().filter(|v| v.is_finite()).count();
        if n_coloured > 0 || panel.marks.is_empty() {
            bar(&mut svg, (left, below), panel.range)?;
        }
        key(&mut svg, (left, below + 20.0), &panel.marks);
    }
    Ok(Picture { svg: svg.finish(alt), png: whole.png()? })
}

/// A line of dots.
fn edge(bitmap: &mut Bitmap, scale: &Scale, (from, to): ((f64, f64), (f64, f64))) {
    let side = bitmap.width as f64;
    let n = bitmap.width;
    for at in 0..=n {
        let t = at as f64 / n as f64;
        let (x, y) = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
        if let Some(place) = scale.place(x, y, side) {
            bitmap.disc(place, 0.4, UNKNOWN);
        }
    }
}

/// What marks mean, two in a line.
fn key(svg: &mut Svg, (left, top): (f64, f64), marks: &[Marks]) {
    for (kind, marks) in marks.iter().enumerate() {
        let at = (left + 8.0 + (kind % 2) as f64 * SIDE as f64 / 2.0, top + LINE * (kind / 2) as f64);
        svg.symbol(at, kind);
        let text = cut(&format!("{} ({})", marks.name, marks.points.len()), 24);
        svg.text((at.0 + 9.0, at.1 + 4.0), "start", 11.0, MUTED, &text);
    }
}

/// The colours and what they mean.
fn bar(svg: &mut Svg, (left, top): (f64, f64), (low, high): (f64, f64)) -> Result<(), PictureError> {
    let mut colours = Bitmap::new(64, 1, [255; 3]);
    for i in 0..64 {
        colours.paste(&Bitmap::new(1, 1, viridis(i as f64 / 63.0)), i, 0);
    }
    svg.image((left + 90.0, top), (120.0, 9.0), &colours.scaled(120, 9).png()?);
    svg.text((left + 84.0, top + 9.0), "end", 10.0, MUTED, &short(low));
    svg.text((left + 216.0, top + 9.0), "start", 10.0, MUTED, &short(high));
    Ok(())
}

/// Three decimals, fewer of large numbers, without the zeros at the end.
fn short(value: f64) -> String {
    let text = match value.abs() {
        v if v >= 100.0 => return format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn part(value: Option<f64>, (low, high): (f64, f64)) -> f64 {
    let value = value.unwrap_or(f64::NAN);
    if high > low { (value - low) / (high - low) } else { value * 0.0 + 0.5 }
}

/// All points in an order that follows nothing, so that no class is painted over by the class after it: steps of
/// the golden ratio.
pub(super) fn order(n: usize) -> impl Iterator<Item = usize> {
    let mut step = (n as f64 * 0.618_034) as usize;
    while n > 0 && gcd(step, n) != 1 {
        step += 1;
    }
    (0..n).map(move |i| i * step % n)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// From coordinates of a map to a square, with both axes alike.
pub(super) struct Scale {
    middle: (f64, f64),
    half: f64,
}

impl Scale {
    /// `None` where no point has both coordinates.
    pub(super) fn of(x: &[f64], y: &[f64]) -> Option<Self> {
        let points = x.iter().zip(y).filter(|(x, y)| x.is_finite() && y.is_finite());
        let start = [f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY];
        let [x0, x1, y0, y1] = points
            .fold(start, |[x0, x1, y0, y1], (x, y)| [x0.min(*x), x1.max(*x), y0.min(*y), y1.max(*y)]);
        let half = 0.52 * (x1 - x0).max(y1 - y0);
        let middle = ((x0 + x1) / 2.0, (y0 + y1) / 2.0);
        // One point, or all at one place, lie in the middle.
        half.is_finite().then_some(Self { middle, half: if half > 0.0 { half } else { 1.0 } })
    }

    /// Where a point lies in a square of this side; y grows upward.
    pub(super) fn place(&self, x: f64, y: f64, side: f64) -> Option<(f64, f64)> {
        let unit = |v: f64, middle: f64| 0.5 + 0.5 * (v - middle) / self.half;
        let place = (unit(x, self.middle.0) * side, (1.0 - unit(y, self.middle.1)) * side);
        (place.0.is_finite() && place.1.is_finite()).then_some(place)
    }
}
