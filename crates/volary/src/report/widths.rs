//! How wide intervals are with so many votes: what one more vote would buy.

use plotters::style::Color;
use volary_crowd::Interval;

use super::chart::{BLUE, Canvas, Drawn, Frame, LOW, draw};
use super::questions::{Share, level, shares};
use super::scale::{Axis, above, log_ticks, round_ticks};
use super::text::{count, decimal, median, quantile};
use super::{Figure, ReportError, ReportInput, Room};

/// Points per factor of ten in the number of votes.
const PER_DECADE: f64 = 24.0;
/// Fewest shares behind a point.
const FEWEST: usize = 5;

/// Interval widths of about the same number of votes.
struct Width {
    n: f64,
    low: f64,
    median: f64,
    high: f64,
}

/// The figure; none where all subjects have about the same number of votes.
pub(super) fn figure(input: &ReportInput<'_>, questions: &[u32]) -> Result<Option<Figure>, ReportError> {
    let all: Vec<Share> = questions.iter().flat_map(|&q| shares(input, q)).collect();
    let widths = widths(&all);
    let (Some(first), Some(last)) = (widths.first(), widths.last()) else { return Ok(None) };
    if widths.len() < 3 || last.n < first.n * 1.3 {
        return Ok(None);
    }
    let svg = draw(LOW, "Width of intervals against number of votes", |c| draw_widths(c, &widths))?;
    let mut ns: Vec<f64> = all.iter().map(|s| s.n).collect();
    ns.sort_by(f64::total_cmp);
    let usual = median(&ns).unwrap_or(first.n);
    let half = |n: f64| Interval { low: 0.5, high: 0.5 }.width() + around_half(input, n);
    let caption = format!(
        "With {} votes, the median, a {} interval around an even split is {} points wide; four times as \
         many votes would halve it to about {}. The line is the median over {} shares, the band holds \
         the middle 80%.",
        decimal(usual, 0),
        level(input),
        decimal(half(usual) * 100.0, 0),
        decimal(half(4.0 * usual) * 100.0, 0),
        count(all.len() as u64)
    );
    Ok(Some(Figure {
        name: "interval_widths".to_owned(),
        title: "How sure the shares are with so many votes".to_owned(),
        svg,
        caption,
        room: Room::Whole,
    }))
}

fn around_half(input: &ReportInput<'_>, n: f64) -> f64 {
    input.params.around(n / 2.0, n, None).width()
}

fn widths(all: &[Share]) -> Vec<Width> {
    let bin = |n: f64| (n.max(1.0).log10() * PER_DECADE).round() as i64;
    let usable = |s: &&Share| s.n >= 0.5 && s.interval.width().is_finite();
    let mut pairs: Vec<(i64, f64, f64)> =
        all.iter().filter(usable).map(|s| (bin(s.n), s.n, s.interval.width())).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0).then(a.2.total_cmp(&b.2)));
    let groups = pairs.chunk_by(|a, b| a.0 == b.0);
    let summary = |group: &[(i64, f64, f64)]| {
        let sorted: Vec<f64> = group.iter().map(|p| p.2).collect();
        let at = |q| quantile(&sorted, q).unwrap_or(0.0);
        let n = group.iter().map(|p| p.1).sum::<f64>() / group.len() as f64;
        Width { n, low: at(0.1), median: at(0.5), high: at(0.9) }
    };
    groups.filter(|group| group.len() >= FEWEST).map(summary).collect()
}

fn draw_widths(canvas: &Canvas<'_>, widths: &[Width]) -> Drawn {
    let (first, last) = (widths[0].n.log10(), widths[widths.len() - 1].n.log10());
    let most = widths.iter().map(|w| w.high).fold(0.0, f64::max);
    let frame = Frame::filling(LOW, (first, last), (0.0, above(most).min(1.0)));
    let x = Axis::new("votes behind a share (logarithmic)", vote_ticks(first, last));
    let y = round_ticks(0.0, above(most).min(1.0) * 100.0, 4);
    let y = y.into_iter().map(|t| super::scale::Tick { value: t.value / 100.0, ..t }).collect();
    frame.axes(canvas, &x, &Axis::new("width of the interval (percentage points)", y))?;
    let upper = widths.iter().map(|w| frame.at(w.n.log10(), w.high));
    let lower = widths.iter().rev().map(|w| frame.at(w.n.log10(), w.low));
    canvas.polygon(&upper.chain(lower).collect::<Vec<_>>(), BLUE.mix(0.16))?;
    let middle: Vec<_> = widths.iter().map(|w| frame.at(w.n.log10(), w.median)).collect();
    canvas.line(&middle, BLUE, 2.0)?;
    middle.iter().try_for_each(|at| canvas.disc(*at, 3.0, BLUE))
}

/// Powers of ten, or whole numbers where the axis is short.
fn vote_ticks(first: f64, last: f64) -> Vec<super::scale::Tick> {
    let ticks = log_ticks(first, last);
    if ticks.len() >= 4 {
        return ticks;
    }
    let (low, high) = (10_f64.powf(first), 10_f64.powf(last));
    let whole = round_ticks(low, high, 8);
    whole
        .into_iter()
        .map(|t| super::scale::Tick { value: t.value.log10(), ..t })
        .filter(|t| t.value.is_finite())
        .collect()
}
