//! Consensus, question by question: how shares spread, where the crowd is divided, what it answered.

use std::collections::BTreeSet;

use plotters::style::Color;
use volary_core::votes::QuestionKind;
use volary_crowd::Outcome;

use super::chart::{
    BLUE, Canvas, Drawn, Frame, HALF, Hold, INK, MUTED, NORMAL, ORANGE, SMALL, VERMILLION, draw,
};
use super::page::{Table, bar, note, table};
use super::questions::{
    BAND, Share, divided, in_band, kind_words, level, name_html, name_plain, out_of_surely, outcomes,
    seen, shares,
};
use super::scale::{Axis, Tick, above, count_ticks, percent_ticks};
use super::text::{
    count, counted, decimal, label, median, out_of, percent, share, short_interval, thinned,
};
use super::{Block, Figure, ReportError, ReportInput, Room, Section, widths};

/// Bars of a histogram of shares.
const BARS: usize = 20;
/// Questions with figures and a table of their answers.
const MOST_QUESTIONS: usize = 16;
/// Rows of the table of questions.
const MOST_ROWS: usize = 200;
/// Answers in a question's table.
const MOST_ANSWERS: usize = 12;
/// Subjects in a caterpillar plot.
const CATERPILLAR: usize = 40;

/// The section; none without items.
pub(super) fn section(input: &ReportInput<'_>) -> Result<Option<Section>, ReportError> {
    let all = seen(input);
    if all.is_empty() {
        return Ok(None);
    }
    let shown = most_answered(input, &all);
    let mut blocks = vec![Block::Html(questions_table(input, &all))];
    if let Some(figure) = widths::figure(input, &all)? {
        blocks.push(Block::Figure(figure));
    }
    for &question in &all {
        if shown.contains(&question) {
            blocks.extend(one_question(input, question)?);
        }
    }
    let lead = format!(
        "How the votes on each subject agree: {}. A share between 30% and 70% means that the crowd is \
         divided; that may be a hard subject, an unclear question, or something new.{}",
        super::text::escape(&input.consensus.method),
        if shown.len() < all.len() {
            format!(" Figures are shown for {} of the {} questions.", shown.len(), all.len())
        } else {
            String::new()
        }
    );
    Ok(Some(Section { id: "consensus", title: "Consensus", lead, blocks }))
}

/// The questions worth a figure: details of survey choices last, then by subjects.
fn most_answered(input: &ReportInput<'_>, all: &[u32]) -> BTreeSet<u32> {
    let mut order = all.to_vec();
    order.sort_by_key(|&q| {
        let is_detail = input.votes.questions[q as usize].kind == QuestionKind::Detail;
        (is_detail, std::cmp::Reverse(input.consensus.of_question(q).len()), q)
    });
    order.into_iter().take(MOST_QUESTIONS).collect()
}

/// A share with its interval in small print.
fn divided_cell(input: &ReportInput<'_>, k: u64, n: u64) -> String {
    let interval = input.params.around(k as f64, n as f64, None);
    format!("{} <small>{}</small>", percent(share(k, n)), short_interval(interval))
}

fn questions_table(input: &ReportInput<'_>, all: &[u32]) -> String {
    let rows = all.iter().take(MOST_ROWS).map(|&q| {
        let question = &input.votes.questions[q as usize];
        let out = outcomes(input.consensus.of_question(q));
        let (k, n) = divided(&shares(input, q));
        vec![
            name_html(input, q, 90),
            kind_words(question.kind).to_owned(),
            count(question.answers.len() as u64),
            count(out.n),
            count(out.agreed),
            count(out.undetermined),
            count(out.nobody),
            divided_cell(input, k, n),
            decimal(out.mean_entropy_bits, 2),
        ]
    });
    let heads = [
        "Question",
        "Kind",
        "#Answers",
        "#Subjects",
        "#Agreed",
        "#Undetermined",
        "#Unanswered",
        "#Divided",
        "#Entropy (bits)",
    ];
    let lead = "Undetermined is an exact tie; divided has a share from 30% to 70%; entropy is the mean \
                over subjects with answers.";
    let mut html = table(&Table { title: "Questions", lead, heads: &heads }, rows);
    html.push_str(&note(all.len(), MOST_ROWS, "question"));
    html
}

fn one_question(input: &ReportInput<'_>, question: u32) -> Result<Vec<Block>, ReportError> {
    let shares = shares(input, question);
    let heading = format!("<h3>{}</h3>", name_html(input, question, 160));
    let mut blocks = vec![Block::Html(heading)];
    if !shares.is_empty() {
        blocks.push(Block::Figure(histogram(input, question, &shares)?));
        blocks.push(Block::Figure(caterpillar(input, question, &shares)?));
    }
    blocks.push(Block::Html(answers_table(input, question)));
    Ok(blocks)
}

fn is_several(input: &ReportInput<'_>, question: u32) -> bool {
    input.votes.questions[question as usize].kind.is_multiple()
}

fn histogram(input: &ReportInput<'_>, question: u32, shares: &[Share]) -> Result<Figure, ReportError> {
    let mut bars = [0_u64; BARS];
    for share in shares {
        // (low, high], so that one half lies below the bar that starts there and 1 in the last.
        let at = (share.fraction * BARS as f64 - 1e-9).ceil().max(1.0) as usize;
        bars[at.min(BARS) - 1] += 1;
    }
    let name = name_plain(input, question, 60);
    let several = is_several(input, question);
    let svg = draw(HALF, &format!("Histogram of vote shares: {name}"), |canvas| {
        draw_histogram(canvas, &bars, several)
    })?;
    let (k, n) = divided(shares);
    let interval = input.params.around(k as f64, n as f64, None);
    let mut sorted: Vec<f64> = shares.iter().map(|s| s.fraction).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = percent(median(&sorted).unwrap_or(0.0));
    let what = if several {
        format!("the median share of an answer that anybody gave is {middle}")
    } else {
        format!("the median subject gives its top answer {middle} of the votes")
    };
    let has = if several { "an answer" } else { "a top answer" };
    let caption = format!(
        "{} have {has} with 30% to 70% of the votes (shaded); {what}.",
        out_of_surely(input, (k, n), "subject", interval)
    );
    let title = if several { "Share of each answer given" } else { "Share of the top answer" };
    Ok(Figure {
        name: format!("shares_q{question}"),
        title: title.to_owned(),
        svg,
        caption,
        room: Room::Half,
    })
}

fn draw_histogram(canvas: &Canvas<'_>, bars: &[u64], several: bool) -> Drawn {
    let most = bars.iter().copied().max().unwrap_or(0) as f64;
    let frame = Frame::filling(HALF, (0.0, 1.0), (0.0, above(most)));
    frame.band_x(canvas, BAND.0, BAND.1, ORANGE)?;
    let (x, y) = if several {
        ("share of the votes for an answer", "subject–answer pairs")
    } else {
        ("share of the votes for the top answer", "subjects")
    };
    let x = Axis::new(x, percent_ticks(0.0, 1.0, 5));
    frame.axes(canvas, &x, &Axis::new(y, count_ticks(most, 6)))?;
    for (i, &n) in bars.iter().enumerate() {
        let (low, high) = (i as f64 / bars.len() as f64, (i + 1) as f64 / bars.len() as f64);
        frame.bar(canvas, (low, high), (0.0, n as f64), BLUE)?;
    }
    let (middle, _) = frame.at(0.5, 0.0);
    canvas.text((middle, frame.top - 9.0), Hold::Middle, "divided", (SMALL, MUTED))
}

fn caterpillar(input: &ReportInput<'_>, question: u32, shares: &[Share]) -> Result<Figure, ReportError> {
    let mut sorted = shares.to_vec();
    sorted.sort_by(|a, b| a.fraction.total_cmp(&b.fraction).then(a.n.total_cmp(&b.n)));
    let some = thinned(&sorted, CATERPILLAR);
    let names = match (some.len() < shares.len(), is_several(input, question)) {
        (true, true) => "a sample of subject–answer pairs, by share",
        (false, true) => "subject–answer pairs, by share",
        (true, false) => "a sample of subjects, by share",
        (false, false) => "subjects, by share",
    };
    let name = name_plain(input, question, 60);
    let svg = draw(HALF, &format!("Vote shares of single subjects with intervals: {name}"), |canvas| {
        draw_caterpillar(canvas, &some, names)
    })?;
    let several = is_several(input, question);
    let noun = if several { "subject–answer pair" } else { "subject" };
    let clear = |s: &&Share| s.interval.low > 0.5 || (several && s.interval.high < 0.5);
    let n_clear = shares.iter().filter(clear).count() as u64;
    let n = shares.len() as u64;
    let which = if some.len() < shares.len() {
        format!("{} of {}, evenly spaced in their order, with", some.len(), counted(n, noun))
    } else {
        format!("{} in order, with", counted(n, noun))
    };
    let side = if several { "on one side of" } else { "above" };
    let caption = format!(
        "{which} {} intervals; the whole interval lies {side} one half for {}.",
        level(input),
        out_of(n_clear, n, noun)
    );
    Ok(Figure {
        name: format!("intervals_q{question}"),
        title: "How sure is each share".to_owned(),
        svg,
        caption,
        room: Room::Half,
    })
}

fn draw_caterpillar(canvas: &Canvas<'_>, some: &[&Share], names: &str) -> Drawn {
    let n = some.len() as f64;
    let frame = Frame::filling(HALF, (-1.0, n), (0.0, 1.0));
    frame.band_y(canvas, BAND.0, BAND.1, ORANGE)?;
    let y = Axis::new("share of the votes", percent_ticks(0.0, 1.0, 5));
    frame.axes(canvas, &Axis::new("", Vec::<Tick>::new()), &y)?;
    let middle = (frame.left + frame.right) / 2.0;
    canvas.text((middle, frame.bottom + 20.0), Hold::Middle, names, (NORMAL, INK))?;
    for (i, share) in some.iter().enumerate() {
        let color = if share.tied { VERMILLION } else { BLUE };
        let x = i as f64;
        let line = [frame.at(x, share.interval.low), frame.at(x, share.interval.high)];
        canvas.line(&line, color.mix(0.45), 2.5)?;
        canvas.disc(frame.at(x, share.fraction), 3.2, color)?;
    }
    let any_tied = some.iter().any(|s| s.tied);
    let entries = [(BLUE.into(), "decided".to_owned()), (VERMILLION.into(), "undetermined".to_owned())];
    if any_tied { canvas.legend((frame.right - 178.0, 16.0), &entries) } else { Ok(()) }
}

/// One answer over all subjects.
#[derive(Clone, Copy, Default)]
struct AnswerTotal {
    answer: usize,
    votes: u64,
    agreed: u64,
    divided: u64,
}

fn answer_totals(input: &ReportInput<'_>, question: u32) -> Vec<AnswerTotal> {
    let n = input.votes.questions[question as usize].answers.len();
    let mut totals: Vec<AnswerTotal> =
        (0..n).map(|answer| AnswerTotal { answer, ..AnswerTotal::default() }).collect();
    for item in input.consensus.of_question(question) {
        for row in input.consensus.answers_of(item) {
            let total = &mut totals[row.answer as usize];
            total.votes += u64::from(row.n_votes);
            total.divided += u64::from(in_band(row.fraction));
        }
        if let Outcome::Agreed(agreed) = &item.outcome {
            agreed.iter().for_each(|&a| totals[a as usize].agreed += 1);
        }
    }
    totals
}

fn answers_table(input: &ReportInput<'_>, question: u32) -> String {
    let answers = &input.votes.questions[question as usize].answers;
    let mut totals = answer_totals(input, question);
    let all: u64 = totals.iter().map(|t| t.votes).sum();
    if totals.len() > MOST_ANSWERS {
        totals.sort_by_key(|t| (std::cmp::Reverse(t.votes), t.answer));
    }
    let rest = totals.split_off(totals.len().min(MOST_ANSWERS));
    let n = input.consensus.of_question(question).len() as u64;
    let rows = totals.iter().map(|t| {
        let of_all = share(t.votes, all);
        vec![
            label(&answers[t.answer], 60),
            count(t.votes),
            format!("{}<span class=\"num\">{}</span>", bar(of_all, None), percent(of_all)),
            format!("{} <small>{}</small>", count(t.agreed), percent(share(t.agreed, n))),
            count(t.divided),
        ]
    });
    let heads = ["Answer", "#Votes", "Share of all votes", "#Subjects agreed", "#Subjects divided"];
    let out = outcomes(input.consensus.of_question(question));
    let mut lead = format!(
        "{} on {}; {} undetermined, {} unanswered.",
        counted(all, "vote"),
        counted(n, "subject"),
        count(out.undetermined),
        count(out.nobody)
    );
    if !rest.is_empty() {
        let votes: u64 = rest.iter().map(|t| t.votes).sum();
        lead.push_str(&format!(
            " The {} most given answers; {} more share {}.",
            totals.len(),
            count(rest.len() as u64),
            counted(votes, "vote")
        ));
    }
    table(&Table { title: "Answers", lead: &lead, heads: &heads }, rows)
}
