//! Several curves in one chart, each with the band of its intervals.

use plotters::style::{Color as _, RGBColor};

use crate::report::ReportError;
use crate::report::chart::{Canvas, Drawn, Frame, GRID, Hold, INK, MUTED, SERIES, SMALL, WHOLE, draw};
use crate::report::scale::{Axis, percent_ticks, round_ticks};
use crate::report::text::fitted;

/// A point of a curve, with the ends of its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spot {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Of y.
    pub(crate) band: Option<(f64, f64)>,
}

/// A curve; points that are no numbers are left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) spots: Vec<Spot>,
}

/// What stands around the curves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chart<'a> {
    /// What it is, for those who do not see it.
    pub(crate) alt: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    /// Whether x is a share; y always is one unless `y_range` says otherwise.
    pub(crate) is_share: bool,
    /// Ends of y; 0 to 1 in percent where there are none.
    pub(crate) y_range: Option<(f64, f64)>,
    /// A dashed line from corner to corner: what luck would give.
    pub(crate) has_diagonal: bool,
    /// Lines to compare with, drawn thin and without points.
    pub(crate) guides: &'a [Curve],
}

/// Draws it.
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn chart(about: &Chart<'_>, curves: &[Curve]) -> Result<String, ReportError> {
    let spots = || curves.iter().flat_map(|c| &c.spots).filter(|s| s.x.is_finite() && s.y.is_finite());
    let low = spots().map(|s| s.x).fold(f64::INFINITY, f64::min);
    let high = spots().map(|s| s.x).fold(f64::NEG_INFINITY, f64::max);
    let x = match (about.is_share, low <= high) {
        (true, _) => (0.0, 1.0),
        (false, true) => (low, if high > low { high } else { low + 1.0 }),
        (false, false) => (0.0, 1.0),
    };
    let y = about.y_range.unwrap_or((0.0, 1.0));
    let size = (WHOLE.0 * 0.7, WHOLE.1);
    draw(size, about.alt, |canvas| {
        let mut frame = Frame::filling(size, x, y);
        frame.right -= 172.0;
        let ticks = if about.is_share { percent_ticks(x.0, x.1, 5) } else { round_ticks(x.0, x.1, 7) };
        let y_ticks = match about.y_range {
            None => percent_ticks(0.0, 1.0, 5),
            Some((low, high)) => round_ticks(low, high, 5),
        };
        frame.axes(canvas, &Axis::new(about.x, ticks), &Axis::new(about.y, y_ticks))?;
        if about.has_diagonal {
            canvas.dashes(frame.at(x.0, y.0), frame.at(x.1, y.1), MUTED, 1.0)?;
        }
        for guide in about.guides {
            let line: Vec<(f64, f64)> = guide.spots.iter().map(|s| frame.at(s.x, s.y)).collect();
            canvas.line(&line, MUTED, 1.0)?;
        }
        let inside = |v: f64| v.clamp(y.0, y.1);
        for (at, curve) in curves.iter().enumerate() {
            band(canvas, &frame, curve, color(at), inside)?;
        }
        for (at, curve) in curves.iter().enumerate() {
            let known = curve.spots.iter().filter(|s| s.x.is_finite() && s.y.is_finite());
            let line: Vec<(f64, f64)> = known.map(|s| frame.at(s.x, inside(s.y))).collect();
            canvas.line(&line, color(at), 2.0)?;
            if line.len() <= 40 {
                line.iter().try_for_each(|place| canvas.disc(*place, 2.5, color(at)))?;
            }
        }
        names(canvas, &frame, curves)
    })
}

fn color(at: usize) -> RGBColor {
    SERIES[at % SERIES.len()]
}

fn band(
    canvas: &Canvas<'_>,
    frame: &Frame,
    curve: &Curve,
    color: RGBColor,
    inside: impl Fn(f64) -> f64,
) -> Drawn {
    let known = || {
        curve.spots.iter().filter_map(|s| {
            let (low, high) = s.band?;
            (s.x.is_finite() && low.is_finite() && high.is_finite()).then_some((s.x, low, high))
        })
    };
    let upper = known().map(|(x, _, high)| frame.at(x, inside(high)));
    let lower: Vec<(f64, f64)> = known().map(|(x, low, _)| frame.at(x, inside(low))).collect();
    canvas.polygon(&upper.chain(lower.into_iter().rev()).collect::<Vec<_>>(), color.mix(0.15))
}

/// Names at the right, in the order of the curves.
fn names(canvas: &Canvas<'_>, frame: &Frame, curves: &[Curve]) -> Drawn {
    let left = frame.right + 16.0;
    for (at, curve) in curves.iter().enumerate() {
        let y = frame.top + 8.0 + 20.0 * at as f64;
        canvas.line(&[(left, y), (left + 14.0, y)], color(at), 2.5)?;
        let name = fitted(&curve.name, SMALL, 136.0);
        canvas.text((left + 20.0, y), Hold::Left, &name, (SMALL, INK))?;
    }
    canvas.line(&[(frame.right, frame.top), (frame.right, frame.bottom)], GRID, 1.0)
}
