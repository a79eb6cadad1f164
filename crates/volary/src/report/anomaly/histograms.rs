//! Histograms side by side, or one over another, each as shares of its own total so that groups of different
//! size can be compared.

use plotters::style::Color as _;

use crate::report::ReportError;
use crate::report::chart::{Frame, Hold, INK, MUTED, NORMAL, SERIES, SMALL, VERMILLION, draw};
use crate::report::scale::{Axis, above, percent_ticks, round_ticks};
use crate::report::text::fitted;

/// Values of one group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

/// One small chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Panel {
    pub(crate) title: String,
    /// What is on its axis.
    pub(crate) x: String,
    /// Drawn over each other, the first one filled.
    pub(crate) groups: Vec<Histogram>,
    /// Ends of the axis; values beyond are in the outermost bins.
    pub(crate) range: (f64, f64),
    pub(crate) n_bins: usize,
    /// Places to mark, with their names.
    pub(crate) marks: Vec<(f64, String)>,
}

const SIDE: (f64, f64) = (330.0, 235.0);

/// Draws panels, `n_columns` in a row.
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn histograms(panels: &[Panel], n_columns: usize, alt: &str) -> Result<String, ReportError> {
    let n_columns = n_columns.clamp(1, panels.len().max(1));
    let n_rows = panels.len().div_ceil(n_columns).max(1);
    let size = (SIDE.0 * n_columns as f64, SIDE.1 * n_rows as f64 + 6.0);
    draw(size, alt, |canvas| {
        for (at, panel) in panels.iter().enumerate() {
            let (left, top) = (SIDE.0 * (at % n_columns) as f64, SIDE.1 * (at / n_columns) as f64);
            let shares: Vec<Vec<f64>> = panel.groups.iter().map(|g| bins(&g.values, panel)).collect();
            let most = above(shares.iter().flatten().copied().fold(0.0, f64::max));
            let frame = Frame {
                left: left + 52.0,
                top: top + 44.0,
                right: left + SIDE.0 - 16.0,
                bottom: top + SIDE.1 - 44.0,
                x: panel.range,
                y: (0.0, most),
            };
            let y = Axis::new("", percent_ticks(0.0, most, 3));
            let x = Axis::new(panel.x.clone(), round_ticks(panel.range.0, panel.range.1, 5));
            frame.axes(canvas, &x, &y)?;
            let title = fitted(&panel.title, NORMAL, SIDE.0 - 60.0);
            canvas.text((frame.left, top + 14.0), Hold::Left, &title, (NORMAL, INK))?;
            let step = (panel.range.1 - panel.range.0) / panel.n_bins as f64;
            let edge = |bin: usize| panel.range.0 + step * bin as f64;
            for (which, shares) in shares.iter().enumerate() {
                let color = SERIES[which % SERIES.len()];
                if which == 0 {
                    for (bin, share) in shares.iter().enumerate() {
                        frame.bar(canvas, (edge(bin), edge(bin + 1)), (0.0, *share), color.mix(0.55))?;
                    }
                    continue;
                }
                let corners = shares.iter().enumerate();
                let line: Vec<(f64, f64)> = corners
                    .flat_map(|(bin, s)| [frame.at(edge(bin), *s), frame.at(edge(bin + 1), *s)])
                    .collect();
                canvas.line(&line, color, 1.8)?;
            }
            for (value, name) in &panel.marks {
                let (x, _) = frame.at(value.clamp(panel.range.0, panel.range.1), 0.0);
                canvas.dashes((x, frame.top), (x, frame.bottom), VERMILLION, 1.2)?;
                let hold = if x > (frame.left + frame.right) / 2.0 { Hold::Right } else { Hold::Left };
                let side = if matches!(hold, Hold::Right) { -4.0 } else { 4.0 };
                canvas.text((x + side, frame.top + 6.0), hold, name, (SMALL, VERMILLION))?;
            }
            if panel.groups.len() > 1 {
                let names = panel.groups.iter().enumerate();
                let entries: Vec<_> =
                    names.map(|(i, g)| (SERIES[i % SERIES.len()].to_rgba(), g.name.clone())).collect();
                canvas.legend((frame.left, top + 32.0), &entries)?;
            } else if let Some(only) = panel.groups.first() {
                canvas.text((frame.left, top + 32.0), Hold::Left, &only.name, (SMALL, MUTED))?;
            }
        }
        Ok(())
    })
}

/// Shares of the values in each bin; what is no number is left out.
fn bins(values: &[f64], panel: &Panel) -> Vec<f64> {
    let (low, high) = panel.range;
    let mut counts = vec![0_u32; panel.n_bins.max(1)];
    let last = counts.len() - 1;
    for value in values.iter().filter(|v| v.is_finite()) {
        let part = if high > low { (value - low) / (high - low) } else { 0.0 };
        let bin = (part * counts.len() as f64).floor().max(0.0) as usize;
        counts[bin.min(last)] += 1;
    }
    let n: u32 = counts.iter().sum();
    counts.into_iter().map(|c| if n > 0 { f64::from(c) / f64::from(n) } else { 0.0 }).collect()
}
