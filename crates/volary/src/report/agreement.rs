//! Agreement beyond chance: α of each question and answer with its interval, and what stands beside it.

use volary_crowd::AgreementRow;
use volary_crowd::agreement::Measure;

use super::chart::{BLUE, Canvas, Drawn, Frame, GRID, Hold, MUTED, WHOLE, draw};
use super::page::{Table, note, table};
use super::questions::{level, name_html, name_plain};
use super::scale::{Axis, round_ticks};
use super::text::{count, counted, decimal, decimal_or_dash, label, percent, plain};
use super::{Block, Figure, ReportError, ReportInput, Room, Section};

/// Lines of the figure.
const MOST_LINES: usize = 30;
/// Rows of the table.
const MOST_ROWS: usize = 200;
/// Height of a line in pixels; a name may take two rows of text.
const LINE: f64 = 34.0;

/// α of a question, or of one answer or all sets of it, with the measures of the same counts.
struct Entry<'a> {
    alpha: &'a AgreementRow,
    kappa: Option<f64>,
    pairs: Option<f64>,
}

/// The section; none where nobody could agree or disagree.
pub(super) fn section(input: &ReportInput<'_>) -> Result<Option<Section>, ReportError> {
    let entries = entries(input);
    if entries.iter().all(|e| e.alpha.value.is_none()) {
        return Ok(None);
    }
    let blocks = vec![Block::Figure(figure(input, &entries)?), Block::Html(rows(input, &entries))];
    let lead = "How much more often than by chance volunteers say the same: 1 is always, 0 is chance. \
                Agreement is not accuracy, since a crowd that is fooled together agrees; and a rare answer \
                pulls it down even where almost all votes are alike."
        .to_owned();
    Ok(Some(Section { id: "agreement", title: "Agreement", lead, blocks }))
}

fn entries<'a>(input: &ReportInput<'a>) -> Vec<Entry<'a>> {
    let is_alpha =
        |m: Measure| matches!(m, Measure::Alpha(_) | Measure::AlphaJaccard | Measure::AlphaMasi);
    let known = |r: &&AgreementRow| (r.question as usize) < input.votes.questions.len();
    let beside = |alpha: &AgreementRow, measure: Measure| {
        let own = |r: &&AgreementRow| {
            (r.question, r.answer, r.measure) == (alpha.question, alpha.answer, measure)
        };
        input.agreement.iter().find(own).and_then(|r| r.value)
    };
    let alphas = input.agreement.iter().filter(known).filter(|r| is_alpha(r.measure));
    alphas
        .map(|alpha| Entry {
            alpha,
            kappa: beside(alpha, Measure::FleissKappa),
            pairs: beside(alpha, Measure::PairAgreement),
        })
        .collect()
}

/// The answer, or which distance between sets.
fn what(input: &ReportInput<'_>, row: &AgreementRow) -> String {
    let answers = &input.votes.questions[row.question as usize].answers;
    match row.answer.and_then(|a| answers.get(a as usize)) {
        Some(answer) => answer.clone(),
        None => match row.measure {
            Measure::AlphaJaccard => "all together (Jaccard)".to_owned(),
            Measure::AlphaMasi => "all together (MASI)".to_owned(),
            Measure::Alpha(level) => level.as_str().to_owned(),
            Measure::FleissKappa | Measure::PairAgreement => String::new(),
        },
    }
}

fn rows(input: &ReportInput<'_>, entries: &[Entry<'_>]) -> String {
    let cells = entries.iter().take(MOST_ROWS).map(|entry| {
        let row = entry.alpha;
        let interval = match (row.interval, row.missing) {
            (Some(i), _) => format!("{} to {}", decimal(i.low, 3), decimal(i.high, 3)),
            (None, Some(why)) => why.as_str().to_owned(),
            (None, None) => "–".to_owned(),
        };
        vec![
            name_html(input, row.question, 60),
            label(&what(input, row), 48),
            decimal_or_dash(row.value, 3),
            interval,
            decimal_or_dash(entry.kappa, 3),
            entry.pairs.map_or_else(|| "–".to_owned(), percent),
            count(row.n_subjects),
            count(row.n_votes),
        ]
    });
    let heads = ["Question", "Of", "#α", "#Interval", "#κ", "#Pairs that agree", "#Subjects", "#Votes"];
    let lead = format!(
        "α: Krippendorff's, with {} intervals by resampling subjects; κ: Fleiss'. Only subjects with two \
         votes or more.",
        level(input)
    );
    let mut html = table(&Table { title: "Beyond chance", lead: &lead, heads: &heads }, cells);
    html.push_str(&note(entries.len(), MOST_ROWS, "row"));
    html
}

fn figure(input: &ReportInput<'_>, entries: &[Entry<'_>]) -> Result<Figure, ReportError> {
    let shown: Vec<(&Entry<'_>, f64)> =
        entries.iter().filter_map(|e| Some((e, e.alpha.value?))).take(MOST_LINES).collect();
    let size = (WHOLE.0, 70.0 + LINE * shown.len() as f64);
    let svg = draw(size, "Krippendorff's alpha of each question with its interval", |canvas| {
        draw_lines(canvas, size, input, &shown)
    })?;
    let most = shown.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let least = shown.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let name = |e: &(&Entry<'_>, f64)| {
        format!(
            "“{}” of {}, {}",
            plain(&what(input, e.0.alpha), 40),
            name_plain(input, e.0.alpha.question, 40),
            decimal(e.1, 3)
        )
    };
    let mut caption = match (most, least) {
        (Some(most), Some(least)) if shown.len() > 1 => {
            format!("Agreement is highest on {} and lowest on {}.", name(most), name(least))
        }
        (Some(only), _) => format!("α of {}.", name(only)),
        _ => String::new(),
    };
    let n_all = entries.iter().filter(|e| e.alpha.value.is_some()).count();
    if n_all > shown.len() {
        caption.push_str(&format!(" The first {MOST_LINES} of {}.", counted(n_all as u64, "line")));
    }
    caption.push_str(" A point without a line has no interval; the table says why.");
    Ok(Figure {
        name: "agreement_alpha".to_owned(),
        title: "Agreement beyond chance (α)".to_owned(),
        svg,
        caption,
        room: Room::Whole,
    })
}

fn draw_lines(
    canvas: &Canvas<'_>,
    size: (f64, f64),
    input: &ReportInput<'_>,
    shown: &[(&Entry<'_>, f64)],
) -> Drawn {
    let lowest = |e: &(&Entry<'_>, f64)| e.0.alpha.interval.map_or(e.1, |i| i.low.min(e.1));
    let low = (shown.iter().map(lowest).fold(0.0, f64::min) * 10.0).floor() / 10.0;
    let mut frame = Frame::filling(size, (low, 1.0), (0.0, shown.len() as f64));
    frame.left = 330.0;
    frame.right = size.0 - 24.0;
    let ticks = round_ticks(low, 1.0, 6);
    for tick in &ticks {
        let (at, _) = frame.at(tick.value, 0.0);
        canvas.line(&[(at, frame.top), (at, frame.bottom)], GRID, 1.0)?;
    }
    frame.axes(canvas, &Axis::new("α: 0 by chance, 1 always", ticks), &Axis::new("", Vec::new()))?;
    if low < 0.0 {
        let (at, _) = frame.at(0.0, 0.0);
        canvas.dashes((at, frame.top), (at, frame.bottom), MUTED, 1.0)?;
    }
    let several = shown.iter().any(|(e, _)| e.alpha.question != shown[0].0.alpha.question);
    for (i, (entry, alpha)) in shown.iter().enumerate() {
        let y = (shown.len() - i) as f64 - 0.5;
        let (_, at) = frame.at(0.0, y);
        let own = what(input, entry.alpha);
        let task = &input.votes.questions[entry.alpha.question as usize].task;
        let name = match entry.alpha.measure {
            _ if !several => own,
            Measure::Alpha(_) if entry.alpha.answer.is_none() => {
                name_plain(input, entry.alpha.question, 40)
            }
            _ => format!("{}: {own}", plain(task, 16)),
        };
        canvas.label((frame.left - 10.0, at), Hold::Right, &name, frame.left - 14.0)?;
        if let Some(interval) = entry.alpha.interval {
            canvas.line(&[frame.at(interval.low, y), frame.at(interval.high, y)], BLUE, 2.0)?;
        }
        canvas.disc(frame.at(*alpha, y), 4.5, BLUE)?;
    }
    Ok(())
}
