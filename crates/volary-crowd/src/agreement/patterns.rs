//! Subjects with the same counts of answers, together, and the measures over them.
//!
//! All measures depend on a subject only through how often it got each answer, and crowds of ten votes give
//! the same counts again and again. So sums run over distinct patterns with a weight each: the number of
//! subjects, or of draws in a bootstrap replicate.
//!
//! With n_uc votes for c among n_u on subject u, n_c = Σ_u n_uc and n = Σ_c n_c over subjects with n_u ≥ 2,
//! α = 1 − (n − 1) · Σ_u Σ_{c,k} n_uc n_uk δ²_ck / (n_u − 1) / Σ_{c,k} n_c n_k δ²_ck. The ordinal δ, the votes
//! from c to k without half of each end, is the difference of two mid-ranks; so ordinal and interval answers
//! are both numbers, and Σ_{c,k} n_uc n_uk (s_c − s_k)² = 2 n_u Σ_c n_uc (s_c − mean)² needs no K × K matrix.

use std::collections::BTreeMap;

use super::Missing;

/// The values that votes take.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// So many names.
    Nominal(usize),
    /// So many grades, in their order.
    Ordinal(usize),
    /// These numbers, ascending.
    Interval(Vec<f64>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Nominal(n) | Self::Ordinal(n) => *n,
            Self::Interval(values) => values.len(),
        }
    }
}

/// Distinct patterns of counts.
pub(super) struct Patterns {
    values: Values,
    /// (value, count) of all patterns, one after the other; counts above 0.
    cells: Vec<(u32, u32)>,
    /// Where each pattern's cells begin, and the end.
    starts: Vec<usize>,
    /// Votes of each pattern.
    n_votes: Vec<f64>,
    /// Subjects of each pattern.
    pub(super) n_subjects: Vec<u64>,
}

/// Collects subjects.
pub(super) struct Builder {
    values: Values,
    seen: BTreeMap<Vec<(u32, u32)>, u64>,
}

impl Builder {
    /// Adds a subject with these votes.
    pub(super) fn add(&mut self, mut votes: Vec<u32>) {
        votes.sort_unstable();
        let count = |run: &[u32]| (run[0], u32::try_from(run.len()).expect("votes are u32"));
        self.add_counts(votes.chunk_by(|a, b| a == b).map(count).collect());
    }

    /// Adds a subject with these counts, sorted by value.
    pub(super) fn add_counts(&mut self, mut counts: Vec<(u32, u32)>) {
        counts.retain(|(_, n)| *n > 0);
        if !counts.is_empty() {
            *self.seen.entry(counts).or_default() += 1;
        }
    }

    pub(super) fn finish(self) -> Patterns {
        let (mut cells, mut starts) = (Vec::new(), vec![0]);
        let (mut n_votes, mut n_subjects) = (Vec::new(), Vec::new());
        for (pattern, n) in self.seen {
            n_votes.push(pattern.iter().map(|(_, n)| f64::from(*n)).sum());
            n_subjects.push(n);
            cells.extend(pattern);
            starts.push(cells.len());
        }
        Patterns { values: self.values, cells, starts, n_votes, n_subjects }
    }
}

/// The three measures of counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) alpha: Result<f64, Missing>,
    pub(super) kappa: Result<f64, Missing>,
    pub(super) pair_agreement: Result<f64, Missing>,
}

impl Measured {
    pub(super) fn as_array(self) -> [Result<f64, Missing>; 3] {
        [self.alpha, self.kappa, self.pair_agreement]
    }
}

impl Patterns {
    pub(super) fn builder(values: Values) -> Builder {
        Builder { values, seen: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.n_subjects.len()
    }

    pub(super) fn n_values(&self) -> usize {
        self.values.len()
    }

    /// (value, count) of a pattern.
    pub(super) fn cells(&self, pattern: usize) -> &[(u32, u32)] {
        &self.cells[self.starts[pattern]..self.starts[pattern + 1]]
    }

    /// Votes of a pattern.
    pub(super) fn n_votes(&self, pattern: usize) -> f64 {
        self.n_votes[pattern]
    }

    /// Subjects with two votes or more, and their votes.
    pub(super) fn pairable(&self) -> (u64, u64) {
        let pairs = self.n_votes.iter().zip(&self.n_subjects).filter(|(votes, _)| **votes > 1.0);
        pairs.fold((0, 0), |(subjects, votes), (own, n)| (subjects + n, votes + n * *own as u64))
    }

    /// Whether every subject with two votes is of one mind.
    pub(super) fn is_unanimous(&self) -> bool {
        (0..self.len()).all(|p| self.cells(p).len() == 1)
    }

    /// Votes per value on subjects with two votes or more, and all of them.
    pub(super) fn pairable_counts(&self, weights: &[u64]) -> (Vec<f64>, f64) {
        let mut per_value = vec![0.0; self.n_values()];
        let mut total = 0.0;
        for (pattern, weight) in weights.iter().enumerate() {
            if *weight > 0 && self.n_votes[pattern] > 1.0 {
                let weight = *weight as f64;
                total += weight * self.n_votes[pattern];
                for (value, n) in self.cells(pattern) {
                    per_value[*value as usize] += weight * f64::from(*n);
                }
            }
        }
        (per_value, total)
    }

    /// All measures, each pattern standing for so many subjects.
    pub(super) fn measure(&self, weights: &[u64]) -> Measured {
        let (per_value, total) = self.pairable_counts(weights);
        if total == 0.0 {
            let none = Err(Missing::NoPairs);
            return Measured { alpha: none, kappa: none, pair_agreement: none };
        }
        let (pair_agreement, kappa) = self.fleiss(weights);
        Measured {
            alpha: self.alpha(weights, &per_value, total),
            kappa,
            pair_agreement: Ok(pair_agreement),
        }
    }

    fn alpha(&self, weights: &[u64], per_value: &[f64], total: f64) -> Result<f64, Missing> {
        if per_value.iter().filter(|n| **n > 0.0).count() < 2 {
            return Err(Missing::OneAnswer);
        }
        let (observed, expected) = match &self.values {
            Values::Nominal(_) => {
                let differing = |n: f64, squares: f64| n * n - squares;
                let squares: f64 = per_value.iter().map(|n| n * n).sum();
                let observed = self.observed(weights, |cells, n| {
                    differing(n, cells.iter().map(|(_, c)| f64::from(*c).powi(2)).sum())
                });
                (observed, differing(total, squares))
            }
            Values::Ordinal(_) => self.numeric(weights, &mid_ranks(per_value), per_value, total),
            Values::Interval(scores) => self.numeric(weights, scores, per_value, total),
        };
        Ok(1.0 - (total - 1.0) * observed / expected)
    }

    /// Σ_u (what `pairs` says about u's ordered pairs) / (n_u − 1).
    fn observed(&self, weights: &[u64], pairs: impl Fn(&[(u32, u32)], f64) -> f64) -> f64 {
        let mut sum = 0.0;
        for (pattern, weight) in weights.iter().enumerate() {
            let (cells, n) = (self.cells(pattern), self.n_votes[pattern]);
            // One value has no pair that differs.
            if *weight > 0 && cells.len() > 1 {
                sum += *weight as f64 * pairs(cells, n) / (n - 1.0);
            }
        }
        sum
    }

    /// Observed and expected squared differences of scores.
    fn numeric(&self, weights: &[u64], scores: &[f64], per_value: &[f64], total: f64) -> (f64, f64) {
        // Twice n times the sum of squares about the mean: no cancellation.
        let about_the_mean = |counts: &mut dyn Iterator<Item = (f64, f64)>, n: f64| {
            let counts: Vec<(f64, f64)> = counts.collect();
            let mean = counts.iter().map(|(s, c)| s * c).sum::<f64>() / n;
            2.0 * n * counts.iter().map(|(s, c)| c * (s - mean).powi(2)).sum::<f64>()
        };
        let observed = self.observed(weights, |cells, n| {
            let mut counts = cells.iter().map(|(value, c)| (scores[*value as usize], f64::from(*c)));
            about_the_mean(&mut counts, n)
        });
        let mut counts = scores.iter().copied().zip(per_value.iter().copied());
        (observed, about_the_mean(&mut counts, total))
    }

    /// Share of agreeing pairs and κ: p_c is the mean over subjects of c's share, P̄ that over subjects with
    /// two votes of the share of agreeing pairs (Gwet 2014); with even numbers this is Fleiss 1971.
    fn fleiss(&self, weights: &[u64]) -> (f64, Result<f64, Missing>) {
        let mut shares = vec![0.0; self.n_values()];
        let (mut agree, mut n_pairable, mut n_subjects) = (0.0, 0.0, 0.0);
        for (pattern, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0) {
            let (weight, n) = (*weight as f64, self.n_votes[pattern]);
            n_subjects += weight;
            let mut pairs = 0.0;
            for (value, c) in self.cells(pattern) {
                let c = f64::from(*c);
                shares[*value as usize] += weight * c / n;
                pairs += c * (c - 1.0);
            }
            if n > 1.0 {
                n_pairable += weight;
                agree += weight * pairs / (n * (n - 1.0));
            }
        }
        let agreement = agree / n_pairable;
        if shares.iter().filter(|s| **s > 0.0).count() < 2 {
            return (agreement, Err(Missing::OneAnswer));
        }
        let by_chance: f64 = shares.iter().map(|s| (s / n_subjects).powi(2)).sum();
        (agreement, Ok((agreement - by_chance) / (1.0 - by_chance)))
    }
}

/// The rank of each value among all votes: those below it, and half of its own.
pub(super) fn mid_ranks(per_value: &[f64]) -> Vec<f64> {
    let mut below = 0.0;
    per_value
        .iter()
        .map(|n| {
            below += n;
            below - 0.5 * n
        })
        .collect()
}
