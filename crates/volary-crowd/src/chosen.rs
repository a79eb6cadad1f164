//! Chosen fractions: which share of those who saw a subject picked it, and what weighing people changes.
//!
//! After Galaxy Zoo: Weird & Wonderful (Mantha et al. 2024, doi:10.5334/cstp.740). The denominator is the
//! distinct volunteers who saw the subject, not its views. Weighted, the fraction is Σ w s / Σ w. Where
//! weights lie between two ends of ratio r, a fraction x can only move to between x/(x + r(1 − x)) and
//! r x/(r x + 1 − x); for the paper's weights of 1 and 2 these are x/(2 − x) and 2x/(1 + x), and the largest
//! change is 0.1716. [`shift_bounds`] is that; [`Chosen::rows`] holds the ranks and how far they moved.
//!
//! A subject that several people saw several times counts each of them once: in their first view, or, by
//! [`any_view`], as having picked it if they did so in any.

use volary_core::Votes;

use crate::consensus::{Consensus, Item};
use crate::error::CrowdError;
use crate::fraction::{FractionParams, fraction};
use crate::interval::Interval;
use crate::repeats::{Counted, same_visit};
use crate::weights::Weights;

/// One subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChosenRow {
    /// Index into the votes' subjects.
    pub subject: u32,
    /// Distinct volunteers in the denominator.
    pub n_volunteers: u32,
    /// Those of them who picked it.
    pub n_chosen: u32,
    /// Every volunteer counts the same.
    pub plain: Share,
    /// Volunteers count by their weights.
    pub weighted: Share,
    /// What the weighted number of votes is worth in even ones (Kish 1965).
    pub n_effective: f64,
    /// Place by the plain fraction, 1 for the largest; equal ones share the mean of their places.
    pub rank: f64,
    /// Place by the weighted fraction.
    pub rank_weighted: f64,
}

impl ChosenRow {
    /// How far the subject rose by weighting; below 0 it fell.
    #[must_use]
    pub fn rise(&self) -> f64 {
        self.rank - self.rank_weighted
    }
}

/// A fraction with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The fraction.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
}

/// All subjects of one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// One a subject that somebody saw, in the order of the subjects.
    pub rows: Vec<ChosenRow>,
    /// Largest over smallest weight of a vote that counts.
    pub weight_ratio: f64,
}

/// The fraction that gave `answer` to `question`, without weights and with them.
///
/// # Errors
/// As [`fraction()`].
pub fn chosen(
    votes: &Votes,
    (question, answer): (u32, u32),
    counted: &Counted,
    weights: &Weights,
    params: &FractionParams,
) -> Result<Chosen, CrowdError> {
    let plain = fraction(votes, counted, None, params)?;
    let weighted = fraction(votes, counted, Some(weights), params)?;
    let pairs = plain.of_question(question).iter().zip(weighted.of_question(question));
    let of = |consensus: &Consensus, item: &Item, n: f64| -> (u32, Share) {
        let found = consensus.answers_of(item).iter().find(|share| share.answer == answer);
        // Questions with open lists have no row for what nobody said.
        let none = || (0, Share { value: 0.0, interval: params.around(0.0, n, None) });
        found.map_or_else(none, |s| (s.n_votes, Share { value: s.fraction, interval: s.interval }))
    };
    let is_multiple = votes.questions.get(question as usize).is_some_and(|q| q.kind.is_multiple());
    let mut rows: Vec<ChosenRow> = pairs
        .map(|(item, heavy)| {
            let n_volunteers = if is_multiple { item.n_seen } else { item.n_answered };
            let (n_chosen, plain) = of(&plain, item, f64::from(n_volunteers));
            let (_, weighted) = of(&weighted, heavy, heavy.n_effective);
            let (rank, rank_weighted) = (0.0, 0.0);
            let n_effective = heavy.n_effective;
            let subject = item.subject;
            ChosenRow {
                subject,
                n_volunteers,
                n_chosen,
                plain,
                weighted,
                n_effective,
                rank,
                rank_weighted,
            }
        })
        .filter(|row| row.n_volunteers > 0)
        .collect();
    let places = ranks(&rows.iter().map(|row| row.plain.value).collect::<Vec<_>>());
    let places_weighted = ranks(&rows.iter().map(|row| row.weighted.value).collect::<Vec<_>>());
    for (row, (place, weighted)) in rows.iter_mut().zip(places.into_iter().zip(places_weighted)) {
        (row.rank, row.rank_weighted) = (place, weighted);
    }
    let of_counted = weights.per_classification.iter().zip(&counted.counts).filter(|(_, c)| **c);
    let (low, high) = of_counted.fold((f64::INFINITY, 0.0_f64), |(l, h), (w, _)| (l.min(*w), h.max(*w)));
    Ok(Chosen { rows, weight_ratio: if high > 0.0 { high / low } else { 1.0 } })
}

/// Between which ends a fraction can lie after weighting, if the largest weight is `ratio` times the smallest.
#[must_use]
pub fn shift_bounds(x: f64, ratio: f64) -> Interval {
    let at = |yes: f64, no: f64| if yes + no > 0.0 { yes / (yes + no) } else { 0.0 };
    Interval { low: at(x, ratio * (1.0 - x)), high: at(ratio * x, 1.0 - x) }
}

/// The largest change that such weights can make: (√r − 1)/(√r + 1), down at √r/(1 + √r), up at 1/(1 + √r).
#[must_use]
pub fn largest_shift(ratio: f64) -> f64 {
    (ratio.sqrt() - 1.0) / (ratio.sqrt() + 1.0)
}

/// Places by falling value, 1 for the largest; equal values (to rounding) share the mean of their places.
#[must_use]
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    // Sums of weights in another order differ in their last digits.
    for tied in order.chunk_by(|&a, &b| (values[a] - values[b]).abs() <= 1e-12) {
        let place = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&at| ranks[at] = place);
        before += tied.len();
    }
    ranks
}

/// Of each volunteer's views of a subject, the first in which they gave `answer` to `question`, or else the
/// first: who picked it in any view picked it.
#[must_use]
pub fn any_view(votes: &Votes, (question, answer): (u32, u32)) -> Counted {
    let n = votes.n_classifications();
    let mut gave = vec![false; n];
    for vote in votes.votes.iter().filter(|v| v.question == question && v.answer == answer) {
        gave[vote.classification as usize] = true;
    }
    let (mut counts, mut n_repeats) = (vec![false; n], 0);
    let mut at = 0;
    while at < n {
        // Votes sorts its classifications by workflow, subject, volunteer, time.
        let end = (at + 1..n).find(|&i| !same_visit(votes, i - 1, i)).unwrap_or(n);
        counts[(at..end).find(|&i| gave[i]).unwrap_or(at)] = true;
        n_repeats += (end - at - 1) as u64;
        at = end;
    }
    Counted { counts, n_repeats }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeats::{Repeats, counted};
    use crate::weights::ExperienceRule;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use volary_core::QuestionKind;
    use volary_core::votes::VotesBuilder;

    /// Rows of (subject, volunteer, picked it), in the order of time.
    fn views(rows: &[(&str, String, bool)]) -> Votes {
        let mut builder = VotesBuilder::default();
        for (at, (subject, volunteer, yes)) in rows.iter().enumerate() {
            let c = builder.classification("w", subject, volunteer, Some(at as i64), &at.to_string());
            builder.vote(c, "T0", QuestionKind::Single, Some(if *yes { "yes" } else { "no" }));
        }
        builder.finish()
    }

    fn yes(votes: &Votes) -> (u32, u32) {
        let at = votes.questions[0].answers.iter().position(|a| a == "yes");
        (0, at.map_or(u32::MAX, |at| at as u32))
    }

    fn by_experience(votes: &Votes, counted: &Counted, of: &[(&str, u64)]) -> Weights {
        let table: BTreeMap<String, u64> = of.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect();
        let rule = ExperienceRule::parse("100:2").unwrap();
        Weights::experience(votes, counted, &rule, &crate::ExperienceSource::Table(table))
    }

    /// The row that the authors publish: 13 people, one of whom picked it; 1/13 becomes 1/20, so seven of the
    /// twelve others are experienced.
    #[test]
    fn the_published_row() {
        let rows: Vec<_> = (0..13).map(|v| ("s", format!("v{v}"), v == 0)).collect();
        let votes = views(&rows);
        let counted = counted(&votes, Repeats::First);
        let old: Vec<String> = (1..8).map(|v| format!("v{v}")).collect();
        let of: Vec<(&str, u64)> = old.iter().map(|v| (v.as_str(), 100)).collect();
        let weights = by_experience(&votes, &counted, &of);
        let found = chosen(&votes, yes(&votes), &counted, &weights, &FractionParams::default()).unwrap();
        let row = found.rows[0];
        assert!((row.plain.value - 0.0769).abs() < 5e-5 && (row.weighted.value - 0.05).abs() < 1e-12);
        assert_eq!((row.n_volunteers, row.n_chosen, found.weight_ratio), (13, 1, 2.0));
        assert!((row.n_effective - 400.0 / 34.0).abs() < 1e-9);
        assert!(row.weighted.interval.contains(0.05) && row.plain.interval.contains(1.0 / 13.0));
    }

    #[test]
    fn a_view_by_the_same_person_counts_once_and_any_view_finds_the_yes() {
        let own = |v: &str| v.to_owned();
        let votes = views(&[
            ("s", own("ann"), false),
            ("s", own("ann"), true),
            ("s", own("ben"), false),
            ("s", own("cec"), true),
            ("t", own("ann"), false),
        ]);
        let fraction_of = |counted: &Counted| {
            let even = Weights::uniform(&votes);
            let found = chosen(&votes, yes(&votes), counted, &even, &FractionParams::default()).unwrap();
            (found.rows[0].plain.value, found.rows[0].n_volunteers, counted.n_repeats)
        };
        assert_eq!(fraction_of(&counted(&votes, Repeats::First)), (1.0 / 3.0, 3, 1));
        assert_eq!(fraction_of(&any_view(&votes, yes(&votes))), (2.0 / 3.0, 3, 1));
    }

    #[test]
    fn bounds_and_largest_change_are_the_closed_forms() {
        for x in [0.0, 0.1, 0.414, 0.586, 1.0] {
            let bounds = shift_bounds(x, 2.0);
            assert!((bounds.low - x / (2.0 - x)).abs() < 1e-12);
            assert!((bounds.high - 2.0 * x / (1.0 + x)).abs() < 1e-12);
        }
        let most = largest_shift(2.0);
        assert!((most - 0.171_573).abs() < 1e-6);
        let (down, up) = (2.0_f64.sqrt() / (1.0 + 2.0_f64.sqrt()), 1.0 / (1.0 + 2.0_f64.sqrt()));
        assert!((down - 0.586).abs() < 1e-3 && (up - 0.414).abs() < 1e-3);
        assert!((down - shift_bounds(down, 2.0).low - most).abs() < 1e-12);
        assert!((shift_bounds(up, 2.0).high - up - most).abs() < 1e-12);
        assert_eq!(largest_shift(1.0), 0.0);
    }

    #[test]
    fn equal_values_share_their_places() {
        assert_eq!(ranks(&[0.5, 0.9, 0.5, 0.1]), [2.5, 1.0, 2.5, 4.0]);
        assert_eq!(ranks(&[0.3, 0.1 + 0.2]), [1.5, 1.5]);
        assert_eq!(ranks(&[]), Vec::<f64>::new());
    }

    proptest! {
        #[test]
        fn weights_move_a_fraction_no_further_than_the_bounds(
            rows in proptest::collection::vec((0..6_u8, 0..9_u8, any::<bool>()), 1..60),
            old in proptest::collection::vec(0..9_u8, 0..9),
        ) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let rows: Vec<_> =
                rows.iter().map(|(s, v, y)| (names[*s as usize], format!("v{v}"), *y)).collect();
            let votes = views(&rows);
            let counted = counted(&votes, Repeats::First);
            let old: Vec<String> = old.iter().map(|v| format!("v{v}")).collect();
            let of: Vec<(&str, u64)> = old.iter().map(|v| (v.as_str(), 500)).collect();
            let weights = by_experience(&votes, &counted, &of);
            let (question, answer) = yes(&votes);
            let found =
                chosen(&votes, (question, answer), &counted, &weights, &FractionParams::default()).unwrap();
            let n = found.rows.len() as f64;
            for row in &found.rows {
                let bounds = shift_bounds(row.plain.value, 2.0);
                prop_assert!(bounds.low <= row.weighted.value + 1e-12, "{row:?}");
                prop_assert!(row.weighted.value <= bounds.high + 1e-12, "{row:?}");
                prop_assert!(row.n_chosen <= row.n_volunteers);
            }
            // Places are places, whatever is tied.
            let sum = |rank: fn(&ChosenRow) -> f64| found.rows.iter().map(rank).sum::<f64>();
            prop_assert!((sum(|r| r.rank) - n * (n + 1.0) / 2.0).abs() < 1e-6);
            prop_assert!((sum(|r| r.rank_weighted) - n * (n + 1.0) / 2.0).abs() < 1e-6);
        }
    }
}
