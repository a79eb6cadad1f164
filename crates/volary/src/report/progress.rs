//! Progress: classifications over time, classifications per subject, retirement.

use std::collections::BTreeMap;

use super::chart::{BLUE, Canvas, Drawn, Frame, HALF, Hold, LOW, MUTED, SKY, SMALL, WHOLE, draw};
use super::page::{Table, table};
use super::scale::{Axis, Tick, above, count_ticks, short};
use super::text::{count, counted, decimal, label, median, out_of, percent, quantile, share};
use super::time::{TimeBins, day, is_shown, moment, time_bins, time_ticks};
use super::{Block, Figure, ReportError, ReportInput, Room, Section, SubjectProgress};

/// Most bars of the histogram of classifications per subject.
const MOST_BARS: u64 = 40;
/// Fewest, so that one bar does not fill the figure.
const FEWEST_BARS: u64 = 9;
/// Most rows of the table of reasons.
const MOST_ROWS: usize = 30;

/// The section; none without classifications.
pub(super) fn section(input: &ReportInput<'_>) -> Result<Option<Section>, ReportError> {
    if input.votes.n_classifications() == 0 && input.subjects.is_empty() {
        return Ok(None);
    }
    let times: Vec<i64> = input.votes.created_ms.iter().copied().filter(|t| is_shown(*t)).collect();
    let mut blocks = Vec::new();
    let mut lead = String::new();
    match time_bins(&times) {
        Some(bins) => blocks.push(Block::Figure(over_time(&bins, input.votes.n_classifications())?)),
        None => lead.push_str("The input gives no times, so there is no curve over time. "),
    }
    if let Some(figure) = per_subject(input)? {
        blocks.push(Block::Figure(figure));
    }
    if input.subjects.iter().any(SubjectProgress::is_retired) {
        blocks.push(Block::Aside(retirement(input.subjects)));
    } else {
        lead.push_str("The input does not say that any subject is retired.");
    }
    Ok(Some(Section { id: "progress", title: "Progress", lead, blocks }))
}

fn over_time(bins: &TimeBins, n_all: usize) -> Result<Figure, ReportError> {
    let total: u64 = bins.counts.iter().sum();
    let end = bins.start + bins.width * bins.counts.len() as i64;
    let svg =
        draw(WHOLE, "Classifications over time", |canvas| draw_over_time(canvas, bins, end, total))?;
    let busiest = (0_i64..).zip(&bins.counts).max_by_key(|(at, n)| (**n, -at));
    let (first, last) = (day(bins.start), day(end - 1));
    let span = if first == last { format!("on {first}") } else { format!("from {first} to {last}") };
    let n = counted(total, "classification");
    let mut caption = format!("{n} {span}, all together above and per {} below", bins.name);
    if let Some((at, n)) = busiest.filter(|_| bins.counts.len() > 1) {
        caption.push_str(&format!(
            "; the busiest bar, from {}, holds {} ({})",
            moment(bins.start + at * bins.width, bins.width),
            count(*n),
            percent(share(*n, total))
        ));
    }
    let unknown = (n_all as u64).saturating_sub(total);
    let missing = if unknown > 0 {
        format!(" {} without a known time are left out.", count(unknown))
    } else {
        String::new()
    };
    caption.push_str(&format!(". Times are UTC.{missing}"));
    Ok(Figure {
        name: "classifications_over_time".to_owned(),
        title: "Classifications over time".to_owned(),
        svg,
        caption,
        room: Room::Whole,
    })
}

fn draw_over_time(canvas: &Canvas<'_>, bins: &TimeBins, end: i64, total: u64) -> Drawn {
    let x = (bins.start as f64, end as f64);
    let most = bins.counts.iter().copied().max().unwrap_or(0) as f64;
    let full = Frame::filling(WHOLE, x, (0.0, above(total as f64)));
    let upper = Frame { bottom: 176.0, ..full };
    let lower = Frame { top: 218.0, y: (0.0, above(most)), ..Frame::filling(WHOLE, x, (0.0, 1.0)) };
    let ticks = time_ticks(bins.start, end);
    let silent = ticks.iter().map(|t| Tick { value: t.value, label: String::new() }).collect();
    upper.axes(
        canvas,
        &Axis::new("", silent),
        &Axis::new("classifications so far", count_ticks(total as f64, 5)),
    )?;
    let per = format!("classifications per {}", bins.name);
    lower.axes(canvas, &Axis::new("time (UTC)", ticks), &Axis::new(per, count_ticks(most, 3)))?;
    let mut so_far = 0;
    let mut curve = vec![upper.at(x.0, 0.0)];
    for (i, n) in (0_i64..).zip(&bins.counts) {
        let from = (bins.start + i * bins.width) as f64;
        let to = from + bins.width as f64;
        lower.bar(canvas, (from, to), (0.0, *n as f64), BLUE)?;
        so_far += n;
        curve.push(upper.at(to, so_far as f64));
    }
    let mut area = curve.clone();
    area.push(upper.at(x.1, 0.0));
    canvas.polygon(&area, plotters::style::Color::mix(&BLUE, 0.14))?;
    canvas.line(&curve, BLUE, 2.0)
}

/// Classifications per subject, split by whether it is retired.
struct PerSubject {
    first: u64,
    width: u64,
    /// Per bar: retired, not.
    bars: Vec<(u64, u64)>,
    /// Subjects beyond the last bar, which holds them.
    n_beyond: u64,
}

fn counts_per_subject(input: &ReportInput<'_>) -> Vec<(u64, bool)> {
    if !input.subjects.is_empty() {
        return input.subjects.iter().map(|s| (s.n_classifications, s.is_retired())).collect();
    }
    let mut counts = vec![(0, false); input.votes.subjects.len()];
    for (&subject, &counts_too) in input.votes.subject.iter().zip(&input.counted.counts) {
        counts[subject as usize].0 += u64::from(counts_too);
    }
    counts
}

fn bin_subjects(counts: &[(u64, bool)]) -> Option<PerSubject> {
    let mut sorted: Vec<f64> = counts.iter().map(|c| c.0 as f64).collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (*sorted.first()? as u64, *sorted.last()? as u64);
    let usual = quantile(&sorted, 0.995)?.ceil() as u64;
    let last = if high > 3 * usual.max(1) { usual } else { high };
    let first = if low <= last / 3 { 0 } else { low };
    let missing = FEWEST_BARS.saturating_sub(last - first + 1);
    let (first, last) = (first - first.min(missing / 2), last + missing.div_ceil(2));
    let width = (last - first + 1).div_ceil(MOST_BARS).max(1);
    let first = first / width * width;
    let n_bars = ((last - first) / width + 1) as usize;
    let mut bars = vec![(0, 0); n_bars];
    for &(n, retired) in counts {
        let bar = &mut bars[(((n.max(first) - first) / width) as usize).min(n_bars - 1)];
        if retired { bar.0 += 1 } else { bar.1 += 1 }
    }
    let n_beyond = counts.iter().filter(|c| c.0 >= first + width * n_bars as u64).count() as u64;
    Some(PerSubject { first, width, bars, n_beyond })
}

fn per_subject(input: &ReportInput<'_>) -> Result<Option<Figure>, ReportError> {
    let counts = counts_per_subject(input);
    let Some(bins) = bin_subjects(&counts) else { return Ok(None) };
    let any_retired = counts.iter().any(|c| c.1);
    // Beside it stands the table of reasons, if there is one.
    let (size, room) = if any_retired { (HALF, Room::Half) } else { (LOW, Room::Whole) };
    let svg = draw(size, "Histogram of classifications per subject", |canvas| {
        draw_per_subject(canvas, size, &bins, any_retired)
    })?;
    let mut sorted: Vec<f64> = counts.iter().map(|c| c.0 as f64).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |q| quantile(&sorted, q).unwrap_or(0.0);
    let mut caption = format!(
        "The median of {} has {} classifications; nine in ten have {} to {}.",
        counted(counts.len() as u64, "subject"),
        decimal(median(&sorted).unwrap_or(0.0), 0),
        decimal(at(0.05), 0),
        decimal(at(0.95), 0)
    );
    if bins.n_beyond > 0 {
        caption.push_str(&format!(
            " The last bar also holds the {} beyond it (the most is {}).",
            counted(bins.n_beyond, "subject"),
            decimal(at(1.0), 0)
        ));
    }
    Ok(Some(Figure {
        name: "classifications_per_subject".to_owned(),
        title: "Classifications per subject".to_owned(),
        svg,
        caption,
        room,
    }))
}

fn draw_per_subject(
    canvas: &Canvas<'_>,
    size: (f64, f64),
    bins: &PerSubject,
    any_retired: bool,
) -> Drawn {
    let most = bins.bars.iter().map(|(a, b)| a + b).max().unwrap_or(0) as f64;
    let n = bins.bars.len() as f64;
    let frame = Frame::filling(size, (0.0, n), (0.0, above(most)));
    let tenth = bins.bars.len().div_ceil(10) as u64;
    let every = [1, 2, 5, 10].into_iter().find(|e| *e >= tenth).unwrap_or(10) * bins.width;
    let edges = (0..bins.bars.len()).map(|i| (i, bins.first + bins.width * i as u64));
    let ticks = edges
        .filter(|(_, value)| value.is_multiple_of(every))
        .map(|(i, value)| {
            // Whole numbers stand below their bar, edges of wider bars at its left.
            let middle = if bins.width == 1 { 0.5 } else { 0.0 };
            Tick { value: i as f64 + middle, label: short(value as f64) }
        })
        .collect();
    let x = Axis::new("classifications of a subject", ticks);
    frame.axes(canvas, &x, &Axis::new("subjects", count_ticks(most, 6)))?;
    for (i, &(retired, active)) in bins.bars.iter().enumerate() {
        let (i, retired, active) = (i as f64, retired as f64, active as f64);
        let (lower, upper) = if any_retired { (BLUE, SKY) } else { (BLUE, BLUE) };
        frame.bar(canvas, (i, i + 1.0), (0.0, retired), lower)?;
        frame.bar(canvas, (i, i + 1.0), (retired, retired + active), upper)?;
    }
    if bins.n_beyond > 0 {
        canvas.text((frame.right, frame.top - 2.0), Hold::Right, "and more", (SMALL, MUTED))?;
    }
    if any_retired {
        let entries = [(BLUE.into(), "retired".to_owned()), (SKY.into(), "not retired".to_owned())];
        canvas.legend((frame.right - 160.0, 16.0), &entries)?;
    }
    Ok(())
}

fn retirement(subjects: &[SubjectProgress]) -> String {
    let several = subjects.iter().any(|s| s.workflow != subjects[0].workflow);
    let mut reasons: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let retired: Vec<&SubjectProgress> = subjects.iter().filter(|s| s.is_retired()).collect();
    for subject in &retired {
        let reason = subject.reason.as_deref().map(str::trim).filter(|r| !r.is_empty());
        *reasons.entry((&subject.workflow, reason.unwrap_or("no reason given"))).or_default() += 1;
    }
    let mut rows: Vec<_> = reasons.into_iter().collect();
    rows.sort_by(|a, b| a.0.0.cmp(b.0.0).then(b.1.cmp(&a.1)).then(a.0.cmp(&b.0)));
    let n = subjects.len() as u64;
    let rows = rows.into_iter().take(MOST_ROWS).map(|((workflow, reason), k)| {
        let mut row = vec![label(reason, 48), count(k), percent(share(k, n))];
        if several {
            row.insert(0, label(workflow, 32));
        }
        row
    });
    let mut heads = vec!["Reason", "#Subjects", "#Share"];
    if several {
        heads.insert(0, "Workflow");
    }
    let lead = format!("{} are retired.", out_of(retired.len() as u64, n, "subject"));
    table(&Table { title: "Retired subjects by reason", lead: &lead, heads: &heads }, rows)
}
