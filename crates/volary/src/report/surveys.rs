//! Survey tasks: which choices the crowd agreed on.

use std::collections::BTreeMap;

use volary_crowd::SurveyRow;

use super::page::{Table, bar, table};
use super::questions::name_html;
use super::text::{count, decimal, label, median, out_of, percent, share};
use super::{Block, ReportInput, Section};

/// Choices per question.
const ROWS: usize = 20;

/// One choice over all subjects.
#[derive(Clone, Copy, Default)]
struct Choice {
    agreed: u64,
    fractions: f64,
    undetermined: u64,
}

/// The section; none without survey tasks.
pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let known = |r: &&SurveyRow| (r.question as usize) < input.votes.questions.len();
    let rows: Vec<&SurveyRow> = input.surveys.iter().filter(known).collect();
    if rows.is_empty() {
        return None;
    }
    let mut by_question: BTreeMap<u32, Vec<&SurveyRow>> = BTreeMap::new();
    for row in rows {
        by_question.entry(row.question).or_default().push(row);
    }
    let blocks = by_question
        .into_iter()
        .map(|(question, rows)| Block::Html(one_question(input, question, &rows)))
        .collect();
    let lead =
        "Choices by the plurality algorithm of Snapshot Serengeti: the median number of different \
                choices is taken from the most voted. Where most volunteers saw nothing, the subject is \
                blank."
            .to_owned();
    Some(Section { id: "surveys", title: "Surveys", lead, blocks })
}

fn one_question(input: &ReportInput<'_>, question: u32, rows: &[&SurveyRow]) -> String {
    let mut choices: BTreeMap<u32, Choice> = BTreeMap::new();
    for row in rows {
        for choice in &row.agreed {
            let total = choices.entry(choice.answer).or_default();
            total.agreed += 1;
            total.fractions += choice.fraction;
        }
        for choice in &row.undetermined {
            choices.entry(choice.answer).or_default().undetermined += 1;
        }
    }
    let n_choices = choices.len();
    let mut choices: Vec<(u32, Choice)> = choices.into_iter().collect();
    choices.sort_by_key(|(answer, c)| (std::cmp::Reverse((c.agreed, c.undetermined)), *answer));
    let answers = &input.votes.questions[question as usize].answers;
    let n = rows.len() as u64;
    let cells = choices.iter().take(ROWS).map(|(answer, c)| {
        let of_subjects = share(c.agreed, n);
        let mean = (c.agreed > 0).then(|| percent(c.fractions / c.agreed as f64));
        vec![
            answers.get(*answer as usize).map_or_else(|| "–".to_owned(), |a| label(a, 60)),
            count(c.agreed),
            format!("{}<span class=\"num\">{}</span>", bar(of_subjects, None), percent(of_subjects)),
            mean.unwrap_or_else(|| "–".to_owned()),
            count(c.undetermined),
        ]
    });
    let heads = ["Choice", "#Subjects agreed", "Share of subjects", "#Mean share of votes", "#Tied"];
    let title = name_html(input, question, 120);
    let lead = format!("{}{}", lead_of(rows), more(n_choices));
    table(&Table { title: &title, lead: &lead, heads: &heads }, cells)
}

fn lead_of(rows: &[&SurveyRow]) -> String {
    let n = rows.len() as u64;
    let blank = rows.iter().filter(|r| r.is_blank).count() as u64;
    let mut evenness: Vec<f64> =
        rows.iter().filter_map(|r| r.evenness).filter(|e| e.is_finite()).collect();
    evenness.sort_by(f64::total_cmp);
    let mut lead = format!("{} are blank", out_of(blank, n, "subject"));
    if let Some(middle) = median(&evenness) {
        lead.push_str(&format!("; median evenness of the votes {}", decimal(middle, 2)));
    }
    lead.push('.');
    lead
}

fn more(n_choices: usize) -> String {
    if n_choices > ROWS {
        format!(" The {ROWS} most frequent of {n_choices} choices.")
    } else {
        String::new()
    }
}
