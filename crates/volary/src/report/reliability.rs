//! Reliability: does an answer with 80% of the votes hold in 80% of the subjects?

use plotters::style::Color;

use super::chart::{Canvas, Drawn, Frame, HALF, Hold, MUTED, SERIES, draw};
use super::methods::{Judged, name_among, titled};
use super::questions::level;
use super::scale::{Axis, percent_ticks};
use super::text::{count, percent, plain};
use super::{Figure, ReportError, ReportInput, Room};

/// Methods drawn over each other.
const MOST: usize = 4;

/// The figure; none where no bin holds anything.
pub(super) fn figure(
    input: &ReportInput<'_>,
    question: u32,
    judged: &[Judged<'_>],
) -> Result<Option<Figure>, ReportError> {
    let drawn = |j: &&Judged<'_>| j.1.reliability.iter().any(|b| b.n > 0);
    // The first (as set, or the plain vote), and beside it those that lose least.
    let mut shown: Vec<&Judged<'_>> = judged.iter().filter(drawn).collect();
    if let Some((_, others)) = shown.split_first_mut() {
        let loss = |j: &&Judged<'_>| j.1.log_loss.unwrap_or(f64::INFINITY);
        others.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
    }
    shown.truncate(MOST);
    let Some((method, e)) = shown.first() else { return Ok(None) };
    let name = name_among(input, question);
    let svg = draw(HALF, &titled("Reliability of vote shares", &name), |c| draw_bins(c, &shown))?;
    let top = e.reliability.iter().rev().find(|b| b.n > 0);
    let mut caption = top.map_or_else(String::new, |bin| {
        format!(
            "“{}”: shares above {} average {} and are right {} of the time (n = {})",
            plain(&method.name, 40),
            format_args!("{:.0}%", bin.low * 100.0),
            bin.mean_fraction.map_or_else(|| "–".to_owned(), percent),
            bin.share_true.map_or_else(|| "–".to_owned(), percent),
            count(bin.n)
        )
    });
    caption.push_str(&format!(
        ". On the dashed line shares would be probabilities; above it the crowd is surer than it looks. \
         Bars are {} intervals.",
        level(input)
    ));
    Ok(Some(Figure {
        name: format!("reliability_q{question}"),
        title: titled("Reliability", &name),
        svg,
        caption,
        room: Room::Half,
    }))
}

fn draw_bins(canvas: &Canvas<'_>, shown: &[&Judged<'_>]) -> Drawn {
    let mut frame = Frame::filling(HALF, (0.0, 1.0), (0.0, 1.0));
    frame.right = frame.left + (frame.bottom - frame.top) * 1.15;
    let x = Axis::new("share of the votes, or probability", percent_ticks(0.0, 1.0, 5));
    frame.axes(canvas, &x, &Axis::new("share that is right", percent_ticks(0.0, 1.0, 5)))?;
    canvas.dashes(frame.at(0.0, 0.0), frame.at(1.0, 1.0), MUTED, 1.0)?;
    for (i, ((method, e), color)) in shown.iter().zip(SERIES).enumerate() {
        // Side by side, so that methods with equal shares do not hide each other.
        let aside = (i as f64 - (shown.len() - 1) as f64 / 2.0) * 0.008;
        let mut line = Vec::new();
        for bin in e.reliability.iter().filter(|b| b.n > 0) {
            let (Some(x), Some(y)) = (bin.mean_fraction, bin.share_true) else { continue };
            let x = x + aside;
            let bar = [frame.at(x, bin.interval.low), frame.at(x, bin.interval.high)];
            canvas.line(&bar, color.mix(0.4), 2.0)?;
            line.push(frame.at(x, y));
        }
        canvas.line(&line, color, 1.5)?;
        line.iter().try_for_each(|at| canvas.disc(*at, 3.5, color))?;
        let (left, y) = (frame.right + 24.0, frame.top + 14.0 + 38.0 * i as f64);
        canvas.disc((left, y), 4.5, color)?;
        canvas.label((left + 12.0, y), Hold::Left, &method.name, HALF.0 - left - 16.0)?;
    }
    Ok(())
}
