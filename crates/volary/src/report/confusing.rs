//! The subjects on which the crowd disagrees most: those worth an expert's look.

use volary_crowd::{AnswerShare, Item};

use super::page::{Table, bar, table};
use super::questions::{level, name_html, seen};
use super::text::{count, decimal, label, median, percent, short_interval};
use super::{Block, ReportInput, Section};

/// Rows of the table.
const ROWS: usize = 15;
/// Answers shown per subject.
const ANSWERS: usize = 4;

/// Where `volary serve` has the page, unless it is told otherwise.
pub(super) const PAGE: &str = "http://127.0.0.1:8420";

/// The section; none where nobody disagrees.
pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let questions = seen(input);
    let enough = enough_votes(input);
    let mut items: Vec<&Item> = input
        .consensus
        .items
        .iter()
        .filter(|i| i.entropy_bits > 0.0 && f64::from(i.n_answered) >= enough)
        .collect();
    let order = |a: &&Item, b: &&Item| {
        b.entropy_bits
            .total_cmp(&a.entropy_bits)
            .then(b.n_answered.cmp(&a.n_answered))
            .then((a.question, a.subject).cmp(&(b.question, b.subject)))
    };
    if items.len() > ROWS {
        items.select_nth_unstable_by(ROWS, order);
        items.truncate(ROWS);
    }
    items.sort_by(order);
    if items.is_empty() {
        return None;
    }
    let several = questions.len() > 1;
    let rows = items.iter().map(|item| row(input, item, several));
    let mut heads = vec!["Subject", "#Votes", "#Entropy (bits)", "Answers"];
    if several {
        heads.insert(1, "Question");
    }
    let table = table(&Table { title: "Highest entropy", lead: "", heads: &heads }, rows);
    let lead = format!(
        "The {} with the highest entropy among those with at least {} (half the median). Entropy ± its \
         posterior standard deviation; bars show shares with {} intervals. A subject's name opens it in the \
         page, while `volary serve` runs in this project's folder and its page is open.",
        if items.len() == 1 { "subject".to_owned() } else { format!("{} subjects", items.len()) },
        super::text::counted(enough as u64, "answer"),
        level(input)
    );
    Some(Section {
        id: "confusing",
        title: "Most confusing subjects",
        lead,
        blocks: vec![Block::Html(table)],
    })
}

/// Half the median number of votes: with two votes, one dissent is maximal entropy.
fn enough_votes(input: &ReportInput<'_>) -> f64 {
    let votes = input.consensus.items.iter().map(|i| f64::from(i.n_answered)).filter(|n| *n > 0.0);
    let mut votes: Vec<f64> = votes.collect();
    votes.sort_by(f64::total_cmp);
    (median(&votes).unwrap_or(0.0) / 2.0).ceil().max(1.0)
}

fn row(input: &ReportInput<'_>, item: &Item, several: bool) -> Vec<String> {
    let mut row = vec![
        link(&input.votes.subjects[item.subject as usize]),
        count(u64::from(item.n_answered)),
        format!(
            "{} <small>±&nbsp;{}</small>",
            decimal(item.entropy_bits, 2),
            decimal(item.entropy_sd_bits, 2)
        ),
        bars(input, item),
    ];
    if several {
        row.insert(1, name_html(input, item.question, 48));
    }
    row
}

/// A subject, which opens in the page.
fn link(subject: &str) -> String {
    format!("<a href=\"{PAGE}/subjects/{}\">{}</a>", encoded(subject), label(subject, 28))
}

/// As a part of a path.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn bars(input: &ReportInput<'_>, item: &Item) -> String {
    let names = &input.votes.questions[item.question as usize].answers;
    let mut answers: Vec<&AnswerShare> = input.consensus.answers_of(item).iter().collect();
    answers.sort_by(|a, b| b.fraction.total_cmp(&a.fraction).then(a.answer.cmp(&b.answer)));
    let n_given = answers.iter().filter(|a| a.n_votes > 0).count();
    let mut out = String::from("<div class=\"bars\">");
    for answer in answers.iter().filter(|a| a.n_votes > 0).take(ANSWERS) {
        out.push_str(&format!(
            "<span class=\"name\">{}</span>{}<span class=\"num\">{} <small>{}</small></span>",
            label(&names[answer.answer as usize], 28),
            bar(answer.fraction, Some(answer.interval)),
            percent(answer.fraction),
            short_interval(answer.interval)
        ));
    }
    if n_given > ANSWERS {
        out.push_str(&format!("<span class=\"more\">and {} more</span>", n_given - ANSWERS));
    }
    out.push_str("</div>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_opens_in_the_page_whatever_it_is_called() {
        let html = link("a/b \"<i>\u{e9}");
        let path = html.split('"').nth(1).unwrap();
        assert_eq!(path, "http://127.0.0.1:8420/subjects/a%2Fb%20%22%3Ci%3E%C3%A9");
        assert!(!html.contains("<i>"), "{html}");
        let path = path.strip_prefix(PAGE).unwrap();
        assert!(volary_web::is_page_route(path), "the page knows it");
    }
}
