//! What decides on the votes: alert, retire.

use std::collections::{BTreeMap, BTreeSet};

use super::REAL;

/// What a vote can lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is real, says the crowd.
    Alert,
    /// Enough is known; it is not shown any more.
    Retire,
}

/// Takes votes and decides.
pub trait Desk {
    /// A vote that has arrived: `answer` is [`REAL`] or [`super::BOGUS`]. Each decision is
    /// given once, with the vote that led to it. Votes come in the order of `at_ms`; some come after
    /// retirement, from volunteers who had the subject before them.
    fn vote(&mut self, subject: &str, volunteer: &str, answer: usize, at_ms: i64) -> Vec<Decision>;
}

/// The rule of Kilonova Seekers, and others like it: enough positive votes, and a share of them, after
/// each vote, until enough have voted.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    positive: u32,
    share: (u32, u32),
    retire: u32,
    subjects: BTreeMap<String, Tally>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tally {
    n: u32,
    k: u32,
    is_alerted: bool,
    voters: BTreeSet<String>,
}

impl Threshold {
    /// Alert at `positive` votes for real that are at least `share` (numerator, denominator) of all;
    /// retire at `retire` votes. Whole numbers throughout: 0.8 has no exact binary form.
    #[must_use]
    pub fn new(positive: u32, share: (u32, u32), retire: u32) -> Self {
        Self { positive, share, retire, subjects: BTreeMap::new() }
    }

    /// Eight positive votes, four fifths of all, retired at fourteen.
    #[must_use]
    pub fn kilonova_seekers() -> Self {
        Self::new(8, (4, 5), 14)
    }
}

impl Desk for Threshold {
    fn vote(&mut self, subject: &str, volunteer: &str, answer: usize, _at_ms: i64) -> Vec<Decision> {
        let tally = self.subjects.entry(subject.to_owned()).or_default();
        let mut decisions = Vec::new();
        if !tally.voters.insert(volunteer.to_owned()) {
            return decisions;
        }
        let was_retired = tally.n >= self.retire;
        tally.n += 1;
        tally.k += u32::from(answer == REAL);
        let (k, n) = (u64::from(tally.k), u64::from(tally.n));
        let has_share = k * u64::from(self.share.1) >= n * u64::from(self.share.0);
        // A vote after retirement counts for the label and raises no alert.
        if !was_retired && !tally.is_alerted && tally.k >= self.positive && has_share {
            tally.is_alerted = true;
            decisions.push(Decision::Alert);
        }
        if !was_retired && tally.n >= self.retire {
            decisions.push(Decision::Retire);
        }
        decisions
    }
}
