//! Active learning: what to ask volunteers about because a model would learn from it.
//!
//! Usefulness of a subject is the entropy of its predicted classes, or their mutual information with the
//! model's parameters (BALD: Houlsby et al. 2011, arXiv:1112.5745; the choice of GOTO's `gotorb`, from 30
//! Monte Carlo passes). Near-duplicates are kept out by greedy k-center on embeddings among the most useful
//! (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5; Sener & Savarese 2018, arXiv:1708.00489).
//!
//! What is chosen because a model is unsure says nothing about how good the model is. So every [`batch`]
//! keeps a part that is drawn with known probability, [`LEAST_PROBABILITY_SHARE`] or more, and only that
//! part may be used for performance. A random twin, as large as the active part, shows whether choosing
//! was worth it. Nothing here trains a model.

use std::collections::BTreeSet;

use crate::hash::uniform;
use crate::sampling::{Frame, Selected, Stream};

/// The least share of a batch that is drawn with known probability.
pub const LEAST_PROBABILITY_SHARE: f64 = 0.2;

/// Why nothing can be chosen.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AcquisitionError {
    /// Class probabilities that are none.
    #[error(
        "probabilities must be finite, not negative and sum to 1 per pass; those of {subject} do not"
    )]
    NoProbabilities {
        /// Of which subject.
        subject: String,
    },
    /// Not a whole number of passes.
    #[error(
        "{n} probabilities do not divide into passes of {n_classes} classes; give all classes of each pass"
    )]
    Shape {
        /// Numbers given.
        n: usize,
        /// Classes.
        n_classes: usize,
    },
    /// Embeddings of different dimension, or not finite.
    #[error(
        "the embedding of {subject} has no {dimension} finite numbers; embed all with the same model"
    )]
    Embedding {
        /// Of which subject.
        subject: String,
        /// What the first one has.
        dimension: usize,
    },
    /// Too little would be left to measure by.
    #[error(
        "{share} of the batch drawn with known probability is too little to measure by; give 0.2 to 1"
    )]
    Share {
        /// What was asked for.
        share: f64,
    },
}

/// Entropy of class probabilities, in nats.
#[must_use]
pub fn entropy(p_class: &[f64]) -> f64 {
    p_class.iter().map(|&p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum()
}

/// What the passes of a model over one subject say.
#[derive(Clone, Debug, PartialEq)]
pub struct Uncertainty {
    /// Mean probability of each class.
    pub p_class: Vec<f64>,
    /// Entropy of that mean, in nats: all uncertainty.
    pub entropy: f64,
    /// Mutual information of class and parameters, in nats: the part that more labels can remove.
    pub mutual_information: f64,
}

/// Entropy and mutual information from `draws`: row-major `[n_passes, n_classes]`, each row sums to 1.
///
/// With one pass the mutual information is 0: a single model has no opinion on its own doubt.
///
/// # Errors
/// [`AcquisitionError`] where the numbers are no probabilities; `subject` is named in it.
pub fn uncertainty(
    subject: &str,
    draws: &[f64],
    n_classes: usize,
) -> Result<Uncertainty, AcquisitionError> {
    if n_classes == 0 || draws.is_empty() || !draws.len().is_multiple_of(n_classes) {
        return Err(AcquisitionError::Shape { n: draws.len(), n_classes });
    }
    let n_passes = (draws.len() / n_classes) as f64;
    let mut p_class = vec![0.0; n_classes];
    let mut expected = 0.0;
    for pass in draws.chunks_exact(n_classes) {
        let is_sound = pass.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p));
        if !is_sound || (pass.iter().sum::<f64>() - 1.0).abs() > 1e-6 {
            return Err(AcquisitionError::NoProbabilities { subject: subject.to_owned() });
        }
        p_class.iter_mut().zip(pass).for_each(|(mean, p)| *mean += p / n_passes);
        expected += entropy(pass) / n_passes;
    }
    let entropy = entropy(&p_class);
    // Jensen says never negative; rounding does not.
    Ok(Uncertainty { entropy, mutual_information: (entropy - expected).max(0.0), p_class })
}

/// Greedy k-center: `n` of the points such that each left out is near one of them.
///
/// Starts from the first, then takes the one farthest from all taken; the earlier one where two are as
/// far. `embeddings` is row-major `[n_points, dimension]`. At most twice as far as the best choice leaves.
#[must_use]
pub fn k_center(embeddings: &[f64], dimension: usize, n: usize) -> Vec<usize> {
    if dimension == 0 {
        return Vec::new();
    }
    let points: Vec<&[f64]> = embeddings.chunks_exact(dimension).collect();
    let mut nearest = vec![f64::INFINITY; points.len()];
    let mut taken = Vec::new();
    while taken.len() < n.min(points.len()) {
        let mut farthest: Option<usize> = None;
        for at in (0..points.len()).filter(|at| nearest[*at] >= 0.0) {
            if farthest.is_none_or(|best| nearest[at] > nearest[best]) {
                farthest = Some(at);
            }
        }
        let Some(at) = farthest else { break };
        taken.push(at);
        for (distance, point) in nearest.iter_mut().zip(&points) {
            let squares: f64 = point.iter().zip(points[at]).map(|(a, b)| (a - b).powi(2)).sum();
            *distance = distance.min(squares);
        }
        nearest[at] = -1.0;
    }
    taken
}

/// What makes a subject useful.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Usefulness {
    /// The entropy of its classes.
    Entropy,
    /// The mutual information of its class with the parameters.
    #[default]
    Bald,
    /// Mutual information first, then k-center among so many times the number wanted.
    Diverse {
        /// Candidates per subject wanted; 10 is usual.
        n_among: usize,
    },
}

/// Why a subject is in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// Drawn with known probability; the only part to measure by.
    Probability,
    /// The random twin of the active part.
    Random,
    /// By entropy.
    Entropy,
    /// By mutual information.
    Bald,
    /// By mutual information and distance.
    Diverse,
}

impl Arm {
    /// Its name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Random => "random",
            Self::Entropy => "entropy",
            Self::Bald => "bald",
            Self::Diverse => "diverse",
        }
    }
}

/// What a model says of a candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Passes<'a> {
    /// The candidate's id.
    pub subject: &'a str,
    /// Class probabilities, row-major `[n_passes, n_classes]`.
    pub draws: &'a [f64],
    /// Its embedding; read for [`Usefulness::Diverse`] only.
    pub embedding: &'a [f64],
}

/// How a batch is put together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchParams {
    /// Subjects in it.
    pub n: usize,
    /// Classes of the model.
    pub n_classes: usize,
    /// Share that is drawn with known probability, 0.2 or more (rounded up).
    pub probability_share: f64,
    /// What the active part is chosen by.
    pub usefulness: Usefulness,
    /// Whether half of the rest is drawn at random, to compare with.
    pub has_twin: bool,
    /// Seed.
    pub seed: u64,
}

/// A subject of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Its id.
    pub subject: String,
    /// Why.
    pub arm: Arm,
    /// What it was ranked by; none where chance decided.
    pub usefulness: Option<f64>,
    /// How it was drawn; only in the part with known probability.
    pub drawn: Option<Selected>,
}

impl Chosen {
    /// The stream that it is served in.
    #[must_use]
    pub fn stream(&self) -> Stream {
        if self.arm == Arm::Probability { Stream::Debiased } else { Stream::Active }
    }
}

/// Puts a batch together: first the part with known probability, from all of `frame`, then the random
/// twin, then what is most useful of the rest. Nobody is chosen twice, and nobody in `acquired` at all
/// in the last two.
///
/// The first two are drawn before the active part is chosen, or what is left for them would depend on the
/// model. A candidate without passes cannot be chosen as useful. If the frame is small, the batch is.
///
/// # Errors
/// [`AcquisitionError`].
pub fn batch(
    frame: &Frame,
    passes: &[Passes<'_>],
    acquired: &BTreeSet<String>,
    params: &BatchParams,
) -> Result<Vec<Chosen>, AcquisitionError> {
    let share = params.probability_share;
    if !(LEAST_PROBABILITY_SHARE..=1.0).contains(&share) {
        return Err(AcquisitionError::Share { share });
    }
    // Rounded up, but 0.2 × 50 is 10, not 11.
    let n_probability = (share * params.n as f64 - 1e-9).ceil() as usize;
    let draw = frame.draw_batch(n_probability, params.seed);
    let mut taken: BTreeSet<String> = acquired.clone();
    let mut chosen = Vec::with_capacity(params.n);
    for selected in draw.selected {
        taken.insert(selected.id.clone());
        let subject = selected.id.clone();
        chosen.push(Chosen { subject, arm: Arm::Probability, usefulness: None, drawn: Some(selected) });
    }
    let n_rest = params.n.saturating_sub(n_probability);
    if params.has_twin {
        let free = frame.members().map(|(c, _)| c.id.as_str()).filter(|id| !taken.contains(*id));
        let mut free: Vec<&str> = free.collect();
        free.sort_by_cached_key(|id| uniform(params.seed, "random twin", id).to_bits());
        let twins: Vec<String> = free.into_iter().take(n_rest / 2).map(str::to_owned).collect();
        taken.extend(twins.iter().cloned());
        let twin = |subject| Chosen { subject, arm: Arm::Random, usefulness: None, drawn: None };
        chosen.extend(twins.into_iter().map(twin));
    }
    let n_active = if params.has_twin { n_rest - n_rest / 2 } else { n_rest };
    chosen.extend(most_useful(frame, passes, &taken, n_active, params)?);
    Ok(chosen)
}

fn most_useful(
    frame: &Frame,
    passes: &[Passes<'_>],
    taken: &BTreeSet<String>,
    n: usize,
    params: &BatchParams,
) -> Result<Vec<Chosen>, AcquisitionError> {
    let members: BTreeSet<&str> = frame.members().map(|(c, _)| c.id.as_str()).collect();
    let mut ranked: Vec<(f64, &Passes<'_>)> = Vec::new();
    let mut met = BTreeSet::new();
    for one in passes {
        let is_free = members.contains(one.subject) && !taken.contains(one.subject);
        if !is_free || !met.insert(one.subject) {
            continue;
        }
        let uncertainty = uncertainty(one.subject, one.draws, params.n_classes)?;
        let value = match params.usefulness {
            Usefulness::Entropy => uncertainty.entropy,
            Usefulness::Bald | Usefulness::Diverse { .. } => uncertainty.mutual_information,
        };
        ranked.push((value, one));
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.subject.cmp(b.1.subject)));
    let (arm, order) = match params.usefulness {
        Usefulness::Entropy => (Arm::Entropy, (0..ranked.len().min(n)).collect()),
        Usefulness::Bald => (Arm::Bald, (0..ranked.len().min(n)).collect()),
        Usefulness::Diverse { n_among } => {
            ranked.truncate(n.saturating_mul(n_among.max(1)));
            (Arm::Diverse, spread_out(&ranked, n)?)
        }
    };
    let choose = |at: usize| {
        let (usefulness, one) = &ranked[at];
        Chosen { subject: one.subject.to_owned(), arm, usefulness: Some(*usefulness), drawn: None }
    };
    Ok(order.into_iter().map(choose).collect())
}

fn spread_out(ranked: &[(f64, &Passes<'_>)], n: usize) -> Result<Vec<usize>, AcquisitionError> {
    let dimension = ranked.first().map_or(0, |(_, one)| one.embedding.len());
    let mut embeddings = Vec::with_capacity(ranked.len() * dimension);
    for (_, one) in ranked {
        let is_sound = one.embedding.len() == dimension && dimension > 0;
        if !is_sound || !one.embedding.iter().all(|v| v.is_finite()) {
            let subject = one.subject.to_owned();
            return Err(AcquisitionError::Embedding { subject, dimension });
        }
        embeddings.extend_from_slice(one.embedding);
    }
    Ok(k_center(&embeddings, dimension, n))
}

#[cfg(test)]
#[path = "acquisition_tests.rs"]
mod tests;
