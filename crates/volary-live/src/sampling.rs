//! Which subjects volunteers see: the real-time stream and the de-biased one, with the chance of each.
//!
//! The real-time stream takes what the model scores above a threshold. The de-biased stream flattens the
//! distribution of scores: weight 1/N for the N candidates of a score bin, N counted on a frozen frame.
//! Each drawn subject carries its inclusion probability, so that totals over everything (Horvitz &
//! Thompson 1952, doi:10.1080/01621459.1952.10483446) can be estimated without bias. The stream draw is
//! weighted sampling by exponential ranks (Efraimidis & Spirakis 2006, doi:10.1016/j.ipl.2005.11.003, in
//! logarithms: u^(1/w) underflows for exactly these weights).
//!
//! Pure functions: a rank depends on seed and id alone, so that the order of the input changes nothing.
//! Quantile bins are left out on purpose: they make all N equal, which turns de-biasing off.

use std::collections::{BTreeMap, BTreeSet};

/// Something that could be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// The model's score, 0 to 1.
    pub score: f64,
    /// The model and its version.
    pub model: String,
}

/// How scores are stored. 0.7 stored in 32 bits is 0.699999988 when widened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stored {
    /// In 64 bits.
    #[default]
    F64,
    /// In 32 bits: the threshold is rounded in the same way before it is compared.
    F32,
}

/// Why nothing is drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SamplingError {
    /// Nothing to draw from.
    #[error(
        "no candidate is left to draw from; {excluded} were shown already and {quarantined} have no valid score"
    )]
    Empty {
        /// Left out because they had been shown.
        excluded: usize,
        /// Left out because of their score.
        quarantined: usize,
    },
    /// Scores of two models are not one scale.
    #[error("candidates of {0} and of {1} in one frame; draw from each model by itself")]
    TwoModels(String, String),
    /// No bins.
    #[error("the number of bins is 0; 20 is usual")]
    NoBins,
    /// A threshold that is no score.
    #[error("the threshold must lie between 0 and 1; 0.7 is usual")]
    Threshold,
}

/// A subject that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// Its id.
    pub id: String,
    /// Its score.
    pub score: f64,
    /// The probability with which it was going to be drawn.
    pub p_included: f64,
    /// Score bin and number of candidates in it; none in the real-time stream.
    pub bin: Option<(usize, usize)>,
}

/// What a draw gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// The subjects, in the order in which to show them.
    pub selected: Vec<Selected>,
    /// Candidates whose score is no score: neither real nor bogus, but broken.
    pub quarantined: Vec<String>,
    /// Candidates that were left out because they had been shown or retired.
    pub excluded: Vec<String>,
    /// Whether a cap left out some that were above the threshold.
    pub is_capped: bool,
}

/// A number in (0, 1) that depends on seed, stream and id alone.
fn uniform(seed: u64, stream: &str, id: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(stream.as_bytes()).update(&[0]).update(id.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // 53 bits, moved off zero by half a step.
    ((u64::from_le_bytes(bytes) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

fn is_score(score: f64) -> bool {
    (0.0..=1.0).contains(&score)
}

/// Candidates that can be drawn, those that cannot, each id once, sorted.
struct Pool<'a> {
    valid: BTreeMap<&'a str, &'a Candidate>,
    quarantined: Vec<String>,
    excluded: Vec<String>,
}

fn pool<'a>(candidates: &'a [Candidate], shown: &BTreeSet<String>) -> Result<Pool<'a>, SamplingError> {
    let (mut valid, mut quarantined, mut excluded) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for candidate in candidates {
        if shown.contains(&candidate.id) {
            excluded.insert(candidate.id.clone());
        } else if is_score(candidate.score) {
            valid.entry(candidate.id.as_str()).or_insert(candidate);
        } else {
            quarantined.insert(candidate.id.clone());
        }
    }
    // Of an id that comes twice, once broken, the sound one counts.
    quarantined.retain(|id| !valid.contains_key(id.as_str()));
    let models: BTreeSet<&str> = valid.values().map(|c| c.model.as_str()).collect();
    let mut models = models.into_iter();
    if let (Some(one), Some(two)) = (models.next(), models.next()) {
        return Err(SamplingError::TwoModels(one.to_owned(), two.to_owned()));
    }
    let (quarantined, excluded) = (quarantined.into_iter().collect(), excluded.into_iter().collect());
    Ok(Pool { valid, quarantined, excluded })
}

/// How the real-time stream is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealTime {
    /// Scores strictly above it are selected.
    pub threshold: f64,
    /// How scores are stored.
    pub stored: Stored,
    /// At most so many; drawn evenly from all above the threshold, so that no score is favoured.
    pub max: Option<usize>,
    /// Seed of that draw.
    pub seed: u64,
}

impl Default for RealTime {
    fn default() -> Self {
        Self { threshold: 0.7, stored: Stored::F64, max: None, seed: 0 }
    }
}

/// Draws the real-time stream, best scores first.
///
/// # Errors
/// [`SamplingError`]. No candidate above the threshold is no error: it is a quiet night.
pub fn real_time(
    candidates: &[Candidate],
    shown: &BTreeSet<String>,
    params: &RealTime,
) -> Result<Draw, SamplingError> {
    if !is_score(params.threshold) {
        return Err(SamplingError::Threshold);
    }
    let threshold = match params.stored {
        Stored::F64 => params.threshold,
        Stored::F32 => f64::from(params.threshold as f32),
    };
    let Pool { valid, quarantined, excluded } = pool(candidates, shown)?;
    let mut above: Vec<&Candidate> = valid.into_values().filter(|c| c.score > threshold).collect();
    let n_above = above.len();
    let max = params.max.unwrap_or(n_above);
    above.sort_by_cached_key(|c| uniform(params.seed, "real-time", &c.id).to_bits());
    above.truncate(max);
    above.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    let p_included = if n_above <= max { 1.0 } else { max as f64 / n_above as f64 };
    let select = |c: &Candidate| Selected { id: c.id.clone(), score: c.score, p_included, bin: None };
    let selected = above.into_iter().map(select).collect();
    Ok(Draw { selected, quarantined, excluded, is_capped: n_above > max })
}

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
        let Pool { valid, quarantined, excluded } = pool(candidates, shown)?;
        if valid.is_empty() {
            let (excluded, quarantined) = (excluded.len(), quarantined.len());
            return Err(SamplingError::Empty { excluded, quarantined });
        }
        let mut counts = vec![0; n_bins];
        let mut members = Vec::with_capacity(valid.len());
        let mut hasher = blake3::Hasher::new();
        for candidate in valid.into_values() {
            let bin = bin(candidate.score, n_bins, spacing);
            counts[bin] += 1;
            hasher.update(candidate.id.as_bytes()).update(&[0]);
            hasher.update(candidate.model.as_bytes()).update(&[0]);
            hasher.update(&candidate.score.to_bits().to_le_bytes());
            members.push((candidate.clone(), bin));
        }
        let id = hasher.finalize().to_hex()[..16].to_owned();
        Ok(Self { id, counts, members, quarantined, excluded })
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

    fn select(&self, at: usize, p_included: f64) -> Selected {
        let (candidate, bin) = &self.members[at];
        let (id, score) = (candidate.id.clone(), candidate.score);
        Selected { id, score, p_included, bin: Some((*bin, self.counts[*bin])) }
    }

    fn draw(&self, chosen: Vec<Selected>) -> Draw {
        let (quarantined, excluded) = (self.quarantined.clone(), self.excluded.clone());
        Draw { selected: chosen, quarantined, excluded, is_capped: false }
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
        let p = |at: usize| {
            let bin = self.members[at].1;
            quotas[bin] as f64 / self.counts[bin] as f64
        };
        self.draw(chosen.into_iter().map(|at| self.select(at, p(at))).collect())
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
        let p = |at: usize| limit.map_or(1.0, |limit| -(-weight(at) * limit).exp_m1());
        self.draw(order.iter().take(k).map(|&(_, at)| self.select(at, p(at))).collect())
    }
}

fn bin(score: f64, n_bins: usize, spacing: Spacing) -> usize {
    const LOWEST: f64 = 0.001;
    let share = match spacing {
        Spacing::Score => score,
        Spacing::Logit => {
            let logit = |p: f64| (p / (1.0 - p)).ln();
            let bounded = score.clamp(LOWEST, 1.0 - LOWEST);
            (logit(bounded) / logit(1.0 - LOWEST) + 1.0) / 2.0
        }
    };
    ((share * n_bins as f64) as usize).min(n_bins - 1)
}

/// The chance to be in either of two streams that are drawn independently.
#[must_use]
pub fn p_in_either(p_real_time: f64, p_debiased: f64) -> f64 {
    1.0 - (1.0 - p_real_time) * (1.0 - p_debiased)
}

/// The total of `value` over everything that could have been drawn, estimated from what was.
#[must_use]
pub fn horvitz_thompson(draw: &Draw, value: impl Fn(&Selected) -> f64) -> f64 {
    draw.selected.iter().map(|selected| value(selected) / selected.p_included).sum()
}

#[cfg(test)]
#[path = "sampling_tests.rs"]
mod tests;
