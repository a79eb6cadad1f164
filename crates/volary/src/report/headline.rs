//! The top of the page: a sentence and the numbers that everybody asks for first.

use volary_crowd::Outcome;

use super::ReportInput;
use super::questions::{interval_words, level};
use super::text::{count, counted, decimal, median, percent, share};
use super::time::{day, is_shown};

/// One number with what it is.
struct Card {
    value: String,
    name: &'static str,
    note: String,
}

/// The sentence and the cards.
pub(super) fn html(input: &ReportInput<'_>) -> String {
    if input.votes.n_classifications() == 0 {
        return "<p class=\"summary\">There are no classifications in this run, so there is nothing to \
                show yet.</p>"
            .to_owned();
    }
    let mut out = format!("<p class=\"summary\">{}</p>\n<dl class=\"cards\">\n", summary(input));
    for card in cards(input) {
        out.push_str(&format!(
            "<div class=\"card\"><dt>{}</dt><dd><b>{}</b><small>{}</small></dd></div>\n",
            card.name, card.value, card.note
        ));
    }
    out.push_str("</dl>\n");
    out
}

/// First and last known time.
pub(super) fn span(input: &ReportInput<'_>) -> Option<(i64, i64)> {
    let known = || input.votes.created_ms.iter().copied().filter(|t| is_shown(*t));
    Some((known().min()?, known().max()?))
}

fn summary(input: &ReportInput<'_>) -> String {
    let votes = input.votes;
    let mut text = format!(
        "<b>{}</b> made <b>{}</b> of <b>{}</b>",
        counted(votes.volunteers.len() as u64, "volunteer"),
        counted(votes.n_classifications() as u64, "classification"),
        counted(votes.subjects.len() as u64, "subject"),
    );
    if let Some((first, last)) = span(input) {
        let (first, last) = (day(first), day(last));
        if first == last {
            text.push_str(&format!(" on {first}"));
        } else {
            text.push_str(&format!(" between {first} and {last}"));
        }
    }
    let (agreed, n) = agreed(input);
    if n > 0 {
        text.push_str(&format!(
            ". Their votes decide <b>{}</b> of the {} answered",
            percent(share(agreed, n)),
            counted(n, if votes.questions.len() > 1 { "subject–question pair" } else { "subject" }),
        ));
    }
    text.push('.');
    text
}

/// Decided items, of those that anybody answered.
fn agreed(input: &ReportInput<'_>) -> (u64, u64) {
    input.consensus.items.iter().fold((0, 0), |(k, n), item| match item.outcome {
        Outcome::Agreed(_) => (k + 1, n + 1),
        Outcome::Undetermined => (k, n + 1),
        Outcome::Nobody => (k, n),
    })
}

fn cards(input: &ReportInput<'_>) -> Vec<Card> {
    let votes = input.votes;
    let n = votes.n_classifications() as u64;
    let n_counted = input.counted.counts.iter().filter(|c| **c).count() as u64;
    let (agreed, answered) = agreed(input);
    let mut cards = vec![
        Card { value: count(n), name: "Classifications", note: repeats_note(n, n_counted, input) },
        Card {
            value: count(votes.subjects.len() as u64),
            name: "Subjects",
            note: format!("median {} classifications each", typical_per_subject(input)),
        },
        Card {
            value: count(votes.volunteers.len() as u64),
            name: "Volunteers",
            note: match input.activity.median {
                Some(m) => {
                    format!("median {} classifications each", decimal(m, usize::from(m.fract() > 0.0)))
                }
                None => String::new(),
            },
        },
        Card {
            value: count(votes.n_answers_given() as u64),
            name: "Answers given",
            note: format!("to {}", counted(votes.questions.len() as u64, "question")),
        },
    ];
    if answered > 0 {
        cards.push(Card {
            value: percent(share(agreed, answered)),
            name: "Decided",
            note: format!("{} undetermined", count(answered - agreed)),
        });
    }
    cards.extend(retired_card(input));
    if let (Some(gini), Some(share)) = (input.activity.gini, input.activity.share_of_busiest_10_percent)
    {
        cards.push(Card {
            value: decimal(gini, 2),
            name: "Gini of the work",
            note: format!("busiest 10% did {}", percent(share)),
        });
    }
    cards.push(Card {
        value: level(input),
        name: "Level of intervals",
        note: format!("{} intervals", interval_words(input.params.interval())),
    });
    cards
}

fn repeats_note(n: u64, n_counted: u64, input: &ReportInput<'_>) -> String {
    match (input.counted.n_repeats, n - n_counted.min(n)) {
        (0, 0) => "all of them count".to_owned(),
        (repeats, 0) => format!("{} counted too", counted(repeats, "repeat")),
        (_, out) => format!("{} not counted", counted(out, "repeat")),
    }
}

fn typical_per_subject(input: &ReportInput<'_>) -> String {
    let mut per_subject = vec![0.0; input.votes.subjects.len()];
    for &subject in &input.votes.subject {
        per_subject[subject as usize] += 1.0;
    }
    per_subject.sort_by(f64::total_cmp);
    median(&per_subject).map_or_else(|| "–".to_owned(), |m| decimal(m, usize::from(m.fract() > 0.0)))
}

fn retired_card(input: &ReportInput<'_>) -> Option<Card> {
    let n = input.subjects.len() as u64;
    let retired = input.subjects.iter().filter(|s| s.is_retired()).count() as u64;
    (retired > 0).then(|| Card {
        value: percent(share(retired, n)),
        name: "Retired",
        note: format!("{} of {}", count(retired), counted(n, "subject")),
    })
}
