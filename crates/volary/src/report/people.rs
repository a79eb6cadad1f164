//! The volunteers as a crowd: how the work is spread and how often people agree with each other.
//!
//! Sums and unlabelled points only. No list of people, by skill or by anything else.

use plotters::style::Color;
use volary_crowd::VolunteerRow;

use super::chart::{
    BLUE, Canvas, Drawn, Frame, HALF, Hold, INK, MUTED, NORMAL, SMALL, VERMILLION, draw,
};
use super::questions::level;
use super::scale::{Axis, Tick, above, count_ticks, log_ticks, percent_ticks, short};
use super::text::{
    count, counted, decimal, decimal_or_dash, median, out_of, percent, quantile, thinned,
};
use super::{Block, Figure, ReportError, ReportInput, Room, Section};

/// Most points of the scatter plot.
const POINTS: usize = 400;
/// Largest radius of a point, in pixels.
const LARGEST: f64 = 8.0;
/// Bars of the histogram of agreement.
const BARS: usize = 40;

/// The section; none without volunteers.
pub(super) fn section(input: &ReportInput<'_>) -> Result<Option<Section>, ReportError> {
    let rows = &input.volunteers.rows;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut figures = vec![activity(rows)?];
    if input.activity.lorenz.len() > 1 && rows.len() > 1 {
        figures.push(lorenz(input)?);
    }
    let compared: Vec<&VolunteerRow> =
        rows.iter().filter(|r| r.n_compared > 0 && r.agreement.is_some()).collect();
    let mut lead = "Who does the work, and how often people agree with the others on the same subject. \
                    Agreement is not accuracy: whoever sees what the crowd misses agrees less. Nobody is \
                    named or ranked here."
        .to_owned();
    if compared.is_empty() {
        lead.push_str(" No two volunteers answered the same subject, so agreement cannot be computed.");
    } else {
        figures.push(scatter(input, &compared)?);
        figures.push(spread(input, &compared)?);
    }
    let blocks = figures.into_iter().map(Block::Figure).collect();
    Ok(Some(Section { id: "volunteers", title: "Volunteers", lead, blocks }))
}

fn activity(rows: &[VolunteerRow]) -> Result<Figure, ReportError> {
    let mut bars: Vec<u64> = Vec::new();
    for row in rows.iter().filter(|r| r.n_classifications > 0) {
        let at = row.n_classifications.ilog2() as usize;
        bars.resize(bars.len().max(at + 1), 0);
        bars[at] += 1;
    }
    let svg = draw(HALF, "Histogram of classifications per volunteer", |c| draw_activity(c, &bars))?;
    let once = rows.iter().filter(|r| r.n_classifications == 1).count() as u64;
    let mut sorted: Vec<f64> = rows.iter().map(|r| r.n_classifications as f64).collect();
    sorted.sort_by(f64::total_cmp);
    let caption = format!(
        "{} of {} made a single classification; the median is {}, the most {}. Each bar spans a factor \
         of two: 1, 2–3, 4–7, …",
        count(once),
        counted(rows.len() as u64, "volunteer"),
        decimal(median(&sorted).unwrap_or(0.0), 0),
        count(quantile(&sorted, 1.0).unwrap_or(0.0) as u64)
    );
    Ok(Figure {
        name: "volunteer_activity".to_owned(),
        title: "How much each volunteer did".to_owned(),
        svg,
        caption,
        room: Room::Half,
    })
}

fn draw_activity(canvas: &Canvas<'_>, bars: &[u64]) -> Drawn {
    let most = bars.iter().copied().max().unwrap_or(0) as f64;
    let n = bars.len().max(4);
    let frame = Frame::filling(HALF, (0.0, n as f64), (0.0, above(most)));
    let name = |i: usize| short((1_u64 << i.min(62)) as f64);
    let ticks = (0..=n).map(|i| Tick { value: i as f64, label: name(i) }).collect();
    let x = Axis::new("classifications of a volunteer (doubling)", ticks);
    frame.axes(canvas, &x, &Axis::new("volunteers", count_ticks(most, 6)))?;
    for (i, &n) in bars.iter().enumerate() {
        frame.bar(canvas, (i as f64, i as f64 + 1.0), (0.0, n as f64), BLUE)?;
    }
    Ok(())
}

fn lorenz(input: &ReportInput<'_>) -> Result<Figure, ReportError> {
    let activity = input.activity;
    let gini = gini_words(input);
    let notes = [
        (gini.clone(), "Gini coefficient"),
        (activity.share_of_busiest_1_percent.map_or_else(String::new, percent), "by the busiest 1%"),
        (activity.share_of_busiest_10_percent.map_or_else(String::new, percent), "by the busiest 10%"),
    ];
    let svg = draw(HALF, "Lorenz curve of the volunteers' work", |canvas| {
        draw_lorenz(canvas, &activity.lorenz, &notes)
    })?;
    let caption = format!(
        "The busiest 10% of {} made {} of the {}; the Gini coefficient is {gini} (0 if all did the same, \
         near 1 if one did all{}).",
        counted(activity.n_volunteers, "volunteer"),
        activity.share_of_busiest_10_percent.map_or_else(|| "–".to_owned(), percent),
        counted(activity.n_classifications, "classification"),
        if activity.gini_se.is_some() { "; ± jackknife standard error" } else { "" }
    );
    Ok(Figure {
        name: "lorenz_curve".to_owned(),
        title: "How evenly the work is spread".to_owned(),
        svg,
        caption,
        room: Room::Half,
    })
}

fn gini_words(input: &ReportInput<'_>) -> String {
    let digits = |se: f64| if se < 0.005 { 3 } else { 2 };
    match (input.activity.gini, input.activity.gini_se.filter(|se| se.is_finite())) {
        (Some(gini), Some(se)) => {
            format!("{} ± {}", decimal(gini, digits(se)), decimal(se, digits(se)))
        }
        (gini, _) => decimal_or_dash(gini, 2),
    }
}

fn draw_lorenz(canvas: &Canvas<'_>, curve: &[(f64, f64)], notes: &[(String, &str)]) -> Drawn {
    let side = HALF.1 - 48.0 - 34.0;
    let mut frame = Frame::filling(HALF, (0.0, 1.0), (0.0, 1.0));
    frame.right = frame.left + side * 1.2;
    let x = Axis::new("share of volunteers, quietest first", percent_ticks(0.0, 1.0, 5));
    let y = Axis::new("share of classifications", percent_ticks(0.0, 1.0, 5));
    frame.axes(canvas, &x, &y)?;
    let points: Vec<_> = curve.iter().map(|&(x, y)| frame.at(x, y)).collect();
    canvas.polygon(&points, BLUE.mix(0.16))?;
    canvas.dashes(frame.at(0.0, 0.0), frame.at(1.0, 1.0), MUTED, 1.0)?;
    canvas.line(&points, BLUE, 2.0)?;
    let (left, mut y) = (frame.right + 28.0, frame.top + 40.0);
    for (value, name) in notes.iter().filter(|(value, _)| !value.is_empty()) {
        canvas.text((left, y), Hold::Left, value, (19.0, INK))?;
        canvas.text((left, y + 20.0), Hold::Left, name, (SMALL, MUTED))?;
        y += 58.0;
    }
    Ok(())
}

/// The crowd's mean agreement: the prior's, else the pooled share.
fn mean_agreement(input: &ReportInput<'_>) -> Option<f64> {
    match &input.volunteers.prior {
        Ok(prior) => Some(prior.alpha / (prior.alpha + prior.beta)),
        Err(_) => {
            let rows = &input.volunteers.rows;
            let n: u64 = rows.iter().map(|r| r.n_compared).sum();
            let k: u64 = rows.iter().map(|r| r.n_agree).sum();
            (n > 0).then(|| k as f64 / n as f64)
        }
    }
    .filter(|m| m.is_finite())
}

/// Volunteers with the same votes and the same agreement, drawn as one point.
struct Alike<'a> {
    row: &'a VolunteerRow,
    n: usize,
}

impl Alike<'_> {
    /// Logarithm of the answers compared.
    fn x(&self) -> f64 {
        (self.row.n_compared as f64).log10()
    }
}

/// Of so many volunteers, evenly spaced by votes, those who coincide together.
fn alike<'a>(sorted: &[&'a VolunteerRow]) -> Vec<Alike<'a>> {
    let some: Vec<&VolunteerRow> = thinned(sorted, POINTS).into_iter().copied().collect();
    let groups = some.chunk_by(|a, b| (a.n_compared, a.n_agree) == (b.n_compared, b.n_agree));
    groups.map(|group| Alike { row: group[0], n: group.len() }).collect()
}

fn scatter(input: &ReportInput<'_>, compared: &[&VolunteerRow]) -> Result<Figure, ReportError> {
    let mut sorted = compared.to_vec();
    sorted.sort_by_key(|r| (r.n_compared, r.n_agree, r.volunteer));
    let some = alike(&sorted);
    let mean = mean_agreement(input);
    let svg = draw(HALF, "Agreement with the others against number of votes", |canvas| {
        draw_scatter(canvas, &some, mean)
    })?;
    let apart = |r: &&&VolunteerRow| mean.is_some_and(|m| !r.agreement_interval.contains(m));
    let n_apart = compared.iter().filter(apart).count() as u64;
    let n = compared.len() as u64;
    let which = if compared.len() > POINTS {
        format!("; {POINTS} of {}, evenly spaced by votes", counted(n, "volunteer"))
    } else {
        String::new()
    };
    let caption = format!(
        "A point is a volunteer, a larger one several with the same votes{which}. For {}, the {} interval \
         leaves out the crowd's mean of {} (dashed); by chance alone that would be about {}.",
        out_of(n_apart, n, "volunteer"),
        level(input),
        mean.map_or_else(|| "–".to_owned(), percent),
        percent(1.0 - input.params.level())
    );
    Ok(Figure {
        name: "agreement_by_votes".to_owned(),
        title: "Agreement with the others, by experience".to_owned(),
        svg,
        caption,
        room: Room::Half,
    })
}

fn draw_scatter(canvas: &Canvas<'_>, some: &[Alike<'_>], mean: Option<f64>) -> Drawn {
    let most = some.iter().map(|p| p.row.n_compared).max().unwrap_or(1);
    let last = (most as f64).log10().max(1.0);
    let frame = Frame::filling(HALF, (-0.05, last + 0.05), (0.0, 1.0));
    let x = Axis::new("answers compared with the others' (logarithmic)", log_ticks(0.0, last));
    let y = Axis::new("share that agrees with the others", percent_ticks(0.0, 1.0, 5));
    frame.axes(canvas, &x, &y)?;
    let weight = (60.0 / some.len().max(1) as f64).clamp(0.14, 0.4);
    for point in some {
        let interval = point.row.agreement_interval;
        let line = [frame.at(point.x(), interval.low), frame.at(point.x(), interval.high)];
        canvas.line(&line, BLUE.mix(weight), 1.0)?;
    }
    if let Some(mean) = mean {
        canvas.dashes(frame.at(frame.x.0, mean), frame.at(frame.x.1, mean), VERMILLION, 1.5)?;
    }
    let largest = some.iter().map(|p| p.n).max().unwrap_or(1) as f64;
    // Area for number, unless that would make single volunteers invisible or crowds overflow.
    let unit = (LARGEST / largest.sqrt()).clamp(0.2, 2.4);
    for point in some {
        let radius = (unit * (point.n as f64).sqrt()).max(1.6);
        let at = frame.at(point.x(), point.row.agreement.unwrap_or(0.0));
        canvas.disc(at, radius, BLUE.mix(0.75))?;
    }
    Ok(())
}

fn spread(input: &ReportInput<'_>, compared: &[&VolunteerRow]) -> Result<Figure, ReportError> {
    let shrunk = compared.iter().any(|r| r.agreement_shrunk.is_some());
    let value = |r: &&VolunteerRow| if shrunk { r.agreement_shrunk } else { r.agreement };
    let mut sorted: Vec<f64> = compared.iter().filter_map(value).filter(|a| a.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |q| quantile(&sorted, q).unwrap_or(0.0);
    let svg = draw(HALF, "Histogram of the volunteers' agreement", |canvas| {
        draw_spread(canvas, &sorted, shrunk)
    })?;
    let why = match &input.volunteers.prior {
        Ok(prior) => format!(
            "Shares are shrunk towards the fitted Beta({}, {}), so that few votes say little",
            decimal(prior.alpha, 1),
            decimal(prior.beta, 1)
        ),
        Err(error) => format!("Shares are raw, as no prior could be fitted: {error}"),
    };
    let caption = format!(
        "The middle 80% of volunteers agree with the others on {} to {} of their answers, the median on \
         {}. {why}.",
        percent(at(0.1)),
        percent(at(0.9)),
        percent(at(0.5))
    );
    Ok(Figure {
        name: "agreement".to_owned(),
        title: "How agreement spreads over the volunteers".to_owned(),
        svg,
        caption,
        room: Room::Half,
    })
}

/// Tenths around all values, at least two of them.
fn tenths(sorted: &[f64]) -> (f64, f64) {
    let low = sorted.first().map_or(0.0, |a| (a * 10.0).floor().clamp(0.0, 8.0));
    let high = sorted.last().map_or(10.0, |a| (a * 10.0).ceil().clamp(low + 2.0, 10.0));
    (low / 10.0, high / 10.0)
}

fn draw_spread(canvas: &Canvas<'_>, sorted: &[f64], shrunk: bool) -> Drawn {
    let (low, high) = tenths(sorted);
    let edge = |i: usize| low + (high - low) * i as f64 / BARS as f64;
    let mut bars = [0_u64; BARS];
    for agreement in sorted {
        let at = ((agreement - low) / (high - low) * BARS as f64 - 1e-9).ceil().max(1.0) as usize;
        bars[at.min(BARS) - 1] += 1;
    }
    let most = bars.iter().copied().max().unwrap_or(0) as f64;
    let frame = Frame::filling(HALF, (low, high), (0.0, above(most)));
    let name = if shrunk { "share that agrees, shrunk" } else { "share that agrees" };
    let x = Axis::new(name, percent_ticks(low, high, 5));
    frame.axes(canvas, &x, &Axis::new("volunteers", count_ticks(most, 6)))?;
    for (i, &n) in bars.iter().enumerate() {
        frame.bar(canvas, (edge(i), edge(i + 1)), (0.0, n as f64), BLUE)?;
    }
    if let Some(middle) = median(sorted) {
        let (x, _) = frame.at(middle, 0.0);
        canvas.dashes((x, frame.top - 4.0), (x, frame.bottom), VERMILLION, 1.5)?;
        let at_right = middle > low + 0.8 * (high - low);
        let hold = if at_right { Hold::Right } else { Hold::Left };
        let off = if at_right { -6.0 } else { 6.0 };
        canvas.text((x + off, frame.top), hold, "median", (NORMAL, MUTED))?;
    }
    Ok(())
}
