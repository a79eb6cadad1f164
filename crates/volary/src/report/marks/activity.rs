//! How much volunteers do, and how wide they mark.

use volary_core::marks::Marks;

use super::super::chart::{BLUE, Canvas, Drawn, Frame, HALF, Hold, MUTED, SKY, SMALL, VERMILLION, draw};
use super::super::scale::{Axis, above, count_ticks, log_ticks};
use super::super::text::{count, counted, decimal, percent, quantile, share};
use super::super::{Figure, ReportError, Room};

/// Bars per factor of ten: of counts, 1, 2–3, 4–7, …; of widths.
const OF_COUNTS: f64 = std::f64::consts::LOG2_10;
const OF_WIDTHS: f64 = 12.0;
/// The narrowest and widest mark that the page of Planet Hunters allowed at full view, days.
const PAGE_LIMITS_DAYS: [f64; 2] = [0.467, 6.22];

pub(super) fn figures(marks: &Marks) -> Result<Vec<Figure>, ReportError> {
    let mut views = vec![0_u64; marks.n_volunteers()];
    marks.view_volunteer.iter().for_each(|v| views[*v as usize] += 1);
    let of_volunteers: Vec<f64> = views.iter().filter(|n| **n > 0).map(|n| *n as f64).collect();
    let widths: Vec<f64> = marks
        .x_min_days
        .iter()
        .zip(&marks.x_max_days)
        .map(|(a, b)| b - a)
        .filter(|w| *w > 0.0)
        .collect();
    let mut out = Vec::new();
    if !of_volunteers.is_empty() {
        out.push(volunteers(marks, of_volunteers)?);
        out.push(marks_per_view(marks)?);
    }
    if !widths.is_empty() {
        out.push(durations(marks, widths)?);
        out.push(subjects(marks)?);
    }
    Ok(out)
}

/// Counts per bin of log10, and the bin of the smallest.
fn log_bins(values: &[f64], per_decade: f64) -> (i64, Vec<u64>) {
    let at = |v: f64| (v.log10() * per_decade + 1e-9).floor() as i64;
    let low = values.iter().map(|v| at(*v)).min().unwrap_or(0);
    let high = values.iter().map(|v| at(*v)).max().unwrap_or(0);
    let mut bars = vec![0; (high - low + 1) as usize];
    values.iter().for_each(|v| bars[(at(*v) - low) as usize] += 1);
    (low, bars)
}

fn draw_log(
    canvas: &Canvas<'_>,
    (low, bars, per_decade): (i64, &[u64], f64),
    names: (&str, &str),
    limits: &[f64],
) -> Drawn {
    let (from, to) = (low as f64 / per_decade, (low + bars.len() as i64) as f64 / per_decade);
    let most = bars.iter().copied().max().unwrap_or(0) as f64;
    let frame = Frame::filling(HALF, (from, to), (0.0, above(most)));
    let x = Axis::new(names.0, log_ticks(from, to));
    frame.axes(canvas, &x, &Axis::new(names.1, count_ticks(most, 5)))?;
    for (i, n) in bars.iter().enumerate() {
        let left = (low + i as i64) as f64 / per_decade;
        frame.bar(canvas, (left, left + 1.0 / per_decade), (0.0, *n as f64), BLUE)?;
    }
    for limit in limits.iter().map(|l| l.log10()).filter(|l| (from..=to).contains(l)) {
        canvas.dashes(frame.at(limit, 0.0), (frame.at(limit, 0.0).0, frame.top), VERMILLION, 1.5)?;
    }
    if let Some(limit) = limits.first().map(|l| l.log10()).filter(|l| (from..=to).contains(l)) {
        let at = (frame.at(limit, 0.0).0 + 6.0, frame.top + 4.0);
        canvas.text(at, Hold::Left, "limits of the page", (SMALL, MUTED))?;
    }
    Ok(())
}

fn volunteers(marks: &Marks, mut views: Vec<f64>) -> Result<Figure, ReportError> {
    views.sort_by(f64::total_cmp);
    let (low, bars) = log_bins(&views, OF_COUNTS);
    let svg = draw(HALF, "Histogram of views per volunteer", |c| {
        draw_log(c, (low, &bars, OF_COUNTS), ("views of a volunteer (logarithmic)", "volunteers"), &[])
    })?;
    let busy = views[views.len() - views.len().div_ceil(100)..].iter().sum::<f64>();
    let at = |q| decimal(quantile(&views, q).unwrap_or(0.0), 0);
    let caption = format!(
        "{} made {}. The median volunteer looked at {}, the busiest at {}; the busiest hundredth made {} of \
         all views. Each bar spans a factor of two.",
        counted(views.len() as u64, "volunteer"),
        counted(marks.n_views() as u64, "view"),
        at(0.5),
        at(1.0),
        percent(busy / marks.n_views() as f64)
    );
    Ok(figure("marks_activity", "How much each volunteer did", svg, caption))
}

fn figure(name: &str, title: &str, svg: String, caption: String) -> Figure {
    Figure { name: name.to_owned(), title: title.to_owned(), svg, caption, room: Room::Half }
}

fn marks_per_view(marks: &Marks) -> Result<Figure, ReportError> {
    const MOST: usize = 10;
    let mut bars = [0_u64; MOST + 1];
    for view in 0..marks.n_views() {
        bars[marks.marks_of(view).len().min(MOST)] += 1;
    }
    let most = bars.iter().copied().max().unwrap_or(0) as f64;
    let svg = draw(HALF, "Histogram of marks per view", |canvas| {
        let frame = Frame::filling(HALF, (-0.5, MOST as f64 + 0.5), (0.0, above(most)));
        let mut ticks = count_ticks(MOST as f64, MOST as u32);
        if let Some(last) = ticks.last_mut() {
            last.label = format!("{MOST}+");
        }
        frame.axes(
            canvas,
            &Axis::new("marks in a view", ticks),
            &Axis::new("views", count_ticks(most, 5)),
        )?;
        for (i, n) in bars.iter().enumerate() {
            let color = if i == 0 { SKY } else { BLUE };
            frame.bar(canvas, (i as f64 - 0.5, i as f64 + 0.5), (0.0, *n as f64), color)?;
        }
        Ok(())
    })?;
    let n = marks.n_views() as u64;
    let caption = format!(
        "{} of the views have no mark (the light bar): to see and mark nothing is a statement too. The others \
         have {} marks on average.",
        percent(share(bars[0], n)),
        decimal(marks.n_marks() as f64 / (n - bars[0]).max(1) as f64, 2)
    );
    Ok(figure("marks_per_view", "Marks in a view", svg, caption))
}

fn durations(marks: &Marks, mut widths: Vec<f64>) -> Result<Figure, ReportError> {
    widths.sort_by(f64::total_cmp);
    let low_cut = quantile(&widths, 0.001).unwrap_or(0.0).max(1e-3);
    let shown: Vec<f64> = widths.iter().copied().filter(|w| *w >= low_cut).collect();
    let (low, bars) = log_bins(&shown, OF_WIDTHS);
    // Marks of another page keep to neither limit.
    let [narrowest, widest] = PAGE_LIMITS_DAYS;
    let is_that_page = widths.last().is_some_and(|w| *w <= widest * 1.01)
        && quantile(&widths, 0.5).is_some_and(|w| w >= narrowest);
    let limits: &[f64] = if is_that_page { &PAGE_LIMITS_DAYS } else { &[] };
    let svg = draw(HALF, "Histogram of the widths of marks", |c| {
        draw_log(c, (low, &bars, OF_WIDTHS), ("width of a mark (days, logarithmic)", "marks"), limits)
    })?;
    let at = |q| decimal(quantile(&widths, q).unwrap_or(0.0), 2);
    let mut caption = format!(
        "The median of {} is {} days wide; nine in ten are {} to {}.",
        counted(marks.n_marks() as u64, "mark"),
        at(0.5),
        at(0.05),
        at(0.95)
    );
    if let [narrowest, widest] = limits {
        caption += &format!(
            " The page let nobody draw narrower than {narrowest} days without zoom, nor wider than {widest}."
        );
    }
    Ok(figure("marks_durations", "How wide marks are", svg, caption))
}

fn subjects(marks: &Marks) -> Result<Figure, ReportError> {
    let n_views: Vec<u64> = (0..marks.n_subjects()).map(|s| marks.views_of(s).len() as u64).collect();
    let mut sorted: Vec<f64> = n_views.iter().map(|n| *n as f64).collect();
    sorted.sort_by(f64::total_cmp);
    let last = quantile(&sorted, 0.998).unwrap_or(1.0).ceil().max(12.0) as usize;
    let width = (last + 1).div_ceil(40);
    let mut bars = vec![0_u64; (last + 1).div_ceil(width)];
    let end = bars.len() - 1;
    n_views.iter().for_each(|n| bars[(*n as usize / width).min(end)] += 1);
    let most = bars.iter().copied().max().unwrap_or(0) as f64;
    let svg = draw(HALF, "Histogram of views per light curve", |canvas| {
        let high = (bars.len() * width) as f64;
        let frame = Frame::filling(HALF, (-0.5, high - 0.5), (0.0, above(most)));
        let x = Axis::new("views of a light curve", count_ticks(high - 1.0, 8));
        frame.axes(canvas, &x, &Axis::new("light curves", count_ticks(most, 5)))?;
        for (i, n) in bars.iter().enumerate() {
            let left = (i * width) as f64 - 0.5;
            frame.bar(canvas, (left, left + width as f64), (0.0, *n as f64), BLUE)?;
        }
        Ok(())
    })?;
    let simulated = marks.simulation.iter().filter(|s| **s != volary_core::marks::NONE).count() as u64;
    let at = |q| decimal(quantile(&sorted, q).unwrap_or(0.0), 0);
    let caption = format!(
        "{}, {} of them simulations. The median was seen {} times; nine in ten {} to {} times.",
        counted(n_views.len() as u64, "light curve"),
        count(simulated),
        at(0.5),
        at(0.05),
        at(0.95)
    );
    Ok(figure("marks_views_per_subject", "How often each light curve was seen", svg, caption))
}
