//! Marks over a light curve, with the features that were found: the paper's figure 5.

use plotters::style::{Color, RGBColor};

use super::super::chart::{
    BLUE, Canvas, Drawn, Frame, GREEN, GRID, Hold, INK, MUTED, NORMAL, ORANGE, SMALL, VERMILLION, draw,
};
use super::super::scale::{Axis, round_ticks};
use super::super::text::{clean, counted, cut, decimal, quantile};
use super::super::{Figure, ReportError, Room};
use super::Example;

/// Most views drawn, one row each.
const MOST_VIEWS: usize = 24;
/// Most points of the light curve; more are thinned.
const MOST_POINTS: usize = 3000;
const WIDTH: f64 = 1060.0;
const FLUX: f64 = 250.0;
const ROW: f64 = 8.0;
/// Score from which a feature is drawn as found.
const FOUND: f64 = 0.5;

pub(super) fn figure(example: &Example<'_>, at: usize) -> Result<Option<Figure>, ReportError> {
    let Some(span) = span(example) else { return Ok(None) };
    let rows = example.views.len().min(MOST_VIEWS);
    let height = FLUX + 34.0 + ROW * rows as f64 + 64.0;
    let svg = draw((WIDTH, height), "Marks over a light curve", |canvas| {
        paint(canvas, example, span, height)
    })?;
    let marked = example.views.iter().filter(|v| !v.is_empty()).count();
    let found: Vec<_> = example.features.iter().filter(|f| f.2 >= FOUND).collect();
    let mut caption = format!(
        "Above: the flux. Below: one row for each of {}, {} of whom marked something. Bands are the features; \
         the darker, the higher the score, which stands above each with its interval.",
        counted(example.views.len() as u64, "viewer"),
        marked
    );
    caption.push_str(&format!(
        " {} of {} reach a score of {}.",
        found.len(),
        counted(example.features.len() as u64, "feature"),
        decimal(FOUND, 1)
    ));
    if !example.signals.is_empty() {
        caption.push_str(" Triangles show where the known signals are.");
    }
    if example.views.len() > MOST_VIEWS {
        caption.push_str(&format!(" The first {MOST_VIEWS} viewers are drawn."));
    }
    Ok(Some(Figure {
        name: format!("light_curve_{}", at + 1),
        title: format!("Light curve {}", cut(&clean(example.subject), 60)),
        svg,
        caption,
        room: Room::Whole,
    }))
}

/// From the first to the last moment of anything drawn.
fn span(example: &Example<'_>) -> Option<(f64, f64)> {
    let of_marks = example.views.iter().flatten().flat_map(|m| [m.0, m.1]);
    let of_signals = example.signals.iter().flat_map(|s| [s.0, s.1]);
    let all = example.time_days.iter().copied().chain(of_marks).chain(of_signals);
    let finite = all.filter(|t| t.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| (a.min(t), b.max(t)));
    (low < high).then_some((low, high))
}

fn paint(canvas: &Canvas<'_>, example: &Example<'_>, span: (f64, f64), height: f64) -> Drawn {
    let points = thinned(example);
    let y = flux_range(&points);
    let flux = Frame { left: 56.0, top: 54.0, right: WIDTH - 18.0, bottom: FLUX, x: span, y };
    let rows = Frame {
        left: 56.0,
        top: FLUX + 26.0,
        right: WIDTH - 18.0,
        bottom: height - 56.0,
        x: span,
        y: (0.0, example.views.len().min(MOST_VIEWS) as f64),
    };
    for feature in example.features {
        band(canvas, (&flux, &rows), feature)?;
    }
    let none = Axis::new("", Vec::new());
    let scaled = if points.is_empty() { Vec::new() } else { round_ticks(y.0, y.1, 4) };
    // Its name stands above the scores.
    canvas.text((8.0, 14.0), Hold::Left, "flux, per mille off the median", (NORMAL, INK))?;
    flux.axes(canvas, &none, &Axis::new("", scaled))?;
    for (t, f) in &points {
        canvas.disc(flux.at(*t, *f), 1.1, INK.mix(0.75))?;
    }
    if points.is_empty() {
        canvas.text(
            (WIDTH / 2.0, FLUX / 2.0),
            Hold::Middle,
            "the light curve is not at hand",
            (SMALL, MUTED),
        )?;
    }
    for signal in example.signals {
        let (x, y) = (flux.at((signal.0 + signal.1) / 2.0, 0.0).0, flux.bottom - 2.0);
        canvas.polygon(&[(x, y - 11.0), (x - 6.0, y), (x + 6.0, y)], VERMILLION)?;
    }
    views(canvas, example, &rows)?;
    labels(canvas, example, &flux)
}

/// At most so many real points, evenly taken, in per mille off the median.
fn thinned(example: &Example<'_>) -> Vec<(f64, f64)> {
    let pairs = example.time_days.iter().copied().zip(example.flux.iter().copied());
    let real: Vec<(f64, f64)> = pairs.filter(|(t, f)| t.is_finite() && f.is_finite()).collect();
    let mut sorted: Vec<f64> = real.iter().map(|p| p.1).collect();
    sorted.sort_by(f64::total_cmp);
    let median = quantile(&sorted, 0.5).unwrap_or(1.0);
    let scale = if median.abs() > 1e-12 { 1000.0 / median } else { 1.0 };
    let step = real.len().div_ceil(MOST_POINTS).max(1);
    real.into_iter().step_by(step).map(|(t, f)| (t, (f - median) * scale)).collect()
}

/// All but the wildest points, with a little air.
fn flux_range(points: &[(f64, f64)]) -> (f64, f64) {
    let mut sorted: Vec<f64> = points.iter().map(|p| p.1).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (sorted.first(), quantile(&sorted, 0.999)) else { return (-1.0, 1.0) };
    let air = ((high - low) * 0.08).max(1e-9);
    (low - 2.0 * air, high + air)
}

fn shade(score: f64) -> (RGBColor, f64) {
    let color = if score >= FOUND { GREEN } else { ORANGE };
    let known = if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) };
    (color, 0.10 + 0.35 * known)
}

fn band(
    canvas: &Canvas<'_>,
    (flux, rows): (&Frame, &Frame),
    feature: &(f64, f64, f64, volary_crowd::Interval),
) -> Drawn {
    let (color, strength) = shade(feature.2);
    let (left, right) = (flux.at(feature.0, 0.0).0, flux.at(feature.1, 0.0).0);
    canvas.rect((left, flux.top), (right, rows.bottom), color.mix(strength))
}

/// A row per viewer: a thin line, and a bar where they marked.
fn views(canvas: &Canvas<'_>, example: &Example<'_>, rows: &Frame) -> Drawn {
    for (i, marks) in example.views.iter().take(MOST_VIEWS).enumerate() {
        let y = rows.top + ROW * (i as f64 + 0.5);
        canvas.line(&[(rows.left, y), (rows.right, y)], GRID, 1.0)?;
        for mark in marks {
            let (left, right) = (rows.at(mark.0, 0.0).0, rows.at(mark.1, 0.0).0);
            canvas.rect((left, y - 2.8), (right.max(left + 1.5), y + 2.8), BLUE)?;
        }
    }
    canvas.text(
        (rows.left - 48.0, rows.top - 11.0),
        Hold::Left,
        "marks, a row for each viewer",
        (SMALL, INK),
    )?;
    let x = Axis::new("time (days)", round_ticks(rows.x.0, rows.x.1, 10));
    rows.axes(canvas, &x, &Axis::new("", Vec::new()))
}

/// Scores above the bands, lower ones left out where there is no room.
fn labels(canvas: &Canvas<'_>, example: &Example<'_>, flux: &Frame) -> Drawn {
    let mut order: Vec<_> = example.features.iter().collect();
    order.sort_by(|a, b| b.2.total_cmp(&a.2));
    let mut taken: Vec<f64> = Vec::new();
    for feature in order {
        let x = flux.at((feature.0 + feature.1) / 2.0, 0.0).0;
        if taken.iter().any(|t| (t - x).abs() < 58.0) {
            continue;
        }
        taken.push(x);
        let color = if feature.2 >= FOUND { INK } else { MUTED };
        let x = x.clamp(flux.left + 20.0, flux.right - 24.0);
        canvas.text((x, flux.top - 12.0), Hold::Middle, &decimal(feature.2, 2), (SMALL, color))?;
        let interval = format!("{}–{}", decimal(feature.3.low, 2), decimal(feature.3.high, 2));
        canvas.text((x, flux.top - 0.5), Hold::Middle, &interval, (9.5, MUTED))?;
    }
    Ok(())
}
