//! Which answers are ticked together: combinations of answers to questions that allow several.
//!
//! As `panoptes_aggregation`'s `question_reducer` with `pairs=True`: a volunteer's whole set of answers is
//! one label, sorted and joined with "+" ("ring+spiral"; a set of one is the answer itself). Blanks are
//! no combination. The denominator is everyone who saw the question.

use std::collections::{BTreeMap, HashMap};

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
            // The same few counts again and again: each interval is worked out once a chunk.
            let mut known = HashMap::new();
            let mut rows = Vec::new();
            for (_, group) in votes.by_subject(chunk) {
                of_subject(votes, counted, group, &mut rows);
            }
            for row in &mut rows {
                let (k, n) = (row.n_votes, row.n_seen);
                let around = || params.around(f64::from(k), f64::from(n), None);
                row.interval = *known.entry((k, n)).or_insert_with(around);
            }
            rows
        })
        .collect();
    // Moved, not copied: of a million classifications these are half a million labels.
    Ok(parts.into_iter().flatten().collect())
}

/// Counts the combinations of one subject; their intervals are filled in by the caller.
fn of_subject(votes: &Votes, counted: &Counted, group: &[Vote], rows: &mut Vec<PairRow>) {
    let question = group[0].question;
    let labels = &votes.questions[question as usize].answers;
    let mut n_seen = 0;
    let mut combinations: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
    for own in group.chunk_by(|a, b| a.classification == b.classification) {
        if !counted.counts[own[0].classification as usize] {
            continue;
        }
        n_seen += 1;
        let mut given: Vec<u32> = own.iter().map(|v| v.answer).filter(|a| *a != NO_ANSWER).collect();
        given.sort_unstable();
        given.dedup();
        if !given.is_empty() {
            *combinations.entry(given).or_default() += 1;
        }
    }
    let first = rows.len();
    rows.extend(combinations.into_iter().map(|(given, n_votes)| {
        let mut given: Vec<&str> = given.iter().map(|&a| labels[a as usize].as_str()).collect();
        given.sort_unstable();
        PairRow {
            question,
            subject: votes.subject_of(group[0]),
            label: given.join("+"),
            n_votes,
            n_seen,
            fraction: f64::from(n_votes) / f64::from(n_seen),
            interval: Interval::WHOLE,
        }
    }));
    rows[first..].sort_by(|a, b| a.label.cmp(&b.label));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeats::{Repeats, counted};
    use proptest::prelude::*;
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

    proptest! {
        /// Every volunteer who ticked something is in exactly one combination, whatever the order of rows.
        #[test]
        fn combinations_split_the_volunteers(given in proptest::collection::vec(0..8_u8, 1..40), turned: bool) {
            let labels = ["a", "b", "c"];
            let mut rows: Vec<(usize, u8)> = given.iter().copied().enumerate().collect();
            if turned {
                rows.reverse();
            }
            let mut builder = VotesBuilder::default();
            for (volunteer, set) in &rows {
                let name = volunteer.to_string();
                let c = builder.classification("w", "s", &name, None, &name);
                for (_, label) in labels.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1) {
                    builder.vote(c, "T0", QuestionKind::Multiple, Some(label));
                }
                if *set == 0 {
                    builder.vote(c, "T0", QuestionKind::Multiple, None);
                }
            }
            let votes = builder.finish();
            let rows = pairs(&votes, &counted(&votes, Repeats::First), &FractionParams::default()).unwrap();
            let n_ticked = given.iter().filter(|set| **set > 0).count();
            let is_all_blank = n_ticked == 0;
            prop_assert_eq!(rows.iter().map(|r| r.n_votes as usize).sum::<usize>(), n_ticked);
            prop_assert!(is_all_blank || rows.iter().all(|r| r.n_seen as usize == given.len()));
            for row in &rows {
                let names: Vec<&str> = row.label.split('+').collect();
                let set = labels.iter().enumerate().filter(|(_, l)| names.contains(l));
                let set: u8 = set.map(|(bit, _)| 1 << bit).sum();
                prop_assert_eq!(row.n_votes as usize, given.iter().filter(|g| **g == set).count());
                prop_assert!(row.interval.contains(row.fraction));
            }
        }
    }
}
