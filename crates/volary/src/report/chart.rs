//! A sheet of paper for figures: plotters' SVG backend with our colours, axes and type.
//!
//! Positions are in pixels of the finished figure. Plotters rounds to whole units, so everything is
//! drawn [`SCALE`] times as large and the view box shrinks it. Plotters has no fonts here and guesses
//! text widths; so axes are laid out by us and texts are anchored, never measured. Points that are not
//! finite are left out, so no NaN reaches a file.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ReportError;
use super::scale::{Axis, Tick};
use super::text::{escape, two_lines, width_em};

/// Units per pixel.
const SCALE: f64 = 4.0;
/// Plotters writes font sizes divided by this.
const FONT: f64 = 1.24;
/// Size of axis labels.
pub(super) const SMALL: f64 = 12.0;
/// Size of names and annotations.
pub(super) const NORMAL: f64 = 13.0;

// `style.css` recolours each of these on the page; Okabe & Ito 2008 where it carries data.
/// Background.
pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Text.
pub(super) const INK: RGBColor = RGBColor(0x1B, 0x1F, 0x24);
/// Lesser text and axes.
pub(super) const MUTED: RGBColor = RGBColor(0x5B, 0x64, 0x70);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xE3, 0xE6, 0xEA);
/// Most data.
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
/// The band of confusion.
pub(super) const ORANGE: RGBColor = RGBColor(0xE6, 0x9F, 0x00);
/// What is undecided.
pub(super) const VERMILLION: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
/// What is still under way.
pub(super) const SKY: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
/// A third series.
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
/// A fourth.
pub(super) const PURPLE: RGBColor = RGBColor(0xCC, 0x79, 0xA7);

/// Colours of several series, in order.
pub(super) const SERIES: [RGBColor; 6] = [BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE];

/// Half a line of the page.
pub(super) const HALF: (f64, f64) = (520.0, 310.0);
/// A whole line.
pub(super) const WHOLE: (f64, f64) = (1060.0, 360.0);

/// A whole line, for what needs little height.
pub(super) const LOW: (f64, f64) = (1060.0, 250.0);

/// The result of drawing.
pub(super) type Drawn = Result<(), ReportError>;

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Hold {
    Left,
    Middle,
    Right,
}

/// A figure while it is drawn.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Draws a figure of a size in pixels; `alt` says what it is to those who do not see it.
pub(super) fn draw(
    size: (f64, f64),
    alt: &str,
    paint: impl FnOnce(&Canvas<'_>) -> Drawn,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let units = ((size.0 * SCALE) as u32, (size.1 * SCALE) as u32);
        let area = SVGBackend::with_string(&mut svg, units).into_drawing_area();
        area.fill(&PAPER).map_err(failed)?;
        let canvas = Canvas { area };
        paint(&canvas)?;
        canvas.area.present().map_err(failed)?;
    }
    Ok(finish(&svg, size, alt))
}

/// Plotters sizes the file in units; a reader wants pixels and a name.
fn finish(svg: &str, size: (f64, f64), alt: &str) -> String {
    let rest = svg.split_once("viewBox").map_or(svg, |(_, rest)| rest);
    let (w, h, alt) = (size.0, size.1, escape(alt));
    format!("<svg role=\"img\" aria-label=\"{alt}\" width=\"{w}\" height=\"{h}\" viewBox{rest}")
}

fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> ReportError {
    ReportError::Draw(error.to_string())
}

fn units((x, y): (f64, f64)) -> (i32, i32) {
    ((x * SCALE).round() as i32, (y * SCALE).round() as i32)
}

fn finite(points: &[(f64, f64)]) -> Vec<(i32, i32)> {
    points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).map(|&p| units(p)).collect()
}

/// A colour with the width of its pen in pixels.
fn pen(color: RGBAColor, width: f64) -> ShapeStyle {
    color.stroke_width((width * SCALE).round().max(1.0) as u32)
}

impl Canvas<'_> {
    /// A line through points.
    pub(super) fn line(&self, points: &[(f64, f64)], color: impl Color, width: f64) -> Drawn {
        let points = finite(points);
        if points.len() < 2 {
            return Ok(());
        }
        self.area.draw(&PathElement::new(points, pen(color.to_rgba(), width))).map_err(failed)
    }

    /// A dashed straight line.
    pub(super) fn dashes(&self, from: (f64, f64), to: (f64, f64), color: RGBColor, width: f64) -> Drawn {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let n = (length / 8.0).ceil().max(1.0);
        let at = |t: f64| (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t);
        for i in 0..n as u32 {
            let t = f64::from(i);
            self.line(&[at(t / n), at((t + 0.55) / n)], color, width)?;
        }
        Ok(())
    }

    /// A filled rectangle between two corners.
    pub(super) fn rect(&self, a: (f64, f64), b: (f64, f64), color: impl Color) -> Drawn {
        let corners = finite(&[(a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1))]);
        match corners[..] {
            [a, b] => self.area.draw(&Rectangle::new([a, b], color.filled())).map_err(failed),
            _ => Ok(()),
        }
    }

    /// A filled polygon.
    pub(super) fn polygon(&self, points: &[(f64, f64)], color: impl Color) -> Drawn {
        let points = finite(points);
        if points.len() < 3 {
            return Ok(());
        }
        self.area.draw(&Polygon::new(points, color.filled())).map_err(failed)
    }

    /// A filled disc.
    pub(super) fn disc(&self, at: (f64, f64), radius: f64, color: impl Color) -> Drawn {
        let radius = (radius * SCALE).round() as i32;
        match finite(&[at])[..] {
            [at] => self.area.draw(&Circle::new(at, radius, color.filled())).map_err(failed),
            _ => Ok(()),
        }
    }

    /// A ring.
    pub(super) fn ring(&self, at: (f64, f64), radius: f64, color: RGBColor) -> Drawn {
        let radius = (radius * SCALE).round() as i32;
        let style = pen(color.to_rgba(), 1.5);
        match finite(&[at])[..] {
            [at] => self.area.draw(&Circle::new(at, radius, style)).map_err(failed),
            _ => Ok(()),
        }
    }

    /// A text whose vertical middle is at `at`.
    pub(super) fn text(&self, at: (f64, f64), hold: Hold, text: &str, look: (f64, RGBColor)) -> Drawn {
        let h = match hold {
            Hold::Left => HPos::Left,
            Hold::Middle => HPos::Center,
            Hold::Right => HPos::Right,
        };
        let style = ("sans-serif", look.0 * SCALE * FONT)
            .into_font()
            .color(&look.1)
            .pos(Pos::new(h, VPos::Center));
        match finite(&[at])[..] {
            [at] => self.area.draw(&Text::new(text.to_owned(), at, style)).map_err(failed),
            _ => Ok(()),
        }
    }

    /// A label on one line or two, its middle at `at`.
    pub(super) fn label(&self, at: (f64, f64), hold: Hold, text: &str, width: f64) -> Drawn {
        let lines = two_lines(text, SMALL, width);
        let top = at.1 - 7.5 * (lines.len() - 1) as f64;
        for (i, line) in lines.iter().enumerate() {
            self.text((at.0, top + 15.0 * i as f64), hold, line, (SMALL, INK))?;
        }
        Ok(())
    }

    /// A legend in a line: a square of colour and its name each.
    pub(super) fn legend(&self, at: (f64, f64), entries: &[(RGBAColor, String)]) -> Drawn {
        let mut x = at.0;
        for (color, name) in entries {
            self.rect((x, at.1 - 5.0), (x + 10.0, at.1 + 5.0), *color)?;
            self.text((x + 15.0, at.1), Hold::Left, name, (SMALL, MUTED))?;
            x += 15.0 + width_em(name) * SMALL + 16.0;
        }
        Ok(())
    }
}

/// A plot within a figure: where it lies and what its axes mean.
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Frame {
    /// A frame that fills a figure of the usual layout.
    pub(super) fn filling(size: (f64, f64), x: (f64, f64), y: (f64, f64)) -> Self {
        Self { left: 56.0, top: 38.0, right: size.0 - 18.0, bottom: size.1 - 48.0, x, y }
    }

    /// From data to pixels.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let part = |v: f64, (low, high): (f64, f64)| {
            if high > low { (v - low) / (high - low) } else { 0.5 }
        };
        (
            self.left + part(x, self.x) * (self.right - self.left),
            self.bottom - part(y, self.y) * (self.bottom - self.top),
        )
    }

    /// Grid, ticks and names of both axes. The name of y stands above it, upright.
    pub(super) fn axes(&self, canvas: &Canvas<'_>, x: &Axis, y: &Axis) -> Drawn {
        for tick in &y.ticks {
            let (_, at) = self.at(self.x.0, tick.value);
            canvas.line(&[(self.left, at), (self.right, at)], GRID, 1.0)?;
            canvas.text((self.left - 8.0, at), Hold::Right, &tick.label, (SMALL, MUTED))?;
        }
        canvas.line(&[(self.left, self.bottom), (self.right, self.bottom)], MUTED, 1.0)?;
        for tick in self.fitting(&x.ticks) {
            let (at, _) = self.at(tick.value, self.y.0);
            canvas.line(&[(at, self.bottom), (at, self.bottom + 4.0)], MUTED, 1.0)?;
            canvas.text((at, self.bottom + 14.0), Hold::Middle, &tick.label, (SMALL, MUTED))?;
        }
        let middle = (self.left + self.right) / 2.0;
        canvas.text((middle, self.bottom + 35.0), Hold::Middle, &x.name, (NORMAL, INK))?;
        canvas.text(((self.left - 48.0).max(8.0), self.top - 21.0), Hold::Left, &y.name, (NORMAL, INK))
    }

    /// Every tick, or every second, third, … of them, so that labels do not touch.
    fn fitting<'t>(&self, ticks: &'t [Tick]) -> Vec<&'t Tick> {
        let widest = ticks.iter().map(|t| width_em(&t.label)).fold(0.0, f64::max) * SMALL + 10.0;
        let room = self.right - self.left;
        let gap = ticks
            .windows(2)
            .map(|w| (self.at(w[1].value, 0.0).0 - self.at(w[0].value, 0.0).0).abs())
            .fold(room, f64::min);
        let every = (widest / gap.max(1.0)).ceil().max(1.0) as usize;
        ticks.iter().step_by(every).collect()
    }

    /// A vertical band behind the data.
    pub(super) fn band_x(&self, canvas: &Canvas<'_>, low: f64, high: f64, color: RGBColor) -> Drawn {
        let (left, right) = (self.at(low, 0.0).0, self.at(high, 0.0).0);
        canvas.rect((left, self.top), (right, self.bottom), color.mix(0.16))
    }

    /// A horizontal band behind the data.
    pub(super) fn band_y(&self, canvas: &Canvas<'_>, low: f64, high: f64, color: RGBColor) -> Drawn {
        let (top, bottom) = (self.at(0.0, high).1, self.at(0.0, low).1);
        canvas.rect((self.left, top), (self.right, bottom), color.mix(0.16))
    }

    /// A bar of a histogram from `base` to `top`, with a hair of air on either side.
    pub(super) fn bar(
        &self,
        canvas: &Canvas<'_>,
        x: (f64, f64),
        y: (f64, f64),
        color: impl Color,
    ) -> Drawn {
        if y.1 <= y.0 {
            return Ok(());
        }
        let ((left, bottom), (right, top)) = (self.at(x.0, y.0), self.at(x.1, y.1));
        let air = ((right - left) * 0.08).clamp(0.0, 1.0);
        // Whoever is there at all is seen.
        let top = if y.0 == 0.0 { top.min(bottom - 1.0) } else { top };
        canvas.rect((left + air, top), (right - air, bottom), color)
    }
}
