//! What was recovered: by two quantities as a map, by one with intervals, and the completeness curve.

use plotters::style::Color;
use volary_crowd::marks::evaluate::{RecoveryTable, Share};
use volary_crowd::marks::evaluate_logistic::{Completeness, CompletenessBin};

use super::super::chart::{
    BLUE, Canvas, Drawn, Frame, GREEN, HALF, Hold, INK, MUTED, PAPER, SMALL, VERMILLION, draw,
};
use super::super::scale::{Axis, Tick, log_ticks, percent_ticks, round_ticks, short};
use super::super::text::{clean, count, decimal, percent, percent_interval};
use super::super::{Figure, ReportError, Room};
use super::{MarksEvaluation, level_text, quantity, quantity_log};

pub(super) fn figures(e: &MarksEvaluation<'_>) -> Result<Vec<Figure>, ReportError> {
    let mut out = Vec::new();
    for (x, y, table) in e.maps {
        out.push(map(e, (x, y), table)?);
    }
    for (name, logarithmic, table) in e.lines {
        out.push(line(e, name, *logarithmic, table)?);
    }
    if let Some((name, bins, fit)) = e.completeness {
        out.push(completeness(e, name, bins, fit)?);
    }
    Ok(out)
}

/// An edge in few characters.
fn edge(value: f64) -> String {
    if value.abs() >= 100.0 {
        short(value.round())
    } else {
        format!("{}", (value * 100.0).round() / 100.0)
    }
}

fn all_cells(table: &RecoveryTable) -> impl Iterator<Item = &Share> {
    table.cells.iter().flatten()
}

/// Cells of equal size, whatever the bins' widths, so that each can hold its numbers.
fn map(
    e: &MarksEvaluation<'_>,
    (x, y): (&str, &str),
    table: &RecoveryTable,
) -> Result<Figure, ReportError> {
    let (columns, rows) = (table.x_edges.len() - 1, table.y_edges.len() - 1);
    let size = (1060.0, 130.0 + 40.0 * rows as f64);
    let svg = draw(size, "Recovery by two quantities", |canvas| {
        let mut frame = Frame::filling(size, (0.0, columns as f64), (0.0, rows as f64));
        frame.right -= 120.0;
        for (row, cells) in table.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                paint_cell(canvas, &frame, (column, row), cell)?;
            }
        }
        let ticks = |edges: &[f64]| {
            let of = |(i, v): (usize, &f64)| Tick { value: i as f64, label: edge(*v) };
            edges.iter().enumerate().map(of).collect::<Vec<_>>()
        };
        let x_axis = Axis::new(quantity(x), ticks(&table.x_edges));
        frame.axes(canvas, &x_axis, &Axis::new(quantity(y), ticks(&table.y_edges)))?;
        key(canvas, &frame)
    })?;
    let sum = all_cells(table).fold((0, 0), |s, c| (s.0 + c.k, s.1 + c.n));
    let mut caption = format!(
        "Recovered of all signals in each cell, and the share. {} of {} in all.",
        count(sum.0),
        count(sum.1)
    );
    let lowest = all_cells(table).filter(|c| c.n >= 10).min_by(|a, b| a.share().total_cmp(&b.share()));
    if let Some(cell) = lowest {
        caption.push_str(&format!(
            " The worst cell with ten signals or more reaches {} ({} interval {}).",
            percent(cell.share()),
            level_text(e.level),
            percent_interval(cell.interval)
        ));
    }
    if table.n_outside > 0 {
        caption.push_str(&format!(" {} signals lie in no cell.", count(table.n_outside)));
    }
    let name = format!("recovery_map_{}_{}", file_part(x), file_part(y));
    let title = format!("Recovery by {} and {}", quantity(y), quantity(x));
    Ok(Figure { name, title, svg, caption, room: Room::Whole })
}

fn paint_cell(canvas: &Canvas<'_>, frame: &Frame, (column, row): (usize, usize), cell: &Share) -> Drawn {
    let a = frame.at(column as f64, row as f64);
    let b = frame.at((column + 1) as f64, (row + 1) as f64);
    if cell.n == 0 {
        return Ok(());
    }
    let share = cell.share();
    canvas.rect((a.0 + 1.0, a.1 - 1.0), (b.0 - 1.0, b.1 + 1.0), BLUE.mix(strength(share)))?;
    let color = if share > 0.55 { PAPER } else { INK };
    let middle = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    let room = b.0 - a.0;
    let counts = format!("{}/{}", count(cell.k), count(cell.n));
    canvas.text(
        (middle.0, middle.1 - 7.0),
        Hold::Middle,
        &format!("{:.0}%", 100.0 * share),
        (13.0, color),
    )?;
    if room > 60.0 {
        canvas.text((middle.0, middle.1 + 9.0), Hold::Middle, &counts, (10.5, color))?;
    }
    Ok(())
}

fn strength(share: f64) -> f64 {
    0.06 + 0.94 * share.clamp(0.0, 1.0).powf(1.3)
}

fn key(canvas: &Canvas<'_>, frame: &Frame) -> Drawn {
    let (left, steps) = (frame.right + 34.0, 40);
    let height = frame.bottom - frame.top;
    for i in 0..steps {
        let part = f64::from(i) / f64::from(steps);
        let y = frame.bottom - height * part;
        let up = y - height / f64::from(steps);
        canvas.rect((left, y), (left + 14.0, up), BLUE.mix(strength(part)))?;
    }
    for tick in percent_ticks(0.0, 1.0, 4) {
        let y = frame.bottom - height * tick.value;
        canvas.text((left + 22.0, y), Hold::Left, &tick.label, (SMALL, MUTED))?;
    }
    Ok(())
}

/// Letters and digits only.
fn file_part(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .take(40)
        .collect()
}

fn line(
    e: &MarksEvaluation<'_>,
    name: &str,
    logarithmic: bool,
    table: &RecoveryTable,
) -> Result<Figure, ReportError> {
    let on = |v: f64| if logarithmic { v.log10() } else { v };
    let cells: Vec<((f64, f64), &Share)> = table
        .x_edges
        .windows(2)
        .map(|w| (on(w[0]), on(w[1])))
        .zip(table.cells.iter().flatten())
        .collect();
    let ends = (on(table.x_edges[0]), on(table.x_edges[table.x_edges.len() - 1]));
    let svg = draw(HALF, "Recovery by one quantity", |canvas| {
        let frame = Frame::filling(HALF, ends, (0.0, 1.0));
        let ticks = if logarithmic { log_ticks(ends.0, ends.1) } else { round_ticks(ends.0, ends.1, 6) };
        let x = Axis::new(if logarithmic { quantity_log(name) } else { quantity(name) }, ticks);
        frame.axes(canvas, &x, &Axis::new("recovered", percent_ticks(0.0, 1.0, 5)))?;
        for ((low, high), cell) in cells.iter().filter(|c| c.1.n > 0) {
            interval_point(canvas, &frame, ((low + high) / 2.0, Some((*low, *high))), cell)?;
        }
        Ok(())
    })?;
    let filled = cells.iter().filter(|c| c.1.n > 0);
    let worst = filled.clone().min_by(|a, b| a.1.share().total_cmp(&b.1.share()));
    let best = filled.max_by(|a, b| a.1.share().total_cmp(&b.1.share()));
    let about = |c: Option<&((f64, f64), &Share)>| {
        c.map_or_else(String::new, |c| format!("{} of {}", percent(c.1.share()), count(c.1.n)))
    };
    let caption = format!(
        "From {} signals in the worst bin to {} in the best. Vertical bars are {} intervals, horizontal ones \
         the bins; the larger a point, the more signals.",
        about(worst),
        about(best),
        level_text(e.level)
    );
    Ok(Figure {
        name: format!("recovery_by_{}", file_part(name)),
        title: format!("Recovery by {}", clean(&quantity(name))),
        svg,
        caption,
        room: Room::Half,
    })
}

fn interval_point(
    canvas: &Canvas<'_>,
    frame: &Frame,
    (x, bin): (f64, Option<(f64, f64)>),
    cell: &Share,
) -> Drawn {
    let share = cell.share();
    let bar = [frame.at(x, cell.interval.low), frame.at(x, cell.interval.high)];
    canvas.line(&bar, BLUE.mix(0.55), 2.0)?;
    if let Some((low, high)) = bin {
        canvas.line(&[frame.at(low, share), frame.at(high, share)], BLUE.mix(0.35), 1.5)?;
    }
    let radius = (2.0 + 0.9 * (cell.n as f64).log10()).clamp(2.0, 6.0);
    canvas.disc(frame.at(x, share), radius, BLUE)
}

fn completeness(
    e: &MarksEvaluation<'_>,
    name: &str,
    bins: &[CompletenessBin],
    fit: &Completeness,
) -> Result<Figure, ReportError> {
    let used: Vec<&CompletenessBin> = bins.iter().filter(|b| b.n > 0 && b.x.is_finite()).collect();
    let low = used.iter().map(|b| b.x).fold(f64::INFINITY, f64::min);
    let high = used.iter().map(|b| b.x).fold(f64::NEG_INFINITY, f64::max);
    // Strengths that span more than a factor of 30 leave no room for the rise on a linear axis.
    let is_log = low > 0.0 && high / low > 30.0;
    let on = |x: f64| if is_log { x.log10() } else { x };
    let ends = if is_log { (low.log10(), high.log10()) } else { (low.min(0.0), high) };
    let ends = (ends.0, ends.1 + 0.03 * (ends.1 - ends.0));
    let size = (1060.0, 360.0);
    let svg = draw(size, "Completeness", |canvas| {
        let frame = Frame::filling(size, ends, (0.0, 1.0));
        let ticks = if is_log { log_ticks(ends.0, ends.1) } else { round_ticks(ends.0, ends.1, 10) };
        let x = Axis::new(if is_log { quantity_log(name) } else { quantity(name) }, ticks);
        frame.axes(canvas, &x, &Axis::new("completeness", percent_ticks(0.0, 1.0, 5)))?;
        let back = |v: f64| if is_log { 10_f64.powf(v) } else { v };
        let steps = (0..=300).map(|i| ends.0 + (ends.1 - ends.0) * f64::from(i) / 300.0);
        let steps: Vec<(f64, f64)> = steps.map(|v| (v, back(v))).collect();
        let clamped = |v: f64| v.clamp(0.0, 1.0);
        let upper = steps.iter().map(|s| frame.at(s.0, clamped(fit.at(s.1) + 1.96 * fit.error_at(s.1))));
        let lower =
            steps.iter().rev().map(|s| frame.at(s.0, clamped(fit.at(s.1) - 1.96 * fit.error_at(s.1))));
        canvas.polygon(&upper.chain(lower).collect::<Vec<_>>(), GREEN.mix(0.22))?;
        let curve: Vec<_> = steps.iter().map(|s| frame.at(s.0, fit.at(s.1))).collect();
        canvas.line(&curve, GREEN, 2.2)?;
        for bin in &used {
            interval_point(canvas, &frame, (on(bin.x), None), &Share::new(bin.k, bin.n, e.level))?;
        }
        for share in [0.5, 0.9] {
            let reached = fit.reaching(share).filter(|(x, _)| (ends.0..=ends.1).contains(&on(*x)));
            let Some((x, _)) = reached else { continue };
            let at = frame.at(on(x), share);
            canvas.dashes((at.0, frame.bottom), at, VERMILLION, 1.2)?;
            canvas.dashes((frame.left, at.1), at, VERMILLION, 1.2)?;
            let text = format!("{:.0}% at {}", share * 100.0, decimal(x, 2));
            canvas.text((at.0 + 10.0, at.1 + 14.0), Hold::Left, &text, (SMALL, INK))?;
        }
        Ok(())
    })?;
    let with = |v: f64, err: f64| format!("{} ± {}", decimal(v, 3), decimal(err, 3));
    let at = |share: f64| {
        fit.reaching(share).map_or_else(
            || "–".to_owned(),
            |(x, err)| format!("{} ± {}", decimal(x, 2), decimal(err, 2)),
        )
    };
    let mut caption = format!(
        "Generalised logistic C(x) = [1 + Q exp(−B x)]^(−1/ν) with B = {}, Q = {}, ν = {}: half of the signals \
         are recovered at {}, nine in ten at {}. χ² = {} for {} degrees of freedom. The band is ±1.96 standard \
         errors of the curve.",
        with(fit.b, fit.b_error),
        with(fit.q, fit.q_error),
        with(fit.nu, fit.nu_error),
        at(0.5),
        at(0.9),
        decimal(fit.chi_squared, 1),
        fit.degrees_of_freedom
    );
    if fit.shape_undecided {
        caption.push_str(" The data do not decide the shape, so it was kept at 1.");
    }
    let title = format!("Completeness by {}", quantity(name));
    Ok(Figure { name: "completeness".to_owned(), title, svg, caption, room: Room::Whole })
}
