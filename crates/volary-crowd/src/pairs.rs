//! Which answers are ticked together: combinations of answers to questions that allow several.
//!
//! As `panoptes_aggregation`'s `question_reducer` with `pairs=True`: a volunteer's whole set of answers is
//! one label, sorted and joined with "+" ("ring+spiral"; a set of one is the answer itself). Blanks are
//! no combination. The denominator is everyone who saw the question.

use std::collections::BTreeMap;

use rayon::prelude::*;
use volary_core::Votes;
use volary_core::votes::{NO_ANSWER, QuestionKind, Vote};

use crate::error::CrowdError;
use crate::fraction::{FractionParams, check_counted, chunks};
use crate::interval::Interval;
use crate::repeats::Counted;

/// One combination of answers on one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct PairRow {
    /// Index into the questions.
    pub question: u32,
    /// Index into the subjects.
    pub subject: u32,
    /// The answers, sorted by text and joined with "+".
    pub label: String,
    /// Volunteers who gave exactly these.
    pub n_votes: u32,
    /// Volunteers who saw the question.
    pub n_seen: u32,
    /// Share of them.
    pub fraction: f64,
    /// Its interval (Jeffreys' where the parameters ask for a fitted prior).
    pub interval: Interval,
}

/// Combinations of every multiple-answer question and subject, sorted by label.
///
/// # Errors
/// [`CrowdError::Length`] when `counted` belongs to other votes.
pub fn pairs(
    votes: &Votes,
    counted: &Counted,
    params: &FractionParams,
) -> Result<Vec<PairRow>, CrowdError> {
    check_counted(votes, counted)?;
    let parts: Vec<Vec<PairRow>> = chunks(votes)
        .into_par_iter()
        .filter(|chunk| votes.questions[chunk[0].question as usize].kind == QuestionKind::Multiple)
        .map(|chunk| {
            votes
                .by_subject(chunk)
                .flat_map(|(_, group)| of_subject(votes, counted, params, group))
                .collect()
        })
        .collect();
    Ok(parts.concat())
}

fn of_subject(
    votes: &Votes,
    counted: &Counted,
    params: &FractionParams,
    group: &[Vote],
) -> Vec<PairRow> {
    let question = group[0].question;
    let labels = &votes.questions[question as usize].answers;
    let mut n_seen = 0;
    let mut combinations: BTreeMap<String, u32> = BTreeMap::new();
    for own in group.chunk_by(|a, b| a.classification == b.classification) {
        if !counted.counts[own[0].classification as usize] {
            continue;
        }
        n_seen += 1;
        let mut given: Vec<&str> = own
            .iter()
            .filter(|v| v.answer != NO_ANSWER)
            .map(|v| labels[v.answer as usize].as_str())
            .collect();
        given.sort_unstable();
        given.dedup();
        if !given.is_empty() {
            *combinations.entry(given.join("+")).or_default() += 1;
        }
    }
    let row = |(label, n_votes): (String, u32)| PairRow {
        question,
        subject: votes.subject_of(group[0]),
        label,
        n_votes,
        n_seen,
        fraction: f64::from(n_votes) / f64::from(n_seen),
        interval: params.around(f64::from(n_votes), f64::from(n_seen), None),
    };
    combinations.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeats::{Repeats, counted};
    use volary_core::votes::VotesBuilder;

    #[test]
    fn combinations_are_those_of_panoptes_aggregation() {
        // The first four volunteers are the example in panoptes_aggregation's own test of `pairs`.
        let mut builder = VotesBuilder::default();
        let answers: [(&str, &[&str]); 5] =
            [("1", &["b", "a"]), ("2", &["a"]), ("3", &["b", "c"]), ("4", &["b", "a"]), ("5", &[])];
        for (volunteer, given) in answers {
            let c = builder.classification("w", "s", volunteer, None, volunteer);
            for answer in given {
                builder.vote(c, "T0", QuestionKind::Multiple, Some(answer));
            }
            if given.is_empty() {
                builder.vote(c, "T0", QuestionKind::Multiple, None);
            }
        }
        let votes = builder.finish();
        let rows = pairs(&votes, &counted(&votes, Repeats::First), &FractionParams::default()).unwrap();
        let got: Vec<(&str, u32)> = rows.iter().map(|r| (r.label.as_str(), r.n_votes)).collect();
        assert_eq!(got, [("a", 1), ("a+b", 2), ("b+c", 1)]);
        assert_eq!((rows[1].n_seen, rows[1].fraction), (5, 0.4));
        assert!(rows.iter().all(|r| r.interval.contains(r.fraction)));
    }
}
