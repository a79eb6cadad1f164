//! Weights and scores through the iterations, and how much they still change.

use plotters::style::Color;

use super::super::chart::{
    BLUE, Canvas, Drawn, Frame, GREEN, HALF, Hold, INK, MUTED, SMALL, VERMILLION, draw,
};
use super::super::scale::{Axis, Tick, count_ticks, log_ticks, round_ticks, short};
use super::super::text::{count, decimal, median, percent, share, thinned};
use super::super::{Figure, ReportError, Room};
use super::{Iteration, MarksInput};

/// Distributions drawn over each other.
const MOST: usize = 7;
/// Bins of a distribution.
const BINS: usize = 60;
/// How far a distribution may rise into the one above it, in rows.
const RISE: f64 = 1.7;

pub(super) fn figures(input: &MarksInput<'_>) -> Result<Vec<Figure>, ReportError> {
    let mut out = Vec::new();
    let all = input.iterations;
    if all.iter().any(|i| !i.weights.is_empty()) {
        out.push(weights(all)?);
    }
    if all.iter().any(|i| !i.scores.is_empty()) {
        out.push(scores(all)?);
    }
    let changes: Vec<(usize, f64)> = all
        .iter()
        .enumerate()
        .filter_map(|(at, i)| Some((at, i.mean_change.filter(|c| *c > 0.0)?)))
        .collect();
    if !changes.is_empty() {
        out.push(mean_change(&changes, input.tolerance)?);
    }
    Ok(out)
}

fn figure(name: &str, title: &str, svg: String, caption: String) -> Figure {
    Figure { name: name.to_owned(), title: title.to_owned(), svg, caption, room: Room::Half }
}

fn counts(values: impl Iterator<Item = f64>, range: (f64, f64)) -> Vec<f64> {
    let mut bins = vec![0.0; BINS];
    for v in values.filter(|v| v.is_finite()) {
        let part = (v - range.0) / (range.1 - range.0);
        bins[((part * BINS as f64) as usize).min(BINS - 1)] += 1.0;
    }
    bins
}

/// Ridge by ridge, the seeds on top.
fn ridges(canvas: &Canvas<'_>, shown: &[(usize, Vec<f64>)], range: (f64, f64), x: &Axis) -> Drawn {
    let n = shown.len() as f64;
    let frame = Frame { left: 74.0, ..Frame::filling(HALF, range, (0.0, n + RISE - 1.0)) };
    let last = shown.len() - 1;
    let ticks = shown.iter().enumerate().map(|(row, (at, _))| Tick {
        value: n - 1.0 - row as f64,
        label: match (*at, row == last) {
            (0, _) => "seed".to_owned(),
            (at, true) => format!("{at} (last)"),
            (at, _) => at.to_string(),
        },
    });
    frame.axes(canvas, x, &Axis::new("iteration", ticks.collect()))?;
    for (row, (_, bins)) in shown.iter().enumerate() {
        let base = n - 1.0 - row as f64;
        let most = bins.iter().copied().fold(1e-9, f64::max);
        let width = (range.1 - range.0) / BINS as f64;
        let mut outline = vec![frame.at(range.0, base)];
        for (i, bin) in bins.iter().enumerate() {
            let left = range.0 + width * i as f64;
            // Square roots show a few among many.
            let height = base + (RISE - 0.15) * (bin / most).sqrt();
            outline.push(frame.at(left, height));
            outline.push(frame.at(left + width, height));
        }
        outline.push(frame.at(range.1, base));
        let color = if row == last { GREEN } else { BLUE };
        canvas.polygon(&outline, color.mix(0.35))?;
        canvas.line(&outline, color, 1.2)?;
    }
    Ok(())
}

fn weights(all: &[Iteration<'_>]) -> Result<Figure, ReportError> {
    let positive =
        all.iter().flat_map(|i| i.weights.iter().copied()).filter(|w| *w > 0.0 && w.is_finite());
    let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(a, b), w| (a.min(w), b.max(w)));
    let range = (low.max(1e-3).log10() - 0.05, high.max(2e-3).log10() + 0.05);
    let indexed: Vec<(usize, &Iteration<'_>)> = all.iter().enumerate().collect();
    let shown: Vec<(usize, Vec<f64>)> = thinned(&indexed, MOST)
        .into_iter()
        .map(|(at, i)| {
            let logs = i.weights.iter().filter(|w| **w > 0.0).map(|w| w.log10().max(range.0));
            (*at, counts(logs, range))
        })
        .collect();
    let svg = draw(HALF, "Distributions of weights through the iterations", |canvas| {
        let x = Axis::new("weight of a volunteer (logarithmic)", log_ticks(range.0, range.1));
        ridges(canvas, &shown, range, &x)
    })?;
    let spread = |i: &Iteration<'_>| {
        let mut sorted: Vec<f64> = i.weights.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |q| super::super::text::quantile(&sorted, q).unwrap_or(0.0);
        format!("{} to {}", decimal(at(0.05), 2), decimal(at(0.95), 2))
    };
    let (first, last) = (&all[0], &all[all.len() - 1]);
    let caption = format!(
        "The mean weight is 1 throughout. Nine in ten volunteers weigh {} at the start and {} at the end. \
         Heights are square roots, so that a few are seen among many.",
        spread(first),
        spread(last)
    );
    Ok(figure("weights_by_iteration", "Weights through the iterations", svg, caption))
}

fn scores(all: &[Iteration<'_>]) -> Result<Figure, ReportError> {
    let indexed: Vec<(usize, &Iteration<'_>)> = all.iter().enumerate().collect();
    let shown: Vec<(usize, Vec<f64>)> = thinned(&indexed, MOST)
        .into_iter()
        .map(|(at, i)| (*at, counts(i.scores.iter().copied(), (0.0, 1.0))))
        .collect();
    let svg = draw(HALF, "Distributions of scores through the iterations", |canvas| {
        ridges(canvas, &shown, (0.0, 1.0), &Axis::new("score of a feature", round_ticks(0.0, 1.0, 5)))
    })?;
    let above = |i: &Iteration<'_>| i.scores.iter().filter(|s| **s >= 0.5).count() as u64;
    let (first, last) = (&all[0], &all[all.len() - 1]);
    let n = last.scores.len() as u64;
    let caption = format!(
        "{} of {} features reach 0.5 with the seed weights, {} ({}) at the end.",
        count(above(first)),
        count(n),
        count(above(last)),
        percent(share(above(last), n))
    );
    Ok(figure("scores_by_iteration", "Scores through the iterations", svg, caption))
}

fn mean_change(changes: &[(usize, f64)], tolerance: f64) -> Result<Figure, ReportError> {
    let logs: Vec<f64> = changes.iter().map(|c| c.1.log10()).collect();
    let stop = if tolerance > 0.0 { tolerance.log10() } else { logs[logs.len() - 1] };
    let low = logs.iter().copied().fold(stop, f64::min) - 0.4;
    let high = logs.iter().copied().fold(stop, f64::max) + 0.2;
    let last = changes[changes.len() - 1].0 as f64;
    let svg = draw(HALF, "Mean change of the weights per iteration", |canvas| {
        let frame = Frame::filling(HALF, (0.5, last + 0.5), (low, high));
        let ticks = count_ticks(last, 8).into_iter().filter(|t| t.value >= 1.0).collect();
        let y = log_ticks(low, high).into_iter().map(|t| Tick { label: power(t.value), ..t }).collect();
        frame.axes(canvas, &Axis::new("iteration", ticks), &Axis::new("mean change of a weight", y))?;
        if tolerance > 0.0 {
            canvas.dashes(frame.at(0.5, stop), frame.at(last + 0.5, stop), VERMILLION, 1.5)?;
            let at = (frame.left + 6.0, frame.at(0.0, stop).1 + 11.0);
            canvas.text(at, Hold::Left, "here it stops", (SMALL, MUTED))?;
        }
        let line: Vec<_> = changes.iter().map(|(at, c)| frame.at(*at as f64, c.log10())).collect();
        canvas.line(&line, BLUE, 2.0)?;
        line.iter().try_for_each(|at| canvas.disc(*at, 3.5, BLUE))?;
        let end = line[line.len() - 1];
        let text = scientific(changes[changes.len() - 1].1);
        canvas.text((end.0 + 9.0, end.1), Hold::Left, &text, (SMALL, INK))
    })?;
    let middle: Vec<f64> = changes.iter().map(|c| c.1).collect();
    let ratio: Vec<f64> = middle.windows(2).map(|w| w[1] / w[0]).collect();
    let mut sorted = ratio;
    sorted.sort_by(f64::total_cmp);
    let mut caption = format!(
        "After {} the weights change by {} on average.",
        super::super::text::counted(changes[changes.len() - 1].0 as u64, "iteration"),
        scientific(middle[middle.len() - 1])
    );
    if let Some(ratio) = median(&sorted) {
        caption.push_str(&format!(
            " Each iteration leaves {} of the change of the one before (the median).",
            percent(ratio)
        ));
    }
    Ok(figure("mean_change", "How much each iteration changes", svg, caption))
}

fn power(log: f64) -> String {
    let value = 10_f64.powf(log);
    if value >= 0.01 { short((value * 1e6).round() / 1e6) } else { scientific(value) }
}

/// 0.00042 as "4.2e-4".
fn scientific(value: f64) -> String {
    if value >= 0.01 { decimal(value, 3) } else { format!("{value:.1e}") }
}
