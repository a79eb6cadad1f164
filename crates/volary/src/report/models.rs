//! Models of volunteers' skill: how well each predicts what it has not seen, and what they say of the
//! volunteers as a crowd.
//!
//! Points without names, as everywhere in the report.

use plotters::style::Color;
use volary_crowd::interval::normal_half_width;
use volary_crowd::skill::SkillRow;
use volary_crowd::skill::choose::{Basis, Choice};

use super::chart::{BLUE, Canvas, Drawn, Frame, GRID, HALF, Hold, MUTED, VERMILLION, draw};
use super::methods::{name_among, titled};
use super::questions::level;
use super::scale::{Axis, log_ticks, round_ticks};
use super::text::{count, counted, decimal, median, plain, thinned};
use super::{Block, Figure, ReportError, ReportInput, Room, Section};

/// Fits with figures.
const MOST: usize = 4;
/// Most points of a figure.
const POINTS: usize = 400;

/// A fitted question, or one answer of it.
#[derive(Clone, Debug)]
pub(crate) struct ModelReport {
    /// Index into the questions.
    pub question: u32,
    /// The answer whose yes or no this is about, of a question with several.
    pub about: Option<String>,
    /// Name of the model that the skills come from.
    pub model: String,
    /// How the candidates did.
    pub choice: Option<Choice>,
    /// The volunteers, in no order that means anything.
    pub skills: Vec<SkillRow>,
    /// Signs that volunteers share a bias, in words.
    pub warnings: Vec<String>,
}

/// The section; none without fits.
pub(super) fn section(input: &ReportInput<'_>) -> Result<Option<Section>, ReportError> {
    let mut blocks = Vec::new();
    for (at, fit) in input.models.iter().enumerate().take(MOST) {
        let own = [choice(input, at, fit)?, skills(input, at, fit)?];
        blocks.extend(own.into_iter().flatten().map(Block::Figure));
    }
    if blocks.is_empty() {
        return Ok(None);
    }
    let mut lead =
        "Models learn who is right and how skilled each volunteer is from the votes alone. The \
                    better a model predicts what was hidden from it, the more it can be believed."
            .to_owned();
    for warning in input.models.iter().flat_map(|fit| &fit.warnings).take(MOST) {
        lead.push_str(&format!(
            " <b>Volunteers may share a bias:</b> {}. Compare with gold subjects.",
            super::text::escape(&super::text::clean(warning))
        ));
    }
    Ok(Some(Section { id: "models", title: "Models of skill", lead, blocks }))
}

fn name(input: &ReportInput<'_>, fit: &ModelReport) -> String {
    let question = name_among(input, fit.question);
    match &fit.about {
        None => question,
        Some(answer) if question.is_empty() => plain(answer, 40),
        Some(answer) => format!("{question} – {}", plain(answer, 40)),
    }
}

fn choice(input: &ReportInput<'_>, at: usize, fit: &ModelReport) -> Result<Option<Figure>, ReportError> {
    let Some(choice) = &fit.choice else { return Ok(None) };
    let rows: Vec<Row> = choice
        .scores
        .iter()
        .enumerate()
        .filter_map(|(i, s)| {
            let mean = s.mean_log?;
            let half = normal_half_width(input.params.level()) * s.se;
            Some(Row { name: s.model.name(), mean, half, is_best: i == choice.best })
        })
        .collect();
    let (hidden, what) = match choice.basis {
        Basis::Gold => ("gold subject", "the right answer to a hidden gold subject"),
        Basis::HeldOutVotes => ("held-out vote", "a hidden vote"),
    };
    let size = (HALF.0, HALF.1.max(110.0 + 28.0 * rows.len() as f64));
    let title = titled("What each model predicts", &name(input, fit));
    let svg = draw(size, &title, |canvas| draw_choice(canvas, size, &rows))?;
    let best = choice.model();
    Ok(Some(Figure {
        name: format!("model_choice_{at}"),
        title,
        svg,
        caption: format!(
            "Mean log of the chance that a model gives {what}, over {}; further right is better. Best is \
             “{}”. Lines are {} intervals; all models saw the same votes, so their differences are surer \
             than the lines suggest.",
            counted(choice.n, hidden),
            best.name(),
            level(input)
        ),
        room: Room::Half,
    }))
}

struct Row {
    name: String,
    mean: f64,
    half: f64,
    is_best: bool,
}

fn draw_choice(canvas: &Canvas<'_>, size: (f64, f64), rows: &[Row]) -> Drawn {
    // Maximum likelihood can be far out; the axis is for the others.
    let mut means: Vec<f64> = rows.iter().map(|r| r.mean).collect();
    means.sort_by(f64::total_cmp);
    let best = means.last().copied().unwrap_or(0.0);
    let middle = median(&means).unwrap_or(best);
    let widest = rows.iter().map(|r| r.half).fold(0.0, f64::max);
    let low =
        (best - 3.0 * (best - middle) - widest).max(means.first().copied().unwrap_or(best) - widest);
    let high = rows.iter().map(|r| r.mean + r.half).fold(best, f64::max);
    let air = 0.05 * (high - low).max(1e-6);
    let mut frame = Frame::filling(size, (low - air, high + air), (0.0, rows.len() as f64));
    frame.left = 190.0;
    let ticks = round_ticks(frame.x.0, frame.x.1, 4);
    for tick in &ticks {
        let (x, _) = frame.at(tick.value, 0.0);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0)?;
    }
    frame.axes(canvas, &Axis::new("mean log (nats)", ticks), &Axis::new("", Vec::new()))?;
    for (i, row) in rows.iter().enumerate() {
        let y = (rows.len() - i) as f64 - 0.5;
        let color = if row.is_best { VERMILLION } else { BLUE };
        let (_, at) = frame.at(low, y);
        canvas.label((frame.left - 10.0, at), Hold::Right, &row.name, frame.left - 14.0)?;
        if row.mean < frame.x.0 {
            let text = format!("◂ {}", decimal(row.mean, 2));
            canvas.text((frame.left + 4.0, at), Hold::Left, &text, (super::chart::SMALL, MUTED))?;
            continue;
        }
        let ends = [frame.at((row.mean - row.half).max(frame.x.0), y), frame.at(row.mean + row.half, y)];
        canvas.line(&ends, color, 2.0)?;
        canvas.disc(frame.at(row.mean, y), 4.5, color)?;
    }
    Ok(())
}

fn skills(input: &ReportInput<'_>, at: usize, fit: &ModelReport) -> Result<Option<Figure>, ReportError> {
    let mut rows: Vec<&SkillRow> =
        fit.skills.iter().filter(|r| r.bits.is_some() && r.n_votes > 0).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    rows.sort_by(|a, b| {
        let bits = |r: &SkillRow| r.bits.map_or(0.0, |b| b.value);
        a.n_votes.cmp(&b.n_votes).then(bits(a).total_cmp(&bits(b)))
    });
    let shown: Vec<&SkillRow> = thinned(&rows, POINTS).into_iter().copied().collect();
    let title = titled("Skill in bits, by votes", &name(input, fit));
    let svg = draw(HALF, &title, |canvas| draw_skills(canvas, &shown))?;
    let mut bits: Vec<f64> = rows.iter().filter_map(|r| Some(r.bits?.value)).collect();
    bits.sort_by(f64::total_cmp);
    let above = rows.iter().filter(|r| r.bits.is_some_and(|b| b.interval.low > 0.0)).count() as u64;
    let which = if rows.len() > POINTS {
        format!(" ({POINTS} of them drawn, evenly spaced by votes)")
    } else {
        String::new()
    };
    Ok(Some(Figure {
        name: format!("skill_bits_{at}"),
        title,
        svg,
        caption: format!(
            "What one answer of each of {}{which} tells about a subject, by “{}”: 0 is a random click. The \
             median is {}; for {} the {} interval (line) lies above 0.",
            counted(rows.len() as u64, "volunteer"),
            fit.model,
            decimal(median(&bits).unwrap_or(0.0), 2),
            count(above),
            level(input)
        ),
        room: Room::Half,
    }))
}

fn draw_skills(canvas: &Canvas<'_>, rows: &[&SkillRow]) -> Drawn {
    let most = rows.iter().map(|r| r.n_votes).max().unwrap_or(1) as f64;
    let last = most.log10().max(1.0);
    let top = rows.iter().filter_map(|r| Some(r.bits?.interval.high)).fold(0.1, f64::max);
    let frame = Frame::filling(HALF, (-0.05, last + 0.05), (0.0, top));
    let x = Axis::new("votes on this question (logarithmic)", log_ticks(0.0, last));
    frame.axes(canvas, &x, &Axis::new("bits an answer", round_ticks(0.0, top, 5)))?;
    for row in rows {
        let Some(bits) = row.bits else { continue };
        let x = (row.n_votes as f64).log10();
        let ends = [frame.at(x, bits.interval.low), frame.at(x, bits.interval.high)];
        canvas.line(&ends, BLUE.mix(0.18), 1.5)?;
    }
    for row in rows {
        let Some(bits) = row.bits else { continue };
        canvas.disc(frame.at((row.n_votes as f64).log10(), bits.value), 2.8, BLUE.mix(0.75))?;
    }
    Ok(())
}
