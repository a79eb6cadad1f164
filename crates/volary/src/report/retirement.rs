//! Votes against accuracy: what each retirement rule costs, and how right its answers are.
//!
//! The grey line is the yardstick: a fixed number of votes for every subject. A rule above the line gives
//! more for the same votes; a rule left of it gives the same for fewer.

use plotters::style::{Color, RGBColor};
use volary_crowd::Interval;
use volary_crowd::retire::{Estimate, Figures, Rule};

use super::chart::{
    BLUE, Canvas, Drawn, Frame, GREEN, Hold, INK, MUTED, ORANGE, PURPLE, SKY, SMALL, VERMILLION, WHOLE,
    draw,
};
use super::page::{Table, note, table};
use super::questions::level;
use super::scale::{Axis, above, percent_ticks, round_ticks};
use super::text::{count, counted, decimal, percent, percent_interval, plain};
use super::{Block, Figure, ReportError, ReportInput, Room, Section};
use crate::retirement::PollStudy;

/// Questions with a figure.
pub(crate) const MOST_FIGURES: usize = 6;
/// Rules in a figure; the legend has room for these.
const MOST_RULES: usize = 14;
/// Where the legend begins.
const LEGEND_X: f64 = 640.0;

/// One rule as it is drawn.
struct Mark<'a> {
    number: usize,
    name: String,
    color: RGBColor,
    figures: &'a Figures,
}

/// The section; none without a study.
pub(super) fn section(input: &ReportInput<'_>) -> Result<Option<Section>, ReportError> {
    if input.retirement.iter().all(|one| one.study.rules.is_empty() && one.caesar.is_none()) {
        return Ok(None);
    }
    let mut blocks = Vec::new();
    for (at, one) in input.retirement.iter().take(MOST_FIGURES).enumerate() {
        let title = one.title(input.votes);
        if let Some(svg) = svg(one, &title)? {
            blocks.push(Block::Figure(Figure {
                name: format!("retirement_{}", at + 1),
                title: format!("Votes against accuracy: {}", plain(&title, 60)),
                svg,
                caption: caption(one),
                room: Room::Whole,
            }));
        }
        blocks.push(Block::Html(rules_table(one, &title, &level(input))));
    }
    let more = note(input.retirement.len(), MOST_FIGURES, "question");
    if !more.is_empty() {
        blocks.push(Block::Html(more));
    }
    let lead =
        "The votes are replayed in the order in which they came. Each rule looks at one subject's \
                votes and says when it has seen enough; the table says what that would have cost and \
                saved. Subjects that your project retired early cannot show what more votes would have \
                said."
            .to_owned();
    Ok(Some(Section { id: "retirement", title: "When to retire", lead, blocks }))
}

/// The figure of one question, or `None` where there is nothing to draw.
///
/// # Errors
/// [`ReportError::Draw`] when it cannot be drawn.
pub(crate) fn svg(one: &PollStudy, title: &str) -> Result<Option<String>, ReportError> {
    let marks = marks(one);
    if marks.is_empty() || one.study.n_ballots == 0 {
        return Ok(None);
    }
    let alt = format!("Votes a subject against {}: {}", measure(one), plain(title, 60));
    draw(WHOLE, &alt, |canvas| draw_marks(canvas, one, &marks)).map(Some)
}

fn measure(one: &PollStudy) -> &'static str {
    if one.study.accuracy_all.is_some() {
        "share of subjects that is right"
    } else {
        "share of subjects with the answer of all votes"
    }
}

fn marks(one: &PollStudy) -> Vec<Mark<'_>> {
    let rules = one.study.rules.iter().map(|r| {
        // Over random orders where they were replayed: less chance in the picture.
        (r.rule.to_string(), color(&r.rule), r.random.as_ref().unwrap_or(&r.time))
    });
    let caesar = one.caesar.iter().map(|(figures, _)| ("caesar".to_owned(), INK, figures));
    let all = caesar.chain(rules).take(MOST_RULES);
    all.enumerate()
        .map(|(at, (name, color, figures))| Mark { number: at + 1, name, color, figures })
        .collect()
}

/// One colour for each kind of rule.
fn color(rule: &Rule) -> RGBColor {
    match rule {
        Rule::Count { .. } => MUTED,
        Rule::First { .. } => ORANGE,
        Rule::Agree { .. } | Rule::Positive { .. } => PURPLE,
        Rule::Beta { .. } => SKY,
        Rule::Sprt { .. } => GREEN,
        Rule::Swap(swap) if swap.self_taught => VERMILLION,
        Rule::Swap(_) => BLUE,
    }
}

/// What is drawn upwards: accuracy, or the share of unchanged answers.
fn height(one: &PollStudy, figures: &Figures) -> Estimate {
    match figures.accuracy.filter(|_| one.study.accuracy_all.is_some()) {
        Some(accuracy) => accuracy,
        None => {
            let c = figures.changed;
            Estimate { value: 1.0 - c.value, low: 1.0 - c.high, high: 1.0 - c.low, ..c }
        }
    }
}

fn draw_marks(canvas: &Canvas<'_>, one: &PollStudy, marks: &[Mark<'_>]) -> Drawn {
    let curve: Vec<(f64, f64)> =
        one.study.curve.iter().map(|p| (p.mean_votes, p.accuracy.unwrap_or(p.same))).collect();
    let most = marks.iter().map(|m| m.figures.mean_votes.high);
    let most = most.chain(curve.iter().map(|p| p.0)).fold(1.0, f64::max);
    let lowest = marks.iter().map(|m| height(one, m.figures).low);
    // A count of one or two may be far down; the picture is about the rules.
    let lowest = lowest.chain(curve.iter().skip(2).map(|p| p.1)).fold(1.0, f64::min);
    let low = (((lowest - 0.01) * 20.0).floor() / 20.0).clamp(0.0, 0.95);
    let mut frame = Frame::filling(WHOLE, (0.0, above(most)), (low, 1.0));
    frame.right = LEGEND_X - 40.0;
    let x = Axis::new("votes a subject (mean)", round_ticks(0.0, above(most), 8));
    frame.axes(canvas, &x, &Axis::new(measure(one), percent_ticks(low, 1.0, 5)))?;
    let seen: Vec<(f64, f64)> =
        curve.iter().filter(|p| p.1 >= low).map(|p| frame.at(p.0, p.1)).collect();
    canvas.line(&seen, MUTED.mix(0.5), 2.0)?;
    if let Some(all) = one.study.accuracy_all.filter(|a| *a >= low) {
        canvas.dashes(frame.at(0.0, all), frame.at(above(most), all), MUTED, 1.0)?;
        let at = (frame.left + 4.0, frame.at(0.0, all).1 - 9.0);
        canvas.text(at, Hold::Left, "all votes", (SMALL, MUTED))?;
    }
    for mark in marks {
        let (votes, right) = (mark.figures.mean_votes, height(one, mark.figures));
        let upright = [frame.at(votes.value, right.low.max(low)), frame.at(votes.value, right.high)];
        canvas.line(&upright, mark.color.mix(0.3), 1.5)?;
        let across = [frame.at(votes.low, right.value), frame.at(votes.high, right.value)];
        canvas.line(&across, mark.color.mix(0.3), 1.5)?;
    }
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for mark in marks {
        let at = frame.at(mark.figures.mean_votes.value, height(one, mark.figures).value);
        canvas.disc(at, 4.5, mark.color)?;
        let spot = free_spot(at, &taken);
        taken.push(spot);
        canvas.text(spot, Hold::Middle, &mark.number.to_string(), (SMALL, INK))?;
    }
    legend(canvas, one, marks)
}

/// A place beside a point where no other number stands yet.
fn free_spot(at: (f64, f64), taken: &[(f64, f64)]) -> (f64, f64) {
    let around = [
        (0.0, -12.0),
        (11.0, -8.0),
        (-11.0, -8.0),
        (13.0, 4.0),
        (-13.0, 4.0),
        (0.0, 14.0),
        (9.0, 13.0),
        (-9.0, 13.0),
    ];
    let far = |(dx, dy): &(f64, f64)| {
        let spot = (at.0 + dx, at.1 + dy);
        taken.iter().map(|t| (t.0 - spot.0).hypot(t.1 - spot.1)).fold(f64::INFINITY, f64::min)
    };
    let free = around.iter().find(|spot| far(spot) > 12.0);
    let best = free.or_else(|| around.iter().max_by(|a, b| far(a).total_cmp(&far(b))));
    let (dx, dy) = best.copied().unwrap_or((0.0, -12.0));
    (at.0 + dx, at.1 + dy)
}

fn legend(canvas: &Canvas<'_>, one: &PollStudy, marks: &[Mark<'_>]) -> Drawn {
    let right = if one.study.accuracy_all.is_some() { "right" } else { "same" };
    let columns = [LEGEND_X + 250.0, LEGEND_X + 315.0, LEGEND_X + 380.0];
    for (x, head) in columns.iter().zip(["votes", "saved", right]) {
        canvas.text((*x, 16.0), Hold::Right, head, (SMALL, MUTED))?;
    }
    for (at, mark) in marks.iter().enumerate() {
        let y = 38.0 + 20.5 * at as f64;
        canvas.text((LEGEND_X + 8.0, y), Hold::Right, &mark.number.to_string(), (SMALL, INK))?;
        canvas.disc((LEGEND_X + 20.0, y), 4.5, mark.color)?;
        let name = super::text::fitted(&mark.name, SMALL, 180.0);
        canvas.text((LEGEND_X + 30.0, y), Hold::Left, &name, (SMALL, INK))?;
        let cells = [
            decimal(mark.figures.mean_votes.value, 1),
            percent(mark.figures.saved.value),
            percent(height(one, mark.figures).value),
        ];
        for (x, cell) in columns.iter().zip(cells) {
            canvas.text((*x, y), Hold::Right, &cell, (SMALL, INK))?;
        }
    }
    let y = 38.0 + 20.5 * marks.len() as f64;
    canvas.line(&[(LEGEND_X + 12.0, y), (LEGEND_X + 27.0, y)], MUTED.mix(0.5), 2.0)?;
    canvas.text((LEGEND_X + 30.0, y), Hold::Left, "the same number for all", (SMALL, MUTED))
}

/// The cheapest rule that is as good as all votes, within what the subjects can show.
fn caption(one: &PollStudy) -> String {
    let marks = marks(one);
    let about = match (one.study.accuracy_all, one.study.accuracy_all_interval) {
        (Some(p), Some(i)) => format!(
            "All votes, {} a subject, answer {} right ({}; {} with known answers).",
            decimal(one.study.n_ballots as f64 / subjects(one), 1),
            percent(p),
            percent_interval(i),
            counted(one.study.n_truth, "subject")
        ),
        _ => format!(
            "No answer is known for sure, so the rules are compared with the answer of all votes, {} a \
             subject.",
            decimal(one.study.n_ballots as f64 / subjects(one), 1)
        ),
    };
    let wanted = one.study.accuracy_all.unwrap_or(0.99);
    let good = marks.iter().filter(|m| height(one, m.figures).value >= wanted - 1e-9);
    let cheapest = good.min_by(|a, b| a.figures.mean_votes.value.total_cmp(&b.figures.mean_votes.value));
    let best = match cheapest {
        Some(mark) => format!(
            " Of the rules that do as well, “{}” asks least: {} votes a subject, {} saved.",
            plain(&mark.name, 60),
            decimal(mark.figures.mean_votes.value, 1),
            percent(mark.figures.saved.value)
        ),
        None => " No rule here does as well for fewer votes.".to_owned(),
    };
    let lines = " Lines through a point are its intervals over subjects; the grey line asks the same \
                 number of votes for every subject.";
    format!("{about}{best}{lines}")
}

fn subjects(one: &PollStudy) -> f64 {
    (one.study.n_subjects - one.study.n_gold).max(1) as f64
}

fn rules_table(one: &PollStudy, title: &str, level: &str) -> String {
    let interval = |e: Estimate| Interval { low: e.low, high: e.high };
    let share =
        |e: Estimate| format!("{} <small>{}</small>", percent(e.value), percent_interval(interval(e)));
    let rows = marks(one).into_iter().map(|mark| {
        let f = mark.figures;
        vec![
            super::text::label(&mark.name, 60),
            format!(
                "{} <small>{}–{}</small>",
                decimal(f.mean_votes.value, 2),
                decimal(f.mean_votes.low, 2),
                decimal(f.mean_votes.high, 2)
            ),
            decimal(f.median_votes.value, 1),
            share(f.saved),
            share(f.retired),
            share(f.changed),
            f.accuracy.map_or_else(|| "–".to_owned(), share),
        ]
    });
    let gold = match one.study.n_gold {
        0 => String::new(),
        n => format!(" Left out: {} that volunteers' skill is learnt from.", counted(n, "gold subject")),
    };
    let lead = format!(
        "{} subjects, {}. “Changed” against the answer of all votes; small numbers are {level} intervals.{gold}",
        count(one.study.n_subjects - one.study.n_gold),
        counted(one.study.n_ballots, "vote")
    );
    let heads =
        ["Rule", "#Votes a subject", "#Median", "#Votes saved", "#Retired", "#Changed", "#Right"];
    let title = format!("Retirement rules: {}", super::text::label(title, 60));
    table(&Table { title: &title, lead: &lead, heads: &heads }, rows)
}
