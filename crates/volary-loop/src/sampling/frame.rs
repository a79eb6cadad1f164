//! Candidates in bins of their score, frozen and counted, and the draws that even them out.

use std::collections::BTreeSet;

use super::{BinRow, Candidate, Design, Draw, Pool, SamplingError, Selected, Stream, pool};
use crate::hash::uniform;

/// Where scores are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// Bins of equal width in the score.
    #[default]
    Score,
    /// Bins of equal width in the logit of the score, between 0.001 and 0.999; the outer bins hold the rest.
    Logit,
}

/// A frozen frame: candidates in bins, counted before anything is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Hash of what is in it.
    pub id: String,
    /// Candidates per bin, empty ones included: there the stream has no coverage, and says so.
    pub counts: Vec<usize>,
    spacing: Spacing,
    members: Vec<(Candidate, usize)>,
    quarantined: Vec<String>,
    excluded: Vec<String>,
}

impl Frame {
    /// Freezes the candidates that have not been shown.
    ///
    /// # Errors
    /// [`SamplingError`], also for a frame with nothing in it.
    pub fn new(
        candidates: &[Candidate],
        shown: &BTreeSet<String>,
        n_bins: usize,
        spacing: Spacing,
    ) -> Result<Self, SamplingError> {
        if n_bins == 0 {
            return Err(SamplingError::NoBins);
        }
        let pool = pool(candidates, shown)?;
        let id = pool.frame_id();
        let Pool { valid, quarantined, excluded } = pool;
        if valid.is_empty() {
            let (excluded, quarantined) = (excluded.len(), quarantined.len());
            return Err(SamplingError::Empty { excluded, quarantined });
        }
        let mut counts = vec![0; n_bins];
        let mut members = Vec::with_capacity(valid.len());
        for candidate in valid.into_values() {
            let bin = bin(candidate.score, n_bins, spacing);
            counts[bin] += 1;
            members.push((candidate.clone(), bin));
        }
        Ok(Self { id, counts, spacing, members, quarantined, excluded })
    }

    /// How many candidates it holds.
    #[must_use]
    pub fn n_candidates(&self) -> usize {
        self.members.len()
    }

    /// The number of equally weighted draws that the weighted pool is worth: occupied bins times the
    /// harmonic mean of their counts.
    #[must_use]
    pub fn effective_size(&self) -> f64 {
        let occupied = || self.counts.iter().filter(|&&n| n > 0);
        let n_bins = occupied().count() as f64;
        n_bins * n_bins / occupied().map(|&n| 1.0 / n as f64).sum::<f64>()
    }

    /// The candidates in it with their bins, by id.
    pub fn members(&self) -> impl Iterator<Item = (&Candidate, usize)> {
        self.members.iter().map(|(candidate, bin)| (candidate, *bin))
    }

    /// The draw of those at `chosen`, with `p_included` by bin.
    fn draw(&self, chosen: &[usize], p_included: &[f64], quotas: &[usize], seed: u64) -> Draw {
        let mut achieved = vec![0; self.counts.len()];
        let mut select = |&at: &usize| {
            let (candidate, bin) = &self.members[at];
            achieved[*bin] += 1;
            Selected {
                id: candidate.id.clone(),
                score: candidate.score,
                model: candidate.model.clone(),
                stream: Stream::Debiased,
                frame: self.id.clone(),
                seed,
                p_included: p_included[*bin],
                weight: 1.0 / self.counts[*bin] as f64,
                bin: Some((*bin, self.counts[*bin])),
            }
        };
        let selected = chosen.iter().map(&mut select).collect();
        let edge = |bin: usize| edge(bin, self.counts.len(), self.spacing);
        let row = |bin: usize| BinRow {
            low: edge(bin),
            high: edge(bin + 1),
            n_candidates: self.counts[bin],
            quota: quotas[bin],
            p_included: p_included[bin],
            expected: p_included[bin] * self.counts[bin] as f64,
            achieved: achieved[bin],
        };
        let rows = (0..self.counts.len()).map(row).collect();
        Draw {
            frame: self.id.clone(),
            design: Design::Bins { spacing: self.spacing, rows },
            selected,
            quarantined: self.quarantined.clone(),
            excluded: self.excluded.clone(),
            is_capped: false,
        }
    }

    /// How many to take from each bin for `k` in all: as even as the bins allow. Where it does not come
    /// out even, the seed says which bins give one more.
    #[must_use]
    pub fn quotas(&self, k: usize, seed: u64) -> Vec<usize> {
        let taken = |level: usize| self.counts.iter().map(|&n| n.min(level)).sum::<usize>();
        let most = self.counts.iter().copied().max().unwrap_or(0);
        // The highest level that takes no more than k.
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if taken(middle) <= k { low = middle } else { high = middle - 1 }
        }
        let mut quotas: Vec<usize> = self.counts.iter().map(|&n| n.min(low)).collect();
        let mut fuller: Vec<usize> = (0..quotas.len()).filter(|&bin| self.counts[bin] > low).collect();
        fuller.sort_by_cached_key(|bin| uniform(seed, "quota", &bin.to_string()).to_bits());
        let rest = k.saturating_sub(taken(low));
        fuller.into_iter().take(rest).for_each(|bin| quotas[bin] += 1);
        quotas
    }

    /// Draws `k` at once, bin by bin; the inclusion probability is exactly quota over count.
    ///
    /// With fewer than one for each occupied bin, the seed says which bins give one, and the probability
    /// counts that draw too: a bin that gave none could have.
    #[must_use]
    pub fn draw_batch(&self, k: usize, seed: u64) -> Draw {
        let quotas = self.quotas(k, seed);
        let rank = |at: &usize| uniform(seed, "batch", &self.members[*at].0.id).to_bits();
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by_cached_key(rank);
        let mut taken = vec![0; quotas.len()];
        let take = |at: &usize| {
            let bin = self.members[*at].1;
            taken[bin] += 1;
            taken[bin] <= quotas[bin]
        };
        let chosen: Vec<usize> = order.into_iter().filter(take).collect();
        let n_occupied = self.counts.iter().filter(|&&n| n > 0).count();
        let of_bin = |(&quota, &n): (&usize, &usize)| match n {
            0 => 0.0,
            n if k < n_occupied => k as f64 / n_occupied as f64 / n as f64,
            n => quota as f64 / n as f64,
        };
        let p: Vec<f64> = quotas.iter().zip(&self.counts).map(of_bin).collect();
        self.draw(&chosen, &p, &quotas, seed)
    }

    /// Draws `k` by weight 1/N, as a stream can: those with the lowest exponential ranks. The rank after
    /// the last gives the inclusion probabilities.
    ///
    /// Bins with few candidates come out a little below an even share; the totals are unbiased all the same.
    #[must_use]
    pub fn draw_stream(&self, k: usize, seed: u64) -> Draw {
        let weight = |at: usize| 1.0 / self.counts[self.members[at].1] as f64;
        let rank = |at: usize| -uniform(seed, "stream", &self.members[at].0.id).ln() / weight(at);
        // Ranks are positive, so that their bits sort as they do.
        let mut order: Vec<(u64, usize)> =
            (0..self.members.len()).map(|at| (rank(at).to_bits(), at)).collect();
        order.sort_unstable();
        let limit = order.get(k).map(|(bits, _)| f64::from_bits(*bits));
        let of_bin = |&n: &usize| match (n, limit) {
            (0, _) => 0.0,
            (_, None) => 1.0,
            (n, Some(limit)) => -(-limit / n as f64).exp_m1(),
        };
        let p: Vec<f64> = self.counts.iter().map(of_bin).collect();
        let chosen: Vec<usize> = order.iter().take(k).map(|&(_, at)| at).collect();
        self.draw(&chosen, &p, &self.quotas(k, seed), seed)
    }
}

/// The outer bins of the logit hold what lies beyond it and its mirror image.
const LOWEST: f64 = 0.001;

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

pub(super) fn bin(score: f64, n_bins: usize, spacing: Spacing) -> usize {
    let share = match spacing {
        Spacing::Score => score,
        Spacing::Logit => {
            let bounded = score.clamp(LOWEST, 1.0 - LOWEST);
            (logit(bounded) / logit(1.0 - LOWEST) + 1.0) / 2.0
        }
    };
    ((share * n_bins as f64) as usize).min(n_bins - 1)
}

/// Where a bin begins.
pub(super) fn edge(bin: usize, n_bins: usize, spacing: Spacing) -> f64 {
    let share = bin as f64 / n_bins as f64;
    match spacing {
        Spacing::Score => share,
        Spacing::Logit if bin == 0 => 0.0,
        Spacing::Logit if bin >= n_bins => 1.0,
        Spacing::Logit => 1.0 / (1.0 + (-(2.0 * share - 1.0) * logit(1.0 - LOWEST)).exp()),
    }
}
