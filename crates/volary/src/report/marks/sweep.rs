//! What the parameters change: the paper's figures 17 to 20; and 23, what the score floor changes.

use volary_crowd::marks::evaluate::Headline;
use volary_crowd::marks::sweep::{SweepRow, best};

use super::super::chart::{
    BLUE, Canvas, Drawn, Frame, HALF, Hold, INK, MUTED, ORANGE, PURPLE, SERIES, SMALL, VERMILLION, draw,
};
use super::super::scale::{Axis, above, log_ticks, percent_ticks, round_ticks};
use super::super::text::{count, decimal, decimal_or_dash, percent};
use super::super::{Figure, ReportError, Room};
use plotters::style::{Color, RGBColor};

/// Colours of the tolerances, in order; more than these repeat.
const COLORS: [RGBColor; 6] = [SERIES[0], SERIES[4], SERIES[2], ORANGE, VERMILLION, PURPLE];

pub(super) fn figures(rows: &[SweepRow]) -> Result<Vec<Figure>, ReportError> {
    let Some(chosen) = best(rows) else { return Ok(Vec::new()) };
    let grid = Grid::of(rows);
    let mut out = Vec::new();
    if rows.len() > 1 {
        // Figure 17, 18, 19.
        out.push(grid.lines(
            "sweep_reachable",
            "Most signals that could be recovered",
            ("share of signals that some feature matches", true),
            |row| row.floors.first().map(|h| h.reachable.share()),
        )?);
        out.push(grid.lines(
            "sweep_false_positives",
            "Features that match nothing",
            ("share of judged features that match nothing", true),
            |row| row.floors.first().map(|h| 1.0 - h.precision.share()),
        )?);
        out.push(grid.lines(
            "sweep_pr_auc",
            "Area under the precision–recall curve",
            ("area", false),
            |row| row.marked_only.pr_auc,
        )?);
        out.push(trade(&grid, chosen)?);
    }
    Ok(out)
}

struct Grid<'r> {
    rows: &'r [SweepRow],
    tolerances: Vec<f64>,
    cutoffs: Vec<f64>,
}

impl<'r> Grid<'r> {
    fn of(rows: &'r [SweepRow]) -> Self {
        let distinct = |f: &dyn Fn(&SweepRow) -> f64| {
            let mut values: Vec<f64> = rows.iter().map(f).collect();
            values.sort_by(f64::total_cmp);
            values.dedup();
            values
        };
        Self { rows, tolerances: distinct(&|r| r.tolerance_days), cutoffs: distinct(&|r| r.cutoff_days) }
    }

    fn color(&self, row: &SweepRow) -> RGBColor {
        let at = self.tolerances.partition_point(|t| *t < row.tolerance_days);
        COLORS[at % COLORS.len()]
    }

    /// One line per tolerance over the cutoff.
    fn lines(
        &self,
        name: &str,
        title: &str,
        (y_name, is_share): (&str, bool),
        value: impl Fn(&SweepRow) -> Option<f64>,
    ) -> Result<Figure, ReportError> {
        let values: Vec<f64> = self.rows.iter().filter_map(&value).filter(|v| v.is_finite()).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let air = ((high - low) * 0.1).max(0.005);
        let y = if low <= high { ((low - air).max(0.0), (high + air).min(1.0)) } else { (0.0, 1.0) };
        let ends = (self.cutoffs[0].log10(), self.cutoffs[self.cutoffs.len() - 1].log10());
        let svg = draw(HALF, title, |canvas| {
            let mut frame = Frame::filling(HALF, (ends.0 - 0.03, ends.1 + 0.03), y);
            frame.right -= 74.0;
            let ticks = if is_share { percent_ticks(y.0, y.1, 5) } else { round_ticks(y.0, y.1, 5) };
            let x = Axis::new("duration cutoff (days, logarithmic)", log_ticks(ends.0, ends.1));
            frame.axes(canvas, &x, &Axis::new(y_name, ticks))?;
            for tolerance in &self.tolerances {
                let mine = self.rows.iter().filter(|r| r.tolerance_days.total_cmp(tolerance).is_eq());
                let mut points: Vec<(f64, (f64, f64))> = mine
                    .filter_map(|r| Some((r.cutoff_days, frame.at(r.cutoff_days.log10(), value(r)?))))
                    .collect();
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                let line: Vec<(f64, f64)> = points.into_iter().map(|p| p.1).collect();
                let row = self.rows.iter().find(|r| r.tolerance_days.total_cmp(tolerance).is_eq());
                let color = row.map_or(BLUE, |r| self.color(r));
                series(canvas, &line, color)?;
            }
            self.key(canvas, &frame)
        })?;
        let top = self.rows.iter().filter(|r| value(r).is_some_and(f64::is_finite));
        let ordered =
            |a: &&SweepRow, b: &&SweepRow| value(a).unwrap_or(0.0).total_cmp(&value(b).unwrap_or(0.0));
        let (least, most) = (top.clone().min_by(ordered), top.max_by(ordered));
        let about = |r: Option<&SweepRow>| {
            r.map_or_else(String::new, |r| {
                let v = value(r).unwrap_or(f64::NAN);
                let shown = if is_share { percent(v) } else { decimal(v, 3) };
                format!(
                    "{shown} (tolerance {} d, cutoff {} d)",
                    decimal(r.tolerance_days, 1),
                    r.cutoff_days
                )
            })
        };
        let caption = format!("A line per tolerance. From {} to {}.", about(least), about(most));
        Ok(half(name, title, svg, caption))
    }

    fn key(&self, canvas: &Canvas<'_>, frame: &Frame) -> Drawn {
        let left = frame.right + 16.0;
        canvas.text((left, frame.top), Hold::Left, "tolerance", (SMALL, MUTED))?;
        for (i, tolerance) in self.tolerances.iter().enumerate() {
            let y = frame.top + 20.0 + 20.0 * i as f64;
            canvas.disc((left + 5.0, y), 4.0, COLORS[i % COLORS.len()])?;
            canvas.text((left + 16.0, y), Hold::Left, &format!("{tolerance} d"), (SMALL, INK))?;
        }
        Ok(())
    }
}

fn half(name: &str, title: &str, svg: String, caption: String) -> Figure {
    Figure { name: name.to_owned(), title: title.to_owned(), svg, caption, room: Room::Half }
}

/// Figure 20: what is gained against what it costs; a line over the score floors for each pair.
fn trade(grid: &Grid<'_>, chosen: &SweepRow) -> Result<Figure, ReportError> {
    let line = |row: &SweepRow| -> Vec<(f64, f64)> {
        let points = row.floors.iter().map(|h| (1.0 - h.precision.share(), h.recovered.share()));
        points.filter(|p| p.0.is_finite()).collect()
    };
    let most = grid.rows.iter().flat_map(&line).map(|p| p.0).fold(0.05, f64::max);
    let x = (0.0, (most * 1.04).min(1.0));
    let title = "Recovery against false features";
    let svg = draw(HALF, title, |canvas| {
        let mut frame = Frame::filling(HALF, x, (0.0, 1.0));
        frame.right -= 74.0;
        let x_axis = Axis::new("share of the features that match nothing", percent_ticks(x.0, x.1, 5));
        frame.axes(canvas, &x_axis, &Axis::new("signals recovered", percent_ticks(0.0, 1.0, 5)))?;
        let on = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
            points.into_iter().map(|p| frame.at(p.0, p.1)).collect()
        };
        for row in grid.rows {
            canvas.line(&on(line(row)), grid.color(row).mix(0.45), 1.3)?;
        }
        let best = on(line(chosen));
        canvas.line(&best, INK, 2.0)?;
        best.iter().try_for_each(|at| canvas.disc(*at, 3.0, INK))?;
        grid.key(canvas, &frame)
    })?;
    let caption = format!(
        "A line for each pair of tolerance and cutoff, a point for each score floor. Black is the pair of the \
         largest average precision ({} with every signal counted): tolerance {} d, cutoff {} d, {} features.",
        decimal_or_dash(chosen.all.average_precision_reached, 3),
        decimal(chosen.tolerance_days, 1),
        chosen.cutoff_days,
        count(chosen.n_features)
    );
    Ok(half("sweep_trade", title, svg, caption))
}

/// Figure 23: recovery and false positives per true one over the score floor; none for a single floor.
pub(super) fn floors(used: &[Headline]) -> Result<Option<Figure>, ReportError> {
    let (Some(first), Some(last)) = (used.first(), used.last()) else { return Ok(None) };
    if first.cutoff >= last.cutoff {
        return Ok(None);
    }
    let ends = (first.cutoff, last.cutoff);
    let costs: Vec<(f64, f64)> =
        used.iter().filter_map(|h| Some((h.cutoff, h.false_per_true()?))).collect();
    let most = above(costs.iter().map(|c| c.1).fold(0.0, f64::max));
    let title = "Recovery and false features over the score floor";
    let svg = draw(HALF, title, |canvas| {
        let mut frame = Frame::filling(HALF, ends, (0.0, 1.0));
        frame.right -= 44.0;
        let x = Axis::new("score floor", round_ticks(ends.0, ends.1, 9));
        frame.axes(canvas, &x, &Axis::new("signals recovered", percent_ticks(0.0, 1.0, 5)))?;
        let upper = used.iter().map(|h| frame.at(h.cutoff, h.recovered.interval.high));
        let lower = used.iter().rev().map(|h| frame.at(h.cutoff, h.recovered.interval.low));
        canvas.polygon(&upper.chain(lower).collect::<Vec<_>>(), BLUE.mix(0.18))?;
        let recovered = used.iter().map(|h| frame.at(h.cutoff, h.recovered.share()));
        series(canvas, &recovered.collect::<Vec<_>>(), BLUE)?;
        let scaled = costs.iter().map(|c| frame.at(c.0, c.1 / most));
        series(canvas, &scaled.collect::<Vec<_>>(), VERMILLION)?;
        for tick in round_ticks(0.0, most, 5) {
            let at = frame.at(0.0, tick.value / most).1;
            canvas.text((frame.right + 8.0, at), Hold::Left, &tick.label, (SMALL, VERMILLION))?;
        }
        let name = "false per true feature";
        canvas.text((frame.right + 40.0, frame.top - 21.0), Hold::Right, name, (13.0, VERMILLION))
    })?;
    let mut caption = format!(
        "Blue: the share of signals recovered, with its interval. Red, on the scale at the right: false \
         features for each true one. From {} recovered without a floor to {} at {}.",
        percent(first.recovered.share()),
        percent(last.recovered.share()),
        decimal(last.cutoff, 1)
    );
    if let Some(h) = used.iter().find(|h| (h.cutoff - 0.5).abs() < 1e-9) {
        caption.push_str(&format!(
            " At 0.5, {}, with {} false features for each true one.",
            percent(h.recovered.share()),
            decimal_or_dash(h.false_per_true(), 2)
        ));
    }
    Ok(Some(half("score_floors", title, svg, caption)))
}

fn series(canvas: &Canvas<'_>, line: &[(f64, f64)], color: RGBColor) -> Drawn {
    canvas.line(line, color, 2.0)?;
    line.iter().try_for_each(|at| canvas.disc(*at, 3.0, color))
}
