//! Whole sets of answers as values, with a distance between sets.
//!
//! Jaccard: 1 − |A ∩ B| / |A ∪ B|, and 0 between two empty sets. MASI (Passonneau 2006, LREC): 1 − Jaccard's
//! index times 1 for equal sets, ⅔ where one holds the other, ⅓ where they overlap, 0 where they do not. Both
//! stand where Krippendorff's δ² stands, as in Passonneau and in `nltk`.

use std::collections::BTreeMap;

use volary_core::Votes;
use volary_core::votes::{NO_ANSWER, Vote};

use super::Missing;
use super::patterns::{Patterns, Values};

/// A set of answers, sorted.
pub(super) type Set = Vec<u32>;

/// Per subject: what each visit ticked.
pub(super) struct Visits {
    subjects: Vec<Vec<Set>>,
}

/// The visits of one question's votes.
pub(super) fn visits(votes: &Votes, own: &[Vote]) -> Visits {
    let of_visit = |group: &[Vote]| -> Set {
        let mut set: Set = group.iter().map(|v| v.answer).filter(|a| *a != NO_ANSWER).collect();
        set.sort_unstable();
        set.dedup();
        set
    };
    let of_subject = |(_, group): (u32, &[Vote])| {
        group.chunk_by(|a, b| a.classification == b.classification).map(of_visit).collect()
    };
    Visits { subjects: votes.by_subject(own).map(of_subject).collect() }
}

impl Visits {
    /// Per subject: visits, and those that ticked this answer.
    pub(super) fn ticks_of(&self, answer: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let count = |n: usize| u32::try_from(n).expect("visits are u32");
        self.subjects.iter().map(move |visits| {
            let ticks = visits.iter().filter(|set| set.binary_search(&answer).is_ok()).count();
            (count(visits.len()), count(ticks))
        })
    }

    /// Sets as values, and the sets.
    pub(super) fn patterns(&self) -> (Patterns, Vec<Set>) {
        let mut index: BTreeMap<&Set, u32> =
            self.subjects.iter().flatten().map(|set| (set, 0)).collect();
        for (next, value) in (0..).zip(index.values_mut()) {
            *value = next;
        }
        let mut builder = Patterns::builder(Values::Nominal(index.len()));
        for visits in &self.subjects {
            builder.add(visits.iter().map(|set| index[set]).collect());
        }
        (builder.finish(), index.into_keys().cloned().collect())
    }
}

/// How far sets are apart, and how far the votes of each pattern.
pub(super) struct Distances {
    n: usize,
    jaccard: Vec<f64>,
    masi: Vec<f64>,
    /// Per pattern: Σ of distances over ordered pairs of votes, divided by n_u − 1; Jaccard and MASI.
    observed: Vec<(f64, f64)>,
}

impl Distances {
    pub(super) fn new(sets: &[Set], patterns: &Patterns) -> Self {
        let n = sets.len();
        let (mut jaccard, mut masi) = (vec![0.0; n * n], vec![0.0; n * n]);
        for (a, first) in sets.iter().enumerate() {
            for (b, second) in sets.iter().enumerate() {
                (jaccard[a * n + b], masi[a * n + b]) = distances(first, second);
            }
        }
        let observed = |pattern: usize| {
            let (cells, votes) = (patterns.cells(pattern), patterns.n_votes(pattern));
            let (mut j, mut m) = (0.0, 0.0);
            for (a, count_a) in cells.iter().filter(|_| cells.len() > 1) {
                for (b, count_b) in cells {
                    let at = *a as usize * n + *b as usize;
                    let pairs = f64::from(*count_a) * f64::from(*count_b) / (votes - 1.0);
                    j += pairs * jaccard[at];
                    m += pairs * masi[at];
                }
            }
            (j, m)
        };
        let observed = (0..patterns.len()).map(observed).collect();
        Self { n, jaccard, masi, observed }
    }

    /// α with both distances.
    pub(super) fn alphas(&self, patterns: &Patterns, weights: &[u64]) -> [Result<f64, Missing>; 2] {
        let (per_value, total) = patterns.pairable_counts(weights);
        if total == 0.0 {
            return [Err(Missing::NoPairs); 2];
        }
        if per_value.iter().filter(|n| **n > 0.0).count() < 2 {
            return [Err(Missing::OneAnswer); 2];
        }
        let (mut observed_j, mut observed_m) = (0.0, 0.0);
        for ((j, m), weight) in self.observed.iter().zip(weights) {
            observed_j += *weight as f64 * j;
            observed_m += *weight as f64 * m;
        }
        let (mut expected_j, mut expected_m) = (0.0, 0.0);
        for (a, count) in per_value.iter().enumerate().filter(|(_, n)| **n > 0.0) {
            let row = a * self.n..(a + 1) * self.n;
            let dot = |row: &[f64]| row.iter().zip(&per_value).map(|(d, n)| d * n).sum::<f64>();
            expected_j += count * dot(&self.jaccard[row.clone()]);
            expected_m += count * dot(&self.masi[row]);
        }
        let alpha = |observed: f64, expected: f64| Ok(1.0 - (total - 1.0) * observed / expected);
        [alpha(observed_j, expected_j), alpha(observed_m, expected_m)]
    }
}

/// Jaccard's distance and MASI's.
fn distances(a: &Set, b: &Set) -> (f64, f64) {
    if a == b {
        return (0.0, 0.0);
    }
    let common = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
    let union = a.len() + b.len() - common;
    let index = common as f64 / union as f64;
    let monotonicity = match common {
        0 => 0.0,
        n if n == a.len() || n == b.len() => 2.0 / 3.0,
        _ => 1.0 / 3.0,
    };
    (1.0 - index, 1.0 - index * monotonicity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_papers() {
        let d = |a: &[u32], b: &[u32]| distances(&a.to_vec(), &b.to_vec());
        assert_eq!(d(&[1, 2], &[1, 2]), (0.0, 0.0));
        assert_eq!(d(&[], &[]), (0.0, 0.0));
        assert_eq!(d(&[], &[1]), (1.0, 1.0));
        assert_eq!(d(&[1], &[2]), (1.0, 1.0));
        assert_eq!(d(&[1], &[1, 2]), (0.5, 1.0 - 0.5 * 2.0 / 3.0));
        let (jaccard, masi) = d(&[1, 2], &[2, 3]);
        assert!((jaccard - 2.0 / 3.0).abs() < 1e-15 && (masi - 8.0 / 9.0).abs() < 1e-15);
    }
}
