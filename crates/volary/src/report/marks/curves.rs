//! ROC and precision–recall curves, the scores of real and false features, calibration.

use plotters::style::{Color, RGBColor};
use volary_crowd::Interval;
use volary_crowd::marks::evaluate_curves::{AreaIntervals, Calibration, Curves};

use super::super::chart::{
    BLUE, Canvas, Drawn, Frame, GREEN, HALF, Hold, MUTED, SERIES, SMALL, VERMILLION, draw,
};
use super::super::scale::{Axis, count_ticks, percent_ticks, round_ticks};
use super::super::text::{count, decimal, decimal_or_dash, percent, plain};
use super::super::{Figure, ReportError, Room};
use super::{MarksEvaluation, level_text};

/// Most points of a curve; more are thinned.
const MOST_POINTS: usize = 1500;
/// Bars of the histogram of scores.
const BARS: usize = 40;

pub(super) fn figures(e: &MarksEvaluation<'_>) -> Result<Vec<Figure>, ReportError> {
    let mut out = Vec::new();
    if e.marked_only.0.roc_auc.is_some() {
        out.push(roc(e)?);
    }
    if e.marked_only.0.n_positive > 0 {
        out.push(precision_recall(e)?);
    }
    if !e.matched.judged.is_empty() {
        out.push(scores(e)?);
    }
    for (at, (name, calibration)) in e.calibrations.iter().enumerate() {
        out.push(reliability(e, at, (name, calibration))?);
    }
    Ok(out)
}

/// Both conventions with their colours; the one that counts all lies below.
fn both<'e>(e: &'e MarksEvaluation<'_>) -> [(&'e (Curves, AreaIntervals), RGBColor, &'static str); 2] {
    [(e.all, VERMILLION, "all signals"), (e.marked_only, BLUE, "signals that somebody marked")]
}

fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let last = points.last().copied();
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let mut out: Vec<_> = points.into_iter().step_by(step).collect();
    out.extend(last);
    out
}

fn legend(canvas: &Canvas<'_>, frame: &Frame, entries: &[(RGBColor, String)]) -> Drawn {
    for (i, (color, name)) in entries.iter().enumerate() {
        let (left, y) = (frame.right + 22.0, frame.top + 16.0 + 44.0 * i as f64);
        canvas.rect((left - 5.0, y - 5.0), (left + 5.0, y + 5.0), *color)?;
        canvas.label((left + 13.0, y), Hold::Left, name, HALF.0 - left - 16.0)?;
    }
    Ok(())
}

fn square() -> Frame {
    let mut frame = Frame::filling(HALF, (0.0, 1.0), (0.0, 1.0));
    frame.right = frame.left + (frame.bottom - frame.top) * 1.25;
    frame
}

fn with_interval(value: Option<f64>, interval: Interval) -> String {
    let ends = format!("{}–{}", decimal(interval.low, 3), decimal(interval.high, 3));
    format!("{} ({ends})", decimal_or_dash(value, 3))
}

fn roc(e: &MarksEvaluation<'_>) -> Result<Figure, ReportError> {
    let svg = draw(HALF, "ROC curve", |canvas| {
        let frame = square();
        let x = Axis::new("false-positive rate", percent_ticks(0.0, 1.0, 5));
        frame.axes(canvas, &x, &Axis::new("recall", percent_ticks(0.0, 1.0, 5)))?;
        canvas.dashes(frame.at(0.0, 0.0), frame.at(1.0, 1.0), MUTED, 1.0)?;
        let mut entries = Vec::new();
        for (curve, color, name) in both(e) {
            // Signals that nobody marked cannot be found at any threshold: their curve ends lower.
            let reached = curve.0.roc();
            let mut points: Vec<_> =
                reached.into_iter().filter(|p| p.1 <= curve.0.max_recall + 1e-12).collect();
            points = thin(points);
            let line: Vec<_> = points.iter().map(|p| frame.at(p.0, p.1)).collect();
            canvas.line(&line, color, 2.0)?;
            entries.push((color, format!("{name}: {}", decimal_or_dash(curve.0.roc_auc, 3))));
        }
        entries.reverse();
        legend(canvas, &frame, &entries)
    })?;
    let (some, all) = (e.marked_only, e.all);
    let caption = format!(
        "Area {} over {} features that match a signal and {} that do not. Counting the signals that nobody \
         marked, {}: the curve ends at {} of them. {} bootstrap intervals over light curves. On the dashed \
         line scores would say nothing.",
        with_interval(some.0.roc_auc, some.1.roc_auc),
        count(some.0.n_positive),
        count(some.0.n_negative),
        with_interval(all.0.roc_auc, all.1.roc_auc),
        percent(all.0.max_recall),
        level_text(e.level)
    );
    Ok(figure("roc", "ROC curve", svg, caption))
}

fn figure(name: &str, title: &str, svg: String, caption: String) -> Figure {
    Figure { name: name.to_owned(), title: title.to_owned(), svg, caption, room: Room::Half }
}

fn precision_recall(e: &MarksEvaluation<'_>) -> Result<Figure, ReportError> {
    let svg = draw(HALF, "Precision–recall curve", |canvas| {
        let frame = square();
        let x = Axis::new("recall", percent_ticks(0.0, 1.0, 5));
        frame.axes(canvas, &x, &Axis::new("precision", percent_ticks(0.0, 1.0, 5)))?;
        let mut entries = Vec::new();
        for (curve, color, name) in both(e) {
            let reached = curve.0.precision_recall();
            let points: Vec<_> =
                reached.into_iter().filter(|p| p.0 <= curve.0.max_recall + 1e-12).collect();
            let line: Vec<_> = thin(points).iter().map(|p| frame.at(p.0, p.1)).collect();
            canvas.line(&line, color, 2.0)?;
            entries.push((color, format!("{name}: {}", decimal_or_dash(curve.0.average_precision, 3))));
        }
        let cutoff = &e.headline;
        let recall = cutoff.precision.k as f64 / e.marked_only.0.n_positive as f64;
        canvas.ring(frame.at(recall, cutoff.precision.share()), 5.0, BLUE)?;
        entries.reverse();
        legend(canvas, &frame, &entries)?;
        let (left, y) = (frame.right + 22.0, frame.top + 110.0);
        canvas.ring((left, y), 5.0, BLUE)?;
        canvas.label(
            (left + 13.0, y),
            Hold::Left,
            &format!("score {}", decimal(cutoff.cutoff, 2)),
            120.0,
        )
    })?;
    let (some, all) = (e.marked_only, e.all);
    let caption = format!(
        "Average precision {}; counting the signals that nobody marked, {} ({} without the last step, which \
         nobody's marks reach). The area by trapezoids, which is optimistic, is {}.",
        with_interval(some.0.average_precision, some.1.average_precision),
        with_interval(all.0.average_precision, all.1.average_precision),
        decimal_or_dash(all.0.average_precision_reached, 3),
        decimal_or_dash(some.0.pr_auc, 3)
    );
    Ok(figure("precision_recall", "Precision and recall", svg, caption))
}

/// Scores of features with and without a signal, one up, one down.
fn scores(e: &MarksEvaluation<'_>) -> Result<Figure, ReportError> {
    let mut bars = [(0_u64, 0_u64); BARS];
    for j in &e.matched.judged {
        let at = ((j.score.clamp(0.0, 1.0) * BARS as f64) as usize).min(BARS - 1);
        if j.is_real { bars[at].0 += 1 } else { bars[at].1 += 1 }
    }
    let (real, not) = bars.iter().fold((0, 0), |s, b| (s.0 + b.0, s.1 + b.1));
    // Each kind at its own height: there are many more false features than real ones.
    let tallest = |f: &dyn Fn(&(u64, u64)) -> u64| bars.iter().map(f).max().unwrap_or(0).max(1) as f64;
    let (up, down) = (tallest(&|b| b.0), tallest(&|b| b.1));
    let svg = draw(HALF, "Scores of features with and without a signal", |canvas| {
        let frame = Frame::filling(HALF, (0.0, 1.0), (-1.06, 1.06));
        let upper = count_ticks(up, 3).into_iter().map(|t| (t.value / up, t.label));
        let lower = count_ticks(down, 3).into_iter().skip(1).map(|t| (-t.value / down, t.label));
        let ticks = upper.chain(lower).map(|(value, label)| super::super::scale::Tick { value, label });
        let x = Axis::new("score", round_ticks(0.0, 1.0, 10));
        frame.axes(canvas, &x, &Axis::new("features", ticks.collect()))?;
        for (i, (k, n)) in bars.iter().enumerate() {
            let (left, right) = (i as f64 / BARS as f64, (i + 1) as f64 / BARS as f64);
            frame.bar(canvas, (left, right), (0.0, *k as f64 / up), GREEN)?;
            let (a, b) = (frame.at(left, 0.0), frame.at(right, -(*n as f64) / down));
            canvas.rect((a.0 + 1.0, a.1), (b.0 - 1.0, b.1), VERMILLION.mix(0.85))?;
        }
        canvas.line(&[frame.at(0.0, 0.0), frame.at(1.0, 0.0)], MUTED, 1.0)?;
        let cutoff = frame.at(e.headline.cutoff, 0.0).0;
        canvas.dashes((cutoff, frame.bottom), (cutoff, frame.top), MUTED, 1.0)?;
        let right = frame.right - 4.0;
        canvas.text(
            (frame.left + 8.0, frame.top + 8.0),
            Hold::Left,
            "match a signal",
            (SMALL, GREEN),
        )?;
        canvas.text((right, frame.bottom - 10.0), Hold::Right, "match nothing", (SMALL, VERMILLION))
    })?;
    let h = &e.headline;
    let caption = format!(
        "{} features match a signal (up), {} do not (down; another scale). At {} and above, {} of {} are real.",
        count(real),
        count(not),
        decimal(h.cutoff, 2),
        count(h.precision.k),
        count(h.precision.n)
    );
    Ok(figure("scores_real_and_false", "Scores of real and false features", svg, caption))
}

fn reliability(
    e: &MarksEvaluation<'_>,
    at: usize,
    (name, calibration): (&str, &Calibration),
) -> Result<Figure, ReportError> {
    let color = SERIES[at % SERIES.len()];
    let svg = draw(HALF, "Calibration", |canvas| {
        let frame = square();
        let x = Axis::new("probability of being real", percent_ticks(0.0, 1.0, 5));
        frame.axes(canvas, &x, &Axis::new("share that is real", percent_ticks(0.0, 1.0, 5)))?;
        canvas.dashes(frame.at(0.0, 0.0), frame.at(1.0, 1.0), MUTED, 1.0)?;
        let mut line = Vec::new();
        for bin in calibration.bins.iter().filter(|b| b.n > 0) {
            let (Some(x), Some(y)) = (bin.mean_fraction, bin.share_true) else { continue };
            let bar = [frame.at(x, bin.interval.low), frame.at(x, bin.interval.high)];
            canvas.line(&bar, color.mix(0.4), 2.0)?;
            line.push(frame.at(x, y));
        }
        canvas.line(&line, color, 1.5)?;
        line.iter().try_for_each(|at| canvas.disc(*at, 3.5, color))?;
        let numbers = [
            ("Brier", calibration.brier),
            ("skill", calibration.brier_skill),
            ("log loss", calibration.log_loss),
            ("ECE", calibration.ece),
        ];
        for (i, (label, value)) in numbers.into_iter().enumerate() {
            let y = frame.top + 16.0 + 22.0 * i as f64;
            canvas.text((frame.right + 18.0, y), Hold::Left, label, (SMALL, MUTED))?;
            canvas.text((HALF.0 - 20.0, y), Hold::Right, &decimal_or_dash(value, 3), (SMALL, color))?;
        }
        Ok(())
    })?;
    let caption = format!(
        "“{}” over {} features, of which {} are real. On the dashed line probabilities keep their word. Bars are \
         {} intervals; skill 0 is always saying the base rate, 1 is perfect.",
        plain(name, 40),
        count(calibration.base_rate.n),
        percent(calibration.base_rate.share()),
        level_text(e.level)
    );
    let title = format!("Calibration: {}", plain(name, 40));
    Ok(figure(&format!("calibration_{}", at + 1), &title, svg, caption))
}
