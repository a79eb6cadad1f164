//! Methods compared where the truth is known: accuracy, proper scores, calibration.

use super::chart::{BLUE, Canvas, Drawn, Frame, HALF, Hold, MUTED, SMALL, VERMILLION, draw};
use super::page::{Table, note, table};
use super::questions::{level, name_html, name_plain, out_of_surely, seen};
use super::reliability;
use super::scale::{Axis, percent_ticks};
use super::text::{count, counted, decimal_or_dash, label, percent, percent_interval, plain};
use super::{Block, Figure, MethodRow, ReportError, ReportInput, Room, Section};
use volary_crowd::Evaluation;

/// Questions with figures.
const MOST_QUESTIONS: usize = 6;
/// Methods in a figure.
const MOST_METHODS: usize = 20;
/// Rows of the table.
const MOST_ROWS: usize = 200;

/// A method that was judged.
pub(super) type Judged<'a> = (&'a MethodRow, &'a Evaluation);

/// The section; none without a comparison.
pub(super) fn section(input: &ReportInput<'_>) -> Result<Option<Section>, ReportError> {
    if input.methods.is_empty() {
        return Ok(None);
    }
    let mut blocks = vec![Block::Html(methods_table(input))];
    let mut questions: Vec<u32> = input.methods.iter().map(|m| m.question).collect();
    questions.sort_unstable();
    questions.dedup();
    let mut n_shown = 0;
    for question in questions {
        let of_question = input.methods.iter().filter(|m| m.question == question);
        let judged: Vec<Judged<'_>> = of_question
            .filter_map(|m| m.evaluation.as_ref().filter(|e| e.n > 0).map(|e| (m, e)))
            .collect();
        if judged.is_empty() || n_shown == MOST_QUESTIONS {
            continue;
        }
        n_shown += 1;
        blocks.push(Block::Figure(accuracy(input, question, &judged)?));
        if let Some(figure) = reliability::figure(input, question, &judged)? {
            blocks.push(Block::Figure(figure));
        }
    }
    let lead =
        "Where the true answer is known, each method's answer is compared with it. Ties count as \
                wrong; the ring shows what a fair draw among the tied answers would give. All methods \
                see the same subjects, so overlapping intervals do not by themselves make two equal."
            .to_owned();
    Ok(Some(Section { id: "methods", title: "Against known answers", lead, blocks }))
}

fn methods_table(input: &ReportInput<'_>) -> String {
    let several = seen(input).len() > 1;
    let rows = input.methods.iter().take(MOST_ROWS).map(|method| {
        let mut row = vec![label(&method.name, 48)];
        if several {
            let known = (method.question as usize) < input.votes.questions.len();
            row.push(if known { name_html(input, method.question, 48) } else { "–".to_owned() });
        }
        row.extend(method.evaluation.as_ref().map_or_else(no_cells, cells));
        row
    });
    let mut heads = vec![
        "Method",
        "#Subjects",
        "#Accuracy",
        "#Interval",
        "#Ties",
        "#Ties drawn",
        "#ECE",
        "#Brier",
        "#Log loss (nats)",
    ];
    if several {
        heads.insert(1, "Question");
    }
    let lead = format!(
        "Accuracy with {} Wilson intervals. ECE: expected calibration error in ten bins; for it, Brier \
         score and log loss, less is better.",
        level(input)
    );
    let mut html = table(&Table { title: "Methods", lead: &lead, heads: &heads }, rows);
    html.push_str(&note(input.methods.len(), MOST_ROWS, "row"));
    html
}

fn no_cells() -> Vec<String> {
    let mut cells = vec!["–".to_owned(); 8];
    cells[0] = "not judged".to_owned();
    cells
}

fn cells(e: &Evaluation) -> Vec<String> {
    vec![
        count(e.n),
        e.accuracy.map_or_else(|| "–".to_owned(), percent),
        if e.n > 0 { percent_interval(e.accuracy_interval) } else { "–".to_owned() },
        count(e.n_ties),
        e.accuracy_random_ties.map_or_else(|| "–".to_owned(), percent),
        decimal_or_dash(e.ece, 3),
        decimal_or_dash(e.brier, 3),
        decimal_or_dash(e.log_loss, 3),
    ]
}

fn accuracy(
    input: &ReportInput<'_>,
    question: u32,
    judged: &[Judged<'_>],
) -> Result<Figure, ReportError> {
    let shown = &judged[..judged.len().min(MOST_METHODS)];
    let size = (HALF.0, (HALF.1).max(110.0 + 36.0 * shown.len() as f64));
    let name = name_among(input, question);
    let alt = titled("Accuracy of the methods", &name);
    let svg = draw(size, &alt, |canvas| draw_accuracy(canvas, size, shown))?;
    Ok(Figure {
        name: format!("accuracy_q{question}"),
        title: titled("Accuracy", &name),
        svg,
        caption: accuracy_caption(input, judged),
        room: Room::Half,
    })
}

/// "Accuracy: which galaxy"; the name is empty where there is only one question.
pub(super) fn titled(what: &str, name: &str) -> String {
    if name.is_empty() { what.to_owned() } else { format!("{what}: {name}") }
}

/// A question's name, where there are several to tell apart.
pub(super) fn name_among(input: &ReportInput<'_>, question: u32) -> String {
    let known = (question as usize) < input.votes.questions.len();
    if known && seen(input).len() > 1 { name_plain(input, question, 60) } else { String::new() }
}

fn accuracy_caption(input: &ReportInput<'_>, judged: &[Judged<'_>]) -> String {
    let accuracy = |j: &Judged<'_>| j.1.accuracy.unwrap_or(0.0);
    let Some(best) = judged.iter().rev().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))) else {
        return String::new();
    };
    let (method, e) = best;
    let equals = judged.iter().filter(|j| accuracy(j) == accuracy(best)).count() - 1;
    let with =
        if equals > 0 { format!(" (as is {})", counted(equals as u64, "other")) } else { String::new() };
    let high = if judged.len() > 1 { " is highest:" } else { ":" };
    let mut caption = format!(
        "“{}”{with}{high} {} are right.",
        plain(&method.name, 40),
        out_of_surely(input, (e.n_correct, e.n), "subject", e.accuracy_interval)
    );
    if e.n_unvoted > 0 {
        let unvoted = counted(e.n_unvoted, "subject");
        caption.push_str(&format!(" Left out: {unvoted} with a known answer but without votes."));
    }
    caption
}

fn draw_accuracy(canvas: &Canvas<'_>, size: (f64, f64), shown: &[Judged<'_>]) -> Drawn {
    let low = shown.iter().map(|(_, e)| e.accuracy_interval.low).fold(1.0, f64::min);
    let low = ((low - 0.02) * 20.0).floor() / 20.0;
    let mut frame = Frame::filling(size, (low.max(0.0), 1.0), (0.0, shown.len() as f64));
    frame.left = 180.0;
    frame.right = size.0 - 24.0;
    let x = percent_ticks(frame.x.0, 1.0, 5);
    for tick in &x {
        let (at, _) = frame.at(tick.value, 0.0);
        canvas.line(&[(at, frame.top), (at, frame.bottom)], super::chart::GRID, 1.0)?;
    }
    let axis = Axis::new("share of subjects answered right", x);
    frame.axes(canvas, &axis, &Axis::new("", Vec::new()))?;
    for (i, (method, e)) in shown.iter().enumerate() {
        let y = (shown.len() - i) as f64 - 0.5;
        let (_, at) = frame.at(0.0, y);
        canvas.label((frame.left - 10.0, at), Hold::Right, &method.name, frame.left - 14.0)?;
        let line = [frame.at(e.accuracy_interval.low, y), frame.at(e.accuracy_interval.high, y)];
        canvas.line(&line, BLUE, 2.0)?;
        if let Some(drawn) = e.accuracy_random_ties.filter(|_| e.n_ties > 0) {
            canvas.ring(frame.at(drawn, y), 5.5, VERMILLION)?;
        }
        canvas.disc(frame.at(e.accuracy.unwrap_or(0.0), y), 4.5, BLUE)?;
    }
    if shown.iter().any(|(_, e)| e.n_ties > 0) {
        let y = 16.0;
        canvas.disc((frame.left + 8.0, y), 4.5, BLUE)?;
        canvas.text((frame.left + 18.0, y), Hold::Left, "ties wrong", (SMALL, MUTED))?;
        canvas.ring((frame.left + 108.0, y), 5.0, VERMILLION)?;
        canvas.text((frame.left + 119.0, y), Hold::Left, "ties drawn by lot", (SMALL, MUTED))?;
    }
    Ok(())
}
