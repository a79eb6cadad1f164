//! Which subjects volunteers see: the real-time stream and the de-biased one, with the chance of each.
//!
//! The real-time stream takes what the model scores above a threshold. The de-biased stream flattens the
//! distribution of scores: weight 1/N for the N candidates of a score bin, N counted on a frozen frame.
//! Each drawn subject carries its inclusion probability, so that totals over everything (Horvitz &
//! Thompson 1952, doi:10.1080/01621459.1952.10483446) can be estimated without bias. The stream draw is
//! weighted sampling by exponential ranks (Efraimidis & Spirakis 2006, doi:10.1016/j.ipl.2005.11.003, in
//! logarithms: u^(1/w) underflows for exactly these weights).
//!
//! Both are drawn by themselves and then united ([`union`]): a subject is shown once, and its probability is
//! that of coming by either way.
//!
//! Pure functions: a rank depends on seed and id alone, so that the order of the input changes nothing.
//! Quantile bins are left out on purpose: they make all N equal, which turns de-biasing off.

mod frame;
pub mod top;

use std::collections::{BTreeMap, BTreeSet};

use crate::hash::uniform;
use frame::bin;
pub use frame::{Frame, Spacing};

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

/// The way by which a subject comes to the volunteers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What the model scores high, as it comes in.
    RealTime,
    /// Drawn evenly over the scores.
    Debiased,
    /// Chosen because a model would learn from it; see [`crate::acquisition`].
    Active,
    /// Subjects with a known answer.
    Validation,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::RealTime, Self::Debiased, Self::Active, Self::Validation];

    /// Its name in tables and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RealTime => "real-time",
            Self::Debiased => "debiased",
            Self::Active => "active",
            Self::Validation => "validation",
        }
    }
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
    /// A share of the top that is no share.
    #[error("the share of the top must lie between 0 and 1; 0.01 is usual")]
    TopShare,
    /// A threshold that is no score.
    #[error("the threshold must lie between 0 and 1; 0.7 is usual")]
    Threshold,
    /// Two draws that do not belong together.
    #[error("the two draws come from the frames {0} and {1}; draw both from the same candidates")]
    TwoFrames(String, String),
}

/// A subject that was drawn, with all that is needed to draw it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// Its id.
    pub id: String,
    /// Its score.
    pub score: f64,
    /// The model that scored it.
    pub model: String,
    /// The way by which it was drawn.
    pub stream: Stream,
    /// The frame that it was drawn from, a hash of the candidates that could be drawn.
    pub frame: String,
    /// The seed of the draw.
    pub seed: u64,
    /// The probability with which it was going to be drawn.
    pub p_included: f64,
    /// 1/N for the N candidates of its bin; 1 in the real-time stream.
    pub weight: f64,
    /// Score bin and number of candidates in it; none in the real-time stream.
    pub bin: Option<(usize, usize)>,
}

/// A score bin of a draw: what was to be expected of it and what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinRow {
    /// Lowest score in it.
    pub low: f64,
    /// Where the next one begins.
    pub high: f64,
    /// Candidates in it; with 0 the draw says nothing about these scores.
    pub n_candidates: usize,
    /// An even share, as far as the bin has that many.
    pub quota: usize,
    /// The probability of each of its candidates to be drawn.
    pub p_included: f64,
    /// Candidates times probability.
    pub expected: f64,
    /// How many were drawn.
    pub achieved: usize,
}

/// What decides how likely a score is drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Design {
    /// All above a threshold, or an even draw of them.
    Threshold {
        /// Scores strictly above it.
        above: f64,
        /// How many there were.
        n_above: usize,
        /// The probability of each of them.
        p_included: f64,
    },
    /// By bins of the score.
    Bins {
        /// How they are cut.
        spacing: Spacing,
        /// One row per bin, lowest scores first.
        rows: Vec<BinRow>,
    },
}

impl Design {
    /// The probability with which a candidate with this score was going to be drawn.
    #[must_use]
    pub fn p_included(&self, score: f64) -> f64 {
        match self {
            Self::Threshold { above, p_included, .. } if score > *above => *p_included,
            Self::Threshold { .. } => 0.0,
            Self::Bins { spacing, rows } => rows[bin(score, rows.len(), *spacing)].p_included,
        }
    }
}

/// What a draw gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// The frame that it was drawn from.
    pub frame: String,
    /// How likely each score was; in bins, what came against what was to be expected.
    pub design: Design,
    /// The subjects, in the order in which to show them.
    pub selected: Vec<Selected>,
    /// Candidates whose score is no score: neither real nor bogus, but broken.
    pub quarantined: Vec<String>,
    /// Candidates that were left out because they had been shown or retired.
    pub excluded: Vec<String>,
    /// Whether a cap left out some that were above the threshold.
    pub is_capped: bool,
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

impl Pool<'_> {
    /// A hash of what can be drawn.
    fn frame_id(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for candidate in self.valid.values() {
            hasher.update(candidate.id.as_bytes()).update(&[0]);
            hasher.update(candidate.model.as_bytes()).update(&[0]);
            hasher.update(&candidate.score.to_bits().to_le_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

fn pool<'a>(candidates: &'a [Candidate], shown: &BTreeSet<String>) -> Result<Pool<'a>, SamplingError> {
    pool_of(candidates, shown, is_score)
}

/// The same with a rule of its own for what is a score.
fn pool_of<'a>(
    candidates: &'a [Candidate],
    shown: &BTreeSet<String>,
    is_score: impl Fn(f64) -> bool,
) -> Result<Pool<'a>, SamplingError> {
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
    let pool = pool(candidates, shown)?;
    let frame = pool.frame_id();
    let Pool { valid, quarantined, excluded } = pool;
    let mut above: Vec<&Candidate> = valid.into_values().filter(|c| c.score > threshold).collect();
    let n_above = above.len();
    let max = params.max.unwrap_or(n_above);
    above.sort_by_cached_key(|c| uniform(params.seed, "real-time", &c.id).to_bits());
    above.truncate(max);
    above.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    let p_included = if n_above <= max { 1.0 } else { max as f64 / n_above as f64 };
    let select = |c: &Candidate| Selected {
        id: c.id.clone(),
        score: c.score,
        model: c.model.clone(),
        stream: Stream::RealTime,
        frame: frame.clone(),
        seed: params.seed,
        p_included,
        weight: 1.0,
        bin: None,
    };
    let selected = above.into_iter().map(select).collect();
    let design = Design::Threshold { above: threshold, n_above, p_included };
    Ok(Draw { frame, design, selected, quarantined, excluded, is_capped: n_above > max })
}

/// The chance to be in either of two streams that are drawn independently.
#[must_use]
pub fn p_in_either(p_real_time: f64, p_debiased: f64) -> f64 {
    1.0 - (1.0 - p_real_time) * (1.0 - p_debiased)
}

/// Both streams together: each subject once, with the probability of coming by either way.
///
/// Those of the real-time stream come first, as they were drawn; what came by both counts as real-time.
///
/// # Errors
/// [`SamplingError::TwoFrames`] if the draws are not from the same candidates, or not independent because
/// they are of the same kind.
pub fn union(real_time: &Draw, debiased: &Draw) -> Result<Vec<Selected>, SamplingError> {
    let is_pair =
        matches!((&real_time.design, &debiased.design), (Design::Threshold { .. }, Design::Bins { .. }));
    if real_time.frame != debiased.frame || !is_pair {
        return Err(SamplingError::TwoFrames(real_time.frame.clone(), debiased.frame.clone()));
    }
    let met: BTreeSet<&str> = real_time.selected.iter().map(|s| s.id.as_str()).collect();
    let others = debiased.selected.iter().filter(|s| !met.contains(s.id.as_str()));
    let join = |selected: &Selected| {
        let of = |draw: &Draw| draw.design.p_included(selected.score);
        Selected { p_included: p_in_either(of(real_time), of(debiased)), ..selected.clone() }
    };
    Ok(real_time.selected.iter().chain(others).map(join).collect())
}

/// The total of `value` over everything that could have been drawn, estimated from what was.
#[must_use]
pub fn horvitz_thompson(selected: &[Selected], value: impl Fn(&Selected) -> f64) -> f64 {
    selected.iter().map(|selected| value(selected) / selected.p_included).sum()
}

#[cfg(test)]
#[path = "sampling_tests.rs"]
mod tests;
